//! Which directories belong to the machine, and not to a build.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Directories that hold more than one build: their names at the root.
const SHARED: [&[u8]; 15] = [
    b"bin", b"boot", b"dev", b"etc", b"home", b"lib", b"lib64", b"media", b"opt", b"proc", b"root", b"run",
    b"sys", b"tmp", b"var",
];

/// Whether a directory is one that no build has for itself: what lies in it is the machine's.
pub fn is_too_wide(directory: &Path) -> bool {
    let mut names = directory.components().skip(1).map(|component| component.as_os_str().as_bytes());
    match (names.next(), names.next()) {
        (None, _) => true,
        (Some(b"usr"), second) => second != Some(b"src"),
        (Some(first), None) => SHARED.contains(&first),
        (Some(first), Some(_)) => matches!(first, b"dev" | b"etc" | b"proc" | b"sys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_builds_own() {
        for own in ["/build", "/tmp/x", "/opt/me/x", "/usr/src/linux", "/srv"] {
            assert!(!is_too_wide(Path::new(own)), "{own}");
        }
        for shared in ["/", "/tmp", "/usr", "/usr/include", "/etc/x", "/home"] {
            assert!(is_too_wide(Path::new(shared)), "{shared}");
        }
    }
}
