//! A64.
//!
//! Sources: Arm Architecture Reference Manual, C4.1; Procedure Call Standard for the Arm 64-bit Architecture, 6.1.
//! Anchors are 4352 bytes apart: displacements of -256 to 4095.

use super::super::signed;
use super::{Flow, Register, Rules, Step, count};

/// x0 to x18, x30; v0 to v7, v16 to v31. The stack by sp and x29.
pub const RULES: Rules = Rules {
    clobbered: 0xffff_00ff_4007_ffff,
    arguments: 0x1ff,
    results: 3,
    stack: 1 << 31 | 1 << 29,
    below: 256,
    apart: Some(4352),
    subtracts: false,
};

/// Kills a general register, unless it is the zero register.
fn kill(register: u32) -> Step {
    if register == 31 { Step::default() } else { Step::kill(register) }
}

/// What an instruction does.
pub fn step(w: u32) -> Step {
    match w >> 25 & 15 {
        0b1000 | 0b1001 => immediate(w),
        0b1010 | 0b1011 => branch(w),
        0b0101 | 0b1101 => register(w),
        group if group & 0b0101 == 0b0100 => memory(w),
        _ => match w & 0xffff_fc00 {
            0x9e66_0000 => Step::sum(w & 31, 32 + (w >> 5 & 31), 0), // fmov x, d
            0x9e67_0000 => Step::sum(32 + (w & 31), w >> 5 & 31, 0), // fmov d, x
            // umov, smov; conversions to integers
            _ if w & 0xbfe0_ec00 == 0x0e00_2c00 => kill(w & 31),
            _ if w & 0x7f20_fc00 == 0x1e20_0000 && matches!(w >> 16 & 7, 0 | 1 | 4..=6) => kill(w & 31),
            _ => Step::default(),
        },
    }
}

/// How many fields may name a general register.
pub fn mentions(w: u32, register: Register) -> usize {
    let fields: &[u32] = match w >> 25 & 15 {
        0b1000 | 0b1001 => match w >> 23 & 7 {
            0 | 1 | 5 => &[0], // adr, adrp, movz and the like
            7 => &[0, 5, 16],  // extr
            _ => &[0, 5],
        },
        0b1010 | 0b1011 => match w >> 24 {
            0x34..=0x37 | 0xb4..=0xb7 | 0xd5 => &[0], // cbz, tbz, mrs, msr
            0xd6 | 0xd7 => &[5, 0],
            _ => &[],
        },
        // casp: of pairs
        _ if w & 0xbfa0_7c00 == 0x0820_7c00 => return usize::MAX,
        group if group & 0b0101 == 0b0100 => match (w >> 27 & 7, w >> 26 & 1) {
            (0b101, 0) => &[0, 5, 10],
            (0b101, _) => &[5],
            (0b111, vector) => match (vector, w >> 24 & 1 == 0 && w >> 21 & 1 == 1) {
                (0, false) => &[0, 5],
                (0, true) => &[0, 5, 16],
                (_, false) => &[5],
                (_, true) => &[5, 16],
            },
            _ => &[0, 5, 10, 16],
        },
        // Of floating point and vectors: conversions, moves and copies alone have to do with general registers.
        0b0111 | 0b1111 => match () {
            () if w & 0x5f20_fc00 == 0x1e20_0000 || w & 0x5f20_0000 == 0x1e00_0000 => &[0, 5],
            () if w & 0x9fe0_8400 == 0x0e00_0400 => &[0, 5],
            () => &[],
        },
        _ => &[0, 5, 10, 16],
    };
    count(w, register, fields)
}

fn immediate(w: u32) -> Step {
    let (rd, rn) = (w & 31, w >> 5 & 31);
    let sets_flags = w >> 29 & 1 == 1;
    match w >> 23 & 7 {
        2 => {
            let value = i64::from(w >> 10 & 0xfff) << (12 * (w >> 22 & 1));
            match (sets_flags && rd == 31, w >> 31) {
                (true, _) => Step::default(), // cmp
                (false, 1) => Step::sum(rd, rn, if w >> 30 & 1 == 1 { -value } else { value }),
                _ => kill(rd),
            }
        }
        4 if w >> 29 & 3 == 1 => Step::kill(rd), // orr: also of sp
        5 if w >> 29 & 1 == 0 && rd != 31 => {
            let value = i64::from(w >> 5 & 0xffff) << (16 * (w >> 21 & 3));
            Step::counter(rd, if w >> 30 & 1 == 1 { value } else { !value }) // movz, movn
        }
        _ => kill(rd),
    }
}

fn branch(w: u32) -> Step {
    Step::to(match w >> 26 {
        0x05 => Flow::Jump,
        0x25 => Flow::Call,
        _ => match w >> 24 {
            0x54 | 0x34..=0x37 | 0xb4..=0xb7 => Flow::Branch,
            0xd6 | 0xd7 => match w >> 21 & 0xf {
                0 | 8 => Flow::Indirect, // br
                1 | 9 => Flow::Call,     // blr
                _ => Flow::End,          // ret, eret
            },
            _ if w >> 20 == 0xd53 => return kill(w & 31), // mrs
            _ => Flow::Next,
        },
    })
}

