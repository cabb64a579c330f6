//! The corpus of before/after pairs: what must be found is found, and nothing else.
//!
//! Cases lie in the folder that `LPCC_CASES` names, by default `../shared/cases` beside the project; each holds
//! `before.c`, `after.c` and `case.toml`. The expectations are written for gcc at `-O2`; everywhere else the
//! oracle is the compiler's own assembler text.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test that fails to set up fails; its settings come from the environment"
)]

#[path = "support/machines.rs"]
mod machines;
#[path = "support/text_oracle.rs"]
mod text_oracle;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use lpcc::analysis::{self, Change, Finding, FindingKind};
use lpcc::object;
use rayon::prelude::*;

#[derive(Debug, serde::Deserialize)]
struct Case {
    flags: Vec<String>,
    functions: Vec<String>,
    data: Vec<String>,
    #[serde(default)]
    other: Vec<String>,
    #[serde(default)]
    line_only: Vec<String>,
    #[serde(default)]
    absolute_source_path: bool,
}

const KERNEL: &[&str] = &[
    "-O2",
    "-fno-pic",
    "-mcmodel=kernel",
    "-mno-red-zone",
    "-ffunction-sections",
    "-fdata-sections",
    "-pg",
    "-mfentry",
];
const USER: &[&str] = &["-O2", "-fPIE", "-ffunction-sections", "-fdata-sections", "-pg", "-mfentry"];
const FLAG_SETS: &[(&str, &[&str])] = &[
    ("kernel", KERNEL),
    ("user", USER),
    ("plain", &["-O2"]),
    ("O0", &["-O0"]),
    ("O1", &["-O1"]),
    ("Os", &["-Os"]),
    ("O3", &["-O3"]),
    ("g", &["-O2", "-g"]),
];

fn cases() -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("LPCC_CASES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases"), PathBuf::from);
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(root).ok()?.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    all.sort();
    Some(all)
}

/// Both sides of a case, compiled; `None` where this compiler does not compile it.
struct Built {
    objects: [Vec<u8>; 2],
    texts: [text_oracle::Assembler; 2],
}

fn build(dir: &Path, case: &Case, compiler: &str, flags: &[&str]) -> Option<Built> {
    let work = tempfile::tempdir().unwrap();
    let mut objects = Vec::new();
    let mut texts = Vec::new();
    for side in ["before", "after"] {
        let cxx = dir.join(format!("{side}.cc")).exists();
        let suffix = if cxx { "cc" } else { "c" };
        let folder = work.path().join(side);
        std::fs::create_dir(&folder).unwrap();
        let source = folder.join(format!("x.{suffix}"));
        std::fs::copy(dir.join(format!("{side}.{suffix}")), &source).unwrap();
        let driver = if cxx {
            compiler.replace("gcc", "g++").replace("clang", "clang++")
        } else {
            compiler.to_owned()
        };
        let named =
            if case.absolute_source_path { source.clone() } else { PathBuf::from(format!("x.{suffix}")) };
        let run = |mode: &str, out: &str| {
            let mut command = Command::new(&driver);
            let clang = driver.contains("clang");
            let cross = compiler.contains("-linux-gnu");
            let foreign = |f: &str| (clang && f == "-mno-80387") || (cross && f.starts_with("-m"));
            let wanted = case.flags.iter().filter(|f| !foreign(f));
            command.current_dir(&folder).args(flags).args(wanted).args(["-w", mode, "-o", out]).arg(&named);
            let output = command.output().ok()?;
            output.status.success().then(|| std::fs::read(folder.join(out)).unwrap())
        };
        objects.push(run("-c", "x.o")?);
        texts.push(text_oracle::read(&String::from_utf8_lossy(&run("-S", "x.s")?)));
    }
    Some(Built { objects: objects.try_into().unwrap(), texts: texts.try_into().ok().unwrap() })
}

fn stem(name: &str) -> String {
    let parts = name.split('.');
    let mut out = String::new();
    for part in parts {
        if ["constprop", "isra", "part", "cold"].contains(&part) || part.chars().all(|c| c.is_ascii_digit()) {
            continue;
        }
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(part);
    }
    out
}

fn is_change(finding: &Finding) -> bool {
    finding.kind == FindingKind::Function && matches!(finding.change, Change::Changed | Change::New)
}

/// What is wrong with the findings of one build of one case.
fn judge(case: &Case, built: &Built, by_hand: bool) -> Vec<String> {
    let [old, new] = built.objects.each_ref().map(|o| object::fingerprint(o).unwrap());
    let findings = analysis::compare(&old, &new);
    let found: BTreeSet<String> =
        findings.iter().filter(|f| is_change(f)).map(|f| stem(&f.symbol.to_string())).collect();
    let text: BTreeSet<String> =
        text_oracle::Assembler::changed(&built.texts[0], &built.texts[1]).iter().map(|n| stem(n)).collect();
    let mut wrong = Vec::new();
    let mut expected = text;
    // Proved to be the path of the source: found, and not a change.
    for finding in findings.iter().filter(|f| f.change == Change::PathOnly) {
        expected.remove(&stem(&finding.symbol.to_string()));
    }
    if by_hand {
        expected = case.functions.iter().map(|n| stem(n)).collect();
        expected.extend(case.line_only.iter().map(|n| stem(n)).filter(|n| found.contains(n)));
        for name in &case.data {
            let seen = findings
                .iter()
                .any(|f| f.kind != FindingKind::Function && f.symbol.to_string().contains(name.as_str()));
            if !seen {
                wrong.push(format!("missed datum {name}"));
            }
        }
        for other in &case.other {
            let (kind, name) = other.split_once(':').unwrap();
            let seen = findings.iter().any(|f| {
                let word = f.change.as_str();
                (word.starts_with(kind) || kind.starts_with(word) || (kind == "align" && word == "alignment"))
                    && stem(&f.symbol.to_string()) == stem(name)
            });
            if !seen {
                wrong.push(format!("missed {other}"));
            }
        }
    }
    let missed: Vec<_> = expected.difference(&found).collect();
    let unclear: BTreeSet<String> =
        text_oracle::Assembler::unclear(&built.texts[0], &built.texts[1]).iter().map(|n| stem(n)).collect();
    let extra: Vec<_> = found.difference(&expected).filter(|n| !unclear.contains(*n)).collect();
    if !missed.is_empty() {
        wrong.push(format!("missed functions {missed:?}"));
    }
    if !extra.is_empty() {
        wrong.push(format!("extra functions {extra:?}"));
    }
    wrong
}

