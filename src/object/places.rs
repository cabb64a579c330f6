//! From what a relocation or an instruction says to the place it means.
//!
//! The assembler writes many references as section plus offset, and folds the distance from the field to the
//! end of the instruction into the addend. Here both are undone, so that behind this module a reference to a
//! thing is the same reference wherever the thing lies.

use std::borrow::Cow;
use std::cell::OnceCell;

use object::elf;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::arch;
use super::facts::{Definition, Facts, Relocation, Section};
use super::fingerprint::Kind;
use super::machine::distances::Distances;
use super::machine::{self, Machine, Run, mapping, pairs};
use super::marks::{self, Marks};
use super::names;
use super::ownership::{Ownership, Piece, Thing};
use super::parallel::Workers;
use super::private;
use super::ranks::Ranks;
use super::x86::{Instruction, Reach};

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

/// A thing taken apart: its instructions (functions) and its references.
#[derive(Debug, Default)]
pub struct Body {
    /// Per piece: its instructions. Empty for data, and for machines without a decoder.
    pub pieces: SmallVec<[Vec<Instruction>; 1]>,
    /// Per piece: the numbers of its instructions by their offsets. Empty where all pieces are short.
    pub ranks: Vec<Ranks>,
    /// References in the order of their place.
    pub uses: Vec<Use>,
    /// Tables of distances that it reads.
    pub distances: Vec<Distances>,
}

/// Where bodies are made before they are kept at their exact size: a list that grows in place leaves memory touched
/// that nothing needs, and to touch it takes longer than to fill it.
#[derive(Default)]
struct Scratch {
    instructions: Vec<Instruction>,
    uses: Vec<Use>,
    /// References that may mean the end of what lies before: which, and what they would mean.
    ends: Vec<(usize, (usize, i64))>,
}

/// An object, taken apart.
#[derive(Debug)]
pub struct Model<'d> {
    /// What the file says.
    pub facts: Facts<'d>,
    /// Who owns what.
    pub owner: Ownership,
    /// Per thing: its body.
    pub bodies: Vec<Body>,
    /// Per thing: the stem of the name that names it, and whether a number was taken off.
    pub stems: Vec<(Cow<'d, [u8]>, bool)>,
    /// The machine, where its instructions can be told apart.
    pub machine: Option<&'static dyn Machine>,
    /// Whether the file lists places at functions' entries that may be patched.
    pub patchable: bool,
    /// Per section: which bytes are code and which data.
    pub maps: Vec<mapping::Map>,
    /// Per section: places that something beside the code refers to.
    pub marks: Marks,
    /// Data that addresses may lead into beside what lies there: thing and datum ([`super::biased`]).
    pub perhaps: Vec<(usize, usize)>,
}

impl<'d> Model<'d> {
    /// Takes an object apart.
    pub fn new(facts: Facts<'d>, workers: Workers) -> Self {
        let owner = super::ownership::find(&facts);
        let machine = machine::of(&facts.image);
        let maps = mapping::find(&facts);
        let patchable = facts.sections.iter().any(super::sites::lists_entries);
        let stems = owner.things.iter().map(|thing| {
            let first = thing.symbols_in(&facts).next();
            first.map_or_else(Default::default, names::stem_of)
        });
        let stems = stems.collect();
        let marks = marks::find(&facts, machine);
        let mut model = Self {
            facts,
            owner,
            bodies: Vec::new(),
            stems,
            machine,
            patchable,
            maps,
            marks,
            perhaps: Vec::new(),
        };
        let things = &model.owner.things;
        let mut runs = workers.map_runs(things, Thing::weight, |run| {
            let mut scratch = Scratch::default();
            // The first takes in the others in the end.
            let mut bodies = Vec::with_capacity(if run.start == 0 { things.len() } else { run.len() });
            bodies.extend(run.filter_map(|index| Some(model.body(index, things.get(index)?, &mut scratch))));
            bodies
        });
        let mut bodies = runs.next().unwrap_or_default();
        runs.for_each(|mut run| bodies.append(&mut run));
        model.bodies = bodies;
        let mut followed = Vec::new();
        for found in super::follow::find(&model, workers) {
            followed.extend(found.biased);
            if let Some(body) = model.bodies.get_mut(found.thing) {
                for (index, section) in found.passing {
                    if let Some(one) = body.uses.get_mut(index) {
                        one.place = Place::Anchor(section);
                    }
                }
                body.uses.extend(found.uses);
                body.uses.sort_by_key(|one| one.at);
            }
        }
        let biased = super::biased::find(&model, followed);
        let unread = super::unread::find(&model, &biased);
        for of_one in unread.chunk_by(|one, next| one.0 == next.0) {
            if let Some(body) = of_one.first().and_then(|(thing, _)| model.bodies.get_mut(*thing)) {
                body.uses.extend(of_one.iter().map(|(_, reached)| *reached));
                body.uses.sort_by_key(|one| one.at);
            }
        }
        model.perhaps = super::biased::perhaps(&model, &biased);
        model
    }