fn register(w: u32) -> Step {
    let (rd, rn, rm) = (w & 31, w >> 5 & 31, w >> 16 & 31);
    let wide = w >> 31 == 1;
    let step = kill(rd);
    match w >> 24 & 31 {
        0b01010 if wide && w & 0x7fe0_ffe0 == 0x2a00_03e0 => step.moved(rd, rm, 0, true), // mov
        0b01011 => {
            let extended = w >> 21 & 1 == 1;
            let step = match (w >> 29 & 1 == 1, extended) {
                (true, _) | (_, false) => step,
                _ => Step::kill(rd),
            };
            let unshifted = if extended { w >> 10 & 7 == 0 } else { w >> 10 & 63 == 0 };
            match (wide, w >> 30 & 1) {
                (true, 0) if unshifted => step.moved(rd, rn, 0, false).moved(rd, rm, 0, false),
                (true, _) => step.moved(rd, rn, 0, false),
                _ => step,
            }
        }
        0b11010 => match w >> 21 & 7 {
            2 => Step::default(), // ccmp, ccmn
            4 if wide && w >> 30 & 1 == 0 => {
                step.moved(rd, rn, 0, true).moved(rd, rm, i64::from(w >> 10 & 1), true) // csel, csinc
            }
            4 if wide => step.moved(rd, rn, 0, true), // csinv, csneg
            _ => step,
        },
        0b11011 if wide => step.moved(rd, w >> 10 & 31, 0, false), // madd: base and index
        _ => step,
    }
}

fn memory(w: u32) -> Step {
    let (rt, rn, size) = (w & 31, w >> 5 & 31, w >> 30);
    let vector = w >> 26 & 1 == 1;
    let filled = |register: u32| if vector { Step::kill(32 + register) } else { kill(register) };
    match w >> 27 & 7 {
        // ldr of a literal; prfm
        0b011 if w >> 24 & 1 == 0 => {
            if !vector && size == 3 {
                Step::default()
            } else {
                filled(rt)
            }
        }
        0b101 => pair(w),
        0b111 => {
            let opcode = w >> 22 & 3;
            let scale = if vector && opcode & 2 == 2 && size == 0 { 4 } else { size };
            let load = if vector { opcode & 1 == 1 } else { opcode != 0 };
            let prefetch = !vector && size == 3 && opcode == 2;
            let step = if load && !prefetch { filled(rt) } else { Step::default() };
            let slot = |step: Step, at: i64| {
                if !vector && size == 3 && opcode < 2 { step.slot(load, rt, at) } else { step }
            };
            if w >> 24 & 1 == 1 {
                let at = i64::from(w >> 10 & 0xfff) << scale;
                return slot(step.reaching(rn, at, 1 << scale), at);
            }
            let by = signed(w, 12, 9);
            match (w >> 21 & 1, w >> 10 & 3) {
                (0, 1) => slot(step.reaching(rn, 0, 1 << scale).writing_back(rn, by), 0),
                (0, 3) => slot(step.reaching(rn, by, 1 << scale).writing_back(rn, by), by),
                (0, _) => slot(step.reaching(rn, by, 1 << scale), by),
                (_, 2) => {
                    let step = step.indexed(rn, w >> 16 & 31, 0);
                    if w >> 16 & 31 == 31 {
                        Step { accesses: [None; 2], ..step }.reaching(rn, 0, 1)
                    } else {
                        step
                    }
                }
                (_, 0) => kill(rt).reaching(rn, 0, 1 << size), // atomic
                _ => step.reaching(rn, 0, 1 << size),
            }
        }
        0b001 if vector => structures(w, rn),
        // ldxr, ldar: exclusive, ordered
        0b001 => {
            let step = match (w >> 22 & 1, w >> 23 & 1) {
                (1, _) => kill(rt),
                (_, 0) => kill(w >> 16 & 31), // stxr: its status
                _ => Step::default(),
            };
            step.reaching(rn, 0, 1 << size)
        }
        // ldapur, stlur
        _ if w & 0x3f20_0c00 == 0x1900_0000 => {
            let step = if w >> 22 & 3 == 0 { Step::default() } else { kill(rt) };
            step.reaching(rn, signed(w, 12, 9), 1 << size)
        }
        _ => Step::default(),
    }
}

/// `ldp`, `stp`.
fn pair(w: u32) -> Step {
    let (rt, second, rn, size) = (w & 31, w >> 10 & 31, w >> 5 & 31, w >> 30);
    let (vector, load) = (w >> 26 & 1 == 1, w >> 22 & 1 == 1);
    let scale = if vector { 2 + size } else { 2 + (size >> 1) };
    let by = signed(w, 15, 7) << scale;
    let (at, back) = match w >> 23 & 3 {
        1 => (0, true),
        3 => (by, true),
        _ => (by, false),
    };
    let mut step = Step::default();
    if load {
        let base = if vector { 32 } else { 0 };
        for register in [rt, second].into_iter().filter(|r| vector || *r != 31) {
            step.kills |= 1 << (base + register);
        }
    }
    step = step.reaching(rn, at, 2 << scale);
    if !vector && size == 2 {
        step = step.slot_pair(load, (rt, second), at, 8);
    }
    if back { step.writing_back(rn, by) } else { step }
}

