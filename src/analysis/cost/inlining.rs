//! Inlining lost: a function that B refers to from where A had its body.
//!
//! Read from references, so that no debug information is needed: B's function names a function of its object that A's
//! does not name, nor any clone of it. That A dropped the call for another reason (it proved it dead) cannot be told
//! apart, and is rare.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice};

use crate::object::{Fingerprints, Item, Kind, Reference, names};

/// A caller and what it calls on one side only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inlining {
    /// Who calls.
    pub caller: BString,
    /// Who is called.
    pub callee: BString,
}

/// What functions of `b` call and those of `a` had inlined.
pub fn lost(a: &Fingerprints, b: &Fingerprints) -> Vec<Inlining> {
    let before: BTreeMap<&BStr, BTreeSet<&BStr>> =
        functions(a).map(|item| (item.name.as_bstr(), named(a, item).map(base).collect())).collect();
    let mut found = BTreeSet::new();
    for item in functions(b) {
        let Some(old) = before.get(item.name.as_bstr()) else { continue };
        for callee in own_functions(b, item) {
            if !old.contains(base(callee)) && base(callee) != base(item.name.as_bstr()) {
                found.insert(Inlining { caller: item.name.clone(), callee: callee.into() });
            }
        }
    }
    found.into_iter().collect()
}

/// The function that a symbol is, or is a clone or piece of.
pub(super) fn base(name: &BStr) -> &BStr {
    names::clone_origin(name).unwrap_or(name).as_bstr()
}

fn functions(prints: &Fingerprints) -> impl Iterator<Item = &Item> {
    prints.items.iter().filter(|item| item.kind == Kind::Function)
}

/// All names that a function refers to.
fn named<'a>(prints: &'a Fingerprints, item: &'a Item) -> impl Iterator<Item = &'a BStr> {
    item.references
        .iter()
        .flat_map(|reference| {
            let (item, external) = match reference {
                Reference::Item(index) => (prints.items.get(*index as usize), None),
                Reference::External(name) => (None, Some(name)),
            };
            item.into_iter().flat_map(Item::names).chain(external)
        })
        .map(|name| name.as_bstr())
}

/// The functions of the object that a function refers to.
fn own_functions<'a>(prints: &'a Fingerprints, item: &'a Item) -> impl Iterator<Item = &'a BStr> {
    item.references.iter().filter_map(|reference| match reference {
        Reference::Item(index) => {
            let target = prints.items.get(*index as usize)?;
            (target.kind == Kind::Function).then(|| target.name.as_bstr())
        }
        Reference::External(_) => None,
    })
}
