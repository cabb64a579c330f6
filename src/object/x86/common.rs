//! The instructions that nearly all 64-bit x86 code consists of, told by a table.
//!
//! A decoder tells mnemonics, operands and their registers; a fingerprint wants where an instruction ends and what it
//! reaches. For nearly all that follows from prefix, opcode, ModRM and SIB (Intel's manual, vol. 2, chapter 2 and
//! appendix A), and without the decoder's own tables, which a small object never touches then. (Measured with callgrind: all of
//! SQLite takes 31 million instructions to take apart, and 51 where the decoder alone is asked.)
//!
//! The invariant: what is told here is what the decoder tells. What is not in the table is left to it. A test holds all
//! prefixes, opcodes, ModRM and SIB bytes of the table against it.

use super::fill::nop_length;
use super::opcodes::{
    ACCESS, BARE, BYTES, Entry, HAS_MODRM, I1, IMMEDIATE, IS_BRANCH, IS_PLAIN, IV, IZ, MEMORY, MODRM, ONE,
    OPERAND, P66, PF2, PF3, PLAIN, PLAIN_0F, REGISTERS, REL1, REL4, TEST1, TESTZ, TWO, W0, W1, W2, W8, W16,
    WS, WU, WZ,
};

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// Length in bytes.
    pub length: u8,
    /// What it reaches by a field relative to its end, and the field's offset, unless that has a relocation.
    pub reach: Option<(Relative, u8, i32)>,
    /// Width in bytes of an access whose address the field alone tells, where that can have a relocation.
    pub access: u8,
    /// It does nothing by its mnemonic.
    pub is_nop: bool,
}

/// What is reached by a distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relative {
    /// A branch or call.
    Branch,
    /// A memory operand.
    Memory,
}

/// What the table tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// An instruction of so many bytes that reaches nothing, and names no place by a field alone.
    Plain(u8),
    /// One that may.
    More(Common),
    /// Nothing: the decoder is to be asked.
    Nothing,
}

impl Told {
    /// What is told of the instruction at the start of `bytes`.
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        // Prefixes, REX, opcode, ModRM and SIB are seven bytes at most.
        let word = match bytes.first_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        let has_rex = word & 0xf0 == 0x40;
        let rest = if has_rex { word >> 8 } else { word };
        let is_behind_0f = rest as u8 == 0x0f;
        let (rows, rest) = if is_behind_0f { (&PLAIN_0F, rest >> 8) } else { (&PLAIN, rest) };
        let plain = rows.get(usize::from(rest as u8)).copied().unwrap_or_default();
        let field = 1 + u8::from(has_rex) + u8::from(is_behind_0f);
        let mut length = field + (plain & BYTES);
        if plain & HAS_MODRM != 0 {
            let (modrm, sib) = ((rest >> 8) as u8, (rest >> 16) as u8);
            let operand = OPERAND.get(usize::from(modrm)).copied().unwrap_or_default();
            if operand == 0 || modrm & 0xc7 == 4 && sib & 7 == 5 {
                return Self::at_length(bytes, word);
            }
            length += operand;
        }
        if usize::from(length) > bytes.len() {
            return Self::at_length(bytes, word);
        }
        if plain & IS_PLAIN != 0 {
            return Self::Plain(length);
        }
        if plain & IS_BRANCH != 0 && !has_rex {
            let distance = rest >> 8;
            let distance = match plain & BYTES {
                1 => (distance as u8).cast_signed().into(),
                _ => (distance as u32).cast_signed(),
            };
            let reach = Some((Relative::Branch, field, distance));
            return Self::More(Common { length, reach, access: 0, is_nop: false });
        }
        Self::at_length(bytes, word)
    }

    /// The same for what is not so plain.
    fn at_length(bytes: &[u8], word: u64) -> Self {
        Common::at_start(bytes, word).map_or(Self::Nothing, Self::More)
    }
}

/// What stands before the opcode, and behind it once that is passed.
#[derive(Clone, Copy)]
struct Head {
    prefix: Entry,
    rex: u8,
    /// Bytes passed.
    length: u8,
    /// The bytes that follow, the first lowest.
    rest: u64,
}

