//! `.eh_frame`, as far as to know which function each entry serves: LSB Core 5.0, "Exception Frames".

use super::elf::{Elf, u32_at};

/// One FDE.
#[derive(Debug)]
pub struct Frame {
    section: usize,
    range: (u64, u64),
    /// Its CIE in the same section.
    cie: (u64, u64),
    /// Where the function is.
    function: (usize, u64),
    /// Where its exception table is.
    table: Option<(usize, u64)>,
}

/// All FDEs of an object.
pub fn read(elf: &Elf<'_>) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (index, section) in elf.sections.iter().enumerate().filter(|(_, s)| s.name == ".eh_frame") {
        let bytes = &elf.file[section.offset..section.offset + section.size as usize];
        let mut at = 0;
        while at + 8 <= bytes.len() {
            let end = at + 4 + u32_at(bytes, at) as usize;
            let id = u32_at(bytes, at + 4) as usize;
            if end > at + 4 && id != 0 {
                let cie = at + 4 - id;
                let cie = (cie as u64, (cie + 4) as u64 + u64::from(u32_at(bytes, cie)));
                let leads = |offset: usize| {
                    let found = section.relocations.iter().find(|r| r.offset == offset as u64)?;
                    let symbol = &elf.symbols[found.symbol];
                    let value = symbol.value.cast_signed() + found.addend;
                    symbol.in_section.then(|| (symbol.section, value.cast_unsigned()))
                };
                // A relocation behind the range is the pointer to the exception table.
                let table = section.relocations.iter().find(|r| {
                    (at as u64 + 12..end as u64).contains(&r.offset)
                        && elf.sections[elf.symbols[r.symbol].section].name.starts_with(".gcc_except_table")
                });
                if let Some(function) = leads(at + 8) {
                    let table = table.and_then(|r| leads(r.offset as usize));
                    frames.push(Frame {
                        section: index,
                        range: (at as u64, end as u64),
                        cie,
                        function,
                        table,
                    });
                }
            }
            at = end.max(at + 4);
        }
    }
    frames
}

/// The functions that an entry, or an exception table, serves.
pub fn served(frames: &[Frame], section: usize, offset: u64) -> Vec<(usize, u64)> {
    let holds = |range: (u64, u64)| range.0 <= offset && offset < range.1;
    let last_table = frames
        .iter()
        .filter_map(|frame| frame.table)
        .filter(|table| table.0 == section && table.1 <= offset)
        .max();
    frames
        .iter()
        .filter(|frame| {
            (frame.section == section && (holds(frame.range) || holds(frame.cie)))
                || (frame.table.is_some() && frame.table == last_table)
        })
        .map(|frame| frame.function)
        .collect()
}
