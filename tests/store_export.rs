//! A recording as one file: the same bytes from two builds, read where it lies by every command that takes a recording,
//! and refused in one line where a byte of it is not what was written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod store_support;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lpcc::store::container::Container;
use lpcc::store::{Export, Recording, Store, Want};
use support::{Scratch, command, compiler, contents, edit, lpcc, succeed};

const SOURCES: &[(&str, &str)] = &[
    ("a.c", "#include \"a.h\"\nint helper(int x);\nint twice(int x) { return helper(x) * LIMIT; }\n"),
    ("b.c", "#include \"a.h\"\nint helper(int x)\n{\n    return x + LIMIT;\n}\n"),
    ("a.h", "#define LIMIT 10\n"),
    ("main.c", "int twice(int x);\nint main(void) { return twice(0); }\n"),
];

/// A tree whose build left units, a link, a note, and what a configure script leaves.
struct Tree {
    scratch: Scratch,
}

impl Tree {
    fn built(name: &str) -> Self {
        let tree = Self { scratch: Scratch::new(name) };
        fs::create_dir(tree.path("src")).unwrap();
        for (file, text) in SOURCES {
            fs::write(tree.path("src").join(file), text).unwrap();
        }
        tree.build();
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = command(program.as_ref(), &self.path("src"), &self.path("store"));
        command.args(arguments);
        command
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        self.command(lpcc(), arguments)
    }

    fn build(&self) {
        let gcc = compiler("gcc");
        let call = |arguments: &[&str]| {
            succeed(self.lpcc(&[gcc.to_str().unwrap()]).args(arguments));
        };
        for source in ["a", "b", "main"] {
            call(&["-O2", "-g", "-c", &format!("{source}.c"), "-o", &format!("{source}.o")]);
        }
        call(&["a.o", "b.o", "main.o", "-o", "program"]);
        // As a configure script would: under a name of its own each time, and gone afterwards.
        let name = format!("conftest{}", std::process::id() + u32::from(self.path("store-1").exists()));
        call(&["-c", "a.c", "-o", &format!("{name}.o")]);
        call(&["main.c", "a.c", "b.c", "-o", &name]);
        fs::remove_file(self.path("src").join(format!("{name}.o"))).unwrap();
        fs::remove_file(self.path("src").join(name)).unwrap();
    }

    fn export(&self, file: &str) -> Vec<u8> {
        succeed(&mut self.lpcc(&["store", "export", self.path(file).to_str().unwrap()]));
        fs::read(self.path(file)).unwrap()
    }
}

