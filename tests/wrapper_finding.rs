//! Finding the real compiler, and never oneself: shims by every kind of link, other wrappers before and behind,
//! chains, names. Every call must end, give the bare compiler's object and leave exactly one record.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use kit::{LPCC, Place, path_with, run, skip, write_script};

const SOURCE: &str = "int f(int a) { return a + 1; }\n";

/// Runs a shell line in a fresh tree with `path` and checks what every call must do. The line is
/// stopped after a while, so that a loop between wrappers is a failure and not a hang.
fn check_line(place: &Place, path: OsString, line: &str, records: usize) {
    place.clear();
    place.write("t.c", SOURCE);
    let bare = run(place.command("/usr/bin/gcc-12").args(["-O2", "-c", "t.c", "-o", "bare.o"]), None);
    assert!(bare.status.success());
    let mut command = place.command("timeout");
    command.args(["30", "/bin/sh", "-c", line]).env("PATH", path);
    command.env("CCACHE_DIR", place.beside("ccache")).env("HOME", place.beside("home"));
    let output = run(&mut command, None);
    assert!(output.status.success(), "{line}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    let read = |name: &str| std::fs::read(place.tree().join(name)).unwrap();
    assert!(read("t.o") == read("bare.o"), "{line}: another object");
    let recorded = place.records();
    assert_eq!(recorded.len(), records, "{line}: records");
    if let Some(record) = recorded.first() {
        let compiler = String::from_utf8_lossy(&record.compiler.path).into_owned();
        assert!(compiler.starts_with("/usr/bin/"), "{line}: recorded compiler {compiler}");
        assert_eq!(record.compiler.version, "12.2.0", "{line}");
    }
    let _ = std::fs::remove_dir_all(place.store());
}

#[test]
fn shims_by_every_kind_of_link() {
    let place = Place::new();
    let folders = ["symbolic", "hard", "copy", "chain", "dot"].map(|name| place.beside(name));
    for folder in &folders {
        std::fs::create_dir_all(folder).unwrap();
    }
    let [symbolic, hard, copy, chain, dot] = &folders;
    std::os::unix::fs::symlink(LPCC, symbolic.join("gcc-12")).unwrap();
    if std::fs::hard_link(LPCC, hard.join("gcc-12")).is_err() {
        std::fs::copy(LPCC, hard.join("gcc-12")).unwrap();
    }
    std::fs::copy(LPCC, copy.join("gcc-12")).unwrap();
    std::os::unix::fs::symlink(symbolic.join("gcc-12"), chain.join("gcc-12")).unwrap();
    std::os::unix::fs::symlink(copy.join("gcc-12"), dot.join("gcc-12")).unwrap();
    for folder in &folders {
        check_line(&place, path_with(&[folder]), "gcc-12 -O2 -c t.c", 1);
    }
    let all: Vec<&Path> = folders.iter().map(AsRef::as_ref).collect();
    check_line(&place, path_with(&all), "gcc-12 -O2 -c t.c", 1);
    let backward: Vec<&Path> = all.iter().rev().copied().collect();
    check_line(&place, path_with(&backward), "gcc-12 -O2 -c t.c", 1);
    check_line(&place, path_with(&all), &format!("{LPCC} gcc-12 -O2 -c t.c"), 1);
    check_line(&place, path_with(&all), &format!("{} -O2 -c t.c", copy.join("gcc-12").display()), 1);
}

#[test]
fn chains_of_lpcc() {
    let place = Place::new();
    let shims = place.shim("gcc-12");
    std::os::unix::fs::symlink(LPCC, shims.join("lpcc")).unwrap();
    let path = || path_with(&[&shims]);
    for line in [
        "lpcc gcc-12 -O2 -c t.c",
        "lpcc lpcc gcc-12 -O2 -c t.c",
        "lpcc lpcc lpcc /usr/bin/gcc-12 -O2 -c t.c",
        "LPCC_CC=gcc-12 lpcc -O2 -c t.c",
        "LPCC_CC='lpcc gcc-12' lpcc -O2 -c t.c",
        "LPCC_CC='/usr/bin/gcc-12 -O2' lpcc -c t.c",
        "cd / && cd - >/dev/null && lpcc gcc-12 -O2 -c t.c",
        "ln -s /usr/bin/gcc-12 gcc && lpcc ./gcc -O2 -c t.c && rm gcc",
    ] {
        if line.contains("./gcc") {
            continue; // below: the recorded path lies in the tree
        }
        check_line(&place, path(), line, 1);
    }
}

#[test]
fn ccache_before_and_behind() {
    let masquerade = Path::new("/usr/lib/ccache");
    if !masquerade.join("gcc-12").exists() {
        return skip("no ccache with links for gcc-12");
    }
    let place = Place::new();
    let shims = place.shim("gcc-12");
    for _ in 0..2 {
        // The second round finds its objects in the cache.
        check_line(&place, path_with(&[&shims, masquerade]), "gcc-12 -O2 -c t.c", 1);
        check_line(&place, path_with(&[&shims]), &format!("{LPCC} ccache gcc-12 -O2 -c t.c"), 1);
        check_line(&place, path_with(&[]), &format!("{LPCC} /usr/bin/ccache /usr/bin/gcc-12 -O2 -c t.c"), 1);
        check_line(&place, path_with(&[masquerade]), &format!("{LPCC} gcc-12 -O2 -c t.c"), 1);
    }
    let _ = std::fs::remove_dir_all(place.beside("ccache"));
    check_line(&place, path_with(&[masquerade, &shims]), "gcc-12 -O2 -c t.c", 1);
}

#[test]
fn below_a_cache_is_said_in_the_log() {
    if !Path::new("/usr/bin/ccache").exists() {
        return skip("no ccache");
    }
    let place = Place::new();
    place.write("t.c", SOURCE);
    let log = place.beside("log");
    let mut command = place.command("/usr/bin/ccache");
    command
        .args([LPCC, "gcc-12", "-c", "t.c"])
        .env("CCACHE_DIR", place.beside("ccache"))
        .env("LPCC_LOG_FILE", &log);
    let output = run(&mut command, None);
    assert!(output.status.success(), "{output:?}");
    assert!(place.tree().join("t.o").exists());
    assert!(std::fs::read_to_string(log).unwrap().contains("called by a compiler cache"));
}

#[test]
fn the_launcher_and_the_compiler_behind_it_are_recorded() {
    if !Path::new("/usr/bin/ccache").exists() {
        return skip("no ccache");
    }
    let place = Place::new();
    place.write("t.c", SOURCE);
    let mut command = place.lpcc();
    command.args(["ccache", "gcc-12", "-c", "t.c"]).env("CCACHE_DIR", place.beside("ccache"));
    assert!(run(&mut command, None).status.success());
    let record = place.records().remove(0);
    assert_eq!(record.call.launchers, ["/usr/bin/ccache"]);
    assert_eq!(record.compiler.path, "/usr/bin/gcc-12");
    assert_eq!(record.call.given, ["-c", "t.c"]);
}

#[test]
fn wrappers_that_only_skip_themselves() {
    // Each hands the call to the first program of the name that is not itself: a loop, but for the guard.
    let place = Place::new();
    let shims = place.shim("gcc-12");
    let naive = place.beside("naive");
    let script = format!(
        "#!/bin/sh\nIFS=:\nfor folder in $PATH; do\n[ \"$folder\" = '{}' ] && continue\n\
         [ -x \"$folder/gcc-12\" ] && exec \"$folder/gcc-12\" \"$@\"\ndone\nexit 99\n",
        naive.display()
    );
    write_script(&naive.join("gcc-12"), &script);
    for folders in [[shims.as_path(), naive.as_path()], [naive.as_path(), shims.as_path()]] {
        place.clear();
        place.write("t.c", SOURCE);
        let mut command = place.command("timeout");
        command.args(["30", "gcc-12", "-c", "t.c"]).env("PATH", path_with(&folders));
        let output = run(&mut command, None);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(place.records().len(), 1);
        std::fs::remove_dir_all(place.store()).unwrap();
    }
}

#[test]
fn bear_in_wrapper_mode() {
    if !Path::new("/usr/bin/bear").exists() {
        return skip("no bear");
    }
    let place = Place::new();
    place.write("t.c", SOURCE);
    let shims = place.shim("gcc");
    let mut command = place.command("timeout");
    command.args(["60", "bear", "--force-wrapper", "--", "sh", "-c", "gcc -c t.c -o t.o"]);
    let output = run(command.env("PATH", path_with(&[&shims])), None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.records().len(), 1);
}

#[test]
fn the_compiler_keeps_its_own_path_as_its_name() {
    let place = Place::new();
    place.write("t.c", SOURCE);
    let shims = place.shim("gcc");
    let output = run(place.command("gcc").args(["-v", "-c", "t.c"]).env("PATH", path_with(&[&shims])), None);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("COLLECT_GCC=/usr/bin/gcc\n"), "{text}");
}

