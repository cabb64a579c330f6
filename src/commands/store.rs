//! `lpcc store`: look after the store: snapshots, verification, listing.

use std::process::ExitCode;

/// Look after the store: snapshots, verification, listing.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
