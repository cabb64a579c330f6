//! Compiling twice, call by call: with shadows on, every call does what the bare compiler does, to the byte, and leaves no
//! file that the bare compiler would not, in the tree or in the store's folder of temporaries.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::os::fd::OwnedFd;
use std::path::Path;

use kit::{LPCC, Outcome, Place, build_program, compilers, differences, run, write_script};
use landlock::{ABI, AccessFs, Ruleset, RulesetAttr};
use lpcc::store::record::{Outcome as Read, Record};

const SHADOWS: &str = "toggle-live-patching,same,lines";

fn fill(place: &Place) {
    place.clear();
    place.write("t.h", "#define T 3\nstatic inline int twice(int a) { return a + a; }\n");
    place.write(
        "t.c",
        "#include \"t.h\"\n#include <assert.h>\n#include <stdlib.h>\nstatic int sq(int a) { return a * a + T; }\n\
         int t(int a) { int unused; assert(a > 3); return twice(sq(a)); }\nint plain(int a) { return sq(a) - 1; }\n",
    );
    place.write("u.c", "int u(void) { return 5; }\n");
    place.write("bad.c", "int b(;\n");
    place.write("w.cc", "#include <vector>\nint w(int n) { std::vector<int> v(n); return v.at(2); }\n");
    write_script(
        &place.tree().join("wrapper"),
        "#!/bin/sh\n{ echo called >>count; } 2>/dev/null\nexec \"$@\"\n",
    );
}

/// Runs a shell script in a fresh tree, with `$CC` the bare compiler and then lpcc before it, and gives the records.
#[track_caller]
fn same(compiler: &str, script: &str) -> Vec<Record> {
    let place = Place::new();
    let outcome = |words: &str| {
        fill(&place);
        let mut command = place.command("timeout");
        command.args(["120", "bash", "-c", script]).env("CC", words).env("LPCC_TWICE", SHADOWS);
        let output = run(&mut command, None);
        Outcome { output, tree: place.listing() }
    };
    let bare = outcome(compiler);
    let wrapped = outcome(&format!("{LPCC} {compiler}"));
    let found = differences(&bare, &wrapped);
    assert!(found.is_empty(), "{compiler}: {script}\n{}", found.join("\n"));
    assert_eq!(left(&place.store()), Vec::<String>::new(), "{compiler}: {script}");
    place.records()
}

