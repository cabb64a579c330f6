//! What the compiler's process is given and how it ends: signal dispositions, descriptors, limits, signals,
//! exit statuses. A small C program stands in for the compiler and says what it sees.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kit::{LPCC, Place, build_program, run};

/// Prints what a process inherits, and makes the object asked for.
const MIRROR: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char fds[512] = "";
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) != -1) sprintf(fds + strlen(fds), " %d", fd);
    char here[4096];
    if (getcwd(here, sizeof here) && !strcmp(here, "/")) return 0; /* lpcc asks who we are, after the compile */
    int out = open("seen.txt", O_WRONLY | O_CREAT | O_APPEND, 0666);
    int compiles = 0;
    for (int i = 1; i < argc; i++) if (!strcmp(argv[i], "-c")) compiles = 1;
    dprintf(out, "fds:%s\n", fds);
    char line[512];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "SigIgn", 6) || !strncmp(line, "SigBlk", 6) || !strncmp(line, "SigCgt", 6)) dprintf(out, "%s", line);
    struct rlimit limit;
    for (int which = 0; which < 16; which++)
        if (!getrlimit(which, &limit)) dprintf(out, "limit %d: %ld %ld\n", which, (long)limit.rlim_cur, (long)limit.rlim_max);
    mode_t mask = umask(0);
    dprintf(out, "umask %o nice %d dumpable\n", mask, getpriority(PRIO_PROCESS, 0));
    for (int i = 1; i < argc; i++) dprintf(out, "arg [%s]\n", argv[i]);
    if (compiles) close(open("t.o", O_WRONLY | O_CREAT | O_TRUNC, 0666));
    return 0;
}
"#;

/// Says that it has started, waits for ever, and makes the object in the end.
const SLEEPER: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "-c")) return 0;
    FILE *pid = fopen("pid.new", "w");
    fprintf(pid, "%d\n", getpid());
    fclose(pid);
    rename("pid.new", "pid");
    sleep(4);
    close(open("t.o", O_WRONLY | O_CREAT, 0666));
    return 0;
}
"#;

/// A directory with a "compiler" called gcc made from `source`.
fn fake(place: &Place, source: &str) -> PathBuf {
    let folder = place.beside("fake");
    std::fs::create_dir_all(&folder).unwrap();
    build_program(&folder.join("gcc"), source);
    folder.join("gcc")
}

/// What the mirror saw in a process that a shell prepared, with `words` before the compiler's own.
fn seen(place: &Place, prepare: &str, words: &str) -> String {
    place.clear();
    let compiler = place.beside("fake").join("gcc");
    let script = format!("{prepare}\nexec {words} {} $ARGS", compiler.display());
    let args = if prepare.contains("INFORMATION") { "--version" } else { "-c t.c -o t.o" };
    let output =
        run(place.command("/bin/sh").args(["-c", &script]).env("ARGS", args).env("MAKEFLAGS", "-j"), None);
    assert!(output.status.success(), "{prepare}: {output:?}");
    std::fs::read_to_string(place.tree().join("seen.txt")).unwrap()
}

