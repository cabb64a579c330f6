//! Common information entries: what the frames of several functions have in common.

use super::super::cursor::{Cursor, encoded_size};
use super::super::facts::Section;
use super::super::model::Model;
use super::entry;

/// A CIE, taken apart.
pub struct Cie<'b> {
    /// Its bytes up to the personality's field, or all, the length and the id aside.
    pub head: &'b [u8],
    /// What advances count in.
    pub code_align: u64,
    /// Encoding of the pointer to the exception table, where frames have one.
    pub lsda_encoding: Option<u8>,
    /// Encoding of a frame's first place.
    pub pointer_encoding: u8,
    /// Whether frames say how long their augmentation is.
    pub augmented: bool,
    /// Where the personality's field lies in the section, and its encoding.
    pub personality: Option<(usize, u8)>,
    /// The bytes behind that field.
    pub tail: &'b [u8],
}

/// The longest CIE that is understood, in bytes: each function that it serves repeats it, and compilers write some 30.
const LONGEST_CIE: usize = 256;

/// Takes the CIE apart that lies in this range; `None` where it is not understood.
pub fn parse_cie<'b>(model: &Model<'_>, section: &Section<'b>, range: (usize, usize)) -> Option<Cie<'b>> {
    if range.1.saturating_sub(range.0) > LONGEST_CIE {
        return None;
    }
    let image = &model.facts.image;
    let (_, _, id_at, _) = entry(section, range.0, image.little_endian)?;
    let mut cursor = Cursor::new(section.data, id_at + 4, image.little_endian);
    let version = cursor.byte()?;
    let augmentation = cursor.c_string()?;
    if version == 4 {
        cursor.take(2)?;
    }
    let code_align = cursor.uleb()?;
    cursor.sleb()?;
    if version == 1 { cursor.byte().map(u64::from) } else { cursor.uleb() }?;
    let mut cie = Cie {
        head: &[],
        code_align,
        lsda_encoding: None,
        pointer_encoding: 0,
        augmented: augmentation.starts_with(b"z"),
        personality: None,
        tail: &[],
    };
    if cie.augmented {
        cursor.uleb()?;
        for letter in augmentation.iter().skip(1) {
            match letter {
                b'L' => cie.lsda_encoding = Some(cursor.byte()?),
                b'R' => cie.pointer_encoding = cursor.byte()?,
                b'P' => {
                    let encoding = cursor.byte()?;
                    cie.personality = Some((cursor.at, encoding));
                    cursor.take(encoded_size(encoding, image.bits)?)?;
                }
                b'S' | b'B' | b'G' => {}
                _ => return None,
            }
        }
    } else if !augmentation.is_empty() {
        return None;
    }
    // Everything but the length and the personality's field, which its relocation stands for.
    cie.head = section.data.get(id_at + 4..range.1)?;
    if let Some((at, encoding)) = cie.personality {
        cie.head = section.data.get(id_at + 4..at)?;
        cie.tail = section.data.get(at + encoded_size(encoding, image.bits)?..range.1)?;
    }
    Some(cie)
}
