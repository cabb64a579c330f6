//! What a recording holds, and what it misses: nothing is lost in silence.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::bail;
use bstr::ByteSlice;

use super::findings::{Findings, Level};
use super::tree;
use crate::analysis::kernel;
use crate::commands::side::{self, Target};
use crate::commands::store::{counted, shown};
use crate::commands::{located, rewritten};
use crate::object::Basis;
use crate::report::bytes::printable;
use crate::store::layout::absolute;
use crate::store::record::{Completeness, LinkRecord};
use crate::store::{Note, NoteKind, Problem, Recording, Store, UnitEntry};

/// How many of a kind are named; the rest are counted.
const LISTED: usize = 8;

pub(super) fn look(
    findings: &mut Findings,
    explicit: Option<&Path>,
    name: Option<&OsStr>,
    built: Option<&Path>,
) -> anyhow::Result<()> {
    let (store, recording) = open(explicit, name)?;
    let mut damaged: Vec<String> = Vec::new();
    let units: Vec<UnitEntry> = sound(recording.units(), &mut damaged);
    let links: Vec<LinkRecord> = sound(recording.links(), &mut damaged);
    let notes: Vec<Note> = sound(recording.notes(), &mut damaged);

    let what = name.map_or("the current state".to_owned(), |name| format!("snapshot `{}`", name.display()));
    let count =
        format!("{}, {}", counted(units.len(), "unit", "units"), counted(links.len(), "link", "links"));
    let text = match &store {
        Some(store) => format!("{what} of {}: {count}", shown(store.root())),
        None => format!("{}: {count}", shown(recording.place())),
    };
    if units.is_empty() && links.is_empty() {
        let hint = "build with CC=lpcc, or under `lpcc run`";
        findings.add_hint("recording", Level::Check, text, hint);
    } else {
        findings.add("recording", Level::Fine, text);
    }
    compilers(findings, &units);
    roles(findings, &units);
    without_object(findings, &links);
    linked_unrecorded(findings, store.as_ref(), &units, &links);
    if let Some(built) = built {
        tree::look(findings, built, &units);
    }
    noted(findings, &notes);
    inputs(findings, &units, &mut damaged);
    fingerprints(findings, &units, &mut damaged);
    damaged.sort_unstable();
    damaged.dedup();
    list(findings, "damaged", Level::Trouble, &damaged);
    if let Some(store) = store.filter(|_| name.is_none()) {
        let problems = rewritten::settled(store.verify()?).problems;
        let by = problems.iter().filter_map(|problem| match problem {
            Problem::Rewritten { by, .. } => Some(by.clone()),
            _ => None,
        });
        for (by, count) in tally(by) {
            let text = format!(
                "{} rewritten by {by} since, and otherwise as recorded",
                counted(count, "object", "objects")
            );
            findings.add("post-processed", Level::Fine, text);
        }
        let outputs = |wanted: fn(&Problem) -> bool| {
            let outputs =
                problems.iter().filter(|problem| wanted(problem)).filter_map(|problem| match problem {
                    Problem::Stale { output, .. } | Problem::Vanished { output, .. } => Some(shown(output)),
                    _ => None,
                });
            outputs.collect::<Vec<String>>()
        };
        list(
            findings,
            "changed since recorded",
            Level::Check,
            &outputs(|p| matches!(p, Problem::Stale { .. })),
        );
        let vanished = outputs(|p| matches!(p, Problem::Vanished { .. })).len();
        if vanished > 0 {
            let text = format!("{}: not part of a snapshot", counted(vanished, "object", "objects"));
            findings.add_hint(
                "gone since recorded",
                Level::Note,
                text,
                "`lpcc store gc` removes their records",
            );
        }
    }
    Ok(())
}

