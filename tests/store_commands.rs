//! `lpcc store` and `lpcc doctor` from outside: what they print, and their exit statuses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod store_support;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use lpcc::object::Hash;
use lpcc::store::{Note, NoteKind, Recording, Store};
use serde_json::Value;
use store_support::{link, record};

struct Answer {
    status: i32,
    out: String,
    err: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// Runs lpcc in `directory`, with none of the surrounding environment but PATH.
fn lpcc<S: AsRef<OsStr>>(
    directory: &Path,
    args: impl IntoIterator<Item = S>,
    env: &[(&str, &str)],
) -> Answer {
    #[expect(
        clippy::disallowed_methods,
        reason = "the rule is the program's; here the test's own are taken out"
    )]
    let variables = std::env::vars_os();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lpcc"));
    for (name, _) in variables.filter(|(name, _)| name.as_bytes().starts_with(b"LPCC_")) {
        command.env_remove(name);
    }
    for name in ["CC", "CXX", "CCACHE_PREFIX", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.current_dir(directory).env("HOME", directory).args(args).envs(env.iter().copied());
    let output = command.output().unwrap();
    Answer {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A directory with a store in it and one recorded object of an awkward name.
fn built() -> (tempfile::TempDir, Store, PathBuf, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(&directory.path().join(".lpcc")).unwrap();
    let object = directory.path().join(OsString::from_vec(b"an \n\xff object.o".to_vec()));
    fs::write(&object, "1").unwrap();
    let mut made = record(object.as_os_str().as_bytes(), 3, 1);
    made.variants[0].hash = Hash::of(b"1");
    let file = store.write_unit(&made).unwrap();
    (directory, store, object, file)
}

#[test]
fn snapshots_are_made_and_listed() {
    let (directory, ..) = built();
    let directory = directory.path();
    let made = lpcc(directory, ["store", "snapshot", "before"], &[]);
    assert_eq!(
        (made.status, made.out.as_str()),
        (0, "made snapshot `before`: 1 unit, 0 links\n"),
        "{}",
        made.err
    );
    let repeated = lpcc(directory, ["store", "snapshot", "before"], &[]);
    assert_eq!(repeated.out, "replaced snapshot `before`: 1 unit, 0 links\n");
    let list = lpcc(directory, ["store", "list"], &[]);
    assert!(list.out.contains("(current)  1 unit"), "{}", list.out);
    assert!(list.out.contains("`before`   1 unit"), "{}", list.out);
    let json = lpcc(directory, ["store", "list", "--format", "json"], &[]).json();
    assert_eq!(json["recordings"][1]["name"], "before");
    assert_eq!(json["recordings"][1]["units"], 1);

    let bad = lpcc(directory, ["store", "snapshot", "a/b"], &[]);
    assert_eq!((bad.status, bad.err.as_str()), (2, "lpcc: `a/b` cannot name a snapshot: it holds a `/`\n"));
}

#[test]
fn verify_exits_0_for_fine_1_for_stale_2_for_damaged() {
    let (directory, store, object, file) = built();
    let root = directory.path();
    let verify = || lpcc(root, ["store", "verify"], &[]);
    let untouched = verify();
    assert_eq!(untouched.status, 0);
    assert!(untouched.out.ends_with(": 1 file read, all well\n"), "{}", untouched.out);

    fs::write(&object, "2").unwrap();
    let stale = verify();
    assert_eq!(stale.status, 1);
    assert!(stale.out.starts_with("stale     `"), "{}", stale.out);
    assert!(
        stale.out.contains("an \\n\u{fffd} object.o` was changed after it was recorded\n"),
        "{}",
        stale.out
    );

    fs::remove_file(&object).unwrap();
    let vanished = verify();
    assert_eq!(vanished.status, 1);
    assert!(vanished.out.contains("hint: `lpcc store gc`"), "{}", vanished.out);

    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let damaged = verify();
    assert_eq!(damaged.status, 2);
    assert!(damaged.out.starts_with(&format!("damaged   `{}` damaged: ", file.display())), "{}", damaged.out);
    let json = lpcc(root, ["store", "verify", "--format=json"], &[]);
    assert_eq!((json.status, &json.json()["problems"][0]["problem"]), (2, &"damaged".into()));
    drop(store);
}

#[test]
fn gc_removes_what_it_said_it_would() {
    let (directory, store, object, file) = built();
    fs::remove_file(&object).unwrap();
    fs::write(store.root().join("tmp/record-left"), "left").unwrap();
    let dry = lpcc(directory.path(), ["store", "gc", "--dry-run"], &[]);
    assert!(dry.out.contains("\nwould remove 2 files, "), "{}", dry.out);
    assert!(file.exists());
    let gone = lpcc(directory.path(), ["store", "gc"], &[]);
    assert!(gone.out.contains("\nremoved 2 files, "), "{}", gone.out);
    assert!(!file.exists());
    assert_eq!(lpcc(directory.path(), ["store", "verify"], &[]).status, 0);
}

#[test]
fn dump_has_everything_and_keeps_bytes() {
    let (directory, store, object, file) = built();
    let by_object =
        lpcc(directory.path(), [OsStr::new("store"), OsStr::new("dump"), object.file_name().unwrap()], &[]);
    let by_record = lpcc(directory.path(), [OsStr::new("store"), OsStr::new("dump"), file.as_os_str()], &[]);
    assert_eq!((by_object.status, &by_object.out), (0, &by_record.out), "{}", by_object.err);
    let json = by_object.json();
    assert_eq!(json["schema"], "lpcc.store.dump/1");
    assert_eq!(json["output"], object.to_string_lossy().as_ref());
    let raw = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        json["output_bytes"].as_str().unwrap(),
    );
    assert_eq!(raw.unwrap(), object.as_os_str().as_bytes());
    assert_eq!(json["call"]["environment"][0]["value_bytes"], "L29wdC//L2luY2x1ZGU=");
    let prints = &json["variants"][0]["fingerprints"];
    assert_eq!(prints["items"].as_array().unwrap().len(), 3);
    assert_eq!(prints["items"][0]["parts"][0]["kind"], "code");
    assert!(prints["streams"].as_str().unwrap().len() > 100);

    store.write_link(&link(b"/build/prog")).unwrap();
    let prog = lpcc(directory.path(), ["store", "dump", "/build/prog"], &[]).json();
    assert_eq!((&prog["build_id"], &prog["without_object"][0]), (&"0102ff".into(), &"b.c".into()));

    let none = lpcc(directory.path(), ["store", "dump", "none.o"], &[]);
    assert_eq!(none.status, 2);
    assert!(none.err.ends_with("has no record of `none.o`\n"), "{}", none.err);
    fs::write(&file, b"\x89LPCC\r\n\x1a\x02\x00\x01\x00").unwrap();
    let newer = lpcc(directory.path(), [OsStr::new("store"), OsStr::new("dump"), file.as_os_str()], &[]);
    assert_eq!(newer.status, 2);
    assert!(newer.err.contains("written in format 2.1 by a newer lpcc; this one knows 1.0"), "{}", newer.err);
}

#[test]
fn no_store_is_said_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let answer = lpcc(directory.path(), ["store", "list", "--store", "nowhere"], &[]);
    assert_eq!(answer.status, 2);
    assert!(answer.err.ends_with("/nowhere` is not an lpcc store\n"), "{}", answer.err);
    assert_eq!(answer.err.lines().count(), 1);
}

