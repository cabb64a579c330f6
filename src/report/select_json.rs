//! `lpcc select --format json`: the schema `lpcc.select/1`, described in docs/json.md.

use bstr::{BString, ByteSlice};
use serde_json::{Map, Value, json};

use super::{bytes, demangle};
use crate::analysis::judge::Target;
use crate::analysis::selection::{Function, Noise, Selection, Why};

/// The document, pretty-printed, with a final newline.
pub fn render(selection: &Selection, target: Target) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&document(selection, target))? + "\n")
}

/// The document as a value.
pub fn document(selection: &Selection, target: Target) -> Value {
    let rebuild = &selection.rebuild;
    json!({
        "schema": "lpcc.select/1",
        "target": target.as_str(),
        "rebuild": {
            "units": rebuild.units,
            "reproduced": rebuild.reproduced,
            "drift": list(&rebuild.drift, |drift, entry| {
                bytes::put(entry, "object", drift.object.as_bstr());
                bytes::put(entry, "symbol", drift.symbol.as_bstr());
                entry.insert("detail".into(), drift.detail.clone().into());
            }),
            "not_replayed": list(&rebuild.not_replayed, |unit, entry| {
                bytes::put(entry, "source", unit.source.as_bstr());
                if let Some(object) = &unit.object {
                    bytes::put(entry, "object", object.as_bstr());
                }
                entry.insert("reason".into(), unit.reason.clone().into());
            }),
            "notes": rebuild.notes,
        },
        "functions": list(&selection.functions, function),
        "data": list(&selection.data, |datum, entry| {
            bytes::put(entry, "object", datum.object.as_bstr());
            bytes::put(entry, "symbol", datum.symbol.as_bstr());
            entry.insert("change".into(), datum.change.into());
            entry.insert("readers".into(), names(&datum.readers));
            entry.insert("detail".into(), datum.detail.clone().into());
        }),
        "line_only": list(&selection.line_only, |only, entry| {
            bytes::put(entry, "object", only.object.as_bstr());
            bytes::put(entry, "symbol", only.symbol.as_bstr());
            match only.noise {
                Noise::Line => {}
                Noise::Path => drop(entry.insert("path_only".into(), true.into())),
                Noise::Counter => drop(entry.insert("counter_only".into(), true.into())),
            }
        }),
        "others": list(&selection.others, |other, entry| {
            bytes::put(entry, "object", other.object.as_bstr());
            entry.insert("kind".into(), other.kind.into());
            bytes::put(entry, "symbol", other.symbol.as_bstr());
            entry.insert("change".into(), other.change.into());
            entry.insert("detail".into(), other.detail.clone().into());
        }),
        "unread": list(&selection.unread, |file, entry| {
            bytes::put(entry, "path", file.path.as_bstr());
            entry.insert("reason".into(), file.reason.clone().into());
            entry.insert("matters".into(), file.matters.into());
        }),
        "summary": {
            "functions": selection.functions.len(),
            "unpatchable": selection.unpatchable(),
            "data": selection.data.len(),
            "line_only": selection.line_only.len(),
        },
    })
}

fn list<T>(items: &[T], fill: impl Fn(&T, &mut Map<String, Value>)) -> Value {
    items
        .iter()
        .map(|item| {
            let mut entry = Map::new();
            fill(item, &mut entry);
            Value::Object(entry)
        })
        .collect()
}

fn function(function: &Function, entry: &mut Map<String, Value>) {
    bytes::put(entry, "object", function.object.as_bstr());
    bytes::put(entry, "source", function.source.as_bstr());
    bytes::put(entry, "symbol", function.symbol.as_bstr());
    if let Some(demangled) = demangle::demangle(function.symbol.as_bstr()) {
        entry.insert("demangled".into(), demangled.into());
    }
    entry.insert("change".into(), function.change.as_str().into());
    entry.insert("parts".into(), function.parts.iter().map(|part| part.as_str()).collect());
    entry.insert("detail".into(), function.detail.clone().into());
    entry.insert("why".into(), function.why.iter().map(why).collect());
    entry.insert("verdict".into(), function.verdict.as_str().into());
    entry.insert("obstacles".into(), function.obstacles.clone().into());
    entry.insert("instead".into(), names(&function.instead));
    if let Some(position) = &function.position {
        let mut place = Map::new();
        place.insert("sympos".into(), position.sympos().into());
        place.insert("number".into(), position.number.into());
        place.insert("of".into(), position.of.into());
        bytes::put(&mut place, "in", position.within.as_bstr());
        place.insert("final".into(), position.is_final.into());
        entry.insert("position".into(), place.into());
    }
    if let Some(accepted) = &function.accepted {
        entry.insert("accepted".into(), accepted.clone().into());
    }
}

fn why(why: &Why) -> Value {
    json!({"kind": why.kind.as_str(), "via": names(&why.via), "detail": why.detail})
}

fn names(names: &[BString]) -> Value {
    names.iter().map(|name| name.to_str_lossy().into_owned()).collect()
}
