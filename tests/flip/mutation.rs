//! One alteration of an object: a bit of an allocated section; a relocation altered, dropped or added; a symbol's
//! value, size, type, binding, visibility or section; a section's flags or alignment.

use super::elf::{Elf, Section, u32_at, u64_at};
use crate::random::Random;

/// What is altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Byte,
    RelocationType,
    RelocationSymbol,
    RelocationAddend,
    RelocationOffset,
    RelocationDropped,
    RelocationAdded,
    SymbolValue,
    SymbolSize,
    SymbolType,
    SymbolBinding,
    SymbolVisibility,
    SymbolSection,
    SectionFlags,
    SectionAlignment,
}

/// Half of all alterations are of bytes; the rest are shared evenly.
const KINDS: [Kind; 14] = [
    Kind::RelocationType,
    Kind::RelocationSymbol,
    Kind::RelocationAddend,
    Kind::RelocationOffset,
    Kind::RelocationDropped,
    Kind::RelocationAdded,
    Kind::SymbolValue,
    Kind::SymbolSize,
    Kind::SymbolType,
    Kind::SymbolBinding,
    Kind::SymbolVisibility,
    Kind::SymbolSection,
    Kind::SectionFlags,
    Kind::SectionAlignment,
];

/// Where an alteration strikes.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// A byte, or the field that a relocation applies to: section and offset.
    Place(usize, u64),
    /// A symbol, by index.
    Symbol(usize),
    /// A section's header.
    Section,
}

/// An altered file.
#[derive(Debug)]
pub struct Mutation {
    pub kind: Kind,
    pub target: Target,
    /// In words, for a message.
    pub what: String,
    pub file: Vec<u8>,
}

/// Alters the object once; `None` where the object has nothing of the kind that was drawn.
pub fn draw(elf: &Elf<'_>, random: &mut Random) -> Option<Mutation> {
    let kind = if random.below(2) == 0 { Kind::Byte } else { KINDS[random.below(KINDS.len())] };
    match kind {
        Kind::Byte => byte(elf, random),
        Kind::RelocationType
        | Kind::RelocationSymbol
        | Kind::RelocationAddend
        | Kind::RelocationOffset
        | Kind::RelocationDropped => relocation(elf, kind, random),
        Kind::RelocationAdded => added(elf, random),
        Kind::SectionFlags | Kind::SectionAlignment => section(elf, kind, random),
        _ => symbol(elf, kind, random),
    }
}

/// Draws one of those that satisfy a condition, by index.
fn one_of<T>(all: &[T], random: &mut Random, wanted: impl Fn(&T) -> bool) -> Option<usize> {
    let found: Vec<usize> = (0..all.len()).filter(|index| wanted(&all[*index])).collect();
    (!found.is_empty()).then(|| found[random.below(found.len())])
}