/// Output and exit status.
fn answer(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn two_builds_export_the_same_bytes() {
    let tree = Tree::built("export-same");
    let first = tree.export("first.lpcc");
    succeed(&mut tree.lpcc(&["store", "snapshot", "kept"]));
    let file = tree.path("of-snapshot.lpcc").display().to_string();
    succeed(&mut tree.lpcc(&["store", "export", &file, "--recording", "kept"]));
    assert_eq!(fs::read(&file).unwrap(), first, "a snapshot exports what the state did");

    fs::rename(tree.path("store"), tree.path("store-1")).unwrap();
    for object in ["a.o", "b.o", "main.o", "program"] {
        fs::remove_file(tree.path("src").join(object)).unwrap();
    }
    tree.build();
    assert_eq!(tree.export("second.lpcc"), first);
    let export = Export::from_bytes(first).unwrap();
    let outputs: Vec<_> = export.units().map(|unit| unit.unwrap().output().to_path_buf()).collect();
    assert_eq!(
        outputs,
        ["a.o", "b.o", "main.o"].map(|name| tree.path("src").join(name)),
        "sorted, none gone"
    );
    let links: Vec<_> = export.links().map(|link| link.unwrap().output).collect();
    assert_eq!(links, [tree.path("src").join("program").display().to_string().as_str()]);
}

#[test]
fn every_command_reads_it_where_it_lies() {
    let tree = Tree::built("export-read");
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    tree.export("shipped.lpcc");
    // Beside the tree, and the store is gone: only the file is left.
    let file = tree.path("shipped.lpcc");
    let file = file.to_str().unwrap();
    let stored = |arguments: &[&str]| answer(&mut tree.lpcc(arguments));
    let mut with_store = Vec::new();
    fs::write(tree.path("fix.patch"), "--- a/b.c\n+++ b/b.c\n@@ -2,4 +2,4 @@\n int helper(int x)\n {\n-    return x + LIMIT;\n+    return x - LIMIT;\n }\n").unwrap();
    let questions: [&[&str]; 5] = [
        &["show", "WHICH"],
        &["audit", "WHICH", "--format", "json"],
        &["select", "--recording", "WHICH", "--patch", "../fix.patch", "--format", "json"],
        &["diff", "WHICH", "a.o", "--format", "json"],
        &["report", "WHICH", "--format", "json"],
    ];
    let ask = |question: &[&str], which: &str| {
        let words: Vec<&str> =
            question.iter().map(|word| if *word == "WHICH" { which } else { word }).collect();
        let (status, out, err) = stored(&words);
        // A recording's name is quoted, a place is not.
        let plain = |text: String| text.replace(which, "WHICH").replace("'WHICH'", "WHICH");
        (status, plain(out), plain(err))
    };
    for question in questions {
        with_store.push(ask(question, "shipped"));
    }
    let (status, out, _) = stored(&["diff", "shipped", file]);
    assert_eq!((status, out.contains("3 objects, all the same")), (0, true), "{out}");
    fs::remove_dir_all(tree.path("store")).unwrap();
    for (question, expected) in questions.into_iter().zip(with_store) {
        assert_eq!(ask(question, file), expected, "{question:?}");
    }
    let (status, out, err) = stored(&["doctor", "--recording", file]);
    assert!(out.contains("3 units, 1 link"), "{out}{err}");
    assert_eq!(status, 0, "{out}");
    let (status, out, _) = stored(&["store", "verify", file]);
    assert_eq!((status, out.contains("4 records, all whole")), (0, true), "{out}");

    // An edit, another build, and two exports against each other.
    edit(&tree.path("src/b.c"), "x + LIMIT", "x - LIMIT");
    tree.build();
    tree.export("fixed.lpcc");
    let fixed = tree.path("fixed.lpcc").display().to_string();
    let (status, out, _) = stored(&["diff", file, &fixed]);
    assert_eq!(status, 1);
    assert!(out.contains("helper  changed  code"), "{out}");
    let (_, code, _) = stored(&["diff", "--code", file, &fixed]);
    assert!(code.lines().any(|line| line.trim_start().starts_with('+')), "streams are in it: {code}");
}

#[test]
fn imported_it_is_the_snapshot_that_it_was() {
    let tree = Tree::built("export-import");
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    let exported = tree.export("shipped.lpcc");
    let (file, other) = (tree.path("shipped.lpcc"), tree.path("other"));
    let mut import = tree.lpcc(&["store", "--store", other.to_str().unwrap(), "import"]);
    succeed(import.arg(&file).arg("again"));
    let (was, is) = (tree.path("store/snapshots/shipped"), other.join("snapshots/again"));
    assert_eq!(contents(&is), contents(&was), "byte for byte");
    let store = Store::open(&other).unwrap();
    let again = Recording::open(&store, Some("again".as_ref())).unwrap().export().unwrap();
    assert_eq!(again.bytes, exported);
    // And of an export, an export.
    let of_export = Recording::open_export(&file).unwrap().unwrap();
    for unit in of_export.units() {
        let unit = unit.unwrap();
        let record = unit.record.record(Want::Everything).unwrap();
        assert_eq!(of_export.find(unit.output()).unwrap().unwrap().identity.unit, record.unit);
    }
}

#[test]
fn a_damaged_export_is_one_line_and_status_2() {
    let tree = Tree::built("export-damaged");
    let whole = tree.export("whole.lpcc");
    let file = tree.path("bad.lpcc");
    let refuse = |bytes: &[u8], what: &str| {
        fs::write(&file, bytes).unwrap();
        let name = file.to_str().unwrap();
        for question in [
            &["diff", name, "../whole.lpcc"][..],
            &["show", name],
            &["select", "--recording", name, "--patch", "/dev/null"],
            &["doctor", "--recording", name],
            &["store", "verify", name],
            &["store", "import", name, "x"],
        ] {
            let (status, _, err) = answer(&mut tree.lpcc(question));
            assert_eq!((status, err.lines().count()), (2, 1), "{what}: {question:?}: {err}");
            assert!(err.contains("bad.lpcc"), "{what}: {question:?}: {err}");
        }
    };
    refuse(&whole[..whole.len() / 2], "cut short");
    refuse(&[&whole[..], b"x"].concat(), "something behind it");
    let mut damaged = whole.clone();
    let last = damaged.len() - 7;
    damaged[last] ^= 1;
    refuse(&damaged, "one bit");
    let mut newer = whole.clone();
    newer[8] = 9;
    refuse(&newer, "newer");
    // Every single byte, and every length.
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        assert!(Export::from_bytes(bytes).is_err(), "byte {at}");
        assert!(Export::from_bytes(whole[..at].to_vec()).is_err(), "length {at}");
    }
}

