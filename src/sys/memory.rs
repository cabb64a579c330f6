//! Memory for a program that starts once per compile.
//!
//! A recording makes some ten thousand small allocations in a millisecond or two. The C library's allocator puts a
//! header before each, so more pages are touched, and each page touched costs more than the allocation. musl's, which
//! makes for the quickest start, takes a lock too. An allocator made for long-running servers sets
//! up its own world at start, for programs that end before that pays.
//!
//! So: blocks of a few sizes, cut from chunks, kept in lists when freed. The size is known from the type
//! when a block is freed, so no block has a header; each thread has lists of its own, so no block needs a lock.
//! A thread that frees more than it takes hands whole batches to the others.
//!
//! A large object's recording touches some three thousand pages, and half of its time goes there: the kernel takes as
//! long to hand out some thirty pages singly as the 512 of one huge page (measured: 1.4 microseconds a page, 43 for 2
//! MiB in use again, 95 for fresh ones), and the decoder's tables alone fill a hundred. So whatever outlives the first
//! chunk is asked for in huge pages, where the kernel gives them to those who ask: [`ranges`] has further chunks and long
//! blocks.

mod ranges;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Larger blocks, in bytes, are ranges; those that want more than [`UNIT`] of alignment are the C library's.
const LARGEST: usize = 512 << 10;
/// Still larger blocks than this, in bytes, are mapped one by one.
const LONGEST_RANGE: usize = 16 << 20;
/// Every block's alignment and the smallest one's size, in bytes.
const UNIT: usize = 16;
/// Up to here there is a class for each multiple of [`UNIT`]; above, four for each power of two.
const FINE: usize = 128;
const FINE_CLASSES: usize = FINE / UNIT;
const CLASSES: usize = class_of(LARGEST) + 1;
/// Bytes of the first chunk: enough for a call that is passed on, too few to be worth a huge page.
const FIRST_CHUNK: usize = 128 << 10;
/// Bytes of a further chunk: as few as hold the longest block, so that they fit where a long block was freed.
const CHUNK: usize = LARGEST;
/// A chunk with more bytes left than this is not given up for a block that does not fit.
const WORTH_KEEPING: usize = 64 << 10;
/// Bytes of a huge page, on x86-64 and on the other machines where pages are of 4 KiB.
const HUGE_PAGE: usize = 2 << 20;
/// Bytes that any machine's pages divide: what is mapped has such a length.
const MAPPED_UNIT: usize = 64 << 10;
/// Freed blocks of one class that a thread keeps to itself at most; then they become everyone's.
const BATCH: u32 = 512;

/// The allocator.
pub struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

/// A freed block: its first bytes say which is next.
struct Free {
    next: *mut Free,
    /// In the first block of a batch in [`SHARED`]: the first of the next batch.
    batch: *mut Free,
}

/// What one thread has.
struct Own {
    lists: [Cell<*mut Free>; CLASSES],
    lengths: [Cell<u32>; CLASSES],
    /// What is left of the current chunk.
    next: Cell<*mut u8>,
    left: Cell<usize>,
}

thread_local! {
    static OWN: Own = const {
        Own {
            lists: [const { Cell::new(null_mut()) }; CLASSES],
            lengths: [const { Cell::new(0) }; CLASSES],
            next: Cell::new(null_mut()),
            left: Cell::new(0),
        }
    };
}

/// Batches that threads have handed over, by class.
struct Shared(*mut Free);
// SAFETY: the blocks in it are nobody's; whoever holds the lock may take them.
unsafe impl Send for Shared {}
static SHARED: [Mutex<Shared>; CLASSES] = [const { Mutex::new(Shared(null_mut())) }; CLASSES];

/// Whether the first chunk is still to be taken.
static AT_FIRST: AtomicBool = AtomicBool::new(true);

/// The class of a size of 1 to [`LARGEST`].
const fn class_of(size: usize) -> usize {
    let last = size.saturating_sub(1);
    if last < FINE {
        return last / UNIT;
    }
    let power = last.ilog2();
    FINE_CLASSES + (power - FINE.ilog2()) as usize * 4 + ((last >> (power - 2)) & 3)
}

