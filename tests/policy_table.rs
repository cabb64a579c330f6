//! The policy over compilers that are here and fakes that behave as others do: which arguments run, and why.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::path::Path;
use std::process::Output;

use bstr::ByteSlice;
use kit::fakes::FAKES;
use kit::{Place, compilers, run};
use lpcc::policy::Action;
use lpcc::store::record::Record;

fn place(config: &str) -> Place {
    Place::of(&[
        ("t.c", "static int g(int x) { return x * 3; }\nint f(int x) { return g(x) + 1; }\n"),
        ("u.c", "int u(void) { return 2; }\n"),
        ("lib/v.c", "int v(void) { return 2; }\n"),
        ("lpcc.toml", config),
    ])
}

fn call(place: &Place, compiler: &str, args: &str) -> (Output, Vec<Record>) {
    let _ = std::fs::remove_dir_all(place.store().join("units"));
    let output = run(place.lpcc().arg(compiler).args(args.split(' ')), None);
    (output, place.records())
}

/// The arguments that ran, and what was done.
fn ran(place: &Place, compiler: &str, args: &str) -> (String, Record) {
    let (output, mut records) = call(place, compiler, args);
    assert!(output.status.success(), "{compiler} {args}: {output:?}");
    let record = records.remove(0);
    let words: Vec<String> = record.call.run.iter().map(ToString::to_string).collect();
    (words.join(" "), record)
}

const CLONE: &str = "[default]\nlive-patching = \"inline-clone\"\n";
const STATIC: &str = "[default]\nlive-patching = \"inline-only-static\"\n";

#[test]
fn what_runs_under_compilers_that_are_not_here() {
    let clone_strip_lto: &str = &format!("{CLONE}lto = \"strip-lto\"\n");
    let static_strip_lto: &str = &format!("{STATIC}lto = \"strip-lto\"\n");
    let strips_flag: &str = &format!("{CLONE}lto = \"strip-live-patching\"\n");
    let given: &str = "[default]\nlto = \"strip-live-patching\"\n";
    // Configuration, arguments, and what runs: 4.8 of SUSE, 8, 9, 10, 13, 16.
    let plain = "-O2 -c t.c";
    let clone = "-flive-patching=inline-clone -O2 -c t.c";
    let lto = "-O2 -flto -c t.c";
    let both = "-flive-patching=inline-clone -O2 -flto -c t.c";
    let only = "-flive-patching=inline-only-static -O2 -c t.c";
    let rows: [(&str, &str, [&str; 6]); 8] = [
        (CLONE, plain, [clone, plain, clone, clone, clone, clone]),
        (CLONE, lto, [lto, lto, lto, lto, both, both]),
        (STATIC, lto, [lto; 6]),
        (clone_strip_lto, lto, [clone, lto, clone, clone, both, both]),
        (static_strip_lto, lto, [only, lto, only, only, only, only]),
        (strips_flag, lto, [lto, lto, lto, lto, both, both]),
        (
            "[[rule]]\nversion = \">=9, <13\"\nlive-patching = \"inline-clone\"\n",
            plain,
            [plain, plain, clone, clone, plain, plain],
        ),
        (given, plain, [plain; 6]),
    ];
    let place = place("");
    for (fake, index) in FAKES.iter().zip(0..) {
        let compiler = fake.lay(&place);
        for (config, args, expected) in &rows {
            place.write("lpcc.toml", config);
            let (words, record) = ran(&place, &compiler, args);
            assert_eq!(words, expected[index], "{}: {config}{args}\n{}", fake.name, record.decision.reason);
            let state = words.contains("-flive-patching").then(|| record.decision.action.as_str());
            assert_eq!(record.decision.live_patching.as_deref(), state, "{}", record.decision.reason);
        }
        // A pair that the call itself has.
        place.write("lpcc.toml", given);
        let (words, record) = {
            let (output, records) = call(&place, &compiler, "-flto -flive-patching -c t.c");
            if !fake.knows {
                assert!(output.status.success(), "taken out, as the compiler refuses it: {output:?}");
            }
            let record = records.into_iter().next().unwrap();
            (record.call.run.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), record)
        };
        let kept = fake.beside_lto == "inline-clone";
        assert_eq!(words, if kept { "-flto -flive-patching -c t.c" } else { "-flto -c t.c" });
        assert_eq!(record.decision.action, if kept { Action::Keep } else { Action::Strip });
    }
}

