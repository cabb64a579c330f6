//! Which fields of an instruction name general registers.
//!
//! Source: z/Architecture Principles of Operation, "instruction formats". Fields are of four bits; they are told here by their
//! number in the instruction, the first bit's being 0. What names a pair of registers by the first of them, or is not listed,
//! may mention any.

use super::super::{Register, held};

/// Of a first, an index or third, and a base.
const ALL: &[usize] = &[2, 3, 4];
/// No field.
const NONE: &[usize] = &[];

/// How many fields may name a general register.
pub fn mentions(bytes: &[u8], register: Register) -> usize {
    let field = |at: usize| {
        let byte = u32::from(bytes.get(at / 2).copied().unwrap_or(0));
        if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    };
    let (Some(first), Some(second)) = (bytes.first().copied(), bytes.get(1).copied()) else {
        return usize::MAX;
    };
    let last = bytes.get(5).copied().unwrap_or(0);
    if is_range(first, last) {
        let inside = u32::from(register).wrapping_sub(field(2)) & 15 <= field(3).wrapping_sub(field(2)) & 15;
        return usize::from(inside && register < 16) + held(register, &[field(4)]);
    }
    match fields(first, second, last) {
        Some(fields) => fields.iter().filter(|at| field(**at) == u32::from(register)).count(),
        None => usize::MAX,
    }
}

/// `lm`, `stm` and their like: all registers from the first to the third.
fn is_range(first: u8, last: u8) -> bool {
    matches!((first, last), (0x90 | 0x98, _) | (0xeb, 0x04 | 0x24 | 0x90 | 0x98))
}

fn fields(first: u8, second: u8, last: u8) -> Option<&'static [usize]> {
    Some(match first {
        0x05 | 0x06 | 0x0d | 0x10..=0x1b | 0x1e | 0x1f => &[2, 3],
        0x07 => &[3], // bcr
        0x20..=0x3f => NONE,
        0x40..=0x43 | 0x45 | 0x46 | 0x48..=0x4f | 0x50 | 0x54..=0x5b | 0x5e | 0x5f | 0x71 => ALL,
        0x47 | 0x60..=0x70 | 0x72..=0x7f => &[3, 4], // bc; of floating point
        0x88..=0x8b => &[2, 4],                      // shifts
        0x91..=0x97 => &[4],                         // tm, mvi, ni, cli, oi, xi
        0xa7 if second & 15 == 4 => NONE,            // brc
        0xa5 | 0xa7 => &[2],
        0xb3 => floating(second),
        0xb9 => return of_four(second),
        0xba => ALL,            // cs
        0xbd..=0xbf => &[2, 4], // clm, stcm, icm
        0xc0 | 0xc2 | 0xc4 | 0xcc => {
            if (first, second & 15) == (0xc0, 4) {
                NONE
            } else {
                &[2]
            }
        }
        0xc6 if second & 15 != 0 => &[2],
        0xd2 | 0xd4..=0xd7 | 0xdc => &[4, 8], // mvc, nc, clc, oc, xc, tr
        // mlg, dlg, dsg, stpq, lpq: of pairs
        0xe3 if !matches!(last, 0x0d | 0x1d | 0x86 | 0x87 | 0x8e | 0x8f | 0x96 | 0x97) => ALL,
        0xe5 if matches!(second, 0x44 | 0x48 | 0x4c | 0x54 | 0x55 | 0x58 | 0x59 | 0x5c | 0x5d) => &[4],
        0xe7 => match last {
            0x21 => &[2, 4],               // vlgv
            0x22 | 0x37 | 0x3f => &[3, 4], // vlvg, vll, vstl
            0x27 => ALL,                   // lcbb
            0x62 => &[3, 4],               // vlvgp
            0x30..=0x3e => &[4],
            0x00..=0x1f => &[3, 4],
            _ => NONE,
        },
        0xeb => match last {
            0x51..=0x57 | 0x6a | 0x6e | 0x7a | 0x7e => &[4], // tmy, mviy, asi, agsi
            0x20 | 0x21 | 0x2c | 0x2d | 0x80 | 0x81 | 0xe2 | 0xe3 | 0xf2 | 0xf3 => &[2, 4], // icmy, loc
            0x0a..=0x0d | 0x14 | 0x1c | 0x1d | 0x30 | 0xdc..=0xdf | 0xe4..=0xea | 0xf4..=0xfa => ALL,
            _ => return None,
        },
        0xec => match last {
            0x64 | 0x65 | 0x76 | 0x77 | 0xd8..=0xdb | 0x51 | 0x54..=0x57 | 0x59 | 0x5d => &[2, 3],
            0x42 | 0x46 | 0x4e | 0x70..=0x73 | 0x7c..=0x7f => &[2],
            0xe4 | 0xe5 | 0xf6 | 0xf7 => ALL,
            0xfc..=0xff => &[2, 4],
            _ => return None,
        },
        0xed => &[3, 4],
        _ => return None,
    })
}

