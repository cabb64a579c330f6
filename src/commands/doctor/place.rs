//! Which store a build here would record into, and whether it can.

use std::path::Path;

use super::findings::{Findings, Level};
use crate::commands::located;
use crate::commands::store::{counted, shown, size};
use crate::store::{Recording, Store, StoreError};

const TOPIC: &str = "store";

pub(super) fn look(findings: &mut Findings, explicit: Option<&Path>) {
    let root = match located::root(explicit) {
        Ok(Some(root)) => root,
        Ok(None) => {
            let text = "none: no `.lpcc` upward from here, and no home; nothing is recorded";
            findings.add_hint(TOPIC, Level::Trouble, text, "set LPCC_STORE to a directory");
            return;
        }
        Err(error) => return findings.add(TOPIC, Level::Trouble, format!("{error:#}")),
    };
    match Store::open(&root) {
        Ok(store) => opened(findings, &store),
        Err(StoreError::NotAStore(_)) if !root.exists() => absent(findings, &root),
        Err(StoreError::NotAStore(_)) if is_empty(&root) => absent(findings, &root),
        Err(error) => {
            let hint = "set LPCC_STORE to another directory";
            findings.add_hint(TOPIC, Level::Trouble, error.to_string(), hint);
        }
    }
}

fn is_empty(root: &Path) -> bool {
    root.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

fn opened(findings: &mut Findings, store: &Store) {
    let mut text = shown(store.root());
    if let Ok(recording) = Recording::open(store, None) {
        let (units, bytes) = Store::sizes(&recording);
        text = format!("{text}: {}, {}", counted(units, "unit", "units"), size(bytes));
    }
    match store.scratch() {
        Ok(_) => findings.add(TOPIC, Level::Fine, text),
        Err(error) => {
            findings.add(TOPIC, Level::Fine, text);
            findings.add_hint(
                TOPIC,
                Level::Trouble,
                format!("nothing can be recorded: {error}"),
                "make it writable, or set LPCC_STORE",
            );
        }
    }
}

/// Asks the nearest directory that exists whether a file can be made in it, by making one without a name.
fn absent(findings: &mut Findings, root: &Path) {
    let nearest = root.ancestors().find(|directory| directory.is_dir()).unwrap_or(root);
    match tempfile::tempfile_in(nearest) {
        Ok(_) => findings.add(TOPIC, Level::Fine, format!("{}, made by the first call", shown(root))),
        Err(error) => {
            let text = format!("{} cannot be made: {}: {error}", shown(root), shown(nearest));
            findings.add_hint(TOPIC, Level::Trouble, text, "set LPCC_STORE to a directory you may write to");
        }
    }
}
