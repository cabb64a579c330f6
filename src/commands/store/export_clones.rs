//! `lpcc store export-clones`: the clones dumps that records hold, as files where other tools look for them.
//!
//! klp-build looks for `OBJ_DIR/fs/proc/cmdline.c.000i.ipa-clones`: the object's folder and the source's own name, as GCC up
//! to 10 names the file, and has no name for the one of GCC 11. libpulp's macros gather every `*.ipa-clones` below the
//! build's top with its folders, the empty ones left out. So the tree of the build is written anew, dump for dump, under
//! GCC 10's names; where two objects of one folder come from one source, they have GCC 11's, which differ.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bstr::{BString, ByteSlice};
use serde_json::{Map, Value, json};

use super::{counted, encode, shown};
use crate::analysis::clones;
use crate::report::{Format, bytes, output};
use crate::store::{Recording, Store, UnitEntry, absolute};

/// How GCC names the file, behind the source's name.
const SUFFIX: &str = ".000i.ipa-clones";

/// A dump and where it comes from.
struct Found {
    object: PathBuf,
    source: BString,
    dump: BString,
}

/// A unit that has none.
struct Without {
    object: PathBuf,
    source: BString,
    reason: String,
}

pub(super) fn main(
    store: &Store,
    directory: &Path,
    recording: Option<&OsStr>,
    below: Option<&Path>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir().context("cannot tell the working directory")?;
    let top = absolute(&here, below.unwrap_or(Path::new("")));
    let recording = Recording::open(store, recording)?;
    let (mut found, mut without) = (Vec::new(), Vec::new());
    for unit in recording.units() {
        let unit = unit?;
        match unit.record.clones().map_err(|why| unit.damaged(why))? {
            Some(dump) => found.push(Found {
                object: unit.output().to_path_buf(),
                source: unit.identity.unit.source.clone(),
                dump,
            }),
            None => without.push(none(&unit)),
        }
    }
    found.sort_by(|one, other| one.object.cmp(&other.object));
    without.sort_by(|one, other| one.object.cmp(&other.object));
    if found.is_empty() {
        bail!(
            "none of {} holds a clones dump; hint: set `clones = true` in lpcc.toml and build again",
            counted(without.len(), "record", "records")
        );
    }
    let files = placed(&found, &top);
    for (file, found) in files.iter().zip(&found) {
        let place = directory.join(file);
        let folder = place.parent().unwrap_or(directory);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", shown(folder)))?;
        fs::write(&place, &found.dump).with_context(|| format!("cannot write {}", shown(&place)))?;
    }
    match format {
        Format::Json => output::print(&format!("{:#}\n", document(directory, &files, &found, &without)))?,
        Format::Text => output::print(&text(directory, &files, &found, &without))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn none(unit: &UnitEntry) -> Without {
    let notes = &unit.identity.notes;
    let told = notes.iter().find_map(|note| note.strip_prefix("clones = true: no dump: "));
    Without {
        object: unit.output().to_path_buf(),
        source: unit.identity.unit.source.clone(),
        reason: told.unwrap_or("it was not asked for").to_owned(),
    }
}

/// Where each dump goes, relative to the export's directory.
fn placed(found: &[Found], top: &Path) -> Vec<PathBuf> {
    let mut dumps: HashMap<PathBuf, Vec<&Found>> = HashMap::new();
    for one in found {
        for rule in RULES {
            dumps.entry(name(one, top, rule)).or_default().push(one);
        }
    }
    let fits = |one: &Found, file: &PathBuf| {
        dumps.get(file).is_some_and(|others| others.iter().all(|other| other.dump == one.dump))
    };
    let place = |one: &Found| {
        let mut names = RULES.map(|rule| name(one, top, rule)).into_iter();
        names.clone().find(|file| fits(one, file)).or_else(|| names.next_back()).unwrap_or_default()
    };
    found.iter().map(place).collect()
}

/// From object and source to the stem of the file's name.
type Rule = fn(&[u8], &[u8]) -> Vec<u8>;

/// GCC's up to 10, GCC's from 11 on, and one that no two objects share.
const RULES: [Rule; 3] = [
    |_, source| source.to_vec(),
    |object, source| [stem(object), extension(source)].concat(),
    |object, source| [object, extension(source)].concat(),
];

fn name(found: &Found, top: &Path, rule: Rule) -> PathBuf {
    let source = found.source.rsplit_str("/").next().unwrap_or_default();
    let object = found.object.file_name().unwrap_or_default().as_bytes();
    let folder = found.object.parent().unwrap_or(Path::new("/"));
    let folder = folder.strip_prefix(top).or_else(|_| folder.strip_prefix("/")).unwrap_or(folder);
    let mut name = rule(object, source);
    name.extend_from_slice(SUFFIX.as_bytes());
    folder.join(std::ffi::OsString::from_vec(name))
}

fn stem(name: &[u8]) -> &[u8] {
    name.rfind_byte(b'.').and_then(|dot| name.get(..dot)).unwrap_or(name)
}

/// With its dot; empty where there is none.
fn extension(name: &[u8]) -> &[u8] {
    name.rfind_byte(b'.').and_then(|dot| name.get(dot..)).unwrap_or_default()
}

fn text(directory: &Path, files: &[PathBuf], found: &[Found], without: &[Without]) -> String {
    let mut text = format!("wrote {} below {}", counted(found.len(), "dump", "dumps"), shown(directory));
    if !without.is_empty() {
        let _ = write!(text, "; {} none", counted(without.len(), "unit has", "units have"));
    }
    text.push('\n');
    for (file, found) in files.iter().zip(found) {
        let usual = name(found, Path::new("/"), RULES[0]);
        if file.file_name() != usual.file_name() {
            let _ = writeln!(
                text,
                "{} is that of {}: more than one object of its folder comes from {}",
                shown(file),
                shown(&found.object),
                bytes::printable(found.source.as_bstr())
            );
        }
        let strange = clones::parse(&found.dump).strange.len();
        if strange > 0 {
            let _ = writeln!(
                text,
                "{} holds {} of an unknown form",
                shown(file),
                counted(strange, "line", "lines")
            );
        }
    }
    let mut reasons: BTreeMap<&str, Vec<&Without>> = BTreeMap::new();
    for unit in without {
        reasons.entry(&unit.reason).or_default().push(unit);
    }
    for (reason, units) in reasons {
        let first = units.first().map(|unit| shown(&unit.object)).unwrap_or_default();
        let more = if units.len() > 1 { format!(" and {} more", units.len() - 1) } else { String::new() };
        let _ = writeln!(text, "no dump of {first}{more}: {reason}");
    }
    text
}

fn document(directory: &Path, files: &[PathBuf], found: &[Found], without: &[Without]) -> Value {
    let about = |object: &Path, source: &BString| {
        let mut row = Map::new();
        encode::path(&mut row, "object", object);
        bytes::put(&mut row, "source", source.as_bstr());
        row
    };
    let written = files.iter().zip(found).map(|(file, found)| {
        let clones = clones::parse(&found.dump);
        let mut row = about(&found.object, &found.source);
        encode::path(&mut row, "file", file);
        row.insert("edges".into(), clones.edges.len().into());
        row.insert("removed".into(), clones.removed.len().into());
        row.insert("strange".into(), clones.strange.len().into());
        Value::from(row)
    });
    let missing = without.iter().map(|unit| {
        let mut row = about(&unit.object, &unit.source);
        row.insert("reason".into(), unit.reason.clone().into());
        Value::from(row)
    });
    let mut answer = Map::new();
    answer.insert("schema".into(), "lpcc.store.export-clones/1".into());
    encode::path(&mut answer, "directory", directory);
    answer.insert("written".into(), written.collect());
    answer.insert("without".into(), missing.collect());
    json!(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(object: &str, source: &str, dump: &str) -> Found {
        Found { object: object.into(), source: source.into(), dump: dump.into() }
    }

    #[test]
    fn names_as_the_tools_expect_them() {
        let names = |found: &[Found]| placed(found, Path::new("/b"));
        assert_eq!(
            names(&[
                found("/b/fs/proc/cmdline.o", "/src/fs/proc/cmdline.c", "1"),
                found("/b/main.o", "src/main.c", "2"),
                found("/elsewhere/x.o", "x.c", "3"),
            ]),
            [
                Path::new("fs/proc/cmdline.c.000i.ipa-clones"),
                Path::new("main.c.000i.ipa-clones"),
                Path::new("elsewhere/x.c.000i.ipa-clones"),
            ]
        );
        // Two objects of one source in one folder.
        let (one, other) = ("/b/one-main.o", "/b/two-main.o");
        assert_eq!(
            names(&[found(one, "main.c", "1"), found(other, "main.c", "2")]),
            [Path::new("one-main.c.000i.ipa-clones"), Path::new("two-main.c.000i.ipa-clones")]
        );
        let same = names(&[found(one, "main.c", "1"), found(other, "main.c", "1")]);
        assert_eq!(same, [Path::new("main.c.000i.ipa-clones"); 2], "one dump is enough where they agree");
        assert_eq!(
            names(&[found("/b/a.o", "a.c", "1"), found("/b/a.lo", "a.c", "2")]),
            [Path::new("a.o.c.000i.ipa-clones"), Path::new("a.lo.c.000i.ipa-clones")]
        );
    }
}
