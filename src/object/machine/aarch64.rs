//! aarch64: four bytes an instruction.
//!
//! Sources: Arm Architecture Reference Manual (A64), C4.1 "instruction set encoding"; ELF for the Arm 64-bit
//! Architecture (AAELF64), 5.7 "relocations".

use super::super::arch::{Shape, absolute, relative};
use super::super::places::Place;
use super::super::x86::{Instruction, Reach};
use super::distances::Distances;
use super::{Body, Machine, Opcode, Run, fill, plain, signed, steps, word};

/// The machine.
#[derive(Debug)]
pub struct Aarch64;

const NOP: u32 = 0xd503_201f;

/// One family of PC-relative instructions.
struct Family {
    /// These bits...
    mask: u32,
    /// ...have this value.
    value: u32,
    /// The bits of the distance.
    field: u32,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A distance in words: lowest bit, number of bits.
    Branch(u32, u32),
    /// `ldr` of a literal.
    Literal,
    /// `adr`.
    Address,
}

/// Instructions that reach something by a distance. `adrp` is not here: without a relocation its value depends
/// on the page that it lies in, which only a linked file knows.
const FAMILIES: [Family; 6] = [
    Family { mask: 0x7c00_0000, value: 0x1400_0000, field: 0x03ff_ffff, kind: Kind::Branch(0, 26) }, // b, bl
    Family { mask: 0xff00_0000, value: 0x5400_0000, field: 0x00ff_ffe0, kind: Kind::Branch(5, 19) }, // b.cond
    Family { mask: 0x7e00_0000, value: 0x3400_0000, field: 0x00ff_ffe0, kind: Kind::Branch(5, 19) }, // cbz, cbnz
    Family { mask: 0x7e00_0000, value: 0x3600_0000, field: 0x0007_ffe0, kind: Kind::Branch(5, 14) }, // tbz, tbnz
    Family { mask: 0x3b00_0000, value: 0x1800_0000, field: 0x00ff_ffe0, kind: Kind::Literal },       // ldr =
    Family { mask: 0x9f00_0000, value: 0x1000_0000, field: 0x60ff_ffe0, kind: Kind::Address },       // adr
];

fn family(word: u32) -> Option<&'static Family> {
    FAMILIES.iter().find(|f| word & f.mask == f.value)
}

/// What the instruction at an offset reaches, and the width of the access.
fn reach(word: u32, at: u32) -> (Reach, u8) {
    let at = i64::from(at);
    let Some(family) = family(word) else { return (Reach::None, 0) };
    match family.kind {
        Kind::Branch(low, count) => (Reach::Branch(at + 4 * signed(word, low, count)), 0),
        Kind::Literal => {
            let width = match (word >> 26 & 1, word >> 30) {
                (0 | 1, 1) => 8,
                (0, 3) => 0, // prfm
                (1, 2) => 16,
                _ => 4,
            };
            (Reach::Memory(at + 4 * signed(word, 5, 19)), width)
        }
        Kind::Address => {
            let distance = signed(word, 5, 19) * 4 + i64::from(word >> 29 & 3);
            (Reach::Memory(at + distance), 0)
        }
    }
}

/// The width of a load or store with an unsigned offset (the form that a `:lo12:` relocation stands in).
fn access(word: u32) -> u8 {
    if word & 0x3b00_0000 != 0x3900_0000 {
        return 0;
    }
    let vector = word >> 26 & 1 == 1;
    match (word >> 30, word >> 22 & 3) {
        (0, 2 | 3) if vector => 16,
        (3, 2) if !vector => 0, // prfm
        (size, _) => 1 << size,
    }
}

/// How far before a `br` the rest of a jump through a table is looked for, in instructions.
const WINDOW: usize = 12;

