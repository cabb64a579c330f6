//! Where the fields of an ELF file lie, so that a test can alter them one by one. Reads the headers by itself: it
//! shares no code with what it tests.

/// One field that a test may alter.
#[derive(Debug, Clone)]
pub struct Field {
    /// What it is, for the message.
    pub what: String,
    /// Offset in the file.
    pub offset: usize,
    /// Width in bytes.
    pub width: usize,
    /// Its kind.
    pub kind: FieldKind,
}

/// What a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// Bytes of an allocated section: section name and offset in it.
    Byte(String, u64),
    /// A relocation of an allocated section: offset, type and symbol, or addend.
    Relocation(&'static str),
    /// A symbol's field: its name, section index, and which.
    Symbol(String, u16, &'static str),
    /// A section header's field.
    Section(String, &'static str),
}

fn u16_at(file: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(file[at..at + 2].try_into().unwrap())
}

fn u32_at(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
}

fn u64_at(file: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(file[at..at + 8].try_into().unwrap())
}

fn name_at(file: &[u8], table: usize, offset: u32) -> String {
    let from = table + offset as usize;
    let end = file[from..].iter().position(|b| *b == 0).unwrap() + from;
    String::from_utf8_lossy(&file[from..end]).into_owned()
}

const ALLOC: u64 = 2;

/// All fields of a little-endian 64-bit relocatable file that the law covers.
pub fn fields(file: &[u8]) -> Vec<Field> {
    let headers = u64_at(file, 0x28) as usize;
    let count = u16_at(file, 0x3c) as usize;
    let header = |i: usize| headers + 64 * i;
    let section_offset = |i: usize| u64_at(file, header(i) + 24) as usize;
    let names = section_offset(u16_at(file, 0x3e) as usize);
    let section_name = |i: usize| name_at(file, names, u32_at(file, header(i)));
    let flags = |i: usize| u64_at(file, header(i) + 8);
    let mut all = Vec::new();
    for index in 1..count {
        let at = header(index);
        let (kind, size) = (u32_at(file, at + 4), u64_at(file, at + 32) as usize);
        let (name, offset) = (section_name(index), section_offset(index));
        let field = |what: &str, offset, width, kind| Field { what: what.to_owned(), offset, width, kind };
        if flags(index) & ALLOC != 0 {
            for (which, from, width) in [("flags", 8, 8), ("alignment", 48, 8)] {
                let kind = FieldKind::Section(name.clone(), which);
                all.push(field(&format!("{which} of section {name}"), at + from, width, kind));
            }
            if kind != 8 {
                for byte in 0..size {
                    let kind = FieldKind::Byte(name.clone(), byte as u64);
                    all.push(field(&format!("{name}+{byte:#x}"), offset + byte, 1, kind));
                }
            }
        }
        if kind == 4 && flags(u32_at(file, at + 44) as usize) & ALLOC != 0 {
            for entry in (offset..offset + size).step_by(24) {
                for (which, from, width) in
                    [("offset", 0, 8), ("type", 8, 4), ("symbol", 12, 4), ("addend", 16, 8)]
                {
                    let number = (entry - offset) / 24;
                    all.push(field(
                        &format!("{which} of {name}[{number}]"),
                        entry + from,
                        width,
                        FieldKind::Relocation(which),
                    ));
                }
            }
        }
        if kind == 2 {
            let strings = section_offset(u32_at(file, at + 40) as usize);
            for entry in (offset + 24..offset + size).step_by(24) {
                let symbol = name_at(file, strings, u32_at(file, entry));
                let info = file[entry + 4];
                let section = u16_at(file, entry + 6);
                let of_section = section as usize;
                // File and section symbols name no bytes; a symbol of a section without memory is debug information's.
                if info & 0xf >= 3 && info & 0xf <= 4
                    || (of_section < count && section != 0 && flags(of_section) & ALLOC == 0)
                {
                    continue;
                }
                for (which, from, width) in
                    [("info", 4, 1), ("other", 5, 1), ("value", 8, 8), ("size", 16, 8)]
                {
                    let kind = FieldKind::Symbol(symbol.clone(), section, which);
                    all.push(field(&format!("{which} of symbol {symbol}"), entry + from, width, kind));
                }
            }
        }
    }
    all
}
