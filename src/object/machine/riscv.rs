//! RISC-V: four bytes an instruction, two where it is compressed, as its last two bits say.
//!
//! Sources: The RISC-V Instruction Set Manual, volume I, 2.2 and 16.8; RISC-V ELF psABI, "relocations".
//!
//! The linker may shorten code here, so the assembler leaves every branch to it, with a relocation, and writes
//! as many no-operations as an alignment can need: nothing depends on the position. Only with `-mno-relax` are
//! branches resolved as elsewhere. The lower part of an address names the `auipc` of the upper part, not the
//! target; that reference is a place in the function like any other.

use super::super::arch::{Shape, absolute, relative};
use super::super::x86::{Instruction, Reach};
use super::{Machine, Opcode, Run, Term, fill, plain, steps};

/// The machine.
#[derive(Debug)]
pub struct Riscv;

/// `R_RISCV_ALIGN`: the addend is the number of bytes of no-operations.
const ALIGN: u32 = 43;

/// The value of an instruction of two or four bytes.
fn value(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn length(first: u8) -> usize {
    if first & 3 == 3 { 4 } else { 2 }
}

/// How the bits of a distance are scattered: from bit, number of bits, to bit.
type Scatter = &'static [(u32, u32, u32)];

const BRANCH: Scatter = &[(8, 4, 1), (25, 6, 5), (7, 1, 11), (31, 1, 12)];
const JUMP: Scatter = &[(21, 10, 1), (20, 1, 11), (12, 8, 12), (31, 1, 20)];
const SHORT_JUMP: Scatter =
    &[(3, 3, 1), (11, 1, 4), (2, 1, 5), (7, 1, 6), (6, 1, 7), (9, 2, 8), (8, 1, 10), (12, 1, 11)];
const SHORT_BRANCH: Scatter = &[(3, 2, 1), (10, 2, 3), (2, 1, 5), (5, 2, 6), (12, 1, 8)];

/// The scatter of a branch's distance; `None` for what is no branch.
fn scatter(bytes: &[u8]) -> Option<Scatter> {
    let value = value(bytes);
    if bytes.len() == 2 {
        return match (value & 3, value >> 13) {
            (1, 5) => Some(SHORT_JUMP),       // c.j
            (1, 6 | 7) => Some(SHORT_BRANCH), // c.beqz, c.bnez
            _ => None,
        };
    }
    match value & 0x7f {
        0x63 => Some(BRANCH),
        0x6f => Some(JUMP),
        _ => None,
    }
}

fn distance(value: u32, scatter: Scatter) -> i64 {
    let bits = |(from, count, to): &(u32, u32, u32)| u64::from(value >> from & ((1 << count) - 1)) << to;
    let distance: u64 = scatter.iter().map(bits).sum();
    let top = scatter.iter().map(|(_, count, to)| to + count).max().unwrap_or(0);
    let unused = 64 - top;
    (distance << unused).cast_signed() >> unused
}

/// The width of a load or store.
fn access(value: u32) -> u8 {
    match value & 0x7f {
        0x03 | 0x07 | 0x23 | 0x27 => 1 << (value >> 12 & 3),
        _ => 0,
    }
}

/// A jump that leaves no return address, `ebreak`: what follows is not reached from here.
fn ends_flow(bytes: &[u8]) -> bool {
    let value = value(bytes);
    if bytes.len() == 2 {
        return value & 0xe003 == 0xa001
            || (value & 0xf07f == 0x8002 && value & 0x0f80 != 0)
            || value == 0x9002;
    }
    matches!(value & 0xfff, 0x06f | 0x067) || value == 0x0010_0073
}

impl Machine for Riscv {
    #[expect(clippy::match_same_arms, reason = "a table, one row a kind of relocation")]
    fn shape(&self, kind: u32) -> Option<Shape> {
        Some(match kind {
            0 | 43 | 51 => absolute(0),                            // NONE, ALIGN, RELAX
            1 | 6 | 8 | 10 | 35 | 39 | 41 | 56 => absolute(4),     // 32, TLS, ADD32, SUB32, SET32
            2..=5 | 7 | 9 | 11 | 12 | 36 | 40 | 58 => absolute(8), // 64, dynamic, ADD64, SUB64
            16 | 17 | 20..=32 | 46 => absolute(4),                 // fields of instructions
            18 | 19 => absolute(8),                                // CALL: auipc and jalr
            33 | 37 | 52..=54 => absolute(1),                      // ADD8, SUB8, SUB6, SET6, SET8
            34 | 38 | 44 | 45 | 55 => absolute(2), // ADD16, SUB16, RVC_BRANCH, RVC_JUMP, SET16
            57 | 59 => relative(4),                // 32_PCREL, PLT32
            60 | 61 => absolute(1),                // SET_ULEB128, SUB_ULEB128
            _ => return None,
        })
    }

    /// RISC-V ELF psABI, "Relocations".
    fn term(&self, kind: u32) -> Option<Term> {
        match kind {
            33..=36 => Some(Term::Plus),
            37..=40 | 52 | 61 => Some(Term::Minus),
            53..=56 | 60 => Some(Term::Set),
            _ => None,
        }
    }

    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>) {
        let from = list.len();
        let mut relocations = run.relocations.iter().peekable();
        let mut at = 0;
        // Fill that the linker will shorten is of one length wherever it lies.
        let mut fixed_to = 0;
        while let Some(rest) = run.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let start = run.start + at as u32;
            let wanted = rest.first().map_or(2, |first| length(*first));
            let Some(bytes) = rest.get(..wanted) else {
                list.push(plain(start, rest.len() as u8).reaching(Reach::Undecodable));
                break;
            };
            let mut one = plain(start, wanted as u8);
            let end = u64::from(start) + wanted as u64;
            while relocations.next_if(|r| r.offset < u64::from(start)).is_some() {}
            let mut here = relocations.clone().take_while(|r| r.offset < end).peekable();
            if here.peek().is_none() {
                if let Some(scatter) = scatter(bytes) {
                    one = one.reaching(Reach::Branch(i64::from(start) + distance(value(bytes), scatter)));
                }
            } else {
                one.access = if wanted == 4 { access(value(bytes)) } else { 0 };
                let fill = here.find(|r| r.kind == ALIGN).map_or(0, |r| r.addend.cast_unsigned());
                fixed_to = fixed_to.max(u64::from(start).saturating_add(fill));
            }
            let is_nop = self.nop_length(bytes).is_some() && u64::from(start) >= fixed_to;
            list.push(if is_nop { Instruction::nop(start, wanted as u8) } else { one });
            at += wanted;
        }
        fill::drop_fill(self, run, list, from, ends_flow);
    }

    fn takes_address(&self, kind: u32, _before: &[u8]) -> Option<i64> {
        matches!(kind, 2 | 20 | 23 | 26).then_some(0) // 64, GOT_HI20, PCREL_HI20, HI20
    }

    fn branch_opcode(&self, bytes: &[u8], field: u8) -> Option<Opcode> {
        Some(Opcode::new(&self.without_operand(bytes, field)))
    }

    fn without_operand(&self, bytes: &[u8], _field: u8) -> Vec<u8> {
        let mut left = value(bytes);
        for (from, count, _) in scatter(bytes).unwrap_or_default() {
            left &= !(((1_u32 << count) - 1) << from);
        }
        left.to_le_bytes().get(..bytes.len()).unwrap_or(bytes).to_vec()
    }

    fn traps(&self, bytes: &[u8]) -> bool {
        let word = bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        // ebreak and unimp, each of both widths.
        word == 0x0010_0073 || word == 0xc000_1073 || matches!(bytes, [0x02, 0x90] | [0, 0])
    }

    fn bias(&self, _start: u64, _end: u64, _field: u64) -> i64 {
        0
    }

    fn nop_length(&self, bytes: &[u8]) -> Option<usize> {
        match bytes {
            [0x01, 0, ..] => Some(2),
            [0x13, 0, 0, 0, ..] => Some(4),
            _ => None,
        }
    }

    fn is_upper(&self, kind: u32) -> bool {
        matches!(kind, 23 | 26) // PCREL_HI20, HI20
    }

    fn is_mark(&self, kind: u32) -> bool {
        kind == 51 // RELAX
    }

    fn keeps_labels(&self) -> bool {
        true
    }

    fn names_upper(&self, kind: u32) -> bool {
        matches!(kind, 24 | 25) // PCREL_LO12_I, PCREL_LO12_S
    }

    fn mentions(&self, bytes: &[u8], _mode: super::mapping::Mode, register: steps::Register) -> usize {
        match bytes.len() {
            2 => steps::riscv::half_mentions(value(bytes), register),
            4 => steps::riscv::mentions(value(bytes), register),
            _ => usize::MAX,
        }
    }

    fn rules(&self) -> Option<&'static steps::Rules> {
        Some(&steps::riscv::RULES)
    }

    fn step(&self, bytes: &[u8], _mode: super::mapping::Mode) -> steps::Step {
        match *bytes {
            [a, b] => steps::riscv::half(u16::from_le_bytes([a, b]).into()),
            [a, b, c, d] => steps::riscv::word(u32::from_le_bytes([a, b, c, d])),
            _ => steps::Step::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::Relocation;
    use super::super::mapping::Mode;
    use super::*;

    fn target(bytes: &[u8]) -> Option<i64> {
        scatter(bytes).map(|s| distance(value(bytes), s))
    }

    #[test]
    fn every_form_of_branch() {
        assert_eq!(target(&0x04a7_e963_u32.to_le_bytes()), Some(0x52)); // bltu a5,a0,.+0x52
        assert_eq!(target(&0xfe00_0ee3_u32.to_le_bytes()), Some(-4)); // beqz zero,.-4
        assert_eq!(target(&0xffdf_f06f_u32.to_le_bytes()), Some(-4)); // j .-4
        assert_eq!(target(&0x0080_006f_u32.to_le_bytes()), Some(8)); // j .+8
        assert_eq!(target(&0xbffd_u16.to_le_bytes()), Some(-2)); // c.j .-2
        assert_eq!(target(&0xa011_u16.to_le_bytes()), Some(4)); // c.j .+4
        assert_eq!(target(&0xd97d_u16.to_le_bytes()), Some(-10)); // c.beqz a0,.-10
        assert_eq!(target(&0xe799_u16.to_le_bytes()), Some(14)); // c.bnez a5,.+14
        assert_eq!(target(&0xfeb5_08e3_u32.to_le_bytes()), Some(-16)); // beq a0,a1,.-16
        assert_eq!(target(&0x0060_00ef_u32.to_le_bytes()), Some(6)); // jal .+6
        assert_eq!(target(&0x8082_u16.to_le_bytes()), None); // ret
    }

    #[test]
    fn only_the_distance_is_taken_out() {
        let code = |word: u32| Riscv.without_operand(&word.to_le_bytes(), 0);
        assert_eq!(code(0x04a7_e963), code(0x00a7_e063));
        assert_ne!(code(0x04a7_e963), code(0x04a7_f963)); // bgeu
        assert_eq!(Riscv.without_operand(&0xd97d_u16.to_le_bytes(), 0), 0xc101_u16.to_le_bytes());
    }

    #[test]
    fn fill_for_the_linker_stays() {
        let bytes = [0x82, 0x80, 0x01, 0, 0x01, 0, 0x01, 0, 0x05, 0x45, 0x82, 0x80];
        let decode = |relocations: &[Relocation]| {
            let run = Run {
                bytes: &bytes,
                start: 0,
                mode: Mode::Code,
                align: 8,
                patchable: false,
                relocations,
                marks: &[],
            };
            let mut list = Vec::new();
            Riscv.decode(&run, &mut list);
            list.len()
        };
        assert_eq!(decode(&[]), 3);
        let align = Relocation::new(2, ALIGN, 0, Some(6));
        assert_eq!(decode(&[align]), 6);
    }
}
