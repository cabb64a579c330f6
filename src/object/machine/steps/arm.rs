//! 32-bit Arm, in Arm encoding; what Thumb shares with it.
//!
//! Sources: Arm Architecture Reference Manual (ARMv7-A), A5 and A7; Procedure Call Standard for the Arm Architecture, 6.1.
//! Anchors are 4344 bytes apart in Thumb-2, 8184 in Arm encoding. (In the first Thumb, 128: one of two anchors so near
//! counts where an access at a known displacement proves it.)

pub mod mentions;

use super::{Flow, Rules, Step};

/// r0 to r3, r12, r14. Arguments in r0 to r3, results in r0 and r1. The stack by r7, r11, r13.
pub const RULES: Rules = Rules {
    clobbered: 0x0000_ffff_0000_500f,
    arguments: 15,
    results: 3,
    stack: 1 << 7 | 1 << 11 | 1 << 13,
    below: 4095,
    apart: Some(4344),
    subtracts: true,
};

/// The program counter.
const PC: u32 = 15;

/// What an instruction in Arm encoding does.
pub fn step(w: u32) -> Step {
    let condition = w >> 28;
    let found = match (condition, w >> 25 & 7) {
        (15, 5) => Step::to(Flow::Call), // blx
        (15, 2) if w >> 24 & 15 == 4 => structures(w),
        (15, 6 | 7) => vector(w),
        (15, _) => return Step::default(),
        (_, 0 | 1) => processing(w),
        (_, 2) => word_or_byte(w, None),
        (_, 3) if w >> 4 & 1 == 0 => word_or_byte(w, Some(w & 15)),
        (_, 3) => media(w),
        (_, 4) => multiple(w >> 16 & 15, w & 0xffff, (w >> 20 & 1, w >> 21 & 1), (w >> 24 & 1, w >> 23 & 1)),
        (_, 5) => Step::to(if w >> 24 & 1 == 1 { Flow::Call } else { Flow::Jump }),
        _ => vector(w),
    };
    if condition < 14 { found.conditional() } else { found }
}

/// Where writing the program counter leads.
fn written(register: u32, otherwise: Step, from: u32) -> Step {
    if register != PC {
        return otherwise;
    }
    Step::to(if from == 14 { Flow::End } else { Flow::Indirect })
}

fn processing(w: u32) -> Step {
    let (rd, rn, rm) = (w >> 12 & 15, w >> 16 & 15, w & 15);
    let immediate = w >> 25 & 1 == 1;
    if !immediate && w >> 4 & 9 == 9 {
        return multiply_or_extra(w);
    }
    let value = i64::from((w & 0xff).rotate_right(2 * (w >> 8 & 15)));
    let plain = !immediate && w & 0xff0 == 0;
    let opcode = w >> 21 & 15;
    let step = Step::kill(rd);
    match (opcode, w >> 20 & 1) {
        (8 | 10, 0) if immediate => step,                      // movw, movt
        (9, 0) if w & 0xff0 == 0xf10 => written(PC, step, rm), // bx
        (9, 0) if w & 0xff0 == 0xf30 => Step::to(Flow::Call),  // blx
        (11, 0) if w & 0xff0 == 0xf10 => step,                 // clz
        (8..=11, _) => Step::default(),
        (13, _) if immediate => written(rd, Step::counter(rd, value), PC),
        (15, _) if immediate => written(rd, Step::counter(rd, !value), PC), // mvn
        (13, _) if plain => written(rd, step.moved(rd, rm, 0, true), rm),
        (4, _) if immediate && rn != PC => written(rd, Step::sum(rd, rn, value), rn),
        (2, _) if immediate && rn != PC => written(rd, Step::sum(rd, rn, -value), rn),
        (4, _) if plain && rn == PC => written(rd, Step::sum(rd, rm, 0), rn),
        (4, _) if plain => written(rd, step.moved(rd, rn, 0, false).moved(rd, rm, 0, false), rn),
        (2 | 4, _) if !immediate => written(rd, step.moved(rd, rn, 0, false), rn),
        _ => written(rd, step, rn),
    }
}

