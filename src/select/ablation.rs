//! Which property of an edited function leaked into its callers: found by switching off the one optimisation.
//!
//! Nothing in an object says that a caller skipped saving a register because the callee did not use it. But with `-fno-ipa-ra` on both
//! sides that caller is compiled alike, and then it is known. First all candidates are switched off at once: where that makes no
//! difference, none of them is the cause, and one pair of compiles has told so.

use std::collections::BTreeSet;

use bstr::BString;

use super::bisect;
use super::replay::Call;
use super::unit::Context;
use crate::analysis::selection::{Function, FunctionChange, Why, WhyKind};
use crate::analysis::{self, Change, FindingKind};
use crate::object::debug::Debug;
use crate::store::record::Family;

/// A function whose reason is not proved yet.
pub type Open<'f> = &'f mut Function;

/// Optimisations whose reach the compiler reports nowhere, and the property that each hands on.
/// Source: what GCC's `-flive-patching` turns off for that reason, and what its list leaves out.
const CANDIDATES: [(&str, &str); 10] = [
    ("-fno-ipa-ra", "which registers it clobbers"),
    ("-fno-ipa-pure-const", "whether it is pure, const, nothrow or does not return"),
    ("-fno-ipa-modref", "which memory it reads and writes"),
    ("-fno-ipa-vrp", "the range of values it returns or takes"),
    ("-fno-ipa-bit-cp", "which bits of its parameters are known"),
    ("-fno-ipa-icf", "that its body was the same as another's"),
    ("-fno-ipa-sra", "which of its parameters it uses"),
    ("-fno-ipa-cp", "the constants it is called with"),
    ("-fno-ipa-stack-alignment", "how it needs the stack aligned"),
    ("-fno-ipa-reference", "which local variables it reads and writes"),
];

/// Names the optimisation behind every `caller`, `sibling` and `unexplained` of `functions` where one alone is. What cannot be
/// compiled so stays as it was.
pub fn prove(
    context: &Context<'_>,
    call: &Call<'_>,
    number: usize,
    functions: &mut [Function],
    debug: (&Debug, &Debug),
) {
    let is_open = |function: &&mut Function| {
        let open = |why: &Why| matches!(why.kind, WhyKind::Caller | WhyKind::Sibling | WhyKind::Unexplained);
        function.change == FunctionChange::Changed && function.why.iter().all(open)
    };
    let mut open: Vec<Open<'_>> = functions.iter_mut().filter(is_open).collect();
    if open.is_empty() {
        return;
    }
    if call.identity().compiler.family == Family::Clang {
        changed_parameters(&mut open, debug);
        for function in bisect::prove(context, call, number, open) {
            add(function, "; no single pass of clang's hands it on");
        }
        return;
    }
    let all: Vec<&str> = CANDIDATES.iter().map(|(option, _)| *option).collect();
    // An older compiler refuses the options that it does not know: then each is tried by itself.
    if let Some(left) = differing(context, call, number, &all) {
        open.retain_mut(|function| {
            let is_left = left.contains(&function.symbol);
            if is_left {
                add(function, "; no optimisation that can be switched off hands it on");
            }
            !is_left
        });
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
            name(function, property, &format!("gone with `{option}` on both sides"));
            false
        });
    }
    together(context, call, number, open);
}

/// Where each alone leaves it, several hand it on: those without which it is not gone.
fn together(context: &Context<'_>, call: &Call<'_>, number: usize, open: Vec<Open<'_>>) {
    if open.is_empty() {
        return;
    }
    let gone = |options: &[&str]| {
        let left = differing(context, call, number, options);
        left.is_some_and(|left| !open.iter().any(|function| left.contains(&function.symbol)))
    };
    let mut needed = CANDIDATES.to_vec();
    for candidate in CANDIDATES {
        let fewer: Vec<_> = needed.iter().copied().filter(|it| *it != candidate).collect();
        if gone(&fewer.iter().map(|(option, _)| *option).collect::<Vec<_>>()) {
            needed = fewer;
        }
    }
    let options: Vec<_> = needed.iter().map(|(option, _)| *option).collect();
    let properties: Vec<_> = needed.iter().map(|(_, property)| *property).collect();
    let is_less = needed.len() < CANDIDATES.len();
    for function in open {
        if is_less {
            name(
                function,
                &properties.join(", and "),
                &format!("gone with `{}` on both sides", options.join(" ")),
            );
        } else {
            add(function, "; several interprocedural optimisations hand it on");
        }
    }
}

fn add(function: &mut Function, remark: &str) {
    for why in &mut function.why {
        why.detail.push_str(remark);
    }
}

/// Clang changes the parameters of a local function under the same name, and only debug information says so: no pass need be
/// looked for.
fn changed_parameters(open: &mut Vec<Open<'_>>, (old, new): (&Debug, &Debug)) {
    open.retain_mut(|function| {
        let callee = function.why.iter().find_map(|why| why.via.first()).cloned();
        let marked = |debug: &Debug| {
            callee.as_ref().and_then(|callee| debug.function(callee)).is_some_and(|callee| callee.no_call)
        };
        if marked(old) == marked(new) {
            return true;
        }
        name(
            function,
            "its parameters, which clang changed under the same name",
            "`DW_CC_nocall` on one side",
        );
        false
    });
}

/// Says what the function relied on, and how that is known.
pub fn name(function: &mut Function, property: &str, proof: &str) {
    for why in &mut function.why {
        let what = match why.via.first() {
            Some(callee) => format!("{callee}: {property}"),
            None => property.to_owned(),
        };
        why.detail = format!("relied on {what} ({proof})");
        if why.kind == WhyKind::Unexplained {
            why.kind = WhyKind::Caller;
        }
    }
}

/// The functions that still differ with these options on both sides; `None` where that does not compile.
pub fn differing(
    context: &Context<'_>,
    call: &Call<'_>,
    number: usize,
    options: &[&str],
) -> Option<BTreeSet<BString>> {
    let views = &context.views;
    let old = || context.replay(call, &views.old, (number, "old-without"), options, false);
    let new = || context.replay(call, views.patched(), (number, "new-without"), options, true);
    let (old, new) = rayon::join(old, new);
    let findings = analysis::compare(&old.ok()?.prints, &new.ok()?.prints);
    let of_functions = findings.into_iter().filter(|finding| finding.kind == FindingKind::Function);
    let changed = of_functions
        .filter(|finding| !matches!(finding.change, Change::Alias | Change::Section | Change::Alignment));
    Some(changed.flat_map(|it| [it.old, it.new]).flatten().map(|place| place.symbol).collect())
}
