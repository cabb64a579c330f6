//! What can go wrong with a store, as types: callers tell a newer store from a broken one.

use std::io;
use std::path::{Path, PathBuf};

use super::container::Version;

/// Why the bytes of a file in the store are not taken for what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The magic bytes are missing.
    #[error("not a file of an lpcc store")]
    Foreign,
    /// A newer lpcc wrote it, in a format that this one does not know.
    #[error("written in format {0} by a newer lpcc; this one knows {known}", known = super::container::VERSION)]
    Newer(Version),
    /// The bytes are not those that were written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It holds more than the format allows; said when writing, never when reading.
    #[error("{what} of {length} bytes is more than a record may hold")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// The value cannot be put into bytes; said when writing.
    #[error("cannot be encoded: {0}")]
    Unencodable(String),
    /// The file was replaced between two reads: read it again.
    #[error("replaced while it was being read")]
    Replaced,
    /// The system could not read it.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl FormatError {
    /// Damage, said in a lower-case fragment.
    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged(why.into())
    }
}

/// A file of a recording that cannot be used, and why. The others still can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {why}", file.display())]
pub struct Damaged {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: FormatError,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory has no marker of ours.
    #[error("`{}` is not an lpcc store", .0.display())]
    NotAStore(PathBuf),
    /// A newer lpcc made the store: it is read, never written.
    #[error("the store `{}` has format {found}, made by a newer lpcc; this one writes {known} only", root.display(), known = super::layout::STORE_FORMAT)]
    Newer {
        /// The store.
        root: PathBuf,
        /// Its format.
        found: u16,
    },
    /// The system refused.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Io {
        /// What was tried, as a verb (`write`).
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said; in the text, so that whoever prints or notes the error has it.
        cause: io::Error,
    },
    /// The record cannot be put into bytes.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// Not a name for a snapshot.
    #[error("`{name}` cannot name a snapshot: {why}")]
    Name {
        /// The name, lossy where it is not UTF-8.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no snapshot of this name.
    #[error("the store `{}` has no snapshot `{name}`", root.display())]
    NoSnapshot {
        /// The store.
        root: PathBuf,
        /// The name.
        name: String,
    },
}

impl StoreError {
    /// For `map_err`: the error of doing `action` to `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_path_buf(), cause }
    }
}
