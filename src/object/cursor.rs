//! Reads the fields of unwinding tables: fixed-width numbers in the file's byte order, LEB128, C strings.

/// A position in some bytes; every read moves it, `None` at the end.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'b> {
    bytes: &'b [u8],
    /// Offset of the next byte.
    pub at: usize,
    little_endian: bool,
}

impl<'b> Cursor<'b> {
    /// Starts at an offset.
    pub fn new(bytes: &'b [u8], at: usize, little_endian: bool) -> Self {
        Self { bytes, at, little_endian }
    }

    /// That many bytes.
    pub fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// An unsigned number of that many bytes (at most 8).
    pub fn unsigned(&mut self, size: usize) -> Option<u64> {
        let bytes = self.take(size)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.little_endian { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    }

    /// A signed number of that many bytes (1 to 8).
    pub fn signed(&mut self, size: usize) -> Option<i64> {
        let value = self.unsigned(size)?;
        let unused = 64_u32.checked_sub(8 * u32::try_from(size).ok()?).filter(|u| *u < 64)?;
        Some((value << unused).cast_signed() >> unused)
    }

    /// An unsigned LEB128 number.
    pub fn uleb(&mut self) -> Option<u64> {
        unsigned_leb(|| self.byte())
    }

    /// A signed LEB128 number.
    pub fn sleb(&mut self) -> Option<i64> {
        let mut value = 0_i64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let used = shift + 7;
                return Some(if byte & 0x40 != 0 && used < 64 { value | -1 << used } else { value });
            }
        }
        None
    }

    /// A string up to its NUL.
    pub fn c_string(&mut self) -> Option<&'b [u8]> {
        let length = self.bytes.get(self.at..)?.iter().position(|b| *b == 0)?;
        let string = self.take(length)?;
        self.byte()?;
        Some(string)
    }
}

/// Reads an unsigned LEB128 number byte by byte; `None` where it does not end within 64 bits.
pub fn unsigned_leb(mut next: impl FnMut() -> Option<u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The size in bytes of a pointer in a `DW_EH_PE_*` encoding of fixed width; `None` for LEB128 ones.
pub fn encoded_size(encoding: u8, bits: u8) -> Option<usize> {
    match encoding & 0x0f {
        0 => Some(usize::from(bits / 8)),
        0x02 | 0x0a => Some(2),
        0x03 | 0x0b => Some(4),
        0x04 | 0x0c => Some(8),
        _ => None,
    }
}
