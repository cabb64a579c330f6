//! An oracle that knows nothing of lpcc: which functions of two objects differ by `objdump -dr`, once everything that
//! merely tells where a thing lies is taken out.
//!
//! Branches inside a function become instruction numbers, no-operations are left out, and what a relocation names by
//! section and offset becomes what lies there: the symbol, the string, or the nameless bytes, whose own relocations are
//! followed likewise.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use crate::elf::{self, Elf};

/// Canonical text of each function; a `.cold` piece belongs to its parent.
pub type Functions = BTreeMap<String, String>;

/// Functions that only `new` has, or whose text differs.
pub fn changed(old: &Functions, new: &Functions) -> BTreeSet<String> {
    new.iter().filter(|(name, text)| old.get(*name) != Some(text)).map(|(name, _)| name.clone()).collect()
}

struct Line {
    address: u64,
    text: String,
    /// The place of an operand relative to the instruction pointer, from objdump's comment.
    operand: Option<u64>,
    /// Offset of the field, type, and symbol with addend, as objdump prints them.
    relocations: Vec<(u64, String, String)>,
}

struct Block {
    section: String,
    name: String,
    lines: Vec<Line>,
}

/// Reads an object with the system's objdump.
pub fn read(path: &Path) -> Functions {
    let output = Command::new("objdump").args(["-drw", "--no-show-raw-insn"]).arg(path).output().unwrap();
    assert!(output.status.success(), "objdump {}", path.display());
    let file = std::fs::read(path).unwrap();
    let elf = elf::read(&file);
    let blocks = blocks(&String::from_utf8_lossy(&output.stdout));
    let dump = Dump { places: places(&elf), numbers: numbers(&blocks), elf };
    let mut functions = Functions::new();
    for block in &blocks {
        let parent = block.name.split(".cold").next().unwrap_or_default().to_owned();
        functions.entry(unnumbered(&parent)).or_default().push_str(&dump.text(block));
    }
    functions
}

/// A name without the numbers that only count.
fn unnumbered(name: &str) -> String {
    if name.starts_with('.') {
        return name.to_owned();
    }
    let counts = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').filter(|part| !counts(part)).collect::<Vec<_>>().join(".")
}

