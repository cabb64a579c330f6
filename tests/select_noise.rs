//! What must not disturb `lpcc select --patch`: the day of the replay, a counter that moved on, a compile that writes where it likes;
//! and what is lost since the recording, each told in one line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr};
use serde_json::Value;
use support::{Scratch, contents, succeed};

/// One source with its build and its store.
struct Tree(Scratch);

impl Tree {
    fn recorded(name: &str, text: &str, compiler: &[&str]) -> Self {
        let tree = Self(Scratch::new(&format!("noise-{name}")));
        fs::create_dir(tree.path("src")).unwrap();
        fs::write(tree.path("src/x.c"), text).unwrap();
        tree.compile(compiler);
        tree
    }

    fn compile(&self, compiler: &[&str]) {
        succeed(self.lpcc(compiler).args(["-O2", "-c", "x.c", "-o", "x.o"]));
        succeed(&mut self.lpcc(&["store", "snapshot", "shipped"]));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        self.0.lpcc(arguments)
    }

    fn patch(&self, old: &str, new: &str) -> PathBuf {
        self.0.replacing("x.c", old, new)
    }

    /// Selects; checks that nothing in the tree was touched.
    #[track_caller]
    fn select(&self, patch: &Path, more: &[&str]) -> (Value, i32) {
        let before = contents(&self.path("src"));
        let mut select = self.lpcc(&["select", "--recording", "shipped", "--format", "json", "--patch"]);
        let output = select.arg(patch).args(more).output().unwrap();
        assert!(before == contents(&self.path("src")), "select wrote to the tree");
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (json, output.status.code().unwrap())
    }
}

fn names<'j>(json: &'j Value, key: &str) -> Vec<&'j str> {
    json[key].as_array().unwrap().iter().map(|it| it["symbol"].as_str().unwrap()).collect()
}

#[track_caller]
fn reason(json: &Value) -> &str {
    json["rebuild"]["not_replayed"][0]["reason"].as_str().unwrap_or_else(|| panic!("{json:#}"))
}

const DATED: &str = "\
const char *when(void)
{
    return \"built \" __DATE__ \" at \" __TIME__;
}
extern void put(const char *);
int work(int x)
{
    put(__DATE__);
    return x + 1;
}
int other(int x)
{
    return x + 2;
}
";

/// The record is of today, the replay as of the beginning of time, so that every day is another one.
fn another_day(compiler: &str) {
    let tree = Tree::recorded(&format!("date-{compiler}"), DATED, &[compiler]);
    let (json, status) = tree.select(&tree.patch("return x + 2;", "return x + 3;"), &[]);
    assert_eq!(names(&json, "functions"), ["other"], "{json:#}");
    assert_eq!(json["rebuild"]["drift"], serde_json::json!([]), "{json:#}");
    assert_eq!(json["rebuild"]["reproduced"], 1);
    assert!(json["rebuild"]["notes"].to_string().contains("holds the moment of its compile"), "{json:#}");
    assert_eq!(status, 1);

    // What is real drift is not taken for the date.
    let changed = DATED.replace("return x + 1;", "return x + 7;");
    fs::write(tree.path("src/x.c"), changed).unwrap();
    let (json, status) = tree.select(&tree.patch("return x + 2;", "return x + 3;"), &[]);
    assert_eq!(json["rebuild"]["drift"][0]["symbol"], "work", "{json:#}");
    assert_eq!(json["rebuild"]["drift"].as_array().unwrap().len(), 1, "{json:#}");
    assert_eq!(status, 2);
}

#[test]
fn another_day_gcc() {
    another_day("gcc");
}

#[test]
fn another_day_clang() {
    another_day("clang");
}

const COUNTED: &str = "\
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define UNIQUE(name) JOIN(name, __COUNTER__)
extern int put(int *);
int first(int x)
{
    return x + 1;
}
static int UNIQUE(state_) = 3;
int number(int x)
{
    return x * (__COUNTER__ + 3);
}
int keeps(int x)
{
    static int UNIQUE(kept_);
    return put(&JOIN(kept_, 2)) + x;
}
";

