//! The table of common 64-bit opcodes: what follows each, and which prefixes and registers it is listed for (Intel's manual, vol. 2,
//! appendix A). What is not listed is not said to be invalid; [`super::common`] leaves it to the decoder.

/// What an opcode is followed by and when it is in the table, in bits.
pub type Entry = u32;

/// The prefix that it may have (one of four), each a bit, and none.
pub const BARE: Entry = 1;
pub const P66: Entry = 2;
pub const PF2: Entry = 4;
pub const PF3: Entry = 8;
/// Whether ModRM follows.
pub const MODRM: Entry = 0x10;
/// ModRM has to name memory.
pub const MEMORY: Entry = 0x20;
/// What is at the end: three bits.
pub const IMMEDIATE: Entry = 0x1c0;
/// One byte.
pub const I1: Entry = 0x40;
/// Two bytes behind 66, else four.
pub const IZ: Entry = 0x80;
/// The same, but eight behind REX.W.
pub const IV: Entry = 0xc0;
/// One byte where ModRM's register is 0.
pub const TEST1: Entry = 0x100;
/// As `IZ` where ModRM's register is 0.
pub const TESTZ: Entry = 0x140;
/// A distance of one byte.
pub const REL1: Entry = 0x180;
/// A distance of four bytes.
pub const REL4: Entry = 0x1c0;
/// How wide its access to memory is: four bits. Where none is given, the decoder is asked.
pub const ACCESS: Entry = 0x1e00;
pub const W1: Entry = 0x200;
pub const W2: Entry = 0x400;
/// Two bytes behind 66, eight behind REX.W, else four.
pub const WZ: Entry = 0x600;
/// The address alone is taken.
pub const W0: Entry = 0x800;
/// As `WZ` for the first two of ModRM's registers, eight for the others.
pub const W8: Entry = 0xa00;
pub const W16: Entry = 0xc00;
/// Sixteen, but eight behind f2 and four behind f3.
pub const WS: Entry = 0xe00;
/// Four, but eight behind 66.
pub const WU: Entry = 0x1000;
/// Which registers ModRM may name: eight bits from here on.
pub const REGISTERS: u32 = 16;
pub const ANY: Entry = 0xff << REGISTERS;

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

pub const BYTE: Entry = BARE | P66 | MODRM | W1 | ANY;
pub const WORD: Entry = BARE | P66 | MODRM | WZ | ANY;

/// Opcodes of one byte.
pub static ONE: [Entry; 256] = table(
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
pub static TWO: [Entry; 256] = table(
    &[
        (0x0b, 0x0b, BARE),                                        // ud2
        (0x10, 0x11, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY),   // movups, movss and the like
        (0x14, 0x15, BARE | P66 | MODRM | W16 | ANY),              // unpcklps
        (0x28, 0x29, BARE | P66 | MODRM | W16 | ANY),              // movaps
        (0x2a, 0x2a, PF2 | PF3 | MODRM | ANY),                     // cvtsi2sd
        (0x2c, 0x2d, PF2 | PF3 | MODRM | ANY),                     // cvttsd2si
        (0x2e, 0x2f, BARE | P66 | MODRM | WU | ANY),               // ucomiss
        (0x40, 0x4f, BARE | P66 | MODRM | WZ | ANY),               // cmovcc
        (0x51, 0x51, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY),   // sqrtps
        (0x54, 0x57, BARE | P66 | MODRM | W16 | ANY),              // andps, xorps
        (0x58, 0x59, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY),   // addps, mulps
        (0x5a, 0x5a, BARE | P66 | PF2 | PF3 | MODRM | ANY),        // cvtps2pd
        (0x5c, 0x5f, BARE | P66 | PF2 | PF3 | MODRM | WS | ANY),   // subps, minps, divps, maxps
        (0x60, 0x6d, P66 | MODRM | W16 | ANY),                     // punpcklbw and the like
        (0x6e, 0x6e, P66 | MODRM | ANY),                           // movd
        (0x6f, 0x6f, P66 | PF3 | MODRM | W16 | ANY),               // movdqa
        (0x70, 0x70, P66 | PF2 | PF3 | MODRM | W16 | I1 | ANY),    // pshufd
        (0x74, 0x76, P66 | MODRM | W16 | ANY),                     // pcmpeqb
        (0x7e, 0x7e, P66 | PF3 | MODRM | ANY),                     // movd, movq
        (0x7f, 0x7f, P66 | PF3 | MODRM | W16 | ANY),               // movdqa
        (0x80, 0x8f, BARE | REL4),                                 // jcc
        (0x90, 0x9f, BARE | MODRM | W1 | ANY),                     // setcc
        (0xa3, 0xa3, BARE | P66 | MODRM | ANY),                    // bt
        (0xaf, 0xaf, WORD),                                        // imul
        (0xb6, 0xb6, BARE | P66 | MODRM | W1 | ANY),               // movzb
        (0xb7, 0xb7, BARE | P66 | MODRM | W2 | ANY),               // movzw
        (0xba, 0xba, BARE | P66 | MODRM | I1 | 0xf0 << REGISTERS), // bt, bts, btr, btc
        (0xbc, 0xbd, BARE | P66 | MODRM | ANY),                    // bsf, bsr
        (0xbe, 0xbe, BARE | P66 | MODRM | W1 | ANY),               // movsb
        (0xbf, 0xbf, BARE | P66 | MODRM | W2 | ANY),               // movsw
        (0xc6, 0xc6, BARE | P66 | MODRM | W16 | I1 | ANY),         // shufps
        (0xc8, 0xcf, BARE),                                        // bswap
        (0xd4, 0xd4, P66 | MODRM | W16 | ANY),                     // paddq
        (0xd6, 0xd6, P66 | MODRM | ANY),                           // movq
        (0xdb, 0xdb, P66 | MODRM | W16 | ANY),                     // pand
        (0xeb, 0xeb, P66 | MODRM | W16 | ANY),                     // por
        (0xef, 0xef, P66 | MODRM | W16 | ANY),                     // pxor
        (0xfa, 0xfe, P66 | MODRM | W16 | ANY),                     // psubd to paddd
    ],
    [0; 256],
);

/// What most opcodes are followed by where there is no prefix but REX: 0 for those that are not so plain.
pub static PLAIN: [u8; 256] = plain(&ONE);
/// The same behind 0f.
pub static PLAIN_0F: [u8; 256] = plain(&TWO);

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
pub const IS_PLAIN: u8 = 0x80;
pub const IS_BRANCH: u8 = 0x40;
pub const HAS_MODRM: u8 = 0x20;
pub const BYTES: u8 = 0x0f;

/// The bytes of ModRM and what belongs to it, without SIB's own displacement; 0 for a place relative to the instruction's end.
pub static OPERAND: [u8; 256] = {
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
