//! Which recorded units an edit touches.
//!
//! A record lists what its compile read, so the answer is a look-up, not a guess by names: but a list may be incomplete
//! (`Completeness::Partial`), and a new file may come to stand before one that was read. Both err on the side of
//! replaying too much.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use rayon::prelude::*;

use super::apply::Edited;
use super::replay::path;
use crate::store::record::{Completeness, Inputs};
use crate::store::{UnitEntry, absolute};

/// A unit and what it read.
#[derive(Debug)]
pub struct Known {
    /// The unit.
    pub entry: UnitEntry,
    /// What it read.
    pub inputs: Inputs,
}

/// Reads the inputs of all units; those whose list is damaged come back as troubles.
pub fn read(entries: Vec<UnitEntry>) -> (Vec<Known>, Vec<String>) {
    let read: Vec<Result<Known, String>> = entries
        .into_par_iter()
        .map(|entry| match entry.record.inputs() {
            Ok(inputs) => Ok(Known { entry, inputs }),
            Err(why) => Err(entry.damaged(why).to_string()),
        })
        .collect();
    let (mut known, mut troubles) = (Vec::new(), Vec::new());
    for unit in read {
        match unit {
            Ok(unit) => known.push(unit),
            Err(trouble) => troubles.push(trouble),
        }
    }
    known.sort_by(|a, b| a.entry.identity.unit.output.cmp(&b.entry.identity.unit.output));
    (known, troubles)
}

impl Known {
    /// The directory of the recorded call.
    pub fn directory(&self) -> &Path {
        path(&self.entry.identity.call.directory)
    }

    /// The files it read, absolute.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.inputs.files.iter().map(|input| absolute(self.directory(), path(&input.path)))
    }

    /// Whether its list of inputs may lack a file of the source tree.
    fn may_have_read_more(&self) -> bool {
        match &self.inputs.completeness {
            Completeness::Full => false,
            Completeness::Partial(reason) => !reason.contains("no system headers"),
        }
    }
}

/// What an edit touches.
#[derive(Debug, Default)]
pub struct Touched {
    /// Indices of units, in order.
    pub units: BTreeSet<usize>,
    /// Edited files that no unit read, as they were given.
    pub unread: Vec<PathBuf>,
    /// Units that are replayed because their list of inputs is incomplete.
    pub incomplete: usize,
}

/// The units that read one of `files`: absolute recorded paths, with whether the patch adds the file.
pub fn touched(known: &[Known], files: &[(PathBuf, bool)]) -> Touched {
    let mut by_path: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut by_name: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    // A kernel's units name millions of files: only those of an edited file's name are looked at.
    let wanted: BTreeSet<&[u8]> =
        files.iter().map(|(file, _)| name_of(file).as_os_str().as_bytes()).collect();
    for (index, unit) in known.iter().enumerate() {
        for input in &unit.inputs.files {
            let name = input.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if wanted.contains(name) {
                by_name.entry(name.to_vec()).or_default().push(index);
                by_path.entry(absolute(unit.directory(), path(&input.path))).or_default().push(index);
            }
        }
    }
    let mut touched = Touched::default();
    for (file, is_new) in files {
        let name = file.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
        let readers = if *is_new { by_name.get(name) } else { by_path.get(file) };
        if let Some(readers) = readers {
            touched.units.extend(readers);
            continue;
        }
        // The record may know it by another way to the same file.
        let real = file.canonicalize();
        let same = |index: &&usize| {
            let unit = known.get(**index);
            let mut files = unit.into_iter().flat_map(Known::files);
            real.as_ref().is_ok_and(|real| {
                files.any(|it| it.ends_with(name_of(file)) && it.canonicalize().is_ok_and(|it| it == *real))
            })
        };
        let found: Vec<usize> = by_name.get(name).into_iter().flatten().filter(same).copied().collect();
        if found.is_empty() {
            touched.unread.push(file.clone());
        }
        touched.units.extend(found);
    }
    if files.iter().any(|(file, _)| is_included(file)) {
        for (index, unit) in known.iter().enumerate() {
            if unit.may_have_read_more() && touched.units.insert(index) {
                touched.incomplete += 1;
            }
        }
    }
    touched
}

