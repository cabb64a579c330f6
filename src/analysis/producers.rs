//! What an object or linked file says itself about how it was built: the flags in `DW_AT_producer`, which GCC
//! writes under `-g`, and in `.GCC.command.line`, which it writes under `-frecord-gcc-switches`.
//!
//! Absence speaks only where flags were written at all: a producer without any flag (`-gno-record-gcc-switches`) leaves
//! the state unknown, and is never taken for "without".

use std::borrow::Cow;

use bstr::{BString, ByteSlice};
use gimli::{EndianSlice, RunTimeEndian, SectionId};
use object::{Object, ObjectSection, ObjectSymbol};

use crate::object::dwarf;

/// The state of the flag in one unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Compiled with this level.
    Level(String),
    /// Compiled by GCC without the flag.
    Without,
    /// Not a matter of the flag: another compiler, assembler.
    Foreign,
    /// Nothing tells.
    Unknown,
}

impl State {
    /// The word used in output: the level, `none`, `foreign` or `unknown`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Level(level) => level,
            Self::Without => "none",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltUnit {
    /// Its source, where that is told.
    pub name: Option<BString>,
    /// The state of the flag.
    pub state: State,
    /// Compiler and flags as they stand there.
    pub producer: Option<BString>,
    /// Where that was read.
    pub evidence: &'static str,
}

/// What is known of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Built {
    /// Its units.
    pub units: Vec<BuiltUnit>,
    /// What could not be read, as lower-case fragments.
    pub notes: Vec<String>,
}

/// Evidence: debug information.
pub const DWARF: &str = "DW_AT_producer";
/// Evidence: recorded switches.
pub const SWITCHES: &str = ".GCC.command.line";

/// Reads `file`, a relocatable object, a linked file or one that holds only debug information.
pub fn built(file: &[u8]) -> Result<Built, String> {
    let file = object::File::parse(file).map_err(|error| error.to_string().to_lowercase())?;
    let mut built = Built::default();
    for dwo in [false, true] {
        if let Err(error) = debug_information(&file, dwo, &mut built) {
            built.notes.push(format!("debug information: {error}"));
        }
    }
    if built.units.is_empty()
        && let Some(section) = file.section_by_name(SWITCHES)
    {
        match section.uncompressed_data() {
            Ok(data) => switches(&data, &mut built),
            Err(error) => built.notes.push(format!("`{SWITCHES}`: {error}")),
        }
    }
    Ok(built)
}

/// The units of `.debug_info`, or of `.debug_info.dwo`.
fn debug_information(file: &object::File<'_>, dwo: bool, built: &mut Built) -> Result<(), String> {
    let name = |id: SectionId| if dwo { id.dwo_name() } else { Some(id.name()) };
    let present = name(SectionId::DebugInfo).is_some_and(|name| file.section_by_name(name).is_some());
    if !present {
        return Ok(());
    }
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let load = |id: SectionId| -> Result<Cow<'_, [u8]>, String> {
        let section = name(id).and_then(|name| file.section_by_name(name));
        section.map_or(Ok(Cow::Borrowed(&[][..])), |section| {
            dwarf::relocated(file, &section, &|symbol| symbol.address())
        })
    };
    let sections = gimli::DwarfSections::load(load)?;
    let dwarf = sections.borrow(|data| EndianSlice::new(data, endian));
    let said = |error: gimli::Error| error.to_string().to_lowercase();
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().map_err(said)? {
        // A part that others import is no unit of its own.
        let unit = dwarf.unit(header).map_err(said)?;
        let mut entries = unit.entries();
        let Some(root) = entries.next_dfs().map_err(said)? else { continue };
        if root.tag() != gimli::DW_TAG_compile_unit {
            continue;
        }
        let text = |attribute| {
            let value = root.attr_value(attribute)?;
            dwarf.attr_string(&unit, value).ok().map(|text| BString::from(text.slice()))
        };
        let producer = text(gimli::DW_AT_producer);
        built.units.push(BuiltUnit {
            name: text(gimli::DW_AT_name),
            state: producer.as_ref().map_or(State::Unknown, |producer| state_of(producer)),
            producer,
            evidence: DWARF,
        });
    }
    Ok(())
}

/// Since GCC 11 one string a unit; before, one string an option, which after a link belong to nobody.
fn switches(data: &[u8], built: &mut Built) {
    let strings: Vec<&[u8]> = data.split_str("\0").filter(|text| !text.is_empty()).collect();
    let whole = |text: &&[u8]| text.starts_with(b"GNU ") || text.contains_str(" version ");
    if strings.iter().any(whole) {
        built.units.extend(strings.iter().filter(|text| whole(text)).map(|text| BuiltUnit {
            name: None,
            state: state_of(text),
            producer: Some(BString::from(*text)),
            evidence: SWITCHES,
        }));
    } else if !strings.is_empty() {
        let line = bstr::join(" ", &strings);
        let state = level(&line).map_or(State::Without, State::Level);
        built.units.push(BuiltUnit { name: None, state, producer: Some(line.into()), evidence: SWITCHES });
    }
}

/// The state that a producer's text tells.
fn state_of(producer: &[u8]) -> State {
    let Some(rest) = producer.strip_prefix(b"GNU ") else { return State::Foreign };
    // `GNU C17`, `GNU C++14`, `GNU GIMPLE`, `GNU Fortran2008`, `GNU AS`.
    let language = rest.split_str(" ").next().unwrap_or_default();
    if language == b"AS" {
        return State::Foreign;
    }
    if let Some(level) = level(producer) {
        return State::Level(level);
    }
    if producer.contains_str(" -") { State::Without } else { State::Unknown }
}

/// The last level among the words of a command line.
fn level(line: &[u8]) -> Option<String> {
    let level = |word: &[u8]| match word.strip_prefix(b"-flive-patching")? {
        b"" => Some("inline-clone".to_owned()),
        value => Some(value.strip_prefix(b"=")?.to_str_lossy().into_owned()),
    };
    line.split_str(" ").filter_map(level).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_producers_tell() {
        let level = |level: &str| State::Level(level.to_owned());
        for (producer, state) in [
            ("GNU C17 12.2.0 -mtune=generic -g -flive-patching=inline-clone", level("inline-clone")),
            (
                "GNU C11 9.3.0 -O2 -flive-patching -flive-patching=inline-only-static",
                level("inline-only-static"),
            ),
            ("GNU C++17 12.2.0 -O2 -flive-patching", level("inline-clone")),
            ("GNU C17 12.2.0 -mtune=generic -g", State::Without),
            ("GNU C17 12.2.0", State::Unknown),
            ("GNU AS 2.40", State::Foreign),
            ("Debian clang version 14.0.6", State::Foreign),
        ] {
            assert_eq!(state_of(producer.as_bytes()), state, "{producer}");
        }
        let mut built = Built::default();
        switches(b"-O2\0-flive-patching=inline-clone\0-g\0", &mut built);
        assert_eq!(built.units[0].state, level("inline-clone"));
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(built(b"").is_err() && built(b"\x7fELF").is_err());
    }
}
