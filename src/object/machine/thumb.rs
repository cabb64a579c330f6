//! Thumb: two or four bytes an instruction, the longer ones by their first five bits.
//!
//! Source: Arm Architecture Reference Manual (ARMv7-A), A6.

use super::super::x86::{Instruction, Reach};
use super::mapping::Mode;
use super::{Run, plain, signed, word};

/// The offset of the field of an instruction in Thumb that reaches something: it tells Thumb from Arm, whose
/// fields begin at 0.
pub const FIELD: u8 = 1;

/// First and second half of an instruction.
fn halves(bytes: &[u8]) -> Option<(u32, u32)> {
    let (first, rest) = bytes.split_first_chunk::<2>()?;
    let second = rest.first_chunk::<2>().map_or(0, |b| u16::from_le_bytes(*b));
    Some((u16::from_le_bytes(*first).into(), second.into()))
}

fn length(first: u32) -> usize {
    if first >> 11 >= 0x1d { 4 } else { 2 }
}

/// The distance of `bl`, `blx` and the wide `b`.
fn far(first: u32, second: u32) -> i64 {
    let sign = first >> 10 & 1;
    let one = 1 ^ (second >> 13 & 1) ^ sign;
    let two = 1 ^ (second >> 11 & 1) ^ sign;
    signed(sign << 24 | one << 23 | two << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1, 0, 25)
}

