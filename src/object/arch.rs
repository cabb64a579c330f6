//! What a relocation type does to its field, per machine: a table, one row a type.
//!
//! Source: the psABI documents of each machine. An unknown type is read conservatively: its symbol and addend
//! are taken as they are.

use object::elf;

/// `EM_386`.
pub const I386: u16 = 3;
/// `EM_X86_64`.
pub const X86_64: u16 = 62;

/// What a relocation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Width of the field in bytes.
    pub size: u8,
    /// The place is subtracted: on x86 the addend then holds the distance from the field to the end of the
    /// instruction too.
    pub relative: bool,
}

/// A field of so many bytes.
pub const fn absolute(size: u8) -> Shape {
    Shape { size, relative: false }
}

/// A field of so many bytes from which its own place is subtracted.
pub const fn relative(size: u8) -> Shape {
    Shape { size, relative: true }
}

/// The shape of a relocation type, where the table has it.
pub fn shape(machine: u16, kind: u32) -> Option<Shape> {
    match machine {
        X86_64 => x86_64(kind),
        I386 => i386(kind),
        other => super::machine::of_number(other)?.shape(kind),
    }
}

/// The type by which a linked file's word holds an address of its own (`R_*_RELATIVE`), where the machine is known: what the entries of
/// `SHT_RELR` mean.
pub fn relative_kind(machine: u16) -> Option<u32> {
    Some(match elf::Machine(machine) {
        elf::EM_X86_64 => elf::R_X86_64_RELATIVE.0,
        elf::EM_386 => elf::R_386_RELATIVE.0,
        elf::EM_AARCH64 => elf::R_AARCH64_RELATIVE.0,
        elf::EM_ARM => elf::R_ARM_RELATIVE.0,
        elf::EM_PPC64 => elf::R_PPC64_RELATIVE.0,
        elf::EM_S390 => elf::R_390_RELATIVE.0,
        elf::EM_RISCV => elf::R_RISCV_RELATIVE.0,
        _ => return None,
    })
}

/// System V ABI, AMD64 supplement, table 4.9.
pub fn x86_64(kind: u32) -> Option<Shape> {
    Some(match kind {
        0 | 35 => absolute(0),                                       // NONE, TLSDESC_CALL
        1 | 6..=8 | 16..=18 | 25 | 27 | 31 | 33 | 37 => absolute(8), // 64, GLOB_DAT, JUMP_SLOT, RELATIVE, ...
        2 | 4 | 9 | 19 | 20 | 22 | 26 | 34 | 41..=51 => relative(4), // PC32, PLT32, GOTPCREL(X), TLSGD, TLSLD, ...
        3 | 10 | 11 | 21 | 23 | 32 => absolute(4), // GOT32, 32, 32S, DTPOFF32, TPOFF32, SIZE32
        12 => absolute(2),                         // 16
        13 => relative(2),                         // PC16
        14 => absolute(1),                         // 8
        15 => relative(1),                         // PC8
        24 | 28 | 29 => relative(8),               // PC64, GOTPCREL64, GOTPC64
        36 => absolute(16),                        // TLSDESC
        _ => return None,
    })
}

/// System V ABI, Intel386 supplement, table 4.9.
pub fn i386(kind: u32) -> Option<Shape> {
    Some(match kind {
        0 | 40 => absolute(0),     // NONE, TLS_DESC_CALL
        2 | 4 | 10 => relative(4), // PC32, PLT32, GOTPC
        20 => absolute(2),         // 16
        21 => relative(2),         // PC16
        22 => absolute(1),         // 8
        23 => relative(1),         // PC8
        1 | 3 | 5..=9 | 14..=19 | 24..=39 | 41..=43 => absolute(4),
        _ => return None,
    })
}
