//! Alterations that are none, by proof: what was altered still means the same canonical place.

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindContext, UnwindSection};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};

use super::elf::{self, Elf};
use super::mutation::{Kind, Mutation, Target};

/// Whether the altered file means what it meant.
pub fn is_same_place(elf: &Elf<'_>, mutation: &Mutation) -> bool {
    match (mutation.target, mutation.kind) {
        (Target::Place(section, _), _) if elf.sections[section].name == ORC => {
            let altered = elf::read(&mutation.file);
            orc(elf).is_some_and(|rows| orc(&altered).is_some_and(|others| rows == others))
        }
        (Target::Place(section, offset), Kind::RelocationSymbol) => {
            is_same_symbol(elf, mutation, section, offset) || leads_to_no_bytes(elf, section, offset)
        }
        (Target::Place(section, offset), Kind::RelocationAddend) => {
            leads_to_no_bytes(elf, section, offset) || is_same_entry(elf, mutation, section, offset)
        }
        (Target::Place(section, offset), Kind::Byte) => {
            is_same_branch(elf, mutation, section, offset) || is_same_frame(elf, mutation, section, offset)
        }
        (Target::Symbol(index), Kind::SymbolValue) => is_mere_move(elf, mutation, index),
        _ => false,
    }
}

/// Where the entries of the kernel's ORC tables apply from.
const ORC: &str = ".orc_unwind_ip";

/// What the ORC tables say of each instruction that is no no-operation: section, place, entry. The kernel looks for the last
/// entry that is not behind it, so that one more that says the same says nothing. `None` where a place is not plain.
fn orc(elf: &Elf<'_>) -> Option<Vec<(usize, u64, Vec<u8>)>> {
    let bytes = |section: &elf::Section| &elf.file[section.offset..][..section.size as usize];
    let places = elf.sections.iter().find(|section| section.name == ORC)?;
    let entries = elf.sections.iter().find(|section| section.name == ".orc_unwind")?;
    let width = entries.size / (places.size / 4);
    let in_order = places.relocations.iter().zip(0..).all(|(one, number)| one.offset == number * 4);
    let alike = places.relocations.windows(2).all(|pair| pair[0].kind == pair[1].kind);
    if !in_order || !alike || bytes(places).iter().any(|byte| *byte != 0) || !entries.relocations.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    for (number, one) in places.relocations.iter().enumerate() {
        let symbol = elf.symbols.get(one.symbol).filter(|symbol| symbol.in_section)?;
        let entry = bytes(entries).get(number * width as usize..)?.get(..width as usize)?;
        rows.push((symbol.section, symbol.value.wrapping_add_signed(one.addend), entry));
    }
    rows.sort();
    let mut told = Vec::new();
    for (index, code) in elf.sections.iter().enumerate().filter(|(_, section)| section.is_executable()) {
        for one in Decoder::with_ip(64, bytes(code), 0, DecoderOptions::NONE) {
            if one.mnemonic() != Mnemonic::Nop {
                let row = rows[..rows.partition_point(|row| (row.0, row.1) <= (index, one.ip()))].last();
                let entry = row.filter(|row| row.0 == index).map(|row| row.2.to_vec()).unwrap_or_default();
                told.push((index, one.ip(), entry));
            }
        }
    }
    Some(told)
}

/// Where the kernel finds the replacement of an alternative that has none: that many bytes are copied from there. An entry (`struct
/// alt_instr` up to Linux 6.2) is of 12 bytes, the replacement's place in the second word, its length in the last byte.
fn leads_to_no_bytes(elf: &Elf<'_>, section: usize, offset: u64) -> bool {
    const SIZE: u64 = 12;
    let home = &elf.sections[section];
    let spaced = home.relocations.iter().all(|one| [0, 4].contains(&(one.offset % SIZE)));
    let length = home.offset + (offset / SIZE * SIZE + SIZE - 1) as usize;
    home.name == ".altinstructions" && spaced && offset % SIZE == 4 && elf.file[length] == 0
}

