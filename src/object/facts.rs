//! What an ELF file says, in one shape for both classes, both byte orders, and both kinds of relocation.
//!
//! Nothing is interpreted here: sections with their bytes and their relocations sorted by place, symbols with
//! the place they name. A linked file's symbols and dynamic relocations are brought to section offsets too, so
//! that everything behind this module speaks of (section, offset) alone.

use object::elf;
use object::read::elf::{FileHeader, Rel as _, Rela as _, SectionHeader, Sym as _};
use object::{Endianness, SectionIndex, SymbolIndex};

use super::ReadError;
use super::fingerprint::Image;
use super::search::{Last, count_near};

/// One ELF file.
#[derive(Debug)]
pub struct Facts<'d> {
    /// The header.
    pub image: Image,
    /// All sections, by their ELF index (0 is the null section).
    pub sections: Vec<Section<'d>>,
    /// All symbols, by their ELF index (0 is the null symbol).
    pub symbols: Vec<Symbol<'d>>,
    /// How many of `symbols` define things; the rest (a linked file's dynamic table) repeat them.
    pub defining: usize,
}

/// One section.
#[derive(Debug, Default)]
pub struct Section<'d> {
    /// Name.
    pub name: &'d [u8],
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`; 0 in relocatable files.
    pub address: u64,
    /// `sh_addralign`.
    pub align: u64,
    /// `sh_entsize`.
    pub entry_size: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_size`.
    pub size: u64,
    /// Contents; empty for `SHT_NOBITS`.
    pub data: &'d [u8],
    /// Signature of the section group it belongs to.
    pub group: Option<&'d [u8]>,
    /// Relocations that apply here, sorted by offset.
    pub relocations: Vec<Relocation>,
    /// Where the last search among them ended.
    pub last: Last,
}

impl Section<'_> {
    /// Takes memory at run time.
    pub fn is_allocated(&self) -> bool {
        self.flags & elf::SHF_ALLOC.0 != 0
    }

    /// Holds instructions.
    pub fn is_executable(&self) -> bool {
        self.is_allocated() && self.flags & elf::SHF_EXECINSTR.0 != 0
    }

    /// May be written at run time.
    pub fn is_writable(&self) -> bool {
        self.flags & elf::SHF_WRITE.0 != 0
    }

    /// Zero-filled: takes no bytes in the file.
    pub fn is_zero_filled(&self) -> bool {
        self.kind == elf::SHT_NOBITS.0
    }

    /// Holds entries that a linker may merge (`SHF_MERGE`).
    pub fn is_mergeable(&self) -> bool {
        self.flags & elf::SHF_MERGE.0 != 0
    }

    /// Holds strings that a linker may merge (`SHF_MERGE | SHF_STRINGS`).
    pub fn is_strings(&self) -> bool {
        self.is_mergeable() && self.flags & elf::SHF_STRINGS.0 != 0
    }

    /// The relocations whose place lies in `start..end`.
    pub fn relocations_in(&self, start: u64, end: u64) -> &[Relocation] {
        let from = self.last.count(&self.relocations, |r| r.offset < start);
        before(self.relocations.get(from..).unwrap_or_default(), end)
    }

    /// The bytes in `start..end`, as far as the section has them.
    pub fn bytes(&self, start: u64, end: u64) -> &[u8] {
        let length = self.data.len();
        let clamp = |at: u64| usize::try_from(at).unwrap_or(length).min(length);
        self.data.get(clamp(start)..clamp(end)).unwrap_or_default()
    }
}

/// One relocation. A large object has some hundred thousand, hence the bit beside the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Offset of the field in its section.
    pub offset: u64,
    /// The addend: explicit (`SHT_RELA`), or 0 where it lies in the field (`SHT_REL`).
    pub addend: i64,
    /// `r_type`.
    pub kind: u32,
    /// Index of the symbol, and [`IMPLICIT`].
    symbol: u32,
}

/// In [`Relocation::symbol`]: the addend lies in the field. (No table has so many symbols.)
const IMPLICIT: u32 = 1 << 31;

impl Relocation {
    /// One of these; the addend is `None` where it lies in the field.
    pub fn new(offset: u64, kind: u32, symbol: u32, addend: Option<i64>) -> Self {
        let form = if addend.is_none() { IMPLICIT } else { 0 };
        Self { offset, addend: addend.unwrap_or(0), kind, symbol: symbol.min(IMPLICIT - 1) | form }
    }

