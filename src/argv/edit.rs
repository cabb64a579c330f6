//! Changing a command line: words are deleted or inserted, never reordered or rewritten.
//!
//! A response file stays `@file` unless a deleted word comes from it; then its words stand in its place.

use std::ffi::OsString;
use std::ops::Range;

use super::CommandLine;
use super::command_line::Origin;

/// An edit in the making. Without a call to its methods, [`Edit::finish`] gives the arguments as given.
#[derive(Debug, Clone)]
pub struct Edit<'a> {
    line: &'a CommandLine,
    /// Indices of deleted words, sorted, each once.
    deleted: Vec<usize>,
    first: Vec<OsString>,
    last: Vec<OsString>,
}

impl CommandLine {
    /// Starts an edit.
    pub fn edit(&self) -> Edit<'_> {
        Edit { line: self, deleted: Vec::new(), first: Vec::new(), last: Vec::new() }
    }
}

impl Edit<'_> {
    /// Takes out every marker.
    #[must_use]
    pub fn without_markers(mut self) -> Self {
        for marker in self.line.markers() {
            self = self.without_words(marker.words);
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
        let mut out = self.first.clone();
        if self.deleted.is_empty() {
            out.extend_from_slice(self.line.given());
        } else {
            for index in 0..self.line.word_count() {
                if self.deleted.binary_search(&index).is_err() {
                    out.push(self.line.word(index).to_os_string());
                }
            }
        }
        let _ = Origin::Given(0);
        out.extend(self.last);
        out
    }
}
