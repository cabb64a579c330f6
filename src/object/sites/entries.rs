//! Where one entry of a special section ends and the next begins.
//!
//! Nothing in the file says so but, in newer kernels, `sh_entsize`. The tempting way, the shortest stride at which the types of
//! relocations repeat, cuts a table whose fields are all of one type (`__jump_table` of 32 bits: code, target, key) in the midst of
//! its entries, and gives half of one to the function of the next. So what the relocations lead to has to repeat, too: each
//! entry's first relocation into code stands at the same place in it. Where nothing repeats, each relocation into code
//! begins an entry.

use super::super::arch;
use super::super::facts::Section;
use super::super::model::Model;
use super::super::orc;
use super::super::places::Place;
use super::super::unwinding::arm;
use super::code;

/// Strides of sections whose relocations all lead into code, or whose entries hold one kind of field only, so that the rhythm does not
/// tell. Source: the kernel's `struct static_call_site` and `struct exception_table_entry` (two 32-bit offsets each), and
/// the places of ORC entries. Whether they hold is seen by the relocations: newer kernels have other exception tables.
const STRIDES: [(&[u8], u64); 3] = [(b".static_call_sites", 8), (b"__ex_table", 8), (orc::PLACES, 4)];

/// Most relocations of an entry. Entries of the kernel have up to five.
const MOST: usize = 16;

/// An entry that stands alone has so many at most: of more that repeat nothing, several entries are likelier.
const MOST_ALONE: usize = 3;

/// The entries of a special section, as start and end.
pub fn of(model: &Model<'_>, section: &Section<'_>) -> Vec<(u64, u64)> {
    let starts: Vec<u64> = match stride(model, section) {
        Some(stride) => (0..section.size).step_by(usize::try_from(stride).unwrap_or(usize::MAX)).collect(),
        None => one_for_each(model, section),
    };
    let ends = starts.iter().skip(1).copied().chain([section.size]);
    starts.iter().copied().zip(ends).collect()
}

/// The size of an entry, where it can be told.
fn stride(model: &Model<'_>, section: &Section<'_>) -> Option<u64> {
    // Arm's index of unwinding: the function, and how to unwind it.
    let index = (section.kind == object::elf::SHT_ARM_EXIDX.0).then_some(arm::ENTRY);
    let stated = Some(section.entry_size).filter(|s| *s > 0);
    let fits = |stride: &u64| section.size.is_multiple_of(*stride);
    let named = STRIDES.iter().find(|(name, _)| *name == section.name).map(|(_, stride)| *stride);
    let holds = |stride: &u64| {
        let first = section.relocations.iter().take_while(|r| r.offset < *stride).count();
        let repeats = first > 0 && fits(stride) && repeats(section, first) == Some(*stride);
        repeats && lead_alike(&lead(model, section), first)
    };
    let known = index.filter(fits).or_else(|| named.filter(holds)).or_else(|| stated.filter(fits));
    known.or_else(|| rhythm(model, section))
}

/// The stride at which so many relocations at a time repeat by their types and distances; the section's size where there are no
/// more. The last entry may lack the fill behind it.
fn repeats(section: &Section<'_>, per_entry: usize) -> Option<u64> {
    let all = &section.relocations;
    let first = all.first()?.offset;
    let stride = all.get(per_entry).map_or(section.size, |next| next.offset - first);
    let mut pairs = all.iter().zip(all.iter().skip(per_entry));
    let repeats = pairs.all(|(a, b)| b.offset - a.offset == stride && a.kind == b.kind);
    let inside = all.iter().take(per_entry).all(|r| r.offset < stride);
    let entries = (all.len() / per_entry) as u64;
    let last = all.last()?.offset;
    let even = section.size > last && section.size <= stride.saturating_mul(entries);
    (stride > 0 && repeats && inside && even && all.len().is_multiple_of(per_entry)).then_some(stride)
}

/// The shortest entry for which the relocations repeat, and in each of which the first into code is the same.
fn rhythm(model: &Model<'_>, section: &Section<'_>) -> Option<u64> {
    let lead = lead(model, section);
    let count = lead.len();
    let several = |per_entry: &usize| *per_entry < count || count <= MOST_ALONE;
    (1..=count.min(MOST))
        .filter(several)
        .find_map(|per_entry| repeats(section, per_entry).filter(|_| lead_alike(&lead, per_entry)))
}

/// Which relocations lead into code.
fn lead(model: &Model<'_>, section: &Section<'_>) -> Vec<bool> {
    section.relocations.iter().map(|r| leads(model, section, r.offset)).collect()
}

/// Whether the first relocation into code stands at the same place of all entries.
fn lead_alike(lead: &[bool], per_entry: usize) -> bool {
    let mut firsts = lead.chunks(per_entry).map(|entry| entry.iter().position(|leads| *leads));
    let first = firsts.next().flatten();
    first.is_some() && firsts.all(|other| other == first)
}

/// Whether the relocation at an offset leads into code, of a function or of nobody.
fn leads(model: &Model<'_>, section: &Section<'_>, offset: u64) -> bool {
    let nameless = || {
        let relocation = section.relocations_in(offset, offset.saturating_add(1)).first();
        let place = relocation.map(|relocation| model.resolve(section, relocation, 0));
        let home = if let Some(Place::Private(home, _)) = place { model.section(home) } else { None };
        home.is_some_and(Section::is_executable)
    };
    code(model, section, offset).is_some() || nameless()
}

/// Where entries begin of which each has one relocation into code, as far from its start as the first is.
fn one_for_each(model: &Model<'_>, section: &Section<'_>) -> Vec<u64> {
    let size = |kind: u32| arch::shape(model.facts.image.machine, kind).map_or(4, |shape| shape.size);
    let (mut starts, mut before, mut behind) = (vec![0], None, 0);
    for relocation in &section.relocations {
        if leads(model, section, relocation.offset) {
            let distance = *before.get_or_insert(relocation.offset);
            let start = relocation.offset.saturating_sub(distance).max(behind);
            if start < section.size && starts.last().is_none_or(|last| start > *last) {
                starts.push(start);
            }
        }
        behind = relocation.offset.saturating_add(size(relocation.kind).into());
    }
    starts
}
