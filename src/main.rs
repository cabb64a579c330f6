//! Which face: a compiler call, or one of lpcc's own words.

use std::process::ExitCode;

fn main() -> ExitCode {
    lpcc::commands::main()
}
