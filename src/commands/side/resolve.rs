//! What an argument means: a recording's name, or a path.

use std::error::Error;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use super::{Object, Side, Source, system_says, walk};
use crate::commands::located;
use crate::store::{FormatError, Recording, Store, StoreError, UnitEntry, container, demand_regular, layout};

/// The word for the current state of the store.
const NOW: &str = "now";

/// What an argument was found to be.
#[derive(Debug)]
pub enum Target {
    /// A recording: the store's current state, a snapshot, or an export.
    Recording(Recording),
    /// A single record's file.
    Record(PathBuf),
    /// A directory tree.
    Tree(PathBuf),
    /// An object, an archive or a linked file.
    File(PathBuf),
}

/// Tells what `argument` means. A recording's name goes before a path (`./before` is always the path); a path
/// may be that of an object, an archive, a linked file, a record, an exported recording, a directory tree, a store.
pub fn target(argument: &OsStr, explicit_store: Option<&Path>) -> Result<Target, String> {
    let shown = format!("`{}`", argument.as_bytes().to_str_lossy());
    let path = Path::new(argument);
    let is_name = !argument.as_bytes().contains(&b'/');
    let mut why_no_name = None;
    if is_name {
        match named(argument, explicit_store) {
            Ok(recording) => return Ok(Target::Recording(recording)),
            Err(why) => why_no_name = Some(why),
        }
    }
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = why_no_name.map(|why| format!(", and {why}")).unwrap_or_default();
            return Err(format!("{shown}: no such file{hint}"));
        }
        Err(error) => return Err(format!("{shown}: {}", system_says(&error))),
    };
    if !metadata.is_dir() {
        demand_regular(metadata.file_type()).map_err(|error| format!("{shown}: {error}"))?;
        if let Some(exported) = Recording::open_export(path).map_err(|damaged| damaged.to_string())? {
            return Ok(Target::Recording(exported));
        }
        return Ok(if is_record(path) { Target::Record(path.into()) } else { Target::File(path.into()) });
    }
    if path.join(layout::MARKER).is_file() || path.join(layout::UNITS).is_dir() {
        return Recording::open_dir(path).map(Target::Recording).map_err(|error| said(&error));
    }
    Ok(Target::Tree(path.into()))
}

/// The recording of this name, or why there is none, as a fragment.
fn named(name: &OsStr, explicit_store: Option<&Path>) -> Result<Recording, String> {
    let store = match located::find(explicit_store) {
        Ok(Some(store)) => store,
        Ok(None) => return Err("there is no store here to hold a recording of that name".into()),
        Err(error) => return Err(format!("{error:#}")),
    };
    Recording::open(&store, Some(name).filter(|name| *name != NOW)).map_err(|error| match error {
        StoreError::NoSnapshot { root, .. } => {
            format!("no recording of that name in `{}`{}", root.display(), known(&store))
        }
        StoreError::Name { .. } => "no recording can have that name".to_owned(),
        other => said(&other),
    })
}

/// The recordings there are, as a hint.
fn known(store: &Store) -> String {
    let names: Vec<_> = store
        .snapshots()
        .iter()
        .filter_map(|path| path.file_name().map(|name| format!("`{}`", name.to_string_lossy())))
        .collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(" (it has {})", names.join(", ")),
    }
}

fn said(error: &StoreError) -> String {
    match error.source() {
        Some(source) if !error.to_string().contains(&source.to_string()) => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

/// Lists the objects behind `argument`.
pub fn resolve(argument: &OsStr, explicit_store: Option<&Path>) -> Side {
    let text = argument.as_bytes().to_str_lossy().into_owned();
    let mut side = Side { label: text.clone(), objects: Vec::new(), troubles: Vec::new() };
    match target(argument, explicit_store) {
        Err(why) => side.troubles.push(why),
        Ok(Target::File(path)) => {
            let name = path.as_os_str().as_bytes().into();
            walk::file(&mut side, &path, name);
        }
        Ok(Target::Tree(path)) => walk::tree(&mut side, &path),
        Ok(Target::Record(path)) => match UnitEntry::open(path) {
            Ok(unit) => side.push(unit),
            Err(damaged) => side.troubles.push(damaged.to_string()),
        },
        Ok(Target::Recording(recording)) => {
            if !text.contains('/') {
                side.label = format!("'{text}'");
            }
            // The current state keeps what a configure script tried; a snapshot has dropped it.
            let gone = recording.gone();
            for unit in recording.units() {
                match unit {
                    Ok(unit) if gone.contains(&unit.file) => {}
                    Ok(unit) => side.push(unit),
                    Err(damaged) => side.troubles.push(damaged.to_string()),
                }
            }
            // A store has them in the order of hashes.
            side.objects.sort_by(|one, other| one.name.cmp(&other.name));
            if side.objects.is_empty() && side.troubles.is_empty() {
                side.troubles.push(format!("{}: a recording without units", side.label));
            }
        }
    }
    side
}

impl Side {
    fn push(&mut self, unit: UnitEntry) {
        let name = unit.identity.unit.output.clone();
        self.objects.push(Object { name, source: Source::Unit(Box::new(unit)) });
    }

    /// Notes that a file cannot be used.
    pub fn trouble(&mut self, path: &Path, why: &str) {
        self.troubles.push(format!("`{}`: {why}", path.display()));
    }
}

fn is_record(path: &Path) -> bool {
    !matches!(container::Container::open(path), Err(FormatError::Foreign | FormatError::Unreadable(_)))
}
