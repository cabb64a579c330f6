//! Thumb, by its first and second half. [`super::arm::RULES`] hold.
//!
//! Source: Arm Architecture Reference Manual (ARMv7-A), A6.

pub mod mentions;

use super::arm::{multiple, structures, vector};
use super::{Block, Flow, Step};

const PC: u32 = 15;
const SP: u32 = 13;

/// What an instruction of two bytes does.
pub fn half(f: u32) -> Step {
    let (low, middle, five) = (f & 7, f >> 3 & 7, f >> 6 & 31);
    let high = f >> 8 & 7;
    match f >> 11 {
        0 if five == 0 => Step::sum(low, middle, 0), // movs
        0..=2 => Step::kill(low),
        3 => {
            let value = i64::from(five & 7);
            match f >> 9 & 3 {
                2 => Step::sum(low, middle, value),
                3 => Step::sum(low, middle, -value),
                0 => Step::kill(low).moved(low, middle, 0, false).moved(low, five & 7, 0, false),
                _ => Step::kill(low).moved(low, middle, 0, false),
            }
        }
        4 => Step::counter(high, (f & 0xff).into()), // movs
        5 => Step::default(),                        // cmp
        6 => Step::sum(high, high, (f & 0xff).into()),
        7 => Step::sum(high, high, -i64::from(f & 0xff)),
        8 if f >> 10 & 1 == 0 => match f >> 6 & 15 {
            8 | 10 | 11 => Step::default(), // tst, cmp, cmn
            _ => Step::kill(low),
        },
        8 => high_registers(f),
        9 => Step::kill(high), // ldr of a literal
        10 | 11 => {
            let load = f >> 9 & 7 >= 3;
            let step = if load { Step::kill(low) } else { Step::default() };
            step.indexed(middle, five & 7, 0)
        }
        12 => Step::default().reaching(middle, i64::from(five) * 4, 4).slot(false, low, i64::from(five) * 4),
        13 => Step::kill(low).reaching(middle, i64::from(five) * 4, 4).slot(true, low, i64::from(five) * 4),
        14 => Step::default().reaching(middle, five.into(), 1),
        15 => Step::kill(low).reaching(middle, five.into(), 1),
        16 => Step::default().reaching(middle, i64::from(five) * 2, 2),
        17 => Step::kill(low).reaching(middle, i64::from(five) * 2, 2),
        18 | 19 => {
            let (load, at) = (f >> 11 == 19, 4 * i64::from(f & 0xff));
            let step = if load { Step::kill(high) } else { Step::default() };
            step.reaching(SP, at, 4).slot(load, high, at)
        }
        20 | 21 => Step::kill(high), // adr; add of sp
        22 | 23 => miscellaneous(f),
        24 => multiple(high, f & 0xff, (0, 1), (0, 1)),
        25 => multiple(high, f & 0xff, (1, 1), (0, 1)),
        26 | 27 if f >> 8 & 15 < 14 => branch(f >> 8),
        28 => Step::to(Flow::Jump),
        _ => Step::default(),
    }
}

fn branch(condition: u32) -> Step {
    Step { condition: Some((condition & 15) as u8), ..Step::to(Flow::Branch) }
}

/// Whether an instruction of two bytes changes the flags in a block of `it`, where most do not.
pub fn half_compares(f: u32) -> bool {
    f & 0xf800 == 0x2800 || f & 0xff00 == 0x4500 || f & 0xff80 == 0x4280 || f & 0xffc0 == 0x4200
}

/// Whether one of four bytes may: all do but loads, stores, and arithmetic without that bit.
pub fn word_compares(first: u32, second: u32) -> bool {
    let moves = first & 0xfe00 == 0xf800 || first & 0xfe00 == 0xe800;
    let arithmetic = first & 0xfe00 == 0xea00 || first & 0xf800 == 0xf000 && second >> 15 == 0;
    !(moves || arithmetic && first >> 4 & 1 == 0)
}

fn high_registers(f: u32) -> Step {
    let (rd, rm) = (f >> 4 & 8 | f & 7, f >> 3 & 15);
    match f >> 8 & 3 {
        0 if rm == PC => Step::sum(rd, rd, 0),
        0 if rd != PC => Step::kill(rd).moved(rd, rd, 0, false).moved(rd, rm, 0, false),
        1 => Step::default(), // cmp
        2 if rd != PC => Step::sum(rd, rm, 0),
        3 if f >> 7 & 1 == 1 => Step::to(Flow::Call),
        _ => Step::to(if rm == 14 { Flow::End } else { Flow::Indirect }),
    }
}