fn multiply_or_extra(w: u32) -> Step {
    let (rt, rn) = (w >> 12 & 15, w >> 16 & 15);
    let (load, kind) = (w >> 20 & 1 == 1, w >> 5 & 3);
    if kind == 0 {
        return match w >> 24 & 15 {
            // mul; mla, to a base; the long ones
            0 if w >> 23 & 1 == 1 => Step { kills: 1 << rt | 1 << rn, ..Step::default() },
            0 if w >> 21 & 1 == 1 => Step::kill(rn).moved(rn, rt, 0, false),
            0 => Step::kill(rn),
            _ => Step::kill(rt).reaching(rn, 0, 1), // ldrex, strex
        };
    }
    let width = match (load, kind) {
        (true, 2) => 1,
        (false, 2 | 3) => 8,
        _ => 2,
    };
    let value = i64::from(w >> 4 & 0xf0 | w & 15);
    let value = if w >> 23 & 1 == 1 { value } else { -value };
    let step = match (load, kind) {
        (true, _) => Step::kill(rt),
        (false, 2) => Step { kills: 1 << rt | 1 << ((rt + 1) & 15), ..Step::default() },
        _ => Step::default(),
    };
    let pair = |step: Step, at: i64| {
        if width == 8 { step.slot_pair(kind == 2, (rt, (rt + 1) & 15), at, 4) } else { step }
    };
    match (w >> 22 & 1, w >> 24 & 1, w >> 21 & 1) {
        _ if rn == PC && w >> 22 & 1 == 0 => step.reaching(w & 15, 0, 1),
        _ if rn == PC => step,
        (0, ..) => step.indexed(rn, w & 15, 0),
        (_, 0, _) => pair(step.reaching(rn, 0, width), 0).writing_back(rn, value),
        (_, _, 1) => pair(step.reaching(rn, value, width), value).writing_back(rn, value),
        _ => pair(step.reaching(rn, value, width), value),
    }
}

/// `ldr`, `str`, `ldrb`, `strb`; `index` where there is no immediate.
fn word_or_byte(w: u32, index: Option<u32>) -> Step {
    let (rt, rn) = (w >> 12 & 15, w >> 16 & 15);
    let (load, byte) = (w >> 20 & 1 == 1, w >> 22 & 1 == 1);
    let width = if byte { 1 } else { 4 };
    let step = match (load, rt) {
        (true, PC) if !byte => Step::to(if rn == 13 { Flow::End } else { Flow::Indirect }),
        (true, _) => Step::kill(rt),
        _ => Step::default(),
    };
    let value = if w >> 23 & 1 == 1 { i64::from(w & 0xfff) } else { -i64::from(w & 0xfff) };
    let slot = |step: Step, at: i64| if byte { step } else { step.slot(load, rt, at) };
    match (index, w >> 24 & 1, w >> 21 & 1) {
        (Some(rm), ..) if rn == PC => step.reaching(rm, 0, 1),
        (Some(rm), 1, 0) => step.indexed(rn, rm, 0),
        (Some(rm), before, _) => {
            let step = if before == 1 { step.indexed(rn, rm, 0) } else { step.reaching(rn, 0, width) };
            Step { kills: step.kills | 1 << rn, ..step }.moved(rn, rn, 0, false)
        }
        _ if rn == PC => step,
        (None, 0, _) => slot(step.reaching(rn, 0, width), 0).writing_back(rn, value),
        (None, _, 1) => slot(step.reaching(rn, value, width), value).writing_back(rn, value),
        _ => slot(step.reaching(rn, value, width), value),
    }
}

fn media(w: u32) -> Step {
    match w >> 20 & 31 {
        0x08..=0x0f | 0x1a..=0x1f => Step::kill(w >> 12 & 15), // sxtb, rev, ubfx, bfi
        0x10..=0x15 => Step::kill(w >> 16 & 15),               // sdiv, smlad
        _ => Step::default(),
    }
}

/// `ldm`, `stm`: the base, the list, load and write back, before and up.
pub fn multiple(rn: u32, list: u32, (load, back): (u32, u32), (before, up): (u32, u32)) -> Step {
    let length = 4 * list.count_ones();
    let first = match (up, before) {
        (1, before) => 4 * i64::from(before),
        (_, 1) => -i64::from(length),
        _ => 4 - i64::from(length),
    };
    let ends = load == 1 && list >> PC & 1 == 1;
    let step = Step {
        kills: if load == 1 { (list & 0x7fff).into() } else { 0 },
        flow: if ends { Flow::End } else { Flow::Next },
        ..Step::default()
    };
    let step = step.reaching(rn, first, length);
    let moved = if up == 1 { i64::from(length) } else { -i64::from(length) };
    if back == 1 && (load == 0 || list >> rn & 1 == 0) { step.writing_back(rn, moved) } else { step }
}