/// Another symbol at the same place: a section with an offset and the symbol there, or one alias and another, mean what
/// lies there.
fn is_same_symbol(elf: &Elf<'_>, mutation: &Mutation, section: usize, offset: u64) -> bool {
    let altered = elf::read(&mutation.file);
    let symbols = |elf: &Elf<'_>| -> Vec<usize> {
        let all = elf.sections[section].relocations.iter();
        all.filter(|one| one.offset == offset).map(|one| one.symbol).collect()
    };
    let place = |index: usize| {
        let symbol = &elf.symbols[index];
        symbol.in_section.then_some((symbol.section, symbol.value))
    };
    let (was, is) = (symbols(elf), symbols(&altered));
    was.len() == is.len()
        && was
            .iter()
            .zip(&is)
            .all(|(was, is)| was == is || (place(*was).is_some() && place(*was) == place(*is)))
}

/// A datum of zeros that moves among zeros of its section, none of them relocated: where it lies is no part of it, and
/// what it leaves behind is fill.
fn is_mere_move(elf: &Elf<'_>, mutation: &Mutation, index: usize) -> bool {
    let (was, altered) = (&elf.symbols[index], elf::read(&mutation.file));
    let is = altered.symbols[index].value;
    let Some(home) = elf.sections.get(was.section).filter(|home| was.in_section && !home.is_executable())
    else {
        return false;
    };
    let (start, Some(end)) = (was.value.min(is), was.value.max(is).checked_add(was.size)) else {
        return false;
    };
    let alone = elf.symbols.iter().enumerate().all(|(other, symbol)| {
        other == index
            || symbol.section != was.section
            || symbol.value >= end
            || symbol.value + symbol.size <= start
    });
    let zeros = !home.has_bytes()
        || elf.file[home.offset..][..home.size as usize]
            .get(start as usize..end as usize)
            .is_some_and(|it| it.iter().all(|byte| *byte == 0));
    let by_place = elf.sections.iter().flat_map(|section| &section.relocations).any(|one| {
        let symbol = &elf.symbols[one.symbol];
        symbol.kind() == 3 && symbol.section == was.section
    });
    was.size > 0
        && end <= home.size
        && alone
        && zeros
        && !by_place
        && !home.relocations.iter().any(|one| (start..end).contains(&one.offset))
}

/// A branch to the start of alignment fill instead of its end: nothing but no-operations lies between.
fn is_same_branch(elf: &Elf<'_>, mutation: &Mutation, section: usize, offset: u64) -> bool {
    let home = &elf.sections[section];
    // The function around the byte begins at the last symbol before it.
    let starts = elf.symbols.iter().filter(|s| s.in_section && s.section == section && s.value <= offset);
    let Some(start) = starts.map(|s| s.value).max().filter(|_| home.is_executable()) else { return false };
    let decode = |file: &[u8]| -> Vec<Instruction> {
        let bytes = &file[home.offset + start as usize..home.offset + home.size as usize];
        Decoder::with_ip(64, bytes, start, DecoderOptions::NONE).into_iter().collect()
    };
    let (was, is) = (decode(elf.file), decode(&mutation.file));
    let at = |list: &[Instruction]| list.iter().copied().find(|one| one.next_ip() > offset);
    let (Some(old), Some(new)) = (at(&was), at(&is)) else { return false };
    let branches = old.near_branch_target() != 0 && new.near_branch_target() != 0;
    if !branches || old.code() != new.code() || old.ip() != new.ip() {
        return false;
    }
    is_fill(&was, old.near_branch_target(), new.near_branch_target())
}

