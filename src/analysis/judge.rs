//! Whether each selected function can be patched in the running code, and what to patch where it cannot.
//!
//! Judged is the code that runs, not the fix: that is what must be hooked. A live patch takes a function over at its entry,
//! so one without a hook, or one that is gone by the time a patch can come, is patched in its callers instead; their
//! callers in turn where they cannot be hooked either. Everything else is a matter of care and listed as an obstacle.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BString, ByteSlice};

use super::selection::{Function, FunctionChange, Position, Verdict};
use crate::object::debug::Debug;
use crate::object::{Fingerprints, Hook, Item, Kind, PartKind, Reference, Scope, listing};

/// How the live patch will take functions over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// Linux kernel live patching: by ftrace, at the entry hook.
    Klp,
    /// libpulp: by the nops of `-fpatchable-function-entry`.
    Ulp,
    /// Nothing is asked of the running code.
    #[default]
    None,
}

impl Target {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Klp => "klp",
            Self::Ulp => "ulp",
            Self::None => "none",
        }
    }
}

/// Sections whose code is gone, or has run, by the time a patch comes: beginning of the name, what it is.
const TRANSIENT: [(&str, &str); 3] = [
    (".init.text", "runs at start only and is freed afterwards (`__init`)"),
    (".exit.text", "runs when the module is unloaded only (`__exit`)"),
    (".text.startup", "runs before `main`"),
];

/// Special sections with an entry for the function, and what must be cared for. Source: the kernel's
/// Documentation/livepatch and kpatch's patch author guide.
const SITES: [(&str, &str); 6] = [
    ("__jump_table", "static keys: their definitions must be reachable from the patch"),
    (".static_call_sites", "static calls: their keys must be reachable from the patch"),
    (".altinstructions", "alternatives: the patch needs them applied as well"),
    (".parainstructions", "paravirt calls: the patch needs them applied as well"),
    ("__ex_table", "exception table entries go with it"),
    ("__bug_table", "warnings and bugs in it have entries of their own"),
];

/// A function of the recording: its object and its symbol.
type Place = (BString, BString);

/// What is known beyond the unit: who calls what, who cannot be taken over, and how often a local name stands.
#[derive(Debug, Clone, Default)]
pub struct Neighbours {
    /// Callers of a name from other objects.
    callers: BTreeMap<BString, Vec<Place>>,
    /// Callers of a function in its own object.
    within: BTreeMap<Place, Vec<BString>>,
    unpatchable: BTreeSet<Place>,
    locals: BTreeMap<BString, Vec<BString>>,
}

impl Neighbours {
    /// Adds an object of the recording.
    pub fn add(&mut self, object: &BString, prints: &Fingerprints, target: Target) {
        for item in prints.items.iter().filter(|item| item.kind == Kind::Function) {
            let place = (object.clone(), item.name.clone());
            if matches!(item.scope, Scope::Local(_)) {
                self.locals.entry(item.name.clone()).or_default().push(object.clone());
            }
            for reference in &item.references {
                match reference {
                    Reference::External(name) => {
                        self.callers.entry(name.clone()).or_default().push(place.clone());
                    }
                    Reference::Item(index) => {
                        let callee = prints.items.get(*index as usize).filter(|it| it.kind == Kind::Function);
                        let Some(callee) = callee else { continue };
                        let callee = (object.clone(), callee.name.clone());
                        self.within.entry(callee).or_default().push(item.name.clone());
                    }
                }
            }
            if cannot(item, target).is_some() {
                self.unpatchable.insert(place);
            }
        }
    }

    fn is_local(&self, (object, symbol): &Place) -> bool {
        self.locals.get(symbol).is_some_and(|homes| homes.contains(object))
    }
}

