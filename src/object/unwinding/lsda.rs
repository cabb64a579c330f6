//! `.gcc_except_table`: what a function does when an exception passes through it.
//!
//! Source: the Itanium C++ ABI's exception handling tables, as GCC and LLVM emit them. Call sites are distances
//! in bytes from the start of the function, so they are written as instruction numbers; the types that a
//! handler catches are written as what their pointers mean. A change of type alone (`catch (int)` to
//! `catch (long)`) shows nowhere else.

use bstr::ByteSlice;

use super::super::closure::Closure;
use super::super::cursor::{Cursor, encoded_size};
use super::super::facts::Section;
use super::super::model::Model;
use super::super::places::Place;
use super::super::private::Extent;
use super::super::stream::{Write, unwinding as tag};
use super::fields::{distance, field, function_at, pointer, strays};

/// `DW_EH_PE_omit`.
const OMIT: u8 = 0xff;

/// What GCC and LLVM align the type table to.
const TYPES_ALIGNMENT: usize = 4;

/// The function piece that a table serves: thing, piece, where its FDE begins.
pub type Served = (usize, usize, u64);

/// Writes the table at (section, offset).
pub fn write<'m, 'd>(
    model: &'m Model<'d>,
    served: Served,
    (index, offset): (usize, i64),
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) {
    let Some(section) = model.section(index) else { return };
    let Ok(start) = usize::try_from(offset) else { return };
    if write_known(model, served, (index, start), closure, out) {
        return;
    }
    // Not understood: all bytes up to the section's end, with their references.
    out.byte(tag::RAW);
    let mut bytes = Vec::new();
    closure.bytes(section, start as u64, section.size, &mut bytes);
    out.blob(&bytes);
    closure.covered.push((index, start as u64, section.size));
}

/// Writes the table at (section, offset), if it is understood; tells whether it was.
pub fn write_known<'m, 'd>(
    model: &'m Model<'d>,
    served: Served,
    (index, start): (usize, usize),
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) -> bool {
    let Some(section) = model.section(index) else { return false };
    let mut written = Vec::new();
    let Some(ends) = table(model, section, served, start, closure, &mut written) else { return false };
    out.extend(written);
    let end = ends.iter().map(|range| range.1).max().unwrap_or(start) as u64;
    let all = Extent { section: index, start: start as u64, end, string: false };
    out.byte(tag::NAMES);
    closure.sized_names(&all, out);
    closure.covered.extend(ends.into_iter().map(|(from, to)| (index, from as u64, to as u64)));
    true
}

