//! The `attributes` part: what is true of an item beside its bytes.

use super::facts::{Definition, Section, Symbol};
use super::fingerprint::{Hook, Kind};
use super::model::Model;
use super::names;
use super::ownership::Thing;
use super::places::{DIRECT, Place};
use super::sites::Sites;
use super::stream::{Write, attribute as key};

/// Writes the attributes of a thing.
pub fn of_thing(model: &Model<'_>, thing: &Thing, hook: Hook, out: &mut Vec<u8>) {
    let symbol = |i: &u32| model.facts.symbols.get(*i as usize);
    let Some(first) = thing.symbols.first().and_then(symbol) else { return };
    let home = thing.pieces.first().and_then(|p| model.section(p.section));
    if let Some(section) = home {
        out.byte(key::SECTION);
        // Of several names, the one that the section is called after.
        let named = thing.symbols.iter().filter_map(symbol).find(|s| is_own_section(section, s.name));
        out.blob(&section_name(section.name, named.unwrap_or(first).name));
        group(section, out);
        if named.is_some() {
            of_section(section, out);
        }
    }
    for (tag, value) in
        [(key::BINDING, first.binding), (key::VISIBILITY, first.other), (key::TYPE, first.kind)]
    {
        out.byte(tag);
        out.byte(value);
    }
    let mut aliases: Vec<_> =
        thing.symbols.iter().skip(1).filter_map(symbol).map(|s| (names::stem(s.name), *s)).collect();
    aliases.sort_by(|a, b| a.0.cmp(&b.0));
    for (stem, alias) in aliases {
        out.byte(key::ALIAS);
        out.blob(&stem);
        out.extend([alias.binding, alias.other, alias.kind]);
    }
    labels(model, thing, out);
    if hook != Hook::None {
        out.byte(key::HOOK);
        out.blob(&hook_bytes(hook));
    }
    for (piece, symbol) in thing.pieces.iter().skip(1).zip(thing.cold_symbols()) {
        let Some(symbol) = model.facts.symbols.get(*symbol as usize) else { continue };
        out.byte(key::COLD);
        out.blob(&section_name(model.section(piece.section).map_or(b"", |s| s.name), symbol.name));
        out.extend([symbol.binding, symbol.other, symbol.kind]);
        out.number(symbol.size.wrapping_sub(piece.end - piece.start));
    }
    size_and_place(thing, first, out);
}

fn size_and_place(thing: &Thing, first: &Symbol<'_>, out: &mut Vec<u8>) {
    let length = thing.pieces.first().map(|p| p.end - p.start);
    // A function's length depends on branch widths; its symbol's size is told only where it is not its length.
    if thing.kind == Kind::Data || length.is_some_and(|l| l != first.size) {
        out.byte(key::SIZE);
        out.number(first.size);
    }
    match first.definition {
        Definition::Common => {
            out.byte(key::ALIGNMENT);
            out.number(first.value);
        }
        Definition::Absolute => {
            out.byte(key::VALUE);
            out.number(first.value);
        }
        Definition::Undefined | Definition::Section(_) => {}
    }
}

/// Labels inside, and what this lies inside of: by instruction number (and the distance into the instruction) in
/// functions, by offset in data.
fn labels(model: &Model<'_>, thing: &Thing, out: &mut Vec<u8>) {
    let Some(index) = thing.symbols.first().and_then(|s| model.owner.of_symbol(*s)) else { return };
    let mut all: Vec<_> = thing
        .labels()
        .iter()
        .filter_map(|(symbol, piece, offset)| {
            let symbol = model.facts.symbols.get(*symbol as usize)?;
            Some((position(model, (index, *piece, *offset))?, names::stem(symbol.name), symbol))
        })
        .collect();
    all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for ((at, into), stem, symbol) in all {
        out.byte(key::LABEL);
        out.blob(&stem);
        out.extend([symbol.binding, symbol.other, symbol.kind]);
        out.number(at);
        out.number(into);
    }
    if let Some(outer) = thing.inside()
        && let Some((at, into)) = position(model, outer)
    {
        out.byte(key::INSIDE);
        out.blob(model.stems.get(outer.0).map_or(b"", |(stem, _)| stem));
        out.number(at);
        out.number(into);
    }
}

/// Where an offset lies in a thing.
fn position(model: &Model<'_>, (thing, piece, offset): (usize, usize, u64)) -> Option<(u64, u64)> {
    let owner = model.owner.things.get(thing)?;
    let start = owner.pieces.get(piece)?.start;
    Some(match owner.kind {
        Kind::Function => {
            let (number, into) = model.instruction_at(thing, piece, offset);
            (number.into(), into.into())
        }
        _ => (offset.wrapping_sub(start), 0),
    })
}

