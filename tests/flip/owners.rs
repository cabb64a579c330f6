//! Who must be told of an alteration: the owner of every place, and everyone who reads it.
//!
//! Computed from the file alone, by symbols, relocations and the instructions that hold them. Where it cannot be
//! known from outside how far nameless bytes reach, only those are demanded who must read the byte: whoever refers
//! to the last place before it.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use super::elf::{Elf, Relocation, Section, Symbol};
use super::frames::{self, Frame};

/// A function or datum: the symbols that share its place.
#[derive(Debug)]
pub struct Thing {
    pub section: usize,
    pub start: u64,
    pub end: u64,
    /// Its names; a `.cold` piece has its parent's.
    pub names: BTreeSet<String>,
    pub is_function: bool,
}

/// One that must be reported: index of the thing, and the functions that must stand as its readers.
pub type Demand = BTreeMap<usize, BTreeSet<usize>>;

/// A reference: where the field is, and where it leads.
#[derive(Debug, Clone, Copy)]
struct Reference {
    from: (usize, u64),
    to: (usize, i64),
    symbol: usize,
    /// It counts from its own place.
    relative: bool,
    /// Width of the access where the field alone tells its address; 0 where the address is taken.
    access: u64,
}

/// The whole object, resolved.
pub struct Owners<'e, 'f> {
    elf: &'e Elf<'f>,
    pub things: Vec<Thing>,
    /// Per section: its things by start.
    in_section: Vec<Vec<usize>>,
    by_symbol: BTreeMap<usize, usize>,
    /// Sized names of nameless bytes, per section.
    private_names: Vec<Vec<(u64, u64)>>,
    references: Vec<Reference>,
    /// Per section: references that lead there, by place.
    into: Vec<Vec<usize>>,
    by_target_symbol: BTreeMap<usize, Vec<usize>>,
    frames: Vec<Frame>,
}

/// Names that compilers give to data without a name.
fn is_private(name: &str) -> bool {
    [".L", "CSWTCH.", "switch.table.", "reltable.", "GCC_except_table"]
        .iter()
        .any(|start| name.starts_with(start))
        || name.is_empty()
}

impl<'e, 'f> Owners<'e, 'f> {
    pub fn new(elf: &'e Elf<'f>) -> Self {
        let count = elf.sections.len();
        let mut owners = Self {
            elf,
            things: Vec::new(),
            in_section: vec![Vec::new(); count],
            by_symbol: BTreeMap::new(),
            private_names: vec![Vec::new(); count],
            references: Vec::new(),
            into: vec![Vec::new(); count],
            by_target_symbol: BTreeMap::new(),
            frames: Vec::new(),
        };
        owners.find_things();
        owners.find_references();
        owners.frames = frames::read(elf);
        owners
    }

    fn find_things(&mut self) {
        let mut places: BTreeMap<(usize, u64, u64), Vec<usize>> = BTreeMap::new();
        for (index, symbol) in self.elf.symbols.iter().enumerate().skip(1) {
            let Symbol { section, value, size, .. } = *symbol;
            let allocated = self.elf.sections.get(section).is_some_and(Section::is_allocated);
            if !symbol.in_section || !allocated || size == 0 || symbol.kind() == 3 || symbol.kind() == 4 {
                continue;
            }
            if is_private(&symbol.name) {
                self.private_names[section].push((value, value + size));
            } else {
                places.entry((section, value, value + size)).or_default().push(index);
            }
        }
        for ((section, start, end), symbols) in places {
            let names = symbols.iter().map(|index| parent(&self.elf.symbols[*index].name).to_owned());
            let is_function = self.elf.sections[section].is_executable();
            self.in_section[section].push(self.things.len());
            let thing = Thing { section, start, end, names: names.collect(), is_function };
            for index in symbols {
                self.by_symbol.insert(index, self.things.len());
            }
            self.things.push(thing);
        }
        // The parent of a `.cold` piece may be reported by any of its names.
        let sets: Vec<_> = self.things.iter().map(|thing| thing.names.clone()).collect();
        let mut by_name: BTreeMap<&String, &BTreeSet<String>> = BTreeMap::new();
        for set in sets.iter().filter(|set| set.len() > 1) {
            by_name.extend(set.iter().map(|name| (name, set)));
        }
        for thing in self.things.iter_mut().filter(|thing| thing.names.len() == 1) {
            if let Some(set) = thing.names.first().and_then(|name| by_name.get(name)) {
                thing.names = (*set).clone();
            }
        }
    }

