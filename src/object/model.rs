//! An object, taken apart: what the file says, who owns what, and each thing's instructions and references. What comes after
//! reads it and changes nothing.

use std::borrow::Cow;

use super::ReadError;
use super::bodies::{Body, Scratch};
use super::claims;
use super::entry_distances;
use super::facts::{Facts, Section};
use super::fingerprint::{Hash, Kind};
use super::machine::distances::Distances;
use super::machine::{self, Machine, mapping};
use super::marks::{self, Marks};
use super::names;
use super::ownership::{Ownership, Piece, Thing};
use super::parallel::Workers;
use super::places::Place;
use super::stream::Write;
use super::x86::{Instruction, Reach};

/// An object, taken apart.
#[derive(Debug)]
pub struct Model<'d> {
    /// What the file says.
    pub facts: Facts<'d>,
    /// Who owns what.
    pub owner: Ownership,
    /// Per thing: its body.
    pub bodies: Vec<Body>,
    /// Per thing: the stem of the name that names it, and whether a number was taken off.
    pub stems: Vec<(Cow<'d, [u8]>, bool)>,
    /// The machine, where its instructions can be told apart.
    pub machine: Option<&'static dyn Machine>,
    /// Whether the file lists places at functions' entries that may be patched.
    pub patchable: bool,
    /// Per section: which bytes are code and which data.
    pub maps: Vec<mapping::Map>,
    /// Per section: places that something beside the code refers to.
    pub marks: Marks,
    /// Per section, on a machine without a decoder: BLAKE3 of which functions lie where in it.
    pub layouts: Vec<[u8; 32]>,
    /// How many bytes of streams its items may take ([`claims`]).
    pub most_streams: usize,
    /// Data that addresses may lead into beside what lies there: thing and datum ([`super::biased`]).
    pub perhaps: Vec<(usize, usize)>,
}

impl<'d> Model<'d> {
    /// Takes an object apart; an error where symbols cover each other without end.
    pub fn new(mut facts: Facts<'d>, workers: Workers) -> Result<Self, ReadError> {
        entry_distances::settle(&mut facts);
        let owner = super::ownership::find(&facts);
        claims::things(&facts, &owner)?;
        let most_streams = claims::most_streams(&facts);
        let machine = machine::of(&facts.image);
        let maps = mapping::find(&facts);
        let patchable = facts.sections.iter().any(super::sites::lists_entries);
        let stems = owner.things.iter().map(|thing| {
            let first = thing.symbols_in(&facts).next();
            first.map_or_else(Default::default, names::stem_of)
        });
        let stems = stems.collect();
        let marks = marks::find(&facts, machine);
        let mut model = Self {
            facts,
            owner,
            bodies: Vec::new(),
            stems,
            machine,
            patchable,
            maps,
            marks,
            layouts: Vec::new(),
            most_streams,
            perhaps: Vec::new(),
        };
        if machine.is_none() {
            model.layouts = layouts(&model.facts, &model.owner);
        }
        let things = &model.owner.things;
        let mut runs = workers.map_runs(things, Thing::weight, |run| {
            let mut scratch = Scratch::default();
            // The first takes in the others in the end.
            let mut bodies = Vec::with_capacity(if run.start == 0 { things.len() } else { run.len() });
            bodies.extend(run.filter_map(|index| Some(model.body(index, things.get(index)?, &mut scratch))));
            bodies
        });
        let mut bodies = runs.next().unwrap_or_default();
        runs.for_each(|mut run| bodies.append(&mut run));
        model.bodies = bodies;
        let mut followed = Vec::new();
        for found in super::follow::find(&model, workers) {
            followed.extend(found.biased);
            if let Some(body) = model.bodies.get_mut(found.thing) {
                for (index, section) in found.passing {
                    if let Some(one) = body.uses.get_mut(index) {
                        one.place = Place::Anchor(section);
                    }
                }
                body.uses.extend(found.uses);
                body.uses.sort_by_key(|one| one.at);
            }
        }
        let biased = super::biased::find(&model, followed);
        let unread = super::unread::find(&model, &biased);
        for of_one in unread.chunk_by(|one, next| one.0 == next.0) {
            if let Some(body) = of_one.first().and_then(|(thing, _)| model.bodies.get_mut(*thing)) {
                body.uses.extend(of_one.iter().map(|(_, reached)| *reached));
                body.uses.sort_by_key(|one| one.at);
            }
        }
        model.perhaps = super::biased::perhaps(&model, &biased);
        Ok(model)
    }

