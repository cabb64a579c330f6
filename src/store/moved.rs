//! Objects that are gone, and objects that were only moved.
//!
//! Many a build compiles to one name and moves the object to another: zlib's `objs/inflate.o` becomes
//! `inflate.lo`. The record stands under the compile's name, where nothing lies any more. The tempting way, to call
//! such an object gone, would drop half of a library from every snapshot. So an object is gone only where no object
//! of the same bytes lies near: among the inputs of recorded links, in its own folder, or in the one above.
//! What a configure script tried is found nowhere and is gone.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::format;
use super::kind::{is_object_file, kind_of_file};
use super::layout::{self, LINKS, MARKER};
use super::read::Recording;
use super::write::Store;
use crate::object::{FileKind, Hash};

impl Recording {
    /// Files of the records whose object is gone. In a snapshot, which kept what there was, none is.
    pub fn gone(&self) -> HashSet<PathBuf> {
        let Some(store) = self.live() else { return HashSet::new() };
        let mut recorded: HashSet<PathBuf> = HashSet::new();
        let mut absent: HashMap<Hash, Vec<PathBuf>> = HashMap::new();
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        for unit in self.units().flatten() {
            let output = unit.output();
            if output.symlink_metadata().is_ok() {
                recorded.insert(output.to_path_buf());
            } else if let Some(variant) = unit.identity.variants.first() {
                folders.extend(output.ancestors().skip(1).take(2).map(Path::to_path_buf));
                absent.entry(variant.hash).or_default().push(unit.file);
            }
        }
        let near = folders.iter().flat_map(|folder| files(folder));
        let linked = self.links().flatten().flat_map(|link| {
            let directory = layout::path(&link.call.directory).to_path_buf();
            let inputs = link.inputs.into_iter();
            inputs.map(move |input| layout::absolute(&directory, Path::new(OsStr::from_bytes(&input))))
        });
        let mut seen = HashSet::new();
        for candidate in near.chain(linked) {
            if absent.is_empty() {
                break;
            }
            if !recorded.contains(&candidate) && is_object_file(&candidate) && seen.insert(candidate.clone())
            {
                store.hash_file(&candidate).and_then(|hash| absent.remove(&hash));
            }
        }
        absent.into_values().flatten().collect()
    }

    /// Files of the records of links whose output is gone, likewise: no file of the same bytes lies in its folder or
    /// the one above.
    pub fn gone_links(&self) -> HashSet<PathBuf> {
        let Some(store) = self.live() else { return HashSet::new() };
        let is_gone = |file: &PathBuf| {
            let Ok(link) = format::read_link(file) else { return false };
            let output = layout::path(&link.output);
            let near = output.ancestors().skip(1).take(2).flat_map(files);
            output.symlink_metadata().is_err()
                && !near
                    .filter(|path| kind(path).is_some_and(|kind| kind != FileKind::Other))
                    .any(|path| link.hash.is_some() && store.hash_file(&path) == link.hash)
        };
        self.files(LINKS).into_iter().filter(is_gone).collect()
    }

    /// The store whose current state this is.
    fn live(&self) -> Option<Store> {
        let live = self.place().join(MARKER).is_file();
        Store::open(self.place()).ok().filter(|_| live)
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// What a regular file is; `None` where it cannot be read.
fn kind(path: &Path) -> Option<FileKind> {
    path.metadata().ok().filter(Metadata::is_file)?;
    kind_of_file(path).ok()
}