/// The unit whose functions are judged.
#[derive(Debug, Clone, Copy)]
pub struct Unit<'a> {
    /// The object's name.
    pub object: &'a BString,
    /// The running code.
    pub old: &'a Fingerprints,
    /// The patched.
    pub new: &'a Fingerprints,
    /// Debug information of the running code.
    pub debug: &'a Debug,
    /// The rest of the recording.
    pub neighbours: &'a Neighbours,
}

/// Gives each function its verdict.
pub fn judge(functions: &mut [Function], target: Target, unit: &Unit<'_>) {
    for function in functions {
        let item = |prints: &'_ Fingerprints, symbol: &BString| -> Option<usize> {
            prints.items.iter().position(|item| item.kind == Kind::Function && item.is_called(symbol))
        };
        let old = function.old.as_ref().and_then(|place| item(unit.old, &place.symbol));
        let new = function.new.as_ref().and_then(|place| item(unit.new, &place.symbol));
        function.position = old.and_then(|index| position(unit.old, index, function));
        if let Some(new) = new.and_then(|index| unit.new.items.get(index)) {
            function.obstacles.extend(sites(unit.new, new));
        }
        match (function.change, old) {
            (FunctionChange::New, _) | (FunctionChange::Changed, None) => {}
            (FunctionChange::Removed, _) => {
                function
                    .obstacles
                    .push("gone in the patched code: nothing to carry, its callers change".into());
            }
            (FunctionChange::Changed, Some(index)) => {
                let Some(running) = unit.old.items.get(index) else { continue };
                function.obstacles.extend(care(running, function, unit));
                if let Some(obstacle) = cannot(running, target) {
                    function.verdict = Verdict::Unpatchable;
                    function.obstacles.insert(0, obstacle);
                    function.instead = instead(index, target, unit);
                }
            }
        }
    }
}

/// Why the running function cannot be taken over.
fn cannot(item: &Item, target: Target) -> Option<String> {
    let hook = |what: &str| Some(format!("no entry hook: {what}"));
    if target == Target::None {
        return None;
    }
    if let Some((section, what)) =
        TRANSIENT.iter().find(|(name, _)| item.section.starts_with(name.as_bytes()))
    {
        return Some(format!("in `{section}`: {what}"));
    }
    match (target, item.traits.hook) {
        (Target::Klp, Hook::None) => {
            hook("`notrace`, or built without `-pg` or `-fpatchable-function-entry`")
        }
        (Target::Ulp, Hook::Patchable { .. }) | (Target::Klp | Target::None, _) => None,
        (Target::Ulp, _) => hook("built without `-fpatchable-function-entry`"),
    }
}

/// What patching the running function needs care for.
fn care(item: &Item, function: &Function, unit: &Unit<'_>) -> Vec<String> {
    let mut care = Vec::new();
    let others: Vec<_> = item.names().filter(|name| **name != function.symbol).collect();
    if !others.is_empty() {
        care.push(format!("shares its code with {}: a patch of one is a patch of all", names(others)));
    }
    let clone = [".isra", ".constprop"].iter().find(|word| item.name.contains_str(word));
    if let Some(word) = clone {
        care.push(format!(
            "a clone (`{}`) with parameters of its own: not the function of the source",
            &word[1..]
        ));
    }
    if unit.debug.function(&item.name).is_some_and(|debug| debug.no_call) {
        care.push("does not follow the calling convention: the compiler changed its parameters".into());
    }
    if let Some(homes) = unit.neighbours.locals.get(&item.name).filter(|homes| homes.len() > 1) {
        let objects: Vec<String> = homes.iter().take(4).map(ToString::to_string).collect();
        let more = if homes.len() > 4 { ", …" } else { "" };
        care.push(format!(
            "one of {} local functions of this name ({}{more}): its position must be given (`sympos`), which \
             `--shipped IMAGE` tells",
            homes.len(),
            objects.join(", ")
        ));
    }
    let export = BString::from(bstr::concat([b"__ksymtab_".as_slice(), item.name.as_slice()]));
    if unit.old.items.iter().any(|other| other.is_called(&export)) {
        care.push("exported: modules depend on its interface".into());
    }
    let code = listing::lines(unit.old, item, PartKind::Code);
    if code.last().is_some_and(|line| line.text.starts_with("call")) {
        care.push("ends in a call that does not return: its return address lies behind the function".into());
    }
    if code.iter().any(|line| is_tail_jump(&line.text)) {
        care.push("sibling calls: it leaves by a jump and is not on the stack afterwards".into());
    }
    care
}

