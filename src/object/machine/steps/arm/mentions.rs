//! Which fields of an instruction in Arm encoding name core registers.
//!
//! Source: Arm Architecture Reference Manual (ARMv7-A), A5 and A7. What is not listed may mention any.

use super::super::{Register, held};

/// How many fields may name a core register.
pub fn mentions(w: u32, register: Register) -> usize {
    let at = |low: u32| w >> low & 15;
    let (rn, rd, rs, rm) = (at(16), at(12), at(8), at(0));
    let immediate = w >> 25 & 1 == 1;
    match w >> 25 & 7 {
        _ if w >> 28 == 15 => match w >> 25 & 7 {
            5 | 1 => 0,                                         // blx; of vectors
            2 if w >> 24 & 1 == 0 => held(register, &[rn, rm]), // vld1, vst1
            6 | 7 => coprocessor(w, register),
            _ => held(register, &[rn, rd, rs, rm]),
        },
        0 if w >> 4 & 9 == 9 => match (w >> 5 & 3, w >> 24 & 1, w >> 21 & 7) {
            (0, 0, 0) => held(register, &[rn, rs, rm]), // mul
            (0, ..) => held(register, &[rn, rd, rs, rm]),
            (kind, ..) => {
                let index = if w >> 22 & 1 == 0 { held(register, &[rm]) } else { 0 };
                // ldrd, strd
                let second = if w >> 20 & 1 == 0 && kind > 1 { held(register, &[(rd + 1) & 15]) } else { 0 };
                held(register, &[rn, rd]) + index + second
            }
        },
        0 | 1 => {
            let shifted = match (immediate, w >> 4 & 1) {
                (true, _) => 0,
                (false, 0) => held(register, &[rm]),
                _ => held(register, &[rm, rs]),
            };
            shifted
                + match (w >> 21 & 15, w >> 20 & 1) {
                    (8 | 10, 0) if immediate => held(register, &[rd]), // movw, movt
                    (8..=11, 0) => held(register, &[rn, rd, rs]),
                    (8..=11, _) => held(register, &[rn]), // tst, teq, cmp, cmn
                    (13 | 15, _) => held(register, &[rd]), // mov, mvn
                    _ => held(register, &[rn, rd]),
                }
        }
        2 => held(register, &[rn, rd]),
        3 if w >> 4 & 1 == 0 => held(register, &[rn, rd, rm]),
        3 => match () {
            () if w & 0x0fa0_0070 == 0x07a0_0050 || w & 0x0fe0_0070 == 0x07c0_0010 => {
                held(register, &[rd, rm])
            } // ubfx, bfi
            () if w & 0x0f80_00f0 == 0x0680_0070 => held(register, &[rn, rd, rm]), // uxtb
            () => held(register, &[rn, rd, rs, rm]),
        },
        4 => held(register, &[rn]) + listed(w, register),
        5 => 0,
        _ if w >> 24 & 15 == 15 => usize::MAX, // svc
        _ => coprocessor(w, register),
    }
}

/// Whether a list of registers in the low bits has this one.
pub fn listed(list: u32, register: Register) -> usize {
    usize::from(register < 16 && list >> register & 1 == 1)
}

/// Of vectors, floating point and coprocessors; in Thumb with the halves in order.
pub fn coprocessor(w: u32, register: Register) -> usize {
    let (rn, rd) = (w >> 16 & 15, w >> 12 & 15);
    let is_floating = w & 0x0e00 == 0x0a00;
    match w >> 24 & 15 {
        14 if w >> 4 & 1 == 0 && is_floating => 0,
        14 => held(register, &[rd]), // vmov, vmrs, mcr
        12 | 13 if is_floating && w & 0x0fe0_0000 != 0x0c40_0000 => held(register, &[rn]), // vldr, vldm
        _ => held(register, &[rn, rd]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_name_registers() {
        let cases = [
            (0xe592_3004, 2, 1), // ldr r3, [r2, #4]
            (0xe592_3004, 4, 0), // a displacement is none
            (0xe792_3102, 2, 2), // ldr r3, [r2, r2, lsl #2]
            (0xe1a0_3000, 0, 1), // mov r3, r0
            (0xe350_0000, 0, 1), // cmp r0, #0
            (0xe080_0000, 0, 3), // add r0, r0, r0
            (0xe1a0_3112, 1, 1), // mov r3, r2, lsl r1
            (0xe1c2_20d8, 3, 1), // ldrd r2, [r2, #8]
            (0xe1c2_20d8, 2, 2),
            (0xe892_000a, 3, 1), // ldm r2, {r1, r3}
            (0xe892_000a, 2, 1),
            (0xedd2_7a01, 2, 1), // vldr s15, [r2, #4]
            (0xedd2_7a01, 7, 0),
            (0xee37_0a20, 7, 0), // vadd.f32
            (0xee07_3a90, 3, 1), // vmov s15, r3
            (0xe7e4_3052, 2, 1), // ubfx r3, r2, #0, #5
            (0xe7e4_3052, 4, 0),
            (0xe300_3004, 0, 0), // movw r3, #4
            (0xeaff_ffe5, 5, 0), // b
        ];
        for (word, register, count) in cases {
            assert_eq!(mentions(word, register), count, "{word:#x} r{register}");
        }
    }
}
