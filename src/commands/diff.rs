//! `lpcc diff`: what differs between two objects, archives, linked files, directories or recordings.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use bstr::BString;
use rayon::prelude::*;

use super::side::{self, Loaded, Object, Side};
use crate::analysis::{self, Change, ObjectDiff, Status, differ, inputs, pairing, rewritten};
use crate::object::{Basis, Fingerprints};
use crate::report::error::{DIFFERENT, SAME, TROUBLE};
use crate::report::progress::Progress;
use crate::report::{Comparison, Format, diff_json, diff_text, output, shown};

/// What differs between two objects, archives, linked files, directories or recordings.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The old side.
    old: OsString,
    /// The new side.
    new: OsString,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Show what changed inside: old and new instructions beside each other where the terminal is wide enough.
    #[arg(long)]
    code: bool,
    /// Tell only of this function or datum (a raw symbol); may be given several times.
    #[arg(long, value_name = "NAME")]
    symbol: Vec<OsString>,
    /// Look for recordings in this store instead of the one found from here.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Columns to print for, instead of those of the terminal.
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let sides =
        (side::resolve(&args.old, args.store.as_deref()), side::resolve(&args.new, args.store.as_deref()));
    let troubles: Vec<String> =
        [&sides.0, &sides.1].into_iter().flat_map(|side| side.troubles.clone()).collect();
    for trouble in &troubles {
        output::complain(trouble);
    }
    // A side that does not exist at all leaves nothing to compare; listing the other as new would mislead.
    if [&sides.0, &sides.1].into_iter().any(|side| side.objects.is_empty() && !side.troubles.is_empty()) {
        return Ok(ExitCode::from(TROUBLE));
    }
    let comparison = compare(&sides, troubles, args);
    let text = match args.format {
        Format::Text => diff_text::render(&comparison, args.width.or_else(output::width)),
        Format::Json => diff_json::render(&comparison)?,
    };
    output::print(&text)?;
    let summary = comparison.summary();
    Ok(ExitCode::from(match () {
        () if !comparison.troubles.is_empty() => TROUBLE,
        () if summary.differs() => DIFFERENT,
        () => SAME,
    }))
}

fn compare(sides: &(Side, Side), mut troubles: Vec<String>, args: &Args) -> Comparison {
    let names = |side: &Side| side.objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>();
    let matches = pairing::pair(&names(&sides.0), &names(&sides.1));
    let progress = Progress::new(matches.len());
    let is_only = matches.len() == 1;
    let compared = |(name, old, new): (BString, Option<usize>, Option<usize>)| {
        let old = old.and_then(|index| sides.0.objects.get(index));
        let new = new.and_then(|index| sides.1.objects.get(index));
        let mut result = objects(name, old, new, args.code, is_only);
        narrow(&mut result.0, &args.symbol);
        progress.step();
        result
    };
    // Threads have memory of their own, which one pair makes no use of.
    let results: Vec<(ObjectDiff, Vec<String>)> = if is_only {
        matches.into_iter().map(compared).collect()
    } else {
        matches.into_par_iter().map(compared).collect()
    };
    drop(progress);
    let mut objects = Vec::with_capacity(results.len());
    for (diff, unreadable) in results {
        objects.push(diff);
        for trouble in unreadable {
            output::complain(&trouble);
            troubles.push(trouble);
        }
    }
    Comparison { old: sides.0.label.clone(), new: sides.1.label.clone(), objects, troubles }
}

