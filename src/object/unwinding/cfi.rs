//! Call-frame instructions. Source: DWARF 5, section 6.4.2, and what GNU adds to it.

use super::super::cursor::Cursor;

/// Whether a call-frame instruction moves the location: by how many units of the code's alignment, and where that stands.
pub enum Moves {
    /// By so many; their field stands at an offset in the section.
    By { units: u64, at: usize },
    /// It says something of the place where it stands.
    Not,
}

/// Reads one call-frame instruction of a file of so many bits; `None` where it is not known.
pub fn instruction(cursor: &mut Cursor<'_>, bits: u8) -> Option<Moves> {
    let start = cursor.at;
    let opcode = cursor.byte()?;
    match opcode >> 6 {
        1 => return Some(Moves::By { units: u64::from(opcode & 0x3f), at: start }),
        2 => return cursor.uleb().map(|_| Moves::Not),
        3 => return Some(Moves::Not),
        _ => {}
    }
    match opcode {
        0x00 | 0x0a | 0x0b | 0x2d => {}
        0x01 => drop(cursor.take(usize::from(bits / 8))?),
        0x02..=0x04 => {
            let units = cursor.unsigned(1 << (opcode - 2))?;
            return Some(Moves::By { units, at: start + 1 });
        }
        // DW_CFA_offset_extended, register, def_cfa, val_offset, GNU_negative_offset_extended
        0x05 | 0x09 | 0x0c | 0x14 | 0x2f => {
            cursor.uleb()?;
            cursor.uleb()?;
        }
        // restore_extended, undefined, same_value, def_cfa_register, def_cfa_offset, GNU_args_size
        0x06..=0x08 | 0x0d | 0x0e | 0x2e => drop(cursor.uleb()?),
        // def_cfa_expression, expression, val_expression
        0x0f | 0x10 | 0x16 => {
            if opcode != 0x0f {
                cursor.uleb()?;
            }
            let length = usize::try_from(cursor.uleb()?).ok()?;
            cursor.take(length)?;
        }
        // offset_extended_sf, def_cfa_sf, val_offset_sf; def_cfa_offset_sf has one operand
        0x11..=0x13 | 0x15 => {
            if opcode != 0x13 {
                cursor.uleb()?;
            }
            cursor.sleb()?;
        }
        _ => return None,
    }
    Some(Moves::Not)
}
