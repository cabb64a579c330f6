//! What a file on the disk is, by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::object::{FileKind, kind_of};

/// Bytes that are enough for [`kind_of`].
const HEAD: u64 = 64;

/// What the file at `path` is. An error where it cannot be read. A pipe would be waited for.
pub fn kind_of_file(path: &Path) -> io::Result<FileKind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(kind_of(&head))
}

/// Whether it is a regular file, can be read, and is an object as a compiler makes them.
pub fn is_object_file(path: &Path) -> bool {
    path.is_file() && matches!(kind_of_file(path), Ok(FileKind::Relocatable | FileKind::Bitcode))
}
