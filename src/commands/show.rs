//! `lpcc show`: fingerprints of an object, an archive or a linked file.

use std::process::ExitCode;

/// Fingerprints of an object, an archive or a linked file.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
