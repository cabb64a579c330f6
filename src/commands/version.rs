//! `lpcc version`: print the version of lpcc.

use std::process::ExitCode;

/// Print the version of lpcc.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