/// An entry of a jump table that leads to the start of alignment fill instead of its end. Entries count from the table's
/// start, where code takes its address; it is made of nothing but distances into code.
fn is_same_entry(elf: &Elf<'_>, mutation: &Mutation, section: usize, offset: u64) -> bool {
    const PC32: u32 = 2;
    let (home, altered) = (&elf.sections[section], elf::read(&mutation.file));
    let leads_into = |one: &elf::Relocation| {
        let symbol = &elf.symbols[one.symbol];
        let is_code = symbol.in_section && elf.sections[symbol.section].is_executable();
        (one.kind == PC32 && is_code)
            .then_some((symbol.section, symbol.value.wrapping_add_signed(one.addend)))
    };
    let taken = elf.sections.iter().filter(|it| it.is_executable()).flat_map(|it| &it.relocations);
    let taken = taken.filter(|one| {
        let symbol = &elf.symbols[one.symbol];
        one.kind == PC32 && symbol.in_section && symbol.section == section
    });
    let starts = taken.map(|one| elf.symbols[one.symbol].value.wrapping_add_signed(one.addend + 4));
    let Some(start) = starts.filter(|start| *start <= offset).max() else { return false };
    let mut table = home.relocations.iter().filter(|one| (start..=offset).contains(&one.offset));
    let whole = (start..=offset)
        .step_by(4)
        .all(|at| table.next().is_some_and(|one| one.offset == at && leads_into(one).is_some()));
    let entry = |elf: &Elf<'_>| {
        let one = elf.sections[section].relocations.iter().find(|one| one.offset == offset).copied();
        let (code, at) = one.as_ref().and_then(leads_into)?;
        Some((code, at.wrapping_sub(offset - start)))
    };
    let (Some((code, was)), Some((_, is))) = (entry(elf), entry(&altered)) else { return false };
    let text = &elf.sections[code];
    let bytes = &elf.file[text.offset..][..text.size as usize];
    let functions =
        elf.symbols.iter().filter(|one| one.in_section && one.section == code && one.value <= was.min(is));
    let Some(first) = functions.map(|one| one.value).max().filter(|_| whole) else { return false };
    let list: Vec<_> =
        Decoder::with_ip(64, &bytes[first as usize..], first, DecoderOptions::NONE).into_iter().collect();
    is_fill(&list, was, is)
}

/// Whether nothing but alignment fill lies between two places of `code`.
fn is_fill(code: &[Instruction], one: u64, other: u64) -> bool {
    let (low, high) = (one.min(other), one.max(other));
    let between: Vec<_> = code.iter().filter(|one| (low..high).contains(&one.ip())).collect();
    let whole = between.first().is_some_and(|one| one.ip() == low);
    whole && high % 8 == 0 && between.iter().all(|one| one.mnemonic() == Mnemonic::Nop)
}

/// A frame in which rows begin at the start of alignment fill instead of its end, and are else the same.
fn is_same_frame(elf: &Elf<'_>, mutation: &Mutation, section: usize, offset: u64) -> bool {
    let home = &elf.sections[section];
    if home.name != ".eh_frame" {
        return false;
    }
    let bytes = |file: &[u8]| file[home.offset..][..home.size as usize].to_vec();
    let (Some(was), Some(is)) = (rows(&bytes(elf.file), offset), rows(&bytes(&mutation.file), offset)) else {
        return false;
    };
    // Where the function begins stands in a relocation, eight bytes behind the frame's own start.
    let Some(start) = home.relocations.iter().find(|one| one.offset == was.0 + 8) else { return false };
    let symbol = &elf.symbols[start.symbol];
    let Some(code) = elf.sections.get(symbol.section).filter(|_| symbol.in_section) else { return false };
    let start = symbol.value.wrapping_add_signed(start.addend);
    let Some(text) = elf.file[code.offset..][..code.size as usize].get(start as usize..) else {
        return false;
    };
    let list: Vec<_> = Decoder::with_ip(64, text, 0, DecoderOptions::NONE).into_iter().collect();
    was.1.len() == is.1.len()
        && was
            .1
            .iter()
            .zip(&is.1)
            .all(|((old, row), (new, other))| row == other && (old == new || is_fill(&list, *old, *new)))
}

/// The rows of the frame around `offset`, and where it begins: from which byte of its function on, and what it says.
fn rows(bytes: &[u8], offset: u64) -> Option<(u64, Vec<(u64, String)>)> {
    let (frames, bases) = (EhFrame::new(bytes, LittleEndian), BaseAddresses::default().set_eh_frame(0));
    let mut entries = frames.entries(&bases);
    while let Some(entry) = entries.next().ok()? {
        let CieOrFde::Fde(partial) = entry else { continue };
        let frame = partial.parse(EhFrame::cie_from_offset).ok()?;
        let start = frame.offset() as u64;
        if !(start..start + 4 + frame.entry_len() as u64).contains(&offset) {
            continue;
        }
        let mut context = UnwindContext::new();
        let mut table = frame.rows(&frames, &bases, &mut context).ok()?;
        let mut rows = Vec::new();
        while let Some(row) = table.next_row().ok()? {
            let said = format!("{:?} {:?}", row.cfa(), row.registers().collect::<Vec<_>>());
            rows.push((row.start_address().wrapping_sub(frame.initial_address()), said));
        }
        return Some((start, rows));
    }
    None
}
