//! Arm, 32 bits: four bytes an instruction, in Thumb two or four.
//!
//! Sources: Arm Architecture Reference Manual (ARMv7-A), A5, A6 and A8; ELF for the Arm Architecture (AAELF32),
//! 5.6 "relocation".
//!
//! Three things are this machine's own. Relocations keep their addend in the field, scattered as the
//! instruction has it ([`super::fields`]). The assembler chooses between the two and the four bytes of a Thumb
//! branch by distance: both are written alike here. And position-independent code adds words of its literal
//! pool to the program counter: such a word counts from the instruction that adds it, not from itself, so it is
//! given that place ([`Reach::Literal`]).

use super::super::arch::{Shape, absolute, relative};
use super::super::x86::{Instruction, Reach};
use super::mapping::Mode;
use super::{Machine, Opcode, Run, fields, fill, plain, signed, steps, thumb, word};

/// The machine.
#[derive(Debug)]
pub struct Arm;

/// How far behind a load of a literal the instruction that adds it to the program counter is looked for.
const WINDOW: usize = 48;

/// What an instruction in Arm encoding reaches, and the width of the access.
fn reach(word: u32, at: u32) -> (Reach, u8) {
    let base = i64::from(at) + 8;
    let up = |distance: u32| if word >> 23 & 1 == 1 { i64::from(distance) } else { -i64::from(distance) };
    let immediate = (word & 0xff).rotate_right(word >> 7 & 0x1e);
    if word & 0x0e00_0000 == 0x0a00_0000 {
        let half = if word >> 28 == 15 { i64::from(word >> 24 & 1) * 2 } else { 0 }; // blx
        return (Reach::Branch(base + 4 * signed(word, 0, 24) + half), 0);
    }
    if word >> 28 == 15 {
        return (Reach::None, 0);
    }
    match word {
        w if w & 0x0f7f_0000 == 0x051f_0000 => (Reach::Memory(base + up(w & 0xfff)), 4), // ldr
        w if w & 0x0f7f_0000 == 0x055f_0000 => (Reach::Memory(base + up(w & 0xfff)), 1), // ldrb
        w if w & 0x0f7f_00f0 == 0x014f_00d0 => (Reach::Memory(base + up(w >> 4 & 0xf0 | w & 15)), 8), // ldrd
        w if w & 0x0f3f_0e00 == 0x0d1f_0a00 => {
            (Reach::Memory(base + up(4 * (w & 0xff))), if w & 0x100 == 0 { 4 } else { 8 }) // vldr
        }
        w if w & 0x0fff_0000 == 0x028f_0000 => (Reach::Memory(base + i64::from(immediate)), 0), // adr
        w if w & 0x0fff_0000 == 0x024f_0000 => (Reach::Memory(base - i64::from(immediate)), 0),
        _ => (Reach::None, 0),
    }
}

/// The bits of an instruction's distance.
fn distance_bits(word: u32) -> u32 {
    match reach(word, 0) {
        (Reach::Branch(_), _) => 0x00ff_ffff,
        (Reach::Memory(_), 8) if word & 0x0f7f_00f0 == 0x014f_00d0 => 0x0080_0f0f,
        (Reach::Memory(_), _) if word & 0x0f3f_0e00 == 0x0d1f_0a00 => 0x0080_00ff,
        (Reach::Memory(_), 0) => 0x00c0_0fff,
        (Reach::Memory(_), _) => 0x0080_0fff,
        _ => 0,
    }
}

/// `b`, `bx`, `pop {.., pc}`, `ldr pc`, `mov pc`, `udf`, always: what follows is not reached from here.
fn ends_flow(bytes: &[u8]) -> bool {
    word(bytes).is_some_and(|w| {
        w & 0xff00_0000 == 0xea00_0000
            || w & 0xffff_fff0 == 0xe12f_ff10
            || w & 0xfe10_8000 == 0xe810_8000
            || w & 0xfe10_f000 == 0xe410_f000
            || w & 0xfdef_f000 == 0xe1a0_f000
            || w & 0xfff0_00f0 == 0xe7f0_00f0
    })
}

