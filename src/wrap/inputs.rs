//! Which files a compile read, learned without disturbing it.
//!
//! Where the build asked for a dependency file, that file is read. Where it did not, the tempting way is to
//! add `-MD -MF file`; but an added option shows (under `-v`, in objects that hold their command line, as a
//! warning for an input that is not preprocessed) and a file can fill a disk and so fail the compile. Both
//! compilers have a channel that leaves the arguments alone, an environment variable: GCC's `SUNPRO_DEPENDENCIES` and
//! Clang's `CC_PRINT_HEADERS_FILE`. The file behind it lies in our memory: nothing is written to any disk, and
//! nothing is left however either process ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use bstr::BString;

use super::decide::Unit;
use super::memory_file::MemoryFile;
use super::run::Job;
use crate::argv::dependency_file::{self, Rule};
use crate::argv::{Coverage, Dependency, Dialect, Language};
use crate::env;
use crate::store::Store;
use crate::store::record::{Completeness, Family, Input, Inputs};

/// How the inputs of a call will be known.
pub enum Watch {
    /// By the dependency file that the build asked for.
    Asked(Dependency),
    /// By the compiler's reports into files of ours: GCC's rules, Clang's list of headers.
    Reports(MemoryFile, MemoryFile),
    /// Not: the reason.
    Unknown(&'static str),
}

impl Watch {
    /// Chooses the way for a call.
    pub fn new(job: &Job) -> Self {
        if let Some(dependency) = job.line.dependency() {
            return Self::Asked(dependency);
        }
        if env::REPORTS.iter().any(|name| env::is_set(name)) {
            return Self::Unknown("the build asks for reports by an environment variable");
        }
        if words(job).any(asks_for_dependencies) {
            return Self::Unknown("dependencies are asked for in a way that is not understood");
        }
        if !job.target.launchers.is_empty() {
            return Self::Unknown("behind a launcher, and no dependency file was asked for");
        }
        if job.line.verbose() && job.line.dialect() != Dialect::Gcc {
            return Self::Unknown("the compiler shows its work, which learning inputs would change");
        }
        match (MemoryFile::new(), MemoryFile::new()) {
            (Some(rules), Some(headers)) => Self::Reports(rules, headers),
            _ => Self::Unknown("no memory file that the compiler could reach"),
        }
    }

    /// What the compiler's environment must hold for it.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let Self::Reports(rules, headers) = self else { return Vec::new() };
        vec![
            ("SUNPRO_DEPENDENCIES", rules.path().into()),
            ("CC_PRINT_HEADERS", OsString::from("1")),
            ("CC_PRINT_HEADERS_FILE", headers.path().into()),
        ]
    }

    /// The inputs of `unit`, one of `units`, after the compile. `stdin` is what standard input held.
    pub fn inputs(
        &mut self,
        job: &Job,
        (units, unit): (&[Unit], &Unit),
        family: Family,
        stdin: Option<&[u8]>,
        store: &Store,
    ) -> Inputs {
        let mut known = if unit.source.preprocessed {
            self.preprocessed(job, units, unit, family)
        } else {
            Ok(Vec::new())
        };
        if unit.source.language == Language::Assembler && known.is_ok() {
            // What the assembler itself reads is in nobody's list.
            known = known.and_then(|files| Err((files, "`.include` and `.incbin` of the assembler".into())));
        }
        if let Some(option) = unlisted(job)
            && let Ok(files) = known
        {
            known = Err((files, format!("`{option}`: not all files it reads are listed")));
        }
        let (files, completeness) = match known {
            Ok(files) => (files, Completeness::Full),
            Err((files, reason)) => (files, Completeness::Partial(reason)),
        };
        let source = BString::from(unit.source.text.as_bytes());
        let mut paths = vec![source];
        for file in files {
            if !paths.contains(&file) {
                paths.push(file);
            }
        }
        let hash = |path: &BString| match stdin.filter(|_| is_stdin(path)) {
            Some(text) => Some(crate::object::Hash::of(text)),
            None => store.hash_file(&job.directory.join(OsStr::from_bytes(path))),
        };
        let files = paths.into_iter().map(|path| Input { hash: hash(&path), path }).collect();
        Inputs { completeness, files }
    }

