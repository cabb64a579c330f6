//! Long blocks and chunks, cut from what was asked of the kernel in huge pages and kept when freed.
//!
//! To touch a fresh page takes longer than to fill it, and a list of some hundred kilobytes is too short for a huge page of its
//! own. The tempting wrong way is a mapping for each, given back when freed: comparing two objects of 16,000 functions
//! touched 90 MB that way, of which 57 were in use at any one time, and half of them in pages of 4 KiB. So what is freed joins
//! its free neighbours and is taken again; and what is mapped lies, where it can, directly below what was mapped before, and
//! blocks are cut from the end of a range: what is left of one mapping is the end of the next.

use std::ptr::null_mut;
use std::sync::Mutex;

use super::{HUGE_PAGE, map, map_at, unmap};

/// Bytes that every range is a multiple of.
const UNIT: usize = 64 << 10;
/// More free ranges than this are not kept: what does not join another goes back to the kernel.
const MOST: usize = 64;
/// Bytes asked of the kernel at least.
const LEAST: usize = 2 * HUGE_PAGE;

/// A free range.
#[derive(Clone, Copy)]
struct Range {
    start: *mut u8,
    length: usize,
}

impl Range {
    const NONE: Self = Self { start: null_mut(), length: 0 };

    fn end(&self) -> *mut u8 {
        self.start.wrapping_byte_add(self.length)
    }
}

/// The free ranges: the first `count` of `list`, by address, no two of which touch.
struct Free {
    list: [Range; MOST],
    count: usize,
    /// Where the last mapping begins; null before there is one.
    lowest: *mut u8,
}

// SAFETY: the ranges in it are nobody's; whoever holds the lock may take them.
unsafe impl Send for Free {}

static FREE: Mutex<Free> = Mutex::new(Free { list: [Range::NONE; MOST], count: 0, lowest: null_mut() });

/// A block of `size` bytes, whatever they hold; null where memory is exhausted.
pub(super) fn take(size: usize) -> *mut u8 {
    let length = length_of(size);
    let Ok(mut free) = FREE.lock() else { return map(length) };
    if let Some(block) = free.take(length) {
        return block;
    }
    free.grow(length);
    free.take(length).unwrap_or(null_mut())
}

/// Takes back a block of `size` bytes.
pub(super) fn give(block: *mut u8, size: usize) {
    let range = Range { start: block, length: length_of(size) };
    match FREE.lock() {
        Ok(mut free) => free.put(range),
        Err(_) => unmap(range.start, range.length),
    }
}

/// Makes a block of `old` bytes one of `new` bytes where it lies; false where there is no room.
pub(super) fn resize(block: *mut u8, old: usize, new: usize) -> bool {
    let (old, new) = (length_of(old), length_of(new));
    let Ok(mut free) = FREE.lock() else { return old == new };
    if new > old {
        return free.take_at(block.wrapping_byte_add(old), new - old);
    }
    free.put(Range { start: block.wrapping_byte_add(new), length: old - new });
    true
}

/// `size` rounded up to what a range has; too many where there is no such.
fn length_of(size: usize) -> usize {
    size.checked_next_multiple_of(UNIT).unwrap_or(usize::MAX)
}

impl Free {
    fn ranges(&mut self) -> &mut [Range] {
        self.list.get_mut(..self.count).unwrap_or_default()
    }

    /// The last `length` bytes of the shortest range that is long enough.
    fn take(&mut self, length: usize) -> Option<*mut u8> {
        let ranges = self.ranges().iter().enumerate();
        let (at, _) =
            ranges.filter(|(_, range)| range.length >= length).min_by_key(|(_, range)| range.length)?;
        let range = self.list.get_mut(at)?;
        range.length -= length;
        let block = range.end();
        if range.length == 0 {
            self.remove(at);
        }
        Some(block)
    }

    /// Takes `length` bytes from `start` on, if a range begins there that is long enough.
    fn take_at(&mut self, start: *mut u8, length: usize) -> bool {
        let mut ranges = self.ranges().iter_mut().enumerate();
        let Some((at, range)) = ranges.find(|(_, range)| range.start == start && range.length >= length)
        else {
            return false;
        };
        *range = Range { start: start.wrapping_byte_add(length), length: range.length - length };
        if range.length == 0 {
            self.remove(at);
        }
        true
    }

    /// Makes a free range of `length` bytes or more, if the kernel gives them.
    fn grow(&mut self, length: usize) {
        let lowest = self.lowest;
        let has = self.ranges().iter().find(|range| range.start == lowest).map_or(0, |range| range.length);
        let wanted =
            |bytes: usize| bytes.max(LEAST).checked_next_multiple_of(HUGE_PAGE).unwrap_or(usize::MAX);
        let below = wanted(length - has);
        let mut mapped = Range { start: map_at(lowest.wrapping_byte_sub(below), below), length: below };
        if mapped.start.is_null() {
            mapped.length = wanted(length);
            mapped.start = map(mapped.length);
        }
        if !mapped.start.is_null() {
            self.lowest = mapped.start;
            self.put(mapped);
        }
    }

    fn remove(&mut self, at: usize) {
        self.list.copy_within(at + 1..self.count, at);
        self.count -= 1;
    }

    /// Adds a range, joined with those that it touches.
    fn put(&mut self, mut range: Range) {
        if range.length == 0 {
            return;
        }
        let at = self.ranges().partition_point(|other| other.start < range.start);
        if let Some(behind) = self.ranges().get(at).copied().filter(|behind| behind.start == range.end()) {
            range.length += behind.length;
            self.remove(at);
        }
        if let Some(before) = at.checked_sub(1).and_then(|i| self.ranges().get_mut(i))
            && before.end() == range.start
        {
            before.length += range.length;
            return;
        }
        if self.count == MOST {
            return unmap(range.start, range.length);
        }
        self.list.copy_within(at..self.count, at + 1);
        if let Some(slot) = self.list.get_mut(at) {
            *slot = range;
            self.count += 1;
        }
    }
}
