//! The kernel's ORC tables: how to unwind from each instruction, written by objtool behind the compiler.
//!
//! `.orc_unwind_ip` holds places, `.orc_unwind` one entry of a few bytes for each, and an entry holds up to the next place.
//! To take them as they stand would break the law of position: an entry that says what the one before says is left out, across
//! functions too, and alignment fill has entries of its own. So each function gets what holds at its entry and what changes
//! within it, wherever that was written, and of entries on fill only that there are such entries is kept.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::closure::Closure;
use super::facts::Section;
use super::fingerprint::Kind;
use super::model::Model;
use super::places::Place;
use super::sites::Entry;
use super::stream::Write;

/// Where the places are.
pub const PLACES: &[u8] = b".orc_unwind_ip";
/// Where the entries are.
const ENTRIES: &[u8] = b".orc_unwind";
/// Size of a place: a 32-bit distance (`arch/x86/include/asm/orc_lookup.h`).
const PLACE: u64 = 4;
/// Largest size of an entry that is believed; `struct orc_entry` has 6 bytes on x86.
const LARGEST: u64 = 16;

/// The tables of one object, by function.
#[derive(Debug, Default)]
pub struct Orc {
    /// `sh_flags` of the section of entries.
    flags: u64,
    rows: FxHashMap<usize, Vec<Row>>,
    /// Contents of entries on fill and at the end of sections.
    pub fill: BTreeSet<Vec<u8>>,
    /// Entries on code without a name that is no fill.
    pub loose: Vec<Entry>,
    /// Bytes that all this accounts for: section, start, end.
    pub covered: Vec<(usize, u64, u64)>,
}

/// What holds from a place on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    place: Place,
    kind: u32,
    /// The field of the place, zero, and the entry.
    bytes: Vec<u8>,
}

/// An entry as it lies in the tables.
struct Raw {
    section: usize,
    offset: u64,
    at: u64,
    kind: u32,
    entry: Vec<u8>,
}

/// Whether a section is one of the two.
pub fn is_table(section: &Section<'_>) -> bool {
    section.name == PLACES || section.name == ENTRIES
}

/// Reads the tables; `None` where there are none, or none that are understood.
pub fn find(model: &Model<'_>) -> Option<Orc> {
    let named = |name: &[u8]| model.facts.sections.iter().position(|section| section.name == name);
    let (places, entries) = (named(PLACES)?, named(ENTRIES)?);
    let (home, beside) = (model.section(places)?, model.section(entries)?);
    let count = home.size / PLACE;
    let width = beside.size.checked_div(count)?;
    let fits = count * PLACE == home.size
        && width * count == beside.size
        && (1..=LARGEST).contains(&width)
        && beside.relocations.is_empty()
        && home.relocations.len() as u64 == count
        // Objtool leaves the fields zero, and the kernel refuses a module where they are not. Entries that are left out
        // below must not take anything along.
        && home.data.iter().all(|byte| *byte == 0)
        && home.relocations.windows(2).all(|pair| matches!(pair, [one, next] if one.kind == next.kind));
    let mut raw = Vec::with_capacity(home.relocations.len());
    for (number, relocation) in (0..count).filter(|_| fits).zip(&home.relocations) {
        if relocation.offset != number * PLACE || relocation.is_implicit() {
            return None;
        }
        let (section, offset) = address(model, model.resolve(home, relocation, 0))?;
        let entry = beside.bytes(number * width, (number + 1) * width).to_vec();
        raw.push(Raw { section, offset, at: relocation.offset, kind: relocation.kind, entry });
    }
    raw.sort_by_key(|raw| (raw.section, raw.offset));
    if raw.is_empty() {
        return None;
    }
    let mut orc = Orc {
        flags: beside.flags,
        covered: vec![(places, 0, home.size), (entries, 0, beside.size)],
        ..Orc::default()
    };
    for (thing, owner) in
        model.owner.things.iter().enumerate().filter(|(_, owner)| owner.kind == Kind::Function)
    {
        let mut rows: Vec<Row> = Vec::new();
        for (number, piece) in owner.pieces.iter().enumerate() {
            let first = raw.partition_point(|raw| (raw.section, raw.offset) <= (piece.section, piece.start));
            let before =
                first.checked_sub(1).and_then(|at| raw.get(at)).filter(|raw| raw.section == piece.section);
            let inside = raw
                .iter()
                .skip(first)
                .take_while(|raw| (raw.section, raw.offset) < (piece.section, piece.end));
            let from = rows.len();
            for (one, offset) in
                before.map(|one| (one, piece.start)).into_iter().chain(inside.map(|one| (one, one.offset)))
            {
                if rows
                    .get(from..)
                    .and_then(<[Row]>::last)
                    .is_some_and(|last| last.bytes.ends_with(&one.entry))
                {
                    continue;
                }
                let place = if number == 0 && offset == piece.start {
                    Place::Thing(thing, 0, None)
                } else {
                    Place::Code(thing, number, offset)
                };
                rows.push(Row {
                    place,
                    kind: one.kind,
                    bytes: [&[0; PLACE as usize][..], &one.entry].concat(),
                });
            }
        }
        if !rows.is_empty() {
            orc.rows.insert(thing, rows);
        }
    }
    for one in raw {
        if model.owner.at(one.section, one.offset).is_some() {
            continue;
        }
        if is_fill(model, one.section, one.offset) {
            orc.fill.insert(one.entry);
        } else {
            orc.loose.push(Entry { section: places, start: one.at, end: one.at + PLACE });
            orc.fill.insert(one.entry);
        }
    }
    Some(orc)
}

fn address(model: &Model<'_>, place: Place) -> Option<(usize, u64)> {
    match place {
        Place::Thing(thing, offset, _) => {
            let piece = model.owner.things.get(thing)?.pieces.first()?;
            Some((piece.section, piece.start.checked_add_signed(offset)?))
        }
        Place::Code(thing, piece, offset) => {
            Some((model.owner.things.get(thing)?.pieces.get(piece)?.section, offset))
        }
        Place::Private(section, offset) => Some((section, u64::try_from(offset).ok()?)),
        Place::External(..) | Place::Beyond(..) | Place::Anchor(_) | Place::Absolute(_) => None,
    }
}

/// Whether a place that nothing owns is on alignment fill, or behind the section's last byte.
fn is_fill(model: &Model<'_>, section: usize, offset: u64) -> bool {
    let Some(home) = model.section(section) else { return false };
    let end = (offset..home.size).find(|at| model.owner.at(section, *at).is_some()).unwrap_or(home.size);
    let bytes = home.bytes(offset, end);
    bytes.iter().all(|byte| *byte == 0) || model.machine.is_some_and(|machine| machine.is_fill(bytes))
}

impl Orc {
    /// Writes a function's rows, each in the form of an entry of a special section: the field of the place, and the entry.
    pub fn write(&self, thing: usize, closure: &mut Closure<'_, '_>, out: &mut Vec<u8>) {
        for row in self.rows.get(&thing).into_iter().flatten() {
            out.blob(ENTRIES);
            out.number(self.flags);
            out.byte(1);
            out.blob(&row.bytes);
            out.number(1);
            out.number(0);
            out.number(row.kind.into());
            closure.target(row.place, 0, out);
        }
    }
}
