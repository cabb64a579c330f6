//! Places in code that something beside the code refers to.
//!
//! A no-operation that ends where alignment would end looks like fill, and may be anything but: the kernel writes branches
//! over it (`__jump_table`), calls into it (`__mcount_loc`), or puts an alternative in its place; a tracer puts a breakpoint
//! on it (`.note.stapsdt`). All of them list the place, by relocation, and none of them needs to be known by name here. The
//! error bias: what is named is kept, though now and then a table names the fill before a loop.
//!
//! Unwinding tables are left out, for they name every place; branches too, for a label stands behind the fill.
//! A jump table leads to code that runs, not to a place that is patched, but no relocation tells the one list from the other; nor
//! whether a distance counts from its own place (`.long 1b - .`) or from the table's start (`.long .L5-.L4`). All are taken as
//! counted from their own place, so that no list of patched places is lost, whoever reads it. What that costs is fill that counts
//! where it is as long as its place asks for: between functions that are aligned less than their loops, and there only where a
//! table leads to its start. (Of SQLite's 1,467 functions none, wherever they lie, with `-falign-functions=1` too.)

use object::elf;

use super::facts::{Definition, Facts, Relocation, Section};
use super::machine::Machine;
use super::{arch, lsda_section, orc, places, unwinding};

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
    for section in facts.sections.iter().filter(|section| lists_places(section)) {
        for relocation in &section.relocations {
            if let Some((home, at)) = named(facts, machine, section, relocation).filter(|(h, _)| code(*h))
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

/// Whether a section's relocations are to say which places matter.
fn lists_places(section: &Section<'_>) -> bool {
    let kept = section.is_allocated() || section.kind == elf::SHT_NOTE.0;
    let unwinds = unwinding::is_frames(section)
        || unwinding::is_arm_table(section)
        || lsda_section(section)
        || orc::is_table(section);
    kept && !unwinds
}

/// The section and offset that a relocation names.
fn named(
    facts: &Facts<'_>,
    machine: &dyn Machine,
    section: &Section<'_>,
    relocation: &Relocation,
) -> Option<(usize, u32)> {
    let symbol = facts.symbols.get(relocation.symbol as usize)?;
    let Definition::Section(home) = symbol.definition else { return None };
    let shape = arch::shape(facts.image.machine, relocation.kind)?;
    let bias = if section.is_executable() {
        machine.takes_address(relocation.kind, section.bytes(0, relocation.offset))?
    } else {
        0
    };
    let addend = places::addend(section, relocation, Some(machine), shape.size, facts.image.little_endian);
    let at = symbol.value.cast_signed().wrapping_add(addend).wrapping_add(bias);
    u32::try_from(at).ok().map(|at| (home, at))
}
