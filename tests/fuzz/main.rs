//! Mutated real input for everything that reads bytes lpcc did not write: objects, records, response files, command
//! lines, dependency files. Seeded and on stable Rust; `scripts/fuzz` runs it for longer.
//!
//! A target fails if it panics, takes more than ten seconds for one input, or breaks a property that must hold for
//! any input. The input at hand always lies in `target/fuzz/TARGET.current`, so that even a killed run leaves it; a
//! failing one is kept as `TARGET-SEED-NUMBER`. `LPCC_FUZZ_SECONDS` (2) and `LPCC_FUZZ_SEED` (1) are read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../flip/mod.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod flip;
mod mutate;
#[path = "../support/random.rs"]
#[allow(dead_code, clippy::disallowed_methods, reason = "each test program uses its own part of this")]
mod random;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use lpcc::argv::{self, Dialect, Quoting, dependency_file, response_file};
use lpcc::object;
use lpcc::store::container::{Builder, Container};
use lpcc::store::record::Record;
use lpcc::store::{Export, Recording, Store, Want, read_record};

use mutate::Mutator;
use support::{Scratch, command, compiler, contents, lpcc, program, succeed};

/// How many seeds a second run is worth: the time limit and the seed, from the environment.
fn limits() -> (Duration, u64) {
    let number = |name| support::variable(name).and_then(|value| value.to_str()?.parse().ok());
    (Duration::from_secs(number("LPCC_FUZZ_SECONDS").unwrap_or(2)), number("LPCC_FUZZ_SEED").unwrap_or(1))
}

/// Feeds mutations of `seeds` to `check` until the time is over. The seeds themselves come first, as they are.
fn fuzz(target: &str, seeds: &[Vec<u8>], check: impl Fn(&[u8])) {
    let (limit, seed) = limits();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fuzz");
    fs::create_dir_all(&folder).unwrap();
    let current = folder.join(format!("{target}.current"));
    let mut file = fs::File::create(&current).unwrap();
    let mut mutator = Mutator::new(seed);
    let started = Instant::now();
    let mut executions = 0_usize;
    while started.elapsed() < limit {
        let input = seeds.get(executions).cloned().unwrap_or_else(|| mutator.mutate(seeds));
        file.rewind().unwrap();
        file.write_all(&input).unwrap();
        file.set_len(input.len() as u64).unwrap();
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&input)));
        let slow = begun.elapsed() > Duration::from_secs(10);
        if outcome.is_err() || slow {
            let kept = folder.join(format!("{target}-{seed}-{executions}"));
            fs::rename(&current, &kept).unwrap();
            let what = if slow { "too slow" } else { "failed" };
            panic!("{target}: {what} on {}, seed {seed}, execution {executions}", kept.display());
        }
        executions += 1;
    }
    fs::remove_file(&current).unwrap();
    let mut stderr = std::io::stderr(); // not `eprintln!`, which the test harness captures
    writeln!(stderr, "fuzz {target}: {executions} executions, seed {seed}").unwrap();
    assert!(executions >= seeds.len(), "{target}: not even the seeds were tried in {limit:?}");
}

const SOURCE: &str = r#"
#include <stdio.h>
static const char *names[] = { "one", "two", "three" };
static int counter;
int pick(int n) { switch (n) { case 0: return 7; case 1: return 12; case 2: return 3; case 3: return 99;
    case 4: puts("four"); return 4; case 5: return counter++; default: return names[n & 1][0]; } }
double scale(double x) { return x * 1.5 + 3.25; }
__attribute__((cold)) void fail(void) { puts("fail"); }
int call(int n) { if (__builtin_expect(n > 100, 0)) fail(); return pick(n) + (int)scale(n); }
"#;

const SOURCE_CPP: &str = r#"
#include <stdexcept>
#include <string>
struct Base { virtual ~Base() {} virtual int get() const { return 1; } };
struct Derived : Base { std::string s; int get() const override { return (int)s.size(); } };
int guarded(int n) { try { if (n > 3) throw std::runtime_error("three"); return n; } catch (const std::exception &) { return -1; } }
Base *make() { return new Derived; }
"#;

