//! The encoding of canonical streams: what is hashed, and what can be read again to be shown.
//!
//! A stream is a sequence of entries. Every variable-length field carries its length, so that no two different
//! inputs give the same bytes. Numbers are LEB128 (signed ones zigzag first). The entries of each part are
//! listed in [`super::recipe`].

/// Tags of entries of the `code` part other than a literal instruction, whose tag is its length (1 to 15).
pub mod code {
    /// A branch without relocation: opcode (length, bytes in the near form), then 1 and an instruction number,
    /// or 0 where the target stands in `references`.
    pub const BRANCH: u8 = 0x10;
    /// An instruction with a PC-relative operand and no relocation: length, bytes with the field zeroed, field.
    pub const MEMORY: u8 = 0x11;
    /// Bytes that were not decoded.
    pub const RAW: u8 = 0x12;
    /// The next piece (`.cold`) begins.
    pub const PIECE: u8 = 0x13;
}

/// Tags of targets.
pub mod target {
    /// A symbol that the file does not define: name, binding, visibility, type, value, size; then the addend.
    pub const EXTERNAL: u8 = 1;
    /// An item: its name without a number, index of first use where it had one; then the offset.
    pub const ITEM: u8 = 2;
    /// A place in another function: name as for an item, instruction number, distance into the instruction.
    pub const CODE: u8 = 3;
    /// A place in this function: instruction number, distance into the instruction.
    pub const OWN: u8 = 4;
    /// A string of this item: number, offset in bytes.
    pub const STRING: u8 = 5;
    /// A constant of this item: number, offset.
    pub const CONSTANT: u8 = 6;
    /// A table of this item: number.
    pub const TABLE: u8 = 7;
    /// A place in a section that nothing else tells: section name, offset; 0 for an anchor that only serves to reach others.
    pub const SECTION: u8 = 8;
    /// A number.
    pub const ABSOLUTE: u8 = 9;
    /// A distance from nameless bytes, then these as a target.
    pub const BEYOND: u8 = 10;
}

/// Keys of entries of the `attributes` part.
pub mod attribute {
    /// Section name.
    pub const SECTION: u8 = 1;
    /// `STB_*`.
    pub const BINDING: u8 = 2;
    /// `st_other`.
    pub const VISIBILITY: u8 = 3;
    /// `STT_*`.
    pub const TYPE: u8 = 4;
    /// Another name of the same place: name, binding, visibility, type.
    pub const ALIAS: u8 = 5;
    /// A label inside: name, binding, visibility, type, position.
    pub const LABEL: u8 = 6;
    /// Entry hook.
    pub const HOOK: u8 = 7;
    /// Size in bytes (data).
    pub const SIZE: u8 = 8;
    /// Alignment in bytes, where it can be known.
    pub const ALIGNMENT: u8 = 9;
    /// COMDAT group signature.
    pub const GROUP: u8 = 10;
    /// `sh_type`.
    pub const SECTION_TYPE: u8 = 11;
    /// `sh_flags`.
    pub const SECTION_FLAGS: u8 = 12;
    /// `sh_entsize`.
    pub const ENTRY_SIZE: u8 = 13;
    /// Section of a `.cold` piece.
    pub const COLD: u8 = 14;
    /// A value (absolute symbols).
    pub const VALUE: u8 = 15;
    /// It lies inside another item: name, position there.
    pub const INSIDE: u8 = 16;
    /// What the linker is to bring in: target.
    pub const NEEDS: u8 = 17;
}

/// Tags of entries of the `unwinding` part.
pub mod unwinding {
    /// A CIE: version, augmentation, alignments, register, initial instructions, personality.
    pub const CIE: u8 = 1;
    /// A call-frame instruction: place, bytes. (A place is an instruction number and the distance into it.)
    pub const CFI: u8 = 2;
    /// A call site: first place and the one behind the last, 1 and the landing pad or 0, actions.
    pub const CALL_SITE: u8 = 3;
    /// A type of the type table: filter, target, field.
    pub const TYPE: u8 = 4;
    /// An exception specification: filter, bytes.
    pub const SPECIFICATION: u8 = 5;
    /// Something that could not be read: bytes.
    pub const RAW: u8 = 6;
    /// The range of an FDE: first place and the one behind the last, field of the first.
    pub const RANGE: u8 = 7;
    /// The exception table is a named datum: target.
    pub const TABLE: u8 = 8;
    /// A relocated pointer's field: relocation type + 1 (0 none), raw bytes.
    pub const FIELD: u8 = 9;
    /// An exception table's encodings: of its start, its types, its call sites.
    pub const HEAD: u8 = 10;
    /// A relocation that no field accounts for: offset in its entry or table, type, target.
    pub const STRAY: u8 = 11;
    /// Actions and types that no call site leads to: distance from the even place behind the actions to the types
    /// in use, bytes without the zeros at both ends.
    pub const UNUSED: u8 = 12;
    /// Compiler-made symbols inside an exception table: their number, then offset, size, type, binding, `st_other`.
    pub const NAMES: u8 = 13;
    /// What the field of a distance holds, where relocations make another of it: number.
    pub const STORED: u8 = 14;
}

/// Appends fields to a stream.
pub trait Write {
    /// One byte.
    fn byte(&mut self, value: u8);
    /// An unsigned number.
    fn number(&mut self, value: u64);
    /// A signed number.
    fn signed(&mut self, value: i64);
    /// Bytes with their length before them.
    fn blob(&mut self, bytes: &[u8]);
}

impl Write for Vec<u8> {
    fn byte(&mut self, value: u8) {
        self.push(value);
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63).cast_unsigned());
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// Reads fields back; `None` at the end or where a stream is not one.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'s> {
    rest: &'s [u8],
}

impl<'s> Reader<'s> {
    /// Reads from the start of a stream.
    pub fn new(stream: &'s [u8]) -> Self {
        Self { rest: stream }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// An unsigned number.
    pub fn number(&mut self) -> Option<u64> {
        super::cursor::unsigned_leb(|| self.byte())
    }

    /// A signed number.
    pub fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The bytes of one target, as [`target`] lists them.
    pub fn target(&mut self) -> Option<&'s [u8]> {
        let all = self.rest;
        match self.byte()? {
            target::EXTERNAL => {
                self.blob()?;
                self.bytes(3)?;
                self.number()?;
                self.number()?;
                self.signed()?;
            }
            target::ITEM => {
                self.blob()?;
                self.number()?;
                self.signed()?;
            }
            target::CODE => {
                self.blob()?;
                self.number()?;
                self.number()?;
                self.number()?;
            }
            target::OWN | target::STRING => {
                self.number()?;
                self.number()?;
            }
            target::CONSTANT | target::TABLE => drop(self.number()?),
            target::SECTION => {
                self.blob()?;
                self.signed()?;
            }
            target::ABSOLUTE => drop(self.signed()?),
            _ => return None,
        }
        all.get(..all.len() - self.rest.len())
    }

    /// That many bytes.
    pub fn bytes(&mut self, length: usize) -> Option<&'s [u8]> {
        let (head, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(head)
    }

    /// Bytes with their length before them.
    pub fn blob(&mut self) -> Option<&'s [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_come_back(number: u64, signed: i64, blob: Vec<u8>) {
            let mut out = Vec::new();
            out.number(number);
            out.signed(signed);
            out.blob(&blob);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.signed(), Some(signed));
            prop_assert_eq!(reader.blob(), Some(blob.as_slice()));
            prop_assert!(reader.is_empty());
        }
    }
}
