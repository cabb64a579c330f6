//! One item's canonical streams: every reference named by what it means, every nameless byte followed.
//!
//! Names that only count (`cnt.0`, `f.constprop.1`) are written as their stem and the index of first use, so
//! that renumbering changes nothing; the concrete targets are kept beside, in the order of first use, for
//! whoever compares. Nameless bytes get a number at first use and are followed until nothing new is reached.

mod bytes;
mod code;
mod tables;

use std::borrow::Cow;

use bstr::ByteSlice;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::facts::Section;
use super::machine::mapping::Mode;
use super::model::Model;
use super::names;
use super::places::Place;
use super::private::{Extent, Privates};
use super::stream::{Write, target};

/// What an item refers to, before items have their final numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Concrete {
    /// A thing.
    Thing(u32),
    /// An undefined symbol.
    External(u32),
}

/// The streams of one item while they are being written.
#[derive(Debug)]
pub struct Closure<'m, 'd> {
    model: &'m Model<'d>,
    privates: &'m Privates,
    /// The thing whose streams these are; `None` for sections and ranges.
    own: Option<usize>,
    /// Stems of numbered names, with the things met under each, in the order of first use.
    numbered: FxHashMap<Vec<u8>, Vec<usize>>,
    /// Nameless bytes met: number within their kind.
    met: FxHashMap<Extent, (u8, u64)>,
    /// Nameless bytes met but not yet written.
    pending: Vec<(Extent, Role)>,
    counts: [u64; 3],
    /// Where the table begins whose entries are being written as distances from there.
    pub table_base: Option<u64>,
    /// Relocations whose place means something else, by their offsets: one that leads nowhere (the entry it stands in says that nothing
    /// is there) is the number 0, one that says where something ends is its length.
    pub instead: SmallVec<[(u64, Place); 2]>,
    /// Named tables of labels already written.
    label_tables: Vec<usize>,
    concrete: Vec<Concrete>,
    concrete_seen: FxHashSet<Concrete>,
    /// Bytes covered by what was followed: section, start, end.
    pub covered: Vec<(usize, u64, u64)>,
    /// The `constants` part.
    pub constants: Vec<u8>,
    /// The `strings` part.
    pub strings: Vec<u8>,
    /// The `tables` part.
    pub tables: Vec<u8>,
}

/// What nameless bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    String,
    Constant,
    /// Places in functions, in order.
    Table(Entries),
    /// Likewise by distances in the bytes, up to an offset; what follows are bytes.
    Distances(Entries, u64),
}

/// Offset, relocation type (or [`DIRECT`]) and place of each entry.
type Entries = Vec<(u64, u32, Place)>;

