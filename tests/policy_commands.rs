//! `lpcc explain` and `lpcc audit`, and what `lpcc diff` says first.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails to set up fails"
)]

mod kit;

use std::path::Path;

use bstr::ByteSlice;
use kit::{Place, json, run, skip};

fn place() -> Place {
    Place::of(&[
        ("t.c", "static int g(int x) { return x * 3; }\nint f(int x) { return g(x) + 1; }\n"),
        ("u.c", "int u(void) { return 2; }\n"),
        (
            "lpcc.toml",
            "[default]\nlive-patching = \"keep\"\n\n[[rule]]\nsource = \"t.c\"\nlive-patching = \"inline-clone\"\n",
        ),
    ])
}

#[test]
fn explain_tells_rule_command_and_effect() {
    let place = place();
    for (compiler, expected) in [("gcc-12", true), ("gcc-11", true), ("clang-14", false)] {
        if !Path::new("/usr/bin").join(compiler).exists() {
            skip(compiler);
            continue;
        }
        let answer =
            json(place.lpcc().args(["explain", "--format", "json", "--", compiler, "-O2", "-c", "t.c"]));
        assert_eq!(answer["schema"], "lpcc.explain/1");
        let toml = place.tree().join("lpcc.toml");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("inline-clone: rule 1, `{}:4`", toml.display())), "{reason}");
        let program = format!("/usr/bin/{compiler}");
        if !expected {
            assert_eq!(answer["command"], serde_json::json!([program, "-O2", "-c", "t.c"]));
            assert_eq!(answer["turned_off"], serde_json::Value::Null);
            continue;
        }
        assert_eq!(
            answer["command"],
            serde_json::json!([program, "-flive-patching=inline-clone", "-O2", "-c", "t.c"])
        );
        // GCC 11 to 16 at -O2.
        let off: Vec<&str> =
            answer["turned_off"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        assert_eq!(
            off,
            [
                "-fipa-bit-cp",
                "-fipa-icf",
                "-fipa-icf-functions",
                "-fipa-icf-variables",
                "-fipa-modref",
                "-fipa-pure-const",
                "-fipa-ra",
                "-fipa-reference",
                "-fipa-reference-addressable",
                "-fipa-stack-alignment",
                "-fipa-vrp"
            ],
            "{compiler}"
        );
        assert!(!place.tree().join("t.o").exists(), "nothing is compiled");
    }
    assert!(run(place.lpcc().args(["gcc-12", "-O2", "-c", "t.c"]), None).status.success());
    let output = run(place.lpcc().args(["explain", "t.o"]), None);
    let text = output.stdout.to_str_lossy();
    for part in ["inline-clone", "rule 1", "-flive-patching=inline-clone -O2 -c t.c", "gcc 12."] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let output = run(place.lpcc().args(["explain", "no.o"]), None);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn diff_says_first_that_the_flag_differs() {
    let place = place();
    for (store, policy) in [("one", "keep"), ("two", "inline-clone")] {
        let mut call = place.lpcc();
        call.env("LPCC_STORE", place.beside(store)).env("LPCC_POLICY", policy);
        assert!(run(call.args(["gcc-12", "-O2", "-c", "t.c"]), None).status.success());
    }
    let output = run(place.lpcc().arg("diff").args([place.beside("one"), place.beside("two")]), None);
    let text = output.stdout.to_str_lossy();
    let second = text.lines().nth(1).unwrap();
    assert!(second.starts_with("flags") && second.contains("-flive-patching=inline-clone"), "{text}");
}

