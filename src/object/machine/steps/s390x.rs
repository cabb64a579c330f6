//! s390x, of 64 bits.
//!
//! Sources: z/Architecture Principles of Operation, "instruction formats" and appendix B; ELF Application Binary
//! Interface s390x Supplement, 1.2. GCC reaches data by their own address beside anchors.

pub mod mentions;

use super::{Flow, Rules, Step};

/// r0 to r5, r14; f0 to f7. Arguments in r2 to r6, a result in r2. The stack by r11 and r15.
pub const RULES: Rules = Rules {
    clobbered: 0x0000_00ff_0000_403f,
    arguments: 0x7c,
    results: 1 << 2,
    stack: 1 << 11 | 1 << 15,
    below: 0,
    apart: None,
    subtracts: false,
};

/// The first register, the second or the index, and the base and displacement of 12 and of 20 bits.
#[derive(Clone, Copy)]
struct Fields {
    first: u32,
    second: u32,
    base: u32,
    short: i64,
    long: i64,
}

fn fields(bytes: &[u8]) -> Fields {
    let at = |i: usize| u32::from(bytes.get(i).copied().unwrap_or(0));
    let short = (at(2) & 15) << 8 | at(3);
    let long = i64::from((at(4) as u8).cast_signed()) << 12 | i64::from(short);
    Fields { first: at(1) >> 4, second: at(1) & 15, base: at(2) >> 4, short: short.into(), long }
}

/// The same, reaching memory by a base and an index, of which 0 means none.
fn by(step: Step, base: u32, index: u32, displacement: i64, width: u32) -> Step {
    match (base, index) {
        (0, 0) => step,
        (base, 0) | (0, base) => step.reaching(base, displacement, width),
        _ => step.indexed(base, index, displacement),
    }
}

/// What an instruction does.
pub fn step(bytes: &[u8]) -> Step {
    let (Some(first), Some(second)) = (bytes.first().copied(), bytes.get(1).copied()) else {
        return Step::default();
    };
    let f = fields(bytes);
    let last = bytes.get(5).copied().unwrap_or(0);
    match first {
        0x00..=0x3f => registers(first, f),
        0x40..=0x7f => indexed(first, f),
        0x84 | 0x85 => Step::to(Flow::Branch), // brxh, brxle
        0x86 | 0x87 => Step::to(Flow::Indirect).conditional(),
        0x88..=0x8f => Step::kill(f.first), // shifts
        0x90 => by(Step::default(), f.base, 0, f.short, 4 * count(f)), // stm
        0x91..=0x97 => by(Step::default(), f.base, 0, f.short, 1), // tm, mvi, ni, cli, oi, xi
        0x98 => by(range(f), f.base, 0, f.short, 4 * count(f)), // lm
        0xa5 => match second & 15 {
            0..=15 => Step::kill(f.first),
            _ => Step::default(),
        },
        0xa7 => halfword(bytes, f),
        0xb2 if second == 0x22 => Step::kill(fields(&[0, bytes.get(3).copied().unwrap_or(0)]).first), // ipm
        0xb3 | 0xb9 => of_four(first, second, bytes),
        0xba | 0xbb => by(Step::default(), f.base, 0, f.short, 1), // cs, cds
        0xbd..=0xbf => by(Step::default(), f.base, 0, f.short, 1), // clm, stcm, icm
        0xc0 | 0xc2 | 0xc4 | 0xc6 | 0xcc => relative(first, second & 15, bytes, f),
        0xd1..=0xdf | 0xf0..=0xff => two_operands(first, second, bytes, f),
        0xe3 => long_indexed(last, f),
        0xe5 => match second {
            0x44 | 0x54 | 0x55 => by(Step::default(), f.base, 0, f.short, 2),
            0x4c | 0x5c | 0x5d => by(Step::default(), f.base, 0, f.short, 4),
            0x48 | 0x58 | 0x59 => by(Step::default(), f.base, 0, f.short, 8),
            _ => Step::default(),
        },
        0xe7 => vector(last, f),
        0xeb => long_based(last, f),
        0xec => compared(last, bytes, f),
        0xed => by(Step::default(), f.base, f.second, f.short, 1),
        _ => Step::default(),
    }
}

/// How many registers a range has.
fn count(f: Fields) -> u32 {
    (f.second.wrapping_sub(f.first) & 15) + 1
}

fn range(f: Fields) -> Step {
    let kills = (0..count(f)).fold(0, |all, n| all | 1_u64 << ((f.first + n) & 15));
    Step { kills, ..Step::default() }
}

