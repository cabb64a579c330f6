//! What the tests of the wrapper share: a directory for a build, runs with and without lpcc, and their comparison.
//!
//! Both runs happen in a directory of the *same path*, one after the other: debug information holds the path, and so objects
//! could not be compared otherwise.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its share; one that fails to set up fails"
)]

pub mod fakes;
pub mod objects;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lpcc::store::record::Record;
use lpcc::store::{Recording, Store, Want};

/// The program under test.
pub const LPCC: &str = env!("CARGO_BIN_EXE_lpcc");

/// A place for a build, with its store beside it; removed at the end.
pub struct Place {
    top: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { top: tempfile::Builder::new().prefix("lpcc-test-").tempdir().unwrap() };
        std::fs::create_dir(place.tree()).unwrap();
        place
    }

    /// One with these files in its tree.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (name, contents) in files {
            place.write(name, contents);
        }
        place
    }

    /// Where the build works.
    pub fn tree(&self) -> PathBuf {
        self.top.path().join("tree")
    }

    /// Where lpcc records.
    pub fn store(&self) -> PathBuf {
        self.top.path().join("store")
    }

    /// A path beside the tree.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    /// Writes a file of the tree.
    pub fn write(&self, name: impl AsRef<Path>, contents: &str) {
        let path = self.tree().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    /// Empties the tree.
    pub fn clear(&self) {
        std::fs::remove_dir_all(self.tree()).unwrap();
        std::fs::create_dir(self.tree()).unwrap();
    }

    /// A command in the tree, with nothing in its environment but what a build needs.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.tree()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("LPCC_STORE", self.store());
        command
    }

    /// lpcc in the tree.
    pub fn lpcc(&self) -> Command {
        self.command(LPCC)
    }

    /// A compiler call through lpcc; `args` are split at blanks.
    pub fn call(&self, compiler: &str, args: &str) -> Output {
        run(self.lpcc().arg(compiler).args(args.split(' ')), None)
    }

    /// Runs a shell script in the tree, which must succeed.
    #[track_caller]
    pub fn shell(&self, script: &str) {
        let output = run(self.command("/bin/sh").args(["-ec", script]), None);
        assert!(output.status.success(), "{output:?}");
    }

    /// A link to lpcc under another name; gives the directory it lies in.
    pub fn shim(&self, name: &str) -> PathBuf {
        let folder = self.beside("shims");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(LPCC, folder.join(name)).unwrap();
        folder
    }

    /// Every record in the store, by output.
    pub fn records(&self) -> Vec<Record> {
        let Ok(store) = Store::open(&self.store()) else { return Vec::new() };
        let mut records: Vec<Record> = Recording::open(&store, None)
            .unwrap()
            .units()
            .map(|entry| entry.unwrap().record.record(Want::Fingerprints).unwrap())
            .collect();
        records.sort_by(|one, other| one.unit.output.cmp(&other.unit.output));
        records
    }

    /// Number of link records in the store.
    pub fn links(&self) -> usize {
        Store::open(&self.store()).map_or(0, |store| Recording::open(&store, None).unwrap().links().count())
    }

    /// Runs `args` with the compiler bare and through lpcc, each on the tree as it is now; they must agree in status,
    /// streams and what they leave.
    #[track_caller]
    pub fn assert_like_bare(&self, compiler: &str, args: &str, stdin: Option<&[u8]>) {
        let before: Vec<_> = self.listing().into_keys().collect();
        let clean = || {
            for name in self.listing().into_keys().filter(|name| !before.contains(name)) {
                std::fs::remove_file(self.tree().join(name)).unwrap();
            }
        };
        let mut bare = self.command(Path::new("/usr/bin").join(compiler));
        let bare = Outcome { output: run(bare.args(args.split(' ')), stdin), tree: self.listing() };
        clean();
        let mut wrapped = self.lpcc();
        wrapped.arg(compiler).args(args.split(' '));
        let wrapped = Outcome { output: run(&mut wrapped, stdin), tree: self.listing() };
        clean();
        let found = differences(&bare, &wrapped);
        assert!(found.is_empty(), "{compiler} {args}: {}", found.join("\n"));
    }

    /// What lies in the tree.
    pub fn listing(&self) -> BTreeMap<PathBuf, Entry> {
        let mut found = BTreeMap::new();
        for entry in walkdir::WalkDir::new(self.tree()).min_depth(1) {
            let entry = entry.unwrap();
            let meta = entry.path().symlink_metadata().unwrap();
            let bytes = if meta.is_symlink() {
                std::fs::read_link(entry.path()).unwrap().into_os_string().as_bytes().to_vec()
            } else if meta.is_file() {
                std::fs::read(entry.path()).unwrap()
            } else {
                Vec::new()
            };
            let name = entry.path().strip_prefix(self.tree()).unwrap().to_path_buf();
            found.insert(name, Entry { mode: meta.mode(), bytes });
        }
        found
    }
}

