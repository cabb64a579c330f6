//! Special sections: tables beside the code whose entries serve single functions.
//!
//! The kernel adds such a section every few releases (`__ex_table`, `.altinstructions`, `__jump_table`,
//! `.static_call_sites`, ...), and every peer that knows them by name missed the next one. So a special section
//! is told by what it is: allocated, not executable, without a symbol of its own, referred to by nobody, and
//! with relocations into functions. Its entries are told by `sh_entsize`, by a few names, or by the rhythm of its relocations
//! ([`entries`]); each belongs to the function that its first relocation into code names. What serves no function stays one
//! conservative item.

mod entries;
mod words;

use std::collections::HashMap;

use object::elf;

use super::arch;
use super::closure::Closure;
use super::facts::Section;
use super::fingerprint::Kind;
use super::follow::position;
use super::model::Model;
use super::orc::{self, Orc};
use super::places::Place;
use super::private::Privates;
use super::stream::Write;
use super::unwinding::{self, arm};

/// The kernel's alternatives on x86 (`struct alt_instr`): by the size of an entry, where in it the length of the replacement stands.
/// Source: `arch/x86/include/asm/alternative.h` of Linux 3.x to 5.12 (`padlen` at the end), 5.13 to 6.2, and from 6.3 on.
const ALTERNATIVES: &[u8] = b".altinstructions";
const REPLACEMENT_LENGTH: [(u64, u64); 3] = [(12, 11), (13, 11), (14, 13)];
/// Offset of the field that leads to the replacement.
const REPLACEMENT: u64 = 4;

/// Whether a section lists functions' entries that may be patched (`-fpatchable-function-entry`, `-mrecord-mcount`).
pub fn lists_entries(section: &Section<'_>) -> bool {
    section.name == b"__patchable_function_entries" || section.name == b"__mcount_loc"
}

/// One entry of a special section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Index of the section.
    pub section: usize,
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
}

/// The entries of all special sections, by the function each serves.
#[derive(Debug, Default)]
pub struct Sites {
    /// Each with the function it serves, by which they are sorted.
    by_thing: Vec<(usize, Entry)>,
    /// Entries that serve no function, by section.
    pub loose: Vec<Entry>,
    /// Nops before a function's entry that `-fpatchable-function-entry` put there: thing to (section, start, end).
    pub prefixes: HashMap<usize, (usize, u64, u64)>,
    /// What stands before a function's entry and is no fill, its type for who calls it by a pointer (clang's kcfi): likewise.
    words: HashMap<usize, (usize, u64, u64)>,
    /// The kernel's unwinding tables, which are no list of sites.
    pub orc: Orc,
}

/// A function, and the no-operations before its entry where those were named: section, start, end.
type Served = (usize, Option<(usize, u64, u64)>);

/// Finds special sections and gives each entry to its function.
pub fn find(model: &Model<'_>, privates: &Privates) -> Sites {
    let orc = orc::find(model);
    let is_orc = |index: usize| {
        orc.as_ref().is_some_and(|orc| orc.covered.iter().any(|(section, ..)| *section == index))
    };
    let mut sites = Sites::default();
    for (index, section) in model.facts.sections.iter().enumerate() {
        if is_orc(index) || !is_special(model, privates, index, section) {
            continue;
        }
        for (start, end) in entries::of(model, section) {
            let entry = Entry { section: index, start, end };
            match served(model, section, start, end) {
                Some((thing, prefix)) => {
                    sites.by_thing.push((thing, entry));
                    if let Some(prefix) = prefix {
                        sites.prefixes.insert(thing, prefix);
                    }
                }
                None => sites.loose.push(entry),
            }
        }
    }
    // Which section comes first in the file, an unrelated function may decide.
    let name = |entry: &Entry| model.section(entry.section).map(|section| section.name);
    sites.by_thing.sort_by(|(one, a), (other, b)| {
        (one, name(a), a.section, a.start).cmp(&(other, name(b), b.section, b.start))
    });
    sites.words = words::find(model, privates);
    sites.orc = orc.unwrap_or_default();
    sites.loose.extend(sites.orc.loose.iter().copied());
    sites
}

/// Where in an alternative the field lies that leads to a replacement of no bytes. What it leads to is the next alternative's,
/// or nobody's.
fn void_field(model: &Model<'_>, section: &Section<'_>, start: u64, end: u64) -> Option<u64> {
    if !matches!(model.facts.image.machine, arch::X86_64 | arch::I386) {
        return None; // on arm64 no length says that the field leads to a function that is called
    }
    let (_, length) = REPLACEMENT_LENGTH.iter().find(|(size, _)| *size == end - start)?;
    let is_void = section.name == ALTERNATIVES && section.bytes(start + length, start + length + 1) == [0];
    is_void.then_some(start + REPLACEMENT)
}

