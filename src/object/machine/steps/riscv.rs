//! RISC-V, of 64 bits, and its instructions of two bytes.
//!
//! Sources: The RISC-V Instruction Set Manual, volume I, 2, 16 and 24; RISC-V ABIs Specification, 1.1. Anchors are 4096
//! bytes apart: displacements of -2048 to 2047.

use super::super::signed;
use super::{Flow, Register, Rules, Step, count};

/// ra, t0 to t6, a0 to a7; ft0 to ft11, fa0 to fa7. The stack by sp and s0.
pub const RULES: Rules = Rules {
    clobbered: 0xf003_fcff_f003_fce2,
    arguments: 0x3_fc00,
    results: 0xc00,
    stack: 1 << 2 | 1 << 8,
    below: 2048,
    apart: Some(4096),
    subtracts: false,
};

/// Kills a general register, unless it is the one that reads as zero.
fn kill(register: u32) -> Step {
    if register == 0 { Step::default() } else { Step::kill(register) }
}

fn sum(to: u32, from: u32, by: i64) -> Step {
    if to == 0 { Step::default() } else { Step::sum(to, from, by) }
}

/// Where a jump to an address in a register leads.
fn jump(link: bool, register: u32) -> Step {
    Step::to(match register {
        _ if link => Flow::Call,
        1 | 5 => Flow::End,
        _ => Flow::Indirect,
    })
}

/// What an instruction of four bytes does.
pub fn word(w: u32) -> Step {
    let (rd, rs1, rs2) = (w >> 7 & 31, w >> 15 & 31, w >> 20 & 31);
    let (kind, function) = (w >> 12 & 7, w >> 25);
    let width = 1 << (kind & 3);
    let loaded = signed(w, 20, 12);
    let stored = signed(function << 5 | rd, 0, 12);
    match w & 0x7f {
        0x03 if kind == 3 => kill(rd).reaching(rs1, loaded, 8).slot(true, rd, loaded),
        0x03 => kill(rd).reaching(rs1, loaded, width),
        0x07 => Step::default().reaching(rs1, loaded, width),
        0x23 if kind == 3 => Step::default().reaching(rs1, stored, 8).slot(false, rs2, stored),
        0x23 | 0x27 => Step::default().reaching(rs1, stored, width),
        0x13 if kind == 0 => sum(rd, rs1, loaded),
        0x33 => match (function, kind) {
            (0, 0) => kill(rd).moved(rd, rs1, 0, false).moved(rd, rs2, 0, false), // add
            (0x20, 0) => kill(rd).moved(rd, rs1, 0, false),                       // sub
            (0x10, 2 | 4 | 6) => kill(rd).moved(rd, rs2, 0, false),               // sh1add and the like
            _ => kill(rd),
        },
        0x13 | 0x17 | 0x1b | 0x37 | 0x3b | 0x73 => kill(rd),
        0x2f => kill(rd).reaching(rs1, 0, width), // lr, sc, amo
        0x53 => match function {
            0x71 if kind == 0 => sum(rd, 32 + rs1, 0), // fmv.x.d
            0x79 => Step::sum(32 + rd, rs1, 0),        // fmv.d.x
            0x50 | 0x51 | 0x60 | 0x61 | 0x70 | 0x71 => kill(rd),
            _ => Step::default(),
        },
        0x63 => Step::to(Flow::Branch),
        0x67 => jump(rd != 0, rs1),
        0x6f => Step::to(if rd == 0 { Flow::Jump } else { Flow::Call }),
        _ => Step::default(),
    }
}

/// How many fields of an instruction of four bytes may name a general register.
pub fn mentions(w: u32, register: Register) -> usize {
    let fields: &[u32] = match w & 0x7f {
        0x03 | 0x13 | 0x1b | 0x67 => &[7, 15],
        0x07 | 0x27 => &[15], // of floating point
        0x43 | 0x47 | 0x4b | 0x4f => &[],
        // Sums, products, roots, signs, least and greatest, other widths: no general register.
        0x53 if matches!(w >> 27, 0..=5 | 8 | 11) => &[],
        0x23 | 0x63 => &[15, 20],
        0x17 | 0x37 | 0x6f => &[7],
        _ => &[7, 15, 20],
    };
    count(w, register, fields)
}

/// The same of two bytes.
pub fn half_mentions(h: u32, register: Register) -> usize {
    let short = |low: u32| usize::from(8 + (h >> low & 7) == u32::from(register));
    match (h & 3, h >> 13) {
        (0, 0) => short(2),
        (0, 1 | 5) => short(7), // of floating point
        (0, _) | (1, 4) => short(2) + short(7),
        (1, 5) => 0,
        (1, 6 | 7) => short(7),
        (1, _) | (2, 0..=3) => count(h, register, &[7]),
        (2, 5..=7) => count(h, register, &[2]),
        _ => count(h, register, &[2, 7]),
    }
}

/// The bits of `h` from each `from`, `count` of them, put to `to`.
fn gather(h: u32, fields: &[(u32, u32, u32)]) -> u32 {
    fields.iter().fold(0, |all, (from, count, to)| all | (h >> from & ((1 << count) - 1)) << to)
}

