//! What is reached from an address.

use super::super::super::machine::distances::Distances;
use super::super::super::machine::steps::{Register, Step};
use super::super::{Anchor, Evidence, Reached, leads_into_code, others};
use super::{Item, Path};

/// No datum lies below the first anchor of a section, and a second one is further than this from its start.
const FIRST: i64 = 0x800;

/// How many numbers are tried for an index, and what an access multiplies them by.
const NUMBERS: usize = 16;
const SCALES: [i64; 4] = [1, 2, 4, 8];
/// The same where an index may be subtracted.
const BOTH_WAYS: [i64; 8] = [1, 2, 4, 8, -1, -2, -4, -8];

/// How many displacements are laid on addresses at most, in one function. No compiler's function comes near.
const LAID: usize = 1 << 20;

impl Path<'_, '_> {
    pub(super) fn accesses(&mut self, item: &Item, register: Register, step: &Step) {
        for access in step.accesses.iter().flatten() {
            if access.base != register && access.index != Some(register) {
                continue;
            }
            let offset = item.anchor.1.wrapping_add(item.distance).wrapping_add(access.displacement);
            let known = item.exact && access.index.is_none();
            let evidence = if known { Evidence::Proof } else { Evidence::Perhaps };
            let width = if access.index.is_some() { 1 } else { access.width.max(1) };
            self.reach(Reached { at: item.at, anchor: item.anchor, offset, width, evidence });
            if offset == item.anchor.1 && self.lists_code(item.anchor) {
                continue; // an index of a jump table
            }
            let other = if access.base == register { access.index } else { Some(access.base) };
            let other = other.filter(|index| !self.is_computed(item.at, *index));
            let numbers = self.numbers.iter().filter(|(index, _)| Some(*index) == other).take(NUMBERS);
            let scales = if self.rules.subtracts { &BOTH_WAYS[..] } else { &SCALES };
            let distances = numbers.flat_map(|(_, number)| scales.iter().map(|by| number.wrapping_mul(*by)));
            let room = LAID.saturating_sub(self.biased.len());
            let places = distances.map(|by| (item.at, item.anchor.0, offset.wrapping_add(by)));
            self.biased.extend(places.take(room));
        }
    }

    /// Notes what lies outside the datum at the address.
    pub(super) fn reach(&mut self, one: Reached) {
        let below = one.anchor.1.saturating_sub(one.offset);
        let may_be_biased = below > 0 || one.evidence != Evidence::Proof;
        if may_be_biased && self.biased.len() < LAID && (below != 0 || !self.begins(one.anchor)) {
            self.biased.push((one.at, one.anchor.0, one.offset));
        }
        if below > 0 && (one.anchor.1 < FIRST || below > self.rules.below) {
            // The address is the end of an array, and this is the array.
            self.own.insert(one.anchor);
            if self.ends_there(&one) {
                self.reached.push(Reached { evidence: Evidence::Perhaps, ..one });
            }
            return;
        }
        let evidence = if below > 0 { Evidence::Perhaps } else { one.evidence };
        let stays = others(self.model, &one).is_empty();
        // A sum that stays in the datum has a way of its own; an access of two data at once may be of this one, too.
        if one.width > 0 && (stays || self.meets_own(&one)) {
            self.own.insert(one.anchor);
        }
        if !stays {
            self.reached.push(Reached { evidence, ..one });
        }
    }

    /// Whether an access has to do with the datum at the address itself.
    fn meets_own(&self, one: &Reached) -> bool {
        let (section, from) = one.anchor;
        let own = u64::try_from(from).ok().and_then(|at| self.model.owner.datum_at(section, at));
        let (start, end) =
            own.map_or((from, from.saturating_add(1)), |(s, e)| (s.cast_signed(), e.cast_signed()));
        one.offset < end && start < one.offset.saturating_add(one.width.into())
    }

    /// Whether something reached below an address surely belongs to the datum that ends there: it is accessed, or is that datum's
    /// start. (An address further on in it may be an element before the first of what begins there.)
    fn ends_there(&self, one: &Reached) -> bool {
        let datum = u64::try_from(one.offset).ok().and_then(|at| self.model.owner.datum_at(one.anchor.0, at));
        datum.is_some_and(|(start, end)| {
            end.cast_signed() == one.anchor.1
                && (one.evidence == Evidence::Proof || start.cast_signed() == one.offset)
        })
    }

    /// Whether a datum, or a jump table, begins at an address.
    fn begins(&self, anchor: Anchor) -> bool {
        let datum = u64::try_from(anchor.1).ok().and_then(|at| self.model.owner.datum_at(anchor.0, at));
        datum.is_some_and(|(start, _)| start.cast_signed() == anchor.1) || self.lists_code(anchor)
    }

    /// Whether a jump table begins at an address: one of addresses, or one of distances that this function reads.
    pub(super) fn lists_code(&self, anchor: Anchor) -> bool {
        let is_here = |d: &Distances| (d.table.0, d.table.1.cast_signed()) == anchor;
        self.body.distances.iter().any(is_here) || leads_into_code(self.model, anchor)
    }

    /// Lays every displacement of the function on every address that it takes.
    pub(super) fn lay_all(&mut self) {
        self.own.extend(self.anchors.iter().map(|(_, anchor)| *anchor));
        let accesses = self.code.iter().flat_map(|d| d.step.accesses).flatten();
        let accesses = accesses.map(|a| (a.displacement, if a.index.is_some() { 1 } else { a.width.max(1) }));
        let sums = self.code.iter().flat_map(|d| d.step.moves).flatten().map(|m| (m.by, 0));
        let mut displacements: Vec<(i64, u32)> = accesses.chain(sums).collect();
        displacements.sort_unstable();
        displacements.dedup();
        // One reference to an address is as good as another.
        self.anchors.sort_unstable_by_key(|(at, anchor)| (*anchor, *at));
        let mut anchors = self.anchors.clone();
        anchors.dedup_by_key(|(_, anchor)| *anchor);
        for (at, anchor) in anchors.iter().take(LAID / displacements.len().max(1)) {
            self.reached.extend(displacements.iter().map(|(by, width)| Reached {
                at: *at,
                anchor: *anchor,
                offset: anchor.1.wrapping_add(*by),
                width: *width,
                evidence: Evidence::Laid,
            }));
            self.biased
                .extend(displacements.iter().map(|(by, _)| (*at, anchor.0, anchor.1.wrapping_add(*by))));
        }
    }
}