    /// Index into [`Facts::symbols`]; 0 is none.
    pub fn symbol(&self) -> u32 {
        self.symbol & !IMPLICIT
    }

    /// Whether the addend lies in the field.
    pub fn is_implicit(&self) -> bool {
        self.symbol & IMPLICIT != 0
    }
}

/// Those of these relocations, sorted by offset, that lie before a place: mostly few.
pub fn before(relocations: &[Relocation], end: u64) -> &[Relocation] {
    let is_before = |at: usize| relocations.get(at).is_some_and(|r| r.offset < end);
    relocations.get(..count_near(relocations.len(), is_before)).unwrap_or_default()
}

/// Where a symbol is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// Nowhere in this file.
    Undefined,
    /// `SHN_ABS`.
    Absolute,
    /// `SHN_COMMON`: `value` is the alignment.
    Common,
    /// In the section with this index.
    Section(usize),
}

/// One symbol.
#[derive(Debug, Clone, Copy)]
pub struct Symbol<'d> {
    /// Name; empty for section symbols.
    pub name: &'d [u8],
    /// Offset in its section, or `st_value` where it is not defined in one.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
    /// `STT_*`.
    pub kind: u8,
    /// `STB_*`.
    pub binding: u8,
    /// `st_other`, whose low two bits are the visibility; [`THUMB`] on Arm.
    pub other: u8,
    /// Where it is defined.
    pub definition: Definition,
    /// The `STT_FILE` symbol it stands under (locals only).
    pub file: Option<&'d [u8]>,
}

impl Symbol<'_> {
    /// The name of a source: a local, absolute symbol of type `STT_FILE`.
    pub fn is_file(&self) -> bool {
        self.kind == elf::STT_FILE.0 && self.is_local() && self.definition == Definition::Absolute
    }

    /// A section's own symbol: local, of type `STT_SECTION`, without a name.
    pub fn is_section(&self) -> bool {
        let defined = matches!(self.definition, Definition::Section(_));
        self.kind == elf::STT_SECTION.0 && self.is_local() && self.name.is_empty() && defined
    }

    /// Whether only this file can name it.
    pub fn is_local(&self) -> bool {
        self.binding == elf::STB_LOCAL.0
    }
}

/// Reads an ELF file of either class.
pub fn read(data: &[u8]) -> Result<Facts<'_>, ReadError> {
    match data.get(4) {
        Some(1) => read_class::<elf::FileHeader32<Endianness>>(data, 32),
        Some(2) => read_class::<elf::FileHeader64<Endianness>>(data, 64),
        _ => Err(error("neither 32 nor 64 bits", "e_ident[EI_CLASS]")),
    }
}

/// A [`ReadError`] from its two halves.
pub fn error(what: impl std::fmt::Display, place: impl Into<String>) -> ReadError {
    ReadError { what: what.to_string(), place: place.into() }
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
            relocations: Vec::new(),
            last: Last::default(),
        });
    }

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
    let mut reader =
        Relocations { sections: &mut sections, linked, main: main.section(), dynamic_base, use_static };
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

/// In `st_other` of an Arm function: its code is Thumb. (No bit of the file's: there the address is odd.)
pub const THUMB: u8 = 0x80;

/// Takes the bit that says Thumb out of a function's address and keeps it beside.
fn thumb_bit(symbol: &mut Symbol<'_>) {
    let function = symbol.kind == elf::STT_FUNC.0 || symbol.kind == elf::STT_GNU_IFUNC.0;
    if function && matches!(symbol.definition, Definition::Section(_)) && symbol.value & 1 == 1 {
        symbol.value -= 1;
        symbol.other ^= THUMB;
    }
}

type SectionTable<'d, Elf> = object::read::elf::SectionTable<'d, Elf>;
type SymbolTable<'d, Elf> = object::read::elf::SymbolTable<'d, Elf>;

/// The bytes of a string table; none where it cannot be read.
fn strings_of<'d, Elf: FileHeader<Endian = Endianness>>(
    table: &SectionTable<'d, Elf>,
    endian: Endianness,
    data: &'d [u8],
    index: SectionIndex,
) -> &'d [u8] {
    table.section(index).and_then(|section| section.data(endian, data)).unwrap_or_default()
}

