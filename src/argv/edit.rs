//! Changing a command line: words are deleted or inserted, never reordered. What is left of a word of which only a part
//! goes (a marker among others behind `-Wp,`) stands in its place.
//!
//! A response file stays `@file` unless a deleted word comes from it; then its words stand in its place.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::ops::Range;

use super::CommandLine;
use super::Kind;
use super::command_line::Origin;
use super::command_line::Value;
use super::options::Class;

/// An edit in the making. Without a call to its methods, [`Edit::finish`] gives the arguments as given.
#[derive(Debug, Clone)]
pub struct Edit<'a> {
    line: &'a CommandLine,
    /// Indices of deleted words, sorted, each once.
    deleted: Vec<usize>,
    /// What stands in the place of deleted words.
    instead: Vec<(usize, OsString)>,
    first: Vec<OsString>,
    last: Vec<OsString>,
}

impl CommandLine {
    /// Starts an edit.
    pub fn edit(&self) -> Edit<'_> {
        Edit { line: self, deleted: Vec::new(), instead: Vec::new(), first: Vec::new(), last: Vec::new() }
    }
}

impl Edit<'_> {
    /// Takes out every marker.
    #[must_use]
    pub fn without_markers(mut self) -> Self {
        for marker in self.line.markers() {
            let word = marker.words.start;
            self = self.without_words(marker.words);
            self.instead.extend(marker.rest.map(|rest| (word, rest)));
        }
        self
    }

    /// Takes out every `-flive-patching` option.
    #[must_use]
    pub fn without_live_patching(mut self) -> Self {
        for word in self.line.live_patching_words() {
            self = self.without_words(word..word + 1);
        }
        self
    }

    /// Takes out these words.
    #[must_use]
    pub fn without_words(mut self, words: Range<usize>) -> Self {
        self.instead.retain(|(at, _)| !words.contains(at));
        self.deleted.extend(words.start..words.end.min(self.line.word_count()));
        self.deleted.sort_unstable();
        self.deleted.dedup();
        self
    }

    /// Puts an option (its words in order) before everything else. Always safe: nothing that stands there
    /// can take it for its argument. A later option of the same kind overrides it.
    #[must_use]
    pub fn with_inserted<I: IntoIterator<Item = OsString>>(mut self, words: I) -> Self {
        self.first.extend(words);
        self
    }

    /// Puts an option behind everything else, so that it overrides; before clang's `--`. Where the last word
    /// may be an option that still waits for its argument, it goes before everything else instead.
    #[must_use]
    pub fn with_appended<I: IntoIterator<Item = OsString>>(mut self, words: I) -> Self {
        self.last.extend(words);
        self
    }

    /// The arguments after the edit, without the program name.
    pub fn finish(self) -> Vec<OsString> {
        let place = self.place_of_last();
        let mut out = Vec::with_capacity(self.line.given.len() + self.first.len() + self.last.len());
        out.extend(self.first.iter().cloned());
        if place.is_none() {
            out.extend(self.last.iter().cloned());
        }
        let mut files =
            self.line.files.iter().enumerate().filter(|(_, file)| file.parent.is_none()).peekable();
        let mut word = 0;
        for (index, argument) in self.line.given.iter().enumerate() {
            if place == Some(index) {
                out.extend(self.last.iter().cloned());
            }
            if let Some((file, entry)) = files.next_if(|(_, file)| file.argument == index) {
                self.render_file(file, &entry.words, &entry.word, &mut out);
                word = entry.words.end;
            } else {
                out.extend(self.kept(word, argument));
                word += 1;
            }
        }
        if place == Some(self.line.given.len()) {
            out.extend(self.last.iter().cloned());
        }
        out
    }

    /// Before which argument the appended words go: before clang's `--` where the call itself has it, else
    /// behind all. `None` where the last option may still wait for a word, and where a response file has
    /// the `--`.
    fn place_of_last(&self) -> Option<usize> {
        let end = self.line.arguments().iter().find(
            |argument| matches!(argument.kind, Kind::Option { row, .. } if row.class == Class::EndOfOptions),
        );
        if let Some(end) = end {
            return match self.line.origin(end.word) {
                Some(Origin::Given(index)) => Some(index),
                _ => None,
            };
        }
        match self.line.arguments().last().map(|argument| argument.kind) {
            Some(Kind::Unknown | Kind::Option { value: Value::Missing, .. }) => None,
            _ => Some(self.line.given.len()),
        }
    }

    /// Writes a response file: as it was named where no deletion touches it, else its words, and files
    /// within it likewise.
    fn render_file(&self, file: usize, words: &Range<usize>, name: &OsStr, out: &mut Vec<OsString>) {
        let first = self.deleted.partition_point(|&word| word < words.start);
        if self.deleted.get(first).is_none_or(|&word| word >= words.end) {
            out.push(name.to_os_string());
            return;
        }
        let mut next = words.start;
        for (index, inner) in
            self.line.files.iter().enumerate().filter(|(_, inner)| inner.parent == Some(file))
        {
            self.render_words(next..inner.words.start, out);
            self.render_file(index, &inner.words, &inner.word, out);
            next = inner.words.end;
        }
        self.render_words(next..words.end, out);
    }

    fn render_words(&self, range: Range<usize>, out: &mut Vec<OsString>) {
        out.extend(range.filter_map(|word| self.kept(word, self.line.word(word))));
    }

    /// What is left of a word.
    fn kept(&self, word: usize, as_given: &OsStr) -> Option<OsString> {
        if !self.is_deleted(word) {
            return Some(as_given.to_os_string());
        }
        self.instead.iter().find(|(at, _)| *at == word).map(|(_, rest)| rest.clone())
    }

    fn is_deleted(&self, word: usize) -> bool {
        self.deleted.binary_search(&word).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::argv::Dialect;
    use crate::argv::parse;

    /// Parses words between blanks; `@a` and so on are read from `files`.
    fn line(text: &str, dialect: Dialect, files: &[(&str, &str)]) -> CommandLine {
        let args: Vec<OsString> = text.split(' ').map(OsString::from).collect();
        parse(&args, dialect, &mut |name| {
            files.iter().find(|(known, _)| name == *known).map(|(_, text)| text.as_bytes().to_vec())
        })
    }

    fn text(words: &[OsString]) -> String {
        let words: Vec<_> = words.iter().map(|word| bstr::BStr::new(word.as_bytes()).to_string()).collect();
        words.join(" ")
    }

    #[test]
    fn markers_go_and_nothing_else() {
        let files = [
            ("a", "-O2 -D__LPCC_POLICY__=x @b"),
            ("b", "-g -Wall"),
            ("c", "-fPIC"),
            ("e", ""),
            ("w", "-g -Wp,-DX,-D__LPCC_POLICY__"),
        ];
        for (given, expected) in [
            ("-D__LPCC_POLICY__ -c t.c", "-c t.c"),
            ("-D __LPCC_POLICY__=add -c t.c", "-c t.c"),
            ("--define-macro __LPCC_POLICY__=a -c t.c", "-c t.c"),
            (
                "-D__LPCC_POLICY__X -D__LPCC_POLICY__X=1 -c t.c",
                "-D__LPCC_POLICY__X -D__LPCC_POLICY__X=1 -c t.c",
            ),
            ("-o -D__LPCC_POLICY__ t.c", "-o -D__LPCC_POLICY__ t.c"),
            ("@c -D__LPCC_POLICY__ @e @c", "@c @e @c"),
            ("-Wp,-D__LPCC_POLICY__=a -c t.c", "-c t.c"),
            ("-O2 -Wp,-MD,t.d,-D__LPCC_POLICY__=a,-DX -c t.c", "-O2 -Wp,-MD,t.d,-DX -c t.c"),
            ("-Xpreprocessor -D__LPCC_POLICY__=a -c t.c", "-c t.c"),
            ("@w -c t.c", "-g -Wp,-DX -c t.c"),
            ("@e @a @e -c t.c", "@e -O2 @b @e -c t.c"),
            ("-c @b @a", "-c @b -O2 @b"),
            ("-D @d -c", "-D @d -c"),
        ] {
            let line = line(given, Dialect::Gcc, &files);
            assert_eq!(text(&line.edit().without_markers().finish()), expected, "{given}");
            assert_eq!(text(&line.edit().finish()), given);
        }
    }

    #[test]
    fn a_marker_deep_inside() {
        let files =
            [("a", "-O2 @b @c"), ("b", "-x @d c"), ("c", "@e"), ("d", "none -D__LPCC_POLICY__"), ("e", "")];
        let line = line("@a -c t.c", Dialect::Gcc, &files);
        assert_eq!(text(&line.edit().without_markers().finish()), "-O2 -x none c @c -c t.c");
    }

    #[test]
    fn two_words_across_a_file() {
        let files = [("a", "-g -D"), ("b", "__LPCC_POLICY__ -O2")];
        let line = line("@a @b -c t.c", Dialect::Gcc, &files);
        assert_eq!(text(&line.edit().without_markers().finish()), "-g -O2 -c t.c");
    }

    #[test]
    fn live_patching_goes_in_every_spelling() {
        let line =
            line("-flive-patching -c --live-patching=inline-clone t.c -flive-patching=x", Dialect::Gcc, &[]);
        assert_eq!(text(&line.edit().without_live_patching().finish()), "-c t.c");
    }

    #[test]
    fn insertion_is_swallowed_by_nothing() {
        let new = || [OsString::from("-NEW"), OsString::from("x")];
        for (dialect, given, expected) in [
            (Dialect::Gcc, "-c t.c", "-c t.c -NEW x"),
            (Dialect::Gcc, "-c t.c -o", "-NEW x -c t.c -o"),
            (Dialect::Gcc, "-c t.c -yunknown", "-NEW x -c t.c -yunknown"),
            (Dialect::Gcc, "@e -c t.c @e", "@e -c t.c @e -NEW x"),
            (Dialect::Clang, "-c -- t.c", "-c -NEW x -- t.c"),
            (Dialect::Clang, "-c @d t.c", "-NEW x -c @d t.c"),
        ] {
            let line = line(given, dialect, &[("e", ""), ("d", "--")]);
            assert_eq!(text(&line.edit().with_appended(new()).finish()), expected);
            assert_eq!(text(&line.edit().with_inserted(new()).finish()), format!("-NEW x {given}"));
        }
    }
}
