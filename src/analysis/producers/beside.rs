//! Files beside a file that hold its debug information, and whether one that was found is the right one.

use object::Object;

/// A file that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside<'a> {
    /// What `-gsplit-dwarf` put into a `.dwo`.
    Split {
        /// The directory of the compile, where it is told.
        directory: Option<&'a [u8]>,
        /// The file's name, relative to it.
        name: &'a [u8],
    },
    /// What `dwz` found in several files and keeps in one (`.gnu_debugaltlink`).
    Shared {
        /// The file's name, relative to the file that names it.
        name: &'a [u8],
        /// Its build id.
        build_id: &'a [u8],
    },
    /// What `strip` took away (`.gnu_debuglink`).
    Stripped {
        /// The file's name, without directory; empty where only the build id is known.
        name: &'a [u8],
        /// Checksum of its bytes (CRC-32).
        crc: u32,
        /// The build id of both files; empty where they have none.
        build_id: &'a [u8],
    },
}

/// Gives the bytes of a file that was found and fits.
pub type Reader<'r> = &'r mut dyn FnMut(&Beside<'_>) -> Option<Vec<u8>>;

impl Beside<'_> {
    /// Whether `bytes` are those of the file that is looked for. A `.dwo` carries the same id as the unit that names it,
    /// which is compared when it is read.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        let Ok(file) = object::File::parse(bytes) else { return false };
        let id = file.build_id().ok().flatten();
        match self {
            Self::Split { .. } => file.section_by_name(".debug_info.dwo").is_some(),
            Self::Shared { build_id, .. } => id == Some(build_id),
            Self::Stripped { build_id, .. } if !build_id.is_empty() => id == Some(build_id),
            Self::Stripped { crc, .. } => crc32fast::hash(bytes) == *crc,
        }
    }
}