/// `vldr`, `vstr`, `vldm`, `vstm`, and `vmov` to core registers; in Thumb with the halves in order.
pub fn vector(w: u32) -> Step {
    if w & 0x0fe0_0ed0 == 0x0c40_0a10 {
        let to_core = w >> 20 & 1 == 1;
        let kills = if to_core { 1 << (w >> 12 & 15) | 1 << (w >> 16 & 15) } else { 0 };
        return Step { kills, ..Step::default() }; // vmov of two
    }
    if w & 0x0f10_0e10 == 0x0e10_0a10 {
        return if w >> 12 & 15 == PC { Step::default() } else { Step::kill(w >> 12 & 15) }; // vmov, vmrs
    }
    if w & 0x0e00_0e00 != 0x0c00_0a00 || w >> 16 & 15 == PC {
        return Step::default();
    }
    let (rn, length) = (w >> 16 & 15, 4 * (w & 0xff));
    let (before, up, back) = (w >> 24 & 1 == 1, w >> 23 & 1 == 1, w >> 21 & 1 == 1);
    let distance = if up { i64::from(length) } else { -i64::from(length) };
    let width = if w >> 8 & 1 == 1 { 8 } else { 4 };
    match (before, back) {
        (true, false) => Step::default().reaching(rn, distance, width),
        (false, false) => Step::default().reaching(rn, 0, length),
        _ => Step::default().reaching(rn, if up { 0 } else { distance }, length).writing_back(rn, distance),
    }
}

/// `vld1` to `vld4`, `vst1` to `vst4`; of Thumb the low half of the first is in the same place.
pub fn structures(w: u32) -> Step {
    let (rn, rm) = (w >> 16 & 15, w & 15);
    let many = w >> 23 & 1 == 0;
    let registers = match w >> 8 & 15 {
        0..=3 => 4,
        4..=6 => 3,
        8..=10 => 2,
        _ => 1,
    };
    let width = if many { 8 * registers } else { 1 };
    let step = Step::default().reaching(rn, 0, width);
    match rm {
        15 => step,
        13 if many => step.writing_back(rn, width.into()),
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
        assert_eq!(first(0xe592_3004), access(2, 4, 4)); // ldr r3, [r2, #4]
        assert_eq!(first(0xe1c2_20d8), access(2, 8, 8)); // ldrd r2, [r2, #8]
        assert_eq!(first(0xe892_000a), access(2, 0, 8)); // ldm r2, {r1, r3}
        assert_eq!(first(0xedd2_7a01), access(2, 4, 4)); // vldr s15, [r2, #4]
        assert_eq!(first(0xed92_7b02), access(2, 8, 8)); // vldr d7, [r2, #8]
        assert_eq!(first(0xf462_0a8d), access(2, 0, 16)); // vld1.32 {d16, d17}, [r2]!
    }

    #[test]
    fn registers_get_and_lose_addresses() {
        assert_eq!(step(0xe282_2f41), Step::sum(2, 2, 260)); // add r2, r2, #260
        assert_eq!(step(0xe08f_2002), Step::sum(2, 2, 0)); // add r2, pc, r2
        assert_eq!(step(0xe1a0_1002), Step::sum(1, 2, 0)); // mov r1, r2
        assert_eq!(step(0x11a0_1002).kills, 0); // movne r1, r2
        assert_eq!(step(0xe352_0000), Step::default()); // cmp r2, #0
        assert_eq!(step(0xe59f_201c), Step::kill(2)); // ldr r2, [pc, #28]
        assert_eq!(step(0xe492_3004).kills, 1 << 3 | 1 << 2); // ldr r3, [r2], #4
    }

    #[test]
    fn control_flow() {
        let flow = |w: u32| step(w).flow;
        assert_eq!(flow(0xe12f_ff1e), Flow::End); // bx lr
        assert_eq!(flow(0x012f_ff1e), Flow::Branch); // bxeq lr
        assert_eq!(flow(0xe8bd_8010), Flow::End); // pop {r4, pc}
        assert_eq!(flow(0xebff_fffe), Flow::Call);
        assert_eq!(flow(0x8a00_0003), Flow::Branch);
        assert_eq!(flow(0xe08f_f001), Flow::Indirect); // add pc, pc, r1
    }
}
