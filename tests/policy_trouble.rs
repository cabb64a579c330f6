//! When the policy meets trouble: calls that fail with what it added, faulty files, wishes to fail, long calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use bstr::ByteSlice;
use kit::{Place, run, skip, write_script};
use lpcc::policy::Action;

const CLONE: &str = "[default]\nlive-patching = \"inline-clone\"\n";

/// GCC refuses the flag at this function, and no command line shows it.
const ATTRIBUTE: &str = "__attribute__((optimize(\"ipa-ra\"))) int f(int x) { int unused; return x; }\n";

fn place(config: &str) -> Place {
    Place::of(&[
        ("t.c", "int f(int x) { int unused; return x + 1; }\n"),
        ("a.c", ATTRIBUTE),
        ("broken.c", "int f(int x) { return y; }\n"),
        ("lpcc.toml", config),
    ])
}

fn call(place: &Place, args: &str) -> Output {
    place.call("gcc-12", args)
}

fn assert_like_bare(place: &Place, args: &str) {
    place.assert_like_bare("gcc-12", args, None);
}

#[test]
fn a_call_that_fails_with_the_flag_is_run_as_written() {
    let place = place(CLONE);
    for args in [
        "-O2 -Wall -c a.c",
        "-O2 -Wall -c a.c t.c",
        "-O2 -Wall -S a.c",
        "-O2 -Wall -shared -fPIC a.c -o a.so",
        "-O2 -Wall -MD -c a.c -o sub.o",
        "-Wall -c broken.c",
        "-Wall -c t.c -Wno-such-thing -fno-such-thing",
        "-c missing.c",
        "t.c -lno-such-library -o t",
    ] {
        assert_like_bare(&place, args);
    }
    assert!(call(&place, "-O2 -MD -c a.c").status.success());
    let record = place.records().into_iter().find(|record| record.unit.source == "a.c").unwrap();
    assert_eq!((record.decision.action, record.decision.live_patching.as_ref()), (Action::Keep, None));
    assert!(record.decision.reason.contains("run as written"), "{}", record.decision.reason);
    assert_eq!(record.notes, ["the call failed with what the policy added, and was run as written"]);
    assert_eq!(record.call.run, ["-O2", "-MD", "-c", "a.c"]);
    let files: Vec<_> = record.inputs.files.iter().map(|input| input.path.to_string()).collect();
    assert_eq!(files, ["a.c", "/usr/include/stdc-predef.h"], "inputs are those of the run that counted");
}

#[test]
fn inputs_are_those_of_the_run_that_counted() {
    let place = place(CLONE);
    place.write("h.h", "#define H 1\n");
    place.write("a.c", &format!("#include \"h.h\"\n{ATTRIBUTE}"));
    assert!(call(&place, "-O2 -c a.c").status.success());
    let files: Vec<_> = place.records()[0].inputs.files.iter().map(|input| input.path.to_string()).collect();
    assert_eq!(files, ["a.c", "/usr/include/stdc-predef.h", "h.h"]);
}

#[test]
fn warnings_reach_a_terminal_with_their_colours() {
    if !Path::new("/usr/bin/script").exists() {
        return skip("no `script` to make a terminal");
    }
    let place = place(CLONE);
    for file in ["t.c", "a.c"] {
        let on_terminal = |command: &str| {
            let mut script = place.command("script");
            script.env("TERM", "xterm").args(["-qec", command, "/dev/null"]);
            run(&mut script, None).stdout
        };
        let bare = on_terminal(&format!("/usr/bin/gcc-12 -O2 -Wall -c {file}"));
        let wrapped = on_terminal(&format!("{} gcc-12 -O2 -Wall -c {file}", kit::LPCC));
        assert!(bare.contains_str("\x1b["), "{}", bare.as_bstr());
        assert_eq!(bare.as_bstr(), wrapped.as_bstr());
    }
}

#[test]
fn an_error_in_the_policy_fails_the_call() {
    let place = place(&format!("{CLONE}lto = \"error\"\non-conflict = \"error\"\n"));
    for (args, message) in [
        ("-flto -c t.c", "lpcc: the policy forbids this call: inline-clone: default, `"),
        (
            "-fipa-icf -c t.c",
            "the call has `-fipa-icf`, which GCC refuses beside it (on-conflict = error: default, `",
        ),
        ("-O2 -S a.c", "the call fails with it (on-conflict = error)"),
        ("-O2 -c a.c", "the call fails with it (on-conflict = error)"),
    ] {
        let output = call(&place, args);
        assert_eq!(output.status.code(), Some(1), "{args}");
        assert!(output.stderr.contains_str(message), "{args}: {}", output.stderr.as_bstr());
        assert!(["t.o", "a.o", "a.s"].iter().all(|name| !place.tree().join(name).exists()), "{args}");
    }
    assert!(call(&place, "-O2 -c t.c").status.success());
    // What fails either way is the build's own failure.
    let output = call(&place, "-c broken.c");
    assert!(!output.status.success() && !output.stderr.contains_str("lpcc"), "{}", output.stderr.as_bstr());
    assert!(call(&place, "-fipa-icf -fsyntax-only t.c").status.success(), "probes are no conflict");
}