/// What lies in the store's folder of temporaries.
fn left(store: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(store.join("tmp")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// What came of each variant: its name, and why it has no fingerprints.
fn variants(record: &Record) -> Vec<(String, Option<String>)> {
    let why = |outcome: &Read| match outcome {
        Read::Read(_) => None,
        Read::Unreadable(why) => Some(why.clone()),
    };
    record.variants.iter().map(|variant| (variant.name.clone(), why(&variant.fingerprints))).collect()
}

/// All shadows of a record were compiled.
#[track_caller]
fn whole(compiler: &str, record: &Record) {
    for (name, why) in variants(record) {
        assert!(why.is_none(), "{compiler}: {:?}: {name}: {why:?}", record.call.given);
    }
    // Clang has no flag to toggle.
    let made = if compiler.contains("clang") { 3 } else { 4 };
    assert_eq!(record.variants.len(), made, "{compiler}: {:?}", record.call.given);
}

#[test]
fn side_outputs_are_the_primarys_alone() {
    for compiler in compilers() {
        for script in [
            "$CC -O2 -c t.c -o t.o",
            "$CC -O2 -g -MD -c t.c",
            "$CC -O2 -MD -MF d -MT x -MP -c t.c -o t.o",
            "$CC -O2 -Wp,-MMD,.t.d -c t.c -o t.o",
            "$CC -O2 -Wp,-MD,d,-MT,x -c t.c -o t.o",
            "$CC -O2 -g -gsplit-dwarf -c t.c -o t.o",
            "$CC -O2 -save-temps -c t.c -o t.o",
            "$CC -O2 -save-temps=cwd -c t.c -o t.o; $CC -O2 -save-temps=obj -c t.c -o t.o",
            "$CC -O2 -fstack-usage -c t.c -o t.o",
            "$CC -O2 -frandom-seed=1 --coverage -c t.c -o t.o",
            "$CC -O2 -Wall -Wextra -c t.c -o t.o",
            "$CC -O2 -x c -c - -o t.o <t.c",
            "echo '-O2 -MD -MF d' >args; $CC @args -c t.c -o t.o",
            "$CC -O2 -Wa,--noexecstack,-L -c t.c -o t.o",
            "mkdir out; $CC -O2 -MD -c w.cc -o out/w.o",
        ] {
            let records = same(compiler, script);
            assert!(!records.is_empty(), "{compiler}: {script}");
            for record in records.iter().filter(|_| !script.contains("@args")) {
                whole(compiler, record);
            }
        }
    }
}

#[test]
fn gccs_own_side_outputs() {
    let gcc = "/usr/bin/gcc-12";
    for script in [
        "$CC -O2 -fcallgraph-info -fdump-ipa-clones -fdump-tree-optimized -c t.c -o t.o",
        "$CC -O2 -da -c t.c -o t.o; ls; rm *r.*",
        "$CC -O2 -dumpdir p- -dumpbase b -fdump-tree-optimized -c t.c -o t.o",
        "$CC -O2 -aux-info a -fopt-info-all=o -fdump-go-spec=g -fdump-final-insns=f -c t.c -o t.o",
        "$CC -pipe -O2 -Wa,-al=l,-L -Wa,--MD,m -Xassembler -a=n -c t.c -o t.o",
        "$CC -O2 --coverage -fprofile-note=n.gcno -frandom-seed=1 -c t.c -o t.o",
        "DEPENDENCIES_OUTPUT=d SUNPRO_DEPENDENCIES=s $CC -O2 -c t.c -o t.o",
        "$CC -O2 -fdump-ada-spec -c t.c -o t.o",
        "$CC -O2 -wrapper ./wrapper -c t.c -o t.o",
    ] {
        for record in same(gcc, script) {
            whole(gcc, &record);
        }
    }
}

#[test]
fn clangs_own_side_outputs() {
    let clang = "/usr/bin/clang-14";
    if !Path::new(clang).exists() {
        return kit::skip("no clang");
    }
    for script in [
        "$CC -O2 -MJ j --serialize-diagnostics s -c t.c -o t.o",
        "$CC -O2 -Xclang -dependency-file -Xclang d -Xclang -MT -Xclang t -c t.c -o t.o",
        "CC_PRINT_OPTIONS=1 CC_PRINT_OPTIONS_FILE=o CC_PRINT_HEADERS=1 CC_PRINT_HEADERS_FILE=h $CC -O2 -c u.c; \
         wc -l <o; wc -l <h; rm o h",
        "$CC -O2 -fsave-optimization-record -foptimization-record-file=r -c t.c -o t.o",
    ] {
        for record in same(clang, script) {
            whole(clang, &record);
        }
    }
}

#[test]
fn several_sources_and_odd_calls() {
    for compiler in compilers() {
        let records = same(compiler, "$CC -O2 -MD -c t.c u.c");
        assert_eq!(records.len(), 2);
        for record in &records {
            whole(compiler, record);
        }
        for script in [
            "$CC -c bad.c; echo $?",
            "$CC -c t.c bad.c; echo $?",
            "$CC -O2 t.c -c -o /dev/null -MD; echo $?",
            "$CC -O2 -c <(cat u.c) -x c -o t.o; echo $?",
            "$CC -O2 -x c -c <(cat u.c) -o t.o; echo $?",
            "$CC -flto -frandom-seed=1 -c t.c -o t.o",
            "echo 'int main(void) { return 0; }' >m.c; $CC -O2 -MD m.c u.c -o m",
            "$CC -O2 -S t.c; $CC -E t.c >e; $CC -fsyntax-only t.c",
        ] {
            same(compiler, script);
        }
    }
}

/// A shadow that fails is kept as a finding, with the compiler's own words.
#[test]
fn a_failing_shadow_is_a_finding() {
    let place = Place::new();
    fill(&place);
    let mut lpcc = place.lpcc();
    lpcc.args(["gcc-12", "-O2", "-c", "t.c"]).env("LPCC_TWICE", "same,add=-fno-such-option");
    let output = run(&mut lpcc, None);
    assert!(output.status.success() && output.stderr.is_empty());
    let variants = variants(&place.records()[0]);
    assert_eq!(variants[1], ("same".into(), None));
    let why = variants[2].1.as_deref().unwrap();
    assert!(why.contains("exit status 1") && why.contains("-fno-such-option"), "{why}");
}

/// An option that writes where no table knows of it: the kernel keeps the shadow from it.
#[test]
fn an_unknown_writer_is_stopped_by_the_kernel() {
    let rules = Ruleset::default().handle_access(AccessFs::from_write(ABI::V1)).unwrap().create().unwrap();
    if Option::<OwnedFd>::from(rules).is_none() {
        return kit::skip("this kernel has no Landlock");
    }
    let place = Place::new();
    fill(&place);
    // A compiler that writes beside its work whatever it is told.
    let compiler = place.beside("gcc");
    build_program(
        &compiler,
        "#include <stdio.h>\n#include <unistd.h>\n#include <string.h>\nint main(int argc, char **argv) {\n\
         if (argc < 3 || strcmp(argv[1], \"-c\")) { argv[0] = \"/usr/bin/gcc\"; execv(argv[0], argv); }\n\
         FILE *log = fopen(\"log\", \"a\"); if (!log) { fputs(\"error: no log\\n\", stderr); return 1; }\n\
         fputs(\"one\\n\", log); fclose(log); argv[0] = \"/usr/bin/gcc\"; execv(argv[0], argv); return 1; }\n",
    );
    let mut lpcc = place.lpcc();
    lpcc.arg(&compiler).args(["-c", "t.c"]).env("LPCC_TWICE", "same");
    assert!(run(&mut lpcc, None).status.success());
    assert_eq!(std::fs::read_to_string(place.tree().join("log")).unwrap(), "one\n");
    let why = variants(&place.records()[0])[1].1.clone().unwrap();
    assert!(why.contains("error: no log"), "{why}");
}

/// What depends on a line number is found, in the source and in headers, and nothing else is.
#[test]
fn lines_move_everywhere() {
    for compiler in
        ["/usr/bin/gcc-12", "/usr/bin/clang-14"].into_iter().filter(|path| Path::new(path).exists())
    {
        let place = Place::new();
        place.write("a/h.h", "static inline int where(void) { return __LINE__; }\n");
        place.write(
            "a/l.c",
            "#include \"h.h\"\n#include <stdio.h>\nint own(void) { return __LINE__; }\nint header(void) { return where(); }\n\
             int none(int a) { return printf(\"%s\", __FILE__) + a; }\nconst char *base(void) { return __BASE_FILE__; }\n",
        );
        let mut lpcc = place.lpcc();
        lpcc.args([compiler, "-O2", "-c", "a/l.c"]).env("LPCC_TWICE", "lines");
        assert!(run(&mut lpcc, None).status.success());
        let record = &place.records()[0];
        let [Read::Read(old), Read::Read(new)] =
            [&record.variants[0].fingerprints, &record.variants[1].fingerprints]
        else {
            panic!("{compiler}: {:?}", variants(record))
        };
        let findings = lpcc::analysis::compare(old, new);
        let functions =
            findings.iter().filter(|finding| finding.kind == lpcc::analysis::FindingKind::Function);
        let names: Vec<_> = functions.map(|finding| finding.symbol.to_string()).collect();
        assert!(
            names.starts_with(&["header".into(), "own".into()]) || names == ["base", "header", "own"],
            "{compiler}: {names:?}"
        );
        assert!(!names.contains(&"none".to_owned()), "{compiler}: {names:?}");
    }
}

/// Nothing is compiled again where nothing changed; everything that decides about the shadow is noticed.
#[test]
fn what_the_store_has_is_not_compiled_again() {
    let place = Place::new();
    fill(&place);
    let counter = place.beside("count");
    let gcc = place.beside("gcc-12");
    write_script(
        &gcc,
        &format!(
            "#!/bin/sh\ncase \"$*\" in *-c*) echo x >>'{}' 2>/dev/null ;; esac\nexec gcc-12 \"$@\"\n",
            counter.display()
        ),
    );
    let log = place.beside("log");
    let compiled = |words: &[&str], twice: &str| {
        let _ = std::fs::remove_file(&log);
        let mut lpcc = place.lpcc();
        lpcc.arg(&gcc).args(words).env("LPCC_TWICE", twice).env("LPCC_LOG_FILE", &log);
        assert!(run(&mut lpcc, None).status.success());
        let text = std::fs::read_to_string(&log).unwrap();
        text.matches("the store has this shadow").count()
    };
    for dependencies in ["-MD", "-MMD", "-Wall"] {
        let call = ["-O2", dependencies, "-c", "t.c", "-o", "t.o"];
        assert_eq!(compiled(&call, "same,toggle"), 0, "{dependencies}");
        assert_eq!(compiled(&call, "same,toggle"), 2, "{dependencies}");
        assert!(std::fs::read_to_string(&log).unwrap().contains("the record that the store has stands"));
        let first = place.records();
        assert_eq!(compiled(&call, "toggle"), 1);
        assert!(
            !std::fs::read_to_string(&log).unwrap().contains("stands"),
            "a shadow less is another record"
        );
        assert_eq!(compiled(&call, "same,toggle"), 1);
        assert_eq!(first[0].variants.len(), 3);
        assert_eq!(compiled(&["-O2", dependencies, "-DX", "-c", "t.c", "-o", "t.o"], "same,toggle"), 0);
        place.write("t.h", "#define T 4\nstatic inline int twice(int a) { return a + a; }\n");
        assert_eq!(compiled(&call, "same,toggle"), 0);
        assert_eq!(compiled(&call, "same,toggle"), 2);
        place.write("t.h", "#define T 3\nstatic inline int twice(int a) { return a + a; }\n");
    }
}
