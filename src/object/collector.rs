//! What is gathered of an object: items with the hashes of their parts, the streams that were hashed, and which bytes
//! of the file some item covers.
//!
//! Threads gather apart and are put end to end in the order of the things, so that the result does not tell how many
//! there were. References are kept as they were met, since an item's number is not known before all items are.

use bstr::BString;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::closure::{Closure, Concrete};
use super::facts::Facts;
use super::fingerprint::{
    Basis, Fingerprints, Hash, Item, Kind, Part, PartKind, RECIPE, Reference, StreamRange,
};
use super::model::Model;
use super::names;
use super::parallel::TOGETHER;

/// The longest stream that is looked for among those met before, in bytes: one block of the hash. Most functions of a file have
/// the same attributes, and many the same frame.
const SHORT: usize = 64;

/// From so many ranges on it is asked whether they repeat each other.
const MANY: usize = 1 << 18;

/// Collects items and their streams.
#[derive(Debug, Default)]
pub struct Collector {
    /// The items so far, without their references.
    items: Vec<Item>,
    /// Per item, how many of `concrete` are its references.
    counts: Vec<u32>,
    /// The references of all items, as they were met.
    concrete: Vec<Concrete>,
    /// Which thing became which item.
    by_thing: Vec<(usize, usize)>,
    streams: Blocks,
    /// Short streams of the things since the last whole [`TOGETHER`], with their hashes and where they lie. (Of those alone: what
    /// is kept must not tell where one thread's things ended.)
    met: FxHashMap<SmallVec<[u8; SHORT]>, (Hash, StreamRange)>,
    /// How many bytes of streams are kept at most, and whether some were not.
    most: usize,
    is_full: bool,
    /// Bytes of streams written, kept or not.
    pub written: usize,
    /// Bytes of nameless data written for what serves nobody.
    pub followed: usize,
    /// Bytes that some item covers beside those of things: section, start, end.
    pub covered: Vec<(usize, u64, u64)>,
}

impl Collector {
    /// One that keeps at most so many bytes of streams.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// From here on it keeps so many bytes of streams.
    pub fn keep_at_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Makes room for so many items, bytes of streams and references; what is not written to costs nothing, and a list that
    /// grows is written to twice.
    pub fn reserve(&mut self, items: usize, streams: usize, references: usize) {
        self.items.reserve_exact(items);
        self.counts.reserve_exact(items);
        self.by_thing.reserve_exact(items);
        self.concrete.reserve_exact(references);
        self.covered.reserve_exact(2 * items);
        self.streams.blocks.push(Vec::with_capacity(streams));
    }

    /// Says that the streams of this thing, by its number, come next.
    pub fn begin(&mut self, thing: usize) {
        if thing.is_multiple_of(TOGETHER) {
            self.met.clear();
        }
    }

    /// The hash of a stream, and where it is kept.
    fn hashed(&mut self, stream: &[u8]) -> (Hash, StreamRange) {
        if stream.len() > SHORT {
            return (Hash::of(stream), self.keep(stream));
        }
        if let Some(known) = self.met.get(stream) {
            return *known;
        }
        let made = (Hash::of(stream), self.keep(stream));
        if made.1.len > 0 {
            self.met.insert(SmallVec::from_slice(stream), made);
        }
        made
    }

    /// Keeps a stream and says where. A file that makes items repeat each other's bytes without end (thousands of
    /// symbols, each inside the one before) is hashed to the last byte, but not all of it is kept to be shown.
    pub fn keep(&mut self, stream: &[u8]) -> StreamRange {
        if self.most != 0 && self.streams.length + stream.len() > self.most {
            self.is_full = true;
            return StreamRange { start: 0, len: 0 };
        }
        let start = self.streams.length as u32;
        self.streams.append(stream);
        StreamRange { start, len: stream.len() as u32 }
    }

