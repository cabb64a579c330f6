//! Does every record read whole, and does each still speak of the object that lies there?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::container::{Container, Version};
use super::error::{Damaged, FormatError, StoreError};
use super::format::{self, RecordFile, Want};
use super::layout::{LINKS, NOTES, ObjectKey, UNITS};
use super::read::{Recording, UnitEntry};
use super::write::Store;
use super::{hashes, snapshots};

/// Something that `verify` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A file that is not what was written.
    Damaged(Damaged),
    /// A file that a newer lpcc wrote.
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        version: Version,
    },
    /// A record under a name that is not its object's.
    Misplaced {
        /// The record's file.
        file: PathBuf,
        /// The object it speaks of.
        output: PathBuf,
    },
    /// The object was changed after it was recorded.
    Stale {
        /// The record's file.
        file: PathBuf,
        /// The object.
        output: PathBuf,
    },
    /// The object was rewritten behind the compiler by a program of the build, and is otherwise as recorded. `verify` does not
    /// compare fingerprints and never says so; whoever does may put this in the place of `Stale`.
    Rewritten {
        /// The record's file.
        file: PathBuf,
        /// The object.
        output: PathBuf,
        /// The programs, for a person.
        by: String,
    },
    /// The object is gone.
    Vanished {
        /// The record's file.
        file: PathBuf,
        /// Where the object was.
        output: PathBuf,
    },
    /// A temporary file or directory whose process died.
    StrayTemporary(PathBuf),
}

/// What `verify` looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Files read, snapshots included; one that several snapshots share is read once.
    pub files: usize,
    /// What is wrong, in the order of the files.
    pub problems: Vec<Problem>,
}

impl Problem {
    /// Whether bytes are damaged, rather than merely out of date.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Misplaced { .. } | Self::Newer { .. })
    }

    /// Whether all is as it should be, and only worth saying.
    pub fn is_fine(&self) -> bool {
        matches!(self, Self::Rewritten { .. })
    }
}

impl Store {
    /// Reads every file of the store, and every object that the current state speaks of.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let mut found = Verification::default();
        let mut seen = std::collections::HashSet::new();
        let current = Recording::open(self, None)?;
        let gone = current.gone();
        for kind in [UNITS, LINKS, NOTES] {
            for file in current.files(kind) {
                found.files += 1;
                seen.extend(identity(&file));
                let problem = check(&file, kind);
                let moved = matches!(problem, Some(Problem::Vanished { .. })) && !gone.contains(&file);
                found.problems.extend(problem.filter(|_| !moved));
            }
        }
        for file in snapshots::snapshot_files(self) {
            if identity(&file).is_some_and(|identity| !seen.insert(identity)) {
                continue;
            }
            found.files += 1;
            let problem = Container::open(&file).and_then(|container| container.check_all()).err();
            found.problems.extend(problem.map(|why| unreadable(&file, why)));
        }
        found.problems.extend(self.leftovers().into_iter().map(Problem::StrayTemporary));
        Ok(found)
    }
}

/// Device and inode: snapshots share files with the current state and with each other.
fn identity(file: &Path) -> Option<(u64, u64)> {
    file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn check(file: &Path, kind: &str) -> Option<Problem> {
    let whole = Container::open(file).and_then(|container| container.check_all()).and_then(|()| match kind {
        LINKS => format::read_link(file).map(drop),
        NOTES => format::read_note(file).map(drop),
        _ => RecordFile::open(file)?.record(Want::Everything).map(drop),
    });
    if let Err(why) = whole {
        return Some(unreadable(file, why));
    }
    if kind == UNITS { check_object(&UnitEntry::open(file.to_path_buf()).ok()?) } else { None }
}

/// Compares a record that reads whole with the object it speaks of.
fn check_object(unit: &UnitEntry) -> Option<Problem> {
    let (file, output) = (unit.file.clone(), unit.output().to_path_buf());
    if !file.ends_with(ObjectKey::of(&output).place(Path::new(UNITS))) {
        return Some(Problem::Misplaced { file, output });
    }
    let recorded = unit.identity.variants.first()?.hash;
    match fs::File::open(&output).and_then(|object| hashes::hash_of(&object)) {
        Ok(hash) if hash == recorded => None,
        Ok(_) => Some(Problem::Stale { file, output }),
        Err(_) => Some(Problem::Vanished { file, output }),
    }
}

fn unreadable(file: &Path, why: FormatError) -> Problem {
    let file = file.to_path_buf();
    match why {
        FormatError::Newer(version) => Problem::Newer { file, version },
        why => Problem::Damaged(Damaged { file, why }),
    }
}
