//! One of the two objects while its items are being matched.

use std::cell::RefCell;

use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;

use super::{Families, is_local};
use crate::analysis::stem::stem;
use crate::object::names::first_bytes;
use crate::object::shared::SharedName;
use crate::object::{Hash, Item, Kind, PartKind, Reference, Scope};

/// Who refers to an item: the referring item, and the item's place among the ones of its family there.
#[derive(Debug, Clone, Copy)]
struct Referrer {
    item: u32,
    ordinal: u32,
}

/// What is known of an item that no name of its own settled.
#[derive(Debug)]
struct Open {
    /// The number of its family, the same on both sides.
    family: u32,
    referrers: Vec<Referrer>,
}

/// A name of an item, with the kind that it must agree in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name<'a> {
    kind: Kind,
    first: u64,
    all: &'a BStr,
}

impl<'a> Name<'a> {
    fn of(kind: Kind, name: &'a BString) -> Self {
        Self { kind, first: first_bytes(name), all: name.as_bstr() }
    }
}

/// An item under one of its names.
pub type Named<'a> = (Name<'a>, u32);

pub struct Side<'a> {
    items: &'a [Item],
    /// The items whose names are not of several that only their numbers tell apart.
    own: Vec<Named<'a>>,
    /// Whether some item has several names.
    pub has_aliases: bool,
    /// The token of the pair that each item belongs to.
    settled: Vec<Option<u32>>,
    open: FxHashMap<u32, Open>,
    /// The bodies that were asked for.
    bodies: RefCell<FxHashMap<u32, Hash>>,
}

impl<'a> Side<'a> {
    pub fn new(items: &'a [Item]) -> Self {
        // Names lie all over the memory: they are looked at once.
        let named = (0..).zip(items).filter(|(_, item)| stem(item).is_none());
        let mut own = Vec::with_capacity(items.len());
        own.extend(named.map(|(at, item)| (Name::of(item.kind, &item.name), at)));
        Self {
            items,
            own,
            has_aliases: items.iter().any(|item| !item.aliases.is_empty()),
            settled: vec![None; items.len()],
            open: FxHashMap::default(),
            bodies: RefCell::default(),
        }
    }

    /// Looks at what names did not settle: families, and who refers to each. Gives the number of items and references looked at.
    pub fn look(&mut self, families: &mut Families) -> u64 {
        let open = self.unsettled().filter_map(|index| Some((index, self.item(index)?)));
        let open = open
            .map(|(index, item)| (index, Open { family: family_of(item, families), referrers: Vec::new() }));
        self.open = open.collect();
        let mut looked_at = self.items.len();
        let mut seen: FxHashMap<u32, u32> = FxHashMap::default();
        for (by, item) in (0..).zip(self.items) {
            if self.open.is_empty() {
                break;
            }
            seen.clear();
            looked_at += item.references.len();
            for reference in &item.references {
                let Reference::Item(target) = reference else { continue };
                let Some(open) = self.open.get_mut(target) else { continue };
                let ordinal = seen.entry(open.family).or_insert(0);
                open.referrers.push(Referrer { item: by, ordinal: *ordinal });
                *ordinal += 1;
            }
        }
        looked_at as u64
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn item(&self, index: u32) -> Option<&'a Item> {
        self.items.get(index as usize)
    }

    pub fn family(&self, index: u32) -> u32 {
        self.open.get(&index).map_or(u32::MAX, |open| open.family)
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

    /// Unsettled items by kind and own name, sorted, but for the names that several of them have.
    pub fn unique_names(&self, aliases: bool) -> Vec<Named<'a>> {
        let unsettled = self.own.iter().filter(|(_, at)| !self.is_settled(*at));
        let mut all: Vec<Named<'a>> = unsettled.copied().collect();
        if aliases {
            let others = all.iter().filter_map(|(_, at)| Some((*at, self.item(*at)?)));
            let others = others.flat_map(|(at, item)| {
                item.aliases.iter().map(move |alias| (Name::of(item.kind, alias), at))
            });
            all.extend(others.collect::<Vec<_>>());
        }
        // Items come sorted by kind and name: a sort that knows runs has little to do.
        all.sort();
        let unique = all.chunk_by(|a, b| a.0 == b.0).filter_map(|same| match same {
            [one] => Some(*one),
            _ => None,
        });
        unique.collect()
    }

    /// Scope and the file the symbol stands under.
    pub fn file(&self, index: u32) -> (bool, Option<SharedName>) {
        match self.item(index).map(|item| &item.scope) {
            Some(Scope::Local(file)) => (true, file.clone()),
            scope => (scope.is_some_and(is_local), None),
        }
    }

    /// What the item is, apart from its name and where it lies.
    pub fn body(&self, index: u32) -> Hash {
        let Some(item) = self.item(index) else { return Hash([0; 32]) };
        *self.bodies.borrow_mut().entry(index).or_insert_with(|| body_of(item))
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
        let referrers = &self.open.get(&index)?.referrers;
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
        self.open.get(&index).map_or(0, |open| open.referrers.len() as u64)
    }
}

fn family_of(item: &Item, families: &mut Families) -> u32 {
    let key = match stem(item) {
        Some(stem) => (item.kind, true, stem),
        None => (item.kind, false, item.name.clone()),
    };
    let next = families.len() as u32;
    *families.entry(key).or_insert(next)
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
