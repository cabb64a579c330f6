//! Which functions of the source a patch touches.
//!
//! Debug information tells where each function begins, the text where it ends, and the hunks which lines are another's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bstr::BString;

use super::apply::Edited;
use super::lines::{self, Hunk};
use super::replay::path;
use super::scan;
use crate::object::debug::{Debug, Written};
use crate::store::absolute;

/// An edited file of the tree, and where it was when the build was recorded.
#[derive(Debug, Clone)]
pub struct File<'a> {
    /// Contents before and after.
    pub edited: &'a Edited,
    /// Its absolute path in the recorded build.
    pub recorded: PathBuf,
    /// The edits.
    pub hunks: Vec<Hunk>,
}

impl<'a> File<'a> {
    /// The edits of a file of the tree that was recorded as `tree`.
    pub fn new(edited: &'a Edited, tree: &Path) -> Self {
        let empty = Vec::new();
        let hunks =
            lines::hunks(edited.old.as_ref().unwrap_or(&empty), edited.new.as_ref().unwrap_or(&empty));
        Self { edited, recorded: absolute(tree, &edited.path), hunks }
    }
}

/// Lines above a function's name that its type may take.
const MOST_TYPE: usize = 3;

/// A side of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Old,
    New,
}

/// The functions that the patch touches, by source name (mangled in C++), and where.
pub fn functions(files: &[File<'_>], old: &Debug, new: &Debug) -> BTreeMap<BString, String> {
    let mut found = BTreeMap::new();
    for file in files {
        for (which, debug, text) in [(Which::New, new, &file.edited.new), (Which::Old, old, &file.edited.old)]
        {
            let Some(text) = text else { continue };
            let of_file = debug.written.iter();
            let of_file = of_file.filter(|it| absolute(Path::new("/"), path(&it.file)) == file.recorded);
            let mut written: Vec<&Written> = of_file.collect();
            written.sort_by_key(|written| written.line);
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            for hunk in &file.hunks {
                // What was only taken out, or put in, leaves no lines on one side, but a place.
                let touched = if which == Which::Old { &hunk.old } else { &hunk.new };
                for written in near(&written, touched) {
                    let is_in = range(text, &lines, written)
                        .is_some_and(|range| touched.start < range.end && range.start < touched.end);
                    if is_in {
                        found
                            .entry(written.name.clone())
                            .or_insert_with(|| format!("{}:{}", file.edited.path.display(), hunk.new.start));
                    }
                }
            }
        }
    }
    found
}

/// The functions that may reach into these lines: those that begin there or just below, and the last ones above.
fn near<'w>(written: &[&'w Written], lines: &std::ops::Range<usize>) -> Vec<&'w Written> {
    const ABOVE: usize = 4;
    let first = written.partition_point(|it| it.line <= lines.start as u64).saturating_sub(ABOVE);
    let end = written.partition_point(|it| it.line <= (lines.end + MOST_TYPE) as u64);
    written.get(first..end).unwrap_or_default().to_vec()
}

/// The lines of a function, from 1, end not included: from its return type to its closing brace.
fn range(text: &[u8], lines: &[&[u8]], written: &Written) -> Option<std::ops::Range<usize>> {
    let first = usize::try_from(written.line).ok()?;
    let end = scan::end_of_function(text, first)?;
    Some(with_type(lines, first)..end + 1)
}

/// The first line of the declaration whose name stands on line `first`: a type may stand on lines of its own above.
fn with_type(lines: &[&[u8]], first: usize) -> usize {
    let mut start = first;
    for _ in 0..MOST_TYPE {
        let Some(above) = start.checked_sub(2).and_then(|index| lines.get(index)) else { break };
        let above = above.trim_ascii();
        let ends_something = above.ends_with(b";")
            || above.ends_with(b"}")
            || above.ends_with(b"*/")
            || above.ends_with(b"\\");
        if above.is_empty() || ends_something || above.starts_with(b"#") || above.starts_with(b"//") {
            break;
        }
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunk_belongs_to_the_function_that_it_lies_in() {
        let old = b"int a(void)\n{\n  return 1;\n}\n\nstatic int\nb(void)\n{\n  return 2;\n}\n".to_vec();
        let new =
            b"int a(void)\n{\n  return 1;\n}\n\nstatic int\nb(void)\n{\n  x();\n  return 2;\n}\n".to_vec();
        let edited = Edited { path: "l/x.c".into(), shipped: None, old: Some(old), new: Some(new) };
        let file = File::new(&edited, Path::new("/t"));
        let written = |name: &str, line| Written { file: "/t/l/../l/x.c".into(), line, name: name.into() };
        let debug = Debug { written: vec![written("a", 1), written("b", 7)], ..Debug::default() };
        let found = functions(&[file], &debug, &debug);
        assert_eq!(found, BTreeMap::from([("b".into(), "l/x.c:9".to_owned())]));
    }
}
