//! `.eh_frame`, function by function: which FDE serves which piece, and its rows by instruction number.
//!
//! Source: LSB Core 5.0, "Exception Frames", and DWARF 5, section 6.4. The tempting wrong way is to hash an
//! FDE's bytes: its `advance_loc` distances count bytes, which branch widths change.

pub mod arm;
mod cfi;
mod cie;
pub mod fields;
pub mod lsda;
mod write;

use self::cie::parse_cie;
use self::fields::{function_at, pointer};
use self::write::write;
use super::closure::Closure;
use super::cursor::Cursor;
use super::facts::{Relocation, Section};
use super::model::Model;
use super::search::Last;
use super::stream::{Write, unwinding as tag};

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
    section.name.ends_with(b".eh_frame") // objcopy puts `.init` before
}

/// Whether a section holds language-specific exception tables, which [`lsda`] reads.
pub fn is_lsda(section: &Section<'_>) -> bool {
    section.name.starts_with(b".gcc_except_table")
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
            if out.len() > model.most_streams {
                return; // the file is refused
            }
            let Some(section) = model.section(frame.section as usize) else { continue };
            if write(model, section, frame, closure, out).is_none() {
                out.byte(tag::RAW);
                out.blob(section.bytes(frame.range.start.into(), frame.range.end.into()));
            }
        }
    }
}