/// Real objects of several kinds.
fn real_objects(scratch: &Scratch) -> Vec<Vec<u8>> {
    fs::write(scratch.join("a.c"), SOURCE).unwrap();
    fs::write(scratch.join("b.cpp"), SOURCE_CPP).unwrap();
    let calls: [(&str, &[&str]); 13] = [
        ("gcc", &["-O2", "-c", "a.c"]),
        ("gcc", &["-O2", "-ffunction-sections", "-fdata-sections", "-pg", "-mfentry", "-c", "a.c"]),
        ("gcc", &["-O0", "-g", "-fPIC", "-fpatchable-function-entry=5,2", "-c", "a.c"]),
        ("gcc", &["-O2", "-fno-pic", "-mno-sse", "-Dscale=(int)scale", "-Ddouble=int", "-c", "a.c"]),
        ("clang", &["-O2", "-c", "a.c"]),
        ("g++", &["-O2", "-c", "b.cpp"]),
        ("g++", &["-O2", "-g", "-ffunction-sections", "-c", "b.cpp"]),
        ("gcc", &["-shared", "-fPIC", "-O2", "a.c"]),
        ("aarch64-linux-gnu-gcc", &["-O2", "-c", "a.c"]),
        ("arm-linux-gnueabihf-gcc", &["-O2", "-c", "a.c"]),
        ("powerpc64le-linux-gnu-gcc", &["-O2", "-c", "a.c"]),
        ("s390x-linux-gnu-gcc", &["-O2", "-c", "a.c"]),
        ("riscv64-linux-gnu-gcc", &["-O2", "-c", "a.c"]),
    ];
    let mut found = Vec::new();
    for (name, arguments) in calls {
        let Some(compiler) = program(name) else { continue };
        let output = command(compiler, scratch.path(), &scratch.join("store"))
            .args(arguments)
            .args(["-o", "out"])
            .output()
            .unwrap();
        if output.status.success() {
            found.push(fs::read(scratch.join("out")).unwrap());
        }
    }
    assert!(found.len() >= 5, "too few objects to start from");
    found
}

/// Any bytes: fingerprints or an error, and the same each time.
#[test]
fn object() {
    let scratch = Scratch::new("fuzz-object");
    fuzz("object", &real_objects(&scratch), |input| {
        let first = object::fingerprint(input);
        let _ = object::kind_of(input);
        if let Ok(prints) = &first {
            assert_eq!(&object::fingerprint(input).unwrap(), prints, "not the same twice");
            for item in &prints.items {
                for part in &item.parts {
                    let _ = object::listing::lines(prints, item, part.kind);
                }
            }
        }
        if let Ok(members) = object::members(input) {
            drop(members);
        }
    });
}

std::thread_local! {
    /// An alteration is being drawn from an object that may no longer be sound: a panic there is no news.
    static DRAWING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Objects altered where it counts: relocations, symbols, section headers, one alteration upon the other, and compared
/// with what they were.
#[test]
fn object_structure() {
    let scratch = Scratch::new("fuzz-structure");
    let seeds: Vec<_> =
        real_objects(&scratch).into_iter().filter(|seed| flip::elf::is_readable(seed)).collect();
    let originals: Vec<_> = seeds.iter().map(|seed| object::fingerprint(seed).unwrap()).collect();
    let draw = |input: &[u8]| {
        // The input is where the alterations are drawn from: its bytes are the random numbers' seed.
        let hash = input.iter().fold(0_u64, |hash, byte| hash.rotate_left(5) ^ u64::from(*byte) ^ hash << 9);
        let mut random = random::Random(hash);
        let seed = random.below(seeds.len());
        let mut file = seeds[seed].clone();
        for _ in 0..=random.below(4) {
            // What is no longer sound for the drawing is for the reader to judge.
            let next =
                catch_unwind(AssertUnwindSafe(|| flip::mutation::draw(&flip::elf::read(&file), &mut random)));
            DRAWING.set(false);
            match next {
                Ok(Some(mutation)) => file = mutation.file,
                Ok(None) => {}
                Err(_) => break,
            }
        }
        (seed, file)
    };
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !DRAWING.get() {
            usual(info);
        }
    }));
    fuzz("object-structure", &[b"structure".to_vec()], |input| {
        let (seed, file) = draw(input);
        if let Ok(prints) = object::fingerprint(&file) {
            let (findings, code) = lpcc::analysis::compare_with_code(&originals[seed], &prints);
            assert!(code.len() <= findings.len());
        }
    });
}

