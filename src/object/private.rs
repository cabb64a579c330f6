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

use rustc_hash::FxHashSet;

use super::facts::{Definition, Section};
use super::model::Model;
use super::names;
use super::places::{DIRECT, Place, REACHED_PERHAPS};

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
    /// From which sections nameless bytes lead to those of which others (Power's `.toc`, to the tables that it holds addresses of).
    led: FxHashSet<(usize, usize)>,
}

/// A compiler-made symbol that says something: offset, size, and its type, binding and `st_other`.
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

/// One reason for a cut: section, offset, who refers (`None` where something named begins or ends), whether the
/// address is taken. The order is that of cuts.
type Mark = (usize, u64, Option<u32>, bool);

/// Finds all references to nameless bytes and settles how far each reaches.
pub fn find(model: &Model<'_>) -> Privates {
    let sections = &model.facts.sections;
    let mut marks: Vec<Mark> = Vec::new();
    for (referrer, body) in (0_u32..).zip(&model.bodies) {
        for one in &body.uses {
            match one.place {
                // Where an address of nameless bytes comes of a displacement, others' bytes need not end there.
                Place::Private(..)
                    if one.kind >= REACHED_PERHAPS && one.kind != DIRECT && one.access == 0 => {}
                Place::Private(section, offset) => {
                    mark(model, &mut marks, section, offset, Some(referrer), one.access == 0);
                }
                Place::Beyond(section, base, _) => {
                    mark(model, &mut marks, section, base.cast_signed(), Some(referrer), true);
                }
                _ => {}
            }
        }
    }
    let mut led = FxHashSet::default();
    for (index, section) in sections.iter().enumerate().filter(|(_, section)| section.is_allocated()) {
        for relocation in &section.relocations {
            if model.owner.at(index, relocation.offset).is_none()
                && let Place::Private(at, offset) = model.resolve(section, relocation, 0)
            {
                led.insert((index, at));
                mark(model, &mut marks, at, offset, Some(NAMELESS), true);
            }
        }
    }
    // What is named matters where nameless bytes are referred to, which is in few sections and seldom in code.
    let mut referred = vec![false; sections.len()];
    for (section, ..) in &marks {
        if let Some(slot) = referred.get_mut(*section) {
            *slot = true;
        }
    }
    for index in (0..sections.len()).filter(|index| referred.get(*index) == Some(&true)) {
        for (start, end) in model.owner.ranges(index) {
            mark(model, &mut marks, index, start.cast_signed(), None, false);
            mark(model, &mut marks, index, end.cast_signed(), None, false);
        }
    }
    let mut names: Vec<Vec<SizedName>> = vec![Vec::new(); sections.len()];
    for symbol in model.facts.symbols.iter().take(model.facts.defining) {
        if let Definition::Section(at) = symbol.definition
            && (symbol.size > 0 || names::is_exception_table(symbol.name))
            && !symbol.name.is_empty()
            && names::is_private(symbol.name)
        {
            if let Some(list) = names.get_mut(at) {
                list.push((symbol.value, symbol.size, [symbol.kind, symbol.binding, symbol.other]));
            }
            mark(model, &mut marks, at, symbol.value.cast_signed(), None, false);
            mark(model, &mut marks, at, symbol.value.saturating_add(symbol.size).cast_signed(), None, false);
        }
    }
    for list in &mut names {
        list.sort_unstable();
        // Functions of equal tables share one under several names.
        list.dedup();
    }
    Privates { sections: cuts(model, marks).into_iter().map(settle).collect(), names, led }
}

fn mark(
    model: &Model<'_>,
    marks: &mut Vec<Mark>,
    section: usize,
    offset: i64,
    referrer: Option<u32>,
    taken: bool,
) {
    let Some(home) = model.section(section) else { return };
    // Entries that a linker may merge tell themselves how far they reach.
    if home.is_mergeable() && (home.is_strings() || home.entry_size > 0) {
        return;
    }
    if let Some(offset) = u64::try_from(offset).ok().filter(|offset| *offset <= home.size) {
        marks.push((section, offset, referrer, taken));
    }
}

