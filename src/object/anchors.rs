//! Data that a function reaches from the address of a neighbour.
//!
//! With section anchors the compiler takes one address in a section and reaches the data around it by immediate
//! displacements. The relocation names one datum; which others are read follows from the layout alone, so that two
//! data can change places while every byte and relocation of the function stays. The tempting wrong way is to follow
//! the address through registers: one path lost is a silent miss. Instead every immediate displacement of the function
//! is laid on every address in a section of data that it takes by a local name, and what lies there is a reference,
//! used or not: at worst one too many.

use std::collections::BTreeSet;

use bstr::ByteSlice;
use object::elf;
use rustc_hash::FxHashSet;

use super::facts::{Definition, Section, Symbol};
use super::fingerprint::Kind;
use super::machine::Machine;
use super::ownership::Thing;
use super::places::{Body, DIRECT, Model, Place, Use};

/// How far from an anchor compilers reach at most, in bytes (ppc64le: 16 signed bits).
const REACH: i64 = 0x8000;

/// No datum lies before the first anchor of a section, and a second one is further than this behind its start (the
/// displacements of a machine, both ways, are 4096 bytes or more). Nothing is reached backwards from an address nearer.
const FIRST: i64 = 0x800;

/// The displacements of one function, laid on the addresses that it takes.
#[derive(Debug)]
pub struct Anchors<'m, 'd> {
    model: &'m Model<'d>,
    /// Addresses that some reference takes or reaches other than by their upper part alone: section, offset.
    whole: FxHashSet<(usize, i64)>,
    /// Every byte that some instruction reaches, by its distance from the address in its register.
    displacements: BTreeSet<i64>,
    /// Anchors done: section, offset.
    met: FxHashSet<(usize, i64)>,
}

impl<'m, 'd> Anchors<'m, 'd> {
    /// Gathers the displacements of a function; `None` where it has none, or its machine reaches nothing so.
    pub fn of(model: &'m Model<'d>, thing: &Thing, body: &'m Body) -> Option<Self> {
        let machine = model.machine.filter(|m| m.has_anchors())?;
        let mut displacements = BTreeSet::new();
        let mut relocated = body.uses.iter().filter(|u| u.kind != DIRECT).map(|u| u.at).peekable();
        let mut number = 0;
        for (piece, list) in thing.pieces.iter().zip(&body.pieces) {
            let (Some(section), Some(map)) = (model.section(piece.section), model.maps.get(piece.section))
            else {
                number += list.len() as u32;
                continue;
            };
            for one in list {
                let mut named = false;
                while relocated.next_if(|at| *at <= number).is_some() {
                    named = true;
                }
                number += 1;
                let start = u64::from(one.start);
                let bytes = section.bytes(start, start + u64::from(one.length));
                if !named && let Some((from, count)) = machine.displacement(bytes, map.at(start)) {
                    displacements.extend((from..from + i64::from(count)).filter(|d| d.abs() <= REACH));
                }
            }
        }
        if displacements.is_empty() {
            return None;
        }
        let whole = body.uses.iter().filter(|u| !machine.is_upper(u.kind));
        let whole = whole.filter_map(|u| position(model, u.place)).collect();
        Some(Self { model, whole, displacements, met: FxHashSet::default() })
    }

    /// The other data that may be reached from the address that this reference takes: displacement, place; one of
    /// each, in the order of the displacements. Nothing at a second reference to the same address.
    pub fn reached(&mut self, one: &Use) -> Vec<(i64, Place)> {
        let Some((section, offset)) = self.anchor(one) else { return Vec::new() };
        let Some(home) = self.model.section(section).filter(|s| holds_data(s) && self.has_anchor(section))
        else {
            return Vec::new();
        };
        if !self.met.insert((section, offset)) {
            return Vec::new();
        }
        let owner = &self.model.owner;
        let datum = |offset: i64| {
            let thing = owner.at(section, u64::try_from(offset).ok()?)?.thing;
            owner.things.get(thing).filter(|t| t.kind != Kind::Function).map(|_| thing)
        };
        let mut things = vec![datum(offset)];
        let mut found = Vec::new();
        let back = if offset < FIRST { 0 } else { offset.min(REACH) };
        let window = -back..=home.size.cast_signed().saturating_sub(offset).min(REACH);
        if window.is_empty() {
            return found;
        }
        for displacement in self.displacements.range(window) {
            let there = offset.wrapping_add(*displacement);
            let thing = datum(there);
            // Neighbours come in the order of their displacements, save for what lies inside another.
            if thing.is_some() && !things.contains(&thing) {
                things.push(thing);
                found.push((*displacement, self.model.containing(section, there)));
            }
        }
        found
    }

    /// Whether compilers put an anchor there: where the file keeps their labels, one tells.
    fn has_anchor(&self, section: usize) -> bool {
        let is_anchor = |s: &Symbol<'_>| {
            matches!(s.definition, Definition::Section(at) if at == section)
                && (s.name.starts_with(b".LANCHOR") || s.name.contains_str("_MergedGlobals"))
        };
        let kept = self.model.machine.is_some_and(Machine::keeps_labels);
        !kept || self.model.facts.symbols.iter().any(is_anchor)
    }

    /// Section and offset of an address that stays in a register.
    fn anchor(&self, one: &Use) -> Option<(usize, i64)> {
        let machine = self.model.machine?;
        if let Place::Private(section, offset) = one.place
            && let Some(listed) = self.listed(section, offset)
        {
            return position(self.model, listed); // the address was loaded (`.toc`)
        }
        if one.access != 0 || one.kind == DIRECT {
            return None;
        }
        // Where the rest of an address has a reference of its own, that one tells whether the whole is kept.
        let position = position(self.model, one.place)?;
        (!machine.is_upper(one.kind) || !self.whole.contains(&position)).then_some(position)
    }

    /// The place whose address lies in nameless bytes.
    fn listed(&self, section: usize, offset: i64) -> Option<Place> {
        let (home, at) = (self.model.section(section)?, u64::try_from(offset).ok()?);
        let relocation = home.relocations_in(at, at.saturating_add(1)).first()?;
        Some(self.model.resolve(home, relocation, 0))
    }
}

/// Section and offset of a place, unless a name was used that others may define too.
fn position(model: &Model<'_>, place: Place) -> Option<(usize, i64)> {
    match place {
        Place::Thing(thing, offset, None) => {
            let piece = model.owner.things.get(thing)?.pieces.first()?;
            Some((piece.section, piece.start.cast_signed().checked_add(offset)?))
        }
        Place::Private(section, offset) => Some((section, offset)),
        Place::Beyond(section, base, distance) => Some((section, base.cast_signed().checked_add(distance)?)),
        _ => None,
    }
}

fn holds_data(section: &Section<'_>) -> bool {
    section.is_allocated() && !section.is_executable() && section.flags & elf::SHF_TLS.0 == 0
}