/// Compares one pair, perhaps the only one; the second value names what could not be read.
fn objects(
    name: BString,
    old: Option<&Object>,
    new: Option<&Object>,
    code: bool,
    is_only: bool,
) -> (ObjectDiff, Vec<String>) {
    let mut diff = ObjectDiff {
        object: name,
        status: Status::Same,
        notes: Vec::new(),
        findings: Vec::new(),
        code: Vec::new(),
    };
    let mut troubles = Vec::new();
    let (mut old_loaded, mut new_loaded) = (read(old, &mut troubles), read(new, &mut troubles));
    if let (Some(old), Some(new)) = (&old_loaded, &new_loaded) {
        diff.findings = side::built_otherwise(old, new);
        if old.has_bytes_of(new) && troubles.is_empty() {
            return (diff, troubles);
        }
    }
    let mut prints = |object: Option<&Object>, loaded: Option<&mut Loaded<'_>>| {
        let loaded = loaded?;
        let mut prints = loaded.fingerprints();
        loaded.let_go();
        if let Ok(prints) = &mut prints {
            prints.streams.shrink_to_fit();
        }
        prints.map_err(|why| troubles.push(named(object, &why))).ok()
    };
    let (old_prints, new_prints) = (prints(old, old_loaded.as_mut()), prints(new, new_loaded.as_mut()));
    if !troubles.is_empty() {
        diff.status = Status::Unreadable;
        diff.notes.clone_from(&troubles);
        return (diff, troubles);
    }
    match (&old_prints, &new_prints) {
        (Some(old), Some(new)) => pair(&mut diff, old, new, code),
        (Some(old), None) => one_side(&mut diff, old, Change::Removed, Status::Removed),
        (None, Some(new)) => one_side(&mut diff, new, Change::New, Status::Added),
        (None, None) => {}
    }
    let inputs = |loaded: &Option<Loaded<'_>>| loaded.as_ref().and_then(Loaded::inputs);
    if diff.status == Status::Changed
        && let (Some(old), Some(new)) = (inputs(&old_loaded), inputs(&new_loaded))
    {
        let flags = diff.findings.iter().take_while(|finding| !differ::is_about_object(finding)).count();
        diff.findings.splice(flags..flags, inputs::files(&old, &new));
    }
    if is_only {
        // The process is about to end, which frees all at once; item by item takes a sixtieth of the time.
        std::mem::forget((old_prints, new_prints));
    }
    (diff, troubles)
}

fn read<'a>(object: Option<&'a Object>, troubles: &mut Vec<String>) -> Option<Loaded<'a>> {
    let object_ref = object?;
    side::load(object_ref).map_err(|why| troubles.push(named(object, &why))).ok()
}

fn named(object: Option<&Object>, why: &str) -> String {
    format!("`{}`: {why}", object.map(Object::place).unwrap_or_default())
}

fn pair(diff: &mut ObjectDiff, old: &Fingerprints, new: &Fingerprints, code: bool) {
    for (side, prints) in [("old", old), ("new", new)] {
        diff.notes.extend(shown::basis(prints).into_iter().map(|reason| format!("{reason} ({side} side)")));
    }
    if matches!(old.basis, Basis::Deferred(_)) || matches!(new.basis, Basis::Deferred(_)) {
        diff.status = Status::Deferred;
        return;
    }
    let identity = |prints: &Fingerprints| (prints.image.machine, prints.image.bits, prints.image.flags);
    if identity(old) != identity(new) {
        let said = |prints: &Fingerprints| {
            format!(
                "{}, {} bits, flags {:#x}",
                shown::machine(prints.image.machine),
                prints.image.bits,
                prints.image.flags
            )
        };
        diff.notes.push(format!("another kind of machine code: {} -> {}", said(old), said(new)));
        diff.status = Status::Changed;
    }
    let (mut findings, mut pairs) =
        if code { analysis::compare_with_code(old, new) } else { (analysis::compare(old, new), Vec::new()) };
    if let Some(side) = rewritten::leave_out(old, new, &mut findings) {
        diff.notes
            .push(format!("objtool rewrote the {side} side behind the compiler; what it makes is left out"));
        pairs.retain(|pair| findings.iter().any(|finding| finding.symbol == pair.symbol));
    }
    if !findings.is_empty() {
        diff.status = Status::Changed;
    } else if diff.status == Status::Same {
        // How far the fingerprints can be trusted matters to a difference; equal is equal on any basis.
        diff.notes.clear();
    }
    diff.findings.extend(findings);
    diff.code = pairs;
}

fn one_side(diff: &mut ObjectDiff, prints: &Fingerprints, change: Change, status: Status) {
    diff.status = status;
    diff.notes = shown::basis(prints);
    diff.findings = analysis::all_of(prints, change);
}

/// Keeps only what is about the symbols asked for; an object without any is the same as far as was asked.
fn narrow(diff: &mut ObjectDiff, symbols: &[OsString]) {
    if symbols.is_empty() {
        return;
    }
    let is_asked = |name: &BString| symbols.iter().any(|symbol| symbol.as_encoded_bytes() == name.as_slice());
    diff.findings.retain(|finding| {
        let sides = [finding.old.as_ref(), finding.new.as_ref()];
        !differ::is_about_object(finding) || sides.into_iter().flatten().any(|side| is_asked(&side.symbol))
    });
    diff.code.retain(|pair| is_asked(&pair.symbol));
    let is_left = diff.findings.iter().any(differ::is_about_object);
    if !is_left && matches!(diff.status, Status::Changed | Status::Added | Status::Removed) {
        diff.status = Status::Same;
        diff.notes.clear();
        diff.findings.retain(|finding| finding.symbol == "compiler" || finding.symbol == "flags");
    }
}
