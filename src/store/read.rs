//! Reading a recording: the current state of a store, a snapshot of it, or a directory of records.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::vec;

use super::error::{Damaged, FormatError, StoreError};
use super::format::{self, Identity, RecordFile};
use super::layout::{self, LINKS, NOTES, ObjectKey, UNITS};
use super::record::{Cost, LinkRecord, Note};
use super::snapshots::SnapshotName;
use super::write::Store;

/// All records of one build.
#[derive(Debug, Clone)]
pub struct Recording {
    directory: PathBuf,
}

/// The record of one unit: who it is has been read, the rest is read when asked for.
#[derive(Debug, Clone)]
pub struct UnitEntry {
    /// The record's file.
    pub file: PathBuf,
    /// Who it is.
    pub identity: Identity,
    /// The rest.
    pub record: RecordFile,
}

impl Recording {
    /// The snapshot `name` of `store`, or its current state.
    pub fn open(store: &Store, name: Option<&OsStr>) -> Result<Self, StoreError> {
        let Some(name) = name else { return Ok(Self { directory: store.root().to_path_buf() }) };
        let directory = SnapshotName::new(name)?.directory(store);
        if !directory.is_dir() {
            return Err(StoreError::NoSnapshot {
                root: store.root().to_path_buf(),
                name: name.to_string_lossy().into_owned(),
            });
        }
        Ok(Self { directory })
    }

    /// The recording in `path`: a store (its current state), a snapshot's directory, or one with a `.lpcc`.
    pub fn open_dir(path: &Path) -> Result<Self, StoreError> {
        let inner = path.join(super::locate::DIRECTORY);
        [path, &inner]
            .into_iter()
            .find(|path| path.join(layout::MARKER).is_file() || path.join(UNITS).is_dir())
            .map(|path| Self { directory: path.to_path_buf() })
            .ok_or_else(|| StoreError::NotAStore(path.to_path_buf()))
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every unit, in the order of the files' names; a damaged one in its place, the rest go on.
    pub fn units(&self) -> Units {
        Units { files: self.files(UNITS).into_iter() }
    }

    /// Every link.
    pub fn links(&self) -> impl Iterator<Item = Result<LinkRecord, Damaged>> {
        self.files(LINKS)
            .into_iter()
            .map(|file| format::read_link(&file).map_err(|why| Damaged { file, why }))
    }

    /// Every note.
    pub fn notes(&self) -> impl Iterator<Item = Result<Note, Damaged>> {
        self.files(NOTES)
            .into_iter()
            .map(|file| format::read_note(&file).map_err(|why| Damaged { file, why }))
    }

    /// The unit whose object is `output`, an absolute path; `None` where there is none.
    pub fn find(&self, output: &Path) -> Result<Option<UnitEntry>, Damaged> {
        let file = ObjectKey::of(output).place(&self.directory.join(UNITS));
        if !file.exists() {
            return Ok(None);
        }
        UnitEntry::open(file).map(Some)
    }

    /// The link whose output is `output`, an absolute path.
    pub fn find_link(&self, output: &Path) -> Result<Option<LinkRecord>, Damaged> {
        let file = ObjectKey::of(output).place(&self.directory.join(LINKS));
        if !file.exists() {
            return Ok(None);
        }
        format::read_link(&file).map(Some).map_err(|why| Damaged { file, why })
    }

    /// All units whose object's path ends in the components of `suffix` (`fork.o`, `kernel/fork.o`), by output.
    /// Damaged records cannot be asked and are left out.
    pub fn find_suffix(&self, suffix: &Path) -> Vec<UnitEntry> {
        let suffix = layout::absolute(Path::new("/"), suffix);
        let suffix = suffix.strip_prefix("/").unwrap_or(&suffix);
        let mut found: Vec<UnitEntry> =
            self.units().flatten().filter(|unit| unit.output().ends_with(suffix)).collect();
        found.sort_by(|a, b| a.output().cmp(b.output()));
        found
    }

    /// Record files under one folder, sorted by name.
    pub(super) fn files(&self, kind: &str) -> Vec<PathBuf> {
        files(&self.directory.join(kind))
    }
}

/// Files of the form `xx/NAME.lpcc` in `folder`, sorted; none where there is no such folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_record =
        |path: &PathBuf| path.extension().is_some_and(|end| end.as_bytes() == layout::EXTENSION.as_bytes());
    let mut files: Vec<PathBuf> =
        entries(folder).flat_map(|inner| entries(&inner).filter(is_record)).collect();
    files.sort_unstable();
    files
}

impl UnitEntry {
    /// Reads who the record in `file` is.
    pub fn open(file: PathBuf) -> Result<Self, Damaged> {
        match RecordFile::open(&file).and_then(|record| Ok((record.identity()?, record))) {
            Ok((identity, record)) => Ok(Self { file, identity, record }),
            Err(why) => Err(Damaged { file, why }),
        }
    }

    /// The object, absolute.
    pub fn output(&self) -> &Path {
        layout::path(&self.identity.unit.output)
    }

    /// What compiling its variants took; nothing where that is not known.
    pub fn costs(&self) -> Vec<Cost> {
        format::read_costs(&self.file.with_extension(layout::COST_EXTENSION)).unwrap_or_default()
    }

    /// Names this record's file in an error of reading one of its parts.
    pub fn damaged(&self, why: FormatError) -> Damaged {
        Damaged { file: self.file.clone(), why }
    }
}

/// Iterator over the units of a recording.
#[derive(Debug)]
pub struct Units {
    files: vec::IntoIter<PathBuf>,
}

impl Iterator for Units {
    type Item = Result<UnitEntry, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.files.next().map(UnitEntry::open)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.files.size_hint()
    }
}
