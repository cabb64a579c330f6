//! `lpcc diff` and `lpcc show` on objects that real compilers made from small pairs of sources.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const LPCC: &str = env!("CARGO_BIN_EXE_lpcc");

/// Old and new source, flags, and the findings that must come out, as `kind symbol change`, the stems of symbols.
struct Pair {
    name: &'static str,
    old: &'static str,
    new: &'static str,
    flags: &'static [&'static str],
    expected: &'static [&'static str],
}

const PAIRS: &[Pair] = &[
    Pair {
        name: "nothing but a comment",
        old: "int f(int x) { return x + 1; }",
        new: "/* said */ int f(int x) { return x + 1; }",
        flags: &[],
        expected: &[],
    },
    Pair {
        name: "one operand",
        old: "int f(int x) { return x + 1; } int g(int x) { return x - 1; }",
        new: "int f(int x) { return x + 2; } int g(int x) { return x - 1; }",
        flags: &[],
        expected: &["function f changed"],
    },
    Pair {
        name: "a string",
        old: "int puts(const char *); void f(void) { puts(\"hello\"); } void g(void) { puts(\"x\"); }",
        new: "int puts(const char *); void f(void) { puts(\"hellO\"); } void g(void) { puts(\"x\"); }",
        flags: &[],
        expected: &["function f changed"],
    },
    Pair {
        name: "a static put before another of its name",
        old: "int b(void) { static int cnt; return ++cnt; }",
        new: "int a(void) { static int cnt; return cnt += 3; } int b(void) { static int cnt; return ++cnt; }",
        flags: &["-ffunction-sections", "-fdata-sections"],
        expected: &["data cnt new", "function a new"],
    },
    Pair {
        name: "two statics that swapped their readers",
        old: "static int u = 1, v = 2; int *f(void) { return &u; } int *g(void) { return &v; }",
        new: "static int u = 1, v = 2; int *f(void) { return &v; } int *g(void) { return &u; }",
        flags: &[],
        expected: &["function f changed", "function g changed"],
    },
    Pair {
        name: "the content of a table",
        old: "static const int t[] = {1, 22, 333, 4}; int f(int i) { return t[i]; }",
        new: "static const int t[] = {1, 22, 334, 4}; int f(int i) { return t[i]; }",
        flags: &[],
        expected: &["data t changed"],
    },
    Pair {
        name: "binding",
        old: "int f(int x) { return x; }",
        new: "__attribute__((weak)) int f(int x) { return x; }",
        flags: &[],
        expected: &["function f binding"],
    },
    Pair {
        name: "section",
        old: "int f(int x) { return x; } int g(void) { return 1; }",
        new: "__attribute__((section(\".other\"))) int f(int x) { return x; } int g(void) { return 1; }",
        flags: &[],
        expected: &["function f section", "section .other new"],
    },
    Pair {
        name: "an alias",
        old: "int f(int x) { return x * 3; } int g(int x) { return f(x) + 1; }",
        new: "int f(int x) { return x * 3; } int a(int) __attribute__((alias(\"f\"))); int g(int x) { return f(x) + 1; }",
        flags: &["-fno-inline"],
        expected: &["function f alias"],
    },
];

fn compile(compiler: &str, folder: &Path, name: &str, source: &str, flags: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("x.c"), source).unwrap();
    let status = Command::new(compiler)
        .args(["-O2", "-c", "x.c", "-o", name])
        .args(flags)
        .current_dir(folder)
        .status()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(status.success(), "{compiler} {source}");
}

