//! The recipe: what goes into each part of a fingerprint, and what does not. Version: [`super::fingerprint::RECIPE`].
//!
//! | part | entries | why |
//! | --- | --- | --- |
//! | code | each instruction's bytes, in order, `.cold` behind the body. A branch without relocation: its opcode in the near form and the number of the instruction it reaches. A PC-relative operand without relocation: the bytes with the field zeroed. Alignment fill inside the function: nothing | what the function does; branch widths and fill are the assembler's choice |
//! | content | a datum's section flags, bytes (with the zero behind it that makes it a string), and references | what it holds |
//! | references | instruction (or offset), field, relocation type, canonical target with addend; also of what is reached by a displacement from the address of a neighbour in a register ([`super::follow`]), and of what it runs on into | what it reaches |
//! | constants | nameless bytes, each once, in the order of first use, followed transitively; code without a name taken apart | they have no other owner |
//! | strings | character width and the whole string; the offset into it stands at the use | a suffix may be shared |
//! | tables | jump and label tables: the places they list, by instruction number | a swapped case shows nowhere else |
//! | unwinding | CIE, CFI rows and call sites by instruction number, actions, types | what an exception or an unwinder does |
//! | sites | the entries of special sections that serve this function, and the words before its entry | alternatives, exception entries, patchable places |
//! | attributes | section, binding, visibility, type, aliases, labels, what it lies inside of, hook, group; size of data | how it can be patched and reached |
//!
//! Not in it: the item's own name and address, the numbers in names of statics and clones, the order of
//! anything in the file, debug information, the symbol table's order, `STT_FILE`. A function's size is not in it
//! (branch widths), but what its symbol covers is, by its instructions.
//!
//! What it does not promise: that two functions which behave alike have one fingerprint, nor, for a file that
//! says [`Basis::Conservative`], that two equal functions at different places do.

use bstr::BString;
use object::elf;

use super::attributes;
use super::closure::Closure;
use super::collector::Collector;
use super::facts::{Definition, Relocation, Section, Symbol, before};
use super::fingerprint::{Item, Kind, PartKind, RareTraits, Scope, Traits};
use super::machine::Opcode;
use super::model::Model;
use super::names;
use super::ownership::{Piece, Thing};
use super::parallel::Workers;
use super::places::{DIRECT, Place};
use super::private::Privates;
use super::shared::LastName;
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

/// What streams take at most: so many bytes, and so many for each byte of the file's sections. Real objects take two.
const KEPT_ALWAYS: usize = 1 << 20;
const KEPT_PER_BYTE: usize = 16;
/// One run of several keeps this part of it: more than it needs, were it nearly all of the file.
const A_RUN_KEEPS: usize = 4;

/// How many items there is room for beside things and sections: ranges without an owner.
const SOME: usize = 64;

/// Writes the streams of every thing, by several threads where there is enough to do. The result does not tell by how
/// many: each writes a run of things, and the runs are put end to end.
pub fn things(known: &Known<'_, '_>, workers: Workers) -> Collector {
    let things = &known.model.owner.things;
    let sections = &known.model.facts.sections;
    let most_bytes = sections.iter().map(|s| s.data.len()).sum::<usize>();
    let most = KEPT_ALWAYS + KEPT_PER_BYTE * most_bytes;
    let mut runs = workers.map_runs(things, Thing::weight, |run| {
        let mut collector = Collector::new(if run.len() == things.len() { most } else { most / A_RUN_KEEPS });
        // The first takes in the others in the end.
        let (room, more) =
            if run.start == 0 { (0..things.len(), sections.len() + SOME) } else { (run.clone(), 0) };
        let bytes = things.get(room.clone()).unwrap_or_default().iter().map(Thing::weight).sum::<usize>();
        let bodies = known.model.bodies.get(room.clone()).unwrap_or_default();
        let references = bodies.iter().map(|body| body.uses.len()).sum();
        collector.reserve(room.len() + more, bytes.min(most_bytes).saturating_mul(4), references);
        let mut streams = Streams::default();
        let mut closure = Closure::new(known.model, known.privates);
        for index in run {
            if collector.written > known.model.most_streams {
                break; // refused as a whole
            }
            if let Some(thing) = things.get(index) {
                collector.begin(index);
                write(known, index, thing, &mut closure, &mut streams, &mut collector);
            }
        }
        collector
    });
    let mut collector = runs.next().unwrap_or_default();
    runs.for_each(|run| collector.append(run));
    if !collector.stands(most) && collector.written <= known.model.most_streams {
        // What is left out is told by the order of all things.
        drop(collector);
        return self::things(known, Workers::ONE);
    }
    collector.keep_at_most(most);
    collector.begin(0); // what is left over is nobody's neighbour
    collector
}

