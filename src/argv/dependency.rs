//! How dependency output was asked for.

use std::ffi::OsString;

use super::CommandLine;

/// Which inputs a dependency file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All (`-MD`).
    Full,
    /// None from system directories (`-MMD`).
    NoSystemHeaders,
}

/// Dependency output beside the compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which inputs are in it.
    pub coverage: Coverage,
    /// The files that will be written: index into [`CommandLine::sources`] and path, relative to the working
    /// directory. One file may serve several sources; the last one compiled leaves it.
    pub files: Vec<(usize, OsString)>,
}

impl CommandLine {
    /// The dependency output of a call that also does something else, or `None` where none is asked for.
    /// Environment variables (`DEPENDENCIES_OUTPUT`) can ask too; that is for the caller to see.
    pub fn dependency(&self) -> Option<Dependency> {
        None
    }
}
