//! Data that nobody seems to read.
//!
//! An element before the first (`array[i - 3]`) has the address of whatever lies before the array. Where the relocation
//! names the array, or its section holds nothing else, it is known whose element that is ([`super::places`]); else it looks
//! like a place inside a neighbour, or before the section. No bytes tell the two apart, and mostly both are read by someone
//! anyway. What gives such an address away is the other end of it: compilers drop static data without a reader, so a static
//! that nobody reads is read by way of a neighbour. Who takes an address shortly before it, or one outside of its section,
//! may be its reader, and is taken for one: at worst a reader too many ([`REACHED_PERHAPS`]).
//!
//! Where addresses are followed ([`super::follow`]), what is reached from one by a displacement, or with an index, counts alike.
//!
//! What it does not promise: where an array has another reader, such an address stays one of the neighbour.

use object::elf;

use super::arch;
use super::facts::Definition;
use super::fingerprint::Kind;
use super::names;
use super::places::{Model, Place, REACHED_PERHAPS, Use};

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

/// The references that the data without a reader suggest: thing, and what it may reach. `followed` are places that displacements
/// lead to: thing, instruction, section and offset.
pub fn find(model: &Model<'_>, followed: &[(usize, u32, (usize, i64))]) -> Vec<(usize, Vec<Use>)> {
    let unread = unread(model);
    if unread.is_empty() {
        return Vec::new();
    }
    // How far apart they lie says nothing: what lies between is nobody's here.
    let place = |found: &Unread| match found.thing {
        Some(datum) => Place::Thing(datum, 0, None),
        None => Place::Private(found.section, found.start),
    };
    let mut all = Vec::new();
    for (thing, body) in model.bodies.iter().enumerate().filter(|(_, body)| !body.pieces.is_empty()) {
        let mut more = Vec::new();
        for one in body.uses.iter().filter(|one| may_be_biased(model, one)) {
            let Some((section, offset)) = doubtful(model, one.place) else { continue };
            let reached = within_reach(model, &unread, section, offset).iter();
            more.extend(reached.map(|found| Use {
                field: 0,
                kind: REACHED_PERHAPS,
                place: place(found),
                ..*one
            }));
        }
        if !more.is_empty() {
            all.push((thing, more));
        }
    }
    for (thing, at, (section, offset)) in followed {
        if matches!(model.containing(*section, *offset), Place::Thing(_, 0, _)) {
            continue;
        }
        let reached = within_reach(model, &unread, *section, *offset).iter();
        let uses = reached.map(|found| Use {
            at: *at,
            field: 0,
            access: 0,
            kind: REACHED_PERHAPS,
            place: place(found),
        });
        let uses: Vec<Use> = uses.collect();
        if !uses.is_empty() {
            all.push((*thing, uses));
        }
    }
    all
}

/// Whether a compiler folds an index's constant part into an address of this kind: x86 into an absolute one. (Code that is position-independent takes the address of the datum itself.)
fn may_be_biased(model: &Model<'_>, one: &Use) -> bool {
    let follows = model.machine.is_some_and(|machine| machine.rules().is_some());
    let absolute = || {
        arch::shape(model.facts.image.machine, one.kind)
            .is_some_and(|shape| !shape.relative && shape.size == 4)
    };
    !follows && one.access == 0 && absolute()
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

/// Where an address lies that may not mean what lies there: not at the start of a datum.
fn doubtful(model: &Model<'_>, place: Place) -> Option<(usize, i64)> {
    let at = match place {
        Place::Thing(thing, offset, None) if offset != 0 => {
            let thing = model.owner.things.get(thing).filter(|t| t.kind == Kind::Data)?;
            let piece = thing.pieces.first()?;
            (piece.section, piece.start.cast_signed().checked_add(offset)?)
        }
        Place::Private(section, offset) => (section, offset),
        _ => return None,
    };
    model.section(at.0).filter(|s| s.is_allocated() && !s.is_executable()).map(|_| at)
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
        let is_static = thing.kind == Kind::Data
            && thing.symbols_in(facts).all(|s| s.is_local() && s.kind == elf::STT_OBJECT.0);
        if let Some(piece) = thing.pieces.first().filter(|_| is_static && read.get(index) == Some(&false)) {
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
