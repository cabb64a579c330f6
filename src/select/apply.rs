//! Patches applied to copies: the tree is read, never written.
//!
//! Only the files that the patches name are copied, aside, and `patch` works on those. What was edited is then told by
//! comparing contents, whatever the hunks said: so fuzz, renames and several patches on one file need no further thought.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bstr::ByteSlice;

use super::error::SelectError;
use super::patch;

/// One file of the tree and what the patches make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Its path in the tree.
    pub path: PathBuf,
    /// Its contents in the tree, as recorded; `None` where it has no such file.
    pub shipped: Option<Vec<u8>>,
    /// Its contents under the earlier patches; the same where there are none.
    pub old: Option<Vec<u8>>,
    /// Its contents after the patches; `None` where they delete it.
    pub new: Option<Vec<u8>>,
}

/// What came of applying patches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The files whose contents changed, by path.
    pub files: Vec<Edited>,
    /// Files that only the earlier patches changed.
    pub earlier: Vec<Edited>,
    /// What is to be said: fuzz, offsets, the level where it was found out.
    pub notes: Vec<String>,
}

/// The patch files behind the arguments, in order: a directory stands for its `series`, or for all its patches by name.
pub fn series(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, SelectError> {
    let mut patches = Vec::new();
    for argument in arguments {
        if !argument.is_dir() {
            patches.push(argument.clone());
            continue;
        }
        let mut found: Vec<PathBuf> = match fs::read(argument.join("series")) {
            Ok(series) => listed(&series).map(|name| argument.join(name)).collect(),
            Err(_) => fs::read_dir(argument)
                .map_err(SelectError::file("list", argument))?
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|end| end == "patch" || end == "diff"))
                .collect(),
        };
        if found.is_empty() {
            return Err(SelectError::NoPatches(argument.clone()));
        }
        if !argument.join("series").exists() {
            found.sort();
        }
        patches.append(&mut found);
    }
    Ok(patches)
}

/// The names in quilt's `series`: one a line, comments left out.
fn listed(series: &[u8]) -> impl Iterator<Item = &Path> {
    series
        .lines()
        .filter_map(|line| line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()))
        .filter(|name| !name.starts_with(b"#"))
        .map(|name| Path::new(OsStr::from_bytes(name)))
}

/// Applies `earlier` patches and then `patches`, each in order, to copies of the files of `tree` that they name, made below `aside`, which is empty.
/// `strip` is `patch`'s `-p`; without it, each patch's own is found out.
pub fn apply(
    tree: &Path,
    (earlier, patches): (&[PathBuf], &[PathBuf]),
    strip: Option<usize>,
    aside: &Path,
) -> Result<Applied, SelectError> {
    let mut copied = BTreeSet::new();
    let mut notes = Vec::new();
    run_all(tree, earlier, strip, aside, &mut copied, &mut notes)?;
    let mut before = BTreeMap::new();
    for path in &copied {
        before.insert(path.clone(), contents(&aside.join(path))?);
    }
    run_all(tree, patches, strip, aside, &mut copied, &mut notes)?;
    let mut applied = Applied { notes, ..Applied::default() };
    for path in copied {
        let shipped = contents(&tree.join(&path))?;
        let old = before.remove(&path).unwrap_or_else(|| shipped.clone());
        let new = contents(&aside.join(&path))?;
        let is_fixed = old != new;
        let is_edited = shipped != old;
        let edited = Edited { path, shipped, old, new };
        if is_fixed {
            applied.files.push(edited);
        } else if is_edited {
            applied.earlier.push(edited);
        }
    }
    Ok(applied)
}

fn run_all(
    tree: &Path,
    patches: &[PathBuf],
    strip: Option<usize>,
    aside: &Path,
    copied: &mut BTreeSet<PathBuf>,
    notes: &mut Vec<String>,
) -> Result<(), SelectError> {
    for file in patches {
        let text = fs::read(file).map_err(SelectError::file("read", file))?;
        let named = patch::named(&text);
        let Some(first) = named.all.first() else { return Err(SelectError::NoDiff(file.clone())) };
        let exists = |path: &Path| {
            if copied.contains(path) { aside.join(path).exists() } else { tree.join(path).exists() }
        };
        let Some(level) = strip.or_else(|| named.strip_for(&exists)) else {
            return Err(SelectError::NotThisTree {
                patch: file.clone(),
                tree: tree.to_path_buf(),
                first: first.to_string(),
            });
        };
        for path in named.stripped(level) {
            if copied.insert(path.clone()) {
                copy(&tree.join(&path), &aside.join(&path))?;
            }
        }
        notes.extend(run(tree, file, level, aside)?);
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), SelectError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(SelectError::file("make", folder))?;
    }
    match contents(from)? {
        Some(bytes) => fs::write(to, bytes).map_err(SelectError::file("write", to)),
        None => Ok(()),
    }
}

/// The bytes of a file; `None` where there is none.
fn contents(path: &Path) -> Result<Option<Vec<u8>>, SelectError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SelectError::file("read", path)(error)),
    }
}

/// Runs `patch`; what it said of hunks that did not fit exactly.
fn run(tree: &Path, file: &Path, level: usize, aside: &Path) -> Result<Vec<String>, SelectError> {
    let absolute = file.canonicalize().map_err(SelectError::file("read", file))?;
    let call = |more: &[&str]| {
        let mut command = Command::new("patch");
        // In batch mode, and without the user's own defaults: the same patch gives the same answer.
        command
            .args(["--batch", "--forward", "--no-backup-if-mismatch", "--reject-file=-"])
            .arg(format!("-p{level}"));
        command.arg("-d").arg(aside).arg("-i").arg(&absolute).args(more);
        command.env("LC_ALL", "C").env("QUOTING_STYLE", "literal").env_remove("POSIXLY_CORRECT");
        command.stdin(Stdio::null()).output().map_err(SelectError::NoPatchProgram)
    };
    let output = call(&[])?;
    let said = output.stdout.to_str_lossy();
    let mut about = String::new();
    let mut inexact = Vec::new();
    for line in said.lines() {
        if let Some(name) = line.strip_prefix("patching file ") {
            name.clone_into(&mut about);
        } else if line.starts_with("Hunk #") && line.contains(" succeeded at ") {
            let what = line.trim_start_matches("Hunk ").trim_end_matches('.');
            inexact.push(format!("{}: {about}: hunk {what}", file.display()));
        }
    }
    if output.status.success() {
        return Ok(inexact);
    }
    let telling = |line: &&str| {
        ["FAILED", "Reversed", "can't find", "malformed", "**** ", "No file to patch", "saving rejects"]
            .iter()
            .any(|word| line.contains(word))
            && !line.contains("saving rejects")
    };
    let complaints = output.stderr.to_str_lossy().into_owned();
    let mut why: Vec<String> = Vec::new();
    about.clear();
    for line in said.lines().chain(complaints.lines()) {
        if let Some(name) = line.strip_prefix("patching file ") {
            name.clone_into(&mut about);
        } else if telling(&line) {
            let line = line.trim_start_matches("patch: ").trim_start_matches("**** ").trim_end_matches('.');
            why.push(if about.is_empty() { line.to_owned() } else { format!("{about}: {line}") });
        }
    }
    why.dedup();
    let mut why = why.join("; ");
    if why.contains("Reversed (or previously applied)") {
        why = "it is applied already; hint: the source must be that of the recorded build, without the fix"
            .into();
    } else if why.is_empty() {
        why = format!("`patch` ended with {}", output.status);
    }
    Err(SelectError::DoesNotApply { patch: file.to_path_buf(), tree: tree.to_path_buf(), why })
}
