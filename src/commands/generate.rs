//! `lpcc generate`: print the man page or shell completions.

use std::process::ExitCode;

/// Print the man page or shell completions.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
