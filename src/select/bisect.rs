//! Which property of an edited function leaked into its callers, where the compiler has no switch for it: clang.
//!
//! Clang counts its passes, and stops behind any of them when asked to (`-opt-bisect-limit`). Both sides are stopped behind the same
//! one: the first behind which a caller differs is where the property came in, by halving. A pass over the whole module hands
//! on values or parameters; one over the caller alone sees of its callee only the attributes that were found out about it. That the
//! passes are the same on both sides is checked first, name by name: as far as they are, and no further.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BString, ByteSlice};

use super::ablation::{Open, differing, name};
use super::replay::Call;
use super::unit::Context;

/// Passes that hand something on by themselves, and what. Source: LLVM's documentation of passes.
const HANDS_ON: [(&str, &str); 8] = [
    ("IPSCCPPass", "the values it returns, or is called with"),
    ("DeadArgumentEliminationPass", "which of its parameters and results are used"),
    ("ArgumentPromotionPass", "how it is given its parameters"),
    ("CalledValuePropagationPass", "what its pointers may lead to"),
    ("GlobalOptPass", "its calling convention, or what it does to variables"),
    ("GlobalDCEPass", "that it is still used"),
    ("MergeFunctionsPass", "that its body was the same as another's"),
    ("InlinerPass", "whether it is inlined"),
];
/// What a pass over one function sees of those that it calls.
const ATTRIBUTES: &str = "which memory it touches, and whether it returns or unwinds";

/// Names the pass behind each of `open`; those for which there is none are given back.
pub fn prove<'f>(
    context: &Context<'_>,
    call: &Call<'_>,
    number: usize,
    open: Vec<Open<'f>>,
) -> Vec<Open<'f>> {
    let passes = |is_patched: bool| -> Option<Vec<BString>> {
        let view = if is_patched { context.views.patched() } else { &context.views.old };
        let state = if is_patched { "new-passes" } else { "old-passes" };
        let ran =
            context.replay(call, view, (number, state), &["-mllvm", "-opt-bisect-limit=-1"], is_patched);
        Some(listed(&ran.ok()?.said))
    };
    let (old, new) = rayon::join(|| passes(false), || passes(true));
    let (Some(old), Some(new)) = (old, new) else { return open };
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let mut known: BTreeMap<usize, Option<BTreeSet<BString>>> = BTreeMap::new();
    let mut differs = |symbol: &BString, limit: usize| -> Option<bool> {
        let left = known.entry(limit).or_insert_with(|| {
            differing(context, call, number, &["-mllvm", &format!("-opt-bisect-limit={limit}")])
        });
        Some(left.as_ref()?.contains(symbol))
    };
    let mut left = Vec::new();
    for function in open {
        let symbol = function.symbol.clone();
        let first = first(same, &mut |limit| differs(&symbol, limit));
        match first.and_then(|limit| old.get(limit.checked_sub(1)?)) {
            Some(pass) => {
                let (title, _) = pass.split_once_str(" on ").unwrap_or((pass.as_slice(), b""));
                let title = title.to_str_lossy();
                let property =
                    HANDS_ON.iter().find(|(known, _)| *known == title).map_or(ATTRIBUTES, |it| it.1);
                name(function, property, &format!("clang's `{title}` is the first to see it"));
            }
            None => left.push(function),
        }
    }
    left
}

/// The least limit from 1 to `last` at which `differs` holds, given that it does from there on; `None` where it does not at `last`, or
/// does without any pass.
fn first(last: usize, differs: &mut dyn FnMut(usize) -> Option<bool>) -> Option<usize> {
    if !differs(last)? || differs(0)? {
        return None;
    }
    let (mut alike, mut unlike) = (0, last);
    while unlike - alike > 1 {
        let middle = alike + (unlike - alike) / 2;
        if differs(middle)? {
            unlike = middle;
        } else {
            alike = middle;
        }
    }
    Some(unlike)
}

/// The passes that clang says it ran, in order: `EarlyCSEPass on f`.
fn listed(said: &[u8]) -> Vec<BString> {
    said.lines()
        .filter_map(|line| line.strip_prefix(b"BISECT: running pass ("))
        .filter_map(|rest| Some(rest.split_once_str(") ")?.1.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pass_is_found_by_halving() {
        for at in 1..=9 {
            assert_eq!(first(9, &mut |limit| Some(limit >= at)), Some(at));
        }
        assert_eq!(first(9, &mut |_| Some(false)), None);
        assert_eq!(first(9, &mut |_| Some(true)), None);
        assert_eq!(first(9, &mut |_| None), None);
    }

    #[test]
    fn passes_by_name() {
        let said = b"BISECT: running pass (1) IPSCCPPass on [module]\nx.c:1: warning\nBISECT: running pass (2) SROAPass on f\n";
        assert_eq!(listed(said), ["IPSCCPPass on [module]", "SROAPass on f"]);
    }
}