#[test]
fn the_compiler_inherits_what_lpcc_was_given() {
    let place = Place::new();
    fake(&place, MIRROR);
    let mut different = Vec::new();
    for prepare in [
        "true",
        "exec 0<&-",
        "exec 1>&-",
        "exec 2>&-",
        "exec 0<&- 1>&- 2>&-",
        "exec 3</dev/null 4>/dev/null",
        "exec 7<>/dev/null",
        "trap '' INT",
        "trap '' HUP TERM QUIT",
        "trap '' PIPE",
        "trap '' CHLD",
        "trap '' USR1 ALRM SEGV",
        "umask 027",
        "ulimit -n 40; ulimit -c 0",
        "ulimit -f 1000",
        ": INFORMATION",
        "exec 0<&-; : INFORMATION",
        "trap '' PIPE CHLD INT; : INFORMATION",
    ] {
        let (bare, wrapped) = (seen(&place, prepare, ""), seen(&place, prepare, LPCC));
        if bare != wrapped {
            different.push(format!("{prepare}:\n--- bare\n{bare}--- lpcc\n{wrapped}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_jobserver_reaches_the_compiler() {
    let place = Place::new();
    fake(&place, MIRROR);
    let compiler = place.beside("fake").join("gcc");
    let mut lines = Vec::new();
    for words in ["", LPCC] {
        place.clear();
        place.write(
            "Makefile",
            &format!("all: a b\na b:\n\t+{words} {} -c $@.c -o $@.o\n", compiler.display()),
        );
        let output = run(place.command("make").args(["-j2"]), None);
        assert!(output.status.success(), "{output:?}");
        let text = std::fs::read_to_string(place.tree().join("seen.txt")).unwrap();
        lines.push(text.lines().find(|line| line.starts_with("fds:")).unwrap().to_owned());
    }
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn endings_pass_through() {
    let place = Place::new();
    kit::write_script(
        &place.beside("fake/gcc"),
        "#!/bin/sh\n[ \"$1\" = -c ] || exit 0\n: >t.o\neval \"$HOW\"\n",
    );
    let compiler = place.beside("fake/gcc");
    for how in [
        "exit 0",
        "exit 1",
        "exit 3",
        "exit 42",
        "exit 126",
        "exit 127",
        "exit 255",
        "kill -SEGV $$",
        "kill -KILL $$",
        "kill -TERM $$",
        "kill -PIPE $$",
    ] {
        let ended = |command: &mut Command| {
            let status = run(command.args(["-c", "t.c", "-o", "t.o"]).env("HOW", how), None).status;
            (status.code(), status.signal())
        };
        let bare = ended(&mut place.command(&compiler));
        assert_eq!(ended(place.lpcc().arg(&compiler)), bare, "{how}");
    }
}

fn start_sleeper(place: &Place, prepare: &str) -> (Child, String) {
    place.clear();
    let script = format!("{prepare}\nexec {LPCC} {} -c t.c -o t.o", fake(place, SLEEPER).display());
    let child = place.command("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let file = place.tree().join("pid");
    while !file.exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "the compiler did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    (child, std::fs::read_to_string(file).unwrap().trim().to_owned())
}

fn send(signal: &str, process: u32) {
    assert!(Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap().success());
}

/// Whether a process is gone, given a moment.
fn is_gone(process: &str) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    })
}

#[test]
fn a_signal_to_lpcc_alone_stops_the_compiler() {
    let place = Place::new();
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3), ("KILL", 9)] {
        let (mut child, compiler) = start_sleeper(&place, "ulimit -c 0");
        send(signal, child.id());
        assert_eq!(child.wait().unwrap().signal(), Some(number), "{signal}");
        assert!(is_gone(&compiler), "{signal}: the compiler still runs");
        assert!(!place.tree().join("t.o").exists(), "{signal}: an object appeared");
        assert!(place.records().is_empty());
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let place = Place::new();
    let (mut child, _) = start_sleeper(&place, "trap '' HUP INT");
    send("HUP", child.id());
    send("INT", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(place.tree().join("t.o").exists());
}

#[test]
fn standard_error_is_inherited_not_piped() {
    let place = Place::new();
    place.write("warn.c", "int w(int a) { int unused_variable_of_some_length; return a; }\n");
    let terminal = |words: &str| {
        let line = format!("stty cols 60 2>/dev/null; {words} /usr/bin/gcc-12 -Wall -c warn.c -o w.o");
        let output = run(
            place.command("script").args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color"),
            None,
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let bare = terminal("");
    assert!(bare.contains("\u{1b}["), "no colours: is this a terminal?\n{bare}");
    assert_eq!(terminal(LPCC), bare);
}
