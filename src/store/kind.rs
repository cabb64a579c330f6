//! What a file on the disk is, by its first bytes.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::object::{FileKind, kind_of};

/// Bytes that are enough for [`kind_of`].
const HEAD: u64 = 64;

/// What the file at `path` is. An error where it cannot be read, or is not regular.
pub fn kind_of_file(path: &Path) -> io::Result<FileKind> {
    let mut head = Vec::new();
    open_regular(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(kind_of(&head))
}

/// Whether it is a regular file, can be read, and is an object as a compiler makes them.
pub fn is_object_file(path: &Path) -> bool {
    path.is_file() && matches!(kind_of_file(path), Ok(FileKind::Relocatable | FileKind::Bitcode))
}

/// Opens a file to be read. A pipe without a writer is not waited for.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Opens a regular file to be read; anything else is an error that says what it is. A pipe can be read once only, and what an
/// object is takes several looks; a device may have no end.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Asked before, for opening alone may do something to a device, and behind, for it may have become another file.
    demand_regular(path.metadata()?.file_type())?;
    let file = open_at_once(path)?;
    demand_regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// The bytes of a regular file, see [`open_regular`].
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An error for a pipe, a socket or a device. (The system itself refuses to read a directory.)
pub fn demand_regular(kind: FileType) -> io::Result<()> {
    let (what, hint) = match () {
        () if kind.is_fifo() => ("a pipe", ": write what comes out of it to a file, and name that"),
        () if kind.is_socket() => ("a socket", ""),
        () if kind.is_char_device() || kind.is_block_device() => {
            ("a device", ": copy what is wanted of it to a file, and name that")
        }
        () => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{what}, not a regular file{hint}")))
}
