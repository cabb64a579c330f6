//! Which store a call writes to, and a question reads from.
//!
//! A store is found by walking up from the working directory, as `.git` is. The tempting way, to take whatever
//! `.lpcc` comes first, would let anyone who can write to a parent directory (`/tmp` above all) collect the
//! records of other people's builds. So the walk ends where trust ends: at the home, at the top of a work tree,
//! at the edge of a file system, at a directory of another owner.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Name of a store in a build tree.
pub const DIRECTORY: &str = ".lpcc";

/// The store for work in `cwd`, whether it exists yet or not:
///
/// 1. `explicit` (`LPCC_STORE`, or the configuration), taken from `cwd` where relative;
/// 2. the nearest `.lpcc` from `cwd` upward, as far as `home`, a directory with `.git`, a file-system boundary
///    or another owner; never one that everybody may write to, or that belongs to someone else than `cwd` does;
/// 3. `lpcc` in `xdg_state`, where that is absolute; else `.local/state/lpcc` in `home`.
///
/// `None` where there is no home either. Looks at the disk, and changes nothing.
pub fn locate(
    explicit: Option<&Path>,
    cwd: &Path,
    home: Option<&Path>,
    xdg_state: Option<&Path>,
) -> Option<PathBuf> {
    if let Some(path) = explicit.filter(|path| !path.as_os_str().is_empty()) {
        return Some(cwd.join(path));
    }
    if let Some(found) = nearest(cwd, home) {
        return Some(found);
    }
    let absolute = |path: &&Path| path.is_absolute();
    xdg_state
        .filter(absolute)
        .map(|state| state.join("lpcc"))
        .or_else(|| home.filter(absolute).map(|home| home.join(".local/state/lpcc")))
}

fn nearest(cwd: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let start = cwd.metadata().ok()?;
    for directory in cwd.ancestors() {
        let metadata = directory.metadata().ok()?;
        if (metadata.dev(), metadata.uid()) != (start.dev(), start.uid()) {
            return None;
        }
        let candidate = directory.join(DIRECTORY);
        if candidate.metadata().is_ok_and(|metadata| trusted(&metadata, &start)) {
            return Some(candidate);
        }
        if home == Some(directory) || directory.join(".git").symlink_metadata().is_ok() {
            return None;
        }
    }
    None
}

fn trusted(candidate: &Metadata, start: &Metadata) -> bool {
    const OTHERS_MAY_WRITE: u32 = 0o002;
    candidate.is_dir() && candidate.uid() == start.uid() && candidate.mode() & OTHERS_MAY_WRITE == 0
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_explicit_one_wins() {
        let found = locate(Some(Path::new("s")), Path::new("/b"), Some(Path::new("/h")), None);
        assert_eq!(found.as_deref(), Some(Path::new("/b/s")));
    }

    #[test]
    fn the_state_directory_comes_last() {
        let nowhere = Path::new("/nonexistent");
        let at = |home: Option<&str>, xdg: Option<&str>| {
            locate(None, nowhere, home.map(Path::new), xdg.map(Path::new))
        };
        assert_eq!(at(Some("/h"), Some("/x")), Some("/x/lpcc".into()));
        assert_eq!(at(Some("/h"), Some("relative")), Some("/h/.local/state/lpcc".into()));
        assert_eq!(at(Some("/h"), None), Some("/h/.local/state/lpcc".into()));
        assert_eq!(at(None, None), None);
    }

    #[test]
    fn the_walk_upward_is_bounded() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path();
        let deep = top.join("home/tree/sub/deep");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(top.join(".lpcc")).unwrap();
        let home = top.join("home");
        let found = |cwd: &Path, home: &Path| locate(None, cwd, Some(home), None);

        assert_eq!(found(&deep, Path::new("/h")), Some(top.join(".lpcc")), "nearest upward");
        assert_eq!(found(&deep, &home), Some(home.join(".local/state/lpcc")), "not above the home");
        fs::create_dir(top.join("home/tree/.git")).unwrap();
        assert_eq!(found(&deep, Path::new("/h")), Some("/h/.local/state/lpcc".into()), "not above a .git");
        let near = top.join("home/tree/.lpcc");
        fs::create_dir(&near).unwrap();
        assert_eq!(found(&deep, &home), Some(near.clone()), "beside a .git");
        fs::set_permissions(&near, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(found(&deep, &home), Some(home.join(".local/state/lpcc")), "never one others may write");
    }
}
