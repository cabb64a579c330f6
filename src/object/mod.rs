//! Bytes to facts: the fingerprint of every function and datum in an object. Pure: no input, no output.

pub mod addend;
pub mod arch;
pub mod attributes;
pub mod biased;
pub mod bodies;
mod claims;
pub mod closure;
mod collector;
pub mod cursor;
pub mod debug;
pub mod dwarf;
mod entry_distances;
pub mod facts;
pub mod fingerprint;
pub mod follow;
mod indexed;
pub mod leftover;
pub mod listing;
pub mod machine;
pub mod marks;
pub mod model;
pub mod names;
pub mod orc;
pub mod origin;
pub mod ownership;
pub mod parallel;
pub mod places;
pub mod private;
pub mod ranks;
pub mod recipe;
pub mod search;
pub mod shared;
pub mod sites;
pub mod stream;
pub mod unread;
pub mod unwinding;
pub mod x86;

pub use fingerprint::{
    Basis, Fingerprints, Hash, Hook, Image, Item, Kind, Part, PartKind, RareTraits, Reference, Scope,
    StreamRange, Traits,
};

pub use parallel::Workers;

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

/// Tells what `file` is from its first bytes.
pub fn kind_of(file: &[u8]) -> FileKind {
    const BITCODE: [[u8; 4]; 2] = [[b'B', b'C', 0xc0, 0xde], [0xde, 0xc0, 0x17, 0x0b]];
    if file.starts_with(b"\x7fELF") {
        let kind = match (file.get(5), file.get(16), file.get(17)) {
            (Some(2), Some(high), Some(low)) => u16::from_be_bytes([*high, *low]),
            (_, Some(low), Some(high)) => u16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        return if kind == object::elf::ET_REL.0 { FileKind::Relocatable } else { FileKind::Linked };
    }
    if file.starts_with(b"!<arch>\n") || file.starts_with(b"!<thin>\n") {
        return FileKind::Archive;
    }
    if BITCODE.iter().any(|magic| file.starts_with(magic)) { FileKind::Bitcode } else { FileKind::Other }
}

/// Fingerprints one object file: an ELF relocatable or linked file, or LLVM bitcode (which comes back as
/// [`Basis::Deferred`]). Archives are read member by member: see [`members`].
pub fn fingerprint(file: &[u8]) -> Result<Fingerprints, ReadError> {
    fingerprint_with(file, Workers::ONE)
}

/// [`fingerprint`], by several threads where the file is large enough; the result is the same.
pub fn fingerprint_with(file: &[u8], workers: Workers) -> Result<Fingerprints, ReadError> {
    match kind_of(file) {
        FileKind::Bitcode => return Ok(deferred("bitcode")),
        FileKind::Archive => return Err(facts::error("an archive, not an object file", "magic")),
        FileKind::Other => return Err(facts::error("not an object file", "magic")),
        FileKind::Relocatable | FileKind::Linked => {}
    }
    let model = model::Model::new(facts::read(file)?, workers)?;
    let mut basis = basis(&model);
    let privates = private::find(&model);
    let sites = sites::find(&model, &privates);
    let frames = unwinding::find(&model);
    let known = recipe::Known { model: &model, privates: &privates, sites: &sites, frames: &frames };
    let mut collector = recipe::things(&known, workers);
    claims::streams(model.most_streams, collector.written)?;
    leftover::collect(&known, &mut collector);
    if is_slim_lto(&model) {
        basis = Basis::Deferred("lto".into());
    }
    drop((privates, sites, frames));
    Ok(collector.finish(model, basis))
}

/// What could not be understood, and was taken as bytes.
fn basis(model: &model::Model<'_>) -> Basis {
    let mut reasons = Vec::new();
    let image = &model.facts.image;
    if model.machine.is_none() {
        reasons.push(format!("no decoder for machine {}: instructions are taken as bytes", image.machine));
    }
    if image.file_type != object::elf::ET_REL.0 {
        reasons.push("linked file: references that have no relocation are read from the instructions".into());
    }
    if reasons.is_empty() { Basis::Exact } else { Basis::Conservative(reasons) }
}

/// An object of which GCC made a part at least for link-time optimisation alone: that code is in `.gnu.lto_*` sections, and a common
/// symbol says so (`ld -r` puts such objects together with others).
fn is_slim_lto(model: &model::Model<'_>) -> bool {
    let marked = model.facts.sections.iter().any(|s| s.name.starts_with(b".gnu.lto_"));
    let says_so = || model.facts.symbols.iter().any(|s| s.name == b"__gnu_lto_slim");
    marked && (model.owner.things.iter().all(|t| t.pieces.is_empty()) || says_so())
}

fn deferred(why: &str) -> Fingerprints {
    let image = Image { machine: 0, file_type: 0, bits: 0, little_endian: true, flags: 0, build_id: None };
    Fingerprints {
        recipe: fingerprint::RECIPE,
        image,
        basis: Basis::Deferred(why.into()),
        files: Vec::new(),
        items: Vec::new(),
        streams: Vec::new(),
    }
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
pub fn members(file: &[u8]) -> Result<Vec<Member<'_>>, ReadError> {
    let archive =
        object::read::archive::ArchiveFile::parse(file).map_err(|e| facts::error(e, "archive header"))?;
    let thin = archive.is_thin();
    let mut members = Vec::new();
    for (index, member) in archive.members().enumerate() {
        let place = || format!("archive member {index}");
        let member = member.map_err(|e| facts::error(e, place()))?;
        let data = if thin { None } else { Some(member.data(file).map_err(|e| facts::error(e, place()))?) };
        members.push(Member { name: member.name().into(), data });
    }
    Ok(members)
}