#[test]
fn a_compiler_is_asked_once_and_again_where_the_answer_is_damaged() {
    let place = place(CLONE);
    let compiler = FAKES[2].lay(&place);
    let asked = || {
        let log = std::fs::read_to_string(place.beside("log")).unwrap();
        log.lines().filter(|line| line.ends_with("-x c /dev/null")).count()
    };
    for _ in 0..3 {
        ran(&place, &compiler, "-c t.c");
    }
    assert_eq!(asked(), 1);
    let mut damaged = 0;
    for entry in walkdir::WalkDir::new(place.store().join("compilers")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            std::fs::write(entry.path(), "damaged").unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    assert!(ran(&place, &compiler, "-c t.c").0.starts_with("-flive-patching"));
    assert_eq!(asked(), 2);
    // Another compiler under the same name is another compiler.
    std::fs::write(&compiler, std::fs::read(&compiler).unwrap()).unwrap();
    ran(&place, &compiler, "-c t.c");
    assert_eq!(asked(), 3);
}

#[test]
fn the_flag_is_added_only_where_it_belongs() {
    let place = place(CLONE);
    place.write("s.S", ".text\n");
    for compiler in ["gcc-12", "gcc-11"] {
        if !Path::new("/usr/bin").join(compiler).exists() {
            kit::skip(compiler);
            continue;
        }
        for (args, added) in [
            ("-O2 -c t.c", true),
            ("-c t.c u.c", true),
            ("-O2 -fipa-icf -c t.c", false),
            ("-O2 -fipa-icf -fno-ipa-icf -c t.c", true),
            ("-O2 -fwhole-program -c t.c", false),
            ("-O2 -fipa-sra -c t.c", true),
            ("-O2 -flto -c t.c", false),
            ("-O2 -flto -fno-lto -c t.c", true),
            ("-c s.S", false),
            ("-flive-patching=inline-only-static -c t.c", true),
        ] {
            let (words, record) = ran(&place, compiler, args);
            assert_eq!(
                words.starts_with("-flive-patching=inline-clone "),
                added,
                "{compiler} {args}: {words}"
            );
            assert_eq!(words.matches("-flive-patching").count(), usize::from(added), "{words}");
            assert!(record.decision.reason.contains("default") || !added, "{}", record.decision.reason);
        }
    }
    // What leaves no record: seen in the log.
    for (args, added) in [
        ("-S t.c", true),
        ("t.c u.c -shared -fPIC -o t.so", true),
        ("-E t.c", false),
        ("-M t.c", false),
        ("-fsyntax-only t.c", false),
        ("-x c -c /dev/null -o n.o", false),
        ("-c t.c -o /dev/null", false),
        ("-S t.c -o -", false),
        ("--version", false),
    ] {
        let output = run(place.lpcc().env("LPCC_LOG", "debug").arg("gcc-12").args(args.split(' ')), None);
        assert!(output.status.success(), "{output:?}");
        let log = output.stderr.to_str_lossy();
        assert_eq!(log.contains("added=[\"-flive-patching=inline-clone\"]"), added, "{args}: {log}");
    }
    let output =
        run(place.lpcc().env("LPCC_LOG", "debug").args(["gcc-12", "-xc", "-c", "-", "-o", "s.o"]), Some(b""));
    assert!(!output.stderr.to_str_lossy().contains("added=[\"-f"));
}

#[test]
fn strip_leaves_no_form_in_any_call() {
    let place = place("[default]\nlive-patching = \"strip\"\n");
    place.write("flags", "-O2 -flive-patching=inline-clone -Wall");
    for compiler in compilers() {
        for args in [
            "-flive-patching -c t.c",
            "-flive-patching=inline-only-static -c t.c",
            "-c t.c -flive-patching=none",
            "@flags -c t.c",
            "-flive-patching -E t.c",
            "-flive-patching -S t.c",
            "-flive-patching -M t.c",
            "-flive-patching -fsyntax-only t.c",
            "-flive-patching -x c -c /dev/null -o n.o",
            "t.c -flive-patching -shared -fPIC -o t.so",
            "t.o -flive-patching -shared -o t2.so",
        ] {
            let output = run(place.lpcc().arg(compiler).args(args.split(' ')), None);
            assert!(output.status.success(), "{compiler} {args}: {output:?}");
        }
        let args = ["-flive-patching=none", "-x", "c", "-E", "-"];
        let output = run(place.lpcc().arg(compiler).args(args), Some(b"stdin\n"));
        assert!(output.status.success() && output.stdout.contains_str("stdin"), "{output:?}");
        let (words, record) = ran(&place, compiler, "@flags -c t.c");
        assert_eq!(words, "-O2 -Wall -c t.c");
        assert_eq!((record.decision.action, record.decision.live_patching), (Action::Strip, None));
    }
    if compilers().contains(&"/usr/bin/clang-14") {
        place.write("lpcc.toml", CLONE);
        let (words, record) = ran(&place, "clang-14", "-flive-patching -c t.c");
        assert_eq!(words, "-c t.c");
        assert!(record.decision.reason.contains("clang has no such flag"), "{}", record.decision.reason);
    }
}

#[test]
fn later_rules_and_higher_layers_win() {
    let place = place(
        "[default]\nlive-patching = \"inline-clone\"\n\n[[rule]]\nsource = \"lib/**\"\nlive-patching = \"strip\"\n\n\
         [[rule]]\noutput = \"special.o\"\nlive-patching = \"inline-only-static\"\n\n\
         [[rule]]\nlanguage = \"c\"\nflag = \"-DX*\"\nadd = [\"-fno-ipa-ra\"]\nremove = [\"-fipa-*\", \"-include\"]\n",
    );
    let toml = place.tree().join("lpcc.toml").display().to_string();
    for (args, words, reason) in [
        ("-c t.c", "-flive-patching=inline-clone -c t.c", format!("inline-clone: default, `{toml}:1`")),
        ("-c lib/v.c", "-c lib/v.c", format!("strip: rule 1, `{toml}:4`")),
        (
            "-c lib/v.c -o special.o",
            "-flive-patching=inline-only-static -c lib/v.c -o special.o",
            format!("inline-only-static: rule 2, `{toml}:8`"),
        ),
        (
            "-c t.c lib/v.c",
            "-c t.c lib/v.c",
            "its sources fall under different rules: leave the call as it is".into(),
        ),
        (
            "-DX1 -fipa-icf -include u.c -c lib/v.c",
            "-DX1 -c lib/v.c -fno-ipa-ra",
            format!(
                "strip: rule 1, `{toml}:4`; removed `-fipa-icf` `-include`: rule 3, `{toml}:12`; added `-fno-ipa-ra`: rule 3, `{toml}:12`"
            ),
        ),
        ("-D__LPCC_POLICY__=keep -c t.c", "-c t.c", "keep: the marker in the flags".into()),
    ] {
        let (found, record) = ran(&place, "gcc-12", args);
        assert_eq!(found, words, "{}", record.decision.reason);
        assert_eq!(record.decision.reason, reason);
    }
    let with = |policy: &str, args: &[&str]| {
        run(place.lpcc().env("LPCC_POLICY", policy).arg("gcc-12").args(args), None);
        place.records().into_iter().find(|record| record.unit.output.ends_with(b"/z.o")).unwrap().decision
    };
    let decision = with("strip", &["-c", "t.c", "-o", "z.o"]);
    assert_eq!((decision.action, decision.reason.as_str()), (Action::Strip, "strip: `LPCC_POLICY`"));
    let decision = with("strip", &["-c", "t.c", "-D__LPCC_POLICY__=inline-clone", "-o", "z.o"]);
    assert_eq!(decision.reason, "inline-clone: the marker in the flags");
}
