//! From what a relocation or an instruction says to the place it means.
//!
//! The assembler writes many references as section plus offset, and folds the distance from the field to the
//! end of the instruction into the addend. Here both are undone, so that behind this module a reference to a
//! thing is the same reference wherever the thing lies.

use object::elf;

use super::addend::addend;
use super::arch;
use super::facts::{Definition, Relocation, Section, Symbol};
use super::fingerprint::Kind;
use super::machine::Machine;
use super::model::Model;
use super::ownership::Piece;
use super::private;

/// `r_type` of a reference that has no relocation: the assembler or the linker resolved it.
pub const DIRECT: u32 = u32::MAX;

/// `r_type` of a reference by a displacement from the address of a neighbour in a register ([`super::follow`]).
pub const REACHED: u32 = u32::MAX - 1;

/// The same where the register could not be followed: there may be such a reference.
pub const REACHED_PERHAPS: u32 = u32::MAX - 2;

/// What a reference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A symbol that this file does not define, plus an addend.
    External(u32, i64),
    /// A thing, plus an offset. The symbol where it was named by one that others may define too.
    Thing(usize, i64, Option<u32>),
    /// A place inside a function: thing, piece, offset in the section.
    Code(usize, usize, u64),
    /// Bytes without a name: section and offset.
    Private(usize, i64),
    /// Bytes without a name, by a label that the file kept, and a distance from it: section, offset of the
    /// label, distance. (The end of a constant is where another may begin.)
    Beyond(usize, u64, i64),
    /// An address in a section that only serves to reach others from there, which are references of their own.
    Anchor(usize),
    /// A number.
    Absolute(i64),
}

/// One reference from a thing. Branches without a relocation inside their own function are not among them: they
/// are most, and their instruction says it all.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Instruction number (functions) or byte offset in the thing (data).
    pub at: u32,
    /// Offset of the field in its instruction; 0 for data.
    pub field: u8,
    /// Width of the access where the field alone tells its address, else 0.
    pub access: u8,
    /// `r_type`, or [`DIRECT`].
    pub kind: u32,
    /// What it means.
    pub place: Place,
}

