//! What an object or linked file says itself about how it was built: the flags in `DW_AT_producer`, which GCC
//! writes under `-g`, and in `.GCC.command.line`, which it writes under `-frecord-gcc-switches`.
//!
//! Absence speaks only where flags were written at all: a producer without any flag (`-gno-record-gcc-switches`) leaves
//! the state unknown, and is never taken for "without". Nor is a text that names no compiler known here taken for a foreign
//! compiler's: what was misread must not pass for something that need not be looked at.
//!
//! Debug information may lie in another file: a `.dwo` ([`Beside::Split`]), what `dwz` shares ([`Beside::Shared`]), what
//! was stripped ([`Beside::Stripped`]). Such a file comes in through a reader, and counts only if it is of the same build.

mod beside;
mod debug_information;

use bstr::{BString, ByteSlice};
use object::Object;

use crate::object::dwarf;
use crate::store::Identity;
use crate::store::record::Family;

pub use beside::{Beside, Reader};

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
/// Evidence: debug information in a `.dwo`.
pub const SPLIT: &str = "DW_AT_producer in the .dwo";
/// Evidence: debug information that was stripped into a file of its own.
pub const STRIPPED: &str = "DW_AT_producer in the debug file";
/// Evidence: recorded switches.
pub const SWITCHES: &str = ".GCC.command.line";
/// Evidence: a record in the store.
pub const RECORD: &str = "record";
/// No evidence.
pub const NOTHING: &str = "nothing";

/// Reads `file`, a relocatable object, a linked file or one that holds only debug information; `reader` gives the files that
/// its debug information lies in besides.
pub fn built(file: &[u8], reader: Reader<'_>) -> Result<Built, String> {
    let file = object::File::parse(file).map_err(|error| error.to_string().to_lowercase())?;
    let mut built = Built::default();
    debug_information::read(&file, reader, &mut built);
    let told = built.units.iter().any(|unit| unit.producer.is_some());
    if !told && let Some(section) = file.section_by_name(SWITCHES) {
        match dwarf::decompressed(&section, &dwarf::Room::of(&file)) {
            Ok(data) => {
                built.units.clear();
                switches(&data, &mut built);
            }
            Err(error) => built.notes.push(format!("`{SWITCHES}`: {error}")),
        }
    }
    if built.units.is_empty() {
        stripped(&file, reader, &mut built);
    }
    Ok(built)
}

/// What a file tells whose debug information was stripped from this one.
fn stripped(file: &object::File<'_>, reader: Reader<'_>, built: &mut Built) {
    let build_id = file.build_id().ok().flatten().unwrap_or_default();
    let Ok(Some((name, crc))) = file.gnu_debuglink() else {
        if !build_id.is_empty()
            && let Some(bytes) = reader(&Beside::Stripped { name: b"", crc: 0, build_id })
            && let Ok(debug) = object::File::parse(bytes.as_slice())
        {
            in_debug_file(&debug, reader, built);
        }
        return;
    };
    match reader(&Beside::Stripped { name, crc, build_id }) {
        Some(bytes) => match object::File::parse(bytes.as_slice()) {
            Ok(debug) => in_debug_file(&debug, reader, built),
            Err(error) => built.notes.push(format!("`{}`: {error}", name.as_bstr())),
        },
        None => built
            .notes
            .push(format!("its debug information was stripped into `{}`, which is not here", name.as_bstr())),
    }
}

fn in_debug_file(debug: &object::File<'_>, reader: Reader<'_>, built: &mut Built) {
    debug_information::read(debug, reader, built);
    for unit in built.units.iter_mut().filter(|unit| unit.evidence == DWARF) {
        unit.evidence = STRIPPED;
    }
}

/// What the record of a unit tells.
pub fn recorded(identity: &Identity) -> Built {
    let state = match (&identity.decision.live_patching, identity.compiler.family) {
        (Some(level), _) => State::Level(level.clone()),
        (None, Family::Gcc) => State::Without,
        (None, Family::Clang) => State::Foreign,
        (None, Family::Unknown) => State::Unknown,
    };
    let producer = format!("{} {}", identity.compiler.family.as_str(), identity.compiler.version);
    let unit = BuiltUnit {
        name: Some(identity.unit.source.clone()),
        state,
        producer: Some(producer.into()),
        evidence: RECORD,
    };
    Built { units: vec![unit], notes: Vec::new() }
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

/// What the producers of other compilers and assemblers hold: sorted.
const FOREIGN: [&str; 14] = [
    "Arm C/C++",
    "Free Pascal",
    "Go cmd/compile",
    "Intel(R)",
    "LDC",
    "LLVM",
    "NASM",
    "NVIDIA",
    "OCaml",
    "The Glorious Glasgow Haskell",
    "clang",
    "rustc",
    "yasm",
    "zig",
];

/// The state that a producer's text tells.
fn state_of(producer: &[u8]) -> State {
    let Some(rest) = producer.strip_prefix(b"GNU ") else {
        let foreign = FOREIGN.iter().any(|name| producer.contains_str(name));
        return if foreign { State::Foreign } else { State::Unknown };
    };
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
            ("clang LLVM (rustc version 1.63.0)", State::Foreign),
            ("au", State::Unknown),
            ("", State::Unknown),
        ] {
            assert_eq!(state_of(producer.as_bytes()), state, "{producer}");
        }
        let mut built = Built::default();
        switches(b"-O2\0-flive-patching=inline-clone\0-g\0", &mut built);
        assert_eq!(built.units[0].state, level("inline-clone"));
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(built(b"", &mut |_| None).is_err() && built(b"\x7fELF", &mut |_| None).is_err());
        assert!(FOREIGN.is_sorted());
    }
}
