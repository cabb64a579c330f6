//! What an ELF file says, in one shape for both classes, both byte orders, and both kinds of relocation.
//!
//! Nothing is interpreted here: sections with their bytes and their relocations sorted by place, symbols with
//! the place they name. A linked file's symbols and dynamic relocations are brought to section offsets too, so
//! that everything behind this module speaks of (section, offset) alone.

mod file;
mod relocations;
mod symbols;

pub use self::file::read;

use object::elf;

use super::ReadError;
use super::fingerprint::Image;
use super::search::{Last, count_near};

/// One ELF file.
#[derive(Debug)]
pub struct Facts<'d> {
    /// The header.
    pub image: Image,
    /// All sections, by their ELF index (0 is the null section).
    pub sections: Vec<Section<'d>>,
    /// All symbols, by their ELF index (0 is the null symbol).
    pub symbols: Vec<Symbol<'d>>,
    /// How many of `symbols` define things; the rest (a linked file's dynamic table) repeat them.
    pub defining: usize,
}

/// One section.
#[derive(Debug, Default)]
pub struct Section<'d> {
    /// Name.
    pub name: &'d [u8],
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`; 0 in relocatable files.
    pub address: u64,
    /// `sh_addralign`.
    pub align: u64,
    /// `sh_entsize`.
    pub entry_size: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_size`.
    pub size: u64,
    /// Contents; empty for `SHT_NOBITS`.
    pub data: &'d [u8],
    /// Signature of the section group it belongs to.
    pub group: Option<&'d [u8]>,
    /// That group is no COMDAT: a linker keeps all of its name.
    pub is_plain_group: bool,
    /// Relocations that apply here, sorted by offset.
    pub relocations: Vec<Relocation>,
    /// Where the last search among them ended.
    pub last: Last,
}

impl Section<'_> {
    /// Takes memory at run time.
    pub fn is_allocated(&self) -> bool {
        self.flags & elf::SHF_ALLOC.0 != 0
    }

    /// Holds instructions.
    pub fn is_executable(&self) -> bool {
        self.is_allocated() && self.flags & elf::SHF_EXECINSTR.0 != 0
    }

    /// May be written at run time.
    pub fn is_writable(&self) -> bool {
        self.flags & elf::SHF_WRITE.0 != 0
    }

    /// Zero-filled: takes no bytes in the file.
    pub fn is_zero_filled(&self) -> bool {
        self.kind == elf::SHT_NOBITS.0
    }

    /// Holds entries that a linker may merge (`SHF_MERGE`).
    pub fn is_mergeable(&self) -> bool {
        self.flags & elf::SHF_MERGE.0 != 0
    }

    /// Holds strings that a linker may merge (`SHF_MERGE | SHF_STRINGS`).
    pub fn is_strings(&self) -> bool {
        self.is_mergeable() && self.flags & elf::SHF_STRINGS.0 != 0
    }

    /// The relocations whose place lies in `start..end`.
    pub fn relocations_in(&self, start: u64, end: u64) -> &[Relocation] {
        let from = self.last.count(&self.relocations, |r| r.offset < start);
        before(self.relocations.get(from..).unwrap_or_default(), end)
    }

    /// The bytes in `start..end`, as far as the section has them.
    pub fn bytes(&self, start: u64, end: u64) -> &[u8] {
        let length = self.data.len();
        let clamp = |at: u64| usize::try_from(at).unwrap_or(length).min(length);
        self.data.get(clamp(start)..clamp(end)).unwrap_or_default()
    }
}

/// One relocation. A large object has some hundred thousand, hence the bit beside the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Offset of the field in its section.
    pub offset: u64,
    /// The addend: explicit (`SHT_RELA`), or 0 where it lies in the field (`SHT_REL`).
    pub addend: i64,
    /// `r_type`.
    pub kind: u32,
    /// Index of the symbol, and [`IMPLICIT`].
    symbol: u32,
}

/// In [`Relocation::symbol`]: the addend lies in the field. (No table has so many symbols.)
const IMPLICIT: u32 = 1 << 31;

impl Relocation {
    /// One of these; the addend is `None` where it lies in the field.
    pub fn new(offset: u64, kind: u32, symbol: u32, addend: Option<i64>) -> Self {
        let form = if addend.is_none() { IMPLICIT } else { 0 };
        Self { offset, addend: addend.unwrap_or(0), kind, symbol: symbol.min(IMPLICIT - 1) | form }
    }

    /// Index into [`Facts::symbols`]; 0 is none.
    pub fn symbol(&self) -> u32 {
        self.symbol & !IMPLICIT
    }

    /// Whether the addend lies in the field.
    pub fn is_implicit(&self) -> bool {
        self.symbol & IMPLICIT != 0
    }
}

/// Those of these relocations, sorted by offset, that lie before a place: mostly few.
pub fn before(relocations: &[Relocation], end: u64) -> &[Relocation] {
    let is_before = |at: usize| relocations.get(at).is_some_and(|r| r.offset < end);
    relocations.get(..count_near(relocations.len(), is_before)).unwrap_or_default()
}

/// Where a symbol is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// Nowhere in this file.
    Undefined,
    /// `SHN_ABS`.
    Absolute,
    /// `SHN_COMMON`: `value` is the alignment.
    Common,
    /// In the section with this index.
    Section(usize),
}

/// One symbol.
#[derive(Debug, Clone, Copy)]
pub struct Symbol<'d> {
    /// Name; empty for section symbols.
    pub name: &'d [u8],
    /// Offset in its section, or `st_value` where it is not defined in one.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
    /// `STT_*`.
    pub kind: u8,
    /// `STB_*`.
    pub binding: u8,
    /// `st_other`, whose low two bits are the visibility; [`THUMB`] on Arm.
    pub other: u8,
    /// Where it is defined.
    pub definition: Definition,
    /// The `STT_FILE` symbol it stands under (locals only).
    pub file: Option<&'d [u8]>,
}

impl Symbol<'_> {
    /// The name of a source: a local, absolute symbol of type `STT_FILE`.
    pub fn is_file(&self) -> bool {
        self.kind == elf::STT_FILE.0 && self.is_local() && self.definition == Definition::Absolute
    }

    /// A section's own symbol: local, of type `STT_SECTION`, without a name.
    pub fn is_section(&self) -> bool {
        let defined = matches!(self.definition, Definition::Section(_));
        self.kind == elf::STT_SECTION.0 && self.is_local() && self.name.is_empty() && defined
    }

    /// Whether only this file can name it.
    pub fn is_local(&self) -> bool {
        self.binding == elf::STB_LOCAL.0
    }
}

/// In `st_other` of an Arm function: its code is Thumb. (No bit of the file's: there the address is odd.)
pub const THUMB: u8 = 0x80;

/// A [`ReadError`] from its two halves.
pub fn error(what: impl std::fmt::Display, place: impl Into<String>) -> ReadError {
    ReadError { what: what.to_string(), place: place.into() }
}

/// Text for a message.
pub fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
