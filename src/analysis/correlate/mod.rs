//! Which item of the old object is which item of the new one.
//!
//! Names alone do not say: the compiler numbers statics and clones in the order in which it meets them, so
//! `cnt.0` of yesterday may be `cnt.1` of today, and two clones may have swapped their numbers. Matching by
//! number would then compare strangers and find differences that are none; worse, two statics of one name that
//! really swapped their readers would look unchanged. So a name is believed only where it is somebody's own
//! choice ([`super::stem`]); among the numbered ones *content beats number*, then the items that refer to them
//! decide, and position, the last resort, is marked as a guess.
//!
//! The invariant: a wrong match may cost a finding too many, never one too few. [`super::differ`] keeps it: two
//! items count as equal only if their parts are equal *and* what they refer to is matched with each other.
//!
//! Every step looks at each item, or at each reference, a bounded number of times.

mod groups;
mod side;

use std::collections::HashMap;

use bstr::BString;

use crate::object::{Fingerprints, Kind, Scope};
use groups::Group;
use side::Side;

/// How a pair was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// By its own name, or one of its aliases.
    Name,
    /// By the stem of its name, with content or references deciding between several.
    Stem,
    /// By equal bodies under different names.
    Renamed,
    /// By position among several that nothing else tells apart.
    Guess,
}

/// An old item and the new item it became, as indices into the two lists of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Index of the old item.
    pub old: u32,
    /// Index of the new item.
    pub new: u32,
    /// How they were matched.
    pub how: How,
}

/// The matching of two objects' items.
#[derive(Debug, Clone, Default)]
pub struct Correlation {
    /// All pairs, by old index.
    pub pairs: Vec<Pair>,
    /// Old items without a partner, in order.
    pub removed: Vec<u32>,
    /// New items without a partner, in order.
    pub added: Vec<u32>,
    /// Items and references looked at: the cost, which grows with the input and not with its square.
    pub looked_at: u64,
    partner_of_old: Vec<Option<u32>>,
}

impl Correlation {
    /// The new item that the old one became.
    pub fn new_of(&self, old: u32) -> Option<u32> {
        self.partner_of_old.get(old as usize).copied().flatten()
    }
}

/// Rounds of letting matched items decide about what they refer to: each settles one more step of a chain of
/// references between numbered items. Chains longer than this end in a guess.
const ROUNDS: usize = 4;

/// Matches the items of two objects.
pub fn correlate(old: &Fingerprints, new: &Fingerprints) -> Correlation {
    let mut solver = Solver::new(old, new);
    solver.by_own_name();
    solver.look_at_the_rest();
    let mut groups = solver.groups();
    solver.by_content(&mut groups);
    solver.by_guess(&mut groups);
    solver.renamed();
    solver.finish()
}

struct Solver<'a> {
    old: Side<'a>,
    new: Side<'a>,
    pairs: Vec<Pair>,
    looked_at: u64,
}

impl<'a> Solver<'a> {
    fn new(old: &'a Fingerprints, new: &'a Fingerprints) -> Self {
        let (old, new) = (Side::new(&old.items), Side::new(&new.items));
        let pairs = Vec::with_capacity(old.len());
        Self { old, new, pairs, looked_at: 0 }
    }

    fn pair(&mut self, old: u32, new: u32, how: How) {
        // The token of a pair is its old index: equal on both sides, so that signatures compare.
        self.old.settle(old, old);
        self.new.settle(new, old);
        self.pairs.push(Pair { old, new, how });
    }

    /// Names that stand once on either side. Where an item has several (aliases, folded functions) they may lead to
    /// different items: the one with the same body, then the one with the most names in common. Then the primary
    /// names, then any alias.
    fn by_own_name(&mut self) {
        let has_aliases = self.old.has_aliases || self.new.has_aliases;
        if has_aliases {
            self.by_several_names();
        }
        for aliases in [false, true].into_iter().filter(|aliases| has_aliases || !aliases) {
            for (old, new) in self.same_names(aliases) {
                if !self.old.is_settled(old) && !self.new.is_settled(new) {
                    self.pair(old, new, How::Name);
                }
            }
        }
    }

    /// The items of either side that have a name in common, once for each name, by the old one's number.
    fn same_names(&mut self, aliases: bool) -> Vec<(u32, u32)> {
        let (olds, news) = (self.old.unique_names(aliases), self.new.unique_names(aliases));
        self.looked_at += (olds.len() + news.len()) as u64;
        let mut news = news.into_iter().peekable();
        let mut same = Vec::with_capacity(olds.len());
        for (name, old) in olds {
            while news.next_if(|(other, _)| *other < name).is_some() {}
            same.extend(news.next_if(|(other, _)| *other == name).map(|(_, new)| (old, new)));
        }
        same.sort_unstable();
        same
    }

