//! ppc64le: four bytes an instruction, eight with a prefix.
//!
//! Sources: Power ISA, book I, 1.6 "instruction formats"; 64-Bit ELF V2 ABI Specification, 3.5 "relocation types".
//!
//! Jump tables lie in the code, behind the `bctr` that jumps by them: words that count from the table's start.
//! They are told from code by what they are. A word that leads to an instruction of this function behind the
//! table has six zero or six one bits on top; no instruction that a compiler writes looks like that. The table
//! ends at the latest where the first of its targets begins.

use super::super::arch::{Shape, absolute, relative};
use super::super::x86::{Instruction, Reach};
use super::{Machine, Opcode, Run, fill, plain, signed, steps, word};

/// The machine.
#[derive(Debug)]
pub struct Ppc64le;

const NOP: u32 = 0x6000_0000;
/// `ori 2,2,0` and `ori 1,1,0`: no-operations that end a group of instructions, the last of a fill.
const GROUP_ENDS: [u32; 2] = [0x6042_0000, 0x6021_0000];
const BCTR: u32 = 0x4e80_0420;
const BLR: u32 = 0x4e80_0020;

/// The bits of a branch's distance.
fn field(word: u32) -> u32 {
    match word >> 26 {
        18 if word & 2 == 0 => 0x03ff_fffc, // b, bl
        16 if word & 2 == 0 => 0x0000_fffc, // bc, bcl
        _ => 0,
    }
}

fn reach(word: u32, at: u32) -> Reach {
    match field(word) {
        0x03ff_fffc => Reach::Branch(i64::from(at) + 4 * signed(word, 2, 24)),
        0x0000_fffc => Reach::Branch(i64::from(at) + 4 * signed(word, 2, 14)),
        _ => Reach::None,
    }
}

/// The width of a load or store whose displacement may be relocated.
fn access(word: u32) -> u8 {
    match word >> 26 {
        34 | 38 => 1,           // lbz, stb
        40 | 42 | 44 => 2,      // lhz, lha, sth
        32 | 36 | 48 | 52 => 4, // lwz, stw, lfs, stfs
        50 | 54 => 8,           // lfd, stfd
        58 => {
            if word & 3 == 2 {
                4
            } else {
                8
            }
        } // lwa, ld
        62 if matches!(word & 3, 0) => 8, // std
        61 if word & 7 == 1 || word & 7 == 5 => 16, // lxv, stxv
        _ => 0,
    }
}

/// `b`, `blr`, `bctr`, `trap`: what follows is not reached from here.
fn ends_flow(bytes: &[u8]) -> bool {
    word(bytes).is_some_and(|w| w & 0xfc00_0001 == 0x4800_0000 || w == BLR || w == BCTR || w == 0x7fe0_0008)
}

fn is_prefix(word: u32) -> bool {
    word >> 26 == 1
}

fn is_nop(word: u32) -> bool {
    word == NOP || GROUP_ENDS.contains(&word)
}

/// How many words at `at` are a table of distances from `at`.
fn table_length(bytes: &[u8], at: usize) -> usize {
    let mut end = bytes.len();
    let mut count = 0;
    while let Some(word) = bytes.get(at + 4 * count..).and_then(word) {
        let here = at + 4 * count;
        let target = at.checked_add_signed(word.cast_signed() as isize);
        let Some(target) = target.filter(|t| *t < bytes.len() && t.is_multiple_of(4)) else { break };
        // A target inside the table itself is none.
        if here >= end || (at..here + 4).contains(&target) {
            break;
        }
        if target > here {
            end = end.min(target);
        }
        count += 1;
    }
    count
}