    /// The section with this index.
    pub fn section(&self, index: usize) -> Option<&Section<'d>> {
        self.facts.sections.get(index)
    }

    fn body(&self, index: usize, thing: &Thing, scratch: &mut Scratch) -> Body {
        let mut pieces: SmallVec<[Vec<Instruction>; 1]> = SmallVec::new();
        if thing.kind == Kind::Function
            && let Some(machine) = self.machine
        {
            pieces.reserve_exact(thing.pieces.len());
            for piece in &thing.pieces {
                scratch.instructions.clear();
                self.instructions(machine, piece, &mut scratch.instructions);
                pieces.push(scratch.instructions.clone());
            }
        }
        scratch.uses.clear();
        scratch.ends.clear();
        let mut number = 0;
        for (at, piece) in thing.pieces.iter().enumerate() {
            let Some(section) = self.section(piece.section) else { continue };
            match pieces.get(at) {
                Some(list) => {
                    self.code_uses(section, (index, at, piece), list, number, scratch);
                    number += list.len() as u32;
                }
                None => self.data_uses(section, piece, &mut scratch.uses),
            }
        }
        settle_ends(scratch);
        let mut distances = Vec::new();
        if let Some(machine) = self.machine.filter(|m| m.has_pairs() && !pieces.is_empty()) {
            pairs::settle(machine, &mut scratch.uses, |place| number_in(&pieces, index, place));
            let mut number = 0;
            for (at, (piece, list)) in thing.pieces.iter().zip(&pieces).enumerate() {
                let bytes = self.section(piece.section).map_or(&[][..], |s| s.data);
                let code = machine::Body { list, bytes, number, uses: &scratch.uses, home: (index, at) };
                distances.extend(machine.distances(&code));
                number += list.len() as u32;
            }
        }
        Body { ranks: Ranks::of_all(&pieces), pieces, uses: scratch.uses.clone(), distances }
    }

    fn instructions(&self, machine: &dyn Machine, piece: &Piece, list: &mut Vec<Instruction>) {
        let (Some(section), Ok(start)) = (self.section(piece.section), u32::try_from(piece.start)) else {
            return;
        };
        let run = Run {
            bytes: section.bytes(piece.start, piece.end),
            start,
            mode: mapping::Mode::Code,
            align: section.align,
            patchable: self.patchable,
            relocations: section.relocations_in(piece.start, piece.end),
            marks: self.marks.of(piece.section),
        };
        match self.maps.get(piece.section) {
            Some(map) => machine::instructions(machine, &run, map, list),
            None => machine.decode(&run, list),
        }
    }

    /// The number of the instruction that a branch to this offset reaches, counted through all pieces, and how
    /// far into that instruction it points (0 for every honest branch; distances into fill count from 0x100). Where instructions are not decoded: the
    /// offset in bytes from the start of the piece, and the piece.
    pub fn instruction_at(&self, thing: usize, piece: usize, offset: u64) -> (u32, u32) {
        if self.machine.is_none() {
            let start = self.owner.things.get(thing).and_then(|t| t.pieces.get(piece)).map_or(0, |p| p.start);
            return (offset.wrapping_sub(start) as u32, piece as u32);
        }
        let Some(body) = self.bodies.get(thing) else { return (0, 0) };
        let before: usize = body.pieces.iter().take(piece).map(Vec::len).sum();
        let Some(list) = body.pieces.get(piece) else { return (before as u32, 0) };
        let at = match body.ranks.get(piece) {
            Some(ranks) => ranks.before(list, offset),
            None => list.partition_point(|i| u64::from(i.start) < offset),
        };
        let here = (before + at) as u32;
        let Some(previous) = at.checked_sub(1).and_then(|i| list.get(i)) else { return (here, 0) };
        let start = u64::from(previous.start);
        let end = start + u64::from(previous.length);
        if offset < end {
            return (here - 1, (offset - start) as u32);
        }
        // Alignment fill stands between: its start and its end are the next instruction, its middle is not.
        match list.get(at) {
            Some(next) if offset != end && offset != u64::from(next.start) => {
                (here, 0x100 + (offset - end) as u32)
            }
            Some(_) => (here, 0),
            None => (here, (offset - end) as u32),
        }
    }

    /// The table of distances at a place that a thing reads, with the bounds of the piece it leads into.
    pub fn distances_at(&self, thing: usize, at: (usize, u64)) -> Option<(&Distances, (u64, u64))> {
        let table = self.bodies.get(thing)?.distances.iter().find(|d| d.table == at)?;
        let piece = self.owner.things.get(thing)?.pieces.get(table.home.1)?;
        Some((table, (piece.start, piece.end)))
    }

    fn code_uses(
        &self,
        section: &Section<'_>,
        (thing, at_piece, piece): (usize, usize, &Piece),
        list: &[Instruction],
        number: u32,
        Scratch { uses, ends, .. }: &mut Scratch,
    ) {
        let Some(machine) = self.machine else { return };
        let mut relocations = section.relocations_in(piece.start, piece.end);
        let inner = self.inner(thing, at_piece);
        let labels = OnceCell::new();
        let labels = || labels.get_or_init(|| self.labels(piece, list)).as_slice();
        for (position, (at, instruction)) in (number..).zip(list).enumerate() {
            let end = u64::from(instruction.start) + u64::from(instruction.length);
            if instruction.is_alone() && relocations.first().is_none_or(|next| next.offset >= end) {
                continue;
            }
            while let Some((relocation, rest)) = relocations.split_first().filter(|(r, _)| r.offset < end) {
                relocations = rest;
                let field = relocation.offset.saturating_sub(u64::from(instruction.start)) as u8;
                let bias = match instruction.reach() {
                    Reach::Literal(place) => place.wrapping_sub(relocation.offset.cast_signed()),
                    _ => machine.bias(instruction.start.into(), end, relocation.offset),
                };
                let mut place = self.resolve(section, relocation, bias);
                if instruction.access == 0
                    && let Some(at) = self.nameless(relocation, section)
                    && let Some(least) =
                        machine.least_offset(section.data, list, position, relocation.kind, &labels)
                {
                    place = self.table_behind(at, least).unwrap_or(place);
                }
                let text = || section.bytes(instruction.start.into(), end);
                if let Some(before) = self.end_of_another(place)
                    && machine.compares(text(), field)
                {
                    ends.push((uses.len(), before));
                }
                uses.push(Use { at, field, access: instruction.access, kind: relocation.kind, place });
            }
            let place = match instruction.reach() {
                Reach::Branch(target) | Reach::Entry(target) if inner.contains(&target) => continue,
                Reach::Branch(target) | Reach::Memory(target) | Reach::Entry(target) => {
                    self.direct(piece.section, target)
                }
                Reach::None | Reach::Literal(_) | Reach::Undecodable => continue,
            };
            uses.push(Use { at, field: instruction.field, access: instruction.access, kind: DIRECT, place });
        }
    }

    fn data_uses(&self, section: &Section<'_>, piece: &Piece, uses: &mut Vec<Use>) {
        for relocation in section.relocations_in(piece.start, piece.end) {
            let place = self.resolve(section, relocation, 0);
            let at = (relocation.offset - piece.start) as u32;
            uses.push(Use { at, field: 0, access: 0, kind: relocation.kind, place });
        }
    }

    /// Where a branch without a relocation surely stays inside this piece of its function: nothing else lies in
    /// there, and the function's entry may be someone else's too. Empty where that is not sure.
    pub fn inner(&self, thing: usize, piece: usize) -> std::ops::Range<i64> {
        match self.owner.things.get(thing).and_then(|t| Some((t.labels().is_empty(), t.pieces.get(piece)?))) {
            Some((true, p)) => {
                p.start.cast_signed().saturating_add(i64::from(piece == 0))..p.end.cast_signed()
            }
            _ => 0..0,
        }
    }

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
                    None => self.containing(at, offset),
                }
            }
        }
    }

    /// The datum that ends where another begins, and its size: what the address of the other may mean, where no name says
    /// which is meant.
    fn end_of_another(&self, place: Place) -> Option<(usize, i64)> {
        let Place::Thing(thing, 0, None) = place else { return None };
        let piece = self.owner.things.get(thing).filter(|t| t.kind == Kind::Data)?.pieces.first()?;
        let before = self.owner.ending_at(piece.section, piece.start)?.thing;
        let size = self.owner.things.get(before)?.pieces.first().map(|p| p.end - p.start)?;
        Some((before, size.cast_signed()))
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
    fn direct(&self, section: usize, target: i64) -> Place {
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

/// Takes an address that is only compared with for the end of an array where the function reaches that array.
fn settle_ends(Scratch { uses, ends, .. }: &mut Scratch) {
    if ends.is_empty() {
        return;
    }
    let reached: FxHashSet<usize> = uses
        .iter()
        .filter_map(|one| if let Place::Thing(thing, ..) = one.place { Some(thing) } else { None })
        .collect();
    for (index, (thing, size)) in ends.drain(..).filter(|(_, end)| reached.contains(&end.0)) {
        if let Some(one) = uses.get_mut(index) {
            one.place = Place::Thing(thing, size, None);
        }
    }
}

/// The number of the instruction of this thing that begins at a place; `pieces` are its instructions.
fn number_in(pieces: &[Vec<Instruction>], thing: usize, place: &Place) -> Option<u32> {
    let (piece, offset) = match *place {
        Place::Code(at, piece, offset) if at == thing => (piece, offset),
        Place::Thing(at, 0, _) if at == thing => return Some(0),
        _ => return None,
    };
    let before: usize = pieces.iter().take(piece).map(Vec::len).sum();
    let at = pieces.get(piece)?.binary_search_by_key(&offset, |i| i.start.into()).ok()?;
    Some((before + at) as u32)
}

/// The addend of a relocation of a field of `size` bytes, wherever it lies.
pub fn addend(
    section: &Section<'_>,
    relocation: &Relocation,
    machine: Option<&dyn Machine>,
    size: u8,
    little_endian: bool,
) -> i64 {
    if !relocation.is_implicit() {
        return relocation.addend;
    }
    let field = section.bytes(relocation.offset, relocation.offset.saturating_add(4));
    let own = machine.and_then(|m| m.implicit_addend(relocation.kind, field));
    own.unwrap_or_else(|| implicit_addend(section, relocation, size, little_endian))
}

/// The addend that lies in the field, sign-extended.
fn implicit_addend(section: &Section<'_>, relocation: &Relocation, size: u8, little_endian: bool) -> i64 {
    let size = usize::from(size.min(8));
    let bytes = section.bytes(relocation.offset, relocation.offset.saturating_add(size as u64));
    if bytes.len() < size || size == 0 {
        return 0;
    }
    let mut value = 0_u64;
    for at in 0..size {
        let byte = bytes.get(if little_endian { size - 1 - at } else { at }).copied().unwrap_or(0);
        value = value << 8 | u64::from(byte);
    }
    let unused = 64 - 8 * size as u32;
    (value << unused).cast_signed() >> unused
}
