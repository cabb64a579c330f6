//! Many writers, killed writers, no room, no permission: whatever stands under its final name is whole.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod store_support;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use lpcc::object::Hash;
use lpcc::store::{
    Note, NoteKind, ObjectKey, Problem, Recording, RemovalReason, Store, StoreError, UnitEntry, Want,
};
use store_support::{Numbers, link, record};

fn note(reason: &str) -> Note {
    let output = Some("/build/x.o".into());
    Note { kind: NoteKind::NotRecorded, source: None, output, reason: reason.into(), call: None }
}

fn name(n: u64) -> Vec<u8> {
    [b"/build/dir with space/line\nbreak/\xff\xfe".as_slice(), n.to_string().as_bytes(), b".o"].concat()
}

/// This test binary once more, as a writer: see [`the_writer`].
fn start_writer(root: &Path, seed: u64, rounds: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_writer", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let order = [seed.to_le_bytes().as_slice(), &rounds.to_le_bytes(), root.as_os_str().as_bytes()].concat();
    child.stdin.take().unwrap().write_all(&order).unwrap();
    child
}

/// Not a test by itself: a process that writes records, told what to do on its standard input.
#[test]
#[ignore = "a child of the other tests; does nothing without orders"]
fn the_writer() {
    let mut order = Vec::new();
    std::io::stdin().read_to_end(&mut order).unwrap();
    if order.len() <= 16 {
        return;
    }
    let number = |at: usize| u64::from_le_bytes(order[at..at + 8].try_into().unwrap());
    let (seed, rounds) = (number(0), number(8));
    let store = Store::create(Path::new(OsStr::from_bytes(&order[16..]))).unwrap();
    let mut numbers = Numbers(seed);
    for round in 0..rounds {
        let output = name(numbers.below(40));
        store.write_unit(&record(&output, numbers.below(200) as u32, numbers.next())).unwrap();
        store.write_link(&link(&output)).unwrap();
        store.note(&note(&format!("round {}", round % 5))).unwrap();
        let _scratch = store.scratch().unwrap();
    }
}

fn assert_all_whole(store: &Store) -> usize {
    let recording = Recording::open(store, None).unwrap();
    let mut units = 0;
    for unit in recording.units() {
        let unit = unit.unwrap();
        unit.record.container().check_all().unwrap();
        let record = unit.record.record(Want::Everything).unwrap();
        assert!(unit.file.ends_with(place_of(&record.unit.output)));
        units += 1;
    }
    assert!(recording.links().all(|link| link.is_ok()));
    assert!(recording.notes().all(|note| note.is_ok()));
    units
}

fn place_of(output: &[u8]) -> PathBuf {
    let hash = Hash::of(output).to_string();
    Path::new("units").join(&hash[..2]).join(format!("{hash}.lpcc"))
}