/// The size of a class's blocks.
const fn size_of_class(class: usize) -> usize {
    if class < FINE_CLASSES {
        return (class + 1) * UNIT;
    }
    let above = class - FINE_CLASSES;
    (FINE << (above / 4)) + (above % 4 + 1) * ((FINE / 4) << (above / 4))
}

fn is_small(layout: Layout) -> bool {
    layout.size() <= LARGEST && layout.align() <= UNIT
}

/// A range of huge pages' worth, which is kept when freed.
fn is_range(layout: Layout) -> bool {
    layout.size() > LARGEST && layout.size() <= LONGEST_RANGE && layout.align() <= UNIT
}

/// A mapping of its own.
fn is_mapped(layout: Layout) -> bool {
    layout.size() > LONGEST_RANGE && layout.align() <= UNIT
}

/// The length of the mapping that holds so many bytes; too many where no mapping can.
fn mapped_length(size: usize) -> usize {
    size.checked_next_multiple_of(MAPPED_UNIT).unwrap_or(usize::MAX)
}

/// Maps `size` zero bytes that begin at a huge page, and asks for huge pages. Null where there is no room.
fn map(size: usize) -> *mut u8 {
    let length = mapped_length(size);
    let Some(room) = length.checked_add(HUGE_PAGE) else { return null_mut() };
    // SAFETY: the kernel chooses the place of a new mapping; what is unmapped of it, before and behind, is nobody's
    // yet. That advice is not taken changes nothing.
    unsafe {
        let (access, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let first = libc::mmap(null_mut(), room, access, private, -1, 0);
        if first == libc::MAP_FAILED {
            return null_mut();
        }
        let before = first.align_offset(HUGE_PAGE).min(HUGE_PAGE);
        let block = first.wrapping_byte_add(before);
        if before > 0 {
            libc::munmap(first, before);
        }
        if before < HUGE_PAGE {
            libc::munmap(block.wrapping_byte_add(length), HUGE_PAGE - before);
        }
        libc::madvise(block, length, libc::MADV_HUGEPAGE);
        block.cast()
    }
}

/// Maps `length` bytes, some huge pages, at `place`. Null where something lies there, or nothing can.
fn map_at(place: *mut u8, length: usize) -> *mut u8 {
    let (access, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: what lies there already is left alone; a kernel that does not know the flag may choose another place.
    unsafe {
        let block = libc::mmap(place.cast(), length, access, private | libc::MAP_FIXED_NOREPLACE, -1, 0);
        if block == libc::MAP_FAILED {
            return null_mut();
        }
        if block != place.cast() {
            libc::munmap(block, length);
            return null_mut();
        }
        libc::madvise(block, length, libc::MADV_HUGEPAGE);
    }
    place
}

/// Gives back what was mapped.
fn unmap(block: *mut u8, length: usize) {
    // SAFETY: the caller has it from `map`, and nobody else has.
    unsafe { libc::munmap(block.cast(), length) };
}

impl Own {
    /// A block of `class`; null where memory is exhausted.
    fn take(&self, class: usize) -> *mut u8 {
        let (Some(list), Some(length)) = (self.lists.get(class), self.lengths.get(class)) else {
            return null_mut();
        };
        let first = list.get();
        if !first.is_null() {
            // SAFETY: a block in a list is free and holds a `Free`.
            list.set(unsafe { (*first).next });
            length.set(length.get().saturating_sub(1));
            return first.cast();
        }
        let size = size_of_class(class);
        if self.left.get() < size {
            return self.take_elsewhere(class);
        }
        let block = self.next.get();
        self.left.set(self.left.get() - size);
        self.next.set(block.wrapping_add(size));
        block
    }

    /// A block of `class` that neither its list nor the chunk has.
    #[cold]
    #[inline(never)]
    fn take_elsewhere(&self, class: usize) -> *mut u8 {
        if self.left.get() > WORTH_KEEPING {
            // A long block that does not fit is no reason to give the rest of the chunk away.
            return ranges::take(size_of_class(class));
        }
        // Where the chunk is no new one, the list has another thread's blocks, or memory is exhausted.
        let has_list = || self.lists.get(class).is_some_and(|list| !list.get().is_null());
        if self.refill(class) || has_list() { self.take(class) } else { null_mut() }
    }

    /// Makes room for a block of `class`: from what other threads left (then false, and the list has it), or by a new
    /// chunk.
    fn refill(&self, class: usize) -> bool {
        if let (Some(shared), Some(list), Some(length)) =
            (SHARED.get(class), self.lists.get(class), self.lengths.get(class))
            && let Ok(mut shared) = shared.lock()
            && !shared.0.is_null()
        {
            let batch = shared.0;
            // SAFETY: the first block of a batch holds both links.
            shared.0 = unsafe { (*batch).batch };
            list.set(batch);
            length.set(BATCH);
            return false;
        }
        let (chunk, length) =
            if size_of_class(class) <= FIRST_CHUNK && AT_FIRST.swap(false, Ordering::Relaxed) {
                // SAFETY: the size is not zero and the alignment a power of two.
                (unsafe { System.alloc(Layout::from_size_align_unchecked(FIRST_CHUNK, UNIT)) }, FIRST_CHUNK)
            } else {
                (ranges::take(CHUNK), CHUNK)
            };
        if chunk.is_null() {
            return false;
        }
        self.next.set(chunk);
        self.left.set(length);
        true
    }

    /// Keeps a block that was freed.
    fn give(&self, class: usize, block: *mut u8) {
        let (Some(list), Some(length)) = (self.lists.get(class), self.lengths.get(class)) else { return };
        if length.get() >= BATCH
            && let Some(Ok(mut shared)) = SHARED.get(class).map(Mutex::lock)
        {
            let batch = list.get();
            // SAFETY: the first block of a list is free and has room for both links.
            unsafe { (*batch).batch = shared.0 };
            shared.0 = batch;
            list.set(null_mut());
            length.set(0);
        }
        #[expect(clippy::cast_ptr_alignment, reason = "every block is aligned to `UNIT`")]
        let block = block.cast::<Free>();
        // SAFETY: the block is nobody's any more, and at least `UNIT` bytes, so aligned, long.
        unsafe { block.write(Free { next: list.get(), batch: null_mut() }) };
        list.set(block);
        length.set(length.get() + 1);
    }
}

/// Where memory is exhausted while nothing may go wrong, the guard's promise comes before the caller's error.
fn checked(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        super::guard::exhausted();
    }
    block
}

// SAFETY: a block is handed out once until it is freed; whether it is ours follows from its layout alone, which is
// the same when it is freed. Nothing here allocates or unwinds. `OWN` has no destructor, so it outlives every use.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        checked(if is_small(layout) {
            OWN.with(|own| own.take(class_of(layout.size())))
        } else if is_range(layout) {
            ranges::take(layout.size())
        } else if is_mapped(layout) {
            map(layout.size())
        } else {
            // SAFETY: the caller's promise.
            unsafe { System.alloc(layout) }
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; a small block is as long as its layout says.
        unsafe {
            if is_mapped(layout) {
                return checked(map(layout.size()));
            }
            if !is_small(layout) && !is_range(layout) {
                return checked(System.alloc_zeroed(layout));
            }
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_small(layout) {
            OWN.with(|own| own.give(class_of(layout.size()), block));
        } else if is_range(layout) {
            ranges::give(block, layout.size());
        } else if is_mapped(layout) {
            unmap(block, mapped_length(layout.size()));
        } else {
            // SAFETY: not small, so it came from there.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, old: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: `size` is not zero and does not overflow with the alignment.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, old.align());
            if is_small(old) && is_small(new) {
                if class_of(old.size()) == class_of(size) {
                    return block;
                }
            } else if is_range(old) && is_range(new) {
                if ranges::resize(block, old.size(), size) {
                    return block;
                }
            } else if is_mapped(old) && is_mapped(new) {
                let (length, new_length) = (mapped_length(old.size()), mapped_length(size));
                let moved = libc::mremap(block.cast(), length, new_length, libc::MREMAP_MAYMOVE);
                return checked(if moved == libc::MAP_FAILED { null_mut() } else { moved.cast() });
            } else if old.align() > UNIT {
                return checked(System.realloc(block, old, size));
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, old.size().min(size));
                self.dealloc(block, old);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_fits_its_class() {
        for size in 1..=LARGEST {
            let room = size_of_class(class_of(size));
            assert!(room >= size && room.is_multiple_of(UNIT), "{size}");
            assert!(room <= size + UNIT || room <= size * 5 / 4 + UNIT, "{size}: {room} is too much");
        }
        let sizes: Vec<usize> = (0..CLASSES).map(size_of_class).collect();
        assert!(sizes.is_sorted() && sizes.last() == Some(&LARGEST));
    }

    /// A block that grows from a chunk's into a mapping, and back.
    #[test]
    fn large_blocks_keep_what_is_written() {
        let mut block = Vec::new();
        for size in [LARGEST / 3, LARGEST, LARGEST + 1, 5 * HUGE_PAGE + 1, 40 * HUGE_PAGE] {
            block.resize(size, (size % 251) as u8);
            block.shrink_to_fit();
        }
        for size in [3 * HUGE_PAGE, LARGEST + 1, LARGEST, LARGEST / 3] {
            block.truncate(size);
            block.shrink_to_fit();
        }
        assert!(block.iter().all(|byte| *byte == (LARGEST / 3 % 251) as u8));
        drop(block);
        for size in [3 * HUGE_PAGE, LONGEST_RANGE + 1] {
            let zeros = vec![0_u8; size];
            assert!(zeros.iter().all(|byte| *byte == 0), "{size}");
        }
        let block = vec![1_u8; LONGEST_RANGE + 1];
        assert_eq!(block.as_ptr().align_offset(HUGE_PAGE), 0);
    }

    /// Long blocks of all sizes at a time, in any order, by several threads.
    #[test]
    fn ranges_keep_what_is_written() {
        let work = |seed: usize| {
            let mut blocks: Vec<Vec<usize>> = Vec::new();
            for round in seed..seed + 400 {
                let random = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                let length = (LARGEST / 8 + random % (LARGEST / 2)) & !1;
                match (random >> 20) % 4 {
                    0 | 1 if blocks.len() < 12 => blocks.push(vec![round; length]),
                    _ if blocks.is_empty() => {}
                    2 => {
                        let at = random % blocks.len();
                        let value = blocks[at][0];
                        blocks[at].resize(length, value);
                        blocks[at].shrink_to_fit();
                    }
                    _ => {
                        let block = blocks.swap_remove(random % blocks.len());
                        assert!(block.iter().all(|value| *value == block[0]));
                    }
                }
            }
            assert!(blocks.iter().all(|block| block.iter().all(|value| *value == block[0])));
        };
        std::thread::scope(|scope| [1, 10_000, 20_000].map(|seed| scope.spawn(move || work(seed))).map(drop));
    }

    /// Blocks of all sizes, grown and shrunk, freed by other threads than those that took them.
    #[test]
    fn blocks_keep_what_is_written() {
        let (give, take) = std::sync::mpsc::sync_channel::<(u8, Vec<u8>)>(64);
        let taker = std::thread::spawn(move || {
            take.into_iter().filter(|(byte, block)| block.iter().all(|found| found == byte)).count()
        });
        let makers: Vec<_> = (0..4_usize)
            .map(|seed| {
                let give = give.clone();
                std::thread::spawn(move || {
                    for round in 0..5000_usize {
                        let size = (round * 7919 + seed * 104_729) % (40 << 10);
                        let byte = (round % 251) as u8;
                        let mut block = vec![0; size / 2];
                        assert!(block.iter().all(|byte| *byte == 0));
                        block.fill(byte);
                        block.resize(size, byte);
                        if round % 3 == 0 {
                            block.truncate(size / 5);
                            block.shrink_to_fit();
                        }
                        give.send((byte, block)).unwrap();
                    }
                })
            })
            .collect();
        drop(give);
        for maker in makers {
            maker.join().unwrap();
        }
        assert_eq!(taker.join().unwrap(), 20_000);
    }
}