    /// Whether one that keeps so many bytes would have kept the same: alone, what it left out is left out; put together of several,
    /// nothing was, and all is no more than that.
    pub fn stands(&self, most: usize) -> bool {
        self.most == most || !self.is_full && self.streams.length <= most
    }

    /// Whether what serves nobody may still be followed to what it refers to.
    pub fn may_follow(&self) -> bool {
        self.most == 0 || self.followed <= self.most
    }

    /// Adds an item with its streams, in the order of [`PartKind`]; empty ones are left out.
    pub fn add(
        &mut self,
        mut item: Item,
        parts: &[(PartKind, &[u8])],
        closure: &Closure<'_, '_>,
        thing: Option<usize>,
    ) {
        debug_assert!(parts.is_sorted_by_key(|(kind, _)| *kind));
        let written = parts.iter().filter(|(_, stream)| !stream.is_empty());
        let mut kept = Vec::with_capacity(written.clone().count());
        for (kind, stream) in written {
            self.written = self.written.saturating_add(stream.len());
            let (hash, stream) = self.hashed(stream);
            kept.push(Part { kind: *kind, hash, stream });
        }
        item.parts = kept.into_boxed_slice();
        self.cover(&closure.covered);
        self.by_thing.extend(thing.map(|thing| (thing, self.items.len())));
        self.items.push(item);
        self.counts.push(closure.concrete().len() as u32);
        self.concrete.extend_from_slice(closure.concrete());
    }

    /// Notes bytes that an item covers. What many items reach is noted once, now and then: a list of all would be as long as what is
    /// written.
    fn cover(&mut self, covered: &[(usize, u64, u64)]) {
        if self.covered.len() >= MANY && self.covered.len() + covered.len() > self.covered.capacity() {
            self.covered.sort_unstable();
            self.covered.dedup();
            self.covered.reserve(2 * self.covered.len());
        }
        self.covered.extend_from_slice(covered);
    }

    /// Adds what another one collected, behind what is here.
    pub fn append(&mut self, mut other: Self) {
        let (items, streams) = (self.items.len(), self.streams.length as u32);
        self.is_full |= other.is_full;
        self.written = self.written.saturating_add(other.written);
        self.streams.take_over(other.streams);
        self.covered.extend(other.covered);
        self.by_thing.extend(other.by_thing.into_iter().map(|(thing, item)| (thing, items + item)));
        self.counts.extend(other.counts);
        self.concrete.extend(other.concrete);
        for item in &mut other.items {
            item.parts.iter_mut().for_each(|part| part.stream.start += streams);
            if item.traits.layout.len > 0 {
                item.traits.layout.start += streams;
            }
        }
        self.items.append(&mut other.items);
    }

    /// The undefined symbols that some item refers to, sorted.
    pub fn referred(&self) -> Vec<u32> {
        let concrete = self.concrete.iter();
        let mut symbols: Vec<u32> = concrete
            .filter_map(|c| match c {
                Concrete::External(symbol) => Some(*symbol),
                Concrete::Thing(_) => None,
            })
            .collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }

