//! `lpcc store`: look after the store: snapshots, listing, verification.

mod dump;
mod encode;
mod export;
mod export_clones;
mod list;
mod verify;

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

pub use export::write as write_export;

use crate::commands::located;
use crate::report::{Format, bytes, output};
use crate::store::{Removal, RemovalReason, Store};

/// Look after the store: snapshots, verification, listing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The store; without it, the one that a build here would write to.
    #[arg(long, value_name = "DIR", global = true)]
    store: Option<PathBuf>,
    /// How to print the answer; `dump` is always JSON.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    /// What to do.
    #[command(subcommand)]
    task: Task,
}

/// What can be done with a store.
#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Fix the current state under a name, to compare with later.
    Snapshot {
        /// The name; a snapshot that has it is replaced.
        name: OsString,
    },
    /// The current state and all snapshots, with their sizes.
    List,
    /// Name every damaged or stale record. Exit status 0: fine, 1: something stale, 2: something damaged.
    Verify {
        /// Check this exported recording instead of the store.
        #[arg(value_name = "EXPORT")]
        export: Option<PathBuf>,
    },
    /// Write a recording to one compressed file, to be shipped beside a debug package and named wherever a recording is.
    ///
    /// The same recording gives the same bytes. The exit status is 0, or 2 if a record was damaged: the export holds a
    /// note in its place.
    Export(export::Args),
    /// Make a snapshot of an exported recording. It can be read where it lies without this.
    Import {
        /// The export.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The snapshot's name; one that has it is replaced.
        name: OsString,
    },
    /// Remove records of vanished objects, and what killed processes left.
    Gc {
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// One record as JSON, with everything in it.
    Dump {
        /// An object that was recorded, or the file of a record or an export.
        #[arg(value_name = "OBJECT|FILE")]
        what: PathBuf,
    },
    /// Write the clones dumps that records hold (`clones = true`) below DIR, as `FOLDER/SOURCE.000i.ipa-clones`.
    ExportClones {
        /// Where to write; made if need be.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Those of this snapshot instead of the current state.
        #[arg(long, value_name = "NAME")]
        recording: Option<OsString>,
        /// The top of the build, which DIR stands for; without it, the working directory.
        #[arg(long, value_name = "TOP")]
        below: Option<PathBuf>,
    },
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let explicit = args.store.as_deref();
    match &args.task {
        Task::Snapshot { name } => snapshot(&located::open(explicit)?, name, args.format),
        Task::List => list::main(&located::open(explicit)?, args.format),
        Task::Export(what) => export::export(what, explicit, args.format),
        Task::Import { file, name } => export::import(file, name, explicit, args.format),
        Task::Verify { export: Some(export) } => verify::export(export, args.format),
        Task::Verify { export: None } => verify::main(&located::open(explicit)?, args.format),
        Task::Gc { dry_run } => gc(&located::open(explicit)?, *dry_run, args.format),
        Task::ExportClones { directory, recording, below } => {
            let store = located::open(explicit)?;
            export_clones::main(&store, directory, recording.as_deref(), below.as_deref(), args.format)
        }
        Task::Dump { what } => dump::main(what, explicit),
    }
}

fn snapshot(store: &Store, name: &OsString, format: Format) -> anyhow::Result<ExitCode> {
    let made = store.snapshot(name)?;
    if format == Format::Json {
        let answer = json!({
            "schema": "lpcc.store.snapshot/1", "name": name.to_string_lossy(), "units": made.units,
            "links": made.links, "notes": made.notes, "inputs": made.inputs, "vanished": made.vanished, "damaged": made.damaged,
            "replaced": made.replaced,
        });
        output::print(&format!("{answer:#}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let verb = if made.replaced { "replaced" } else { "made" };
    let mut text = format!("{verb} snapshot `{}`: {}", name.display(), counted(made.units, "unit", "units"));
    let _ = write!(text, ", {}", counted(made.links, "link", "links"));
    text.push_str(&generated(made.inputs));
    if made.vanished > 0 {
        let _ = write!(text, "; left out {} whose object is gone", counted(made.vanished, "unit", "units"));
    }
    text.push('\n');
    if made.damaged > 0 {
        let _ = writeln!(
            text,
            "{}, kept as they are",
            counted(made.damaged, "damaged record", "damaged records")
        );
        text.push_str("hint: `lpcc store verify` names them\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// How many generated inputs were kept, behind other counts.
fn generated(inputs: usize) -> String {
    if inputs == 0 {
        String::new()
    } else {
        format!(", {} that the build generated", counted(inputs, "input", "inputs"))
    }
}

fn gc(store: &Store, dry_run: bool, format: Format) -> anyhow::Result<ExitCode> {
    let removals = store.gc(dry_run)?;
    let total: u64 = removals.iter().map(|removal| removal.bytes).sum();
    if format == Format::Json {
        let rows: Vec<Value> = removals.iter().map(removal).collect();
        let answer =
            json!({"schema": "lpcc.store.gc/1", "dry_run": dry_run, "bytes": total, "removed": rows});
        output::print(&format!("{answer:#}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for removal in &removals {
        let _ = match &removal.reason {
            RemovalReason::Vanished(gone) => writeln!(text, "record of {}, which is gone", shown(gone)),
            RemovalReason::Leftover => writeln!(text, "leftover {}", shown(&removal.file)),
        };
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    let _ = writeln!(text, "{verb} {}, {}", counted(removals.len(), "file", "files"), size(total));
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn removal(removal: &Removal) -> Value {
    let mut row = Map::new();
    encode::path(&mut row, "file", &removal.file);
    row.insert("bytes".into(), removal.bytes.into());
    let reason = match &removal.reason {
        RemovalReason::Vanished(output) => {
            encode::path(&mut row, "output", output);
            "vanished"
        }
        RemovalReason::Leftover => "leftover",
    };
    row.insert("reason".into(), reason.into());
    row.into()
}

/// A path for a terminal, in backticks.
pub fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    format!("`{}`", bytes::printable(path.as_os_str().as_bytes().into()))
}

/// `1 unit`, `2 units`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A size that a person can read.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
