//! The least index of an access, where a check of bounds before it tells (x86).
//!
//! Compilers fold the constant part of an index into an absolute address: `table[i - 13]` of ints, read after
//! `i - 13 < 6`, is `mov table-52(,%esi,4)`. For a table without a symbol that address says nothing, for what lies there is
//! a neighbour's. (LLVM's tables for switches are such on i386: their readers would be told by the neighbour's bytes, and a
//! change in their own would not be theirs.) The tempting way, to take the next bytes behind the address, takes the neighbour's.
//!
//! So the path to the access is walked backwards, from the index to the comparison and from there to what was compared: the two
//! differ by a number, and the least value that passes is 0. Whatever is not understood on the way, a label that
//! others jump to among it, ends the walk, and the address stays what it is.

use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction as Decoded, InstructionInfoFactory,
    Mnemonic, OpAccess, OpKind, Register,
};

use super::super::x86::Instruction;

/// How many instructions are looked at.
const FAR: usize = 48;

/// How many elements a table is taken to have at most.
const MOST: i64 = 1 << 16;

/// Code in which a path is walked.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// Width of the code's mode.
    pub bits: u32,
    /// The section's bytes.
    pub bytes: &'a [u8],
    /// The instructions of one piece.
    pub list: &'a [Instruction],
    /// The field holds a distance from the GOT, whose address is in a register.
    pub from_got: bool,
}

/// A register that holds another value plus a number.
#[derive(Debug, Clone, Copy)]
struct Sum {
    register: Register,
    plus: i64,
}

impl Code<'_> {
    /// Whether an instruction adds a register to an address in its field.
    pub fn is_indexed(&self, at: usize) -> bool {
        self.decoded(at).is_some_and(|one| one.memory_index().is_gpr() || one.memory_base().is_gpr())
    }

    /// How far behind the address in its field the access `at` (a position in the list) begins at least, in bytes; `None` where
    /// nothing tells. `labels` are the offsets that branches lead to, or that others name, sorted.
    pub fn least(&self, at: usize, labels: &[u32]) -> Option<i64> {
        let access = self.decoded(at)?;
        let of = |(register, scale): (Register, i64)| {
            self.least_index(at, register.full_register(), labels)?.checked_mul(scale)
        };
        self.indexes(&access).into_iter().flatten().find_map(of)
    }

    fn decoded(&self, at: usize) -> Option<Decoded> {
        let one = self.list.get(at)?;
        let start = one.start as usize;
        let bytes = self.bytes.get(start..start + usize::from(one.length))?;
        let decoded = Decoder::with_ip(self.bits, bytes, one.start.into(), DecoderOptions::NONE).decode();
        (!decoded.is_invalid()).then_some(decoded)
    }

    /// The registers that may be the index, and what each is multiplied by. Where two are added to an address, neither
    /// alone says where the access begins; to a distance from the GOT, one of them is the GOT's address.
    fn indexes(&self, access: &Decoded) -> [Option<(Register, i64)>; 2] {
        let (base, index) = (access.memory_base(), access.memory_index());
        let scale = i64::from(access.memory_index_scale());
        match (base.is_gpr(), index.is_gpr()) {
            (false, true) => [Some((index, scale)), None],
            (true, false) => [Some((base, 1)), None],
            (true, true) if base == index => [Some((index, scale + 1)), None],
            (true, true) if self.from_got => [Some((index, scale)), (scale == 1).then_some((base, 1))],
            _ => [None, None],
        }
    }

    /// Whether calls keep a register (System V psABIs).
    fn is_kept(&self, register: Register) -> bool {
        use Register::{R12, R13, R14, R15, RBP, RBX, RDI, RSI};
        match self.bits {
            64 => [RBX, RBP, R12, R13, R14, R15].contains(&register),
            _ => [RBX, RBP, RSI, RDI].contains(&register),
        }
    }

    /// Walks back from the instruction `at`, which uses an index in this register.
    fn least_index(&self, at: usize, register: Register, labels: &[u32]) -> Option<i64> {
        let mut index = Sum { register, plus: 0 };
        let mut compared: Option<Sum> = None;
        // A jump that leaves with greater values was met: the comparison comes before it.
        let mut leaves = false;
        let mut info = InstructionInfoFactory::new();
        for here in (at.saturating_sub(FAR)..at).rev() {
            // Others come in behind this instruction.
            if labels.binary_search(&self.list.get(here + 1)?.start).is_ok() {
                return None;
            }
            let one = self.decoded(here)?;
            match one.flow_control() {
                FlowControl::Next => {}
                FlowControl::ConditionalBranch => {
                    // Without a sign: what passes is at least 0.
                    leaves = matches!(one.condition_code(), ConditionCode::a | ConditionCode::ae);
                    continue;
                }
                FlowControl::Call | FlowControl::IndirectCall => {
                    let kept = |sum: &Sum| self.is_kept(sum.register);
                    if !kept(&index) || compared.as_ref().is_some_and(|sum| !kept(sum)) {
                        return None;
                    }
                    leaves = false;
                    continue;
                }
                _ => return None,
            }
            if leaves && one.rflags_modified() != 0 {
                leaves = false;
                compared = compared.or_else(|| bounded(&one));
            }
            let written = info.info(&one).used_registers().iter().filter(|used| {
                !matches!(used.access(), OpAccess::None | OpAccess::Read | OpAccess::CondRead)
            });
            for written in written.map(|used| used.register().full_register()).collect::<Vec<_>>() {
                for sum in [Some(&mut index), compared.as_mut()].into_iter().flatten() {
                    if sum.register == written {
                        *sum = before(&one, *sum)?;
                    }
                }
            }
            if let Some(compared) = compared.filter(|compared| compared.register == index.register) {
                // What was compared is at least 0.
                return index.plus.checked_sub(compared.plus);
            }
        }
        None
    }
}

