//! `lpcc check`: does a built live patch carry what was selected?

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bstr::{BString, ByteSlice};
use serde_json::{Value, json};

use crate::analysis::carried::{self, Carried, Wanted};
use crate::object;
use crate::report::error::{DIFFERENT, SAME};
use crate::report::{Format, demangle, output};

/// Does a built live patch carry what was selected, no less and no more?
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The live patch: a kernel module, a shared library, or an object of either.
    built: PathBuf,
    /// What `lpcc select --format json` printed.
    selection: PathBuf,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let built =
        object::fingerprint(&read(&args.built)?).with_context(|| format!("`{}`", args.built.display()))?;
    let wanted =
        wanted(&read(&args.selection)?).with_context(|| format!("`{}`", args.selection.display()))?;
    let carried = carried::check(&built, &wanted);
    let text = match args.format {
        Format::Text => text(&args.built, &carried),
        Format::Json => serde_json::to_string_pretty(&document(&carried))? + "\n",
    };
    output::print(&text)?;
    let is_whole = carried.missing.is_empty() && carried.extra.is_empty();
    Ok(ExitCode::from(if is_whole { SAME } else { DIFFERENT }))
}

/// The selected functions of a document of the schema `lpcc.select/1`.
fn wanted(text: &[u8]) -> anyhow::Result<Vec<Wanted>> {
    let document: Value = serde_json::from_slice(text).context("no JSON")?;
    match document.get("schema").and_then(Value::as_str) {
        Some("lpcc.select/1") => {}
        Some(other) => bail!("holds `{other}`, not `lpcc.select/1`"),
        None => bail!("no selection; hint: `lpcc select --format json` prints one"),
    }
    let functions = document.get("functions").and_then(Value::as_array).context("has no `functions`")?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(BString::from);
    let mut wanted = Vec::new();
    for function in functions {
        let change = text(function, "change").context("a function has no `change`")?;
        if change == "removed" {
            continue;
        }
        let instead = function.get("instead").and_then(Value::as_array);
        wanted.push(Wanted {
            symbol: text(function, "symbol").context("a function has no `symbol`")?,
            is_new: change == "new",
            instead: instead.into_iter().flatten().filter_map(Value::as_str).map(first_word).collect(),
        });
    }
    Ok(wanted)
}

/// A caller in another object is named with it.
fn first_word(name: &str) -> BString {
    name.split(' ').next().unwrap_or_default().into()
}

fn text(built: &Path, carried: &Carried) -> String {
    let shown = |name: &BString| demangle::shown(name.as_bstr()).into_owned();
    let mut out = format!(
        "{}: carries {} of {} selected functions",
        built.display(),
        carried.found.len(),
        carried.found.len() + carried.missing.len()
    );
    if !carried.extra.is_empty() {
        let _ = write!(out, ", and {} more", carried.extra.len());
    }
    out.push('\n');
    for name in &carried.missing {
        let _ = writeln!(out, "  missing  {}", shown(name));
    }
    for name in &carried.extra {
        let _ = writeln!(out, "  extra    {}  was not selected, and nothing explains it", shown(name));
    }
    out
}

fn document(carried: &Carried) -> Value {
    let list =
        |names: &[BString]| names.iter().map(|name| name.to_str_lossy().into_owned()).collect::<Vec<_>>();
    let found: Vec<Value> = carried
        .found
        .iter()
        .map(|(symbol, carrier)| json!({"symbol": symbol.to_str_lossy(), "carrier": carrier.to_str_lossy()}))
        .collect();
    json!({
        "schema": "lpcc.check/1",
        "found": found,
        "missing": list(&carried.missing),
        "extra": list(&carried.extra),
    })
}
