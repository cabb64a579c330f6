//! Whether an object is the recorded one, but for what a program of the build rewrote behind the compiler.
//!
//! The kernel's objtool runs in the same make rule as the compile, after lpcc has recorded: the bytes on the disk are not those
//! recorded, and yet nothing is stale. To believe that of whatever has ORC tables would hide an edit that was built without
//! lpcc. So each difference must be one that objtool makes: tables of its own, and instructions that became no-operations in
//! their place. Anything else is a change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Finding, FindingKind, Place};
use crate::object::listing::{self, Line};
use crate::object::{Fingerprints, Item, Kind, PartKind};

/// Sections that objtool makes (`tools/objtool/check.c` and `orc_gen.c` of Linux 5.x and 6.x): sorted.
const TABLES: [&[u8]; 10] = [
    b".call_sites",
    b".cfi_sites",
    b".ibt_endbr_seal",
    b".orc_header",
    b".orc_unwind",
    b".orc_unwind_ip",
    b".retpoline_sites",
    b".return_sites",
    b".static_call_sites",
    b"__mcount_loc",
];

/// Checks that `now` is `recorded` but for what objtool does. An error is the first difference that it does not make. Both with
/// their streams.
pub fn check(recorded: &Fingerprints, now: &Fingerprints) -> Result<(), String> {
    super::compare(recorded, now).iter().try_for_each(|finding| {
        let ours = match finding.kind {
            FindingKind::Section | FindingKind::Site | FindingKind::Unowned => {
                finding.change == Change::New && is_table(&finding.symbol)
            }
            FindingKind::Function => finding.change == Change::Changed && function(recorded, now, finding),
            FindingKind::Data | FindingKind::Input => false,
        };
        let said = || format!("{} {} {}", finding.kind.as_str(), finding.symbol, finding.change.as_str());
        if ours { Ok(()) } else { Err(said()) }
    })
}

fn is_table(name: &[u8]) -> bool {
    TABLES.contains(&name)
}

/// Whether a function differs by entries of objtool's tables and by no-operations alone.
fn function(recorded: &Fingerprints, now: &Fingerprints, finding: &Finding) -> bool {
    const MAY_DIFFER: [PartKind; 4] =
        [PartKind::Code, PartKind::References, PartKind::Sites, PartKind::Constants];
    if !finding.parts.iter().all(|part| MAY_DIFFER.contains(part)) {
        return false;
    }
    let (Some(old), Some(new)) = (item(recorded, finding.old.as_ref()), item(now, finding.new.as_ref()))
    else {
        return false;
    };
    let differs = |part| finding.parts.contains(&part);
    old.size == new.size
        && (!differs(PartKind::Sites) || sites((recorded, old), (now, new)))
        && (differs(PartKind::Code) || !(differs(PartKind::References) || differs(PartKind::Constants)))
        && (!differs(PartKind::Code)
            || code(&listing::instructions(recorded, old), &listing::instructions(now, new)))
}

/// The one function that a side of a finding speaks of; `None` where several could be meant.
fn item<'p>(prints: &'p Fingerprints, side: Option<&Place>) -> Option<&'p Item> {
    let side = side?;
    let mut fitting = prints.items.iter().filter(|item| {
        item.kind == Kind::Function
            && item.name == side.symbol
            && item.section == side.section
            && item.size == side.size
    });
    let first = fitting.next();
    if fitting.next().is_some() { None } else { first }
}

/// Whether what is new among a function's sites are entries of objtool's, and nothing is gone.
fn sites((recorded, old): (&Fingerprints, &Item), (now, new): (&Fingerprints, &Item)) -> bool {
    let texts = |prints, item| -> Vec<String> {
        listing::lines(prints, item, PartKind::Sites).into_iter().map(|line| line.text).collect()
    };
    let (old, mut new) = (texts(recorded, old), texts(now, new));
    let all_kept = old.iter().all(|text| {
        let at = new.iter().position(|other| other == text);
        at.map(|at| new.remove(at)).is_some()
    });
    let is_ours = |text: &String| is_table(text.split(':').next().unwrap_or_default().as_bytes());
    all_kept && new.iter().all(is_ours)
}

