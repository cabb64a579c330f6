//! Who the real compiler is: family, version, target, and the programs that do its work.
//!
//! A version number does not identify a compiler: distributions patch theirs under one number. So the
//! identity holds content hashes of the driver, the compiler proper (`cc1`, `cc1plus`), the assembler and
//! plugins. What must be asked of the compiler is asked once and cached, under its path, size and times; the
//! hashes come from the store's own cache and follow each program's file.
//!
//! No failure here is the build's: what cannot be learned stays empty.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::find;
use super::guard::Passed;
use crate::argv::{CommandLine, Language};
use crate::env;
use crate::object::Hash;
use crate::store::Store;
use crate::store::record::{Compiler, Family};

/// What is asked of a compiler once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Its family.
    pub family: Family,
    /// Its version as it gives it, empty where it does not.
    pub version: String,
    /// Its target as it gives it, empty where it does not.
    pub target: String,
    /// The programs it runs, the driver left out: absolute, or names that it looks up on PATH.
    programs: Vec<BString>,
}

/// What the compiler at `path` says of itself, from the store's cache where there is one.
pub fn probe(
    store: Option<&Store>,
    path: &Path,
    line: &CommandLine,
    language: Language,
    passed: &Passed,
) -> Probed {
    let question = Question::new(path, line, language);
    let key = question.key();
    let cached = store
        .and_then(|store| store.compiler_cache_get(&key))
        .and_then(|bytes| postcard::from_bytes::<Probed>(&bytes).ok());
    cached.unwrap_or_else(|| {
        let probed = question.ask(passed);
        // A compiler that answered nothing may answer next time.
        if !probed.version.is_empty()
            && let Some(store) = store
            && let Ok(bytes) = postcard::to_stdvec(&probed)
        {
            let _ = store.compiler_cache_put(&key, &bytes); // asked again next time
        }
        probed
    })
}

/// The identity of the compiler at `path` for a call.
pub fn identify(
    store: &Store,
    path: &Path,
    line: &CommandLine,
    language: Language,
    passed: &Passed,
) -> Compiler {
    let probed = probe(Some(store), path, line, language, passed);
    let named = probed.programs.iter().map(|program| OsStr::from_bytes(program));
    let helpers = named.filter_map(|program| find::on_path(program).next());
    let plugins = line.plugins().into_iter().map(PathBuf::from);
    let programs = std::iter::once(path.to_path_buf()).chain(helpers).chain(plugins);
    Compiler {
        path: bytes(path.as_os_str()),
        family: probed.family,
        version: probed.version,
        target: probed.target,
        programs: programs
            .filter_map(|file| Some((bytes(file.as_os_str()), store.hash_file(&file)?)))
            .collect(),
    }
}

/// What is known of a compiler without asking it anything: its path and contents.
pub fn driver_alone(path: &Path) -> Compiler {
    let contents = std::fs::read(path).map(|bytes| (self::bytes(path.as_os_str()), Hash::of(&bytes)));
    Compiler {
        path: bytes(path.as_os_str()),
        family: Family::Unknown,
        version: String::new(),
        target: String::new(),
        programs: contents.into_iter().collect(),
    }
}

fn bytes(text: &OsStr) -> BString {
    BString::from(text.as_bytes())
}

/// What decides the answers.
pub(super) struct Question<'a> {
    path: &'a Path,
    /// `cc1`, `cc1plus`, …; `None` for assembler.
    proper: Option<&'static str>,
    /// Options of the call that change where a driver looks or what it compiles for.
    options: Vec<OsString>,
}

impl<'a> Question<'a> {
    pub(super) fn new(path: &'a Path, line: &CommandLine, language: Language) -> Self {
        let proper = match language {
            Language::C => Some("cc1"),
            Language::Cxx => Some("cc1plus"),
            Language::ObjectiveC => Some("cc1obj"),
            Language::Assembler | Language::Ir | Language::Other => None,
        };
        Self { path, proper, options: telling_options(line) }
    }

    /// Every field length-delimited, so that no two questions share a key.
    pub(super) fn key(&self) -> Vec<u8> {
        let mut key = b"compiler 1".to_vec();
        let mut field = |bytes: &[u8]| {
            key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            key.extend_from_slice(bytes);
        };
        field(self.path.as_os_str().as_bytes());
        if let Ok(meta) = std::fs::metadata(self.path) {
            for number in
                [meta.size().cast_signed(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]
            {
                field(&number.to_le_bytes());
            }
        }
        field(self.proper.unwrap_or_default().as_bytes());
        for option in &self.options {
            field(option.as_bytes());
        }
        for variable in ["COMPILER_PATH", "GCC_EXEC_PREFIX"] {
            field(env::get(variable).unwrap_or_default().as_bytes());
        }
        key
    }

    fn ask(&self, passed: &Passed) -> Probed {
        let about = self.answer(&["--version"], passed);
        let family = match &about {
            text if text.contains("clang version") => Family::Clang,
            text if text.contains("Free Software Foundation") => Family::Gcc,
            _ => Family::Unknown,
        };
        let version = match family {
            Family::Clang => clang_version(&about).to_owned(),
            _ => self.answer(&["-dumpfullversion", "-dumpversion"], passed),
        };
        let mut programs = Vec::new();
        if family == Family::Gcc {
            for name in self.proper.into_iter().chain(["as"]) {
                programs.push(BString::from(self.answer(&[&format!("-print-prog-name={name}")], passed)));
            }
            programs.retain(|program| !program.is_empty());
        }
        let target = self.answer(&["-dumpmachine"], passed);
        tracing::debug!(compiler = %self.path.display(), ?family, version, target, "probed the compiler");
        Probed { family, version, target, programs }
    }

    /// What the compiler prints, trimmed; empty on any failure.
    fn answer(&self, question: &[&str], passed: &Passed) -> String {
        match self.command(question, passed).output() {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            }
            _ => String::new(),
        }
    }

    /// The compiler with `question`, ready to run: in `/`, where nothing of the build's lies, and heard on
    /// standard output alone.
    pub(super) fn command(&self, question: &[&str], passed: &Passed) -> Command {
        let mut command = Command::new(self.path);
        command
            .args(&self.options)
            .args(question)
            .current_dir("/")
            .env(env::PASSED, passed.value_for(self.path))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }
}

/// `14.0.6` out of `Debian clang version 14.0.6`.
fn clang_version(about: &str) -> &str {
    let behind = about.split_once("clang version ").map_or("", |(_, behind)| behind);
    behind.split([' ', '\n', '-', '(']).next().unwrap_or_default()
}

/// `-B`, `--target` and their arguments among the words of a call.
fn telling_options(line: &CommandLine) -> Vec<OsString> {
    let mut found = Vec::new();
    for argument in line.arguments() {
        let word = line.word(argument.word).as_bytes();
        if word.starts_with(b"-B") || word == b"-target" || word.starts_with(b"--target=") {
            found.extend(line.words_of(argument).map(|index| line.word(index).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_clang() {
        assert_eq!(clang_version("Debian clang version 14.0.6\nTarget: x"), "14.0.6");
        assert_eq!(clang_version("clang version 18.1.3 (1ubuntu1)"), "18.1.3");
        assert_eq!(clang_version("gcc"), "");
    }
}
