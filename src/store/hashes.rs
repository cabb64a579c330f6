//! A shared cache of content hashes: a build reads the same headers thousands of times.
//!
//! The cache is one file of fixed-size slots, and a file's slot is told by its device and inode: a lookup is one
//! `stat` and one `pread`, an update one `pwrite`. Any number of processes do so at once without a lock, so a
//! slot may be torn, overwritten or foreign: each carries a checksum and the whole key, and whatever does not
//! agree is a miss. The error to fear is the other one, a hash that is no longer the file's. Hence the key is
//! (device, inode, size, mtime, ctime), and a file that changed less than two seconds ago is never cached: a
//! later write within the clock's granularity could leave all of these as they are.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::object::Hash;

/// Slots; 10 MiB in all, and sparse: only those in use take room on the disk.
const SLOTS: u64 = 1 << 17;
/// Bytes of a slot: five key fields of eight, a hash of 32, a checksum of eight.
const SLOT: usize = 80;
const KEY: usize = 40;
const CHECKED: usize = 72;
/// What the checksum covers besides the slot: another layout has other checksums.
const DOMAIN: &[u8] = b"lpcc content-hash slot 1";
/// A file that changed within this many nanoseconds may change again unseen.
const RACY: i64 = 2_000_000_000;
/// How much of a file is read at once.
const CHUNK: usize = 1 << 16;

type Slot = [u8; SLOT];

/// The cache, or the lack of one: every failure is a miss.
#[derive(Debug)]
pub(super) struct HashCache {
    file: Option<File>,
}

impl HashCache {
    pub(super) fn open(path: &Path, writable: bool) -> Self {
        let writing = writable
            .then(|| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok());
        Self { file: writing.flatten().or_else(|| File::open(path).ok()) }
    }

    pub(super) fn hash_file(&self, path: &Path) -> Option<Hash> {
        let metadata = path.metadata().ok()?;
        if !metadata.is_file() {
            return None;
        }
        if let Some(hash) = self.get(&metadata) {
            return Some(hash);
        }
        let file = File::open(path).ok()?;
        let before = file.metadata().ok()?;
        let hash = hash_of(&file).ok()?;
        let after = file.metadata().ok()?;
        if key(&before) != key(&after) {
            return None;
        }
        if !is_racy(&after) {
            self.put(&after, hash);
        }
        Some(hash)
    }

    fn get(&self, metadata: &Metadata) -> Option<Hash> {
        let mut slot: Slot = [0; SLOT];
        self.file.as_ref()?.read_exact_at(&mut slot, place(metadata)).ok()?;
        let intact = slot.get(..KEY) == Some(key(metadata).as_slice())
            && slot.get(CHECKED..) == Some(checksum(slot.get(..CHECKED)?).as_slice());
        intact.then_some(())?;
        Some(Hash(slot.get(KEY..CHECKED)?.try_into().ok()?))
    }

    fn put(&self, metadata: &Metadata, hash: Hash) {
        let mut slot = Vec::with_capacity(SLOT);
        slot.extend_from_slice(&key(metadata));
        slot.extend_from_slice(&hash.0);
        slot.extend_from_slice(&checksum(&slot));
        // A cache that cannot be written (read-only, full disk) is a slower one, nothing worse.
        let _ = self.file.as_ref().map(|file| file.write_all_at(&slot, place(metadata)));
    }
}

fn key(metadata: &Metadata) -> [u8; KEY] {
    let fields = [
        metadata.dev().to_le_bytes(),
        metadata.ino().to_le_bytes(),
        metadata.size().to_le_bytes(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()).to_le_bytes(),
        nanoseconds(metadata.ctime(), metadata.ctime_nsec()).to_le_bytes(),
    ];
    let mut key = [0; KEY];
    for (place, field) in key.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field);
    }
    key
}

/// Nanoseconds since 1970; times beyond 2262 wrap round, which a key may.
fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}

/// Offset of the file's slot. Inodes are handed out in runs, so their low bits spread well by themselves; the
/// device is mixed in by a multiplication.
fn place(metadata: &Metadata) -> u64 {
    let mixed = metadata.ino() ^ metadata.dev().wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(17);
    mixed % SLOTS * SLOT as u64
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN);
    hasher.update(bytes);
    hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Whether the file changed so lately, or by its times will change so late, that another change might not show.
fn is_racy(metadata: &Metadata) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
    let now = i64::try_from(now).unwrap_or(0);
    let mtime = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
    let ctime = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
    mtime.max(ctime) > now - RACY
}

/// The BLAKE3 of an open file, read in pieces: inputs may be of any size.
pub(super) fn hash_of(mut file: &File) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(Hash(*hasher.finalize().as_bytes())),
            Ok(length) => drop(hasher.update(chunk.get(..length).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