    fn find_references(&mut self) {
        for (index, section) in self.elf.sections.iter().enumerate() {
            let widths = if section.is_executable() { self.instructions(index) } else { BTreeMap::new() };
            for one in &section.relocations {
                let (tail, access) = widths.get(&one.offset).copied().unwrap_or((4, 0));
                let tail = if section.is_executable() { tail } else { 0 };
                let symbol = &self.elf.symbols[one.symbol];
                let relative = is_relative(one);
                let to = if symbol.in_section {
                    let tail = if relative { tail } else { 0 };
                    (symbol.section, symbol.value.cast_signed().wrapping_add(one.addend).wrapping_add(tail))
                } else {
                    (0, 0)
                };
                let number = self.references.len();
                let from = (index, one.offset);
                self.references.push(Reference { from, to, symbol: one.symbol, relative, access });
                self.into[to.0].push(number);
                self.by_target_symbol.entry(one.symbol).or_default().push(number);
            }
        }
        self.relative_tables();
        for list in &mut self.into {
            list.sort_by_key(|number| self.references[*number].to.1);
        }
    }

    /// Entries of nameless tables that count from the table's start, not from their own place: their addend holds the
    /// distance between. The table starts where code takes its address.
    fn relative_tables(&mut self) {
        let taken: BTreeSet<(usize, i64)> = self
            .references
            .iter()
            .filter(|one| self.elf.sections[one.from.0].is_executable())
            .map(|one| one.to)
            .collect();
        let all: Vec<usize> = (0..self.references.len()).collect();
        for number in all {
            let Reference { from: (section, offset), relative, .. } = self.references[number];
            let home = &self.elf.sections[section];
            let table = relative
                && !home.is_executable()
                && home.name != ".eh_frame"
                && !home.name.starts_with(".gcc_except_table")
                && self.thing_at(section, offset).is_none();
            if table
                && let Some(start) = taken.range((section, 0)..=(section, offset.cast_signed())).next_back()
            {
                self.references[number].to.1 -= offset.cast_signed() - start.1;
            }
        }
    }

    /// For each relocated field of a section: distance to the end of its instruction, width of the access.
    fn instructions(&self, section: usize) -> BTreeMap<u64, (i64, u64)> {
        let home = &self.elf.sections[section];
        let mut found = BTreeMap::new();
        let mut fields = home.relocations.iter().map(|r| r.offset).peekable();
        let functions = self.in_section[section].iter().map(|index| &self.things[*index]);
        for thing in functions {
            let end = thing.end.min(home.size);
            if thing.start >= end || !home.has_bytes() {
                continue;
            }
            let bytes = &self.elf.file[home.offset + thing.start as usize..home.offset + end as usize];
            while fields.next_if(|at| *at < thing.start).is_some() {}
            for one in &mut Decoder::with_ip(64, bytes, thing.start, DecoderOptions::NONE) {
                while let Some(at) = fields.next_if(|at| *at < one.next_ip()) {
                    found.insert(at, ((one.next_ip() - at).cast_signed(), access(&one)));
                }
            }
        }
        found
    }

    /// The innermost thing at a place.
    fn thing_at(&self, section: usize, offset: u64) -> Option<usize> {
        let around = |index: &&usize| {
            let thing = &self.things[**index];
            thing.start <= offset && offset < thing.end
        };
        let innermost = |index: &&usize| self.things[**index].end - self.things[**index].start;
        self.in_section[section].iter().filter(around).min_by_key(innermost).copied()
    }