    /// Sorts the items and gives references their final numbers. Takes the model to pieces: what memory the bodies took,
    /// the references can have.
    pub fn finish(self, model: Model<'_>, basis: Basis) -> Fingerprints {
        let Self { mut items, counts, concrete, by_thing, streams, .. } = self;
        let Model { facts, owner, bodies, perhaps, .. } = model;
        // The last first: what is freed last is taken first, and so the next object's bodies lie in the order of memory again.
        bodies.into_iter().rev().for_each(drop);
        let position = position(&items);
        let mut item_of = vec![None; owner.things.len()];
        for (thing, item) in &by_thing {
            if let Some(slot) = item_of.get_mut(*thing) {
                *slot = position.get(*item).copied();
            }
        }
        let resolve = |concrete: &Concrete| match concrete {
            Concrete::Thing(thing) => item_of.get(*thing as usize).copied().flatten().map(Reference::Item),
            Concrete::External(symbol) => {
                Some(Reference::External(facts.symbols.get(*symbol as usize)?.name.into()))
            }
        };
        let mut rest = concrete.as_slice();
        for (item, count) in items.iter_mut().zip(counts) {
            let own = rest.split_off(..count as usize).unwrap_or_default();
            let mut references = Vec::with_capacity(own.len());
            references.extend(own.iter().filter_map(resolve));
            item.references = references.into_boxed_slice();
        }
        for (thing, item) in &by_thing {
            let from = perhaps.partition_point(|(by, _)| by < thing);
            let mine = perhaps.iter().skip(from).take_while(|(by, _)| by == thing);
            let perhaps: Vec<u32> =
                mine.filter_map(|(_, datum)| item_of.get(*datum).copied().flatten()).collect();
            if let Some(item) = items.get_mut(*item).filter(|_| !perhaps.is_empty()) {
                item.traits.rare.get_or_insert_default().perhaps = perhaps;
            }
        }
        arrange(&mut items, position);
        Fingerprints {
            recipe: RECIPE,
            files: files(&facts),
            image: facts.image,
            basis,
            items,
            streams: streams.into_bytes(),
        }
    }
}

/// Which place each item has in the order of kinds, names, sections and addresses. Most are told apart by the first bytes of
/// their names: that keys lie together counts for more than how long they are.
fn position(items: &[Item]) -> Vec<u32> {
    let rest = |i: u32| items.get(i as usize).map(|item| (&item.name, &item.section, item.address));
    let mut order: Vec<(Kind, u64, u32)> =
        (0..).zip(items).map(|(i, item)| (item.kind, names::first_bytes(&item.name), i)).collect();
    order.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rest(a.2).cmp(&rest(b.2))));
    let mut position = vec![0; order.len()];
    for (new, (.., old)) in (0..).zip(&order) {
        if let Some(slot) = position.get_mut(*old as usize) {
            *slot = new;
        }
    }
    position
}

/// Brings every element to its `position`, of which there is one for each and no two are equal. (In place: a second
/// list of items is some megabytes.)
fn arrange<T>(list: &mut [T], mut position: Vec<u32>) {
    for here in 0..list.len() {
        while let Some(to) = position.get(here).map(|to| *to as usize).filter(|to| *to != here) {
            list.swap(here, to);
            position.swap(here, to);
        }
    }
}

/// The names of the sources, as `STT_FILE` symbols tell them.
fn files(facts: &Facts<'_>) -> Vec<BString> {
    let symbols = facts.symbols.iter().filter(|s| s.is_file() && !s.name.is_empty());
    let mut files: Vec<BString> = symbols.map(|s| s.name.into()).collect();
    files.sort();
    files.dedup();
    files
}

/// Bytes that grow without being moved: what is moved is touched twice, and to touch memory first takes longer than to
/// fill it.
#[derive(Debug, Default)]
struct Blocks {
    /// The bytes, each list as long as it can be.
    blocks: Vec<Vec<u8>>,
    /// How many there are.
    length: usize,
}

/// The least size of a block in bytes.
const BLOCK: usize = 64 << 10;

impl Blocks {
    fn append(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if let Some(last) = self.blocks.last_mut().filter(|last| last.capacity() - last.len() >= bytes.len())
        {
            last.extend_from_slice(bytes);
        } else {
            let mut block = Vec::with_capacity(bytes.len().max(BLOCK));
            block.extend_from_slice(bytes);
            self.blocks.push(block);
        }
    }

    fn take_over(&mut self, mut other: Self) {
        self.length += other.length;
        self.blocks.append(&mut other.blocks);
    }

    /// All bytes, in the first block where there is room.
    fn into_bytes(self) -> Vec<u8> {
        let mut blocks = self.blocks.into_iter();
        let mut bytes = blocks.next().unwrap_or_default();
        bytes.reserve_exact(self.length - bytes.len());
        blocks.for_each(|block| bytes.extend_from_slice(&block));
        bytes
    }
}
