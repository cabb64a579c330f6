//! The hint `maybe-line`: a difference that looks like a moved `__LINE__`.
//!
//! A hint, never a claim: `mov $0x7,%edi` that became `mov $0x8,%edi` may be a line number and may be the fix.
//! Only a compile with re-aligned lines proves it. So the rule is narrow: same instructions, same references;
//! what differs are numbers that could be lines, all moved by the same distance, and in code only where a
//! number is handed on, never where it is computed with or compared.

use super::detail::In;
use super::findings::Hint;
use crate::object::{Kind, PartKind, listing};

/// The largest number taken for a line.
const LAST_LINE: i64 = 1_000_000;

/// Whether the two items, which differ in `parts`, look as if only a line number had moved.
pub fn hint(old: In<'_>, new: In<'_>, parts: &[PartKind]) -> Option<Hint> {
    let carries_lines = |part: &PartKind| {
        matches!(part, PartKind::Code | PartKind::Constants | PartKind::Content | PartKind::Sites)
    };
    if parts.is_empty() || !parts.iter().all(carries_lines) {
        return None;
    }
    let mut distance = None;
    for &part in parts {
        let in_code = part == PartKind::Code && new.1.kind == Kind::Function;
        let lines = |side: In<'_>| {
            if in_code { listing::instructions(side.0, side.1) } else { listing::lines(side.0, side.1, part) }
        };
        let (old, new) = (lines(old), lines(new));
        if old.len() != new.len() {
            return None;
        }
        for (old, new) in old.iter().zip(&new).filter(|(old, new)| old.text != new.text) {
            if in_code && !hands_on(&new.text) {
                return None;
            }
            // Code without a name is taken as bytes: what they compute with is not seen.
            if !in_code && new.text.contains(" (code)") {
                return None;
            }
            // A table of numbers is no place for a line; a location is: it points to a file's name as well.
            if part == PartKind::Constants && !new.text.contains("; +") {
                return None;
            }
            let moved =
                if in_code { moved_by(&old.text, &new.text) } else { moved_in_bytes(&old.text, &new.text) };
            let moved = moved?;
            if *distance.get_or_insert(moved) != moved {
                return None;
            }
        }
    }
    // No differing line was seen where the streams are not loaded.
    distance.map(|_| Hint::MaybeLine)
}

/// Whether the instruction passes a number on unchanged.
fn hands_on(instruction: &str) -> bool {
    let mnemonic = instruction.split_whitespace().next().unwrap_or_default();
    mnemonic.starts_with("mov") || mnemonic.starts_with("push")
}

/// The distance between two instructions that are equal but for immediates that could be lines.
fn moved_by(old: &str, new: &str) -> Option<i64> {
    let (old, new) = (words(old), words(new));
    if old.len() != new.len() {
        return None;
    }
    let mut distance = None;
    for (old, new) in old.iter().zip(&new).filter(|(old, new)| old != new) {
        if !(old.starts_with('$') && new.starts_with('$')) {
            return None;
        }
        let moved = number(new)? - number(old)?;
        if distance.replace(moved).is_some_and(|other| other != moved) {
            return None;
        }
    }
    distance
}

/// The distance between two lines of data, shown as hexadecimal bytes, that are equal but for halfwords that
/// could be lines (a line fits one; the upper half of a wider field is zero).
fn moved_in_bytes(old: &str, new: &str) -> Option<i64> {
    let (old, new) = (words(old), words(new));
    if old.len() != new.len() {
        return None;
    }
    let mut distance = None;
    for (old, new) in old.iter().zip(&new).filter(|(old, new)| old != new) {
        let (old, new) = (halfwords(old)?, halfwords(new)?);
        if old.len() != new.len() {
            return None;
        }
        for (old, new) in old.into_iter().zip(new).filter(|(old, new)| old != new) {
            let moved = i64::from(new) - i64::from(old);
            if old == 0 || new == 0 || distance.replace(moved).is_some_and(|other| other != moved) {
                return None;
            }
        }
    }
    distance
}

/// The little-endian halfwords of an even number of bytes in hexadecimal.
fn halfwords(hex: &str) -> Option<Vec<u16>> {
    let digits = hex.as_bytes().chunks(4);
    digits
        .map(|four| {
            u16::from_str_radix(std::str::from_utf8(four).ok().filter(|four| four.len() == 4)?, 16).ok()
        })
        .map(|halfword| halfword.map(u16::swap_bytes))
        .collect()
}

/// Splits into numbers (with their `$`) and what stands between them.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '-';
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = is_word(first);
        let end = rest.find(|c| is_word(c) != kind).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after;
    }
    words
}

fn number(word: &str) -> Option<i64> {
    let digits = word.trim_start_matches('$');
    let value = match digits.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    value.ok().filter(|value| (1..=LAST_LINE).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_immediate_moved() {
        assert_eq!(moved_by("mov $0x7,%edi", "mov $0x9,%edi"), Some(2));
        assert_eq!(moved_by("mov $7, %edi", "mov $0x19, %edi"), Some(18));
        assert_eq!(moved_by("mov $0x7,%edi", "mov $0x7,%esi"), None);
        assert_eq!(moved_by("mov 0x7(%rdi),%eax", "mov 0x9(%rdi),%eax"), None, "a displacement");
        assert_eq!(moved_by("mov $0xffffffff,%edi", "mov $0x1,%edi"), None, "no line");
    }

    #[test]
    fn one_halfword_moved() {
        let bug = |line: &str| format!("__bug_table: 0000000000000000 {line}0009; +0x0: type 2 #5");
        assert_eq!(moved_in_bytes(&bug("0700"), &bug("0900")), Some(2));
        assert_eq!(moved_in_bytes(&bug("ff00"), &bug("0101")), Some(2));
        assert_eq!(moved_in_bytes(&bug("0000"), &bug("0100")), None, "there is no line 0");
        assert_eq!(moved_in_bytes("07000000 08000000", "08000000 0a000000"), None, "two distances");
        assert_eq!(moved_in_bytes("#5 0700", "#6 0700"), None, "a place");
    }

    #[test]
    fn a_compared_number_is_no_line() {
        assert!(hands_on("mov $0x7,%edi"));
        assert!(hands_on("pushq $0x7"));
        assert!(!hands_on("cmp $0x7,%edi"));
        assert!(!hands_on("add $0x7,%edi"));
    }
}
