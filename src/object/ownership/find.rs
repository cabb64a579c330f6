//! Finds the things of an object: symbols with a size, those without one, cold pieces, labels.

use std::collections::HashMap;

use super::super::facts::{Definition, Facts, Section, Symbol};
use super::super::fingerprint::Kind;
use super::super::names;
use super::{Ownership, Piece, Range, Ranges, Symbols, Thing};

/// Finds the things of an object.
pub fn find(facts: &Facts<'_>) -> Ownership {
    let mut finder = Finder {
        facts,
        owner: Ownership {
            // What is not written to costs nothing, and a list that grows is moved.
            things: Vec::with_capacity(facts.defining),
            ranges: facts.sections.iter().map(|_| Ranges::default()).collect(),
            by_symbol: vec![None; facts.symbols.len()],
            constants: vec![Vec::new(); facts.sections.len()],
            loose_labels: vec![Vec::new(); facts.sections.len()],
        },
    };
    let places = finder.sized();
    finder.unsized_symbols(places);
    finder.cold_pieces();
    finder.ranges();
    finder.owner.ranges.iter_mut().for_each(|ranges| ranges.list.shrink_to_fit());
    finder.labels();
    finder.overlaps();
    finder.dynamic_symbols();
    // What the list has room for beyond is some megabytes of a large object.
    finder.owner.things.shrink_to_fit();
    finder.owner
}

struct Finder<'a, 'd> {
    facts: &'a Facts<'d>,
    owner: Ownership,
}

/// Symbols without a size, by section and offset.
type Unsized = Vec<(usize, u64, u32)>;

/// Functions by name and source, each with the number of its symbol.
type Parents<'d> = HashMap<(&'d [u8], Option<&'d [u8]>), Vec<(u32, usize)>>;

/// How many kinds of names are told apart at a glance. (A prime: remainders take in all bytes.)
const GLANCES: usize = 1021;

