//! Temporary files and directories in the store, and who is still using them.
//!
//! A process that is killed leaves its temporaries behind, and someone must tell them from those in use. A
//! process id in the name is the tempting way; ids are reused, and mean nothing in another container or on
//! another host that shares the store. A lock on the file itself is released by the kernel exactly when the
//! last user is gone. So every temporary is locked while it lives, and what can be locked by another is stale.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempDir};

/// Random letters in a name: enough that thousands of writers at once do not collide.
const RANDOM: usize = 10;
/// What a temporary file's name begins with.
const FILE_PREFIX: &str = "record-";
/// How often a lost race with a sweep is run again.
const ATTEMPTS: usize = 8;

/// A directory of one's own in the store, removed when dropped; its name has no spaces beyond those in the
/// store's own path.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one in `temporary`.
    pub(super) fn new_in(temporary: &Path) -> io::Result<Self> {
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            let directory = Builder::new().prefix("scratch-").rand_bytes(RANDOM).tempdir_in(temporary)?;
            match lock(directory.path()) {
                Ok(lock) => return Ok(Self { directory, _lock: lock }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(lost.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Opens and locks; `NotFound` where a sweep was quicker. A file system without locks is no obstacle: there,
/// [`is_stale`] finds nothing stale.
fn lock(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let _ = file.try_lock();
    path.symlink_metadata()?;
    Ok(file)
}

/// A locked temporary file, with the permissions that the umask leaves.
pub(super) fn file_in(temporary: &Path) -> io::Result<NamedTempFile> {
    let file = Builder::new()
        .prefix(FILE_PREFIX)
        .rand_bytes(RANDOM)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(temporary)?;
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Whether `path` is named as [`file_in`] names a file.
pub(super) fn is_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(FILE_PREFIX.as_bytes()))
}

/// Whether the temporary at `path` belongs to nobody any more.
pub(super) fn is_stale(path: &Path) -> bool {
    match File::open(path).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) | Err(_) => false,
    }
}

/// Removes the temporary at `path`, file or directory.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
