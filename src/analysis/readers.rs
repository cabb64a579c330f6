//! The functions that refer to each item of an object, and those that may.

use bstr::BString;
use rustc_hash::FxHashMap;

use crate::object::{Fingerprints, Item, Kind, Reference};

/// Who reads what in one object.
pub struct Readers<'a> {
    prints: &'a Fingerprints,
    /// Per item, where its readers begin in `all`; one more at the end.
    starts: Vec<u32>,
    /// The readers of all items, end to end.
    all: Vec<u32>,
    /// By item: few have any.
    perhaps: FxHashMap<u32, Vec<u32>>,
}

impl<'a> Readers<'a> {
    /// Looks at the references of all functions.
    pub fn of(prints: &'a Fingerprints) -> Self {
        // Counted first, so that all of them lie in one list. While it fills, a start is where the next one goes.
        let mut starts = vec![0_u32; prints.items.len() + 1];
        for (_, target) in references(prints) {
            if let Some(count) = starts.get_mut(target as usize) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        let mut readers = vec![0; sum as usize];
        for (by, target) in references(prints) {
            if let Some(start) = starts.get_mut(target as usize) {
                if let Some(slot) = readers.get_mut(*start as usize) {
                    *slot = by;
                }
                *start += 1;
            }
        }
        // Each start is the next one's now.
        starts.rotate_right(1);
        if let Some(first) = starts.first_mut() {
            *first = 0;
        }
        let mut perhaps: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (by, item) in functions(prints) {
            for target in item.traits.perhaps() {
                perhaps.entry(*target).or_default().push(by);
            }
        }
        Self { prints, starts, all: readers, perhaps }
    }

    /// The names of the functions that refer to an item.
    pub fn surely(&self, item: Option<u32>) -> impl Iterator<Item = &'a BString> {
        let start = |index: usize| self.starts.get(index).map(|start| *start as usize);
        let range = item.map(|index| index as usize).and_then(|at| Some(start(at)?..start(at + 1)?));
        self.names(range.and_then(|range| self.all.get(range)))
    }

    /// The names of the functions that may refer to an item ([`crate::object::Traits`]).
    pub fn perhaps(&self, item: Option<u32>) -> impl Iterator<Item = &'a BString> {
        self.names(item.and_then(|index| self.perhaps.get(&index)).map(Vec::as_slice))
    }

    fn names(&self, readers: Option<&[u32]>) -> impl Iterator<Item = &'a BString> {
        let prints = self.prints;
        let items = readers.unwrap_or_default().iter().filter_map(move |by| prints.items.get(*by as usize));
        items.map(|item| &item.name)
    }
}

fn functions(prints: &Fingerprints) -> impl Iterator<Item = (u32, &Item)> {
    (0..).zip(&prints.items).filter(|(_, item)| item.kind == Kind::Function)
}

/// All references of functions to items: who, and what.
fn references(prints: &Fingerprints) -> impl Iterator<Item = (u32, u32)> {
    let known = prints.items.len();
    functions(prints).flat_map(move |(by, item)| {
        item.references.iter().filter_map(move |reference| match reference {
            Reference::Item(target) if (*target as usize) < known => Some((by, *target)),
            _ => None,
        })
    })
}
