//! The tree as a compile is to see it: a mirror of directories, with links to the files and copies of the edited ones.
//!
//! The tree itself is never written, and a mirror needs no privileges, no kernel feature and no second copy. Two things would
//! make it lie. A link to a *directory* would lead `dir/../x.h` out of the mirror, to the file without the patch: so every
//! directory that a compile is known to read from is a real one. The others, in a kernel nearly all, may be links ([`Depth`]): whoever
//! leaves the mirror through one is caught as below, and runs again in a mirror without. And a relative path may leave the source directory (`../src/x.c`, from a build directory beside
//! it): so the mirror holds each directory at its absolute path below one root, and relative paths between them work as
//! in the original. What is still reached outside (an absolute path hidden in a macro) is caught afterwards:
//! [`super::replay`] has the compiler say what it read.
//!
//! Absolute paths in the arguments are moved into the mirror, and mapped back by `-ffile-prefix-map`, so that `__FILE__` and
//! debug information are those of the recorded build.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

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

/// Which directories of a mirror are real ones.
#[derive(Debug, Clone, Copy)]
pub enum Depth<'d> {
    /// All.
    Full,
    /// These recorded paths, which hold each one's parent as far as a root; the others are links.
    Down(&'d BTreeSet<PathBuf>),
}

/// A mirror.
#[derive(Debug)]
pub struct View {
    top: PathBuf,
    roots: Vec<Root>,
}

impl View {
    /// Mirrors `roots` below `top`, which does not exist yet. A root within another is left out.
    pub fn new(top: &Path, roots: &[Root], depth: Depth<'_>) -> Result<Self, SelectError> {
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
            view.mirror(root, depth)?;
        }
        Ok(view)
    }

    fn mirror(&self, root: &Root, depth: Depth<'_>) -> Result<(), SelectError> {
        let base = self.place(&root.recorded);
        fs::create_dir_all(&base).map_err(SelectError::file("make", &base))?;
        let mut walk = WalkDir::new(&root.actual).min_depth(1).follow_root_links(true).into_iter();
        let is_wanted = |entry: &walkdir::DirEntry| {
            entry.file_name() != ".git"
                && entry.file_name() != locate::DIRECTORY
                && !self.top.starts_with(entry.path())
        };
        while let Some(entry) = walk.next() {
            // A directory that may not be read is missed only if a compile reads from it, which then says so.
            let Ok(entry) = entry else { continue };
            let is_dir = entry.file_type().is_dir();
            if !is_wanted(&entry) {
                if is_dir {
                    walk.skip_current_dir();
                }
                continue;
            }
            let Ok(inside) = entry.path().strip_prefix(&root.actual) else { continue };
            let at = base.join(inside);
            let is_real = || match depth {
                Depth::Full => true,
                Depth::Down(directories) => directories.contains(&root.recorded.join(inside)),
            };
            if is_dir && is_real() {
                fs::create_dir(&at).map_err(SelectError::file("make", &at))?;
            } else if is_dir {
                walk.skip_current_dir();
                symlink(entry.path(), &at).map_err(SelectError::file("make", &at))?;
            } else if matches!(depth, Depth::Down(_)) && is_output(entry.path()) {
                // No source text; and who misses it runs again in a full mirror.
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
        self.folder_of(&at)?;
        match fs::remove_file(&at) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SelectError::file("remove", &at)(error));
            }
            _ => {}
        }
        let Some(contents) = contents else { return Ok(()) };
        self.folder_of(&at)?;
        fs::write(&at, contents).map_err(SelectError::file("write", &at))?;
        // `__TIMESTAMP__` tells when the source was last written: as in the tree, so that an edit does not change it.
        if let Ok(written) = fs::metadata(self.actual(recorded)).and_then(|it| it.modified()) {
            let _ = fs::File::options().write(true).open(&at).and_then(|file| file.set_modified(written));
        }
        Ok(())
    }

    /// Makes the directory of the recorded build that the tree has no longer.
    pub fn make_directory(&self, recorded: &Path) -> Result<(), SelectError> {
        self.folder_of(&self.place(recorded).join("file in it"))
    }

    /// Makes the directory that a file of ours is to lie in. One that is reached by a link is the tree's, and not to be written to.
    fn folder_of(&self, at: &Path) -> Result<(), SelectError> {
        let Some(folder) = at.parent() else { return Ok(()) };
        let is_ours = |folder: &Path| folder.canonicalize().is_ok_and(|real| real.starts_with(&self.top));
        let made = fs::create_dir_all(&self.top).and_then(|()| {
            let there = folder.ancestors().find(|it| it.exists()).unwrap_or(folder);
            if is_ours(there) {
                fs::create_dir_all(folder)
            } else {
                Err(std::io::Error::other("it is reached by a link out of the scratch folder"))
            }
        });
        made.map_err(SelectError::file("make", folder))
    }

    /// The same state of the tree below another `top`, which does not exist yet.
    pub fn twin(&self, top: &Path) -> Result<Self, SelectError> {
        for entry in WalkDir::new(&self.top).into_iter().flatten() {
            let Ok(inside) = entry.path().strip_prefix(&self.top) else { continue };
            let at = if inside.as_os_str().is_empty() { top.to_path_buf() } else { top.join(inside) };
            let made = if entry.file_type().is_dir() {
                fs::create_dir(&at)
            } else if entry.file_type().is_file() {
                fs::hard_link(entry.path(), &at)
            } else {
                fs::read_link(entry.path()).and_then(|target| {
                    let moved = target.strip_prefix(&self.top).map(|inside| top.join(inside));
                    symlink(moved.unwrap_or(target), &at)
                })
            };
            made.map_err(SelectError::file("make", &at))?;
        }
        Ok(Self { top: top.to_path_buf(), roots: self.roots.clone() })
    }

    /// Where a file of the recorded build lies in the tree itself.
    fn actual(&self, recorded: &Path) -> PathBuf {
        let inside = |root: &Root| Some(root.actual.join(recorded.strip_prefix(&root.recorded).ok()?));
        self.roots.iter().find_map(inside).unwrap_or_else(|| recorded.to_path_buf())
    }
}

