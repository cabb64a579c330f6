//! Addends that lie in the fields of Arm instructions (`SHT_REL`).
//!
//! Source: ELF for the Arm Architecture (AAELF32), 5.6.1.1 and table 5-4 "static relocation codes".

use super::{signed, word};

/// The bits that a relocation of this type writes, least byte first.
fn bits(kind: u32) -> u32 {
    match kind {
        0 | 40 => 0,
        1 | 27..=29 => 0x00ff_ffff, // PC24, PLT32, CALL, JUMP24
        10 | 30 => 0x2fff_07ff,     // THM_CALL, THM_JUMP24
        51 => 0x2fff_043f,          // THM_JUMP19
        102 => 0x0000_07ff,         // THM_JUMP11
        103 => 0x0000_00ff,         // THM_JUMP8
        43..=46 => 0x000f_0fff,     // MOVW, MOVT
        47..=50 => 0x70ff_040f,     // THM_MOVW, THM_MOVT
        42 => 0x7fff_ffff,          // PREL31
        _ => u32::MAX,
    }
}

/// Zeroes the bits of the field.
pub fn clear(kind: u32, field: &mut [u8]) {
    for (byte, bits) in field.iter_mut().zip(bits(kind).to_le_bytes()) {
        *byte &= !bits;
    }
}

/// The addend in a field, with the distance from the instruction to where it counts from taken out; `None` for
/// a field that is a plain number.
pub fn addend(kind: u32, field: &[u8]) -> Option<i64> {
    let value = match field.first_chunk::<2>() {
        Some(half) if matches!(kind, 102 | 103) => u32::from(u16::from_le_bytes(*half)),
        _ => word(field)?,
    };
    let (first, second) = (value & 0xffff, value >> 16);
    Some(match kind {
        1 | 27..=29 => 4 * signed(value, 0, 24) + 8,
        10 | 30 => {
            let sign = first >> 10 & 1;
            let one = 1 ^ (second >> 13 & 1) ^ sign;
            let two = 1 ^ (second >> 11 & 1) ^ sign;
            let all = sign << 24 | one << 23 | two << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
            signed(all, 0, 25) + 4
        }
        51 => {
            let top = (first >> 10 & 1) << 20 | (second >> 11 & 1) << 19 | (second >> 13 & 1) << 18;
            signed(top | (first & 0x3f) << 12 | (second & 0x7ff) << 1, 0, 21) + 4
        }
        102 => 2 * signed(first, 0, 11) + 4,
        103 => 2 * signed(first, 0, 8) + 4,
        43..=46 => signed(value >> 4 & 0xf000 | value & 0xfff, 0, 16),
        47..=50 => {
            let all = (first & 15) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff;
            signed(all, 0, 16)
        }
        42 => signed(value, 0, 31),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_addends() {
        assert_eq!(addend(28, &0xebff_fffe_u32.to_le_bytes()), Some(0)); // bl .
        assert_eq!(addend(10, &0xfffe_f7ff_u32.to_le_bytes()), Some(0)); // Thumb bl .
        assert_eq!(addend(43, &0xe305_1678_u32.to_le_bytes()), Some(0x5678)); // movw r1, #0x5678
        assert_eq!(addend(47, &0x6178_f245_u32.to_le_bytes()), Some(0x5678)); // Thumb movw r1, #0x5678
        assert_eq!(addend(42, &0x7fff_fff8_u32.to_le_bytes()), Some(-8));
        assert_eq!(addend(2, &[0; 4]), None);
    }

    #[test]
    fn only_the_field_is_cleared() {
        let mut bl = 0xebff_fffe_u32.to_le_bytes();
        clear(28, &mut bl);
        assert_eq!(u32::from_le_bytes(bl), 0xeb00_0000);
        let mut prel = [0xff; 4];
        clear(42, &mut prel);
        assert_eq!(prel, [0, 0, 0, 0x80]);
    }
}