impl Machine for Ppc64le {
    #[expect(clippy::match_same_arms, reason = "a table, one row a kind of relocation")]
    fn shape(&self, kind: u32) -> Option<Shape> {
        Some(match kind {
            0 | 67 | 107..=109 | 118..=122 => absolute(0), // NONE, marks of TLS and PLT calls
            1 | 2 | 7..=9 | 11..=13 | 24 | 27 | 37 => absolute(4), // ADDR32, ADDR24, ADDR14, REL14
            3..=6 | 14..=17 | 25 | 29..=36 | 39..=42 | 47..=50 | 52..=66 => absolute(2), // halves of instructions
            69..=72 | 74..=77 | 79..=106 | 110..=115 => absolute(2),
            10 | 116 => absolute(4), // REL24, REL24_NOTOC: no part of the distance in the addend
            26 | 28 => relative(4),  // REL32, PLTREL32
            19..=22 | 38 | 43 | 45 | 51 | 68 | 73 | 78 | 117 | 248 => absolute(8),
            44 | 46 => relative(8),               // REL64, PLTREL64
            128..=151 => absolute(8),             // prefixed instructions
            240..=247 | 249..=252 => absolute(2), // REL16 and its halves
            _ => return None,
        })
    }

    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>) {
        let from = list.len();
        let mut relocations = run.relocations.iter().peekable();
        let mut at = 0;
        while let Some(rest) = run.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let start = run.start + at as u32;
            let Some(word) = word(rest) else {
                list.push(plain(start, rest.len() as u8).reaching(Reach::Undecodable));
                break;
            };
            let length = if is_prefix(word) && rest.len() >= 8 { 8 } else { 4 };
            // A prefixed instruction may not lie across 64 bytes: the assembler writes a no-operation before it.
            if word == NOP
                && start % 64 == 60
                && run.align >= 64
                && rest.get(4..).and_then(super::word).is_some_and(is_prefix)
            {
                at += 4;
                continue;
            }
            let mut one = if is_nop(word) { Instruction::nop(start, 4) } else { plain(start, length as u8) };
            let end = u64::from(start) + length as u64;
            while relocations.next_if(|r| r.offset < u64::from(start)).is_some() {}
            if let Some(relocation) = relocations.peek().filter(|r| r.offset < end) {
                one.access = match rest.get(4..).and_then(super::word) {
                    // From the table of addresses (GOT_PCREL34, PLT_PCREL34, those of TLS): what is loaded is an address.
                    Some(_) if matches!(relocation.kind, 133..=135 | 148..=151) => 0,
                    Some(suffix) if length == 8 => steps::ppc64le::prefixed_width(word, suffix) as u8,
                    _ => access(word),
                };
            } else {
                one = one.reaching(reach(word, start));
            }
            list.push(one);
            at += length;
            if word == BCTR && relocations.peek().is_none_or(|r| r.offset >= end + 4) {
                let count = table_length(run.bytes, at);
                let base = i64::from(run.start + at as u32);
                let entries = run.bytes.get(at..at + 4 * count).unwrap_or_default().chunks(4);
                list.extend(entries.enumerate().map(|(n, entry)| {
                    let distance = super::word(entry).map_or(0, |w| i64::from(w.cast_signed()));
                    plain(run.start + (at + 4 * n) as u32, 4).reaching(Reach::Entry(base + distance))
                }));
                at += 4 * count;
            }
        }
        fill::drop_fill(self, run, list, from, ends_flow);
    }

    fn takes_address(&self, kind: u32, _before: &[u8]) -> Option<i64> {
        matches!(kind, 38 | 48 | 4).then_some(0) // ADDR64, TOC16_LO, ADDR16_LO
    }

    fn branch_opcode(&self, bytes: &[u8], field: u8) -> Option<Opcode> {
        Some(Opcode::new(&self.without_operand(bytes, field)))
    }

    fn without_operand(&self, bytes: &[u8], _field: u8) -> Vec<u8> {
        match word(bytes) {
            Some(word) => (word & !field(word)).to_le_bytes().to_vec(),
            None => bytes.to_vec(),
        }
    }

    fn traps(&self, bytes: &[u8]) -> bool {
        let word = bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        // tw, td, twi, tdi, and what is no instruction.
        matches!(word >> 26, 0 | 2 | 3) || (word >> 26 == 31 && matches!(word >> 1 & 0x3ff, 4 | 68))
    }

    fn bias(&self, _start: u64, _end: u64, _field: u64) -> i64 {
        0
    }

    fn nop_length(&self, bytes: &[u8]) -> Option<usize> {
        word(bytes).is_some_and(is_nop).then_some(4)
    }

    /// No-operations, of which the last may end a group; over many of them a branch to behind them.
    fn is_fill(&self, bytes: &[u8]) -> bool {
        let words: Vec<u32> = bytes.chunks(4).map(|b| word(b).unwrap_or(0)).collect();
        let rest = match words.split_first() {
            Some((first, rest)) if *first == 0x4800_0000 | bytes.len() as u32 && !rest.is_empty() => rest,
            _ => &words,
        };
        match rest.split_last() {
            Some((last, others)) => is_nop(*last) && others.iter().all(|w| *w == NOP),
            None => true,
        }
    }

    /// GNU as writes the addend into a prefixed instruction too (the low 34 bits).
    fn clear_repeated(&self, kind: u32, addend: i64, instruction: &mut [u8]) {
        let (Some(prefix), Some(suffix)) = (word(instruction), instruction.get(4..).and_then(word)) else {
            return;
        };
        let value = (i64::from(prefix & 0x3_ffff) << 46 >> 30) | i64::from(suffix & 0xffff);
        if (128..=151).contains(&kind) && value == addend {
            let cleared = [prefix & !0x3_ffff, suffix & !0xffff];
            let bytes = cleared.into_iter().flat_map(u32::to_le_bytes);
            instruction.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
    }

    fn is_upper(&self, kind: u32) -> bool {
        matches!(kind, 49 | 50) // TOC16_HI, TOC16_HA
    }

    fn mentions(&self, bytes: &[u8], _mode: super::mapping::Mode, register: steps::Register) -> usize {
        steps::ppc64le::mentions(bytes, register)
    }

    fn rules(&self) -> Option<&'static steps::Rules> {
        Some(&steps::ppc64le::RULES)
    }

    fn step(&self, bytes: &[u8], _mode: super::mapping::Mode) -> steps::Step {
        steps::ppc64le::step(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mode;
    use super::*;

    fn decode(words: &[u32]) -> Vec<(u32, Reach)> {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let run = Run {
            bytes: &bytes,
            start: 0x100,
            mode: Mode::Code,
            align: 16,
            patchable: false,
            relocations: &[],
            marks: &[],
        };
        let mut list = Vec::new();
        Ppc64le.decode(&run, &mut list);
        list.iter().map(|i| (i.start, i.reach())).collect()
    }

    #[test]
    fn branches() {
        assert_eq!(reach(0x4bff_fffd, 0x10), Reach::Branch(0xc)); // bl
        assert_eq!(reach(0x4181_0110, 0x6c), Reach::Branch(0x17c)); // bgt
        assert_eq!(reach(0x4800_0012, 0x6c), Reach::None); // ba: an address
        assert_eq!(reach(BLR, 0x6c), Reach::None);
    }

    #[test]
    fn a_table_behind_bctr_ends_at_its_first_target() {
        let words = [BCTR, 0x10, 0x0c, 0x10, BLR, BLR];
        let list = decode(&words);
        assert_eq!(list.get(1), Some(&(0x104, Reach::Entry(0x114))));
        assert_eq!(list.get(3), Some(&(0x10c, Reach::Entry(0x114))));
        assert_eq!(list.get(4), Some(&(0x110, Reach::None)));
        // What follows a jump through a pointer is code.
        assert_eq!(decode(&[BCTR, BLR, NOP, NOP, BLR]).get(1), Some(&(0x104, Reach::None)));
    }

    #[test]
    fn a_prefix_makes_eight_bytes() {
        assert_eq!(decode(&[0x0610_0000, 0xe460_0000, BLR]).len(), 2);
        let clear = |addend, prefix: u32, suffix: u32| {
            let mut bytes: Vec<u8> = [prefix, suffix].into_iter().flat_map(u32::to_le_bytes).collect();
            Ppc64le.clear_repeated(132, addend, &mut bytes);
            (word(&bytes).unwrap(), word(&bytes[4..]).unwrap())
        };
        assert_eq!(clear(0xa8, 0x0610_0000, 0x3880_00a8), (0x0610_0000, 0x3880_0000));
        assert_eq!(clear(-8, 0x0613_ffff, 0x3880_fff8), (0x0610_0000, 0x3880_0000));
        assert_eq!(clear(0xa0, 0x0610_0000, 0x3880_00a8), (0x0610_0000, 0x3880_00a8));
    }

    #[test]
    fn fill_may_begin_with_a_branch_over_it() {
        let bytes = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
        assert!(Ppc64le.is_fill(&bytes(&[NOP, NOP, 0x6042_0000])));
        assert!(Ppc64le.is_fill(&bytes(&[0x4800_0010, NOP, NOP, NOP])));
        assert!(!Ppc64le.is_fill(&bytes(&[0x4800_0014, NOP, NOP, NOP])));
        assert!(!Ppc64le.is_fill(&bytes(&[0x6042_0000, NOP])));
    }
}
