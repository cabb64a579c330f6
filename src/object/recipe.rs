//! The recipe: what goes into each part of a fingerprint, and what does not. Version: [`super::fingerprint::RECIPE`].
//!
//! | part | entries | why |
//! | --- | --- | --- |
//! | code | each instruction's bytes, in order, `.cold` behind the body. A branch without relocation: its opcode in the near form and the number of the instruction it reaches. A PC-relative operand without relocation: the bytes with the field zeroed. Alignment fill inside the function: nothing | what the function does; branch widths and fill are the assembler's choice |
//! | content | a datum's section flags, bytes, and references | what it holds |
//! | references | instruction (or offset), field, relocation type, canonical target with addend | what it reaches |
//! | constants | nameless bytes, each once, in the order of first use, followed transitively | they have no other owner |
//! | strings | character width and the whole string; the offset into it stands at the use | a suffix may be shared |
//! | tables | jump and label tables: the places they list, by instruction number | a swapped case shows nowhere else |
//! | unwinding | CIE, CFI rows and call sites by instruction number, actions, types | what an exception or an unwinder does |
//! | sites | the entries of special sections that serve this function | alternatives, exception entries, patchable places |
//! | attributes | section, binding, visibility, type, aliases, labels, hook, group; size of data | how it can be patched and reached |
//!
//! Not in it: the item's own name and address, the numbers in names of statics and clones, the order of
//! anything in the file, debug information, the symbol table's order, `STT_FILE`. A function's size is not in it
//! (branch widths), but what its symbol covers is, by its instructions.
//!
//! What it does not promise: that two functions which behave alike have one fingerprint, nor, for a file that
//! says [`Basis::Conservative`], that two equal functions at different places do.

use std::collections::HashMap;

use bstr::BString;
use object::elf;

use super::attributes;
use super::closure::{Closure, Concrete};
use super::facts::{Definition, Symbol};
use super::fingerprint::{
    Basis, Fingerprints, Hash, Item, Kind, Part, PartKind, RECIPE, Reference, Scope, StreamRange, Traits,
};
use super::machine::Opcode;
use super::names;
use super::ownership::Thing;
use super::places::{DIRECT, Model, Place};
use super::private::Privates;
use super::sites::Sites;
use super::stream::{Write, code};
use super::unwinding::Frames;
use super::x86::{Instruction, Reach};

/// Everything that is known of an object before streams are written.
#[derive(Debug)]
pub struct Known<'m, 'd> {
    /// The object, taken apart.
    pub model: &'m Model<'d>,
    /// Nameless bytes.
    pub privates: &'m Privates,
    /// Special sections.
    pub sites: &'m Sites,
    /// Exception frames.
    pub frames: &'m Frames,
}

/// Collects items and their streams.
#[derive(Debug, Default)]
pub struct Collector {
    /// The items so far; their references still as they were met.
    items: Vec<(Item, Vec<Concrete>)>,
    /// Which item a thing became.
    by_thing: HashMap<usize, usize>,
    streams: Vec<u8>,
    /// Bytes that some item covers: section, start, end.
    pub covered: Vec<(usize, u64, u64)>,
    /// Undefined symbols that some item refers to.
    pub referred: std::collections::HashSet<u32>,
}

/// The parts of one item while they are written.
pub type Streams = [(PartKind, Vec<u8>)];

impl Collector {
    /// Keeps a stream and says where.
    pub fn keep(&mut self, stream: &[u8]) -> StreamRange {
        let start = self.streams.len() as u32;
        self.streams.extend_from_slice(stream);
        StreamRange { start, len: stream.len() as u32 }
    }

    /// Adds an item with its streams.
    pub fn add(&mut self, mut item: Item, parts: &Streams, closure: Closure<'_, '_>, thing: Option<usize>) {
        let mut sorted: Vec<_> = parts.iter().filter(|(_, stream)| !stream.is_empty()).collect();
        sorted.sort_by_key(|(kind, _)| *kind);
        for (kind, stream) in sorted {
            let hash = Hash::of(stream);
            item.parts.push(Part { kind: *kind, hash, stream: self.keep(stream) });
        }
        self.covered.extend(closure.covered.iter().copied());
        let concrete = closure.into_concrete();
        self.referred.extend(concrete.iter().filter_map(|c| match c {
            Concrete::External(symbol) => Some(*symbol),
            Concrete::Thing(_) => None,
        }));
        if let Some(thing) = thing {
            self.by_thing.insert(thing, self.items.len());
        }
        self.items.push((item, concrete));
    }

