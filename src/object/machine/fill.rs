//! Alignment fill inside a function, on machines whose assembler writes plain no-operations.
//!
//! No-operations are also written on purpose, and there the compiler's text differs though nothing else does.
//! So a run is fill only where an alignment directive can have stood: it ends at a multiple of eight, it is no
//! longer than the section's alignment asks for, and what follows is either a branch's target (a loop's head) or
//! not reached from above at all (it stands behind a jump, or a table of them); no branch and no table leads to the run itself, for alignment stands before a label; and nothing
//! beside the code refers to it ([`super::super::marks`]). No-operations at the entry stay where the file lists patchable
//! entries; elsewhere they too may align a loop that the function begins with.

use super::super::marks;
use super::super::x86::{Instruction, Reach};
use super::{Machine, Run};

/// Fill ends at a multiple of this: the least that compilers ask for inside functions.
const ALIGNMENT: u64 = 8;

/// Takes fill out of `list`, whose entries from `from` on are those of `run`; `ends_flow` tells of an
/// instruction's bytes whether what follows is not reached from it.
pub fn drop_fill(
    machine: &dyn Machine,
    run: &Run<'_>,
    list: &mut Vec<Instruction>,
    from: usize,
    ends_flow: impl Fn(&[u8]) -> bool,
) {
    if run.align < ALIGNMENT || !list.iter().skip(from).any(Instruction::is_nop) {
        return;
    }
    let bytes = |first: u32, end: u32| {
        run.bytes.get((first - run.start) as usize..(end - run.start) as usize).unwrap_or_default()
    };
    let text = |i: &Instruction| bytes(i.start, i.start + u32::from(i.length));
    let own = list.get(from..).unwrap_or_default();
    let led_to = |by: fn(Reach) -> Option<i64>| {
        let mut all: Vec<i64> = list.iter().filter_map(|i| by(i.reach())).collect();
        all.sort_unstable();
        all
    };
    let targets = led_to(|reach| if let Reach::Branch(to) = reach { Some(to) } else { None });
    let entries = led_to(|reach| if let Reach::Entry(to) = reach { Some(to) } else { None });
    let is_start = |i: &Instruction| i.is_nop() || machine.entry_mark(text(i)) > 0;
    let mut at = if from == 0 && run.patchable { own.iter().take_while(|i| is_start(i)).count() } else { 0 };
    let mut keep = vec![true; own.len()];
    let is_free =
        |i: &&Instruction| i.is_nop() && !marks::any_in(run.marks, i.start, i.start + u32::from(i.length));
    while at < own.len() {
        let count = own.iter().skip(at).take_while(is_free).count();
        if count == 0 {
            at += 1;
            continue;
        }
        if let (Some(first), Some(next)) = (own.get(at), own.get(at + count)) {
            let before = at.checked_sub(1).and_then(|i| own.get(i));
            let unreached =
                before.is_some_and(|b| matches!(b.reach(), Reach::Entry(_)) || ends_flow(text(b)));
            let is_in = |all: &[i64], i: &Instruction| all.binary_search(&i64::from(i.start)).is_ok();
            let head = machine.aligns_loops() && is_in(&targets, next);
            let short = u64::from(next.start - first.start) < run.align;
            // Over many no-operations some assemblers jump.
            let jump = before
                .filter(|b| b.reach() == Reach::Branch(next.start.into()))
                .is_some_and(|b| ends_flow(text(b)) && machine.is_fill(bytes(b.start, next.start)));
            let even = u64::from(next.start).is_multiple_of(ALIGNMENT);
            if even
                && short
                && !is_in(&targets, first)
                && !is_in(&entries, first)
                && (unreached || head)
                && machine.is_fill(bytes(first.start, next.start))
            {
                let (skip, take) = if jump { (at - 1, count + 1) } else { (at, count) };
                keep.iter_mut().skip(skip).take(take).for_each(|k| *k = false);
            }
        }
        at += count;
    }
    let mut flags = std::iter::repeat_n(true, from).chain(keep);
    list.retain(|_| flags.next().unwrap_or(true));
}