#[test]
fn diff_says_first_what_response_files_order_and_objects_tell() {
    let place = place();
    let first = |one: &str, other: &str| {
        let mut diff = place.lpcc();
        let output = run(diff.arg("diff").args([place.beside(one), place.beside(other)]), None);
        output.stdout.to_str_lossy().lines().nth(1).unwrap_or_default().to_owned()
    };
    for (store, arguments, flags) in [
        ("plain", "@flags -O2 -c t.c", ""),
        ("file", "@flags -O2 -c t.c", "-flive-patching"),
        ("clone", "-O2 -flive-patching=inline-only-static -flive-patching=inline-clone -c t.c", ""),
        ("static", "-O2 -flive-patching=inline-clone -flive-patching=inline-only-static -c t.c", ""),
    ] {
        place.write("flags", flags);
        let mut call = place.lpcc();
        call.env("LPCC_STORE", place.beside(store)).env("LPCC_POLICY", "keep").arg("gcc-12");
        assert!(run(call.args(arguments.split(' ')), None).status.success());
    }
    let line = first("plain", "file");
    assert!(line.starts_with("flags") && line.contains("now with -flive-patching"), "{line}");
    let line = first("clone", "static");
    assert!(line.contains("-flive-patching=inline-clone -> -flive-patching=inline-only-static"), "{line}");
    // Without records, the objects tell.
    place.shell(
        "gcc-12 -g -O2 -c t.c -o ../one.o; gcc-12 -g -O2 -flive-patching -c t.c -o ../two.o
         gcc-12 -g -O2 -DX=1 -c t.c -o ../three.o",
    );
    let line = first("one.o", "two.o");
    assert!(line.contains("no -flive-patching -> -flive-patching=inline-clone"), "{line}");
    let line = first("one.o", "three.o");
    assert!(!line.contains("flags"), "{line}");
    let line = first("clone", "two.o");
    assert!(!line.starts_with("flags"), "the same state: {line}");
}

#[test]
fn audit_reads_what_was_really_built() {
    let place = place();
    place.shell("mkdir d; gcc-12 -g -O2 -flive-patching -c t.c -o d/clone.o
         gcc-12 -g -O2 -flive-patching=inline-only-static -c t.c -o d/static.o
         gcc-12 -g -O2 -c u.c -o d/plain.o
         gcc-12 -gz -g -O2 -flive-patching -c t.c -o d/compressed.o
         gcc-12 -O2 -frecord-gcc-switches -flive-patching -c t.c -o d/switches.o
         gcc-12 -g -gno-record-gcc-switches -flive-patching -c t.c -o d/silent.o
         gcc-12 -O2 -flive-patching -c t.c -o d/stripped.o
         ar rc lib.a d/clone.o d/plain.o
         gcc-12 -shared -o t.so d/clone.o d/plain.o -nostdlib
         objcopy --only-keep-debug t.so t.debug; objcopy --compress-debug-sections=zlib t.so tz.so; strip t.so",
    );
    let answer =
        json(place.lpcc().args(["audit", "--format", "json", "d", "lib.a", "t.debug", "t.so", "tz.so"]));
    let mut found: Vec<String> = Vec::new();
    for object in answer["objects"].as_array().unwrap() {
        let units = object["units"].as_array().unwrap();
        let states: Vec<_> = units.iter().map(|unit| unit["state"].as_str().unwrap()).collect();
        found.push(format!("{} {}", object["object"].as_str().unwrap(), states.join("+")));
    }
    found.sort();
    assert_eq!(
        found,
        [
            "clone.o inline-clone",
            "compressed.o inline-clone",
            "lib.a(clone.o) inline-clone",
            "lib.a(plain.o) none",
            "plain.o none",
            "silent.o unknown",
            "static.o inline-only-static",
            "stripped.o unknown",
            "switches.o inline-clone",
            "t.debug inline-clone+none",
            "t.so unknown",
            "tz.so inline-clone+none",
        ]
    );
    let status = |args: &[&str]| run(place.lpcc().arg("audit").args(args), None).status.code();
    assert_eq!(status(&["--expect", "inline-clone", "d/clone.o"]), Some(0));
    assert_eq!(status(&["--expect", "inline-clone", "lib.a"]), Some(1));
    assert_eq!(status(&["t.c"]), Some(2));
    // What keeps silent has a record, as long as it is of the same bytes.
    assert!(run(place.lpcc().args(["gcc-12", "-O2", "-c", "t.c", "-o", "r.o"]), None).status.success());
    let text = run(place.lpcc().args(["audit", "r.o"]), None).stdout;
    assert_eq!(
        text.to_str_lossy().split_whitespace().collect::<Vec<_>>(),
        ["r.o", "inline-clone", "record", "1", "unit:", "t.c"]
    );
    place.shell("gcc-12 -O1 -c t.c -o r.o");
    assert!(run(place.lpcc().args(["audit", "r.o"]), None).stdout.contains_str("unknown"));
    if Path::new("/usr/bin/aarch64-linux-gnu-gcc").exists() {
        place.shell("aarch64-linux-gnu-gcc -g -flive-patching -c t.c -o arm.o");
        assert_eq!(status(&["--expect", "inline-clone", "arm.o"]), Some(0));
    }
}