/// Whether a file is one that compilers and linkers make.
fn is_output(path: &Path) -> bool {
    let end = path.extension().map(OsStrExt::as_bytes).unwrap_or_default();
    matches!(end, b"o" | b"lo" | b"la" | b"a" | b"so" | b"ko" | b"dwo" | b"cmd")
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
    fn no_link_leads_out_of_the_mirror() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("src");
        fs::create_dir_all(tree.join("include")).unwrap();
        fs::create_dir_all(tree.join("lib")).unwrap();
        fs::write(tree.join("include/x.h"), "old").unwrap();
        fs::write(tree.join("lib/x.c"), "c").unwrap();
        symlink("include", tree.join("asm")).unwrap();
        let root = Root { recorded: tree.clone(), actual: tree.clone() };
        let top = scratch.path().canonicalize().unwrap();
        let view = View::new(&top.join("view"), std::slice::from_ref(&root), Depth::Full).unwrap();
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

        // Only `include` is known to be read from: `lib` is a link, and what is reached through it is the tree's own.
        let known = BTreeSet::from([tree.clone(), tree.join("include")]);
        let view = View::new(&top.join("flat"), std::slice::from_ref(&root), Depth::Down(&known)).unwrap();
        view.put(&tree.join("include/x.h"), Some(b"new")).unwrap();
        let read = |inside: &str| fs::read_to_string(view.path(&tree.join(inside))).unwrap();
        assert_eq!((read("lib/x.c").as_str(), read("include/x.h").as_str()), ("c", "new"));
        assert!(view.path(&tree.join("lib")).is_symlink());
        assert!(view.put(&tree.join("lib/x.c"), Some(b"new")).is_err());
        assert_eq!(fs::read_to_string(tree.join("lib/x.c")).unwrap(), "c", "the tree was written");
    }
}