/// Takes out the no-operations that end a run of code before data at `start` that nothing runs into, be it behind a
/// call that does not return: how many there are depends on where the data, aligned, falls. `before` are all bytes
/// before it in the piece.
fn drop_padding(list: &mut Vec<Instruction>, start: u32, before: &[u8], mode: Mode) {
    let count = list.iter().rev().take_while(|i| i.is_nop()).count();
    let kept = list.len() - count;
    let (Some(first), Some(above)) = (list.get(kept), kept.checked_sub(1).and_then(|at| list.get(at))) else {
        return;
    };
    let bytes = bytes_of(above, start, before);
    let ends = if mode == Mode::Thumb { thumb::ends_flow(bytes) } else { ends_flow(bytes) };
    let unreached = ends || Arm.step(bytes, mode).flow == steps::Flow::Call;
    if unreached && start.is_multiple_of(4) && start - first.start < 8 {
        list.truncate(kept);
    }
}

/// The bytes of an instruction; `before` are those before `start` in its piece.
fn bytes_of<'b>(one: &Instruction, start: u32, before: &'b [u8]) -> &'b [u8] {
    let from = before.len().wrapping_sub(start.wrapping_sub(one.start) as usize);
    before.get(from..).and_then(|rest| rest.get(..one.length.into())).unwrap_or_default()
}

