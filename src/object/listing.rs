//! Canonical streams as lines that a person can read: what `show --parts` prints and `diff --code` compares.
//!
//! A line is made from the stream alone, so that it can be made from a record when the object is long gone, and
//! so that two lines are equal exactly if the entries behind them are.

mod attributes;
mod instruction;

use std::fmt::Write as _;

use bstr::ByteSlice;

use self::instruction::Printer;
use super::places::{REACHED, REACHED_PERHAPS};
use super::stream::{Reader, target, unwinding};
use super::{Fingerprints, Item, PartKind};

/// One printable line of a canonical stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Instruction number (code, references, unwinding) or entry number (other parts).
    pub index: u32,
    /// Offset in bytes from the start of the item's body, where the layout tells it.
    pub offset: Option<u64>,
    /// The line itself.
    pub text: String,
}

/// The lines of one part of `item`; empty where the part is empty or the streams were not loaded.
pub fn lines(prints: &Fingerprints, item: &Item, part: PartKind) -> Vec<Line> {
    let Some(found) = item.part(part) else { return Vec::new() };
    let mut reader = Reader::new(prints.stream(found.stream));
    let mut list = Vec::new();
    let mut index = 0;
    if part == PartKind::Code {
        return instruction_lines(prints, item, &[]);
    }
    let mut offsets = Offsets::of(prints, item);
    while !reader.is_empty() {
        let entry = match part {
            PartKind::References => reference(&mut reader).map(|r| {
                index = r.at;
                r.to_string()
            }),
            PartKind::Strings => string(&mut reader).map(|s| format!("string #{index}: {s}")),
            PartKind::Constants => constant(&mut reader).map(|s| format!("constant #{index}: {s}")),
            PartKind::Content => bytes(&mut reader),
            PartKind::Tables => table(&mut reader).map(|s| format!("table #{index}: {s}")),
            PartKind::Unwinding => unwinding_entry(&mut reader),
            PartKind::Sites => site(&mut reader),
            PartKind::Attributes => attributes::entry(&mut reader),
            PartKind::Code => None,
        };
        let Some(text) = entry else {
            list.push(Line { index, offset: None, text: "(unreadable stream)".into() });
            break;
        };
        let offset = (part == PartKind::References).then(|| offsets.at(index)).flatten();
        list.push(Line { index, offset, text });
        // The number of a reference is told by the stream.
        index = index.saturating_add(1);
    }
    list
}

/// The instructions of a function with their targets written in place of the relocated fields, and the strings,
/// constants and tables shown where they are used.
pub fn instructions(prints: &Fingerprints, item: &Item) -> Vec<Line> {
    let shown = [(PartKind::Strings, 's'), (PartKind::Constants, 'c'), (PartKind::Tables, 't')];
    let contents: Vec<(char, Vec<Line>)> =
        shown.iter().map(|(part, letter)| (*letter, lines(prints, item, *part))).collect();
    instruction_lines(prints, item, &contents)
}

/// Offsets of instructions, asked for in order.
struct Offsets<'p> {
    layout: &'p [u8],
    index: u32,
    offset: u64,
}

impl<'p> Offsets<'p> {
    fn of(prints: &'p Fingerprints, item: &Item) -> Self {
        Self { layout: prints.stream(item.traits.layout), index: 0, offset: 0 }
    }

    fn at(&mut self, index: u32) -> Option<u64> {
        let more = index.checked_sub(self.index)? as usize;
        let (passed, rest) = self.layout.split_at_checked(more)?;
        self.layout = rest;
        self.index = index;
        self.offset += passed.iter().map(|length| u64::from(*length)).sum::<u64>();
        Some(self.offset)
    }
}

/// The offset of an instruction from the start of the body.
pub fn offset_of(prints: &Fingerprints, item: &Item, instruction: u32) -> Option<u64> {
    let layout = prints.stream(item.traits.layout);
    let before = layout.get(..instruction as usize)?;
    Some(before.iter().map(|l| u64::from(*l)).sum())
}

