//! Making an export.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bstr::BString;
use rayon::prelude::*;

use super::{BLOCK, BLOCK_SIZE, Entry, INDEX, KEPT, Kept, Kind, MANIFEST, MAX_BLOCKS, Manifest, Place};
use crate::object::Hash;
use crate::store::container::{Builder, Container, Packed, Tag};
use crate::store::error::{Damaged, FormatError, StoreError};
use crate::store::format;
use crate::store::layout::{LINKS, NOTES, UNITS};
use crate::store::read::Recording;
use crate::store::record::{Note, NoteKind};

/// zstd's level: an export is made once and shipped to many. Higher ones take thrice as long for a few percent.
const LEVEL: i32 = 15;
/// Blocks that are packed at a time.
const BATCH: usize = 8;

/// Sections that are asked for together lie together. What is in no group lies in a last one.
const GROUPS: [&[Tag]; 5] =
    [&[*b"UNIT", *b"LINK", *b"NOTE"], &[*b"INPT", *b"TWIC"], &[*b"PRNT"], &[*b"STRM"], &[*b"CLON"]];

/// An export, before it is written to a file.
#[derive(Debug)]
pub struct Exported {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Inputs that the build generated, whose contents are kept.
    pub inputs: usize,
    /// Units and links left out because what they made is gone.
    pub vanished: usize,
    /// Records that could not be read. The export holds a note of each in its place.
    pub damaged: Vec<Damaged>,
}

/// A record on its way into an export.
struct Source {
    container: Container,
    entry: Entry,
}

impl Recording {
    /// The recording as one file. Records of objects that are gone are left out, as from a snapshot.
    pub fn export(&self) -> Result<Exported, StoreError> {
        let mut damaged = Vec::new();
        let (mut sources, vanished) = self.sources(&mut damaged);
        for loss in &damaged {
            let note = Note {
                kind: NoteKind::NotRecorded,
                source: None,
                output: None,
                reason: format!("its record could not be exported: {}", loss.why),
                call: None,
            };
            sources.push(Source::new(Kind::Note, BString::default(), format::encode_note(&note)?)?);
        }
        // Stable: notes stay in the order of their hashes, in which they came.
        sources.sort_by(|one, other| {
            (one.entry.kind, &one.entry.key).cmp(&(other.entry.kind, &other.entry.key))
        });
        let generated = self.generated();
        let inputs = generated.len();
        let (bytes, manifest) = pack(sources, generated)?;
        Ok(Exported { bytes, manifest, inputs, vanished, damaged })
    }

    /// All records as they lie in the store, and how many were left out.
    fn sources(&self, damaged: &mut Vec<Damaged>) -> (Vec<Source>, usize) {
        let gone = self.gone();
        let gone_links = self.gone_links();
        let mut sources = Vec::new();
        let mut keep = |file: PathBuf, kind: Kind, key: Result<BString, FormatError>| {
            let source = key.and_then(|key| Ok(Source::of(kind, key, Container::open(&file)?)));
            match source {
                Ok(source) => sources.push(source),
                Err(why) => damaged.push(Damaged { file, why }),
            }
        };
        for file in self.files(UNITS).into_iter().filter(|file| !gone.contains(file)) {
            let key = format::RecordFile::open(&file).and_then(|record| Ok(record.identity()?.unit.output));
            keep(file, Kind::Unit, key);
        }
        for file in self.files(LINKS).into_iter().filter(|file| !gone_links.contains(file)) {
            let key = format::read_link(&file).map(|link| link.output);
            keep(file, Kind::Link, key);
        }
        for file in self.files(NOTES) {
            let key = format::read_note(&file).map(|_| BString::default());
            keep(file, Kind::Note, key);
        }
        (sources, gone.len() + gone_links.len())
    }
}

impl Source {
    fn new(kind: Kind, key: BString, bytes: Vec<u8>) -> Result<Self, FormatError> {
        Ok(Self::of(kind, key, Container::from_bytes(bytes)?))
    }

    fn of(kind: Kind, key: BString, container: Container) -> Self {
        let minor = container.version().minor;
        Self { container, entry: Entry { kind, key, minor, sections: Vec::new() } }
    }
}

