//! Tables among nameless bytes: of places in a function, and of distances.

use super::super::arch;
use super::super::facts::{Relocation, Section};
use super::super::fingerprint::Kind;
use super::super::places::{DIRECT, Place};
use super::super::private::Extent;
use super::{Closure, Entries};

impl Closure<'_, '_> {
    /// A table of distances: the places that its entries lead to, and where it ends.
    pub(super) fn distances(&self, home: &Section<'_>, extent: &Extent) -> Option<(Entries, u64)> {
        let (table, piece) = self.model.distances_at(self.own?, (extent.section, extent.start))?;
        let all = table.entries(home, extent.end);
        let end = extent.start + all.len() as u64 * u64::from(table.width);
        let entry = |(offset, target)| Some((offset, DIRECT, table.place(target, piece)?));
        Some((all.into_iter().map(entry).collect::<Option<_>>()?, end))
    }

    pub(super) fn table(
        &self,
        home: &Section<'_>,
        extent: &Extent,
        relocations: &[Relocation],
    ) -> Option<Vec<(u64, u32, Place)>> {
        let machine = self.model.facts.image.machine;
        let mut end = extent.start;
        let mut entries = Vec::with_capacity(relocations.len());
        for relocation in relocations {
            let shape = arch::shape(machine, relocation.kind)?;
            if relocation.offset != end {
                return None;
            }
            end += u64::from(shape.size);
            let place = self.table_entry(home, extent, relocation, shape.relative)?;
            entries.push((relocation.offset - extent.start, relocation.kind, place));
        }
        home.bytes(end, extent.end).iter().all(|b| *b == 0).then_some(entries)
    }

    /// Where one entry of a table leads: in this function if there is one. PC-relative entries count from the
    /// start of the table (`.long .L5-.L4`), so the distance to the entry is in the addend.
    fn table_entry(
        &self,
        home: &Section<'_>,
        extent: &Extent,
        relocation: &Relocation,
        relative: bool,
    ) -> Option<Place> {
        let mut at = *relocation;
        if relative {
            at.addend = at.addend.wrapping_sub((relocation.offset - extent.start).cast_signed());
        }
        let place = self.model.resolve(home, &at, 0);
        let (Place::Code(thing, ..) | Place::Thing(thing, 0, _)) = place else { return None };
        let function = self.model.owner.things.get(thing)?.kind == Kind::Function;
        (function && self.own.is_none_or(|own| own == thing)).then_some(place)
    }

    /// A table of distances from its own start to strings or data (LLVM makes one of an array of pointers in
    /// position-independent code): PC-relative entries, one behind the other. The distance from the start to the
    /// entry is in the addend, as in jump tables.
    pub fn is_relative_table(&self, home: &Section<'_>, start: u64, end: u64) -> bool {
        let relocations = home.relocations_in(start, end);
        let machine = self.model.facts.image.machine;
        let mut end = start;
        relocations.len() > 1
            && relocations.iter().all(|relocation| {
                let Some(shape) = arch::shape(machine, relocation.kind) else { return false };
                let follows = relocation.offset == end;
                end = end.saturating_add(shape.size.into());
                follows && shape.relative && !relocation.is_implicit()
            })
    }
}