/// What an instruction of two bytes does.
pub fn half(h: u32) -> Step {
    let (rd, rs2) = (h >> 7 & 31, h >> 2 & 31);
    let (base, low) = (8 + (h >> 7 & 7), 8 + (h >> 2 & 7));
    let four = i64::from(gather(h, &[(10, 3, 3), (6, 1, 2), (5, 1, 6)]));
    let eight = i64::from(gather(h, &[(10, 3, 3), (5, 2, 6)]));
    let none = Step::default();
    match (h & 3, h >> 13) {
        (0, 0) => kill(low), // addi of sp
        (0, 1 | 5) => none.reaching(base, eight, 8),
        (0, 2) => kill(low).reaching(base, four, 4),
        (0, 3) => kill(low).reaching(base, eight, 8).slot(true, low, eight),
        (0, 6) => none.reaching(base, four, 4),
        (0, 7) => none.reaching(base, eight, 8).slot(false, low, eight),
        (0, _) => {
            let at = if h >> 10 & 1 == 0 { gather(h, &[(6, 1, 0), (5, 1, 1)]) } else { (h >> 5 & 1) << 1 };
            let step = if h >> 11 & 1 == 0 { kill(low) } else { none };
            step.reaching(base, at.into(), 1 + (h >> 10 & 1)) // lbu, lhu, lh, sb, sh
        }
        (1, 0) => sum(rd, rd, signed(gather(h, &[(12, 1, 5), (2, 5, 0)]), 0, 6)),
        (1, 3) if rd == 2 => {
            let by = gather(h, &[(12, 1, 9), (6, 1, 4), (5, 1, 6), (3, 2, 7), (2, 1, 5)]);
            sum(2, 2, signed(by, 0, 10))
        }
        (1, 1..=3) => kill(rd), // addiw, li, lui
        (1, 4) => kill(base),
        (1, 5) => Step::to(Flow::Jump),
        (1, _) => Step::to(Flow::Branch),
        (2, 0) => kill(rd), // slli
        (2, 2) => kill(rd).reaching(2, gather(h, &[(12, 1, 5), (4, 3, 2), (2, 2, 6)]).into(), 4),
        (2, 3) => {
            let at = gather(h, &[(12, 1, 5), (5, 2, 3), (2, 3, 6)]).into();
            kill(rd).reaching(2, at, 8).slot(true, rd, at)
        }
        (2, 4) => match (h >> 12 & 1, rs2) {
            (0, 0) => jump(false, rd),
            (0, _) => sum(rd, rs2, 0),
            (_, 0) => Step::to(if rd == 0 { Flow::Next } else { Flow::Call }),
            _ => kill(rd).moved(rd, rd, 0, false).moved(rd, rs2, 0, false),
        },
        (2, 7) => {
            let at = gather(h, &[(10, 3, 3), (7, 3, 6)]).into();
            none.reaching(2, at, 8).slot(false, rs2, at)
        }
        _ => none,
    }
}

#[cfg(test)]
mod tests {
    use super::super::access;
    use super::*;

    #[test]
    fn accesses() {
        assert_eq!(half(0x43d4).accesses[0], access(15, 4, 4)); // lw a3, 4(a5)
        assert_eq!(half(0x4798).accesses[0], access(15, 8, 4)); // lw a4, 8(a5)
        assert_eq!(word(0x0047_a603).accesses[0], access(15, 4, 4)); // lw a2, 4(a5)
        assert_eq!(word(0x00c7_a223).accesses[0], access(15, 4, 4)); // sw a2, 4(a5)
        assert_eq!(half(0xe406).slots.map(|s| (s.load, s.first)), Some((false, (1, 8)))); // sd ra, 8(sp)
        assert_eq!(half(0x60a2).slots.map(|s| (s.load, s.first)), Some((true, (1, 8)))); // ld ra, 8(sp)
    }

    #[test]
    fn registers_get_and_lose_addresses() {
        assert_eq!(half(0x07a1), Step::sum(15, 15, 8)); // addi a5, a5, 8
        assert_eq!(half(0x1141), Step::sum(2, 2, -16)); // addi sp, sp, -16
        assert_eq!(half(0x7179), Step::sum(2, 2, -48)); // addi sp, sp, -48
        assert_eq!(word(0x0084_0513), Step::sum(10, 8, 8)); // addi a0, s0, 8
        assert_eq!(half(0x85a2), Step::sum(11, 8, 0)); // mv a1, s0
        assert_eq!(half(0x4501), Step::kill(10)); // li a0, 0
        assert_eq!(word(0x0000_0797), Step::kill(15)); // auipc a5, 0
    }

    #[test]
    fn control_flow() {
        assert_eq!(half(0x8082).flow, Flow::End); // ret
        assert_eq!(half(0x8782).flow, Flow::Indirect); // jr a5
        assert_eq!(word(0x0000_80e7).flow, Flow::Call); // jalr ra
        assert_eq!(word(0x04a7_e963).flow, Flow::Branch);
        assert_eq!(half(0xbffd).flow, Flow::Jump);
    }
}
