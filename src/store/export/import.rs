//! An export back into a store, as a snapshot.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::{Export, Kind};
use crate::object::Hash;
use crate::store::container::{Builder, Container};
use crate::store::error::{FormatError, StoreError};
use crate::store::generated;
use crate::store::layout::{LINKS, NOTES, ObjectKey, SNAPSHOTS, UNITS};
use crate::store::snapshots::SnapshotName;
use crate::store::write::Store;

impl Store {
    /// Makes the snapshot `name` of what `export` holds; one of that name is replaced, as by [`Self::snapshot`].
    pub fn import(&self, export: &Export, name: &OsStr) -> Result<bool, StoreError> {
        let name = SnapshotName::new(name)?;
        self.writable()?;
        let scratch = self.scratch()?;
        let fresh = scratch.path().join("new");
        for kind in [UNITS, LINKS, NOTES] {
            let folder = fresh.join(kind);
            fs::create_dir_all(&folder).map_err(StoreError::io("make the directory", &folder))?;
        }
        for (kind, output, container) in export.containers() {
            let bytes = file(&container)?;
            let (folder, key) = match kind {
                Kind::Unit => (UNITS, ObjectKey::of(output)),
                Kind::Link => (LINKS, ObjectKey::of(output)),
                Kind::Note => (NOTES, ObjectKey::from_hash(Hash::of(&bytes))),
            };
            let place = key.place(&fresh.join(folder));
            let parent = place.parent().unwrap_or(Path::new(""));
            fs::create_dir_all(parent).map_err(StoreError::io("make the directory", parent))?;
            fs::write(&place, bytes).map_err(StoreError::io("write", &place))?;
        }
        for hash in export.kept_hashes() {
            if let Some(contents) = export.kept(hash) {
                generated::keep_in(&fresh, hash, contents)?;
            }
        }
        let place = name.directory(self);
        self.make(&self.folder(SNAPSHOTS))?;
        let replaced = fs::rename(&place, scratch.path().join("old")).is_ok();
        fs::rename(&fresh, &place).map_err(StoreError::io("make the snapshot", &place))?;
        Ok(replaced)
    }
}

/// The file that the record is in a store.
fn file(container: &Container) -> Result<Vec<u8>, FormatError> {
    let mut builder = Builder::default();
    for (tag, index) in container.tags() {
        builder.section(tag, index, container.section(tag, index)?.unwrap_or_default())?;
    }
    Ok(builder.finish_as(container.version()))
}
