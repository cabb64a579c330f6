//! Whether builds that name their compiler themselves come by here, and on which side of a cache.

use std::ffi::OsStr;

use super::compilers::USUAL;
use super::findings::{Findings, Level};
use crate::argv;
use crate::commands::store::shown;
use crate::compiler::find;
use crate::compiler::guard::Passed;
use crate::env;

const TOPIC: &str = "shims";

pub(super) fn look(findings: &mut Findings) {
    let passed = Passed::from_environment();
    let mut through = Vec::new();
    let mut around = Vec::new();
    let mut first_shim = None;
    for name in USUAL {
        match find::on_path(OsStr::new(name)).next() {
            Some(first) if passed.is_own(&first) => {
                through.push(name);
                first_shim = first_shim.or(Some(first));
            }
            Some(_) => around.push(name),
            None => {}
        }
    }
    match (through.is_empty(), around.is_empty()) {
        (true, true) => {}
        (true, false) => findings.add_hint(
            TOPIC,
            Level::Note,
            "no shim is first on PATH: builds are recorded that say CC=lpcc, or run under `lpcc run`",
            "for builds that name gcc themselves: `lpcc shims DIR`, then put DIR first on PATH",
        ),
        (false, true) => findings.add(TOPIC, Level::Fine, format!("first on PATH for {}", through.join(" "))),
        (false, false) => {
            let directory = first_shim.as_deref().and_then(|shim| shim.parent());
            let hint =
                directory.map_or(String::new(), |directory| format!("`lpcc shims` {}", shown(directory)));
            let text = format!("first on PATH for {}, but not for {}", through.join(" "), around.join(" "));
            findings.add_hint(TOPIC, Level::Check, text, hint);
        }
    }
    cache(findings);
}

/// Above a compiler cache lpcc sees every call; below one it sees only those that miss, and the cache hands out
/// objects that another policy made.
fn cache(findings: &mut Findings) {
    const TOPIC: &str = "compiler cache";
    let below = "lpcc stands below a compiler cache, where cached objects pass it by";
    let hint = "turn them round: `lpcc ccache gcc`";
    for variable in [env::CC_COMMAND, env::CXX_COMMAND] {
        let Some(line) = env::get(variable) else { continue };
        let line = line.to_string_lossy().into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
        let own = words.iter().position(|word| matches!(base(word).as_str(), "lpcc" | "lpcc++"));
        let launcher = words.iter().position(|word| argv::launcher_name(OsStr::new(&base(word))));
        match (own, launcher) {
            (Some(own), Some(launcher)) if launcher < own => {
                findings.add_hint(TOPIC, Level::Check, format!("{below}: {variable}={line}"), hint);
            }
            (Some(_), Some(_)) => {
                findings.add(TOPIC, Level::Fine, format!("lpcc stands above it: {variable}={line}"));
            }
            _ => {}
        }
    }
    for variable in env::CCACHE_PROGRAMS {
        if let Some(value) = env::get(variable).filter(|value| value.to_string_lossy().contains("lpcc")) {
            findings.add_hint(TOPIC, Level::Check, format!("{below}: {variable}={}", value.display()), hint);
        }
    }
    let found: Vec<&str> = ["ccache", "sccache", "distcc", "icecc"]
        .into_iter()
        .filter(|name| find::on_path(OsStr::new(name)).next().is_some())
        .collect();
    if !found.is_empty() {
        let text =
            format!("{} on PATH; `lpcc {} gcc` is the order", found.join(", "), found.first().unwrap_or(&""));
        findings.add(TOPIC, Level::Note, text);
    }
}