/// A file, link or directory of a tree.
#[derive(PartialEq, Eq)]
pub struct Entry {
    pub mode: u32,
    pub bytes: Vec<u8>,
}

/// Runs a command with `stdin` as its input and gives what came out.
pub fn run(command: &mut Command, stdin: Option<&[u8]>) -> Output {
    let mut child = command
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if let Some(text) = stdin {
        let _ = child.stdin.take().unwrap().write_all(text); // the compiler need not read it
    }
    child.wait_with_output().unwrap()
}

/// One run and what it left.
pub struct Outcome {
    pub output: Output,
    pub tree: BTreeMap<PathBuf, Entry>,
}

/// Every way in which two runs differ, one line each; empty if they are alike.
pub fn differences(bare: &Outcome, wrapped: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let status = |run: &Outcome| (run.output.status.code(), run.output.status.signal());
    if status(bare) != status(wrapped) {
        found.push(format!("status {:?} became {:?}", status(bare), status(wrapped)));
    }
    for (stream, one, other) in [
        ("stdout", &bare.output.stdout, &wrapped.output.stdout),
        ("stderr", &bare.output.stderr, &wrapped.output.stderr),
    ] {
        let (one, other) = (without_temporaries(one), without_temporaries(other));
        if one != other {
            found.push(format!("{stream}:\n--- bare\n{one}\n--- lpcc\n{other}"));
        }
    }
    for name in bare.tree.keys().chain(wrapped.tree.keys()).collect::<std::collections::BTreeSet<_>>() {
        match (bare.tree.get(name), wrapped.tree.get(name)) {
            (Some(_), None) => found.push(format!("{} is missing", name.display())),
            (None, Some(_)) => found.push(format!("{} was left behind", name.display())),
            (Some(one), Some(other)) if one != other => found.push(format!(
                "{} differs: {} bytes of mode {:o} became {} of mode {:o}",
                name.display(),
                one.bytes.len(),
                one.mode,
                other.bytes.len(),
                other.mode
            )),
            _ => {}
        }
    }
    found
}

/// Text with the random names of the compiler's own temporary files made equal.
fn without_temporaries(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut rest = text.as_ref();
    let mut plain = String::new();
    while let Some(at) = rest.find("/tmp/cc") {
        let end = at + "/tmp/cc".len();
        plain.push_str(&rest[..end]);
        rest = &rest[end..];
        let random = rest.chars().take(6).take_while(char::is_ascii_alphanumeric).count();
        if random == 6 {
            plain.push_str("XXXXXX");
            rest = &rest[6..];
        }
    }
    plain + rest
}

/// Compiles a C program (a fake compiler, as a rule) to `path`.
pub fn build_program(path: &Path, source: &str) {
    let file = path.with_extension("c");
    std::fs::write(&file, source).unwrap();
    let status = Command::new("/usr/bin/gcc").arg("-O1").arg("-o").arg(path).arg(&file).status().unwrap();
    assert!(status.success());
}

/// Writes an executable script.
pub fn write_script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Says that a test could not run here; with `LPCC_TEST_NO_SKIP` set, that is a failure.
pub fn skip(why: &str) {
    #[allow(clippy::disallowed_methods, reason = "a switch of the test suite, not of lpcc")]
    let forbidden = std::env::var_os("LPCC_TEST_NO_SKIP").is_some();
    assert!(!forbidden, "skipped: {why}");
    eprintln!("SKIPPED: {why}");
}

/// What a command prints, as JSON.
#[track_caller]
pub fn json(command: &mut Command) -> serde_json::Value {
    let output = run(command, None);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Whether a program is here; said where it is not.
pub fn have(program: &str) -> bool {
    let here = Path::new("/usr/bin").join(program).exists();
    if !here {
        skip(&format!("no {program}"));
    }
    here
}

/// Whether the tests run as root, as some need.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// The compilers that are tested: those that are here.
pub fn compilers() -> Vec<&'static str> {
    let all = ["/usr/bin/gcc-12", "/usr/bin/gcc-11", "/usr/bin/clang-14", "/usr/bin/clang-19"];
    all.into_iter().filter(|path| Path::new(path).exists()).collect()
}

/// PATH with `first` before the usual.
pub fn path_with(first: &[&Path]) -> OsString {
    let usual = [Path::new("/usr/bin"), Path::new("/bin")];
    std::env::join_paths(first.iter().chain(&usual)).unwrap()
}
