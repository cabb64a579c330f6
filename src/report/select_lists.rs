//! A selection as the tools of the field take it.
//!
//! They work on sources, so a clone is named by the function that it was made of, and what only the patched side has comes with
//! the code that uses it. What cannot be patched stands in none of the lists: what to patch instead does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use bstr::{BString, ByteSlice};
use serde_json::{Value, json};

use super::bytes;
use crate::analysis::selection::{FunctionChange, Selection, Verdict};
use crate::analysis::why;

/// Functions to patch, by source.
fn by_source(selection: &Selection) -> BTreeMap<&BString, BTreeSet<BString>> {
    let mut lists: BTreeMap<&BString, BTreeSet<BString>> = BTreeMap::new();
    for function in selection.functions.iter().filter(|function| function.change == FunctionChange::Changed) {
        let list = lists.entry(&function.source).or_default();
        if function.verdict == Verdict::Patchable {
            list.insert(why::origin(function.symbol.as_bstr()));
        } else {
            // Those of other objects carry the object's name: they belong to another source.
            let here = function.instead.iter().filter(|name| !name.contains(&b' '));
            list.extend(here.map(|name| why::origin(name.as_bstr())));
        }
    }
    lists.retain(|_, list| !list.is_empty());
    lists
}

fn joined(names: &BTreeSet<BString>) -> String {
    names.iter().map(|name| bytes::printable(name.as_bstr())).collect::<Vec<_>>().join(",")
}

/// `file.c f1,f2`: what klp-ccp and SUSE's klp-build are given.
pub fn klp_ccp(selection: &Selection) -> String {
    let lines = by_source(selection);
    let line = |(source, names): (&BString, BTreeSet<BString>)| {
        format!("{} {}\n", bytes::printable(source.as_bstr()), joined(&names))
    };
    lines.into_iter().map(line).collect()
}

/// One `-DCE_EXTRACT_FUNCTIONS=` a source, for clang-extract's command line.
pub fn clang_extract(selection: &Selection) -> String {
    let line = |(source, names): (&BString, BTreeSet<BString>)| {
        format!("{} -DCE_EXTRACT_FUNCTIONS={}\n", bytes::printable(source.as_bstr()), joined(&names))
    };
    by_source(selection).into_iter().map(line).collect()
}

/// `file.o: changed function: f`, as kpatch's create-diff-object says it.
pub fn kpatch(selection: &Selection) -> String {
    let line = |function: &crate::analysis::selection::Function| {
        let object = bytes::printable(function.object.as_bstr());
        let what = match function.change {
            FunctionChange::Changed => "changed function",
            FunctionChange::New => "new function",
            FunctionChange::Removed => return String::new(),
        };
        format!("{object}: {what}: {}\n", bytes::printable(function.symbol.as_bstr()))
    };
    selection.functions.iter().map(line).collect()
}

/// libpulp's `.dsc`: the container, `@` and the library, and `old:new` for each function. A replacement is named as libpulp's
/// examples do, with `_lp` behind.
pub fn ulp(selection: &Selection, library: &str, container: &str) -> String {
    let mut out = format!("{container}\n@{library}\n");
    let patched = selection.functions.iter().filter(|function| function.change == FunctionChange::Changed);
    let mut names: BTreeSet<BString> = BTreeSet::new();
    for function in patched {
        match function.verdict {
            Verdict::Patchable => drop(names.insert(function.symbol.clone())),
            Verdict::Unpatchable => {
                names.extend(function.instead.iter().filter(|it| !it.contains(&b' ')).cloned());
            }
        }
    }
    for name in names {
        let new = why::origin(name.as_bstr());
        let _ = writeln!(out, "{}:{}_lp", bytes::printable(name.as_bstr()), bytes::printable(new.as_bstr()));
    }
    out
}

/// `compile_commands.json` for the units that have something to carry.
pub fn compile_commands(selection: &Selection) -> anyhow::Result<String> {
    let text = |bytes: &BString| Value::from(bytes.to_str_lossy());
    let wanted: BTreeSet<&BString> = selection.functions.iter().map(|function| &function.object).collect();
    let units = selection.units.iter().filter(|unit| wanted.contains(&unit.object));
    let entries: Vec<Value> = units
        .map(|unit| {
            json!({
                "directory": text(&unit.directory),
                "file": text(&unit.source),
                "output": text(&unit.output),
                "arguments": unit.arguments.iter().map(text).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&entries)? + "\n")
}
