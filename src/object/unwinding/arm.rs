//! Arm's unwinding: index entries that lead to a language's table.
//!
//! The index is a list of sites ([`super::super::sites`]), and what its entries lead to mostly instructions for the unwinder that say
//! nothing of places in code: constants like others. Behind a personality routine of a language (C++) its own table follows,
//! whose distances count bytes, which branch widths and literal pools change: it is written as that of `.eh_frame` is.
//!
//! Source: Exception Handling ABI for the Arm Architecture, 6 and 7.2 (the generic model); that the instructions are counted by
//! their first byte, and the language's table begins behind them, is what GCC and LLVM emit for `__gxx_personality_v0` and its like.

use object::elf;

use super::super::closure::Closure;
use super::super::cursor::Cursor;
use super::super::facts::{Relocation, Section};
use super::super::model::Model;
use super::super::places::Place;
use super::super::sites::Entry;
use super::super::stream::{Write, unwinding as tag};
use super::fields::{field, function_at, pointer, strays};
use super::lsda;
use super::{is_arm_table, is_need};

/// Size of an entry of the index: the function, and what leads to its table.
pub const ENTRY: u64 = 8;

/// Size of a field.
const WORD: u64 = 4;

/// Writes what an entry of the index leads to, for the `unwinding` part of the function that it serves; the offset of the field
/// that leads there, or `None` (and nothing is written) where it is no language's table.
pub fn write<'m, 'd>(
    model: &'m Model<'d>,
    index: &Section<'d>,
    entry: &Entry,
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) -> Option<u64> {
    if index.kind != elf::SHT_ARM_EXIDX.0 || entry.end - entry.start != ENTRY {
        return None;
    }
    let leads_at = entry.start + WORD;
    let function = relocation(index, entry.start)?;
    let served = function_at(model, model.resolve(index, function, 0))?;
    let Place::Private(home, offset) = model.resolve(index, relocation(index, leads_at)?, 0) else {
        return None;
    };
    let section = model.section(home).filter(|s| is_arm_table(s) && s.kind != elf::SHT_ARM_EXIDX.0)?;
    let start = u64::try_from(offset).ok()?;
    relocation(section, start)?;
    let at = usize::try_from(start).ok()?;
    let word = WORD as usize;
    let more =
        Cursor::new(section.data, at.checked_add(word)?, model.facts.image.little_endian).unsigned(4)? >> 24;
    let instructions = at + word;
    let table = instructions.checked_add(word * (1 + more as usize))?;

    let mut written = vec![tag::CIE];
    written.blob(section.data.get(instructions..table)?);
    written.blob(b"");
    closure.target(pointer(model, section, at, 0)?, 0, &mut written);
    field(model, section, at, word, &mut written);
    strays(model, section, (at, table), &[at], None, closure, &mut written);
    if !lsda::write_known(model, served, (home, table), closure, &mut written) {
        return None;
    }
    out.extend(written);
    closure.covered.push((home, start, table as u64));
    Some(leads_at)
}

/// The relocation of a field, beside those that only have a routine linked.
fn relocation<'s>(section: &'s Section<'_>, at: u64) -> Option<&'s Relocation> {
    section.relocations_in(at, at.checked_add(1)?).iter().find(|r| !is_need(section, r))
}
