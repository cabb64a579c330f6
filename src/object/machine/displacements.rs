//! How far from the address in a register an instruction reaches: by the immediate of a load, a store or an addition.
//!
//! GCC reaches the data of a section from one address among them (`-fsection-anchors`, on at `-O2` on machines whose
//! addresses take two instructions), LLVM by merging globals. The other data are named by no relocation. These are
//! tables of encodings alone; which register holds what is not followed. The stack pointer never holds the address
//! of a datum, and is left out, as is the register that reads as zero.
//!
//! Sources: Arm Architecture Reference Manuals (A64, C4.1; ARMv7-A, A5 and A6); Power ISA 3.1, book I, 1.6; The RISC-V
//! Instruction Set Manual, volume I, 2.6 and 16.3.

use super::mapping::Mode;
use super::{signed, word};

/// Bytes reached from an address: the distance to the first, and how many.
pub type Displacement = (i64, u32);

/// What an A64 instruction reaches.
pub fn aarch64(bytes: &[u8]) -> Option<Displacement> {
    let w = word(bytes)?;
    let vector = w >> 26 & 1 == 1;
    let size = w >> 30;
    let scale = if vector && w >> 23 & 1 == 1 && size == 0 { 4 } else { size };
    let found = match w {
        // add, sub, of 64 bits
        w if w & 0x9f80_0000 == 0x9100_0000 => {
            let value = i64::from(w >> 10 & 0xfff) << (12 * (w >> 22 & 1));
            (if size & 1 == 1 { -value } else { value }, 1)
        }
        w if w & 0x3b00_0000 == 0x3900_0000 => (i64::from(w >> 10 & 0xfff) << scale, 1 << scale),
        // ldur, stur, before and after the access; ldapur, stlur
        w if w & 0x3b20_0000 == 0x3800_0000 => (signed(w, 12, 9), 1 << scale),
        w if w & 0x3f20_0c00 == 0x1900_0000 => (signed(w, 12, 9), 1 << size),
        // ldp, stp
        w if w & 0x3a00_0000 == 0x2800_0000 => {
            let scale = if vector { 2 + size } else { 2 + (size >> 1) };
            (signed(w, 15, 7) << scale, 2 << scale)
        }
        w if w & 0xbe00_0000 == 0x0c00_0000 => (0, 64), // ld1 to ld4, st1 to st4
        _ => return None,
    };
    (w >> 5 & 31 != 31).then_some(found)
}

/// `vldr`, `vstr`, `vldm`, `vstm`, in Arm encoding or in Thumb with its halves in order.
fn vector(w: u32) -> Option<Displacement> {
    let length = 4 * (w & 0xff);
    let (before, up) = (w >> 24 & 1 == 1, w >> 23 & 1 == 1);
    (w & 0x0e00_0e00 == 0x0c00_0a00).then(|| match (before && w >> 21 & 1 == 0, up) {
        (true, true) => (length.into(), 8),
        (true, false) => (-i64::from(length), 8),
        (false, true) => (0, length),
        (false, false) => (-i64::from(length), length),
    })
}

fn either(up: bool, value: u32) -> i64 {
    if up { value.into() } else { -i64::from(value) }
}

/// What an instruction of 32-bit Arm reaches.
pub fn arm(bytes: &[u8], mode: Mode) -> Option<Displacement> {
    match mode {
        Mode::Data => None,
        Mode::Code => word(bytes).and_then(arm_word),
        Mode::Thumb => match *bytes {
            [a, b] => thumb_half(u16::from_le_bytes([a, b]).into()),
            [a, b, c, d] => thumb_pair(u16::from_le_bytes([a, b]).into(), u16::from_le_bytes([c, d]).into()),
            _ => None,
        },
    }
}

fn arm_word(w: u32) -> Option<Displacement> {
    let up = w >> 23 & 1 == 1;
    let found = match w {
        w if w >> 24 == 0xf4 => (0, 32), // vld1 to vld4, vst1 to vst4
        w if w & 0x0e00_0000 == 0x0400_0000 => (either(up, w & 0xfff), 4),
        // ldrh, ldrsb, ldrsh, strh, ldrd, strd
        w if w & 0x0e40_0090 == 0x0040_0090 && w & 0x60 != 0 => (either(up, w >> 4 & 0xf0 | w & 15), 8),
        // add, sub
        w if matches!(w & 0x0fe0_0000, 0x0280_0000 | 0x0240_0000) => {
            (either(up, (w & 0xff).rotate_right(2 * (w >> 8 & 15))), 1)
        }
        // ldm, stm: increment after and before, decrement before and after
        w if w & 0x0e00_0000 == 0x0800_0000 => {
            let length = 4 * (w & 0xffff).count_ones();
            let before = w >> 24 & 1 == 1;
            let first = match (up, before) {
                (true, before) => i64::from(before) * 4,
                (false, true) => -i64::from(length),
                (false, false) => 4 - i64::from(length),
            };
            (first, length)
        }
        w => vector(w)?,
    };
    (!matches!(w >> 16 & 15, 13 | 15)).then_some(found)
}

