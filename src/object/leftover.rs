//! What no function and no datum accounts for: sections' own attributes, entries that serve nobody, symbols
//! that own no bytes, and bytes that nobody reaches. With this, every byte, relocation and symbol of every
//! allocated section is covered by some item: the law of the whole object.

use bstr::{BString, ByteSlice};
use object::elf;

use super::arch::relative_kind;
use super::attributes;
use super::closure::Closure;
use super::collector::Collector;
use super::facts::{Definition, Section, Symbol};
use super::fingerprint::{Item, Kind, PartKind, Scope, Traits};
use super::model::Model;
use super::private::Extent;
use super::recipe::Known;
use super::stream::{Write, attribute as key, target};
use super::unwinding;

/// Adds items for everything that is left.
pub fn collect(known: &Known<'_, '_>, collector: &mut Collector) {
    sections(known, collector);
    symbols(known, collector);
    site_items(known, collector);
    orc_item(known, collector);
    collector.covered.extend(known.frames.covered());
    collector.covered.extend(known.sites.orc.covered.iter().copied());
    gaps(known, collector);
}

fn blank(kind: Kind, name: BString, section: &Section<'_>, address: u64, size: u64) -> Item {
    Item {
        kind,
        name,
        aliases: Box::default(),
        scope: Scope::None,
        section: section.name.into(),
        address,
        size,
        parts: Box::default(),
        references: Box::default(),
        traits: Traits {
            zero_filled: section.is_zero_filled(),
            writable: section.is_writable(),
            ..Traits::default()
        },
    }
}

/// One item for each allocated section that is not one symbol's own.
fn sections(known: &Known<'_, '_>, collector: &mut Collector) {
    let model = known.model;
    let mut own = vec![false; model.facts.sections.len()];
    for thing in &model.owner.things {
        let mut names = thing.symbols.iter().filter_map(|s| model.facts.symbols.get(*s as usize));
        if let Some(piece) = thing.pieces.first()
            && let Some(section) = model.section(piece.section)
            && names.any(|symbol| attributes::is_own_section(section, symbol.name))
            && let Some(slot) = own.get_mut(piece.section)
        {
            *slot = true;
        }
    }
    for (index, section) in model.facts.sections.iter().enumerate().filter(|(_, s)| s.is_allocated()) {
        let labels = model.owner.loose_labels.get(index).map_or(&[][..], Vec::as_slice);
        if own.get(index) == Some(&true) && labels.is_empty() {
            continue;
        }
        let mut stream = Vec::new();
        attributes::of_section(section, &mut stream);
        attributes::group(section, &mut stream);
        for symbol in labels.iter().filter_map(|s| model.facts.symbols.get(*s as usize)) {
            stream.byte(key::LABEL);
            stream.blob(symbol.name);
            stream.extend([symbol.binding, symbol.other, symbol.kind]);
            stream.number(section.size.wrapping_sub(symbol.value));
            stream.number(0);
        }
        let item = blank(Kind::Section, section.name.into(), section, 0, section.size);
        let mut closure = Closure::new(model, known.privates);
        needs(model, section, &mut closure, &mut stream);
        collector.add(item, &[(PartKind::Attributes, &stream)], &closure, None);
    }
}

/// What Arm's index of unwinding asks the linker to bring in: the assembler says it once, at whichever entry comes first.
fn needs<'m, 'd>(
    model: &'m Model<'d>,
    section: &'m Section<'d>,
    closure: &mut Closure<'m, 'd>,
    stream: &mut Vec<u8>,
) {
    let mut needed = Vec::new();
    for relocation in section.relocations.iter().filter(|r| unwinding::is_need(section, r)) {
        let mut one = vec![key::NEEDS];
        closure.target(model.resolve(section, relocation, 0), 0, &mut one);
        needed.push(one);
    }
    needed.sort();
    stream.extend(needed.concat());
}

