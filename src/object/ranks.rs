//! The number of an instruction by its offset, at once.
//!
//! Every branch asks for the number of its target. A search in the list halves it time and again, and a processor guesses each
//! half wrong every other time: in SQLite that was a tenth of a fingerprint's time. One bit for each byte of code says whether an
//! instruction begins there; how many come before a place is a sum kept for each word of bits, and the bits before it in its word.

use super::x86::Instruction;

/// Up to so many instructions a search is as quick.
const SEARCHED: usize = 32;

/// Where the instructions of one piece begin; empty where they are few.
#[derive(Debug, Default)]
pub struct Ranks {
    /// Offset in the section of the first bit.
    start: u64,
    /// For every 64 bytes: how many instructions begin before them, and a bit for each byte at which one begins, the lowest
    /// first.
    words: Vec<(u32, u64)>,
}

impl Ranks {
    /// Of a list that is sorted by offset.
    pub fn of(list: &[Instruction]) -> Self {
        if list.len() <= SEARCHED {
            return Self::default();
        }
        debug_assert!(list.is_sorted_by(|a, b| a.start < b.start));
        let begin = |one: Option<&Instruction>| one.map_or(0, |i| u64::from(i.start));
        let (start, end) = (begin(list.first()), begin(list.last()));
        let mut words = vec![(0_u32, 0_u64); (end.saturating_sub(start) / 64 + 1) as usize];
        for instruction in list {
            let at = u64::from(instruction.start).wrapping_sub(start);
            if let Some((_, bits)) = words.get_mut((at / 64) as usize) {
                *bits |= 1 << (at % 64);
            }
        }
        let mut before = 0;
        for (sum, bits) in &mut words {
            *sum = before;
            before += bits.count_ones();
        }
        Self { start, words }
    }

    /// Of each piece; none at all where all are short.
    pub fn of_all(pieces: &[Vec<Instruction>]) -> Vec<Self> {
        if pieces.iter().all(|list| list.len() <= SEARCHED) {
            return Vec::new();
        }
        pieces.iter().map(|list| Self::of(list)).collect()
    }

    /// How many instructions of `list`, of which this was made, begin before an offset in the section.
    pub fn before(&self, list: &[Instruction], offset: u64) -> usize {
        if self.words.is_empty() {
            return list.partition_point(|i| u64::from(i.start) < offset);
        }
        let Some(at) = offset.checked_sub(self.start) else { return 0 };
        match self.words.get((at / 64) as usize) {
            Some((before, bits)) => (before + (bits & ((1 << (at % 64)) - 1)).count_ones()) as usize,
            None => list.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::x86;

    #[test]
    fn every_offset_has_the_number_that_a_search_finds() {
        // Instructions of one, two, three and seven bytes; a short list, and one over several words.
        for count in [3, 200] {
            let code: Vec<u8> =
                [0x90, 0x31, 0xc0, 0x48, 0x89, 0xd8, 0x48, 0x8d, 0x05, 1, 0, 0, 0].repeat(count);
            let mut list = Vec::new();
            x86::decode(&code, 100, 64, 1, &[], &[], &mut list);
            assert_eq!(list.len(), 4 * count);
            let ranks = Ranks::of(&list);
            assert_eq!(ranks.words.is_empty(), count == 3);
            for offset in 0..code.len() as u64 + 300 {
                let expected = list.iter().filter(|i| u64::from(i.start) < offset).count();
                assert_eq!(ranks.before(&list, offset), expected, "{count} {offset}");
            }
        }
    }
}
