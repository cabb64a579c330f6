//! A whole recording in one file, to be shipped beside a debug package and read where it lies.
//!
//! An archive of the store's files is the tempting way: it must be unpacked before it is read, and its members, each
//! packed by itself, say the same things over and over: every unit of a build names the same headers with the same
//! hashes. So an export is one [`Container`] like every other file of ours, in which the sections of all records lie
//! unpacked side by side in large blocks, sections of one kind together, and an index says where each begins. A
//! comparison unpacks the blocks that say who the units are, and of the rest only what it asks for.
//!
//! The invariant: **the same recording gives the same bytes**. Entries stand in the order of their keys, nothing timed
//! is kept (what variants took stays behind), and neither is the recording's name.
//!
//! | section | contents |
//! | --- | --- |
//! | `EXPT` 0 | the manifest, in postcard |
//! | `INDX` 0 | the entries, in postcard |
//! | `KEPT` 0 | where the contents of generated inputs lie, in postcard |
//! | `BLCK` n | block n: sections of records, end to end, then contents of inputs |

mod import;
mod read;
mod write;

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::container::Tag;
use crate::object::Hash;

pub use read::Export;
pub use write::Exported;

const MANIFEST: Tag = *b"EXPT";
const INDEX: Tag = *b"INDX";
const KEPT: Tag = *b"KEPT";
const BLOCK: Tag = *b"BLCK";

/// A block is closed once it holds so many bytes, which zstd's window spans as a whole.
const BLOCK_SIZE: usize = 4 << 20;
/// Blocks in one export; the rest of a container's sections are manifest, index and what is said of inputs.
const MAX_BLOCKS: usize = super::container::MAX_SECTIONS - 3;
/// An unpacked index beyond this is not believed: it would describe a million units.
const MAX_INDEX: u64 = 1 << 27;

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Records of units.
    pub units: u32,
    /// Records of links.
    pub links: u32,
    /// Notes.
    pub notes: u32,
    /// Hash of all records, however they are packed: equal exactly if the recordings are.
    pub contents: Hash,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Unit,
    Link,
    Note,
}

/// One record, link record or note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    kind: Kind,
    /// A unit's or link's output, absolute; of a note, nothing.
    key: BString,
    /// Minor version of the record.
    minor: u16,
    sections: Vec<Place>,
}

/// Where a section of a record lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    tag: Tag,
    index: u16,
    block: u16,
    start: u64,
    length: u64,
}

/// Where the contents of an input that the build generated lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Of the contents.
    hash: Hash,
    block: u16,
    start: u64,
    length: u64,
}
