//! Instructions of x86: where each begins, what it reaches without a relocation, and which bytes are only fill.
//!
//! The tempting wrong way is to hash the bytes. The assembler chooses between the short and the near form of a
//! branch, and fills up to an alignment with no-operations, by where a function happens to lie: equal
//! functions would differ. The invariant: two functions whose assembler text is equal give equal lists here.

mod common;
mod fill;
mod opcodes;

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction as Decoded, Mnemonic, OpKind, Register,
};

use self::common::{Common, Relative, Told};
use self::fill::{FILL_ALIGNMENT, drop_fill, idle_lea};
pub use self::fill::{is_fill, nop_length};
use super::facts::Relocation;

/// Whether control may go from an instruction to the next, a call and what stops the processor aside.
pub fn runs_on(bytes: &[u8], bits: u32) -> bool {
    let decoded = Decoder::new(bits, bytes, DecoderOptions::NONE).decode();
    matches!(decoded.flow_control(), FlowControl::Next | FlowControl::ConditionalBranch)
        && !decoded.is_invalid()
        && decoded.code() != Code::Hlt
}

/// One instruction; fill is left out of the list. An object has some hundred thousand: what they take in memory is a
/// good part of what a fingerprint takes in time, hence the narrow fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Offset in its section.
    pub start: u32,
    /// Distance from `start` to the place that it reaches; 0 where it reaches none.
    distance: i32,
    /// Length in bytes.
    pub length: u8,
    /// Offset of the field that reaches something, from `start`; 0 where there is none.
    pub field: u8,
    /// Width in bytes of a memory access whose address the field alone tells; 0 where the address is only
    /// taken, or an index is added, so that the extent is not known.
    pub access: u8,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    Plain,
    Nop,
    Branch,
    Memory,
    Entry,
    Literal,
    Undecodable,
}

impl Instruction {
    /// An instruction of so many bytes that reaches nothing.
    pub fn plain(start: u32, length: u8) -> Self {
        Self { start, distance: 0, length, field: 0, access: 0, form: Form::Plain }
    }

    /// The same, which by its mnemonic does nothing.
    pub fn nop(start: u32, length: u8) -> Self {
        Self { form: Form::Nop, ..Self::plain(start, length) }
    }

    /// Whether it does nothing by its mnemonic.
    pub fn is_nop(&self) -> bool {
        self.form == Form::Nop
    }

    /// Whether it reaches nothing by itself and is an instruction: unless a relocation says more, its bytes say it all.
    pub fn is_alone(&self) -> bool {
        matches!(self.form, Form::Plain | Form::Nop | Form::Literal)
    }

    /// The same, reaching this. (What lies too far is in no section: its bytes stand for themselves.)
    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        let (form, target) = match reach {
            Reach::None => return self,
            Reach::Branch(target) => (Form::Branch, target),
            Reach::Memory(target) => (Form::Memory, target),
            Reach::Entry(target) => (Form::Entry, target),
            Reach::Literal(target) => (Form::Literal, target),
            Reach::Undecodable => (Form::Undecodable, self.start.into()),
        };
        match i32::try_from(target.wrapping_sub(self.start.into())) {
            Ok(distance) => Self { distance, form, ..self },
            Err(_) => self,
        }
    }

    /// What it reaches by a field that has no relocation.
    pub fn reach(&self) -> Reach {
        let target = i64::from(self.start) + i64::from(self.distance);
        match self.form {
            Form::Plain | Form::Nop => Reach::None,
            Form::Branch => Reach::Branch(target),
            Form::Memory => Reach::Memory(target),
            Form::Entry => Reach::Entry(target),
            Form::Literal => Reach::Literal(target),
            Form::Undecodable => Reach::Undecodable,
        }
    }
}

/// What an instruction reaches by a PC-relative field that has no relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    None,
    /// A branch or call to this offset in the section.
    Branch(i64),
    /// A PC-relative memory operand at this offset in the section.
    Memory(i64),
    /// Nothing by itself: a word that the code adds to this offset in the section.
    Literal(i64),
    /// An entry of a table in the code that leads to this offset in the section.
    Entry(i64),
    /// Not an instruction: one byte that does not decode.
    Undecodable,
}

