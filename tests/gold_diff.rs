//! A gold diff: on real security fixes, as the distribution carries them in `debian/patches`, lpcc and the system's
//! objdump agree on which functions of the touched units differ.
//!
//! Each patch that can be taken off by itself gives a before and an after. `LPCC_GOLD` names packages (of [`PACKAGES`],
//! or `all`); without it the smallest is tried. `scripts/gold` tries all and prints the table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_push_string,
    reason = "a test that fails to set up fails"
)]

#[path = "support/dump_oracle.rs"]
mod dump_oracle;
#[path = "flip/elf.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod elf;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lpcc::analysis::{self, Change, FindingKind};
use lpcc::object;
use support::Scratch;

/// A source package: name, what makes its tree compilable, and the flags of its units.
struct Package {
    name: &'static str,
    prepare: &'static str,
    flags: &'static [&'static str],
}

const PACKAGES: &[Package] = &[
    Package { name: "lua5.4", prepare: ": >src/lua5.4-deb-multiarch.h", flags: &["-Isrc"] },
    Package { name: "giflib", prepare: "", flags: &["-I."] },
    Package {
        name: "tiff",
        prepare: "autoreconf -fi >/dev/null 2>&1; ./configure -q --disable-jbig --disable-lzma",
        flags: &["-Ilibtiff"],
    },
    Package {
        name: "libarchive",
        prepare: "autoreconf -fi >/dev/null 2>&1; ./configure -q --without-xml2 --without-openssl",
        flags: &["-DHAVE_CONFIG_H", "-I.", "-Ilibarchive"],
    },
    Package {
        name: "curl",
        prepare: "autoreconf -fi >/dev/null 2>&1; ./configure -q --without-ssl --without-libpsl",
        flags: &["-DHAVE_CONFIG_H", "-DBUILDING_LIBCURL", "-Iinclude", "-Ilib"],
    },
];

const FLAG_SETS: [&[&str]; 2] = [&["-O2"], &["-O2", "-fPIC", "-ffunction-sections"]];

/// What came of one package.
#[derive(Default)]
struct Tally {
    patches: usize,
    pairs: usize,
    functions: usize,
    wrong: Vec<String>,
}

/// The C files that a patch touches.
fn touched(patch: &Path) -> BTreeSet<PathBuf> {
    let text = String::from_utf8_lossy(&fs::read(patch).unwrap()).into_owned();
    let names = text.lines().filter_map(|line| line.strip_prefix("+++ "));
    let files =
        names.filter_map(|name| name.split_whitespace().next()?.split_once('/').map(|(_, path)| path.into()));
    files.filter(|file: &PathBuf| file.extension().is_some_and(|it| it == "c")).collect()
}

fn patch(tree: &Path, file: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("patch");
    command.current_dir(tree).args(["-s", "-f", "-p1"]).args(arguments).arg("-i").arg(file);
    command.output().unwrap().status.success()
}

fn compile(tree: &Path, source: &Path, flags: &[&str], more: &[&str], out: &Path) -> bool {
    let mut command = Command::new("gcc");
    command.current_dir(tree).args(flags).args(more).args(["-w", "-c"]).arg(source).arg("-o").arg(out);
    command.output().unwrap().status.success()
}

fn try_package(package: &Package, tally: &mut Tally) -> Option<()> {
    let scratch = Scratch::new(&format!("gold-{}", package.name));
    let tree = scratch.join("tree");
    support::source(package.name, &tree)?;
    let prepared = Command::new("sh").current_dir(&tree).args(["-c", package.prepare]).output().unwrap();
    assert!(prepared.status.success(), "{}: {}", package.name, String::from_utf8_lossy(&prepared.stderr));
    let patches = tree.join("debian/patches");
    let series = fs::read_to_string(patches.join("series")).unwrap();
    let fixes = series.lines().filter(|line| line.to_lowercase().contains("cve"));
    for name in fixes.map(|line| line.split_whitespace().next().unwrap()) {
        let fix = patches.join(name);
        if !patch(&tree, &fix, &["-R", "--dry-run"]) {
            continue; // later patches build on it
        }
        tally.patches += 1;
        for source in touched(&fix).iter().filter(|source| tree.join(source).exists()) {
            for more in FLAG_SETS {
                let (before, after) = (scratch.join("before.o"), scratch.join("after.o"));
                if !compile(&tree, source, package.flags, more, &after) {
                    continue; // a unit of another system, or a test
                }
                assert!(patch(&tree, &fix, &["-R"]));
                let compiled = compile(&tree, source, package.flags, more, &before);
                assert!(patch(&tree, &fix, &[]));
                if compiled {
                    let place = format!("{} {name} {} {more:?}", package.name, source.display());
                    judge(&place, &before, &after, tally);
                }
            }
        }
    }
    Some(())
}

fn judge(place: &str, before: &Path, after: &Path, tally: &mut Tally) {
    tally.pairs += 1;
    let gold = dump_oracle::changed(&dump_oracle::read(before), &dump_oracle::read(after));
    let [old, new] = [before, after].map(|path| object::fingerprint(&fs::read(path).unwrap()).unwrap());
    let findings = analysis::compare(&old, &new);
    let found: BTreeSet<String> = findings
        .iter()
        .filter(|it| it.kind == FindingKind::Function && matches!(it.change, Change::Changed | Change::New))
        .map(|it| String::from_utf8_lossy(&object::names::stem(&it.symbol)).into_owned())
        .collect();
    tally.functions += gold.len();
    if gold != found {
        let missed: Vec<_> = gold.difference(&found).collect();
        let extra: Vec<_> = found.difference(&gold).collect();
        let why = |name: &str| findings.iter().find(|it| it.symbol == name).map(|it| it.detail.clone());
        let extra: Vec<_> = extra.iter().map(|name| (name, why(name))).collect();
        tally.wrong.push(format!("{place}: lpcc misses {missed:?}, only lpcc finds {extra:?}"));
    }
}

#[test]
fn lpcc_and_objdump_agree_on_real_fixes() {
    let wanted =
        support::variable("LPCC_GOLD").map_or("lua5.4".to_owned(), |it| it.to_string_lossy().into_owned());
    let mut all = Tally::default();
    eprintln!("{:<14}{:>8}{:>8}{:>12}{:>8}", "package", "fixes", "pairs", "functions", "wrong");
    for package in
        PACKAGES.iter().filter(|it| wanted == "all" || wanted.split(',').any(|name| name == it.name))
    {
        let mut tally = Tally::default();
        if try_package(package, &mut tally).is_none() {
            continue;
        }
        let wrong = tally.wrong.len();
        eprintln!(
            "{:<14}{:>8}{:>8}{:>12}{wrong:>8}",
            package.name, tally.patches, tally.pairs, tally.functions
        );
        assert!(tally.pairs > 0 && tally.functions > 0, "{}: nothing was compared", package.name);
        all.wrong.extend(tally.wrong);
    }
    assert!(all.wrong.is_empty(), "{} pairs disagree:\n{}", all.wrong.len(), all.wrong.join("\n"));
}