    /// Who must be told of an alteration at a place.
    pub fn at(&self, section: usize, offset: u64) -> Demand {
        let mut demand = Demand::new();
        self.gather(section, offset, &mut demand, &mut BTreeSet::new());
        demand
    }

    fn gather(&self, section: usize, offset: u64, demand: &mut Demand, seen: &mut BTreeSet<(usize, u64)>) {
        if !seen.insert((section, offset)) {
            return;
        }
        let home = &self.elf.sections[section];
        if home.name == ".eh_frame" || home.name.starts_with(".gcc_except_table") {
            for function in frames::served(&self.frames, section, offset) {
                if let Some(thing) = self.thing_at(function.0, function.1) {
                    demand.entry(thing).or_default();
                }
            }
        } else if let Some(thing) =
            self.thing_at(section, offset).or_else(|| self.terminated_by(section, offset))
        {
            if demand.contains_key(&thing) {
                return;
            }
            let readers = if self.things[thing].is_function { BTreeSet::new() } else { self.readers(thing) };
            demand.insert(thing, readers);
        } else {
            for from in self.nameless_readers(section, offset) {
                self.gather(from.0, from.1, demand, seen);
            }
        }
    }

    /// The datum among strings that a zero right behind it makes one of them.
    fn terminated_by(&self, section: usize, offset: u64) -> Option<usize> {
        let home = &self.elf.sections[section];
        let width = home.entry_size.max(1);
        let unit = offset / width * width;
        let is_zero = |from: u64| {
            let at = home.offset + from as usize;
            self.elf.file[at..at + width as usize].iter().all(|byte| *byte == 0)
        };
        let before = unit
            .checked_sub(width)
            .filter(|before| home.flags & 0x30 == 0x30 && is_zero(unit) && !is_zero(*before))?;
        let datum = self.thing_at(section, before)?;
        (self.things[datum].end == unit).then_some(datum)
    }

    /// Functions that refer to a datum, also through nameless bytes.
    fn readers(&self, datum: usize) -> BTreeSet<usize> {
        let Thing { section, start, end, .. } = self.things[datum];
        let mut readers = BTreeSet::new();
        for number in &self.into[section] {
            let one = self.references[*number];
            let by_name = self.by_symbol.get(&one.symbol) == Some(&datum);
            let at = u64::try_from(one.to.1).unwrap_or(u64::MAX);
            let by_place = !self.by_symbol.contains_key(&one.symbol)
                && (start..end).contains(&at)
                && self.thing_at(section, at) == Some(datum);
            if by_name || by_place {
                readers.extend(self.functions_at(one.from));
            }
        }
        readers
    }

    /// The functions that hold a place, or that reach it as nameless bytes; none where a datum holds it.
    fn functions_at(&self, (section, offset): (usize, u64)) -> BTreeSet<usize> {
        if let Some(thing) = self.thing_at(section, offset) {
            return [thing].into_iter().filter(|index| self.things[*index].is_function).collect();
        }
        let mut seen = BTreeSet::from([(section, offset)]);
        let mut found = BTreeSet::new();
        let mut waiting = vec![(section, offset)];
        while let Some((section, offset)) = waiting.pop() {
            for from in self.nameless_readers(section, offset) {
                match self.thing_at(from.0, from.1) {
                    Some(thing) if self.things[thing].is_function => drop(found.insert(thing)),
                    None if seen.insert(from) => waiting.push(from),
                    Some(_) | None => {}
                }
            }
        }
        found
    }