impl<'m, 'd> Closure<'m, 'd> {
    /// Starts the streams of something that is no thing; [`Self::restart`] starts a thing's.
    pub fn new(model: &'m Model<'d>, privates: &'m Privates) -> Self {
        Self {
            model,
            privates,
            own: None,
            numbered: FxHashMap::default(),
            met: FxHashMap::default(),
            pending: Vec::new(),
            counts: [0; 3],
            table_base: None,
            instead: SmallVec::new(),
            label_tables: Vec::new(),
            concrete: Vec::new(),
            concrete_seen: FxHashSet::default(),
            covered: Vec::new(),
            constants: Vec::new(),
            strings: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Starts anew for a thing. What was taken in memory is kept: to touch fresh memory for each of thousands of
    /// functions would cost more than to write their streams.
    pub fn restart(&mut self, own: usize) {
        self.own = Some(own);
        self.numbered.clear();
        self.met.clear();
        self.pending.clear();
        self.counts = [0; 3];
        self.label_tables.clear();
        self.concrete.clear();
        self.concrete_seen.clear();
        self.covered.clear();
        self.constants.clear();
        self.strings.clear();
        self.tables.clear();
    }

    /// The concrete targets in the order of first use.
    pub fn concrete(&self) -> &[Concrete] {
        &self.concrete
    }

    /// Writes what a place means.
    pub fn target(&mut self, place: Place, access: u8, out: &mut Vec<u8>) {
        match place {
            Place::External(symbol, addend) => self.external(symbol, addend, out),
            Place::Thing(thing, offset, symbol) => self.thing(thing, offset, symbol, out),
            Place::Code(thing, piece, offset) => {
                let (number, inside) = self.model.instruction_at(thing, piece, offset);
                if self.own == Some(thing) {
                    out.byte(target::OWN);
                } else {
                    out.byte(target::CODE);
                    self.names(thing, None, out);
                    self.note(Concrete::Thing(thing as u32));
                }
                out.number(number.into());
                out.number(inside.into());
            }
            Place::Private(section, offset) => self.private(section, offset, access, out),
            Place::Beyond(section, base, distance) => {
                out.byte(target::BEYOND);
                out.signed(distance);
                self.private(section, base.cast_signed(), 0, out);
            }
            Place::Anchor(section) => {
                out.byte(target::SECTION);
                out.blob(self.model.section(section).map_or(b"", |s| s.name));
                out.signed(0);
            }
            Place::Absolute(value) => {
                out.byte(target::ABSOLUTE);
                out.signed(value);
            }
        }
    }

    fn note(&mut self, concrete: Concrete) {
        if self.concrete_seen.insert(concrete) {
            self.concrete.push(concrete);
        }
    }

    fn external(&mut self, symbol: u32, addend: i64, out: &mut Vec<u8>) {
        out.byte(target::EXTERNAL);
        if let Some(s) = self.model.facts.symbols.get(symbol as usize) {
            out.blob(s.name);
            out.extend([s.binding, s.other, s.kind]);
            // Undefined symbols have neither; where one does, it is not the same symbol.
            out.number(s.value);
            out.number(s.size);
        } else {
            out.blob(b"");
            out.extend([0xff; 3]);
            out.number(0);
            out.number(0);
        }
        out.signed(addend);
        self.note(Concrete::External(symbol));
    }

    fn thing(&mut self, thing: usize, offset: i64, symbol: Option<u32>, out: &mut Vec<u8>) {
        let names = self.model.owner.things.get(thing).map_or(0, |t| t.symbols.len());
        if self.own == Some(thing) && offset == 0 && (symbol.is_none() || names == 1) {
            // A function that names itself: its own name is no part of its identity. With several names it
            // matters which one is used, for another file may take its place.
            out.byte(target::OWN);
            out.number(0);
            out.number(0);
            return;
        }
        out.byte(target::ITEM);
        self.names(thing, symbol, out);
        out.signed(offset);
        self.note(Concrete::Thing(thing as u32));
        self.label_table(thing);
    }

    /// A named table of labels (`static void *const t[] = {&&a, &&b}`) steers the function whose labels it
    /// lists: it is a datum of its own, and its order is the function's too.
    fn label_table(&mut self, thing: usize) {
        let Some(own) = self.own.filter(|_| !self.label_tables.contains(&thing)) else { return };
        let Some(body) = self.model.bodies.get(thing).filter(|b| b.pieces.is_empty()) else { return };
        let lists = |place: &Place| matches!(place, Place::Code(function, ..) if *function == own);
        let entries: Vec<_> = body
            .uses
            .iter()
            .filter(|one| lists(&one.place))
            .map(|one| (u64::from(one.at), one.kind, one.place))
            .collect();
        if !entries.is_empty() {
            self.label_tables.push(thing);
            let mut out = std::mem::take(&mut self.tables);
            self.entries(entries, &mut out);
            out.blob(b"");
            self.tables = out;
        }
    }

    fn entries(&mut self, entries: Vec<(u64, u32, Place)>, out: &mut Vec<u8>) {
        out.number(entries.len() as u64);
        for (offset, kind, place) in entries {
            out.number(offset);
            out.number(kind.into());
            self.target(place, 0, out);
        }
    }

    /// Writes a thing's name: the one used where others may define it too, else the first of its names. (Not
    /// the whole set: a caller is the same when its callee gains an alias. That the set changed is said at the
    /// callee, and who reaches which thing is compared by the concrete references.)
    fn names(&mut self, thing: usize, symbol: Option<u32>, out: &mut Vec<u8>) {
        let model = self.model;
        let first = model.owner.things.get(thing).and_then(|t| t.symbols.first());
        let fresh: (Cow<'_, [u8]>, bool);
        let (stem, numbered) = match symbol.filter(|s| first != Some(s)) {
            None => model.stems.get(thing).map_or((&[][..], false), |(stem, numbered)| (&**stem, *numbered)),
            Some(other) => {
                fresh = model.facts.symbols.get(other as usize).map_or_else(Default::default, names::stem_of);
                (&*fresh.0, fresh.1)
            }
        };
        out.blob(stem);
        let mut ordinal = 0;
        if numbered {
            let met = self.numbered.entry(stem.to_vec()).or_default();
            let at = met.iter().position(|t| *t == thing).unwrap_or_else(|| {
                met.push(thing);
                met.len() - 1
            });
            ordinal = at as u64 + 1;
        }
        out.number(ordinal);
    }

    fn private(&mut self, section: usize, offset: i64, access: u8, out: &mut Vec<u8>) {
        let extent =
            u64::try_from(offset).ok().and_then(|at| self.privates.extent(self.model, section, at, access));
        let (Some(extent), Some(home)) = (extent, self.model.section(section)) else {
            out.byte(target::SECTION);
            out.blob(self.model.section(section).map_or(b"", |s| s.name));
            out.signed(offset);
            return;
        };
        let (tag, number) = if let Some(known) = self.met.get(&extent) {
            *known
        } else {
            let role = self.role(home, &extent);
            let (tag, kind) = match role {
                Role::String => (target::STRING, 0),
                Role::Constant => (target::CONSTANT, 1),
                Role::Table(_) | Role::Distances(..) => (target::TABLE, 2),
            };
            let number = self.counts.get(kind).copied().unwrap_or(0);
            if let Some(count) = self.counts.get_mut(kind) {
                *count += 1;
            }
            self.met.insert(extent, (tag, number));
            self.pending.push((extent, role));
            (tag, number)
        };
        out.byte(tag);
        out.number(number);
        if tag == target::STRING {
            out.signed(offset.wrapping_sub(extent.start.cast_signed()));
        }
    }

    /// A table is nothing but places in functions: each field relocated to one, and no byte between.
    fn role(&self, home: &Section<'_>, extent: &Extent) -> Role {
        if extent.string {
            return Role::String;
        }
        let relocations = home.relocations_in(extent.start, extent.end);
        let map = self.model.maps.get(extent.section).filter(|map| !map.is_empty());
        if map.is_some_and(|map| map.at(extent.start) != Mode::Data) && home.is_executable() {
            return Role::Constant; // a branch alone is no table
        }
        if relocations.is_empty() {
            return self
                .distances(home, extent)
                .map_or(Role::Constant, |(entries, end)| Role::Distances(entries, end));
        }
        self.table(home, extent, relocations).map_or(Role::Constant, Role::Table)
    }

    /// Writes the nameless bytes that were met, and those that they reach, until there are no more.
    pub fn follow(&mut self) {
        let mut next = 0;
        while let Some((extent, role)) = self.pending.get_mut(next) {
            let (extent, role) = (*extent, std::mem::replace(role, Role::Constant));
            next += 1;
            self.covered.push((extent.section, extent.start, extent.end));
            let Some(home) = self.model.section(extent.section) else { continue };
            match role {
                Role::String => {
                    self.strings.number(home.entry_size);
                    self.strings.blob(home.bytes(extent.start, extent.end));
                    let odd = self.odd_names(&extent);
                    self.strings.number(odd.len() as u64);
                    for (offset, size, kind) in odd {
                        self.strings.number(offset - extent.start);
                        self.strings.number(size);
                        self.strings.extend(kind);
                    }
                }
                Role::Constant => {
                    let mut out = std::mem::take(&mut self.constants);
                    self.sized_names(&extent, &mut out);
                    if home.is_executable() {
                        self.code(home, &extent, &mut out);
                    } else {
                        self.table_base =
                            self.is_relative_table(home, extent.start, extent.end).then_some(extent.start);
                        self.bytes(home, extent.start, extent.end, &mut out);
                        self.table_base = None;
                    }
                    self.constants = out;
                }
                Role::Table(entries) => {
                    let mut out = std::mem::take(&mut self.tables);
                    self.entries(entries, &mut out);
                    // Under a relocation with an explicit addend the field is normally zero.
                    let relocations = home.relocations_in(extent.start, extent.end);
                    let raw = self.masked(home, extent.start, extent.end, relocations);
                    out.blob(raw.trim_end_with(|c| c == '\0'));
                    self.tables = out;
                }
                Role::Distances(entries, end) => {
                    let mut out = std::mem::take(&mut self.tables);
                    self.entries(entries, &mut out);
                    out.blob(home.bytes(end.min(extent.end), extent.end));
                    self.tables = out;
                }
            }
        }
    }
}