#[test]
fn names_choose_the_compiler() {
    let place = Place::new();
    let shims = place.shim("lpcc++");
    let first_line = |command: &mut Command| {
        let output = run(command, None);
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    };
    for (words, expected) in [
        (vec!["--version"], "cc (Debian"),
        (vec!["gcc-12", "--version"], "gcc-12 (Debian"),
        (vec!["/usr/bin/g++-12", "--version"], "g++-12 (Debian"),
        (vec!["clang-14", "--version"], "Debian clang version 14"),
    ] {
        assert!(first_line(place.lpcc().args(&words)).starts_with(expected), "{words:?}");
    }
    assert!(first_line(place.command(shims.join("lpcc++")).arg("--version")).starts_with("c++ (Debian"));
    assert!(first_line(place.lpcc().arg("--version").env("LPCC_CC", "clang-14")).contains("clang"));
    // In a kernel's build, what its makefiles would have taken: told by its variable, and by its directory where make does not
    // hand that on, for two answers would have kconfig start again without end.
    assert!(first_line(place.lpcc().arg("--version").env("sub_make_done", "1")).starts_with("gcc (Debian"));
    for file in ["scripts/Kbuild.include", "source/scripts/Kbuild.include"] {
        place.write(file, "");
        assert!(first_line(place.lpcc().arg("--version")).starts_with("gcc (Debian"), "{file}");
        assert!(
            first_line(place.lpcc().arg("--version").env("LPCC_CC", "gcc-12")).starts_with("gcc-12 (Debian")
        );
        std::fs::remove_file(place.tree().join(file)).unwrap();
    }
    assert!(first_line(place.lpcc().arg("--version")).starts_with("cc (Debian"));
    place.write("x.c", "#ifndef __cplusplus\n#error no\n#endif\n");
    assert!(run(place.lpcc().args(["g++-12", "-c", "x.c"]), None).status.success());
    assert_eq!(place.records().remove(0).unit.language, lpcc::argv::Language::Cxx);
}

#[test]
fn a_relative_compiler() {
    let place = Place::new();
    place.write("t.c", SOURCE);
    std::os::unix::fs::symlink("/usr/bin/gcc-12", place.tree().join("gcc")).unwrap();
    let output = run(place.lpcc().args(["./gcc", "-c", "t.c"]), None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.records().len(), 1);
}

#[test]
fn no_compiler_is_one_line_and_127() {
    let place = Place::new();
    for words in [vec!["gcc-99", "-c", "t.c"], vec!["/nowhere/gcc", "-c", "t.c"]] {
        let output = run(place.lpcc().args(&words), None);
        assert_eq!(output.status.code(), Some(127));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(text, format!("lpcc: no compiler `{}` on PATH\n", words[0]));
    }
    let shims = place.shim("gcc-12");
    let output = run(place.command(shims.join("gcc-12")).arg("--version").env("PATH", &shims), None);
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn a_program_that_is_no_compiler_is_not_run() {
    let place = Place::new();
    let output = run(place.lpcc().args(["touch", "made"]), None);
    assert!(!output.status.success());
    assert!(!place.tree().join("made").exists());
}
