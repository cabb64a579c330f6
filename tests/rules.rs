//! Rules that the corpus does not hold, each a source of its own under `tests/rules`: compiled as it is and with
//! `-DAFTER`, by every compiler here and in three flag sets; what `diff` must find stands in the source, and nothing
//! else may be found.
//!
//! Directives, one a line: `//# expect: FINDING`, with ` | ` between alternatives that compilers choose and ` + ` between
//! findings that come together; `//# allow: FINDING`; `//# allow-new` for whatever comes with the edit; `//# flags:`;
//! `//# compilers: PREFIX`; `//# not: FLAG-SET`. A finding is its kind, its symbol without numbers, its change, the parts
//! of a `changed` one, and its readers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails to set up fails; its settings come from the environment"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use lpcc::analysis::{self, Change, Finding, FindingKind};
use lpcc::object;

const FLAG_SETS: &[(&str, &[&str])] = &[
    (
        "kernel",
        &[
            "-O2",
            "-fno-pic",
            "-mcmodel=kernel",
            "-mno-red-zone",
            "-ffunction-sections",
            "-fdata-sections",
            "-pg",
            "-mfentry",
        ],
    ),
    ("user", &["-O2", "-fPIE", "-ffunction-sections", "-fdata-sections"]),
    ("plain", &["-O2"]),
];

/// What a source asks for.
#[derive(Debug, Default)]
struct Rule {
    flags: Vec<String>,
    compilers: Option<String>,
    not: Vec<String>,
    /// Each may be met by any of several sets of findings.
    expected: Vec<Vec<BTreeSet<String>>>,
    allowed: BTreeSet<String>,
    allow_new: bool,
}

fn rule(text: &str) -> Rule {
    let mut rule = Rule::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("//#")) {
        let (word, value) = line.trim().split_once(':').unwrap_or((line.trim(), ""));
        let value = value.trim();
        match word {
            "flags" => rule.flags = value.split_whitespace().map(str::to_owned).collect(),
            "compilers" => rule.compilers = Some(value.to_owned()),
            "not" => rule.not = value.split_whitespace().map(str::to_owned).collect(),
            "allow" => drop(rule.allowed.insert(value.to_owned())),
            "allow-new" => rule.allow_new = true,
            "expect" => rule
                .expected
                .push(value.split(" | ").map(|one| one.split(" + ").map(str::to_owned).collect()).collect()),
            _ => unreachable!("directive `{word}`"),
        }
    }
    rule
}

/// The name without the numbers and, for clang's statics, without the function.
fn stem(name: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = name.split('.').filter(|word| !is_number(word)).collect();
    match words[..] {
        [_, only] if !name.starts_with('.') => only.to_owned(),
        _ => words.join("."),
    }
}

fn line(finding: &Finding) -> String {
    let stem = if finding.kind == FindingKind::Data {
        stem(&finding.symbol.to_string())
    } else {
        finding.symbol.to_string()
    };
    let mut line = format!("{} {stem} {}", finding.kind.as_str(), finding.change.as_str());
    if finding.change == Change::Changed {
        let parts: Vec<_> = finding.parts.iter().map(|part| part.as_str()).collect();
        line = format!("{line} {}", parts.join(","));
        if !finding.readers.is_empty() {
            let readers: Vec<_> = finding.readers.iter().map(ToString::to_string).collect();
            line = format!("{line} read by {}", readers.join(","));
        }
    }
    line
}

fn compile(
    dir: &Path,
    source: &Path,
    compiler: &str,
    flags: &[String],
    after: bool,
) -> Result<Vec<u8>, String> {
    let cxx = source.extension().is_some_and(|it| it == "cc");
    let driver =
        if cxx { compiler.replace("gcc", "g++").replace("clang", "clang++") } else { compiler.to_owned() };
    let mut command = Command::new(driver);
    command.current_dir(dir).args(flags).args(["-w", "-c", "-o", "x.o"]).arg(source.file_name().unwrap());
    if after {
        command.arg("-DAFTER");
    }
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(std::fs::read(dir.join("x.o")).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What is wrong with the findings.
fn judge(rule: &Rule, findings: &[Finding]) -> Vec<String> {
    let mut left: BTreeSet<String> = findings.iter().map(line).collect();
    // What a section says comes with what lies in it, and a guessed alignment with the section's own.
    left.retain(|line| !line.starts_with("section ") || line.contains(" changed"));
    let mut wrong = Vec::new();
    // A finding that is asked for without its parts is met with any.
    let meets = |line: &str, wanted: &str| {
        line == wanted
            || (wanted.ends_with(" changed")
                && line.strip_prefix(wanted).is_some_and(|it| it.starts_with(' ')))
    };
    for alternatives in &rule.expected {
        let is_met = |wanted: &String| left.iter().any(|line| meets(line, wanted));
        match alternatives.iter().find(|all| all.iter().all(is_met)) {
            Some(met) => left.retain(|line| !met.iter().any(|wanted| meets(line, wanted))),
            None => wrong.push(format!("missed {alternatives:?}")),
        }
    }
    left.retain(|line| !rule.allowed.iter().any(|allowed| meets(line, allowed)));
    left.retain(|line| !(rule.allow_new && (line.ends_with(" new") || line.ends_with(" removed"))));
    wrong.extend(left.iter().map(|line| format!("extra `{line}`")));
    wrong
}

#[test]
fn every_rule_by_every_compiler() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let mut sources: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    sources.sort();
    let only = std::env::var("LPCC_RULE").ok();
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for compiler in ["gcc-11", "gcc-12", "clang-14", "clang-19"] {
        if Command::new(compiler).arg("--version").output().is_err() {
            eprintln!("SKIPPED: no {compiler}; hint: scripts/setup");
            continue;
        }
        for source in &sources {
            let name = source.file_name().unwrap().to_string_lossy().into_owned();
            if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                continue;
            }
            std::fs::copy(source, dir.path().join(&name)).unwrap();
            let rule = rule(&std::fs::read_to_string(source).unwrap());
            if rule.compilers.as_ref().is_some_and(|prefix| !compiler.starts_with(prefix.as_str())) {
                continue;
            }
            for (set, flags) in FLAG_SETS.iter().filter(|(set, _)| !rule.not.iter().any(|not| not == set)) {
                let mut all: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
                all.extend(rule.flags.clone());
                let place = format!("{name} {compiler} {set}");
                let sides = [false, true].map(|after| compile(dir.path(), source, compiler, &all, after));
                let [old, new] = match sides {
                    [Ok(old), Ok(new)] => [old, new].map(|bytes| object::fingerprint(&bytes).unwrap()),
                    [Err(error), _] | [_, Err(error)] => {
                        wrong.push(format!("{place}: does not compile: {error}"));
                        continue;
                    }
                };
                judged += 1;
                let findings = analysis::compare(&old, &new);
                wrong.extend(judge(&rule, &findings).into_iter().map(|it| format!("{place}: {it}")));
            }
        }
    }
    eprintln!("{judged} pairs judged");
    assert!(judged > 0);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
