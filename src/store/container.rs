//! The envelope of every file in the store: a head, a table of sections, the sections.
//!
//! A comparison of two recordings reads hundreds of records but seldom their canonical streams, so a section
//! must be readable without the rest; yet nothing unverified may ever be believed. One hash over the whole file
//! would force reading the whole file. So the table holds the hash of each section, and the head the hash of
//! the table: what is read is checked, what is not read costs nothing, and a damaged byte anywhere is found by
//! whoever reads it. The bytes are documented in `docs/format.md`.
//!
//! Lengths are checked against the file before anything is allocated, and decompression stops at the stated
//! raw length: a hostile file costs an error, not the machine.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::FormatError;
use super::kind::open_at_once;
use crate::object::Hash;

/// First bytes of every file. Like PNG's, they notice a transfer that changed line ends or cut the high bit.
pub const MAGIC: [u8; 8] = *b"\x89LPCC\r\n\x1a";

/// The version written. Major: a break, a reader that knows less refuses. Minor: sections were added, a reader
/// that knows less skips them.
pub const VERSION: Version = Version { major: 1, minor: 0 };

/// Bytes before the table.
pub const HEAD: usize = 48;
/// Bytes of one entry of the table.
pub const ENTRY: usize = 56;
/// More sections than this are not believed.
pub const MAX_SECTIONS: usize = 4096;
/// No section is longer than this, unpacked.
pub const MAX_RAW: u64 = 1 << 30;
/// Shorter sections stay as they are. A file takes whole blocks of the disk, mostly of this size, and setting up zstd
/// for a small unit costs more time than all else that is done to write its record.
const MIN_PACKED: usize = 4096;
/// zstd's level: 1 packs a record of 1500 functions in a fraction of its compile; higher ones gain little.
const LEVEL: i32 = 1;
/// What is read of a file at first: head, table and, nearly always, the sections that identify the unit.
const PREFIX: u64 = 8192;

/// Version of a file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Raised by a break.
    pub major: u16,
    /// Raised by an addition.
    pub minor: u16,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Name of a section: four ASCII letters.
pub type Tag = [u8; 4];

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    tag: Tag,
    index: u16,
    encoding: u8,
    start: u64,
    stored: u64,
    raw: u64,
    hash: Hash,
}

/// Section kept as it is.
const RAW: u8 = 0;
/// Section kept as one zstd frame.
const ZSTD: u8 = 1;

/// A section's bytes as they go into a file: packed where that makes them shorter.
#[derive(Debug)]
pub(super) struct Packed {
    encoding: u8,
    raw: u64,
    bytes: Vec<u8>,
}

impl Packed {
    /// Packs `raw` at a level of zstd's.
    pub(super) fn new(raw: Vec<u8>, level: i32) -> Self {
        let length = raw.len();
        let packed = if length < MIN_PACKED { None } else { zstd::bulk::compress(&raw, level).ok() };
        let (encoding, bytes) = match packed {
            Some(packed) if packed.len() < length => (ZSTD, packed),
            _ => (RAW, raw),
        };
        Self { encoding, raw: length as u64, bytes }
    }
}

/// Puts sections into a file's bytes.
#[derive(Debug, Default)]
pub struct Builder {
    sections: Vec<(Section, Vec<u8>)>,
}

impl Builder {
    /// Adds a section; `index` tells apart sections of one tag. It is packed where that makes it shorter.
    pub fn section(&mut self, tag: Tag, index: u16, raw: Vec<u8>) -> Result<&mut Self, FormatError> {
        if raw.len() as u64 > MAX_RAW {
            return Err(FormatError::TooLarge { what: "a section", length: raw.len() });
        }
        self.packed(tag, index, Packed::new(raw, LEVEL))
    }

    /// Adds a section that was packed elsewhere.
    pub(super) fn packed(&mut self, tag: Tag, index: u16, packed: Packed) -> Result<&mut Self, FormatError> {
        let Packed { encoding, raw, bytes } = packed;
        if self.sections.len() >= MAX_SECTIONS {
            return Err(FormatError::TooLarge { what: "a file", length: bytes.len() });
        }
        let section = Section {
            tag,
            index,
            encoding,
            start: 0,
            stored: bytes.len() as u64,
            raw,
            hash: Hash::of(&bytes),
        };
        self.sections.push((section, bytes));
        Ok(self)
    }

