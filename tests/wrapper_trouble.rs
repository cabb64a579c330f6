//! Trouble of lpcc's own must stay its own: no home, no store, a full disk, damage, an object that is none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kit::{LPCC, Place, is_root, run, skip, write_script};

/// Compiles `t.c` through a command prepared by the caller and expects what the bare compiler gives, in silence.
fn expect_silent_success(place: &Place, command: &mut Command) {
    let output = run(command.args(["/usr/bin/gcc-12", "-c", "t.c"]), None);
    assert_silent(&output);
    assert!(place.tree().join("t.o").exists());
    std::fs::remove_file(place.tree().join("t.o")).unwrap();
}

fn assert_silent(output: &Output) {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

/// Not even root can make a directory there.
const NOWHERE: &str = "/dev/null/home";

fn place() -> Place {
    let place = Place::new();
    place.write("t.c", "int t;\n");
    place
}

#[test]
fn without_a_home() {
    let place = place();
    expect_silent_success(&place, place.lpcc().env("HOME", NOWHERE).env_remove("LPCC_STORE"));
    expect_silent_success(&place, place.lpcc().env_remove("LPCC_STORE"));
    expect_silent_success(&place, place.lpcc().env_clear());
}

#[test]
fn as_nobody() {
    if !is_root() {
        return skip("not root: cannot become nobody");
    }
    let place = place();
    let open = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    open(place.tree().parent().unwrap());
    open(&place.tree());
    let program = place.beside("lpcc"); // where nobody may go
    std::fs::copy(LPCC, &program).unwrap();
    let nobody = || {
        let mut command = place.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command
    };
    expect_silent_success(&place, nobody().env("HOME", NOWHERE).env_remove("LPCC_STORE"));
    expect_silent_success(&place, &mut nobody());
    assert_eq!(place.records().len(), 1);
    expect_silent_success(&place, nobody().env("LPCC_STORE", "/usr/lpcc-store"));
}

#[test]
fn a_store_that_cannot_be() {
    let place = place();
    std::fs::write(place.beside("file"), "x").unwrap();
    std::fs::create_dir(place.beside("foreign")).unwrap();
    std::fs::write(place.beside("foreign/data"), "x").unwrap();
    for store in [
        place.beside("file"),
        place.beside("file/below"),
        place.beside("foreign"),
        PathBuf::from("/proc/store"),
    ] {
        expect_silent_success(&place, place.lpcc().env("LPCC_STORE", &store));
    }
    assert_eq!(std::fs::read_dir(place.beside("foreign")).unwrap().count(), 1);
}

/// A small file system in memory, unmounted at the end.
struct Mount(PathBuf);

impl Mount {
    fn new(at: PathBuf, options: &str) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mut command = Command::new("mount");
        let mounted = command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn remount_read_only(&self) {
        let mut command = Command::new("mount");
        assert!(command.args(["-o", "remount,ro"]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk() {
    let place = place();
    let Some(disk) = Mount::new(place.beside("disk"), "size=256k") else {
        return skip("cannot mount a small file system");
    };
    let store = disk.0.join("store");
    expect_silent_success(&place, place.lpcc().env("LPCC_STORE", &store));
    let filler = vec![0_u8; 1 << 20];
    let _ = std::fs::write(disk.0.join("filler"), &filler);
    // Another source: a record that would not change is not written at all.
    place.write("t.c", "int other;\n");
    for _ in 0..3 {
        expect_silent_success(&place, place.lpcc().env("LPCC_STORE", &store));
    }
    expect_silent_success(&place, place.lpcc().env("LPCC_STORE", disk.0.join("new")));
    let output = run(
        place.lpcc().args(["gcc-12", "-c", "t.c"]).env("LPCC_STORE", &store).env("LPCC_STRICT", "1"),
        None,
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!place.tree().join("t.o").exists(), "strict: the object must not be taken for done");
}

#[test]
fn a_read_only_store() {
    let place = place();
    let Some(disk) = Mount::new(place.beside("disk"), "size=4m") else {
        return skip("cannot mount a file system");
    };
    let store = disk.0.join("store");
    expect_silent_success(&place, place.lpcc().env("LPCC_STORE", &store));
    disk.remount_read_only();
    place.write("t.c", "int other;\n");
    expect_silent_success(&place, place.lpcc().env("LPCC_STORE", &store));
    expect_silent_success(&place, place.lpcc().env("LPCC_STORE", disk.0.join("other")));
}

/// The cache of content hashes is a sparse file beyond any small limit; writing there raises a signal.
#[test]
fn a_limit_on_the_size_of_files() {
    let place = place();
    let mut limited = place.command("/bin/sh");
    limited.args(["-c", "ulimit -f 64; exec \"$0\" \"$@\"", LPCC]);
    expect_silent_success(&place, &mut limited);
    assert_eq!(place.records().len(), 1);
}

#[test]
fn damaged_caches_are_made_anew() {
    let place = place();
    expect_silent_success(&place, &mut place.lpcc());
    let before = place.records();
    for folder in ["compilers", "hashes"] {
        let entries = walkdir::WalkDir::new(place.store().join(folder)).into_iter().flatten();
        for file in entries.filter(|entry| entry.file_type().is_file()) {
            std::fs::write(file.path(), b"damage").unwrap();
        }
    }
    expect_silent_success(&place, &mut place.lpcc());
    assert!(place.records() == before);
}

#[test]
fn an_output_that_is_no_object() {
    let place = place();
    write_script(
        &place.beside("fake/gcc"),
        "#!/bin/sh\n[ \"$1\" = -c ] && head -c 5000 /dev/urandom >t.o\nexit 0\n",
    );
    let output = run(place.lpcc().arg(place.beside("fake/gcc")).args(["-c", "t.c"]), None);
    assert_silent(&output);
    let outcome = &place.records()[0].variants[0].fingerprints;
    assert!(matches!(outcome, lpcc::store::record::Outcome::Unreadable(_)));
}

#[test]
fn an_output_that_is_not_made() {
    let place = place();
    write_script(&place.beside("fake/gcc"), "#!/bin/sh\nexit 0\n");
    assert_silent(&run(place.lpcc().arg(place.beside("fake/gcc")).args(["-c", "t.c"]), None));
    assert!(place.records().is_empty());
}

#[test]
fn a_script_without_an_interpreter_line() {
    let place = place();
    write_script(&place.beside("fake/gcc"), "case $1 in -c) : >t.o ; exit 7 ;; esac\nexit 8\n");
    let status =
        |args: &[&str]| run(place.lpcc().arg(place.beside("fake/gcc")).args(args), None).status.code();
    assert_eq!(status(&["-c", "t.c"]), Some(7));
    assert_eq!(status(&["--version"]), Some(8));
}

#[test]
fn nothing_is_recorded_where_a_compile_failed() {
    let place = place();
    place.write("t.o", "an older object");
    place.write("t.c", "int t(;\n");
    let output = run(place.lpcc().args(["gcc-12", "-c", "t.c"]), None);
    assert_eq!(output.status.code(), Some(1));
    assert!(place.records().is_empty());
}

#[test]
fn disabled() {
    let place = place();
    for (value, records) in [("1", 0), ("yes", 0), ("0", 1), ("", 1)] {
        expect_silent_success(&place, place.lpcc().env("LPCC_DISABLE", value));
        assert_eq!(place.records().len(), records, "{value}");
    }
    // A compiler that prints its arguments: the marker is taken out whatever is switched off.
    write_script(&place.beside("fake/gcc"), "#!/bin/sh\necho \"$@\"\n");
    for disable in ["1", "0"] {
        let mut command = place.lpcc();
        command.arg(place.beside("fake/gcc")).args(["-E", "-D__LPCC_POLICY__=strip", "-O2", "t.c"]);
        assert_eq!(run(command.env("LPCC_DISABLE", disable), None).stdout, b"-E -O2 t.c\n");
    }
}

#[test]
fn the_log_speaks_only_when_asked() {
    let place = place();
    let call = |name: &str, value: &std::ffi::OsStr| {
        run(place.lpcc().args(["gcc-12", "-c", "t.c"]).env(name, value), None)
    };
    assert!(!call("LPCC_LOG", "debug".as_ref()).stderr.is_empty());
    let file = place.beside("log");
    assert_silent(&call("LPCC_LOG_FILE", file.as_os_str()));
    assert!(std::fs::read_to_string(&file).unwrap().contains("recorded"));
    assert_silent(&call("LPCC_LOG_FILE", "/nonexistent/log".as_ref()));
    assert_silent(&call("LPCC_LOG", "error".as_ref()));
}

#[test]
fn arguments_up_to_the_limit_of_the_kernel() {
    let place = place();
    let some =
        |count: usize| (0..count).map(|number| format!("-DAN_OPTION_THAT_TAKES_MUCH_ROOM_{number:05}=1"));
    // GCC itself hands its options on in one variable, of 128 KiB at most.
    let many: Vec<String> = some(2000).collect();
    assert_silent(&run(place.lpcc().args(["gcc-12", "-c", "t.c"]).args(&many), None));
    place.write("many.rsp", &many.join("\n"));
    assert_silent(&run(place.lpcc().args(["gcc-12", "-c", "t.c", "@many.rsp"]), None));
    let kept = &place.records()[0].call;
    assert_eq!(kept.run, ["-c", "t.c", "@many.rsp"]);
    assert_eq!(kept.response_files.len(), 1);
    // 1.9 MB of the kernel's 2: nothing that lpcc adds may be too much.
    write_script(&place.beside("fake/gcc"), "#!/bin/sh\n[ \"$1\" = -c ] || exit 1\n: >t.o\n");
    assert_silent(&run(
        place.lpcc().arg(place.beside("fake/gcc")).args(["-c", "t.c"]).args(some(35_000)),
        None,
    ));
}
