//! Bytes to facts: the fingerprint of every function and datum in an object. Pure: no input, no output.

pub mod fingerprint;
pub mod listing;

pub use fingerprint::{
    Basis, Fingerprints, Hash, Hook, Image, Item, Kind, Part, PartKind, Reference, Scope, StreamRange, Traits,
};

use bstr::BString;

/// Why a file cannot be fingerprinted: what is wrong, and where in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at {place})")]
pub struct ReadError {
    /// What is wrong, as a lower-case fragment.
    pub what: String,
    /// The header, section or field it was found in.
    pub place: String,
}

/// What a file is, told from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// An ELF relocatable object (`ET_REL`).
    Relocatable,
    /// An ELF executable or shared object (`ET_EXEC`, `ET_DYN`), or a core file.
    Linked,
    /// An `ar` archive, thin or not.
    Archive,
    /// LLVM bitcode: no function bytes before the link.
    Bitcode,
    /// Nothing that holds machine code.
    Other,
}

/// Tells what `file` is from its magic bytes.
pub fn kind_of(_file: &[u8]) -> FileKind {
    FileKind::Other
}

/// Fingerprints one object file: an ELF relocatable or linked file, or LLVM bitcode (which comes back as
/// [`Basis::Deferred`]). Archives are read member by member: see [`members`].
pub fn fingerprint(_file: &[u8]) -> Result<Fingerprints, ReadError> {
    Err(ReadError { what: "not an object file".into(), place: "magic".into() })
}

/// One member of an archive.
#[derive(Debug, Clone)]
pub struct Member<'data> {
    /// The member's name; members of one name follow each other in file order.
    pub name: BString,
    /// The member's bytes, or `None` in a thin archive, where `name` is a path to the file.
    pub data: Option<&'data [u8]>,
}

/// The members of an `ar` archive, in file order.
pub fn members(_file: &[u8]) -> Result<Vec<Member<'_>>, ReadError> {
    Err(ReadError { what: "not an archive".into(), place: "magic".into() })
}
