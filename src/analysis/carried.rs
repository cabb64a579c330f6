//! Does a built live patch carry what was selected, no less, and no more than is explained?
//!
//! Tools name the replacement of `foo` in their own ways, so a selected function is looked for under each of them. What
//! the patch carries besides is listed with what explains it: code that is new with the fix, copies that the tool made for
//! itself, the module's own glue. What nothing explains is a finding: a live patch that replaces more than was selected
//! was made from another source or by another compiler.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice};

use super::why;
use crate::object::{Fingerprints, Item, Kind};

/// Before and behind a function's name in a replacement: plain (kpatch, objtool klp), klp-ccp, clang-extract and libpulp.
const AROUND: [(&str, &str); 8] = [
    ("", ""),
    ("klpp_", ""),
    ("klpr_", ""),
    ("livepatch_", ""),
    ("lp_", ""),
    ("", "_lp"),
    ("", "_livepatch"),
    ("new_", ""),
];

/// Functions of the module or library itself: beginnings of names.
const GLUE: [&str; 14] = [
    "init_module",
    "cleanup_module",
    "livepatch_",
    "klp_",
    "kpatch_",
    "patch_",
    "__pfx_",
    "__cfi_",
    "_init",
    "_fini",
    "register_tm_clones",
    "deregister_tm_clones",
    "__do_global_dtors_aux",
    "frame_dummy",
];

/// A selected function: its symbol, and whether the running code has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The raw symbol.
    pub symbol: BString,
    /// Only the patched code has it: it need not be there, for it may be inlined.
    pub is_new: bool,
    /// Names to accept instead: the callers of one that cannot be patched.
    pub instead: Vec<BString>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Selected functions and the symbols that carry them.
    pub found: BTreeMap<BString, BString>,
    /// Selected functions that nothing carries.
    pub missing: Vec<BString>,
    /// Functions that were not selected and that nothing explains.
    pub extra: Vec<BString>,
}

/// Looks for `wanted` among the functions of `built`.
pub fn check(built: &Fingerprints, wanted: &[Wanted]) -> Carried {
    let functions = built.items.iter().filter(|item| item.kind == Kind::Function);
    let names: BTreeSet<&BStr> = functions.flat_map(Item::names).map(|name| name.as_bstr()).collect();
    let mut carried = Carried::default();
    let mut explained: BTreeSet<BString> = BTreeSet::new();
    for function in wanted {
        let candidates = [&function.symbol].into_iter().chain(&function.instead);
        let carriers: Vec<(BString, BString)> =
            candidates.filter_map(|name| Some((name.clone(), carrier(&names, name)?))).collect();
        explained.extend(carriers.iter().map(|(_, carrier)| carrier.clone()));
        let own = carriers.iter().find(|(name, _)| *name == function.symbol).or(carriers.first());
        match own {
            Some((_, symbol)) => drop(carried.found.insert(function.symbol.clone(), symbol.clone())),
            None if function.is_new => {}
            None => carried.missing.push(function.symbol.clone()),
        }
    }
    let is_glue = |name: &BStr| GLUE.iter().any(|glue| name.starts_with(glue.as_bytes()));
    let origins: BTreeSet<BString> = explained.iter().map(|name| why::origin(name.as_bstr())).collect();
    carried.extra = names
        .into_iter()
        .filter(|name| !explained.contains(*name) && !origins.contains(&why::origin(name)) && !is_glue(name))
        .map(BString::from)
        .collect();
    carried
}

/// The symbol that stands for a function.
fn carrier(names: &BTreeSet<&BStr>, symbol: &BString) -> Option<BString> {
    let origin = why::origin(symbol.as_bstr());
    [symbol, &origin].into_iter().find_map(|name| {
        AROUND.iter().find_map(|(before, behind)| {
            let name = bstr::concat([before.as_bytes(), name.as_slice(), behind.as_bytes()]);
            names.contains(name.as_bstr()).then(|| name.into())
        })
    })
}
