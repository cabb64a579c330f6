//! s390x: 2, 4 or 6 bytes an instruction, as its first two bits say; most significant byte first.
//!
//! Sources: z/Architecture Principles of Operation, "instruction formats" and appendix B; ELF Application Binary
//! Interface s390x Supplement, 2.5. Distances count halfwords from the start of the instruction, and the field
//! lies two bytes behind it: the assembler puts those two into the addend.

use super::super::arch::{Shape, absolute, relative};
use super::super::x86::{Instruction, Reach};
use super::{Machine, Opcode, Run, fill, plain, steps};

/// The machine.
#[derive(Debug)]
pub struct S390x;

/// A PC-relative instruction: where its distance lies and what is there.
struct Relative {
    /// Bytes of the distance, which begin at offset 2.
    width: usize,
    /// A branch, or the width of the access (0 where the address is only taken).
    access: Option<u8>,
}

const fn branch(width: usize) -> Relative {
    Relative { width, access: None }
}

const fn operand(access: u8) -> Relative {
    Relative { width: 4, access: Some(access) }
}

#[expect(clippy::match_same_arms, reason = "a table, one row a kind of instruction")]
fn relative_of(bytes: &[u8]) -> Option<Relative> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    Some(match (first, second & 15) {
        (0xa7, 4..=7) => branch(2),      // brc, bras, brct, brctg
        (0x84 | 0x85, _) => branch(2),   // brxh, brxle
        (0xc0, 0) => operand(0),         // larl
        (0xc0, 4 | 5) => branch(4),      // brcl, brasl
        (0xcc, 6) => branch(4),          // brcth
        (0xc4, 2 | 4..=7) => operand(2), // llhrl, lghrl, lhrl, llghrl, sthrl
        (0xc4, 8 | 11) => operand(8),    // lgrl, stgrl
        (0xc4, 12..=15) => operand(4),   // lgfrl, lrl, llgfrl, strl
        (0xc6, 0 | 2) => operand(0),     // exrl, pfdrl
        (0xc6, 4..=7) => operand(2),     // cghrl, chrl, clghrl, clhrl
        (0xc6, 8 | 10) => operand(8),    // cgrl, clgrl
        (0xc6, 12..=15) => operand(4),   // cgfrl, crl, clgfrl, clrl
        // brxhg, brxlg, and compare and branch: cgrj, clgrj, crj, clrj, cgij, clgij, cij, clij
        (0xec, _) if matches!(bytes.get(5)?, 0x44 | 0x45 | 0x64 | 0x65 | 0x76 | 0x77 | 0x7c..=0x7f) => {
            branch(2)
        }
        _ => return None,
    })
}

/// The length of the instruction that begins with this byte.
fn length(first: u8) -> usize {
    match first >> 6 {
        0 => 2,
        3 => 6,
        _ => 4,
    }
}

fn distance(bytes: &[u8], width: usize) -> i64 {
    let value = bytes.iter().skip(2).take(width).fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let unused = 64 - 8 * width as u32;
    2 * ((value << unused).cast_signed() >> unused)
}

/// `br`, `j`, `jg`, `b`, `bi`: what follows is not reached from here.
fn ends_flow(bytes: &[u8]) -> bool {
    match bytes {
        [0x07, second] | [0x47, second, ..] | [0xe3, second, .., 0x47] => second >> 4 == 15,
        [0xa7 | 0xc0, 0xf4, ..] => true,
        _ => false,
    }
}

