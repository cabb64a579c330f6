//! Instructions of x86: where each begins, what it reaches without a relocation, and which bytes are only fill.
//!
//! The tempting wrong way is to hash the bytes. The assembler chooses between the short and the near form of a
//! branch, and fills up to an alignment with no-operations, by where a function happens to lie: equal
//! functions would differ. The invariant: two functions whose assembler text is equal give equal lists here.

use iced_x86::{Decoder, DecoderOptions, Instruction as Decoded, Mnemonic, OpKind, Register};

use super::facts::Relocation;
use super::marks;

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

/// Fill inside a function ends at a multiple of this: the least that GCC's and LLVM's alignment directives ask for
/// (`.p2align 3` behind a `.p2align 4,,10` that was too far).
const FILL_ALIGNMENT: u64 = 8;

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
    let mut relocated = relocated;
    let mut decoder = Decoder::with_ip(bits, bytes, u64::from(start), DecoderOptions::NONE);
    let mut current = Decoded::default();
    let mut any_nop = false;
    while decoder.can_decode() {
        decoder.decode_out(&mut current);
        let at = current.ip() as u32;
        let length = current.len().max(1) as u8;
        let mut one = Instruction { start: at, distance: 0, length, field: 0, access: 0, form: Form::Plain };
        if current.is_invalid() {
            // Start over behind one byte: what follows may be code again.
            one.length = 1;
            one.form = Form::Undecodable;
            let next = (at - start) as usize + 1;
            if decoder.set_position(next).is_err() {
                break;
            }
            decoder.set_ip(u64::from(at) + 1);
        }
        let end = u64::from(at) + u64::from(one.length);
        let mut has_relocation = false;
        while let Some((first, rest)) = relocated.split_first().filter(|(first, _)| first.offset < end) {
            has_relocation |= first.offset >= u64::from(at);
            relocated = rest;
        }
        match one.form {
            Form::Undecodable => {}
            _ if has_relocation => one.access = access_width(&current),
            _ => reach(&decoder, &current, &mut one),
        }
        let from = (at - start) as usize;
        let is_idle = || {
            let text = bytes.get(from..from + usize::from(one.length)).unwrap_or_default();
            bits == 32 && !has_relocation && idle_lea(text) == Some(text.len())
        };
        if one.form == Form::Plain && (current.mnemonic() == Mnemonic::Nop || is_idle()) {
            one.form = Form::Nop;
            any_nop = true;
        }
        list.push(one);
    }
    // An alignment directive raises the section's alignment: where that is less, no fill can have been written.
    if any_nop && align >= FILL_ALIGNMENT {
        drop_fill(list, bytes, start, bits, marks);
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

fn reach(decoder: &Decoder<'_>, current: &Decoded, one: &mut Instruction) {
    let (form, target) =
        if matches!(current.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64) {
            (Form::Branch, current.near_branch_target())
        } else if current.is_ip_rel_memory_operand() {
            (Form::Memory, current.ip_rel_memory_address())
        } else {
            return;
        };
    // What lies too far is in no section: such an instruction's bytes stand for themselves.
    let Ok(distance) = i32::try_from(target.wrapping_sub(u64::from(one.start)).cast_signed()) else { return };
    one.form = form;
    one.distance = distance;
    let fields = decoder.get_constant_offsets(current);
    if form == Form::Branch {
        one.field = fields.immediate_offset() as u8;
    } else {
        one.field = fields.displacement_offset() as u8;
        one.access = access_width(current);
    }
}

/// Takes out alignment fill: no-operations inside the function, not at its entry, that end at a multiple of
/// eight and are exactly what an assembler writes for that length. No-operations at the entry are patchable,
/// those at the very end are followed by nothing, those that something refers to are patched, and any others were written
/// on purpose: all those stay.
fn drop_fill(list: &mut Vec<Instruction>, bytes: &[u8], start: u32, bits: u32, marks: &[u32]) {
    let is_nop = |i: &Instruction| {
        if i.form != Form::Nop {
            return false;
        }
        let from = (i.start - start) as usize;
        bytes
            .get(from..from + usize::from(i.length))
            .is_some_and(|b| nop_length(b) == Some(b.len()) || (bits == 32 && idle_lea(b) == Some(b.len())))
    };
    let Some(first) = list.iter().position(|i| !is_nop(i) && !is_entry_mark(bytes, start, i)) else { return };
    let is_marked = |i: &Instruction| marks::any_in(marks, i.start, i.start + u32::from(i.length));
    let mut fill = Vec::new();
    let mut at = first;
    while let Some(skipped) = list.get(at..).and_then(|rest| rest.iter().position(is_nop)) {
        let mut begin = at + skipped;
        // A place that is referred to may be patched with all the single no-operations that lengthen it.
        let patched = list.get(begin).is_some_and(is_marked)
            || begin.checked_sub(1).and_then(|before| list.get(before)).is_some_and(is_marked);
        if patched {
            begin += usize::from(list.get(begin).is_some_and(is_marked));
            begin += list.iter().skip(begin).take_while(|i| is_nop(i) && i.length == 1).count();
        }
        let run = list.iter().skip(begin).take_while(|i| is_nop(i) && !is_marked(i)).count();
        at = begin + run;
        if let (Some(from), Some(next)) = (list.get(begin), list.get(at))
            && u64::from(next.start) % FILL_ALIGNMENT == 0
            && is_fill(
                bytes.get((from.start - start) as usize..(next.start - start) as usize).unwrap_or_default(),
                bits,
            )
        {
            fill.push(begin..at);
        }
    }
    if fill.is_empty() {
        return;
    }
    let mut fill = fill.into_iter().peekable();
    let mut number = 0;
    list.retain(|_| {
        let here = number;
        number += 1;
        while fill.next_if(|range| range.end <= here).is_some() {}
        fill.peek().is_none_or(|range| here < range.start)
    });
}

/// `endbr64` or `endbr32`.
fn is_entry_mark(bytes: &[u8], start: u32, i: &Instruction) -> bool {
    let from = (i.start - start) as usize;
    matches!(bytes.get(from..from + usize::from(i.length)), Some([0xf3, 0x0f, 0x1e, 0xfa | 0xfb]))
}

/// The length of the no-operation at the start of `bytes`, if it is one of the forms that GNU as and LLVM write:
/// the nine of Intel's manual (vol. 2B, NOP), and the longest with more operand-size and segment prefixes.
pub fn nop_length(bytes: &[u8]) -> Option<usize> {
    const LONG: [u8; 8] = [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
    const FORMS: [&[u8]; 9] = [
        &[0x90],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0],
        &[0x0f, 0x1f, 0x40, 0],
        &[0x0f, 0x1f, 0x44, 0, 0],
        &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
        &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
        &LONG,
        &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    ];
    if let Some(form) = FORMS.iter().find(|form| bytes.starts_with(form)) {
        return Some(form.len());
    }
    // 66 ... 66 2e 0f 1f 84 00 00000000, up to fifteen bytes.
    let prefixes = bytes.iter().take_while(|b| **b == 0x66).count();
    let rest = bytes.get(prefixes..)?.strip_prefix(&[0x2e])?;
    ((1..=6).contains(&prefixes) && rest.starts_with(&LONG)).then_some(prefixes + 1 + LONG.len())
}

/// The longest of [`IDLE_LEAS`].
const IDLE_LONG: [u8; 7] = [0x8d, 0xb4, 0x26, 0, 0, 0, 0];
/// The forms of `lea` that GNU as fills i386 code with where no processor with long no-operations is asked for:
/// `%esi` to itself with a displacement of zero. (In 64-bit code the same bytes cut `%rsi` to 32 bits.)
const IDLE_LEAS: [&[u8]; 4] =
    [&[0x8d, 0x76, 0], &[0x8d, 0x74, 0x26, 0], &[0x8d, 0xb6, 0, 0, 0, 0], &IDLE_LONG];

/// The length of such a `lea` at the start of `bytes`.
fn idle_lea(bytes: &[u8]) -> Option<usize> {
    IDLE_LEAS.iter().find(|form| bytes.starts_with(form)).map(|form| form.len())
}

/// Whether `bytes` are what GNU as fills with by those: the longest as often as it fits, then one for the rest (five
/// has none, and takes a `nop` more); over more than twenty bytes it jumps.
fn is_lea_fill(bytes: &[u8]) -> bool {
    let jump = match bytes {
        [0xeb, over, rest @ ..] if usize::from(*over) == rest.len() => rest,
        _ => bytes,
    };
    let mut rest = jump;
    let mut longest = false;
    while let Some(behind) = rest.strip_prefix(&IDLE_LONG) {
        (rest, longest) = (behind, true);
    }
    match idle_lea(rest) {
        Some(4) => matches!(rest.get(4..), Some([] | [0x90])),
        Some(length) => length == rest.len(),
        None => longest && matches!(rest, [] | [0x90] | [0x66, 0x90]),
    }
}

/// Whether `bytes` are exactly what an assembler writes to fill their length in code of so many `bits`.
pub fn is_fill(bytes: &[u8], bits: u32) -> bool {
    is_nop_fill(bytes) || (bits == 32 && is_lea_fill(bytes))
}

/// Whether `bytes` are exactly what an assembler writes to fill their length: the longest form it uses as often
/// as it fits, and one shorter form for the rest, before or behind. GNU as uses forms of up to 11 bytes (9 and
/// 10 when tuned for some processors), LLVM of up to 10 or 15; old assemblers repeat `nop`.
fn is_nop_fill(bytes: &[u8]) -> bool {
    let lengths = || {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let length = nop_length(rest)?;
            rest = rest.get(length..).unwrap_or_default();
            Some(length)
        })
    };
    if lengths().sum::<usize>() != bytes.len() {
        return false;
    }
    let Some(longest) = lengths().max() else { return true };
    let shorter = lengths().filter(|l| *l != longest).count();
    let ends = [lengths().next(), lengths().last()];
    let one_rest_at_an_end =
        shorter == 0 || (shorter == 1 && ends.iter().any(|l| l.is_some_and(|l| l != longest)));
    one_rest_at_an_end && (lengths().nth(1).is_none() || longest >= 8 || longest == 1)
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
    fn only_the_assemblers_fill_is_fill() {
        assert!(is_fill(&[0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0], 64));
        assert!(is_fill(&[0x90], 64));
        assert!(!is_fill(&[0x0f, 0x1f, 1], 64));
        assert!(!is_fill(&[0x66, 0x90, 0x66, 0x90], 64));
        assert!(!is_fill(&[0xcc], 64));
        // lea 0(%esi,%eiz,1), %esi is nothing in 32-bit code alone.
        let lea = [0x8d, 0xb4, 0x26, 0, 0, 0, 0, 0x8d, 0x74, 0x26, 0, 0x90];
        assert!(is_fill(&lea, 32) && !is_fill(&lea, 64));
        assert!(is_fill(&lea[7..], 32) && is_fill(&lea[..7], 32));
        assert!(!is_fill(&[0x8d, 0x76, 1], 32) && !is_fill(&[0x8d, 0x76, 0, 0x8d, 0x76, 0], 32));
        assert!(is_fill(&[0xeb, 7, 0x8d, 0xb4, 0x26, 0, 0, 0, 0], 32));
        assert!(!is_fill(&[0xeb, 6, 0x8d, 0xb4, 0x26, 0, 0, 0, 0], 32));
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