    /// The file.
    pub fn finish(&self) -> Vec<u8> {
        self.finish_as(VERSION)
    }

    /// The file, with another version in its head: for tests of files from the future.
    pub fn finish_as(&self, version: Version) -> Vec<u8> {
        let mut front = Vec::with_capacity(16);
        front.extend_from_slice(&MAGIC);
        front.extend_from_slice(&version.major.to_le_bytes());
        front.extend_from_slice(&version.minor.to_le_bytes());
        front.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        let mut table = Vec::with_capacity(self.sections.len() * ENTRY);
        for (section, _) in &self.sections {
            table.extend_from_slice(&section.tag);
            table.extend_from_slice(&[section.encoding, 0]);
            table.extend_from_slice(&section.index.to_le_bytes());
            table.extend_from_slice(&section.stored.to_le_bytes());
            table.extend_from_slice(&section.raw.to_le_bytes());
            table.extend_from_slice(&section.hash.0);
        }
        let head_hash = hash_of_head(&front, &table);
        let total = HEAD + table.len() + self.sections.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        let mut file = Vec::with_capacity(total);
        file.extend_from_slice(&front);
        file.extend_from_slice(&head_hash.0);
        file.extend_from_slice(&table);
        for (_, bytes) in &self.sections {
            file.extend_from_slice(bytes);
        }
        file
    }
}

/// A file whose head and table were read and found whole.
#[derive(Debug, Clone)]
pub struct Container {
    version: Version,
    head: Hash,
    sections: Vec<Section>,
    /// The first bytes of the file, or all of it.
    bytes: Vec<u8>,
    /// Where the rest is read from.
    rest: Rest,
}

/// Where what is not in memory is read from.
#[derive(Debug, Clone)]
enum Rest {
    /// There is no more.
    Nowhere,
    /// The file.
    File(PathBuf),
    /// What many records share, and the block of each section.
    Pool(Arc<dyn Pool>, Vec<u16>),
}

/// Blocks in which many records lie, each record's sections apart from each other.
pub(super) trait Pool: std::fmt::Debug + Send + Sync {
    /// `length` bytes of the unpacked block from `start` on, checked.
    fn read(&self, block: u16, start: u64, length: u64) -> Result<Vec<u8>, FormatError>;
}

/// Where a section lies in a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pooled {
    pub tag: Tag,
    pub index: u16,
    pub block: u16,
    pub start: u64,
    pub length: u64,
}

impl Container {
    /// The file whose sections lie in `pool`.
    pub(super) fn pooled(
        version: Version,
        pool: Arc<dyn Pool>,
        places: impl Iterator<Item = Pooled>,
    ) -> Self {
        let (sections, blocks) = places
            .map(|place| {
                let Pooled { tag, index, block, start, length } = place;
                let hash = Hash([0; 32]);
                (Section { tag, index, encoding: RAW, start, stored: length, raw: length, hash }, block)
            })
            .unzip();
        Self { version, head: Hash([0; 32]), sections, bytes: Vec::new(), rest: Rest::Pool(pool, blocks) }
    }

