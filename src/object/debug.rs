//! What debug information says of functions: where each was written, and which others a compiled one contains.
//!
//! Inlining is the reason for most functions that a live patch must carry beside the edited one, and only DWARF tells it for
//! gcc and clang alike: below the entry of a compiled function stands one entry for each copy of another in it. An object's
//! sections all begin at address 0, so that with `-ffunction-sections` an address alone names no function: while reading, each
//! section of code is given a range of addresses of its own.

use std::collections::{BTreeSet, HashMap};

use bstr::BString;
use gimli::{AttributeValue, DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind, SymbolSection};

use super::dwarf;

/// Distance between the ranges of two sections.
const STRIDE: u32 = 40;
/// How far origins of entries are followed.
const DEPTH: usize = 8;
/// `DW_CC_nocall`: the function does not follow its platform's calling convention.
const NO_CALL: u64 = 3;

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;
type Unit<'a> = gimli::Unit<Slice<'a>>;
type Entry<'a> = gimli::DebuggingInformationEntry<Slice<'a>>;

/// What is known of an object's functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Debug {
    /// Compiled functions.
    pub functions: Vec<Function>,
    /// All functions with a body in the source, compiled by themselves or not.
    pub written: Vec<Written>,
}

/// A compiled function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Symbols at its entry.
    pub symbols: Vec<BString>,
    /// The name in the source, mangled in C++.
    pub name: BString,
    /// What was inlined into it: names from the outermost copy to the innermost.
    pub inlined: BTreeSet<Vec<BString>>,
    /// Marked as not following the calling convention: clang changed its parameters under the same name.
    pub no_call: bool,
}

/// A function's place in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// The file, as the compiler names it, with its directory.
    pub file: BString,
    /// The line of its name, from 1.
    pub line: u64,
    /// Its name, mangled in C++.
    pub name: BString,
}

impl Debug {
    /// The compiled function with this symbol.
    pub fn function(&self, symbol: &[u8]) -> Option<&Function> {
        self.functions.iter().find(|function| function.symbols.iter().any(|known| known == symbol))
    }
}

/// Reads a relocatable object's debug information; nothing where it has none. Errors are fragments.
pub fn read(object: &[u8]) -> Result<Debug, String> {
    let file = object::File::parse(object).map_err(|error| error.to_string().to_lowercase())?;
    let mut symbols: HashMap<u64, Vec<BString>> = HashMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let name = symbol.name_bytes().unwrap_or_default();
        if !name.is_empty() && matches!(symbol.section(), SymbolSection::Section(_)) {
            symbols.entry(address(&symbol, true)).or_default().push(name.into());
        }
    }
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let room = dwarf::Room::of(&file);
    let sections = DwarfSections::load(|id: SectionId| {
        let section = file.section_by_name(id.name());
        section.map_or(Ok(std::borrow::Cow::Borrowed(&[][..])), |section| {
            dwarf::relocated(&file, &section, &|symbol| address(symbol, is_code(&file, symbol)), &room)
        })
    })?;
    let dwarf = sections.borrow(|data| EndianSlice::new(data, endian));
    let mut debug = Debug::default();
    let mut reader = Reader { dwarf: &dwarf, symbols: &symbols, debug: &mut debug };
    let said = |error: gimli::Error| error.to_string().to_lowercase();
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().map_err(said)? {
        let unit = dwarf.unit(header).map_err(said)?;
        reader.unit(&unit).map_err(said)?;
    }
    debug.written.sort();
    debug.written.dedup();
    Ok(debug)
}

fn is_code(file: &object::File<'_>, symbol: &object::Symbol<'_, '_>) -> bool {
    let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
    section.is_some_and(|section| section.kind() == object::SectionKind::Text)
}

fn address(symbol: &object::Symbol<'_, '_>, is_code: bool) -> u64 {
    let base = symbol.section_index().filter(|_| is_code).map_or(0, |index| (index.0 as u64) << STRIDE);
    symbol.address().wrapping_add(base)
}

struct Reader<'r, 'a> {
    dwarf: &'r gimli::Dwarf<Slice<'a>>,
    symbols: &'r HashMap<u64, Vec<BString>>,
    debug: &'r mut Debug,
}

