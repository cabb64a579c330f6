//! What each machine gives: how its code is taken apart, and what stands in an instruction by position alone.
//!
//! The rest of [`super`] knows no machine. It asks one for the list of instructions of a function, for a branch
//! without its distance, for an operand without its field, for what is fill. The tempting wrong way is to take
//! the bytes of a machine of fixed width as they are: a call that the assembler resolved holds a distance, which
//! any other function's length changes. The invariant is that of [`super::x86`], the first of them: two
//! functions whose assembler text is equal give equal lists.
//!
//! | machine | instructions | fill | data in text |
//! | --- | --- | --- | --- |
//! | x86-64, i386 | 1 to 15 bytes | long no-operations | none |
//! | aarch64 | 4 bytes | `nop` | `$d` to `$x` |
//! | s390x | 2, 4 or 6 bytes by the first two bits | `nopr`, `nop`, `jgnop` | none |
//! | ppc64le | 4 bytes, 8 with a prefix | `nop`, `ori 2,2,0`, a branch over many | tables behind `bctr` |
//! | riscv | 2 or 4 bytes by the last two bits | `c.nop`, `nop` | `$d` to `$x` |
//! | arm | 4 bytes, in Thumb 2 or 4 | `nop` | `$d` to `$a` or `$t` |

pub mod aarch64;
pub mod arm;
pub mod bounds;
pub mod distances;
mod fields;
mod fill;
pub mod intel;
pub mod mapping;
pub mod pairs;
pub mod ppc64le;
pub mod riscv;
pub mod s390x;
pub mod steps;
mod thumb;

use super::arch::Shape;
use super::facts::Relocation;
use super::fingerprint::Image;
use super::places::Use;
use super::x86::Instruction;

/// A branch's bytes with its distance taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode {
    bytes: [u8; 8],
    length: u8,
}

impl Opcode {
    /// Keeps up to eight bytes.
    pub fn new(from: &[u8]) -> Self {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Self { bytes, length: from.len().min(8) as u8 }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// A run of code of one encoding, to be decoded.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they begin in their section.
    pub start: u32,
    /// What the mapping symbols say of them.
    pub mode: mapping::Mode,
    /// Alignment of the section.
    pub align: u64,
    /// No-operations at a function's entry may be patchable (the file lists such places).
    pub patchable: bool,
    /// Relocations of these bytes, sorted by offset.
    pub relocations: &'a [Relocation],
    /// Offsets in the section that something beside the code refers to, sorted.
    pub marks: &'a [u32],
}

/// What a machine tells of its code.
pub trait Machine: std::fmt::Debug + Sync {
    /// What a relocation type does.
    fn shape(&self, kind: u32) -> Option<Shape>;

    /// Appends the instructions of a run.
    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>);

    /// Appends a run of data among code; `false` where it is plain data. It follows the bytes `before` of the
    /// same piece, the last of them in the encoding `mode`.
    fn data(
        &self,
        _run: &Run<'_>,
        _list: &mut Vec<Instruction>,
        _before: &[u8],
        _mode: mapping::Mode,
    ) -> bool {
        false
    }

    /// Completes the list of a piece; `code` tells of an instruction what it is and its first four bytes.
    fn finish(&self, _list: &mut [Instruction], _code: &dyn Fn(&Instruction) -> (mapping::Mode, [u8; 4])) {}

    /// The addend that lies in an instruction's field, where that is no plain number.
    fn implicit_addend(&self, _kind: u32, _field: &[u8]) -> Option<i64> {
        None
    }

    /// Zeroes the bits of a field that hold an addend.
    fn clear_implicit(&self, _kind: u32, field: &mut [u8]) {
        field.fill(0);
    }

    /// A branch with its distance, and the width that the assembler chose for it, taken out. `None` where the
    /// bytes before the field stand for themselves.
    fn branch_opcode(&self, bytes: &[u8], field: u8) -> Option<Opcode>;

    /// An instruction with its PC-relative operand zeroed.
    fn without_operand(&self, bytes: &[u8], field: u8) -> Vec<u8>;

    /// From the place of a relocated field to where its value counts from, in bytes: what the addend holds
    /// beside the target. `start` and `end` are the instruction's.
    fn bias(&self, start: u64, end: u64, field: u64) -> i64;

    /// The length of the no-operation at the start of `bytes`.
    fn nop_length(&self, bytes: &[u8]) -> Option<usize>;

