//! `lpcc store export` and `import`: a recording as one file, and back.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::{counted, encode, shown, size};
use crate::commands::located;
use crate::commands::side::{self, Target};
use crate::report::error::{SAME, TROUBLE};
use crate::report::{Format, output};
use crate::store::{Export, Recording, Store};

/// Arguments of `lpcc store export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write; one that is there is replaced.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The recording: a snapshot's name, or a place; `now` is the store's current state.
    #[arg(long, value_name = "NAME", default_value = "now")]
    recording: OsString,
}

pub(super) fn export(args: &Args, explicit: Option<&Path>, format: Format) -> anyhow::Result<ExitCode> {
    let Args { file, recording } = args;
    let recording = open(recording, explicit)?;
    let exported = recording.export()?;
    if exported.manifest.units == 0 && exported.manifest.links == 0 && exported.damaged.is_empty() {
        bail!("{} has no records to export", shown(recording.place()));
    }
    write(file, &exported.bytes)?;
    for damaged in &exported.damaged {
        output::complain(&format!("left out, and noted in the export: {damaged}"));
    }
    let manifest = &exported.manifest;
    let text = if format == Format::Json {
        let mut answer = Map::new();
        answer.insert("schema".into(), "lpcc.store.export/1".into());
        encode::path(&mut answer, "file", file);
        answer.extend(described(manifest));
        answer.insert("inputs".into(), exported.inputs.into());
        answer.insert("bytes".into(), exported.bytes.len().into());
        answer.insert("vanished".into(), exported.vanished.into());
        answer.insert("damaged".into(), exported.damaged.len().into());
        format!("{:#}\n", Value::from(answer))
    } else {
        let mut text =
            format!("wrote {}: {}", shown(file), counted(manifest.units as usize, "unit", "units"));
        let _ = write!(text, ", {}", counted(manifest.links as usize, "link", "links"));
        text.push_str(&super::generated(exported.inputs));
        let _ = write!(text, ", {}", size(exported.bytes.len() as u64));
        if exported.vanished > 0 {
            let _ = write!(text, "; left out {} whose output is gone", exported.vanished);
        }
        text + "\n"
    };
    output::print(&text)?;
    Ok(ExitCode::from(if exported.damaged.is_empty() { SAME } else { TROUBLE }))
}

pub(super) fn import(
    file: &Path,
    name: &OsStr,
    explicit: Option<&Path>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let Some(export) = Export::open(file)? else { bail!("{} is no export", shown(file)) };
    let root = located::root(explicit)?.context("there is no store: no home, and none was named")?;
    let store = Store::open(&root).or_else(|_| Store::create(&root))?;
    let replaced = store.import(&export, name)?;
    let manifest = export.manifest();
    let text = if format == Format::Json {
        let mut answer = described(manifest);
        answer.insert("schema".into(), "lpcc.store.import/1".into());
        answer.insert("name".into(), name.to_string_lossy().into());
        answer.insert("replaced".into(), replaced.into());
        format!("{:#}\n", Value::from(answer))
    } else {
        let verb = if replaced { "replaced" } else { "made" };
        let units = counted(manifest.units as usize, "unit", "units");
        format!("{verb} snapshot `{}` in {}: {units}\n", name.display(), shown(store.root()))
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What an export says of itself, for `lpcc store dump`.
pub(super) fn dump(export: &Export) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("schema".into(), "lpcc.store.manifest/1".into());
    answer.extend(described(export.manifest()));
    answer
}

fn described(manifest: &crate::store::export::Manifest) -> Map<String, Value> {
    let described = json!({
        "units": manifest.units, "links": manifest.links, "notes": manifest.notes,
        "contents": manifest.contents.to_string(),
    });
    described.as_object().cloned().unwrap_or_default()
}

fn open(name: &OsStr, explicit: Option<&Path>) -> anyhow::Result<Recording> {
    match side::target(name, explicit).map_err(anyhow::Error::msg)? {
        Target::Recording(recording) => Ok(recording),
        _ => bail!("`{}` is no recording; hint: `lpcc store list` names them", name.to_string_lossy()),
    }
}

/// Writes an export: whole or not at all, with the permissions that the umask leaves.
pub fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_aside(file, bytes).with_context(|| format!("cannot write {}", shown(file)))
}

fn write_aside(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(file, bytes); // a device, a pipe
    }
    let mut aside = tempfile::Builder::new()
        .prefix(".lpcc-export-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    aside.write_all(bytes)?;
    aside.persist(file).map(drop).map_err(|error| error.error)
}
