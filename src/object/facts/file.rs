//! A file's header, sections and groups.

use object::elf;
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, SectionIndex, SymbolIndex};

use super::super::ReadError;
use super::super::claims;
use super::super::fingerprint::Image;
use super::super::search::Last;
use super::relocations::Relocations;
use super::symbols::{name_at, read_symbols, thumb_bit};
use super::{Facts, Section, error, lossy};

type SectionTable<'d, Elf> = object::read::elf::SectionTable<'d, Elf>;
pub(super) type SymbolTable<'d, Elf> = object::read::elf::SymbolTable<'d, Elf>;

/// Reads an ELF file of either class.
pub fn read(data: &[u8]) -> Result<Facts<'_>, ReadError> {
    match data.get(4) {
        Some(1) => read_class::<elf::FileHeader32<Endianness>>(data, 32),
        Some(2) => read_class::<elf::FileHeader64<Endianness>>(data, 64),
        _ => Err(error("neither 32 nor 64 bits", "e_ident[EI_CLASS]")),
    }
}

fn read_class<Elf: FileHeader<Endian = Endianness>>(data: &[u8], bits: u8) -> Result<Facts<'_>, ReadError> {
    let header = Elf::parse(data).map_err(|e| error(e, "ELF header"))?;
    let endian = header.endian().map_err(|e| error(e, "e_ident[EI_DATA]"))?;
    let table = header.sections(endian, data).map_err(|e| error(e, "section headers"))?;
    let mut sections = Vec::with_capacity(table.len());
    let strings = header.shstrndx(endian, data).unwrap_or_default();
    let strings = strings_of(&table, endian, data, SectionIndex(strings as usize));
    for (index, raw) in table.iter().enumerate() {
        let name = match name_at(strings, raw.sh_name(endian)) {
            Some(name) => name,
            None => {
                table.section_name(endian, raw).map_err(|e| error(e, format!("name of section {index}")))?
            }
        };
        let section_type = raw.sh_type(endian);
        let body = if section_type == elf::SHT_NULL { Ok(&[] as &[u8]) } else { raw.data(endian, data) };
        sections.push(Section {
            name,
            kind: section_type.0,
            flags: raw.sh_flags(endian).0,
            address: raw.sh_addr(endian).into(),
            align: raw.sh_addralign(endian).into(),
            entry_size: raw.sh_entsize(endian).into(),
            link: raw.sh_link(endian),
            size: if section_type == elf::SHT_NULL { 0 } else { raw.sh_size(endian).into() },
            data: body.map_err(|e| error(e, format!("contents of section `{}`", lossy(name))))?,
            group: None,
            is_plain_group: false,
            relocations: Vec::new(),
            last: Last::default(),
        });
    }
    claims::sections(data, &sections)?;
    has_code(&sections)?;

    let linked = header.e_type(endian) != elf::ET_REL;
    let mut symbols = Vec::new();
    let static_table = table.symbols(endian, data, elf::SHT_SYMTAB).map_err(|e| error(e, "symbol table"))?;
    let dynamic_table =
        table.symbols(endian, data, elf::SHT_DYNSYM).map_err(|e| error(e, "dynamic symbol table"))?;
    // A stripped file has only the dynamic table. Dynamic relocations always name dynamic symbols.
    let use_static = !static_table.is_empty();
    let main = if use_static { &static_table } else { &dynamic_table };
    read_symbols(main, endian, &sections, linked, &mut symbols)?;
    let dynamic_base = symbols.len();
    // The dynamic table repeats what the static one defines: kept only for relocations to name.
    if use_static && linked {
        read_symbols(&dynamic_table, endian, &sections, linked, &mut symbols)?;
    }

    read_groups(&table, endian, data, &static_table, &mut sections)?;
    let mut reader = Relocations {
        sections: &mut sections,
        linked,
        machine: header.e_machine(endian).0,
        mips64el: header.is_mips64el(endian),
        main: main.section(),
        dynamic_base,
        use_static,
    };
    for (index, raw) in table.iter().enumerate() {
        reader.read::<Elf>(raw, index, endian, data)?;
    }
    for section in &mut sections {
        if !section.relocations.is_sorted_by_key(|r| r.offset) {
            section.relocations.sort_by_key(|r| r.offset);
        }
    }
    if header.e_machine(endian) == elf::EM_ARM {
        symbols.iter_mut().for_each(thumb_bit);
    }
    let build_id = build_id::<Elf>(&table, endian, data);
    Ok(Facts {
        image: Image {
            machine: header.e_machine(endian).0,
            file_type: header.e_type(endian).0,
            bits,
            little_endian: endian == Endianness::Little,
            flags: header.e_flags(endian).0,
            build_id,
        },
        sections,
        symbols,
        defining: dynamic_base,
    })
}

/// Refuses a file that says nothing of its code: one of which every two would be the same.
fn has_code(sections: &[Section<'_>]) -> Result<(), ReadError> {
    if sections.is_empty() {
        return Err(error("no sections: nothing tells what it holds", "e_shnum"));
    }
    let mut code = sections.iter().filter(|section| section.is_executable() && section.size > 0).peekable();
    match code.peek().map(|first| first.name) {
        Some(first) if code.all(Section::is_zero_filled) => {
            let what = "its code is not in it, as in a file of debug information alone: name the one that this was taken from";
            Err(error(what, format!("section `{}`", lossy(first))))
        }
        _ => Ok(()),
    }
}

/// The bytes of a string table; none where it cannot be read.
fn strings_of<'d, Elf: FileHeader<Endian = Endianness>>(
    table: &SectionTable<'d, Elf>,
    endian: Endianness,
    data: &'d [u8],
    index: SectionIndex,
) -> &'d [u8] {
    table.section(index).and_then(|section| section.data(endian, data)).unwrap_or_default()
}

fn read_groups<'d, Elf: FileHeader<Endian = Endianness>>(
    table: &SectionTable<'d, Elf>,
    endian: Endianness,
    data: &'d [u8],
    symbols: &SymbolTable<'d, Elf>,
    sections: &mut [Section<'d>],
) -> Result<(), ReadError> {
    for (index, raw) in table.iter().enumerate() {
        let place = || format!("section group {index}");
        let Some((flags, members)) = raw.group(endian, data).map_err(|e| error(e, place()))? else {
            continue;
        };
        let signature = symbols
            .symbol(SymbolIndex(raw.sh_info(endian) as usize))
            .and_then(|symbol| {
                // Some assemblers name the group by a section symbol, whose own name is empty.
                let name = symbols.symbol_name(endian, symbol)?;
                match symbols.symbol_section(endian, symbol, SymbolIndex(raw.sh_info(endian) as usize))? {
                    Some(section) if name.is_empty() => table.section_name(endian, table.section(section)?),
                    _ => Ok(name),
                }
            })
            .map_err(|e| error(e, place()))?;
        for member in members {
            if let Some(section) = sections.get_mut(member.get(endian) as usize) {
                section.group = Some(signature);
                section.is_plain_group = flags & elf::GRP_COMDAT != elf::GRP_COMDAT;
            }
        }
    }
    Ok(())
}

fn build_id<'d, Elf: FileHeader<Endian = Endianness>>(
    table: &SectionTable<'d, Elf>,
    endian: Endianness,
    data: &'d [u8],
) -> Option<bstr::BString> {
    table.iter().find_map(|raw| {
        let mut notes = raw.notes(endian, data).ok()??;
        while let Ok(Some(note)) = notes.next() {
            if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                return Some(note.desc().into());
            }
        }
        None
    })
}