#[test]
fn sixty_four_writers_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a store");
    let writers: Vec<Child> = (0..64).map(|seed| start_writer(&root, seed, 10)).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let store = Store::open(&root).unwrap();
    assert_eq!(assert_all_whole(&store), 40);
    assert_eq!(Recording::open(&store, None).unwrap().notes().count(), 5, "the same note is one file");
    assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn killed_writers_leave_whole_records_and_gc_sweeps_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let mut numbers = Numbers(7);
    let mut living = start_writer(store.root(), 99, u64::MAX);
    for round in 0..12 {
        let writers: Vec<Child> =
            (0..4).map(|n| start_writer(store.root(), round * 10 + n, u64::MAX)).collect();
        for mut writer in writers {
            std::thread::sleep(Duration::from_micros(numbers.below(60_000)));
            writer.kill().unwrap();
            writer.wait().unwrap();
        }
    }
    // What the dead left is swept; what a living writer holds is not, or its next write would fail.
    store.gc(false).unwrap();
    assert!(living.try_wait().unwrap().is_none(), "the living writer goes on");
    living.kill().unwrap();
    living.wait().unwrap();
    fs::write(store.root().join("tmp/record-left"), b"half a rec").unwrap();
    fs::write(store.root().join("record-left"), b"lpcc sto").unwrap(); // killed while it made the store

    let recording = Recording::open(&store, None).unwrap();
    let (units, links) = (recording.units().count(), recording.links().count());
    let found = store.verify().unwrap();
    assert!(!found.problems.iter().any(Problem::is_damage), "{:?}", found.problems);
    assert!(found.problems.iter().any(|problem| matches!(problem, Problem::StrayTemporary(_))));
    assert!(
        found.problems.iter().all(|p| matches!(p, Problem::StrayTemporary(_) | Problem::Vanished { .. }))
    );

    let would = store.gc(true).unwrap();
    assert_eq!(
        would.iter().filter(|removal| matches!(removal.reason, RemovalReason::Vanished(_))).count(),
        units + links
    );
    assert_eq!(Recording::open(&store, None).unwrap().units().count(), units, "a dry run removes nothing");
    assert_eq!(store.gc(false).unwrap(), would);
    assert_eq!(store.gc(false).unwrap(), []);
    assert_eq!(store.verify().unwrap().problems, []);
    assert!(!store.root().join("record-left").exists());
}

#[test]
fn a_scratch_directory_in_use_is_not_swept() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("f"), "x").unwrap();
    assert_eq!(store.gc(false).unwrap(), []);
    assert!(scratch.path().join("f").exists());
    let path = scratch.path().to_path_buf();
    assert!(!path.file_name().unwrap().as_bytes().contains(&b' '));
    drop(scratch);
    assert!(!path.exists());
}

#[test]
fn a_record_replaces_that_of_the_same_object_however_its_path_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    store.write_unit(&record(b"/build/x/../a.o", 1, 1)).unwrap();
    store.write_unit(&record(b"/build//a.o", 1, 2)).unwrap();
    store.write_unit(&record(b"/build/sub/a.o", 1, 3)).unwrap();
    let recording = Recording::open(&store, None).unwrap();
    assert_eq!(recording.units().count(), 2);
    let found = recording.find(Path::new("/build/./a.o")).unwrap().unwrap();
    assert_eq!(found.identity.variants[0].hash, Hash::of(&2_u64.to_le_bytes()));
    assert!(recording.find(Path::new("/a.o")).unwrap().is_none());
    let outputs = |suffix: &str| {
        recording
            .find_suffix(Path::new(suffix))
            .iter()
            .map(UnitEntry::output)
            .map(Path::to_path_buf)
            .collect::<Vec<_>>()
    };
    assert_eq!(outputs("a.o"), [Path::new("/build//a.o"), Path::new("/build/sub/a.o")]);
    assert_eq!(outputs("sub/a.o"), [Path::new("/build/sub/a.o")]);
    assert!(outputs("b/a.o").is_empty());
}

#[test]
fn a_record_that_would_not_change_is_left_and_another_takes_its_place_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("store")).unwrap();
    let write = |seed: u64| store.write_unit(&record(b"/build/x.o", 3, seed)).unwrap();
    let inode = |file: &Path| file.metadata().unwrap().ino();
    let place = write(1);
    let (first, bytes) = (inode(&place), fs::read(&place).unwrap());
    assert_eq!((write(1), inode(&place)), (place.clone(), first), "the same record");
    let kept = directory.path().join("kept");
    fs::hard_link(&place, &kept).unwrap();
    assert!(write(2) == place && inode(&place) != first && fs::read(&place).unwrap() != bytes);
    assert_eq!(fs::read(&kept).unwrap(), bytes, "a snapshot's link stands");
    let leftovers = fs::read_dir(store.root().join("tmp")).unwrap().count();
    assert_eq!(leftovers, 0, "what was replaced is gone");
    // Cut short, as by a full disk: made whole.
    let whole = fs::read(&place).unwrap();
    fs::write(&place, &whole[..whole.len() / 2]).unwrap();
    assert!(write(2) == place && fs::read(&place).unwrap() == whole);
}