/// The recording, and the store that it lies in, if it does.
fn open(explicit: Option<&Path>, name: Option<&OsStr>) -> anyhow::Result<(Option<Store>, Recording)> {
    if let Some(name) = name {
        let store = located::find(explicit).ok().flatten();
        if let Some((store, recording)) = store.and_then(|store| {
            let recording = Recording::open(&store, Some(name)).ok()?;
            Some((store, recording))
        }) {
            return Ok((Some(store), recording));
        }
        // No snapshot of that name: a place, an export above all, which needs no store.
        return match side::target(name, explicit).map_err(anyhow::Error::msg)? {
            Target::Recording(recording) => Ok((None, recording)),
            _ => bail!("`{}` is no recording; hint: `lpcc store list` names them", name.display()),
        };
    }
    let store = located::open(explicit)?;
    let recording = Recording::open(&store, None)?;
    Ok((Some(store), recording))
}

/// Those that can be read; what is wrong with the others goes to `damaged`.
fn sound<T, E: ToString>(all: impl Iterator<Item = Result<T, E>>, damaged: &mut Vec<String>) -> Vec<T> {
    all.filter_map(|one| one.map_err(|error| damaged.push(error.to_string())).ok()).collect()
}

/// One finding for each, and one for the rest.
pub(super) fn list(findings: &mut Findings, topic: &'static str, level: Level, all: &[String]) {
    for one in all.iter().take(LISTED) {
        findings.add(topic, level, one.clone());
    }
    if let Some(rest) = all.len().checked_sub(LISTED).filter(|rest| *rest > 0) {
        findings.add(topic, level, format!("and {rest} more"));
    }
}

