//! Which property of an edited function leaked into its callers: found by switching off the one optimisation.
//!
//! Nothing in an object says that a caller skipped saving a register because the callee did not use it. But with `-fno-ipa-ra` on both
//! sides that caller is compiled alike, and then it is known. First all candidates are switched off at once: where that makes no
//! difference, none of them is the cause, and one pair of compiles has told so.

use std::collections::BTreeSet;

use bstr::BString;

use super::replay::Call;
use super::unit::Context;
use crate::analysis::selection::{Function, FunctionChange, Why, WhyKind};
use crate::analysis::{self, Change, FindingKind};
use crate::store::record::Family;

/// Optimisations whose reach the compiler reports nowhere, and the property that each hands on.
/// Source: what GCC's `-flive-patching` turns off for that reason, and what its list leaves out.
const CANDIDATES: [(&str, &str); 8] = [
    ("-fno-ipa-ra", "which registers it clobbers"),
    ("-fno-ipa-pure-const", "whether it is pure, const, nothrow or does not return"),
    ("-fno-ipa-modref", "which memory it reads and writes"),
    ("-fno-ipa-vrp", "the range of values it returns or takes"),
    ("-fno-ipa-bit-cp", "which bits of its parameters are known"),
    ("-fno-ipa-icf", "that its body was the same as another's"),
    ("-fno-ipa-sra", "which of its parameters it uses"),
    ("-fno-ipa-cp", "the constants it is called with"),
];

/// Names the optimisation behind every `caller`, `sibling` and `unexplained` of `functions` where one alone is. What cannot be
/// compiled so stays as it was.
pub fn prove(context: &Context<'_>, call: &Call<'_>, number: usize, functions: &mut [Function]) {
    let is_open = |function: &&mut Function| {
        let open = |why: &Why| matches!(why.kind, WhyKind::Caller | WhyKind::Sibling | WhyKind::Unexplained);
        function.change == FunctionChange::Changed && function.why.iter().all(open)
    };
    let mut open: Vec<&mut Function> = functions.iter_mut().filter(is_open).collect();
    if open.is_empty() || call.identity().compiler.family == Family::Clang {
        return; // clang has no switch for its own
    }
    let all: Vec<&str> = CANDIDATES.iter().map(|(option, _)| *option).collect();
    // An older compiler refuses the options that it does not know: then each is tried by itself.
    if let Some(left) = differing(context, call, number, &all) {
        open.retain(|function| !left.contains(&function.symbol));
    }
    for (option, property) in CANDIDATES {
        if open.is_empty() {
            return;
        }
        let Some(left) = differing(context, call, number, &[option]) else { continue };
        open.retain_mut(|function| {
            if left.contains(&function.symbol) {
                return true;
            }
            name(function, option, property);
            false
        });
    }
    // Several hand it on: each alone leaves it.
    for function in open {
        for why in &mut function.why {
            why.detail.push_str("; several interprocedural optimisations hand it on");
        }
    }
}

fn name(function: &mut Function, option: &str, property: &str) {
    for why in &mut function.why {
        let what = match why.via.first() {
            Some(callee) => format!("{callee}: {property}"),
            None => property.to_owned(),
        };
        why.detail = format!("relied on {what} (gone with `{option}` on both sides)");
        if why.kind == WhyKind::Unexplained {
            why.kind = WhyKind::Caller;
        }
    }
}

/// The functions that still differ with these options on both sides; `None` where that does not compile.
fn differing(
    context: &Context<'_>,
    call: &Call<'_>,
    number: usize,
    options: &[&str],
) -> Option<BTreeSet<BString>> {
    let views = &context.views;
    let old = || context.replay(call, &views.old, (number, "old-without"), options, false);
    let new_view = views.aligned.as_ref().unwrap_or(&views.new);
    let new = || context.replay(call, new_view, (number, "new-without"), options, true);
    let (old, new) = rayon::join(old, new);
    let findings = analysis::compare(&old.ok()?.prints, &new.ok()?.prints);
    let of_functions = findings.into_iter().filter(|finding| finding.kind == FindingKind::Function);
    let changed = of_functions
        .filter(|finding| !matches!(finding.change, Change::Alias | Change::Section | Change::Alignment));
    Some(changed.flat_map(|it| [it.old, it.new]).flatten().map(|place| place.symbol).collect())
}