    /// Where the references stand that must read a nameless byte.
    fn nameless_readers(&self, section: usize, offset: u64) -> Vec<(usize, u64)> {
        let home = &self.elf.sections[section];
        if home.is_executable() {
            return Vec::new(); // jump tables lead there, nobody reads it
        }
        let all = || self.into[section].iter().map(|number| self.references[*number]);
        let place = |one: &Reference| u64::try_from(one.to.1).unwrap_or(u64::MAX);
        let reads = |one: &Reference| place(one) <= offset && offset < place(one).saturating_add(one.access);
        let from = |one: Reference| one.from;
        if home.flags & 0x30 == 0x30 {
            let (start, end) = self.string(home, offset);
            return all().filter(|one| (start..end).contains(&place(one))).map(from).collect();
        }
        if home.flags & 0x10 != 0 && home.entry_size > 0 {
            let unit = offset / home.entry_size * home.entry_size;
            let whole = |one: &Reference| one.access == 0 && (unit..=offset).contains(&place(one));
            return all().filter(|one| reads(one) || whole(one)).map(from).collect();
        }
        // The bytes cannot begin before the thing, or the compiler's own name, that lies before them.
        let ends = self.in_section[section].iter().map(|index| self.things[*index].end);
        let names = self.private_names[section].iter().flat_map(|(start, end)| [*start, *end]);
        let bound = ends.chain(names).filter(|at| *at <= offset).max().unwrap_or(0);
        let last = all().map(|one| place(&one)).filter(|at| (bound..=offset).contains(at)).max();
        let takes = |one: &Reference| one.access == 0 && Some(place(one)) == last;
        all().filter(|one| reads(one) || takes(one)).map(from).collect()
    }

    /// The string around an offset, its terminator included.
    fn string(&self, home: &Section, offset: u64) -> (u64, u64) {
        let width = home.entry_size.max(1);
        let is_end = |unit: u64| {
            let at = home.offset + (unit * width) as usize;
            unit * width >= home.size || self.elf.file[at..at + width as usize].iter().all(|b| *b == 0)
        };
        let unit = offset / width;
        let mut start = unit;
        while start > 0 && !is_end(start - 1) {
            start -= 1;
        }
        let mut end = unit;
        while !is_end(end) {
            end += 1;
        }
        (start * width, (end + 1) * width)
    }

    /// Who must be told that a symbol was altered.
    pub fn of_symbol(&self, index: usize) -> Demand {
        let symbol = &self.elf.symbols[index];
        let mut demand = Demand::new();
        if symbol.is_undefined() {
            for number in self.by_target_symbol.get(&index).into_iter().flatten() {
                let from = self.references[*number].from;
                self.gather(from.0, from.1, &mut demand, &mut BTreeSet::new());
            }
        } else if let Some(thing) = self.by_symbol.get(&index) {
            let is_function = self.things[*thing].is_function;
            demand.insert(*thing, if is_function { BTreeSet::new() } else { self.readers(*thing) });
        }
        demand
    }
}

/// The name that a `.cold` piece is reported under.
fn parent(name: &str) -> &str {
    match name.split_once(".cold") {
        Some((parent, rest))
            if !parent.is_empty() && rest.chars().all(|c| c == '.' || c.is_ascii_digit()) =>
        {
            parent
        }
        _ => name,
    }
}

/// Whether the value counts from the place (psABI for x86-64, "Relocation Types": those with `P`).
fn is_relative(one: &Relocation) -> bool {
    matches!(one.kind, 2 | 4 | 9 | 13 | 15 | 19 | 20 | 22 | 24 | 34 | 41 | 42)
}

/// Width of an access whose address the displacement alone tells.
fn access(one: &iced_x86::Instruction) -> u64 {
    let memory = (0..one.op_count()).any(|operand| one.op_kind(operand) == OpKind::Memory);
    let address_only = matches!(one.mnemonic(), Mnemonic::Lea | Mnemonic::Nop);
    let plain_base = matches!(one.memory_base(), Register::None | Register::RIP | Register::EIP);
    let indexed = one.memory_index() != Register::None || !plain_base;
    if memory && !address_only && !indexed { one.memory_size().size() as u64 } else { 0 }
}
