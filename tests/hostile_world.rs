//! A hostile world: make killed at any moment, a full disk, a read-only store, no home, names that are no text.
//! Whatever happens to lpcc's own business, the build's result stands, and no damaged record is ever read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{
    Scratch, assert_same_files, command, compiler, contents, lpcc, objects, program, skip, succeed,
};

/// A project of some sources that take the compiler a moment each, with a makefile.
fn project(folder: &Path, units: usize) {
    fs::create_dir_all(folder).unwrap();
    let mut makefile = String::from("all:");
    for unit in 0..units {
        write!(makefile, " u{unit}.o").unwrap();
        let mut source = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
        for function in 0..40 {
            writeln!(
                source,
                "int f{unit}_{function}(int n, const char *s) {{ int t = {function}; for (int i = 0; i < n; i++) \
                 t += s[i] * {unit}; if (t > n) printf(\"%d {unit} {function}\\n\", t); return t; }}"
            )
            .unwrap();
        }
        fs::write(folder.join(format!("u{unit}.c")), source).unwrap();
    }
    makefile.push_str("\n%.o: %.c\n\t$(CC) -O2 -g -c $< -o $@\nclean:\n\trm -f *.o\n");
    fs::write(folder.join("Makefile"), makefile).unwrap();
}

fn make(folder: &Path, store: &Path, cc: &OsStr) -> Command {
    let mut make = command("make", folder, store);
    let mut assignment = OsString::from("CC=");
    assignment.push(cc);
    make.arg("-s").arg("-j4").arg(assignment);
    make
}

fn with_lpcc() -> OsString {
    let mut cc = lpcc().into_os_string();
    cc.push(" gcc");
    cc
}

/// No record is damaged; `lpcc store verify` would name it and end with another status.
#[track_caller]
fn verify(folder: &Path, store: &Path) {
    succeed(command(lpcc(), folder, store).args(["store", "verify"]));
}

/// A kill may take away an object whose record was already written (status 1: vanished): no record is damaged, or
/// half written.
#[track_caller]
fn verify_after_kill(folder: &Path, store: &Path) {
    let output = command(lpcc(), folder, store).args(["store", "verify"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 1)) && !said.contains("damaged"), "{said}");
}

#[track_caller]
fn recorded(folder: &Path, store: &Path, object: &Path) -> bool {
    let mut show = command(lpcc(), folder, store);
    show.args(["show", "--recorded", "--format", "json"]).arg(object).output().unwrap().status.success()
}

/// Small, seeded, and the same everywhere (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Runs `kill -9` on a whole process group that this test started.
fn kill_group(leader: u32) {
    let _ = Command::new("kill").args(["-9", "--", &format!("-{leader}")]).stderr(Stdio::null()).status();
}

#[test]
fn killed_at_random_moments() {
    let scratch = Scratch::new("killed");
    let (folder, store) = (scratch.join("tree"), scratch.join("store"));
    project(&folder, 16);
    succeed(&mut make(&folder, &store, compiler("gcc").as_os_str()));
    let bare = objects(&folder);
    let mut random = Random(0x6c70_6363);
    let mut interrupted = 0;
    for _ in 0..12 {
        succeed(make(&folder, &store, OsStr::new("true")).arg("clean"));
        let mut child =
            make(&folder, &store, &with_lpcc()).process_group(0).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + random.below(900)));
        kill_group(child.id());
        interrupted += usize::from(!child.wait().unwrap().success());
        verify_after_kill(&folder, &store);
    }
    assert!(interrupted > 0, "every build ended before it was killed: nothing was tried");
    succeed(make(&folder, &store, OsStr::new("true")).arg("clean"));
    succeed(&mut make(&folder, &store, &with_lpcc()));
    let ours = objects(&folder);
    assert_same_files(&bare, &ours);
    verify(&folder, &store);
    for object in ours.keys() {
        assert!(recorded(&folder, &store, object), "no record of {} after the last build", object.display());
    }
}

/// A command that runs a shell script in a mount namespace of its own, so that what it mounts ends with it.
fn in_namespace(folder: &Path, store: &Path, script: &str) -> Option<Command> {
    for arguments in [&["-m"][..], &["-r", "-m"][..]] {
        let mut unshare = command(program("unshare")?, folder, store);
        unshare.args(arguments).args(["sh", "-ec"]);
        let mut probe = command(program("unshare")?, folder, store);
        probe.args(arguments).args(["sh", "-ec", "mount -t tmpfs -o size=4k tmpfs \"$LPCC_STORE\""]);
        if probe.output().is_ok_and(|output| output.status.success()) {
            unshare.arg(script);
            return Some(unshare);
        }
    }
    None
}

/// Builds with the store on a file system that `mount` prepares, and holds the objects against a bare build.
fn store_on(name: &str, mount: &str, afterwards: &str) {
    store_on_with(name, mount, afterwards, "none");
}

