//! What the test programs share: a scratch folder, builds run with and without lpcc, real sources, visible skips.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod assembler;
pub mod build;
pub mod findings;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The lpcc under test.
pub fn lpcc() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_lpcc"))
}

/// A variable of the test run itself.
#[expect(
    clippy::disallowed_methods,
    reason = "the rule keeps the program's variables in src/env.rs; this is a test"
)]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Says that a test did not run, past any capture of output; fails it where skips are forbidden.
pub fn skip(reason: &str) {
    let forbidden = ["CI", "LPCC_REQUIRE_SOURCES"]
        .iter()
        .any(|name| variable(name).is_some_and(|value| !value.is_empty() && value != "0"));
    assert!(!forbidden, "this test may not be skipped here: {reason}");
    let mut stderr = std::io::stderr(); // not `eprintln!`, which the test harness captures
    writeln!(stderr, "SKIPPED {}: {reason}", std::thread::current().name().unwrap_or("test")).unwrap();
}

/// A program on PATH, absolute.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// The absolute path of a compiler: "as the bare compiler" means called by that.
pub fn compiler(name: &str) -> PathBuf {
    program(name).unwrap_or_else(|| panic!("no `{name}` on PATH; hint: scripts/setup"))
}

/// A new folder of this test's own, removed at the end unless the test failed.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A folder whose name holds `name`.
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        // The compiler may be asked for the working directory by its true name.
        Self(path.canonicalize().unwrap())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Scratch {
    /// lpcc in the folder's `src`, with its store beside it.
    pub fn lpcc(&self, arguments: &[&str]) -> Command {
        let mut command = command(lpcc(), &self.join("src"), &self.join("store"));
        command.args(arguments);
        command
    }

    /// A patch `name` of `file` in `src` from one text to another, made by `diff` itself.
    pub fn patch(&self, name: &str, file: &str, old: &str, new: &str) -> PathBuf {
        assert_ne!(old, new);
        let (was, is, patch) = (self.join("was"), self.join("is"), self.join(name));
        fs::write(&was, old).unwrap();
        fs::write(&is, new).unwrap();
        let labels = [format!("a/{file}"), format!("b/{file}")];
        let mut diff = Command::new("diff");
        diff.args(["-u", "--label", &labels[0], "--label", &labels[1]]).arg(was).arg(is);
        fs::write(&patch, diff.output().unwrap().stdout).unwrap();
        patch
    }

    /// A patch that replaces a text that stands once in `file` of `src`.
    pub fn replacing(&self, file: &str, old: &str, new: &str) -> PathBuf {
        let text = fs::read_to_string(self.join("src").join(file)).unwrap();
        assert_eq!(text.matches(old).count(), 1, "`{old}` must stand once in {file}");
        self.patch("fix.patch", file, &text, &text.replace(old, new))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A command in `directory` with an environment of our own: nothing of the caller's but PATH, its store in `store`.
pub fn command(program: impl AsRef<OsStr>, directory: &Path, store: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(directory)
        .env_clear()
        .env("PATH", variable("PATH").unwrap())
        .env("HOME", store.parent().unwrap_or(store))
        .env("LC_ALL", "C")
        .env("LPCC_STORE", store);
    command
}

/// Runs a command that must succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The unpacked source of a Debian or Ubuntu package in `directory`; `None`, said visibly, where it cannot be had.
pub fn source(package: &str, directory: &Path) -> Option<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-source");
    let output = Command::new(script).arg(package).arg(directory).output().unwrap();
    if output.status.success() {
        return Some(());
    }
    skip(&format!("no source of {package}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    None
}

/// Copies a folder as it is, times included, so that make sees the copy as it saw the original.
pub fn copy_tree(from: &Path, to: &Path) {
    succeed(Command::new("cp").arg("-a").arg("--").arg(from).arg(to));
}

/// Every file below `directory` by its path in it, with its bytes.
pub fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                let inside = entry.path().strip_prefix(directory).unwrap().to_owned();
                found.insert(inside, fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

/// The ELF objects below `directory` (`.o`, also libtool's), with their bytes.
pub fn objects(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = contents(directory);
    found.retain(|path, bytes| path.extension().is_some_and(|it| it == "o") && bytes.starts_with(b"\x7fELF"));
    found
}

/// Fails unless both hold the same files with the same bytes; names the first few that differ.
#[track_caller]
pub fn assert_same_files(bare: &BTreeMap<PathBuf, Vec<u8>>, ours: &BTreeMap<PathBuf, Vec<u8>>) {
    let names: std::collections::BTreeSet<_> = bare.keys().chain(ours.keys()).collect();
    let different: Vec<_> =
        names.into_iter().filter(|name| bare.get(*name) != ours.get(*name)).take(5).collect();
    assert!(different.is_empty(), "differ with and without lpcc: {different:?}");
}

/// Replaces the one place where `old` stands in a file; keeps the file's other bytes.
#[track_caller]
pub fn edit(file: &Path, old: &str, new: &str) {
    let text = String::from_utf8(fs::read(file).unwrap()).unwrap();
    assert_eq!(text.matches(old).count(), 1, "{}: `{old}` must stand there once", file.display());
    fs::write(file, text.replace(old, new)).unwrap();
}
