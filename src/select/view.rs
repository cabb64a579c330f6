//! The tree as a compile is to see it: a mirror of directories, with links to the files and copies of the edited ones.
//!
//! The tree itself is never written, and a mirror needs no privileges, no kernel feature and no second copy. Two things would
//! make it lie. A link to a *directory* would lead `dir/../x.h` out of the mirror, to the file without the patch: so every
//! directory is a real one. And a relative path may leave the source directory (`../src/x.c`, from a build directory beside
//! it): so the mirror holds each directory at its absolute path below one root, and relative paths between them work as
//! in the original. What is still reached outside (an absolute path hidden in a macro) is caught afterwards:
//! [`super::replay`] has the compiler say what it read.
//!
//! Of a large tree only those directories are mirrored that the recorded compiles read from ([`Wanted`]). What a patch may make a compile
//! read besides, it reads because of a line that says `include`, or because the file is new: then, and wherever a replay
//! fails, all of the tree is mirrored.
//!
//! Absolute paths in the arguments are moved into the mirror, and mapped back by `-ffile-prefix-map`, so that `__FILE__` and
//! debug information are those of the recorded build.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::error::SelectError;
use crate::store::{absolute, locate};

/// Options that a path may be joined to.
const JOINED: [&[u8]; 14] = [
    b"-I",
    b"-L",
    b"-B",
    b"-F",
    b"-T",
    b"@",
    b"-include",
    b"-imacros",
    b"-iquote",
    b"-isystem",
    b"-idirafter",
    b"-iprefix",
    b"-iwithprefix",
    b"-isysroot",
];

/// A directory of the recorded build, and where it lies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its path when the build was recorded.
    pub recorded: PathBuf,
    /// Its path now: another one where `--map` says so.
    pub actual: PathBuf,
}

/// What of the roots a mirror needs. A kernel has eighty thousand files in five thousand directories, of which a compile reads from
/// a hundred: to mirror the rest would take longer than the compile.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Directories whose files are linked, as recorded.
    folders: BTreeSet<PathBuf>,
    /// Directories that must be there for others to be reached.
    above: BTreeSet<PathBuf>,
}

impl Wanted {
    /// Adds a directory with its files.
    pub fn folder(&mut self, folder: &Path) {
        let folder = absolute(Path::new("/"), folder);
        if !self.folders.contains(&folder) {
            self.above.extend(folder.ancestors().map(Path::to_path_buf));
            self.folders.insert(folder);
        }
    }

    /// Adds what is needed to read `file`, an absolute path as a compiler named it: where it lies, and each directory that the path
    /// leaves again by `..`.
    pub fn file(&mut self, file: &Path) {
        let mut at = PathBuf::new();
        for component in file.components() {
            if component == Component::ParentDir {
                let through = absolute(Path::new("/"), &at);
                if !self.above.contains(&through) {
                    self.above.extend(through.ancestors().map(Path::to_path_buf));
                }
            }
            at.push(component);
        }
        if let Some(folder) = file.parent() {
            self.folder(folder);
        }
    }
}

/// A mirror.
#[derive(Debug)]
pub struct View {
    top: PathBuf,
    roots: Vec<Root>,
}

impl View {
    /// Mirrors `roots` below `top`, which does not exist yet, or what is wanted of them. A root within another is left out.
    pub fn new(top: &Path, roots: &[Root], wanted: Option<&Wanted>) -> Result<Self, SelectError> {
        let mut kept: Vec<Root> = Vec::new();
        let mut sorted = roots.to_vec();
        sorted.sort_by(|a, b| a.recorded.cmp(&b.recorded));
        for root in sorted {
            if !kept.iter().any(|other| root.recorded.starts_with(&other.recorded)) {
                kept.push(root);
            }
        }
        let view = Self { top: top.to_path_buf(), roots: kept };
        for root in &view.roots {
            view.mirror(root, wanted)?;
        }
        Ok(view)
    }