impl Model<'_> {
    /// The place that a relocation means; `bias` is the distance from the field to where PC-relative values
    /// count from ([`Machine::bias`]; 0 in data).
    pub fn resolve(&self, section: &Section<'_>, relocation: &Relocation, bias: i64) -> Place {
        let shape = arch::shape(self.facts.image.machine, relocation.kind);
        let size = shape.map_or(4, |s| s.size);
        let mut addend = addend(section, relocation, self.machine, size, self.facts.image.little_endian);
        if shape.is_some_and(|s| s.relative) {
            addend = addend.wrapping_add(bias);
        }
        if relocation.symbol() == 0 {
            let means = self.machine.is_none_or(|m| !m.is_mark(relocation.kind));
            return self.number(if means { addend } else { 0 });
        }
        // A number beyond the table names nothing, and is not the number 0.
        let Some(symbol) = self.facts.symbols.get(relocation.symbol() as usize) else {
            return Place::External(relocation.symbol(), addend);
        };
        match symbol.definition {
            Definition::Undefined => Place::External(relocation.symbol(), addend),
            Definition::Absolute | Definition::Common => match self.owner.of_symbol(relocation.symbol()) {
                Some(thing) => Place::Thing(thing, addend, Some(relocation.symbol())),
                None => Place::External(relocation.symbol(), addend),
            },
            Definition::Section(at) => {
                let offset = symbol.value.cast_signed().wrapping_add(addend);
                match self.owner.of_symbol(relocation.symbol()) {
                    Some(thing) => self.in_thing(thing, at, offset, relocation.symbol()),
                    None if addend != 0
                        && (self.is_kept_label(relocation.symbol())
                            || self.leaves_its_unit(relocation.symbol(), at, offset)) =>
                    {
                        Place::Beyond(at, symbol.value, addend)
                    }
                    None => by_label(symbol, relocation.symbol(), self.containing(at, offset)),
                }
            }
        }
    }

    /// Whether a symbol labels nameless bytes of its own, on a machine whose assembler keeps such labels.
    fn is_kept_label(&self, symbol: u32) -> bool {
        let symbol = self.facts.symbols.get(symbol as usize);
        self.machine.is_some_and(Machine::keeps_labels)
            && symbol.is_some_and(|s| {
                let own =
                    matches!(s.definition, Definition::Section(at) if self.labels_nameless(at, s.value));
                own && s.name.starts_with(b".L") && !s.name.starts_with(b".LANCHOR")
            })
    }

    /// Whether a reference by a compiler's label leaves the mergeable string or constant that the label names, as that to an
    /// element before the first does (`"text"[i - 1]`).
    fn leaves_its_unit(&self, symbol: u32, section: usize, offset: i64) -> bool {
        let Some(home) = self.section(section).filter(|home| home.is_mergeable()) else { return false };
        let Some(label) = self.facts.symbols.get(symbol as usize).filter(|s| s.name.starts_with(b".L"))
        else {
            return false;
        };
        let Ok(offset) = u64::try_from(offset) else { return true };
        let extent = if home.is_strings() {
            private::string_around(home, label.value)
        } else {
            home.entry_size.checked_sub(1).map(|_| (label.value, label.value.saturating_add(home.entry_size)))
        };
        offset < label.value || extent.is_some_and(|(_, end)| offset > end)
    }

    fn labels_nameless(&self, section: usize, offset: u64) -> bool {
        let mergeable = self.section(section).is_none_or(Section::is_mergeable);
        !mergeable && matches!(self.containing(section, offset.cast_signed()), Place::Private(..))
    }

    /// A number is an address in a linked file, where it lies in one of its sections.
    fn number(&self, value: i64) -> Place {
        if self.facts.image.file_type == elf::ET_REL.0 {
            return Place::Absolute(value);
        }
        self.at_address(value).unwrap_or(Place::Absolute(value))
    }

    /// The place at an address of a linked file.
    pub fn at_address(&self, address: i64) -> Option<Place> {
        let address = address.cast_unsigned();
        let index = self.facts.sections.iter().position(|s| {
            s.is_allocated()
                && s.flags & elf::SHF_TLS.0 == 0
                && address >= s.address
                && address - s.address < s.size
        })?;
        let section = self.section(index)?;
        Some(self.containing(index, (address - section.address).cast_signed()))
    }

    /// The place that an instruction reaches without a relocation, as an offset in its own section.
    pub(super) fn direct(&self, section: usize, target: i64) -> Place {
        let Some(own) = self.section(section) else { return Place::Absolute(target) };
        let inside = target >= 0 && target.cast_unsigned() < own.size;
        if !inside && self.facts.image.file_type != elf::ET_REL.0 {
            let address = own.address.wrapping_add(target.cast_unsigned());
            return self.at_address(address.cast_signed()).unwrap_or(Place::Absolute(address.cast_signed()));
        }
        self.containing(section, target)
    }

    /// What a place before or behind its section means: if one datum lies there alone, or nothing that has a name, an element
    /// counted from further off (`array[i - 1]`). Among several data nobody can tell which.
    fn outside(&self, section: usize, offset: i64) -> Place {
        let Some(home) = self.section(section).filter(|home| !home.is_executable()) else {
            return Place::Private(section, offset);
        };
        let mut ranges = self.owner.ranges(section);
        match (ranges.next(), ranges.next()) {
            (None, _) if home.size > 0 => Place::Beyond(section, 0, offset),
            (Some((0, end)), None) if end == home.size => match self.owner.at(section, 0) {
                Some(inside) => Place::Thing(inside.thing, offset, None),
                None => Place::Private(section, offset),
            },
            _ => Place::Private(section, offset),
        }
    }

    /// The place named by a symbol of its own, however far from it.
    fn in_thing(&self, thing: usize, section: usize, offset: i64, symbol: u32) -> Place {
        let Some(owner) = self.owner.things.get(thing) else { return Place::Private(section, offset) };
        let global = self.facts.symbols.get(symbol as usize).is_some_and(|s| !s.is_local()).then_some(symbol);
        let within = |p: &Piece| {
            p.section == section && offset >= 0 && (p.start..p.end).contains(&offset.cast_unsigned())
        };
        let start = owner.pieces.first().map_or(0, |p| p.start).cast_signed();
        if owner.kind == Kind::Function
            && let Some(piece) = owner.pieces.iter().position(within)
            && (piece > 0 || offset != start)
        {
            return Place::Code(thing, piece, offset.cast_unsigned());
        }
        let home = owner.pieces.iter().find(|p| p.section == section).map_or(0, |p| p.start).cast_signed();
        Place::Thing(thing, offset.wrapping_sub(home), global)
    }

    /// What contains the place.
    pub fn containing(&self, section: usize, offset: i64) -> Place {
        if self.section(section).is_some_and(|s| offset < 0 || offset > s.size.cast_signed()) {
            return self.outside(section, offset);
        }
        let at = offset.cast_unsigned();
        if let Some(inside) = self.owner.at(section, at) {
            let start = self.owner.things.get(inside.thing).and_then(|t| t.pieces.get(inside.piece));
            let (Some(piece), Some(thing)) = (start, self.owner.things.get(inside.thing)) else {
                return Place::Private(section, offset);
            };
            let delta = at - piece.start;
            if thing.kind == Kind::Function && (delta != 0 || inside.piece > 0) {
                return Place::Code(inside.thing, inside.piece, at);
            }
            return Place::Thing(inside.thing, delta.cast_signed(), None);
        }
        // A pointer one past the end belongs to what ends there, unless nameless bytes begin there.
        if let Some(before) = self.owner.ending_at(section, at)
            && let Some(piece) = self.owner.things.get(before.thing).and_then(|t| t.pieces.get(before.piece))
            && self.section(section).is_some_and(|s| at >= s.size)
        {
            return Place::Thing(before.thing, (at - piece.start).cast_signed(), None);
        }
        Place::Private(section, offset)
    }
}

/// A place that was named by a label: by one that others may define too, that is what the linker goes by.
fn by_label(label: &Symbol<'_>, number: u32, place: Place) -> Place {
    match place {
        Place::Thing(thing, offset, None) if !label.is_local() => Place::Thing(thing, offset, Some(number)),
        place => place,
    }
}
