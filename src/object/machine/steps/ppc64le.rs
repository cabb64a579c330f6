//! 64-bit Power.
//!
//! Sources: Power ISA 3.1, book I, 1.6 and 3.3; 64-Bit ELF V2 ABI Specification, 2.2.2. GCC has one anchor a section
//! there, and reaches what it reaches once by its own address all the same.

use super::super::{signed, word};
use super::{Flow, Register, Rules, Step, count};

/// r0, r3 to r12; f0 to f13. The stack by r1 and r31.
pub const RULES: Rules = Rules {
    clobbered: 0x0000_3fff_0000_1ff9,
    arguments: 0x7f8,
    results: 0x18,
    stack: 1 << 1 | 1 << 31,
    below: 0,
    apart: None,
    subtracts: false,
};

/// What an instruction of four or, with a prefix, eight bytes does.
pub fn step(bytes: &[u8]) -> Step {
    let Some(w) = word(bytes) else { return Step::default() };
    match bytes.get(4..).and_then(word) {
        Some(second) => prefixed(w, second),
        None => plain(w),
    }
}

/// How many fields may name a general register.
pub fn mentions(bytes: &[u8], register: Register) -> usize {
    let Some(w) = word(bytes).filter(|_| bytes.len() == 4) else { return usize::MAX };
    let fields: &[u32] = match w >> 26 {
        16 | 18 | 19 => &[],
        10 | 11 | 48..=55 | 57 | 61 => &[16], // comparisons, and of floating point
        59 | 63 => &[],
        7 | 8 | 12..=15 | 20 | 21 | 24..=29 | 32..=47 | 58 | 62 => &[16, 21],
        _ => &[6, 11, 16, 21],
    };
    count(w, register, fields)
}

fn fields(w: u32) -> (u32, u32, u32) {
    (w >> 21 & 31, w >> 16 & 31, w >> 11 & 31)
}

fn prefixed(prefix: u32, w: u32) -> Step {
    let (rt, ra, _) = fields(w);
    let value = u64::from(prefix & 0x3_ffff) << 16 | u64::from(w & 0xffff);
    let value = (value << 30).cast_signed() >> 30;
    let based = prefix >> 20 & 1 == 0 && ra != 0;
    let mls = match prefix >> 24 & 3 {
        0 => false,
        2 => true,
        _ => return Step::default(), // between registers (8RR, MMIRR)
    };
    let step = match (mls, w >> 26) {
        (true, 14) => return if based { Step::sum(rt, ra, value) } else { Step::kill(rt) },
        (true, 32 | 34 | 40 | 42) | (false, 41 | 57) => Step::kill(rt),
        _ => Step::default(),
    };
    let width = prefixed_width(prefix, w).max(1);
    if based { step.reaching(ra, value, width) } else { step }
}

/// The width of a prefixed load or store; 0 of what is none, like `paddi`. Source: Power ISA 3.1, 1.6.3, the forms MLS and 8LS.
pub fn prefixed_width(prefix: u32, w: u32) -> u32 {
    match (prefix >> 24 & 3, w >> 26) {
        (2, 34 | 38) => 1,                               // plbz, pstb
        (2, 40 | 42 | 44) => 2,                          // plhz, plha, psth
        (2, 32 | 36 | 48 | 52) | (0, 41 | 43 | 47) => 4, // plwz, pstw, plfs, pstfs, plwa, plxssp, pstxssp
        (2, 50 | 54) | (0, 42 | 46 | 57 | 61) => 8,      // plfd, pstfd, plxsd, pstxsd, pld, pstd
        (0, 50 | 51 | 54 | 55 | 56 | 60) => 16,          // plxv, pstxv, plq, pstq
        (0, 58 | 62) => 32,                              // plxvp, pstxvp
        _ => 0,
    }
}