    fn mirror(&self, root: &Root, wanted: Option<&Wanted>) -> Result<(), SelectError> {
        let base = self.place(&root.recorded);
        fs::create_dir_all(&base).map_err(SelectError::file("make", &base))?;
        let walk = WalkDir::new(&root.actual).min_depth(1).follow_root_links(true).into_iter();
        let recorded = |actual: &Path| {
            let inside = actual.strip_prefix(&root.actual).unwrap_or(Path::new(""));
            if inside.as_os_str().is_empty() { root.recorded.clone() } else { root.recorded.join(inside) }
        };
        let is_needed = |entry: &walkdir::DirEntry| {
            let Some(wanted) = wanted else { return true };
            if entry.file_type().is_dir() {
                return wanted.above.contains(&recorded(entry.path()));
            }
            entry.path().parent().is_some_and(|folder| wanted.folders.contains(&recorded(folder)))
        };
        let is_wanted = |entry: &walkdir::DirEntry| {
            is_needed(entry)
                && entry.file_name() != ".git"
                && entry.file_name() != locate::DIRECTORY
                && !self.top.starts_with(entry.path())
        };
        for entry in walk.filter_entry(is_wanted) {
            // A directory that may not be read is missed only if a compile reads from it, which then says so.
            let Ok(entry) = entry else { continue };
            let Ok(inside) = entry.path().strip_prefix(&root.actual) else { continue };
            let at = base.join(inside);
            if entry.file_type().is_dir() {
                fs::create_dir(&at).map_err(SelectError::file("make", &at))?;
            } else if entry.file_type().is_file() {
                symlink(entry.path(), &at).map_err(SelectError::file("make", &at))?;
            } else if entry.file_type().is_symlink() {
                symlink(self.target(root, entry.path()), &at).map_err(SelectError::file("make", &at))?;
            }
        }
        Ok(())
    }

    /// What a link of the tree leads to in the mirror: the mirrored place, where there is one.
    fn target(&self, root: &Root, link: &Path) -> PathBuf {
        let Ok(target) = fs::read_link(link) else { return link.to_path_buf() };
        let folder = link.parent().unwrap_or(Path::new("/"));
        let whole = absolute(folder, &target);
        if let Ok(inside) = whole.strip_prefix(&root.actual) {
            return self.place(&root.recorded.join(inside));
        }
        if self.is_within(&whole) { self.place(&whole) } else { whole }
    }

    /// Where the recorded path lies in the mirror, whether mirrored or not.
    fn place(&self, recorded: &Path) -> PathBuf {
        self.top.join(recorded.strip_prefix("/").unwrap_or(recorded))
    }

    fn is_within(&self, recorded: &Path) -> bool {
        self.roots.iter().any(|root| recorded.starts_with(&root.recorded))
    }

    /// Where an absolute path of the recorded build is to be looked for.
    pub fn path(&self, recorded: &Path) -> PathBuf {
        if self.is_within(recorded) { self.place(recorded) } else { recorded.to_path_buf() }
    }

    /// The path of the recorded build behind one of the mirror.
    pub fn recorded(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.top) {
            Ok(inside) => Path::new("/").join(inside),
            Err(_) => path.to_path_buf(),
        }
    }

    /// The argument of `-ffile-prefix-map` that takes the mirror out of paths.
    pub fn prefix_map(&self) -> OsString {
        let mut map = self.top.clone().into_os_string();
        map.push("/=/");
        map
    }

    /// A word of a command line or of a search path, its absolute paths moved into the mirror. Such a path begins the word
    /// or stands behind an option's name, `=`, `,` or `:`, never behind a `/`.
    pub fn word(&self, word: &OsStr) -> OsString {
        let bytes = word.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        // Where the part behind the last separator begins: a path may begin there, or behind an option's name.
        let mut part = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let root = self.roots.iter().find(|root| {
                let name = root.recorded.as_os_str().as_bytes();
                let behind = rest.get(name.len());
                rest.starts_with(name) && behind.is_none_or(|byte| matches!(byte, b'/' | b':' | b',' | b'='))
            });
            let before = bytes.get(part..at).unwrap_or_default();
            if let Some(root) = root.filter(|_| before.is_empty() || JOINED.contains(&before)) {
                out.extend_from_slice(self.place(&root.recorded).as_os_str().as_bytes());
                at += root.recorded.as_os_str().len();
                continue;
            }
            let Some(byte) = rest.first() else { break };
            out.push(*byte);
            at += 1;
            if matches!(byte, b'=' | b',' | b':') {
                part = at;
            }
        }
        OsString::from_vec(out)
    }

    /// Puts `contents` in the place of the file at a recorded path, or takes it away.
    pub fn put(&self, recorded: &Path, contents: Option<&[u8]>) -> Result<(), SelectError> {
        let at = self.place(recorded);
        match fs::remove_file(&at) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SelectError::file("remove", &at)(error));
            }
            _ => {}
        }
        let Some(contents) = contents else { return Ok(()) };
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder).map_err(SelectError::file("make", folder))?;
        }
        fs::write(&at, contents).map_err(SelectError::file("write", &at))
    }
}

