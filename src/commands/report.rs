//! `lpcc report`: what the shadows of a recording show.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bstr::{BString, ByteSlice};
use rayon::prelude::*;

use super::side::{self, Source};
use crate::analysis::cost::{Total, UnitCost, total};
use crate::argv::Language;
use crate::object::fingerprint::RECIPE;
use crate::object::{Basis, Fingerprints};
use crate::policy::COMPILED_ONCE;
use crate::report::cost::{self, Report, ShadowReport, Subject, UnitReport};
use crate::report::error::{SAME, TROUBLE};
use crate::report::output;
use crate::report::progress::Progress;
use crate::store::UnitEntry;

/// Rows of a list without `--all`.
const ROWS: usize = 20;

/// What a flag, or another difference, costs in a build that was compiled twice.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recording: `now`, a snapshot's name, or an export.
    #[arg(default_value = "now")]
    recording: OsString,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Tell only of this shadow; may be given several times.
    #[arg(long, value_name = "NAME")]
    shadow: Vec<String>,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// In text, list everything, not the largest alone.
    #[arg(long)]
    all: bool,
    /// Look for the recording in this store instead of the one found from here.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person at a terminal.
    #[default]
    Text,
    /// For a program: one JSON document, see docs/json.md.
    Json,
    /// For a review: one page that needs nothing else.
    Html,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let side = side::resolve(&args.recording, args.store.as_deref());
    let mut troubles = side.troubles.clone();
    let units: Vec<&UnitEntry> = side
        .objects
        .iter()
        .filter_map(|object| match &object.source {
            Source::Unit(unit) => Some(&**unit),
            _ => None,
        })
        .collect();
    if units.is_empty() && troubles.is_empty() {
        troubles.push(format!("`{}` is no recording", args.recording.as_encoded_bytes().as_bstr()));
    }
    let report = report(&side.label, &units, &args.shadow, troubles);
    for trouble in &report.troubles {
        output::complain(trouble);
    }
    if units.is_empty() {
        return Ok(ExitCode::from(TROUBLE));
    }
    let text = match args.format {
        Format::Text => cost::text::render(&report, if args.all { usize::MAX - 1 } else { ROWS }),
        Format::Json => cost::json::render(&report)?,
        Format::Html => cost::html::render(&report)?,
    };
    match &args.output {
        Some(file) => {
            std::fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
        }
        None => output::print(&text)?,
    }
    Ok(ExitCode::from(if report.troubles.is_empty() { SAME } else { TROUBLE }))
}

/// One shadow of one unit, compared or not.
struct Compared {
    shadow: String,
    sides: (String, String),
    result: Result<UnitReport, (BString, String)>,
}

fn report(label: &str, units: &[&UnitEntry], wanted: &[String], mut troubles: Vec<String>) -> Report {
    let mut units = units.to_vec();
    units.sort_by(|a, b| a.output().cmp(b.output()));
    let shared = total::shared(units.iter().map(|unit| unit.identity.unit.output.as_bstr()));
    let progress = Progress::new(units.len());
    let compared: Vec<Result<Vec<Compared>, String>> = units
        .par_iter()
        .map(|unit| {
            let result = compare(unit, shared, wanted);
            progress.step();
            result
        })
        .collect();
    drop(progress);
    let once = units.iter().filter(|unit| unit.identity.variants.len() < 2).count();
    let mut because: BTreeMap<&str, usize> = BTreeMap::new();
    for why in
        units.iter().flat_map(|unit| &unit.identity.notes).filter_map(|n| n.strip_prefix(COMPILED_ONCE))
    {
        *because.entry(why).or_default() += 1;
    }
    let others = units.iter().filter(|unit| !is_c_or_cxx(unit)).count();
    if once < units.len() && others > 0 {
        because.insert("neither C nor C++", others);
    }
    let because = because.into_iter().map(|(why, units)| (why.to_owned(), units)).collect();
    let mut shadows: Vec<ShadowReport> = Vec::new();
    for result in compared {
        match result {
            Err(trouble) => troubles.push(trouble),
            Ok(list) => list.into_iter().for_each(|one| sort_in(&mut shadows, one)),
        }
    }
    Report { recording: label.to_owned(), units: units.len(), once, because, shadows, troubles }
}

fn is_c_or_cxx(unit: &UnitEntry) -> bool {
    matches!(unit.identity.unit.language, Language::C | Language::Cxx)
}