fn registers(opcode: u8, f: Fields) -> Step {
    match opcode {
        0x07 => Step::to(match (f.first, f.second) {
            (0, _) | (_, 0) => Flow::Next,
            (15, 14) => Flow::End,
            (15, _) => Flow::Indirect,
            _ => Flow::Branch, // back to the caller
        }),
        0x05 | 0x0d if f.second == 0 => Step::kill(f.first), // basr
        0x05 | 0x0d => Step::to(Flow::Call),
        0x10..=0x14 | 0x16..=0x18 | 0x1a..=0x1f => Step::kill(f.first),
        _ => Step::default(),
    }
}

/// Instructions with a base, an index and 12 bits.
fn indexed(opcode: u8, f: Fields) -> Step {
    let width = match opcode {
        0x42 | 0x43 => 1,
        0x40 | 0x48..=0x4c => 2,
        0x60..=0x6f => 8,
        _ => 4,
    };
    match opcode {
        0x41 => address(f, f.short),
        0x44 | 0x45 | 0x46 | 0x4d => Step::default(), // ex, bal, bct, bas
        0x47 if f.first == 0 => Step::default(),
        0x47 if f.first == 15 => Step::to(Flow::Indirect),
        0x47 => Step::to(Flow::Branch),
        0x43 | 0x48 | 0x4a..=0x4c | 0x54 | 0x56..=0x58 | 0x5a | 0x5b | 0x5e | 0x5f | 0x71 => {
            by(Step::kill(f.first), f.base, f.second, f.short, width)
        }
        _ => by(Step::default(), f.base, f.second, f.short, width),
    }
}

/// `la`, `lay`.
fn address(f: Fields, displacement: i64) -> Step {
    let step = Step::kill(f.first);
    match (f.base, f.second) {
        (0, 0) => step,
        (base, 0) | (0, base) => step.moved(f.first, base, displacement, true),
        (base, index) => {
            step.moved(f.first, base, displacement, false).moved(f.first, index, displacement, false)
        }
    }
}

/// Instructions with a base, an index and 20 bits.
fn long_indexed(opcode: u8, f: Fields) -> Step {
    let reach = |step: Step, width: u32| by(step, f.base, f.second, f.long, width);
    let slot = |step: Step, load: bool| if f.second == 0 { step.slot(load, f.first, f.long) } else { step };
    let width = match opcode {
        0x02 | 0x04 | 0x08..=0x0f | 0x20 | 0x21 | 0x24 | 0x2a | 0x2f | 0x80..=0x82 | 0x86..=0x89 | 0x46 => 8,
        0x15 | 0x1f | 0x34 | 0x38 | 0x39 | 0x3c | 0x3f | 0x70 | 0x78..=0x7c | 0x91 | 0x95 => 2,
        0x72 | 0x73 | 0x76 | 0x77 | 0x90 | 0x94 | 0x36 => 1,
        0x8e | 0x8f => 16,
        _ => 4,
    };
    match opcode {
        0x71 => address(f, f.long),
        0x04 => slot(reach(Step::kill(f.first), 8), true),
        0x24 => slot(reach(Step::default(), 8), false),
        0x36 => Step::default(), // pfd
        0x47 => Step::to(if f.first == 15 { Flow::Indirect } else { Flow::Branch }),
        // ag, sg, algs: a distance from memory is added to an address
        0x08..=0x0b | 0x18..=0x1b | 0x38 | 0x39 => {
            reach(Step::kill(f.first).moved(f.first, f.first, 0, false), width)
        }
        // compares and stores
        0x20 | 0x21 | 0x2f | 0x30 | 0x31 | 0x34 | 0x3e | 0x3f | 0x50 | 0x55 | 0x59 | 0x70 | 0x72 | 0x79
        | 0x8e | 0x46 => reach(Step::default(), width),
        0x02..=0x1f
        | 0x2a
        | 0x32
        | 0x3a..=0x3c
        | 0x51
        | 0x54
        | 0x56..=0x58
        | 0x5a..=0x5f
        | 0x73
        | 0x76..=0x78
        | 0x7a..=0x7c
        | 0x80..=0x82
        | 0x85..=0x89
        | 0x90..=0x99
        | 0x9c
        | 0x9d
        | 0x9f => reach(Step::kill(f.first), width),
        _ => reach(Step::default(), 1),
    }
}

/// Instructions with a base and 20 bits.
fn long_based(opcode: u8, f: Fields) -> Step {
    let reach = |step: Step, width: u32| by(step, f.base, 0, f.long, width);
    match opcode {
        0x04 => reach(range(f), 8 * count(f)),                          // lmg
        0x24 => reach(Step::default(), 8 * count(f)),                   // stmg
        0x98 => reach(range(f), 4 * count(f)),                          // lmy
        0x90 => reach(Step::default(), 4 * count(f)),                   // stmy
        0x0a..=0x0d | 0x1c | 0x1d | 0xdc..=0xdf => Step::kill(f.first), // shifts
        0x44 | 0x45 => Step::to(Flow::Branch),                          // bxhg, bxleg
        0x6a | 0x6e => reach(Step::default(), 4),                       // asi, alsi
        0x7a | 0x7e => reach(Step::default(), 8),                       // agsi, algsi
        0xf2 | 0xe2 => reach(Step::default(), 1),                       // loc, locg: by a condition
        0xe4 | 0xe6..=0xe8 | 0xea | 0xf4 | 0xf6..=0xf8 | 0xfa => reach(Step::kill(f.first), 1), // lan, laa
        0x20 | 0x21 | 0x23 | 0x2b => reach(Step::default(), 1),
        _ => reach(Step::default(), 1),
    }
}