/// The table that the `br` at this position jumps by: `ldrb w, [table, w]`, `adr x, base`, `add x, x, w, sxtb #2`.
fn table(code: &Body<'_>, at: usize) -> Option<Distances> {
    let register = |word: u32, low: u32| word >> low & 31;
    let before = |from: usize, is: &dyn Fn(u32) -> bool| {
        (from.saturating_sub(WINDOW)..from).rev().find(|i| code.word(*i).is_some_and(is))
    };
    let target = register(code.word(at)?, 5);
    // add (extended register) or add (shifted register), by two bits.
    let is_sum = |w: u32| {
        register(w, 0) == target && (w & 0xffe0_1c00 == 0x8b20_0800 || w & 0xffe0_fc00 == 0x8b00_0800)
    };
    let sum_at = before(at, &is_sum)?;
    let sum = code.word(sum_at)?;
    let (base, index) = (register(sum, 5), register(sum, 16));
    let base_at = before(sum_at, &|w| register(w, 0) == base && w & 0x9f00_0000 == 0x1000_0000)?;
    let Reach::Memory(base) = code.list.get(base_at)?.reach() else { return None };
    // ldrb, ldrh, ldr (register), into the index.
    let is_load = |w: u32| register(w, 0) == index && w & 0x3fe0_0c00 == 0x3860_0800;
    let load_at = before(sum_at, &is_load)?;
    let load = code.word(load_at)?;
    let width = 1 << (load >> 30);
    let extended = sum & 0x0020_0000 != 0;
    let signed = extended && matches!(sum >> 13 & 7, 4..=6);
    let table = register(load, 5);
    let named_at = before(load_at, &|w| register(w, 0) == table && w & 0xff80_0000 == 0x9100_0000)?;
    let number = code.number + named_at as u32;
    let one = code.uses.get(code.uses.partition_point(|u| u.at < number)).filter(|u| u.at == number)?;
    let Place::Private(section, offset) = one.place else { return None };
    let bound = bound(code, named_at.min(load_at)).and_then(|i| code.word(i));
    Some(Distances {
        table: (section, u64::try_from(offset).ok()?),
        width: if width == 8 { return None } else { width },
        count: bound.map(|w| u64::from(w >> 10 & 0xfff) + 1),
        signed,
        scale: 4,
        base: u64::try_from(base).ok()?,
        home: code.home,
    })
}

/// The `cmp w, #last` that decides whether the instructions at this position are reached: above it, or above a
/// branch to it where nothing runs into it from above.
fn bound(code: &Body<'_>, at: usize) -> Option<usize> {
    let mut from = at;
    for _ in 0..2 {
        let mut head = from;
        for i in (from.saturating_sub(WINDOW)..from).rev() {
            let word = code.word(i)?;
            if word & 0x7fc0_001f == 0x7100_001f {
                return Some(i);
            }
            if ends_flow(&word.to_le_bytes()) {
                break;
            }
            head = i;
        }
        let start = i64::from(code.list.get(head)?.start);
        from = code.list.iter().position(|i| i.reach() == Reach::Branch(start))?;
    }
    None
}

/// `b`, `br`, `ret` and the like, `udf`, `brk`: what follows is not reached from here.
fn ends_flow(bytes: &[u8]) -> bool {
    word(bytes).is_some_and(|w| {
        w & 0xfc00_0000 == 0x1400_0000 // b
            || w & 0xfe00_0000 == 0xd600_0000 && w >> 21 & 0xf != 1 && w >> 21 & 0xf != 9 // br, ret, not blr
            || w & 0xffe0_001f == 0xd420_0000 // brk
            || w >> 16 == 0 // udf
    })
}