    fn preprocessed(&mut self, job: &Job, units: &[Unit], unit: &Unit, family: Family) -> Known {
        match self {
            Self::Unknown(reason) => Err((Vec::new(), (*reason).to_owned())),
            Self::Asked(dependency) => asked(job, dependency, unit),
            Self::Reports(rules, headers) => reported(&rules.read(), &headers.read(), units, unit, family),
        }
    }
}

/// Files, or files and why there may be more.
type Known = Result<Vec<BString>, (Vec<BString>, String)>;

/// What the build's own dependency file says.
fn asked(job: &Job, dependency: &Dependency, unit: &Unit) -> Known {
    let none = |why: &str| Err((Vec::new(), why.to_owned()));
    let mut files = dependency.files.iter();
    let Some((_, file)) = files.find(|(index, _)| *index == unit.index) else {
        return none("the dependency file names no input of this source");
    };
    let shared = dependency.files.iter().filter(|(_, other)| other == file).count() > 1;
    let path = job.directory.join(file);
    if shared || !std::fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
        return none("the dependency file was not one of this source's own");
    }
    let Ok(text) = std::fs::read(&path) else { return none("the dependency file could not be read") };
    let files = dependency_file::parse(&text);
    match dependency.coverage {
        _ if files.is_empty() => none("the dependency file is empty"),
        Coverage::Full => Ok(files),
        Coverage::NoSystemHeaders
            if job.line.no_system_directories()
                && !env::SYSTEM_DIRECTORIES.iter().any(|name| env::is_set(name)) =>
        {
            Ok(files)
        }
        Coverage::NoSystemHeaders => Err((files, "`-MMD`: no system headers".to_owned())),
    }
}

/// What the compiler reported into our files. GCC writes a rule for each source in turn, without the source itself
/// (and again for each time it preprocesses it); Clang a line with the path of each header, of all sources together.
fn reported(rules: &[u8], headers: &[u8], units: &[Unit], unit: &Unit, family: Family) -> Known {
    if rules.is_empty() && headers.is_empty() && family != Family::Clang {
        return Err((Vec::new(), "the compiler reported nothing".to_owned())); // GCC writes a rule in any case
    }
    let preprocessed = |unit: &&Unit| unit.source.preprocessed;
    let position =
        units.iter().filter(preprocessed).position(|other| other.index == unit.index).unwrap_or_default();
    let count = units.iter().filter(preprocessed).count();
    let rules: Vec<Rule> = dependency_file::rules(rules);
    let of_all = |rules: Vec<Rule>| rules.into_iter().flat_map(|rule| rule.prerequisites).collect::<Vec<_>>();
    if headers.is_empty() && !rules.is_empty() && count == rules.len() {
        return Ok(rules.into_iter().nth(position).map(|rule| rule.prerequisites).unwrap_or_default());
    }
    let mut files = of_all(rules);
    let lines = headers.split(|byte| *byte == b'\n');
    // With `-save-temps` the list names `<built-in>`, which is no file.
    files.extend(lines.filter(|line| !line.is_empty() && !line.starts_with(b"<")).map(BString::from));
    if count == 1 {
        return Ok(files);
    }
    Err((files, "several sources in one call: the headers of all".to_owned()))
}

/// An option whose files are in no list: modules, and Clang's precompiled headers.
fn unlisted(job: &Job) -> Option<String> {
    let telling = |word: &&[u8]| word.starts_with(b"-fmodule") || word.starts_with(b"-include-pch");
    words(job).find(telling).map(|word| String::from_utf8_lossy(word).into_owned())
}

fn words(job: &Job) -> impl Iterator<Item = &[u8]> {
    (0..job.line.word_count()).map(|index| job.line.word(index).as_bytes())
}

/// Whether a word may be about dependency output, by any road to the preprocessor: asking for reports beside it would change
/// what it writes.
fn asks_for_dependencies(word: &[u8]) -> bool {
    let holds = |text: &[u8]| word.windows(text.len()).any(|window| window == text);
    word.starts_with(b"-M") || holds(b",-M") || holds(b"-dependenc") || holds(b"user-dependencies")
}

fn is_stdin(path: &[u8]) -> bool {
    matches!(path, b"-" | b"/dev/stdin" | b"/dev/fd/0" | b"/proc/self/fd/0")
}