/// Decodes `bytes`, which lie at offset `start` of a section of a file with `bits` (32 or 64) and have
/// the relocations `relocated` and references from outside `marks` ([`super::marks`]), both sorted, to the end of `list`, which is empty. `align` is the section's alignment.
pub fn decode(
    bytes: &[u8],
    start: u32,
    bits: u32,
    align: u64,
    relocated: &[Relocation],
    marks: &[u32],
    list: &mut Vec<Instruction>,
) {
    let any_nop = if bits == 64 {
        decode_by(Told::of, bytes, start, bits, relocated, list)
    } else {
        decode_by(|_| Told::Nothing, bytes, start, bits, relocated, list)
    };
    // An alignment directive raises the section's alignment: where that is less, no fill can have been written.
    if any_nop && align >= FILL_ALIGNMENT {
        drop_fill(list, bytes, start, bits, marks);
    }
}

/// The same with all fill left in, by `table` and by the decoder where that tells nothing; tells whether there are
/// no-operations.
fn decode_by(
    table: impl Fn(&[u8]) -> Told,
    bytes: &[u8],
    start: u32,
    bits: u32,
    relocated: &[Relocation],
    list: &mut Vec<Instruction>,
) -> bool {
    let mut relocated = relocated;
    let mut full = None;
    let mut any_nop = false;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let begin = start.wrapping_add(at as u32);
        let mut one = Instruction::plain(begin, 1);
        match table(rest) {
            Told::Plain(length) => {
                // Nearly all, hence by themselves: what is put together from fields is waited for.
                at += usize::from(length);
                list.push(Instruction::plain(begin, length));
                continue;
            }
            Told::More(common) => {
                one.length = common.length;
                let has_relocation = pass(&mut relocated, &one);
                one.tell(common, has_relocation);
            }
            Told::Nothing => {
                let full = full.get_or_insert_with(|| Full::of(bytes, start, bits));
                full.decode(at, &mut one);
                let has_relocation = pass(&mut relocated, &one);
                full.tell(&mut one, has_relocation, rest);
            }
        }
        at += usize::from(one.length);
        any_nop |= one.form == Form::Nop;
        list.push(one);
    }
    any_nop
}

/// Passes the relocations before an instruction and in it; tells whether there are any in it.
fn pass(relocated: &mut &[Relocation], one: &Instruction) -> bool {
    let end = u64::from(one.start) + u64::from(one.length);
    let mut any = false;
    while let Some((first, rest)) = relocated.split_first().filter(|(first, _)| first.offset < end) {
        any |= first.offset >= u64::from(one.start);
        *relocated = rest;
    }
    any
}

impl Instruction {
    /// Takes over what a table tells.
    fn tell(&mut self, common: Common, has_relocation: bool) {
        if common.is_nop {
            self.form = Form::Nop;
        } else if has_relocation {
            self.access = common.access;
        } else if let Some((relative, field, distance)) = common.reach
            // What lies too far is in no section: such an instruction's bytes stand for themselves.
            && let Some(distance) = distance.checked_add(self.length.into())
        {
            (self.field, self.distance) = (field, distance);
            (self.form, self.access) = match relative {
                Relative::Branch => (Form::Branch, 0),
                Relative::Memory => (Form::Memory, common.access),
            };
        }
    }
}

/// The decoder, for what is not common. Its tables are not small: it is made where it is asked first.
struct Full<'b> {
    decoder: Decoder<'b>,
    current: Decoded,
    bits: u32,
    start: u32,
}

impl<'b> Full<'b> {
    fn of(bytes: &'b [u8], start: u32, bits: u32) -> Self {
        let decoder = Decoder::with_ip(bits, bytes, u64::from(start), DecoderOptions::NONE);
        Self { decoder, current: Decoded::default(), bits, start }
    }

