//! What an instruction does with addresses in registers: which memory it reaches from one, which register gets one
//! from another, which loses its own.
//!
//! Tables of encodings, one a machine, for [`super::super::follow`]. They are not decoders: what is not in a table
//! has no step, and then an address is taken to stay where it is, which is at worst a reference too many. So a
//! register is listed as lost only where the instruction surely overwrites it. An access tells its width exactly, or
//! one byte where it reads a single datum of any size.

#![expect(
    clippy::match_same_arms,
    clippy::verbose_bit_mask,
    clippy::decimal_bitwise_operands,
    reason = "tables of encodings, one row a kind of instruction, with the fields as the manuals give them"
)]
#![cfg_attr(test, expect(clippy::unnecessary_wraps, reason = "what a step has is optional"))]

pub mod aarch64;
pub mod arm;
pub mod ppc64le;
pub mod riscv;
pub mod s390x;
pub mod thumb;

/// A register: general ones from 0, those of vectors that addresses are put aside in from 32.
pub type Register = u8;

/// Memory reached from an address in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The register.
    pub base: Register,
    /// Another that is added; either may hold the address.
    pub index: Option<Register>,
    /// Distance in bytes.
    pub displacement: i64,
    /// Bytes reached, if there is no index; with one, where they lie is not known.
    pub width: u32,
}

impl Access {
    /// The same by this register alone, so many bytes further.
    #[must_use]
    pub fn at(self, base: Register, by: i64) -> Self {
        Self { base, index: None, displacement: self.displacement.wrapping_add(by), ..self }
    }
}

/// An access without an index, for the tables' tests.
#[cfg(test)]
fn access(base: Register, displacement: i64, width: u32) -> Option<Access> {
    Some(Access { base, index: None, displacement, width })
}

/// A register that gets an address from one in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Where it goes.
    pub to: Register,
    /// Where it comes from.
    pub from: Register,
    /// What is added.
    pub by: i64,
    /// Nothing else is added.
    pub exact: bool,
}

/// Registers put aside at, or fetched from, a distance from the base of the first access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Fetched.
    pub load: bool,
    /// Register and distance.
    pub first: (Register, i64),
    /// Of a pair.
    pub second: Option<(Register, i64)>,
}

/// Where control goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// To the next instruction.
    #[default]
    Next,
    /// To the next, when a callee has returned.
    Call,
    /// To the target or to the next.
    Branch,
    /// To the target.
    Jump,
    /// To an address that was computed.
    Indirect,
    /// Out of the function.
    End,
}

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Memory reached.
    pub accesses: [Option<Access>; 2],
    /// Addresses handed on.
    pub moves: [Option<Move>; 3],
    /// What is put aside or fetched.
    pub slots: Option<Slots>,
    /// Registers surely overwritten, as bits.
    pub kills: u64,
    /// Registers overwritten where a condition holds, as bits.
    pub perhaps: u64,
    /// The number that the one overwritten register gets, where no access multiplies it.
    pub number: Option<i64>,
    /// The same where one may (an index with a shift).
    pub counter: Option<i64>,
    /// Where control goes.
    pub flow: Flow,
    /// What decides on the instructions behind it (`it` of Thumb).
    pub block: Option<Block>,
    /// The condition by which control goes to a branch's target, as encoded (Thumb). The lowest bit turns it around.
    pub condition: Option<u8>,
    /// It may change what conditions ask, even behind [`Step::block`] (Thumb).
    pub compares: bool,
    /// It does the instruction at the place that it reaches (`exrl`).
    pub executes: bool,
}

/// Thumb's `it`: the first condition, and the mask that says how many instructions there are and which turn it around.
/// Source: Arm Architecture Reference Manual (ARMv7-A), A8.8.54.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    first: u8,
    mask: u8,
}

impl Block {
    /// The conditions of its instructions, as encoded.
    pub fn conditions(self) -> impl Iterator<Item = u8> {
        let count = 4 - self.mask.trailing_zeros().min(3);
        (0..count).map(move |n| if n == 0 { self.first } else { self.first & !1 | self.mask >> (4 - n) & 1 })
    }
}