#[test]
fn doctor_compiles_and_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let answer = lpcc(directory.path(), ["doctor", "--format", "json"], &[("LPCC_LIVE", "x")]);
    let json = answer.json();
    let findings = json["findings"].as_array().unwrap();
    let text = |topic: &str| -> Vec<&str> {
        findings.iter().filter(|f| f["topic"] == topic).map(|f| f["text"].as_str().unwrap()).collect()
    };
    assert!(text("compilers").iter().any(|text| text.starts_with("cc: ")), "{json:#}");
    assert!(text("store")[0].contains(".local/state/lpcc`, made by the first call"), "{json:#}");
    assert_eq!(text("environment"), ["LPCC_LIVE=x: lpcc knows no such variable"]);
    assert!(text("recording")[0].starts_with("`lpcc` compiled a small file: "), "{json:#}");
    assert!(text("recording")[0].ends_with("; recorded and read back"), "{json:#}");
    assert_eq!(answer.status, 1, "the misspelt variable is something to look at");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn doctor_says_when_nothing_can_be_recorded() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "x").unwrap();
    let env = [("LPCC_STORE", "file/store"), ("LPCC_CC", "/nonexistent/gcc"), ("LPCC_DISABLE", "1")];
    let answer = lpcc(directory.path(), ["doctor"], &env);
    assert_eq!(answer.status, 2);
    assert!(answer.out.contains("trouble `lpcc` does not record: "), "{}", answer.out);
    assert!(answer.out.contains("LPCC_DISABLE=1: nothing is recorded"), "{}", answer.out);
    assert!(answer.out.contains("file/store`"), "{}", answer.out);
    assert!(answer.out.lines().last().unwrap().contains("in trouble"), "{}", answer.out);
}

#[test]
fn doctor_tells_what_a_recording_misses() {
    let (directory, store, object, file) = built();
    store.write_link(&link(b"/build/prog")).unwrap();
    let note = |kind: NoteKind, reason: &str| {
        let source = Some("odd.c".into());
        store.note(&Note { kind, source, output: None, reason: reason.into(), call: None }).unwrap();
    };
    note(NoteKind::NotRecorded, "no name for its object");
    note(NoteKind::Trouble, "the disk was full");
    let look = |args: &[&str]| lpcc(directory.path(), [&["doctor", "--recording"], args].concat(), &[]);
    let answer = look(&[]);
    assert_eq!(answer.status, 1, "{}{}", answer.out, answer.err);
    for line in [
        ": 1 unit, 1 link\n",
        "gcc 12.2.0 (/usr/bin/gcc): 1 unit\n",
        "`b.c`, compiled and linked into `/build/prog` in one call\n",
        "calls not recorded\n  check   `odd.c`: no name for its object\n",
        "trouble while recording\n  check   `odd.c`: the disk was full\n",
        "linked, but not recorded\n  check   `/build/a.o`\n",
    ] {
        assert!(answer.out.contains(line), "{line:?} in {}", answer.out);
    }
    store.snapshot("kept".as_ref()).unwrap();
    assert_eq!(look(&["kept"]).status, 1);
    assert_eq!(look(&["none"]).status, 2);
    fs::write(&object, "2").unwrap();
    assert!(look(&[]).out.contains("changed since recorded"));
    fs::write(&file, "x").unwrap();
    let damaged = look(&[]);
    assert_eq!(damaged.status, 2);
    assert!(damaged.out.contains("not a file of an lpcc store"), "{}", damaged.out);
    assert!(Recording::open(&store, None).unwrap().units().all(|unit| unit.is_err()));
}
