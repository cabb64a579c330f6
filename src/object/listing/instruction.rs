//! Entries of a code stream as instructions: by their mnemonics on x86, by their bytes elsewhere.

use std::fmt::Write as _;

use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter, OpKind};
use object::elf;

use super::super::stream::{Reader, code};
use super::super::{Fingerprints, arch};
use super::{hex, place};

/// Writes the entries of code streams.
pub(super) struct Printer {
    formatter: GasFormatter,
    bits: u32,
    x86: bool,
    /// Instructions are little-endian words.
    words: bool,
}

impl Printer {
    /// For the streams of one file.
    pub(super) fn new(prints: &Fingerprints) -> Self {
        let mut formatter = GasFormatter::new();
        formatter.options_mut().set_rip_relative_addresses(true);
        formatter.options_mut().set_space_after_operand_separator(true);
        Self {
            formatter,
            bits: prints.image.bits.into(),
            x86: matches!(prints.image.machine, arch::X86_64 | arch::I386),
            words: matches!(
                elf::Machine(prints.image.machine),
                elf::EM_AARCH64 | elf::EM_PPC64 | elf::EM_RISCV
            ) && prints.image.little_endian,
        }
    }

    /// The text of one entry of a code stream, and whether it counts as an instruction.
    pub(super) fn entry(&mut self, reader: &mut Reader<'_>) -> Option<(String, bool)> {
        Some(match reader.byte()? {
            length @ 1..=15 => (self.instruction(reader.bytes(length.into())?), true),
            code::BRANCH => {
                let opcode = reader.blob()?;
                let own = reader.byte()?;
                let mnemonic = self.branch(opcode);
                if own == 0 { (mnemonic, true) } else { (format!("{mnemonic} {}", place("", reader)?), true) }
            }
            code::MEMORY => {
                let bytes = reader.blob()?;
                reader.byte()?;
                (self.instruction(bytes), true)
            }
            code::RAW => (format!("bytes {}", hex(reader.blob()?)), true),
            code::PIECE => ("cold:".into(), false),
            _ => return None,
        })
    }

    fn instruction(&mut self, bytes: &[u8]) -> String {
        if !self.x86 {
            return self.word(bytes);
        }
        // A record may tell any width.
        let Ok(mut decoder) = Decoder::try_new(self.bits, bytes, DecoderOptions::NONE) else {
            return hex(bytes);
        };
        let instruction = decoder.decode();
        let near = matches!(
            instruction.op0_kind(),
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
        );
        let mut text = String::new();
        if near && instruction.op_count() > 0 {
            self.formatter.format_mnemonic(&instruction, &mut text);
        } else {
            self.formatter.format(&instruction, &mut text);
        }
        text
    }

    /// An instruction that has no text here: as a disassembler prints it, the most significant byte first.
    fn word(&self, bytes: &[u8]) -> String {
        if !self.words {
            return hex(bytes);
        }
        let mut text = String::with_capacity(bytes.len() * 2 + bytes.len() / 4);
        for (number, unit) in bytes.chunks(4).enumerate() {
            if number > 0 {
                text.push(' ');
            }
            for byte in unit.iter().rev() {
                let _ = write!(text, "{byte:02x}");
            }
        }
        text
    }

    /// A branch is kept as its opcode: a field of zeros makes it an instruction again.
    fn branch(&mut self, opcode: &[u8]) -> String {
        if !self.x86 {
            return self.instruction(opcode);
        }
        let mut bytes = opcode.to_vec();
        bytes.extend([0; 4]);
        let text = self.instruction(&bytes);
        text.split_whitespace().next().unwrap_or_default().to_owned()
    }
}