impl Machine for S390x {
    fn shape(&self, kind: u32) -> Option<Shape> {
        Some(match kind {
            0 | 37..=39 => absolute(0), // NONE, marks of TLS calls
            1 => absolute(1),           // 8
            2 | 3 | 6 | 15 | 27 | 29 | 30 | 34 | 42 | 57..=60 => absolute(2), // 12, 16, 20 bits
            4 | 7 | 13 | 31 | 35 | 40 | 43 | 45 | 47 | 50 | 52 => absolute(4),
            5 | 8 | 14 | 19..=21 | 26 | 33 | 49 => relative(4), // PC32, PLT32, GOTPC, PC32DBL, GOTENT, IEENT
            9..=12 | 22 | 24 | 28 | 32 | 36 | 41 | 44 | 46 | 48 | 51 | 53..=56 | 61 => absolute(8),
            16..=18 | 62 | 63 => relative(2), // PC16, PC16DBL, PLT16DBL, PC12DBL, PLT12DBL
            23 | 25 => relative(8),           // PC64, PLT64
            64 | 65 => relative(3),           // PC24DBL, PLT24DBL
            _ => return None,
        })
    }

    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>) {
        let from = list.len();
        let mut relocations = run.relocations.iter().map(|r| r.offset).peekable();
        let mut at = 0;
        while let Some(rest) = run.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let start = run.start + at as u32;
            let wanted = rest.first().map_or(2, |first| length(*first));
            let Some(bytes) = rest.get(..wanted) else {
                list.push(plain(start, rest.len() as u8).reaching(Reach::Undecodable));
                break;
            };
            let is_nop = self.nop_length(bytes) == Some(wanted);
            let mut one =
                if is_nop { Instruction::nop(start, wanted as u8) } else { plain(start, wanted as u8) };
            let end = u64::from(start) + wanted as u64;
            while relocations.next_if(|r| *r < u64::from(start)).is_some() {}
            let has_relocation = relocations.peek().is_some_and(|r| *r < end);
            if let Some(found) = relative_of(bytes).filter(|_| !is_nop) {
                one.access = found.access.unwrap_or(0);
                if !has_relocation {
                    one.field = 2;
                    let target = i64::from(start) + distance(bytes, found.width);
                    let operand = found.access.is_some();
                    one = one.reaching(if operand { Reach::Memory(target) } else { Reach::Branch(target) });
                }
            }
            list.push(one);
            at += wanted;
        }
        fill::drop_fill(self, run, list, from, ends_flow);
    }

    fn takes_address(&self, kind: u32, before: &[u8]) -> Option<i64> {
        // larl: PC32DBL counts from the instruction, two bytes before the field.
        let larl = matches!(before, [.., 0xc0, register] if register.trailing_zeros() >= 4);
        if kind == 19 && larl { Some(2) } else { None }
    }

    fn branch_opcode(&self, bytes: &[u8], field: u8) -> Option<Opcode> {
        Some(Opcode::new(&self.without_operand(bytes, field)))
    }

    fn without_operand(&self, bytes: &[u8], _field: u8) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let width = relative_of(&bytes).map_or(0, |found| found.width);
        bytes.iter_mut().skip(2).take(width).for_each(|b| *b = 0);
        bytes
    }

    fn traps(&self, bytes: &[u8]) -> bool {
        // mc, and what is no instruction.
        matches!(bytes.first(), Some(0xaf | 0))
    }

    fn bias(&self, start: u64, _end: u64, field: u64) -> i64 {
        start.wrapping_sub(field).cast_signed()
    }

    fn rules(&self) -> Option<&'static steps::Rules> {
        Some(&steps::s390x::RULES)
    }

    fn step(&self, bytes: &[u8], _mode: super::mapping::Mode) -> steps::Step {
        steps::s390x::step(bytes)
    }

    fn mentions(&self, bytes: &[u8], _mode: super::mapping::Mode, register: steps::Register) -> usize {
        steps::s390x::mentions::mentions(bytes, register)
    }

    fn nop_length(&self, bytes: &[u8]) -> Option<usize> {
        const FORMS: [&[u8]; 4] = [&[0x07, 0x07], &[0x07, 0], &[0x47, 0, 0, 0], &[0xc0, 0x04, 0, 0, 0, 0]];
        FORMS.iter().find(|form| bytes.starts_with(form)).map(|form| form.len())
    }

    /// GNU as repeats `nopr %r7`; since 2.41 it writes `jgnop` as often as it fits, then one shorter form.
    fn is_fill(&self, bytes: &[u8]) -> bool {
        let short = bytes.chunks(2).all(|b| b == [0x07, 0x07]);
        let mut rest = bytes;
        while let Some(behind) = rest.strip_prefix(&[0xc0, 0x04, 0, 0, 0, 0]) {
            rest = behind;
        }
        short || self.nop_length(rest) == Some(rest.len()) || rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mode;
    use super::*;

    fn decode(bytes: &[u8]) -> Vec<(u32, u8, Reach)> {
        let run = Run {
            bytes,
            start: 0x10,
            mode: Mode::Code,
            align: 8,
            patchable: false,
            relocations: &[],
            marks: &[],
        };
        let mut list = Vec::new();
        S390x.decode(&run, &mut list);
        list.iter().map(|i| (i.start, i.length, i.reach())).collect()
    }

    #[test]
    fn lengths_and_targets() {
        let bytes = [
            0x18, 0x32, // lr
            0xa7, 0xc4, 0x00, 0x07, // jle
            0xc0, 0xe5, 0xff, 0xff, 0xff, 0xfd, // brasl
            0xec, 0x12, 0x00, 0x04, 0x80, 0x64, // cgrj
            0xc4, 0x1d, 0x00, 0x00, 0x00, 0x02, // lrl
            0x07, // cut short
        ];
        assert_eq!(
            decode(&bytes),
            [
                (0x10, 2, Reach::None),
                (0x12, 4, Reach::Branch(0x20)),
                (0x16, 6, Reach::Branch(0x10)),
                (0x1c, 6, Reach::Branch(0x24)),
                (0x22, 6, Reach::Memory(0x26)),
                (0x28, 1, Reach::Undecodable),
            ]
        );
    }

    #[test]
    fn only_the_distance_is_taken_out() {
        let code = |bytes: &[u8]| S390x.without_operand(bytes, 2);
        assert_eq!(code(&[0xec, 0x12, 0, 4, 0x80, 0x64]), code(&[0xec, 0x12, 0xff, 0xf0, 0x80, 0x64]));
        assert_ne!(code(&[0xec, 0x12, 0, 4, 0x80, 0x64]), code(&[0xec, 0x12, 0, 4, 0x60, 0x64]));
        assert_eq!(code(&[0xec, 0x12, 0, 4, 0x80, 0x55]), [0xec, 0x12, 0, 4, 0x80, 0x55]); // risbg
    }

    #[test]
    fn fill() {
        assert!(S390x.is_fill(&[0x07, 0x07, 0x07, 0x07, 0x07, 0x07]));
        assert!(S390x.is_fill(&[0xc0, 0x04, 0, 0, 0, 0, 0x07, 0x00]));
        assert!(!S390x.is_fill(&[0x07, 0xfe]));
        // A jump to itself is no no-operation.
        assert_eq!(S390x.nop_length(&[0xc0, 0xf4, 0, 0, 0, 0]), None);
    }
}
