//! `.eh_frame`, function by function: which FDE serves which piece, and its rows by instruction number.
//!
//! Source: LSB Core 5.0, "Exception Frames", and DWARF 5, section 6.4. The tempting wrong way is to hash an
//! FDE's bytes: its `advance_loc` distances count bytes, which branch widths change.

use super::closure::Closure;
use super::cursor::{Cursor, encoded_size};
use super::facts::{Definition, Relocation, Section};
use super::fingerprint::Kind;
use super::lsda::{self, Served};
use super::machine::Term;
use super::model::Model;
use super::places::Place;
use super::recipe::clear_implicit;
use super::search::Last;
use super::stream::{Write, target, unwinding as tag};

/// One FDE: what it says of one piece of one function. There are as many as functions, so what lies beyond 4 GiB of its section is
/// none.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// The function it serves, its piece, and where in its section the FDE begins to speak of it.
    thing: u32,
    piece: u32,
    start: u64,
    /// Section of the FDE, where it lies there, and where its CIE does.
    section: u32,
    range: Stretch,
    cie: Stretch,
    /// An end of the table stands behind it, in the middle of a section that a linker will join to others.
    stops: bool,
}

/// Bytes of a section: the first, and behind the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    start: u32,
    end: u32,
}

impl Stretch {
    fn new((start, end): (usize, usize)) -> Option<Self> {
        Some(Self { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
    }

    fn range(self) -> (usize, usize) {
        (self.start as usize, self.end as usize)
    }
}

/// All FDEs by the function they serve.
#[derive(Debug, Default)]
pub struct Frames {
    /// Sorted by the function that they serve.
    list: Vec<Frame>,
    /// Where the last search among them ended.
    last: Last,
    /// Bytes accounted for beside them, CIEs and ends of tables: section, start, end.
    beside: Vec<(usize, u64, u64)>,
}

/// Whether a section holds exception frames.
pub fn is_frames(section: &Section<'_>) -> bool {
    section.name == b".eh_frame"
}

/// Whether a section holds Arm's index of unwinding (`SHT_ARM_EXIDX`) or what it leads to.
/// Source: Exception Handling ABI for the Arm Architecture, sections 5 to 7.
pub fn is_arm_table(section: &Section<'_>) -> bool {
    section.kind == object::elf::SHT_ARM_EXIDX.0 || section.name.starts_with(b".ARM.extab")
}

/// Whether a relocation of Arm's index does nothing (`R_ARM_NONE`) but to have a routine linked.
pub fn is_need(section: &Section<'_>, relocation: &Relocation) -> bool {
    section.kind == object::elf::SHT_ARM_EXIDX.0 && relocation.kind == object::elf::R_ARM_NONE.0
}

struct Cie<'b> {
    head: &'b [u8],
    code_align: u64,
    lsda_encoding: Option<u8>,
    pointer_encoding: u8,
    augmented: bool,
    personality: Option<(usize, u8)>,
    tail: &'b [u8],
}

/// Finds the FDEs of an object.
pub fn find(model: &Model<'_>) -> Frames {
    let mut frames = Frames::default();
    for (index, section) in model.facts.sections.iter().enumerate() {
        if is_frames(section) {
            scan(model, index, section, &mut frames);
        }
    }
    frames.list.sort_by_key(|frame| (frame.thing, frame.piece, frame.start, frame.range));
    frames
}

fn scan(model: &Model<'_>, index: usize, section: &Section<'_>, frames: &mut Frames) {
    let little = model.facts.image.little_endian;
    let mut cies_used = Vec::new();
    let mut cies = Vec::new();
    // One for each function, mostly; a list that grows is written to twice.
    frames.list.reserve(model.owner.things.len().min(section.data.len() / LEAST_ENTRY));
    let relocatable = model.facts.image.file_type == object::elf::ET_REL.0;
    let ends_at = |at: usize| matches!(entry(section, at, little), Some((start, end, id_at, _)) if is_end(start, end, id_at));
    let mut at = 0;
    while let Some(entry) = entry(section, at, little) {
        let (start, end, id_at, id) = entry;
        if is_end(start, end, id_at) {
            // Where a linker will go on behind it, it cuts off what follows: that must show.
            if !relocatable {
                frames.beside.push((index, start as u64, end as u64));
            }
        } else if id == 0 {
            cies.push((start, end));
        } else {
            let cie_start = (id_at as u64).wrapping_sub(id) as usize;
            let cie =
                self::entry(section, cie_start, little).filter(|cie| cie.3 == 0).map(|(s, e, ..)| (s, e));
            if let Some(mut frame) = cie.and_then(|cie| serve(model, section, index, (start, end), cie)) {
                frame.stops = relocatable && ends_at(end);
                if cies_used.last() != Some(&frame.cie) {
                    cies_used.push(frame.cie);
                }
                frames.list.push(frame);
            }
        }
        at = end;
    }
    cies_used.sort_unstable();
    let used = cies
        .into_iter()
        .filter(|cie| Stretch::new(*cie).is_some_and(|c| cies_used.binary_search(&c).is_ok()));
    frames.beside.extend(used.map(|(start, end)| (index, start as u64, end as u64)));
}

/// The least size of an FDE in bytes: its length, its id, and two fields of 4.
const LEAST_ENTRY: usize = 16;

/// Whether an entry is the zero length that ends a table.
fn is_end(start: usize, end: usize, id_at: usize) -> bool {
    end == start + 4 && id_at == end
}

/// An entry as (start, end, offset of the id, id).
fn entry(section: &Section<'_>, at: usize, little: bool) -> Option<(usize, usize, usize, u64)> {
    let mut cursor = Cursor::new(section.data, at, little);
    let length = cursor.unsigned(4)?;
    if length == 0 {
        return Some((at, cursor.at, cursor.at, 0));
    }
    let length = if length == 0xffff_ffff { cursor.unsigned(8)? } else { length };
    let body = cursor.at;
    let end = body.checked_add(usize::try_from(length).ok()?)?;
    if end > section.data.len() {
        return None;
    }
    let id = cursor.unsigned(4)?;
    Some((at, end, body, id))
}

fn serve(
    model: &Model<'_>,
    section: &Section<'_>,
    index: usize,
    range: (usize, usize),
    cie: (usize, usize),
) -> Option<Frame> {
    let parsed = parse_cie(model, section, cie)?;
    let (_, _, id_at, _) = entry(section, range.0, model.facts.image.little_endian)?;
    let place = pointer(model, section, id_at + 4, parsed.pointer_encoding)?;
    let (thing, piece, start) = function_at(model, place)?;
    Some(Frame {
        thing: u32::try_from(thing).ok()?,
        piece: u32::try_from(piece).ok()?,
        start,
        section: u32::try_from(index).ok()?,
        range: Stretch::new(range)?,
        cie: Stretch::new(cie)?,
        stops: false,
    })
}

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

/// The longest CIE that is understood, in bytes: each function that it serves repeats it, and compilers write some 30.
const LONGEST_CIE: usize = 256;

fn parse_cie<'b>(model: &Model<'_>, section: &Section<'b>, range: (usize, usize)) -> Option<Cie<'b>> {
    if range.1.saturating_sub(range.0) > LONGEST_CIE {
        return None;
    }
    let image = &model.facts.image;
    let (_, _, id_at, _) = entry(section, range.0, image.little_endian)?;
    let mut cursor = Cursor::new(section.data, id_at + 4, image.little_endian);
    let version = cursor.byte()?;
    let augmentation = cursor.c_string()?;
    if version == 4 {
        cursor.take(2)?;
    }
    let code_align = cursor.uleb()?;
    cursor.sleb()?;
    if version == 1 { cursor.byte().map(u64::from) } else { cursor.uleb() }?;
    let mut cie = Cie {
        head: &[],
        code_align,
        lsda_encoding: None,
        pointer_encoding: 0,
        augmented: augmentation.starts_with(b"z"),
        personality: None,
        tail: &[],
    };
    if cie.augmented {
        cursor.uleb()?;
        for letter in augmentation.iter().skip(1) {
            match letter {
                b'L' => cie.lsda_encoding = Some(cursor.byte()?),
                b'R' => cie.pointer_encoding = cursor.byte()?,
                b'P' => {
                    let encoding = cursor.byte()?;
                    cie.personality = Some((cursor.at, encoding));
                    cursor.take(encoded_size(encoding, image.bits)?)?;
                }
                b'S' | b'B' | b'G' => {}
                _ => return None,
            }
        }
    } else if !augmentation.is_empty() {
        return None;
    }
    // Everything but the length and the personality's field, which its relocation stands for.
    cie.head = section.data.get(id_at + 4..range.1)?;
    if let Some((at, encoding)) = cie.personality {
        cie.head = section.data.get(id_at + 4..at)?;
        cie.tail = section.data.get(at + encoded_size(encoding, image.bits)?..range.1)?;
    }
    Some(cie)
}

impl Frames {
    /// Bytes that FDEs, CIEs and ends of tables account for: section, start, end.
    pub fn covered(&self) -> impl Iterator<Item = (usize, u64, u64)> {
        let frames = self.list.iter().map(|f| (f.section as usize, f.range.start.into(), f.range.end.into()));
        frames.chain(self.beside.iter().copied())
    }

