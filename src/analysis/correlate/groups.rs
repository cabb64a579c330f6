//! Matching inside groups of items that could each be any other of their group.

use std::collections::HashMap;
use std::hash::Hash;

use super::side::Side;
use super::{How, Solver};

/// Old and new items of one family that have no partner yet.
#[derive(Debug, Default)]
pub struct Group {
    pub old: Vec<u32>,
    pub new: Vec<u32>,
}

impl Solver<'_> {
    /// Pairs the items whose key stands exactly once on either side of their group; gives their number.
    pub fn unique<K: Hash + Eq>(
        &mut self,
        groups: &mut [Group],
        how: How,
        key: impl Fn(&Side<'_>, u32) -> Option<K>,
    ) -> usize {
        let mut settled = 0;
        for group in groups.iter_mut().filter(|group| !group.old.is_empty() && !group.new.is_empty()) {
            self.account(group);
            let olds = unique_keys(&self.old, &group.old, &key);
            let news = unique_keys(&self.new, &group.new, &key);
            let mut matches: Vec<(u32, u32)> =
                olds.iter().filter_map(|(key, old)| Some(((*old)?, (*news.get(key)?)?))).collect();
            matches.sort_unstable();
            settled += matches.len();
            for (old, new) in matches {
                self.pair(old, new, how);
            }
            self.sweep(group);
        }
        settled
    }

    /// Pairs what is left alone on both sides of its group: nothing else can be meant.
    pub fn alone(&mut self, groups: &mut [Group]) -> usize {
        let mut settled = 0;
        for group in groups {
            if let ([old], [new]) = (group.old.as_slice(), group.new.as_slice()) {
                self.pair(*old, *new, How::Stem);
                self.sweep(group);
                settled += 1;
            }
        }
        settled
    }

    /// Pairs items of equal key in the order of their addresses.
    pub fn in_order<K: Hash + Eq>(
        &mut self,
        groups: &mut [Group],
        key: impl Fn(&Side<'_>, u32) -> Option<K>,
    ) {
        for group in groups.iter_mut().filter(|group| !group.old.is_empty() && !group.new.is_empty()) {
            self.account(group);
            let olds = by_key(&self.old, &group.old, &key);
            let mut news = by_key(&self.new, &group.new, &key);
            let mut matches = Vec::new();
            for (key, olds) in olds {
                matches.extend(olds.into_iter().zip(news.remove(&key).unwrap_or_default()));
            }
            matches.sort_unstable();
            for (old, new) in matches {
                self.pair(old, new, How::Guess);
            }
            self.sweep(group);
        }
    }

    fn sweep(&mut self, group: &mut Group) {
        group.old.retain(|&index| !self.old.is_settled(index));
        group.new.retain(|&index| !self.new.is_settled(index));
    }

    fn account(&mut self, group: &Group) {
        let old: u64 = group.old.iter().map(|&index| 1 + self.old.in_degree(index)).sum();
        let new: u64 = group.new.iter().map(|&index| 1 + self.new.in_degree(index)).sum();
        self.looked_at += old + new;
    }
}

/// Items by key; `None` where several have it.
fn unique_keys<K: Hash + Eq>(
    side: &Side<'_>,
    items: &[u32],
    key: &impl Fn(&Side<'_>, u32) -> Option<K>,
) -> HashMap<K, Option<u32>> {
    let mut keys = HashMap::with_capacity(items.len());
    for &index in items {
        if let Some(key) = key(side, index) {
            keys.entry(key).and_modify(|one| *one = None).or_insert(Some(index));
        }
    }
    keys
}

/// Items by key, each list by address.
fn by_key<K: Hash + Eq>(
    side: &Side<'_>,
    items: &[u32],
    key: &impl Fn(&Side<'_>, u32) -> Option<K>,
) -> HashMap<K, Vec<u32>> {
    let mut sorted = items.to_vec();
    sorted.sort_by_key(|&index| side.item(index).map(|item| (&item.section, item.address)));
    let mut keys: HashMap<K, Vec<u32>> = HashMap::new();
    for index in sorted {
        if let Some(key) = key(side, index) {
            keys.entry(key).or_default().push(index);
        }
    }
    keys
}
