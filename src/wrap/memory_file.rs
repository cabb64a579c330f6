//! A file in our memory that the compiler can reach by name: nothing of it is on any disk, none of it can fill
//! one, and it is gone however either process ends.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::sys;

/// The file, and the name by which the compiler reaches it.
#[derive(Debug)]
pub struct MemoryFile {
    file: File,
    path: PathBuf,
}

impl MemoryFile {
    /// An empty one; `None` where there can be none, or none that a child could open.
    pub fn new() -> Option<Self> {
        let file = sys::memory_file().ok()?;
        let path = sys::descriptor_path(&file)?;
        Some(Self { file, path })
    }

    /// One that holds `bytes`, for a child to read.
    pub fn holding(bytes: &[u8]) -> Option<Self> {
        let made = Self::new()?;
        (&made.file).write_all(bytes).ok()?;
        Some(made)
    }

    /// Its name, for as long as this process lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written to it; empty where it cannot be read.
    pub fn read(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        if file.rewind().and_then(|()| file.read_to_end(&mut bytes)).is_err() {
            bytes.clear();
        }
        bytes
    }
}
