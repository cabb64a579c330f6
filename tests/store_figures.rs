//! Figures, not a timed test: what a large record and a cached hash cost. Run with
//! `cargo test --release --test store_figures -- --ignored --nocapture`.

mod store_support;

use std::fs;
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use lpcc::object::Hash;
use lpcc::store::format::encode;
use lpcc::store::{RecordFile, Recording, Store, Want};

fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let times = (0..20).map(|_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    let directory = tempfile::tempdir().unwrap();
    let record = store_support::record(b"/build/a.o", 1500, 1);
    let bytes = encode(&record).unwrap();
    let path = directory.path().join("x.lpcc");
    fs::write(&path, &bytes).unwrap();
    let file = RecordFile::open(&path).unwrap();
    println!("a record of 1500 functions: {} bytes", bytes.len());
    for (tag, index) in file.container().tags() {
        let (stored, raw) = file.container().lengths(tag, index).unwrap();
        println!("  {} {stored} bytes, {raw} unpacked", tag.escape_ascii());
    }
    println!("encode             {:?}", best(|| encode(&record).unwrap()));
    println!("read identity      {:?}", best(|| RecordFile::open(&path).unwrap().identity().unwrap()));
    let with = |want| best(|| RecordFile::open(&path).unwrap().record(want).unwrap());
    println!("read fingerprints  {:?}", with(Want::Fingerprints));
    println!("read everything    {:?}", with(Want::Everything));

    let store = Store::create(&directory.path().join("s")).unwrap();
    println!("write 1500         {:?}", best(|| store.write_unit(&record).unwrap()));
    let small = store_support::record(b"/build/b.o", 10, 1);
    println!(
        "write 10           {:?} ({} bytes)",
        best(|| store.write_unit(&small).unwrap()),
        encode(&small).unwrap().len()
    );
    println!("open a store       {:?}", best(|| Store::open(store.root()).unwrap()));

    let headers: Vec<_> = (0..500_u32).map(|n| directory.path().join(format!("header_{n}.h"))).collect();
    for header in &headers {
        fs::write(header, header.as_os_str().as_bytes().repeat(100)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(2100));
    let lookup = || headers.iter().map(|header| store.hash_file(header).unwrap()).collect::<Vec<Hash>>();
    let start = Instant::now();
    let first = lookup();
    println!("hash 500 files     {:?} the first time", start.elapsed());
    println!("hash 500 files     {:?} from the cache", best(lookup));
    assert_eq!(lookup(), first);

    for n in 0..2000_u64 {
        let output = format!("/build/{n}.o");
        store.write_unit(&store_support::record(output.as_bytes(), 30, n)).unwrap();
    }
    let recording = Recording::open(&store, None).unwrap();
    println!("2000 identities    {:?}", best(|| recording.units().for_each(|unit| drop(unit.unwrap()))));
    println!(
        "2000 fingerprints  {:?}",
        best(|| recording.units().for_each(|unit| drop(unit.unwrap().record.fingerprints(0).unwrap())))
    );
    println!("snapshot of 2000   {:?}", best(|| store.snapshot("x".as_ref()).unwrap()));
    println!("verify 2000        {:?}", best(|| store.verify().unwrap()));
}
