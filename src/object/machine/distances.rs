//! Jump tables that hold distances the assembler worked out itself: no relocation says what they are.
//!
//! aarch64 and Thumb write a table of a byte or two an entry, ppc64le of words behind the branch; all count from
//! a label in the function. Taken as bytes they would change with every alignment inside it. Where the code that
//! reads a table is recognised, its entries are the places they lead to; where it is not, they stay bytes, which
//! is at worst a difference too many.

use super::super::facts::Section;
use super::super::places::Place;

/// A table of distances outside the code that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distances {
    /// Section and offset of the table.
    pub table: (usize, u64),
    /// Bytes an entry: 1, 2 or 4.
    pub width: u8,
    /// Entries, where the code tells; else up to the end of the nameless bytes.
    pub count: Option<u64>,
    /// Whether entries are signed.
    pub signed: bool,
    /// Bytes that an entry of 1 stands for.
    pub scale: i64,
    /// What they count from: an offset in the section of the code.
    pub base: u64,
    /// The function's piece that holds the code: thing, piece.
    pub home: (usize, usize),
}

impl Distances {
    /// The entries, as offset in the table and offset in the section of the code. `end` is that of the nameless
    /// bytes, whose last zeros are left out, be they part of an entry or not.
    pub fn entries(&self, home: &Section<'_>, end: u64) -> Vec<(u64, i64)> {
        let width = u64::from(self.width.max(1));
        let start = self.table.1;
        let count = match self.count {
            Some(count) => count.min(home.size.saturating_sub(start) / width),
            None => end.saturating_sub(start).div_ceil(width),
        };
        let bytes = home.bytes(start, start + count * width);
        let entries = bytes.chunks_exact(self.width.max(1).into()).zip(0..);
        entries.map(|(entry, n)| (n * width, self.leads_to(entry))).collect()
    }

    /// The offset in the section of the code that an entry leads to.
    fn leads_to(&self, entry: &[u8]) -> i64 {
        let value = entry.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let unused = 64 - 8 * entry.len() as u32;
        let value = if self.signed { (value << unused).cast_signed() >> unused } else { value.cast_signed() };
        self.base.cast_signed().wrapping_add(value.wrapping_mul(self.scale))
    }

    /// The place that an entry means, given where it leads and the bounds of the piece.
    pub fn place(&self, target: i64, piece: (u64, u64)) -> Option<Place> {
        let at = u64::try_from(target).ok().filter(|at| (piece.0..piece.1).contains(at))?;
        Some(Place::Code(self.home.0, self.home.1, at))
    }
}
