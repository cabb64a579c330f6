//! Files around a compile: outputs that exist already in every form, sources that can be read only once,
//! directories of odd kinds, many compiles at once, objects taken away at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::os::unix::fs::MetadataExt;

use kit::{LPCC, Outcome, Place, compilers, differences, run};

/// Any number of records.
const ANY: usize = usize::MAX;

/// Runs a shell script in a fresh tree, with `$CC` the bare compiler and then lpcc before it; both must do the same.
fn same(script: &str, records: usize) {
    for compiler in compilers() {
        let place = Place::new();
        let outcome = |words: &str| {
            let _ = std::process::Command::new("chmod").args(["-R", "u+w"]).arg(place.tree()).status();
            place.clear();
            place.write("t.c", "#include \"t.h\"\nint t(void) { return T; }\n");
            place.write("t.h", "#define T 1\n");
            place.write("bad.c", "int b(;\n");
            let mut command = place.command("timeout");
            let output = run(command.args(["60", "bash", "-c", script]).env("CC", words), None);
            Outcome { output, tree: place.listing() }
        };
        let bare = outcome(compiler);
        let wrapped = outcome(&format!("{LPCC} {compiler}"));
        let found = differences(&bare, &wrapped);
        assert!(found.is_empty(), "{compiler}: {script}\n{}", found.join("\n"));
        let recorded = place.records().len();
        assert!(records == ANY || recorded == records, "{compiler}: {script}: {recorded} records");
    }
}

#[test]
fn outputs_that_exist_already() {
    same("echo old >t.o; ln t.o other.o; $CC -c t.c; stat -c %h t.o other.o", 1);
    same("echo old >real.o; ln -s real.o t.o; $CC -c t.c", 1);
    same("ln -s nowhere.o t.o; $CC -c t.c", 1);
    same("echo old >t.o; chmod 444 t.o; $CC -c t.c", 1);
    same("mkdir t.o; $CC -c t.c; echo $?", 0);
    same("echo old >bad.o; $CC -c bad.c; echo $?", 0);
    same("umask 077; $CC -c t.c", 1);
}

#[test]
fn sources_that_can_be_read_only_once() {
    same("$CC -x c -c <(echo 'int once;') -o x.o 2>/dev/null; echo $?; test -s x.o", 1);
    same("mkfifo pipe; echo 'int once;' >pipe & $CC -x c -c pipe -o x.o; wait; rm pipe", 1);
    same("echo 'int a;' | $CC -x c -c /dev/stdin -o x.o", 1);
    same("echo 'int a;' >a; exec <a; $CC -x c -c - -o x.o; cat", 1);
    same("mkfifo args; echo '-DX=1' >args & $CC -c t.c @args; echo $?; timeout 1 cat args; rm args; wait", 1);
    same("$CC -x c -c - -o x.o <&-; echo $?", ANY); // GCC fails, Clang reads nothing
    same("echo 'int a;' | $CC -c t.c; echo $?", 1);
}

#[test]
fn directories_of_odd_kinds() {
    same("mkdir real; cp t.* real; ln -s real link; cd link; $CC -g -c t.c", 1);
    same("mkdir gone; cp t.* gone; cd gone; rm -r ../gone; $CC -c t.c; echo $?", 0);
    same("mkdir out; cd out; $CC -g -c ../t.c -I.. -o ./../out/t.o", 1);
}

#[test]
fn outputs_that_are_written_to_again_or_taken_away() {
    same("$CC -c t.c -o .t.tmp && mv .t.tmp t.o", 1);
    same("mkdir .deps; $CC -MD -MP -MF .deps/t.Tpo -c t.c && mv .deps/t.Tpo .deps/t.Po", 1);
    same("$CC -Wp,-MD,.t.d -c t.c -o t.o && cat .t.d && rm .t.d", 1);
    same("mkdir probe; $CC -c t.c -o probe/t.o; rm -rf probe", 1);
}