/// The ranges that were read, or `None` where the table is not one.
fn table<'m, 'd>(
    model: &'m Model<'d>,
    section: &'m Section<'d>,
    (thing, piece, base): Served,
    start: usize,
    closure: &mut Closure<'m, 'd>,
    out: &mut Vec<u8>,
) -> Option<Vec<(usize, usize)>> {
    let little = model.facts.image.little_endian;
    let bits = model.facts.image.bits;
    let mut cursor = Cursor::new(section.data, start, little);
    let start_encoding = cursor.byte()?;
    let mut landing_base = (thing, piece, base);
    if start_encoding != OMIT {
        let at = cursor.at;
        cursor.take(encoded_size(start_encoding, bits)?)?;
        landing_base = match pointer(model, section, at, start_encoding)? {
            Place::Absolute(0) => (thing, piece, 0),
            place => function_at(model, place)?,
        };
    }
    let type_encoding = cursor.byte()?;
    let types_at = if type_encoding == OMIT {
        None
    } else {
        let distance = usize::try_from(cursor.uleb()?).ok()?;
        Some(cursor.at.checked_add(distance)?)
    };
    let site_encoding = cursor.byte()?;
    let sites_length = usize::try_from(cursor.uleb()?).ok()?;
    let sites_end = cursor.at.checked_add(sites_length)?;
    let number = |(thing, piece, base): Served, offset: u64, out: &mut Vec<u8>| {
        let (number, inside) = model.instruction_at(thing, piece, base.wrapping_add(offset));
        out.number(number.into());
        out.number(inside.into());
    };
    out.byte(tag::HEAD);
    out.extend([start_encoding, type_encoding, site_encoding]);
    let mut last_action = 0;
    while cursor.at < sites_end {
        let mut field = || site_field(model, section, &mut cursor, site_encoding, out);
        let (from, length, landing) = (field()?, field()?, field()?);
        let action = cursor.uleb()?;
        last_action = last_action.max(action);
        out.byte(tag::CALL_SITE);
        number((thing, piece, base), from, out);
        number((thing, piece, base), from.wrapping_add(length), out);
        out.byte(u8::from(landing != 0));
        if landing != 0 {
            number(landing_base, landing, out);
        }
        out.number(action);
    }
    let actions = Some(cursor.at).filter(|at| *at == sites_end)?;
    let (actions_end, filters) = actions_from(section, actions, last_action, little)?;
    out.byte(tag::SPECIFICATION);
    out.number(0);
    out.blob(section.data.get(actions..actions_end)?);
    let mut ranges = vec![(start, actions_end)];
    let mut fields: Vec<usize> = (start_encoding != OMIT).then_some(start + 1).into_iter().collect();
    let Some(types_at) = types_at else {
        strays(model, section, (start, actions_end), &fields, None, closure, out);
        return Some(ranges);
    };

    let size = encoded_size(type_encoding, bits)?;
    let most = usize::try_from(filters.iter().copied().max().unwrap_or(0).max(0)).ok()?;
    // Exception specifications lie behind the types, each a list of types ended by 0.
    let mut end = types_at;
    let mut specified = 0;
    for filter in filters.iter().filter(|f| **f < 0) {
        let from = types_at.checked_add(usize::try_from(-1 - filter).ok()?)?;
        let mut list = Cursor::new(section.data, from, little);
        loop {
            match list.uleb()? {
                0 => break,
                index => specified = specified.max(usize::try_from(index).ok()?),
            }
        }
        out.byte(tag::SPECIFICATION);
        out.number(filter.unsigned_abs());
        out.blob(section.data.get(from..list.at)?);
        ranges.push((from, list.at));
        end = end.max(list.at);
    }
    let count = most.max(specified);
    let first = types_at.checked_sub(count.checked_mul(size)?)?;
    if first < actions_end || types_at > section.data.len() {
        return None;
    }
    for index in 1..=count {
        let at = types_at - index * size;
        out.byte(tag::TYPE);
        out.number(index as u64);
        closure.target(pointer(model, section, at, type_encoding)?, 0, out);
        field(model, section, at, size, out);
        fields.push(at);
    }
    ranges.push((first, types_at));
    if unused(section, actions_end, first, out)? {
        ranges.push((actions_end, first));
    }
    strays(model, section, (start, end), &fields, None, closure, out);
    Some(ranges)
}

/// Writes what stands between the actions and the types in use, if it is more than fill up to an even place; tells
/// whether it is. A function in two pieces has two tables, and each repeats all actions and types of both: some are led
/// to by no call site of this piece.
fn unused(section: &Section<'_>, start: usize, end: usize, out: &mut Vec<u8>) -> Option<bool> {
    let bytes = section.data.get(start..end)?.trim_with(|c| c == '\0');
    let even = i64::try_from(start.next_multiple_of(TYPES_ALIGNMENT)).ok()?;
    let behind_fill = i64::try_from(end).ok()? - even;
    let is_more = !bytes.is_empty() || behind_fill != 0;
    if is_more {
        out.byte(tag::UNUSED);
        out.signed(behind_fill);
        out.blob(bytes);
    }
    Some(is_more)
}

/// Reads a distance of a call site; where relocations make another of it than it holds, writes what it holds.
fn site_field(
    model: &Model<'_>,
    section: &Section<'_>,
    cursor: &mut Cursor<'_>,
    encoding: u8,
    out: &mut Vec<u8>,
) -> Option<u64> {
    let at = cursor.at;
    let size = encoded_size(encoding, model.facts.image.bits);
    let held = if encoding & 0x0f == 1 { cursor.uleb() } else { cursor.unsigned(size?) }?;
    Some(distance(model, section, at, held, out))
}

/// Where the action table ends, and all filters in it that some call site can reach.
fn actions_from(section: &Section<'_>, start: usize, last: u64, little: bool) -> Option<(usize, Vec<i64>)> {
    let mut end = start;
    let mut filters = Vec::new();
    if last == 0 {
        return Some((end, filters));
    }
    // Records follow each other: reading on from the first passes all that precede the last one named, and
    // chains only lead to records that exist.
    let stop = start.checked_add(usize::try_from(last - 1).ok()?)?;
    let mut cursor = Cursor::new(section.data, start, little);
    while cursor.at <= stop {
        filters.push(cursor.sleb()?);
        cursor.sleb()?;
        end = cursor.at;
    }
    Some((end, filters))
}