    fn by_several_names(&mut self) {
        let several = |side: &Side, index| side.item(index).is_some_and(|item| !item.aliases.is_empty());
        let shared = self.same_names(true);
        let mut pairs: Vec<_> = shared
            .chunk_by(|a, b| a == b)
            .filter_map(|names| Some((*names.first()?, names.len())))
            .filter(|((old, new), _)| several(&self.old, *old) || several(&self.new, *new))
            .map(|((old, new), count)| {
                let differs = self.old.body(old) != self.new.body(new);
                (differs, std::cmp::Reverse(count), old, new)
            })
            .collect();
        pairs.sort_unstable();
        for (.., old, new) in pairs {
            if !self.old.is_settled(old) && !self.new.is_settled(new) {
                self.pair(old, new, How::Name);
            }
        }
    }

    fn look_at_the_rest(&mut self) {
        let mut families = HashMap::new();
        self.looked_at += self.old.look(&mut families) + self.new.look(&mut families);
    }

    /// What is left, by family: one name in several files, and the numbered names of one stem.
    fn groups(&self) -> Vec<Group> {
        let mut groups: HashMap<u32, Group> = HashMap::new();
        for index in self.old.unsettled() {
            groups.entry(self.old.family(index)).or_default().old.push(index);
        }
        for index in self.new.unsettled() {
            groups.entry(self.new.family(index)).or_default().new.push(index);
        }
        let mut groups: Vec<_> =
            groups.into_values().filter(|group| !group.old.is_empty() && !group.new.is_empty()).collect();
        groups.sort_unstable_by_key(|group| group.old.first().copied());
        groups
    }

    /// Everything that is evidence: file, content, shape, who refers to it.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is of one lifetime, the key of all"
    )]
    fn by_content(&mut self, groups: &mut [Group]) {
        self.unique(groups, How::Stem, |side, index| Some(side.file(index)));
        self.alone(groups);
        self.unique(groups, How::Stem, |side, index| Some(side.body(index)));
        for _ in 0..ROUNDS {
            let mut settled = self
                .unique(groups, How::Stem, |side, index| Some((side.body(index), side.signature(index)?)));
            settled += self.alone(groups);
            if settled == 0 {
                break;
            }
        }
        // Something new in a function moves the places of all that follow in it.
        self.unique(groups, How::Stem, |side, index| Some((side.body(index), side.loose_signature(index)?)));
        self.alone(groups);
        self.unique(groups, How::Stem, |side, index| Some(side.shape(index)));
        for _ in 0..ROUNDS {
            let mut settled = self.unique(groups, How::Stem, |side, index| side.signature(index));
            settled += self.unique(groups, How::Stem, |side, index| side.loose_signature(index));
            settled += self.alone(groups);
            if settled == 0 {
                break;
            }
        }
    }

    /// The same body where several have it, then the same name, then position; functions first, because they
    /// tell their data apart.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is of one lifetime, the key of all"
    )]
    fn by_guess(&mut self, groups: &mut [Group]) {
        for kinds in [&[Kind::Function][..], &[Kind::Data, Kind::Site, Kind::Section, Kind::Unowned]] {
            let mine = |side: &Side, index| side.item(index).is_some_and(|item| kinds.contains(&item.kind));
            self.unique(groups, How::Guess, |side, index| {
                mine(side, index).then(|| (side.body(index), side.item(index).map(|item| item.name.clone())))
            });
            self.in_order(groups, |side, index| mine(side, index).then(|| Some(side.body(index))));
            self.unique(groups, How::Guess, |side, index| {
                mine(side, index).then(|| side.item(index).map(|item| item.name.clone()))
            });
            self.in_order(groups, |side, index| mine(side, index).then_some(()));
            for _ in 0..ROUNDS {
                if self.unique(groups, How::Stem, |side, index| side.signature(index)) == 0 {
                    break;
                }
            }
        }
    }

    /// Functions that nothing else matched, with a body that stands exactly once among them on either side.
    fn renamed(&mut self) {
        let mut group = [Group { old: self.old.unsettled().collect(), new: self.new.unsettled().collect() }];
        self.unique(&mut group, How::Renamed, |side, index| {
            let function = side.item(index).filter(|item| item.kind == Kind::Function)?;
            (!function.parts.is_empty()).then(|| side.body(index))
        });
    }

    fn finish(mut self) -> Correlation {
        self.pairs.sort_unstable();
        let mut partner_of_old = vec![None; self.old.len()];
        for pair in &self.pairs {
            if let Some(slot) = partner_of_old.get_mut(pair.old as usize) {
                *slot = Some(pair.new);
            }
        }
        Correlation {
            removed: self.old.unsettled().collect(),
            added: self.new.unsettled().collect(),
            pairs: self.pairs,
            looked_at: self.looked_at,
            partner_of_old,
        }
    }
}

/// Whether a scope can be referred to from another file.
fn is_local(scope: &Scope) -> bool {
    matches!(scope, Scope::Local(_))
}

/// Names of families: kind, whether the name is a stem, and the name.
type Families = HashMap<(Kind, bool, BString), u32>;

#[cfg(test)]
mod tests;