fn lpcc(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(LPCC)
        .args(arguments)
        .current_dir(folder)
        .env("LPCC_STORE", folder.join("no-store"))
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Each object of a document with its status.
fn statuses(document: &Value) -> Vec<String> {
    let objects = document["objects"].as_array().unwrap().iter();
    objects
        .map(|object| {
            format!("{} {}", object["object"].as_str().unwrap(), object["status"].as_str().unwrap())
        })
        .collect()
}

/// All findings of a document, sorted, without the numbers of statics.
fn findings(document: &Value) -> Vec<String> {
    let objects = document["objects"].as_array().unwrap();
    let mut all: Vec<String> = objects
        .iter()
        .flat_map(|object| object["findings"].as_array().unwrap())
        .map(|finding| {
            let symbol = finding["symbol"].as_str().unwrap();
            let stem = symbol.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
            // Clang calls a static of a function `function.name`.
            let stem = stem.rsplit('.').next().filter(|_| !stem.starts_with('.')).unwrap_or(stem);
            format!("{} {stem} {}", finding["kind"].as_str().unwrap(), finding["change"].as_str().unwrap())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn pairs_of_sources() {
    let top = tempfile::tempdir().unwrap();
    for compiler in ["gcc", "clang"] {
        for (number, pair) in PAIRS.iter().enumerate() {
            let folder = top.path().join(format!("{compiler}{number}"));
            compile(compiler, &folder, "old.o", pair.old, pair.flags);
            compile(compiler, &folder, "new.o", pair.new, pair.flags);
            let output = lpcc(&folder, &["diff", "old.o", "new.o", "--format", "json"]);
            let mut found = findings(&json(&output));
            // A section that came or went along with what lies in it.
            let expects_sections = pair.expected.iter().any(|finding| finding.starts_with("section"));
            found.retain(|finding| expects_sections || !finding.starts_with("section"));
            assert_eq!(found, pair.expected, "{compiler}: {}\n{}", pair.name, text(&output));
            let status = i32::from(!pair.expected.is_empty());
            assert_eq!(output.status.code(), Some(status), "{compiler}: {}", pair.name);
        }
    }
}

#[test]
fn details_name_the_place() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    let source = "int puts(const char *); int f(int x) { if (x == 7) puts(\"hello\"); return x; }";
    compile("gcc", folder, "old.o", source, &[]);
    compile("gcc", folder, "new.o", &source.replace("== 7", "== 8").replace("hello", "hellO"), &[]);
    let said = text(&lpcc(folder, &["diff", "old.o", "new.o"]));
    assert!(said.contains("cmp $7, %edi -> cmp $8, %edi"), "{said}");
    let unified = text(&lpcc(folder, &["diff", "old.o", "new.o", "--code"]));
    assert!(unified.lines().any(|line| line.starts_with("  - ") && line.contains("\"hello\"")), "{unified}");
    assert!(unified.lines().any(|line| line.starts_with("  + ") && line.contains("\"hellO\"")), "{unified}");
    let beside = text(&lpcc(folder, &["diff", "old.o", "new.o", "--code", "--width", "140"]));
    let row = beside.lines().find(|line| line.contains("\"hello\"")).unwrap();
    assert!(row.contains(" | ") && row.contains("\"hellO\""), "{beside}");
}

#[test]
fn directories_and_archives_pair_by_name() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    for (side, number) in [("old", "1"), ("new", "2")] {
        let inner = folder.join(side).join("sub dir");
        compile("gcc", &inner, "a.o", &format!("int f(void) {{ return {number}; }}"), &[]);
        compile("gcc", &inner, "b.o", "int g(void) { return 0; }", &[]);
        let ar = Command::new("ar").args(["rcs", "l.a", "a.o", "b.o"]).current_dir(&inner).status().unwrap();
        assert!(ar.success());
    }
    std::fs::remove_file(folder.join("old/sub dir/b.o")).unwrap();
    let output = lpcc(folder, &["diff", "old", "new", "--format", "json"]);
    let document = json(&output);
    let statuses = statuses(&document);
    assert_eq!(
        statuses,
        ["sub dir/a.o changed", "sub dir/b.o added", "sub dir/l.a(a.o) changed", "sub dir/l.a(b.o) same",]
    );
    assert_eq!(document["summary"]["changed"], 2);
    assert_eq!(document["summary"]["functions"]["changed"], 2);
    assert_eq!(document["summary"]["functions"]["new"], 1);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn bad_input_is_one_line_and_the_rest_is_compared() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    for side in ["old", "new"] {
        let number = side.len().to_string() + if side == "old" { "1" } else { "2" };
        compile("gcc", &folder.join(side), "a.o", &format!("int f(void) {{ return {number}; }}"), &[]);
        compile("gcc", &folder.join(side), "bad.o", "int g(void) { return 0; }", &[]);
    }
    let bad = folder.join("new/bad.o");
    let bytes = std::fs::read(&bad).unwrap();
    std::fs::write(&bad, &bytes[..bytes.len() / 2]).unwrap();
    let output = lpcc(folder, &["diff", "old", "new"]);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("`new/bad.o`"), "{complaint}");
    assert!(text(&output).contains("f  changed"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(2));

    std::fs::create_dir(folder.join("hollow")).unwrap();
    std::fs::write(folder.join("empty"), "").unwrap();
    for (argument, part) in [
        ("nope", "no such file"),
        ("old/x.c", "not an object"),
        ("empty", "not an object"),
        ("hollow", "no objects in this directory"),
    ] {
        let output = lpcc(folder, &["diff", argument, "new/a.o"]);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.contains(part) && complaint.contains(argument), "{complaint}");
        assert_eq!((complaint.lines().count(), output.status.code()), (1, Some(2)), "{complaint}");
        assert_eq!(lpcc(folder, &["show", argument]).status.code(), Some(2));
    }
}

/// An archive of files in `folder`, perhaps a thin one.
fn archive(folder: &Path, words: &str, name: &str, members: &[&str]) {
    let ar = Command::new("ar").args([words, name]).args(members).current_dir(folder).status().unwrap();
    assert!(ar.success());
}

#[test]
fn a_name_with_a_line_break_is_one_line_of_trouble() {
    let top = tempfile::tempdir().unwrap();
    let name = "evil\n\x1b[31m\rname.o";
    std::fs::write(top.path().join(name), "\x7fELF and no more").unwrap();
    for arguments in [&["show", name][..], &["diff", name, "no\nsuch"], &["show", "no\nsuch"]] {
        let output = lpcc(top.path(), arguments);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint:?}");
        assert_eq!(complaint.lines().count(), 1, "{complaint:?}");
        assert!(!complaint.trim_end_matches('\n').contains(char::is_control), "{complaint:?}");
    }
    let complaint = String::from_utf8_lossy(&lpcc(top.path(), &["show", name]).stderr).into_owned();
    assert!(complaint.contains(r"`evil\n\u{1b}[31m\rname.o`"), "{complaint:?}");
}

