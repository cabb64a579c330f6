//! A function's instructions told by their offsets, so that a no-operation in place of a jump moves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::is_table;
use crate::object::listing::Line;

/// The instructions of a function, by offset.
#[derive(Default)]
struct Body {
    at: BTreeMap<u64, String>,
    offsets: BTreeMap<u32, u64>,
}

impl Body {
    fn new(lines: &[Line]) -> Self {
        let placed = || lines.iter().filter_map(|line| Some((line, line.offset?)));
        Self {
            at: placed().map(|(line, offset)| (offset, line.text.clone())).collect(),
            offsets: placed().map(|(line, offset)| (line.index, offset)).collect(),
        }
    }

    /// A text with the offsets of instructions instead of their numbers.
    fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for (index, piece) in text.split('#').enumerate() {
            if index == 0 {
                out.push_str(piece);
                continue;
            }
            // Numbers of strings, constants and tables, of symbols of one name and of another function's instructions stay.
            let is_own = (out.is_empty() || out.ends_with(' '))
                && !["string ", "constant ", "table "].iter().any(|word| out.ends_with(word));
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at(digits);
            match number.parse().ok().and_then(|number: u32| self.offsets.get(&number)) {
                Some(offset) if is_own => drop(write!(out, "@{offset}{rest}")),
                _ => drop(write!(out, "#{piece}")),
            }
        }
        out
    }

    fn texts(&self, lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| self.text(&line.text)).collect()
    }
}

/// A function as the compiler left it (old) and as objtool did (new).
pub(super) struct Bodies {
    old: Body,
    new: Body,
    /// Offsets where a jump or a call became a no-operation.
    stilled: BTreeSet<u64>,
}

impl Bodies {
    pub(super) fn new(old: &[Line], new: &[Line]) -> Self {
        let (mut old, mut new) = (Body::new(old), Body::new(new));
        // What leads to an instruction that one side does not list leads to the next that both do.
        let common: BTreeSet<u64> = old.at.keys().filter(|at| new.at.contains_key(at)).copied().collect();
        for body in [&mut old, &mut new] {
            for offset in body.offsets.values_mut() {
                *offset = common.range(*offset..).next().copied().unwrap_or(*offset);
            }
        }
        let is_stilled = |(at, text): (&u64, &String)| {
            is_jump_or_call(text) && new.at.get(at).is_none_or(|now| is_no_operation(now))
        };
        let stilled = old.at.iter().filter(|entry| is_stilled(*entry)).map(|(at, _)| *at).collect();
        Self { old, new, stilled }
    }

    /// Whether the new instructions are the old ones, some of which became no-operations of the same length. A no-operation need
    /// not be listed on both sides.
    pub(super) fn are_one_code(&self) -> bool {
        let came =
            self.new.at.iter().any(|(at, text)| !self.old.at.contains_key(at) && !is_no_operation(text));
        !came
            && self.old.at.iter().all(|(at, text)| {
                let same = |now: &String| self.old.text(text) == self.new.text(now);
                self.stilled.contains(at) || self.new.at.get(at).is_some_and(same)
            })
    }

    /// Whether the references are the same but for those of what became a no-operation.
    pub(super) fn are_one_list_of_references(&self, mut old: Vec<Line>, mut new: Vec<Line>) -> bool {
        for lines in [&mut old, &mut new] {
            lines.retain(|line| line.offset.is_none_or(|at| !self.stilled.contains(&at)));
        }
        self.have_one_text(&old, &new)
    }

    /// Whether both lists say the same.
    pub(super) fn have_one_text(&self, old: &[Line], new: &[Line]) -> bool {
        self.old.texts(old) == self.new.texts(new)
    }

    /// Whether what is new among a function's sites are entries of objtool's, and nothing is gone.
    pub(super) fn are_one_list_but_for_tables(&self, old: &[Line], new: &[Line]) -> bool {
        let mut new = self.new.texts(new);
        let all_kept = self.old.texts(old).iter().all(|text| {
            let at = new.iter().position(|other| other == text);
            at.map(|at| new.remove(at)).is_some()
        });
        let is_ours = |text: &String| is_table(text.split(':').next().unwrap_or_default().as_bytes());
        all_kept && new.iter().all(is_ours)
    }
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

