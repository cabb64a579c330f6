//! Where things lie in a store. Everything that knows a file name of the store is here.
//!
//! ```text
//! store.version          "lpcc store 1\n": what makes a directory a store
//! .gitignore             "*\n"
//! units/a3/a3….lpcc      one record a unit, named by the hash of its object's absolute path
//! units/a3/a3….cost      what compiling its variants took, where there are several
//! links/…                one record a linked file, likewise
//! notes/…                named by the hash of their own bytes: the same note twice is one file
//! snapshots/NAME/        units, links and notes as they were, and inputs/…: what the build generated and read
//! compilers/…            what probing a compiler gave, by the hash of the key
//! hashes                 content hashes of files, in slots
//! shims/                 links named like the compilers, laid by `lpcc run`
//! tmp/                   what is being written; a leftover belongs to a process that died
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::object::Hash;

/// Version of the store's layout; a record's own version stands in the record.
pub const STORE_FORMAT: u16 = 1;

/// Name of the file that makes a directory a store.
pub const MARKER: &str = "store.version";
/// Records of units.
pub const UNITS: &str = "units";
/// Records of links.
pub const LINKS: &str = "links";
/// Notes.
pub const NOTES: &str = "notes";
/// Contents of generated inputs, in a snapshot, by their hash.
pub const INPUTS: &str = "inputs";
/// Snapshots by name.
pub const SNAPSHOTS: &str = "snapshots";
/// The compilers' cache.
pub const COMPILERS: &str = "compilers";
/// The content-hash cache.
pub const HASHES: &str = "hashes";
/// Where files are written before they get their name.
pub const TEMPORARY: &str = "tmp";
/// Ending of every record, link and note.
pub const EXTENSION: &str = "lpcc";
/// Ending of the file beside a unit's record that tells what its variants took.
pub const COST_EXTENSION: &str = "cost";

/// What a record is found by: the hash of its object's absolute, lexically normalised path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectKey(Hash);

impl ObjectKey {
    /// The key of the object at `absolute`; the path is normalised first.
    pub fn of(absolute_path: &Path) -> Self {
        Self(Hash::of(absolute(Path::new("/"), absolute_path).as_os_str().as_bytes()))
    }

    /// The key of anything else that is named by a hash.
    pub(super) fn from_hash(hash: Hash) -> Self {
        Self(hash)
    }

    /// The file's place under `kind` (`units`, `links`, `notes`, `compilers`): `a3/a3….lpcc`. Two hundred and
    /// fifty-six folders keep each small on file systems with linear directories.
    pub(super) fn place(self, kind: &Path) -> PathBuf {
        let name = self.0.to_string();
        kind.join(name.get(..2).unwrap_or_default()).join(format!("{name}.{EXTENSION}"))
    }
}

/// `path` made absolute from `directory` and normalised lexically: no `.`, no `..`, no doubled `/`. Symbolic
/// links are not followed: the key of an object must not depend on what is on the disk when it is asked for.
pub fn absolute(directory: &Path, path: &Path) -> PathBuf {
    let mut parts: Vec<&OsStr> = Vec::new();
    let joined = directory.join(path);
    for component in joined.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => drop(parts.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let mut bytes = Vec::with_capacity(joined.as_os_str().len());
    for part in parts {
        bytes.push(b'/');
        bytes.extend_from_slice(part.as_bytes());
    }
    if bytes.is_empty() {
        bytes.push(b'/');
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// The bytes of a record as a path.
pub(super) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_lexically() {
        for (directory, path, expected) in [
            ("/b", "a.o", "/b/a.o"),
            ("/b", "./x/../a.o", "/b/a.o"),
            ("/b", "//c//a.o", "/c/a.o"),
            ("/b", "../../../a.o", "/a.o"),
            ("/b/", "", "/b"),
            ("/", "..", "/"),
        ] {
            assert_eq!(
                absolute(Path::new(directory), Path::new(path)),
                Path::new(expected),
                "{directory} {path}"
            );
        }
    }

    #[test]
    fn one_object_has_one_key() {
        assert_eq!(ObjectKey::of(Path::new("/b/x/../a.o")), ObjectKey::of(Path::new("/b//a.o")));
        assert_ne!(ObjectKey::of(Path::new("/b/a.o")), ObjectKey::of(Path::new("/b/A.o")));
    }
}
