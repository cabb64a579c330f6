//! Objects that lie in a build's tree and that no record tells of: compiled by a compiler that was called past lpcc.
//!
//! A build that names `/usr/bin/gcc` passes every shim, and nothing of lpcc's ever hears of it. So the question is put to
//! the tree: an object is recorded if its bytes are those of some unit's, wherever the build has moved it, or if it is a unit's but
//! for what the build rewrote behind the compiler.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::findings::{Findings, Level};
use crate::commands::rewritten;
use crate::commands::store::{counted, shown};
use crate::object::{self, FileKind, Hash, Item, Kind};
use crate::store::{UnitEntry, kind_of_file, locate};

const TOPIC: &str = "tree";

pub(super) fn look(findings: &mut Findings, tree: &Path, units: &[UnitEntry]) {
    let recorded: HashSet<Hash> =
        units.iter().flat_map(|unit| &unit.identity.variants).map(|it| it.hash).collect();
    let by_output: HashMap<&Path, &UnitEntry> = units.iter().map(|unit| (unit.output(), unit)).collect();
    let is_rewritten = |path: &Path, bytes: &[u8]| {
        let real = path.canonicalize().ok();
        let unit = real.and_then(|path| by_output.get(path.as_path()).copied());
        unit.is_some_and(|unit| rewritten::by(unit, bytes).is_some())
    };
    let (mut objects, mut unknown) = (0, Vec::new());
    let walk = walkdir::WalkDir::new(tree).follow_root_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != locate::DIRECTORY) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_file() => entry,
            Ok(_) => continue,
            Err(error) => {
                findings.add(TOPIC, Level::Trouble, error.to_string());
                continue;
            }
        };
        match object(entry.path()) {
            Ok(Some(bytes)) if recorded.contains(&Hash::of(&bytes)) || is_rewritten(entry.path(), &bytes) => {
                objects += 1;
            }
            // A file of debug information is an object too, by its header.
            Ok(Some(bytes)) if is_empty(&bytes) => {}
            Ok(Some(_)) => {
                objects += 1;
                unknown.push(shown(entry.path()));
            }
            Ok(None) => {}
            Err(error) => findings.add(TOPIC, Level::Trouble, format!("{}: {error}", shown(entry.path()))),
        }
    }
    let known = objects - unknown.len();
    let text = format!("{} below {}, {known} recorded", counted(objects, "object", "objects"), shown(tree));
    if unknown.is_empty() {
        findings.add(TOPIC, Level::Fine, text);
    } else {
        let hint = "compiled past lpcc (a compiler named by its path?), by an assembler or a linker, or changed since";
        findings.add_hint(TOPIC, Level::Check, text, hint);
    }
    super::recording::list(findings, "not recorded", Level::Check, &unknown);
}

/// The bytes of an object; nothing where the file is something else.
fn object(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match kind_of_file(path)? {
        FileKind::Relocatable | FileKind::Bitcode => fs::read(path).map(Some),
        _ => Ok(None),
    }
}

/// Whether it holds neither function nor datum.
fn is_empty(bytes: &[u8]) -> bool {
    let counts = |item: &Item| matches!(item.kind, Kind::Function | Kind::Data);
    object::fingerprint(bytes).is_ok_and(|prints| !prints.items.iter().any(counts))
}