/// One use more, and every later value is another.
fn one_more_use_of_the_counter(compiler: &str) {
    let tree = Tree::recorded(&format!("counter-{compiler}"), COUNTED, &[compiler]);
    let fix = "    int UNIQUE(t_) = put(0);\n    x -= __COUNTER__ + 8;\n    return x + 2;";
    let text = COUNTED.replace("JOIN(kept_, 2)", "kept_2");
    fs::write(tree.path("src/x.c"), &text).unwrap();
    tree.compile(&[compiler]);
    // The name of the datum is spelt out, so that only the macro's uses move.
    let patch = tree.patch("    return x + 1;", fix);
    let patched = fs::read_to_string(&patch).unwrap();
    assert!(patched.contains("UNIQUE(t_)"));
    let (json, status) = tree.select(&patch, &[]);
    // `keeps` no longer compiles with the new number: the whole unit is told to be broken, and nothing is selected.
    assert_eq!(status, 2, "{json:#}");

    let text = COUNTED.replace("JOIN(kept_, 2)", "x").replace("    static int UNIQUE(kept_);\n", "");
    fs::write(tree.path("src/x.c"), &text).unwrap();
    tree.compile(&[compiler]);
    let (json, status) = tree.select(&tree.patch("    return x + 1;", fix), &[]);
    assert_eq!(names(&json, "functions"), ["first"], "{json:#}");
    assert_eq!(names(&json, "line_only"), ["number"], "{json:#}");
    assert_eq!(json["line_only"][0]["counter_only"], true);
    assert_eq!(status, 1);
}

#[test]
fn one_more_use_of_the_counter_gcc() {
    one_more_use_of_the_counter("gcc");
}

#[test]
fn one_more_use_of_the_counter_clang() {
    one_more_use_of_the_counter("clang");
}

const PLAIN: &str = "\
#include \"made.h\"
int work(int x)
{
    return x + MADE;
}
";

/// A compiler, as a wrapper of the build's own may be, that leaves a trace beside the source.
#[test]
fn a_replay_cannot_write_to_the_tree() {
    if Ruleset::default().handle_access(AccessFs::from_write(ABI::V1)).and_then(Ruleset::create).is_err() {
        return support::skip("this kernel has no Landlock");
    }
    let tree = Tree(Scratch::new("noise-confined"));
    fs::create_dir_all(tree.path("bin")).unwrap();
    fs::create_dir(tree.path("src")).unwrap();
    fs::write(tree.path("src/x.c"), PLAIN).unwrap();
    fs::write(tree.path("src/made.h"), "#define MADE 1\n").unwrap();
    let compiler = tree.path("bin/gcc");
    let log = tree.path("src/log");
    let script = format!(
        "#!/bin/sh\necho \"$#\" >>{}\nexec {} \"$@\"\n",
        log.display(),
        support::compiler("gcc").display()
    );
    fs::write(&compiler, script).unwrap();
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).unwrap();
    tree.compile(&[compiler.to_str().unwrap()]);
    assert!(log.exists());
    let patch = tree.patch("return x + MADE;", "return x - MADE;");
    let (json, _) = tree.select(&patch, &[]);
    assert_eq!(names(&json, "functions"), ["work"], "{json:#}");

    // The compiler is gone: said with its version, and nothing else is lost.
    fs::remove_file(&compiler).unwrap();
    let (json, status) = tree.select(&patch, &[]);
    assert!(
        reason(&json).contains("the recorded compiler") && reason(&json).contains("hint: install"),
        "{json:#}"
    );
    assert_eq!((json["rebuild"]["not_replayed"].as_array().unwrap().len(), status), (1, 2));
}

#[test]
fn generated_inputs_and_records_that_are_lost() {
    let tree = Tree(Scratch::new("noise-lost"));
    fs::create_dir(tree.path("src")).unwrap();
    fs::write(tree.path("src/x.c"), PLAIN).unwrap();
    fs::write(tree.path("src/made.h"), "#define MADE 1\n").unwrap();
    fs::write(tree.path("src/y.c"), "int y;\n").unwrap();
    succeed(&mut tree.lpcc(&["gcc", "-c", "y.c", "-o", "y.o"]));
    let record = contents(&tree.path("store/units")).into_keys().next().expect("a record of y.o");
    tree.compile(&["gcc"]);
    let patch = tree.patch("return x + MADE;", "return x - MADE;");
    fs::remove_file(tree.path("src/made.h")).unwrap();
    // The snapshot kept it; without, it is named.
    let (json, status) = tree.select(&patch, &[]);
    assert_eq!((names(&json, "functions"), status), (vec!["work"], 1), "{json:#}");
    fs::remove_dir_all(tree.path("store/snapshots/shipped/inputs")).unwrap();
    let (json, status) = tree.select(&patch, &[]);
    assert!(reason(&json).contains("made.h` is gone") && reason(&json).contains("hint:"), "{json:#}");
    assert_eq!(status, 2);
    fs::write(tree.path("src/made.h"), "#define MADE 1\n").unwrap();

    // A damaged record of another unit: named, and the fix is selected all the same.
    let record = tree.path("store/snapshots/shipped/units").join(record);
    let mut bytes = fs::read(&record).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::set_permissions(&record, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&record, &bytes).unwrap();
    let (json, status) = tree.select(&patch, &[]);
    assert!(reason(&json).contains("cannot be read"), "{json:#}");
    assert_eq!(names(&json, "functions"), ["work"], "{json:#}");
    assert_eq!((json["rebuild"]["not_replayed"].as_array().unwrap().len(), status), (1, 2));
}