/// What an instruction reaches, and the width of the access.
fn reach(bytes: &[u8], at: u32) -> (Reach, u8) {
    let Some((first, second)) = halves(bytes) else { return (Reach::None, 0) };
    let base = i64::from(at) + 4;
    let even = base & !3;
    if bytes.len() == 2 {
        return match first {
            f if f & 0xf000 == 0xd000 && f >> 8 & 15 < 14 => (Reach::Branch(base + 2 * signed(f, 0, 8)), 0),
            f if f & 0xf800 == 0xe000 => (Reach::Branch(base + 2 * signed(f, 0, 11)), 0),
            f if f & 0xf500 == 0xb100 => {
                (Reach::Branch(base + i64::from((f >> 9 & 1) << 6 | (f >> 3 & 31) << 1)), 0) // cbz, cbnz
            }
            f if f & 0xf800 == 0x4800 => (Reach::Memory(even + 4 * i64::from(f & 0xff)), 4), // ldr
            f if f & 0xf800 == 0xa000 => (Reach::Memory(even + 4 * i64::from(f & 0xff)), 0), // adr
            _ => (Reach::None, 0),
        };
    }
    let up = |distance: u32| if first >> 7 & 1 == 1 { i64::from(distance) } else { -i64::from(distance) };
    if first & 0xf800 == 0xf000 && second & 0x8000 != 0 {
        return match second & 0xd000 {
            0x9000 | 0xd000 => (Reach::Branch(base + far(first, second)), 0), // b, bl
            0xc000 => (Reach::Branch(even + far(first, second)), 0),          // blx
            0x8000 if first >> 6 & 15 < 14 => {
                let (one, two) = (second >> 13 & 1, second >> 11 & 1);
                let top = (first >> 10 & 1) << 20 | two << 19 | one << 18;
                (Reach::Branch(base + signed(top | (first & 0x3f) << 12 | (second & 0x7ff) << 1, 0, 21)), 0)
            }
            _ => (Reach::None, 0),
        };
    }
    match first {
        f if f & 0xfe7f == 0xf81f => (Reach::Memory(even + up(second & 0xfff)), 1), // ldrb, ldrsb
        f if f & 0xfe7f == 0xf83f => (Reach::Memory(even + up(second & 0xfff)), 2), // ldrh, ldrsh
        f if f & 0xff7f == 0xf85f => (Reach::Memory(even + up(second & 0xfff)), 4), // ldr
        f if f & 0xff7f == 0xe95f => (Reach::Memory(even + up(4 * (second & 0xff))), 8), // ldrd
        f if f & 0xff3f == 0xed1f && second & 0x0e00 == 0x0a00 => {
            (Reach::Memory(even + up(4 * (second & 0xff))), if second & 0x100 == 0 { 4 } else { 8 }) // vldr
        }
        f if f & 0xfbff == 0xf20f || f & 0xfbff == 0xf2af => {
            let distance = i64::from((f >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff);
            (Reach::Memory(if f & 0x80 == 0 { even + distance } else { even - distance }), 0) // adr
        }
        _ => (Reach::None, 0),
    }
}

/// An instruction without its distance; the two widths of a branch, a load and an address are written alike.
pub fn without_distance(bytes: &[u8]) -> Vec<u8> {
    let Some((first, second)) = halves(bytes) else { return bytes.to_vec() };
    let pair = |first: u32, second: u32| {
        [first as u16, second as u16].into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    if bytes.len() == 2 {
        return match first {
            f if f & 0xf000 == 0xd000 => pair(0xf000 | (f >> 8 & 15) << 6, 0x8000),
            f if f & 0xf800 == 0xe000 => pair(0xf000, 0x9000),
            f if f & 0xf500 == 0xb100 => ((f & !0x02f8) as u16).to_le_bytes().to_vec(),
            f if f & 0xf800 == 0x4800 => pair(0xf85f, (f >> 8 & 7) << 12),
            f if f & 0xf800 == 0xa000 => pair(0xf20f, (f >> 8 & 7) << 8),
            _ => bytes.to_vec(),
        };
    }
    match reach(bytes, 0) {
        (Reach::Branch(_), _) if second & 0xd000 == 0x8000 => pair(first & !0x043f, second & !0x2fff),
        (Reach::Branch(_), _) => pair(first & !0x07ff, second & !0x2fff),
        (Reach::Memory(_), 0) => pair(0xf20f, second & !0x70ff),
        (Reach::Memory(_), _) if first & 0xe800 == 0xe800 && first >> 12 == 0xe => {
            pair(first & !0x0080, second & !0x00ff)
        }
        (Reach::Memory(_), _) => pair(first & !0x0080, second & !0x0fff),
        _ => bytes.to_vec(),
    }
}

/// `b`, `bx`, `pop {.., pc}`, `ldr pc`, `tbb`, `udf`: what follows is not reached from here.
pub fn ends_flow(bytes: &[u8]) -> bool {
    let Some((first, second)) = halves(bytes) else { return false };
    if length(first) == 2 {
        return first & 0xf800 == 0xe000
            || first & 0xff87 == 0x4700
            || first & 0xff00 == 0xbd00
            || first & 0xff87 == 0x4687
            || first & 0xff00 == 0xde00;
    }
    bytes.len() >= 4
        && (first & 0xf800 == 0xf000 && second & 0xd000 == 0x9000
            || first & 0xffd0 == 0xe890 && second & 0x8000 != 0
            || first & 0xff70 == 0xf850 && second >> 12 == 15
            || first & 0xfff0 == 0xe8d0 && second & 0xffe0 == 0xf000)
}

/// Entry width and scale of the table behind a `tbb` or `tbh` that ends these bytes and counts from their end.
pub fn table(before: &[u8]) -> Option<(usize, i64)> {
    let (first, second) = halves(before.get(before.len().checked_sub(4)?..)?)?;
    match (first, second & 0xfff0) {
        (0xe8df, 0xf000) => Some((1, 2)),
        (0xe8df, 0xf010) => Some((2, 2)),
        _ => None,
    }
}

/// Appends the instructions of a run.
pub fn decode(run: &Run<'_>, list: &mut Vec<Instruction>) {
    let mut relocations = run.relocations.iter().map(|r| r.offset).peekable();
    let mut at = 0;
    while let Some(rest) = run.bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let start = run.start + at as u32;
        let wanted = halves(rest).map_or(2, |(first, _)| length(first));
        let Some(bytes) = rest.get(..wanted) else {
            list.push(plain(start, rest.len() as u8).reaching(Reach::Undecodable));
            break;
        };
        let is_nop = matches!(bytes, [0x00, 0xbf] | [0xaf, 0xf3, 0x00, 0x80]);
        let mut one = if is_nop { Instruction::nop(start, wanted as u8) } else { plain(start, wanted as u8) };
        let end = u64::from(start) + wanted as u64;
        while relocations.next_if(|r| *r < u64::from(start)).is_some() {}
        if !is_nop && relocations.peek().is_none_or(|r| *r >= end) {
            let (reach, access) = reach(bytes, start);
            one = one.reaching(reach);
            one.access = access;
            if reach != Reach::None {
                one.field = FIELD;
            }
        }
        list.push(one);
        at += wanted;
    }
}

/// The register that a load of a literal fills, in either encoding.
pub fn loaded(mode: Mode, bytes: [u8; 4], length: u8) -> Option<u32> {
    let (first, second) = halves(&bytes)?;
    match (mode, length) {
        (Mode::Thumb, 2) => (first & 0xf800 == 0x4800).then_some(first >> 8 & 7),
        (Mode::Thumb, _) => (first & 0xff7f == 0xf85f).then_some(second >> 12),
        _ => word(&bytes).filter(|w| w & 0x0f7f_0000 == 0x051f_0000).map(|w| w >> 12 & 15),
    }
}

/// Whether an instruction adds a register to the program counter, or loads from their sum.
pub fn adds_to_pc(mode: Mode, bytes: [u8; 4], length: u8, register: u32) -> bool {
    let Some((first, _)) = halves(&bytes) else { return false };
    match (mode, length) {
        // add r, pc
        (Mode::Thumb, 2) => first & 0xff78 == 0x4478 && (first >> 4 & 8 | first & 7) == register,
        (Mode::Thumb, _) => false,
        // add r, pc, r; ldr, ldrb r, [pc, r]; ldrh and the like
        _ => word(&bytes).is_some_and(|w| {
            let sum = w & 0x0fff_0ff0 == 0x008f_0000;
            let load = w & 0x0f3f_0ff0 == 0x071f_0000 || w & 0x0f7f_0f90 == 0x011f_0090;
            (sum || load) && w & 15 == register
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(halves: &[u16], at: u32) -> (Reach, u8) {
        let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        reach(&bytes, at)
    }

    #[test]
    fn both_widths_reach_their_targets() {
        assert_eq!(one(&[0xd816], 0x1e), (Reach::Branch(0x4e), 0)); // bhi.n 4e
        assert_eq!(one(&[0xe7e3], 0x36), (Reach::Branch(0), 0)); // b.n 0
        assert_eq!(one(&[0xb110], 0), (Reach::Branch(8), 0)); // cbz r0, 8
        assert_eq!(one(&[0x4a05], 0), (Reach::Memory(0x18), 4)); // ldr r2, [pc, #20]
        assert_eq!(one(&[0xed9f, 0x6b05], 0x1a0), (Reach::Memory(0x1b8), 8)); // vldr d6, [pc, #20]
        assert_eq!(one(&[0xf000, 0xb800], 0), (Reach::Branch(4), 0)); // b.w 4
        assert_eq!(one(&[0xf7ff, 0xbffe], 8), (Reach::Branch(8), 0)); // b.w to itself
        assert_eq!(one(&[0xf43f, 0xaffe], 8), (Reach::Branch(8), 0)); // beq.w to itself
        assert_eq!(one(&[0xdf01], 8), (Reach::None, 0)); // svc
    }

    #[test]
    fn widths_are_no_identity() {
        let code = |halves: &[u16]| {
            without_distance(&halves.iter().flat_map(|h| h.to_le_bytes()).collect::<Vec<u8>>())
        };
        assert_eq!(code(&[0xe7e3]), code(&[0xf7ff, 0xbffe])); // b
        assert_eq!(code(&[0xd0fe]), code(&[0xf43f, 0xaffe])); // beq
        assert_ne!(code(&[0xd0fe]), code(&[0xd1fe])); // bne
        assert_eq!(code(&[0x4a05]), code(&[0xf8df, 0x2014])); // ldr r2
        assert_ne!(code(&[0xf7ff, 0xfffe]), code(&[0xf7ff, 0xbffe])); // bl and b
    }

    #[test]
    fn tables() {
        assert_eq!(table(&[0xdf, 0xe8, 0x00, 0xf0]), Some((1, 2)));
        assert_eq!(table(&[0xdf, 0xe8, 0x13, 0xf0]), Some((2, 2)));
        assert_eq!(table(&[0x70, 0x47]), None);
    }
}
