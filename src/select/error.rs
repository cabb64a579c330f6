//! Why a selection cannot be made at all. What only one unit suffers from is no error: it is listed, and the rest goes on.

use std::io;
use std::path::{Path, PathBuf};

/// One clear line, with the next step where there is one.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// A file or directory of ours or of the user's could not be used.
    #[error("cannot {what} `{}`: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, `list`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A patch without a single file header.
    #[error("`{}` holds no unified diff", .0.display())]
    NoDiff(PathBuf),
    /// A directory without patches.
    #[error("no patches in `{}`; hint: name them `*.patch` or `*.diff`, or list them in a file `series`", .0.display())]
    NoPatches(PathBuf),
    /// No file that the patch names is in the tree.
    #[error(
        "no file that `{}` names is in `{}` (the first is `{first}`); hint: give the source tree with --source, \
         or the number of leading components with -p", patch.display(), tree.display()
    )]
    NotThisTree {
        /// The patch.
        patch: PathBuf,
        /// The tree.
        tree: PathBuf,
        /// The first file it names.
        first: String,
    },
    /// No recorded unit read anything of the tree.
    #[error("no recorded compile read a file of `{}`: the build was recorded in `{}`; hint: --map {}={}",
        tree.display(), recorded.display(), recorded.display(), tree.display())]
    NotRecorded {
        /// The tree.
        tree: PathBuf,
        /// Where the recorded sources lay.
        recorded: PathBuf,
    },
    /// The program `patch` refused it.
    #[error("`{}` does not apply to `{}`: {why}", patch.display(), tree.display())]
    DoesNotApply {
        /// The patch.
        patch: PathBuf,
        /// The tree.
        tree: PathBuf,
        /// What `patch` said, and what may be behind it.
        why: String,
    },
    /// The program `patch` could not be run.
    #[error("cannot run `patch`: {0}; hint: install it")]
    NoPatchProgram(#[source] io::Error),
}

impl SelectError {
    /// Names the file that an operation failed on.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}
