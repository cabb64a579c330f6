//! Face two: answers for a person, one thin file per command.

pub mod cli;
pub mod diff;
pub mod doctor;
pub mod generate;
pub mod run;
pub mod shims;
pub mod show;
pub mod store;
pub mod version;

use std::process::ExitCode;

use clap::Parser;

/// lpcc's own words: the first argument is a command exactly if it stands here. Anything else is a compiler
/// call, so that `lpcc --version` is the compiler's. The list is closed: a word that is not built yet says so
/// rather than being handed to a compiler.
pub const WORDS: &[&str] = &[
    "audit", "check", "diff", "doctor", "explain", "generate", "help", "record", "report", "run", "select",
    "shims", "show", "store", "version",
];

/// Parses `lpcc`'s own command line and runs the command.
pub fn main() -> ExitCode {
    let result = match cli::Cli::parse().command {
        cli::Command::Show(args) => show::main(&args),
        cli::Command::Diff(args) => diff::main(&args),
        cli::Command::Run(args) => run::main(&args),
        cli::Command::Shims(args) => shims::main(&args),
        cli::Command::Store(args) => store::main(&args),
        cli::Command::Doctor(args) => doctor::main(&args),
        cli::Command::Version(args) => version::main(&args),
        cli::Command::Generate(args) => generate::main(&args),
    };
    crate::report::error::exit_code(result)
}
