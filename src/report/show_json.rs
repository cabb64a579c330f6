//! `lpcc show --format json`: the schema `lpcc.show/1`, described in docs/json.md.

use bstr::{BString, ByteSlice};
use serde_json::{Map, Value, json};

use super::shown::{Shown, Standing, basis, hook, machine};
use super::{bytes, demangle};
use crate::object::{Basis, Fingerprints, Item, Kind, Reference, Scope, listing};

/// The document, pretty-printed, with a final newline.
pub fn render(objects: &[Shown], streams: bool, troubles: &[String]) -> anyhow::Result<String> {
    let objects: Vec<Value> = objects.iter().map(|shown| object(shown, streams)).collect();
    let document = json!({"schema": "lpcc.show/1", "objects": objects, "troubles": troubles});
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn object(shown: &Shown, streams: bool) -> Value {
    let prints = &shown.prints;
    let mut map = Map::new();
    bytes::put(&mut map, "object", shown.name.as_bstr());
    map.insert("recipe".into(), prints.recipe.into());
    map.insert("machine".into(), machine(prints.image.machine).into());
    map.insert("basis".into(), basis_word(&prints.basis).into());
    map.insert("notes".into(), [basis(prints), shown.notes.clone()].concat().into());
    if let Some(standing) = shown.recorded {
        map.insert("record".into(), standing_word(standing).into());
    }
    map.insert("items".into(), shown.items().map(|entry| item(prints, entry, streams)).collect());
    map.into()
}

fn item(prints: &Fingerprints, item: &Item, streams: bool) -> Value {
    let mut map = Map::new();
    bytes::put(&mut map, "symbol", item.name.as_bstr());
    if let Some(name) = demangle::demangle(item.name.as_bstr()) {
        map.insert("demangled".into(), name.into());
    }
    let lossy = |name: &BString| name.to_str_lossy().into_owned();
    map.insert("aliases".into(), item.aliases.iter().map(lossy).collect());
    map.insert("kind".into(), kind(item.kind).into());
    map.insert("scope".into(), scope(&item.scope).into());
    bytes::put(&mut map, "section", item.section.as_bstr());
    map.insert("address".into(), item.address.into());
    map.insert("size".into(), item.size.into());
    map.insert("identity".into(), item.identity().to_string().into());
    if item.kind == Kind::Function {
        map.insert("hook".into(), hook(item.traits.hook).into());
        map.insert("instructions".into(), item.traits.instructions.into());
    }
    let parts: Vec<Value> = item
        .parts
        .iter()
        .map(|part| {
            let mut entry = Map::new();
            entry.insert("part".into(), part.kind.as_str().into());
            entry.insert("hash".into(), part.hash.to_string().into());
            if streams {
                let lines = listing::lines(prints, item, part.kind);
                entry.insert("lines".into(), lines.into_iter().map(|line| line.text).collect());
            }
            entry.into()
        })
        .collect();
    map.insert("parts".into(), parts.into());
    let names = item.references.iter().filter_map(|reference| match reference {
        Reference::Item(index) => prints.items.get(*index as usize).map(|item| lossy(&item.name)),
        Reference::External(name) => Some(lossy(name)),
    });
    map.insert("references".into(), names.collect());
    map.into()
}

fn kind(kind: Kind) -> &'static str {
    crate::analysis::FindingKind::from(kind).as_str()
}

fn scope(scope: &Scope) -> &'static str {
    match scope {
        Scope::Global => "global",
        Scope::Weak => "weak",
        Scope::Local(_) => "local",
        Scope::None => "none",
    }
}

fn basis_word(basis: &Basis) -> &'static str {
    match basis {
        Basis::Exact => "exact",
        Basis::Conservative(_) => "conservative",
        Basis::Deferred(_) => "deferred",
    }
}

fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Record => "record",
        Standing::SameBytes => "same-bytes",
        Standing::SameFingerprints => "same-fingerprints",
        Standing::Rewritten => "post-processed",
        Standing::Differs => "differs",
    }
}