impl Machine for Arm {
    #[expect(clippy::match_same_arms, reason = "a table, one row a kind of relocation")]
    fn shape(&self, kind: u32) -> Option<Shape> {
        Some(match kind {
            0 | 40 => absolute(0),                     // NONE, V4BX
            2 | 18..=23 | 24 | 26 | 38 => absolute(4), // ABS32, TLS and dynamic ones, GOTOFF, GOT_BREL, TARGET1
            3 | 25 | 41 | 42 | 96 => relative(4),      // REL32, BASE_PREL, TARGET2, PREL31, GOT_PREL
            104 | 105 | 107 => relative(4),            // TLS_GD32, TLS_LDM32, TLS_IE32
            106 | 108 | 160 => absolute(4),            // TLS_LDO32, TLS_LE32, IRELATIVE
            5 => absolute(2),                          // ABS16
            8 => absolute(1),                          // ABS8
            1 | 10 | 27..=30 | 43..=51 => absolute(4), // fields of instructions
            102 | 103 => absolute(2),                  // THM_JUMP11, THM_JUMP8
            _ => return None,
        })
    }

    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>) {
        let from = list.len();
        if run.mode == Mode::Thumb {
            thumb::decode(run, list);
            fill::drop_fill(self, run, list, from, thumb::ends_flow);
            return;
        }
        let mut relocations = run.relocations.iter().map(|r| r.offset).peekable();
        for (index, bytes) in run.bytes.chunks(4).enumerate() {
            let at = run.start + 4 * index as u32;
            let Some(word) = word(bytes) else {
                list.push(plain(at, bytes.len() as u8).reaching(Reach::Undecodable));
                continue;
            };
            let mut one = if word == 0xe320_f000 { Instruction::nop(at, 4) } else { plain(at, 4) };
            while relocations.next_if(|r| *r < u64::from(at)).is_some() {}
            if relocations.peek().is_none_or(|r| *r >= u64::from(at) + 4) {
                let (reach, access) = reach(word, at);
                one = one.reaching(reach);
                one.access = access;
            }
            list.push(one);
        }
        fill::drop_fill(self, run, list, from, ends_flow);
    }

    fn data(&self, run: &Run<'_>, list: &mut Vec<Instruction>, before: &[u8], mode: Mode) -> bool {
        drop_padding(list, run.start, before, mode);
        let Some((width, scale)) = thumb::table(before).or_else(|| {
            // adr r, table; ...; bx r
            let start = Reach::Memory(run.start.into());
            let whole = run.relocations.is_empty() && run.bytes.len().is_multiple_of(4);
            let read = list.iter().any(|i| i.reach() == start && i.access == 0);
            let above = list.last().map_or(&[][..], |one| bytes_of(one, run.start, before));
            let jumps = if mode == Mode::Thumb { thumb::ends_flow(above) } else { ends_flow(above) };
            (whole && read && jumps && run.start.is_multiple_of(4)).then_some((4, 1))
        }) else {
            return false;
        };
        for (n, entry) in run.bytes.chunks(width).enumerate() {
            let value = entry.iter().rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
            let value = if width == 4 { i64::from(value.cast_signed()) } else { i64::from(value) };
            let at = run.start + (n * width) as u32;
            // An address that `bx` goes to says Thumb in its last bit.
            let says_mode = width == 4 && mode == Mode::Thumb;
            let target = (i64::from(run.start) + scale * value) & !i64::from(says_mode);
            let whole = entry.len() == width;
            let one = plain(at, entry.len() as u8);
            list.push(if whole { one.reaching(Reach::Entry(target)) } else { one });
        }
        true
    }

    /// Gives each word of a literal pool the place that the code adds it to.
    fn finish(&self, list: &mut [Instruction], code: &dyn Fn(&Instruction) -> (Mode, [u8; 4])) {
        let mut found = Vec::new();
        for (at, one) in list.iter().enumerate() {
            let Reach::Memory(literal) = one.reach() else { continue };
            let (mode, bytes) = code(one);
            let Some(register) = thumb::loaded(mode, bytes, one.length).filter(|_| one.access == 4) else {
                continue;
            };
            let adds = |i: &&Instruction| {
                let (mode, bytes) = code(i);
                mode != Mode::Data && thumb::adds_to_pc(mode, bytes, i.length, register)
            };
            let Some(adder) = list.iter().skip(at + 1).take(WINDOW).find(adds) else { continue };
            let ahead = if code(adder).0 == Mode::Thumb { 4 } else { 8 };
            found.push((literal, i64::from(adder.start) + ahead));
        }
        for (literal, anchor) in found {
            let at = list.binary_search_by_key(&literal, |i| i.start.into());
            if let Some(one) = at.ok().and_then(|at| list.get_mut(at)).filter(|i| i.reach() == Reach::None) {
                *one = one.reaching(Reach::Literal(anchor));
            }
        }
    }

    fn takes_address(&self, kind: u32, _before: &[u8]) -> Option<i64> {
        matches!(kind, 2 | 43 | 47).then_some(0) // ABS32, MOVW_ABS_NC, THM_MOVW_ABS_NC
    }

    fn branch_opcode(&self, bytes: &[u8], field: u8) -> Option<Opcode> {
        Some(Opcode::new(&self.without_operand(bytes, field)))
    }

    fn without_operand(&self, bytes: &[u8], field: u8) -> Vec<u8> {
        if field == thumb::FIELD {
            return thumb::without_distance(bytes);
        }
        match word(bytes) {
            Some(word) => (word & !distance_bits(word)).to_le_bytes().to_vec(),
            None => bytes.to_vec(),
        }
    }

    fn traps(&self, bytes: &[u8]) -> bool {
        // udf and bkpt, of Arm and of both widths of Thumb.
        match *bytes {
            [_, high] => matches!(high, 0xde | 0xbe),
            [a, b, c, d] => {
                let word = u32::from_le_bytes([a, b, c, d]);
                matches!(word & 0xfff0_00f0, 0xe7f0_00f0 | 0xe120_0070)
                    || (a & 0xf0, b, d & 0xf0) == (0xf0, 0xf7, 0xa0)
            }
            _ => false,
        }
    }

    fn bias(&self, _start: u64, _end: u64, _field: u64) -> i64 {
        0
    }

    fn nop_length(&self, bytes: &[u8]) -> Option<usize> {
        match bytes {
            [0x00, 0xbf, ..] => Some(2),
            [0xaf, 0xf3, 0x00, 0x80, ..] | [0x00, 0xf0, 0x20, 0xe3, ..] => Some(4),
            _ => None,
        }
    }

    /// GCC and LLVM do not; but without optimisation GCC writes `nop` for empty statements.
    fn aligns_loops(&self) -> bool {
        false
    }

    fn implicit_addend(&self, kind: u32, field: &[u8]) -> Option<i64> {
        fields::addend(kind, field)
    }

    fn clear_implicit(&self, kind: u32, field: &mut [u8]) {
        fields::clear(kind, field);
    }

    fn rules(&self) -> Option<&'static steps::Rules> {
        Some(&steps::arm::RULES)
    }

    fn step(&self, bytes: &[u8], mode: Mode) -> steps::Step {
        match (mode, bytes) {
            (Mode::Code, _) => word(bytes).map_or_else(steps::Step::default, steps::arm::step),
            (Mode::Thumb, [a, b]) => {
                let half = u16::from_le_bytes([*a, *b]).into();
                steps::Step { compares: steps::thumb::half_compares(half), ..steps::thumb::half(half) }
            }
            (Mode::Thumb, [a, b, c, d]) => {
                let [first, second] = [[*a, *b], [*c, *d]].map(|h| u16::from_le_bytes(h).into());
                let compares = steps::thumb::word_compares(first, second);
                steps::Step { compares, ..steps::thumb::word(first, second) }
            }
            _ => steps::Step::default(),
        }
    }

    fn mentions(&self, bytes: &[u8], mode: Mode, register: steps::Register) -> usize {
        match (mode, bytes) {
            (Mode::Code, _) => {
                word(bytes).map_or(usize::MAX, |w| steps::arm::mentions::mentions(w, register))
            }
            (Mode::Thumb, [a, b]) => {
                steps::thumb::mentions::half(u16::from_le_bytes([*a, *b]).into(), register)
            }
            (Mode::Thumb, [a, b, c, d]) => {
                let [first, second] = [[*a, *b], [*c, *d]].map(|h| u16::from_le_bytes(h).into());
                steps::thumb::mentions::word(first, second, register)
            }
            _ => usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm_encodings_reach_their_targets() {
        assert_eq!(reach(0xeaff_ffe5, 0x64), (Reach::Branch(0), 0)); // b 0
        assert_eq!(reach(0x8a00_0003, 0x94), (Reach::Branch(0xa8), 0)); // bhi a8
        assert_eq!(reach(0xe59f_201c, 0), (Reach::Memory(0x24), 4)); // ldr r2, [pc, #28]
        assert_eq!(reach(0xe51f_2008, 0x10), (Reach::Memory(0x10), 4)); // ldr r2, [pc, #-8]
        assert_eq!(reach(0xe28f_2004, 0x10), (Reach::Memory(0x1c), 0)); // add r2, pc, #4
        assert_eq!(reach(0xe08f_2002, 0x10), (Reach::None, 0)); // add r2, pc, r2
        assert_eq!(distance_bits(0xe59f_201c), 0x0080_0fff);
    }

    #[test]
    fn padding_before_data_is_no_code() {
        for above in [0xebff_fffe_u32, 0xeaff_fffe, 0xe12f_ff1e] {
            // bl, b, bx lr; nop
            let before: Vec<u8> = [above, 0xe320_f000].into_iter().flat_map(u32::to_le_bytes).collect();
            let mut list = vec![Instruction::plain(0, 4), Instruction::nop(4, 4)];
            drop_padding(&mut list, 8, &before, Mode::Code);
            assert_eq!(list.len(), 1, "{above:#x}");
        }
        let before: Vec<u8> = [0xe1a0_0001_u32, 0xe320_f000].into_iter().flat_map(u32::to_le_bytes).collect();
        let mut list = vec![Instruction::plain(0, 4), Instruction::nop(4, 4)];
        drop_padding(&mut list, 8, &before, Mode::Code);
        assert_eq!(list.len(), 2, "a move runs into it");
    }

    #[test]
    fn a_pool_word_counts_from_the_addition() {
        // ldr r2, [pc, #4]; add r2, pc, r2; bx lr; .word
        let words = [0xe59f_2004_u32, 0xe08f_2002, 0xe12f_ff1e, 0x1234];
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let run = Run {
            bytes: &bytes,
            start: 0,
            mode: Mode::Code,
            align: 4,
            patchable: false,
            relocations: &[],
            marks: &[],
        };
        let mut list = Vec::new();
        Arm.decode(&run, &mut list);
        let code = |i: &Instruction| (Mode::Code, words[i.start as usize / 4].to_le_bytes());
        Arm.finish(&mut list, &code);
        assert_eq!(list[3].reach(), Reach::Literal(12));
    }
}