    /// Decodes the instruction at this offset; one byte that is none stands for itself, and what follows may be code again.
    fn decode(&mut self, at: usize, one: &mut Instruction) {
        if self.decoder.position() != at {
            // (Any offset in the bytes can be set.)
            let _ = self.decoder.set_position(at);
            self.decoder.set_ip(u64::from(self.start) + at as u64);
        }
        self.decoder.decode_out(&mut self.current);
        if self.current.is_invalid() {
            one.form = Form::Undecodable;
        } else {
            one.length = self.current.len().max(1) as u8;
        }
    }

    /// Tells what the instruction reaches, at the start of `rest`.
    fn tell(&self, one: &mut Instruction, has_relocation: bool, rest: &[u8]) {
        if one.form == Form::Undecodable {
            return;
        }
        if has_relocation {
            one.access = access_width(&self.current);
        } else {
            self.reach(one);
        }
        let is_idle = || {
            let text = rest.get(..usize::from(one.length)).unwrap_or_default();
            self.bits == 32 && !has_relocation && idle_lea(text) == Some(text.len())
        };
        if one.form == Form::Plain && (self.current.mnemonic() == Mnemonic::Nop || is_idle()) {
            one.form = Form::Nop;
        }
    }

    fn reach(&self, one: &mut Instruction) {
        let current = &self.current;
        let (form, target) = if matches!(
            current.op0_kind(),
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
        ) {
            (Form::Branch, current.near_branch_target())
        } else if current.is_ip_rel_memory_operand() {
            (Form::Memory, current.ip_rel_memory_address())
        } else {
            return;
        };
        // What lies too far is in no section: such an instruction's bytes stand for themselves.
        let Ok(distance) = i32::try_from(target.wrapping_sub(u64::from(one.start)).cast_signed()) else {
            return;
        };
        one.form = form;
        one.distance = distance;
        let fields = self.decoder.get_constant_offsets(current);
        if form == Form::Branch {
            one.field = fields.immediate_offset() as u8;
        } else {
            one.field = fields.displacement_offset() as u8;
            one.access = access_width(current);
        }
    }
}

/// Width of the access at the one place that the operand's displacement names.
fn access_width(decoded: &Decoded) -> u8 {
    let indexed = decoded.memory_index() != Register::None
        || !matches!(decoded.memory_base(), Register::None | Register::RIP | Register::EIP);
    let accesses = !matches!(decoded.mnemonic(), Mnemonic::Lea | Mnemonic::Nop);
    let memory = (0..decoded.op_count()).any(|i| decoded.op_kind(i) == OpKind::Memory);
    if memory && accesses && !indexed { decoded.memory_size().size() as u8 } else { 0 }
}