/// What a file says about how it was built: `.debug_*` sections by a reader of their own, with `lpcc audit`.
#[test]
fn producers() {
    let scratch = Scratch::new("fuzz-producers");
    fs::write(scratch.join("a.c"), SOURCE).unwrap();
    let mut seeds = Vec::new();
    for arguments in [
        &["-g", "-c"][..],
        &["-g", "-gdwarf-4", "-c"],
        &["-g", "-gz", "-c"],
        &["-frecord-gcc-switches", "-c"],
        &["-g", "-shared", "-fPIC"],
    ] {
        let call = &mut command(compiler("gcc"), scratch.path(), &scratch.join("store"));
        succeed(call.args(arguments).args(["a.c", "-o", "out"]));
        seeds.push(fs::read(scratch.join("out")).unwrap());
    }
    fuzz("producers", &seeds, |input| {
        let built = || lpcc::analysis::producers::built(input, &mut |_| None);
        let first = built();
        assert_eq!(first, built(), "not the same twice");
    });
}

/// Records as lpcc writes them for real calls.
fn real_records(scratch: &Scratch) -> Vec<Vec<u8>> {
    fs::write(scratch.join("a.c"), SOURCE).unwrap();
    let store = scratch.join("store");
    for (optimise, output) in [("-O0", "a.o"), ("-O2", "b.o"), ("-flto", "c.o")] {
        let mut call = command(lpcc(), scratch.path(), &store);
        call.arg(compiler("gcc")).args([optimise, "-c", "a.c", "-o", output]);
        succeed(&mut call);
    }
    let found: Vec<_> =
        contents(&store).into_values().filter(|bytes| read_record(bytes, Want::Everything).is_ok()).collect();
    assert!(found.len() >= 3, "lpcc left {} records of three calls", found.len());
    found
}

/// Every section of a file, behind its tag and index.
fn sections(whole: &Container) -> Vec<Vec<u8>> {
    let named = |(tag, index): ([u8; 4], u16)| {
        let section = whole.section(tag, index).unwrap().unwrap();
        [&tag[..], &index.to_le_bytes()[..], &section[..]].concat()
    };
    whole.tags().map(named).collect()
}

/// The file with one section, given as [`sections`] gives it, in place of its own, sealed again.
fn resealed(whole: &Container, input: &[u8]) -> Option<Vec<u8>> {
    let (head, section) = input.split_at_checked(6)?;
    let (tag, index) = ([head[0], head[1], head[2], head[3]], u16::from_le_bytes([head[4], head[5]]));
    let mut builder = Builder::default();
    for (other, number) in whole.tags().filter(|other| *other != (tag, index)) {
        let _ = builder.section(other, number, whole.section(other, number).unwrap().unwrap());
    }
    let _ = builder.section(tag, index, section.to_vec());
    Some(builder.finish())
}

/// A damaged record is an error, never another record: whatever is still read is what was written.
#[test]
fn record() {
    let scratch = Scratch::new("fuzz-record");
    let records = real_records(&scratch);
    let written: Vec<_> = records.iter().map(|bytes| read_record(bytes, Want::Everything).unwrap()).collect();
    fuzz("record", &records, |input| {
        if let Ok(record) = read_record(input, Want::Everything) {
            assert!(written.contains(&record), "a damaged record was read");
        }
    });
}

/// What stands behind the checksums: sections mutated and sealed again must not bring the decoder down.
#[test]
fn record_sections() {
    let scratch = Scratch::new("fuzz-sections");
    let mut seeds = Vec::new();
    for bytes in real_records(&scratch) {
        seeds.extend(sections(&Container::from_bytes(bytes).unwrap()));
    }
    let whole = Container::from_bytes(real_records(&scratch).swap_remove(0)).unwrap();
    fuzz("record-sections", &seeds, |input| {
        if let Some(sealed) = resealed(&whole, input) {
            let _ = read_record(&sealed, Want::Everything);
        }
    });
}

/// An export of real records, written from the recording that `real_records` left.
fn real_export(scratch: &Scratch) -> Vec<u8> {
    real_records(scratch);
    let store = Store::open(&scratch.join("store")).unwrap();
    Recording::open(&store, None).unwrap().export().unwrap().bytes
}

/// Reads all of an export that opens.
fn read_export(bytes: Vec<u8>) -> Option<Vec<Record>> {
    let export = Export::from_bytes(bytes).ok()?;
    let _ = (export.links().count(), export.notes().count());
    export.units().map(|unit| unit.ok()?.record.record(Want::Everything).ok()).collect()
}

