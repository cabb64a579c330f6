//! Line numbers kept as they were: the patched text with `#line` behind each hunk.
//!
//! A fix that adds a line moves every `__LINE__` below it, and a comparison that does not know better lists every function
//! with an assertion. Guessing which differences are line numbers goes wrong in both directions. So the patched file is
//! compiled a second time with its unchanged lines numbered as before: what still differs, differs; what no longer does was
//! a matter of lines alone, and that is proved.
//!
//! `#line` may stand only where a directive may, and has no effect in a branch that is skipped: so it stands before the first
//! such line behind each hunk, and again behind each directive that ends a branch. Whether all that was legal, the compiler says: a
//! text that it refuses is dropped for the plain one.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::scan::{self, Directive};

/// A range of lines, from 1, end not included: old and new side of one edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Lines of the old text.
    pub old: std::ops::Range<usize>,
    /// Lines of the new text.
    pub new: std::ops::Range<usize>,
}

/// The lines of a text, each with its end.
pub fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// The edits between two texts.
pub fn hunks(old: &[u8], new: &[u8]) -> Vec<Hunk> {
    let ops = capture_diff_slices(Algorithm::Myers, &split(old), &split(new));
    let lines = |range: std::ops::Range<usize>| range.start + 1..range.end + 1;
    ops.iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }))
        .map(|op| Hunk { old: lines(op.old_range()), new: lines(op.new_range()) })
        .collect()
}

/// `new` with the lines that it shares with `old` numbered as in `old`; `None` where they are anyway.
pub fn aligned(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let (old_lines, new_lines) = (split(old), split(new));
    let ops = capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines);
    let (old_scan, new_scan) = (scan::lines(old), scan::lines(new));
    let numbers = numbers(&old_scan);
    let mut out = Vec::with_capacity(new.len() + 64);
    let mut has_moved = false;
    for op in &ops {
        let DiffOp::Equal { old_index, new_index, len } = *op else {
            new_lines.get(op.new_range()).into_iter().flatten().for_each(|line| out.extend_from_slice(line));
            continue;
        };
        let moved = old_index != new_index;
        let mut due = moved;
        for step in 0..len {
            let Some(line) = new_lines.get(new_index + step) else { break };
            let scanned = new_scan.get(new_index + step);
            if due && scanned.is_some_and(|line| line.open) {
                let number = numbers.get(old_index + step).copied().unwrap_or(1);
                out.extend_from_slice(format!("#line {number}\n").as_bytes());
                (due, has_moved) = (false, true);
            }
            due |= moved
                && scanned.is_some_and(|line| matches!(line.directive, Directive::Else | Directive::Endif));
            out.extend_from_slice(line);
        }
    }
    has_moved.then_some(out)
}

/// The number that the compiler gives each line: the text may have `#line` of its own.
pub fn numbers(lines: &[scan::Line]) -> Vec<u64> {
    let mut next = 1;
    lines
        .iter()
        .map(|line| {
            let number = next;
            next = if let Directive::Line(given) = line.directive { given } else { number + 1 };
            number
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(old: &str, new: &str) -> Option<String> {
        aligned(old.as_bytes(), new.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn lines_behind_an_edit_keep_their_numbers() {
        assert_eq!(text("a\nb\nc\n", "a\nnew\nb\nc\n").unwrap(), "a\nnew\n#line 2\nb\nc\n");
        assert_eq!(text("a\nb\nc\n", "a\nc\n").unwrap(), "a\n#line 3\nc\n");
        assert_eq!(text("a\nb\nc\n", "a\nB\nc\n"), None);
        assert_eq!(text("a\nb\n", "a\nb\nc\n"), None);
    }

    #[test]
    fn only_where_a_directive_may_stand() {
        let old = "x\n/* a\nb */\ny\n";
        assert_eq!(text(old, "x\n/* new\na\nb */\ny\n").unwrap(), "x\n/* new\na\nb */\n#line 4\ny\n");
        let old = "x\n#define M \\\n 1\ny\n";
        assert_eq!(
            text(old, "x\n#define M \\\n 2 + \\\n 1\ny\n").unwrap(),
            "x\n#define M \\\n 2 + \\\n 1\n#line 4\ny\n"
        );
    }

    #[test]
    fn again_behind_each_branch() {
        let old = "x\n#if 0\na\n#else\nb\n#endif\nc\n";
        let new = "x\n#if 0\nnew\na\n#else\nb\n#endif\nc\n";
        assert_eq!(
            text(old, new).unwrap(),
            "x\n#if 0\nnew\n#line 3\na\n#else\n#line 5\nb\n#endif\n#line 7\nc\n"
        );
    }

    #[test]
    fn numbers_that_the_text_gives_itself() {
        assert_eq!(
            text("#line 100\na\nb\n", "#line 100\nnew\na\nb\n").unwrap(),
            "#line 100\nnew\n#line 100\na\nb\n"
        );
    }

    #[test]
    fn where_the_edits_are() {
        let found = hunks(b"a\nb\nc\n", b"a\nB\nB\nc\n");
        assert_eq!(found, [Hunk { old: 2..3, new: 2..4 }]);
    }
}
