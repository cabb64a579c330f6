//! `lpcc audit`: the state of `-flive-patching` in what was really built.

mod beside;
mod package;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bstr::{BString, ByteSlice};
use serde_json::{Value, json};

use super::located;
use super::side::{self, Loaded, Object, Source};
use crate::analysis::producers::{self, Built, BuiltUnit, State};
use crate::report::error::{DIFFERENT, SAME, TROUBLE};
use crate::report::table::{self, Cell};
use crate::report::{Format, bytes, output};
use crate::store::Recording;

/// Sources named in a line of text; JSON names all.
const NAMED: usize = 5;

/// The state of `-flive-patching` in what was really built.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An object, an archive, a linked file, a `.debug` file, a .deb or .rpm, a directory, or a recording's name.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// Exit with status 1 unless every unit of GCC's is in this state: a level, or `none`.
    #[arg(long, value_name = "STATE")]
    expect: Option<String>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Look for records in this store instead of the one found from here.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let recording = match located::find(args.store.as_deref()) {
        Ok(store) => store.and_then(|store| Recording::open(&store, None).ok()),
        Err(error) if args.store.is_some() => return Err(error),
        Err(_) => None,
    };
    let (mut found, mut troubles) = (Vec::new(), Vec::new());
    for path in &args.paths {
        let unpacked = match package::unpack(Path::new(path)).transpose() {
            Ok(unpacked) => unpacked,
            Err(why) => {
                troubles.push(format!("`{}`: {why}", path.display()));
                continue;
            }
        };
        let place = unpacked.as_ref().map_or(path.as_os_str(), |folder| folder.path().as_os_str());
        let side = side::resolve(place, args.store.as_deref());
        if side.objects.is_empty() && (unpacked.is_some() || side.troubles.is_empty()) {
            troubles.push(format!("`{}`: no objects in it", path.display()));
            continue;
        }
        troubles.extend(side.troubles.iter().cloned());
        for object in &side.objects {
            let mut name = object.name.clone();
            if unpacked.is_some() {
                let package = Path::new(path).file_name().unwrap_or(path).as_encoded_bytes();
                name = bstr::concat([package, b"(", name.as_slice(), b")"]).into();
            }
            match audit(object, recording.as_ref()) {
                Ok(built) => found.push((name, built)),
                Err(why) => troubles.push(format!("`{}`: {why}", name.to_str_lossy())),
            }
        }
    }
    let text = match args.format {
        Format::Text => text(&found),
        Format::Json => format!("{:#}\n", document(&found, &troubles)),
    };
    for trouble in &troubles {
        output::complain(trouble);
    }
    output::print(&text)?;
    let as_expected = |expected: &String| {
        let mut units = found.iter().flat_map(|(_, built)| &built.units);
        units.all(|unit| unit.state == State::Foreign || unit.state.as_str() == expected)
    };
    Ok(ExitCode::from(match &args.expect {
        _ if !troubles.is_empty() => TROUBLE,
        Some(expected) if !as_expected(expected) => DIFFERENT,
        _ => SAME,
    }))
}

fn audit(object: &Object, recording: Option<&Recording>) -> Result<Built, String> {
    let loaded = side::load(object)?;
    let mut built = match &loaded {
        Loaded::Bytes(_, bytes) => producers::built(bytes, &mut |wanted| beside::find(object, wanted))?,
        Loaded::Record(unit) => return Ok(producers::recorded(&unit.identity)),
    };
    if built.units.is_empty() {
        // The object keeps silent: its record may not, if it is of these very bytes.
        if let (Source::File(path), Some(recording)) = (&object.source, recording)
            && let Ok(path) = std::path::absolute(path)
            && let Ok(Some(unit)) = recording.find(&path)
            && Loaded::Record(&unit).hash() == loaded.hash()
        {
            return Ok(producers::recorded(&unit.identity));
        }
        built.units.push(BuiltUnit {
            name: None,
            state: State::Unknown,
            producer: None,
            evidence: producers::NOTHING,
        });
    }
    Ok(built)
}

/// A line for each state in each file.
fn text(found: &[(BString, Built)]) -> String {
    let mut rows = Vec::new();
    for (name, built) in found {
        let mut states: BTreeMap<&State, Vec<&BuiltUnit>> = BTreeMap::new();
        for unit in &built.units {
            states.entry(&unit.state).or_default().push(unit);
        }
        for (state, units) in &states {
            let evidence: BTreeSet<&str> = units.iter().map(|unit| unit.evidence).collect();
            let evidence: Vec<&str> = evidence.into_iter().collect();
            let mut about =
                if units.len() == 1 { "1 unit".to_owned() } else { format!("{} units", units.len()) };
            let names: Vec<_> = units
                .iter()
                .filter_map(|unit| unit.name.as_ref())
                .map(|name| bytes::printable(name.as_bstr()))
                .collect();
            if !names.is_empty() {
                let more = if names.len() > NAMED { " …" } else { "" };
                let some: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
                about = format!("{about}: {}{more}", some.join(" "));
            }
            rows.push(vec![
                Cell::plain(bytes::printable(name.as_bstr())),
                Cell::plain(state.as_str()),
                Cell::plain(evidence.join(", ")),
                Cell::plain(about),
            ]);
        }
        for note in &built.notes {
            rows.push(vec![
                Cell::plain(bytes::printable(name.as_bstr())),
                Cell::plain("note"),
                Cell::plain(note),
            ]);
        }
    }
    let mut out = String::new();
    table::write(&mut out, "", &rows);
    out
}

fn document(found: &[(BString, Built)], troubles: &[String]) -> Value {
    let mut summary: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in found.iter().flat_map(|(_, built)| &built.units) {
        *summary.entry(unit.state.as_str()).or_default() += 1;
    }
    let unit = |unit: &BuiltUnit| {
        let mut row = serde_json::Map::new();
        row.insert("state".into(), unit.state.as_str().into());
        row.insert("evidence".into(), unit.evidence.into());
        for (key, value) in [("name", &unit.name), ("producer", &unit.producer)] {
            if let Some(value) = value {
                bytes::put(&mut row, key, value.as_bstr());
            }
        }
        Value::Object(row)
    };
    let objects: Vec<Value> = found
        .iter()
        .map(|(name, built)| {
            let mut row = serde_json::Map::new();
            bytes::put(&mut row, "object", name.as_bstr());
            row.insert("units".into(), built.units.iter().map(unit).collect());
            if !built.notes.is_empty() {
                row.insert("notes".into(), built.notes.clone().into());
            }
            Value::Object(row)
        })
        .collect();
    json!({"schema": "lpcc.audit/1", "objects": objects, "summary": summary, "troubles": troubles})
}
