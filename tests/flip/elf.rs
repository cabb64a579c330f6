//! A 64-bit little-endian relocatable file, read by itself: the oracle shares no code with what it judges.

/// One section header.
#[derive(Debug, Clone)]
pub struct Section {
    pub name: String,
    /// Offset of its header in the file.
    pub header: usize,
    pub kind: u32,
    pub flags: u64,
    pub offset: usize,
    pub size: u64,
    pub link: usize,
    pub info: usize,
    pub entry_size: u64,
    /// Relocations that apply here, by place.
    pub relocations: Vec<Relocation>,
    /// The section that holds them; 0 if there is none.
    pub relocated_by: usize,
}

impl Section {
    pub fn is_allocated(&self) -> bool {
        self.flags & 2 != 0
    }

    pub fn is_executable(&self) -> bool {
        self.flags & 6 == 6
    }

    /// Holds bytes in the file.
    pub fn has_bytes(&self) -> bool {
        self.kind != 8 && self.size > 0
    }
}

/// One relocation with an explicit addend.
#[derive(Debug, Clone, Copy)]
pub struct Relocation {
    /// Offset of the entry in the file.
    pub at: usize,
    pub offset: u64,
    pub kind: u32,
    pub symbol: usize,
    pub addend: i64,
}

/// One symbol.
#[derive(Debug, Clone)]
pub struct Symbol {
    pub name: String,
    /// Offset of the entry in the file.
    pub at: usize,
    pub info: u8,
    pub section: usize,
    /// It is defined in a section (not absolute, common or undefined).
    pub in_section: bool,
    pub value: u64,
    pub size: u64,
}

impl Symbol {
    pub fn kind(&self) -> u8 {
        self.info & 15
    }

    pub fn is_undefined(&self) -> bool {
        self.section == 0 && !self.in_section
    }
}

/// The whole file.
#[derive(Debug)]
pub struct Elf<'f> {
    pub file: &'f [u8],
    pub sections: Vec<Section>,
    pub symbols: Vec<Symbol>,
}

pub fn u16_at(file: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(file[at..at + 2].try_into().unwrap())
}

pub fn u32_at(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
}

pub fn u64_at(file: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(file[at..at + 8].try_into().unwrap())
}

fn name_at(file: &[u8], table: usize, offset: u32) -> String {
    let from = table + offset as usize;
    let end = file[from..].iter().position(|byte| *byte == 0).unwrap() + from;
    String::from_utf8_lossy(&file[from..end]).into_owned()
}

/// Whether a file is what [`read`] reads: ELF, 64 bits, little-endian, relocatable, x86-64, fewer than 65,280 sections.
pub fn is_readable(file: &[u8]) -> bool {
    file.len() > 64
        && file.starts_with(b"\x7fELF\x02\x01")
        && u16_at(file, 16) == 1
        && u16_at(file, 18) == 62
        && u16_at(file, 0x3c) != 0
}

/// Reads a sound file.
pub fn read(file: &[u8]) -> Elf<'_> {
    let headers = u64_at(file, 0x28) as usize;
    let count = usize::from(u16_at(file, 0x3c));
    let mut sections: Vec<Section> = (0..count)
        .map(|index| {
            let at = headers + 64 * index;
            let (u32, u64) = (|from| u32_at(file, at + from), |from| u64_at(file, at + from));
            Section {
                name: String::new(),
                header: at,
                kind: u32(4),
                flags: u64(8),
                offset: u64(24) as usize,
                size: u64(32),
                link: u32(40) as usize,
                info: u32(44) as usize,
                entry_size: u64(56),
                relocations: Vec::new(),
                relocated_by: 0,
            }
        })
        .collect();
    let names = sections[usize::from(u16_at(file, 0x3e))].offset;
    for section in &mut sections {
        section.name = name_at(file, names, u32_at(file, section.header));
    }
    let mut symbols = Vec::new();
    for index in 0..count {
        let Section { kind, offset, size, link, info, .. } = sections[index];
        let entries = || (offset..offset + size as usize).step_by(24);
        if kind == 2 {
            let strings = sections[link].offset;
            symbols = entries().map(|at| symbol(file, at, strings)).collect();
        } else if kind == 4 && sections[info].is_allocated() {
            let mut all: Vec<_> = entries().map(|at| relocation(file, at)).collect();
            all.sort_by_key(|one| one.offset);
            sections[info].relocations = all;
            sections[info].relocated_by = index;
        }
    }
    Elf { file, sections, symbols }
}

fn symbol(file: &[u8], at: usize, strings: usize) -> Symbol {
    let section = usize::from(u16_at(file, at + 6));
    Symbol {
        name: name_at(file, strings, u32_at(file, at)),
        at,
        info: file[at + 4],
        section,
        in_section: section != 0 && section < 0xff00,
        value: u64_at(file, at + 8),
        size: u64_at(file, at + 16),
    }
}

fn relocation(file: &[u8], at: usize) -> Relocation {
    Relocation {
        at,
        offset: u64_at(file, at),
        kind: u32_at(file, at + 8),
        symbol: u32_at(file, at + 12) as usize,
        addend: u64_at(file, at + 16).cast_signed(),
    }
}
