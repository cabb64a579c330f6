//! `lpcc shims`: lay links named like the compilers into a directory.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::compiler::find;
use crate::compiler::guard::Passed;
use crate::env;

/// Names laid by `--all` whether such a compiler is found or not.
const ALWAYS: &str = include_str!("../../shims/names");

/// Lay links named like the compilers into a directory.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory; made if it does not exist. Put it first on PATH.
    directory: PathBuf,
    /// Lay the usual names also where no such compiler is found.
    #[arg(long)]
    all: bool,
    /// Hard links instead of symbolic ones.
    #[arg(long, conflicts_with = "copy")]
    hard: bool,
    /// Copies instead of symbolic links.
    #[arg(long)]
    copy: bool,
}

/// How a shim is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A symbolic link.
    Symbolic,
    /// A hard link.
    Hard,
    /// A copy.
    Copy,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let how = match (args.hard, args.copy) {
        (true, _) => How::Hard,
        (_, true) => How::Copy,
        _ => How::Symbolic,
    };
    let laid = lay(&args.directory, how, args.all)?;
    for name in &laid {
        anstream::println!("{}", args.directory.join(name).display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Lays a shim for every compiler on PATH, for `lpcc` and for `lpcc++`; gives their names, sorted. Shims that
/// are there already are laid anew; anything else is never overwritten.
pub fn lay(directory: &Path, how: How, all: bool) -> anyhow::Result<Vec<OsString>> {
    let program = own_program().context("cannot tell where lpcc itself lies")?;
    let passed = Passed::from_environment();
    let mut names = on_path(directory, &passed);
    if all {
        let usual = ALWAYS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        names.extend(usual.map(OsString::from));
    }
    names.extend(["lpcc", "lpcc++"].map(OsString::from));
    let cannot = || format!("cannot make `{}`", directory.display());
    std::fs::create_dir_all(directory).with_context(cannot)?;
    let directory = std::fs::canonicalize(directory).with_context(cannot)?;
    for name in &names {
        let place = directory.join(name);
        if place.symlink_metadata().is_ok() && !is_shim(&place, &passed) {
            bail!("`{}` exists and is no shim\nhint: choose another directory", place.display());
        }
    }
    for name in &names {
        let place = directory.join(name);
        if place == program {
            continue; // lpcc itself lies in this directory
        }
        replace(&program, &place, how).with_context(|| format!("cannot lay `{}`", place.display()))?;
    }
    Ok(names.into_iter().collect())
}

/// Where this program lies. A chroot that is being set up may have no `/proc` yet: there, where its name leads.
fn own_program() -> std::io::Result<PathBuf> {
    std::fs::canonicalize("/proc/self/exe").or_else(|error| {
        let name = std::env::args_os().next().ok_or(error)?;
        let path = if name.as_encoded_bytes().contains(&b'/') { None } else { find::on_path(&name).next() };
        std::fs::canonicalize(path.unwrap_or_else(|| PathBuf::from(name)))
    })
}

/// Whether what lies there is ours: lpcc under some link or copy, or a symbolic link to an lpcc that has gone.
fn is_shim(place: &Path, passed: &Passed) -> bool {
    let leads_to_lpcc = || {
        std::fs::read_link(place)
            .is_ok_and(|to| to.file_name().is_some_and(|name| name == "lpcc" || name == "lpcc++"))
    };
    passed.is_own(place) || leads_to_lpcc()
}

/// Written aside and renamed: a build may be using the shim.
fn replace(program: &Path, place: &Path, how: How) -> std::io::Result<()> {
    let mut aside = place.as_os_str().to_owned();
    aside.push(format!(".new{}", std::process::id()));
    let aside = PathBuf::from(aside);
    match how {
        How::Symbolic => symlink(program, &aside)?,
        How::Hard => std::fs::hard_link(program, &aside)?,
        How::Copy => drop(std::fs::copy(program, &aside)?),
    }
    // A rename between two links to one file does nothing and leaves both.
    let renamed = std::fs::rename(&aside, place);
    let _ = std::fs::remove_file(&aside);
    renamed
}

/// Names of the compilers on PATH, `directory` itself and other shims left out.
fn on_path(directory: &Path, passed: &Passed) -> BTreeSet<OsString> {
    let own = std::fs::canonicalize(directory).ok();
    let search = env::search_path();
    let folders = std::env::split_paths(&search).filter(|folder| std::fs::canonicalize(folder).ok() != own);
    let entries = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let names: BTreeSet<OsString> =
        entries.map(|entry| entry.file_name()).filter(|name: &OsString| find::is_compiler(name)).collect();
    let real = |name: &OsStr| find::on_path(name).any(|path| !passed.is_own(&path));
    names.into_iter().filter(|name| real(name)).collect()
}
