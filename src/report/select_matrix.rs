//! One fix in many builds: which functions a live patch must carry in which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use bstr::{BString, ByteSlice};
use serde_json::{Value, json};

use super::style::{self, paint};
use super::table::{self, Cell};
use super::{bytes, demangle, select_json};
use crate::analysis::judge::Target;
use crate::analysis::selection::{Selection, Verdict};

/// A build by its name, and what was selected in it.
pub type Column = (String, Selection);

/// The table for a person: a row for each function, a column for each build.
pub fn render(what: &str, columns: &[Column]) -> String {
    let mut out = String::new();
    let rows: BTreeSet<(&BString, &BString)> = columns
        .iter()
        .flat_map(|(_, selection)| &selection.functions)
        .map(|function| (&function.object, &function.symbol))
        .collect();
    let noun = if rows.len() == 1 { "function" } else { "functions" };
    let _ = writeln!(out, "{what}: {} {noun} in {} builds", rows.len(), columns.len());
    let mut cells = vec![heading(columns)];
    for (object, symbol) in rows {
        let mut row = vec![
            Cell::plain(bytes::printable(object.as_bstr())),
            Cell::plain(demangle::shown(symbol.as_bstr())),
        ];
        row.extend(columns.iter().map(|(_, selection)| cell(selection, object, symbol)));
        cells.push(row);
    }
    table::write(&mut out, "", &cells);
    for (name, selection) in columns.iter().filter(|(_, selection)| selection.is_incomplete()) {
        let rebuild = &selection.rebuild;
        let said = format!(
            "{name}: {} not replayed, {} drifted: ask for it alone",
            rebuild.not_replayed.len(),
            rebuild.drift.len()
        );
        let _ = writeln!(out, "{}", paint(style::OLD, said));
    }
    out
}

fn heading(columns: &[Column]) -> Vec<Cell<'_>> {
    let names = columns.iter().map(|(name, _)| Cell::styled(style::HEADING, name.clone()));
    [Cell::plain(""), Cell::plain("")].into_iter().chain(names).collect()
}

fn cell(selection: &Selection, object: &BString, symbol: &BString) -> Cell<'static> {
    let found = selection.functions.iter().find(|it| it.object == *object && it.symbol == *symbol);
    match found {
        Some(function) if function.verdict == Verdict::Unpatchable => Cell::styled(style::OLD, "unpatchable"),
        Some(function) => {
            Cell::styled(style::DIFFERENT, function.why.first().map_or("", |why| why.kind.as_str()))
        }
        None if selection.is_incomplete() => Cell::styled(style::OLD, "?"),
        None => Cell::styled(style::QUIET, "-"),
    }
}

/// The document `lpcc.select.matrix/1`.
pub fn json(columns: &[Column], target: Target) -> anyhow::Result<String> {
    let mut functions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, selection) in columns {
        for function in &selection.functions {
            let symbol = function.symbol.to_str_lossy();
            functions.entry(format!("{} {symbol}", function.object)).or_default().push(name);
        }
    }
    let builds: Vec<Value> = columns
        .iter()
        .map(|(name, selection)| json!({"recording": name, "selection": select_json::document(selection, target)}))
        .collect();
    let document = json!({"schema": "lpcc.select.matrix/1", "functions": functions, "builds": builds});
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