fn plain(w: u32) -> Step {
    let (rt, ra, rb) = fields(w);
    let (d, ds, dq) = (signed(w, 0, 16), signed(w & 0xfffc, 0, 16), signed(w & 0xfff0, 0, 16));
    match w >> 26 {
        7 | 8 => Step::kill(rt), // mulli, subfic
        12 | 13 => Step::sum(rt, ra, d),
        14 if ra == 0 => Step::number(rt, d), // li
        15 if ra == 0 => Step::kill(rt),      // lis
        14 => Step::sum(rt, ra, d),
        15 => Step::sum(rt, ra, d << 16),
        4 => match w & 63 {
            48 | 49 => Step::kill(rt),                             // maddhd
            51 => Step::kill(rt).moved(rt, w >> 6 & 31, 0, false), // maddld
            _ => Step::default(),
        },
        16 if w & 1 == 1 => Step::to(Flow::Call),
        16 => Step::to(if rt & 20 == 20 { Flow::Jump } else { Flow::Branch }),
        18 => Step::to(if w & 1 == 1 { Flow::Call } else { Flow::Jump }),
        19 => Step::to(match (w >> 1 & 0x3ff, w & 1, rt & 20 == 20) {
            (16 | 528 | 560, 1, _) => Flow::Call,
            (16, _, true) => Flow::End,
            (16, _, false) => Flow::Branch,
            (528 | 560, ..) => Flow::Indirect,
            _ => Flow::Next,
        }),
        20 | 21 | 23 | 30 => Step::kill(ra),                  // rotates
        24 if rt == ra && w & 0xffff == 0 => Step::default(), // no-operations
        24..=29 => Step::kill(ra),
        31 => extended(w, rt, ra, rb),
        6 => data(w, 32, dq), // lxvp, stxvp
        32..=55 => data(w, width(w >> 26, rt), d),
        56 if ra != 0 => Step { kills: 3 << (rt & 30), ..Step::default() }.reaching(ra, dq, 16), // lq
        57 => data(w, if w & 3 == 0 { 16 } else { 8 }, ds), // lfdp, lxsd, lxssp
        58 => {
            let step = match w & 3 {
                1 => Step::kill(rt).reaching(ra, ds, 8).writing_back(ra, ds), // ldu
                2 => Step::kill(rt).reaching(ra, ds, 4),                      // lwa
                _ => Step::kill(rt).reaching(ra, ds, 8).slot(true, rt, ds),
            };
            if ra == 0 { Step::kill(rt) } else { step }
        }
        61 if matches!(w & 7, 1 | 5) => data(w, 16, dq), // lxv, stxv
        61 => data(w, if w & 3 == 0 { 16 } else { 8 }, ds),
        62 if ra != 0 => match w & 3 {
            1 => Step::default().reaching(ra, ds, 8).writing_back(ra, ds), // stdu
            2 => Step::default().reaching(ra, ds, 16),                     // stq
            _ => Step::default().reaching(ra, ds, 8).slot(false, rt, ds),
        },
        _ => Step::default(),
    }
}

/// The width of a load or store by its primary opcode.
fn width(opcode: u32, rt: u32) -> u32 {
    match opcode {
        34 | 35 | 38 | 39 => 1,
        40..=45 => 2,
        46 | 47 => 4 * (32 - rt), // lmw, stmw
        50 | 51 | 54 | 55 => 8,
        _ => 4,
    }
}

/// A load or store by a distance.
fn data(w: u32, width: u32, at: i64) -> Step {
    let (rt, ra, _) = fields(w);
    let opcode = w >> 26;
    let step = match opcode {
        32..=35 | 40..=43 => Step::kill(rt),
        46 => Step { kills: 0xffff_ffff << rt & 0xffff_ffff, ..Step::default() },
        _ => Step::default(),
    };
    match ra {
        0 => step,
        _ if opcode & 1 == 1 && matches!(opcode, 32..=45 | 48..=55) => {
            step.reaching(ra, at, width).writing_back(ra, at)
        }
        _ => step.reaching(ra, at, width),
    }
}

/// The width of a load or store with an index, by its opcode in ten bits; of those that are not listed, the widest of a
/// general register.
fn indexed_width(opcode: u32) -> u32 {
    match opcode {
        87 | 119 | 215 | 247 | 7 | 135 | 52 | 694 => 1,
        279 | 311 | 343 | 375 | 407 | 439 | 790 | 918 | 39 | 167 | 116 | 726 => 2,
        20 | 23 | 55 | 341 | 373 | 151 | 183 | 534 | 662 | 535 | 663 | 855 | 887 | 983 | 71 | 199 | 150 => 4,
        103 | 231 | 268 | 396 | 780 | 812 | 844 | 876 | 908 | 940 | 972 | 1004 => 16, // vectors
        _ => 8,
    }
}