#[test]
fn the_umask_decides_who_may_read_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let file = store.write_unit(&record(b"/build/a.o", 1, 1)).unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "").unwrap();
    assert_eq!(file.metadata().unwrap().mode(), plain.metadata().unwrap().mode());
}

#[test]
fn a_directory_that_is_no_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("letter"), "mine").unwrap();
    assert!(matches!(Store::create(directory.path()), Err(StoreError::NotAStore(_))));
    assert!(matches!(Store::open(directory.path()), Err(StoreError::NotAStore(_))));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(matches!(
        Store::create(&directory.path().join("letter")),
        Err(StoreError::NotAStore(_) | StoreError::Io { .. })
    ));
}

#[test]
fn a_deleted_store_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("s");
    let store = Store::create(&root).unwrap();
    fs::remove_dir_all(&root).unwrap();
    assert!(store.write_unit(&record(b"/build/a.o", 1, 1)).is_err());
    assert!(!root.exists());
}

#[test]
fn a_newer_store_is_read_and_never_written() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("s");
    Store::create(&root).unwrap().write_unit(&record(b"/build/a.o", 1, 1)).unwrap();
    fs::write(root.join("store.version"), "lpcc store 2\n").unwrap();
    let before = tree(&root);

    let store = Store::create(&root).unwrap();
    assert_eq!(assert_all_whole(&store), 1);
    let newer = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Newer { found: 2, .. }));
    assert!(newer(store.write_unit(&record(b"/build/b.o", 1, 1)).map(drop)));
    assert!(newer(store.write_link(&link(b"/build/b")).map(drop)));
    assert!(newer(store.note(&note("x")).map(drop)));
    assert!(newer(store.compiler_cache_put(b"k", b"v")));
    assert!(newer(store.scratch().map(drop)));
    assert!(newer(store.snapshot(OsStr::new("x")).map(drop)));
    assert!(newer(store.gc(false).map(drop)));
    assert!(store.hash_file(&root.join("store.version")).is_some());
    assert_eq!(tree(&root), before);
}

fn tree(root: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .collect()
}