    /// Reads head and table of a file that is in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, FormatError> {
        let length = bytes.len() as u64;
        Self::parse(bytes, length, Rest::Nowhere)
    }

    /// Reads head and table of the file at `path`; sections are read when asked for. No descriptor stays open:
    /// there may be thousands of these.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let unreadable = |error: std::io::Error| FormatError::Unreadable(error.to_string());
        let mut file = open_at_once(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(FormatError::Unreadable("not a regular file".into()));
        }
        let mut bytes = Vec::with_capacity(metadata.len().min(PREFIX) as usize);
        file.by_ref().take(PREFIX).read_to_end(&mut bytes).map_err(unreadable)?;
        if let Some(table) = table_length(&bytes)? {
            let needed = (HEAD + table) as u64;
            if needed > bytes.len() as u64 && needed <= metadata.len() {
                file.take(needed - bytes.len() as u64).read_to_end(&mut bytes).map_err(unreadable)?;
            }
        }
        Self::parse(bytes, metadata.len(), Rest::File(path.to_path_buf()))
    }

    fn parse(bytes: Vec<u8>, length: u64, rest: Rest) -> Result<Self, FormatError> {
        let version = version_of(&bytes)?;
        let table_length =
            table_length(&bytes)?.ok_or_else(|| FormatError::damaged("the file is cut short"))?;
        let table = bytes
            .get(HEAD..HEAD + table_length)
            .ok_or_else(|| FormatError::damaged("the table of sections is cut short"))?;
        let front = bytes.get(..16).unwrap_or_default();
        let head = hash_of_head(front, table);
        if bytes.get(16..HEAD) != Some(head.0.as_slice()) {
            return Err(FormatError::damaged("the table of sections has another hash"));
        }
        let mut sections: Vec<Section> = Vec::with_capacity(table.len() / ENTRY);
        let mut start = (HEAD + table_length) as u64;
        for entry in table.chunks_exact(ENTRY) {
            let section =
                section(entry, start).ok_or_else(|| FormatError::damaged("an entry is cut short"))?;
            start =
                start.checked_add(section.stored).ok_or_else(|| FormatError::damaged("lengths overflow"))?;
            if section.raw > MAX_RAW || (section.encoding == RAW && section.raw != section.stored) {
                return Err(FormatError::damaged("a section's lengths contradict each other"));
            }
            if sections.iter().any(|other| (other.tag, other.index) == (section.tag, section.index)) {
                return Err(FormatError::damaged("a section stands twice"));
            }
            sections.push(section);
        }
        if start != length {
            return Err(FormatError::Damaged(format!("{length} bytes long where {start} were written")));
        }
        Ok(Self { version, head, sections, bytes, rest })
    }

    /// Whether it lies in an export.
    pub(super) fn is_pooled(&self) -> bool {
        matches!(self.rest, Rest::Pool(..))
    }

    /// The version that the file says it has.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The hash in the head: it covers the whole file, through the table.
    pub fn hash(&self) -> Hash {
        self.head
    }

    /// Tags and indices, in file order.
    pub fn tags(&self) -> impl Iterator<Item = (Tag, u16)> {
        self.sections.iter().map(|section| (section.tag, section.index))
    }

    /// Stored and raw length of a section, in bytes.
    pub fn lengths(&self, tag: Tag, index: u16) -> Option<(u64, u64)> {
        self.find(tag, index).map(|section| (section.stored, section.raw))
    }

    /// The contents of a section, checked and unpacked; `None` where the file has no such section.
    pub fn section(&self, tag: Tag, index: u16) -> Result<Option<Vec<u8>>, FormatError> {
        self.position(tag, index).map(|at| self.unpacked(at)).transpose()
    }

    /// Whether there is such a section.
    pub fn has(&self, tag: Tag, index: u16) -> bool {
        self.find(tag, index).is_some()
    }

    /// Checks every section, also those that this version does not know.
    pub fn check_all(&self) -> Result<(), FormatError> {
        (0..self.sections.len()).try_for_each(|at| self.stored(at).map(drop))
    }

    fn position(&self, tag: Tag, index: u16) -> Option<usize> {
        self.sections.iter().position(|section| section.tag == tag && section.index == index)
    }

    fn unpacked(&self, at: usize) -> Result<Vec<u8>, FormatError> {
        let section = self.sections.get(at).ok_or_else(|| FormatError::damaged("no such section"))?;
        unpack(section, self.stored(at)?)
    }

    fn find(&self, tag: Tag, index: u16) -> Option<&Section> {
        self.position(tag, index).and_then(|at| self.sections.get(at))
    }

    /// The bytes of a section as they lie in the file, checked.
    fn stored(&self, at: usize) -> Result<Vec<u8>, FormatError> {
        let section = self.sections.get(at).ok_or_else(|| FormatError::damaged("no such section"))?;
        let path = match &self.rest {
            Rest::Nowhere => None,
            Rest::File(path) => Some(path),
            Rest::Pool(pool, blocks) => {
                let block = blocks.get(at).ok_or_else(|| FormatError::damaged("no such block"))?;
                return pool.read(*block, section.start, section.stored);
            }
        };
        let start = section.start as usize;
        let in_memory = self.bytes.get(start..start.saturating_add(section.stored as usize));
        let bytes = match (in_memory, path) {
            (Some(bytes), _) => bytes.to_vec(),
            (None, Some(path)) => read_at(path, section.start, section.stored)?,
            (None, None) => return Err(FormatError::damaged("the file is cut short")),
        };
        if Hash::of(&bytes) == section.hash {
            return Ok(bytes);
        }
        let replaced = path.and_then(|path| Self::open(path).ok());
        if replaced.is_some_and(|now| now.head != self.head) {
            return Err(FormatError::Replaced);
        }
        Err(FormatError::Damaged(format!("section {} has another hash", section.tag.escape_ascii())))
    }
}

