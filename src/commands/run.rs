//! `lpcc run`: run a build with the shims first on PATH, recording into ./.lpcc.

use std::process::ExitCode;

/// Run a build with the shims first on PATH, recording into ./.lpcc.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
