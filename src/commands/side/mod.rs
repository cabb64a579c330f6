//! What `show`, `diff` and `select` are pointed at: the objects behind a path or the name of a recording.
//!
//! Naming comes cheap, reading does not: a kernel has ten thousand objects, and most pairs are settled by a
//! hash. So a [`Side`] lists its objects, and each is read when its turn comes.

mod load;
mod resolve;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::store::UnitEntry;

pub use load::{Loaded, built_otherwise, load};
pub use resolve::{Target, resolve, target};

/// One side of a comparison.
#[derive(Debug)]
pub struct Side {
    /// As the user named it, quoted where it is a recording.
    pub label: String,
    /// Its objects, in no particular order.
    pub objects: Vec<Object>,
    /// What could not be listed: a file and what is wrong with it.
    pub troubles: Vec<String>,
}

/// One object of a side.
#[derive(Debug)]
pub struct Object {
    /// What it is paired by: a relative path, `archive(member)`, or a unit's absolute output.
    pub name: BString,
    /// Where its bytes or its record lie.
    pub source: Source,
}

impl Object {
    /// Where it can be found, for messages: the path in full, which the name in a directory is not.
    pub fn place(&self) -> String {
        match &self.source {
            Source::File(path) => path.display().to_string(),
            Source::Member { path, .. } => {
                let member =
                    self.name.rfind_byte(b'(').and_then(|at| self.name.get(at..)).unwrap_or_default();
                format!("{}{}", path.display(), member.to_str_lossy())
            }
            Source::Unit(unit) => unit.output().display().to_string(),
        }
    }
}

/// Where an object's bytes or its record lie.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A part of an archive that was read.
    Member {
        /// The archive's bytes, shared by its members.
        archive: Arc<Vec<u8>>,
        /// First byte of the member.
        start: usize,
        /// Length of the member.
        length: usize,
        /// The archive's path, to be named in errors.
        path: PathBuf,
    },
    /// A record.
    Unit(Box<UnitEntry>),
}

/// What the system says about a file, as a lower-case fragment without the error's number.
pub fn system_says(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
