//! What is read as text: one parser a first byte.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use lpcc::afterwards::kbuild;
use lpcc::analysis::clones;
use lpcc::argv::{self, Dialect, Quoting, dependency_file, response_file};
use lpcc::policy::Config;
use lpcc::select::{lines, patch, pieces, scan};

/// The parsers, in the order of the bytes that call them.
pub const PARSERS: [fn(&[u8]); 8] =
    [response, command_line, dependencies, a_patch, a_clones_dump, kbuild_command, source, configuration];

/// Response files that one command line is given.
const MOST_FILES: usize = 16;

/// Runs the parser that the first byte names.
pub fn run(input: &[u8]) {
    if let Some((which, text)) = input.split_first()
        && let Some(parser) = PARSERS.get(usize::from(*which))
    {
        parser(text);
    }
}

/// Words split from anything can be written and split again to the same words.
fn response(text: &[u8]) {
    for quoting in [Quoting::Gcc14, Quoting::Gcc15, Quoting::Clang] {
        let mut words = response_file::split(text, quoting);
        // What cannot be written for every compiler: NUL, and an empty word.
        words.retain(|word| !word.is_empty() && !word.as_bytes().contains(&0));
        let again = response_file::split(&response_file::quote(&words), quoting);
        assert_eq!(words, again, "{quoting:?}");
    }
}

/// A command line is only read: without an edit it comes back byte for byte.
fn command_line(text: &[u8]) {
    let words: Vec<OsString> =
        text.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
    for dialect in [Dialect::Gcc, Dialect::Clang, Dialect::Unknown] {
        // A file that names itself under ever new names grows with every reading.
        let mut files = 0;
        let mut read = |name: &OsStr| {
            files += 1;
            (files <= MOST_FILES && name.as_bytes().starts_with(b"one")).then(|| text.to_vec())
        };
        let line = argv::parse(&words, dialect, &mut read);
        assert_eq!(line.edit().finish(), words, "an edit that edits nothing");
        let _ = (line.action(), line.sources(), line.output(), line.planned_objects(), line.dependency());
        let _ = (line.markers(), line.live_patching(), line.save_temps(), line.link_inputs());
        let _ = line.edit().without_markers().without_live_patching().finish();
    }
}

fn dependencies(text: &[u8]) {
    assert!(dependency_file::parse(text).iter().all(|file| !file.is_empty()), "an empty name");
    assert!(dependency_file::rules(text).len() <= text.len() + 1);
}

fn a_patch(text: &[u8]) {
    let named = patch::named(text);
    let _ = named.strip_for(&|path| path.as_os_str().len() % 2 == 0);
    let _ = (named.stripped(0), named.stripped(1));
}

fn a_clones_dump(text: &[u8]) {
    let _ = clones::parse(text);
}

fn kbuild_command(text: &[u8]) {
    let _ = kbuild::parse(text);
    let _ = kbuild::commands(text);
}

/// The halves are two states of one source.
fn source(text: &[u8]) {
    let (old, new) = text.split_at(text.len() / 2);
    let scanned = scan::lines(old);
    assert_eq!(scanned.len(), lines::split(old).len(), "a line is missing");
    let _ = (lines::numbers(&scanned), lines::hunks(old, new), lines::aligned(old, new));
    for line in 0..scanned.len().min(4) {
        let _ = scan::end_of_function(old, line);
    }
    let _ = (pieces::split(old, false), pieces::split(old, true));
}

fn configuration(text: &[u8]) {
    let _ = Config::parse(Path::new("lpcc.toml"), text);
}
