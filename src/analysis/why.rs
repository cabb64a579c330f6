//! Why each function differs: the way from an edit to it.
//!
//! Evidence comes from three places: where the edits lie in the source, what debug information and GCC's clones dump say was
//! inlined where (on both sides: what an edit keeps from being inlined is only on the old one), and who refers to whom. Reasons are tried
//! from the most direct on; what a function owes to another that is itself explained follows in rounds. A function that no
//! reason fits is said to be unexplained: a guess would be worse.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::{BStr, BString, ByteSlice};

use super::clones::Clones;
use super::selection::{Datum, Function, FunctionChange, Why, WhyKind};
use crate::object::debug::Debug;
use crate::object::{Fingerprints, Item, Kind, Reference};

/// What is known of one unit.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Fingerprints of the running code and of the patched.
    pub prints: (&'a Fingerprints, &'a Fingerprints),
    /// Debug information of both.
    pub debug: (&'a Debug, &'a Debug),
    /// The clones dumps of both, where there are any.
    pub clones: (Option<&'a Clones>, Option<&'a Clones>),
    /// Functions of the source that the patch touches, and where.
    pub edited: &'a BTreeMap<BString, String>,
    /// Functions whose preprocessed text differs though no hunk lies in them, and through what.
    pub indirect: &'a BTreeMap<BString, Indirect>,
}

/// How an edit reaches a function that no hunk lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indirect {
    /// Through what.
    pub detail: String,
    /// Edited functions that went into it without a trace, the nearest first; empty for macros, types and declarations.
    pub via: Vec<BString>,
    /// Whether it is through a type.
    pub is_type: bool,
}

/// What has to be thought of where a function was compiled against another type.
const LAYOUT: &str = "uses a type that the patch changes: objects that exist keep their layout; leave it as it is and put what is \
                      new into shadow variables";

/// Fills the reasons of `functions`, all of one unit. Every function has one afterwards.
pub fn explain(functions: &mut [Function], data: &[Datum], evidence: &Evidence<'_>) {
    let unit = Unit::new(evidence);
    for function in &mut *functions {
        function.why = unit.direct(function, data);
        if unit.uses_edited_type(function) && !function.obstacles.iter().any(|known| known == LAYOUT) {
            function.obstacles.push(LAYOUT.to_owned());
        }
    }
    // What hangs on a function that is explained is explained by it.
    loop {
        let explained: BTreeMap<BString, usize> = functions
            .iter()
            .enumerate()
            .filter(|(_, it)| !it.why.is_empty())
            .map(|(at, it)| (it.symbol.clone(), at))
            .collect();
        let mut found = Vec::new();
        for (index, function) in functions.iter().enumerate().filter(|(_, function)| function.why.is_empty())
        {
            if let Some(why) = unit.caller(function, &explained) {
                found.push((index, why));
            }
        }
        if found.is_empty() {
            break;
        }
        for (index, why) in found {
            if let Some(function) = functions.get_mut(index) {
                function.why.push(why);
            }
        }
    }
    let changed: BTreeSet<BString> = functions
        .iter()
        .filter(|function| !function.why.is_empty())
        .map(|function| function.symbol.clone())
        .collect();
    for function in functions.iter_mut().filter(|function| function.why.is_empty()) {
        let why = unit.sibling(function, &changed).unwrap_or_else(|| Why {
            kind: WhyKind::Unexplained,
            via: Vec::new(),
            detail: "differs, and nothing known says why".into(),
        });
        function.why.push(why);
    }
}

struct Unit<'a> {
    evidence: &'a Evidence<'a>,
    /// Names that each function refers to, on either side.
    callees: HashMap<&'a BStr, BTreeSet<&'a BStr>>,
}

impl<'a> Unit<'a> {
    fn new(evidence: &'a Evidence<'a>) -> Self {
        let mut callees: HashMap<&BStr, BTreeSet<&BStr>> = HashMap::new();
        for prints in [evidence.prints.0, evidence.prints.1] {
            for item in prints.items.iter().filter(|item| item.kind == Kind::Function) {
                let to = callees.entry(item.name.as_bstr()).or_default();
                for reference in &item.references {
                    match reference {
                        Reference::External(name) => drop(to.insert(name.as_bstr())),
                        Reference::Item(index) => {
                            let target =
                                prints.items.get(*index as usize).filter(|it| it.kind == Kind::Function);
                            to.extend(target.into_iter().flat_map(Item::names).map(|name| name.as_bstr()));
                        }
                    }
                }
            }
        }
        Self { evidence, callees }
    }