#[test]
fn two_archives_pair_by_their_members_whatever_they_are_called() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    compile("gcc", folder, "a.o", "int f(void) { return 1; }", &[]);
    compile("gcc", folder, "b(1).o", "int g(void) { return 0; }", &[]);
    archive(folder, "rcs", "old(1).a", &["a.o", "b(1).o"]);
    archive(folder, "rcs", "same.a", &["a.o", "b(1).o"]);
    let output = lpcc(folder, &["diff", "old(1).a", "same.a"]);
    assert_eq!((text(&output).lines().count(), output.status.code()), (1, Some(0)), "{}", text(&output));
    compile("gcc", folder, "a.o", "int f(void) { return 2; }", &[]);
    compile("gcc", folder, "c.o", "int h(void) { return 3; }", &[]);
    archive(folder, "rcs", "other.a", &["a.o", "b(1).o", "c.o"]);
    let document = json(&lpcc(folder, &["diff", "old(1).a", "./other.a", "--format", "json"]));
    let statuses = statuses(&document);
    assert_eq!(statuses, ["other.a(a.o) changed", "other.a(b(1).o) same", "other.a(c.o) added"]);
}

#[test]
fn links_to_objects_outside_of_the_tree_are_read() {
    use std::os::unix::fs::symlink;
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    for (tree, out, number) in [("old", "out0", "1"), ("new", "out1", "2")] {
        compile("gcc", &folder.join(out), "x.o", &format!("int f(void) {{ return {number}; }}"), &[]);
        compile("gcc", &folder.join(tree), "same.o", "int g(void) { return 0; }", &[]);
        symlink(format!("../{out}/x.o"), folder.join(tree).join("x.o")).unwrap();
        // What is met anyway, what leads round, and what leads nowhere.
        symlink("same.o", folder.join(tree).join("again.o")).unwrap();
        symlink(".", folder.join(tree).join("round")).unwrap();
        symlink("loop", folder.join(tree).join("loop")).unwrap();
        symlink("gone.o", folder.join(tree).join("nowhere.o")).unwrap();
    }
    let output = lpcc(folder, &["diff", "old", "new", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(statuses(&json(&output)), ["same.o same", "x.o changed"]);
}

#[test]
fn a_text_in_an_archive_is_passed_over_in_a_thin_one_too() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    compile("gcc", folder, "a.o", "int f(void) { return 1; }", &[]);
    std::fs::write(folder.join("README"), "text").unwrap();
    for (words, name) in [("rcs", "whole.a"), ("rcsT", "thin.a")] {
        archive(folder, words, name, &["README", "a.o"]);
        let output = lpcc(folder, &["show", name]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert!(text(&output).starts_with(&format!("{name}(a.o)")), "{}", text(&output));
    }
    // One that is gone might have been an object.
    std::fs::remove_file(folder.join("README")).unwrap();
    assert_eq!(lpcc(folder, &["show", "thin.a"]).status.code(), Some(2));
}

#[test]
fn recordings_compare_by_name_and_from_records_alone() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path();
    let store = folder.join("store");
    let run = |arguments: &[&str]| {
        let output = Command::new(LPCC)
            .args(arguments)
            .current_dir(folder)
            .env("LPCC_STORE", &store)
            .output()
            .unwrap();
        (text(&output), output.status.code())
    };
    let source = "int f(int x) { return x + 1; }\nint g(int x) { return x * 7; }\n";
    std::fs::write(folder.join("x.c"), source).unwrap();
    assert_eq!(run(&["gcc", "-O2", "-c", "x.c"]).1, Some(0));
    assert_eq!(run(&["store", "snapshot", "before"]).1, Some(0));
    assert_eq!(run(&["diff", "before", "now"]), ("'before' -> 'now': same\n".to_owned(), Some(0)));
    assert!(run(&["show", "x.o"]).0.contains("agrees with its record"));

    std::fs::write(folder.join("x.c"), source.replace("x + 1", "x + 3")).unwrap();
    assert_eq!(run(&["gcc", "-O2", "-fno-inline", "-c", "x.c"]).1, Some(0));
    // What was recorded is enough: the object itself is not read.
    std::fs::write(folder.join("x.o"), "gone").unwrap();
    let (said, status) = run(&["diff", "before", "now", "--code"]);
    assert_eq!(status, Some(1));
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("'before' -> 'now': differs; 1 function changed"));
    assert_eq!(lines.next(), Some("flags  now with -fno-inline"), "{said}");
    assert!(said.contains("edited: x.c") && said.contains("f  changed  code"), "{said}");
    assert!(said.contains("- ") && said.contains("lea 3(%rdi), %eax"), "{said}");
    assert!(run(&["show", "--recorded", "x.o"]).0.contains("from its record"));
    assert_eq!(run(&["diff", "before", "after"]).1, Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let top = tempfile::tempdir().unwrap();
    let functions: Vec<_> = (0..400).map(|i| format!("int f{i}(int x) {{ return x + {i}; }}\n")).collect();
    let source = functions.concat();
    compile("gcc", top.path(), "x.o", &source, &[]);
    let script = format!("set -o pipefail; '{LPCC}' show x.o --parts | head -1");
    let output = Command::new("bash").args(["-c", &script]).current_dir(top.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn words_and_help() {
    let top = tempfile::tempdir().unwrap();
    assert!(text(&lpcc(top.path(), &["help"])).contains("What differs between two objects"));
    assert!(text(&lpcc(top.path(), &["version"])).starts_with("lpcc "));
    assert!(text(&lpcc(top.path(), &["generate", "man"])).contains("LPCC DIFF"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&lpcc(top.path(), &["generate", shell])).contains("snapshot"), "{shell}");
    }
}

/// More streams than are kept: every function follows the same long chain of nameless places.
#[test]
fn by_how_many_threads_does_not_show_in_what_is_left_out() {
    use lpcc::object::{Workers, fingerprint, fingerprint_with};
    let top = tempfile::tempdir().unwrap();
    let function = |n: usize| {
        format!(
            ".type f{n}, @function\nf{n}: lea .L0(%rip), %rax\n.fill 99, 1, 0xf8\nret\n.size f{n}, .-f{n}\n"
        )
    };
    let place = |n: usize| format!(".L{n}: .quad .L{}, {n}\n", (n + 1) % 400);
    let places: String = (0..400).map(place).collect();
    let source = (0..3000).map(function).collect::<String>() + ".section .data.rel.ro,\"aw\"\n" + &places;
    std::fs::write(top.path().join("x.s"), source).unwrap();
    let assemble = Command::new("as").args(["x.s", "-o", "x.o"]).current_dir(top.path()).status().unwrap();
    assert!(assemble.success());
    let bytes = std::fs::read(top.path().join("x.o")).unwrap();
    let alone = fingerprint(&bytes).unwrap();
    let is_left_out = |item: &lpcc::object::Item| item.parts.iter().any(|part| part.stream.len == 0);
    assert!(alone.items.iter().any(is_left_out), "all is kept");
    for most in [2, 4] {
        assert!(fingerprint_with(&bytes, Workers::up_to(most)).unwrap() == alone, "{most} threads");
    }
}

/// Enough code for several threads, of which the fingerprints must not tell; data and strings of their own beside it.
#[test]
fn by_how_many_threads_does_not_show() {
    use lpcc::object::{Workers, fingerprint, fingerprint_with};
    let top = tempfile::tempdir().unwrap();
    let function = |n: usize| {
        format!(
            "static int d{n} = {n}; int f{n}(int x, const char **s) {{ *s = \"text {n}\"; \
             for (int i = 0; i < x; i++) d{n} += x * {n} + (x ^ i) % 7; return d{n}; }}\n"
        )
    };
    // What is nobody's, with the bytes of data that were met last.
    let nameless = |n: usize| {
        format!("const int c{n} = {n}; asm(\".section .nameless{n},\\\"a\\\"; .long {n}; .text\");\n")
    };
    let source = (0..4000).map(function).chain((3900..4000).map(nameless)).collect::<String>();
    std::fs::write(top.path().join("x.c"), source).unwrap();
    let compile = Command::new("gcc").args(["-c", "x.c"]).current_dir(top.path()).status().unwrap();
    assert!(compile.success());
    let bytes = std::fs::read(top.path().join("x.o")).unwrap();
    assert!(bytes.len() > 1 << 20, "too little for several threads");
    let alone = fingerprint(&bytes).unwrap();
    assert_eq!(alone.items.iter().filter(|item| item.name.starts_with(b"f")).count(), 4000);
    for most in [2, 4] {
        assert!(fingerprint_with(&bytes, Workers::up_to(most)).unwrap() == alone, "{most} threads");
    }
}
