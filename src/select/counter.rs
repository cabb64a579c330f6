//! `__COUNTER__` kept as it was: a fix that uses it once more moves every later value.
//!
//! Such values name things (`__UNIQUE_ID_x12`) and stand in code, so that functions far from the fix differ by a number, as with
//! lines. No directive sets the counter back. But one more use sets it on: so the side that used it less often behind a hunk
//! is compiled with as many idle uses there, and what no longer differs then was a matter of the counter, and that is proved.
//! How many uses, the preprocessor says: a line behind each hunk, the same on both sides, shows the counter's value.

use std::collections::BTreeMap;
use std::fmt::Write;

use bstr::ByteSlice;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::lines::{numbers, split};
use super::scan::{self, Directive};

/// Idle uses that can be asked for at one place.
const MOST: i64 = 8;
/// What the shown values stand behind, before the number of the place.
const SHOWN: &str = "lpcc_counter_";
/// Defined, it makes each place show the counter.
pub const SHOW: &str = "-DLPCC_SHOW_COUNTER";

/// The two texts with a place behind each hunk, and lines numbered as in `old`. `next` is the number of the next place.
pub fn places(old: &[u8], new: &[u8], next: &mut usize) -> (Vec<u8>, Vec<u8>) {
    let (old_lines, new_lines) = (split(old), split(new));
    let (old_scan, new_scan) = (scan::lines(old), scan::lines(new));
    let numbers = numbers(&old_scan);
    let (mut was, mut is) = (Vec::new(), Vec::new());
    let mut is_behind = false;
    for op in &capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines) {
        let DiffOp::Equal { old_index, new_index, len } = *op else {
            old_lines.get(op.old_range()).into_iter().flatten().for_each(|line| was.extend_from_slice(line));
            new_lines.get(op.new_range()).into_iter().flatten().for_each(|line| is.extend_from_slice(line));
            is_behind = true;
            continue;
        };
        let (mut wants_place, mut wants_line) = (is_behind, false);
        for step in 0..len {
            let scanned = (old_scan.get(old_index + step), new_scan.get(new_index + step));
            let is_open = matches!(scanned, (Some(old), Some(new)) if old.open && new.open);
            if is_open && wants_place {
                for (text, side) in [(&mut was, "OLD"), (&mut is, "NEW")] {
                    text.extend_from_slice(place(*next, side).as_bytes());
                }
                *next += 1;
                wants_place = false;
                wants_line = true;
            }
            if is_open && wants_line {
                let line = format!("#line {}\n", numbers.get(old_index + step).copied().unwrap_or(1));
                was.extend_from_slice(line.as_bytes());
                is.extend_from_slice(line.as_bytes());
                wants_line = false;
            }
            // A place in a branch that is skipped counts no lines.
            let ends_branch =
                scanned.1.is_some_and(|line| matches!(line.directive, Directive::Else | Directive::Endif));
            wants_line |= is_behind && ends_branch;
            was.extend_from_slice(old_lines.get(old_index + step).copied().unwrap_or_default());
            is.extend_from_slice(new_lines.get(new_index + step).copied().unwrap_or_default());
        }
    }
    (was, is)
}

/// A place: shows the counter, or uses it as often as is asked for.
fn place(number: usize, side: &str) -> String {
    let mut text = format!("#ifdef LPCC_SHOW_COUNTER\n{SHOWN}{number} __COUNTER__\n#endif\n");
    for use_ in 1..=MOST {
        let condition = format!("LPCC_{side}_{number}_{use_}");
        let _ = write!(text, "#ifdef {condition}\n#if __COUNTER__ >= 0\n#endif\n#endif\n");
    }
    text
}

/// The options that set the counter of the two sides alike, from what both show; `None` where they do not show the same
/// places, or differ by too much. Empty where nothing is to be done.
pub fn options(old: &[u8], new: &[u8]) -> Option<Vec<String>> {
    let (old, new) = (shown(old), shown(new));
    if old.len() != new.len() {
        return None;
    }
    let mut before = 0;
    let mut uses: BTreeMap<usize, i64> = BTreeMap::new();
    for ((place, was), (same, is)) in old.into_iter().zip(new) {
        let ahead = is - was;
        let more = ahead - before;
        before = ahead;
        if place != same || more.abs() > MOST || uses.insert(place, more).is_some_and(|other| other != more) {
            return None;
        }
    }
    let of_place = |(place, more): (usize, i64)| {
        let side = if more > 0 { "OLD" } else { "NEW" };
        (1..=more.abs()).map(move |use_| format!("-DLPCC_{side}_{place}_{use_}"))
    };
    Some(uses.into_iter().flat_map(of_place).collect())
}

/// Places and the counter's value there, in the order of the preprocessed text.
fn shown(text: &[u8]) -> Vec<(usize, i64)> {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let Some(place) = word.strip_prefix(SHOWN.as_bytes()) else { continue };
        let number = |word: &[u8]| word.to_str().ok()?.parse::<i64>().ok();
        let place = number(place).and_then(|place| usize::try_from(place).ok());
        found.extend(place.zip(words.next().and_then(number)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_behind_each_hunk() {
        let mut next = 4;
        let (was, is) = places(b"a\nb\nc\n", b"a\nnew\nb\nc\n", &mut next);
        let (was, is) = (String::from_utf8(was).unwrap(), String::from_utf8(is).unwrap());
        assert!(was.starts_with(
            "a\n#ifdef LPCC_SHOW_COUNTER\nlpcc_counter_4 __COUNTER__\n#endif\n#ifdef LPCC_OLD_4_1\n"
        ));
        assert!(was.ends_with("#endif\n#line 2\nb\nc\n"), "{was}");
        assert!(is.starts_with("a\nnew\n#ifdef LPCC_SHOW") && is.ends_with("#line 2\nb\nc\n"), "{is}");
        assert_eq!(next, 5);
    }

    #[test]
    fn the_side_that_lags_is_set_on() {
        let of = |old: &str, new: &str| options(old.as_bytes(), new.as_bytes());
        let old = "int a;\nlpcc_counter_0 3\nlpcc_counter_1 9\n";
        assert_eq!(of(old, old).unwrap(), Vec::<String>::new());
        let new = "lpcc_counter_0 5 lpcc_counter_1 10";
        assert_eq!(of(old, new).unwrap(), ["-DLPCC_OLD_0_1", "-DLPCC_OLD_0_2", "-DLPCC_NEW_1_1"]);
        assert_eq!(of(old, "lpcc_counter_0 3"), None);
        assert_eq!(of(old, "lpcc_counter_0 99 lpcc_counter_1 99"), None);
    }
}