fn miscellaneous(f: u32) -> Step {
    match f >> 8 & 15 {
        0 => {
            let value = 4 * i64::from(f & 0x7f);
            Step::sum(SP, SP, if f >> 7 & 1 == 1 { -value } else { value })
        }
        1 | 3 | 9 | 11 => Step::to(Flow::Branch), // cbz, cbnz
        2 | 10 => Step::kill(f & 7),
        4 | 5 => multiple(SP, f & 0xff | (f >> 8 & 1) << 14, (0, 1), (1, 0)),
        12 | 13 => multiple(SP, f & 0xff | (f >> 8 & 1) << 15, (1, 1), (0, 1)),
        15 if f & 15 != 0 => {
            let block = Some(Block { first: (f >> 4 & 15) as u8, mask: (f & 15) as u8 });
            Step { block, ..Step::default() } // it
        }
        _ => Step::default(),
    }
}

/// The value of a modified immediate constant (A6.3.2).
fn expanded(first: u32, second: u32) -> u32 {
    let (top, low) = ((first >> 10 & 1) << 3 | second >> 12 & 7, second & 0xff);
    match top {
        0 => low,
        1 => low | low << 16,
        2 => low << 8 | low << 24,
        3 => low * 0x0101_0101,
        _ => (low | 0x80).rotate_right(top << 1 | low >> 7),
    }
}