/// One item for the symbols that nothing else mentions: undefined ones that no item refers to, and nameless
/// ones' like (`.L` labels that an assembler kept).
fn symbols(known: &Known<'_, '_>, collector: &mut Collector) {
    let model = known.model;
    let referred = collector.referred();
    let mut stream = Vec::new();
    let rest: Vec<_> = (0_u32..)
        .zip(&model.facts.symbols)
        .take(model.facts.defining)
        .skip(1)
        .filter(|(index, s)| {
            let unmentioned = s.definition == Definition::Undefined && referred.binary_search(index).is_err();
            attributes::names_something(s) && (unmentioned || is_odd(model, s))
        })
        .map(|(_, s)| s)
        .collect();
    if rest.is_empty() {
        return;
    }
    let mut rest: Vec<_> = rest.into_iter().map(|symbol| (placed(model, symbol), symbol)).collect();
    rest.sort_by(|one, other| one.0.cmp(&other.0));
    for ((name, value), symbol) in rest {
        stream.byte(key::ALIAS);
        stream.blob(&name);
        stream.extend([symbol.binding, symbol.other, symbol.kind]);
        stream.byte(key::VALUE);
        stream.number(value);
        stream.byte(key::SIZE);
        stream.number(symbol.size);
    }
    let section = Section { name: b"*UNDEFINED*", ..Section::default() };
    let item = blank(Kind::Section, "undefined symbols".into(), &section, 0, 0);
    let closure = Closure::new(model, known.privates);
    collector.add(item, &[(PartKind::Attributes, &stream)], &closure, None);
}

/// What a symbol is called, and its value. A label inside something that has a name (GCC's `.LTHUNK0`, a function's second name)
/// bears a number that only counts, and its place is one in there.
fn placed(model: &Model<'_>, symbol: &Symbol<'_>) -> (Vec<u8>, u64) {
    let inside = match symbol.definition {
        Definition::Section(at) if symbol.name.starts_with(b".L") => model.owner.at(at, symbol.value),
        _ => None,
    };
    let piece = inside.and_then(|found| {
        let thing = model.owner.things.get(found.thing)?;
        Some((thing.pieces.get(found.piece)?.start, &model.stems.get(found.thing)?.0))
    });
    piece.map_or_else(
        || (symbol.name.to_vec(), symbol.value),
        |(start, stem)| {
            let label = symbol.name.trim_end_with(|c| c.is_ascii_digit());
            ([label, b" in ", stem].concat(), symbol.value.wrapping_sub(start))
        },
    )
}

/// A label of nameless data that says more than a label does, where no nameless bytes are that it would belong to; or
/// a symbol of a type that has one shape only, in another.
fn is_odd(model: &Model<'_>, symbol: &Symbol<'_>) -> bool {
    // A label in thread-local data has the type of such data.
    let usual = match symbol.definition {
        Definition::Section(at) if model.section(at).is_some_and(is_thread_local) => elf::STT_TLS.0,
        _ => elf::STT_NOTYPE.0,
    };
    let says = symbol.size != 0 || symbol.kind != usual || symbol.binding != 0 || symbol.other != 0;
    let label = symbol.definition != Definition::Undefined && symbol.name.starts_with(b".L") && says;
    let home = match symbol.definition {
        Definition::Section(at) => model.section(at).filter(|_| model.owner.at(at, symbol.value).is_none()),
        _ => None,
    };
    let belongs = symbol.size != 0 && home.is_some_and(|s| s.is_allocated() && !s.is_executable());
    // Sources and sections have symbols of one shape only.
    (label && !belongs)
        || ((symbol.kind == 3 || symbol.kind == 4) && !symbol.is_file() && !symbol.is_section())
}

fn is_thread_local(section: &Section<'_>) -> bool {
    section.flags & elf::SHF_TLS.0 != 0
}