/// Instructions with their opcode in ten bits.
fn extended(w: u32, rt: u32, ra: u32, rb: u32) -> Step {
    let by = |step: Step| {
        let width = indexed_width(w >> 1 & 0x3ff);
        if ra == 0 { step.reaching(rb, 0, width) } else { step.indexed(ra, rb, 0).of_width(width) }
    };
    if w >> 1 & 31 == 15 {
        let step = Step::kill(rt).moved(rt, rb, 0, true); // isel
        return if ra == 0 { step } else { step.moved(rt, ra, 0, true) };
    }
    match w >> 1 & 0x3ff {
        444 if rt == rb => Step::sum(ra, rt, 0), // mr
        266 | 778 | 10 | 522 => Step::kill(rt).moved(rt, ra, 0, false).moved(rt, rb, 0, false), // add, addc
        40 | 552 | 8 | 520 => Step::kill(rt).moved(rt, rb, 0, false), // subf, subfc
        // mulhwu, mulhw, mulhdu, mulhd, neg, carries, mull, div, mod
        9
        | 11
        | 73
        | 75
        | 104
        | 136
        | 138
        | 200
        | 202
        | 232..=235
        | 457
        | 459
        | 489
        | 491
        | 265
        | 267
        | 777
        | 779 => Step::kill(rt),
        // and, or, xor and their like; shifts; extensions; counts
        24
        | 26..=28
        | 58
        | 60
        | 122
        | 124
        | 284
        | 316
        | 378
        | 412
        | 444
        | 476
        | 506
        | 536
        | 539
        | 538
        | 570
        | 792
        | 794
        | 824
        | 826
        | 827
        | 890
        | 891
        | 922
        | 954
        | 986 => Step::kill(ra),
        19 | 339 => Step::kill(rt),                     // mfcr, mfspr
        51 if w & 1 == 0 => Step::sum(ra, 32 + rt, 0),  // mfvsrd
        179 if w & 1 == 0 => Step::sum(32 + rt, ra, 0), // mtvsrd
        // ldx, lwzx, lbzx, lhzx, lhax, lwax, and those that swap bytes or reserve
        20 | 21 | 23 | 84 | 87 | 279 | 341 | 343 | 532 | 534 | 790 | 52 | 116 => by(Step::kill(rt)),
        // the same, with the base moved on
        53 | 55 | 119 | 311 | 373 | 375 => {
            let step = by(Step::kill(rt));
            Step { kills: step.kills | 1 << ra, ..step }.moved(ra, ra, 0, false)
        }
        181 | 183 | 247 | 439 => {
            let step = by(Step::default());
            Step { kills: step.kills | 1 << ra, ..step }.moved(ra, ra, 0, false)
        }
        // stores, floating point and vectors
        103 | 149 | 151 | 215 | 407 | 150 | 214 | 231 | 660 | 662 | 918 | 535 | 599 | 663 | 727 | 855
        | 887 | 983 | 12 | 76 | 140 | 268 | 364 | 396 | 524 | 588 | 652 | 716 | 332 | 780 | 812 | 844
        | 876 | 908 | 940 | 972 | 1004 | 7 | 39 | 71 | 135 | 167 | 199 | 694 | 726 => by(Step::default()),
        _ => Step::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::access;
    use super::*;

    fn one(w: u32) -> Step {
        step(&w.to_le_bytes())
    }

    #[test]
    fn accesses() {
        let indexed = one(0x7d89_5698).accesses[0].unwrap_or_else(|| unreachable!()); // lxvd2x vs12, r9, r10
        assert_eq!((indexed.base, indexed.index, indexed.width), (9, Some(10), 16));
        assert_eq!(one(0x3940_003c).number, Some(60)); // li r10, 60
        assert_eq!(one(0x8149_0004).accesses[0], access(9, 4, 4)); // lwz r10, 4(r9)
        assert_eq!(one(0xebdb_0006).accesses[0], access(27, 4, 4)); // lwa r30, 4(r27)
        assert_eq!(one(0xf801_0010).slots.map(|s| s.first), Some((0, 16))); // std r0, 16(r1)
        assert_eq!(one(0x7c7c_482a).accesses[0].and_then(|a| a.index), Some(9)); // ldx r3, r28, r9
        assert_eq!(one(0xf421_0019).accesses[0], access(1, 16, 16)); // lxv
        assert_eq!(one(0x3940_0001).accesses[0], None); // li r10, 1
    }

    #[test]
    fn registers_get_and_lose_addresses() {
        assert_eq!(one(0x394a_fff8), Step::sum(10, 10, -8)); // addi r10, r10, -8
        assert_eq!(one(0x3d49_0001), Step::sum(10, 9, 0x10000)); // addis r10, r9, 1
        assert_eq!(one(0x3940_0001), Step::number(10, 1)); // li r10, 1
        assert_eq!(one(0x7fe4_fb78), Step::sum(4, 31, 0)); // mr r4, r31
        assert_eq!(one(0xf821_ffd1).kills, 1 << 1); // stdu r1, -48(r1)
        assert_eq!(one(0x6000_0000), Step::default()); // nop
        let pld: Vec<u8> = [0x0400_0000_u32, 0xe469_0008].iter().flat_map(|w| w.to_le_bytes()).collect();
        assert_eq!(step(&pld).accesses[0], access(9, 8, 8)); // pld r3, 8(r9)
    }

    #[test]
    fn control_flow() {
        assert_eq!(one(0x4e80_0020).flow, Flow::End); // blr
        assert_eq!(one(0x4d82_0020).flow, Flow::Branch); // beqlr
        assert_eq!(one(0x4e80_0420).flow, Flow::Indirect); // bctr
        assert_eq!(one(0x4e80_0421).flow, Flow::Call); // bctrl
        assert_eq!(one(0x4800_0001).flow, Flow::Call);
        assert_eq!(one(0x4082_ffd4).flow, Flow::Branch); // bne
        assert_eq!(one(0x4200_ffd4).flow, Flow::Branch); // bdnz
    }
}
