//! Reading an export where it lies.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{BLOCK, Entry, INDEX, KEPT, Kept, Kind, MANIFEST, MAX_INDEX, Manifest};
use crate::object::Hash;
use crate::store::container::{Container, Pool, Pooled, VERSION, Version};
use crate::store::error::{Damaged, FormatError};
use crate::store::format::{self, RecordFile};
use crate::store::layout;
use crate::store::read::UnitEntry;
use crate::store::record::{LinkRecord, Note};

/// Unpacked blocks kept at hand, in bytes; the last one read is kept whatever its size.
const AT_HAND: usize = 48 << 20;

/// An export that was opened, and whose every stored byte was found to be what was written.
#[derive(Debug)]
pub struct Export {
    file: PathBuf,
    manifest: Manifest,
    entries: Vec<Entry>,
    /// By hash.
    kept: Vec<Kept>,
    blocks: Arc<Blocks>,
}

impl Export {
    /// The export in `file`; `None` where it is something else: an object, a record.
    pub fn open(file: &Path) -> Result<Option<Self>, Damaged> {
        let container = match Container::open(file) {
            Ok(container) if container.has(MANIFEST, 0) => container,
            Ok(_) | Err(FormatError::Foreign | FormatError::Unreadable(_)) => return Ok(None),
            Err(why) => return Err(Damaged { file: file.to_path_buf(), why }),
        };
        Self::read(file, container).map(Some).map_err(|why| Damaged { file: file.to_path_buf(), why })
    }

    /// An export in memory, for tests.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, FormatError> {
        Self::read(Path::new(""), Container::from_bytes(bytes)?)
    }

    fn read(file: &Path, container: Container) -> Result<Self, FormatError> {
        // All of it now: one damaged block is one error, and not one for each of its thousand records.
        container.check_all()?;
        let manifest: Manifest = format::required(&container, MANIFEST, 0)?;
        if container.lengths(INDEX, 0).is_some_and(|(_, raw)| raw > MAX_INDEX) {
            return Err(FormatError::damaged("the index is too long to be believed"));
        }
        let entries: Vec<Entry> = format::required(&container, INDEX, 0)?;
        sound(&container, &manifest, &entries)?;
        let kept: Vec<Kept> =
            if container.has(KEPT, 0) { format::required(&container, KEPT, 0)? } else { Vec::new() };
        if !kept.is_sorted_by(|one, other| one.hash < other.hash) {
            return Err(FormatError::damaged("the contents of inputs are out of order"));
        }
        kept.iter().try_for_each(|kept| lies_within(&container, kept.block, kept.start, kept.length))?;
        let blocks = Arc::new(Blocks { container, at_hand: Mutex::default() });
        Ok(Self { file: file.to_path_buf(), manifest, entries, kept, blocks })
    }

    /// Where it lies.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Every unit, by output.
    pub fn units(&self) -> impl Iterator<Item = Result<UnitEntry, Damaged>> {
        self.of(Kind::Unit).iter().map(|entry| self.unit(entry))
    }

    /// Every link, by output.
    pub fn links(&self) -> impl Iterator<Item = Result<LinkRecord, Damaged>> {
        self.of(Kind::Link).iter().map(|entry| self.link(entry))
    }

    /// Every note.
    pub fn notes(&self) -> impl Iterator<Item = Result<Note, Damaged>> {
        self.of(Kind::Note)
            .iter()
            .map(|entry| format::note(&self.container(entry)).map_err(|why| self.damaged(why)))
    }

    /// How many units there are.
    pub fn number_of_units(&self) -> usize {
        self.of(Kind::Unit).len()
    }

    /// The unit whose object is `output`.
    pub fn find(&self, output: &Path) -> Result<Option<UnitEntry>, Damaged> {
        self.entry(Kind::Unit, output).map(|entry| self.unit(entry)).transpose()
    }

    /// The link whose output is `output`.
    pub fn find_link(&self, output: &Path) -> Result<Option<LinkRecord>, Damaged> {
        self.entry(Kind::Link, output).map(|entry| self.link(entry)).transpose()
    }

    /// Hashes of the generated inputs whose contents it holds.
    pub(crate) fn kept_hashes(&self) -> impl Iterator<Item = Hash> {
        self.kept.iter().map(|kept| kept.hash)
    }

    /// The contents that are said to have this hash; `None` where there are none, or they are damaged.
    pub(in crate::store) fn kept(&self, hash: Hash) -> Option<Vec<u8>> {
        let at = self.kept.binary_search_by(|kept| kept.hash.cmp(&hash)).ok()?;
        let Kept { block, start, length, .. } = self.kept.get(at)?;
        self.blocks.read(*block, *start, *length).ok()
    }

    /// Every record as the file that it is in a store, with its kind's folder.
    pub(super) fn containers(&self) -> impl Iterator<Item = (Kind, &Path, Container)> {
        self.entries.iter().map(|entry| (entry.kind, layout::path(&entry.key), self.container(entry)))
    }

    fn entry(&self, kind: Kind, output: &Path) -> Option<&Entry> {
        let key = layout::absolute(Path::new("/"), output);
        let entries = self.of(kind);
        let at = entries.binary_search_by(|entry| layout::path(&entry.key).as_os_str().cmp(key.as_os_str()));
        entries.get(at.ok()?)
    }

    /// The entries of one kind, which lie together.
    fn of(&self, kind: Kind) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.kind < kind);
        let end = self.entries.partition_point(|entry| entry.kind <= kind);
        self.entries.get(start..end).unwrap_or_default()
    }

    fn unit(&self, entry: &Entry) -> Result<UnitEntry, Damaged> {
        let record = RecordFile::from(self.container(entry));
        let identity = record.identity().map_err(|why| self.damaged(why))?;
        if identity.unit.output != entry.key {
            return Err(self.damaged(FormatError::damaged("the index names another object than the record")));
        }
        Ok(UnitEntry { file: self.file.clone(), identity, record })
    }

    fn link(&self, entry: &Entry) -> Result<LinkRecord, Damaged> {
        format::link(&self.container(entry)).map_err(|why| self.damaged(why))
    }

    fn container(&self, entry: &Entry) -> Container {
        let version = Version { major: VERSION.major, minor: entry.minor };
        let places = entry.sections.iter().map(|place| Pooled {
            tag: place.tag,
            index: place.index,
            block: place.block,
            start: place.start,
            length: place.length,
        });
        Container::pooled(version, Arc::clone(&self.blocks) as Arc<dyn Pool>, places)
    }

    fn damaged(&self, why: FormatError) -> Damaged {
        Damaged { file: self.file.clone(), why }
    }
}