fn blocks(dump: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut section = String::new();
    for line in dump.lines() {
        if let Some(name) = line.strip_prefix("Disassembly of section ") {
            name.trim_end_matches(':').clone_into(&mut section);
        } else if let Some((_, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            blocks.push(Block { section: section.clone(), name: name.to_owned(), lines: Vec::new() });
        } else if let Some((address, rest)) = line.trim_start().split_once(":\t")
            && let Ok(address) = u64::from_str_radix(address.trim(), 16)
            && let Some(block) = blocks.last_mut()
        {
            // With -w a relocation stands on the line of its instruction, else on the next.
            let mut parts = rest.split('\t').map(str::trim).filter(|part| !part.is_empty()).peekable();
            if let Some(kind) = rest.trim().strip_prefix("R_X86_64_") {
                relocation(block.lines.last_mut(), address, kind);
                continue;
            }
            let text = parts.next().unwrap_or_default();
            let mut line =
                Line { address, text: plain(text), operand: operand(text), relocations: Vec::new() };
            while let Some(part) = parts.next() {
                if let Some((at, kind)) = part.split_once(": R_X86_64_")
                    && let Ok(at) = u64::from_str_radix(at, 16)
                {
                    line.relocations.push((at, kind.to_owned(), parts.next().unwrap_or_default().to_owned()));
                }
            }
            block.lines.push(line);
        }
    }
    blocks
}

fn relocation(line: Option<&mut Line>, at: u64, rest: &str) {
    if let (Some(line), Some((kind, symbol))) = (line, rest.split_once(char::is_whitespace)) {
        line.relocations.push((at, kind.to_owned(), symbol.trim().to_owned()));
    }
}

/// An instruction without objdump's comment and its column of spaces.
fn plain(text: &str) -> String {
    let text = text.split(" #").next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The place in `lea -0x20(%rip),%rax        # 80 <f>`.
fn operand(text: &str) -> Option<u64> {
    let (_, comment) = text.split_once("(%rip)")?.1.split_once("# ")?;
    u64::from_str_radix(comment.split(' ').next()?, 16).ok()
}

fn is_nop(text: &str) -> bool {
    let word = text.split(' ').find(|word| !["data16", "cs", "rex.W"].contains(word)).unwrap_or_default();
    word.starts_with("nop") || text == "xchg %ax,%ax"
}

/// The number of each instruction in its function, no-operations left out, by section and address.
fn numbers(blocks: &[Block]) -> HashMap<(String, u64), (String, usize)> {
    let mut numbers = HashMap::new();
    for block in blocks {
        let mut number = 0;
        for line in &block.lines {
            numbers.insert((block.section.clone(), line.address), (block.name.clone(), number));
            number += usize::from(!is_nop(&line.text));
        }
    }
    numbers
}

/// Every place in a section that some relocation or symbol names: where nameless bytes may end.
fn places(elf: &Elf<'_>) -> Vec<BTreeSet<u64>> {
    let mut places = vec![BTreeSet::new(); elf.sections.len()];
    for symbol in elf.symbols.iter().filter(|symbol| symbol.in_section && symbol.kind() != 3) {
        places[symbol.section].extend([symbol.value, symbol.value + symbol.size]);
    }
    for section in elf.sections.iter().filter(|section| section.is_allocated()) {
        for one in &section.relocations {
            let symbol = &elf.symbols[one.symbol];
            // Fields at the end of an instruction; good enough for where bytes begin.
            let tail = if section.is_executable() && one.kind == 2 { 4 } else { 0 };
            let at = symbol.value.cast_signed() + one.addend + tail;
            if symbol.in_section && !elf.sections[symbol.section].is_executable() {
                places[symbol.section].extend(u64::try_from(at));
            }
        }
    }
    places
}

struct Dump<'f> {
    elf: Elf<'f>,
    places: Vec<BTreeSet<u64>>,
    numbers: HashMap<(String, u64), (String, usize)>,
}

impl Dump<'_> {
    fn text(&self, block: &Block) -> String {
        let mut out = String::new();
        for (at, line) in block.lines.iter().enumerate().filter(|(_, line)| !is_nop(&line.text)) {
            let end = block.lines.get(at + 1).map_or(u64::MAX, |next| next.address);
            let mut text = line.text.clone();
            if let Some((head, _)) = text.split_once(" <") {
                // A branch: `jmp 1f <f+0x1f>`; the relocation, if there is one, tells its target.
                let target = head.rsplit(' ').next().unwrap_or_default();
                let place = u64::from_str_radix(target, 16).ok();
                let known = place.and_then(|at| self.numbers.get(&(block.section.clone(), at)));
                let target = match known.filter(|_| line.relocations.is_empty()) {
                    Some((name, number)) if *name == block.name => format!("#{number}"),
                    Some((name, 0)) => unnumbered(name),
                    Some((name, number)) => format!("{}#{number}", unnumbered(name)),
                    None => String::new(),
                };
                text = format!("{} {target}", head.rsplit_once(' ').map_or(head, |(word, _)| word));
            }
            // The assembler resolved it: a displacement tells where the function lies.
            if let Some(at) = line.operand.filter(|_| line.relocations.is_empty())
                && let Some((name, number)) = self.numbers.get(&(block.section.clone(), at))
                && let Some(end) = text.find("(%rip)")
            {
                let start = text[..end].rfind([' ', ',']).map_or(0, |at| at + 1);
                text.replace_range(start..end, &format!("{}#{number}", unnumbered(name)));
            }
            out.push_str(&text);
            for (field, kind, symbol) in &line.relocations {
                let relative = kind.contains("PC") || kind.contains("PLT") || kind.contains("GOTPCREL");
                let tail = if relative && end != u64::MAX { end - field } else { 4 * u64::from(relative) };
                out.push_str(&format!(" {kind} {}", self.target(symbol, tail.cast_signed())));
            }
            out.push('\n');
        }
        out
    }

    /// What `symbol+0xaddend` means.
    fn target(&self, text: &str, tail: i64) -> String {
        let at = text.rfind(['+', '-']).filter(|at| text[at + 1..].starts_with("0x"));
        let (name, addend) = at.map_or((text, 0), |at| {
            let value = i64::from_str_radix(&text[at + 3..], 16).unwrap();
            (&text[..at], if text.as_bytes()[at] == b'-' { -value } else { value })
        });
        let offset = addend + tail;
        let section = self.elf.sections.iter().position(|section| section.name == name);
        let local = self.elf.symbols.iter().find(|symbol| symbol.name == name && symbol.in_section);
        match (section.filter(|_| name.starts_with('.')), local) {
            (Some(section), _) => self.place(section, offset, 0),
            (None, Some(symbol)) if name.starts_with(".L") || name.starts_with("CSWTCH") => {
                self.place(symbol.section, symbol.value.cast_signed() + offset, 0)
            }
            _ => format!("{}{offset:+#x}", unnumbered(name)),
        }
    }

    fn place(&self, section: usize, offset: i64, depth: usize) -> String {
        let home = &self.elf.sections[section];
        let Ok(at) = u64::try_from(offset) else { return format!("{}{offset:+#x}", home.name) };
        if let Some((name, number)) = self.numbers.get(&(home.name.clone(), at)) {
            return format!("{}#{number}", unnumbered(name));
        }
        let named = self.elf.symbols.iter().find(|symbol| {
            let around = symbol.value <= at && at < symbol.value + symbol.size;
            symbol.section == section
                && around
                && !symbol.name.starts_with(".L")
                && !symbol.name.starts_with("CSWTCH")
        });
        if let Some(symbol) = named {
            return format!("{}+{:#x}", unnumbered(&symbol.name), at - symbol.value);
        }
        if !home.has_bytes() || at >= home.size {
            return format!("{}+{at:#x}", home.name);
        }
        let bytes = &self.elf.file[home.offset..home.offset + home.size as usize];
        let from = at as usize;
        if home.flags & 0x30 == 0x30 {
            let end = bytes[from..].iter().position(|byte| *byte == 0).map_or(bytes.len(), |end| from + end);
            return format!("{:?}", String::from_utf8_lossy(&bytes[from..end]));
        }
        let mut end =
            self.places[section].range(at + 1..).next().copied().unwrap_or(home.size).min(home.size);
        if home.flags & 0x10 != 0 {
            end = end.min((at / home.entry_size.max(1) + 1) * home.entry_size.max(1));
        }
        let mut text = format!("{:?}", bytes[from..end as usize].trim_ascii_end());
        let zeros = bytes[from..end as usize].iter().rev().take_while(|byte| **byte == 0).count();
        if zeros > 0 {
            text = format!("{:?}", &bytes[from..end as usize - zeros]);
        }
        if depth < 4 {
            for one in home.relocations.iter().filter(|one| (at..end).contains(&one.offset)) {
                let symbol = &self.elf.symbols[one.symbol];
                let distance = if one.kind == 2 { (one.offset - at).cast_signed() } else { 0 };
                let target = if symbol.in_section {
                    let place = symbol.value.cast_signed() + one.addend - distance;
                    self.place(symbol.section, place, depth + 1)
                } else {
                    format!("{}{:+#x}", symbol.name, one.addend)
                };
                text.push_str(&format!(" +{:#x}:{target}", one.offset - at));
            }
        }
        text
    }
}