    /// Source names of a compiled function: on both sides, by debug information, else by the symbol.
    fn names(&self, function: &Function) -> BTreeSet<BString> {
        let symbols =
            [function.old.as_ref(), function.new.as_ref()].into_iter().flatten().map(|place| &place.symbol);
        let symbols: Vec<&BString> = symbols.chain([&function.symbol]).collect();
        let debugs = [self.evidence.debug.0, self.evidence.debug.1];
        let known = |symbol: &&BString| {
            debugs
                .iter()
                .filter_map(|debug| debug.function(symbol))
                .map(|it| it.name.clone())
                .collect::<Vec<_>>()
        };
        let mut names: BTreeSet<BString> = symbols.iter().flat_map(known).collect();
        if names.is_empty() {
            names.extend(symbols.iter().map(|symbol| origin(symbol.as_bstr())));
        }
        names
    }

    fn uses_edited_type(&self, function: &Function) -> bool {
        let names = self.names(function);
        names.iter().any(|name| self.evidence.indirect.get(name).is_some_and(|indirect| indirect.is_type))
    }

    /// The reasons that need nobody else's.
    fn direct(&self, function: &Function, data: &[Datum]) -> Vec<Why> {
        let mut why = Vec::new();
        let names = self.names(function);
        let why_of = |kind, via: Vec<BString>, detail: String| Why { kind, via, detail };
        for (name, place) in names.iter().filter_map(|name| Some((name, self.evidence.edited.get(name)?))) {
            let is_clone = function.symbol != *name && origin(function.symbol.as_bstr()) == *name;
            why.push(if is_clone {
                why_of(WhyKind::Clone, vec![name.clone()], format!("of {name}, edited at {place}"))
            } else {
                why_of(WhyKind::Edited, Vec::new(), place.clone())
            });
        }
        let shortest = self.chains(function).into_iter().filter_map(|chain| {
            let at = chain.iter().position(|name| self.evidence.edited.contains_key(name))?;
            Some(chain.get(..=at)?.to_vec())
        });
        let mut by_edit: BTreeMap<BString, Vec<BString>> = BTreeMap::new();
        for chain in shortest {
            let Some(edited) = chain.last().cloned() else { continue };
            let known = by_edit.entry(edited).or_insert_with(|| chain.clone());
            if chain.len() < known.len() {
                *known = chain;
            }
        }
        for (edited, chain) in by_edit.into_iter().filter(|(edited, _)| !names.contains(edited)) {
            let place = self.evidence.edited.get(&edited).cloned().unwrap_or_default();
            why.push(why_of(WhyKind::Inlined, chain, format!("{edited} is edited at {place}")));
        }
        if why.is_empty() {
            let indirect = names.iter().find_map(|name| self.evidence.indirect.get(name));
            let kind =
                |through: &Indirect| if through.via.is_empty() { WhyKind::Edited } else { WhyKind::Inlined };
            why.extend(indirect.map(|it| why_of(kind(it), it.via.clone(), it.detail.clone())));
        }
        if why.is_empty() {
            let through = self.chains(function).into_iter().find_map(|chain| {
                let at = chain.iter().position(|name| self.evidence.indirect.contains_key(name))?;
                let detail = self.evidence.indirect.get(chain.get(at)?)?.detail.clone();
                Some(why_of(WhyKind::Inlined, chain.get(..=at)?.to_vec(), detail))
            });
            why.extend(through);
        }
        let read: Vec<BString> = data
            .iter()
            .filter(|datum| names_symbol(&datum.readers, function))
            .map(|datum| datum.symbol.clone())
            .collect();
        if !read.is_empty() && why.is_empty() {
            let detail = format!("refers to {}", bstr::join(", ", &read).to_str_lossy());
            why.push(why_of(WhyKind::Data, read, detail));
        }
        why
    }

    /// Everything inlined into it on either side.
    fn chains(&self, function: &Function) -> BTreeSet<Vec<BString>> {
        let (debug, clones) = (self.evidence.debug, self.evidence.clones);
        let mut chains = BTreeSet::new();
        for (debug, clones, place) in [(debug.0, clones.0, &function.old), (debug.1, clones.1, &function.new)]
        {
            let Some(place) = place else { continue };
            let of_debug = debug.function(place.symbol.as_slice());
            chains.extend(of_debug.into_iter().flat_map(|function| function.inlined.iter().cloned()));
            chains.extend(clones.into_iter().flat_map(|clones| clones.inlined_into(place.symbol.as_bstr())));
        }
        chains
    }