    /// Whether `bytes` are what an assembler writes to fill their length: no-operations end to end.
    fn is_fill(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let Some(length) = self.nop_length(rest) {
            rest = rest.get(length..).unwrap_or_default();
        }
        rest.is_empty()
    }

    /// The length of what may stand before a function's patchable entry (`endbr64`, `bti c`).
    fn entry_mark(&self, _bytes: &[u8]) -> usize {
        0
    }

    /// Whether control may go from an instruction to the next, a call aside.
    fn runs_on(&self, bytes: &[u8], mode: mapping::Mode) -> bool {
        let flows = matches!(self.step(bytes, mode).flow, steps::Flow::Next | steps::Flow::Branch);
        self.rules().is_some() && flows && !self.traps(bytes)
    }

    /// Whether an instruction is one that compilers put where control must not get.
    fn traps(&self, _bytes: &[u8]) -> bool {
        false
    }

    /// Whether there are addresses in two instructions, or tables of distances.
    fn has_pairs(&self) -> bool {
        true
    }

    /// The tables of distances outside the code that this code reads.
    fn distances(&self, _code: &Body<'_>) -> Vec<distances::Distances> {
        Vec::new()
    }

    /// Whether an instruction takes the address that this relocation names, to do with it what it likes (a branch does
    /// not): what to add to the addend. `before` are the section's bytes up to the field.
    fn takes_address(&self, _kind: u32, _before: &[u8]) -> Option<i64> {
        None
    }

    /// Whether an instruction does nothing with the address in this field but compare with it.
    fn compares(&self, _instruction: &[u8], _field: u8) -> bool {
        false
    }

    /// Whether an instruction jumps to the address that lies in memory at the one in this field, an index added or not.
    fn jumps_through(&self, _instruction: &[u8], _field: u8) -> bool {
        false
    }

    /// How far behind the address in its field the access at this position of the list begins at least, in bytes, where a check
    /// of its index tells. The field's relocation is of this type; `labels` are offsets that others lead to, sorted.
    fn least_offset<'l>(
        &self,
        _bytes: &[u8],
        _list: &[Instruction],
        _at: usize,
        _kind: u32,
        _labels: &dyn Fn() -> &'l [u32],
    ) -> Option<i64> {
        None
    }

    /// Whether compilers align the heads of loops on this machine.
    fn aligns_loops(&self) -> bool {
        true
    }

    /// Whether this relocation only marks a place: its addend means nothing.
    fn is_mark(&self, _kind: u32) -> bool {
        false
    }

    /// Whether the assembler keeps compiler-made labels (`.LC5`) as symbols, and names bytes by them.
    fn keeps_labels(&self) -> bool {
        false
    }

    /// Zeroes what a field repeats of its relocation's explicit addend, in an instruction; where it holds
    /// anything else it stays.
    fn clear_repeated(&self, _kind: u32, _addend: i64, _instruction: &mut [u8]) {}

    /// Whether this relocation says the rest of an address by naming the instruction with its upper part.
    fn names_upper(&self, _kind: u32) -> bool {
        false
    }

    /// The rules for its registers, where addresses in them are followed.
    fn rules(&self) -> Option<&'static steps::Rules> {
        None
    }

    /// What an instruction does with addresses in registers.
    fn step(&self, _bytes: &[u8], _mode: mapping::Mode) -> steps::Step {
        steps::Step::default()
    }

    /// How many fields of an instruction may name this general register, be it read or written: at least so many as do.
    fn mentions(&self, _bytes: &[u8], _mode: mapping::Mode, _register: steps::Register) -> usize {
        usize::MAX
    }

    /// What this relocation does to its field, where it is one of several that add up a distance.
    fn term(&self, _kind: u32) -> Option<Term> {
        None
    }

    /// Whether this relocation says only the upper part of an address, and another the rest.
    fn is_upper(&self, _kind: u32) -> bool {
        false
    }
}

/// One of several relocations that add up a distance in one field (RISC-V's `ADD`, `SUB` and `SET`): for distances in code
/// that a linker may shorten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The address replaces what the field holds.
    Set,
    /// It is added.
    Plus,
    /// It is taken off.
    Minus,
}

/// A piece of a function, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// Its instructions.
    pub list: &'a [Instruction],
    /// The section's bytes.
    pub bytes: &'a [u8],
    /// The number of the first of `list`.
    pub number: u32,
    /// The references of the whole function.
    pub uses: &'a [Use],
    /// Thing and piece.
    pub home: (usize, usize),
}