/// The parts of one thing while they are written, but for those that its closure writes.
#[derive(Debug, Default)]
struct Streams {
    code: Vec<u8>,
    content: Vec<u8>,
    references: Vec<u8>,
    unwinding: Vec<u8>,
    sites: Vec<u8>,
    attributes: Vec<u8>,
    layout: Vec<u8>,
    names: LastNames,
}

/// The names that the thing written last shares with others.
#[derive(Debug, Default)]
struct LastNames {
    section: LastName,
    file: LastName,
}

impl Streams {
    fn clear(&mut self) {
        let Self { code, content, references, unwinding, sites, attributes, layout, names: _ } = self;
        for stream in [code, content, references, unwinding, sites, attributes, layout] {
            stream.clear();
        }
    }
}

/// Writes the streams of one thing.
fn write<'m, 'd>(
    known: &Known<'m, 'd>,
    index: usize,
    thing: &Thing,
    closure: &mut Closure<'m, 'd>,
    streams: &mut Streams,
    collector: &mut Collector,
) {
    let model = known.model;
    let Some(first) = thing.symbols_in(&model.facts).next() else {
        return; // a `.cold` piece that found its parent
    };
    closure.restart(index);
    streams.clear();
    let mut traits = traits(known, thing, first);
    match thing.kind {
        Kind::Function => function(known, index, thing, closure, streams),
        _ => datum(known, thing, closure, &mut streams.content),
    }
    known.sites.write(model, index, closure, &mut streams.sites, &mut streams.unwinding);
    known.frames.write(model, index, closure, &mut streams.unwinding);
    closure.follow();
    traits.hook = attributes::hook(model, index, thing, known.sites);
    attributes::of_thing(model, thing, traits.hook, &mut streams.attributes);
    if thing.kind == Kind::Function
        && let Some(body) = model.bodies.get(index)
    {
        layout(thing, &body.pieces, &mut streams.layout);
        traits.layout = collector.keep(&streams.layout);
        traits.instructions = body.pieces.iter().map(Vec::len).sum::<usize>() as u32;
    }
    let parts = [
        (PartKind::Code, &*streams.code),
        (PartKind::Content, &*streams.content),
        (PartKind::References, &*streams.references),
        (PartKind::Constants, &*closure.constants),
        (PartKind::Strings, &*closure.strings),
        (PartKind::Tables, &*closure.tables),
        (PartKind::Unwinding, &*streams.unwinding),
        (PartKind::Sites, &*streams.sites),
        (PartKind::Attributes, &*streams.attributes),
    ];
    let item = item(model, thing, first, traits, &mut streams.names);
    collector.add(item, &parts, closure, Some(index));
}

/// Distances in bytes from each instruction to the next, so that an instruction's number tells its offset.
fn layout(thing: &Thing, pieces: &[Vec<Instruction>], out: &mut Vec<u8>) {
    let distance = |from: u32, to: u64| to.saturating_sub(from.into()).min(255) as u8;
    for (piece, list) in thing.pieces.iter().zip(pieces) {
        out.extend(
            list.iter().zip(list.iter().skip(1)).map(|(one, next)| distance(one.start, next.start.into())),
        );
        out.extend(list.last().map(|last| distance(last.start, piece.end)));
    }
}

fn item(model: &Model<'_>, thing: &Thing, first: &Symbol<'_>, traits: Traits, names: &mut LastNames) -> Item {
    let piece = thing.pieces.first();
    let section = piece.and_then(|p| model.section(p.section));
    let others = thing.symbols_in(&model.facts).map(|symbol| symbol.name).filter(|name| *name != first.name);
    let mut aliases: Vec<BString> = others.map(BString::from).collect();
    aliases.sort();
    aliases.dedup();
    let linked = model.facts.image.file_type != elf::ET_REL.0;
    let base = section.filter(|_| linked).map_or(0, |s| s.address);
    let fallback: &[u8] = match first.definition {
        Definition::Common => b"*COMMON*",
        _ => b"*ABSOLUTE*",
    };
    Item {
        kind: thing.kind,
        name: first.name.into(),
        aliases: aliases.into_boxed_slice(),
        scope: match first.binding {
            b if b == elf::STB_LOCAL.0 => Scope::Local(first.file.map(|file| names.file.share(file))),
            b if b == elf::STB_WEAK.0 => Scope::Weak,
            _ => Scope::Global,
        },
        section: names.section.share(section.map_or(fallback, |s| s.name)),
        address: piece.map_or(0, |p| base.wrapping_add(p.start)),
        size: piece.map_or(first.size, |p| p.end - p.start),
        parts: Box::default(),
        references: Box::default(),
        traits,
    }
}

