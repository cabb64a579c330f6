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

/// What an opcode is followed by and when it is in the table, in bits.
type Entry = u32;

/// The prefix that it may have (one of four), each a bit, and none.
const BARE: Entry = 1;
const P66: Entry = 2;
const PF2: Entry = 4;
const PF3: Entry = 8;
/// Whether ModRM follows.
const MODRM: Entry = 0x10;
/// ModRM has to name memory.
const MEMORY: Entry = 0x20;
/// What is at the end: three bits.
const IMMEDIATE: Entry = 0x1c0;
/// One byte.
const I1: Entry = 0x40;
/// Two bytes behind 66, else four.
const IZ: Entry = 0x80;
/// The same, but eight behind REX.W.
const IV: Entry = 0xc0;
/// One byte where ModRM's register is 0.
const TEST1: Entry = 0x100;
/// As `IZ` where ModRM's register is 0.
const TESTZ: Entry = 0x140;
/// A distance of one byte.
const REL1: Entry = 0x180;
/// A distance of four bytes.
const REL4: Entry = 0x1c0;
/// How wide its access to memory is: four bits. Where none is given, the decoder is asked.
const ACCESS: Entry = 0x1e00;
const W1: Entry = 0x200;
const W2: Entry = 0x400;
/// Two bytes behind 66, eight behind REX.W, else four.
const WZ: Entry = 0x600;
/// The address alone is taken.
const W0: Entry = 0x800;
/// As `WZ` for the first two of ModRM's registers, eight for the others.
const W8: Entry = 0xa00;
const W16: Entry = 0xc00;
/// Sixteen, but eight behind f2 and four behind f3.
const WS: Entry = 0xe00;
/// Four, but eight behind 66.
const WU: Entry = 0x1000;
/// Which registers ModRM may name: eight bits from here on.
const REGISTERS: u32 = 16;
const ANY: Entry = 0xff << REGISTERS;

/// An entry for opcodes, from the first to the last.
type Row = (u8, u8, Entry);

const fn table(rows: &[Row], mut from: [Entry; 256]) -> [Entry; 256] {
    let mut rest = rows;
    while let [(first, last, entry), behind @ ..] = rest {
        let mut at = *first as usize;
        while at <= *last as usize {
            #[allow(clippy::indexing_slicing, reason = "it runs while the table is compiled")]
            {
                from[at] = *entry;
            }
            at += 1;
        }
        rest = behind;
    }
    from
}

/// The four forms with ModRM and the two with an immediate of add, or, adc, sbb, and, sub, xor, cmp.
const fn arithmetic() -> [Entry; 256] {
    let mut all = [0; 256];
    let mut base = 0;
    while base < 0x40 {
        let rows = [
            (base, base, BYTE),
            (base + 1, base + 1, WORD),
            (base + 2, base + 2, BYTE),
            (base + 3, base + 3, WORD),
            (base + 4, base + 4, BARE | P66 | I1),
            (base + 5, base + 5, BARE | P66 | IZ),
        ];
        all = table(&rows, all);
        base += 8;
    }
    all
}

const BYTE: Entry = BARE | P66 | MODRM | W1 | ANY;
const WORD: Entry = BARE | P66 | MODRM | WZ | ANY;