/// Which of the object's symbols of its name a function's is.
fn position(prints: &Fingerprints, index: usize, function: &Function) -> Option<Position> {
    let symbol = &function.old.as_ref()?.symbol;
    let mut same: Vec<(usize, &Item)> =
        prints.items.iter().enumerate().filter(|(_, item)| item.is_called(symbol)).collect();
    same.sort_by_key(|(_, item)| (&item.section, item.address));
    let number = same.iter().position(|(at, _)| *at == index)? + 1;
    Some(Position { number, of: same.len(), within: function.object.clone(), is_final: false })
}

fn is_tail_jump(instruction: &str) -> bool {
    let target = instruction.strip_prefix("jmp ").map(str::trim_start);
    target.is_some_and(|target| target.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

fn sites(prints: &Fingerprints, item: &Item) -> Vec<String> {
    let lines = listing::lines(prints, item, PartKind::Sites);
    let has = |section: &str| {
        lines.iter().any(|line| line.text.strip_prefix(section).is_some_and(|it| it.starts_with(':')))
    };
    SITES.iter().filter(|(section, _)| has(section)).map(|(_, what)| (*what).to_owned()).collect()
}

fn names<'a>(names: impl IntoIterator<Item = &'a BString>) -> String {
    names.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The nearest callers that can be taken over, in this object and in others: a caller that cannot be is followed to its own.
fn instead(index: usize, target: Target, unit: &Unit<'_>) -> Vec<BString> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::from([index]);
    let mut waiting = vec![index];
    let mut elsewhere: Vec<Place> = Vec::new();
    while let Some(callee) = waiting.pop() {
        for (caller, item) in
            unit.old.items.iter().enumerate().filter(|(_, item)| item.kind == Kind::Function)
        {
            let calls =
                item.references.iter().any(|it| matches!(it, Reference::Item(at) if *at as usize == callee));
            if !calls || !seen.insert(caller) {
                continue;
            }
            if cannot(item, target).is_none() {
                found.insert(item.name.clone());
            } else {
                waiting.push(caller);
            }
        }
        let item = unit.old.items.get(callee).filter(|item| !matches!(item.scope, Scope::Local(_)));
        let names = item.into_iter().flat_map(Item::names);
        let callers = names.filter_map(|name| unit.neighbours.callers.get(name)).flatten();
        elsewhere.extend(callers.filter(|(object, _)| object != unit.object).cloned());
    }
    found.extend(instead_elsewhere(elsewhere, unit.neighbours));
    found.into_iter().collect()
}

/// Likewise from callers in other objects on: each with its object behind it.
fn instead_elsewhere(mut waiting: Vec<Place>, neighbours: &Neighbours) -> BTreeSet<BString> {
    let mut found = BTreeSet::new();
    let mut seen: BTreeSet<Place> = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if !seen.insert(place.clone()) {
            continue;
        }
        let (object, symbol) = &place;
        if !neighbours.unpatchable.contains(&place) {
            found.insert(bstr::concat([symbol.as_slice(), b" (", object, b")"]).into());
            continue;
        }
        let within = neighbours.within.get(&place).into_iter().flatten();
        waiting.extend(within.map(|caller| (object.clone(), caller.clone())));
        if !neighbours.is_local(&place) {
            waiting.extend(neighbours.callers.get(symbol).into_iter().flatten().cloned());
        }
    }
    found
}
