//! Nameless data that an access with an index reads, where a check before it tells the least index
//! ([`super::machine::bounds`]): the address in the instruction may be a neighbour's.

use super::addend::addend;
use super::facts::{Definition, Relocation, Section};
use super::model::Model;
use super::ownership::Piece;
use super::places::Place;
use super::x86::{Instruction, Reach};
use super::{arch, biased};

impl Model<'_> {
    /// Offsets in a piece that its branches lead to, or that others name, sorted.
    pub(super) fn labels(&self, piece: &Piece, list: &[Instruction]) -> Vec<u32> {
        let branches = list.iter().filter_map(|one| match one.reach() {
            Reach::Branch(target) => u32::try_from(target).ok(),
            _ => None,
        });
        let marks = self.marks.of(piece.section);
        let from = marks.partition_point(|at| u64::from(*at) < piece.start);
        let inside = marks.iter().skip(from).copied().take_while(|at| u64::from(*at) < piece.end);
        let mut labels: Vec<u32> = branches.chain(inside).collect();
        labels.sort_unstable();
        labels
    }

    /// The section and offset that a relocation means where an index's constant part may be folded into it, and no name says
    /// whose address it is.
    pub(super) fn nameless(&self, relocation: &Relocation, section: &Section<'_>) -> Option<(usize, i64)> {
        let machine = self.facts.image.machine;
        if !biased::may_hold_index(machine, relocation.kind) {
            return None;
        }
        let symbol = self.facts.symbols.get(relocation.symbol() as usize)?;
        let Definition::Section(at) = symbol.definition else { return None };
        if !(symbol.is_section() || symbol.name.starts_with(b".L")) || self.section(at)?.is_executable() {
            return None;
        }
        let shape = arch::shape(machine, relocation.kind)?;
        let addend = addend(section, relocation, self.machine, shape.size, self.facts.image.little_endian);
        Some((at, symbol.value.cast_signed().wrapping_add(addend)))
    }

    /// What an address means that is `least` bytes before the first byte read by it. (Where that is 0, too, it is known whose
    /// the address is: nothing of an index is in it.)
    pub(super) fn table_behind(&self, (section, offset): (usize, i64), least: i64) -> Option<Place> {
        let first = offset.checked_add(least)?;
        let home = self.section(section)?;
        let start = u64::try_from(first).ok().filter(|start| *start < home.size)?;
        match self.containing(section, first) {
            Place::Private(..) if !home.is_strings() => {
                Some(Place::Beyond(section, start, least.checked_neg()?))
            }
            Place::Thing(thing, inside, None) => Some(Place::Thing(thing, inside.checked_sub(least)?, None)),
            _ => None,
        }
    }
}
