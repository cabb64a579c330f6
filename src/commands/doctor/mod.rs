//! `lpcc doctor`: say what works here and what does not.

use std::process::ExitCode;

/// Say what works here and what does not.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