struct Ref {
    at: u32,
    field: u8,
    kind: Option<u64>,
    target: Target,
}

impl std::fmt::Display for Ref {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}+{} ", self.at, self.field)?;
        match self.kind {
            Some(kind) if kind == u64::from(REACHED) => f.write_str("by displacement ")?,
            Some(kind) if kind == u64::from(REACHED_PERHAPS) => f.write_str("perhaps by displacement ")?,
            Some(kind) => write!(f, "type {kind} ")?,
            None => f.write_str("direct ")?,
        }
        write!(f, "{}", self.target.text)
    }
}

struct Target {
    text: String,
    /// Kind letter and number of nameless bytes.
    nameless: Option<(char, u64)>,
}

fn reference(reader: &mut Reader<'_>) -> Option<Ref> {
    let at = reader.number()? as u32;
    let field = reader.byte()?;
    let kind = reader.number()?.checked_sub(1);
    Some(Ref { at, field, kind, target: target(reader)? })
}

fn plus(name: String, offset: i64) -> String {
    match offset {
        0 => name,
        o if o > 0 => format!("{name}+{o:#x}"),
        o => format!("{name}-{:#x}", o.unsigned_abs()),
    }
}

fn place(name: &str, reader: &mut Reader<'_>) -> Option<String> {
    let number = reader.number()?;
    let inside = reader.number()?;
    let inside = if inside == 0 { String::new() } else { format!("+{inside}") };
    Some(format!("{name}#{number}{inside}"))
}

fn names(reader: &mut Reader<'_>) -> Option<String> {
    let stem = reader.blob()?.to_str_lossy().into_owned();
    let ordinal = reader.number()?;
    Some(if ordinal == 0 { stem } else { format!("{stem}.#{ordinal}") })
}

/// A target that may not be a distance from another.
fn nameless_target(reader: &mut Reader<'_>) -> Option<Target> {
    let mut peek = *reader;
    if peek.byte()? == target::BEYOND { None } else { target(reader) }
}

fn target(reader: &mut Reader<'_>) -> Option<Target> {
    let mut nameless = None;
    let text = match reader.byte()? {
        target::EXTERNAL => {
            let name = reader.blob()?.to_str_lossy().into_owned();
            let binding = reader.byte()?;
            let visibility = reader.byte()?;
            let kind = reader.byte()?;
            let (value, size) = (reader.number()?, reader.number()?);
            let addend = reader.signed()?;
            let mut text = plus(name, addend);
            match binding {
                1 => {}
                2 => text.push_str(" (weak)"),
                other => drop(write!(text, " (binding {other})")),
            }
            if value != 0 || size != 0 {
                let _ = write!(text, " (value {value:#x}, size {size})");
            }
            if visibility != 0 || kind != 0 {
                let _ = write!(text, " (type {kind}, visibility {visibility})");
            }
            text
        }
        target::ITEM => {
            let name = names(reader)?;
            plus(name, reader.signed()?)
        }
        target::CODE => {
            let name = names(reader)?;
            place(&name, reader)?
        }
        target::OWN => place("", reader)?,
        target::STRING => {
            let number = reader.number()?;
            nameless = Some(('s', number));
            plus(format!("string #{number}"), reader.signed()?)
        }
        target::CONSTANT => {
            let number = reader.number()?;
            nameless = Some(('c', number));
            format!("constant #{number}")
        }
        target::TABLE => {
            let number = reader.number()?;
            nameless = Some(('t', number));
            format!("table #{number}")
        }
        target::SECTION => {
            let name = reader.blob()?.to_str_lossy().into_owned();
            plus(format!("section {name}"), reader.signed()?)
        }
        target::BEYOND => {
            let distance = reader.signed()?;
            let base = nameless_target(reader)?;
            nameless = base.nameless;
            plus(base.text, distance)
        }
        target::ABSOLUTE => format!("{:#x}", reader.signed()?),
        _ => return None,
    };
    Some(Target { text, nameless })
}

