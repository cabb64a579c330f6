//! Where addresses come to lie in registers.

use object::elf;
use rustc_hash::FxHashMap;

use super::super::super::facts::Section;
use super::super::super::machine::Machine;
use super::super::super::model::Model;
use super::super::super::places::{DIRECT, Place, Use};
use super::super::super::x86::Reach;
use super::super::Anchor;
use super::{Item, Location, Path, SUMS};

impl Path<'_, '_> {
    /// Finds the addresses that come to lie in a register, and where.
    pub(super) fn take(&mut self) {
        let pools = self.pools();
        let mut starts = Vec::new();
        for one in &self.body.uses {
            let upper = self.upper(one);
            let Some(anchor) = taken(self.model, self.machine, upper.as_ref().unwrap_or(one)) else {
                continue;
            };
            let own = [one.at];
            let loads = pools.get(&one.at).map_or(&own[..], Vec::as_slice);
            let written = |at: u32| self.code.get(at as usize).and_then(|done| done.step.written());
            if loads.iter().all(|at| written(*at).is_some()) {
                self.followed.push((one.at, anchor));
            }
            for at in loads {
                let Some(written) = written(*at) else { continue };
                let location = Location::Register(written);
                self.anchors.push((*at, anchor));
                let start = Item {
                    at: *at,
                    location,
                    anchor,
                    distance: 0,
                    exact: true,
                    is_used: false,
                    sums: [0; SUMS],
                    count: 0,
                };
                starts.push(start);
            }
        }
        for start in starts {
            self.go_on(start.at, start);
        }
    }

    /// The reference to the rest of an address with the place that the instruction with its upper part names.
    fn upper(&self, one: &Use) -> Option<Use> {
        let upper = self.machine.names_upper(one.kind).then(|| self.number_of(one.place))??;
        self.use_at(upper).map(|u| Use { place: u.place, ..*one })
    }

    /// The loads of each word of a literal pool that has a relocation.
    fn pools(&self) -> FxHashMap<u32, Vec<u32>> {
        let mut pools: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (number, done) in (0_u32..).zip(&self.code) {
            if let Reach::Memory(place) = done.reach
                && done.access > 0
                && let Some(word) = self.number(done.piece, place)
                && self.use_at(word).is_some_and(|u| u.kind != DIRECT)
            {
                pools.entry(word).or_default().push(number);
            }
        }
        pools
    }
}

/// Whether a reference can take the address of a datum; [`taken`] says which.
pub fn may_be_anchor(model: &Model<'_>, one: &Use) -> bool {
    let section = match one.place {
        Place::Thing(thing, _, None) => {
            model.owner.things.get(thing).and_then(|t| t.pieces.first()).map(|p| p.section)
        }
        Place::Private(section, _) | Place::Beyond(section, ..) => Some(section),
        _ => None,
    };
    section.and_then(|s| model.section(s)).is_some_and(holds_data)
}

/// The address that a reference brings into a register whole.
fn taken(model: &Model<'_>, machine: &dyn Machine, one: &Use) -> Option<Anchor> {
    if machine.is_upper(one.kind) {
        return None; // half of it
    }
    let place = match one.place {
        // The address was loaded (`.toc`).
        Place::Private(section, offset) if one.access > 0 => {
            let (home, at) = (model.section(section)?, u64::try_from(offset).ok()?);
            let relocation = home.relocations_in(at, at.saturating_add(1)).first()?;
            model.resolve(home, relocation, 0)
        }
        place if one.access == 0 => place,
        _ => return None,
    };
    let anchor = position(model, place)?;
    model.section(anchor.0).filter(|s| holds_data(s)).map(|_| anchor)
}

/// Section and offset of a place, unless a name was used that others may define too.
pub fn position(model: &Model<'_>, place: Place) -> Option<Anchor> {
    match place {
        Place::Thing(thing, offset, None) => {
            let piece = model.owner.things.get(thing)?.pieces.first()?;
            Some((piece.section, piece.start.cast_signed().checked_add(offset)?))
        }
        Place::Private(section, offset) => Some((section, offset)),
        Place::Beyond(section, base, distance) => Some((section, base.cast_signed().checked_add(distance)?)),
        _ => None,
    }
}

/// Whether a section has data that are reached from each other: not one whose pieces the linker merges, and lays where it likes.
/// (Power's comparison of strings reads on behind them.)
fn holds_data(section: &Section<'_>) -> bool {
    section.is_allocated()
        && !section.is_executable()
        && !section.is_mergeable()
        && section.flags & elf::SHF_TLS.0 == 0
}