/// A small file system of its own, gone when dropped. Only root can mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(directory));
        }
        println!("SKIPPED: no permission to mount a tmpfs");
        None
    }

    fn mount(&self, option: &str) {
        let status = Command::new("mount").args(["-o", option]).arg(self.0.path()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_costs_new_records_and_no_old_ones() {
    let Some(disk) = SmallDisk::new() else { return };
    let store = Store::create(&disk.0.path().join("s")).unwrap();
    let mut written = 0;
    let error = loop {
        match store.write_unit(&record(&name(written), 60, written)) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, StoreError::Io { cause, .. } if cause.kind() == std::io::ErrorKind::StorageFull),
        "{error:?}"
    );
    assert!(written > 3);
    assert!(store.write_unit(&record(&name(0), 500, 1)).is_err(), "nor can one be replaced");
    assert_eq!(assert_all_whole(&store), written as usize);
    assert_eq!(fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);
    assert!(store.hash_file(&std::env::current_exe().unwrap()).is_some());
}

#[test]
fn a_read_only_store_is_read() {
    let Some(disk) = SmallDisk::new() else { return };
    let store = Store::create(&disk.0.path().join("s")).unwrap();
    store.write_unit(&record(b"/build/a.o", 1, 1)).unwrap();
    disk.mount("remount,ro");
    let store = Store::create(store.root()).unwrap();
    let error = store.write_unit(&record(b"/build/a.o", 1, 2)).unwrap_err();
    assert!(error.to_string().starts_with("cannot write `"), "{error}");
    assert!(store.scratch().is_err() && store.note(&note("x")).is_err());
    assert!(store.snapshot(OsStr::new("x")).is_err());
    assert_eq!(assert_all_whole(&store), 1);
    assert_eq!(store.hash_file(&store.root().join(".gitignore")), Some(Hash::of(b"*\n")));
    disk.mount("remount,rw");
}

#[test]
fn verify_tells_damaged_stale_and_vanished_apart() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let write = |file: &[u8], contents: &[u8]| {
        let object = directory.path().join(OsStr::from_bytes(file));
        fs::write(&object, contents).unwrap();
        let mut record = record(object.as_os_str().as_bytes(), 2, 1);
        record.variants[0].hash = Hash::of(contents);
        (object, store.write_unit(&record).unwrap())
    };
    write(b"same \n\xff.o", b"1");
    let (stale, stale_record) = write(b"stale.o", b"1");
    let (gone, gone_record) = write(b"gone.o", b"1");
    let (_, damaged) = write(b"damaged.o", b"1");
    let (elsewhere, misplaced) = write(b"misplaced.o", b"1");
    let (_, newer) = write(b"newer.o", b"1");
    assert_eq!(store.verify().unwrap().problems, []);
    store.snapshot(OsStr::new("all")).unwrap();

    fs::write(&stale, b"2").unwrap();
    fs::remove_file(&gone).unwrap();
    let mut bytes = fs::read(&damaged).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&damaged, &bytes).unwrap();
    let moved = misplaced.with_file_name("0.lpcc");
    fs::rename(&misplaced, &moved).unwrap();
    let mut bytes = fs::read(&newer).unwrap();
    bytes[8] = 2;
    fs::write(&newer, &bytes).unwrap();

    let found = store.verify().unwrap();
    assert_eq!(found.files, 6, "the snapshot shares its files");
    let problems = found.problems;
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(problems.contains(&Problem::Stale { file: stale_record, output: stale }));
    assert!(problems.contains(&Problem::Vanished { file: gone_record, output: gone }));
    assert!(problems.contains(&Problem::Misplaced { file: moved, output: elsewhere }));
    assert!(problems.iter().any(|p| matches!(p, Problem::Damaged(found) if found.file == damaged)));
    assert!(problems.iter().any(|p| matches!(p, Problem::Newer { file, .. } if *file == newer)));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let object = directory.path().join("a.o");
    fs::write(&object, "").unwrap();
    let write = |seed: u64| drop(store.write_unit(&record(object.as_os_str().as_bytes(), 1, seed)).unwrap());
    write(1);
    store.write_unit(&record(b"/nonexistent/conftest.o", 1, 1)).unwrap();
    store.write_link(&link(b"/nonexistent/prog")).unwrap();
    let program = directory.path().join("prog");
    fs::write(&program, "").unwrap();
    store.write_link(&link(program.as_os_str().as_bytes())).unwrap();
    store.note(&note("x")).unwrap();
    let summary = store.snapshot(OsStr::new("before")).unwrap();
    assert_eq!((summary.units, summary.links, summary.notes), (1, 1, 1));
    assert_eq!((summary.vanished, summary.damaged, summary.replaced), (1, 0, false));

    write(2);
    let hash = |name: Option<&str>| {
        let recording = Recording::open(&store, name.map(OsStr::new)).unwrap();
        recording.find(&object).unwrap().unwrap().identity.variants[0].hash
    };
    assert_eq!(hash(Some("before")), Hash::of(&1_u64.to_le_bytes()));
    assert_eq!(hash(None), Hash::of(&2_u64.to_le_bytes()));
    assert!(store.snapshot(OsStr::new("before")).unwrap().replaced);
    assert_eq!(hash(Some("before")), Hash::of(&2_u64.to_le_bytes()));
    assert_eq!(store.snapshots(), [Path::new("before")]);
    assert_eq!(fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);

    for bad in [&b""[..], b".", b"..", b".x", b"a/b", b"/a"] {
        assert!(matches!(store.snapshot(OsStr::from_bytes(bad)), Err(StoreError::Name { .. })), "{bad:?}");
        assert!(Recording::open(&store, Some(OsStr::from_bytes(bad))).is_err());
    }
    let odd = std::ffi::OsString::from_vec(b"odd \n\xff name".to_vec());
    store.snapshot(&odd).unwrap();
    assert_eq!(Recording::open(&store, Some(&odd)).unwrap().units().count(), 1);
    assert!(matches!(Recording::open(&store, Some(OsStr::new("none"))), Err(StoreError::NoSnapshot { .. })));
    assert_eq!(Recording::open_dir(&store.root().join("snapshots/before")).unwrap().units().count(), 1);
    assert!(Recording::open_dir(directory.path()).is_err());
}

