//! `lpcc report`: what the shadows of real compiles show, held against what is known to be there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod kit;

use std::path::Path;

use kit::{Place, run, write_script};
use serde_json::Value;

/// Compiles with shadows; every call must succeed.
#[track_caller]
fn compile(place: &Place, twice: &str, words: &[&str]) {
    let output = run(place.lpcc().args(words).env("LPCC_TWICE", twice), None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn report(place: &Place, words: &[&str]) -> String {
    let output = run(place.lpcc().arg("report").args(words), None);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn json(place: &Place) -> Value {
    serde_json::from_str(&report(place, &["--format", "json"])).unwrap()
}

/// The values of `key` in all rows under `list` of the first object.
fn column(shadow: &Value, list: &str, key: &str) -> Vec<String> {
    let rows = shadow["objects"][0][list].as_array().unwrap();
    let mut values: Vec<_> = rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect();
    values.sort();
    values
}

/// The kernel's machine check code in small: a function that always ends in panic(), found out by GCC, not marked.
const PANIC: &str = "extern void panic(const char *, ...) __attribute__((noreturn, cold));\n\
    extern void print_mce(int);\nextern int cpu_missing(void);\nextern void touch(void);\n\
    static __attribute__((noinline)) void wait_for_panic(int t)\n{\n\twhile (t--)\n\t\ttouch();\n\
    \tif (cpu_missing())\n\t\tpanic(\"cpu\");\n\tpanic(\"mce\");\n}\n\
    void mce_panic(int a, int b) { if (a > b) wait_for_panic(a); print_mce(b); }\n\
    void other(int a) { if (a == 3) { print_mce(a); wait_for_panic(4); } print_mce(a + 1); }\n\
    void returns(int a) { touch(); print_mce(a); }\n";

#[test]
fn implicit_noreturn_lost() {
    let place = Place::new();
    place.write("mce.c", PANIC);
    compile(&place, "toggle-live-patching", &["gcc-12", "-O2", "-c", "mce.c"]);
    let shadow = &json(&place)["shadows"][0];
    assert_eq!(column(shadow, "noreturn_lost", "callee"), ["wait_for_panic", "wait_for_panic"]);
    assert_eq!(column(shadow, "noreturn_lost", "caller"), ["mce_panic", "other"]);
    let text = report(&place, &[]);
    assert!(text.contains("mark these `__noreturn`") && text.contains("called by other+0x"), "{text}");

    // The other way round: the build has the flag. A is without it all the same.
    compile(&place, "toggle-live-patching", &["gcc-12", "-O2", "-flive-patching", "-c", "mce.c"]);
    let swapped = &json(&place)["shadows"][0];
    assert_eq!(swapped["objects"][0]["noreturn_lost"], shadow["objects"][0]["noreturn_lost"]);
    assert_eq!(swapped["a"], "without -flive-patching");

    // Called from assembler, too, behind which every compiler goes on: the kernel's change to the stack of interrupts.
    let stacked = "if (b) { asm volatile (\"call %c0\" :: \"i\" (wait_for_panic) : \"memory\"); touch(); } print_mce(b); }";
    place.write("mce.c", &PANIC.replacen("print_mce(b); }", stacked, 1));
    compile(&place, "toggle-live-patching", &["gcc-12", "-O2", "-fno-pie", "-c", "mce.c"]);
    let beside = &json(&place)["shadows"][0];
    assert_eq!(column(beside, "noreturn_lost", "caller"), ["mce_panic", "other"]);

    // Marked, nothing is lost.
    place.write("mce.c", &PANIC.replace("((noinline))", "((noinline, noreturn))"));
    compile(&place, "toggle-live-patching", &["gcc-12", "-O2", "-c", "mce.c"]);
    assert!(column(&json(&place)["shadows"][0], "noreturn_lost", "callee").is_empty());
}

#[test]
fn clones_and_inlining() {
    let place = Place::new();
    place.write(
        "c.c",
        "extern int use(int);\nint exported(int a) { return use(a) * 3; }\n\
         int caller(int a) { return exported(a) + 1; }\n\
         static __attribute__((noinline)) int clone(int a, int b, int unused) { return use(a) * b + use(b); }\n\
         int one(int a) { return clone(a, 5, a); }\nint two(int a) { return clone(a + 1, 5, 1); }\n",
    );
    compile(&place, "toggle-live-patching=inline-only-static", &["gcc-12", "-O2", "-c", "c.c"]);
    let shadow = &json(&place)["shadows"][0];
    assert_eq!(column(shadow, "clones_gone", "origin"), ["clone"]);
    assert!(column(shadow, "clones_gone", "symbol")[0].starts_with("clone.constprop."));
    assert_eq!(column(shadow, "inlining_lost", "callee"), ["exported"]);
    assert_eq!(column(shadow, "inlining_lost", "caller"), ["caller"]);
    let changes = column(shadow, "functions", "change");
    assert!(changes.contains(&"new".to_owned()) && changes.contains(&"removed".to_owned()), "{changes:?}");
    assert_eq!(shadow["summary"]["functions"]["a"], 5);
}

#[test]
fn what_is_not_deterministic_and_what_depends_on_lines() {
    let place = Place::new();
    place.write(
        "d.c",
        "extern void log(int, const char *);\nint steady(int a) { return a * 7; }\n\
         void line(void) { log(__LINE__, \"x\"); }\nint stamp(void) { return STAMP; }\n",
    );
    // A compiler that gives another number every time.
    let gcc = place.beside("gcc");
    write_script(&gcc, "#!/bin/sh\nexec /usr/bin/gcc-12 -DSTAMP=\"$(date +%N | sed 's/^0*//')\" \"$@\"\n");
    compile(&place, "same,lines", &[gcc.to_str().unwrap(), "-O2", "-c", "d.c"]);
    let answer = json(&place);
    assert_eq!(column(&answer["shadows"][0], "functions", "symbol"), ["stamp"]);
    assert!(column(&answer["shadows"][1], "functions", "symbol").contains(&"line".to_owned()));
    assert!(!column(&answer["shadows"][1], "functions", "symbol").contains(&"steady".to_owned()));
    let text = report(&place, &["--shadow", "same"]);
    assert!(text.contains("1 not deterministic") && !text.contains("__LINE__"), "{text}");
}

/// Costs are told of both; a record holds nothing timed; a snapshot keeps both.
#[test]
fn costs_lie_beside_the_record() {
    let place = Place::new();
    place.write("a.c", "int a(int n) { return n + 1; }\n");
    compile(&place, "same", &["gcc-12", "-O2", "-c", "a.c"]);
    let record = || {
        let files = walkdir::WalkDir::new(place.store().join("units")).into_iter().flatten();
        let mut files = files.filter(|file| file.path().extension().is_some_and(|end| end == "lpcc"));
        std::fs::read(files.next().unwrap().path()).unwrap()
    };
    let first = record();
    assert!(run(place.lpcc().args(["store", "snapshot", "first"]), None).status.success());
    std::fs::remove_dir_all(place.store().join("units")).unwrap();
    compile(&place, "same", &["gcc-12", "-O2", "-c", "a.c"]);
    assert!(record() == first, "the same build gives the same record");
    for recording in ["now", "first"] {
        let answer: Value = serde_json::from_str(&report(&place, &["--format", "json", recording])).unwrap();
        for side in ["a", "b"] {
            let took = &answer["shadows"][0]["took"][side];
            assert!(
                took["cpu_us"].as_u64().unwrap() > 0 && took["memory_kib"].as_u64().unwrap() > 1000,
                "{took}"
            );
        }
    }
    std::fs::remove_file(place.tree().join("a.o")).unwrap();
    assert!(run(place.lpcc().args(["store", "gc"]), None).status.success());
    let left = walkdir::WalkDir::new(place.store().join("units")).into_iter().flatten();
    assert_eq!(left.filter(|entry| entry.file_type().is_file()).count(), 0, "the costs go with their record");
}

#[test]
fn a_recording_without_shadows_and_none_at_all() {
    let place = Place::new();
    place.write("a.c", "int a(int n) { return n + 1; }\n");
    let nothing = run(place.lpcc().args(["report"]), None);
    assert_eq!(nothing.status.code(), Some(2));
    compile(&place, "none", &["gcc-12", "-c", "a.c"]);
    let text = report(&place, &[]);
    assert!(text.contains("0 of 1 units compiled twice") && text.contains("LPCC_TWICE"), "{text}");
    let absent = run(place.lpcc().args(["report", "nowhere"]), None);
    let said = String::from_utf8_lossy(&absent.stderr).into_owned();
    assert!(
        absent.status.code() == Some(2) && said.lines().count() == 1 && said.contains("nowhere"),
        "{said}"
    );
}

/// What cannot be compiled twice is said with its reason: in the report, and by `explain` before and after.
#[test]
fn what_has_no_shadow_is_told_of() {
    if !Path::new("/usr/bin/clang-14").exists() {
        return kit::skip("no clang");
    }
    let place = Place::new();
    for name in ["a.c", "l.c"] {
        place.write(name, "int a(int n) { return n + 1; }\n");
    }
    place.write("s.S", ".text\n.globl s\ns: ret\n");
    let asked = "toggle-live-patching,add=-O3 -fwrapv,same";
    compile(&place, asked, &["clang-14", "-O2", "-c", "a.c"]);
    compile(&place, asked, &["gcc-12", "-O2", "-flto", "-c", "l.c"]);
    compile(&place, asked, &["gcc-12", "-c", "s.S"]);
    let answer = json(&place);
    let shadows = answer["shadows"].as_array().unwrap().iter();
    let names: Vec<_> = shadows.map(|shadow| shadow["shadow"].as_str().unwrap()).collect();
    assert_eq!(names, ["same", "custom"]);
    assert_eq!((&answer["units"], &answer["once"]), (&3.into(), &2.into()));
    let text = report(&place, &[]);
    for reason in [
        "1 not: clang has no `-flive-patching` for `toggle-live-patching`",
        "1 not: its objects hold no function bytes before the link",
        "1 not: neither C nor C++",
    ] {
        assert!(text.contains(reason), "{text}");
    }

    let explain = |words: &[&str]| {
        let output = run(place.lpcc().arg("explain").args(words).env("LPCC_TWICE", asked), None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for words in [&["a.o"][..], &["--", "clang-14", "-O2", "-c", "a.c"]] {
        let text = explain(words);
        assert!(text.contains("clang has no `-flive-patching`") && text.contains("same: "), "{text}");
    }
    assert!(
        explain(&["--", "clang-14", "-c", "a.c"]).contains("custom: compiled with `-O3`, with `-fwrapv`")
    );
    assert!(explain(&["l.o"]).contains("not compiled twice: its objects hold"), "{}", explain(&["l.o"]));
}