/// `ld1` to `ld4`, `st1` to `st4`.
fn structures(w: u32, rn: u32) -> Step {
    let many = w >> 24 & 1 == 0;
    let registers = match w >> 12 & 15 {
        0 | 2 => 4,
        4 | 6 => 3,
        8 | 10 => 2,
        _ => 1,
    };
    let width = if many { registers * (8 << (w >> 30 & 1)) } else { 1 };
    let step = Step::default().reaching(rn, 0, width);
    match (w >> 23 & 1, w >> 16 & 31) {
        (0, _) => step,
        (_, 31) if many => step.writing_back(rn, width.into()),
        _ => Step { kills: step.kills | 1 << rn, ..step }.moved(rn, rn, 0, false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::access;
    use super::*;

    #[test]
    fn accesses() {
        let first = |w: u32| step(w).accesses[0];
        assert_eq!(first(0x2940_8062), access(3, 4, 8)); // ldp w2, w0, [x3, #4]
        assert_eq!(first(0xb940_0461), access(3, 4, 4)); // ldr w1, [x3, #4]
        assert_eq!(first(0xb85f_c061), access(3, -4, 4)); // ldur w1, [x3, #-4]
        assert_eq!(first(0x3dc0_0461), access(3, 16, 16)); // ldr q1, [x3, #16]
        assert_eq!(first(0x4c40_a061), access(3, 0, 32)); // ld1 {v1.16b, v2.16b}, [x3]
        assert_eq!(first(0xf862_7b21).and_then(|a| a.index), Some(2)); // ldr x1, [x25, x2, lsl #3]
        assert_eq!(first(0x1100_0421), None); // add w1, w1, #1
    }

    #[test]
    fn general_registers_are_counted_where_fields_may_name_them() {
        for (word, register, count) in [
            (0x1e21_1001, 1, 0), // fmov s1, 3.0
            (0x1e21_0821, 1, 0), // fmul s1, s1, s1
            (0x9e78_0001, 1, 1), // fcvtzs x1, d0
            (0x9e62_0020, 1, 1), // scvtf d0, x1
            (0x1e02_fc20, 1, 1), // scvtf s0, w1, #1
            (0x4e08_0c20, 1, 1), // dup v0.2d, x1
            (0x0e04_3c01, 1, 1), // umov w1, v0.s[0]
            (0x4ea1_8421, 1, 0), // add v1.4s, v1.4s, v1.4s
            (0x9e66_0001, 1, 1), // fmov x1, d0
            (0x8b01_0021, 1, 3), // add x1, x1, x1
            (0xf900_0021, 1, 2), // str x1, [x1]
            (0x3d80_0021, 1, 1), // str q1, [x1]
        ] {
            assert_eq!(mentions(word, register), count, "{word:#x}");
        }
    }

    #[test]
    fn registers_get_and_lose_addresses() {
        assert_eq!(step(0x9100_4061), Step::sum(1, 3, 16)); // add x1, x3, #16
        assert_eq!(step(0xd100_4061), Step::sum(1, 3, -16)); // sub x1, x3, #16
        assert_eq!(step(0xaa03_03e1), Step::sum(1, 3, 0)); // mov x1, x3
        assert_eq!(step(0xf100_001f), Step::default()); // cmp x0, #0
        assert_eq!(step(0xd280_0013), Step::counter(19, 0)); // mov x19, #0
        assert_eq!(step(0x9000_0004), Step::kill(4)); // adrp x4
        assert_eq!(step(0x8b02_0c21).moves[1], None); // add x1, x1, x2, lsl #3
        assert_eq!(step(0x8b02_0021).moves[1].map(|m| m.exact), Some(false)); // add x1, x1, x2
        assert_eq!(step(0xb840_4401).kills, 1 << 1 | 1 << 0); // ldr w1, [x0], #4
        assert_eq!(step(0xb900_0422).kills, 0); // str w2, [x1, #4]
        assert_eq!(step(0xf900_0bf3).slots.map(|s| s.first), Some((19, 16))); // str x19, [sp, #16]
        assert_eq!(step(0x1b02_7c41).moves[0], None); // mul w1, w2, w2
    }

    #[test]
    fn control_flow() {
        let flow = |w: u32| step(w).flow;
        assert_eq!(flow(0x5400_02ad), Flow::Branch);
        assert_eq!(flow(0x9400_0000), Flow::Call);
        assert_eq!(flow(0x1400_0000), Flow::Jump);
        assert_eq!(flow(0xd65f_03c0), Flow::End);
        assert_eq!(flow(0xd61f_0000), Flow::Indirect);
        assert_eq!(flow(0xd63f_0000), Flow::Call);
        assert_eq!(flow(0x3500_00e0), Flow::Branch);
    }
}
