//! What an object's debug information tells of the compile it came from: directory, source, files with code or declarations.

use std::borrow::Cow;

use bstr::BString;
use gimli::{AttributeValue, DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use object::{Object, ObjectSymbol};

use super::dwarf;

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// What is told; empty where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Working directory of the compile (`DW_AT_comp_dir`); a prefix map of the compiler's may have changed it.
    pub directory: Option<BString>,
    /// The source as the call named it (`DW_AT_name`).
    pub source: Option<BString>,
    /// Compiler and options as they stand there (`DW_AT_producer`).
    pub producer: Option<BString>,
    /// Files of the line table, relative to `directory`. Files that gave neither code nor a declaration in use are not there.
    pub files: Vec<BString>,
}

/// Reads the first unit of an object. An object of several (`ld -r`) has no single origin, and gives nothing. Errors are fragments.
pub fn read(object: &[u8]) -> Result<Origin, String> {
    let file = object::File::parse(object).map_err(|error| error.to_string().to_lowercase())?;
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let unpacked = dwarf::Room::of(&file);
    let sections = DwarfSections::load(|id: SectionId| {
        let wanted = matches!(
            id,
            SectionId::DebugInfo
                | SectionId::DebugAbbrev
                | SectionId::DebugLine
                | SectionId::DebugStr
                | SectionId::DebugLineStr
                | SectionId::DebugStrOffsets
        );
        let section = file.section_by_name(id.name()).filter(|_| wanted);
        section.map_or(Ok(Cow::Borrowed(&[][..])), |section| {
            dwarf::relocated(&file, &section, &|symbol| symbol.address(), &unpacked)
        })
    })?;
    let dwarf = sections.borrow(|data| EndianSlice::new(data, endian));
    let said = |error: gimli::Error| error.to_string().to_lowercase();
    let mut origin = Origin::default();
    let mut headers = dwarf.units();
    let mut units = 0;
    while let Some(header) = headers.next().map_err(said)? {
        let unit = dwarf.unit(header).map_err(said)?;
        let mut entries = unit.entries();
        let Some(root) = entries.next_dfs().map_err(said)? else { continue };
        if root.tag() != gimli::DW_TAG_compile_unit {
            continue; // types shared among units
        }
        units += 1;
        if units > 1 {
            return Ok(Origin::default());
        }
        let text = |attribute| {
            let value = root.attr_value(attribute)?;
            dwarf.attr_string(&unit, value).ok().map(|text| BString::from(text.slice()))
        };
        origin.directory = text(gimli::DW_AT_comp_dir);
        origin.source = text(gimli::DW_AT_name);
        origin.producer = text(gimli::DW_AT_producer);
        origin.files = files(&dwarf, &unit);
    }
    Ok(origin)
}

fn files<'a>(dwarf: &gimli::Dwarf<Slice<'a>>, unit: &gimli::Unit<Slice<'a>>) -> Vec<BString> {
    let Some(program) = unit.line_program.as_ref() else { return Vec::new() };
    let header = program.header();
    let text =
        |value: AttributeValue<Slice<'a>>| dwarf.attr_string(unit, value).ok().map(|text| text.slice());
    let mut files: Vec<BString> = Vec::new();
    for file in header.file_names() {
        let Some(name) = text(file.path_name()) else { continue };
        let mut path = BString::default();
        // Directory 0 is the compile's own.
        if !name.starts_with(b"/")
            && file.directory_index() != 0
            && let Some(directory) = file.directory(header).and_then(text)
        {
            path.extend_from_slice(directory);
            path.push(b'/');
        }
        path.extend_from_slice(name);
        if !name.is_empty() && !name.starts_with(b"<") && !files.contains(&path) {
            files.push(path);
        }
    }
    files
}
