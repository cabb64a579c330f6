//! Compiling twice in builds: beside the primary where make's jobserver has a token to spare, no token lost, nothing left
//! however a build is stopped; real projects with every side output on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod kit;

use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use kit::{LPCC, Place, run};

/// A source that keeps the compiler busy for a moment.
fn source(unit: usize, functions: usize) -> String {
    let mut text = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    for n in 0..functions {
        writeln!(
            text,
            "int f{unit}_{n}(int n, const char *s) {{ int t = {n}; for (int i = 0; i < n; i++) t += s[i] * {unit}; \
             if (t > n) printf(\"%d {unit} {n}\\n\", t); return t; }}"
        )
        .unwrap();
    }
    text
}

/// Names in the store's folder of temporaries.
fn left(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.store().join("tmp")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// In a recipe that make takes for a make (`+`), a token is there for the taking; it is used, and comes back.
#[test]
fn beside_the_primary_where_there_is_a_token() {
    let place = Place::new();
    place.write("u.c", &source(0, 60));
    place.write("Makefile", "all:\n\t+$(CC) -O2 -c u.c -o u.o\n\t+@sleep 0.2; $(COUNT)\n");
    // Reads all tokens that are free and puts them back.
    let count = "python3 -c 'import os,re,sys\n\
                 r,w=map(int,re.search(r\"auth=(\\d+),(\\d+)\",os.environ[\"MAKEFLAGS\"]).groups())\n\
                 f=os.open(\"/proc/self/fd/%d\"%r,os.O_RDONLY|os.O_NONBLOCK)\n\
                 t=os.read(f,99);os.write(w,t);print(len(t),\"free\")'";
    let log = place.beside("log");
    let mut make = place.command("make");
    make.args(["-s", "-j3"]).env("CC", format!("{LPCC} gcc-12")).env("COUNT", count);
    make.arg(format!("CC={LPCC} gcc-12")).arg("COUNT=sh -c \"$$COUNTER\"").env("COUNTER", count);
    make.env("LPCC_TWICE", "same,toggle").env("LPCC_LOG_FILE", &log);
    let output = run(&mut make, None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 free\n");
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("runs beside the primary"), "{log}");
    assert_eq!(place.records()[0].variants.len(), 3);
}

/// Stops a build at many moments and in many ways, a shadow under way in most: the tree holds nothing of the shadow, and the
/// store none of its files once the next compile, or `gc`, has gone by.
#[test]
fn stopped_at_any_moment() {
    let place = Place::new();
    place.write("u.c", &source(0, 400));
    let bare = |place: &Place| {
        let mut names: Vec<_> = place.listing().into_keys().collect();
        names.retain(|name| name != Path::new("u.o"));
        names
    };
    for (index, signal) in ["INT", "TERM", "HUP", "KILL", "TERM", "INT", "KILL"].into_iter().enumerate() {
        let mut lpcc = place.lpcc();
        lpcc.args(["gcc-12", "-O2", "-MD", "-fstack-usage", "-c", "u.c", "-o", "u.o"])
            .env("LPCC_TWICE", "same,toggle");
        let mut child = lpcc.process_group(0).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + 250 * index as u64));
        // To lpcc alone at times, to the whole group at others.
        let whom = if index % 2 == 0 { format!("-{}", child.id()) } else { child.id().to_string() };
        let kill = ["-s", signal, "--", &whom];
        let _ = std::process::Command::new("kill").args(kill).stderr(Stdio::null()).status();
        let ended = child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        if signal != "KILL" {
            assert_eq!(left(&place), Vec::<String>::new(), "{signal} ({index}): {ended}");
        }
        for name in bare(&place) {
            let known = ["u.c", "u.d", "u.su"].contains(&name.to_str().unwrap());
            assert!(known, "{signal} ({index}): {} was left behind", name.display());
        }
    }
    let output = run(place.lpcc().args(["gcc-12", "-c", "u.c", "-o", "u.o"]).env("LPCC_TWICE", "same"), None);
    assert!(output.status.success());
    assert_eq!(left(&place), Vec::<String>::new());
}