/// A record that cannot be read is missing from the export, and the export says so.
#[test]
fn a_damaged_record_is_noted_in_the_export() {
    let tree = Tree::built("export-loss");
    let store = Store::open(&tree.path("store")).unwrap();
    let recording = Recording::open(&store, None).unwrap();
    let unit = recording.find(&tree.path("src/a.o")).unwrap().unwrap();
    let mut bytes = fs::read(&unit.file).unwrap();
    bytes.truncate(100);
    fs::write(&unit.file, bytes).unwrap();
    let file = tree.path("lost.lpcc").display().to_string();
    let (status, out, err) = answer(&mut tree.lpcc(&["store", "export", &file]));
    assert_eq!(status, 2, "{out}{err}");
    assert!(err.contains("left out, and noted in the export"), "{err}");
    let (_, out, _) = answer(&mut tree.lpcc(&["doctor", "--recording", &file]));
    assert!(out.contains("its record could not be exported"), "{out}");
    let (status, _, err) = answer(&mut tree.lpcc(&["store", "export", "/proc/nowhere/x"]));
    assert_eq!((status, err.lines().count()), (2, 1), "{err}");
}

/// More records than a block holds, written by many: sections lie in several blocks and are all found again.
#[test]
fn many_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::create(directory.path()).unwrap();
    let mut written = Vec::new();
    for number in 0..40_u32 {
        let record = store_support::record(format!("/b/{number}.o").as_bytes(), 300, number.into());
        store.write_unit(&record).unwrap();
        written.push(record);
    }
    store.write_link(&store_support::link(b"/b/program")).unwrap();
    store.snapshot("x".as_ref()).unwrap();
    // Nothing lies at `/b`: a snapshot would be empty, so the folder of records is read as it is.
    fs::remove_file(directory.path().join("store.version")).unwrap();
    let exported = Recording::open_dir(directory.path()).unwrap().export().unwrap();
    let container = Container::from_bytes(exported.bytes.clone()).unwrap();
    let blocks: Vec<u64> = container
        .tags()
        .filter(|(tag, _)| tag == b"BLCK")
        .map(|(tag, at)| container.lengths(tag, at).unwrap().1)
        .collect();
    assert!(blocks.len() > 5 && blocks.iter().all(|raw| *raw <= 4 << 20), "{blocks:?}");
    let export = Export::from_bytes(exported.bytes).unwrap();
    assert_eq!((export.manifest().units, export.manifest().links), (40, 1));
    for record in written {
        let path = PathBuf::from(record.unit.output.to_string());
        assert_eq!(export.find(&path).unwrap().unwrap().record.record(Want::Everything).unwrap(), record);
    }
    assert!(export.find(Path::new("/b/none.o")).unwrap().is_none());
    assert!(export.find_link(Path::new("/b/program")).unwrap().is_some());
}
