//! Which face: a compiler call, or one of lpcc's own words.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let name = argv.first().map_or(OsStr::new("lpcc"), OsString::as_os_str);
    // A shim never takes commands: `gcc show` is gcc's.
    let word = argv.get(1).filter(|_| !lpcc::wrap::is_shim(name)).and_then(|word| word.to_str());
    match word {
        Some(word) if lpcc::commands::WORDS.contains(&word) => lpcc::commands::main(),
        _ => lpcc::wrap::main(&argv),
    }
}
