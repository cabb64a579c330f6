//! How an input is changed: libFuzzer's own steps, applied where they lead somewhere.

use libfuzzer_sys::fuzzer_mutate;
use lpcc::store::container::{Builder, Container, MAX_RAW};

use super::elf_fields;
use super::store_support::Numbers;
use super::targets::Target;

/// Changes `data[..size]` in place; gives its new size, at most `max_size`.
pub fn mutate(target: Target, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut numbers = Numbers(u64::from(seed));
    let changed = match target {
        Target::Text => None,
        Target::Object | Target::Dwarf => object(&data[..size], max_size, &mut numbers),
        Target::Pair => pair(&data[..size], max_size, &mut numbers),
        Target::Record | Target::Export => container(&data[..size], max_size, &mut numbers),
    };
    match changed {
        Some(bytes) if bytes.len() <= max_size.min(data.len()) => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

/// libFuzzer's change of bytes that may grow to `most`.
fn guided(bytes: &[u8], most: usize) -> Vec<u8> {
    let mut buffer = bytes.to_vec();
    buffer.resize(most.max(bytes.len()), 0);
    let length = fuzzer_mutate(&mut buffer, bytes.len(), most.max(1).min(bytes.len().max(most)));
    buffer.truncate(length);
    buffer
}

/// Every second change is one of fields; the rest is left to libFuzzer.
fn object(bytes: &[u8], most: usize, numbers: &mut Numbers) -> Option<Vec<u8>> {
    if numbers.below(2) == 0 || bytes.len() > most {
        return None;
    }
    let mut changed = bytes.to_vec();
    for _ in 0..=numbers.below(3) {
        elf_fields::change(&mut changed, numbers)?;
    }
    Some(changed)
}

/// Two objects in one input: the length of the first in four bytes (little-endian), the first, the second.
pub struct Pair<'a> {
    /// The one side.
    pub old: &'a [u8],
    /// The other.
    pub new: &'a [u8],
}

impl<'a> Pair<'a> {
    /// The pair that these bytes are.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (old, new) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some(Self { old, new })
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let length = u32::try_from(self.old.len()).ok()?.to_le_bytes();
        Some([&length[..], self.old, self.new].concat())
    }
}

fn pair(bytes: &[u8], most: usize, numbers: &mut Numbers) -> Option<Vec<u8>> {
    let Pair { old, new } = Pair::of(bytes)?;
    let change = |side: &[u8], other: &[u8], numbers: &mut Numbers| {
        object(side, most, numbers)
            .unwrap_or_else(|| guided(side, most.saturating_sub(4 + other.len()).min(most)))
    };
    match numbers.below(8) {
        // A small difference between sides that are otherwise the same.
        0 => Pair { old, new: &change(old, old, numbers) }.bytes(),
        1 => Pair { old: new, new: old }.bytes(),
        2..=4 => Pair { old: &change(old, new, numbers), new }.bytes(),
        _ => Pair { old, new: &change(new, old, numbers) }.bytes(),
    }
}

/// A file of sections with one of them changed, sealed again. Sections that are packed are changed unpacked.
fn container(bytes: &[u8], most: usize, numbers: &mut Numbers) -> Option<Vec<u8>> {
    // The envelope itself is worth a try now and then.
    if numbers.below(64) == 0 {
        return None;
    }
    let whole = Container::from_bytes(bytes.to_vec()).ok()?;
    let mut sections = Vec::new();
    for (tag, index) in whole.tags() {
        sections.push((tag, index, whole.section(tag, index).ok()??));
    }
    let count = sections.len() as u64;
    let chosen = numbers.below(count.max(1)) as usize;
    match numbers.below(32) {
        0 => drop(sections.get(chosen).is_some().then(|| sections.remove(chosen))),
        1 => sections.get_mut(chosen)?.1 = numbers.below(4) as u16,
        2 => {
            let (tag, index, raw) = sections.get(chosen)?.clone();
            sections.push((tag, index.wrapping_add(1), raw));
        }
        3 => {
            // The contents of one under the name of another.
            let raw = sections.get(numbers.below(count.max(1)) as usize)?.2.clone();
            sections.get_mut(chosen)?.2 = raw;
        }
        _ => {
            let raw = &mut sections.get_mut(chosen)?.2;
            let room = raw.len() + most.saturating_sub(bytes.len()).min(4096);
            *raw = guided(raw, room.min(MAX_RAW as usize));
        }
    }
    let mut builder = Builder::default();
    for (tag, index, raw) in sections {
        builder.section(tag, index, raw).ok()?;
    }
    Some(builder.finish())
}
