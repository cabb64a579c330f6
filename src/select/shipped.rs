//! What runs, asked itself: does a shipped binary, or its debug file, agree with the recording?
//!
//! A recording may be of the right source and the wrong build. A linked file says who it is by its build id, which the recorded
//! link knows; by the producer in its debug information; and by the sizes of its functions, which an object's must equal as long
//! as the linker did not rewrite them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use bstr::BString;
use object::{Object, ObjectKind, ObjectSymbol, SymbolKind};

use crate::analysis::producers;
use crate::analysis::selection::{Drift, Function, Position, Selection};
use crate::object::{Hash, Kind, fingerprint};
use crate::store::Recording;

/// Compares the linked file with the recording, and adds what it says to the selection. An error is a fragment.
pub fn compare(path: &Path, recording: &Recording, selection: &mut Selection) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let prints = fingerprint(&bytes).map_err(|error| error.to_string())?;
    let name = path.display();
    let mut notes = Vec::new();
    match &prints.image.build_id {
        None => notes.push(format!("{name} has no build id to compare")),
        Some(id) => {
            let hex = hexadecimal(id);
            let known = recording.links().flatten().find(|link| link.build_id.as_ref() == Some(id));
            notes.push(match known {
                Some(link) if link.hash == Some(Hash::of(&bytes)) => {
                    format!("{name} is the recorded `{}`, byte for byte", link.output)
                }
                Some(link) => format!("{name} has the build id of the recorded `{}` ({hex})", link.output),
                None => format!("{name} has build id {hex}, which no recorded link made"),
            });
        }
    }
    notes.extend(
        foreign_producers(&bytes, selection).map(|producer| format!("{name} was compiled by {producer}")),
    );
    selection.rebuild.notes.append(&mut notes);

    let mut sizes: BTreeMap<&BString, Vec<u64>> = BTreeMap::new();
    for item in prints.items.iter().filter(|item| item.kind == Kind::Function && !item.section.is_empty()) {
        for symbol in item.names() {
            sizes.entry(symbol).or_default().push(item.size);
        }
    }
    positions(&bytes, &name.to_string(), selection);
    if sizes.is_empty() {
        selection.rebuild.notes.push(format!("{name} names no functions: its debug file would"));
        return Ok(());
    }
    for function in &selection.functions {
        let Some(old) = &function.old else { continue };
        let detail = match sizes.get(&old.symbol) {
            None => format!("{name} has no such function"),
            Some(found) if found.contains(&old.size) => continue,
            Some(found) => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                format!("{} bytes in {name}, {} as recorded", found.join(" or "), old.size)
            }
        };
        selection.rebuild.drift.push(drift(function, detail));
    }
    Ok(())
}

/// A symbol of the image: where it lies, its size, and the source that its part of the symbol table names.
struct Symbol {
    address: u64,
    size: u64,
    source: Option<BString>,
}

/// Gives each function the position of its symbol among those of its name: in the order of addresses, as the kernel's table has
/// them; in a module, which is relocatable, in that of its symbol table.
fn positions(image: &[u8], name: &str, selection: &mut Selection) {
    let Ok(file) = object::File::parse(image) else { return };
    let wanted: BTreeSet<BString> =
        selection.functions.iter().filter_map(|it| Some(it.old.as_ref()?.symbol.clone())).collect();
    let mut symbols: BTreeMap<BString, Vec<Symbol>> = BTreeMap::new();
    let mut source: Option<BString> = None;
    for symbol in file.symbols() {
        let bytes: BString = symbol.name_bytes().unwrap_or_default().into();
        if symbol.kind() == SymbolKind::File {
            source = Some(base_name(&bytes)).filter(|name| !name.is_empty());
        } else if symbol.is_definition() && wanted.contains(&bytes) {
            // Symbols of all sources follow those of each.
            let source = source.clone().filter(|_| symbol.is_local());
            let known = Symbol { address: symbol.address(), size: symbol.size(), source };
            symbols.entry(bytes).or_default().push(known);
        }
    }
    if file.kind() != ObjectKind::Relocatable {
        for same in symbols.values_mut() {
            same.sort_by_key(|symbol| symbol.address);
        }
    }
    for function in &mut selection.functions {
        let Some(old) = &function.old else { continue };
        let Some(same) = symbols.get(&old.symbol) else { continue };
        let of_source = base_name(&function.source);
        let is_ours = |symbol: &Symbol| symbol.source.as_ref().is_none_or(|source| *source == of_source);
        let mut ours: Vec<usize> =
            same.iter().enumerate().filter(|(_, symbol)| is_ours(symbol)).map(|(at, _)| at).collect();
        if ours.len() > 1 {
            ours.retain(|at| same.get(*at).is_some_and(|symbol| symbol.size == old.size));
        }
        match ours.as_slice() {
            [at] => {
                function.position =
                    Some(Position { number: at + 1, of: same.len(), within: name.into(), is_final: true });
            }
            _ if same.len() > 1 => function.obstacles.push(format!(
                "{} symbols of this name in {name}, and which one it is cannot be told",
                same.len()
            )),
            _ => {}
        }
    }
}

/// The last component of a path.
fn base_name(path: &BString) -> BString {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn drift(function: &Function, detail: String) -> Drift {
    Drift { object: function.object.clone(), symbol: function.symbol.clone(), detail }
}

/// A producer in the file that names none of the versions of the compilers that were replayed.
fn foreign_producers(bytes: &[u8], selection: &Selection) -> Option<String> {
    let built = producers::built(bytes, &mut |_| None).ok()?;
    let versions: Vec<&String> = selection.units.iter().map(|unit| &unit.version).collect();
    if versions.is_empty() {
        return None;
    }
    let is_ours = |producer: &BString| {
        let text = producer.to_string();
        text.starts_with("GNU AS") || versions.iter().any(|version| text.contains(version.as_str()))
    };
    let producers: Vec<BString> = built.units.into_iter().filter_map(|unit| unit.producer).collect();
    if producers.iter().any(is_ours) {
        return None;
    }
    producers.first().map(ToString::to_string)
}
