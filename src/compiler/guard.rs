//! Loop protection between wrappers.
//!
//! "Skip myself on PATH" is not enough: two wrappers that each skip only themselves hand the call to each
//! other for ever. Nor is "go on after my own PATH entry": it depends on the order. So each lpcc tells the programs it runs
//! which wrappers the call has passed, by device and inode, in [`env::PASSED`]; one that finds the variable
//! set passes by all of those. Every pass adds one, so the chain ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::env;

/// A file, whatever it is called.
pub type FileId = (u64, u64);

/// Device and inode of what `path` leads to.
pub fn file_id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// The wrappers that a call has passed, this lpcc included.
#[derive(Debug, Clone)]
pub struct Passed {
    ids: Vec<FileId>,
    /// Size of our own executable, by which copies of it are told cheaply from most other files.
    own_size: Option<u64>,
    inherited: bool,
}

/// Our own executable, also where it was deleted or replaced since.
const SELF: &str = "/proc/self/exe";

impl Passed {
    /// What the environment says, and this executable.
    pub fn from_environment() -> Self {
        let listed = env::get(env::PASSED).unwrap_or_default();
        let mut ids = parse(&listed);
        let inherited = !ids.is_empty();
        let own = std::fs::metadata(SELF).ok();
        ids.extend(own.iter().map(|meta| (meta.dev(), meta.ino())));
        Self { ids, own_size: own.map(|meta| meta.len()), inherited }
    }

    /// Whether this call is part of one that another lpcc already has in hand.
    pub fn is_nested(&self) -> bool {
        self.inherited
    }

    /// Whether `candidate` is a wrapper already passed: by any name, link or (of this lpcc) copy.
    pub fn contains(&self, candidate: &Path) -> bool {
        let Ok(meta) = std::fs::metadata(candidate) else { return false };
        self.ids.contains(&(meta.dev(), meta.ino()))
            || (self.own_size == Some(meta.len()) && same_bytes(candidate, Path::new(SELF)))
    }

    /// Whether `candidate` is this very program, by any name, link or copy.
    pub fn is_own(&self, candidate: &Path) -> bool {
        file_id(candidate).is_some_and(|id| file_id(Path::new(SELF)) == Some(id))
            || std::fs::metadata(candidate).is_ok_and(|meta| self.own_size == Some(meta.len()))
                && same_bytes(candidate, Path::new(SELF))
    }

    /// The value of the variable for a program that is about to be run.
    pub fn value_for(&self, program: &Path) -> OsString {
        let mut ids = self.ids.clone();
        ids.extend(file_id(program));
        let mut seen: Vec<FileId> = Vec::with_capacity(ids.len());
        for id in ids {
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        seen.iter().map(|(device, inode)| format!("{device}:{inode}")).collect::<Vec<_>>().join(",").into()
    }
}

fn parse(listed: &OsStr) -> Vec<FileId> {
    let pair = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        let (device, inode) = text.split_once(':')?;
        Some((device.parse().ok()?, inode.parse().ok()?))
    };
    listed.as_bytes().split(|byte| *byte == b',').filter_map(pair).collect()
}

/// Whether two files hold the same bytes. Only asked of files of one size, so a plain read will do.
fn same_bytes(one: &Path, other: &Path) -> bool {
    match (std::fs::read(one), std::fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_in_the_variable_is_passed_over() {
        assert_eq!(parse(OsStr::new("1:2,x,3:,:4,5:6,")), [(1, 2), (5, 6)]);
        assert!(parse(OsStr::new("")).is_empty());
    }

    #[test]
    fn the_value_names_each_file_once() {
        let passed = Passed { ids: vec![(1, 2), (1, 2)], own_size: None, inherited: false };
        assert_eq!(passed.value_for(Path::new("/dev/null/none")), "1:2");
    }

    #[test]
    fn this_program_is_recognised() {
        let passed = Passed::from_environment();
        assert!(passed.contains(Path::new(SELF)) && passed.is_own(Path::new(SELF)));
        assert!(!passed.contains(Path::new("/bin/sh")));
    }
}