impl Head {
    fn of(word: u64) -> Self {
        let mut head = Self { prefix: BARE, rex: 0, length: 0, rest: word };
        if matches!(head.rest as u8, 0x64 | 0x65) {
            head.pass();
        }
        head.prefix = match head.rest as u8 {
            0x66 => P66,
            0xf2 => PF2,
            0xf3 => PF3,
            _ => BARE,
        };
        if head.prefix != BARE {
            head.pass();
        }
        if head.rest as u8 & 0xf0 == 0x40 {
            head.rex = head.pass();
        }
        head
    }

    fn pass(&mut self) -> u8 {
        let passed = self.rest as u8;
        (self.rest, self.length) = (self.rest >> 8, self.length + 1);
        passed
    }

    fn is_wide(&self) -> bool {
        self.rex & 8 != 0
    }

    /// Bytes of an operand that are two behind 66 and else four, REX.W aside.
    fn word_size(&self) -> u8 {
        if self.prefix == P66 && !self.is_wide() { 2 } else { 4 }
    }

    /// Passes ModRM and what belongs to it; gives its register, and the field that alone tells a place: whether from the
    /// instruction's end, and the field's offset.
    fn operand(&mut self) -> (u8, Option<(bool, u8)>) {
        let modrm = self.pass();
        let mut place = None;
        let mut displacement = match modrm >> 6 {
            1 => 1,
            2 => 4,
            _ => 0,
        };
        if modrm & 0xc7 == 5 {
            (place, displacement) = (Some((true, self.length)), 4);
        }
        if modrm & 7 == 4 && modrm < 0xc0 {
            let sib = self.pass();
            if modrm & 0xc7 == 4 && sib & 7 == 5 {
                // (With an index, any element may be meant.)
                let is_indexed = sib & 0x38 != 0x20 || self.rex & 2 != 0;
                (place, displacement) = ((!is_indexed).then_some((false, self.length)), 4);
            }
        }
        self.length += displacement;
        (modrm >> 3 & 7, place)
    }
}

impl Common {
    /// The instruction at the start of `bytes`, which begin with `word`, but for a plain branch; `None` where the decoder is
    /// to be asked.
    fn at_start(bytes: &[u8], word: u64) -> Option<Self> {
        let mut head = Head::of(word);
        let rows = if head.rest as u8 == 0x0f {
            head.pass();
            &TWO
        } else {
            &ONE
        };
        let entry = *rows.get(usize::from(head.pass()))?;
        if entry & head.prefix == 0 {
            return Self::idle(bytes);
        }
        let (mut register, mut place) = (0, None);
        if entry & MODRM != 0 {
            let is_memory = head.rest as u8 & 0xc0 != 0xc0;
            (register, place) = head.operand();
            if entry >> REGISTERS & 1 << register == 0 || entry & MEMORY != 0 && !is_memory {
                return None;
            }
        }
        let at_end = match entry & IMMEDIATE {
            I1 => 1,
            IV if head.is_wide() => 8,
            IZ | IV => head.word_size(),
            TEST1 if register == 0 => 1,
            TESTZ if register == 0 => head.word_size(),
            REL1 | REL4 => return None, // with a prefix or REX
            _ => 0,
        };
        let length = head.length + at_end;
        if usize::from(length) > bytes.len() {
            return None;
        }
        let mut known = Self { length, reach: None, access: 0, is_nop: false };
        if let Some((is_relative, field)) = place {
            known.access = match entry & ACCESS {
                W0 => 0,
                W1 => 1,
                W2 => 2,
                W8 if register > 1 => 8,
                WZ | W8 if head.is_wide() => 8,
                WZ | W8 => head.word_size(),
                WS if head.prefix == PF2 => 8,
                WS if head.prefix == PF3 => 4,
                W16 | WS => 16,
                WU if head.prefix == P66 => 8,
                WU => 4,
                _ => return None,
            };
            if is_relative {
                let distance = i32::from_le_bytes(*bytes.get(field.into()..)?.first_chunk()?);
                known.reach = Some((Relative::Memory, field, distance));
            }
        }
        Some(known)
    }

    /// A no-operation, or the mark of an entry (`endbr64`).
    fn idle(bytes: &[u8]) -> Option<Self> {
        let is_mark = bytes.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]);
        let length = if is_mark { 4 } else { nop_length(bytes)? };
        Some(Self { length: length as u8, reach: None, access: 0, is_nop: !is_mark })
    }
}
