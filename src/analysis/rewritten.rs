//! Whether an object is the recorded one, but for what a program of the build rewrote behind the compiler.
//!
//! The kernel's objtool runs in the same make rule as the compile, after lpcc has recorded: the bytes on the disk are not those
//! recorded, and yet nothing is stale. To believe that of whatever has ORC tables would hide an edit that was built without
//! lpcc. So each difference must be one that objtool makes: tables of its own, and instructions that became no-operations in
//! their place. Anything else is a change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

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

/// Whether a function differs by entries of objtool's tables and by no-operations alone. A no-operation may come to look like
/// fill, or keep fill beside it from looking so: then every number of an instruction behind it is another, in all parts. So
/// instructions are told by their offsets.
fn function(recorded: &Fingerprints, now: &Fingerprints, finding: &Finding) -> bool {
    const MAY_DIFFER: [PartKind; 5] =
        [PartKind::Code, PartKind::References, PartKind::Constants, PartKind::Tables, PartKind::Sites];
    if !finding.parts.iter().all(|part| MAY_DIFFER.contains(part)) {
        return false;
    }
    let (Some(old), Some(new)) = (item(recorded, finding.old.as_ref()), item(now, finding.new.as_ref()))
    else {
        return false;
    };
    let bodies = Bodies::new(&listing::instructions(recorded, old), &listing::instructions(now, new));
    old.size == new.size
        && bodies.are_one_code()
        && finding.parts.iter().filter(|part| **part != PartKind::Code).all(|part| {
            let (old, new) = (listing::lines(recorded, old, *part), listing::lines(now, new, *part));
            match part {
                PartKind::References => bodies.are_one_list_of_references(old, new),
                PartKind::Sites => bodies.are_one_list_but_for_tables(&old, &new),
                _ => bodies.old.texts(&old) == bodies.new.texts(&new),
            }
        })
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

/// A function as recorded and as it is now.
struct Bodies {
    old: Body,
    new: Body,
    /// Offsets where a jump or a call became a no-operation.
    stilled: BTreeSet<u64>,
}

impl Bodies {
    fn new(old: &[Line], new: &[Line]) -> Self {
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
    fn are_one_code(&self) -> bool {
        let came =
            self.new.at.iter().any(|(at, text)| !self.old.at.contains_key(at) && !is_no_operation(text));
        !came
            && self.old.at.iter().all(|(at, text)| {
                let same = |now: &String| self.old.text(text) == self.new.text(now);
                self.stilled.contains(at) || self.new.at.get(at).is_some_and(same)
            })
    }

    /// Whether the references are the same but for those of what became a no-operation.
    fn are_one_list_of_references(&self, mut old: Vec<Line>, mut new: Vec<Line>) -> bool {
        for lines in [&mut old, &mut new] {
            lines.retain(|line| line.offset.is_none_or(|at| !self.stilled.contains(&at)));
        }
        self.old.texts(&old) == self.new.texts(&new)
    }

    /// Whether what is new among a function's sites are entries of objtool's, and nothing is gone.
    fn are_one_list_but_for_tables(&self, old: &[Line], new: &[Line]) -> bool {
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

    #[test]
    fn tables_are_sorted() {
        assert!(TABLES.is_sorted() && is_table(b".orc_unwind") && !is_table(b".text"));
    }
}