/// Where an entry on 64-bit Power ends with two fields that say where nameless bytes begin and end: both, and how many bytes. What lies
/// behind the end is the next entry's. (The replacements of the kernel's features, `arch/powerpc/include/asm/feature-fixups.h`.)
fn ends(model: &Model<'_>, section: &Section<'_>, start: u64, end: u64) -> Option<(u64, u64, i64)> {
    let [.., from, to] = section.relocations_in(start, end) else { return None };
    let is_pair = [from, to].iter().all(|r| r.kind == elf::R_PPC64_REL64.0) && from.offset + 8 == to.offset;
    if model.facts.image.machine != elf::EM_PPC64.0 || !is_pair {
        return None;
    }
    let place = |relocation| position(model, model.resolve(section, relocation, 0));
    let ((home, first), (other, behind)) = (place(from)?, place(to)?);
    let bytes = model.section(home).filter(|s| home == other && !s.is_executable() && !s.is_mergeable())?;
    let is_nameless = model.owner.ranges(home).next().is_none();
    let inside = 0 <= first && first <= behind && behind.cast_unsigned() <= bytes.size;
    (is_nameless && inside).then_some((from.offset, to.offset, behind - first))
}

fn is_special(model: &Model<'_>, privates: &Privates, index: usize, section: &Section<'_>) -> bool {
    section.is_allocated()
        && !section.is_executable()
        && !section.is_strings()
        && !section.is_zero_filled()
        && !section.relocations.is_empty()
        && !unwinding::is_frames(section)
        && !unwinding::is_lsda(section)
        && model.owner.ranges(index).next().is_none()
        && !privates.has_outside_readers(index)
        && section.relocations.iter().any(|r| code(model, section, r.offset).is_some())
}

/// The function that the relocation at an offset leads into.
fn code(model: &Model<'_>, section: &Section<'_>, offset: u64) -> Option<Served> {
    let mut here = section.relocations_in(offset, offset.saturating_add(1)).iter();
    let relocation = here.find(|relocation| !unwinding::is_need(section, relocation))?;
    match model.resolve(section, relocation, 0) {
        Place::Code(thing, ..) => Some((thing, None)),
        Place::Thing(thing, ..) => {
            let function = model.owner.things.get(thing)?.kind == Kind::Function;
            function.then_some((thing, None))
        }
        Place::Private(at, start) => nops_before(model, at, u64::try_from(start).ok()?),
        Place::External(..) | Place::Beyond(..) | Place::Anchor(_) | Place::Absolute(_) => None,
    }
}

/// The function behind a run of no-operations that begins here, and that run.
fn nops_before(model: &Model<'_>, section: usize, start: u64) -> Option<Served> {
    let home = model.section(section).filter(|s| s.is_executable())?;
    let machine = model.machine?;
    let mut rest = home.bytes(start, home.size);
    let mut nops = 0;
    while let Some(length) = machine.nop_length(rest) {
        nops += length as u64;
        rest = rest.get(length..)?;
    }
    let end = (start + 1..=start + nops).find(|at| model.owner.at(section, *at).is_some())?;
    let inside = model.owner.at(section, end)?;
    let piece = model.owner.things.get(inside.thing)?.pieces.get(inside.piece)?;
    (piece.start == end && inside.piece == 0).then_some((inside.thing, Some((section, start, end))))
}

/// The function that an entry serves: the first that one of its relocations leads into.
fn served(model: &Model<'_>, section: &Section<'_>, start: u64, end: u64) -> Option<Served> {
    section.relocations_in(start, end).iter().find_map(|r| code(model, section, r.offset))
}

impl Sites {
    /// The entries that serve a function.
    pub fn of(&self, thing: usize) -> impl Iterator<Item = &Entry> {
        let from = self.by_thing.partition_point(|(serves, _)| *serves < thing);
        self.by_thing
            .iter()
            .skip(from)
            .take_while(move |(serves, _)| *serves == thing)
            .map(|(_, entry)| entry)
    }

    /// Writes the `sites` part of a function: section name and contents of each entry; and for its `unwinding` part what Arm's
    /// index leads to.
    pub fn write<'m, 'd>(
        &self,
        model: &'m Model<'d>,
        thing: usize,
        closure: &mut Closure<'m, 'd>,
        out: &mut Vec<u8>,
        unwinding: &mut Vec<u8>,
    ) {
        for entry in self.of(thing) {
            let Some(section) = model.section(entry.section) else { continue };
            out.blob(section.name);
            let void = void_field(model, section, entry.start, entry.end)
                .or_else(|| arm::write(model, section, entry, closure, unwinding));
            closure.instead.extend(void.map(|at| (at, Place::Absolute(0))));
            if let Some((from, to, length)) = ends(model, section, entry.start, entry.end) {
                closure.instead.extend((length == 0).then_some((from, Place::Absolute(0))));
                closure.instead.push((to, Place::Absolute(length)));
            }
            closure.bytes(section, entry.start, entry.end, out);
            closure.instead.clear();
            closure.covered.push((entry.section, entry.start, entry.end));
        }
        self.orc.write(thing, closure, out);
        let before: [(&[u8], _); 2] = [(b"entry nops", &self.prefixes), (b"before the entry", &self.words)];
        for (what, ranges) in before {
            if let Some((section, start, end)) = ranges.get(&thing)
                && let Some(home) = model.section(*section)
            {
                out.blob(what);
                closure.bytes(home, *start, *end, out);
                closure.covered.push((*section, *start, *end));
            }
        }
    }
}