/// Writes the group of a section, where it has one.
pub fn group(section: &Section<'_>, out: &mut Vec<u8>) {
    let Some(group) = section.group else { return };
    out.byte(key::GROUP);
    if section.is_plain_group {
        out.blob(&[&names::stem(group), &b" (no COMDAT)"[..]].concat());
    } else {
        out.blob(&names::stem(group));
    }
}

/// Writes a section's own attributes.
pub fn of_section(section: &Section<'_>, out: &mut Vec<u8>) {
    let fields = [
        (key::SECTION_TYPE, u64::from(section.kind)),
        (key::SECTION_FLAGS, section.flags),
        (key::ALIGNMENT, section.align),
        (key::ENTRY_SIZE, section.entry_size),
    ];
    for (tag, value) in fields {
        out.byte(tag);
        out.number(value);
    }
}

/// Whether a section was made for one symbol (`-ffunction-sections`, `-fdata-sections`): its flags and alignment
/// are then the symbol's. The name tells; a section that merely happens to hold one thing does not count, for
/// another may join it.
pub fn is_own_section(section: &Section<'_>, symbol: &[u8]) -> bool {
    !symbol.is_empty() && section.name.strip_suffix(symbol).is_some_and(|head| head.ends_with(b"."))
}

/// A section's name with the number taken out of the symbol's name that it ends in.
fn section_name(section: &[u8], symbol: &[u8]) -> Vec<u8> {
    match section.strip_suffix(symbol) {
        Some(head) if head.ends_with(b".") && !symbol.is_empty() => [head, &names::stem(symbol)].concat(),
        _ => section.to_vec(),
    }
}

fn hook_bytes(hook: Hook) -> Vec<u8> {
    let mut out = Vec::new();
    match hook {
        Hook::None => {}
        Hook::Fentry => out.byte(1),
        Hook::Mcount => out.byte(2),
        Hook::Patchable { before, after } => {
            out.byte(3);
            out.number(before.into());
            out.number(after.into());
        }
    }
    out
}

/// How a function can be hooked: by `call __fentry__` or its nops, by `mcount`, or by patchable entry nops.
pub fn hook(model: &Model<'_>, index: usize, thing: &Thing, sites: &Sites) -> Hook {
    let Some(body) = model.bodies.get(index) else { return Hook::None };
    let calls = |name: &[&[u8]], most: u32| {
        body.uses.iter().take_while(|u| u.at < most).any(|u| match u.place {
            Place::External(symbol, 0) if u.kind != DIRECT => {
                model.facts.symbols.get(symbol as usize).is_some_and(|s| name.contains(&s.name))
            }
            _ => false,
        })
    };
    // Behind a possible endbr64.
    if calls(&[b"__fentry__"], 2) {
        return Hook::Fentry;
    }
    let listed_in =
        |name: &[u8]| sites.of(index).any(|e| model.section(e.section).is_some_and(|s| s.name == name));
    if listed_in(b"__patchable_function_entries") {
        let before = sites.prefixes.get(&index).map_or(0, |(_, start, end)| end - start);
        return Hook::Patchable { before: before as u16, after: entry_nops(model, thing) };
    }
    let nops = entry_nops(model, thing);
    let x86 = matches!(model.facts.image.machine, super::arch::X86_64 | super::arch::I386);
    if listed_in(b"__mcount_loc") && (nops == 5 || (nops > 0 && !x86)) {
        return Hook::Fentry;
    }
    if calls(&[b"mcount", b"_mcount", b"__gnu_mcount_nc"], 24) { Hook::Mcount } else { Hook::None }
}

/// Bytes of no-operations at the entry, behind a possible endbr64.
fn entry_nops(model: &Model<'_>, thing: &Thing) -> u16 {
    let Some(piece) = thing.pieces.first() else { return 0 };
    let Some(section) = model.section(piece.section) else { return 0 };
    let mut bytes = section.bytes(piece.start, piece.end);
    let Some(machine) = model.machine else { return 0 };
    bytes = bytes.get(machine.entry_mark(bytes)..).unwrap_or_default();
    let mut count = 0;
    while let Some(length) = machine.nop_length(bytes) {
        count += length as u16;
        bytes = bytes.get(length..).unwrap_or_default();
    }
    count
}

/// Whether a symbol says something that no item says: neither a file's nor a section's name.
pub fn names_something(symbol: &Symbol<'_>) -> bool {
    !symbol.is_file() && !symbol.is_section() && !symbol.name.is_empty()
}