#[test]
fn many_compiles_at_once() {
    let place = Place::new();
    let count = 48;
    for number in 0..count {
        place.write(format!("u{number}.c"), &format!("int u{number}(int a) {{ return a + {number}; }}\n"));
    }
    let rule = "objects := $(patsubst %.c,%.o,$(wildcard *.c))\nall: $(objects)\n%.o: %.c\n\t$(CC) -O2 -MD -c $< -o $@\n";
    place.write("Makefile", rule);
    for _ in 0..2 {
        let output = run(place.command("make").args(["-B", "-j16", &format!("CC={LPCC} gcc-12")]), None);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        let records = place.records();
        assert_eq!(records.len(), count);
        for record in records {
            let object = std::fs::read(String::from_utf8_lossy(&record.unit.output).into_owned()).unwrap();
            assert_eq!(record.variants[0].hash, lpcc::object::Hash::of(&object));
        }
    }
    assert_eq!(std::fs::read_dir(place.store().join("tmp")).unwrap().count(), 0, "temporaries left behind");
}

#[test]
fn killed_at_any_moment_leaves_no_damaged_record() {
    let place = Place::new();
    place.write("t.c", "#include <stdio.h>\nint t(void) { return puts(\"t\"); }\n");
    for round in 0..40_u64 {
        // The compiler proper may outlive its driver by a moment and complain that we are gone.
        let mut command = place.lpcc();
        command.args(["gcc-12", "-O2", "-c", "t.c"]).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 2));
        let _ = child.kill();
        child.wait().unwrap();
        assert!(place.records().len() <= 1); // reading fails the test on a damaged one
    }
    // The last round's assembler may outlive its driver too, and must not write the object after us.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let log = place.beside("log");
    let output = run(place.lpcc().args(["gcc-12", "-O2", "-c", "t.c"]).env("LPCC_LOG_FILE", &log), None);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let records = place.records();
    assert_eq!(records.len(), 1, "{}", std::fs::read_to_string(log).unwrap());
    let object = std::fs::metadata(place.tree().join("t.o")).unwrap();
    assert_eq!(records[0].variants[0].size, object.size());
}

/// zlib compiles to `objs/t.o` and moves that to `t.lo`: what a configure script tries is dropped from a snapshot, an
/// object that was moved is not.
#[test]
fn a_moved_object_keeps_its_record() {
    let place = Place::new();
    place.write("objs/keep", "");
    let lpcc = |arguments: &[&str]| run(place.lpcc().args(arguments), None);
    let build = |number: u32| {
        place.write("t.c", &format!("int t(int a) {{ return a + {number}; }}\n"));
        place.write("conftest.c", "int main(void) { return 0; }\n");
        for source in ["objs/t.o t.c", "conftest.o conftest.c"] {
            let (object, source) = source.split_once(' ').unwrap();
            assert!(lpcc(&["gcc", "-O2", "-c", "-o", object, source]).status.success());
        }
        std::fs::remove_file(place.tree().join("conftest.o")).unwrap();
        std::fs::rename(place.tree().join("objs/t.o"), place.tree().join("t.lo")).unwrap();
    };
    build(1);
    assert!(lpcc(&["store", "snapshot", "one"]).status.success());
    build(2);
    let diff = lpcc(&["diff", "one", "now"]);
    let said = String::from_utf8_lossy(&diff.stdout).into_owned();
    assert!(said.contains(": differs; 1 function changed") && said.contains("t  changed"), "{said}");
    let removed = lpcc(&["store", "gc"]).stdout;
    let removed = String::from_utf8_lossy(&removed);
    assert!(removed.contains("conftest.o") && !removed.contains("objs/t.o"), "{removed}");
    assert_eq!(lpcc(&["diff", "one", "now"]).status.code(), Some(1));
    let shown = lpcc(&["show", "--recorded", "t.lo"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("from its record"), "{shown:?}");
}
