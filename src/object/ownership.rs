//! Who owns which bytes: symbols to things, things to ranges of sections.
//!
//! A thing is what becomes an item: a function with its `.cold` piece, or a datum. Symbols of one place and one
//! size are one thing with several names (aliases, folded functions). A label inside a thing is not a thing,
//! but it is kept: moving it must show. Names that a compiler makes for data without a name (`.LC0`, `CSWTCH.5`)
//! make no thing: such bytes belong to whoever reaches them.

mod find;

pub use self::find::find;

use smallvec::SmallVec;

use super::facts::{Facts, Symbol};
use super::fingerprint::Kind;
use super::search::Last;

/// A contiguous run of bytes of one section, as offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// Index of the section.
    pub section: usize,
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
}

/// Symbols by their indices. Most things have one name and one piece, and an object has thousands of things: what they have lies
/// with them.
pub type Symbols = SmallVec<[u32; 4]>;

/// A function or a datum to be.
#[derive(Debug)]
pub struct Thing {
    /// [`Kind::Function`] or [`Kind::Data`].
    pub kind: Kind,
    /// Its symbols (indices), the one that names it first.
    pub symbols: Symbols,
    /// Its bytes: the body first, then the `.cold` pieces. Empty for common and absolute symbols.
    pub pieces: SmallVec<[Piece; 1]>,
    /// The range ends where the next symbol begins, for want of a size.
    pub inferred_size: bool,
    rare: Option<Box<Rare>>,
}

/// What few things have.
#[derive(Debug, Default)]
struct Rare {
    cold_symbols: Vec<u32>,
    labels: Vec<(u32, usize, u64)>,
    inside: Option<(usize, usize, u64)>,
}

impl Thing {
    /// About how much work it is, in bytes of its pieces.
    pub fn weight(&self) -> usize {
        let bytes = self.pieces.iter().fold(0_u64, |sum, p| sum.saturating_add(p.end - p.start));
        bytes.min(1 << 30) as usize
    }

    /// Symbols of the `.cold` pieces.
    pub fn cold_symbols(&self) -> &[u32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.cold_symbols)
    }

    /// Labels inside: symbol, piece, offset in the section.
    pub fn labels(&self) -> &[(u32, usize, u64)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.labels)
    }

    /// The thing that it lies inside of, and where: thing, piece, offset in the section.
    pub fn inside(&self) -> Option<(usize, usize, u64)> {
        self.rare.as_ref()?.inside
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// What the file says of its symbols, the one that names it first.
    pub fn symbols_in<'f, 'd>(&'f self, facts: &'f Facts<'d>) -> impl Iterator<Item = &'f Symbol<'d>> {
        self.symbols.iter().filter_map(|index| facts.symbols.get(*index as usize))
    }
}

/// All things of an object, and the way back from a place to its thing.
#[derive(Debug)]
pub struct Ownership {
    /// The things.
    pub things: Vec<Thing>,
    /// Per section: ranges sorted by start.
    ranges: Vec<Ranges>,
    /// Per symbol: its thing.
    by_symbol: Vec<Option<u32>>,
    /// Per section: nameless data that a symbol of the compiler's sizes (`CSWTCH.5`), as start and end, sorted.
    constants: Vec<Vec<(u64, u64)>>,
    /// Labels at places that nothing owns (a section's end): symbol indices per section.
    pub loose_labels: Vec<Vec<u32>>,
}

/// The ranges of a section, sorted by start. Each reference is searched for among the starts, which lie closest by themselves.
#[derive(Debug, Default)]
struct Ranges {
    list: Vec<Range>,
    starts: Vec<u64>,
    last: Last,
}

impl Ranges {
    /// The last range that begins at the place or before it, and its number.
    fn last_from(&self, offset: u64) -> Option<usize> {
        self.last.count(&self.starts, |start| *start <= offset).checked_sub(1)
    }
}

#[derive(Debug, Clone, Copy)]
struct Range {
    start: u64,
    end: u64,
    /// The furthest end of this range and all before it.
    reach: u64,
    thing: u32,
    piece: u32,
}

/// A place inside a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// Index of the thing.
    pub thing: usize,
    /// Which of its pieces.
    pub piece: usize,
}

impl Ownership {
    /// The innermost thing that contains the place.
    pub fn at(&self, section: usize, offset: u64) -> Option<Inside> {
        let ranges = self.ranges.get(section)?;
        let mut at = ranges.last_from(offset)?;
        while let Some(range) = ranges.list.get(at) {
            if offset < range.end {
                return Some(Inside { thing: range.thing as usize, piece: range.piece as usize });
            }
            if range.reach <= offset {
                return None;
            }
            at = at.checked_sub(1)?;
        }
        None
    }

    /// The bounds of the datum, named or not, that contains the place.
    pub fn datum_at(&self, section: usize, offset: u64) -> Option<(u64, u64)> {
        if let Some(inside) = self.at(section, offset) {
            let piece = self.things.get(inside.thing)?.pieces.get(inside.piece)?;
            return Some((piece.start, piece.end));
        }
        let constants = self.constants.get(section)?;
        let before = constants.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
        constants.get(before).copied().filter(|(_, end)| offset < *end)
    }

    /// Where the next datum behind the place begins, named or not.
    pub fn next_datum(&self, section: usize, offset: u64) -> Option<u64> {
        let constants = self.constants.get(section).map_or(&[][..], Vec::as_slice);
        let constant =
            constants.get(constants.partition_point(|(start, _)| *start <= offset)).map(|(start, _)| *start);
        self.next_start(section, offset).into_iter().chain(constant).min()
    }

    /// The thing that ends exactly at the place: what a pointer one past the end means.
    pub fn ending_at(&self, section: usize, offset: u64) -> Option<Inside> {
        let ranges = self.ranges.get(section)?;
        let range = ranges.list.get(ranges.last_from(offset.checked_sub(1)?)?).filter(|r| r.end == offset)?;
        Some(Inside { thing: range.thing as usize, piece: range.piece as usize })
    }

    /// The thing that the symbol names.
    pub fn of_symbol(&self, symbol: u32) -> Option<usize> {
        self.by_symbol.get(symbol as usize).copied().flatten().map(|t| t as usize)
    }

    /// Where the next owned range behind the place begins.
    pub fn next_start(&self, section: usize, offset: u64) -> Option<u64> {
        let starts = &self.ranges.get(section)?.starts;
        starts.get(starts.partition_point(|start| *start <= offset)).copied()
    }

    /// The owned ranges of a section as (start, end), sorted by start.
    pub fn ranges(&self, section: usize) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.get(section).into_iter().flat_map(|ranges| &ranges.list).map(|r| (r.start, r.end))
    }
}
