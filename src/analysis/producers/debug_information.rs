//! The units of a file's debug information, wherever it lies.

use std::borrow::Cow;

use bstr::{BString, ByteSlice};
use gimli::{DwarfFileType, DwarfSections, DwoId, EndianSlice, RunTimeEndian, SectionId};
use object::{Object, ObjectSymbol};

use crate::object::dwarf;

use super::{Beside, Built, BuiltUnit, DWARF, NOTHING, Reader, SPLIT, State, state_of};

type Bytes<'a> = EndianSlice<'a, RunTimeEndian>;
type Dwarf<'a> = gimli::Dwarf<Bytes<'a>>;
type Unit<'a> = gimli::Unit<Bytes<'a>>;
type Entry<'a> = gimli::DebuggingInformationEntry<Bytes<'a>>;

/// Adds the units of `file`, of `.debug_info` and of `.debug_info.dwo`.
pub fn read(file: &object::File<'_>, reader: Reader<'_>, built: &mut Built) {
    for kind in [DwarfFileType::Main, DwarfFileType::Dwo] {
        if let Err(error) = units(file, kind, reader, built) {
            built.notes.push(format!("debug information: {error}"));
        }
    }
}

fn units(
    file: &object::File<'_>,
    kind: DwarfFileType,
    reader: Reader<'_>,
    built: &mut Built,
) -> Result<(), String> {
    if !has_units(file, kind) {
        return Ok(());
    }
    let sections = load(file, kind)?;
    let mut dwarf = sections.borrow(|data| EndianSlice::new(data, endian(file)));
    dwarf.file_type = kind;
    // What `dwz` took out of several files into one.
    let shared = file.gnu_debugaltlink().ok().flatten();
    let bytes = shared.and_then(|(name, build_id)| reader(&Beside::Shared { name, build_id }));
    let other = bytes.as_deref().and_then(|bytes| object::File::parse(bytes).ok());
    let other_sections = other.as_ref().map(|other| load(other, DwarfFileType::Main)).transpose()?;
    if let Some(sections) = &other_sections {
        dwarf.set_sup(sections.borrow(|data| EndianSlice::new(data, endian(file))));
    } else if let Some((name, _)) = shared {
        built.notes.push(format!(
            "part of its debug information is shared in `{}`, which is not here",
            name.as_bstr()
        ));
    }
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().map_err(said)? {
        let unit = dwarf.unit(header).map_err(said)?;
        let mut entries = unit.entries();
        let Some(root) = entries.next_dfs().map_err(said)? else { continue };
        match root.tag() {
            gimli::DW_TAG_compile_unit | gimli::DW_TAG_skeleton_unit => {}
            // A part that others import is no unit of its own.
            _ => continue,
        }
        match unit.dwo_name().map_err(said)? {
            Some(name) if kind == DwarfFileType::Main => {
                let name = dwarf.attr_string(&unit, name).map_err(said)?;
                split(&unit, name.slice(), reader, built);
            }
            _ => built.units.push(about(&dwarf, &unit, root, DWARF)),
        }
    }
    Ok(())
}

/// The unit that a skeleton stands for, out of its `.dwo`.
fn split(skeleton: &Unit<'_>, name: &[u8], reader: Reader<'_>, built: &mut Built) {
    let directory = skeleton.comp_dir.as_ref().map(EndianSlice::slice);
    let found = reader(&Beside::Split { directory, name });
    let told = found.as_deref().map(|bytes| in_split(bytes, skeleton.dwo_id));
    let why = match told {
        Some(Ok(Some(unit))) => return built.units.push(unit),
        Some(Ok(None)) => format!("`{}` is not the split debug information of this build", name.as_bstr()),
        Some(Err(error)) => format!("`{}`: {error}", name.as_bstr()),
        None => format!("its split debug information, `{}`, is not here", name.as_bstr()),
    };
    built.notes.push(why);
    let name = skeleton.name.as_ref().map(|name| BString::from(name.slice()));
    built.units.push(BuiltUnit { name, state: State::Unknown, producer: None, evidence: NOTHING });
}

fn in_split(bytes: &[u8], id: Option<DwoId>) -> Result<Option<BuiltUnit>, String> {
    let file = object::File::parse(bytes).map_err(|error| error.to_string().to_lowercase())?;
    let sections = load(&file, DwarfFileType::Dwo)?;
    let mut dwarf = sections.borrow(|data| EndianSlice::new(data, endian(&file)));
    dwarf.file_type = DwarfFileType::Dwo;
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().map_err(said)? {
        let unit = dwarf.unit(header).map_err(said)?;
        let mut entries = unit.entries();
        let Some(root) = entries.next_dfs().map_err(said)? else { continue };
        if root.tag() == gimli::DW_TAG_compile_unit && unit.dwo_id == id {
            return Ok(Some(about(&dwarf, &unit, root, SPLIT)));
        }
    }
    Ok(None)
}

fn about(dwarf: &Dwarf<'_>, unit: &Unit<'_>, root: &Entry<'_>, evidence: &'static str) -> BuiltUnit {
    let text = |attribute| {
        let value = root.attr_value(attribute)?;
        dwarf.attr_string(unit, value).ok().map(|text| BString::from(text.slice()))
    };
    let producer = text(gimli::DW_AT_producer);
    BuiltUnit {
        name: text(gimli::DW_AT_name),
        state: producer.as_ref().map_or(State::Unknown, |producer| state_of(producer)),
        evidence: if producer.is_some() { evidence } else { NOTHING },
        producer,
    }
}

fn section_name(id: SectionId, kind: DwarfFileType) -> Option<&'static str> {
    match kind {
        DwarfFileType::Dwo => id.dwo_name(),
        DwarfFileType::Main => Some(id.name()),
    }
}

fn has_units(file: &object::File<'_>, kind: DwarfFileType) -> bool {
    section_name(SectionId::DebugInfo, kind).is_some_and(|name| file.section_by_name(name).is_some())
}

fn load<'data>(
    file: &object::File<'data>,
    kind: DwarfFileType,
) -> Result<DwarfSections<Cow<'data, [u8]>>, String> {
    let room = dwarf::Room::of(file);
    DwarfSections::load(|id| -> Result<Cow<'data, [u8]>, String> {
        let section = section_name(id, kind).and_then(|name| file.section_by_name(name));
        section.map_or(Ok(Cow::Borrowed(&[][..])), |section| {
            dwarf::relocated(file, &section, &|symbol| symbol.address(), &room)
        })
    })
}

fn endian(file: &object::File<'_>) -> RunTimeEndian {
    if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}

fn said(error: gimli::Error) -> String {
    error.to_string().to_lowercase()
}