    /// The reason that lies in another function, which it refers to, or which it was or is inlined into.
    fn caller(&self, function: &Function, explained: &BTreeMap<BString, usize>) -> Option<Why> {
        if let Some(why) = self.shifted_inlining(function, explained) {
            return Some(why);
        }
        let callees = self.callees_of(function);
        let edited = self.evidence.edited.keys().chain(self.evidence.indirect.keys());
        let edited: BTreeSet<&BStr> = edited.map(|name| name.as_bstr()).collect();
        let hit = callees
            .iter()
            .find(|callee| edited.contains(**callee) || edited.contains(origin(callee).as_bstr()));
        let hit = hit.or_else(|| {
            callees.iter().find(|callee| explained.contains_key(&BString::from(callee.as_bytes())))
        });
        let callee = (*hit?).to_owned();
        Some(Why {
            kind: WhyKind::Caller,
            detail: format!("calls {callee}, a property of which it relied on"),
            via: vec![callee],
        })
    }

    /// A function that was inlined everywhere and now has a body of its own, or the reverse: it comes or goes with the
    /// functions that contained it.
    fn shifted_inlining(&self, function: &Function, explained: &BTreeMap<BString, usize>) -> Option<Why> {
        let (debug, verb) = match function.change {
            FunctionChange::New => (self.evidence.debug.0, "was inlined into"),
            FunctionChange::Removed => (self.evidence.debug.1, "is now inlined into"),
            FunctionChange::Changed => return None,
        };
        let names = self.names(function);
        let holder = debug.functions.iter().find(|holder| {
            let holds = holder.inlined.iter().flatten().any(|name| names.contains(name));
            holds && holder.symbols.iter().any(|symbol| explained.contains_key(symbol))
        })?;
        let symbol = holder.symbols.iter().find(|symbol| explained.contains_key(*symbol))?.clone();
        Some(Why { kind: WhyKind::Inlined, detail: format!("{verb} {symbol}"), via: vec![symbol] })
    }

    fn sibling(&self, function: &Function, changed: &BTreeSet<BString>) -> Option<Why> {
        let mine = self.names_within(function);
        let shared = changed.iter().filter(|symbol| **symbol != function.symbol).find_map(|symbol| {
            let theirs = self.callees.get(symbol.as_bstr())?;
            let inlined = self.inlined_names(symbol);
            let callee =
                mine.iter().find(|name| theirs.contains(name.as_bstr()) || inlined.contains(*name))?;
            Some((symbol.clone(), callee.clone()))
        })?;
        Some(Why {
            kind: WhyKind::Sibling,
            detail: format!("shares {} with {}, and is compiled otherwise with it", shared.1, shared.0),
            via: vec![shared.1, shared.0],
        })
    }

    /// What it calls, and what is inlined into it.
    fn names_within(&self, function: &Function) -> BTreeSet<BString> {
        let called = self.callees_of(function).into_iter().map(ToOwned::to_owned);
        called.chain(self.chains(function).into_iter().flatten()).collect()
    }

    fn inlined_names(&self, symbol: &BString) -> BTreeSet<BString> {
        let debugs = [self.evidence.debug.0, self.evidence.debug.1];
        debugs
            .into_iter()
            .filter_map(|debug| debug.function(symbol))
            .flat_map(|function| function.inlined.iter().flatten().cloned())
            .collect()
    }

    fn callees_of(&self, function: &Function) -> BTreeSet<&'a BStr> {
        let symbols = [function.old.as_ref(), function.new.as_ref()].into_iter().flatten();
        symbols.filter_map(|place| self.callees.get(place.symbol.as_bstr())).flatten().copied().collect()
    }
}

fn names_symbol(readers: &[BString], function: &Function) -> bool {
    let places = [function.old.as_ref(), function.new.as_ref()];
    readers.contains(&function.symbol)
        || places.into_iter().flatten().any(|place| readers.contains(&place.symbol))
}

/// The name of the function that a clone was made of: up to the first dot, for compilers add with dots.
pub fn origin(symbol: &BStr) -> BString {
    let end = symbol.iter().skip(1).position(|byte| *byte == b'.').map_or(symbol.len(), |at| at + 1);
    symbol.get(..end).unwrap_or(symbol).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_clones() {
        for (symbol, name) in
            [("foo.constprop.0.isra.0", "foo"), ("foo", "foo"), ("foo.part.0.cold", "foo"), (".x.0", ".x")]
        {
            assert_eq!(origin(symbol.into()), name);
        }
    }
}
