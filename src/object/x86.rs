//! Instructions of x86: where each begins, what it reaches without a relocation, and which bytes are only fill.
//!
//! The tempting wrong way is to hash the bytes. The assembler chooses between the short and the near form of a
//! branch, and fills up to an alignment with no-operations, by where a function happens to lie: equal
//! functions would differ. The invariant: two functions whose assembler text is equal give equal lists here.

use iced_x86::{Decoder, DecoderOptions, Instruction as Decoded, Mnemonic, OpKind, Register};

/// One instruction; fill is left out of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Offset in its section.
    pub start: u32,
    /// Length in bytes.
    pub length: u8,
    /// Offset of the field that reaches something, from `start`; 0 where there is none.
    pub field: u8,
    /// Width in bytes of a memory access whose address the field alone tells; 0 where the address is only
    /// taken, or an index is added, so that the extent is not known.
    pub access: u8,
    /// It is a no-operation by its mnemonic.
    pub nop: bool,
    /// What it reaches.
    pub reach: Reach,
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
    /// An entry of a table in the code that leads to this offset in the section.
    Entry(i64),
    /// Not an instruction: one byte that does not decode.
    Undecodable,
}

/// Fill inside a function ends at a multiple of this: the least that GCC's and LLVM's alignment directives ask for
/// (`.p2align 3` behind a `.p2align 4,,10` that was too far).
const FILL_ALIGNMENT: u64 = 8;

/// Decodes `bytes`, which lie at offset `start` of a section of a file with `bits` (32 or 64) and have a
/// relocation at each of the offsets `relocated`, sorted. `align` is the section's alignment.
pub fn decode(
    bytes: &[u8],
    start: u32,
    bits: u32,
    align: u64,
    relocated: impl Iterator<Item = u64>,
) -> Vec<Instruction> {
    let mut list = Vec::with_capacity(bytes.len() / 4);
    let mut relocated = relocated.peekable();
    let mut decoder = Decoder::with_ip(bits, bytes, u64::from(start), DecoderOptions::NONE);
    let mut current = Decoded::default();
    let mut any_nop = false;
    while decoder.can_decode() {
        decoder.decode_out(&mut current);
        let at = current.ip() as u32;
        let length = current.len().max(1) as u8;
        let end = u64::from(at) + u64::from(length);
        while relocated.next_if(|r| *r < u64::from(at)).is_some() {}
        let has_relocation = relocated.peek().is_some_and(|r| *r < end);
        let mut one = Instruction { start: at, length, field: 0, access: 0, nop: false, reach: Reach::None };
        one.nop = current.mnemonic() == Mnemonic::Nop;
        any_nop |= one.nop;
        if current.is_invalid() {
            // Start over behind one byte: what follows may be code again.
            one.length = 1;
            one.reach = Reach::Undecodable;
            let next = (at - start) as usize + 1;
            if decoder.set_position(next).is_err() {
                break;
            }
            decoder.set_ip(u64::from(at) + 1);
        } else if has_relocation {
            one.access = access_width(&current);
        } else {
            reach(&decoder, &current, &mut one);
        }
        list.push(one);
    }
    // An alignment directive raises the section's alignment: where that is less, no fill can have been written.
    if any_nop && align >= FILL_ALIGNMENT {
        drop_fill(&mut list, bytes, start);
    }
    list
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
    if matches!(current.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64) {
        one.reach = Reach::Branch(current.near_branch_target().cast_signed());
        one.field = decoder.get_constant_offsets(current).immediate_offset() as u8;
    } else if current.is_ip_rel_memory_operand() {
        one.reach = Reach::Memory(current.ip_rel_memory_address().cast_signed());
        one.field = decoder.get_constant_offsets(current).displacement_offset() as u8;
        one.access = access_width(current);
    }
}

/// Takes out alignment fill: no-operations inside the function, not at its entry, that end at a multiple of
/// eight and are exactly what an assembler writes for that length. No-operations at the entry are patchable,
/// those at the very end are followed by nothing, and any others were written on purpose: all those stay.
fn drop_fill(list: &mut Vec<Instruction>, bytes: &[u8], start: u32) {
    let is_nop = |i: &Instruction| {
        if !i.nop {
            return false;
        }
        let from = (i.start - start) as usize;
        bytes.get(from..from + usize::from(i.length)).is_some_and(|b| nop_length(b) == Some(b.len()))
    };
    let Some(first) = list.iter().position(|i| !is_nop(i) && !is_entry_mark(bytes, start, i)) else { return };
    let mut keep = vec![true; list.len()];
    let mut at = first;
    while at < list.len() {
        let run = list.iter().skip(at).take_while(|i| is_nop(i)).count();
        if run == 0 {
            at += 1;
            continue;
        }
        if let (Some(begin), Some(next)) = (list.get(at), list.get(at + run))
            && u64::from(next.start) % FILL_ALIGNMENT == 0
            && is_fill(
                bytes.get((begin.start - start) as usize..(next.start - start) as usize).unwrap_or_default(),
            )
        {
            keep.iter_mut().skip(at).take(run).for_each(|k| *k = false);
        }
        at += run;
    }
    let mut flags = keep.into_iter();
    list.retain(|_| flags.next().unwrap_or(true));
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

/// Whether `bytes` are exactly what an assembler writes to fill their length: the longest form it uses as often
/// as it fits, and one shorter form for the rest, before or behind. GNU as uses forms of up to 11 bytes (9 and
/// 10 when tuned for some processors), LLVM of up to 10 or 15; old assemblers repeat `nop`.
pub fn is_fill(bytes: &[u8]) -> bool {
    let mut lengths = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(length) = nop_length(rest) else { return false };
        lengths.push(length);
        rest = rest.get(length..).unwrap_or_default();
    }
    let Some(longest) = lengths.iter().copied().max() else { return true };
    let shorter = lengths.iter().filter(|l| **l != longest).count();
    let ends = [lengths.first(), lengths.last()];
    let one_rest_at_an_end =
        shorter == 0 || (shorter == 1 && ends.iter().any(|l| l.is_some_and(|l| *l != longest)));
    one_rest_at_an_end && (lengths.len() == 1 || longest >= 8 || longest == 1)
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
        assert!(is_fill(&[0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0]));
        assert!(is_fill(&[0x90]));
        assert!(!is_fill(&[0x0f, 0x1f, 1]));
        assert!(!is_fill(&[0x66, 0x90, 0x66, 0x90]));
        assert!(!is_fill(&[0xcc]));
    }

    #[test]
    fn nops_at_the_entry_and_the_end_stay() {
        // nop nop / ret / nop to 8 / ret / nop
        let bytes = [0x90, 0x90, 0xc3, 0x0f, 0x1f, 0x44, 0, 0, 0xc3, 0x90];
        let starts: Vec<u32> =
            decode(&bytes, 0, 64, 16, std::iter::empty()).iter().map(|i| i.start).collect();
        assert_eq!(starts, [0, 1, 2, 8, 9]);
    }
}
