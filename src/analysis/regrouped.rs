//! Targets that are the same under another name.
//!
//! Where several symbols share a place (aliases, folded functions) a stream speaks of it by the first of its
//! names, for a relocation against the section does not tell which was meant. When an alias comes or goes that
//! is first, every user's stream changes though it still reaches the same thing. Such a difference is forgiven,
//! but only when every word that differs is such a name, and the two name items that are matched with each other.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;

use super::correlate::Correlation;
use super::detail::In;
use crate::object::{Fingerprints, Item, PartKind, listing, names};

/// The words for items whose two sides are called otherwise: the old one's, and what it is now. Few have any.
pub struct Names(HashMap<String, String>);

impl Names {
    /// Looks at all matched items.
    pub fn of(old: &Fingerprints, new: &Fingerprints, correlation: &Correlation) -> Self {
        let pairs = correlation.pairs.iter();
        let both = pairs
            .filter_map(|pair| Some((old.items.get(pair.old as usize)?, new.items.get(pair.new as usize)?)))
            .filter(|(old, new)| old.name != new.name)
            .map(|(old, new)| (word(old), word(new)))
            .filter(|(old, new)| old != new);
        let mut renamed: HashMap<String, String> = both.collect();
        if !renamed.is_empty() {
            let unclear = (called_alike(old), called_alike(new));
            renamed.retain(|old, new| !unclear.0.contains(old) && !unclear.1.contains(new));
        }
        Self(renamed)
    }

    /// Whether the two sides of this part differ only in how the same targets are called.
    pub fn explain(&self, old: In<'_>, new: In<'_>, part: PartKind) -> bool {
        if self.0.is_empty() {
            return false;
        }
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
        self.0.get(old).is_some_and(|now| now == new)
    }
}

/// The word that stands for an item.
fn word(item: &Item) -> String {
    names::stem(&item.name).to_str_lossy().into_owned()
}

/// The words that stand for several items.
fn called_alike(prints: &Fingerprints) -> HashSet<String> {
    let mut seen = HashSet::with_capacity(prints.items.len());
    prints.items.iter().map(word).filter(|word| !seen.insert(word.clone())).collect()
}

/// The names in a word, and the place in what they name.
fn split(word: &str) -> (&str, &str) {
    word.split_at(word.find(['+', '-', '#']).unwrap_or(word.len()))
}
