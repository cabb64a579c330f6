//! The recorded inputs as the build read them, where the tree has them no longer.
//!
//! A generated header may have gone with the build's directory, or been generated anew since. Where the recording kept the
//! contents, they are laid into every state of the tree, and the directories of calls with them; where it did not, the
//! units that read what is gone are named as not replayed, and what is otherwise now is named as where drift comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::SelectError;
use super::replay::{self, Call};
use super::units::Known;
use super::view::View;
use super::{Request, actual_path};
use crate::object::Hash;
use crate::store::{Recording, Store, is_too_wide};

/// Names that one note shows.
const SHOWN: usize = 5;

/// What is laid into a mirror besides what the tree holds.
#[derive(Debug, Default)]
pub struct Restored {
    /// Contents by recorded path.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Those of `files` that the tree holds with other contents.
    replaced: BTreeSet<PathBuf>,
    /// Directories of calls that are gone.
    directories: BTreeSet<PathBuf>,
}

impl Restored {
    /// Whether the tree is used as it is.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty()
    }

    /// Whether the tree holds something else in the place of a file that is laid there.
    pub fn replaces(&self) -> bool {
        !self.replaced.is_empty()
    }

    /// The files whose originals must not be read, where they lie now.
    pub fn originals(&self, request: &Request) -> impl Iterator<Item = PathBuf> {
        self.replaced.iter().filter_map(|file| actual_path(request, file).canonicalize().ok())
    }

    /// Directories that hold a file or are one, as recorded.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.files
            .keys()
            .filter_map(|file| file.parent())
            .chain(self.directories.iter().map(PathBuf::as_path))
    }

    /// Lays all into a mirror.
    pub fn lay(&self, view: &View) -> Result<(), SelectError> {
        self.directories.iter().try_for_each(|directory| view.make_directory(directory))?;
        self.files.iter().try_for_each(|(file, contents)| view.put(file, Some(contents)))
    }

    /// Makes sure that a call finds its directory and all it read. An error is a fragment: what is gone for good.
    pub fn provide(
        &mut self,
        request: &Request,
        recording: &Recording,
        unit: &Known,
        directory: &Path,
    ) -> Result<(), String> {
        let actual = actual_path(request, directory);
        let has_directory = actual.is_dir();
        let (mut found, mut lost) = (Vec::new(), None);
        for (file, input) in unit.files().zip(&unit.inputs.files) {
            let now = actual_path(request, &file);
            if self.files.contains_key(&file) || file.exists() || now.exists() {
                continue;
            }
            let Some(contents) = kept(recording, &file, input.hash) else {
                lost = Some(now);
                break;
            };
            found.push((file, contents));
        }
        if !has_directory && (lost.is_some() || is_too_wide(directory)) {
            return Err(format!(
                "its directory `{}` is gone; hint: --map {}=WHERE-IT-IS-NOW",
                actual.display(),
                directory.display()
            ));
        }
        if let Some(lost) = lost {
            return Err(format!(
                "its input `{}` is gone; hint: files that the build generates must be left where they were, or be kept in \
                 a snapshot or an export made while they were there",
                lost.display()
            ));
        }
        if !has_directory {
            self.directories.insert(directory.to_path_buf());
        }
        self.files.extend(found);
        Ok(())
    }

    /// Looks at what is there and is not what was read: files of `patched` are left as they are. Returns notes: what was taken from the
    /// recording, and what is otherwise now, compilers too.
    pub fn compare(
        &mut self,
        request: &Request,
        (recording, store): (&Recording, Option<&Store>),
        known: &[Known],
        calls: &[(usize, Call<'_>)],
        patched: &BTreeSet<PathBuf>,
    ) -> Vec<String> {
        let mut differ: BTreeMap<PathBuf, bool> = BTreeMap::new();
        if let Some(store) = store {
            for (index, call) in calls {
                for (program, hash) in &call.identity().compiler.programs {
                    let program = replay::path(program).to_path_buf();
                    differ
                        .entry(program)
                        .or_insert_with_key(|program| store.hash_file(program) != Some(*hash));
                }
                let Some(unit) = known.get(*index) else { continue };
                for (file, input) in unit.files().zip(&unit.inputs.files) {
                    let Some(hash) = input.hash else { continue };
                    if self.files.contains_key(&file) || differ.contains_key(&file) {
                        continue;
                    }
                    let mut differs = store.hash_file(&actual_path(request, &file)) != Some(hash);
                    if differs
                        && !patched.contains(&file)
                        && let Some(contents) = kept(recording, &file, Some(hash))
                    {
                        self.replaced.insert(file.clone());
                        self.files.insert(file.clone(), contents);
                        differs = false;
                    }
                    differ.insert(file, differs);
                }
            }
        }
        let differing = differ.iter().filter(|(_, differs)| **differs).map(|(file, _)| file);
        let told = [
            ("taken from the recording, being gone or otherwise now", names(self.files.keys())),
            ("not as they were when the build was recorded", names(differing)),
        ];
        told.into_iter().filter_map(|(what, names)| Some(format!("{what}: {}", names?))).collect()
    }
}

/// The contents of an input, where they were kept and a mirror has a place for them.
fn kept(recording: &Recording, file: &Path, hash: Option<Hash>) -> Option<Vec<u8>> {
    let folder = file.parent()?;
    if is_too_wide(folder) { None } else { recording.kept(hash?) }
}

/// The first names, and how many more; `None` for none.
fn names<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Option<String> {
    let files: Vec<_> = files.collect();
    let shown: Vec<_> = files.iter().take(SHOWN).map(|file| format!("`{}`", file.display())).collect();
    let more = files.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!files.is_empty()).then(|| shown.join(", ") + &more)
}
