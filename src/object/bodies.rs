//! A thing taken apart: a function's instructions, and what they and a datum's fields refer to.

use std::cell::OnceCell;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::facts::Section;
use super::fingerprint::Kind;
use super::machine::distances::Distances;
use super::machine::{self, Machine, Run, mapping, pairs};
use super::model::Model;
use super::ownership::{Piece, Thing};
use super::places::{DIRECT, Place, Use};
use super::ranks::Ranks;
use super::x86::{Instruction, Reach};

/// A thing taken apart: its instructions (functions) and its references.
#[derive(Debug, Default)]
pub struct Body {
    /// Per piece: its instructions. Empty for data, and for machines without a decoder.
    pub pieces: SmallVec<[Vec<Instruction>; 1]>,
    /// Per piece: the numbers of its instructions by their offsets. Empty where all pieces are short.
    pub ranks: Vec<Ranks>,
    /// References in the order of their place.
    pub uses: Vec<Use>,
    /// Tables of distances that it reads.
    pub distances: Vec<Distances>,
}

/// Where bodies are made before they are kept at their exact size: a list that grows in place leaves memory touched
/// that nothing needs, and to touch it takes longer than to fill it.
#[derive(Default)]
pub struct Scratch {
    instructions: Vec<Instruction>,
    uses: Vec<Use>,
    /// References that may mean the end of what lies before: which, and what they would mean.
    ends: Vec<(usize, (usize, i64))>,
}

