//! A call that was made once, read as the wrapper would have read it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::BString;

use crate::argv::{self, CommandLine, Source};
use crate::compiler::find::{self, Target};
use crate::compiler::guard::Passed;
use crate::compiler::identity;
use crate::compiler::usual;
use crate::env;
use crate::store::record::{self, Compiler, Family};
use crate::store::{Store, absolute};
use crate::sys;
use crate::wrap;

/// A call with its compiler.
#[derive(Debug)]
pub struct Call {
    /// The compiler as it is found today; `None` where it is not here.
    pub target: Option<Target>,
    /// The arguments, read.
    pub line: CommandLine,
    /// The source that makes the object.
    pub source: Source,
    /// Where it ran.
    pub directory: PathBuf,
    named: BString,
    launchers: Vec<PathBuf>,
}

impl Call {
    /// Reads the call of `words`, a compiler and its arguments, that made `object` in `directory`. An error is a fragment.
    pub fn new(words: &[BString], object: &Path, directory: &Path, passed: &Passed) -> Result<Self, String> {
        let words = os(words);
        let target = target(&words, directory, passed);
        let args = match &target {
            Some(target) => target.args.clone(),
            None => words.iter().skip(1).cloned().collect(),
        };
        let settings = target.as_ref().map_or_else(
            || {
                let name = words.first().and_then(|word| Path::new(word).file_name());
                let name = name.and_then(argv::compiler_name);
                let driver =
                    if name.is_some_and(|name| name.cxx) { argv::Driver::Cxx } else { argv::Driver::C };
                let dialect = name.map_or(argv::Dialect::Unknown, |name| name.dialect);
                argv::Settings { driver, ..argv::Settings::from(dialect) }
            },
            wrap::settings,
        );
        let line =
            argv::parse_with(&args, settings, &mut |name| wrap::read_response_file(&directory.join(name)));
        let sources = line.sources();
        let planned = line.planned_objects();
        let made = planned.iter().find(|(_, output)| absolute(directory, Path::new(output)) == object);
        // A compile that ends in the linker (`-r`, LTO of old kernels) or writes elsewhere first.
        let index = made.map(|(index, _)| *index).or_else(|| (sources.len() == 1).then_some(0));
        let source =
            index.and_then(|index| sources.into_iter().nth(index)).ok_or("its call compiles no source")?;
        let named = words.first().map(|word| BString::from(word.as_bytes())).unwrap_or_default();
        let launchers = target.as_ref().map(|target| target.launchers.clone()).unwrap_or_default();
        Ok(Self { target, line, source, directory: directory.to_path_buf(), named, launchers })
    }

    /// The compiler's path, where it is here.
    pub fn compiler(&self) -> Option<&Path> {
        self.target.as_ref()?.compiler.as_deref()
    }

    /// Who the compiler is today, as far as it is here.
    pub fn identify(&self, store: &Store, passed: &Passed) -> Compiler {
        match self.compiler() {
            Some(path) => identity::identify(store, path, &self.line, self.source.language, passed),
            None => nobody(self.named.clone()),
        }
    }

    /// The call as a record keeps it. The build's environment is not known: PATH is today's, so that it can be run again.
    pub fn recorded(&self) -> record::Call {
        let bytes = |text: &OsStr| BString::from(text.as_bytes());
        let run = self.line.edit().without_markers().finish();
        let path =
            env::recorded(&sys::environment()).into_iter().filter(|(name, _)| *name == env::PATH.as_bytes());
        record::Call {
            given: self.line.given().iter().map(|word| bytes(word)).collect(),
            run: run.iter().map(|word| bytes(word)).collect(),
            response_files: record::Call::response_files_of(&self.line),
            launchers: self.launchers.iter().map(|path| bytes(path.as_os_str())).collect(),
            directory: bytes(self.directory.as_os_str()),
            environment: path.map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }
}

/// A compiler of which only the name is known.
pub fn nobody(named: BString) -> Compiler {
    Compiler {
        path: named,
        family: Family::Unknown,
        version: String::new(),
        target: String::new(),
        programs: Vec::new(),
    }
}

/// The object that a call makes, as the call names it; `None` where it makes none, or several.
pub fn object_of(words: &[BString], directory: &Path) -> Option<PathBuf> {
    let words = os(words);
    let (name, args) = words.split_first()?;
    let name = Path::new(name).file_name().and_then(argv::compiler_name);
    // Behind a launcher, the compiler's name is the first argument.
    let args = if name.is_none() { args.get(1..)? } else { args };
    let settings = argv::Settings::from(name.map_or(argv::Dialect::Unknown, |name| name.dialect));
    let line = argv::parse_with(args, settings, &mut |file| wrap::read_response_file(&directory.join(file)));
    match line.planned_objects().as_slice() {
        [(_, object)] => Some(PathBuf::from(object)),
        _ => None,
    }
}

/// What would be run today; lpcc itself, and shims of it, are passed by. What said lpcc alone was a kernel's build, or `cc`.
fn target(words: &[OsString], directory: &Path, passed: &Passed) -> Option<Target> {
    let mut words = words.to_vec();
    // A path is relative to where the call ran, not to here.
    for word in &mut words {
        if !find::stands_for_compiler(word) {
            break;
        }
        if word.as_bytes().contains(&b'/') {
            *word = absolute(directory, Path::new(word)).into_os_string();
        }
    }
    let call: Vec<OsString> = std::iter::once(OsString::from("lpcc")).chain(words).collect();
    find::target(&call, passed, &|_| usual::of_configured_kernel(directory)).ok()
}

fn os(words: &[BString]) -> Vec<OsString> {
    words.iter().map(|word| OsStr::from_bytes(word).to_os_string()).collect()
}