#[test]
fn the_compiler_cache_believes_nothing_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    assert_eq!(store.compiler_cache_get(b"gcc"), None);
    store.compiler_cache_put(b"gcc", b"12.2.0").unwrap();
    store.compiler_cache_put(b"clang", b"").unwrap();
    assert_eq!(store.compiler_cache_get(b"gcc").as_deref(), Some(&b"12.2.0"[..]));
    assert_eq!(store.compiler_cache_get(b"clang").as_deref(), Some(&b""[..]));
    for file in tree(&store.root().join("compilers")).iter().filter(|path| path.is_file()) {
        let mut bytes = fs::read(file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    assert_eq!(store.compiler_cache_get(b"gcc"), None);
}

#[test]
fn a_hash_is_never_older_than_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let file = directory.path().join("a.h");
    for n in 0..200_u32 {
        // The same length, within the clock's granularity: only the two-second rule tells them apart.
        fs::write(&file, n.to_le_bytes()).unwrap();
        assert_eq!(store.hash_file(&file), Some(Hash::of(&n.to_le_bytes())));
    }
    // A kernel with finer clocks may hide the danger; that nothing so young is cached shows everywhere. Nor is a
    // file with an old mtime that was changed just now.
    fs::File::options().write(true).open(&file).unwrap().set_modified(UNIX_EPOCH).unwrap();
    let hash = store.hash_file(&file).unwrap();
    let slots = fs::read(store.root().join("hashes")).unwrap_or_default();
    assert!(!slots.windows(32).any(|window| window == hash.0));
    assert_eq!(store.hash_file(directory.path()), None);
    assert_eq!(store.hash_file(&directory.path().join("none")), None);
}

#[test]
fn a_hash_is_cached_and_a_damaged_cache_is_a_miss() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join("s")).unwrap();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let expected = Hash::of(&fs::read(&old).unwrap());
    let cache = store.root().join("hashes");
    if old.metadata().unwrap().modified().unwrap().elapsed().unwrap() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_secs(3));
    }
    assert_eq!(store.hash_file(&old), Some(expected));
    let slots = fs::read(&cache).unwrap();
    let at = slots.windows(32).position(|window| window == expected.0).expect("the hash is in the cache");

    // A forged slot with a right checksum would be believed; this shows that the cache is asked at all.
    let mut forged = slots[at - 40..at].to_vec();
    forged.extend_from_slice(&[7; 32]);
    let checksum = blake3::hash(&[b"lpcc content-hash slot 1", forged.as_slice()].concat());
    forged.extend_from_slice(&checksum.as_bytes()[..8]);
    let mut other = slots.clone();
    other[at - 40..at + 40].copy_from_slice(&forged);
    fs::write(&cache, &other).unwrap();
    assert_eq!(store.hash_file(&old), Some(Hash([7; 32])));

    for byte in at - 40..at + 40 {
        let mut damaged = other.clone();
        damaged[byte] ^= 0x10;
        fs::write(&cache, &damaged).unwrap();
        assert_eq!(store.hash_file(&old), Some(expected), "byte {byte} of the slot");
    }
    fs::remove_file(&cache).unwrap();
    fs::create_dir(&cache).unwrap();
    assert_eq!(Store::open(store.root()).unwrap().hash_file(&old), Some(expected));
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn keys_are_of_normalised_paths() {
    assert_eq!(ObjectKey::of(Path::new("/a/../b")), ObjectKey::of(Path::new("/b")));
}