/// One item for the entries of each special section that serve no function.
fn site_items(known: &Known<'_, '_>, collector: &mut Collector) {
    let mut entries = known.sites.loose.as_slice();
    while let Some(first) = entries.first() {
        let count = entries.iter().take_while(|e| e.section == first.section).count();
        let (own, rest) = entries.split_at(count);
        entries = rest;
        let Some(section) = known.model.section(first.section) else { continue };
        let mut closure = Closure::new(known.model, known.privates);
        let mut stream = Vec::new();
        for entry in own {
            closure.bytes(section, entry.start, entry.end, &mut stream);
            closure.covered.push((entry.section, entry.start, entry.end));
        }
        let size = own.iter().map(|e| e.end - e.start).sum();
        let item = blank(Kind::Site, section.name.into(), section, first.start, size);
        finish(collector, item, &stream, &[], closure);
    }
}

/// One item for what the kernel's unwinding tables say of fill, and of the ends of sections.
fn orc_item(known: &Known<'_, '_>, collector: &mut Collector) {
    let orc = &known.sites.orc;
    let Some((index, start, end)) = orc.covered.last().copied().filter(|_| !orc.fill.is_empty()) else {
        return;
    };
    let Some(section) = known.model.section(index) else { return };
    let contents: Vec<u8> = orc.fill.iter().flatten().copied().collect();
    let mut stream = Vec::new();
    stream.number(section.flags);
    stream.byte(1);
    stream.blob(&contents);
    stream.number(0);
    let item = blank(Kind::Site, section.name.into(), section, start, end - start);
    finish(collector, item, &stream, &[], Closure::new(known.model, known.privates));
}

fn finish(
    collector: &mut Collector,
    item: Item,
    content: &[u8],
    attributes: &[u8],
    mut closure: Closure<'_, '_>,
) {
    closure.follow();
    collector.followed += closure.constants.len();
    let parts = [
        (PartKind::Content, content),
        (PartKind::Constants, &closure.constants),
        (PartKind::Strings, &closure.strings),
        (PartKind::Tables, &closure.tables),
        (PartKind::Attributes, attributes),
    ];
    collector.add(item, &parts, &closure, None);
}

/// One item for every run of bytes that nobody covers and that is no fill.
#[expect(
    clippy::stable_sort_primitive,
    reason = "things mostly follow each other as their bytes do, and this sort takes runs as they are"
)]
fn gaps(known: &Known<'_, '_>, collector: &mut Collector) {
    let sections = &known.model.facts.sections;
    let mut others = vec![Vec::new(); sections.len()];
    for (section, start, end) in std::mem::take(&mut collector.covered) {
        if let Some(here) = others.get_mut(section) {
            here.push((start, end));
        }
    }
    for ((index, section), others) in sections.iter().enumerate().zip(others) {
        if !section.is_allocated() || is_bookkeeping(known.model, section) {
            continue;
        }
        let mut covered: Vec<_> = known.model.owner.ranges(index).chain(others).collect();
        covered.sort();
        let mut end_of_covered = 0;
        let mut number = 0;
        for (start, end) in covered.iter().copied().chain([(section.size, section.size)]) {
            let from = behind_fill(known, section, end_of_covered, start);
            if from < start {
                gap(known, collector, (index, section), (from, start), &mut number);
            }
            end_of_covered = end_of_covered.max(end);
        }
    }
}

fn gap<'m, 'd>(
    known: &Known<'m, 'd>,
    collector: &mut Collector,
    (index, section): (usize, &'m Section<'d>),
    (start, end): (u64, u64),
    number: &mut u32,
) {
    let mut closure = Closure::new(known.model, known.privates);
    let mut stream = Vec::new();
    if collector.may_follow() {
        closure.bytes(section, start, end, &mut stream);
    } else {
        as_they_stand(known, section, (start, end), &mut stream);
    }
    let mut labels = Vec::new();
    for (offset, size, [kind, binding, other]) in
        closure.odd_names(&Extent { section: index, start, end, string: false })
    {
        labels.byte(key::LABEL);
        labels.blob(b".L");
        labels.extend([binding, other, kind]);
        labels.number(offset - start);
        labels.number(size);
    }
    closure.covered.push((index, start, end));
    let mut name = section.name.to_vec();
    if start > 0 {
        name.extend(format!("+{start:#x}").bytes());
    }
    *number += 1;
    let item = blank(Kind::Unowned, name.into(), section, start, end - start);
    finish(collector, item, &stream, &labels, closure);
}