/// What cross compilers are tried with, by the name of the set. By default the first three; all of them, and what
/// only this machine has, where `LPCC_CORPUS_FULL` is set.
fn cross_sets(cross: &machines::Cross) -> Vec<(&'static str, Vec<&'static str>)> {
    let full = std::env::var_os("LPCC_CORPUS_FULL").is_some();
    let all = [
        ("kernel", cross.kernel.to_vec()),
        ("plain", vec!["-O2"]),
        ("Os", vec!["-Os", "-fno-section-anchors"]),
        ("user", cross.user.to_vec()),
        ("no-anchors", vec!["-O2", "-fno-section-anchors"]),
        ("O0", vec!["-O0"]),
        ("O1", vec!["-O1"]),
        ("O3", vec!["-O3"]),
        ("g", vec!["-O2", "-g"]),
    ];
    let more = cross.more.iter().map(|flags| ("more", flags.to_vec()));
    if full { all.into_iter().chain(more).collect() } else { all.into_iter().take(3).collect() }
}

#[test]
fn every_case_on_every_machine() {
    let Some(cases) = cases() else {
        eprintln!("skipped: no corpus (LPCC_CASES, ../shared/cases)");
        return;
    };
    let only = |variable: &str| {
        std::env::var(variable).map(|v| v.split(',').map(str::to_owned).collect::<Vec<_>>()).ok()
    };
    let (only_machines, only_sets) = (only("LPCC_CORPUS_COMPILERS"), only("LPCC_CORPUS_SETS"));
    let wanted = |only: &Option<Vec<String>>, name: &str| {
        only.as_ref().is_none_or(|all| all.iter().any(|n| n == name))
    };
    let mut work = Vec::new();
    for cross in machines::installed().into_iter().filter(|c| wanted(&only_machines, c.name)) {
        for (set, flags) in cross_sets(cross) {
            if only_sets.is_none() || wanted(&only_sets, set) {
                work.extend(cases.iter().map(|dir| (cross, set, flags.clone(), dir)));
            }
        }
    }
    let tried = AtomicUsize::new(0);
    let judged = work.par_iter().flat_map_iter(|(cross, set, flags, dir)| {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let case: Case = toml::from_str(&std::fs::read_to_string(dir.join("case.toml")).unwrap()).unwrap();
        let Some(built) = build(dir, &case, cross.compiler, flags) else {
            eprintln!("skipped: {} does not compile {name} with {set}", cross.compiler);
            return Vec::new();
        };
        tried.fetch_add(1, Ordering::Relaxed);
        let by_hand = ["kernel", "user", "plain"].contains(set);
        judge(&case, &built, by_hand)
            .into_iter()
            .map(|w| format!("{name} {} {set}: {w}", cross.name))
            .collect()
    });
    let mut wrong: Vec<String> = judged.collect();
    wrong.sort();
    let tried = tried.into_inner();
    eprintln!("{tried} builds of pairs, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_by_every_compiler() {
    let Some(cases) = cases() else {
        eprintln!("skipped: no corpus (LPCC_CASES, ../shared/cases)");
        return;
    };
    let compilers: Vec<&str> = ["gcc-11", "gcc-12", "clang-14", "clang-13", "clang-19"]
        .into_iter()
        .filter(|c| Command::new(c).arg("--version").output().is_ok())
        .collect();
    // Comma-separated subsets, to look at one corner quickly.
    let only = |variable: &str| {
        std::env::var(variable).map(|v| v.split(',').map(str::to_owned).collect::<Vec<_>>()).ok()
    };
    let (only_compilers, only_sets) = (only("LPCC_CORPUS_COMPILERS"), only("LPCC_CORPUS_SETS"));
    let wanted = |only: &Option<Vec<String>>, name: &str| {
        only.as_ref().is_none_or(|all| all.iter().any(|n| n == name))
    };
    let tried = AtomicUsize::new(0);
    let judged = cases.par_iter().flat_map_iter(|dir| {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let case: Case = toml::from_str(&std::fs::read_to_string(dir.join("case.toml")).unwrap()).unwrap();
        let mut wrong = Vec::new();
        for compiler in compilers.iter().filter(|c| wanted(&only_compilers, c)) {
            for (set, flags) in FLAG_SETS.iter().filter(|(set, _)| wanted(&only_sets, set)) {
                let Some(built) = build(dir, &case, compiler, flags) else {
                    eprintln!("skipped: {compiler} does not compile {name} with {set}");
                    continue;
                };
                tried.fetch_add(1, Ordering::Relaxed);
                let by_hand = compiler.starts_with("gcc-1") && ["kernel", "user", "plain"].contains(set);
                wrong.extend(
                    judge(&case, &built, by_hand)
                        .into_iter()
                        .map(|w| format!("{name} {compiler} {set}: {w}")),
                );
            }
        }
        wrong
    });
    let wrong: Vec<String> = judged.collect();
    let tried = tried.into_inner();
    eprintln!("{tried} builds of pairs, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
