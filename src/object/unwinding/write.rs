//! Writes what an FDE says of a piece of a function: its rows and call sites by instruction number.

use super::super::closure::Closure;
use super::super::cursor::{Cursor, encoded_size};
use super::super::facts::Section;
use super::super::model::Model;
use super::super::places::Place;
use super::super::stream::{Write, unwinding as tag};
use super::cfi::{Moves, instruction};
use super::cie::parse_cie;
use super::fields::{distance, field, pointer, strays};
use super::{Frame, entry, lsda};

/// Writes one frame of a function; `None` where it is not understood.
pub fn write<'m, 'd>(
    model: &'m Model<'d>,
    section: &'m Section<'d>,
    frame: &Frame,
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let image = &model.facts.image;
    let (thing, piece) = (frame.thing as usize, frame.piece as usize);
    let (first, end) = frame.range.range();
    let cie_range = frame.cie.range();
    let cie = parse_cie(model, section, cie_range)?;
    let (_, _, id_at, _) = entry(section, first, image.little_endian)?;
    let size = encoded_size(cie.pointer_encoding, image.bits)?;
    let mut cursor = Cursor::new(section.data.get(..end)?, id_at + 4 + size, image.little_endian);
    let length_at = cursor.at;
    let length = cursor.unsigned(size)?;
    let number = |offset: u64, out: &mut Vec<u8>| {
        let (number, inside) = model.instruction_at(thing, piece, frame.start.wrapping_add(offset));
        out.number(number.into());
        out.number(inside.into());
    };

    out.byte(tag::CIE);
    out.blob(cie.head);
    out.blob(trim_nops(cie.tail));
    match cie.personality {
        Some((at, encoding)) => {
            closure.target(pointer(model, section, at, encoding)?, 0, out);
            field(model, section, at, encoded_size(encoding, image.bits)?, out);
        }
        None => out.byte(0),
    }
    let personality: Vec<usize> = cie.personality.iter().map(|(at, _)| *at).collect();
    strays(model, section, cie_range, &personality, None, closure, out);
    out.byte(tag::RANGE);
    number(0, out);
    let mut held = Vec::new();
    number(distance(model, section, length_at, length, &mut held), out);
    field(model, section, id_at + 4, size, out);
    out.extend(held);
    let mut lsda_at = None;
    let mut fields = vec![id_at + 4];
    if cie.augmented {
        let start = cursor.at;
        let length = usize::try_from(cursor.uleb()?).ok()?;
        // One byte, unless someone wrote the length at greater length.
        out.byte(tag::RAW);
        out.blob(section.data.get(start..cursor.at)?);
        let behind = cursor.at.checked_add(length)?;
        if let Some(encoding) = cie.lsda_encoding.filter(|e| *e != 0xff) {
            lsda_at = pointer(model, section, cursor.at, encoding);
            fields.push(cursor.at);
            out.byte(tag::FIELD);
            field(model, section, cursor.at, encoded_size(encoding, image.bits)?, out);
        }
        cursor.at = behind;
    }
    strays(model, section, (first, end), &fields, Some((thing, piece)), closure, out);
    if frame.stops {
        out.byte(tag::RAW);
        out.blob(&[0; 4]);
    }
    let mut location = 0_u64;
    let mut last = 0_u64;
    while cursor.at < end {
        let start = cursor.at;
        let advance = instruction(&mut cursor, image.bits)?;
        let bytes = section.data.get(start..cursor.at)?;
        match advance {
            Moves::By { units, at } => {
                let units = distance(model, section, at, units, out);
                if units == 0 {
                    // GCC moves by nothing at the start of a cold piece where it writes frames itself.
                    out.byte(tag::RAW);
                    out.blob(bytes);
                }
                location = location.wrapping_add(units.wrapping_mul(cie.code_align));
            }
            Moves::Not if bytes == [0] => {}
            Moves::Not => {
                out.byte(tag::CFI);
                last = location;
                number(location, out);
                out.blob(bytes);
            }
        }
    }
    if last != location {
        // A move that nothing follows.
        out.byte(tag::CFI);
        number(location, out);
        out.blob(b"");
    }
    if let Some(Place::Private(at, offset)) = lsda_at {
        lsda::write(model, (thing, piece, frame.start), (at, offset), closure, out);
    } else if let Some(place @ Place::Thing(..)) = lsda_at {
        out.byte(tag::TABLE);
        closure.target(place, 0, out);
    }
    Some(())
}

/// Takes off the no-operations that fill an entry up.
fn trim_nops(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().rev().take_while(|b| **b == 0).count();
    bytes.get(..bytes.len() - zeros).unwrap_or_default()
}