/// A bit of a 64-bit field: mostly one of the lowest, where small numbers are.
fn bit(random: &mut Random, low: usize) -> usize {
    let bound = if random.below(4) == 0 { 64 } else { low };
    random.below(bound)
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn byte(elf: &Elf<'_>, random: &mut Random) -> Option<Mutation> {
    let index = one_of(&elf.sections, random, |s: &Section| s.is_allocated() && s.has_bytes())?;
    let section = &elf.sections[index];
    let offset = random.below(section.size as usize);
    let bit = random.below(8);
    let mut file = elf.file.to_vec();
    file[section.offset + offset] ^= 1 << bit;
    let what = format!("bit {bit} of {}+{offset:#x}", section.name);
    Some(Mutation { kind: Kind::Byte, target: Target::Place(index, offset as u64), what, file })
}

/// Relocation types of the psABI that compilers and assemblers write.
const TYPES: [u32; 20] = [1, 2, 3, 4, 9, 10, 11, 12, 14, 16, 17, 18, 19, 20, 21, 22, 23, 24, 41, 42];

fn relocation(elf: &Elf<'_>, kind: Kind, random: &mut Random) -> Option<Mutation> {
    let index = one_of(&elf.sections, random, |s: &Section| !s.relocations.is_empty())?;
    let section = &elf.sections[index];
    let one = section.relocations[random.below(section.relocations.len())];
    let mut file = elf.file.to_vec();
    let said = match kind {
        Kind::RelocationType => {
            let new = TYPES[random.below(TYPES.len())];
            if new == one.kind {
                return None;
            }
            put(&mut file, one.at + 8, &new.to_le_bytes());
            format!("type {} -> {new}", one.kind)
        }
        Kind::RelocationSymbol => {
            let new = random.below(elf.symbols.len());
            if new == one.symbol {
                return None;
            }
            put(&mut file, one.at + 12, &(new as u32).to_le_bytes());
            format!("symbol {} -> {new}", one.symbol)
        }
        Kind::RelocationAddend => {
            let new = one.addend ^ 1 << bit(random, 8);
            put(&mut file, one.at + 16, &new.to_le_bytes());
            format!("addend {} -> {new}", one.addend)
        }
        Kind::RelocationOffset => {
            let new = one.offset ^ 1 << bit(random, 4);
            put(&mut file, one.at, &new.to_le_bytes());
            format!("offset -> {new:#x}")
        }
        _ => {
            let holder = &elf.sections[section.relocated_by];
            let end = holder.offset + holder.size as usize;
            file.copy_within(one.at + 24..end, one.at);
            put(&mut file, holder.header + 32, &(holder.size - 24).to_le_bytes());
            "dropped".to_owned()
        }
    };
    let what = format!("relocation at {}+{:#x}: {said}", section.name, one.offset);
    Some(Mutation { kind, target: Target::Place(index, one.offset), what, file })
}

/// Adds a relocation to a section that has some: the table is written again behind the file.
fn added(elf: &Elf<'_>, random: &mut Random) -> Option<Mutation> {
    let index = one_of(&elf.sections, random, |s: &Section| !s.relocations.is_empty() && s.size >= 8)?;
    let section = &elf.sections[index];
    let holder = &elf.sections[section.relocated_by];
    let offset = random.below(section.size as usize - 7) as u64;
    let kind = TYPES[random.below(TYPES.len())];
    let symbol = random.below(elf.symbols.len());
    let mut file = elf.file.to_vec();
    file.resize(file.len().next_multiple_of(8), 0);
    let start = file.len();
    file.extend_from_within(holder.offset..holder.offset + holder.size as usize);
    for field in [offset, u64::from(kind) | (symbol as u64) << 32, 0] {
        file.extend(field.to_le_bytes());
    }
    put(&mut file, holder.header + 24, &(start as u64).to_le_bytes());
    put(&mut file, holder.header + 32, &(holder.size + 24).to_le_bytes());
    let what = format!("relocation added at {}+{offset:#x}: type {kind}, symbol {symbol}", section.name);
    Some(Mutation { kind: Kind::RelocationAdded, target: Target::Place(index, offset), what, file })
}

fn symbol(elf: &Elf<'_>, kind: Kind, random: &mut Random) -> Option<Mutation> {
    let drawn = one_of(elf.symbols.get(1..)?, random, |s| {
        // The names of sources and sections name no bytes; debug information's symbols no allocated ones.
        let allocated = !s.in_section || elf.sections.get(s.section).is_some_and(Section::is_allocated);
        s.kind() != 3 && s.kind() != 4 && allocated
    })?;
    let index = drawn + 1;
    let symbol = &elf.symbols[index];
    let mut file = elf.file.to_vec();
    let said = match kind {
        Kind::SymbolValue => {
            let new = symbol.value ^ 1 << bit(random, 12);
            put(&mut file, symbol.at + 8, &new.to_le_bytes());
            format!("value {:#x} -> {new:#x}", symbol.value)
        }
        Kind::SymbolSize => {
            let new = symbol.size ^ 1 << bit(random, 12);
            put(&mut file, symbol.at + 16, &new.to_le_bytes());
            format!("size {} -> {new}", symbol.size)
        }
        Kind::SymbolType => {
            let new = [0, 1, 2, 5, 6, 10][random.below(6)];
            if new == symbol.kind() {
                return None;
            }
            file[symbol.at + 4] = symbol.info & 0xf0 | new;
            format!("type {} -> {new}", symbol.kind())
        }
        Kind::SymbolBinding => {
            let new = [0, 1, 2, 10][random.below(4)];
            if new == symbol.info >> 4 {
                return None;
            }
            file[symbol.at + 4] = symbol.info & 0xf | new << 4;
            format!("binding {} -> {new}", symbol.info >> 4)
        }
        Kind::SymbolVisibility => {
            let bit = random.below(8);
            file[symbol.at + 5] ^= 1 << bit;
            format!("bit {bit} of st_other")
        }
        _ => {
            let sections = elf.sections.len();
            let new = [random.below(sections), 0, 0xfff1, 0xfff2][random.below(4)] as u16;
            if usize::from(new) == symbol.section {
                return None;
            }
            put(&mut file, symbol.at + 6, &new.to_le_bytes());
            format!("section {} -> {new}", symbol.section)
        }
    };
    let what = format!("symbol {index} `{}`: {said}", symbol.name);
    Some(Mutation { kind, target: Target::Symbol(index), what, file })
}

fn section(elf: &Elf<'_>, kind: Kind, random: &mut Random) -> Option<Mutation> {
    let index = one_of(&elf.sections, random, Section::is_allocated)?;
    let section = &elf.sections[index];
    let mut file = elf.file.to_vec();
    let (from, bit) = match kind {
        Kind::SectionFlags => (8, bit(random, 12)),
        _ => (48, bit(random, 8)),
    };
    let was = u64_at(&file, section.header + from);
    let new = was ^ 1 << bit;
    // Alignments 0 and 1 mean the same (ELF specification, sh_addralign).
    if kind == Kind::SectionAlignment && was.max(1) == new.max(1) {
        return None;
    }
    put(&mut file, section.header + from, &new.to_le_bytes());
    debug_assert_ne!(u32_at(&file, section.header + 4), 0);
    let what = format!("section {}: {kind:?} {was:#x} -> {new:#x}", section.name);
    Some(Mutation { kind, target: Target::Section, what, file })
}