/// The same with shadows.
fn store_on_with(name: &str, mount: &str, afterwards: &str, shadows: &str) {
    let scratch = Scratch::new(name);
    let (folder, store) = (scratch.join("tree"), scratch.join("store"));
    fs::create_dir(&store).unwrap();
    project(&folder, 6);
    succeed(&mut make(&folder, &store, compiler("gcc").as_os_str()));
    let bare = contents(&folder);
    succeed(make(&folder, &store, OsStr::new("true")).arg("clean"));
    let script = format!("{mount}\nmake -s -j4 CC=\"$CC\"\n{afterwards}");
    let Some(mut build) = in_namespace(&folder, &store, &script) else {
        return skip("no mount namespace here");
    };
    let output = succeed(build.env("CC", with_lpcc()).env("LPCC", lpcc()).env("LPCC_TWICE", shadows));
    assert_same_files(&bare, &contents(&folder));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the build must not notice");
}

#[test]
fn full_disk() {
    // Room for a record or two; what does not fit must leave no half of itself.
    let mount = "mount -t tmpfs -o size=24k tmpfs \"$LPCC_STORE\"";
    store_on("full-disk", mount, "\"$LPCC\" store verify >/dev/null");
}

/// A shadow that finds no room is a finding, or nothing; it is never the build's trouble.
#[test]
fn full_disk_with_shadows() {
    let mount = "mount -t tmpfs -o size=64k tmpfs \"$LPCC_STORE\"";
    store_on_with(
        "full-disk-twice",
        mount,
        "\"$LPCC\" store verify >/dev/null",
        "same,toggle-live-patching,lines",
    );
    store_on_with("read-only-twice", "mount -t tmpfs -o ro tmpfs \"$LPCC_STORE\"", "", "same");
}

#[test]
fn disk_full_from_the_start() {
    let mount = "mount -t tmpfs -o size=8k tmpfs \"$LPCC_STORE\"\n\
                 dd if=/dev/zero of=\"$LPCC_STORE/filler\" bs=4k count=9 2>/dev/null || true";
    store_on("disk-full", mount, "");
}

#[test]
fn read_only_store() {
    // A read-only mount stops root as well, which permissions do not.
    store_on("read-only", "mount -t tmpfs -o ro tmpfs \"$LPCC_STORE\"", "");
}

#[test]
fn store_without_permission() {
    let scratch = Scratch::new("no-permission");
    let (folder, store) = (scratch.join("tree"), PathBuf::from("/proc/1/no/such/store"));
    project(&folder, 2);
    succeed(&mut make(&folder, &store, compiler("gcc").as_os_str()));
    let bare = contents(&folder);
    succeed(make(&folder, &store, OsStr::new("true")).arg("clean"));
    let output = succeed(&mut make(&folder, &store, &with_lpcc()));
    assert_same_files(&bare, &contents(&folder));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the build must not notice");
}

#[test]
fn no_home() {
    let scratch = Scratch::new("no-home");
    let folder = scratch.join("tree");
    project(&folder, 2);
    succeed(&mut make(&folder, &scratch.join("store"), compiler("gcc").as_os_str()));
    let bare = contents(&folder);
    succeed(make(&folder, &scratch.join("store"), OsStr::new("true")).arg("clean"));
    let mut build = make(&folder, &scratch.join("store"), &with_lpcc());
    // A `.git` ends the search for a store upward: nothing outside the test is written.
    fs::create_dir(scratch.join(".git")).unwrap();
    let output = succeed(build.env_remove("HOME").env_remove("LPCC_STORE"));
    assert_same_files(&bare, &contents(&folder));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the build must not notice");
}

/// Spaces, newlines, quotes, bytes outside UTF-8, a leading dash: in folders, sources, objects and the store.
#[test]
fn names_that_are_no_text() {
    let scratch = Scratch::new("names");
    let folder = scratch.join(OsStr::from_bytes(b"a folder\nof \xff\xfe 'names'"));
    let store = scratch.join(OsStr::from_bytes(b"the \"store\"\n\xc0"));
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(&store).unwrap();
    let names: [&[u8]; 6] =
        [b"with space", b"new\nline", b"\xff\xfe", b"quo'te\"s", b"back\\slash$x", b"#hash:colon"];
    for name in names {
        let with = |suffix: &[u8]| OsString::from(OsStr::from_bytes(&[name, suffix].concat()));
        fs::write(folder.join(with(b".c")), "#include \"a header.h\"\nint f(int n) { return n + NUMBER; }\n")
            .unwrap();
        fs::write(folder.join("a header.h"), "#define NUMBER 5\n").unwrap();
        let bare = command(compiler("gcc"), &folder, &store)
            .args(["-O2", "-c", "-o"])
            .args([with(b".o"), with(b".c")])
            .output()
            .unwrap();
        let object = fs::read(folder.join(with(b".o"))).unwrap();
        fs::remove_file(folder.join(with(b".o"))).unwrap();
        let ours = command(lpcc(), &folder, &store)
            .args(["gcc", "-O2", "-c", "-o"])
            .args([with(b".o"), with(b".c")])
            .output()
            .unwrap();
        assert_eq!(
            (bare.status, bare.stdout, bare.stderr),
            (ours.status, ours.stdout, ours.stderr),
            "{name:?}"
        );
        assert!(object == fs::read(folder.join(with(b".o"))).unwrap(), "{name:?}: the objects differ");
        assert!(recorded(&folder, &store, Path::new(&with(b".o"))), "{name:?}: no record");
    }
    verify(&folder, &store);
    let left: Vec<_> = contents(&folder).into_keys().filter(|path| path.extension().is_none()).collect();
    assert!(left.is_empty(), "left in the build tree: {left:?}");
}
