//! A file's symbols, each with the place that it names.

use object::elf;
use object::read::elf::{FileHeader, Sym as _};
use object::{Endianness, SectionIndex, SymbolIndex};

use super::super::ReadError;
use super::file::SymbolTable;
use super::{Definition, Section, Symbol, THUMB, error};

/// Takes the bit that says Thumb out of a function's address and keeps it beside.
pub(super) fn thumb_bit(symbol: &mut Symbol<'_>) {
    let function = symbol.kind == elf::STT_FUNC.0 || symbol.kind == elf::STT_GNU_IFUNC.0;
    if function && matches!(symbol.definition, Definition::Section(_)) && symbol.value & 1 == 1 {
        symbol.value -= 1;
        symbol.other ^= THUMB;
    }
}

/// The name that begins at an offset of a string table; `None` where the library's reader is to be asked, which tells
/// what is wrong. Names are short: a search that first asks the processor what it can do (as the library's does, with
/// instructions that trap in a virtual machine) costs a small compile more than all of its names.
pub(super) fn name_at(strings: &[u8], offset: u32) -> Option<&[u8]> {
    let rest = strings.get(offset as usize..)?;
    rest.get(..rest.iter().position(|byte| *byte == 0)?)
}

pub(super) fn read_symbols<'d, Elf: FileHeader<Endian = Endianness>>(
    table: &SymbolTable<'d, Elf>,
    endian: Endianness,
    sections: &[Section<'d>],
    linked: bool,
    symbols: &mut Vec<Symbol<'d>>,
) -> Result<(), ReadError> {
    let mut file = None;
    symbols.reserve(table.len());
    // `enumerate` leaves the null symbol out; relocations count from it.
    let null = Symbol {
        name: b"",
        value: 0,
        size: 0,
        kind: 0,
        binding: 0,
        other: 0,
        definition: Definition::Undefined,
        file: None,
    };
    if !table.is_empty() {
        symbols.push(null);
    }
    let strings = sections.get(table.string_section().0).map_or(&[] as &[u8], |section| section.data);
    for (index, raw) in table.iter().enumerate().skip(1) {
        let place = || format!("symbol {index}");
        let name = match name_at(strings, raw.st_name(endian)) {
            Some(name) => name,
            None => table.symbol_name(endian, raw).map_err(|e| error(e, place()))?,
        };
        let section = table.symbol_section(endian, raw, SymbolIndex(index)).map_err(|e| error(e, place()))?;
        let shndx = raw.st_shndx(endian);
        let definition = match section {
            Some(SectionIndex(at)) if at < sections.len() => Definition::Section(at),
            Some(SectionIndex(at)) => {
                return Err(error(format!("section index {at} is out of range"), place()));
            }
            None if shndx == elf::SHN_ABS => Definition::Absolute,
            None if shndx == elf::SHN_COMMON => Definition::Common,
            None => Definition::Undefined,
        };
        let kind = raw.st_type().0;
        if kind == elf::STT_FILE.0 {
            file = Some(name);
        }
        let mut value: u64 = raw.st_value(endian).into();
        if linked
            && let Definition::Section(at) = definition
            && kind != elf::STT_TLS.0
        {
            value = value.wrapping_sub(sections.get(at).map_or(0, |s| s.address));
        }
        symbols.push(Symbol {
            name,
            value,
            size: raw.st_size(endian).into(),
            kind,
            binding: raw.st_bind().0,
            other: raw.st_other().0,
            definition,
            file: if raw.is_local() { file } else { None },
        });
    }
    Ok(())
}
