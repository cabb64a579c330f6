//! Entries of an `attributes` stream in the words of symbol tables.

use bstr::ByteSlice;

use super::super::stream::{Reader, attribute};

fn symbol_entry(word: &str, reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.blob()?.to_str_lossy().into_owned();
    let (binding, visibility, kind) = (reader.byte()?, reader.byte()?, reader.byte()?);
    Some(format!(
        "{word} {name} ({}, {}, {})",
        binding_word(binding),
        visibility_word(visibility),
        type_word(kind)
    ))
}

/// A number, and the distance from there if there is one.
fn position(reader: &mut Reader<'_>) -> Option<String> {
    let (at, into) = (reader.number()?, reader.number()?);
    Some(if into == 0 { at.to_string() } else { format!("{at}+{into}") })
}

/// The text of one entry.
pub(super) fn entry(reader: &mut Reader<'_>) -> Option<String> {
    Some(match reader.byte()? {
        attribute::SECTION => format!("section {}", reader.blob()?.to_str_lossy()),
        attribute::COLD => {
            let piece = symbol_entry("cold", reader)?;
            match reader.number()?.cast_signed() {
                0 => piece,
                odd => format!("{piece}, size off by {odd}"),
            }
        }
        attribute::GROUP => format!("group {}", reader.blob()?.to_str_lossy()),
        attribute::BINDING => format!("binding {}", binding_word(reader.byte()?)),
        attribute::VISIBILITY => format!("visibility {}", visibility_word(reader.byte()?)),
        attribute::TYPE => format!("type {}", type_word(reader.byte()?)),
        attribute::ALIAS => symbol_entry("alias", reader)?,
        attribute::LABEL => {
            let label = symbol_entry("label", reader)?;
            format!("{label} at {}", position(reader)?)
        }
        attribute::INSIDE => {
            let outer = reader.blob()?.to_str_lossy().into_owned();
            format!("inside {outer} at {}", position(reader)?)
        }
        attribute::HOOK => {
            let mut inner = Reader::new(reader.blob()?);
            match inner.byte()? {
                1 => "hook fentry".into(),
                2 => "hook mcount".into(),
                _ => format!("hook patchable {} before, {} after", inner.number()?, inner.number()?),
            }
        }
        attribute::NEEDS => format!("needs {}", super::target(reader)?.text),
        attribute::SIZE => format!("size {}", reader.number()?),
        attribute::ALIGNMENT => format!("alignment {}", reader.number()?),
        attribute::SECTION_TYPE => format!("section type {}", reader.number()?),
        attribute::SECTION_FLAGS => format!("section flags {:#x}", reader.number()?),
        attribute::ENTRY_SIZE => format!("entry size {}", reader.number()?),
        attribute::VALUE => format!("value {:#x}", reader.number()?),
        _ => return None,
    })
}

fn binding_word(binding: u8) -> String {
    match binding {
        0 => "local".into(),
        1 => "global".into(),
        2 => "weak".into(),
        10 => "unique".into(),
        n => n.to_string(),
    }
}

fn visibility_word(other: u8) -> String {
    match other {
        0 => "default".into(),
        1 => "internal".into(),
        2 => "hidden".into(),
        3 => "protected".into(),
        n => format!("{n:#x}"),
    }
}

fn type_word(kind: u8) -> String {
    match kind {
        0 => "notype".into(),
        1 => "object".into(),
        2 => "function".into(),
        6 => "tls".into(),
        10 => "ifunc".into(),
        n => n.to_string(),
    }
}
