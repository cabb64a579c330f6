//! The objects in files, archives and directory trees.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use walkdir::WalkDir;

use super::{Object, Side, Source};
use crate::object::{self, FileKind};
use crate::store::{kind_of_file, locate, read_regular};

/// The object or objects in one file that the user named.
pub fn file(side: &mut Side, path: &Path, name: BString) {
    match kind_of_file(path) {
        Ok(kind) => match kind {
            FileKind::Archive => archive(side, path, &name),
            FileKind::Other => side.trouble(path, "not an object, an archive or a linked file"),
            FileKind::Relocatable | FileKind::Linked | FileKind::Bitcode => {
                side.objects.push(Object { name, source: Source::File(path.to_path_buf()) });
            }
        },
        Err(error) => side.trouble(path, &crate::commands::side::system_says(&error)),
    }
}

/// All objects, archives and linked files under a directory, named by their paths in it. Links to files are followed
/// where they lead out of the tree: what they lead to in it is met anyway. Links to directories are not.
pub fn tree(side: &mut Side, root: &Path) {
    let walk = WalkDir::new(root).follow_root_links(true).sort_by_file_name().into_iter();
    let whole = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let kept = walk.filter_entry(|entry| {
        entry.depth() == 0 || (entry.file_name() != locate::DIRECTORY && entry.file_name() != ".git")
    });
    for entry in kept {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_path_buf();
                let why = error.io_error().map_or_else(|| error.to_string(), super::system_says);
                side.trouble(&path, &why);
                continue;
            }
        };
        let path = entry.path();
        let is_met = entry.file_type().is_file() || entry.path_is_symlink() && leads_out(path, &whole);
        if !is_met {
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes().into();
        // A file that cannot be read might be an object: it is not passed over in silence.
        match kind_of_file(path) {
            Ok(FileKind::Other) => {}
            _ => file(side, path, name),
        }
    }
    if side.objects.is_empty() && side.troubles.is_empty() {
        side.trouble(root, "no objects in this directory");
    }
}

/// Whether a link leads to a file outside of a tree.
fn leads_out(link: &Path, tree: &Path) -> bool {
    link.is_file() && link.canonicalize().is_ok_and(|target| !target.starts_with(tree))
}

fn archive(side: &mut Side, path: &Path, name: &BString) {
    let bytes = match read_regular(path) {
        Ok(bytes) => Arc::new(bytes),
        Err(error) => return side.trouble(path, &super::system_says(&error)),
    };
    let members = match object::members(&bytes) {
        Ok(members) => members,
        Err(error) => return side.trouble(path, &error.to_string()),
    };
    for member in members {
        let full: BString = bstr::concat([name.as_bytes(), b"(", member.name.as_bytes(), b")"]).into();
        let source = match member.data {
            Some(data) if object::kind_of(data) == FileKind::Other => continue,
            Some(data) => Source::Member {
                start: offset_in(&bytes, data),
                length: data.len(),
                archive: Arc::clone(&bytes),
                path: path.to_path_buf(),
            },
            None => {
                let relative = PathBuf::from(OsStr::from_bytes(&member.name));
                let file = path.parent().unwrap_or(Path::new("")).join(relative);
                // One that cannot be read might be an object: it is said when its turn comes.
                if matches!(kind_of_file(&file), Ok(FileKind::Other)) {
                    continue;
                }
                Source::File(file)
            }
        };
        side.objects.push(Object { name: full, source });
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())
}