impl<'d> Finder<'_, 'd> {
    fn symbol(&self, index: u32) -> Option<&Symbol<'d>> {
        self.facts.symbols.get(index as usize)
    }

    fn section(&self, index: usize) -> Option<&Section<'d>> {
        self.facts.sections.get(index)
    }

    /// Makes a thing of each place that has sized symbols; gives back the symbols that have no size.
    fn sized(&mut self) -> Unsized {
        let mut without_size = Vec::new();
        let mut sized = Vec::new();
        let mut alone = Vec::new();
        for (index, symbol) in self.facts.symbols.iter().enumerate().take(self.facts.defining).skip(1) {
            let index = index as u32;
            if symbol.is_file() || symbol.is_section() {
                continue;
            }
            match symbol.definition {
                Definition::Common | Definition::Absolute => alone.push(index),
                Definition::Section(at) if self.section(at).is_some_and(Section::is_allocated) => {
                    if names::is_private(symbol.name) {
                        if symbol.size > 0
                            && let Some(constants) = self.owner.constants.get_mut(at)
                        {
                            constants.push((symbol.value, symbol.value.saturating_add(symbol.size)));
                        }
                    } else if names::is_mapping(symbol) {
                    } else if symbol.size == 0 {
                        without_size.push((at, symbol.value, index));
                    } else {
                        sized.push((at, symbol.value, symbol.size, index));
                    }
                }
                _ => {}
            }
        }
        self.owner.constants.iter_mut().for_each(|constants| constants.sort_unstable());
        sized.sort_unstable();
        for group in sized.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
            let Some(&(section, start, size, _)) = group.first() else { continue };
            let symbols = group.iter().map(|(.., index)| *index).collect();
            let limit = self.section(section).map_or(0, |s| s.size);
            let end = start.saturating_add(size).min(limit.max(start));
            self.add(symbols, Some(Piece { section, start, end }), false);
        }
        for index in alone {
            self.add(Symbols::from_slice(&[index]), None, false);
        }
        without_size
    }

    fn add(&mut self, mut symbols: Symbols, piece: Option<Piece>, inferred_size: bool) {
        // The name that others can use comes first; among equals the least, so that order in the file is no
        // part of the result.
        symbols.sort_by_key(|i| self.symbol(*i).map(|s| (names::rank(s), s.name)));
        let executable = piece.is_some_and(|p| self.section(p.section).is_some_and(Section::is_executable));
        let kind = if executable { Kind::Function } else { Kind::Data };
        let thing = self.owner.things.len() as u32;
        for symbol in &symbols {
            if let Some(slot) = self.owner.by_symbol.get_mut(*symbol as usize) {
                *slot = Some(thing);
            }
        }
        self.owner.things.push(Thing {
            kind,
            symbols,
            pieces: piece.into_iter().collect(),
            inferred_size,
            rare: None,
        });
    }

    /// Symbols without a size: another name, a label, or a thing that reaches to the next symbol.
    fn unsized_symbols(&mut self, mut without_size: Unsized) {
        without_size.sort_unstable();
        self.ranges();
        let mut index = 0;
        let mut inferred = Vec::new();
        while let Some(&(section, offset, _)) = without_size.get(index) {
            let same =
                without_size.iter().skip(index).take_while(|(s, o, _)| (*s, *o) == (section, offset)).count();
            let symbols: Symbols = without_size.iter().skip(index).take(same).map(|(.., i)| *i).collect();
            index += same;
            let size = self.section(section).map_or(0, |s| s.size);
            if self.owner.at(section, offset).is_some() {
                continue; // a label, found by `labels`
            }
            if offset >= size {
                if let Some(loose) = self.owner.loose_labels.get_mut(section) {
                    loose.extend(symbols);
                }
                continue;
            }
            let next_symbol = without_size.get(index).filter(|n| n.0 == section).map_or(size, |n| n.1);
            let next_thing = self.owner.next_start(section, offset).unwrap_or(size);
            let end = next_symbol.min(next_thing).min(size);
            inferred.push((symbols, Piece { section, start: offset, end }));
        }
        for (symbols, piece) in inferred {
            self.add(symbols, Some(piece), true);
        }
    }

    /// Gives each `.cold` piece to its parent: the function of the name before the suffix, of the same file.
    fn cold_pieces(&mut self) {
        let facts = self.facts;
        let symbols = |thing| Thing::symbols_in(thing, facts);
        let functions = || self.owner.things.iter().enumerate().filter(|(_, t)| t.kind == Kind::Function);
        let mut cold = Vec::new();
        for (index, thing) in functions() {
            for symbol in symbols(thing) {
                cold.extend(names::cold_parent(symbol.name).map(|parent| (index, parent, symbol.file)));
            }
        }
        if cold.is_empty() {
            return;
        }
        // Few functions have one: most are told by a glance at their names to be nobody's parent.
        let slot = |name: &[u8]| {
            (names::first_bytes(name).wrapping_add(name.len() as u64) % GLANCES as u64) as usize
        };
        let mut wanted = [false; GLANCES];
        for (_, parent, _) in &cold {
            if let Some(is_wanted) = wanted.get_mut(slot(parent)) {
                *is_wanted = true;
            }
        }
        let is_wanted = |name: &[u8]| wanted.get(slot(name)).is_some_and(|is_wanted| *is_wanted);
        // Linked into one object, two sources of one name may have a static of one name each.
        let mut parents: Parents<'_> = HashMap::new();
        for (index, thing) in functions() {
            for number in &thing.symbols {
                if let Some(symbol) = self.symbol(*number)
                    && is_wanted(symbol.name)
                    && names::cold_parent(symbol.name).is_none()
                {
                    parents.entry((symbol.name, symbol.file)).or_default().push((*number, index));
                }
            }
        }
        for (index, parent, file) in cold {
            let Some(several) = parents.get(&(parent, file)).or_else(|| parents.get(&(parent, None))) else {
                continue;
            };
            // A source's symbols stand together.
            let own = self.owner.things.get(index).and_then(|t| t.symbols.first().copied()).unwrap_or(0);
            let nearest = several.iter().min_by_key(|(number, _)| number.abs_diff(own));
            let Some(&(_, owner)) = nearest else { continue };
            if owner == index {
                continue;
            }
            let Some(piece) = self.owner.things.get_mut(index) else { continue };
            let (pieces, symbols) = (std::mem::take(&mut piece.pieces), std::mem::take(&mut piece.symbols));
            for symbol in &symbols {
                if let Some(slot) = self.owner.by_symbol.get_mut(*symbol as usize) {
                    *slot = Some(owner as u32);
                }
            }
            if let Some(thing) = self.owner.things.get_mut(owner) {
                thing.pieces.extend(pieces);
                thing.rare().cold_symbols.extend(symbols);
            }
        }
    }

    fn ranges(&mut self) {
        self.owner.ranges.iter_mut().for_each(|ranges| ranges.list.clear());
        for (index, thing) in self.owner.things.iter().enumerate() {
            for (number, piece) in thing.pieces.iter().enumerate() {
                if let Some(ranges) = self.owner.ranges.get_mut(piece.section) {
                    let (start, end) = (piece.start, piece.end);
                    let range = Range { start, end, reach: end, thing: index as u32, piece: number as u32 };
                    ranges.list.push(range);
                }
            }
        }
        for ranges in &mut self.owner.ranges {
            // Of two that start together the longer comes first, so that the innermost is met first from behind.
            ranges.list.sort_unstable_by_key(|r| (r.start, u64::MAX - r.end));
            let mut reach = 0;
            for range in &mut ranges.list {
                reach = range.end.max(reach);
                range.reach = reach;
            }
            ranges.starts.clear();
            ranges.starts.extend(ranges.list.iter().map(|range| range.start));
        }
    }

    /// Notes every symbol that lies inside a thing without being one of its names.
    fn labels(&mut self) {
        for (index, symbol) in self.facts.symbols.iter().enumerate().take(self.facts.defining).skip(1) {
            let Definition::Section(section) = symbol.definition else { continue };
            let has_thing = self.owner.by_symbol.get(index).is_some_and(Option::is_some);
            if has_thing
                || symbol.name.is_empty()
                || symbol.is_section()
                || symbol.is_file()
                || names::is_private(symbol.name)
                || names::is_mapping(symbol)
            {
                continue;
            }
            let Some(inside) = self.owner.at(section, symbol.value) else { continue };
            if let Some(thing) = self.owner.things.get_mut(inside.thing) {
                thing.rare().labels.push((index as u32, inside.piece, symbol.value));
            }
        }
    }

    /// A thing that begins inside another, or behind its start at one place, is a label of it too: moving one
    /// into the other must show.
    fn overlaps(&mut self) {
        let mut found = Vec::new();
        for ranges in &self.owner.ranges {
            let mut outer: Option<&Range> = None;
            for range in &ranges.list {
                if let Some(o) = outer.filter(|o| range.start < o.end && range.thing != o.thing) {
                    found.push((o.thing, o.piece, range.thing, range.start));
                }
                if outer.is_none_or(|o| range.end > o.end) {
                    outer = Some(range);
                }
            }
        }
        for (outer, piece, inner, start) in found {
            let Some(symbol) = self.owner.things.get(inner as usize).and_then(|t| t.symbols.first().copied())
            else {
                continue;
            };
            if let Some(thing) = self.owner.things.get_mut(outer as usize) {
                thing.rare().labels.push((symbol, piece as usize, start));
            }
            if let Some(thing) = self.owner.things.get_mut(inner as usize) {
                thing.rare().inside = Some((outer as usize, piece as usize, start));
            }
        }
    }

    /// Lets a linked file's dynamic symbols name the things that its static ones define.
    fn dynamic_symbols(&mut self) {
        if self.facts.defining == self.facts.symbols.len() {
            return;
        }
        let mut by_place: HashMap<(usize, u64, &[u8]), u32> = HashMap::new();
        for (index, symbol) in self.facts.symbols.iter().enumerate().take(self.facts.defining) {
            if let (Definition::Section(at), Some(thing)) =
                (symbol.definition, self.owner.of_symbol(index as u32))
            {
                by_place.insert((at, symbol.value, symbol.name), thing as u32);
            }
        }
        for (index, symbol) in self.facts.symbols.iter().enumerate().skip(self.facts.defining) {
            let Definition::Section(at) = symbol.definition else { continue };
            if let Some(slot) = self.owner.by_symbol.get_mut(index) {
                *slot = by_place.get(&(at, symbol.value, symbol.name)).copied();
            }
        }
    }
}