/// A damaged export is an error, never another recording.
#[test]
fn export() {
    let scratch = Scratch::new("fuzz-export");
    let whole = real_export(&scratch);
    let written = read_export(whole.clone()).unwrap();
    assert_eq!(written.len(), 3);
    fuzz("export", &[whole], |input| {
        if let Some(records) = read_export(input.to_vec()) {
            assert_eq!(records, written, "a damaged export was read");
        }
    });
}

/// Behind the checksums: manifest, index and blocks mutated and sealed again.
#[test]
fn export_sections() {
    let scratch = Scratch::new("fuzz-export-sections");
    let whole = Container::from_bytes(real_export(&scratch)).unwrap();
    let seeds = sections(&whole);
    fuzz("export-sections", &seeds, |input| {
        if let Some(sealed) = resealed(&whole, input) {
            read_export(sealed);
        }
    });
}

fn lines(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| line.to_vec()).collect()
}

/// Words split from anything can be written and split again to the same words.
#[test]
fn response() {
    let seeds = lines(&[
        b"-c x.c -o 'a b.o' -DX=\"\\\"y\\\"\"\n",
        b"a\\ b 'c\\d' \"e\\f\" '' \"\" g\"h\"i\n@nested\n",
        b"-Wl,-rpath,'$ORIGIN'\t\x0b\x0c\r\n\xff\xfe \\\n-x",
        b"\xef\xbb\xbf-c 'unclosed",
    ]);
    fuzz("response", &seeds, |input| {
        for quoting in [Quoting::Gcc14, Quoting::Gcc15, Quoting::Clang] {
            let mut words = response_file::split(input, quoting);
            // What cannot be written for every compiler: NUL, and an empty word.
            words.retain(|word| !word.is_empty() && !word.as_bytes().contains(&0));
            let again = response_file::split(&response_file::quote(&words), quoting);
            assert_eq!(words, again, "{quoting:?}");
        }
    });
}

/// A command line is only read: without an edit it comes back byte for byte.
#[test]
fn argv() {
    let seeds = lines(&[
        b"-c\0x.c\0-o\0x.o\0-MD\0-MF\0x.d",
        b"-O2\0-x\0c\0-\0-o-\0-Wp,-MD,.x.d\0-flive-patching=inline-clone\0-D__LPCC_POLICY__=strip",
        b"@one\0-include\0h.h\0-Xclang\0-load\0a.c\0b.c\0c.o\0-lm\0-shared",
        b"-save-temps=obj\0-gsplit-dwarf\0-E\0-S\0-###\0--param\0x=1\0-o\0",
        b"-\0--\0-I\0-isystem\0/x\0-Xpreprocessor\0-MD\0-target\0x\0-MJ\0f.json\0-flto\0a.S",
    ]);
    fuzz("argv", &seeds, |input| {
        let words: Vec<OsString> =
            input.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
        for dialect in [Dialect::Gcc, Dialect::Clang, Dialect::Unknown] {
            let mut read = |name: &OsStr| name.as_bytes().starts_with(b"one").then(|| input.to_vec());
            let line = argv::parse(&words, dialect, &mut read);
            assert_eq!(line.edit().finish(), words, "an edit that edits nothing");
            let _ = (line.action(), line.sources(), line.output(), line.planned_objects(), line.dependency());
            let _ = (line.markers(), line.live_patching(), line.save_temps(), line.link_inputs());
            let stripped = line.edit().without_markers().without_live_patching().finish();
            assert!(
                stripped.len() <= words.len() || !line.response_files().is_empty(),
                "stripping adds words"
            );
        }
    });
}

/// Dependency files as compilers write them, and as nobody does.
#[test]
fn dependency() {
    let seeds = lines(&[
        b"a.o: a.c /usr/include/stdio.h \\\n b\\ c.h d$$e.h \\#f.h\n\nb.h:\n",
        b"x\\:y.o z.o: C:\\\\dir\\\\a.c \\\n\t'q'.h\r\n",
        b"%.o : %.c\n\\\n\\",
    ]);
    fuzz("dependency", &seeds, |input| {
        let files = dependency_file::parse(input);
        assert!(files.iter().all(|file| !file.is_empty()), "an empty name");
        let rules = dependency_file::rules(input);
        assert!(rules.len() <= input.len() + 1);
    });
}
