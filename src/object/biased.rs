//! Addresses that may have an index's constant part in them.
//!
//! The element before an array's first (`array[i - 3]`) has the address of whatever lies before the array. Where the relocation
//! names the array, or its section holds nothing else, it is known whose element that is ([`super::places`]); else it looks
//! like a place inside a neighbour, or before the section, and no bytes tell the two apart. So who takes such an address may
//! be a reader of the static data that follow, too. That is told where one of them changes, and is no part of anybody's
//! identity: as one, it would make functions differ when others' data come and go.
//!
//! What it does not promise: an array whose element before the first is the very start of a neighbour, or that lies further
//! away than compilers' constants mostly are.

use object::elf;

use super::arch;
use super::bodies::Body;
use super::facts::Definition;
use super::fingerprint::Kind;
use super::model::Model;
use super::places::{Place, Use};

/// How far behind an address a datum is one of those that may be meant, in bytes: an index's constant part is small, or some
/// character of ASCII, times the size of an element.
const REACH: u64 = 1024;

/// How many data behind an address may be meant at most.
const MOST: usize = 8;

/// Who takes an address, where, and which.
#[derive(Debug, Clone, Copy)]
pub struct Biased {
    /// The thing.
    pub thing: usize,
    /// Instruction number.
    pub at: u32,
    /// Section.
    pub section: usize,
    /// Offset in it, or before or behind it.
    pub offset: i64,
}

/// All such addresses: those that code names, and those that displacements lead to (`followed`: [`super::follow`]).
pub fn find(model: &Model<'_>, followed: Vec<Biased>) -> Vec<Biased> {
    let mut all = followed;
    for (thing, body) in model.bodies.iter().enumerate().filter(|(_, body)| !body.pieces.is_empty()) {
        let named = body.uses.iter().filter(|one| may_be_biased(model, one));
        all.extend(named.filter_map(|one| {
            let (section, offset) = doubtful(model, one.place)?;
            let is_table = is_jump_table(model, (thing, body), one, (section, offset));
            (!is_table).then_some(Biased { thing, at: one.at, section, offset })
        }));
    }
    all
}

/// Whether a compiler folds an index's constant part into an address of this kind: x86 into an absolute one. (Code
/// that is position-independent takes the address of the datum itself; i386's by its distance from the GOT is like absolute.)
fn may_be_biased(model: &Model<'_>, one: &Use) -> bool {
    let follows = model.machine.is_some_and(|machine| machine.rules().is_some());
    !follows && one.access == 0 && may_hold_index(model.facts.image.machine, one.kind)
}

/// Whether a relocation may be for an address with an index's constant part in it.
pub fn may_hold_index(machine: u16, kind: u32) -> bool {
    let from_got = machine == elf::EM_386.0 && kind == elf::R_386_GOTOFF.0;
    from_got || arch::shape(machine, kind).is_some_and(|shape| !shape.relative && shape.size == 4)
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

/// Whether a nameless address is that of a table of jumps in the code of whoever takes it: it surely is where the instruction jumps
/// through it. Else what leads into others' code lies before somebody's array, and so may what is no table's start.
fn is_jump_table(
    model: &Model<'_>,
    (thing, body): (usize, &Body),
    one: &Use,
    (section, offset): (usize, i64),
) -> bool {
    let (Some(home), Ok(at)) = (model.section(section), u64::try_from(offset)) else { return false };
    let leads_into_own = |at: u64| {
        let first = home
            .relocations_in(at, at.saturating_add(1))
            .first()
            .filter(|_| model.owner.datum_at(section, at).is_none());
        let place = first.map(|relocation| model.resolve(home, relocation, 0));
        matches!(place, Some(Place::Code(owner, ..)) if owner == thing)
    };
    let entry = u64::from(model.facts.image.bits / 8);
    let is_start = || {
        !at.checked_sub(entry).is_some_and(leads_into_own) && !at.checked_sub(4).is_some_and(leads_into_own)
    };
    leads_into_own(at) && (is_start() || jumps(model, (thing, body), one))
}

/// Whether the instruction of a reference jumps to where its memory operand says.
fn jumps(model: &Model<'_>, (thing, body): (usize, &Body), one: &Use) -> bool {
    let found = || {
        let mut number = one.at as usize;
        let mut pieces = body.pieces.iter().enumerate();
        let (piece, list) = pieces.find(|(_, list)| {
            let is_here = number < list.len();
            number -= if is_here { 0 } else { list.len() };
            is_here
        })?;
        let instruction = list.get(number)?;
        let section = model.owner.things.get(thing)?.pieces.get(piece)?.section;
        let start = u64::from(instruction.start);
        let text = model.section(section)?.bytes(start, start + u64::from(instruction.length));
        Some(model.machine?.jumps_through(text, one.field))
    };
    found().unwrap_or(false)
}

/// The data that may be meant by each address, what lies there among them: thing and datum, sorted, each once.
pub fn perhaps(model: &Model<'_>, all: &[Biased]) -> Vec<(usize, usize)> {
    let mut places: Vec<(usize, usize, u64)> =
        all.iter().map(|one| (one.thing, one.section, one.offset.max(0).cast_unsigned())).collect();
    places.sort_unstable();
    places.dedup();
    let mut found = Vec::new();
    for (thing, section, from) in places {
        let mut at = from;
        for _ in 0..MOST {
            let datum = model.owner.at(section, at).map(|inside| inside.thing);
            found.extend(datum.filter(|datum| is_static(model, *datum)).map(|datum| (thing, datum)));
            match model.owner.next_start(section, at) {
                Some(next) if next - from <= REACH => at = next,
                _ => break,
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether nothing but its place names a datum: a global is named.
pub fn is_static(model: &Model<'_>, thing: usize) -> bool {
    let Some(thing) = model.owner.things.get(thing).filter(|thing| thing.kind == Kind::Data) else {
        return false;
    };
    let mut symbols = thing.symbols_in(&model.facts);
    symbols.all(|s| {
        s.is_local() && s.kind == elf::STT_OBJECT.0 && matches!(s.definition, Definition::Section(_))
    })
}