impl Machine for Aarch64 {
    #[expect(clippy::match_same_arms, reason = "a table, one row a kind of relocation")]
    fn shape(&self, kind: u32) -> Option<Shape> {
        Some(match kind {
            0 | 256 | 569 => absolute(0),                     // NONE, TLSDESC_CALL
            257 => absolute(8),                               // ABS64
            258 => absolute(4),                               // ABS32
            259 => absolute(2),                               // ABS16
            260 => relative(8),                               // PREL64
            261 | 314 | 315 => relative(4),                   // PREL32, PLT32, GOTPCREL32
            262 => relative(2),                               // PREL16
            263..=313 | 512..=568 | 570..=573 => absolute(4), // fields of instructions
            1024..=1032 => absolute(8), // COPY, GLOB_DAT, JUMP_SLOT, RELATIVE, TLS, IRELATIVE
            _ => return None,
        })
    }

    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>) {
        let from = list.len();
        let mut relocations = run.relocations.iter().map(|r| r.offset).peekable();
        for (index, bytes) in run.bytes.chunks(4).enumerate() {
            let at = run.start + 4 * index as u32;
            let mut one = plain(at, bytes.len() as u8);
            let Some(word) = word(bytes) else {
                list.push(one.reaching(Reach::Undecodable));
                continue;
            };
            if word == NOP {
                one = Instruction::nop(at, 4);
            }
            while relocations.next_if(|r| *r < u64::from(at)).is_some() {}
            if relocations.peek().is_some_and(|r| *r < u64::from(at) + 4) {
                one.access = access(word);
            } else {
                let (reach, access) = reach(word, at);
                one = one.reaching(reach);
                one.access = access;
            }
            list.push(one);
        }
        fill::drop_fill(self, run, list, from, ends_flow);
    }

    fn takes_address(&self, kind: u32, _before: &[u8]) -> Option<i64> {
        matches!(kind, 257 | 277).then_some(0) // ABS64, ADD_ABS_LO12_NC
    }

    fn branch_opcode(&self, bytes: &[u8], _field: u8) -> Option<Opcode> {
        Some(Opcode::new(&self.without_operand(bytes, 0)))
    }

    fn without_operand(&self, bytes: &[u8], _field: u8) -> Vec<u8> {
        match word(bytes) {
            Some(word) => (word & !family(word).map_or(0, |f| f.field)).to_le_bytes().to_vec(),
            None => bytes.to_vec(),
        }
    }

    fn traps(&self, bytes: &[u8]) -> bool {
        let word = bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        // brk, hlt, and what is no instruction.
        matches!(word & 0xffe0_001f, 0xd420_0000 | 0xd440_0000) || word >> 16 == 0
    }

    fn bias(&self, _start: u64, _end: u64, _field: u64) -> i64 {
        0
    }

    fn nop_length(&self, bytes: &[u8]) -> Option<usize> {
        (word(bytes) == Some(NOP)).then_some(4)
    }

    fn entry_mark(&self, bytes: &[u8]) -> usize {
        // bti, bti c, bti j, bti jc; paciasp, pacibsp
        let marks = [0xd503_241f, 0xd503_245f, 0xd503_249f, 0xd503_24df, 0xd503_233f, 0xd503_237f];
        if word(bytes).is_some_and(|w| marks.contains(&w)) { 4 } else { 0 }
    }

    fn distances(&self, code: &Body<'_>) -> Vec<Distances> {
        let branches =
            (0..code.list.len()).filter(|at| code.word(*at).is_some_and(|w| w & 0xffff_fc1f == 0xd61f_0000));
        branches.filter_map(|at| table(code, at)).collect()
    }

    fn is_upper(&self, kind: u32) -> bool {
        matches!(kind, 275 | 276 | 311 | 541 | 562 | 512 | 518) // ADR_PREL_PG_HI21(_NC), ADR_GOT_PAGE, TLS pages
    }

    fn mentions(&self, bytes: &[u8], _mode: super::mapping::Mode, register: steps::Register) -> usize {
        word(bytes).map_or(usize::MAX, |w| steps::aarch64::mentions(w, register))
    }

    fn rules(&self) -> Option<&'static steps::Rules> {
        Some(&steps::aarch64::RULES)
    }

    fn step(&self, bytes: &[u8], _mode: super::mapping::Mode) -> steps::Step {
        word(bytes).map_or_else(steps::Step::default, steps::aarch64::step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(word: u32, at: u32) -> (Reach, u8) {
        reach(word, at)
    }

    #[test]
    fn every_family_reaches_its_target() {
        assert_eq!(one(0x17ff_ffec, 0x50), (Reach::Branch(0), 0)); // b 0
        assert_eq!(one(0x9400_0001, 0), (Reach::Branch(4), 0)); // bl 4
        assert_eq!(one(0x5400_0340, 0x34), (Reach::Branch(0x9c), 0)); // b.eq 9c
        assert_eq!(one(0x3500_00e0, 0x68), (Reach::Branch(0x84), 0)); // cbnz w0, 84
        assert_eq!(one(0x3607_ffe0, 8), (Reach::Branch(4), 0)); // tbz w0, #0, 4
        assert_eq!(one(0x5800_0040, 0), (Reach::Memory(8), 8)); // ldr x0, 8
        assert_eq!(one(0x1800_0040, 0), (Reach::Memory(8), 4)); // ldr w0, 8
        assert_eq!(one(0x9c00_0040, 0), (Reach::Memory(8), 16)); // ldr q0, 8
        assert_eq!(one(0x3000_0000, 0), (Reach::Memory(1), 0)); // adr x0, 1
        assert_eq!(one(0x10ff_ffe0, 8), (Reach::Memory(4), 0)); // adr x0, 4
        assert_eq!(one(0x9000_0000, 8), (Reach::None, 0)); // adrp
        assert_eq!(one(0xd65f_03c0, 8), (Reach::None, 0)); // ret
    }

    #[test]
    fn only_the_distance_is_taken_out() {
        let code = |word: u32| Aarch64.without_operand(&word.to_le_bytes(), 0);
        assert_eq!(code(0x5400_0340), code(0x5400_0040)); // b.eq
        assert_ne!(code(0x5400_0340), code(0x5400_0341)); // b.ne
        assert_ne!(code(0x3607_ffe0), code(0x360f_ffe0)); // another bit
        assert_ne!(code(0x1400_0001), code(0x9400_0001)); // b and bl
        assert_ne!(code(0x5800_0040), code(0x5800_0041)); // another register
    }

    #[test]
    fn the_width_of_a_load() {
        assert_eq!(access(0xb940_0041), 4); // ldr w1, [x2]
        assert_eq!(access(0xf940_0041), 8);
        assert_eq!(access(0xfd40_0041), 8); // ldr d1, [x2]
        assert_eq!(access(0x3dc0_0041), 16); // ldr q1, [x2]
        assert_eq!(access(0x3940_0041), 1);
        assert_eq!(access(0x9100_0021), 0); // add
    }

    #[test]
    fn a_nop_is_fill_only_where_alignment_can_have_stood() {
        const RET: u32 = 0xd65f_03c0;
        const ADD: u32 = 0x0b00_0021;
        let decode_with = |words: &[u32], patchable| {
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            let mode = super::super::mapping::Mode::Code;
            let run =
                Run { bytes: &bytes, start: 0, mode, align: 16, patchable, relocations: &[], marks: &[] };
            let mut list = Vec::new();
            Aarch64.decode(&run, &mut list);
            list.iter().map(|i| i.start).collect::<Vec<_>>()
        };
        let decode = |words: &[u32]| decode_with(words, false);
        // At the entry, at the end, and before what is reached from above only: kept.
        assert_eq!(decode(&[NOP, NOP, RET]), [0, 4, 8]);
        assert_eq!(decode_with(&[NOP, NOP, ADD, 0x17ff_ffff], true), [0, 4, 8, 12]);
        assert_eq!(decode(&[RET, NOP]), [0, 4]);
        assert_eq!(decode(&[ADD, NOP, ADD, RET]), [0, 4, 8, 12]);
        // Behind a return, and before a loop's head: fill.
        assert_eq!(decode(&[RET, NOP, ADD, RET]), [0, 8, 12]);
        assert_eq!(decode(&[ADD, NOP, ADD, 0x17ff_ffff, RET]), [0, 8, 12, 16]);
        assert_eq!(decode(&[NOP, NOP, ADD, 0x17ff_ffff]), [8, 12]);
        // Not up to an even boundary.
        assert_eq!(decode(&[RET, ADD, RET, NOP, NOP, ADD]), [0, 4, 8, 12, 16, 20]);
    }
}