impl Body<'_> {
    /// Four bytes of the instruction at this position of the list, least byte first.
    fn word(&self, at: usize) -> Option<u32> {
        let start = self.list.get(at)?.start as usize;
        word(self.bytes.get(start..)?)
    }
}

/// The machine that a file's code is for; `None` where its instructions cannot be told apart.
pub fn of(image: &Image) -> Option<&'static dyn Machine> {
    use object::elf;
    match (elf::Machine(image.machine), image.bits, image.little_endian) {
        (elf::EM_X86_64, _, true) => Some(&intel::X86_64),
        (elf::EM_386, _, true) => Some(&intel::I386),
        (elf::EM_AARCH64, 64, true) => Some(&aarch64::Aarch64),
        (elf::EM_ARM, 32, true) => Some(&arm::Arm),
        (elf::EM_S390, 64, false) => Some(&s390x::S390x),
        // ELF version 2 (`e_flags`, low two bits): version 1 has function descriptors.
        (elf::EM_PPC64, 64, true) if image.flags & 3 != 1 => Some(&ppc64le::Ppc64le),
        (elf::EM_RISCV, _, true) => Some(&riscv::Riscv),
        _ => None,
    }
}

/// The machine with this number, whatever the file: for what depends on the number alone.
pub fn of_number(machine: u16) -> Option<&'static dyn Machine> {
    use object::elf;
    match elf::Machine(machine) {
        elf::EM_X86_64 => Some(&intel::X86_64),
        elf::EM_386 => Some(&intel::I386),
        elf::EM_AARCH64 => Some(&aarch64::Aarch64),
        elf::EM_ARM => Some(&arm::Arm),
        elf::EM_S390 => Some(&s390x::S390x),
        elf::EM_PPC64 => Some(&ppc64le::Ppc64le),
        elf::EM_RISCV => Some(&riscv::Riscv),
        _ => None,
    }
}

/// Takes a piece of a function apart, to the end of `list`, which is empty; `map` is that of its section.
pub fn instructions(machine: &dyn Machine, run: &Run<'_>, map: &mapping::Map, list: &mut Vec<Instruction>) {
    if map.is_empty() {
        machine.decode(run, list);
        return;
    }
    let first = u64::from(run.start);
    let mut before_mode = mapping::Mode::Data;
    for (start, end, mode) in map.runs(first, first + run.bytes.len() as u64) {
        let from = (start - first) as usize;
        let bytes = run.bytes.get(from..(end - first) as usize).unwrap_or_default();
        let relocations = within(run.relocations, start, end);
        let part = Run { bytes, start: start as u32, mode, relocations, ..*run };
        match mode {
            mapping::Mode::Data => {
                let before = run.bytes.get(..from).unwrap_or_default();
                if !machine.data(&part, list, before, before_mode) {
                    data(&part, list);
                }
            }
            _ => machine.decode(&part, list),
        }
        before_mode = mode;
    }
    machine.finish(list, &|one| {
        let mut bytes = [0; 4];
        let rest = run.bytes.get((u64::from(one.start) - first) as usize..).unwrap_or_default();
        bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        (map.at(one.start.into()), bytes)
    });
}

/// Data among code: words, so that a difference shows where it is, up to where the next relocated field begins.
fn data(run: &Run<'_>, list: &mut Vec<Instruction>) {
    let end = run.start + run.bytes.len() as u32;
    let mut at = run.start;
    let mut relocations = run.relocations.iter().map(|r| r.offset as u32).peekable();
    while at < end {
        while relocations.next_if(|r| *r <= at).is_some() {}
        let next = ((at / 4 + 1) * 4).min(end).min(relocations.peek().copied().unwrap_or(end));
        list.push(plain(at, (next - at) as u8));
        at = next;
    }
}

fn plain(start: u32, length: u8) -> Instruction {
    Instruction::plain(start, length)
}

/// The relocations whose place lies in `start..end`.
fn within(all: &[Relocation], start: u64, end: u64) -> &[Relocation] {
    let from = all.partition_point(|r| r.offset < start);
    let to = all.partition_point(|r| r.offset < end);
    all.get(from..to).unwrap_or_default()
}

/// Four bytes as a number, least byte first.
fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|b| u32::from_le_bytes(*b))
}

/// The bits of `value` from `low`, `count` of them, as a signed number.
fn signed(value: u32, low: u32, count: u32) -> i64 {
    let up = 64 - count;
    ((u64::from(value) >> low) << up).cast_signed() >> up
}