    /// Sorts the items and gives references their final numbers.
    pub fn finish(self, model: &Model<'_>, basis: Basis) -> Fingerprints {
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by(|a, b| {
            let key = |i: &usize| {
                self.items.get(*i).map(|(item, _)| (item.kind, &item.name, &item.section, item.address))
            };
            key(a).cmp(&key(b))
        });
        let mut position = vec![0_u32; order.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(slot) = position.get_mut(*old) {
                *slot = new as u32;
            }
        }
        let resolve = |concrete: &Concrete| match concrete {
            Concrete::Thing(thing) => {
                let old = self.by_thing.get(thing)?;
                Some(Reference::Item(*position.get(*old)?))
            }
            Concrete::External(symbol) => {
                Some(Reference::External(model.facts.symbols.get(*symbol as usize)?.name.into()))
            }
        };
        let references: Vec<Vec<Reference>> =
            self.items.iter().map(|(_, concrete)| concrete.iter().filter_map(resolve).collect()).collect();
        let mut items: Vec<(u32, Item)> = position
            .into_iter()
            .zip(self.items.into_iter().zip(references))
            .map(|(new, ((item, _), references))| (new, Item { references, ..item }))
            .collect();
        items.sort_by_key(|(new, _)| *new);
        Fingerprints {
            recipe: RECIPE,
            image: model.facts.image.clone(),
            basis,
            files: files(model),
            items: items.into_iter().map(|(_, item)| item).collect(),
            streams: self.streams,
        }
    }
}

/// The names of the sources, as `STT_FILE` symbols tell them.
fn files(model: &Model<'_>) -> Vec<BString> {
    let symbols = model.facts.symbols.iter().filter(|s| s.is_file() && !s.name.is_empty());
    let mut files: Vec<BString> = symbols.map(|s| s.name.into()).collect();
    files.sort();
    files.dedup();
    files
}

/// Writes the streams of every thing.
pub fn things(known: &Known<'_, '_>, collector: &mut Collector) {
    for (index, thing) in known.model.owner.things.iter().enumerate() {
        let Some(first) = thing.symbols.first().and_then(|s| known.model.facts.symbols.get(*s as usize))
        else {
            continue; // a `.cold` piece that found its parent
        };
        let mut closure = Closure::new(known.model, known.privates, Some(index));
        let mut traits = traits(known, thing, first);
        let mut own = match thing.kind {
            Kind::Function => function(known, index, thing, &mut closure),
            _ => datum(known, thing, &mut closure),
        };
        let mut sites = Vec::new();
        known.sites.write(known.model, index, &mut closure, &mut sites);
        let mut unwinding = Vec::new();
        known.frames.write(known.model, index, &mut closure, &mut unwinding);
        closure.follow();
        traits.hook = attributes::hook(known.model, index, thing, known.sites);
        let mut attributes_stream = Vec::new();
        attributes::of_thing(known.model, thing, traits.hook, &mut attributes_stream);
        own.extend([
            (PartKind::Constants, std::mem::take(&mut closure.constants)),
            (PartKind::Strings, std::mem::take(&mut closure.strings)),
            (PartKind::Tables, std::mem::take(&mut closure.tables)),
            (PartKind::Unwinding, unwinding),
            (PartKind::Sites, sites),
            (PartKind::Attributes, attributes_stream),
        ]);
        if thing.kind == Kind::Function
            && let Some(body) = known.model.bodies.get(index)
        {
            let layout: Vec<u8> = layout(thing, &body.pieces);
            traits.layout = collector.keep(&layout);
            traits.instructions = body.pieces.iter().map(Vec::len).sum::<usize>() as u32;
        }
        collector.covered.extend(thing.pieces.iter().map(|p| (p.section, p.start, p.end)));
        let item = item(known.model, thing, first, traits);
        collector.add(item, &own, closure, Some(index));
    }
}

