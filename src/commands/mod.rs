//! Face two: answers for a person, one thin file per command.

pub mod audit;
pub mod check;
pub mod cli;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod generate;
pub mod located;
pub mod pairs;
pub mod record;
pub mod report;
pub mod rewritten;
pub mod run;
pub mod select;
pub mod shims;
pub mod show;
pub mod side;
pub mod store;
pub mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::report::error;

/// lpcc's own words: the first argument is a command exactly if it stands here. Anything else is a compiler
/// call, so that `lpcc --version` is the compiler's. The list is closed.
pub const WORDS: &[&str] = &[
    "audit", "check", "diff", "doctor", "explain", "generate", "help", "record", "report", "run", "select",
    "shims", "show", "store", "version",
];

/// Parses `lpcc`'s own command line and runs the command.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    error::exit_code(match cli::Cli::parse_from(arguments).command {
        cli::Command::Show(args) => show::main(&args),
        cli::Command::Diff(args) => diff::main(&args),
        cli::Command::Check(args) => check::main(&args),
        cli::Command::Select(args) => select::main(&args),
        cli::Command::Audit(args) => audit::main(&args),
        cli::Command::Record(args) => record::main(&args),
        cli::Command::Explain(args) => explain::main(&args),
        cli::Command::Report(args) => report::main(&args),
        cli::Command::Run(args) => run::main(&args),
        cli::Command::Shims(args) => shims::main(&args),
        cli::Command::Store(args) => store::main(&args),
        cli::Command::Doctor(args) => doctor::main(&args),
        cli::Command::Version(args) => version::main(&args),
        cli::Command::Generate(args) => generate::main(&args),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_list_of_words_is_the_list_of_commands() {
        let command = cli::Cli::command();
        let mut known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        known.push("help");
        known.sort_unstable();
        assert_eq!(known, WORDS);
    }

    #[test]
    fn definitions_are_sound() {
        cli::Cli::command().debug_assert();
    }
}