fn traits(known: &Known<'_, '_>, thing: &Thing, first: &Symbol<'_>) -> Traits {
    let section = thing.pieces.first().and_then(|p| known.model.section(p.section));
    let cold = thing
        .pieces
        .get(1)
        .and_then(|p| Some((known.model.section(p.section)?.name.into(), p.start, p.end - p.start)));
    let origin = names::clone_origin(first.name).map(BString::from);
    let is_rare = cold.is_some() || origin.is_some();
    Traits {
        rare: is_rare.then(|| Box::new(RareTraits { cold, origin, perhaps: Vec::new() })),
        inferred_size: thing.inferred_size,
        zero_filled: section.map_or(first.definition == Definition::Common, Section::is_zero_filled),
        writable: section.map_or(first.definition == Definition::Common, Section::is_writable),
        ..Traits::default()
    }
}

/// The `code` and `references` parts of a function.
fn function<'m, 'd>(
    known: &Known<'m, 'd>,
    index: usize,
    thing: &Thing,
    closure: &mut Closure<'m, 'd>,
    Streams { code: code_stream, references, .. }: &mut Streams,
) {
    let model = known.model;
    let Some(body) = model.bodies.get(index) else { return };
    if body.pieces.is_empty() {
        for piece in &thing.pieces {
            let Some(section) = model.section(piece.section) else { continue };
            code_stream.byte(code::RAW);
            let relocations = section.relocations_in(piece.start, piece.end);
            code_stream.blob(&closure.masked(section, piece.start, piece.end, relocations));
            if model.machine.is_none() {
                // A call that the assembler resolved holds a distance that nobody here can read: whoever lies where is a part of it.
                code_stream.byte(code::RAW);
                code_stream
                    .blob(model.layouts.get(piece.section).map_or(&[][..], |layout| layout.as_slice()));
                code_stream.byte(code::RAW);
                code_stream.blob(&piece.start.to_le_bytes());
            }
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
        let mut relocations = section.relocations_in(piece.start, piece.end);
        let inner = model.inner(index, at);
        code_stream.reserve(body.len() + list.len() + 16);
        for instruction in list {
            let from = (u64::from(instruction.start) - piece.start) as usize;
            if uses.first().is_none_or(|one| one.at != number) && instruction.is_alone() {
                literal_alone(body, from, instruction.length, code_stream);
                number += 1;
                continue;
            }
            let bytes = body.get(from..from + usize::from(instruction.length)).unwrap_or_default();
            let first = uses.first().filter(|u| u.at == number);
            let mut stays = false;
            match (instruction.reach(), first) {
                (Reach::Undecodable, _) => {
                    code_stream.byte(code::RAW);
                    code_stream.blob(bytes);
                }
                (Reach::None | Reach::Literal(_), _) => {
                    let start = u64::from(instruction.start);
                    let passed = before(relocations, start).len();
                    relocations = relocations.get(passed..).unwrap_or_default();
                    let mine = before(relocations, start + u64::from(instruction.length));
                    literal(model, bytes, start, mine, code_stream);
                }
                (Reach::Branch(target) | Reach::Entry(target), direct) => {
                    let place = match direct {
                        _ if inner.contains(&target) => Place::Code(index, at, target.cast_unsigned()),
                        Some(direct) => direct.place,
                        None => Place::Absolute(target),
                    };
                    stays = branch(model, index, bytes, instruction, place, code_stream);
                }
                (Reach::Memory(_), _) => {
                    code_stream.byte(code::MEMORY);
                    code_stream.blob(&without_operand(model, bytes, instruction.field));
                    code_stream.byte(instruction.field);
                }
            }
            while let Some((one, rest)) = uses.split_first().filter(|(u, _)| u.at == number) {
                uses = rest;
                if stays && one.kind == DIRECT {
                    continue;
                }
                references.number(number.into());
                references.byte(one.field);
                references.number(if one.kind == DIRECT { 0 } else { u64::from(one.kind) + 1 });
                closure.target(one.place, one.access, references);
            }
            number += 1;
        }
    }
    for one in uses {
        // What it runs on into; without a decoder, every relocation by its offset.
        references.number(one.at.into());
        references.byte(one.field);
        references.number(if one.kind == DIRECT { 0 } else { u64::from(one.kind) + 1 });
        closure.target(one.place, 0, references);
    }
}

/// Writes an instruction without a relocation as its bytes, which begin at `from` of `body`. Most instructions are
/// written here, and a copy of a fixed length is a single move where one of their own length is a call.
fn literal_alone(body: &[u8], from: usize, length: u8, out: &mut Vec<u8>) {
    let rest = body.get(from..).unwrap_or_default();
    if let (Some(longest), 0..=15) = (rest.first_chunk(), length) {
        let entry = u128::from_le_bytes(*longest) << 8 | u128::from(length);
        let end = out.len() + 1 + usize::from(length);
        out.extend_from_slice(&entry.to_le_bytes());
        out.truncate(end);
    } else {
        out.byte(length);
        out.extend_from_slice(rest.get(..length.into()).unwrap_or(rest));
    }
}

/// Writes an instruction as its bytes; fields that hold an addend (`SHT_REL`) are zeroed.
fn literal(model: &Model<'_>, bytes: &[u8], start: u64, relocations: &[Relocation], out: &mut Vec<u8>) {
    out.byte(bytes.len() as u8);
    let from = out.len();
    out.extend_from_slice(bytes);
    if let (Some(machine), Some(instruction)) = (model.machine.filter(|m| m.has_pairs()), out.get_mut(from..))
    {
        for relocation in relocations {
            machine.clear_repeated(relocation.kind, relocation.addend, instruction);
        }
    }
    for relocation in relocations.iter().filter(|r| r.is_implicit()) {
        let size = super::arch::shape(model.facts.image.machine, relocation.kind).map_or(4, |s| s.size);
        let at = from + (relocation.offset - start) as usize;
        let end = (at + usize::from(size)).min(out.len());
        if let Some(field) = out.get_mut(at..end) {
            clear_implicit(model, relocation.kind, field);
        }
    }
}

/// Zeroes what a field holds of an addend.
pub fn clear_implicit(model: &Model<'_>, kind: u32, field: &mut [u8]) {
    match model.machine {
        Some(machine) => machine.clear_implicit(kind, field),
        None => field.fill(0),
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
    place: Place,
    out: &mut Vec<u8>,
) -> bool {
    out.byte(code::BRANCH);
    let opcode = match instruction.reach() {
        Reach::Entry(_) => Some(Opcode::new(&vec![0; bytes.len()])),
        _ => model.machine.and_then(|m| m.branch_opcode(bytes, instruction.field)),
    };
    match opcode {
        Some(opcode) => out.blob(opcode.bytes()),
        None => out.blob(bytes.get(..instruction.field.into()).unwrap_or_default()),
    }
    let own = match place {
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

/// Bytes of the zero right behind a datum among strings that a linker may merge, which makes it one of them: GCC puts it
/// there for arrays without a zero of their own, and counts it to nobody's size.
fn terminator(model: &Model<'_>, section: &Section<'_>, piece: &Piece) -> u64 {
    let width = section.entry_size.max(1);
    let is_zero = |from: u64| {
        let unit = section.bytes(from, from.saturating_add(width));
        unit.len() as u64 == width && unit.iter().all(|byte| *byte == 0)
    };
    let is_string = section.is_strings() && piece.end - piece.start >= width;
    let ends = is_string && !is_zero(piece.end - width) && is_zero(piece.end);
    if ends && model.owner.datum_at(piece.section, piece.end).is_none() { width } else { 0 }
}

/// The `content` part of a datum.
fn datum<'m, 'd>(known: &Known<'m, 'd>, thing: &Thing, closure: &mut Closure<'m, 'd>, content: &mut Vec<u8>) {
    for piece in &thing.pieces {
        if let Some(section) = known.model.section(piece.section) {
            let first = thing.symbols.first().and_then(|s| known.model.facts.symbols.get(*s as usize));
            let relative = first.is_some_and(|s| names::is_relative_table(s.name))
                && closure.is_relative_table(section, piece.start, piece.end);
            closure.table_base = relative.then_some(piece.start);
            let end = piece.end + terminator(known.model, section, piece);
            closure.covered.extend((end > piece.end).then_some((piece.section, piece.end, end)));
            closure.bytes(section, piece.start, end, content);
            closure.table_base = None;
        }
    }
}