/// Opcodes of one byte.
static ONE: [Entry; 256] = table(
    &[
        (0x50, 0x5f, BARE),                                                // push, pop
        (0x63, 0x63, BARE | MODRM | ANY),                                  // movslq
        (0x68, 0x68, BARE | IZ),                                           // push
        (0x69, 0x69, WORD | IZ),                                           // imul
        (0x6a, 0x6a, BARE | I1),                                           // push
        (0x6b, 0x6b, WORD | I1),                                           // imul
        (0x70, 0x7f, BARE | REL1),                                         // jcc
        (0x80, 0x80, BYTE | I1),                                           // add to cmp
        (0x81, 0x81, WORD | IZ),                                           //
        (0x83, 0x83, WORD | I1),                                           //
        (0x84, 0x84, BYTE),                                                // test
        (0x85, 0x85, WORD),                                                //
        (0x86, 0x86, BYTE),                                                // xchg
        (0x87, 0x87, WORD),                                                //
        (0x88, 0x88, BYTE),                                                // mov
        (0x89, 0x89, WORD),                                                //
        (0x8a, 0x8a, BYTE),                                                //
        (0x8b, 0x8b, WORD),                                                //
        (0x8d, 0x8d, BARE | P66 | MODRM | MEMORY | W0 | ANY),              // lea
        (0x98, 0x99, BARE | P66),                                          // cltq, cqto
        (0xa4, 0xa5, BARE | P66 | PF3),                                    // movs
        (0xaa, 0xab, BARE | P66 | PF3),                                    // stos
        (0xa8, 0xa8, BARE | I1),                                           // test
        (0xa9, 0xa9, BARE | P66 | IZ),                                     //
        (0xb0, 0xb7, BARE | I1),                                           // mov
        (0xb8, 0xbf, BARE | P66 | IV),                                     //
        (0xc0, 0xc0, BYTE | I1),                                           // shifts
        (0xc1, 0xc1, WORD | I1),                                           //
        (0xc3, 0xc3, BARE),                                                // ret
        (0xc6, 0xc6, BARE | MODRM | W1 | I1 | 1 << REGISTERS),             // mov
        (0xc7, 0xc7, BARE | P66 | MODRM | WZ | IZ | 1 << REGISTERS),       //
        (0xc9, 0xc9, BARE),                                                // leave
        (0xcc, 0xcc, BARE),                                                // int3
        (0xd0, 0xd0, BYTE),                                                // shifts
        (0xd1, 0xd1, WORD),                                                //
        (0xd2, 0xd2, BYTE),                                                //
        (0xd3, 0xd3, WORD),                                                //
        (0xe8, 0xe9, BARE | REL4),                                         // call, jmp
        (0xeb, 0xeb, BARE | REL1),                                         // jmp
        (0xf6, 0xf6, BARE | MODRM | W1 | TEST1 | 0xfd << REGISTERS),       // test, not, neg, mul, div
        (0xf7, 0xf7, BARE | P66 | MODRM | WZ | TESTZ | 0xfd << REGISTERS), //
        (0xfe, 0xfe, BARE | MODRM | W1 | 0x03 << REGISTERS),               // inc, dec
        (0xff, 0xff, BARE | MODRM | W8 | 0x57 << REGISTERS),               // inc, dec, call, jmp, push
    ],
    arithmetic(),
);

/// Opcodes behind 0f.
static TWO: [Entry; 256] = table(
    &[
        (0x0b, 0x0b, BARE),                                      // ud2
        (0x10, 0x11, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY), // movups, movss and the like
        (0x14, 0x15, BARE | P66 | MODRM | W16 | ANY),            // unpcklps
        (0x28, 0x29, BARE | P66 | MODRM | W16 | ANY),            // movaps
        (0x2a, 0x2a, PF2 | PF3 | MODRM | ANY),                   // cvtsi2sd
        (0x2c, 0x2d, PF2 | PF3 | MODRM | ANY),                   // cvttsd2si
        (0x2e, 0x2f, BARE | P66 | MODRM | WU | ANY),             // ucomiss
        (0x40, 0x4f, BARE | P66 | MODRM | WZ | ANY),             // cmovcc
        (0x51, 0x51, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY), // sqrtps
        (0x54, 0x57, BARE | P66 | MODRM | W16 | ANY),            // andps, xorps
        (0x58, 0x59, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY),
        (0x5a, 0x5a, BARE | P66 | PF2 | PF3 | MODRM | ANY), // addps, mulps, cvtps2pd
        (0x5c, 0x5f, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY), // subps, minps, divps, maxps
        (0x60, 0x6d, P66 | MODRM | W16 | ANY),
        (0x6e, 0x6e, P66 | MODRM | ANY),
        (0x6f, 0x6f, P66 | PF3 | MODRM | W16 | ANY), // punpcklbw to movdqa
        (0x70, 0x70, P66 | PF2 | PF3 | MODRM | W16 | I1 | ANY), // pshufd
        (0x74, 0x76, P66 | MODRM | W16 | ANY),       // pcmpeqb
        (0x7e, 0x7e, P66 | PF3 | MODRM | ANY),       // movd, movq
        (0x7f, 0x7f, P66 | PF3 | MODRM | W16 | ANY), // movdqa
        (0x80, 0x8f, BARE | REL4),                   // jcc
        (0x90, 0x9f, BARE | MODRM | W1 | ANY),       // setcc
        (0xa3, 0xa3, BARE | P66 | MODRM | ANY),      // bt
        (0xaf, 0xaf, WORD),                          // imul
        (0xb6, 0xb6, BARE | P66 | MODRM | W1 | ANY), // movzb
        (0xb7, 0xb7, BARE | P66 | MODRM | W2 | ANY), // movzw
        (0xba, 0xba, BARE | P66 | MODRM | I1 | 0xf0 << REGISTERS), // bt, bts, btr, btc
        (0xbc, 0xbd, BARE | P66 | MODRM | ANY),      // bsf, bsr
        (0xbe, 0xbe, BARE | P66 | MODRM | W1 | ANY), // movsb
        (0xbf, 0xbf, BARE | P66 | MODRM | W2 | ANY), // movsw
        (0xc6, 0xc6, BARE | P66 | MODRM | W16 | I1 | ANY), // shufps
        (0xc8, 0xcf, BARE),                          // bswap
        (0xd4, 0xd4, P66 | MODRM | W16 | ANY),       // paddq
        (0xd6, 0xd6, P66 | MODRM | ANY),             // movq
        (0xdb, 0xdb, P66 | MODRM | W16 | ANY),       // pand
        (0xeb, 0xeb, P66 | MODRM | W16 | ANY),       // por
        (0xef, 0xef, P66 | MODRM | W16 | ANY),       // pxor
        (0xfa, 0xfe, P66 | MODRM | W16 | ANY),       // psubd to paddd
    ],
    [0; 256],
);