impl Step {
    fn kill(register: u32) -> Self {
        Self { kills: 1 << (register & 63), ..Self::default() }
    }

    /// `to = number`.
    fn number(to: u32, number: i64) -> Self {
        Self { number: Some(number), ..Self::kill(to) }
    }

    /// `to = number`, which an access may multiply.
    fn counter(to: u32, number: i64) -> Self {
        Self { counter: Some(number), ..Self::kill(to) }
    }

    fn to(flow: Flow) -> Self {
        Self { flow, ..Self::default() }
    }

    /// `to = from + by`.
    fn sum(to: u32, from: u32, by: i64) -> Self {
        Self::kill(to).moved(to, from, by, true)
    }

    fn moved(mut self, to: u32, from: u32, by: i64, exact: bool) -> Self {
        if let Some(slot) = self.moves.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Move { to: to as Register, from: from as Register, by, exact });
        }
        self
    }

    /// The same, reaching memory.
    fn reaching(mut self, base: u32, displacement: i64, width: u32) -> Self {
        if let Some(slot) = self.accesses.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Access { base: base as Register, index: None, displacement, width });
        }
        self
    }

    fn indexed(mut self, base: u32, index: u32, displacement: i64) -> Self {
        let index = Some(index as Register);
        self.accesses = [Some(Access { base: base as Register, index, displacement, width: 1 }), None];
        self
    }

    /// The same, its first access so wide.
    fn of_width(mut self, width: u32) -> Self {
        if let [Some(first), _] = &mut self.accesses {
            first.width = width;
        }
        self
    }

    /// The same, with the base moved on.
    fn writing_back(self, base: u32, by: i64) -> Self {
        let kills = self.kills | 1 << (base & 63);
        Self { kills, ..self }.moved(base, base, by, true)
    }

    fn slot(self, load: bool, register: u32, at: i64) -> Self {
        let slots = Some(Slots { load, first: (register as Register, at), second: None });
        Self { slots, ..self }
    }

    fn slot_pair(self, load: bool, registers: (u32, u32), at: i64, apart: i64) -> Self {
        let second = Some((registers.1 as Register, at + apart));
        Self { slots: Some(Slots { load, first: (registers.0 as Register, at), second }), ..self }
    }

    /// The same, done or not by a condition.
    #[must_use]
    pub fn conditional(self) -> Self {
        let flow = match self.flow {
            Flow::Jump | Flow::End => Flow::Branch,
            other => other,
        };
        Self { kills: 0, perhaps: self.kills | self.perhaps, flow, ..self }
    }

    /// The one register that it writes, surely or where a condition holds.
    pub fn written(&self) -> Option<Register> {
        let written = self.kills | self.perhaps;
        written.is_power_of_two().then(|| written.trailing_zeros() as Register)
    }
}

/// How many of the fields of five bits at these places of a word hold this register.
fn count(word: u32, register: Register, fields: &[u32]) -> usize {
    fields.iter().filter(|low| word >> **low & 31 == u32::from(register)).count()
}

/// How many of these fields hold this register.
fn held(register: Register, fields: &[u32]) -> usize {
    fields.iter().filter(|field| **field == u32::from(register)).count()
}

/// What the rules of calls and the compilers' habits say of a machine's registers.
#[derive(Debug)]
pub struct Rules {
    /// Registers that a callee may use as it likes, as bits.
    pub clobbered: u64,
    /// Registers in which a callee may be handed an address, as bits.
    pub arguments: u64,
    /// Registers in which the caller may be handed an address, as bits.
    pub results: u64,
    /// Registers that point into the stack, as bits.
    pub stack: u64,
    /// How far below an anchor that is not the first of its section data are reached from it.
    pub below: i64,
    /// Two anchors of a section are at least so far apart, and no datum of a block is reached but from an anchor;
    /// `None` where some are reached by their own address all the same.
    pub apart: Option<i64>,
    /// An index may be subtracted.
    pub subtracts: bool,
}
