//! `lpcc record`: a recording of a build that was done without lpcc.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::located;
use super::store::{counted, shown};
use crate::afterwards::found::{self, Found};
use crate::afterwards::{self, Summary, Watcher};
use crate::report::error::{SAME, TROUBLE};
use crate::report::progress::Progress;
use crate::report::{Format, output};
use crate::store::{SnapshotName, Store, absolute, locate};

/// A recording of a build that was done without lpcc.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The build's directory: kbuild's `.cmd` files in it tell the calls. Objects that nothing tells of are recorded alone.
    #[arg(value_name = "DIR")]
    tree: Option<PathBuf>,
    /// A compilation database (`compile_commands.json`) that tells the calls instead.
    #[arg(long, value_name = "FILE", conflicts_with = "tree")]
    from: Option<PathBuf>,
    /// Where calls ran of which neither a `.cmd` file nor the object tells it (an external module's kernel tree).
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Keep the recording under this name.
    #[arg(long, value_name = "NAME")]
    name: Option<OsString>,
    /// Record here instead of the nearest `.lpcc` from the build's directory upward, or a new one in it.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command: exit status 0, or 2 if something could not be recorded.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.name {
        SnapshotName::new(name)?;
    }
    let here = std::env::current_dir().context("cannot tell the working directory")?;
    let (tree, found) = if let Some(file) = &args.from {
        let file = absolute(&here, file);
        let found = found::in_database(&file)
            .map_err(|why| anyhow::anyhow!("`{}` is no compilation database: {why}", file.display()))?;
        (file.parent().unwrap_or(Path::new("/")).to_path_buf(), found)
    } else {
        // What compilers and the kernel tell holds no symbolic links.
        let named = args.tree.as_deref().unwrap_or(Path::new("."));
        let tree = named.canonicalize().with_context(|| format!("cannot find `{}`", named.display()))?;
        if !tree.is_dir() {
            bail!("`{}` is no directory; hint: --from reads a compilation database", tree.display());
        }
        let called_in = args.directory.as_ref().map(|directory| absolute(&here, directory));
        (tree.clone(), found::in_tree(&tree, called_in.as_deref()))
    };
    if found.units.is_empty() && found.alone.is_empty() && found.troubles.is_empty() {
        bail!(
            "nothing to record: no objects lie in `{}` where the build would have left them",
            tree.display()
        );
    }
    let store = Store::create(&place(args, &tree)?)?;
    let progress = Watch(Progress::new(total(&found)));
    let summary = afterwards::record(found, &store, &progress)?;
    drop(progress);
    if let Some(name) = &args.name {
        store.snapshot(name)?;
    }
    output::print(&match args.format {
        Format::Text => text(&summary, &store),
        Format::Json => format!("{:#}\n", json(&summary, &store)),
    })?;
    for trouble in &summary.troubles {
        output::complain(trouble);
    }
    Ok(ExitCode::from(if summary.troubles.is_empty() { SAME } else { TROUBLE }))
}

fn total(found: &Found) -> usize {
    found.units.len() + found.alone.len()
}

/// The store that a build in `tree` would write to, but never the user's own: a recording belongs to its build.
fn place(args: &Args, tree: &Path) -> anyhow::Result<PathBuf> {
    if args.store.is_some() {
        return located::root(args.store.as_deref())?.context("there is no store: none was named");
    }
    Ok(located::of_build(tree).unwrap_or_else(|| tree.join(locate::DIRECTORY)))
}

struct Watch(Progress);

impl Watcher for Watch {
    fn step(&self) {
        self.0.step();
    }
}

fn text(summary: &Summary, store: &Store) -> String {
    let mut out = format!("{}: recorded {}", shown(store.root()), counted(summary.units, "unit", "units"));
    if summary.links > 0 {
        let _ = write!(out, ", {}", counted(summary.links, "link", "links"));
    }
    if summary.alone > 0 {
        let _ = write!(out, ", {} without a call", counted(summary.alone, "object", "objects"));
    }
    out.push('\n');
    let mut line = |what: String| {
        out.push_str("  ");
        out.push_str(&what);
        out.push('\n');
    };
    if summary.standing > 0 {
        line(format!(
            "{} recorded by the wrapper: left as recorded",
            counted(summary.standing, "unit", "units")
        ));
    }
    for (program, count) in &summary.rewritten {
        line(format!("{} rewritten by {program} behind the compiler", counted(*count, "object", "objects")));
    }
    for (why, count) in &summary.partial {
        line(format!("{} whose inputs are not all known: {why}", counted(*count, "unit", "units")));
    }
    for (remark, count) in &summary.remarks {
        line(format!("{}: {remark}", counted(*count, "unit", "units")));
    }
    if summary.gone > 0 {
        line(format!("{} of known calls not there", counted(summary.gone, "object", "objects")));
    }
    out
}

fn json(summary: &Summary, store: &Store) -> Value {
    let counts = |counts: &std::collections::BTreeMap<String, usize>| -> Value {
        counts.iter().map(|(text, count)| json!({"text": text, "units": count})).collect()
    };
    json!({
        "schema": "lpcc.record/1",
        "store": store.root().display().to_string(),
        "units": summary.units,
        "alone": summary.alone,
        "links": summary.links,
        "standing": summary.standing,
        "gone": summary.gone,
        "rewritten": counts(&summary.rewritten),
        "partial": counts(&summary.partial),
        "remarks": counts(&summary.remarks),
        "troubles": summary.troubles,
    })
}
