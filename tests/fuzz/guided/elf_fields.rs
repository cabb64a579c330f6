//! The fields of an ELF file's headers, symbols and relocations, of either width and byte order, and values that may
//! upset a reader of them. The file need not be sound: what does not lie in it is not changed.

use super::store_support::Numbers;

/// Offset in an entry, and width in bytes.
type Field = (usize, usize);

const HEADER: [&[Field]; 2] = [
    &[(16, 2), (18, 2), (32, 4), (46, 2), (48, 2), (50, 2)],
    &[(16, 2), (18, 2), (40, 8), (58, 2), (60, 2), (62, 2)],
];
const SECTION: [&[Field]; 2] = [
    &[(0, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4), (28, 4), (32, 4), (36, 4)],
    &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)],
];
const SYMBOL: [&[Field]; 2] = [
    &[(0, 4), (4, 4), (8, 4), (12, 1), (13, 1), (14, 2)],
    &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)],
];
const RELOCATION: [&[Field]; 2] = [&[(0, 4), (4, 1), (5, 3), (8, 4)], &[(0, 8), (8, 4), (12, 4), (16, 8)]];

/// How long an entry of sections, symbols, relocations with and without addends is.
const SECTION_SIZE: [usize; 2] = [40, 64];
const SYMBOL_SIZE: [usize; 2] = [16, 24];

struct Elf<'a> {
    bytes: &'a [u8],
    wide: usize,
    big: bool,
}

impl Elf<'_> {
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }

    /// A place in the file, of a field that tells one.
    fn place(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at, 4 << self.wide)?).ok()
    }

    /// One field of the file, drawn: where it is, and how wide.
    fn draw(&self, numbers: &mut Numbers) -> Option<Field> {
        let of = |at: usize, fields: &[Field], numbers: &mut Numbers| {
            let (offset, width) = fields[numbers.below(fields.len() as u64) as usize];
            Some((at.checked_add(offset)?, width))
        };
        let wide = self.wide;
        if numbers.below(16) == 0 {
            return of(0, HEADER[wide], numbers);
        }
        let table = self.place(if wide == 1 { 40 } else { 32 })?;
        let count = self.number(if wide == 1 { 60 } else { 48 }, 2)?;
        let header = |index: u64| table.checked_add(usize::try_from(index).ok()? * SECTION_SIZE[wide]);
        let section = header(numbers.below(count.max(1)))?;
        if numbers.below(3) == 0 {
            return of(section, SECTION[wide], numbers);
        }
        // A section of entries, sought from the drawn one on.
        let kind = |at: usize| self.number(at.checked_add(4)?, 4);
        let start = numbers.below(count.max(1));
        let wanted: &[u64] = if numbers.below(2) == 0 { &[2, 11] } else { &[4, 9] };
        let found = (0..count)
            .filter_map(|step| header((start + step) % count))
            .find(|at| kind(*at).is_some_and(|kind| wanted.contains(&kind)));
        let Some(found) = found else { return of(section, SECTION[wide], numbers) };
        let (offset, size) = if wide == 1 { (24, 32) } else { (16, 20) };
        let (start, size) = (self.place(found + offset)?, self.place(found + size)?);
        let (fields, length) = match kind(found)? {
            2 | 11 => (SYMBOL[wide], SYMBOL_SIZE[wide]),
            4 => (RELOCATION[wide], 12 << wide),
            _ => (&RELOCATION[wide][..RELOCATION[wide].len() - 1], 8 << wide),
        };
        let entry = numbers.below(((size / length) as u64).max(1)) as usize;
        of(start.checked_add(entry.checked_mul(length)?)?, fields, numbers)
    }
}

/// Changes one field; `None` where this is no ELF file, or the field drawn does not lie in it.
pub fn change(file: &mut [u8], numbers: &mut Numbers) -> Option<()> {
    if !file.starts_with(b"\x7fELF") {
        return None;
    }
    let (wide, big) = (usize::from(*file.get(4)? == 2), *file.get(5)? == 2);
    let elf = Elf { bytes: file, wide, big };
    let (at, width) = elf.draw(numbers)?;
    let value = elf.number(at, width)?;
    // Another field's value of the same width, for what must agree and does not.
    let other = elf.draw(numbers).and_then(|(at, _)| elf.number(at, width)).unwrap_or(value);
    let length = file.len() as u64;
    let value = match numbers.below(12) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX >> (65 - width * 8).min(63),
        3 => value ^ 1 << numbers.below(width as u64 * 8),
        4 => value.wrapping_add(1),
        5 => value.wrapping_sub(1),
        6 => value.wrapping_add([4, 8, 16, 0u64.wrapping_sub(8)][numbers.below(4) as usize]),
        7 => numbers.below(64),
        8 => numbers.below(length.max(1)),
        9 => length.wrapping_sub(numbers.below(32)),
        10 => 1 << numbers.below(width as u64 * 8),
        _ => other,
    };
    let bytes = if big { (value << (64 - width * 8)).to_be_bytes() } else { value.to_le_bytes() };
    file.get_mut(at..at.checked_add(width)?)?.copy_from_slice(&bytes[..width]);
    Some(())
}