impl Model<'_> {
    /// The body of a thing, whose number is `index`.
    pub(super) fn body(&self, index: usize, thing: &Thing, scratch: &mut Scratch) -> Body {
        let mut pieces: SmallVec<[Vec<Instruction>; 1]> = SmallVec::new();
        if thing.kind == Kind::Function
            && let Some(machine) = self.machine
        {
            pieces.reserve_exact(thing.pieces.len());
            for piece in &thing.pieces {
                scratch.instructions.clear();
                self.instructions(machine, piece, &mut scratch.instructions);
                pieces.push(scratch.instructions.clone());
            }
        }
        scratch.uses.clear();
        scratch.ends.clear();
        let mut number = 0;
        for (at, piece) in thing.pieces.iter().enumerate() {
            let Some(section) = self.section(piece.section) else { continue };
            match pieces.get(at) {
                Some(list) => {
                    self.code_uses(section, (index, at, piece), list, number, scratch);
                    number += list.len() as u32;
                }
                None => self.data_uses(section, piece, &mut scratch.uses),
            }
        }
        settle_ends(scratch);
        let mut distances = Vec::new();
        if let Some(machine) = self.machine.filter(|m| m.has_pairs() && !pieces.is_empty()) {
            pairs::settle(machine, &mut scratch.uses, |place| number_in(&pieces, index, place));
            let mut number = 0;
            for (at, (piece, list)) in thing.pieces.iter().zip(&pieces).enumerate() {
                let bytes = self.section(piece.section).map_or(&[][..], |s| s.data);
                let code = machine::Body { list, bytes, number, uses: &scratch.uses, home: (index, at) };
                distances.extend(machine.distances(&code));
                number += list.len() as u32;
            }
        }
        Body { ranks: Ranks::of_all(&pieces), pieces, uses: scratch.uses.clone(), distances }
    }

    /// Appends the instructions of a piece.
    pub(super) fn instructions(&self, machine: &dyn Machine, piece: &Piece, list: &mut Vec<Instruction>) {
        let (Some(section), Ok(start)) = (self.section(piece.section), u32::try_from(piece.start)) else {
            return;
        };
        let run = Run {
            bytes: section.bytes(piece.start, piece.end),
            start,
            mode: mapping::Mode::Code,
            align: section.align,
            patchable: self.patchable,
            relocations: section.relocations_in(piece.start, piece.end),
            marks: self.marks.of(piece.section),
        };
        match self.maps.get(piece.section) {
            Some(map) => machine::instructions(machine, &run, map, list),
            None => machine.decode(&run, list),
        }
    }

    fn code_uses(
        &self,
        section: &Section<'_>,
        (thing, at_piece, piece): (usize, usize, &Piece),
        list: &[Instruction],
        number: u32,
        Scratch { uses, ends, .. }: &mut Scratch,
    ) {
        let Some(machine) = self.machine else { return };
        let mut relocations = section.relocations_in(piece.start, piece.end);
        let inner = self.inner(thing, at_piece);
        let labels = OnceCell::new();
        let labels = || labels.get_or_init(|| self.labels(piece, list)).as_slice();
        for (position, (at, instruction)) in (number..).zip(list).enumerate() {
            let end = u64::from(instruction.start) + u64::from(instruction.length);
            if instruction.is_alone() && relocations.first().is_none_or(|next| next.offset >= end) {
                continue;
            }
            while let Some((relocation, rest)) = relocations.split_first().filter(|(r, _)| r.offset < end) {
                relocations = rest;
                let field = relocation.offset.saturating_sub(u64::from(instruction.start)) as u8;
                let bias = match instruction.reach() {
                    Reach::Literal(place) => place.wrapping_sub(relocation.offset.cast_signed()),
                    _ => machine.bias(instruction.start.into(), end, relocation.offset),
                };
                let mut place = self.resolve(section, relocation, bias);
                if instruction.access == 0
                    && let Some(at) = self.nameless(relocation, section)
                    && let Some(least) =
                        machine.least_offset(section.data, list, position, relocation.kind, &labels)
                {
                    place = self.table_behind(at, least).unwrap_or(place);
                }
                let text = || section.bytes(instruction.start.into(), end);
                if let Some(before) = self.end_of_another(place)
                    && machine.compares(text(), field)
                {
                    ends.push((uses.len(), before));
                }
                uses.push(Use { at, field, access: instruction.access, kind: relocation.kind, place });
            }
            let place = match instruction.reach() {
                Reach::Branch(target) | Reach::Entry(target) if inner.contains(&target) => continue,
                Reach::Branch(target) | Reach::Memory(target) | Reach::Entry(target) => {
                    self.direct(piece.section, target)
                }
                Reach::None | Reach::Literal(_) | Reach::Undecodable => continue,
            };
            uses.push(Use { at, field: instruction.field, access: instruction.access, kind: DIRECT, place });
        }
        let is_last = self.owner.things.get(thing).is_some_and(|t| t.pieces.len() == at_piece + 1);
        if let Some(place) = is_last.then(|| self.runs_into(piece, list)).flatten() {
            let at = number + list.len() as u32;
            uses.push(Use { at, field: 0, access: 0, kind: DIRECT, place });
        }
    }

    fn data_uses(&self, section: &Section<'_>, piece: &Piece, uses: &mut Vec<Use>) {
        for relocation in section.relocations_in(piece.start, piece.end) {
            let place = self.resolve(section, relocation, 0);
            let at = (relocation.offset - piece.start) as u32;
            uses.push(Use { at, field: 0, access: 0, kind: relocation.kind, place });
        }
    }

    /// The datum that ends where another begins, and its size: what the address of the other may mean, where no name says
    /// which is meant.
    fn end_of_another(&self, place: Place) -> Option<(usize, i64)> {
        let Place::Thing(thing, 0, None) = place else { return None };
        let piece = self.owner.things.get(thing).filter(|t| t.kind == Kind::Data)?.pieces.first()?;
        let before = self.owner.ending_at(piece.section, piece.start)?.thing;
        let size = self.owner.things.get(before)?.pieces.first().map(|p| p.end - p.start)?;
        Some((before, size.cast_signed()))
    }
}

/// Takes an address that is only compared with for the end of an array where the function reaches that array.
fn settle_ends(Scratch { uses, ends, .. }: &mut Scratch) {
    if ends.is_empty() {
        return;
    }
    let reached: FxHashSet<usize> = uses
        .iter()
        .filter_map(|one| if let Place::Thing(thing, ..) = one.place { Some(thing) } else { None })
        .collect();
    for (index, (thing, size)) in ends.drain(..).filter(|(_, end)| reached.contains(&end.0)) {
        if let Some(one) = uses.get_mut(index) {
            one.place = Place::Thing(thing, size, None);
        }
    }
}

/// The number of the instruction of this thing that begins at a place; `pieces` are its instructions.
fn number_in(pieces: &[Vec<Instruction>], thing: usize, place: &Place) -> Option<u32> {
    let (piece, offset) = match *place {
        Place::Code(at, piece, offset) if at == thing => (piece, offset),
        Place::Thing(at, 0, _) if at == thing => return Some(0),
        _ => return None,
    };
    let before: usize = pieces.iter().take(piece).map(Vec::len).sum();
    let at = pieces.get(piece)?.binary_search_by_key(&offset, |i| i.start.into()).ok()?;
    Some((before + at) as u32)
}