/// Whether the new instructions are the old ones, some of which became no-operations of the same length. A no-operation may not
/// be listed, where it looks like fill.
fn code(old: &[Line], new: &[Line]) -> bool {
    let offsets = |lines: &[Line]| -> BTreeMap<u64, String> {
        lines.iter().filter_map(|line| Some((line.offset?, line.text.clone()))).collect()
    };
    let numbers = |lines: &[Line]| -> BTreeMap<u32, u64> {
        lines.iter().filter_map(|line| Some((line.index, line.offset?))).collect()
    };
    let (old_at, new_at) = (offsets(old), offsets(new));
    let (old_numbers, new_numbers) = (numbers(old), numbers(new));
    let gone: BTreeSet<u64> = old_at.keys().filter(|at| !new_at.contains_key(*at)).copied().collect();
    // A target that is no longer listed is the next that is.
    let settled = |mut at: u64| {
        while gone.contains(&at) {
            match old_at.range(at + 1..).next() {
                Some((next, _)) => at = *next,
                None => break,
            }
        }
        at
    };
    let came = new_at.iter().any(|(at, text)| !old_at.contains_key(at) && !is_no_operation(text));
    !came
        && old_at.iter().all(|(at, text)| match new_at.get(at) {
            None => is_jump_or_call(text),
            Some(now) => {
                is_jump_or_call(text) && is_no_operation(now)
                    || by_offset(text, &old_numbers, settled) == by_offset(now, &new_numbers, |at| at)
            }
        })
}

/// An instruction's text with places by their offset instead of the instruction's number.
fn by_offset(text: &str, numbers: &BTreeMap<u32, u64>, settled: impl Fn(u64) -> u64) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, piece) in text.split(" #").enumerate() {
        if index == 0 {
            out.push_str(piece);
            continue;
        }
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        let offset = number.parse().ok().and_then(|number: u32| numbers.get(&number));
        out.push_str(
            &offset.map_or_else(|| format!(" #{number}"), |offset| format!(" @{}", settled(*offset))),
        );
        out.push_str(rest);
    }
    out
}

fn is_no_operation(text: &str) -> bool {
    text.starts_with("nop") || text == "xchg %ax, %ax"
}

fn is_jump_or_call(text: &str) -> bool {
    text.starts_with("jmp") || text.starts_with("call") || is_no_operation(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[(u64, &str)]) -> Vec<Line> {
        let line = |(index, (offset, text)): (u32, &(u64, &str))| Line {
            index,
            offset: Some(*offset),
            text: (*text).to_owned(),
        };
        (0..).zip(texts).map(line).collect()
    }

    #[test]
    fn jumps_may_become_no_operations_and_nothing_else_may() {
        let old = lines(&[(0, "test %eax, %eax"), (2, "jmp #3"), (7, "jne #1"), (9, "ret")]);
        let listed = lines(&[(0, "test %eax, %eax"), (2, "nopl (%rax,%rax)"), (7, "jne #1"), (9, "ret")]);
        let unlisted = lines(&[(0, "test %eax, %eax"), (7, "jne #1"), (9, "ret")]);
        assert!(code(&old, &old) && code(&old, &listed) && code(&old, &unlisted));
        for other in [
            lines(&[(0, "test %ebx, %eax"), (2, "jmp #3"), (7, "jne #1"), (9, "ret")]),
            lines(&[(0, "nopw"), (2, "jmp #3"), (7, "jne #1"), (9, "ret")]),
            lines(&[(0, "test %eax, %eax"), (2, "jmp #2"), (7, "jne #1"), (9, "ret")]),
            lines(&[(0, "test %eax, %eax"), (2, "jmp #3"), (7, "jne #1"), (9, "ret"), (10, "ret")]),
            lines(&[(2, "jmp #2"), (7, "jne #0"), (9, "ret")]),
        ] {
            assert!(!code(&old, &other), "{other:?}");
        }
    }

    #[test]
    fn tables_are_sorted() {
        assert!(TABLES.is_sorted() && is_table(b".orc_unwind") && !is_table(b".text"));
    }
}