/// Writes bytes with their relocations as they stand, by place: for files in which nobody's bytes lead to each other
/// without end, so that following them from each anew would never be done.
fn as_they_stand(known: &Known<'_, '_>, section: &Section<'_>, (start, end): (u64, u64), out: &mut Vec<u8>) {
    out.number(section.flags);
    out.byte(1);
    out.blob(section.bytes(start, end));
    let relocations = section.relocations_in(start, end);
    out.number(relocations.len() as u64);
    for relocation in relocations {
        out.number(relocation.offset - start);
        out.number(relocation.kind.into());
        out.byte(target::SECTION);
        let symbol = known.model.facts.symbols.get(relocation.symbol() as usize);
        let home = symbol.and_then(|s| match s.definition {
            Definition::Section(at) => known.model.section(at),
            _ => None,
        });
        out.blob(home.map_or_else(|| symbol.map_or(&[][..], |s| s.name), |home| home.name));
        out.signed(symbol.map_or(0, |s| s.value.cast_signed()).wrapping_add(relocation.addend));
    }
}

/// Tables that the linker makes of what is fingerprinted elsewhere: symbols, strings, hashes, relocations.
fn is_bookkeeping(model: &Model<'_>, section: &Section<'_>) -> bool {
    use object::elf::{
        SHT_CREL, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERSYM, SHT_HASH, SHT_REL, SHT_RELA, SHT_RELR, SHT_STRTAB,
    };
    let kinds = [SHT_DYNSYM, SHT_STRTAB, SHT_GNU_HASH, SHT_HASH, SHT_REL, SHT_RELA, SHT_CREL, SHT_GNU_VERSYM];
    // What no relocation is made of has to show as the bytes that it is.
    let understood = section.kind == SHT_RELR.0 && relative_kind(model.facts.image.machine).is_some();
    understood || kinds.iter().any(|kind| kind.0 == section.kind)
}

/// Where in a gap something begins that is no fill: at its start, mostly, or at its end where it is fill alone. In front of a word with
/// a relocation (in Power's large model, the distance to the TOC before each function) stands what brings it to its boundary.
fn behind_fill(known: &Known<'_, '_>, section: &Section<'_>, start: u64, end: u64) -> u64 {
    if start >= end || is_fill(known, section, start, end) {
        return end;
    }
    let word = section.relocations_in(start, end).first().map_or(start, |first| first.offset);
    if word > start && is_fill(known, section, start, word) { word } else { start }
}

/// Whether a gap is exactly the fill that an assembler writes: no-operations in code, zeros in data, always up
/// to an even boundary and without relocations.
fn is_fill(known: &Known<'_, '_>, section: &Section<'_>, start: u64, end: u64) -> bool {
    if !section.relocations_in(start, end).is_empty() {
        return false;
    }
    if section.is_zero_filled() {
        return true;
    }
    let bytes = section.bytes(start, end);
    let zeros = bytes.iter().all(|b| *b == 0);
    if section.is_executable() {
        // g++ aligns a member function to two, and then to sixteen.
        let after_one = bytes.strip_prefix(&[0x90]).filter(|_| start % 2 == 1);
        let is_fill = known.model.machine.is_some_and(|machine| {
            machine.is_fill(bytes) || after_one.is_some_and(|rest| machine.is_fill(rest))
        });
        return is_fill || (zeros && end == section.size);
    }
    zeros
}
