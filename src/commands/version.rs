//! `lpcc version`: print the version of lpcc, and of what it writes.

use std::process::ExitCode;

use crate::object::fingerprint::RECIPE;
use crate::report::output;
use crate::store::{container, layout};

/// Print the version of lpcc, of its fingerprints and of its records.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_args: &Args) -> anyhow::Result<ExitCode> {
    output::print(&format!(
        "lpcc {}\nfingerprint recipe {RECIPE}\nrecord format {}\nstore format {}\n",
        env!("CARGO_PKG_VERSION"),
        container::VERSION,
        layout::STORE_FORMAT,
    ))?;
    Ok(ExitCode::SUCCESS)
}
