//! Implicit noreturn lost: a call after which A has no code and B goes on.
//!
//! GCC finds out by itself that a function never returns, and then leaves out what would stand behind a call of it.
//! `-flive-patching` turns that off (`-fipa-pure-const`), so B goes on behind the call with code that nothing reaches;
//! objtool, which still sees that the callee never returns, calls it an unreachable instruction. The cure is to say it
//! in the source: `__noreturn` on the callee. That the callee never returns is read from its own machine code.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice};

use super::flow::{Call, Flow};
use crate::object::{Fingerprints, Item, Kind};

/// A call that A knew not to return.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoreturnLost {
    /// The function of this object that never returns: what should be marked `__noreturn`.
    pub callee: BString,
    /// Who calls it.
    pub caller: BString,
    /// Offset in bytes in B's caller of the first instruction that nothing reaches.
    pub offset: Option<u64>,
}

/// All calls of never-returning functions of the object that A ends at and B does not.
pub fn lost(a: &Fingerprints, b: &Fingerprints) -> Vec<NoreturnLost> {
    let never: BTreeSet<&BStr> = functions(b)
        .filter(|item| Flow::of(b, item).is_some_and(|flow| flow.never_returns()))
        .flat_map(|item| item.names().map(|name| name.as_bstr()))
        .collect();
    if never.is_empty() {
        return Vec::new();
    }
    let in_a: BTreeMap<&BStr, &Item> = functions(a).map(|item| (item.name.as_bstr(), item)).collect();
    let mut found = BTreeSet::new();
    for item in functions(b) {
        let Some(old) = in_a.get(item.name.as_bstr()) else { continue };
        let calls = calls(b, item);
        let callees: BTreeSet<&BStr> = calls
            .iter()
            .filter(|call| call.goes_on && never.contains(call.callee.as_bstr()))
            .map(|call| call.callee.as_bstr())
            .collect();
        for callee in callees {
            let now: Vec<&Call> = calls.iter().filter(|call| call.callee == callee).collect();
            found.extend(new_ways_on(&calls_of(a, old, callee), &now).into_iter().map(|at| NoreturnLost {
                callee: callee.to_owned(),
                caller: item.name.clone(),
                offset: at.and_then(|at| crate::object::listing::offset_of(b, item, at + 1)),
            }));
        }
    }
    found.into_iter().collect()
}

/// The calls of B, by number of their instruction, behind which it goes on and A does not. A call in inline assembler goes on in both
/// (the kernel's switch to another stack is one): what the compiler knows of the callee does not reach it. `None` is a call that
/// cannot be told from its like, for A has another number of them.
fn new_ways_on(old: &[Call], now: &[&Call]) -> Vec<Option<u32>> {
    let before = old.iter().filter(|call| call.goes_on).count();
    let behind = now.iter().filter(|call| call.goes_on).count();
    if before == old.len() || behind <= before {
        return Vec::new();
    }
    if before > 0 && old.len() != now.len() {
        return vec![None];
    }
    let known = |number: usize| before == 0 || old.get(number).is_some_and(|call| !call.goes_on);
    let new = now.iter().enumerate().filter(|(number, call)| call.goes_on && known(*number));
    new.map(|(_, call)| Some(call.at)).collect()
}

fn functions(prints: &Fingerprints) -> impl Iterator<Item = &Item> {
    prints.items.iter().filter(|item| item.kind == Kind::Function)
}

fn calls(prints: &Fingerprints, item: &Item) -> Vec<Call> {
    Flow::of(prints, item).map(|flow| flow.calls()).unwrap_or_default()
}

/// The calls of `callee`; a clone of it counts for it.
fn calls_of(prints: &Fingerprints, item: &Item, callee: &BStr) -> Vec<Call> {
    let base = super::inlining::base(callee);
    calls(prints, item)
        .into_iter()
        .filter(|call| super::inlining::base(call.callee.as_bstr()) == base)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_their_order_where_there_are_as_many() {
        let calls = |goes_on: &[bool]| -> Vec<Call> {
            let call = |(at, goes_on): (u32, &bool)| Call { at, callee: "stop".into(), goes_on: *goes_on };
            (0..).zip(goes_on).map(call).collect()
        };
        let new =
            |old: &[bool], now: &[bool]| new_ways_on(&calls(old), &calls(now).iter().collect::<Vec<_>>());
        assert_eq!(new(&[false, false], &[true, true, true]), [Some(0), Some(1), Some(2)]);
        assert_eq!(new(&[false, true], &[true, true]), [Some(0)]);
        assert_eq!(new(&[false, true], &[true, true, false]), [None]);
        assert_eq!(new(&[false, true], &[false, true, false]), []);
        assert_eq!(new(&[true], &[true, true]), [], "none that A knew to end");
        assert_eq!(new(&[], &[true]), []);
    }
}