    fn same(old: &[Line], new: &[Line]) -> bool {
        Bodies::new(old, new).are_one_code()
    }

    #[test]
    fn jumps_may_become_no_operations_and_nothing_else_may() {
        let old = lines(&[(0, "test %eax, %eax"), (2, "jmp #3"), (7, "jne #1"), (9, "ret")]);
        let listed = lines(&[(0, "test %eax, %eax"), (2, "nopl (%rax,%rax)"), (7, "jne #1"), (9, "ret")]);
        let unlisted = lines(&[(0, "test %eax, %eax"), (7, "jne #1"), (9, "ret")]);
        assert!(same(&old, &old) && same(&old, &listed) && same(&old, &unlisted));
        for other in [
            lines(&[(0, "test %ebx, %eax"), (2, "jmp #3"), (7, "jne #1"), (9, "ret")]),
            lines(&[(0, "nopw"), (2, "jmp #3"), (7, "jne #1"), (9, "ret")]),
            lines(&[(0, "test %eax, %eax"), (2, "jmp #2"), (7, "jne #1"), (9, "ret")]),
            lines(&[(0, "test %eax, %eax"), (2, "jmp #3"), (7, "jne #1"), (9, "ret"), (10, "ret")]),
            lines(&[(2, "jmp #2"), (7, "jne #0"), (9, "ret")]),
        ] {
            assert!(!same(&old, &other), "{other:?}");
        }
    }

    #[test]
    fn what_names_instructions_by_number_is_compared_by_their_offsets() {
        let old = lines(&[(0, "jmp #3"), (5, "jmp #3"), (8, "jne #2"), (10, "ret")]);
        let new = lines(&[(0, "nopl (%rax,%rax)"), (8, "jne #1"), (10, "ret")]);
        let bodies = Bodies::new(&old, &new);
        assert!(bodies.are_one_code());
        let texts = |texts: &[&str]| -> Vec<Line> {
            let line = |text: &&str| Line { index: 0, offset: None, text: (*text).to_owned() };
            texts.iter().map(line).collect()
        };
        let before = texts(&["__jump_table: +0x0: type 2 #1; +0x4: type 2 #3; +0x8: type 24 key.#1+0x2"]);
        let after = texts(&[
            ".orc_unwind: 0500; +0x0: type 2 #2",
            "__jump_table: +0x0: type 2 #1; +0x4: type 2 #2; +0x8: type 24 key.#1+0x2",
        ]);
        assert!(bodies.are_one_list_but_for_tables(&before, &after));
        assert!(!bodies.are_one_list_but_for_tables(&after, &before), "an entry of ours is gone");
        let elsewhere = texts(&["__jump_table: +0x0: type 2 #1; +0x4: type 2 #1; +0x8: type 24 key.#1+0x2"]);
        assert!(!bodies.are_one_list_but_for_tables(&before, &elsewhere));
        // Numbers of other things are what they say.
        for kind in ["constant ", "string ", "table ", "-> cold"] {
            let named = |number| texts(&[&format!(".altinstructions: {kind}#{number}")]);
            assert!(!bodies.are_one_list_but_for_tables(&named(3), &named(2)), "{kind}");
        }
    }

    #[test]
    fn references_of_stilled_calls_may_go_and_no_others() {
        let old = lines(&[(0, "call -> hook"), (5, "call -> work"), (10, "ret")]);
        let new = lines(&[(0, "nopl (%rax,%rax)"), (5, "call -> work"), (10, "ret")]);
        let bodies = Bodies::new(&old, &new);
        let hook = Line { index: 0, offset: Some(0), text: "#0+1 type 4 hook-0x4".into() };
        let work = Line { index: 1, offset: Some(5), text: "#1+1 type 4 work-0x4".into() };
        assert!(bodies.are_one_list_of_references(vec![hook.clone(), work.clone()], vec![work]));
        assert!(
            !bodies.are_one_list_of_references(vec![hook.clone()], vec![Line { offset: Some(5), ..hook }])
        );
    }
}
