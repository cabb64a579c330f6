//! Mapping symbols: which bytes of a section are code, in which encoding, and which are data.
//!
//! Source: ELF for the Arm Architecture, 5.5.5; ELF for the Arm 64-bit Architecture, 5.5.4; the RISC-V ELF
//! psABI, "Mapping Symbol". A mark counts up to the next one of its section. Without any, all is code.

use super::super::facts::{Definition, Facts};
use super::super::names;

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// `$x`, `$a`, or no mark: code in the machine's own encoding.
    Code,
    /// `$t`: Thumb code.
    Thumb,
    /// `$d`: data.
    Data,
}

/// The marks of one section, sorted.
#[derive(Debug, Clone, Default)]
pub struct Map(Vec<(u64, Mode)>);

impl Map {
    /// The runs of `start..end`, in order.
    pub fn runs(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64, Mode)> {
        let after = self.0.partition_point(|(at, _)| *at <= start);
        let first = after.checked_sub(1).and_then(|i| self.0.get(i)).map_or(Mode::Code, |m| m.1);
        let rest = self.0.get(after..).unwrap_or_default();
        let inside = rest.iter().copied().take_while(move |(at, _)| *at < end);
        let begins = std::iter::once((start, first)).chain(inside.clone());
        let ends = inside.map(|(at, _)| at).chain([end]);
        begins.zip(ends).map(|((from, mode), to)| (from, to, mode)).filter(|(from, to, _)| from < to)
    }

    /// Whether the section has no marks.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the byte at an offset is.
    pub fn at(&self, offset: u64) -> Mode {
        let after = self.0.partition_point(|(at, _)| *at <= offset);
        after.checked_sub(1).and_then(|i| self.0.get(i)).map_or(Mode::Code, |m| m.1)
    }
}

/// The maps of all sections, by index.
pub fn find(facts: &Facts<'_>) -> Vec<Map> {
    let mut maps = vec![Map::default(); facts.sections.len()];
    for symbol in facts.symbols.iter().take(facts.defining).filter(|s| names::is_mapping(s)) {
        let mode = match symbol.name.get(1) {
            Some(b'x' | b'a') => Mode::Code,
            Some(b't') => Mode::Thumb,
            Some(b'd') => Mode::Data,
            _ => continue,
        };
        if let Definition::Section(at) = symbol.definition
            && let Some(map) = maps.get_mut(at)
        {
            map.0.push((symbol.value, mode));
        }
    }
    for map in &mut maps {
        map.0.sort_by_key(|(at, _)| *at);
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_split_at_marks() {
        let map = Map(vec![(0, Mode::Thumb), (8, Mode::Data), (12, Mode::Thumb), (12, Mode::Data)]);
        let runs: Vec<_> = map.runs(4, 16).collect();
        assert_eq!(runs, [(4, 8, Mode::Thumb), (8, 12, Mode::Data), (12, 16, Mode::Data)]);
        assert_eq!(Map::default().runs(4, 16).collect::<Vec<_>>(), [(4, 16, Mode::Code)]);
        assert_eq!(map.at(8), Mode::Data);
    }
}
