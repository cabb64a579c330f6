//! `lpcc diff`: what differs between two objects, archives, linked files, directories or recordings.

use std::process::ExitCode;

/// What differs between two objects, archives, linked files, directories or recordings.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