fn vector(opcode: u8, f: Fields) -> Step {
    match opcode {
        0x06 | 0x0e => by(Step::default(), f.base, f.second, f.short, 16), // vl, vst
        0x00..=0x0f => by(Step::default(), f.base, f.second, f.short, 1),
        0x36 | 0x3e => by(Step::default(), f.base, 0, f.short, 16 * count(f)), // vlm, vstm
        0x37 | 0x3f => by(Step::default(), f.base, 0, f.short, 1),             // vll, vstl
        0x21 => Step::kill(f.first),                                           // vlgv
        _ => Step::default(),
    }
}

/// `brc`, `ahi` and their like.
fn halfword(bytes: &[u8], f: Fields) -> Step {
    match f.second {
        4 if f.first == 0 => Step::default(),
        4 => Step::to(if f.first == 15 { Flow::Jump } else { Flow::Branch }),
        5 => Step::to(Flow::Call),
        6 | 7 => Step::to(Flow::Branch),
        8..=10 | 12 | 13 => Step::kill(f.first),
        11 => Step::sum(f.first, f.first, immediate(bytes)), // aghi
        _ => Step::default(),
    }
}

fn immediate(bytes: &[u8]) -> i64 {
    bytes.get(2..4).and_then(|b| b.try_into().ok()).map_or(0, |b| i16::from_be_bytes(b).into())
}

/// Instructions of four bytes with registers in the last.
fn of_four(first: u8, opcode: u8, bytes: &[u8]) -> Step {
    let at = |i: usize| u32::from(bytes.get(i).copied().unwrap_or(0));
    let (r1, r2, r3) = (at(3) >> 4, at(3) & 15, at(2) >> 4);
    let step = Step::kill(r1);
    match (first, opcode) {
        (0xb3, 0xc1) => Step::sum(32 + r1, r2, 0), // ldgr
        (0xb3, 0xcd) => Step::sum(r1, 32 + r2, 0), // lgdr
        (0xb3, 0x98..=0x9f | 0xa8..=0xaf) => step, // cfebr, cgdbr: to integers
        (0xb3, _) => Step::default(),
        (_, 0x02 | 0x04) => step.moved(r1, r2, 0, true), // ltgr, lgr
        (_, 0x08 | 0x0a | 0x18 | 0x1a) => step.moved(r1, r1, 0, false).moved(r1, r2, 0, false), // agr
        (_, 0x09 | 0x0b | 0x19 | 0x1b) => step.moved(r1, r1, 0, false), // sgr
        (_, 0xe8 | 0xea) => step.moved(r1, r2, 0, false).moved(r1, r3, 0, false), // agrk
        (_, 0xe9 | 0xeb) => step.moved(r1, r2, 0, false), // sgrk
        (_, 0xe3) => step.moved(r1, r2, 0, true).moved(r1, r3, 0, true), // selgr
        (_, 0xe2) => Step::default().moved(r1, r2, 0, true), // locgr
        (
            _,
            0x00..=0x1f | 0x26 | 0x27 | 0x80..=0x89 | 0x94..=0x97 | 0xc0 | 0xe4..=0xe7 | 0xf0 | 0xf4..=0xfb,
        ) => step,
        _ => Step::default(),
    }
}

/// Instructions with 32 bits of an immediate or a distance.
fn relative(first: u8, opcode: u8, bytes: &[u8], f: Fields) -> Step {
    let value = bytes.get(2..6).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    match (first, opcode) {
        (0xc0, 4) if f.first == 0 => Step::default(),
        (0xc0, 4) => Step::to(if f.first == 15 { Flow::Jump } else { Flow::Branch }),
        (0xc0, 5) => Step::to(Flow::Call),
        (0xc0, _) => Step::kill(f.first), // larl, lgfi, and, or
        (0xc2, 8) => Step::sum(f.first, f.first, value.cast_signed().into()), // agfi
        (0xc2, 10) => Step::sum(f.first, f.first, value.into()), // algfi
        (0xc2, 4) => Step::sum(f.first, f.first, -i64::from(value)), // slgfi
        (0xc2, 0 | 1 | 5 | 9 | 11) => Step::kill(f.first),
        (0xc4, 2 | 4..=6 | 8 | 12..=14) => Step::kill(f.first), // lrl and their like
        (0xc6, 0) => Step { executes: true, ..Step::default() }, // exrl
        (0xcc, 6) => Step::to(Flow::Branch),                    // brcth
        _ => Step::default(),
    }
}

