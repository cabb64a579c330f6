//! `lpcc shims` and `lpcc run`, and that a compiler call never becomes a command or the other way round.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::process::Output;

use kit::{LPCC, Place, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn shims_are_laid_for_the_compilers_found() {
    let place = Place::new();
    for (option, laid) in [("", "one"), ("--hard", "two"), ("--copy", "three")] {
        let folder = place.beside(laid);
        for _ in 0..2 {
            let mut command = place.lpcc();
            command.arg("shims").args(Some(option).filter(|option| !option.is_empty())).arg(&folder);
            let output = run(&mut command, None);
            // A hard link across file systems is the one thing that may be refused.
            if option == "--hard" && !output.status.success() && text(&output.stderr).contains("cross-device")
            {
                break;
            }
            assert_success(&output);
            let printed = text(&output.stdout);
            for name in ["cc", "gcc", "g++", "c++", "gcc-12", "lpcc", "lpcc++"] {
                assert!(folder.join(name).exists(), "{name}");
                assert!(printed.lines().any(|line| line == folder.join(name).to_str().unwrap()), "{printed}");
            }
            assert!(!folder.join("gcc-ar").exists() && !folder.join("gcc-ar-12").exists());
            assert!(!folder.join("clang-99").exists());
        }
        place.clear();
        place.write("t.c", "int t;\n");
        if folder.join("gcc-12").exists() {
            assert_success(&run(place.command(folder.join("gcc-12")).args(["-c", "t.c"]), None));
            assert_eq!(place.records().len(), 1, "{option}");
        }
    }
}

#[test]
fn shims_overwrite_nothing_foreign() {
    let place = Place::new();
    place.write("dir/gcc", "a file of the user's");
    let output = run(place.lpcc().args(["shims", "dir"]), None);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("exists and is no shim"));
    assert_eq!(std::fs::read(place.tree().join("dir/gcc")).unwrap(), b"a file of the user's");
    assert_eq!(std::fs::read_dir(place.tree().join("dir")).unwrap().count(), 1, "nothing half laid");
}

#[test]
fn shims_for_compilers_that_come_later() {
    let place = Place::new();
    std::fs::create_dir(place.beside("empty")).unwrap();
    let names = |option: &[&str], folder: &str| {
        let mut command = place.lpcc();
        command.arg("shims").args(option).arg(place.beside(folder)).env("PATH", place.beside("empty"));
        assert_success(&run(&mut command, None));
        let entries = std::fs::read_dir(place.beside(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&[], "none"), ["lpcc", "lpcc++"]);
    let all = names(&["--all"], "all");
    assert_eq!(all, ["c++", "c89", "c99", "cc", "clang", "clang++", "g++", "gcc", "lpcc", "lpcc++"]);
}

const MAKEFILE: &str = "all: a.o b.o\na.o: a.c\n\tgcc -c a.c\nb.o: b.c\n\t$(CC) -c b.c\nfail:\n\tfalse\n";

#[test]
fn a_build_is_recorded_as_it_stands() {
    let place = Place::new();
    place.write("Makefile", MAKEFILE);
    place.write("a.c", "int a;\n");
    place.write("b.c", "int b;\n");
    for (variables, name) in
        [(&[][..], "plain"), (&[("CC", "/usr/bin/gcc-12")][..], "named"), (&[("CC", "lpcc")][..], "own")]
    {
        let mut command = place.lpcc();
        command.args(["run", "--name", name, "--", "make", "-B", "-j2"]).env_remove("LPCC_STORE");
        let output = run(command.envs(variables.iter().copied()), None);
        assert_success(&output);
        assert!(text(&output.stderr).contains(&format!("kept 2 units as `{name}`")), "{output:?}");
        let store = lpcc::store::Store::open(&place.tree().join(".lpcc")).unwrap();
        let kept = lpcc::store::Recording::open(&store, Some(name.as_ref())).unwrap();
        assert_eq!(kept.units().count(), 2, "{name}");
    }
    assert_eq!(std::fs::read(place.tree().join(".lpcc/.gitignore")).unwrap(), b"*\n");
}

#[test]
fn the_status_of_the_build_is_passed_on() {
    let place = Place::new();
    place.write("Makefile", MAKEFILE);
    let status = |args: &[&str]| run(place.lpcc().arg("run").args(args), None).status;
    for extra in [&[][..], &["--name", "x"][..]] {
        let with = |command: &[&str]| status(&[extra, &["--"], command].concat());
        assert_eq!(with(&["sh", "-c", "exit 7"]).code(), Some(7));
        assert_eq!(with(&["make", "fail"]).code(), Some(2));
        assert_eq!(with(&["no-such-program"]).code(), Some(127));
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&with(&["sh", "-c", "kill -TERM $$"])),
            Some(15)
        );
    }
    let store = lpcc::store::Store::open(&place.tree().join(".lpcc")).unwrap();
    assert!(store.snapshots().is_empty(), "a failed build was kept");
    assert_eq!(status(&["--name", "../x", "--", "true"]).code(), Some(2));
}

#[test]
fn variables_that_are_not_set_stay_so() {
    let place = Place::new();
    let output = run(
        place.lpcc().args(["run", "--", "sh", "-c", "echo ${CC-unset} ${CXX-unset}; command -v gcc"]),
        None,
    );
    let printed = text(&output.stdout);
    assert!(printed.starts_with("unset unset\n"), "{printed}");
    assert!(printed.contains(".lpcc/shims/gcc"), "{printed}");
    let mut command = place.lpcc();
    command.args(["run", "--", "sh", "-c", "echo $CC, $CXX"]).env("CC", "gcc-12 -m64").env("CXX", "lpcc++");
    assert_eq!(text(&run(&mut command, None).stdout), "lpcc gcc-12 -m64, lpcc++\n");
}

#[test]
fn a_shim_takes_no_commands() {
    let place = Place::new();
    let shims = place.shim("gcc-12");
    let bare = run(place.command("/usr/bin/gcc-12").arg("version"), None);
    let shim = run(place.command(shims.join("gcc-12")).arg("version"), None);
    assert_eq!((bare.status, &bare.stderr), (shim.status, &shim.stderr));
    let own = run(place.command(LPCC).arg("version"), None);
    assert_success(&own);
    assert_ne!(own.stderr, bare.stderr, "`version` went to the compiler");
    let cc = run(place.command("/usr/bin/cc").arg("--version"), None);
    assert_eq!(run(place.command(LPCC).arg("--version"), None).stdout, cc.stdout);
}

/// A compiler that is called by its path passes every shim: the tree has the object, and no record tells of it.
#[test]
fn what_was_compiled_past_lpcc_is_named() {
    let place = Place::new();
    for name in ["a.c", "b.c", "c.c"] {
        place.write(name, &format!("int {}_of(int x) {{ return x + 1; }}\n", &name[..1]));
    }
    assert_success(&place.call("gcc", "-O2 -c a.c"));
    assert_success(&place.call("gcc", "-O2 -c c.c"));
    place.shell("mkdir sub; mv c.o sub/moved.lo");
    let look = || {
        let output = run(place.lpcc().args(["doctor", "--recording", "--tree", "."]), None);
        text(&output.stdout) + &text(&output.stderr)
    };
    let said = look();
    assert!(said.contains("2 objects below") && said.contains("2 recorded"), "{said}");
    place.shell("/usr/bin/gcc -O2 -c b.c");
    let said = look();
    assert!(said.contains("3 objects below") && said.contains("2 recorded"), "{said}");
    assert!(said.contains("compiled past lpcc") && said.contains("b.o"), "{said}");
    assert!(!said.contains("moved.lo"), "{said}");
}
