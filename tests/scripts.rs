//! The scripts that a fresh machine depends on: source entries are derived from the system's own package lists in both
//! their formats, and every script can at least be parsed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Scratch, succeed};

fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name))
}

/// Runs the derivation on made-up lists; gives the derived one-line list and the derived stanzas.
fn derived(name: &str, files: &[(&str, &str)]) -> (String, String) {
    let scratch = Scratch::new(name);
    let (etc, out) = (scratch.join("etc"), scratch.join("out"));
    fs::create_dir_all(etc.join("sources.list.d")).unwrap();
    for (file, text) in files {
        fs::write(etc.join(file), text).unwrap();
    }
    succeed(script("fetch-source").arg("--derive").arg(&etc).arg(&out));
    let read = |file: &str| fs::read_to_string(out.join(file)).unwrap();
    (read("sources.list"), read("parts/derived.sources"))
}

#[test]
fn one_line_format() {
    let (lines, stanzas) = derived(
        "one-line",
        &[
            (
                "sources.list",
                "# deb http://old.example.invalid/d x main\n\
                 deb http://a.example.invalid/debian stable main contrib # a comment\n\
                 \x20 deb [arch=amd64 signed-by=/k.gpg] http://b.example.invalid/debian stable-updates main\n\
                 deb-src http://a.example.invalid/debian stable main\n\
                 deb cdrom:[Disc 1]/ stable main\n",
            ),
            ("sources.list.d/more.list", "deb http://c.example.invalid/u noble universe\n"),
            ("sources.list.d/other.list.disabled", "deb http://d.example.invalid/u noble universe\n"),
        ],
    );
    let expected = "deb-src http://a.example.invalid/debian stable main contrib\n\
                    deb-src [arch=amd64 signed-by=/k.gpg] http://b.example.invalid/debian stable-updates main\n\
                    deb-src http://c.example.invalid/u noble universe\n";
    assert_eq!(lines, expected);
    assert_eq!(stanzas, "");
}

#[test]
fn deb822_format() {
    let (lines, stanzas) = derived(
        "deb822",
        &[
            (
                "sources.list.d/a.sources",
                "# the system's own\nTypes: deb deb-src\n# an older mirror\nURIs: http://a.example.invalid/debian\n\
                 Suites: stable stable-updates\nComponents: main\nArchitectures: amd64\n\
                 Signed-By:\n -----BEGIN KEY-----\n .\n abc\n\n\
                 Types: deb\nEnabled: no\nURIs: http://off.example.invalid/\nSuites: x\nComponents: y\n\n\
                 Types: deb-src\nURIs: http://src.example.invalid/\nSuites: x\nComponents: y\n",
            ),
            (
                "sources.list.d/b.sources",
                "Types: deb\nURIs: http://b.example.invalid/\nSuites: s\nComponents: c\n",
            ),
        ],
    );
    let expected = "Types: deb-src\nURIs: http://a.example.invalid/debian\nSuites: stable stable-updates\n\
                    Components: main\nSigned-By:\n -----BEGIN KEY-----\n .\n abc\n\n\
                    Types: deb-src\nURIs: http://b.example.invalid/\nSuites: s\nComponents: c\n\n";
    assert_eq!(stanzas, expected);
    assert_eq!(lines, "");
}

#[test]
fn a_machine_without_lists() {
    assert_eq!(derived("no-lists", &[]), (String::new(), String::new()));
}

/// What apt is given must be what apt accepts: its own parser reads the derived lists.
#[test]
fn apt_accepts_the_derived_lists() {
    if support::program("apt-get").is_none() {
        return support::skip("no apt-get here");
    }
    let scratch = Scratch::new("apt-accepts");
    let (etc, out) = (scratch.join("etc"), scratch.join("out"));
    fs::create_dir_all(etc.join("sources.list.d")).unwrap();
    fs::write(etc.join("sources.list"), "deb [trusted=yes] http://a.example.invalid/d stable main\n")
        .unwrap();
    fs::write(
        etc.join("sources.list.d/b.sources"),
        "Types: deb\nURIs: http://b.example.invalid/d\nSuites: stable\nComponents: main\nTrusted: yes\n",
    )
    .unwrap();
    succeed(script("fetch-source").arg("--derive").arg(&etc).arg(&out));
    let lists = scratch.join("lists");
    fs::create_dir_all(lists.join("partial")).unwrap();
    let output = succeed(Command::new("apt-get").args(["update", "--print-uris"]).args([
        "-o",
        &format!("Dir::Etc::SourceList={}", out.join("sources.list").display()),
        "-o",
        &format!("Dir::Etc::SourceParts={}", out.join("parts").display()),
        "-o",
        &format!("Dir::State::Lists={}", lists.display()),
    ]));
    let text = String::from_utf8(output.stdout).unwrap();
    for wanted in ["'http://a.example.invalid/d/dists/stable/", "'http://b.example.invalid/d/dists/stable/"] {
        assert!(
            text.contains(&format!("{wanted}main/source/Sources")),
            "apt does not see `{wanted}` in:\n{text}"
        );
    }
    assert!(
        text.lines().all(|line| line.contains(".example.invalid/")),
        "also the system's own lists:\n{text}"
    );
    assert!(!text.contains("Packages"), "only sources are wanted:\n{text}");
}

#[test]
fn a_package_name_is_checked() {
    for name in ["", "../x", "a b", "-o"] {
        let scratch = Scratch::new("package-name");
        let output = script("fetch-source").arg(name).arg(scratch.join("out")).output().unwrap();
        assert!(!output.status.success(), "`{name}` was taken for a package");
    }
}

#[test]
fn every_script_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts: Vec<_> =
        fs::read_dir(root.join("scripts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.push(root.join(".ci/run"));
    for script in scripts.into_iter().filter(|script| script.is_file()) {
        let first = fs::read_to_string(&script).unwrap();
        let first = first.lines().next().unwrap_or_default();
        if first.ends_with("bash") || first.ends_with("/sh") {
            succeed(Command::new("bash").arg("-n").arg(&script));
        }
    }
}