/// Counts things that are said in the same words.
fn tally(all: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn compilers(findings: &mut Findings, units: &[UnitEntry]) {
    let named = units.iter().map(|unit| {
        let compiler = &unit.identity.compiler;

        format!("{} {} ({})", compiler.family.as_str(), compiler.version, printable(compiler.path.as_bstr()))
    });
    for (compiler, count) in tally(named) {
        findings.add("compilers", Level::Fine, format!("{compiler}: {}", counted(count, "unit", "units")));
    }
}

/// In a kernel's build: what is the kernel's own, and what only helps to build it.
fn roles(findings: &mut Findings, units: &[UnitEntry]) {
    let roles = units.iter().map(|unit| kernel::role(&unit.identity.call.run));
    let counts = tally(roles.map(|role| role.as_str().to_owned()));
    if counts.iter().any(|(role, _)| role != kernel::Role::Other.as_str()) {
        for (role, count) in counts {
            findings.add("kernel", Level::Fine, format!("{role}: {}", counted(count, "unit", "units")));
        }
    }
    let notes = units
        .iter()
        .flat_map(|unit| &unit.identity.notes)
        .filter(|note| note.contains("afterwards") || note.contains("alone"));
    for (note, count) in tally(notes.cloned()) {
        findings.add(
            "recorded afterwards",
            Level::Note,
            format!("{}: {note}", counted(count, "unit", "units")),
        );
    }
}

fn without_object(findings: &mut Findings, links: &[LinkRecord]) {
    let mut sources: Vec<String> = Vec::new();
    for link in links {
        let output = printable(link.output.as_bstr());
        sources.extend(link.without_object.iter().map(|source| {
            format!("`{}`, compiled and linked into `{output}` in one call", printable(source.as_bstr()))
        }));
    }
    sources.sort_unstable();
    list(findings, "sources without an object of their own", Level::Check, &sources);
}

/// Objects that a link took and no record tells of: they were compiled without lpcc, or their records were lost where
/// there was no room even for a note.
fn linked_unrecorded(
    findings: &mut Findings,
    store: Option<&Store>,
    units: &[UnitEntry],
    links: &[LinkRecord],
) {
    let recorded: BTreeSet<&Path> = units.iter().map(UnitEntry::output).collect();
    let bytes: HashSet<_> = units.iter().flat_map(|unit| &unit.identity.variants).map(|v| v.hash).collect();
    let is_recorded = |object: &Path| {
        // One that was moved after its compile is known by its bytes.
        let hash = || store?.hash_file(object);
        recorded.contains(object) || hash().is_some_and(|hash| bytes.contains(&hash))
    };
    let mut missing = BTreeSet::new();
    for link in links {
        let directory = Path::new(OsStr::from_bytes(&link.call.directory));
        for input in link.inputs.iter().filter(|input| input.ends_with(b".o") || input.ends_with(b".lo")) {
            let object = absolute(directory, Path::new(OsStr::from_bytes(input)));
            if !is_recorded(&object) {
                missing.insert(object);
            }
        }
    }
    let missing: Vec<String> = missing.iter().map(|object| shown(object)).collect();
    // Without the objects, one that was moved after its compile cannot be told from one that was not recorded.
    let (topic, level) = match store {
        Some(_) => ("linked, but not recorded", Level::Check),
        None => ("linked by a name that no record has", Level::Note),
    };
    list(findings, topic, level, &missing);
}

fn noted(findings: &mut Findings, notes: &[Note]) {
    for (kind, topic, level) in [
        (NoteKind::NotRecorded, "calls not recorded", Level::Check),
        (NoteKind::Trouble, "trouble while recording", Level::Check),
        (NoteKind::Remark, "remarks", Level::Note),
    ] {
        let said = notes.iter().filter(|note| note.kind == kind).map(|note| {
            let about = note.source.as_ref().or(note.output.as_ref());
            let about =
                about.map_or("a call".to_owned(), |about| format!("`{}`", printable(about.as_bstr())));
            format!("{about}: {}", note.reason)
        });
        let mut said: Vec<String> = said.collect();
        said.sort_unstable();
        list(findings, topic, level, &said);
    }
}

fn inputs(findings: &mut Findings, units: &[UnitEntry], damaged: &mut Vec<String>) {
    let mut reasons: Vec<String> = Vec::new();
    let mut unread = 0;
    for unit in units {
        match unit.record.inputs() {
            Ok(inputs) => {
                unread += inputs.files.iter().filter(|file| file.hash.is_none()).count();
                if let Completeness::Partial(reason) = inputs.completeness {
                    reasons.push(reason);
                }
            }
            Err(why) => damaged.push(unit.damaged(why).to_string()),
        }
    }
    for (reason, count) in tally(reasons.into_iter()) {
        let text = format!("{}: {reason}", counted(count, "unit", "units"));
        findings.add("inputs that are not all known", Level::Check, text);
    }
    if unread > 0 {
        let text = format!("{} gone or unreadable after the compile", counted(unread, "file", "files"));
        findings.add("inputs that are not all known", Level::Note, text);
    }
}

fn fingerprints(findings: &mut Findings, units: &[UnitEntry], damaged: &mut Vec<String>) {
    const TOPIC: &str = "fingerprints";
    let mut unreadable = Vec::new();
    let mut careful = Vec::new();
    for unit in units {
        for (index, variant) in unit.identity.variants.iter().enumerate() {
            if let Some(reason) = &variant.unreadable {
                unreadable.push(reason.clone());
                continue;
            }
            match unit.record.fingerprints(index).map(|prints| prints.basis) {
                Ok(Basis::Exact) => {}
                Ok(Basis::Conservative(reasons)) => {
                    careful.push(format!("conservative: {}", reasons.join(", ")));
                }
                Ok(Basis::Deferred(reason)) => careful.push(format!("deferred to the link: {reason}")),
                Err(why) => damaged.push(unit.damaged(why).to_string()),
            }
        }
    }
    for (reason, count) in tally(unreadable.into_iter()) {
        let text = format!("{} without: {reason}", counted(count, "object", "objects"));
        findings.add(TOPIC, Level::Check, text);
    }
    for (reason, count) in tally(careful.into_iter()) {
        findings.add(TOPIC, Level::Note, format!("{} {reason}", counted(count, "object", "objects")));
    }
}