/// Where the recorded build lay, if no unit read anything of the tree: the directory below which it read a file of the name that the
/// patch gives, else that of any call.
pub fn elsewhere(known: &[Known], recorded: &Path, actual: &Path, files: &[Edited]) -> Option<PathBuf> {
    let is_here = |path: &Path| path.starts_with(recorded) || path.starts_with(actual);
    let reads_here = |unit: &Known| {
        is_here(unit.directory())
            || unit.directory().canonicalize().is_ok_and(|directory| is_here(&directory))
            || unit.files().any(|file| is_here(&file))
    };
    if known.iter().any(reads_here) {
        return None;
    }
    let below = |file: PathBuf| {
        let edited = files.iter().find(|edited| file.ends_with(&edited.path))?;
        file.ancestors().nth(edited.path.components().count()).map(Path::to_path_buf)
    };
    let found = known.iter().flat_map(Known::files).find_map(below);
    found.or_else(|| known.first().map(|unit| unit.directory().to_path_buf()))
}

fn name_of(file: &Path) -> &Path {
    file.file_name().map_or(file, Path::new)
}

/// Whether a file may be read through `#include`.
fn is_included(file: &Path) -> bool {
    let end = file.extension().map(OsStrExt::as_bytes).unwrap_or_default();
    end.starts_with_str("h") || matches!(end, b"inc" | b"def" | b"tbl" | b"inl" | b"ipp" | b"tcc")
}

/// Whether a compile that reads the original of an edited file is sure to be found out: it is source text that was there before, which
/// compilers list by whatever way they come to it; or nothing that is compiled.
pub fn is_told_when_read(file: &Edited) -> bool {
    let end = file.path.extension().map(OsStrExt::as_bytes).unwrap_or_default();
    let is_source = SOURCES.contains(&end) || is_included(&file.path);
    if is_source { file.old.is_some() } else { !why_unread(&file.path, file.old.is_none()).1 }
}

/// Why nobody may have read a patched file, and whether it may change what runs all the same.
pub fn why_unread(file: &Path, is_new: bool) -> (&'static str, bool) {
    let name = file.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let end = file.extension().map(OsStrExt::as_bytes).unwrap_or_default();
    let is_aside = file.components().any(|part| ASIDE.contains(&part.as_os_str().as_bytes()));
    match (end, name) {
        _ if is_aside => ("a test, an example or documentation", false),
        _ if BUILD_FILES.contains(&name) || BUILD_ENDS.contains(&end) => {
            ("part of the build itself: what it changes in calls or in generated files is not replayed", true)
        }
        _ if GENERATORS.contains(&end) => {
            ("sources may be generated from it: regenerate them and select again", true)
        }
        _ if SOURCES.contains(&end) && is_new => ("a new source: there is no recorded call for it", true),
        _ if SOURCES.contains(&end) => ("a source that the recorded build did not compile", false),
        (b"S" | b"s", _) => ("assembler that the recorded build did not assemble", false),
        _ if is_included(file) && is_new => ("a new header", false),
        _ if is_included(file) => ("a header that no recorded unit includes", false),
        _ if TEXTS.contains(&end) || TEXT_NAMES.contains(&name) => ("documentation", false),
        _ => ("read by no recorded compile: whether it matters is not known", true),
    }
}

const ASIDE: [&[u8]; 8] =
    [b"test", b"tests", b"testsuite", b"doc", b"docs", b"examples", b"contrib", b"debian"];
const BUILD_FILES: [&[u8]; 7] =
    [b"Makefile", b"GNUmakefile", b"Kbuild", b"configure", b"CMakeLists.txt", b"meson.build", b"SConstruct"];
const BUILD_ENDS: [&[u8]; 7] = [b"mk", b"am", b"in", b"ac", b"m4", b"cmake", b"mak"];
const GENERATORS: [&[u8]; 13] =
    [b"y", b"l", b"yy", b"ll", b"pl", b"py", b"tcl", b"awk", b"sh", b"asn", b"x", b"gperf", b"et"];
const SOURCES: [&[u8]; 6] = [b"c", b"cc", b"cpp", b"cxx", b"C", b"c++"];
const TEXTS: [&[u8]; 14] =
    [b"md", b"txt", b"rst", b"html", b"1", b"3", b"5", b"7", b"8", b"po", b"sgml", b"tex", b"texi", b"d"];
const TEXT_NAMES: [&[u8]; 6] = [b"README", b"NEWS", b"ChangeLog", b"CHANGES", b"AUTHORS", b"VERSION"];