fn thumb_half(f: u32) -> Option<Displacement> {
    let five = f >> 6 & 31;
    Some(match f >> 11 {
        0x0c | 0x0d => (i64::from(five) * 4, 4),
        0x0e | 0x0f => (five.into(), 1),
        0x10 | 0x11 => (i64::from(five) * 2, 2),
        0x18 | 0x19 => (0, 4 * (f & 0xff).count_ones()), // stm, ldm
        3 if f >> 10 & 1 == 1 => (either(f >> 9 & 1 == 0, five & 7), 1),
        6 | 7 => (either(f >> 11 == 6, f & 0xff), 1),
        _ => return None,
    })
}

/// The value of a modified immediate constant of Thumb (A6.3.2).
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

fn thumb_pair(first: u32, second: u32) -> Option<Displacement> {
    let up = first >> 7 & 1 == 1;
    let plain = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff;
    let found = match first {
        f if f & 0xff00 == 0xf900 && f & 0x10 == 0 => (0, 32), // vld1 to vld4, vst1 to vst4
        f if f & 0xfe80 == 0xf880 => ((second & 0xfff).into(), 4),
        f if f & 0xfe80 == 0xf800 && second & 0x800 != 0 => (either(second & 0x200 != 0, second & 0xff), 4),
        // ldrd, strd, ldrex, strex
        f if f & 0xfe40 == 0xe840 && (f & 0x0120 != 0 || f & 0xffe0 == 0xe840) => {
            (either(up, 4 * (second & 0xff)), 8)
        }
        // ldm, stm
        f if f & 0xfe40 == 0xe800 => {
            let length = 4 * second.count_ones();
            (if up { 0 } else { -i64::from(length) }, length)
        }
        f if f & 0xfbe0 == 0xf100 => (expanded(first, second).into(), 1), // add
        f if f & 0xfbe0 == 0xf1a0 => (-i64::from(expanded(first, second)), 1), // sub
        f if f & 0xfbf0 == 0xf200 => (plain.into(), 1),                   // addw
        f if f & 0xfbf0 == 0xf2a0 => (-i64::from(plain), 1),              // subw
        f if f & 0xf000 == 0xe000 => vector(f << 16 | second)?,
        _ => return None,
    };
    (!matches!(first & 15, 13 | 15)).then_some(found)
}

/// What an instruction of 64-bit Power reaches.
pub fn ppc64le(bytes: &[u8]) -> Option<Displacement> {
    let first = word(bytes)?;
    // With a prefix: a distance of 34 bits, unless it counts from the instruction.
    if let Some(second) = bytes.get(4..).and_then(word) {
        let value = u64::from(first & 0x3_ffff) << 16 | u64::from(second & 0xffff);
        let relative = first >> 20 & 1 == 1;
        let base = second >> 16 & 31;
        return (!relative && base > 1).then_some(((value << 30).cast_signed() >> 30, 32));
    }
    let w = first;
    let (d, ds, dq) = (signed(w, 0, 16), signed(w & 0xfffc, 0, 16), signed(w & 0xfff0, 0, 16));
    let found = match w >> 26 {
        12..=14 | 34 | 35 | 38 | 39 => (d, 1), // addic, addic., addi; bytes
        40..=45 => (d, 2),
        32 | 33 | 36 | 37 | 48 | 49 | 52 | 53 => (d, 4),
        50 | 51 | 54 | 55 => (d, 8),
        46 | 47 => (d, 4 * (32 - (w >> 21 & 31))), // lmw, stmw
        6 => (dq, 32),                             // lxvp, stxvp
        56 => (dq, 16),                            // lq
        61 if w & 3 == 1 => (dq, 16),              // lxv, stxv
        57 | 58 | 61 | 62 => (ds, 16),
        _ => return None,
    };
    (w >> 16 & 31 > 1).then_some(found)
}

