//! What a patch file names. How it is applied is the business of the program `patch`, the field's standard, whose
//! fuzz and offsets everybody knows; but which files it is about must be known before, to lay out copies of them.
//!
//! The headers are read by hunk: a removed line that begins with `-- ` looks like a header and is none.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use bstr::{BString, ByteSlice};

/// The files that one patch names, as it names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Names that must exist before (old names), in order.
    pub old: Vec<BString>,
    /// All names, old and new.
    pub all: Vec<BString>,
}

/// Reads the headers of a git or plain unified diff.
pub fn named(patch: &[u8]) -> Named {
    let mut named = Named::default();
    let (mut removed, mut added) = (0_u64, 0_u64);
    let mut creates = false;
    for line in patch.lines() {
        if removed > 0 || added > 0 {
            match line.first() {
                Some(b'-') => removed = removed.saturating_sub(1),
                Some(b'+') => added = added.saturating_sub(1),
                Some(b'\\') => {}
                // An empty line is a context line whose blank an editor took away.
                _ => (removed, added) = (removed.saturating_sub(1), added.saturating_sub(1)),
            }
            continue;
        }
        if let Some(lengths) = hunk(line) {
            (removed, added) = lengths;
        } else if line.starts_with(b"diff --git ") {
            creates = false;
        } else if line.starts_with(b"new file mode ") {
            creates = true;
        } else if let Some(name) = line.strip_prefix(b"--- ") {
            named.add(file_name(name), !creates);
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            named.add(file_name(name), false);
        } else {
            // A rename without a change has no `---`, and no `a/` before its names.
            let prefixed =
                |prefix: &str, name: &[u8]| Some(bstr::concat([prefix.as_bytes(), &file_name(name)?]).into());
            for (word, prefix, is_old) in [
                ("rename from ", "a/", true),
                ("copy from ", "a/", true),
                ("rename to ", "b/", false),
                ("copy to ", "b/", false),
            ] {
                if let Some(name) = line.strip_prefix(word.as_bytes()) {
                    named.add(prefixed(prefix, name), is_old);
                }
            }
        }
    }
    named
}

impl Named {
    fn add(&mut self, name: Option<BString>, is_old: bool) {
        let Some(name) = name else { return };
        if is_old && !self.old.contains(&name) {
            self.old.push(name.clone());
        }
        if !self.all.contains(&name) {
            self.all.push(name);
        }
    }

    /// How many leading components to strip so that the old names are files of `tree`: the number under which most
    /// of them are, `None` where none is under any. A patch that only adds files is judged by their directories.
    pub fn strip_for(&self, exists: &dyn Fn(&Path) -> bool) -> Option<usize> {
        let names = if self.old.is_empty() { &self.all } else { &self.old };
        let deepest = names.iter().map(|name| name.split_str("/").count()).max()?;
        let found = |strip: usize| {
            let there = |name: &BString| {
                let path = stripped(name, strip)?;
                let path = if self.old.is_empty() { path.parent()?.to_path_buf() } else { path };
                exists(&path).then_some(())
            };
            names.iter().filter_map(there).count()
        };
        // `-p1` is what git and quilt write: of equals it goes first.
        let order = [1, 0].into_iter().chain(2..deepest);
        let (count, strip) = order.map(|strip| (found(strip), strip)).rev_max()?;
        (count > 0).then_some(strip)
    }

    /// All names with `strip` components taken off.
    pub fn stripped(&self, strip: usize) -> BTreeSet<PathBuf> {
        self.all.iter().filter_map(|name| stripped(name, strip)).collect()
    }
}

/// The first of the greatest by count.
trait RevMax {
    fn rev_max(self) -> Option<(usize, usize)>;
}

impl<I: Iterator<Item = (usize, usize)>> RevMax for I {
    fn rev_max(self) -> Option<(usize, usize)> {
        self.fold(None, |best: Option<(usize, usize)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
    }
}

/// A relative path without `..`, as `patch -pSTRIP` would see it.
fn stripped(name: &BString, strip: usize) -> Option<PathBuf> {
    let components: Vec<_> = name.split_str("/").filter(|component| !component.is_empty()).collect();
    let rest = components.get(strip..).filter(|rest| !rest.is_empty())?;
    let path = PathBuf::from(OsStr::from_bytes(&bstr::join("/", rest)));
    let plain = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    path.components().all(plain).then_some(path)
}

/// Lengths of the old and the new side of a hunk, from `@@ -1,3 +1,4 @@`.
fn hunk(line: &[u8]) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix(b"@@ ")?.split_str(" ");
    let mut length = |sign: &str| -> Option<u64> {
        let range = words.next()?.strip_prefix(sign.as_bytes())?;
        let mut numbers = range.split_str(",");
        numbers.next()?;
        numbers.next().map_or(Some(1), |number| number.to_str().ok()?.parse().ok())
    };
    Some((length("-")?, length("+")?))
}

