//! DWARF sections of an object with their relocations applied: in a relocatable object, offsets of strings and addresses of
//! code are only there.

use std::borrow::Cow;
use std::cell::Cell;

use object::{Object, ObjectSection, RelocationKind, RelocationTarget};

/// What a relocation's symbol stands for: its address, or one that tells sections apart, which all begin at 0 in an object.
pub type Base<'f> = &'f dyn Fn(&object::Symbol<'_, '_>) -> u64;

/// How much longer than its bytes a compressed section may say that it is: deflate cannot do more, and no compiler's debug
/// information comes near. The size is reserved before a byte is read, so that a lie would be paid for in memory.
const MOST_EXPANDED: u64 = 1032;

/// So many times a file's bytes its sections may have when they are decompressed, and so many bytes more. Debug information is compressed to a tenth at best.
const UNPACKED: u64 = 64;
const UNPACKED_ALWAYS: u64 = 1 << 20;

/// How many more bytes of a file may be decompressed: its sections may lie on the same bytes.
#[derive(Debug)]
pub struct Room(Cell<u64>);

impl Room {
    /// The room of a whole file, which ends where its last section does.
    pub fn of(file: &object::File<'_>) -> Self {
        let read = file.sections().filter(|section| section.data().is_ok());
        let ends =
            read.filter_map(|section| section.file_range()).map(|(start, size)| start.saturating_add(size));
        Self(Cell::new(ends.max().unwrap_or(0).saturating_mul(UNPACKED).saturating_add(UNPACKED_ALWAYS)))
    }
}

/// A section's bytes, decompressed as far as there is `room`. Errors are lower-case fragments.
pub fn decompressed<'data>(
    section: &object::Section<'data, '_>,
    room: &Room,
) -> Result<Cow<'data, [u8]>, String> {
    let said = |error: object::Error| error.to_string().to_lowercase();
    let compressed = section.compressed_data().map_err(said)?;
    let most = (compressed.data.len() as u64).saturating_mul(MOST_EXPANDED);
    if compressed.format != object::CompressionFormat::None {
        if compressed.uncompressed_size > most {
            return Err(format!(
                "{} bytes cannot hold {}",
                compressed.data.len(),
                compressed.uncompressed_size
            ));
        }
        let Some(rest) = room.0.get().checked_sub(compressed.uncompressed_size) else {
            let name = section.name().unwrap_or_default();
            return Err(format!("with `{name}`, its sections come to more than {UNPACKED} times the file"));
        };
        room.0.set(rest);
    }
    compressed.decompress().map_err(said)
}

/// A section's bytes, decompressed as far as there is `room`, with its absolute relocations applied.
pub fn relocated<'data>(
    file: &object::File<'data>,
    section: &object::Section<'data, '_>,
    base: Base<'_>,
    room: &Room,
) -> Result<Cow<'data, [u8]>, String> {
    let mut data = decompressed(section, room)?;
    for (offset, relocation) in section.relocations() {
        let base = match relocation.target() {
            RelocationTarget::Symbol(index) => file.symbol_by_index(index).map_or(0, |symbol| base(&symbol)),
            RelocationTarget::Absolute => 0,
            _ => continue,
        };
        if relocation.kind() != RelocationKind::Absolute {
            continue;
        }
        let length = usize::from(relocation.size() / 8);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(field) = data.to_mut().get_mut(start..start.saturating_add(length)) else { continue };
        let mut value = base.wrapping_add(relocation.addend().cast_unsigned());
        if relocation.has_implicit_addend() {
            value = value.wrapping_add(number(field, file.is_little_endian()));
        }
        let bytes = value.to_le_bytes();
        for (index, byte) in bytes.iter().take(length).enumerate() {
            let at = if file.is_little_endian() { index } else { length - 1 - index };
            if let Some(place) = field.get_mut(at) {
                *place = *byte;
            }
        }
    }
    Ok(data)
}

fn number(field: &[u8], little: bool) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if little { field.iter().rev().fold(0, add) } else { field.iter().fold(0, add) }
}