fn sort_in(shadows: &mut Vec<ShadowReport>, one: Compared) {
    let position = shadows.iter().position(|shadow| shadow.name == one.shadow).unwrap_or_else(|| {
        shadows.push(ShadowReport {
            subject: Subject::of(&one.shadow),
            name: one.shadow.clone(),
            a: one.sides.0.clone(),
            b: one.sides.1.clone(),
            units: Vec::new(),
            failed: Vec::new(),
            total: Total::default(),
        });
        shadows.len() - 1
    });
    let Some(shadow) = shadows.get_mut(position) else { return };
    match one.result {
        Ok(unit) => {
            shadow.total.add(&unit.cost);
            shadow.units.push(unit);
        }
        Err(failed) => shadow.failed.push(failed),
    }
}

/// All shadows of a unit; an error where the record itself cannot be read.
fn compare(unit: &UnitEntry, shared: usize, wanted: &[String]) -> Result<Vec<Compared>, String> {
    let variants = &unit.identity.variants;
    let asked = |name: &String| wanted.is_empty() || wanted.contains(name);
    if !variants.iter().skip(1).any(|variant| asked(&variant.name)) {
        return Ok(Vec::new());
    }
    let object: BString = unit.identity.unit.output.get(shared..).unwrap_or_default().into();
    let costs = unit.costs();
    let took = |name: &str| costs.iter().find(|cost| cost.name == name).cloned();
    let primary = prints(unit, 0).map_err(|why| format!("`{}`: {why}", unit.output().display()))?;
    let behind_a_launcher = !unit.identity.call.launchers.is_empty();
    let shadows = variants.iter().enumerate().skip(1).filter(|(_, variant)| asked(&variant.name));
    Ok(shadows
        .map(|(index, variant)| {
            let swapped = Subject::of(&variant.name) == Subject::LivePatching
                && unit.identity.decision.live_patching.is_some();
            let result = prints(unit, index).and_then(|shadow| {
                let primary = primary.as_ref().map_err(Clone::clone)?;
                let shadow = shadow?;
                let (a, b) = if swapped { (&shadow, primary) } else { (primary, &shadow) };
                let times = took("primary").zip(took(&variant.name)).filter(|_| !behind_a_launcher);
                let times = times.map(|(one, other)| if swapped { (other, one) } else { (one, other) });
                Ok(UnitReport {
                    object: object.clone(),
                    source: unit.identity.unit.source.clone(),
                    cost: UnitCost::of(a, b),
                    took: times,
                })
            });
            let sides = sides(&variant.name, unit);
            Compared {
                shadow: variant.name.clone(),
                sides,
                result: result.map_err(|why| (object.clone(), why)),
            }
        })
        .collect())
}

/// Fingerprints, or why there are none.
type Prints = Result<Fingerprints, String>;

/// The fingerprints of a variant with their streams. The outer error is damage.
fn prints(unit: &UnitEntry, index: usize) -> Result<Prints, String> {
    let Some(head) = unit.identity.variants.get(index) else {
        return Ok(Err("there is no such variant".into()));
    };
    if let Some(why) = &head.unreadable {
        return Ok(Err(why.clone()));
    }
    let damaged = |why| format!("the record {}", unit.damaged(why));
    let mut prints: Fingerprints = unit.record.fingerprints(index).map_err(damaged)?;
    if prints.recipe != RECIPE {
        return Ok(Err(format!("was recorded by recipe {}, this lpcc has {RECIPE}", prints.recipe)));
    }
    if let Basis::Deferred(why) = &prints.basis {
        return Ok(Err(format!("no function bytes before the link: {why}")));
    }
    unit.record.load_streams(index, &mut prints).map_err(damaged)?;
    Ok(Ok(prints))
}

/// What A and B are, in words.
fn sides(shadow: &str, unit: &UnitEntry) -> (String, String) {
    let (a, b) = match Subject::of(shadow) {
        Subject::LivePatching => {
            let asked = shadow.split_once('=').map_or("inline-clone", |(_, level)| level);
            let level = unit.identity.decision.live_patching.as_deref().unwrap_or(asked);
            return ("without -flive-patching".to_owned(), format!("with -flive-patching={level}"));
        }
        Subject::Same => ("the first compile", "the second"),
        Subject::Lines => ("as it is", "with all line numbers moved"),
        Subject::Other => ("as built", shadow),
    };
    (a.to_owned(), b.to_owned())
}
