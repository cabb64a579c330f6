//! The configuration of a call: found and read once, and only where something asks for it.
//!
//! It is asked for before the compiler is known (which one?), when the policy is weighed and when the store is opened. Trouble
//! with it is never the build's: a file that cannot be read names nothing and has no rules; what is wrong is kept
//! to be said.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::compiler::find::{self, Own};
use crate::env;
use crate::policy::Config;
use crate::policy::lookup::{self, Places};

/// The configuration that holds in one working directory.
#[derive(Debug)]
pub struct Configuration {
    directory: PathBuf,
    read: OnceCell<Read>,
}

/// What was found and read.
#[derive(Debug, Default)]
pub struct Read {
    /// What it says, where it could be read.
    pub config: Option<Config>,
    /// The file that holds, be it faulty.
    pub file: Option<PathBuf>,
    /// Files that were passed over, each with the reason.
    pub ignored: Vec<(PathBuf, String)>,
    /// Why the file could not be read.
    pub trouble: Option<String>,
}

impl Configuration {
    /// That of the working directory.
    pub fn here() -> Self {
        Self::of(std::env::current_dir().unwrap_or_default())
    }

    /// That of `directory`.
    pub fn of(directory: PathBuf) -> Self {
        Self { directory, read: OnceCell::new() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What is in it.
    pub fn read(&self) -> &Read {
        self.read.get_or_init(|| read(&self.directory))
    }

    /// The compiler it names, a command line.
    pub fn compiler(&self, own: Own) -> Option<OsString> {
        let names = &self.read().config.as_ref()?.names;
        let line = match own {
            Own::C => &names.cc,
            Own::Cxx => &names.cxx,
        };
        line.as_ref().map(OsString::from)
    }

    /// The store: the one that `LPCC_STORE` names, taken from the working directory where relative, or else the
    /// configuration.
    pub fn store(&self) -> Option<PathBuf> {
        env::path(env::STORE).or_else(|| self.read().config.as_ref()?.names.store.clone())
    }
}

fn read(directory: &Path) -> Read {
    let (explicit, home) = (env::path(env::CONFIG), env::path(env::HOME));
    let beside = shim_directory();
    let found = lookup::locate(&Places {
        explicit: explicit.as_deref(),
        directory,
        home: home.as_deref(),
        beside: beside.as_deref(),
        system: Path::new(lookup::SYSTEM),
    });
    let mut result = Read { file: found.file, ignored: found.ignored, ..Read::default() };
    if let Some(file) = &result.file {
        match std::fs::read(file) {
            Ok(text) => match Config::parse(file, &text) {
                Ok(config) => result.config = Some(config),
                Err(error) => result.trouble = Some(error.to_string()),
            },
            Err(error) => result.trouble = Some(format!("`{}`: {error}", file.display())),
        }
    }
    result
}

/// The directory of the name by which lpcc was called, links not followed.
fn shim_directory() -> Option<PathBuf> {
    let name = std::env::args_os().next()?;
    let path = if name.as_encoded_bytes().contains(&b'/') {
        PathBuf::from(name)
    } else {
        find::on_path(OsStr::new(&name)).next()?
    };
    path.parent().map(Path::to_path_buf)
}
