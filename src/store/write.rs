//! Writing: whole or not at all, by any number of processes at once.
//!
//! A file is written under `tmp/`, then renamed to its place; one that would not change is left as it is, for the kernel
//! takes longer to make and replace a file than to read it. There is no `fsync`: a record lost to a power cut
//! costs one unit of a recording that can be made again, whereas waiting for the disk would cost every compile
//! of every build some milliseconds. A file that the cut left half on the disk is caught by its hashes.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bstr::ByteSlice;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::container::{Builder, Container, Tag};
use super::error::StoreError;
use super::hashes::HashCache;
use super::layout::{self, ObjectKey, STORE_FORMAT};
use super::record::{Cost, LinkRecord, Note, Record};
use super::scratch::{self, Scratch};
use super::{format, layout::MARKER};
use crate::object::Hash;

const KEY: Tag = *b"CKEY";
const VALUE: Tag = *b"CVAL";
/// How often a write is tried again that lost its temporary file to a sweep.
const ATTEMPTS: usize = 4;

/// A store that was opened: a directory with a marker of ours in it.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    format: u16,
    hashes: OnceLock<HashCache>,
}

impl Store {
    /// Makes a store at `root`, with its parents; opens it where there is one already. A directory that holds
    /// anything else is refused. Any number of processes may do this at once.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        match Self::open(root) {
            Err(StoreError::NotAStore(_)) => {}
            opened => return opened,
        }
        fs::create_dir_all(root).map_err(StoreError::io("make the directory", root))?;
        let entries = fs::read_dir(root).map_err(StoreError::io("read", root))?;
        let foreign = entries.flatten().any(|entry| {
            let name = entry.file_name();
            // A process that was killed while it made this store left a temporary behind.
            !scratch::is_file(Path::new(&name)) && name != ".gitignore" && name != MARKER
        });
        if foreign && !root.join(MARKER).exists() {
            return Err(StoreError::NotAStore(root.to_path_buf()));
        }
        for (name, contents) in
            [(".gitignore", "*\n".into()), (MARKER, format!("lpcc store {STORE_FORMAT}\n"))]
        {
            let path = root.join(name);
            write_aside(root, &path, false, contents.as_bytes()).map_err(StoreError::io("write", &path))?;
        }
        Self::open(root)
    }

    /// Opens the store at `root`. One that a newer lpcc made is opened too: reading works, writing fails with
    /// [`StoreError::Newer`].
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let marker = root.join(MARKER);
        let text = match fs::read(&marker) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(StoreError::NotAStore(root.to_path_buf()));
            }
            Err(error) => return Err(StoreError::io("read", &marker)(error)),
        };
        let format = text
            .strip_prefix(b"lpcc store ")
            .and_then(|rest| rest.trim_ascii().to_str().ok())
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| StoreError::NotAStore(root.to_path_buf()))?;
        Ok(Self { root: root.to_path_buf(), format, hashes: OnceLock::new() })
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps the record of a unit, in the place of the one that the same object had. Done when this returns;
    /// on an error, the old record stands.
    pub fn write_unit(&self, record: &Record) -> Result<PathBuf, StoreError> {
        let place = ObjectKey::of(layout::path(&record.unit.output));
        self.write(&place.place(&self.folder(layout::UNITS)), &format::encode(record)?)
    }

    /// Keeps what the variants of a unit took, beside its record.
    pub fn write_costs(&self, output: &Path, costs: &[Cost]) -> Result<PathBuf, StoreError> {
        let place = ObjectKey::of(output).place(&self.folder(layout::UNITS));
        self.write(&place.with_extension(layout::COST_EXTENSION), &format::encode_costs(costs)?)
    }

    /// Keeps the record of a link, likewise.
    pub fn write_link(&self, link: &LinkRecord) -> Result<PathBuf, StoreError> {
        let place = ObjectKey::of(layout::path(&link.output));
        self.write(&place.place(&self.folder(layout::LINKS)), &format::encode_link(link)?)
    }

    /// Keeps a note; the same note a second time changes nothing.
    pub fn note(&self, note: &Note) -> Result<PathBuf, StoreError> {
        let bytes = format::encode_note(note)?;
        let place = ObjectKey::from_hash(Hash::of(&bytes)).place(&self.folder(layout::NOTES));
        self.write(&place, &bytes)
    }

    /// A directory of one's own in the store; removed when dropped, swept by `gc` if the process dies.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        self.writable()?;
        let temporary = self.temporary()?;
        Scratch::new_in(&temporary).map_err(StoreError::io("make a directory in", &temporary))
    }

    /// Removes the directories that killed processes left behind. Trouble is left for `gc` to tell of.
    pub fn sweep_scratch(&self) {
        for path in self.leftovers().into_iter().filter(|path| path.is_dir()) {
            let _ = scratch::remove(&path);
        }
    }

    /// The BLAKE3 of the contents of the file at `path`, from the cache where that is safe; `None` where the
    /// file cannot be read, is no regular file, or changes while it is read.
    pub fn hash_file(&self, path: &Path) -> Option<Hash> {
        let writable = self.format <= STORE_FORMAT;
        self.hashes.get_or_init(|| HashCache::open(&self.folder(layout::HASHES), writable)).hash_file(path)
    }

    /// What was kept for `key` by [`Self::compiler_cache_put`]; `None` also where it is damaged.
    pub fn compiler_cache_get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let container = Container::open(&self.compiler_file(key)).ok()?;
        (container.section(KEY, 0).ok()??.as_slice() == key).then_some(())?;
        container.section(VALUE, 0).ok()?
    }

    /// Keeps what is known of a compiler under a key that names the compiler in every respect that matters.
    pub fn compiler_cache_put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut file = Builder::default();
        file.section(KEY, 0, key.to_vec())?.section(VALUE, 0, value.to_vec())?;
        self.write(&self.compiler_file(key), &file.finish()).map(drop)
    }

    fn compiler_file(&self, key: &[u8]) -> PathBuf {
        ObjectKey::from_hash(Hash::of(key)).place(&self.folder(layout::COMPILERS))
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// An error where a newer lpcc made the store.
    pub(super) fn writable(&self) -> Result<(), StoreError> {
        if self.format > STORE_FORMAT {
            return Err(StoreError::Newer { root: self.root.clone(), found: self.format });
        }
        Ok(())
    }

    /// The folder of temporaries, made if need be.
    pub(super) fn temporary(&self) -> Result<PathBuf, StoreError> {
        let temporary = self.folder(layout::TEMPORARY);
        self.make(&temporary)?;
        Ok(temporary)
    }

    /// Makes a folder below the root and those above it, but never the root itself: a store that was deleted
    /// while a build ran must not come back without its marker.
    pub(super) fn make(&self, folder: &Path) -> Result<(), StoreError> {
        let parent = folder.parent().filter(|parent| *parent != self.root);
        match (fs::create_dir(folder), parent) {
            (Err(error), _) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
                self.make(parent)?;
                self.make(folder)
            }
            (result, _) => result.map_err(StoreError::io("make the directory", folder)),
        }
    }

    fn write(&self, place: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        self.writable()?;
        let before = contents(place, bytes.len());
        if before.as_deref() == Some(bytes) {
            return Ok(place.to_path_buf());
        }
        let temporary = self.folder(layout::TEMPORARY);
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            result = write_aside(&temporary, place, before.is_some(), bytes);
            match &result {
                // A folder is missing, or a sweep took the temporary file before it was locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.temporary()?;
                    self.make(place.parent().unwrap_or(place))?;
                }
                _ => break,
            }
        }
        result.map_err(StoreError::io("write", place))?;
        Ok(place.to_path_buf())
    }
}

/// What the file at `place` holds, if there is one; nothing where it is not of the length that matters.
fn contents(place: &Path, length: usize) -> Option<Vec<u8>> {
    let mut file = fs::File::open(place).ok()?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let mut found = Vec::new();
    if metadata.len() == length as u64 {
        let _ = file.read_to_end(&mut found);
    }
    Some(found)
}

/// Writes a temporary file in `aside` and renames it to `place`. What is there already changes places with it and is
/// then removed: ext4 writes to the disk at once what is renamed over another file, which takes longer than all the
/// rest (measured: 85 microseconds of processor time a record, 41 so).
fn write_aside(aside: &Path, place: &Path, replaces: bool, bytes: &[u8]) -> io::Result<()> {
    let mut file = scratch::file_in(aside)?;
    file.write_all(bytes)?;
    if replaces && renameat_with(CWD, file.path(), CWD, place, RenameFlags::EXCHANGE).is_ok() {
        return Ok(());
    }
    file.persist(place).map(drop).map_err(|error| error.error)
}
