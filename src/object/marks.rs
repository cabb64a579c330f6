//! Places in code that something beside the code refers to.
//!
//! A no-operation that ends where alignment would end looks like fill, and may be anything but: the kernel writes branches
//! over it (`__jump_table`), calls into it (`__mcount_loc`), or puts an alternative in its place; a tracer puts a breakpoint
//! on it (`.note.stapsdt`). All of them list the place, by relocation, and none of them needs to be known by name here. The
//! error bias: what is named is kept, though now and then a table names the fill before a loop.
//!
//! Unwinding tables are left out, for they name every place; branches too, for a label stands behind the fill.
//! Distances from a table's own start (`.long .L5-.L4`, a jump table) name another place than their relocation says, and would make
//! fill count anywhere. Compilers put them where code reads them, into `.rodata`, or the one that belongs to a section of code
//! (`.rodata.f` to `.text.f`); there, relative entries are no marks. A list of patched places by distance from each entry's own place
//! that lies in such a section, and is read by code of the same file, would be missed; the kernel's and the tracers' lie in
//! sections of their own.

use object::elf;
use rustc_hash::FxHashSet;

use super::addend::addend;
use super::facts::{Definition, Facts, Relocation, Section};
use super::machine::Machine;
use super::{arch, orc, unwinding};

/// Per section: offsets that are referred to, sorted.
#[derive(Debug, Default)]
pub struct Marks(Vec<Vec<u32>>);

impl Marks {
    /// The marks of a section.
    pub fn of(&self, section: usize) -> &[u32] {
        self.0.get(section).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether one of the sorted `marks` lies in `start..end`.
pub fn any_in(marks: &[u32], start: u32, end: u32) -> bool {
    let from = marks.partition_point(|at| *at < start);
    marks.get(from).is_some_and(|at| *at < end)
}

/// Finds the marks of all sections.
pub fn find(facts: &Facts<'_>, machine: Option<&'static dyn Machine>) -> Marks {
    let Some(machine) = machine else { return Marks::default() };
    let code = |index: usize| facts.sections.get(index).is_some_and(Section::is_executable);
    let mut marks = vec![Vec::new(); facts.sections.len()];
    let tables = jump_tables(facts);
    for (index, section) in facts.sections.iter().enumerate().filter(|(_, section)| lists_places(section)) {
        let has_tables = tables.contains(&index);
        for relocation in &section.relocations {
            if let Some((home, at)) =
                named(facts, machine, section, relocation, has_tables).filter(|(h, _)| code(*h))
                && let Some(list) = marks.get_mut(home)
            {
                list.push(at);
            }
        }
    }
    for list in &mut marks {
        list.sort_unstable();
        list.dedup();
    }
    Marks(marks)
}

/// The sections that code reads and where compilers put jump tables.
fn jump_tables(facts: &Facts<'_>) -> FxHashSet<usize> {
    let could = |section: &Section<'_>| {
        section.name.starts_with(b".rodata") && !section.relocations.is_empty() && !section.is_executable()
    };
    let mut tables = FxHashSet::default();
    if !facts.sections.iter().any(could) {
        return tables;
    }
    let code: FxHashSet<&[u8]> = facts
        .sections
        .iter()
        .filter(|s| s.is_executable())
        .filter_map(|s| s.name.strip_prefix(b".text"))
        .collect();
    let belongs = |section: &Section<'_>| {
        let rest = section.name.strip_prefix(b".rodata").unwrap_or_default();
        could(section) && (rest.is_empty() || code.contains(rest))
    };
    for section in facts.sections.iter().filter(|section| section.is_executable()) {
        for relocation in &section.relocations {
            let home = facts.symbols.get(relocation.symbol() as usize).map(|symbol| symbol.definition);
            if let Some(Definition::Section(at)) = home
                && facts.sections.get(at).is_some_and(belongs)
            {
                tables.insert(at);
            }
        }
    }
    tables
}

/// Whether a section's relocations are to say which places matter.
fn lists_places(section: &Section<'_>) -> bool {
    let kept = section.is_allocated() || section.kind == elf::SHT_NOTE.0;
    let unwinds = unwinding::is_frames(section)
        || unwinding::is_arm_table(section)
        || unwinding::is_lsda(section)
        || orc::is_table(section);
    kept && !unwinds
}

/// The section and offset that a relocation names.
fn named(
    facts: &Facts<'_>,
    machine: &dyn Machine,
    section: &Section<'_>,
    relocation: &Relocation,
    has_tables: bool,
) -> Option<(usize, u32)> {
    let symbol = facts.symbols.get(relocation.symbol() as usize)?;
    let Definition::Section(home) = symbol.definition else { return None };
    let shape = arch::shape(facts.image.machine, relocation.kind)?;
    let bias = if section.is_executable() {
        machine.takes_address(relocation.kind, section.bytes(0, relocation.offset))?
    } else if shape.relative && has_tables {
        return None;
    } else {
        0
    };
    let addend = addend(section, relocation, Some(machine), shape.size, facts.image.little_endian);
    let at = symbol.value.cast_signed().wrapping_add(addend).wrapping_add(bias);
    u32::try_from(at).ok().map(|at| (home, at))
}