/// Distances in bytes from each instruction to the next, so that an instruction's number tells its offset.
fn layout(thing: &Thing, pieces: &[Vec<Instruction>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (piece, list) in thing.pieces.iter().zip(pieces) {
        let ends = list.iter().skip(1).map(|i| u64::from(i.start)).chain([piece.end]);
        out.extend(list.iter().zip(ends).map(|(i, end)| end.saturating_sub(i.start.into()).min(255) as u8));
    }
    out
}

fn item(model: &Model<'_>, thing: &Thing, first: &Symbol<'_>, traits: Traits) -> Item {
    let piece = thing.pieces.first();
    let section = piece.and_then(|p| model.section(p.section));
    let names =
        thing.symbols.iter().filter_map(|i| model.facts.symbols.get(*i as usize)).map(|s| s.name.into());
    let mut names: Vec<BString> = names.collect();
    names.sort();
    names.dedup();
    let linked = model.facts.image.file_type != elf::ET_REL.0;
    let base = section.filter(|_| linked).map_or(0, |s| s.address);
    let fallback: &[u8] = match first.definition {
        Definition::Common => b"*COMMON*",
        _ => b"*ABSOLUTE*",
    };
    Item {
        kind: thing.kind,
        name: first.name.into(),
        names,
        scope: match first.binding {
            b if b == elf::STB_LOCAL.0 => Scope::Local(first.file.map(BString::from)),
            b if b == elf::STB_WEAK.0 => Scope::Weak,
            _ => Scope::Global,
        },
        section: section.map_or(fallback, |s| s.name).into(),
        address: piece.map_or(0, |p| base.wrapping_add(p.start)),
        size: piece.map_or(first.size, |p| p.end - p.start),
        parts: Vec::new(),
        references: Vec::new(),
        traits,
    }
}

fn traits(known: &Known<'_, '_>, thing: &Thing, first: &Symbol<'_>) -> Traits {
    let section = thing.pieces.first().and_then(|p| known.model.section(p.section));
    Traits {
        cold: thing
            .pieces
            .get(1)
            .and_then(|p| Some((known.model.section(p.section)?.name.into(), p.start, p.end - p.start))),
        origin: names::clone_origin(first.name).map(BString::from),
        inferred_size: thing.inferred_size,
        zero_filled: section
            .map_or(first.definition == Definition::Common, super::facts::Section::is_zero_filled),
        writable: section.map_or(first.definition == Definition::Common, super::facts::Section::is_writable),
        ..Traits::default()
    }
}

/// The `code` and `references` parts of a function.
fn function<'m, 'd>(
    known: &Known<'m, 'd>,
    index: usize,
    thing: &Thing,
    closure: &mut Closure<'m, 'd>,
) -> Vec<(PartKind, Vec<u8>)> {
    let model = known.model;
    let mut code_stream = Vec::new();
    let mut references = Vec::new();
    let Some(body) = model.bodies.get(index) else { return Vec::new() };
    if body.pieces.is_empty() {
        for piece in &thing.pieces {
            let Some(section) = model.section(piece.section) else { continue };
            code_stream.byte(code::RAW);
            let relocations = section.relocations_in(piece.start, piece.end);
            code_stream.blob(&closure.masked(section, piece.start, piece.end, relocations));
        }
    }
    let mut uses = body.uses.as_slice();
    let mut number = 0;
    for (at, (piece, list)) in thing.pieces.iter().zip(&body.pieces).enumerate() {
        let Some(section) = model.section(piece.section) else { continue };
        if at > 0 {
            code_stream.byte(code::PIECE);
        }
        let body = section.bytes(piece.start, piece.end);
        code_stream.reserve(body.len() + list.len());
        for instruction in list {
            let from = (u64::from(instruction.start) - piece.start) as usize;
            let bytes = body.get(from..from + usize::from(instruction.length)).unwrap_or_default();
            let Some(first) = uses.first().filter(|u| u.at == number) else {
                if instruction.reach == Reach::Undecodable {
                    code_stream.byte(code::RAW);
                    code_stream.blob(bytes);
                } else {
                    code_stream.byte(bytes.len() as u8);
                    code_stream.extend_from_slice(bytes);
                }
                number += 1;
                continue;
            };
            let mut inner = false;
            match instruction.reach {
                Reach::Branch(_) | Reach::Entry(_) => inner = branch(model, index, bytes, instruction, first, &mut code_stream),
                Reach::Memory(_) => {
                    code_stream.byte(code::MEMORY);
                    code_stream.blob(&without_operand(model, bytes, instruction.field));
                    code_stream.byte(instruction.field);
                }
                Reach::Undecodable => {
                    code_stream.byte(code::RAW);
                    code_stream.blob(bytes);
                }
                Reach::None => literal(model, bytes, section, instruction.start.into(), &mut code_stream),
            }
            while let Some((one, rest)) = uses.split_first().filter(|(u, _)| u.at == number) {
                uses = rest;
                if inner && one.kind == DIRECT {
                    continue;
                }
                references.number(number.into());
                references.byte(one.field);
                references.number(if one.kind == DIRECT { 0 } else { u64::from(one.kind) + 1 });
                closure.target(one.place, one.access, &mut references);
            }
            number += 1;
        }
    }
    for one in uses {
        // Without a decoder: every relocation by its offset.
        references.number(one.at.into());
        references.byte(one.field);
        references.number(u64::from(one.kind) + 1);
        closure.target(one.place, 0, &mut references);
    }
    vec![(PartKind::Code, code_stream), (PartKind::References, references)]
}

/// Writes an instruction as its bytes; fields that hold an addend (`SHT_REL`) are zeroed.
fn literal(
    model: &Model<'_>,
    bytes: &[u8],
    section: &super::facts::Section<'_>,
    start: u64,
    out: &mut Vec<u8>,
) {
    out.byte(bytes.len() as u8);
    let from = out.len();
    out.extend_from_slice(bytes);
    if section.relocations.first().is_none_or(|r| !r.implicit) {
        return;
    }
    let relocations = section.relocations_in(start, start + bytes.len() as u64);
    for relocation in relocations.iter().filter(|r| r.implicit) {
        let size = super::arch::shape(model.facts.image.machine, relocation.kind).map_or(4, |s| s.size);
        let at = from + (relocation.offset - start) as usize;
        out.iter_mut().skip(at).take(size.into()).for_each(|b| *b = 0);
    }
}

fn without_operand(model: &Model<'_>, bytes: &[u8], field: u8) -> Vec<u8> {
    model.machine.map_or_else(|| bytes.to_vec(), |machine| machine.without_operand(bytes, field))
}

/// Writes a branch without relocation; tells whether its target was written too (a place in the function).
fn branch(
    model: &Model<'_>,
    index: usize,
    bytes: &[u8],
    instruction: &Instruction,
    direct: &super::places::Use,
    out: &mut Vec<u8>,
) -> bool {
    out.byte(code::BRANCH);
    let opcode = match instruction.reach {
        Reach::Entry(_) => Some(Opcode::new(&vec![0; bytes.len()])),
        _ => model.machine.and_then(|m| m.branch_opcode(bytes, instruction.field)),
    };
    match opcode {
        Some(opcode) => out.blob(opcode.bytes()),
        None => out.blob(bytes.get(..instruction.field.into()).unwrap_or_default()),
    }
    let own = match direct.place {
        Place::Code(thing, piece, offset) if thing == index => {
            Some(model.instruction_at(thing, piece, offset))
        }
        Place::Thing(thing, 0, _) if thing == index => Some((0, 0)),
        _ => None,
    };
    out.byte(own.is_some().into());
    if let Some((number, inside)) = own {
        out.number(number.into());
        out.number(inside.into());
    }
    own.is_some()
}

/// The `content` part of a datum, or its kind where it has no bytes.
fn datum<'m, 'd>(
    known: &Known<'m, 'd>,
    thing: &Thing,
    closure: &mut Closure<'m, 'd>,
) -> Vec<(PartKind, Vec<u8>)> {
    let mut content = Vec::new();
    for piece in &thing.pieces {
        if let Some(section) = known.model.section(piece.section) {
            closure.bytes(section, piece.start, piece.end, &mut content);
        }
    }
    vec![(PartKind::Content, content)]
}
