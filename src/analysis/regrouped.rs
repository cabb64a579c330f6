//! Targets that are the same under another name.
//!
//! Where several symbols share a place (aliases, folded functions) a stream speaks of it by the first of its
//! names, for a relocation against the section does not tell which was meant. When an alias comes or goes that
//! is first, every user's stream changes though it still reaches the same thing. Such a difference is forgiven,
//! but only when every word that differs is such a name, and the two name items that are matched with each other.

use std::collections::HashMap;

use bstr::ByteSlice;

use super::correlate::Correlation;
use super::detail::In;
use crate::object::{Fingerprints, PartKind, listing, names};

/// The items of both sides by the words that stand for them.
pub struct Names<'a> {
    old: HashMap<String, Option<u32>>,
    new: HashMap<String, Option<u32>>,
    correlation: &'a Correlation,
}

impl<'a> Names<'a> {
    /// Looks at the items of both sides.
    pub fn of(old: &Fingerprints, new: &Fingerprints, correlation: &'a Correlation) -> Self {
        Self { old: sets(old), new: sets(new), correlation }
    }

    /// Whether the two sides of this part differ only in how the same targets are called.
    pub fn explain(&self, old: In<'_>, new: In<'_>, part: PartKind) -> bool {
        let olds = listing::lines(old.0, old.1, part);
        let news = listing::lines(new.0, new.1, part);
        // Without streams there are no lines, and nothing is explained; nor where the streams differ and the
        // lines do not.
        olds.iter().map(|line| &line.text).ne(news.iter().map(|line| &line.text))
            && olds.len() == news.len()
            && olds
                .iter()
                .zip(&news)
                .all(|(old, new)| old.text == new.text || self.same(&old.text, &new.text))
    }

    fn same(&self, old: &str, new: &str) -> bool {
        let words = |text: &'_ str| text.split([' ', ';']).map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (words(old), words(new));
        old.len() == new.len()
            && old.iter().zip(&new).all(|(old, new)| {
                let ((old_set, old_rest), (new_set, new_rest)) = (split(old), split(new));
                old == new || (old_rest == new_rest && self.matched(old_set, new_set))
            })
    }

    fn matched(&self, old: &str, new: &str) -> bool {
        let (Some(Some(old)), Some(Some(new))) = (self.old.get(old), self.new.get(new)) else { return false };
        self.correlation.new_of(*old) == Some(*new)
    }
}

/// The words for all items that have one of their own; `None` where two items would be called the same.
fn sets(prints: &Fingerprints) -> HashMap<String, Option<u32>> {
    let mut sets = HashMap::new();
    for (index, item) in (0..).zip(&prints.items) {
        let stem = names::stem(&item.name).to_str_lossy().into_owned();
        sets.entry(stem).and_modify(|one| *one = None).or_insert(Some(index));
    }
    sets
}

/// The names in a word, and the place in what they name.
fn split(word: &str) -> (&str, &str) {
    word.split_at(word.find(['+', '-', '#']).unwrap_or(word.len()))
}