/// The hash that the head carries: over everything before the first section except itself.
fn hash_of_head(front: &[u8], table: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(front);
    hasher.update(table);
    Hash(*hasher.finalize().as_bytes())
}

fn version_of(bytes: &[u8]) -> Result<Version, FormatError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(FormatError::Foreign);
    }
    let (Some(major), Some(minor)) = (array(bytes, 8), array(bytes, 10)) else {
        return Err(FormatError::damaged("the file is cut short"));
    };
    let version = Version { major: u16::from_le_bytes(major), minor: u16::from_le_bytes(minor) };
    match version.major.cmp(&VERSION.major) {
        std::cmp::Ordering::Greater => Err(FormatError::Newer(version)),
        std::cmp::Ordering::Less => Err(FormatError::damaged(format!("format {version} never was"))),
        std::cmp::Ordering::Equal => Ok(version),
    }
}

/// Length of the table in bytes, `None` where the file is too short to say.
fn table_length(bytes: &[u8]) -> Result<Option<usize>, FormatError> {
    version_of(bytes)?;
    let Some(count) = array(bytes, 12).map(u32::from_le_bytes) else { return Ok(None) };
    if count as usize > MAX_SECTIONS {
        return Err(FormatError::Damaged(format!("{count} sections are not believable")));
    }
    Ok(Some(count as usize * ENTRY))
}

fn section(entry: &[u8], start: u64) -> Option<Section> {
    Some(Section {
        tag: array(entry, 0)?,
        encoding: *entry.get(4)?,
        index: u16::from_le_bytes(array(entry, 6)?),
        start,
        stored: u64::from_le_bytes(array(entry, 8)?),
        raw: u64::from_le_bytes(array(entry, 16)?),
        hash: Hash(array(entry, 24)?),
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn read_at(path: &Path, start: u64, length: u64) -> Result<Vec<u8>, FormatError> {
    let unreadable = |error: std::io::Error| FormatError::Unreadable(error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    // The file may have been replaced by a shorter one since its table was read.
    if file.metadata().map_err(unreadable)?.len() < start.saturating_add(length) {
        return Err(FormatError::Replaced);
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, start).map_err(unreadable)?;
    Ok(bytes)
}

fn unpack(section: &Section, stored: Vec<u8>) -> Result<Vec<u8>, FormatError> {
    match section.encoding {
        RAW => Ok(stored),
        ZSTD => {
            let bad = |_| {
                FormatError::Damaged(format!("section {} cannot be unpacked", section.tag.escape_ascii()))
            };
            let decoder =
                zstd::stream::read::Decoder::with_buffer(stored.as_slice()).map_err(bad)?.single_frame();
            // Room is made as the data asks for it: a stated length is a bound, not a promise.
            let mut raw = Vec::with_capacity((section.raw as usize).min(stored.len().saturating_mul(16)));
            decoder.take(section.raw + 1).read_to_end(&mut raw).map_err(bad)?;
            if raw.len() as u64 != section.raw {
                return Err(FormatError::damaged("a section unpacks to another length"));
            }
            Ok(raw)
        }
        other => Err(FormatError::Damaged(format!("section encoding {other} is not known"))),
    }
}