/// What an instruction compares with a number that could be the size of a table.
fn bounded(one: &Decoded) -> Option<Sum> {
    let is_check = one.mnemonic() == Mnemonic::Cmp && one.op0_kind() == OpKind::Register && is_immediate(one);
    let register = one.op0_register();
    (is_check && (0..=MOST).contains(&signed(one.immediate(1), register)))
        .then(|| Sum { register: register.full_register(), plus: 0 })
}

/// The same sum before an instruction that writes its register: by what it was made of.
fn before(one: &Decoded, sum: Sum) -> Option<Sum> {
    if one.op0_kind() != OpKind::Register || one.op0_register().full_register() != sum.register {
        return None;
    }
    let more = |plus: i64| Some(Sum { plus: sum.plus.checked_add(plus)?, ..sum });
    match one.mnemonic() {
        Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd
            if one.op1_kind() == OpKind::Register && one.op1_register().is_gpr() =>
        {
            Some(Sum { register: one.op1_register().full_register(), plus: sum.plus })
        }
        Mnemonic::Lea if one.memory_index() == Register::None && one.memory_base().is_gpr() => {
            let displacement = signed(one.memory_displacement64(), one.memory_base());
            Some(Sum {
                register: one.memory_base().full_register(),
                plus: sum.plus.checked_add(displacement)?,
            })
        }
        Mnemonic::Add if is_immediate(one) => more(signed(one.immediate(1), one.op0_register())),
        Mnemonic::Sub if is_immediate(one) => {
            more(signed(one.immediate(1), one.op0_register()).checked_neg()?)
        }
        Mnemonic::Inc => more(1),
        Mnemonic::Dec => more(-1),
        _ => None,
    }
}

fn is_immediate(one: &Decoded) -> bool {
    matches!(
        one.op1_kind(),
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// A number with the sign that it has in a register of this width.
fn signed(value: u64, register: Register) -> i64 {
    let unused = 64 - 8 * register.size().clamp(1, 8) as u32;
    (value << unused).cast_signed() >> unused
}