/// What an instruction of RISC-V reaches.
pub fn riscv(bytes: &[u8]) -> Option<Displacement> {
    let &[a, b, ..] = bytes else { return None };
    let half = u32::from(u16::from_le_bytes([a, b]));
    if bytes.len() == 2 {
        let middle = half >> 10 & 7;
        return match (half & 3, half >> 13) {
            // Of 4 bytes: lw, sw; of 8: ld, sd, fld, fsd.
            (0, 2 | 6) => Some(((middle << 3 | (half >> 6 & 1) << 2 | (half >> 5 & 1) << 6).into(), 4)),
            (0, 1 | 3 | 5 | 7) => Some(((middle << 3 | (half >> 5 & 3) << 6).into(), 8)),
            (0, 4) => Some((0, 4)), // lbu, lhu, lh, sb, sh
            (1, 0) if !matches!(half >> 7 & 31, 0 | 2) => {
                Some((signed((half >> 12 & 1) << 5 | half >> 2 & 31, 0, 6), 1)) // addi
            }
            _ => None,
        };
    }
    let w = word(bytes)?;
    let width = 1 << (w >> 12 & 3);
    let found = match w & 0x7f {
        0x03 | 0x07 => (signed(w, 20, 12), width),
        0x23 | 0x27 => (signed((w >> 25) << 5 | w >> 7 & 31, 0, 12), width),
        0x13 if (w >> 12).trailing_zeros() >= 3 => (signed(w, 20, 12), 1),
        _ => return None,
    };
    (!matches!(w >> 15 & 31, 0 | 2)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immediates_of_every_machine() {
        let a64 = |w: u32| aarch64(&w.to_le_bytes());
        assert_eq!(a64(0x2940_8062), Some((4, 8))); // ldp w2, w0, [x3, #4]
        assert_eq!(a64(0xb940_0461), Some((4, 4))); // ldr w1, [x3, #4]
        assert_eq!(a64(0xb85f_c061), Some((-4, 4))); // ldur w1, [x3, #-4]
        assert_eq!(a64(0x9100_4061), Some((16, 1))); // add x1, x3, #16
        assert_eq!(a64(0xd100_4061), Some((-16, 1))); // sub x1, x3, #16
        assert_eq!(a64(0x1100_0421), None); // add w1, w1, #1
        assert_eq!(a64(0xb940_07e1), None); // ldr w1, [sp, #4]
        let a32 = |w: u32| arm(&w.to_le_bytes(), Mode::Code);
        assert_eq!(a32(0xe592_3004), Some((4, 4))); // ldr r3, [r2, #4]
        assert_eq!(a32(0xe1c2_20d8), Some((8, 8))); // ldrd r2, [r2, #8]
        assert_eq!(a32(0xe892_000a), Some((0, 8))); // ldm r2, {r1, r3}
        assert_eq!(a32(0xe282_2f41), Some((260, 1))); // add r2, r2, #260
        assert_eq!(a32(0xedd2_7a01), Some((4, 8))); // vldr s15, [r2, #4]
        let t16 = |f: u16| arm(&f.to_le_bytes(), Mode::Thumb);
        assert_eq!(t16(0x6890), Some((8, 4))); // ldr r0, [r2, #8]
        assert_eq!(t16(0x3102), Some((2, 1))); // adds r1, #2
        let t32 = |first: u32, second: u32| arm(&(second << 16 | first).to_le_bytes(), Mode::Thumb);
        assert_eq!(t32(0xe9d2, 0x3101), Some((4, 8))); // ldrd r3, r1, [r2, #4]
        assert_eq!(t32(0xf8d2, 0x3404), Some((0x404, 4))); // ldr.w r3, [r2, #1028]
        assert_eq!(t32(0xf502, 0x7282), Some((260, 1))); // add.w r2, r2, #260
        let ppc = |w: u32| ppc64le(&w.to_le_bytes());
        assert_eq!(ppc(0x8149_0004), Some((4, 4))); // lwz r10, 4(r9)
        assert_eq!(ppc(0x394a_fff8), Some((-8, 1))); // addi r10, r10, -8
        assert_eq!(ppc(0x3940_0001), None); // li r10, 1
        assert_eq!(riscv(&0x43d4_u16.to_le_bytes()), Some((4, 4))); // lw a3, 4(a5)
        assert_eq!(riscv(&0x4798_u16.to_le_bytes()), Some((8, 4))); // lw a4, 8(a5)
        assert_eq!(riscv(&0x0047_a603_u32.to_le_bytes()), Some((4, 4))); // lw a2, 4(a5)
        assert_eq!(riscv(&0x00c7_a223_u32.to_le_bytes()), Some((4, 4))); // sw a2, 4(a5)
        assert_eq!(riscv(&0x07a1_u16.to_le_bytes()), Some((8, 1))); // addi a5, a5, 8
    }
}
