//! Bytes without a name: how far each reaches, and who reaches them.
//!
//! A compiler puts initialisers, switch tables and constants into sections without a symbol. A reference says
//! where such bytes begin, never where they end. The tempting wrong way is to end them at the next place that
//! anyone refers to: a function that copies 32 bytes would then miss a change in the last 16 when another
//! function loads just those. The rule here:
//!
//! - a mergeable string is the whole string; a mergeable constant is the bytes that the access reads, or the
//!   rest of its unit where only the address is taken;
//! - an access whose address is told by the field alone reaches as far as it is wide;
//! - where the address is taken, the bytes reach on over every later place that is only accessed, and only by
//!   those who also refer to an earlier part of the same bytes, up to the next place whose address is taken, the
//!   next symbol, or the section's end. Zeros at the end are left out: they cannot be told from fill.

use std::collections::BTreeMap;

use super::facts::{Definition, Section};
use super::names;
use super::places::{Model, Place};

/// Bytes without a name, as found from one reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Index of the section.
    pub section: usize,
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    /// A mergeable string.
    pub string: bool,
}

/// How far nameless bytes reach, per section.
#[derive(Debug)]
pub struct Privates {
    sections: Vec<Vec<Cut>>,
    names: Vec<Vec<SizedName>>,
}

/// A compiler-made symbol with a size: offset, size, and its type, binding and `st_other`.
pub type SizedName = (u64, u64, [u8; 3]);

/// A place that someone refers to.
#[derive(Debug)]
struct Cut {
    offset: u64,
    /// Where the bytes end if the address is taken here.
    end: u64,
    taken: bool,
    hard: bool,
    referrers: Vec<u32>,
}

/// The referrer of references that stand in nameless bytes themselves.
const NAMELESS: u32 = u32::MAX;

/// Finds all references to nameless bytes and settles how far each reaches.
pub fn find(model: &Model<'_>) -> Privates {
    let mut cuts: Vec<BTreeMap<u64, Cut>> = Vec::new();
    cuts.resize_with(model.facts.sections.len(), BTreeMap::new);
    let mut note = |section: usize, offset: i64, referrer: Option<u32>, access: u8| {
        let limit = model.section(section).map_or(0, |s| s.size);
        let Ok(offset) = u64::try_from(offset) else { return };
        if offset > limit {
            return;
        }
        let Some(all) = cuts.get_mut(section) else { return };
        let fresh = || Cut { offset, end: limit, taken: false, hard: false, referrers: Vec::new() };
        let cut = all.entry(offset).or_insert_with(fresh);
        match referrer {
            None => cut.hard = true,
            Some(who) => {
                cut.taken |= access == 0;
                if !cut.referrers.contains(&who) || who == NAMELESS {
                    cut.referrers.push(who);
                }
            }
        }
    };
    for (index, body) in model.bodies.iter().enumerate() {
        for one in &body.uses {
            match one.place {
                Place::Private(section, offset) => note(section, offset, Some(index as u32), one.access),
                Place::Beyond(section, base, _) => note(section, base.cast_signed(), Some(index as u32), 0),
                _ => {}
            }
        }
    }
    for (index, section) in model.facts.sections.iter().enumerate() {
        if !section.is_allocated() {
            continue;
        }
        for (start, end) in model.owner.ranges(index) {
            note(index, start.cast_signed(), None, 0);
            note(index, end.cast_signed(), None, 0);
        }
        for relocation in &section.relocations {
            if model.owner.at(index, relocation.offset).is_none()
                && let Place::Private(at, offset) = model.resolve(section, relocation, 0)
            {
                note(at, offset, Some(NAMELESS), 0);
            }
        }
    }
    let mut names: Vec<Vec<SizedName>> = vec![Vec::new(); model.facts.sections.len()];
    for symbol in model.facts.symbols.iter().take(model.facts.defining) {
        if let Definition::Section(at) = symbol.definition
            && symbol.size > 0
            && !symbol.name.is_empty()
            && names::is_private(symbol.name)
        {
            if let Some(list) = names.get_mut(at) {
                list.push((symbol.value, symbol.size, [symbol.kind, symbol.binding, symbol.other]));
            }
            note(at, symbol.value.cast_signed(), None, 0);
            note(at, symbol.value.saturating_add(symbol.size).cast_signed(), None, 0);
        }
    }
    let sections = cuts.into_iter().map(|all| settle(all.into_values().collect())).collect();
    for list in &mut names {
        list.sort_unstable();
    }
    Privates { sections, names }
}

