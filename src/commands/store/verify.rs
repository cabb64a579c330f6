//! `lpcc store verify`: damaged and stale records by name.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::{counted, encode, shown};
use crate::commands::rewritten;
use crate::report::{Format, output};
use crate::store::{Problem, Recording, Store, Verification, Want};

/// More vanished objects than this are only counted: a configure script leaves hundreds.
const LISTED: usize = 10;

/// Exit status where records are out of date.
const STALE: u8 = 1;
/// Exit status where records are damaged.
const DAMAGED: u8 = 2;

pub(super) fn main(store: &Store, format: Format) -> anyhow::Result<ExitCode> {
    let found = rewritten::settled(store.verify()?);
    let text = match format {
        Format::Text => text(store, &found),
        Format::Json => {
            let problems: Vec<Value> = found.problems.iter().map(row).collect();
            let answer = json!({"schema": "lpcc.store.verify/1", "files": found.files, "problems": problems});
            format!("{answer:#}\n")
        }
    };
    output::print(&text)?;
    Ok(ExitCode::from(status(&found)))
}

/// Reads everything that an export holds.
pub(super) fn export(file: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let Some(recording) = Recording::open_export(file)? else { bail!("{} is no export", shown(file)) };
    let mut files = 0;
    for unit in recording.units() {
        let unit = unit?;
        unit.record.record(Want::Everything).map_err(|why| unit.damaged(why))?;
        files += 1;
    }
    for link in recording.links() {
        link?;
        files += 1;
    }
    for note in recording.notes() {
        note?;
        files += 1;
    }
    output::print(&match format {
        Format::Text => format!("{}: {}, all whole\n", shown(file), counted(files, "record", "records")),
        Format::Json => {
            format!("{:#}\n", json!({"schema": "lpcc.store.verify/1", "files": files, "problems": []}))
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn status(found: &Verification) -> u8 {
    if found.problems.iter().any(Problem::is_damage) {
        DAMAGED
    } else if found.problems.iter().all(Problem::is_fine) {
        0
    } else {
        STALE
    }
}

/// The word for a problem.
fn word(problem: &Problem) -> &'static str {
    match problem {
        Problem::Damaged(_) => "damaged",
        Problem::Newer { .. } => "newer",
        Problem::Misplaced { .. } => "misplaced",
        Problem::Stale { .. } => "stale",
        Problem::Rewritten { .. } => "post-processed",
        Problem::Vanished { .. } => "vanished",
        Problem::StrayTemporary(_) => "leftover",
    }
}

fn text(store: &Store, found: &Verification) -> String {
    let mut text = String::new();
    let vanished =
        found.problems.iter().filter(|problem| matches!(problem, Problem::Vanished { .. })).count();
    for problem in &found.problems {
        let _ = match problem {
            Problem::Damaged(damaged) => writeln!(text, "damaged   {} {}", shown(&damaged.file), damaged.why),
            Problem::Newer { file, version } => {
                writeln!(text, "newer     {} has format {version}: a newer lpcc wrote it", shown(file))
            }
            Problem::Misplaced { file, output } => {
                writeln!(text, "misplaced {} is the record of {}", shown(file), shown(output))
            }
            Problem::Stale { output, .. } => {
                writeln!(text, "stale     {} was changed after it was recorded", shown(output))
            }
            Problem::Vanished { output, .. } if vanished <= LISTED => {
                writeln!(text, "vanished  {} is gone", shown(output))
            }
            Problem::StrayTemporary(file) => {
                writeln!(text, "leftover  {} of a process that died", shown(file))
            }
            // All of a kernel's objects are: they are counted below.
            Problem::Vanished { .. } | Problem::Rewritten { .. } => Ok(()),
        };
    }
    if vanished > LISTED {
        let _ = writeln!(text, "vanished  {vanished} objects are gone");
    }
    let read = counted(found.files, "file", "files");
    if found.problems.is_empty() {
        let _ = writeln!(text, "{}: {read} read, all well", shown(store.root()));
        return text;
    }
    let _ = write!(text, "{}: {read} read", shown(store.root()));
    for kind in ["damaged", "newer", "misplaced", "stale", "post-processed", "vanished", "leftover"] {
        let count = found.problems.iter().filter(|problem| word(problem) == kind).count();
        if count > 0 {
            let _ = write!(text, ", {count} {kind}");
        }
    }
    if found.problems.iter().all(Problem::is_fine) {
        text.push_str(": all well");
    }
    text.push('\n');
    if found.problems.iter().any(|problem| matches!(word(problem), "vanished" | "leftover")) {
        text.push_str("hint: `lpcc store gc` removes what vanished and what was left over\n");
    }
    text
}

fn row(problem: &Problem) -> Value {
    let mut row = Map::new();
    row.insert("problem".into(), word(problem).into());
    let (file, output, detail) = match problem {
        Problem::Damaged(damaged) => (&damaged.file, None, Some(damaged.why.to_string())),
        Problem::Newer { file, version } => (file, None, Some(format!("format {version}"))),
        Problem::Misplaced { file, output }
        | Problem::Stale { file, output }
        | Problem::Vanished { file, output } => (file, Some(output), None),
        Problem::Rewritten { file, output, by } => (file, Some(output), Some(format!("rewritten by {by}"))),
        Problem::StrayTemporary(file) => (file, None, None),
    };
    encode::path(&mut row, "file", file);
    if let Some(output) = output {
        encode::path(&mut row, "output", output);
    }
    if let Some(detail) = detail {
        row.insert("detail".into(), detail.into());
    }
    row.into()
}
