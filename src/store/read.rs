//! Reading a recording: the current state of a store, a snapshot of it, a directory of records, or an export.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Damaged, FormatError, StoreError};
use super::export::Export;
use super::format::{self, Identity, RecordFile};
use super::layout::{self, LINKS, NOTES, ObjectKey, UNITS};
use super::record::{Cost, LinkRecord, Note};
use super::snapshots::SnapshotName;
use super::write::Store;

/// All records of one build.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its directory, or the export's file.
    place: PathBuf,
    export: Option<Arc<Export>>,
}

/// The record of one unit: who it is has been read, the rest is read when asked for.
#[derive(Debug, Clone)]
pub struct UnitEntry {
    /// The record's file, or the export that it lies in.
    pub file: PathBuf,
    /// Who it is.
    pub identity: Identity,
    /// The rest.
    pub record: RecordFile,
}

impl Recording {
    /// The snapshot `name` of `store`, or its current state.
    pub fn open(store: &Store, name: Option<&OsStr>) -> Result<Self, StoreError> {
        let Some(name) = name else { return Ok(Self::in_directory(store.root())) };
        let directory = SnapshotName::new(name)?.directory(store);
        if !directory.is_dir() {
            return Err(StoreError::NoSnapshot {
                root: store.root().to_path_buf(),
                name: name.to_string_lossy().into_owned(),
            });
        }
        Ok(Self::in_directory(&directory))
    }

    /// The recording that was exported to `file`; `None` where that is no export.
    pub fn open_export(file: &Path) -> Result<Option<Self>, Damaged> {
        let export = Export::open(file)?;
        Ok(export.map(|export| Self { place: file.to_path_buf(), export: Some(Arc::new(export)) }))
    }

    fn in_directory(directory: &Path) -> Self {
        Self { place: directory.to_path_buf(), export: None }
    }

    /// The recording in `path`: a store (its current state), a snapshot's directory, or one with a `.lpcc`.
    pub fn open_dir(path: &Path) -> Result<Self, StoreError> {
        let inner = path.join(super::locate::DIRECTORY);
        [path, &inner]
            .into_iter()
            .find(|path| path.join(layout::MARKER).is_file() || path.join(UNITS).is_dir())
            .map(Self::in_directory)
            .ok_or_else(|| StoreError::NotAStore(path.to_path_buf()))
    }

    /// Where it lies: a directory, or an export's file.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The export that it is read from, where it is one.
    pub fn exported(&self) -> Option<&Export> {
        self.export.as_deref()
    }

    /// Every unit, in the order of the files' names, in an export by output; a damaged one in its place, the rest go on.
    pub fn units(&self) -> impl Iterator<Item = Result<UnitEntry, Damaged>> {
        let files = self.files(UNITS).into_iter().map(UnitEntry::open);
        files.chain(self.exported().into_iter().flat_map(Export::units))
    }

    /// Every link.
    pub fn links(&self) -> impl Iterator<Item = Result<LinkRecord, Damaged>> {
        let read = |file: PathBuf| format::read_link(&file).map_err(|why| Damaged { file, why });
        let files = self.files(LINKS).into_iter().map(read);
        files.chain(self.exported().into_iter().flat_map(Export::links))
    }

    /// Every note.
    pub fn notes(&self) -> impl Iterator<Item = Result<Note, Damaged>> {
        let read = |file: PathBuf| format::read_note(&file).map_err(|why| Damaged { file, why });
        let files = self.files(NOTES).into_iter().map(read);
        files.chain(self.exported().into_iter().flat_map(Export::notes))
    }

    /// The unit whose object is `output`, an absolute path; `None` where there is none.
    pub fn find(&self, output: &Path) -> Result<Option<UnitEntry>, Damaged> {
        if let Some(export) = &self.export {
            return export.find(output);
        }
        let file = ObjectKey::of(output).place(&self.place.join(UNITS));
        if !file.exists() {
            return Ok(None);
        }
        UnitEntry::open(file).map(Some)
    }

    /// The link whose output is `output`, an absolute path.
    pub fn find_link(&self, output: &Path) -> Result<Option<LinkRecord>, Damaged> {
        if let Some(export) = &self.export {
            return export.find_link(output);
        }
        let file = ObjectKey::of(output).place(&self.place.join(LINKS));
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

    /// Record files under one folder, sorted by name; an export has none.
    pub(super) fn files(&self, kind: &str) -> Vec<PathBuf> {
        if self.export.is_some() { Vec::new() } else { files(&self.place.join(kind)) }
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

    /// What compiling its variants took; nothing where that is not known, as from an export.
    pub fn costs(&self) -> Vec<Cost> {
        if self.record.container().is_pooled() {
            return Vec::new();
        }
        format::read_costs(&self.file.with_extension(layout::COST_EXTENSION)).unwrap_or_default()
    }

    /// Names this record's file in an error of reading one of its parts.
    pub fn damaged(&self, why: FormatError) -> Damaged {
        Damaged { file: self.file.clone(), why }
    }
}