/// Whether the index can be believed: in order, each section within a block that is there.
fn sound(container: &Container, manifest: &Manifest, entries: &[Entry]) -> Result<(), FormatError> {
    let counts = [(Kind::Unit, manifest.units), (Kind::Link, manifest.links), (Kind::Note, manifest.notes)];
    if counts
        .iter()
        .any(|(kind, number)| entries.iter().filter(|it| it.kind == *kind).count() != *number as usize)
    {
        return Err(FormatError::damaged("the index holds another number of records than the manifest says"));
    }
    let ordered = |pair: &[Entry]| match pair {
        [one, other] if one.kind == other.kind && one.kind != Kind::Note => one.key < other.key,
        [one, other] => one.kind <= other.kind,
        _ => true,
    };
    if !entries.windows(2).all(ordered) {
        return Err(FormatError::damaged("the index is out of order"));
    }
    for entry in entries {
        for (at, place) in entry.sections.iter().enumerate() {
            lies_within(container, place.block, place.start, place.length)?;
            let before = entry.sections.get(..at).unwrap_or_default();
            if before.iter().any(|other| (other.tag, other.index) == (place.tag, place.index)) {
                return Err(FormatError::damaged("a section of a record stands twice"));
            }
        }
    }
    Ok(())
}

/// Whether a range lies in a block that is there.
fn lies_within(container: &Container, block: u16, start: u64, length: u64) -> Result<(), FormatError> {
    let (_, raw) = container
        .lengths(BLOCK, block)
        .ok_or_else(|| FormatError::damaged("the index names a block that is not there"))?;
    if start.checked_add(length).is_none_or(|end| end > raw) {
        return Err(FormatError::damaged("the index reaches beyond a block"));
    }
    Ok(())
}

/// The blocks, of which the last ones used stay unpacked.
#[derive(Debug)]
struct Blocks {
    container: Container,
    /// The latest last.
    at_hand: Mutex<Vec<(u16, Arc<Vec<u8>>)>>,
}

impl Blocks {
    fn block(&self, number: u16) -> Result<Arc<Vec<u8>>, FormatError> {
        // Held while a block is unpacked: however many threads ask, one block at a time comes to what is at hand.
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(position) = at_hand.iter().position(|(known, _)| *known == number) {
            let found = at_hand.remove(position);
            let block = Arc::clone(&found.1);
            at_hand.push(found);
            return Ok(block);
        }
        let missing = || FormatError::damaged("a block is missing");
        let block = Arc::new(self.container.section(BLOCK, number)?.ok_or_else(missing)?);
        at_hand.push((number, Arc::clone(&block)));
        let mut total: usize = at_hand.iter().map(|(_, block)| block.len()).sum();
        while total > AT_HAND && at_hand.len() > 1 {
            total -= at_hand.remove(0).1.len();
        }
        Ok(block)
    }
}

impl Pool for Blocks {
    fn read(&self, block: u16, start: u64, length: u64) -> Result<Vec<u8>, FormatError> {
        let block = self.block(block)?;
        let range = usize::try_from(start).ok().zip(usize::try_from(start.saturating_add(length)).ok());
        range
            .and_then(|(start, end)| block.get(start..end))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| FormatError::damaged("the index reaches beyond a block"))
    }
}
