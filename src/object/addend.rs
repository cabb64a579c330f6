//! The addend of a relocation: beside it (`SHT_RELA`), or in the field (`SHT_REL`).

use super::facts::{Relocation, Section};
use super::machine::Machine;

/// The addend of a relocation of a field of `size` bytes, wherever it lies.
pub fn addend(
    section: &Section<'_>,
    relocation: &Relocation,
    machine: Option<&dyn Machine>,
    size: u8,
    little_endian: bool,
) -> i64 {
    if !relocation.is_implicit() {
        return relocation.addend;
    }
    let field = section.bytes(relocation.offset, relocation.offset.saturating_add(4));
    let own = machine.and_then(|m| m.implicit_addend(relocation.kind, field));
    own.unwrap_or_else(|| in_field(section, relocation.offset, size, little_endian))
}

/// The number that lies in a field of `size` bytes (8 at most), sign-extended; 0 where the section ends before it.
pub fn in_field(section: &Section<'_>, offset: u64, size: u8, little_endian: bool) -> i64 {
    let size = usize::from(size.min(8));
    let bytes = section.bytes(offset, offset.saturating_add(size as u64));
    if bytes.len() < size || size == 0 {
        return 0;
    }
    let mut value = 0_u64;
    for at in 0..size {
        let byte = bytes.get(if little_endian { size - 1 - at } else { at }).copied().unwrap_or(0);
        value = value << 8 | u64::from(byte);
    }
    let unused = 64 - 8 * size as u32;
    (value << unused).cast_signed() >> unused
}
