//! What the fields of unwinding tables mean: pointers by their relocations or values, distances that relocations add up, and
//! relocations that no field accounts for.

use super::super::closure::Closure;
use super::super::cursor::{Cursor, encoded_size};
use super::super::facts::{Definition, Relocation, Section};
use super::super::fingerprint::Kind;
use super::super::machine::Term;
use super::super::model::Model;
use super::super::places::Place;
use super::super::recipe::clear_implicit;
use super::super::stream::{Write, target, unwinding as tag};
use super::lsda::Served;

/// The function that a place lies in: thing, piece, and offset in its section.
pub fn function_at(model: &Model<'_>, place: Place) -> Option<Served> {
    let served = match place {
        Place::Thing(thing, 0, _) => (thing, 0, model.owner.things.get(thing)?.pieces.first()?.start),
        Place::Code(thing, piece, offset) => (thing, piece, offset),
        _ => return None,
    };
    (model.owner.things.get(served.0)?.kind == Kind::Function).then_some(served)
}

/// The place that an encoded pointer means: by its relocation, or by its value in a linked file.
pub fn pointer(model: &Model<'_>, section: &Section<'_>, at: usize, encoding: u8) -> Option<Place> {
    if let Some(relocation) = section.relocations_in(at as u64, at as u64 + 1).first() {
        return Some(model.resolve(section, relocation, 0));
    }
    let size = encoded_size(encoding, model.facts.image.bits)?;
    let value = Cursor::new(section.data, at, model.facts.image.little_endian).signed(size)?;
    if value == 0 {
        return Some(Place::Absolute(0));
    }
    let relative = encoding & 0x70 == 0x10;
    let base = if relative { section.address.wrapping_add(at as u64).cast_signed() } else { 0 };
    Some(model.at_address(value.wrapping_add(base)).unwrap_or(Place::Absolute(value)))
}

/// Writes what a relocated pointer's field says beside its place: relocation type and raw bytes (normally zero). An
/// addend in the field (`SHT_REL`) is part of the place.
pub fn field(model: &Model<'_>, section: &Section<'_>, at: usize, size: usize, out: &mut Vec<u8>) {
    if let Some(relocation) = section.relocations_in(at as u64, at as u64 + 1).first() {
        out.number(u64::from(relocation.kind) + 1);
        let mut bytes = section.bytes(at as u64, (at + size) as u64).to_vec();
        if relocation.is_implicit() {
            clear_implicit(model, relocation.kind, &mut bytes);
        }
        out.blob(&bytes);
    } else {
        out.number(0);
        out.blob(b"");
    }
}

/// Writes every relocation of a range that no field accounts for: the first one at each of the places `known` is a
/// field's. Few compilers write such a relocation; one that is there must show. Where a linker may shorten code (RISC-V),
/// lengths and advances are such, between labels: one at the end of the piece `home` is its end, whoever begins there.
pub fn strays<'m, 'd>(
    model: &'m Model<'d>,
    section: &'m Section<'d>,
    (start, end): (usize, usize),
    known: &[usize],
    home: Option<(usize, usize)>,
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) {
    let mut last = None;
    for relocation in section.relocations_in(start as u64, end as u64) {
        let first = last.replace(relocation.offset) != Some(relocation.offset);
        if first && known.iter().any(|at| *at as u64 == relocation.offset) {
            continue;
        }
        out.byte(tag::STRAY);
        out.number(relocation.offset - start as u64);
        out.number(relocation.kind.into());
        match home.filter(|home| is_end_label(model, relocation, *home)) {
            Some((thing, piece)) => {
                let end =
                    model.owner.things.get(thing).and_then(|t| t.pieces.get(piece)).map_or(0, |p| p.end);
                let (number, inside) = model.instruction_at(thing, piece, end);
                out.byte(target::OWN);
                out.number(number.into());
                out.number(inside.into());
            }
            None => closure.target(model.resolve(section, relocation, 0), 0, out),
        }
    }
}

/// The distance in bytes that a field means, and what it holds: where the relocations at `at` add a distance up, that
/// is not what the linker will write. Where the two differ, what it holds is written, too.
pub fn distance(model: &Model<'_>, section: &Section<'_>, at: usize, held: u64, out: &mut Vec<u8>) -> u64 {
    let meant = sum(model, section, at).unwrap_or(held);
    if meant != held {
        out.byte(tag::STORED);
        out.number(held);
    }
    meant
}

/// The distance between two labels of one section that relocations at `at` add up.
fn sum(model: &Model<'_>, section: &Section<'_>, at: usize) -> Option<u64> {
    let machine = model.machine?;
    let mut ends = [None; 2];
    for relocation in section.relocations_in(at as u64, at as u64 + 1) {
        let [to, from] = &mut ends;
        let end = match machine.term(relocation.kind)? {
            Term::Minus => from,
            Term::Set | Term::Plus => to,
        };
        let symbol = model.facts.symbols.get(relocation.symbol() as usize)?;
        let Definition::Section(home) = symbol.definition else { return None };
        let place = (home, symbol.value.wrapping_add_signed(relocation.addend));
        if end.replace(place).is_some() {
            return None;
        }
    }
    let [Some((home, to)), Some((other, from))] = ends else { return None };
    (home == other).then(|| to.wrapping_sub(from))
}

/// Whether a relocation names the end of a piece by a label of the compiler's.
fn is_end_label(model: &Model<'_>, relocation: &Relocation, (thing, piece): (usize, usize)) -> bool {
    let symbol = model.facts.symbols.get(relocation.symbol() as usize);
    let piece = model.owner.things.get(thing).and_then(|t| t.pieces.get(piece));
    symbol.zip(piece).is_some_and(|(symbol, piece)| {
        symbol.definition == Definition::Section(piece.section)
            && symbol.value == piece.end
            && (symbol.name.is_empty() || symbol.name.starts_with(b".L"))
            && (relocation.addend, relocation.is_implicit()) == (0, false)
    })
}