    /// Writes the `unwinding` part of a function.
    pub fn write<'m, 'd>(
        &self,
        model: &'m Model<'d>,
        thing: usize,
        closure: &mut Closure<'m, 'd>,
        out: &mut Vec<u8>,
    ) {
        let from = self.last.count(&self.list, |frame| (frame.thing as usize) < thing);
        for frame in self.list.iter().skip(from).take_while(|frame| frame.thing as usize == thing) {
            let Some(section) = model.section(frame.section as usize) else { continue };
            if write(model, section, frame, closure, out).is_none() {
                out.byte(tag::RAW);
                out.blob(section.bytes(frame.range.start.into(), frame.range.end.into()));
            }
        }
    }
}

fn write<'m, 'd>(
    model: &'m Model<'d>,
    section: &'m Section<'d>,
    frame: &Frame,
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let image = &model.facts.image;
    let (thing, piece) = (frame.thing as usize, frame.piece as usize);
    let (first, end) = frame.range.range();
    let cie_range = frame.cie.range();
    let cie = parse_cie(model, section, cie_range)?;
    let (_, _, id_at, _) = entry(section, first, image.little_endian)?;
    let size = encoded_size(cie.pointer_encoding, image.bits)?;
    let mut cursor = Cursor::new(section.data.get(..end)?, id_at + 4 + size, image.little_endian);
    let length_at = cursor.at;
    let length = cursor.unsigned(size)?;
    let number = |offset: u64, out: &mut Vec<u8>| {
        let (number, inside) = model.instruction_at(thing, piece, frame.start.wrapping_add(offset));
        out.number(number.into());
        out.number(inside.into());
    };

    out.byte(tag::CIE);
    out.blob(cie.head);
    out.blob(trim_nops(cie.tail));
    match cie.personality {
        Some((at, encoding)) => {
            closure.target(pointer(model, section, at, encoding)?, 0, out);
            field(model, section, at, encoded_size(encoding, image.bits)?, out);
        }
        None => out.byte(0),
    }
    let personality: Vec<usize> = cie.personality.iter().map(|(at, _)| *at).collect();
    strays(model, section, cie_range, &personality, None, closure, out);
    out.byte(tag::RANGE);
    number(0, out);
    let mut held = Vec::new();
    number(distance(model, section, length_at, length, &mut held), out);
    field(model, section, id_at + 4, size, out);
    out.extend(held);
    let mut lsda_at = None;
    let mut fields = vec![id_at + 4];
    if cie.augmented {
        let start = cursor.at;
        let length = usize::try_from(cursor.uleb()?).ok()?;
        // One byte, unless someone wrote the length at greater length.
        out.byte(tag::RAW);
        out.blob(section.data.get(start..cursor.at)?);
        let behind = cursor.at.checked_add(length)?;
        if let Some(encoding) = cie.lsda_encoding.filter(|e| *e != 0xff) {
            lsda_at = pointer(model, section, cursor.at, encoding);
            fields.push(cursor.at);
            out.byte(tag::FIELD);
            field(model, section, cursor.at, encoded_size(encoding, image.bits)?, out);
        }
        cursor.at = behind;
    }
    strays(model, section, (first, end), &fields, Some((thing, piece)), closure, out);
    if frame.stops {
        out.byte(tag::RAW);
        out.blob(&[0; 4]);
    }
    let mut location = 0_u64;
    let mut last = 0_u64;
    while cursor.at < end {
        let start = cursor.at;
        let advance = instruction(&mut cursor, image.bits)?;
        let bytes = section.data.get(start..cursor.at)?;
        match advance {
            Moves::By { units, at } => {
                let units = distance(model, section, at, units, out);
                // No assembler moves by nothing.
                if units == 0 {
                    return None;
                }
                location = location.wrapping_add(units.wrapping_mul(cie.code_align));
            }
            Moves::Not if bytes == [0] => {}
            Moves::Not => {
                out.byte(tag::CFI);
                last = location;
                number(location, out);
                out.blob(bytes);
            }
        }
    }
    if last != location {
        // A move that nothing follows.
        out.byte(tag::CFI);
        number(location, out);
        out.blob(b"");
    }
    if let Some(Place::Private(at, offset)) = lsda_at {
        lsda::write(model, (thing, piece, frame.start), (at, offset), closure, out);
    } else if let Some(place @ Place::Thing(..)) = lsda_at {
        out.byte(tag::TABLE);
        closure.target(place, 0, out);
    }
    Some(())
}

/// Takes off the no-operations that fill an entry up.
fn trim_nops(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().rev().take_while(|b| **b == 0).count();
    bytes.get(..bytes.len() - zeros).unwrap_or_default()
}

/// Whether a call-frame instruction moves the location: by how many units of the code's alignment, and where that stands.
enum Moves {
    By { units: u64, at: usize },
    Not,
}

/// Reads one call-frame instruction.
fn instruction(cursor: &mut Cursor<'_>, bits: u8) -> Option<Moves> {
    let start = cursor.at;
    let opcode = cursor.byte()?;
    match opcode >> 6 {
        1 => return Some(Moves::By { units: u64::from(opcode & 0x3f), at: start }),
        2 => return cursor.uleb().map(|_| Moves::Not),
        3 => return Some(Moves::Not),
        _ => {}
    }
    match opcode {
        0x00 | 0x0a | 0x0b | 0x2d => {}
        0x01 => drop(cursor.take(usize::from(bits / 8))?),
        0x02..=0x04 => {
            let units = cursor.unsigned(1 << (opcode - 2))?;
            return Some(Moves::By { units, at: start + 1 });
        }
        // DW_CFA_offset_extended, register, def_cfa, val_offset, GNU_negative_offset_extended
        0x05 | 0x09 | 0x0c | 0x14 | 0x2f => {
            cursor.uleb()?;
            cursor.uleb()?;
        }
        // restore_extended, undefined, same_value, def_cfa_register, def_cfa_offset, GNU_args_size
        0x06..=0x08 | 0x0d | 0x0e | 0x2e => drop(cursor.uleb()?),
        // def_cfa_expression, expression, val_expression
        0x0f | 0x10 | 0x16 => {
            if opcode != 0x0f {
                cursor.uleb()?;
            }
            let length = usize::try_from(cursor.uleb()?).ok()?;
            cursor.take(length)?;
        }
        // offset_extended_sf, def_cfa_sf, val_offset_sf; def_cfa_offset_sf has one operand
        0x11..=0x13 | 0x15 => {
            if opcode != 0x13 {
                cursor.uleb()?;
            }
            cursor.sleb()?;
        }
        _ => return None,
    }
    Some(Moves::Not)
}