/// What most opcodes are followed by where there is no prefix but REX: 0 for those that are not so plain.
static PLAIN: [u8; 256] = plain(&ONE);
/// The same behind 0f.
static PLAIN_0F: [u8; 256] = plain(&TWO);

const fn plain(rows: &[Entry; 256]) -> [u8; 256] {
    let mut all = [0; 256];
    let mut opcode = 0;
    while opcode < 256 {
        #[allow(clippy::indexing_slicing, reason = "it runs while the table is compiled")]
        {
            let entry = rows[opcode];
            let is_any = entry & MODRM == 0 || entry & (ANY | MEMORY) == ANY;
            all[opcode] = match entry & IMMEDIATE {
                _ if entry & BARE == 0 || !is_any => 0,
                0 => IS_PLAIN,
                I1 => IS_PLAIN | 1,
                IZ => IS_PLAIN | 4,
                REL1 => IS_BRANCH | 1,
                REL4 => IS_BRANCH | 4,
                _ => 0,
            };
            if all[opcode] != 0 && entry & MODRM != 0 {
                all[opcode] |= HAS_MODRM;
            }
        }
        opcode += 1;
    }
    all
}

/// In [`PLAIN`], beside the bytes at the end.
const IS_PLAIN: u8 = 0x80;
const IS_BRANCH: u8 = 0x40;
const HAS_MODRM: u8 = 0x20;
const BYTES: u8 = 0x0f;

/// The bytes of ModRM and what belongs to it, without SIB's own displacement; 0 for a place relative to the instruction's end.
static OPERAND: [u8; 256] = {
    let mut all = [0; 256];
    let mut modrm = 0;
    while modrm < 256 {
        let sib = if modrm & 7 == 4 { 1 } else { 0 };
        #[allow(clippy::indexing_slicing, reason = "it runs while the table is compiled")]
        {
            all[modrm] = match modrm >> 6 {
                0 if modrm & 7 == 5 => 0,
                0 => 1 + sib,
                1 => 2 + sib,
                2 => 5 + sib,
                _ => 1,
            };
        }
        modrm += 1;
    }
    all
};

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
    /// The instruction at the start of `bytes`, which begin with `word`; `None` where the decoder is to be asked.
    fn at_start(bytes: &[u8], word: u64) -> Option<Self> {
        let mut head = Head::of(word);
        let is_bare = head.length == 0;
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
        let behind = head.rest;
        let (mut register, mut place) = (0, None);
        if entry & MODRM != 0 {
            let is_memory = behind as u8 & 0xc0 != 0xc0;
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
            REL4 if is_bare => 4,
            REL1 | REL4 => return None,
            _ => 0,
        };
        let length = head.length + at_end;
        if usize::from(length) > bytes.len() {
            return None;
        }
        let mut known = Self { length, reach: None, access: 0, is_nop: false };
        if entry & IMMEDIATE == REL4 {
            known.reach = Some((Relative::Branch, head.length, (behind as u32).cast_signed()));
        }
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