impl<'a> Reader<'_, 'a> {
    fn unit(&mut self, unit: &Unit<'a>) -> gimli::Result<()> {
        let mut entries = unit.entries();
        // The compiled function that we are inside of, with its depth, and the inlined ones on the way.
        let mut current: Option<(isize, Function)> = None;
        let mut chain: Vec<(isize, BString)> = Vec::new();
        while let Some(entry) = entries.next_dfs()? {
            let depth = entry.depth();
            chain.retain(|(at, _)| *at < depth);
            if current.as_ref().is_some_and(|(at, _)| depth <= *at)
                && let Some((_, function)) = current.take()
            {
                self.debug.functions.push(function);
            }
            match entry.tag() {
                gimli::DW_TAG_subprogram => {
                    self.written(unit, entry);
                    if let Some(address) = self.entry_point(unit, entry)? {
                        // A nested function is one of its own; the outer one goes on behind it, without being told.
                        if let Some((_, function)) = current.take() {
                            self.debug.functions.push(function);
                        }
                        let symbols = self.symbols.get(&address).cloned().unwrap_or_default();
                        let name = self.name(unit, entry, DEPTH).unwrap_or_default();
                        let no_call = entry
                            .attr(gimli::DW_AT_calling_convention)
                            .and_then(gimli::Attribute::udata_value)
                            .is_some_and(|value| value == NO_CALL);
                        current =
                            Some((depth, Function { symbols, name, inlined: BTreeSet::new(), no_call }));
                        chain.clear();
                    }
                }
                gimli::DW_TAG_inlined_subroutine => {
                    if let Some(name) = self.name(unit, entry, DEPTH) {
                        chain.push((depth, name));
                        if let Some((_, function)) = current.as_mut() {
                            function.inlined.insert(chain.iter().map(|(_, name)| name.clone()).collect());
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some((_, function)) = current {
            self.debug.functions.push(function);
        }
        Ok(())
    }

    /// Where a function's code begins, if it has any.
    fn entry_point(&self, unit: &Unit<'a>, entry: &Entry<'a>) -> gimli::Result<Option<u64>> {
        if let Some(value) = entry.attr_value(gimli::DW_AT_low_pc) {
            return self.dwarf.attr_address(unit, value);
        }
        if entry.attr_value(gimli::DW_AT_ranges).is_none() {
            return Ok(None);
        }
        // The first range holds the entry, the cold piece follows.
        Ok(self.dwarf.die_ranges(unit, entry)?.next()?.map(|range| range.begin))
    }

    fn written(&mut self, unit: &Unit<'a>, entry: &Entry<'a>) {
        if entry.attr(gimli::DW_AT_declaration).is_some() {
            return;
        }
        let number = |attribute| Self::number(unit, entry, attribute, DEPTH);
        let Some(name) = self.name(unit, entry, DEPTH) else { return };
        let Some(line) = number(gimli::DW_AT_decl_line) else { return };
        let Some(file) = self.file(unit, number(gimli::DW_AT_decl_file)) else { return };
        self.debug.written.push(Written { file, line, name });
    }

    /// A number of the entry's, or of the one that it is a copy or a definition of: a definition leaves out what its declaration said, if
    /// it is the same.
    fn number(unit: &Unit<'a>, entry: &Entry<'a>, attribute: gimli::DwAt, depth: usize) -> Option<u64> {
        let own = entry.attr(attribute).and_then(gimli::Attribute::udata_value);
        let origins = [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification].into_iter();
        own.or_else(|| {
            let depth = depth.checked_sub(1)?;
            origins.filter_map(|origin| entry.attr_value(origin)).find_map(|value| {
                let AttributeValue::UnitRef(offset) = value else { return None };
                Self::number(unit, &unit.entry(offset).ok()?, attribute, depth)
            })
        })
    }

    /// The path of a file of the unit's.
    fn file(&self, unit: &Unit<'a>, index: Option<u64>) -> Option<BString> {
        let program = unit.line_program.as_ref()?;
        let header = program.header();
        let file = header.file(index?)?;
        let name = self.dwarf.attr_string(unit, file.path_name()).ok()?;
        let mut path = BString::default();
        let push = |part: &[u8], path: &mut BString| {
            if part.starts_with(b"/") {
                path.clear();
            }
            if !path.is_empty() && !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        };
        if let Some(directory) = unit.comp_dir {
            push(directory.slice(), &mut path);
        }
        if let Some(directory) =
            file.directory(header).and_then(|value| self.dwarf.attr_string(unit, value).ok())
        {
            push(directory.slice(), &mut path);
        }
        push(name.slice(), &mut path);
        Some(path)
    }

    /// The linkage name or the name, of the entry or of the one that it is a copy or a definition of.
    fn name(&self, unit: &Unit<'a>, entry: &Entry<'a>, depth: usize) -> Option<BString> {
        let text = |attribute| {
            let value = entry.attr_value(attribute)?;
            self.dwarf.attr_string(unit, value).ok().map(|text| BString::from(text.slice()))
        };
        let linkage = text(gimli::DW_AT_linkage_name);
        if linkage.is_some() {
            return linkage;
        }
        for attribute in [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification] {
            if depth > 0
                && let Some(AttributeValue::UnitRef(offset)) = entry.attr_value(attribute)
                && let Ok(origin) = unit.entry(offset)
                && let Some(name) = self.name(unit, &origin, depth - 1)
            {
                return Some(name);
            }
        }
        text(gimli::DW_AT_name)
    }
}