fn string(reader: &mut Reader<'_>) -> Option<String> {
    let width = reader.number()?;
    let bytes = reader.blob()?;
    let odd = inner_symbols(reader)?;
    if width <= 1 {
        return Some(format!("{:?}{odd}", bytes.strip_suffix(b"\0").unwrap_or(bytes).as_bstr()));
    }
    Some(format!("width {width} {}{odd}", hex(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 8 == 0 {
            out.push(' ');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn bytes(reader: &mut Reader<'_>) -> Option<String> {
    let flags = reader.number()?;
    let mut text = match reader.byte()? {
        0 => format!("{} zero bytes", reader.number()?),
        _ => hex(reader.blob()?),
    };
    match flags {
        2 => {}
        6 => text.push_str(" (code)"),
        0x12 => text.push_str(" (mergeable)"),
        3 => text.push_str(" (writable)"),
        other => drop(write!(text, " (section flags {other:#x})")),
    }
    for _ in 0..reader.number()? {
        let offset = reader.number()?;
        let kind = reader.number()?;
        let target = target(reader)?.text;
        let word = if kind == DISTANCE { "direct".to_owned() } else { format!("type {kind}") };
        let _ = write!(text, "; +{offset:#x}: {word} {target}");
    }
    Some(text)
}

/// Compiler-made symbols in nameless bytes, each in brackets.
fn inner_symbols(reader: &mut Reader<'_>) -> Option<String> {
    let mut text = String::new();
    for _ in 0..reader.number()? {
        let (offset, size) = (reader.number()?, reader.number()?);
        let kind = reader.bytes(3)?;
        let _ = write!(text, " (symbol at +{offset:#x}, size {size}");
        if kind != [1, 0, 0] {
            let _ = write!(text, ", {kind:?}");
        }
        text.push(')');
    }
    Some(text)
}

fn constant(reader: &mut Reader<'_>) -> Option<String> {
    let names = inner_symbols(reader)?;
    Some(bytes(reader)? + &names)
}

/// The type of a table's entries that have no relocation.
const DISTANCE: u64 = super::places::DIRECT as u64;

fn table(reader: &mut Reader<'_>) -> Option<String> {
    let mut entries = Vec::new();
    let (mut last_kind, mut next) = (None, Some(0));
    for _ in 0..reader.number()? {
        let (offset, kind) = (reader.number()?, reader.number()?);
        let mut entry = target(reader)?.text;
        // Said where it changes, so that equal lines are equal tables.
        if last_kind.replace(kind) != Some(kind) {
            let word = if kind == DISTANCE { "distances".into() } else { format!("type {kind}") };
            entry = format!("({word}) {entry}");
        }
        if kind != DISTANCE && next != Some(offset) {
            entry = format!("+{offset:#x}: {entry}");
        }
        next = offset.checked_add(if kind == 1 { 8 } else { 4 });
        entries.push(entry);
    }
    let raw = reader.blob()?;
    if !raw.is_empty() {
        entries.push(format!("over {}", hex(raw)));
    }
    Some(entries.join(" "))
}

fn site(reader: &mut Reader<'_>) -> Option<String> {
    let section = reader.blob()?.to_str_lossy().into_owned();
    Some(format!("{section}: {}", bytes(reader)?))
}

/// What stands in a relocated field: nothing to say where it is zero.
fn field(reader: &mut Reader<'_>) -> Option<String> {
    let kind = reader.number()?;
    let raw = reader.blob()?;
    let usual = raw.iter().all(|b| *b == 0) && (raw.len() == 4 || (raw.is_empty() && kind == 0));
    let over = if usual { String::new() } else { format!(" over {:?}", hex(raw)) };
    Some(if kind == 0 { over } else { format!(" (type {}{over})", kind - 1) })
}

fn unwinding_entry(reader: &mut Reader<'_>) -> Option<String> {
    Some(match reader.byte()? {
        unwinding::CIE => {
            let head = hex(reader.blob()?);
            let initial = hex(reader.blob()?);
            let mut peek = *reader;
            let personality = if peek.byte()? == 0 {
                *reader = peek;
                "none".into()
            } else {
                let text = target(reader)?.text;
                text + &field(reader)?
            };
            format!("frame: {head} {initial} personality {personality}")
        }
        unwinding::RANGE => {
            let (from, to) = (place("", reader)?, place("", reader)?);
            format!("covers {from} to {to}{}", field(reader)?)
        }
        unwinding::CFI => format!("{}: {}", place("", reader)?, hex(reader.blob()?)),
        unwinding::CALL_SITE => {
            let (from, to) = (place("", reader)?, place("", reader)?);
            let landing = match reader.byte()? {
                0 => "no landing pad".into(),
                _ => format!("landing pad {}", place("", reader)?),
            };
            format!("call site {from} to {to}: {landing}, action {}", reader.number()?)
        }
        unwinding::TYPE => {
            let index = reader.number()?;
            let text = target(reader)?.text;
            format!("type {index}: {text}{}", field(reader)?)
        }
        unwinding::SPECIFICATION => match reader.number()? {
            0 => format!("actions {}", hex(reader.blob()?)),
            filter => format!("specification -{filter}: {}", hex(reader.blob()?)),
        },
        unwinding::RAW => format!("raw {}", hex(reader.blob()?)),
        unwinding::TABLE => format!("exception table {}", target(reader)?.text),
        unwinding::FIELD => format!("exception table{}", field(reader)?),
        unwinding::HEAD => format!("exception table encodings {}", hex(reader.bytes(3)?)),
        unwinding::STRAY => {
            let (offset, kind) = (reader.number()?, reader.number()?);
            format!(
                "relocation at +{offset:#x} that no field accounts for: type {kind} {}",
                target(reader)?.text
            )
        }
        unwinding::STORED => format!("a distance's field holds {}", reader.number()?),
        unwinding::NAMES => format!("exception table{}", inner_symbols(reader)?),
        unwinding::UNUSED => {
            let distance = reader.signed()?;
            format!("actions and types that no call site uses: {distance} bytes, {}", hex(reader.blob()?))
        }
        _ => return None,
    })
}

/// Instructions with their references by instruction number; `contents` are the nameless bytes to show at their
/// use, by kind letter.
fn instruction_lines(prints: &Fingerprints, item: &Item, contents: &[(char, Vec<Line>)]) -> Vec<Line> {
    let Some(found) = item.part(PartKind::Code) else { return Vec::new() };
    let mut reader = Reader::new(prints.stream(found.stream));
    let mut references = Vec::new();
    if !contents.is_empty()
        && let Some(part) = item.part(PartKind::References)
    {
        let mut stream = Reader::new(prints.stream(part.stream));
        while let Some(one) = (!stream.is_empty()).then(|| reference(&mut stream)).flatten() {
            references.push(one);
        }
    }
    let mut printer = Printer::new(prints);
    let mut references = references.into_iter().peekable();
    let mut list = Vec::new();
    let mut index = 0;
    let mut offsets = Offsets::of(prints, item);
    while !reader.is_empty() {
        let Some((text, counts)) = printer.entry(&mut reader) else {
            list.push(Line { index, offset: None, text: "(unreadable stream)".into() });
            break;
        };
        let mut text = text;
        if counts {
            while let Some(one) = references.next_if(|r| r.at == index) {
                text.push_str(" -> ");
                text.push_str(&one.target.text);
                if let Some((letter, number)) = one.target.nameless
                    && let Some((_, shown)) = contents.iter().find(|(l, _)| *l == letter)
                    && let Some(line) = shown.get(number as usize)
                {
                    let value = line.text.split_once(": ").map_or(line.text.as_str(), |(_, v)| v);
                    text.push(' ');
                    text.push_str(value);
                }
            }
        }
        list.push(Line { index, offset: offsets.at(index), text });
        index += u32::from(counts);
    }
    list
}
