//! Which fields of a Thumb instruction name core registers.
//!
//! Source: Arm Architecture Reference Manual (ARMv7-A), A6. What is not listed may mention any.

use super::super::arm::mentions::{coprocessor, listed};
use super::super::{Register, held};

const SP: u32 = 13;

/// How many fields of an instruction of two bytes may name a core register.
pub fn half(f: u32, register: Register) -> usize {
    let (low, middle, third, high) = (f & 7, f >> 3 & 7, f >> 6 & 7, f >> 8 & 7);
    match f >> 11 {
        3 if f >> 10 & 1 == 0 => held(register, &[low, middle, third]), // add, sub
        0..=3 | 12..=17 => held(register, &[low, middle]),
        4..=7 | 9 | 20 => held(register, &[high]),
        8 if f >> 10 & 1 == 0 => held(register, &[low, middle]),
        8 if f >> 8 & 3 == 3 => held(register, &[f >> 3 & 15]), // bx, blx
        8 => held(register, &[f >> 4 & 8 | low, f >> 3 & 15]),
        10 | 11 => held(register, &[low, middle, third]),
        18 | 19 | 21 => held(register, &[high, SP]),
        22 | 23 => match f >> 8 & 15 {
            0 => held(register, &[SP]),
            1 | 3 | 9 | 11 => held(register, &[low]), // cbz
            2 | 10 => held(register, &[low, middle]),
            4 | 5 => held(register, &[SP]) + listed(f & 0xff | (f & 0x100) << 6, register), // push
            12 | 13 => held(register, &[SP]) + listed(f & 0xff | (f & 0x100) << 7, register), // pop
            15 => 0,                                                                        // it, nop
            _ => usize::MAX,
        },
        24 | 25 => held(register, &[high]) + listed(f & 0xff, register),
        26 | 27 if f >> 8 & 15 < 14 => 0,
        28 => 0,
        _ => usize::MAX,
    }
}

/// How many fields of an instruction of four bytes may name a core register.
pub fn word(first: u32, second: u32, register: Register) -> usize {
    let (rn, rt, rd, rm) = (first & 15, second >> 12, second >> 8 & 15, second & 15);
    match first {
        f if f >> 8 == 0xef || f >> 8 == 0xff => 0, // of vectors
        f if f & 0xec00 == 0xec00 => coprocessor(f << 16 | second, register),
        f if f & 0xff10 == 0xf900 => held(register, &[rn, rm]), // vld1, vst1
        f if f & 0xfe40 == 0xe800 => held(register, &[rn]) + listed(second, register),
        f if f & 0xfe40 == 0xe840 && f & 0x0120 != 0 => held(register, &[rn, rt, rd]), // ldrd, strd
        f if f & 0xfe00 == 0xea00 => held(register, &[rn, rd, rm]),
        f if f & 0xfb70 == 0xf240 && second >> 15 == 0 => held(register, &[rd]), // movw, movt
        f if f & 0xf800 == 0xf000 && second >> 15 == 0 => held(register, &[rn, rd]),
        // b, bl, blx
        f if f & 0xf800 == 0xf000 && (second & 0x5000 != 0 || f >> 7 & 7 != 7) => 0,
        f if f & 0xfe00 == 0xf800 && (f >> 7 & 1 == 1 || second >> 11 & 1 == 1) => held(register, &[rn, rt]),
        f if f & 0xfe00 == 0xf800 => held(register, &[rn, rt, rm]),
        f if f & 0xff00 == 0xfa00 => held(register, &[rn, rd, rm]),
        _ => held(register, &[rn, rt, rd, rm]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_name_registers() {
        let halves = [
            (0x6890, 2, 1), // ldr r0, [r2, #8]
            (0x6890, 0, 1),
            (0x1889, 2, 1), // adds r1, r1, r2
            (0x1889, 1, 2),
            (0x447a, 2, 1),  // add r2, pc
            (0x4621, 4, 1),  // mov r1, r4
            (0x2a05, 2, 1),  // cmp r2, #5
            (0x2a05, 5, 0),  // a number is none
            (0xb410, 4, 1),  // push {r4}
            (0xbdf8, 15, 1), // pop {.., pc}
            (0xc20a, 3, 1),  // stmia r2!, {r1, r3}
            (0xbf08, 0, 0),  // it
            (0xe7fe, 7, 0),  // b
        ];
        for (f, register, count) in halves {
            assert_eq!(half(f, register), count, "{f:#x} r{register}");
        }
        let words = [
            (0xe9d2, 0x3101, 1, 1), // ldrd r3, r1, [r2, #4]
            (0xf8d2, 0x3404, 4, 0), // ldr.w r3, [r2, #1028]
            (0xf855, 0x2023, 3, 1), // ldr.w r2, [r5, r3, lsl #2]
            (0xf855, 0x2b04, 4, 0), // ldr.w r2, [r5], #4
            (0xedd2, 0x7a01, 2, 1), // vldr s15, [r2, #4]
            (0xedd2, 0x7a01, 7, 0),
            (0xf502, 0x7282, 2, 2),  // add.w r2, r2, #260
            (0xf240, 0x0204, 0, 0),  // movw r2, #4
            (0xf7ff, 0xfffe, 14, 0), // bl
            (0xfb02, 0x3101, 3, 1),  // mla r1, r2, r1, r3
            (0xeb02, 0x0183, 3, 1),  // add.w r1, r2, r3, lsl #2
        ];
        for (first, second, register, count) in words {
            assert_eq!(word(first, second, register), count, "{first:#x} {second:#x} r{register}");
        }
    }
}
