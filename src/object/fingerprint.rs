//! The types of a fingerprint: what is kept of one object. What goes into each part is said in
//! [`super::recipe`]; this file only gives the result its shape.

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::shared::SharedName;

/// Version of the recipe: raised whenever the same bytes would give other hashes.
pub const RECIPE: u16 = 2;

/// A BLAKE3 hash, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The BLAKE3 hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The fingerprints of one object file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// [`RECIPE`] at the time.
    pub recipe: u16,
    /// What kind of file it was.
    pub image: Image,
    /// How far the fingerprints can be trusted.
    pub basis: Basis,
    /// The `STT_FILE` symbols' names, sorted: base names of the sources, as the compiler tells them.
    pub files: Vec<BString>,
    /// Functions, data, sections and unowned ranges, sorted by kind, then name, then address.
    pub items: Vec<Item>,
    /// The canonical streams of all parts, end to end; [`StreamRange`] points in here. Kept apart in a
    /// record (it is large and seldom read), hence skipped here.
    #[serde(skip)]
    pub streams: Vec<u8>,
}

impl Fingerprints {
    /// The bytes of a stream; empty where the streams were not loaded.
    pub fn stream(&self, range: StreamRange) -> &[u8] {
        let start = range.start as usize;
        self.streams.get(start..start.saturating_add(range.len as usize)).unwrap_or_default()
    }
}

/// The ELF identity of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `e_machine`.
    pub machine: u16,
    /// `e_type`: 1 relocatable, 2 executable, 3 shared.
    pub file_type: u16,
    /// 32 or 64.
    pub bits: u8,
    /// Byte order.
    pub little_endian: bool,
    /// `e_flags`.
    pub flags: u32,
    /// `NT_GNU_BUILD_ID` where there is one.
    pub build_id: Option<BString>,
}

/// How far fingerprints can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// Relocations and instructions were understood: equal means equal, different means different.
    Exact,
    /// Something was not understood and was taken as bytes: equal means equal, but a difference may be mere
    /// position. Each entry is one reason (`linked file without relocations`, `no decoder for machine 243`).
    Conservative(Vec<String>),
    /// The object holds no function bytes (`lto`, `bitcode`): they come to be at the link.
    Deferred(String),
}

/// What an item is. The order is the order of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Machine code under one symbol (with its `.cold` piece).
    Function,
    /// A named object: static, global, vtable, compound literal, common symbol.
    Data,
    /// Entries of a special section that serve no single function.
    Site,
    /// A section's own flags, type and alignment, and symbols that own no bytes.
    Section,
    /// Bytes that no symbol and no reference accounts for.
    Unowned,
}

/// Who can name the item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// `STB_GLOBAL`, `STB_GNU_UNIQUE`.
    Global,
    /// `STB_WEAK`.
    Weak,
    /// `STB_LOCAL`, with the `STT_FILE` it stands under where known.
    Local(Option<SharedName>),
    /// No symbol: a section or an unowned range.
    None,
}

/// One fingerprinted thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// The symbol that names it; a section's name for sections and `section+0xoffset` for unowned ranges.
    pub name: BString,
    /// The other symbols at the place, sorted: aliases and folded functions have some.
    pub aliases: Box<[BString]>,
    /// Who can name it.
    pub scope: Scope,
    /// Name of the section it lies in.
    pub section: SharedName,
    /// Offset in the section (relocatable) or virtual address (linked). Not part of the identity.
    pub address: u64,
    /// Size in bytes in this file. Part of the identity for data only: a function's length depends on branch
    /// widths that the assembler chose.
    pub size: u64,
    /// The parts that are not empty, in the order of [`PartKind`].
    pub parts: Box<[Part]>,
    /// Every item and external symbol it refers to, also through private constants, in the order of first
    /// use, without repetition. The concrete names behind the index of first use in the `references` part.
    pub references: Box<[Reference]>,
    /// Facts that people ask for.
    pub traits: Traits,
}