/// `mvc`, `clc`, `xc` and their like.
fn two_operands(first: u8, second: u8, bytes: &[u8], f: Fields) -> Step {
    let at = |i: usize| u32::from(bytes.get(i).copied().unwrap_or(0));
    let (base, displacement) = (at(4) >> 4, i64::from((at(4) & 15) << 8 | at(5)));
    let (one, other) = match first {
        0xd1..=0xd7 => (u32::from(second) + 1, u32::from(second) + 1),
        0xdc..=0xdf => (u32::from(second) + 1, 1),
        _ => (f.first + 1, f.second + 1),
    };
    let step = by(Step::default(), f.base, 0, f.short, one);
    by(step, base, 0, displacement, other)
}

/// Instructions that compare and branch, or rotate, or add an immediate to another register.
fn compared(opcode: u8, bytes: &[u8], f: Fields) -> Step {
    match opcode {
        0x44 | 0x45 | 0x64 | 0x65 | 0x76 | 0x77 | 0x7c..=0x7f => Step::to(Flow::Branch),
        0x51 | 0x54..=0x57 | 0x59 | 0x5d | 0xd8 | 0xda | 0xdb => Step::kill(f.first), // risbg, ahik
        0xd9 => Step::sum(f.first, f.second, immediate(bytes)),                       // aghik
        _ => Step::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::access;
    use super::*;

    #[test]
    fn accesses() {
        let first = |bytes: &[u8]| step(bytes).accesses[0];
        assert_eq!(first(&[0x58, 0x20, 0x10, 0x04]), access(1, 4, 4)); // l %r2, 4(%r1)
        assert_eq!(first(&[0x50, 0x40, 0x10, 0x08]), access(1, 8, 4)); // st %r4, 8(%r1)
        assert_eq!(first(&[0xe3, 0x21, 0x30, 0x10, 0, 0x04]).and_then(|a| a.index), Some(1)); // lg 16(1,3)
        assert_eq!(first(&[0xe3, 0x20, 0x3f, 0xf8, 0xff, 0x04]), access(3, -8, 8)); // lg %r2, -8(%r3)
        let mvc = step(&[0xd2, 0x07, 0x20, 0x08, 0x10, 0x10]); // mvc 8(8,%r2), 16(%r1)
        assert_eq!(mvc.accesses, [access(2, 8, 8), access(1, 16, 8)]);
        assert_eq!(first(&[0xeb, 0x01, 0x10, 0x04, 0, 0x7a]), access(1, 4, 8)); // agsi 4(%r1), 1
    }

    #[test]
    fn registers_get_and_lose_addresses() {
        assert_eq!(step(&[0x41, 0x20, 0x10, 0x08]), Step::sum(2, 1, 8)); // la %r2, 8(%r1)
        assert_eq!(step(&[0xb9, 0x04, 0, 0x34]), Step::sum(3, 4, 0)); // lgr %r3, %r4
        assert_eq!(step(&[0xa7, 0xbb, 0xff, 0xfc]), Step::sum(11, 11, -4)); // aghi %r11, -4
        assert_eq!(step(&[0xec, 0x12, 0, 8, 0, 0xd9]), Step::sum(1, 2, 8)); // aghik %r1, %r2, 8
        assert_eq!(step(&[0xc0, 0x10, 0, 0, 0, 0]), Step::kill(1)); // larl
        assert_eq!(step(&[0x19, 0x12]), Step::default()); // cr
        assert_eq!(step(&[0xb3, 0xc1, 0, 0x12]), Step::sum(33, 2, 0)); // ldgr %f1, %r2
        assert_eq!(step(&[0xeb, 0xe1, 0xf0, 0x70, 0, 0x04]).kills, 0xc003); // lmg %r14, %r1
    }

    #[test]
    fn control_flow() {
        let flow = |bytes: &[u8]| step(bytes).flow;
        assert_eq!(flow(&[0x07, 0xfe]), Flow::End);
        assert_eq!(flow(&[0x07, 0xf1]), Flow::Indirect);
        assert_eq!(flow(&[0x07, 0x07]), Flow::Next);
        assert_eq!(flow(&[0xa7, 0xf4, 0, 4]), Flow::Jump);
        assert_eq!(flow(&[0xa7, 0xc4, 0, 4]), Flow::Branch);
        assert_eq!(flow(&[0xc0, 0xe5, 0, 0, 0, 0]), Flow::Call);
        assert_eq!(flow(&[0xec, 0x12, 0, 4, 0x80, 0x64]), Flow::Branch);
    }
}