#[test]
fn a_faulty_configuration_fails_open_or_closed() {
    for config in
        ["[default]\nlive-patchin = \"strip\"\n", "[default\n", "[[rule]]\nsource = \"a[\"\nlto = \"keep\"\n"]
    {
        let place = place(config);
        let output = call(&place, "-O2 -c t.c");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let record = place.records().remove(0);
        assert_eq!(record.decision.action, Action::Keep);
        let toml = format!("`{}:", place.tree().join("lpcc.toml").display());
        assert!(record.notes[0].contains(&toml), "{:?}", record.notes);
        let output =
            run(place.lpcc().env("LPCC_STRICT", "1").args(["gcc-12", "-c", "t.c", "-o", "s.o"]), None);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stderr.contains_str(&toml) && !place.tree().join("s.o").exists(), "{output:?}");
        let doctor = run(place.lpcc().env("HOME", place.beside("")).arg("doctor"), None);
        assert_eq!(doctor.status.code(), Some(2));
        assert!(doctor.stdout.contains_str(&toml), "{}", doctor.stdout.as_bstr());
        let explain = run(place.lpcc().args(["explain", "--", "gcc-12", "-c", "t.c"]), None);
        assert_eq!(explain.status.code(), Some(2));
        assert!(explain.stderr.contains_str(&toml), "{}", explain.stderr.as_bstr());
    }
    let place = place("");
    for (name, value) in [("LPCC_POLICY", "inline"), ("LPCC_CONFIG", "/nonexistent/lpcc.toml")] {
        assert!(run(place.lpcc().env(name, value).args(["gcc-12", "-c", "t.c"]), None).status.success());
        assert!(place.records()[0].notes[0].starts_with("policy: "), "{:?}", place.records()[0].notes);
    }
}

#[test]
fn a_file_that_others_may_write_is_passed_over_and_said() {
    let place = place(CLONE);
    let toml = place.tree().join("lpcc.toml");
    std::fs::set_permissions(&toml, std::fs::Permissions::from_mode(0o666)).unwrap();
    let output = run(place.lpcc().env("LPCC_LOG", "warn").args(["gcc-12", "-c", "t.c"]), None);
    assert!(output.stderr.contains_str("others may write to it"), "{}", output.stderr.as_bstr());
    assert_eq!(place.records()[0].decision.action, Action::Keep);
}

#[test]
fn a_compiler_that_dies_is_not_run_again_where_the_build_was_stopped() {
    let place = place(CLONE);
    let fake = place.beside("fake/gcc");
    write_script(
        &fake,
        &format!(
            "#!/bin/sh\necho call >> {0}\ncase \"$*\" in *--version*) echo 'Free Software Foundation';; *-dump*) echo 12;; \
             *'-o /dev/null'*) ;; *) kill -TERM $$;; esac\n",
            place.beside("log").display()
        ),
    );
    let output = run(place.lpcc().arg(&fake).args(["-c", "t.c"]), None);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));
    let log = std::fs::read_to_string(place.beside("log")).unwrap();
    // Three questions and what it accepts, then the call itself, once.
    let calls = log.lines().count();
    let again = run(place.lpcc().arg(&fake).args(["-c", "t.c"]), None);
    assert!(!again.status.success());
    let log = std::fs::read_to_string(place.beside("log")).unwrap();
    assert_eq!(log.lines().count(), calls + 1, "all that was asked is known, and the call ran once: {log}");
}

/// Words that stood in a response file must not meet the kernel's limit on arguments when an edit takes the file apart.
#[test]
fn a_long_response_file_may_be_edited() {
    let place = place("[default]\nlive-patching = \"strip\"\n");
    place.write("m.c", "int main(void) { return 0; }\n");
    let long = "a-rather-long-folder-name/for/the-objects-of-a-library";
    place.write(format!("{long}/e.c"), "int e;\n");
    let made =
        format!("gcc -c m.c -o m.o && gcc -c {long}/e.c -o {long}/e.o && ar rcD {long}/e.a {long}/e.o");
    assert!(run(place.command("/bin/sh").args(["-c", &made]), None).status.success());
    let libraries = format!("\n{long}/e.a").repeat(4000);
    place.write("objects", &format!("-flive-patching -D__LPCC_POLICY__=strip{libraries}"));
    place.write("plain", &libraries);
    place.write("includes", &format!("-D__LPCC_POLICY__=strip{}", format!("\n-I{long}").repeat(4000)));
    // An eighth of the usual limit.
    let limited = |command: &str| {
        let script = format!("ulimit -s 512; {command}");
        run(place.command("/bin/sh").args(["-c", &script]), None)
    };
    let bare = limited("gcc m.o @plain -o bare");
    assert!(bare.status.success(), "{bare:?}");
    let too_long = limited("gcc m.o $(cat plain) -o never");
    assert!(!too_long.status.success(), "the limit is met at all");
    for prefix in ["", "LPCC_DISABLE=1 ", "LPCC_STORE=/proc/none "] {
        let wrapped = limited(&format!("{prefix}{} gcc m.o @objects -o wrapped", kit::LPCC));
        if prefix.starts_with("LPCC_DISABLE") {
            // Only the marker goes then; the flag is the linker driver's own business.
            assert!(wrapped.stderr.is_empty(), "{wrapped:?}");
        }
        assert!(wrapped.status.success(), "{prefix}: {wrapped:?}");
        let read = |name: &str| std::fs::read(place.tree().join(name)).unwrap();
        assert!(read("bare") == read("wrapped"), "{prefix}");
        std::fs::remove_file(place.tree().join("wrapped")).unwrap();
    }
    if Path::new("/usr/bin/clang-14").exists() {
        let wrapped = limited(&format!("{} clang-14 @includes -c t.c", kit::LPCC));
        assert!(wrapped.status.success(), "{wrapped:?}");
        let kept = place.records().into_iter().find(|record| record.unit.source == "t.c").unwrap();
        assert_eq!(kept.call.run.len(), 4002, "the record has the words");
    }
}
