//! What a store need not keep: records of objects that are gone, and what dead processes left behind.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::layout::{LINKS, TEMPORARY};
use super::read::{Recording, files};
use super::write::Store;
use super::{format, layout, scratch};

/// Something that `gc` removed, or would remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The file or directory in the store.
    pub file: PathBuf,
    /// Why it is not needed.
    pub reason: RemovalReason,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why something is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalReason {
    /// The recorded object or linked file is gone.
    Vanished(PathBuf),
    /// The process that wrote it died.
    Leftover,
}

impl Store {
    /// Removes records of vanished outputs from the current state, and stale temporaries; snapshots are left as
    /// they are. With `dry_run` it only says what it would remove. Damaged records are left for a person.
    pub fn gc(&self, dry_run: bool) -> Result<Vec<Removal>, StoreError> {
        self.writable()?;
        let mut removals: Vec<Removal> = Vec::new();
        let current = Recording::open(self, None)?;
        let gone = current.gone();
        for unit in current.units().flatten().filter(|unit| gone.contains(&unit.file)) {
            removals.extend(vanished(&unit.file, unit.output()));
        }
        for file in files(&self.folder(LINKS)) {
            if let Ok(link) = format::read_link(&file) {
                removals.extend(vanished(&file, layout::path(&link.output)));
            }
        }
        removals.extend(self.leftovers().into_iter().map(|file| {
            let bytes = size(&file);
            Removal { file, reason: RemovalReason::Leftover, bytes }
        }));
        if !dry_run {
            for removal in &removals {
                remove(removal)?;
            }
        }
        Ok(removals)
    }

    /// Temporaries that belong to nobody any more. The files that make a store are written in its root, before there
    /// is a folder for temporaries.
    pub(super) fn leftovers(&self) -> Vec<PathBuf> {
        let entries = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
        let in_root = entries(self.root()).map(|entry| entry.path()).filter(|path| scratch::is_file(path));
        let all = entries(&self.folder(TEMPORARY)).map(|entry| entry.path()).chain(in_root);
        all.filter(|path| scratch::is_stale(path)).collect()
    }
}

fn vanished(file: &Path, output: &Path) -> Option<Removal> {
    let gone = output.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    gone.then(|| Removal {
        file: file.to_path_buf(),
        reason: RemovalReason::Vanished(output.to_path_buf()),
        bytes: size(file),
    })
}

/// Removes one thing; that it is gone already is as good. A build may have made the object anew meanwhile, and
/// then its record is new as well.
fn remove(removal: &Removal) -> Result<(), StoreError> {
    if matches!(&removal.reason, RemovalReason::Vanished(output) if output.symlink_metadata().is_ok()) {
        return Ok(());
    }
    if let RemovalReason::Vanished(_) = removal.reason {
        let _ = scratch::remove(&removal.file.with_extension(layout::COST_EXTENSION)); // most records have none
    }
    match scratch::remove(&removal.file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", &removal.file)(error))
        }
        _ => Ok(()),
    }
}

/// Bytes of a file, or of all files in a directory.
fn size(path: &Path) -> u64 {
    let files = walkdir::WalkDir::new(path).into_iter().flatten();
    files.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file).map(|file| file.len()).sum()
}
