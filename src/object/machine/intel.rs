//! x86-64 and i386 behind the interface of machines.

use super::super::arch::{self, Shape};
use super::super::x86::{self, Instruction};
use super::mapping::Mode;
use super::{Machine, Opcode, Run, bounds};

/// x86 of one width.
#[derive(Debug)]
pub struct Intel {
    /// Width of the code's mode, which is 64 in the 32-bit files of x32 too.
    bits: u32,
    shape: fn(u32) -> Option<Shape>,
}

/// x86-64.
pub static X86_64: Intel = Intel { bits: 64, shape: arch::x86_64 };
/// i386.
pub static I386: Intel = Intel { bits: 32, shape: arch::i386 };

impl Machine for Intel {
    fn shape(&self, kind: u32) -> Option<Shape> {
        (self.shape)(kind)
    }

    fn decode(&self, run: &Run<'_>, list: &mut Vec<Instruction>) {
        x86::decode(run.bytes, run.start, self.bits, run.align, run.relocations, run.marks, list);
    }

    fn branch_opcode(&self, bytes: &[u8], field: u8) -> Option<Opcode> {
        let (opcode, length) = x86::branch_opcode(bytes, field)?;
        Some(Opcode::new(opcode.get(..length)?))
    }

    fn without_operand(&self, bytes: &[u8], field: u8) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes.iter_mut().skip(field.into()).take(4).for_each(|b| *b = 0);
        bytes
    }

    fn bias(&self, _start: u64, end: u64, field: u64) -> i64 {
        end.wrapping_sub(field).cast_signed()
    }

    fn has_pairs(&self) -> bool {
        false
    }

    fn nop_length(&self, bytes: &[u8]) -> Option<usize> {
        x86::nop_length(bytes)
    }

    fn is_fill(&self, bytes: &[u8]) -> bool {
        x86::is_fill(bytes, self.bits) || bytes.iter().all(|b| *b == 0xcc)
    }

    fn runs_on(&self, bytes: &[u8], _mode: Mode) -> bool {
        x86::runs_on(bytes, self.bits)
    }

    fn takes_address(&self, kind: u32, before: &[u8]) -> Option<i64> {
        let shape = self.shape(kind)?;
        if !shape.relative {
            return (shape.size >= 4).then_some(0);
        }
        // lea of a place relative to the next instruction: ModRM with mod 0 and r/m 5.
        matches!(before, [.., 0x8d, modrm] if modrm & 0xc7 == 5).then_some(4)
    }

    fn compares(&self, instruction: &[u8], field: u8) -> bool {
        // cmp with four bytes: 3d (of eax or rax), or 81 with /7 in ModRM; the field is the last. lea goes another way.
        let mut rest = instruction;
        while let [0x2e | 0x36 | 0x3e | 0x26 | 0x40..=0x4f, after @ ..] = rest {
            rest = after;
        }
        let is_last = usize::from(field) + 4 == instruction.len();
        is_last
            && matches!(rest, [0x3d, _, _, _, _] | [0x81, 0x38..=0x3f | 0x78..=0x7f | 0xb8..=0xbf | 0xf8..=0xff, ..])
    }

    fn jumps_through(&self, instruction: &[u8], field: u8) -> bool {
        // jmp: ff with /4 in ModRM, which an index's SIB may follow.
        let before = instruction.get(..usize::from(field)).unwrap_or_default();
        let is_jump = |modrm: &u8| modrm & 0xf8 == 0x20 || modrm & 0xf8 == 0xa0;
        matches!(before, [.., 0xff, modrm, _] if is_jump(modrm) && modrm & 7 == 4)
            || matches!(before, [.., 0xff, modrm] if is_jump(modrm) && modrm & 7 != 4)
    }

    fn least_offset<'l>(
        &self,
        bytes: &[u8],
        list: &[Instruction],
        at: usize,
        kind: u32,
        labels: &dyn Fn() -> &'l [u32],
    ) -> Option<i64> {
        let from_got = self.bits == 32 && kind == object::elf::R_386_GOTOFF.0;
        let code = bounds::Code { bits: self.bits, bytes, list, from_got };
        code.is_indexed(at).then(|| code.least(at, labels()))?
    }

    fn entry_mark(&self, bytes: &[u8]) -> usize {
        if bytes.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) { 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_through_memory() {
        let jumps = |text: &[u8], field| X86_64.jumps_through(text, field);
        assert!(jumps(&[0xff, 0x24, 0xc5, 0, 0, 0, 0], 3)); // jmp *0(,%rax,8)
        assert!(jumps(&[0x3e, 0xff, 0x24, 0xc5, 0, 0, 0, 0], 4)); // notrack
        assert!(jumps(&[0xff, 0xa0, 0, 0, 0, 0], 2)); // jmp *0(%rax)
        assert!(jumps(&[0xff, 0x25, 0, 0, 0, 0], 2)); // jmp *0 (i386)
        assert!(!jumps(&[0xff, 0x14, 0xc5, 0, 0, 0, 0], 3)); // call *0(,%rax,8)
        assert!(!jumps(&[0x48, 0x8b, 0x04, 0xc5, 0, 0, 0, 0], 4)); // mov 0(,%rax,8), %rax
        assert!(!jumps(&[0xff, 0xe0], 2)); // jmp *%rax
    }
}
