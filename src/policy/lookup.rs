//! Which `lpcc.toml` holds for a call.
//!
//! A configuration decides what the compiler is run with, so whoever can write one can change every object of a
//! build. The tempting way, to take the nearest file whoever laid it, would let a stray `/tmp/lpcc.toml` do that. So
//! the walk upward ends where trust ends (as the store's does), a file that others may write is never
//! taken, and each that was passed over is named with the reason.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file's name.
pub const NAME: &str = "lpcc.toml";

/// The file for the whole system.
pub const SYSTEM: &str = "/etc/lpcc/lpcc.toml";

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// `LPCC_CONFIG`, taken from the working directory where relative.
    pub explicit: Option<&'a Path>,
    /// Working directory.
    pub directory: &'a Path,
    /// The user's home.
    pub home: Option<&'a Path>,
    /// The directory in which the shim lies by which lpcc was called.
    pub beside: Option<&'a Path>,
    /// [`SYSTEM`].
    pub system: &'a Path,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The file to read.
    pub file: Option<PathBuf>,
    /// Files that would have been nearer and were not taken, each with the reason.
    pub ignored: Vec<(PathBuf, String)>,
}

/// Finds the file: the explicit one, the nearest upward (as far as the home, a directory with `.git`, the edge of the
/// file system, a directory of another owner), the one beside the shim, the system's. The explicit one is
/// given whether it can be read or not.
pub fn locate(places: &Places<'_>) -> Found {
    let mut found = Found::default();
    if let Some(explicit) = places.explicit {
        found.file = Some(places.directory.join(explicit));
        return found;
    }
    let own = places.directory.metadata().ok();
    let owner = own.as_ref().map(MetadataExt::uid);
    if let Some(start) = &own {
        for directory in places.directory.ancestors() {
            let Ok(meta) = directory.metadata() else { break };
            if (meta.dev(), meta.uid()) != (start.dev(), start.uid()) {
                break;
            }
            if found.take(directory.join(NAME), owner) {
                return found;
            }
            if places.home == Some(directory) || directory.join(".git").symlink_metadata().is_ok() {
                break;
            }
        }
    }
    if let Some(beside) = places.beside
        && found.take(beside.join(NAME), owner)
    {
        return found;
    }
    found.take(places.system.to_path_buf(), owner);
    found
}

impl Found {
    /// Takes a file where there is one and it can be trusted.
    fn take(&mut self, file: PathBuf, owner: Option<u32>) -> bool {
        let Ok(meta) = file.metadata() else { return false };
        if let Some(reason) = distrust(&meta, owner) {
            self.ignored.push((file, reason));
            return false;
        }
        self.file = Some(file);
        true
    }
}

fn distrust(meta: &Metadata, owner: Option<u32>) -> Option<String> {
    const OTHERS_MAY_WRITE: u32 = 0o002;
    if !meta.is_file() {
        return Some("not a file".to_owned());
    }
    if meta.mode() & OTHERS_MAY_WRITE != 0 {
        return Some("others may write to it".to_owned());
    }
    let theirs = meta.uid();
    let trusted = theirs == 0 || Some(theirs) == owner;
    (!trusted).then(|| format!("it belongs to another user ({theirs})"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_nearest_within_bounds() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path();
        let deep = top.join("home/tree/sub");
        let shims = top.join("shims");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(&shims).unwrap();
        let (home, system) = (top.join("home"), top.join("etc.toml"));
        let places = Places {
            explicit: None,
            directory: &deep,
            home: Some(&home),
            beside: Some(&shims),
            system: &system,
        };
        let file = || locate(&places).file;
        let write = |path: &Path| fs::write(path, "").unwrap();

        assert_eq!(file(), None);
        write(&top.join(NAME));
        assert_eq!(file(), None, "not above the home");
        write(&system);
        assert_eq!(file(), Some(system.clone()));
        write(&shims.join(NAME));
        assert_eq!(file(), Some(shims.join(NAME)));
        write(&home.join(NAME));
        assert_eq!(file(), Some(home.join(NAME)));
        fs::create_dir(top.join("home/tree/.git")).unwrap();
        assert_eq!(file(), Some(shims.join(NAME)), "not above a .git");
        let near = top.join("home/tree").join(NAME);
        write(&near);
        assert_eq!(file(), Some(near.clone()), "beside a .git");
        fs::set_permissions(&near, fs::Permissions::from_mode(0o666)).unwrap();
        let found = locate(&places);
        assert_eq!(found.file, Some(shims.join(NAME)));
        assert_eq!(found.ignored, [(near, "others may write to it".to_owned())]);
        fs::create_dir(deep.join(NAME)).unwrap();
        assert_eq!(locate(&places).ignored[0], (deep.join(NAME), "not a file".to_owned()));
        let explicit = locate(&Places { explicit: Some(Path::new("x.toml")), ..places });
        assert_eq!(explicit.file, Some(deep.join("x.toml")));
    }
}
