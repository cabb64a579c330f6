//! Data that nobody seems to read.
//!
//! Among the addresses that may have an index's constant part in them ([`super::biased`]), some surely have: compilers drop static
//! data without a reader, so a static that nobody reads is read by way of a neighbour. Who takes an address shortly before it, or one
//! outside of its section, may be its reader, and is taken for one: at worst a reader too many ([`REACHED_PERHAPS`]).

use object::elf;

use super::biased::{self, Biased};
use super::facts::Definition;
use super::model::Model;
use super::names;
use super::places::{Place, REACHED_PERHAPS, Use};

/// How far before a datum an address is taken for one of its own, in bytes.
const BEFORE: i64 = 4096;

/// Between how many data an address is held possible. More are not worth guessing.
const MOST: usize = 8;

/// A datum without a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Unread {
    section: usize,
    start: i64,
    /// `None` for nameless bytes behind a label that the compiler made.
    thing: Option<usize>,
}

/// The references that the data without a reader suggest: thing, and what it may reach.
pub fn find(model: &Model<'_>, biased: &[Biased]) -> Vec<(usize, Use)> {
    let unread = unread(model);
    let mut all = Vec::new();
    for one in biased.iter().filter(|_| !unread.is_empty()) {
        let reached = within_reach(model, &unread, one.section, one.offset).iter().map(|found| {
            // How far apart they lie says nothing: what lies between is nobody's here.
            let place = match found.thing {
                Some(datum) => Place::Thing(datum, 0, None),
                None => Place::Private(found.section, found.start),
            };
            (one.thing, Use { at: one.at, field: 0, access: 0, kind: REACHED_PERHAPS, place })
        });
        all.extend(reached);
    }
    all
}

/// The data that an address may be meant for.
fn within_reach<'u>(model: &Model<'_>, unread: &'u [Unread], section: usize, offset: i64) -> &'u [Unread] {
    let size = model.section(section).map_or(0, |s| s.size).cast_signed();
    let from = unread.partition_point(|u| (u.section, u.start) <= (section, offset));
    let here = unread.get(from..).unwrap_or_default();
    if offset > size {
        // Behind the section: any of its data.
        let first = unread.partition_point(|u| u.section < section);
        return unread.get(first.max(from.saturating_sub(MOST))..from).unwrap_or_default();
    }
    let near = |u: &&Unread| u.section == section && (offset < 0 || u.start - offset <= BEFORE);
    here.get(..here.iter().take(MOST).take_while(near).count()).unwrap_or_default()
}

/// The static data, and labelled nameless bytes, that no reference leads to; sorted.
fn unread(model: &Model<'_>) -> Vec<Unread> {
    let facts = &model.facts;
    if facts.image.file_type != elf::ET_REL.0 || model.machine.is_none() {
        return Vec::new();
    }
    let mut read = vec![false; model.owner.things.len()];
    let mut places = Vec::new();
    let mut note = |place: Place| match place {
        Place::Thing(thing, ..) => {
            if let Some(slot) = read.get_mut(thing) {
                *slot = true;
            }
        }
        Place::Private(section, offset) => places.push((section, offset)),
        Place::Beyond(section, base, _) => places.push((section, base.cast_signed())),
        _ => {}
    };
    model.bodies.iter().flat_map(|body| &body.uses).for_each(|one| note(one.place));
    for (index, section) in facts.sections.iter().enumerate().filter(|(_, s)| s.is_allocated()) {
        let nameless = section.relocations.iter().filter(|r| model.owner.at(index, r.offset).is_none());
        nameless.for_each(|relocation| note(model.resolve(section, relocation, 0)));
    }
    places.sort_unstable();
    let mut found = Vec::new();
    for (index, thing) in model.owner.things.iter().enumerate() {
        let is_unread = read.get(index) == Some(&false) && biased::is_static(model, index);
        if let Some(piece) = thing.pieces.first().filter(|_| is_unread) {
            let start = piece.start.cast_signed();
            found.push(Unread { section: piece.section, start, thing: Some(index) });
        }
    }
    for symbol in facts.symbols.iter().take(facts.defining) {
        let Definition::Section(section) = symbol.definition else { continue };
        let labels = symbol.size > 0
            && symbol.kind == elf::STT_OBJECT.0
            && names::is_private(symbol.name)
            && !names::is_exception_table(symbol.name)
            && model.section(section).is_some_and(|s| !s.is_executable() && !s.is_mergeable());
        let (start, end) =
            (symbol.value.cast_signed(), symbol.value.saturating_add(symbol.size).cast_signed());
        let next = places.partition_point(|place| *place < (section, start));
        if labels && places.get(next).is_none_or(|place| *place >= (section, end)) {
            found.push(Unread { section, start, thing: None });
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|u| (u.section, u.start));
    found
}
