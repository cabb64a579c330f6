//! `lpcc shims`: lay links named like the compilers into a directory.

use std::process::ExitCode;

/// Lay links named like the compilers into a directory.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