/// The cuts of each section, sorted by offset.
fn cuts(model: &Model<'_>, mut marks: Vec<Mark>) -> Vec<Vec<Cut>> {
    let mut cuts: Vec<Vec<Cut>> = Vec::new();
    cuts.resize_with(model.facts.sections.len(), Vec::new);
    marks.sort_unstable();
    for here in marks.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some((section, offset, ..)) = here.first().copied() else { continue };
        let mut referrers: Vec<u32> = here.iter().filter_map(|(.., who, _)| *who).collect();
        referrers.dedup();
        if let Some(list) = cuts.get_mut(section) {
            list.push(Cut {
                offset,
                end: model.section(section).map_or(0, |s| s.size),
                taken: here.iter().any(|(.., taken)| *taken),
                hard: here.iter().any(|(.., who, _)| who.is_none()),
                referrers,
            });
        }
    }
    cuts
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
        let goes_on = |next: &&Cut| !next.taken && !next.hard;
        let mut readers = FxHashSet::default();
        if cuts.get(at + 1).as_ref().is_some_and(goes_on) {
            readers.extend(cut.referrers.iter().copied());
        }
        let end = cuts
            .iter()
            .skip(at + 1)
            .find(|next| !goes_on(next) || !next.referrers.iter().all(|who| readers.contains(who)));
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
        let labelled = self.sized_names(section).binary_search_by_key(&offset, |(start, ..)| *start).ok();
        let labelled = labelled.and_then(|at| self.sized_names(section).get(at));
        if let Some((_, size, _)) = labelled.filter(|(_, size, _)| *size > 0) {
            // It says itself how far it reaches.
            let end = offset.saturating_add(*size).min(home.size);
            return Some(Extent { section, start: offset, end, string: false });
        }
        let cuts = self.sections.get(section)?;
        let at = cuts.partition_point(|c| c.offset <= offset);
        let end = match at.checked_sub(1).and_then(|i| cuts.get(i)) {
            Some(cut) if cut.offset == offset => cut.end,
            _ => cuts.get(at).map_or(home.size, |next| next.offset),
        };
        Some(Extent { section, start: offset, end: without_zeros(model, home, offset, end), string: false })
    }

    /// Whether anyone refers to nameless bytes of a range.
    pub fn refers_to(&self, section: usize, start: u64, end: u64) -> bool {
        let cuts = self.sections.get(section).map_or(&[][..], Vec::as_slice);
        let from = cuts.partition_point(|cut| cut.offset < start);
        cuts.iter().skip(from).take_while(|cut| cut.offset < end).any(|cut| !cut.referrers.is_empty())
    }

    /// Compiler-made symbols with a size in a section, sorted by offset.
    pub fn sized_names(&self, section: usize) -> &[SizedName] {
        self.names.get(section).map_or(&[], Vec::as_slice)
    }

    /// Whether anyone but nameless bytes refers to nameless bytes of this section, or to those that lead here.
    pub fn has_outside_readers(&self, section: usize) -> bool {
        let read = |section: usize| {
            let cuts = self.sections.get(section).map_or(&[][..], Vec::as_slice);
            cuts.iter().any(|cut| cut.referrers.iter().any(|who| *who != NAMELESS))
        };
        read(section) || self.led.iter().any(|(from, to)| *to == section && from != to && read(*from))
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
pub fn string_around(section: &Section<'_>, offset: u64) -> Option<(u64, u64)> {
    let width = usize::try_from(section.entry_size.clamp(1, 8)).ok()?;
    let offset = usize::try_from(offset).ok()?;
    let unit = offset / width;
    let is_end = |at: usize| {
        let from = at.saturating_mul(width);
        section.data.get(from..from.saturating_add(width)).is_none_or(|c| c.iter().all(|b| *b == 0))
    };
    let start = (0..unit).rev().take_while(|at| !is_end(*at)).last().unwrap_or(unit);
    let mut end = unit;
    while !is_end(end) {
        end += 1;
    }
    let limit = section.data.len();
    let start = start.saturating_mul(width);
    let end = end.saturating_add(1).saturating_mul(width);
    // Strings of a section that has a length but no bytes are nothing.
    Some((start as u64, end.min(limit).max(start) as u64))
}
