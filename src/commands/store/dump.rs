//! `lpcc store dump`: one file of a store as JSON, nothing left out; of an export, what it says of itself.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::{encode, shown};
use crate::commands::located;
use crate::report::output;
use crate::store::container::Container;
use crate::store::layout::absolute;
use crate::store::{Damaged, Export, FormatError, RecordFile, Recording, Want, format};

pub(super) fn main(what: &Path, explicit: Option<&Path>) -> anyhow::Result<ExitCode> {
    if let Some(export) = Export::open(what)? {
        output::print(&format!("{:#}\n", Value::from(super::export::dump(&export))))?;
        return Ok(ExitCode::SUCCESS);
    }
    let answer = match Container::open(what) {
        Ok(container) => file(what, &container),
        Err(FormatError::Foreign | FormatError::Unreadable(_)) => object(what, explicit),
        Err(why) => Err(damaged(what, why)),
    }?;
    output::print(&format!("{:#}\n", Value::from(answer)))?;
    Ok(ExitCode::SUCCESS)
}

/// The record of an object, in the store's current state.
fn object(what: &Path, explicit: Option<&Path>) -> anyhow::Result<Map<String, Value>> {
    let store = located::open(explicit)?;
    let recording = Recording::open(&store, None)?;
    let directory = std::env::current_dir().context("cannot tell the working directory")?;
    let path = absolute(&directory, what);
    if let Some(unit) = recording.find(&path)? {
        return file(&unit.file, unit.record.container());
    }
    if let Some(link) = recording.find_link(&path)? {
        return Ok(encode::link(&link));
    }
    match recording.find_suffix(what).as_slice() {
        [] => bail!("the store {} has no record of {}", shown(store.root()), shown(what)),
        [unit] => file(&unit.file, unit.record.container()),
        several => {
            let names: Vec<String> = several.iter().map(|unit| shown(unit.output())).collect();
            bail!("{} could be any of {}", shown(what), names.join(", "))
        }
    }
}

/// Whatever the file is: a record, a link record or a note.
fn file(path: &Path, container: &Container) -> anyhow::Result<Map<String, Value>> {
    let has = |tag: &[u8; 4]| container.tags().any(|(found, _)| found == *tag);
    let contents = if has(b"LINK") {
        format::read_link(path).map(|link| encode::link(&link))
    } else if has(b"NOTE") {
        format::read_note(path).map(|note| encode::note(&note))
    } else {
        RecordFile::open(path)
            .and_then(|record| record.record(Want::Everything))
            .map(|record| encode::record(&record))
    };
    let contents = contents.map_err(|why| damaged(path, why))?;
    let mut answer = Map::new();
    answer.insert("schema".into(), "lpcc.store.dump/1".into());
    answer.insert("format".into(), container.version().to_string().into());
    answer.extend(contents);
    Ok(answer)
}

fn damaged(file: &Path, why: FormatError) -> anyhow::Error {
    Damaged { file: file.to_path_buf(), why }.into()
}