/// The branch with the width that the assembler chose taken out: prefixes and the near form of the opcode.
/// `None` for branches that have one form only (`loop`, `jrcxz`), whose bytes stand for themselves.
pub fn branch_opcode(bytes: &[u8], field: u8) -> Option<([u8; 4], usize)> {
    let head = bytes.get(..usize::from(field))?;
    let (opcode, prefixes) = head.split_last()?;
    let mut out = [0; 4];
    let near: &[u8] = match (*opcode, prefixes.last()) {
        (short @ 0x70..=0x7f, _) => &[0x0f, short + 0x10],
        (0xeb, _) => &[0xe9],
        (other, _) => &[other],
    };
    // A near conditional branch keeps its 0f among the "prefixes" already.
    let parts = prefixes.iter().chain(near);
    let mut length = 0;
    for byte in parts {
        *out.get_mut(length)? = *byte;
        length += 1;
    }
    Some((out, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_widths_are_not_identity() {
        let short = branch_opcode(&[0x75, 0x05], 1).unwrap();
        let near = branch_opcode(&[0x0f, 0x85, 5, 0, 0, 0], 2).unwrap();
        assert_eq!(short.0[..short.1], near.0[..near.1]);
        let jump = branch_opcode(&[0xeb, 0x05], 1).unwrap();
        let call = branch_opcode(&[0xe8, 5, 0, 0, 0], 1).unwrap();
        assert_ne!(jump.0[..jump.1], call.0[..call.1]);
    }

    #[test]
    fn nops_at_the_entry_and_the_end_stay() {
        // nop nop / ret / nop to 8 / ret / nop
        let bytes = [0x90, 0x90, 0xc3, 0x0f, 0x1f, 0x44, 0, 0, 0xc3, 0x90];
        let mut list = Vec::new();
        decode(&bytes, 0, 64, 16, &[], &[], &mut list);
        let starts: Vec<u32> = list.iter().map(|i| i.start).collect();
        assert_eq!(starts, [0, 1, 2, 8, 9]);
    }

    /// What the table and the decoder, then the decoder alone, make of bytes whose last ones have a relocation or not.
    fn both(bytes: &[u8], relocated: bool) -> [Vec<Instruction>; 2] {
        let relocations: Vec<Relocation> =
            relocated.then(|| Relocation::new(63 + bytes.len() as u64, 2, 1, Some(0))).into_iter().collect();
        let mut lists = [Vec::new(), Vec::new()];
        decode_by(Told::of, bytes, 64, 64, &relocations, &mut lists[0]);
        decode_by(|_| Told::Nothing, bytes, 64, 64, &relocations, &mut lists[1]);
        lists
    }

    #[test]
    fn the_table_tells_what_the_decoder_tells() {
        let prefixes: [&[u8]; 9] =
            [&[], &[0x66], &[0xf2], &[0xf3], &[0x64], &[0x65], &[0x65, 0x66], &[0x66, 0x65], &[0xf2, 0x66]];
        let mut told = 0;
        let heads = prefixes.iter().flat_map(|prefix| {
            [0x3f, 0x40, 0x41, 0x42, 0x44, 0x48, 0x4d, 0x4f_u8].map(move |rex| (prefix, rex))
        });
        let opcodes = (0..=0xff_u8).flat_map(|opcode| [(false, opcode), (true, opcode)]);
        for ((prefix, rex), (behind_0f, opcode)) in
            heads.flat_map(|head| opcodes.clone().map(move |one| (head, one)))
        {
            let mut head = prefix.to_vec();
            head.extend((rex > 0x3f).then_some(rex));
            head.extend(behind_0f.then_some(0x0f));
            head.push(opcode);
            // All of ModRM; SIB where it says most.
            let few = !prefix.is_empty() || !matches!(rex, 0x3f | 0x42);
            for modrm in 0..=0xff_u8 {
                let sibs = if modrm & 7 != 4 || modrm >= 0xc0 {
                    1
                } else if few {
                    4
                } else {
                    256
                };
                for sib in 0..sibs {
                    let sib = if few { [0x24, 0x25, 0x2d, 0xe5][sib] } else { sib as u8 };
                    let mut bytes = head.clone();
                    bytes.extend([modrm, sib, 0x81, 0xf0, 0x12, 0x93, 0x04, 0x85, 0x76, 0x17, 0x28, 0x39]);
                    let length = match Told::of(&bytes) {
                        Told::Plain(length) => length,
                        Told::More(common) => common.length,
                        Told::Nothing => continue,
                    };
                    bytes.truncate(length.into());
                    for relocated in [false, true] {
                        let [table, decoder] = both(&bytes, relocated);
                        assert_eq!(table, decoder, "{bytes:02x?}");
                    }
                    told += 1;
                }
            }
        }
        assert!(told > 200_000, "{told}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_decoded_alike(bytes: Vec<u8>, relocated: bool) {
            let [table, decoder] = both(&[&bytes[..], &[0]].concat(), relocated);
            proptest::prop_assert_eq!(table, decoder);
        }
    }

    #[test]
    fn leas_fill_32_bit_code_alone() {
        // ret / lea to 8 / ret
        let bytes = [0xc3, 0x8d, 0xb4, 0x26, 0, 0, 0, 0, 0xc3];
        for (bits, expected) in [(32, &[0, 8][..]), (64, &[0, 1, 8])] {
            let mut list = Vec::new();
            decode(&bytes, 0, bits, 16, &[], &[], &mut list);
            assert_eq!(list.iter().map(|i| i.start).collect::<Vec<_>>(), expected);
        }
    }
}