/// The name behind `---` or `+++`, without a time stamp and quotes; `None` for `/dev/null`.
fn file_name(text: &[u8]) -> Option<BString> {
    let text = text.trim_end_with(|c| c == '\r');
    let name = if text.starts_with(b"\"") {
        unquoted(text)?
    } else {
        let plain = text.split_str("\t").next().unwrap_or_default();
        plain.trim_ascii_end().into()
    };
    (!name.is_empty() && name != "/dev/null").then_some(name)
}

/// A name that git quoted as C does: octal, and a few letters.
fn unquoted(text: &[u8]) -> Option<BString> {
    let mut out = BString::default();
    let mut bytes = text.get(1..)?.iter().copied();
    loop {
        match bytes.next()? {
            b'"' => return Some(out),
            b'\\' => match bytes.next()? {
                b't' => out.push(b'\t'),
                b'n' => out.push(b'\n'),
                digit @ b'0'..=b'3' => {
                    let rest = [bytes.next()?, bytes.next()?];
                    let value = [digit, rest[0], rest[1]]
                        .iter()
                        .fold(0_u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit.wrapping_sub(b'0')));
                    out.push(value);
                }
                other => out.push(other),
            },
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patch: &str) -> (Vec<String>, Vec<String>) {
        let named = named(patch.as_bytes());
        let text = |names: &[BString]| names.iter().map(ToString::to_string).collect();
        (text(&named.old), text(&named.all))
    }

    #[test]
    fn headers_are_told_from_hunks() {
        let patch = "Subject: x\n--- a/lib/x.c\t2020-01-01\n+++ b/lib/x.c\n@@ -1,2 +1 @@\n--- gone\n-x\n+++ b\n\
                     --- a/y.c\n+++ b/y.c\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n";
        let (old, all) = names(patch);
        assert_eq!(old, ["a/lib/x.c", "a/y.c"]);
        assert_eq!(all, ["a/lib/x.c", "b/lib/x.c", "a/y.c", "b/y.c"]);
    }

    #[test]
    fn new_deleted_renamed_and_quoted_files() {
        let patch = "diff --git a/n.c b/n.c\nnew file mode 100644\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1 @@\n+x\n\
                     diff --git a/d.c b/d.c\ndeleted file mode 100644\n--- a/d.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
                     diff --git a/o.c b/p.c\nrename from o.c\nrename to p.c\n\
                     --- \"a/\\303\\244 x.c\"\n+++ \"b/\\303\\244 x.c\"\n";
        let (old, all) = names(patch);
        assert_eq!(old, ["a/d.c", "a/o.c", "a/ä x.c"]);
        assert_eq!(all, ["b/n.c", "a/d.c", "a/o.c", "b/p.c", "a/ä x.c", "b/ä x.c"]);
    }

    #[test]
    fn the_level_is_the_one_that_finds_the_files() {
        let level = |patch: &str, there: &'static [&str]| {
            named(patch.as_bytes()).strip_for(&|path| there.iter().any(|known| Path::new(known) == path))
        };
        let git = "--- a/lib/x.c\n+++ b/lib/x.c\n";
        assert_eq!(level(git, &["lib/x.c"]), Some(1));
        assert_eq!(level(git, &["x.c"]), Some(2));
        assert_eq!(level("--- lib/x.c\n+++ lib/x.c\n", &["lib/x.c"]), Some(0));
        assert_eq!(level("--- zlib-1.0/lib/x.c.orig\n+++ zlib-1.0/lib/x.c\n", &["other.c"]), None);
        assert_eq!(level("--- /dev/null\n+++ b/lib/n.c\n@@ -0,0 +1 @@\n+x\n", &["lib"]), Some(1));
        assert_eq!(level("--- a/../../etc/passwd\n+++ b/../../etc/passwd\n", &["../../etc/passwd"]), None);
    }
}