/// Settles where the bytes at each taken address end.
fn settle(mut cuts: Vec<Cut>) -> Vec<Cut> {
    let mut ends = Vec::with_capacity(cuts.len());
    for (at, cut) in cuts.iter().enumerate() {
        if !cut.taken {
            // The end matters only where an address is taken; the next place is good enough elsewhere.
            ends.push(cuts.get(at + 1).map_or(cut.end, |next| next.offset));
            continue;
        }
        let mut readers = cut.referrers.clone();
        let end = cuts.iter().skip(at + 1).find(|next| {
            let goes_on = !next.taken && !next.hard && next.referrers.iter().all(|who| readers.contains(who));
            if goes_on {
                readers.extend(next.referrers.iter().filter(|w| **w != NAMELESS));
                readers.dedup();
            }
            !goes_on
        });
        ends.push(end.map_or(cut.end, |next| next.offset));
    }
    for (cut, end) in cuts.iter_mut().zip(ends) {
        cut.end = end;
    }
    cuts
}

impl Privates {
    /// The bytes that a reference to this place reaches; `access` is the width of the access where the field
    /// alone tells its address, else 0.
    pub fn extent(&self, model: &Model<'_>, section: usize, offset: u64, access: u8) -> Option<Extent> {
        let home = model.section(section)?;
        if offset >= home.size {
            return None;
        }
        if home.is_strings() {
            let (start, end) = string_around(home, offset)?;
            return Some(Extent { section, start, end, string: true });
        }
        let access_end = offset.saturating_add(u64::from(access)).min(home.size);
        if home.is_mergeable() && home.entry_size > 0 {
            let unit_end = (offset / home.entry_size + 1).saturating_mul(home.entry_size).min(home.size);
            return Some(Extent {
                section,
                start: offset,
                end: if access > 0 { access_end } else { unit_end },
                string: false,
            });
        }
        if access > 0 {
            return Some(Extent { section, start: offset, end: access_end, string: false });
        }
        let cuts = self.sections.get(section)?;
        let at = cuts.partition_point(|c| c.offset <= offset);
        let end = match at.checked_sub(1).and_then(|i| cuts.get(i)) {
            Some(cut) if cut.offset == offset => cut.end,
            _ => cuts.get(at).map_or(home.size, |next| next.offset),
        };
        Some(Extent { section, start: offset, end: without_zeros(model, home, offset, end), string: false })
    }

    /// Compiler-made symbols with a size in a section, sorted by offset.
    pub fn sized_names(&self, section: usize) -> &[SizedName] {
        self.names.get(section).map_or(&[], Vec::as_slice)
    }

    /// Whether anyone but nameless bytes refers to nameless bytes of this section.
    pub fn has_outside_readers(&self, section: usize) -> bool {
        self.sections
            .get(section)
            .is_some_and(|cuts| cuts.iter().any(|c| c.referrers.iter().any(|w| *w != NAMELESS)))
    }
}

/// The end of the bytes with zeros taken off, but never into a relocated field.
fn without_zeros(model: &Model<'_>, section: &Section<'_>, start: u64, end: u64) -> u64 {
    if section.is_zero_filled() {
        return end;
    }
    let zeros = section.bytes(start, end).iter().rev().take_while(|b| **b == 0).count() as u64;
    let machine = model.facts.image.machine;
    let last_field = section.relocations_in(start, end).last().map_or(start, |r| {
        let width = super::arch::shape(machine, r.kind).map_or(8, |shape| shape.size);
        r.offset.saturating_add(width.into()).min(end)
    });
    end.saturating_sub(zeros).max(last_field).max(start)
}

/// The whole string around an offset, with its terminator: the width of a character is the section's entry size.
fn string_around(section: &Section<'_>, offset: u64) -> Option<(u64, u64)> {
    let width = usize::try_from(section.entry_size.clamp(1, 8)).ok()?;
    let offset = usize::try_from(offset).ok()?;
    let unit = offset / width;
    let is_end =
        |at: usize| section.data.get(at * width..(at + 1) * width).is_none_or(|c| c.iter().all(|b| *b == 0));
    let start = (0..unit).rev().take_while(|at| !is_end(*at)).last().unwrap_or(unit);
    let mut end = unit;
    while !is_end(end) {
        end += 1;
    }
    let limit = section.data.len();
    Some(((start * width) as u64, ((end + 1) * width).min(limit) as u64))
}