    /// The section with this index.
    pub fn section(&self, index: usize) -> Option<&Section<'d>> {
        self.facts.sections.get(index)
    }

    /// The number of the instruction that a branch to this offset reaches, counted through all pieces, and how
    /// far into that instruction it points (0 for every honest branch; distances into fill count from 0x100). Where instructions are not decoded: the
    /// offset in bytes from the start of the piece, and the piece.
    pub fn instruction_at(&self, thing: usize, piece: usize, offset: u64) -> (u32, u32) {
        if self.machine.is_none() {
            let start = self.owner.things.get(thing).and_then(|t| t.pieces.get(piece)).map_or(0, |p| p.start);
            return (offset.wrapping_sub(start) as u32, piece as u32);
        }
        let Some(body) = self.bodies.get(thing) else { return (0, 0) };
        let before: usize = body.pieces.iter().take(piece).map(Vec::len).sum();
        let Some(list) = body.pieces.get(piece) else { return (before as u32, 0) };
        let at = match body.ranks.get(piece) {
            Some(ranks) => ranks.before(list, offset),
            None => list.partition_point(|i| u64::from(i.start) < offset),
        };
        let here = (before + at) as u32;
        let Some(previous) = at.checked_sub(1).and_then(|i| list.get(i)) else { return (here, 0) };
        let start = u64::from(previous.start);
        let end = start + u64::from(previous.length);
        if offset < end {
            return (here - 1, (offset - start) as u32);
        }
        // Alignment fill stands between: its start and its end are the next instruction, its middle is not.
        match list.get(at) {
            Some(next) if offset != end && offset != u64::from(next.start) => {
                (here, 0x100 + (offset - end) as u32)
            }
            Some(_) => (here, 0),
            None => (here, (offset - end) as u32),
        }
    }

    /// The table of distances at a place that a thing reads, with the bounds of the piece it leads into.
    pub fn distances_at(&self, thing: usize, at: (usize, u64)) -> Option<(&Distances, (u64, u64))> {
        let table = self.bodies.get(thing)?.distances.iter().find(|d| d.table == at)?;
        let piece = self.owner.things.get(thing)?.pieces.get(table.home.1)?;
        Some((table, (piece.start, piece.end)))
    }

    /// Where a branch without a relocation surely stays inside this piece of its function: nothing else lies in
    /// there, and the function's entry may be someone else's too. Empty where that is not sure.
    pub fn inner(&self, thing: usize, piece: usize) -> std::ops::Range<i64> {
        match self.owner.things.get(thing).and_then(|t| Some((t.labels().is_empty(), t.pieces.get(piece)?))) {
            Some((true, p)) => {
                // A branch to the end is to nothing else where only fill follows (clang's at `-O0`, behind a call that throws).
                let end = p
                    .end
                    .cast_signed()
                    .saturating_add(i64::from(self.ends_section(p) || self.is_fill_behind(p)));
                p.start.cast_signed().saturating_add(i64::from(piece == 0))..end
            }
            _ => 0..0,
        }
    }

    fn ends_section(&self, piece: &Piece) -> bool {
        self.section(piece.section).is_some_and(|section| piece.end == section.size)
    }

    /// Whether nothing but fill stands between the end of a piece and what has a name next, and something does.
    fn is_fill_behind(&self, piece: &Piece) -> bool {
        let Some(section) = self.section(piece.section) else { return false };
        let next = self.owner.next_start(piece.section, piece.end.saturating_sub(1)).unwrap_or(section.size);
        let gap = section.bytes(piece.end, next);
        piece.end < next
            && section.relocations_in(piece.end, next).is_empty()
            && self.machine.is_some_and(|machine| machine.is_fill(gap))
    }

    /// What a piece of a function runs on into: the function or the nameless code right behind an instruction from which control
    /// goes to the next. (A call there is one that does not return.)
    pub fn runs_into(&self, piece: &Piece, list: &[Instruction]) -> Option<Place> {
        let (section, machine) = (self.section(piece.section)?, self.machine?);
        let instruction = list.last()?;
        let (start, end) =
            (u64::from(instruction.start), u64::from(instruction.start) + u64::from(instruction.length));
        if end != piece.end || end >= section.size || matches!(instruction.reach(), Reach::Undecodable) {
            return None;
        }
        let mode = self.maps.get(piece.section).map_or(mapping::Mode::Code, |map| map.at(start));
        if mode == mapping::Mode::Data || !machine.runs_on(section.bytes(start, end), mode) {
            return None;
        }
        let place = self.containing(piece.section, end.cast_signed());
        match place {
            Place::Thing(_, 0, _) => Some(place),
            Place::Private(..) if !self.is_fill_behind(piece) => Some(place),
            _ => None,
        }
    }
}

/// Which functions lie where, per section; zeros where none does, or one alone.
fn layouts(facts: &Facts<'_>, owner: &Ownership) -> Vec<[u8; 32]> {
    let mut streams = vec![(Vec::new(), 0); facts.sections.len()];
    for thing in &owner.things {
        let Some(first) = thing.symbols_in(facts).next() else { continue };
        for piece in thing.pieces.iter().filter(|_| thing.kind == Kind::Function) {
            let Some((stream, count)) = streams.get_mut(piece.section) else { continue };
            *count += 1;
            stream.blob(&names::stem(first.name));
            stream.number(piece.start);
        }
    }
    let hash = |(stream, count): (Vec<u8>, u32)| if count > 1 { Hash::of(&stream).0 } else { [0; 32] };
    streams.into_iter().map(hash).collect()
}