impl Item {
    /// The hash over all parts: two items with equal identities are equal as far as their own bytes go.
    pub fn identity(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for part in &self.parts {
            hasher.update(&[part.kind as u8]);
            hasher.update(&part.hash.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// All its names, the one that names it first.
    pub fn names(&self) -> impl Iterator<Item = &BString> + Clone {
        std::iter::once(&self.name).chain(self.aliases.iter())
    }

    /// Whether this is one of its names.
    pub fn is_called(&self, name: &[u8]) -> bool {
        self.names().any(|own| own == name)
    }

    /// The part of this kind, if it is not empty.
    pub fn part(&self, kind: PartKind) -> Option<&Part> {
        self.parts.iter().find(|part| part.kind == kind)
    }
}

/// Facts that people ask for; none of them is hashed but through a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// How a function can be hooked.
    pub hook: Hook,
    /// Number of instructions in a function, its `.cold` piece included.
    pub instructions: u32,
    /// The symbol had no size; the range ends at the next symbol.
    pub inferred_size: bool,
    /// Byte lengths of a function's instructions, one byte each, `.cold` piece last; not hashed.
    pub layout: StreamRange,
    /// The data is zero-filled (`.bss`, common).
    pub zero_filled: bool,
    /// The section may be written at run time.
    pub writable: bool,
    /// What few items have, aside: an object may have many thousands of items.
    pub rare: Option<Box<RareTraits>>,
}

/// Facts about few items.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RareTraits {
    /// The `.cold` piece: section, address, size.
    pub cold: Option<(BString, u64, u64)>,
    /// The function a `.part` or other clone comes from, by name.
    pub origin: Option<BString>,
    /// Data that an address in it may lead into, too, though another lies there: indices into [`Fingerprints::items`], sorted.
    pub perhaps: Vec<u32>,
}

impl Traits {
    /// The `.cold` piece: section, address, size.
    pub fn cold(&self) -> Option<&(BString, u64, u64)> {
        self.rare.as_ref()?.cold.as_ref()
    }

    /// The function a clone comes from ([`RareTraits::origin`]).
    pub fn origin(&self) -> Option<&BString> {
        self.rare.as_ref()?.origin.as_ref()
    }

    /// Data that it may read ([`RareTraits::perhaps`]).
    pub fn perhaps(&self) -> &[u32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.perhaps)
    }
}

/// The place at a function's entry that a live patch can take over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hook {
    /// None: the function cannot be hooked at its entry.
    #[default]
    None,
    /// `call __fentry__` (or its nops with `-mnop-mcount`).
    Fentry,
    /// `call mcount` behind the prologue.
    Mcount,
    /// `-fpatchable-function-entry`: bytes of nops before and after the entry label.
    Patchable {
        /// Bytes before the symbol.
        before: u16,
        /// Bytes from the symbol on.
        after: u16,
    },
}

/// The parts of a fingerprint, in the order of the design's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum PartKind {
    /// Instructions; branches inside the function by instruction number.
    Code = 1,
    /// The bytes of a datum.
    Content = 2,
    /// Relocations: place, type, canonical target, addend.
    References = 3,
    /// Contents of unnamed data, transitively.
    Constants = 4,
    /// Whole strings and the offset into each.
    Strings = 5,
    /// Jump tables and label tables.
    Tables = 6,
    /// LSDA and CFI.
    Unwinding = 7,
    /// Entries of special sections.
    Sites = 8,
    /// Section, binding, visibility, aliases, hook; a datum's size and alignment.
    Attributes = 9,
}

impl PartKind {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Content => "content",
            Self::References => "references",
            Self::Constants => "constants",
            Self::Strings => "strings",
            Self::Tables => "tables",
            Self::Unwinding => "unwinding",
            Self::Sites => "sites",
            Self::Attributes => "attributes",
        }
    }
}

/// One part: its hash and the canonical stream that was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which.
    pub kind: PartKind,
    /// BLAKE3 of the stream.
    pub hash: Hash,
    /// Where the stream lies in [`Fingerprints::streams`].
    pub stream: StreamRange,
}

/// A range of [`Fingerprints::streams`], in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRange {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

/// What an item refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reference {
    /// Index into [`Fingerprints::items`].
    Item(u32),
    /// A symbol that this file does not define.
    External(BString),
}