/// Of floating point: conversions and moves alone have to do with general registers.
fn floating(opcode: u8) -> &'static [usize] {
    match opcode {
        0x00..=0x83 => NONE,
        0x90..=0x96 | 0xa0..=0xa6 | 0xc1 => &[7], // cdgbr, ldgr
        0x98..=0x9e | 0xa8..=0xae | 0xcd => &[6], // cgdbr, lgdr
        _ => &[6, 7],
    }
}

/// Of four bytes, whose registers are in the last; some have another in the third.
fn of_four(opcode: u8) -> Option<&'static [usize]> {
    match opcode {
        0xe2 => Some(&[6, 7]), // locgr: a condition in the third
        _ if has_third(opcode) => Some(&[4, 6, 7]),
        // dsgr, dsgfr, kmac: of pairs
        0x0d | 0x0e | 0x1d | 0x1e => None,
        0x00..=0x1f | 0x20 | 0x21 | 0x26 | 0x27 | 0x30 | 0x31 | 0x80..=0x85 | 0x88 | 0x89 => Some(&[6, 7]),
        0x94 | 0x95 | 0x98 | 0x99 | 0xe1 | 0xf2 => Some(&[6, 7]),
        _ => None,
    }
}

/// `ngrk`, `selgr`, `agrk` and their like.
fn has_third(opcode: u8) -> bool {
    matches!(opcode, 0xc0 | 0xe3..=0xeb | 0xed | 0xf0 | 0xf4..=0xfb | 0xfd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_name_registers() {
        let cases: [(&[u8], Register, usize); 17] = [
            (&[0x58, 0x21, 0x30, 0x04], 1, 1),                   // l %r2, 4(%r1,%r3)
            (&[0x58, 0x21, 0x30, 0x04], 0, 0),                   // a displacement is none
            (&[0xe3, 0x21, 0x30, 0x10, 0, 0x04], 3, 1),          // lg %r2, 16(%r1,%r3)
            (&[0xe3, 0x22, 0x20, 0x10, 0, 0x04], 2, 3),          // lg %r2, 16(%r2,%r2)
            (&[0xe3, 0x21, 0x30, 0x10, 0, 0x96], 9, usize::MAX), // ml of a pair
            (&[0xb9, 0x04, 0, 0x34], 4, 1),                      // lgr %r3, %r4
            (&[0xb9, 0x04, 0, 0x34], 0, 0),
            (&[0xb9, 0xe8, 0x50, 0x34], 5, 1),          // agrk %r3, %r4, %r5
            (&[0xb3, 0x1a, 0, 0x12], 1, 0),             // adbr
            (&[0xb3, 0xc1, 0, 0x12], 2, 1),             // ldgr
            (&[0xeb, 0xe1, 0xf0, 0x70, 0, 0x04], 0, 1), // lmg %r14, %r1
            (&[0xeb, 0xe1, 0xf0, 0x70, 0, 0x04], 5, 0),
            (&[0xeb, 0xe1, 0xf0, 0x70, 0, 0x04], 15, 2),
            (&[0xd2, 0x07, 0x20, 0x08, 0x10, 0x10], 0, 0), // mvc 8(8,%r2), 16(%r1)
            (&[0xd2, 0x07, 0x20, 0x08, 0x10, 0x10], 1, 1),
            (&[0xe7, 0x10, 0x20, 0, 0x08, 0x06], 1, 0), // vl %v17, 0(%r2)
            (&[0xc0, 0xe5, 0, 0, 0, 0], 14, 1),         // brasl
        ];
        for (bytes, register, count) in cases {
            assert_eq!(mentions(bytes, register), count, "{bytes:x?} {register}");
        }
    }
}
