//! The make rules that gcc and clang write with `-MD` and its like.
//!
//! Only the first rule matters: `-MP` adds a phony rule per header behind it, and a file that several calls
//! append to (`DEPENDENCIES_OUTPUT`, `SUNPRO_DEPENDENCIES`) holds one rule per line of appending.

use bstr::BString;

/// The prerequisites of the first rule in `bytes`, in the order written: the source first. See [`rules`].
pub fn parse(bytes: &[u8]) -> Vec<BString> {
    rules(bytes).into_iter().next().map(|rule| rule.prerequisites).unwrap_or_default()
}

/// One make rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// What is made, before the colon.
    pub targets: Vec<BString>,
    /// What it is made of.
    pub prerequisites: Vec<BString>,
}

/// All rules in `bytes`, in order. Escapes are undone as GCC's `mkdeps.cc` and clang's
/// `DependencyFile.cpp` put them in: `\ ` is a space, `\#` a hash, `$$` a dollar, a backslash before a line
/// end continues the line, and backslashes directly before an escaped space or hash are doubled by GCC.
/// Any other backslash is itself. A line without a colon is not a rule and is left out.
pub fn rules(bytes: &[u8]) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut rule = Rule::default();
    let mut in_targets = true;
    let mut word = BString::default();
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'\\' => {
                let run = 1 + rest.iter().take_while(|&&byte| byte == b'\\').count();
                let behind = rest.get(run - 1..).unwrap_or_default();
                let (before, escaped) = undo_backslashes(run, behind, &mut word);
                rest = behind.get(escaped..).unwrap_or_default();
                if before {
                    flush(&mut word, &mut rule, in_targets);
                }
            }
            b'$' if rest.first() == Some(&b'$') => {
                word.push(b'$');
                rest = rest.get(1..).unwrap_or_default();
            }
            b':' if in_targets && rest.first().is_none_or(u8::is_ascii_whitespace) => {
                flush(&mut word, &mut rule, in_targets);
                in_targets = false;
            }
            // `|` alone starts order-only prerequisites (C++ modules); they are read all the same.
            b'\n' | b'\r' => {
                flush(&mut word, &mut rule, in_targets);
                if !in_targets {
                    rules.push(std::mem::take(&mut rule));
                }
                rule = Rule::default();
                in_targets = true;
            }
            b' ' | b'\t' => flush(&mut word, &mut rule, in_targets),
            other => word.push(other),
        }
    }
    flush(&mut word, &mut rule, in_targets);
    if !in_targets {
        rules.push(rule);
    }
    rules
}

/// What a run of backslashes stands for, given the bytes behind it: pushes the literal part onto `word`, and
/// returns whether a word ends here, and how many of the bytes behind were used up.
fn undo_backslashes(run: usize, behind: &[u8], word: &mut BString) -> (bool, usize) {
    let literal = |count: usize, word: &mut BString| word.extend(std::iter::repeat_n(b'\\', count));
    match behind {
        [b'\n', ..] => {
            literal(run - 1, word);
            (true, 1)
        }
        [b'\r', b'\n', ..] => {
            literal(run - 1, word);
            (true, 2)
        }
        // Before a hash both drivers put one backslash and double none.
        [b'#', ..] => {
            literal(run - 1, word);
            word.push(b'#');
            (false, 1)
        }
        // Before a blank they double what was there and put one: an odd run is half literal. An even run
        // belongs to the end of a name, where GCC doubles too.
        [blank @ (b' ' | b'\t'), ..] if run % 2 == 1 => {
            literal(run / 2, word);
            word.push(*blank);
            (false, 1)
        }
        _ => {
            literal(run, word);
            (false, 0)
        }
    }
}

fn flush(word: &mut BString, rule: &mut Rule, in_targets: bool) {
    if !word.is_empty() {
        let list = if in_targets { &mut rule.targets } else { &mut rule.prerequisites };
        list.push(std::mem::take(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rule_only() {
        for (text, expected) in [
            ("t.o: t.c a.h\n", vec!["t.c", "a.h"]),
            ("t.o: t.c \\\n a.h \\\n  b.h\n\na.h:\n\nb.h:\n", vec!["t.c", "a.h", "b.h"]),
            ("t.o: t.c \\\r\n a.h\r\na.h:\r\n", vec!["t.c", "a.h"]),
            ("t.o u.o: t.c\nx.o: x.c\n", vec!["t.c"]),
            ("t.o: a\\ b.h a\\#b.h a$$b.h", vec!["a b.h", "a#b.h", "a$b.h"]),
            ("t.o: a\\\\\\ b.h c\\d.h", vec!["a\\ b.h", "c\\d.h"]),
            ("t.o: C:/x.h a:b.h", vec!["C:/x.h", "a:b.h"]),
            ("t.o:\n", vec![]),
            ("t.o: t.c\\\n", vec!["t.c"]),
            ("", vec![]),
            ("no rule here\nt.o: t.c\n", vec!["t.c"]),
            ("\\", vec![]),
            ("t.o: $", vec!["$"]),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn appended_rules() {
        let text = b"t.o: t.c a.h\nu.o: u.c\nt.o: t.c\n";
        let rules = rules(text);
        assert_eq!(rules.len(), 3);
        assert_eq!(rules[1], Rule { targets: vec!["u.o".into()], prerequisites: vec!["u.c".into()] });
    }
}
