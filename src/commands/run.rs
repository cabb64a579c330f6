//! `lpcc run`: run a build with the shims first on PATH, recording into ./.lpcc.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::shims::{self, How};
use crate::env;
use crate::store::{Recording, SnapshotName, Store, locate};
use crate::sys::{self, Ending, Program};
use crate::wrap::configuration::Configuration;

/// Where `lpcc run` keeps its shims, within the store.
const SHIMS: &str = "shims";

/// Run a build with the shims first on PATH, recording into ./.lpcc.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep the recording under this name once the build has succeeded.
    #[arg(long, value_name = "NAME")]
    name: Option<OsString>,
    /// Once the build has succeeded, write its recording to this file, as `lpcc store export` does.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Record here instead of ./.lpcc, or the store that the configuration names.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The build and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the command: its exit status or signal is the build's.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.name {
        SnapshotName::new(name)?; // before the build, not after an hour of it
    }
    let named =
        args.store.clone().or_else(|| Configuration::here().read().config.as_ref()?.names.store.clone());
    let root = named.unwrap_or_else(|| PathBuf::from(locate::DIRECTORY));
    let root = std::path::absolute(root).context("cannot tell the working directory")?;
    let store = Store::create(&root)?;
    let folder = root.join(SHIMS);
    shims::lay(&folder, How::Symbolic, false)?;
    let environment = environment(&root, &folder)?;
    let Some((command, path)) = args.command.split_first().map(|(first, _)| (first, program(first, &folder)))
    else {
        return Ok(ExitCode::FAILURE);
    };
    let Some(path) = path else {
        anstream::eprintln!("lpcc: no program `{}` on PATH", command.display());
        return Ok(ExitCode::from(127));
    };
    let program = Program::new(path.as_os_str(), &args.command, &environment)?;
    let failed = || format!("cannot execute `{}`", path.display());
    if args.name.is_none() && args.export.is_none() {
        // Nothing is left to do afterwards: become the build.
        return Err(sys::exec(&program)).with_context(failed);
    }
    let ending = sys::run(&program, None).with_context(failed)?.ending;
    // A build that went well stays one: what fails from here on is said, and no more.
    if let (Some(file), Ending::Exited(0)) = (&args.export, ending) {
        export(&store, file);
    }
    let Some(name) = &args.name else { sys::end_as(ending) };
    if ending == Ending::Exited(0) {
        let kept = store.snapshot(name)?;
        anstream::eprintln!("lpcc: kept {} units as `{}`", kept.units, name.display());
    } else {
        anstream::eprintln!("lpcc: the build failed: nothing kept as `{}`", name.display());
    }
    sys::end_as(ending)
}

/// Writes the recording beside the build.
fn export(store: &Store, file: &Path) {
    let exported = Recording::open(store, None).and_then(|recording| recording.export());
    let written = exported
        .map_err(anyhow::Error::from)
        .and_then(|exported| super::store::write_export(file, &exported.bytes).map(|()| exported));
    match written {
        Ok(exported) => {
            for damaged in &exported.damaged {
                anstream::eprintln!("lpcc: left out, and noted in the export: {damaged}");
            }
            anstream::eprintln!("lpcc: exported {} units to `{}`", exported.manifest.units, file.display());
        }
        Err(error) => anstream::eprintln!("lpcc: not exported: {error:#}"),
    }
}

/// The build's environment: shims first on PATH, the store named, and compilers that are named by a variable
/// called through lpcc. A variable that is not set stays so: many builds choose by that.
fn environment(root: &Path, folder: &Path) -> anyhow::Result<Vec<OsString>> {
    let mut environment = sys::environment();
    env::set(&mut environment, env::PATH, &search_path(folder)?);
    env::set(&mut environment, env::STORE, root.as_os_str());
    for (variable, wrapper) in [(env::CC_COMMAND, "lpcc"), (env::CXX_COMMAND, "lpcc++")] {
        if let Some(value) = env::get(variable)
            && !value.as_encoded_bytes().starts_with(b"lpcc")
        {
            let mut wrapped = OsString::from(wrapper);
            wrapped.push(" ");
            wrapped.push(value);
            env::set(&mut environment, variable, &wrapped);
        }
    }
    Ok(environment)
}

fn search_path(folder: &Path) -> anyhow::Result<OsString> {
    let rest = env::search_path();
    let entries = std::env::split_paths(&rest).filter(|entry| entry != folder);
    std::env::join_paths(std::iter::once(folder.to_path_buf()).chain(entries))
        .with_context(|| format!("`{}` cannot stand on PATH: it holds a colon", folder.display()))
}

/// The build's program, as a shell would find it.
fn program(name: &OsStr, folder: &Path) -> Option<PathBuf> {
    let directory = std::env::current_dir().ok()?;
    which::which_in(name, search_path(folder).ok(), directory).ok()
}
