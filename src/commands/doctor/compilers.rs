//! Which compilers are found, and what each really is.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::findings::{Findings, Level};
use crate::argv;
use crate::commands::store::shown;
use crate::compiler::find::{self, Own};
use crate::compiler::guard::Passed;
use crate::env;
use crate::wrap::configuration::Configuration;

const TOPIC: &str = "compilers";

/// The names that builds use.
pub(super) const USUAL: [&str; 6] = ["cc", "c++", "gcc", "g++", "clang", "clang++"];

pub(super) fn look(findings: &mut Findings) {
    let passed = Passed::from_environment();
    let mut found = 0;
    for name in USUAL {
        if let Ok(path) = find::find(OsStr::new(name), &passed) {
            found += 1;
            describe(findings, name, &path, &passed);
        }
    }
    let configuration = Configuration::here();
    for (variable, usual, own) in [(env::CC, "cc", Own::C), (env::CXX, "c++", Own::Cxx)] {
        let named = env::get(variable).map(|line| format!("{variable}={}", line.display()));
        let text = named.or_else(|| {
            let line = configuration.compiler(own)?;
            Some(format!("{}, of the configuration,", line.display()))
        });
        if let Some(text) = text {
            findings.add(TOPIC, Level::Note, format!("{text} stands in for {usual}"));
        }
    }
    let others = others(&passed);
    if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|name| name.to_string_lossy()).collect();
        findings.add(TOPIC, Level::Fine, format!("also on PATH: {}", names.join(" ")));
    }
    if found == 0 && others.is_empty() {
        let hint = "install gcc or clang, or name one: `lpcc /path/to/gcc -c x.c`";
        findings.add_hint(TOPIC, Level::Trouble, "no compiler on PATH", hint);
    }
}

fn describe(findings: &mut Findings, name: &str, path: &Path, passed: &Passed) {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if real.file_name().is_some_and(argv::launcher_name) {
        let text = format!("{name}: {} is a link to {}; lpcc runs above it", shown(path), shown(&real));
        findings.add(TOPIC, Level::Note, text);
        return;
    }
    let Some(about) = answer(path, "--version", passed) else {
        let text = format!("{name}: {} does not answer `--version`", shown(path));
        findings.add(TOPIC, Level::Check, text);
        return;
    };
    let mut text = format!("{name}: {}", about.lines().next().unwrap_or_default());
    if let Some(target) = answer(path, "-dumpmachine", passed) {
        text = format!("{text} for {}", target.trim());
    }
    text = format!("{text}, {}", shown(path));
    if real != path {
        text = format!("{text} -> {}", shown(&real));
    }
    findings.add(TOPIC, Level::Fine, text);
}

/// What the compiler prints; `None` where it fails or says nothing.
fn answer(path: &Path, question: &str, passed: &Passed) -> Option<String> {
    let output = Command::new(path)
        .arg(question)
        .env(env::PASSED, passed.value_for(path))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Names of other compilers on PATH: with a version, for another target.
fn others(passed: &Passed) -> BTreeSet<OsString> {
    let search = env::search_path();
    let directories: BTreeSet<PathBuf> = std::env::split_paths(&search).collect();
    let entries = directories.iter().flat_map(fs::read_dir).flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .filter(|name| argv::compiler_name(name).is_some() && !USUAL.iter().any(|usual| name == usual))
        .filter(|name| find::find(name, passed).is_ok())
        .collect()
}
