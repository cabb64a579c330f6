//! Snapshots: the state of a store under a name, to be compared with later.
//!
//! Records are never changed in place, so a snapshot is a directory of hard links: made soon, however large
//! the build, and none the worse for what the build writes afterwards.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::layout::{COST_EXTENSION, INPUTS, LINKS, NOTES, SNAPSHOTS, UNITS};
use super::read::{Recording, UnitEntry, files};
use super::write::Store;

/// A name that was found fit for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotName(PathBuf);

/// What a snapshot holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Records of units.
    pub units: usize,
    /// Records of links.
    pub links: usize,
    /// Notes.
    pub notes: usize,
    /// Inputs that the build generated, kept as contents.
    pub inputs: usize,
    /// Units left out because their object is gone: what a configure script tried.
    pub vanished: usize,
    /// Damaged records, kept so that they are not lost in silence.
    pub damaged: usize,
    /// There was a snapshot of this name, and it was replaced.
    pub replaced: bool,
}

impl SnapshotName {
    /// Accepts a name that is one path component, does not begin with a dot and is not longer than a file name.
    pub fn new(name: &OsStr) -> Result<Self, StoreError> {
        let bytes = name.as_bytes();
        let why = match bytes {
            [] => "it is empty",
            [b'.', ..] => "it begins with a dot",
            _ if bytes.contains(&b'/') => "it holds a `/`",
            _ if bytes.contains(&0) => "it holds a NUL",
            _ if bytes.len() > 200 => "it is longer than 200 bytes",
            _ => return Ok(Self(PathBuf::from(name))),
        };
        Err(StoreError::Name { name: name.to_string_lossy().into_owned(), why })
    }

    pub(super) fn directory(&self, store: &Store) -> PathBuf {
        store.folder(SNAPSHOTS).join(&self.0)
    }
}

impl Store {
    /// Fixes the current state under `name`. A snapshot of that name is replaced: for the time between two
    /// renames there is none, then there is the new one; never half of either.
    pub fn snapshot(&self, name: &OsStr) -> Result<SnapshotSummary, StoreError> {
        let name = SnapshotName::new(name)?;
        self.writable()?;
        let place = name.directory(self);
        let scratch = self.scratch()?;
        let fresh = scratch.path().join("new");
        let mut summary = SnapshotSummary::default();

        for kind in [UNITS, LINKS, NOTES] {
            let folder = fresh.join(kind);
            fs::create_dir_all(&folder).map_err(StoreError::io("make the directory", &folder))?;
        }
        let current = Recording::open(self, None)?;
        let gone = current.gone();
        for file in current.files(UNITS) {
            if gone.contains(&file) {
                summary.vanished += 1;
                continue;
            }
            summary.damaged += usize::from(UnitEntry::open(file.clone()).is_err());
            summary.units += usize::from(keep(&file, &fresh.join(UNITS))?);
            keep(&file.with_extension(COST_EXTENSION), &fresh.join(UNITS))?;
        }
        let gone_links = current.gone_links();
        for file in current.files(LINKS).into_iter().filter(|file| !gone_links.contains(file)) {
            summary.links += usize::from(keep(&file, &fresh.join(LINKS))?);
        }
        for file in current.files(NOTES) {
            summary.notes += usize::from(keep(&file, &fresh.join(NOTES))?);
        }

        summary.inputs = self.keep_generated(&current, &fresh)?;

        let snapshots = self.folder(SNAPSHOTS);
        self.make(&snapshots)?;
        summary.replaced = fs::rename(&place, scratch.path().join("old")).is_ok();
        fs::rename(&fresh, &place).map_err(StoreError::io("make the snapshot", &place))?;
        Ok(summary)
    }

    /// Names of all snapshots, sorted.
    pub fn snapshots(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder(SNAPSHOTS)).into_iter().flatten().flatten();
        let mut names: Vec<PathBuf> = entries.map(|entry| entry.file_name().into()).collect();
        names.sort_unstable();
        names
    }

    /// Number of unit records and bytes of all files, of the current state or a snapshot.
    pub fn sizes(recording: &Recording) -> (usize, u64) {
        let units = recording.files(UNITS);
        let others = [LINKS, NOTES, INPUTS].into_iter().flat_map(|kind| recording.files(kind));
        let all = units.iter().cloned().chain(others);
        let bytes = all.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        (units.len(), bytes)
    }
}

/// Links `file` into `folder` under the same two last components; `false` where it has gone meanwhile.
fn keep(file: &Path, folder: &Path) -> Result<bool, StoreError> {
    let (Some(name), Some(inner)) = (file.file_name(), file.parent().and_then(Path::file_name)) else {
        return Ok(false);
    };
    let inner = folder.join(inner);
    if !inner.is_dir() {
        fs::create_dir(&inner).map_err(StoreError::io("make the directory", &inner))?;
    }
    let place = inner.join(name);
    match fs::hard_link(file, &place).or_else(|_| fs::copy(file, &place).map(drop)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("link", file)(error)),
    }
}

/// Everything that lies in a snapshot, for `verify`.
pub(super) fn snapshot_files(store: &Store) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for name in store.snapshots() {
        let directory = store.folder(SNAPSHOTS).join(name);
        for kind in [UNITS, LINKS, NOTES, INPUTS] {
            all.extend(files(&directory.join(kind)));
        }
    }
    all
}