fn pack(
    mut sources: Vec<Source>,
    generated: BTreeMap<Hash, Vec<u8>>,
) -> Result<(Vec<u8>, Manifest), StoreError> {
    let mut blocks =
        Blocks { done: Vec::new(), waiting: Vec::new(), open: Vec::new(), size: block_size(&sources) };
    let of_group = |tag: Tag, group: usize| match GROUPS.get(group) {
        Some(tags) => tags.contains(&tag),
        None => !GROUPS.iter().any(|tags| tags.contains(&tag)),
    };
    for group in 0..=GROUPS.len() {
        for source in &mut sources {
            let wanted: Vec<_> = source.container.tags().filter(|(tag, _)| of_group(*tag, group)).collect();
            for (tag, index) in wanted {
                let contents = source.container.section(tag, index)?.unwrap_or_default();
                let (block, start) = blocks.add(&contents)?;
                source.entry.sections.push(Place { tag, index, block, start, length: contents.len() as u64 });
            }
        }
        blocks.close();
    }
    let mut kept = Vec::new();
    for (hash, contents) in generated {
        let (block, start) = blocks.add(&contents)?;
        kept.push(Kept { hash, block, start, length: contents.len() as u64 });
    }
    blocks.close();
    blocks.pack();
    let count = |kind| sources.iter().filter(|source| source.entry.kind == kind).count() as u32;
    let manifest = Manifest {
        units: count(Kind::Unit),
        links: count(Kind::Link),
        notes: count(Kind::Note),
        contents: contents(&sources)?,
    };
    let entries: Vec<Entry> = sources.into_iter().map(|source| source.entry).collect();
    let mut file = Builder::default();
    file.section(MANIFEST, 0, format::to_bytes(&manifest)?)?;
    file.packed(INDEX, 0, Packed::new(format::to_bytes(&entries)?, LEVEL))?;
    if !kept.is_empty() {
        file.packed(KEPT, 0, Packed::new(format::to_bytes(&kept)?, LEVEL))?;
    }
    for (number, block) in (0..=u16::MAX).zip(blocks.done) {
        file.packed(BLOCK, number, block)?;
    }
    Ok((file.finish(), manifest))
}

/// Large enough that the blocks are not too many.
fn block_size(sources: &[Source]) -> usize {
    let raw = |source: &Source| -> u64 {
        let lengths = source.container.tags().filter_map(|(tag, index)| source.container.lengths(tag, index));
        lengths.map(|(_, raw)| raw).sum()
    };
    let total: u64 = sources.iter().map(raw).sum();
    BLOCK_SIZE.max(usize::try_from(total / (MAX_BLOCKS as u64 / 2)).unwrap_or(usize::MAX))
}

/// The hash of all records: of each its kind, key and version, and of each of its sections tag, index, length and contents.
fn contents(sources: &[Source]) -> Result<Hash, FormatError> {
    let mut hasher = blake3::Hasher::new();
    for Source { container, entry } in sources {
        hasher.update(&[entry.kind as u8]);
        hasher.update(&(entry.key.len() as u64).to_le_bytes());
        hasher.update(&entry.key);
        hasher.update(&entry.minor.to_le_bytes());
        hasher.update(&(entry.sections.len() as u32).to_le_bytes());
        for Place { tag, index, length, .. } in &entry.sections {
            hasher.update(tag);
            hasher.update(&index.to_le_bytes());
            hasher.update(&length.to_le_bytes());
            hasher.update(&container.section(*tag, *index)?.unwrap_or_default());
        }
    }
    Ok(Hash(*hasher.finalize().as_bytes()))
}

/// Blocks on their way: packed, full, and the one being filled.
struct Blocks {
    done: Vec<Packed>,
    waiting: Vec<Vec<u8>>,
    open: Vec<u8>,
    size: usize,
}

impl Blocks {
    /// Adds a section; says in which block, and where in it.
    fn add(&mut self, contents: &[u8]) -> Result<(u16, u64), FormatError> {
        if !self.open.is_empty() && self.open.len() + contents.len() > self.size {
            self.close();
        }
        let block = u16::try_from(self.done.len() + self.waiting.len())
            .ok()
            .filter(|number| usize::from(*number) < MAX_BLOCKS)
            .ok_or(FormatError::TooLarge { what: "a recording", length: contents.len() })?;
        let start = self.open.len() as u64;
        self.open.extend_from_slice(contents);
        Ok((block, start))
    }

    /// Ends the block that is being filled.
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.waiting.push(std::mem::take(&mut self.open));
        }
        if self.waiting.len() >= BATCH {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let full = std::mem::take(&mut self.waiting);
        self.done.par_extend(full.into_par_iter().map(|block| Packed::new(block, LEVEL)));
    }
}
