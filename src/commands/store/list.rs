//! `lpcc store list`: the current state and the snapshots.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::{counted, encode, shown, size};
use crate::report::table::{self, Cell};
use crate::report::{Format, output};
use crate::store::{Recording, Store};

pub(super) fn main(store: &Store, format: Format) -> anyhow::Result<ExitCode> {
    let current = Recording::open(store, None)?;
    let mut recordings = vec![(None, current)];
    for name in store.snapshots() {
        let recording = Recording::open(store, Some(name.as_os_str()));
        recordings.extend(recording.map(|recording| (Some(name), recording)));
    }
    if format == Format::Json {
        let rows = recordings.iter().map(|(name, recording)| {
            let mut row = Map::new();
            match name {
                Some(name) => encode::path(&mut row, "name", name),
                None => drop(row.insert("name".into(), Value::Null)),
            }
            let (units, bytes) = Store::sizes(recording);
            row.insert("units".into(), units.into());
            row.insert("bytes".into(), bytes.into());
            Value::from(row)
        });
        let mut answer = Map::new();
        answer.insert("schema".into(), "lpcc.store.list/1".into());
        encode::path(&mut answer, "store", store.root());
        answer.insert("recordings".into(), rows.collect());
        output::print(&format!("{:#}\n", json!(answer)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<Cell>> = recordings
        .iter()
        .map(|(name, recording)| {
            let (units, bytes) = Store::sizes(recording);
            let name = name.as_ref().map_or("(current)".to_owned(), |name| shown(name));
            vec![Cell::plain(name), Cell::plain(counted(units, "unit", "units")), Cell::plain(size(bytes))]
        })
        .collect();
    let mut text = format!("store {}\n", shown(store.root()));
    table::write(&mut text, "  ", &rows);
    if recordings.len() > 1 {
        text.push_str("snapshots share the files that did not change\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