/// What an instruction of four bytes does.
pub fn word(first: u32, second: u32) -> Step {
    let (rn, rt, rd) = (first & 15, second >> 12, second >> 8 & 15);
    let up = |value: u32| if first >> 7 & 1 == 1 { i64::from(value) } else { -i64::from(value) };
    match first {
        f if f & 0xec00 == 0xec00 && f >> 8 != 0xef && f >> 8 != 0xff => vector(f << 16 | second),
        f if f & 0xff10 == 0xf900 => structures(f << 16 | second),
        f if f & 0xfe40 == 0xe800 => {
            let before = u32::from(f & 0x0180 == 0x0100);
            multiple(rn, second, (f >> 4 & 1, f >> 5 & 1), (before, 1 - before))
        }
        f if f & 0xfe40 == 0xe840 => double(f, second, up(4 * (second & 0xff))),
        f if f & 0xfe00 == 0xea00 => shifted(f, second),
        f if f & 0xfa00 == 0xf000 && second >> 15 == 0 => {
            let value = i64::from(expanded(f, second));
            let (sets_flags, opcode) = (f >> 4 & 1 == 1, f >> 5 & 15);
            match opcode {
                _ if sets_flags && rd == PC => Step::default(), // tst, teq, cmn, cmp
                8 if rn != PC => Step::sum(rd, rn, value),
                13 if rn != PC => Step::sum(rd, rn, -value),
                2 if rn == PC => Step::counter(rd, value),  // mov.w
                3 if rn == PC => Step::counter(rd, !value), // mvn.w
                _ => Step::kill(rd),
            }
        }
        f if f & 0xfa00 == 0xf200 && second >> 15 == 0 => {
            let value = i64::from((f >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff);
            match f >> 4 & 31 {
                0 if rn != PC => Step::sum(rd, rn, value),
                10 if rn != PC => Step::sum(rd, rn, -value),
                _ => Step::kill(rd),
            }
        }
        f if f & 0xf800 == 0xf000 => match second & 0xd000 {
            0x9000 => Step::to(Flow::Jump),
            0xc000 | 0xd000 => Step::to(Flow::Call),
            0x8000 if f >> 6 & 15 < 14 => branch(f >> 6),
            _ => Step::default(),
        },
        f if f & 0xfe00 == 0xf800 => single(f, second),
        f if f & 0xff00 == 0xfa00 => Step::kill(rd),
        f if f & 0xff80 == 0xfb00 && rt != PC => Step::kill(rd).moved(rd, rt, 0, false), // mla
        f if f & 0xff80 == 0xfb00 => Step::kill(rd),
        0xfb90..=0xfb9f | 0xfbb0..=0xfbbf => Step::kill(rd), // sdiv, udiv
        f if f & 0xff80 == 0xfb80 => Step { kills: 1 << rd | 1 << rt, ..Step::default() },
        _ => Step::default(),
    }
}

/// `ldrd`, `strd`, `ldrex`, `tbb` and their like.
fn double(f: u32, second: u32, value: i64) -> Step {
    let (rn, rt, other) = (f & 15, second >> 12, second >> 8 & 15);
    let load = f >> 4 & 1 == 1;
    if f & 0x0120 == 0 {
        return match f & 0xfff0 {
            0xe8d0 if second & 0xffe0 == 0xf000 => Step::to(Flow::Indirect), // tbb, tbh
            0xe840 => Step::kill(other).reaching(rn, value, 4),              // strex
            0xe850 => Step::kill(rt).reaching(rn, value, 4),
            0xe8d0 => Step::kill(rt).reaching(rn, 0, 1),
            _ => Step::default().reaching(rn, 0, 1),
        };
    }
    let kills = if load { 1 << rt | 1 << other } else { 0 };
    let step = Step { kills, ..Step::default() };
    if rn == PC {
        return step;
    }
    let at = if f >> 8 & 1 == 1 { value } else { 0 };
    let step = step.reaching(rn, at, 8).slot_pair(load, (rt, other), at, 4);
    if f >> 5 & 1 == 1 { step.writing_back(rn, value) } else { step }
}

/// Data processing with a register that may be shifted.
fn shifted(f: u32, second: u32) -> Step {
    let (rn, rd, rm) = (f & 15, second >> 8 & 15, second & 15);
    let plain = second & 0x70f0 == 0;
    let step = Step::kill(rd);
    match f >> 5 & 15 {
        _ if rd == PC => Step::default(),
        2 if rn == PC && plain => step.moved(rd, rm, 0, true),
        8 if plain => step.moved(rd, rn, 0, false).moved(rd, rm, 0, false),
        8 | 13 => step.moved(rd, rn, 0, false),
        _ => step,
    }
}

/// `ldr`, `str` and their like.
fn single(f: u32, second: u32) -> Step {
    let (rn, rt) = (f & 15, second >> 12);
    let (load, size) = (f >> 4 & 1 == 1, f >> 5 & 3);
    let width = 1 << size.min(2);
    let step = match (load, rt) {
        (true, PC) if size == 2 => Step::to(if rn == SP { Flow::End } else { Flow::Indirect }),
        (true, PC) => Step::default(), // pld
        (true, _) => Step::kill(rt),
        _ => Step::default(),
    };
    if rn == PC {
        return step;
    }
    let slot = |step: Step, at: i64| if size == 2 { step.slot(load, rt, at) } else { step };
    if f >> 7 & 1 == 1 {
        let at = i64::from(second & 0xfff);
        return slot(step.reaching(rn, at, width), at);
    }
    if second >> 11 & 1 == 0 {
        return step.indexed(rn, second & 15, 0);
    }
    let value = i64::from(second & 0xff);
    let value = if second >> 9 & 1 == 1 { value } else { -value };
    match (second >> 10 & 1, second >> 8 & 1) {
        (0, _) => slot(step.reaching(rn, 0, width), 0).writing_back(rn, value),
        (_, 1) => slot(step.reaching(rn, value, width), value).writing_back(rn, value),
        _ => slot(step.reaching(rn, value, width), value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::access;
    use super::*;

    #[test]
    fn accesses() {
        assert_eq!(half(0x6890).accesses[0], access(2, 8, 4)); // ldr r0, [r2, #8]
        assert_eq!(word(0xe9d2, 0x3101).accesses[0], access(2, 4, 8)); // ldrd r3, r1, [r2, #4]
        assert_eq!(word(0xf8d2, 0x3404).accesses[0], access(2, 0x404, 4)); // ldr.w r3, [r2, #1028]
        assert_eq!(word(0xf855, 0x2023).accesses[0].and_then(|a| a.index), Some(3)); // ldr.w r2, [r5, r3, lsl #2]
        assert_eq!(word(0xedd2, 0x7a01).accesses[0], access(2, 4, 4)); // vldr s15, [r2, #4]
    }

    #[test]
    fn registers_get_and_lose_addresses() {
        assert_eq!(half(0x3102), Step::sum(1, 1, 2)); // adds r1, #2
        assert_eq!(half(0x447a), Step::sum(2, 2, 0)); // add r2, pc
        assert_eq!(half(0x4621), Step::sum(1, 4, 0)); // mov r1, r4
        assert_eq!(half(0x1d20), Step::sum(0, 4, 4)); // adds r0, r4, #4
        assert_eq!(word(0xf502, 0x7282), Step::sum(2, 2, 260)); // add.w r2, r2, #260
        assert_eq!(word(0xf1b2, 0x0f00), Step::default()); // cmp.w r2, #0
        assert_eq!(half(0xb410).accesses[0], access(13, -4, 4)); // push {r4}
        assert_eq!(word(0xf85d, 0x4b04).kills, 1 << 4 | 1 << 13); // ldr.w r4, [sp], #4
    }

    #[test]
    fn control_flow() {
        assert_eq!(half(0xbdf8).flow, Flow::End); // pop {.., pc}
        assert_eq!(half(0x4770).flow, Flow::End); // bx lr
        assert_eq!(half(0xdd13).flow, Flow::Branch);
        let conditions = |f| half(f).block.unwrap().conditions().collect::<Vec<_>>();
        assert_eq!(conditions(0xbf08), [0]); // it eq
        assert_eq!(conditions(0xbf0c), [0, 1]); // ite eq
        assert_eq!(conditions(0xbfc9), [12, 13, 12, 12]); // itett gt
        assert_eq!(half(0xd13c).condition, Some(1)); // bne
        assert_eq!(word(0xf040, 0x81e0).condition, Some(1)); // bne.w
        assert_eq!(word(0xf7ff, 0xfffe).flow, Flow::Call);
        assert_eq!(word(0xe8df, 0xf000).flow, Flow::Indirect); // tbb [pc, r0]
        assert_eq!(word(0xf85d, 0xfb04).flow, Flow::End); // ldr.w pc, [sp], #4
    }
}
