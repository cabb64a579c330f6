//! `lpcc doctor`: say what works here and what does not.

mod compilers;
mod findings;
mod place;
mod policy;
mod recording;
mod shims;
mod tree;
mod trial;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use findings::Findings;

use crate::report::{Format, output};

/// Say what works here and what does not: exit status 0 all well, 1 something to look at, 2 trouble.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look at a recording instead: the current state, the snapshot NAME, or an export.
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's way of saying a flag with an optional value")]
    recording: Option<Option<OsString>>,
    /// With `--recording`: also name every object below DIR that no record tells of.
    #[arg(long, value_name = "DIR", requires = "recording")]
    tree: Option<PathBuf>,
    /// The store; without it, the one that a build here would write to.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    if let Some(name) = &args.recording {
        recording::look(&mut findings, args.store.as_deref(), name.as_deref(), args.tree.as_deref())?;
    } else {
        compilers::look(&mut findings);
        shims::look(&mut findings);
        place::look(&mut findings, args.store.as_deref());
        policy::look(&mut findings);
        variables::look(&mut findings);
        trial::look(&mut findings);
    }
    output::print(&match args.format {
        Format::Text => findings.text(),
        Format::Json => findings.json(),
    })?;
    Ok(findings.exit_code())
}
