//! Inputs that the build made itself, kept as contents.
//!
//! The source of a release can be had again; what a build generated beside it (`config.h`, a parser, a table) is gone with the
//! build's directory, and without it no compile can be run again. Keeping it as each compile is recorded would cost every
//! compile of every build; so it is read when a recording is fixed, by a snapshot or an export, and kept only where it
//! still is what was read.
//!
//! What is generated? A file that was written where it lies: its contents are hardly older than its inode's last change.
//! What was unpacked, installed or copied with its times is older, and can be had again; so can what lies in the system's directories. In a checkout, git tells: what
//! it tracks is source. Where neither tells, too much is kept, never too little.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use bstr::BString;
use rayon::prelude::*;

use super::container::{Builder, Container, Tag};
use super::error::{FormatError, StoreError};
use super::layout::{INPUTS, ObjectKey, SNAPSHOTS, absolute, path};
use super::read::{Recording, UnitEntry};
use super::shared::is_too_wide;
use super::write::Store;
use crate::object::Hash;

/// The contents of an input, in a file of its own.
const FILE: Tag = *b"FILE";
/// Larger files are no text: precompiled headers, above all.
const LARGEST: u64 = 16 << 20;
/// Seconds that may pass between writing a file and the last change of its mode, owner or name.
const WRITTEN_HERE: i64 = 3600;
/// What would make git speak of another tree than the one it is asked about.
const GIT_VARIABLES: [&str; 3] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];

impl Recording {
    /// The contents that a unit read under this hash, where they were kept.
    pub fn kept(&self, hash: Hash) -> Option<Vec<u8>> {
        let contents = match self.exported() {
            Some(export) => export.kept(hash)?,
            None => read(&place(self.place(), hash)).ok()??,
        };
        (Hash::of(&contents) == hash).then_some(contents)
    }

    /// The contents of all generated inputs, by hash: those that were kept, and those that lie in the build's tree still.
    pub(super) fn generated(&self) -> BTreeMap<Hash, Vec<u8>> {
        let sources = Sources::default();
        let contents = |(hash, paths): (Hash, BTreeSet<PathBuf>)| {
            let contents = self.kept(hash).or_else(|| written_here(&paths, hash, &sources))?;
            Some((hash, contents))
        };
        self.inputs().into_par_iter().filter_map(contents).collect()
    }

    /// Every input of every unit that is not gone, absolute, by the hash of what was read.
    fn inputs(&self) -> BTreeMap<Hash, BTreeSet<PathBuf>> {
        let gone = self.gone();
        let units: Vec<_> = self.units().flatten().filter(|unit| !gone.contains(&unit.file)).collect();
        // A kernel's units name the same headers a million times: each is made absolute once.
        let add = |mut all: HashSet<(BString, BString, Hash)>, unit: &UnitEntry| {
            for file in unit.record.inputs().map(|inputs| inputs.files).unwrap_or_default() {
                all.extend(file.hash.map(|hash| (unit.identity.call.directory.clone(), file.path, hash)));
            }
            all
        };
        let together = |mut one: HashSet<_>, other: HashSet<_>| {
            one.extend(other);
            one
        };
        let all = units.par_iter().fold(HashSet::new, add).reduce(HashSet::new, together);
        let mut inputs: BTreeMap<Hash, BTreeSet<PathBuf>> = BTreeMap::new();
        for (directory, file, hash) in all {
            inputs.entry(hash).or_default().insert(absolute(path(&directory), path(&file)));
        }
        inputs
    }
}

impl Store {
    /// Keeps the generated inputs of the current state in the snapshot that is made in `fresh`; returns how many.
    pub(super) fn keep_generated(&self, current: &Recording, fresh: &Path) -> Result<usize, StoreError> {
        let snapshots = self.folder(SNAPSHOTS);
        let others: Vec<PathBuf> = self.snapshots().iter().map(|name| snapshots.join(name)).collect();
        let sources = Sources::default();
        let keep = |(hash, paths): (Hash, BTreeSet<PathBuf>)| -> Result<usize, StoreError> {
            // Snapshots share what did not change.
            if let Some(there) = others.iter().map(|other| place(other, hash)).find(|there| there.exists()) {
                let at = make_place(fresh, hash)?;
                if fs::hard_link(&there, &at).or_else(|_| fs::copy(&there, &at).map(drop)).is_ok() {
                    return Ok(1);
                }
            }
            let Some(contents) = written_here(&paths, hash, &sources) else { return Ok(0) };
            keep_in(fresh, hash, contents).map(|()| 1)
        };
        current.inputs().into_par_iter().map(keep).sum()
    }
}

/// Where a recording in `directory` keeps the contents of this hash.
fn place(directory: &Path, hash: Hash) -> PathBuf {
    ObjectKey::from_hash(hash).place(&directory.join(INPUTS))
}

/// The same, its folder made.
fn make_place(directory: &Path, hash: Hash) -> Result<PathBuf, StoreError> {
    let at = place(directory, hash);
    let folder = at.parent().unwrap_or(directory);
    fs::create_dir_all(folder).map_err(StoreError::io("make the directory", folder))?;
    Ok(at)
}

/// Writes the contents of an input where the recording in `directory` keeps it.
pub(super) fn keep_in(directory: &Path, hash: Hash, contents: Vec<u8>) -> Result<(), StoreError> {
    let at = make_place(directory, hash)?;
    let mut file = Builder::default();
    file.section(FILE, 0, contents)?;
    fs::write(&at, file.finish()).map_err(StoreError::io("write", &at))
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, FormatError> {
    Container::open(file)?.section(FILE, 0)
}

/// The contents of the first file that was written where it lies, is no source, and is what has this hash.
fn written_here(paths: &BTreeSet<PathBuf>, hash: Hash, sources: &Sources) -> Option<Vec<u8>> {
    paths.iter().find_map(|path| {
        let metadata = path.metadata().ok().filter(|_| !path.parent().is_none_or(is_too_wide))?;
        let is_wanted = is_written_here(&metadata) && metadata.len() <= LARGEST && !sources.hold(path);
        let contents = if is_wanted { fs::read(path).ok()? } else { return None };
        (Hash::of(&contents) == hash).then_some(contents)
    })
}

fn is_written_here(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.mtime().saturating_add(WRITTEN_HERE) >= metadata.ctime()
}

/// What git tracks, by work tree.
#[derive(Debug, Default)]
struct Sources(Mutex<HashMap<PathBuf, BTreeSet<PathBuf>>>);

impl Sources {
    /// Whether git tracks the file at this absolute path.
    fn hold(&self, file: &Path) -> bool {
        let is_top = |directory: &&Path| directory.join(".git").symlink_metadata().is_ok();
        let Some(top) = file.ancestors().skip(1).find(is_top) else { return false };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tracked = known.entry(top.to_path_buf()).or_insert_with(|| tracked(top));
        file.strip_prefix(top).is_ok_and(|inside| tracked.contains(inside))
    }
}

/// What git tracks in the work tree at `top`; nothing where there is no git, or it does not trust the tree.
fn tracked(top: &Path) -> BTreeSet<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(top).args(["ls-files", "-z"]).stdin(Stdio::null());
    for name in GIT_VARIABLES {
        git.env_remove(name);
    }
    let listed = git.output().map(|output| output.stdout).unwrap_or_default();
    listed.split(|byte| *byte == 0).map(|name| PathBuf::from(OsStr::from_bytes(name))).collect()
}