/// The name that begins at an offset of a string table; `None` where the library's reader is to be asked, which tells
/// what is wrong. Names are short: a search that first asks the processor what it can do (as the library's does, with
/// instructions that trap in a virtual machine) costs a small compile more than all of its names.
fn name_at(strings: &[u8], offset: u32) -> Option<&[u8]> {
    let rest = strings.get(offset as usize..)?;
    rest.get(..rest.iter().position(|byte| *byte == 0)?)
}

fn read_symbols<'d, Elf: FileHeader<Endian = Endianness>>(
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

fn read_groups<'d, Elf: FileHeader<Endian = Endianness>>(
    table: &SectionTable<'d, Elf>,
    endian: Endianness,
    data: &'d [u8],
    symbols: &SymbolTable<'d, Elf>,
    sections: &mut [Section<'d>],
) -> Result<(), ReadError> {
    for (index, raw) in table.iter().enumerate() {
        let place = || format!("section group {index}");
        let Some((_, members)) = raw.group(endian, data).map_err(|e| error(e, place()))? else { continue };
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

/// Brings relocation sections to the sections they apply to.
struct Relocations<'s, 'd> {
    sections: &'s mut Vec<Section<'d>>,
    linked: bool,
    /// The symbol table that [`Facts::symbols`] starts with.
    main: SectionIndex,
    /// Where the dynamic symbols start in [`Facts::symbols`] when the static ones come first.
    dynamic_base: usize,
    use_static: bool,
}

impl Relocations<'_, '_> {
    fn read<Elf: FileHeader<Endian = Endianness>>(
        &mut self,
        raw: &Elf::SectionHeader,
        index: usize,
        endian: Endianness,
        data: &[u8],
    ) -> Result<(), ReadError> {
        let place = || format!("relocation section {index}");
        let target = raw.sh_info(endian) as usize;
        let dynamic = self.linked && raw.sh_flags(endian).0 & elf::SHF_ALLOC.0 != 0;
        if let Some((rels, link)) = raw.rela(endian, data).map_err(|e| error(e, place()))? {
            let base = self.symbol_base(link);
            let all = rels.iter().map(|r| {
                let (kind, symbol) = (r.r_type(endian, false).0, r.r_sym(endian, false));
                Relocation::new(r.r_offset(endian).into(), kind, symbol, Some(r.r_addend(endian).into()))
            });
            self.place(all, target, dynamic, base);
        } else if let Some((rels, link)) = raw.rel(endian, data).map_err(|e| error(e, place()))? {
            let base = self.symbol_base(link);
            let all = rels.iter().map(|r| {
                Relocation::new(r.r_offset(endian).into(), r.r_type(endian).0, r.r_sym(endian), None)
            });
            self.place(all, target, dynamic, base);
        }
        Ok(())
    }

    fn symbol_base(&self, link: SectionIndex) -> u32 {
        if self.linked && self.use_static && link != self.main { self.dynamic_base as u32 } else { 0 }
    }

    fn place(&mut self, all: impl Iterator<Item = Relocation>, target: usize, dynamic: bool, base: u32) {
        if !dynamic {
            let Some(section) = self.sections.get_mut(target).filter(|_| target != 0) else { return };
            let address = if self.linked { section.address } else { 0 };
            section.relocations.extend(all.map(|mut r| {
                r.offset = r.offset.wrapping_sub(address);
                r
            }));
            return;
        }
        // Dynamic relocations name addresses: find the section of each.
        let mut by_address: Vec<(u64, u64, usize)> = self
            .sections
            .iter()
            .enumerate()
            .filter(|(_, s)| s.is_allocated() && s.size != 0)
            .map(|(index, s)| (s.address, s.address.saturating_add(s.size), index))
            .collect();
        by_address.sort_unstable();
        for mut relocation in all {
            let at = by_address.partition_point(|(start, ..)| *start <= relocation.offset);
            let Some(&(start, end, index)) = at.checked_sub(1).and_then(|i| by_address.get(i)) else {
                continue;
            };
            if relocation.offset >= end {
                continue;
            }
            relocation.offset -= start;
            if relocation.symbol() != 0 {
                let form = relocation.symbol & IMPLICIT;
                relocation.symbol = relocation.symbol().saturating_add(base).min(IMPLICIT - 1) | form;
            }
            if let Some(section) = self.sections.get_mut(index) {
                section.relocations.push(relocation);
            }
        }
    }
}

/// Text for a message.
pub fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
