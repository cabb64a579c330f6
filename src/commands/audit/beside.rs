//! Where the files lie that hold an object's debug information.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::analysis::producers::Beside;
use crate::commands::side::{Object, Source};

/// Where distributions install debug information.
const INSTALLED: &str = "/usr/lib/debug";

/// The first file that fits, of those that a debugger would look at.
pub fn find(object: &Object, wanted: &Beside<'_>) -> Option<Vec<u8>> {
    let path = match &object.source {
        Source::File(path) | Source::Member { path, .. } => std::path::absolute(path).ok()?,
        Source::Unit(_) => return None,
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    places(folder, wanted)
        .into_iter()
        .filter_map(|place| fs::read(place).ok())
        .find(|bytes| wanted.fits(bytes))
}

fn places(folder: &Path, wanted: &Beside<'_>) -> Vec<PathBuf> {
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    let base = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
    match wanted {
        Beside::Split { directory, name } => {
            let name = path(name);
            let compiled = directory.map(|directory| path(directory).join(&name));
            compiled.into_iter().chain([folder.join(&name), folder.join(base(&name))]).collect()
        }
        Beside::Shared { name, build_id } => {
            let name = path(name);
            // A package that was unpacked somewhere has the installed folders below it.
            let unpacked = folder.ancestors().map(|top| top.join(".dwz").join(base(&name)));
            let mut places = vec![folder.join(&name), folder.join(base(&name))];
            places.extend(unpacked);
            places.extend(by_build_id(folder, build_id));
            places
        }
        Beside::Stripped { name, build_id, .. } => {
            let mut places: Vec<PathBuf> = Vec::new();
            if !name.is_empty() {
                let name = path(name);
                places.extend([folder.join(&name), folder.join(".debug").join(&name)]);
                let below = folder.strip_prefix("/").unwrap_or(folder);
                places.push(Path::new(INSTALLED).join(below).join(name));
            }
            places.extend(by_build_id(folder, build_id));
            places
        }
    }
}

/// `.build-id/ab/cdef….debug` of what is installed, and of the tree that an unpacked package makes around `folder`.
fn by_build_id(folder: &Path, build_id: &[u8]) -> Vec<PathBuf> {
    let Some((first, rest)) = build_id.split_first() else { return Vec::new() };
    let mut name = format!(".build-id/{first:02x}/");
    for byte in rest {
        let _ = write!(name, "{byte:02x}"); // a String takes everything
    }
    name.push_str(".debug");
    let tops = folder.ancestors().flat_map(|top| [top.to_path_buf(), top.join("usr/lib/debug")]);
    tops.chain([PathBuf::from(INSTALLED)]).map(|top| top.join(&name)).collect()
}