/// Directories that hold more than one build: their names at the root.
const SHARED: [&[u8]; 15] = [
    b"bin", b"boot", b"dev", b"etc", b"home", b"lib", b"lib64", b"media", b"opt", b"proc", b"root", b"run",
    b"sys", b"tmp", b"var",
];

/// Whether a directory is one that no build has for itself: mirroring it would mirror the machine.
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

    fn view(roots: &[&str]) -> View {
        let root = |path: &&str| Root { recorded: path.into(), actual: path.into() };
        View { top: "/t/v".into(), roots: roots.iter().map(root).collect() }
    }

    #[test]
    fn absolute_paths_are_moved() {
        let view = view(&["/b/src", "/b/out"]);
        for (word, moved) in [
            ("/b/src", "/t/v/b/src"),
            ("/b/src/x.c", "/t/v/b/src/x.c"),
            ("-I/b/src/include", "-I/t/v/b/src/include"),
            ("-ffile-prefix-map=/b/src=.", "-ffile-prefix-map=/t/v/b/src=."),
            ("-Wa,-I/b/out,-I/b/src/", "-Wa,-I/t/v/b/out,-I/t/v/b/src/"),
            ("/b/src:/usr/include:/b/out", "/t/v/b/src:/usr/include:/t/v/b/out"),
            ("-I/home/b/src", "-I/home/b/src"),
            ("/b/srcs/x.c", "/b/srcs/x.c"),
            ("../src/x.c", "../src/x.c"),
            ("lib/b/src/x.c", "lib/b/src/x.c"),
            ("-Ilib/b/src", "-Ilib/b/src"),
            ("-O2", "-O2"),
        ] {
            assert_eq!(view.word(OsStr::new(word)), moved, "{word}");
        }
    }

    #[test]
    fn what_is_a_builds_own() {
        for own in ["/build", "/tmp/x", "/opt/me/x", "/usr/src/linux", "/srv"] {
            assert!(!is_too_wide(Path::new(own)), "{own}");
        }
        for shared in ["/", "/tmp", "/usr", "/usr/include", "/etc/x", "/home"] {
            assert!(is_too_wide(Path::new(shared)), "{shared}");
        }
    }

    #[test]
    fn no_link_leads_out_of_the_mirror() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("src");
        fs::create_dir_all(tree.join("include")).unwrap();
        fs::create_dir_all(tree.join("lib")).unwrap();
        fs::write(tree.join("include/x.h"), "old").unwrap();
        fs::write(tree.join("lib/x.c"), "c").unwrap();
        symlink("include", tree.join("asm")).unwrap();
        let root = Root { recorded: tree.clone(), actual: tree.clone() };
        let view = View::new(&scratch.path().join("view"), std::slice::from_ref(&root), None).unwrap();
        view.put(&tree.join("include/x.h"), Some(b"new")).unwrap();
        let read = |inside: &str| fs::read_to_string(view.path(&tree.join(inside))).unwrap();
        assert_eq!(read("lib/x.c"), "c");
        assert_eq!(read("include/x.h"), "new");
        assert_eq!(fs::read_to_string(view.path(&tree.join("lib")).join("../include/x.h")).unwrap(), "new");
        assert_eq!(read("asm/x.h"), "new");
        assert_eq!(fs::read_to_string(tree.join("include/x.h")).unwrap(), "old", "the tree was written");
        view.put(&tree.join("include/x.h"), None).unwrap();
        assert!(!view.path(&tree.join("include/x.h")).exists());
        assert!(tree.join("include/x.h").exists(), "the tree was written");
    }
}
