//! One of the two objects while its items are being matched.

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};

use super::{Families, is_local};
use crate::analysis::stem::stem;
use crate::object::{Hash, Item, Kind, PartKind, Reference, Scope};

/// Who refers to an item: the referring item, and the item's place among the ones of its family there.
#[derive(Debug, Clone, Copy)]
struct Referrer {
    item: u32,
    ordinal: u32,
}

pub struct Side<'a> {
    items: &'a [Item],
    /// Family number of each item, the same number on both sides; whether the family is a stem.
    families: Vec<(u32, bool)>,
    bodies: Vec<Hash>,
    referrers: Vec<Vec<Referrer>>,
    /// The token of the pair that each item belongs to.
    settled: Vec<Option<u32>>,
}

impl<'a> Side<'a> {
    pub fn new(items: &'a [Item], families: &mut Families) -> Self {
        let families: Vec<_> = items.iter().map(|item| family_of(item, families)).collect();
        Self {
            items,
            bodies: items.iter().map(body_of).collect(),
            referrers: referrers_of(items, &families),
            families,
            settled: vec![None; items.len()],
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Items and references that setting up has looked at.
    pub fn cost(&self) -> u64 {
        (self.items.len() + self.referrers.iter().map(Vec::len).sum::<usize>()) as u64
    }

    pub fn item(&self, index: u32) -> Option<&'a Item> {
        self.items.get(index as usize)
    }

    pub fn family(&self, index: u32) -> u32 {
        self.families.get(index as usize).map_or(u32::MAX, |family| family.0)
    }

    pub fn settle(&mut self, index: u32, token: u32) {
        if let Some(slot) = self.settled.get_mut(index as usize) {
            *slot = Some(token);
        }
    }

    pub fn is_settled(&self, index: u32) -> bool {
        self.token(index).is_some()
    }

    fn token(&self, index: u32) -> Option<u32> {
        self.settled.get(index as usize).copied().flatten()
    }

    pub fn unsettled(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.settled).filter(|(_, token)| token.is_none()).map(|(index, _)| index)
    }

    /// Unsettled items by kind and own name; `None` where several items have the name.
    pub fn index_by_name(&self, aliases: bool) -> HashMap<(Kind, &'a BStr), Option<u32>> {
        let mut index = HashMap::new();
        for at in self.unsettled() {
            let Some(item) = self.item(at) else { continue };
            if self.families.get(at as usize).is_some_and(|family| family.1) {
                continue;
            }
            let others = item.names.iter().filter(|name| aliases && **name != item.name);
            for name in others.chain([&item.name]) {
                index.entry((item.kind, name.as_bstr())).and_modify(|one| *one = None).or_insert(Some(at));
            }
        }
        index
    }

    /// Scope and the file the symbol stands under.
    pub fn file(&self, index: u32) -> (bool, Option<BString>) {
        match self.item(index).map(|item| &item.scope) {
            Some(Scope::Local(file)) => (true, file.clone()),
            scope => (scope.is_some_and(is_local), None),
        }
    }

    /// What the item is, apart from its name and where it lies.
    pub fn body(&self, index: u32) -> Hash {
        self.bodies.get(index as usize).copied().unwrap_or(Hash([0; 32]))
    }

    /// A weaker likeness: size and initial content of a datum, instructions of a function.
    pub fn shape(&self, index: u32) -> Option<(u64, Option<Hash>)> {
        let item = self.item(index)?;
        let hash = |kind| item.part(kind).map(|part| part.hash);
        Some(match item.kind {
            Kind::Function => (0, Some(hash(PartKind::Code)?)),
            _ => (item.size, hash(PartKind::Content)),
        })
    }

    /// The matched items that refer to this one, with the place there; `None` if there are none.
    pub fn signature(&self, index: u32) -> Option<Vec<(u32, u32)>> {
        let referrers = self.referrers.get(index as usize)?;
        let mut signature: Vec<_> =
            referrers.iter().filter_map(|by| Some((self.token(by.item)?, by.ordinal))).collect();
        signature.sort_unstable();
        (!signature.is_empty()).then_some(signature)
    }

    /// The matched items that refer to this one, wherever; `None` if there are none.
    pub fn loose_signature(&self, index: u32) -> Option<Vec<u32>> {
        Some(self.signature(index)?.into_iter().map(|(token, _)| token).collect())
    }

    /// Number of referrers, for the account of work.
    pub fn in_degree(&self, index: u32) -> u64 {
        self.referrers.get(index as usize).map_or(0, |referrers| referrers.len() as u64)
    }
}

fn family_of(item: &Item, families: &mut Families) -> (u32, bool) {
    let (key, is_stem) = match stem(item) {
        Some(stem) => ((item.kind, true, stem), true),
        None => ((item.kind, false, item.name.clone()), false),
    };
    let next = families.len() as u32;
    (*families.entry(key).or_insert(next), is_stem)
}

fn body_of(item: &Item) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in item.parts.iter().filter(|part| part.kind != PartKind::Attributes) {
        hasher.update(&[part.kind as u8]);
        hasher.update(&part.hash.0);
    }
    if item.kind != Kind::Function {
        // A zero-filled datum has no content: its size is all there is to it.
        hasher.update(&item.size.to_le_bytes());
        hasher.update(&[u8::from(item.traits.zero_filled), u8::from(item.traits.writable)]);
    }
    Hash(*hasher.finalize().as_bytes())
}

fn referrers_of(items: &[Item], families: &[(u32, bool)]) -> Vec<Vec<Referrer>> {
    let mut referrers = vec![Vec::new(); items.len()];
    let mut seen: HashMap<u32, u32> = HashMap::new();
    for (by, item) in (0..).zip(items) {
        seen.clear();
        for reference in &item.references {
            let Reference::Item(target) = reference else { continue };
            let Some(&(family, _)) = families.get(*target as usize) else { continue };
            let ordinal = seen.entry(family).or_insert(0);
            if let Some(list) = referrers.get_mut(*target as usize) {
                list.push(Referrer { item: by, ordinal: *ordinal });
            }
            *ordinal += 1;
        }
    }
    referrers
}
