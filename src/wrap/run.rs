//! Running the compiler: become it, or start it and wait.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::configuration::Configuration;
use super::memory_file::MemoryFile;
use crate::argv::{self, CommandLine, Dialect, Driver, Settings};
use crate::compiler::find::Target;
use crate::compiler::guard::Passed;
use crate::env;
use crate::policy::{self, Action, Decision, Dump, clones};
use crate::sys::{self, Ended, Program};

/// Exit status where the program was found and cannot be executed, as a shell has it.
const NOT_EXECUTABLE: i32 = 126;

/// A response file larger than this is not read (and its call not understood).
const LARGEST_RESPONSE_FILE: u64 = 256 << 20;

/// Arguments of up to this many bytes are given as they are where an edit took a response file apart. The kernel takes
/// at least 128 KiB of arguments and environment together, and of one argument.
const SAFE_ARGUMENTS: usize = 64 << 10;

/// A compiler call that was found and read.
#[derive(Debug)]
pub struct Job {
    /// What to run.
    pub target: Target,
    /// The wrappers that the call has passed.
    pub passed: Passed,
    /// The compiler's arguments, read.
    pub line: CommandLine,
    /// The compiler's arguments as run: markers taken out.
    pub run: Vec<OsString>,
    /// Working directory.
    pub directory: PathBuf,
    /// The configuration that holds in it.
    pub configuration: Configuration,
    /// What the policy did.
    pub decision: Decision,
    /// Where lpcc added options: the arguments as written, markers taken out, for a call that fails with them.
    pub as_written: Option<Vec<OsString>>,
    /// What is done about the clones dump.
    pub wanted_dump: Dump,
    /// Where the compiler writes it, where it does.
    pub dump: Option<MemoryFile>,
    /// Whether a call that fails for an added option alone is to fail.
    pub insists: bool,
    /// What is to be said in the record.
    pub notes: Vec<String>,
    /// The shadows to compile beside each unit.
    pub shadows: Vec<policy::Shadow>,
}

impl Job {
    /// Reads the call.
    pub fn new(target: Target, passed: Passed, configuration: Configuration) -> Self {
        let line = argv::parse_with(&target.args, settings(&target), &mut |name| {
            read_response_file(Path::new(name))
        });
        let run = line.edit().without_markers().finish();
        let decision = Decision {
            action: Action::Keep,
            reason: policy::LEFT_ALONE.to_owned(),
            live_patching: line.live_patching().map(|level| level.to_string_lossy().into_owned()),
        };
        Self {
            line,
            run,
            target,
            passed,
            directory: configuration.directory().to_path_buf(),
            configuration,
            decision,
            as_written: None,
            wanted_dump: Dump::Unasked,
            dump: None,
            insists: false,
            notes: Vec::new(),
            shadows: Vec::new(),
        }
    }

    /// Has the compiler write its clones dump into memory of ours, where the policy wants that and it can be.
    pub fn ask_for_dump(&mut self, dump: Dump) {
        self.wanted_dump = self.dump_as_called(dump);
        if self.wanted_dump == Dump::Wanted {
            self.dump = MemoryFile::new();
            if self.dump.is_none() {
                self.wanted_dump = Dump::LeftOut("no memory file that the compiler could reach".to_owned());
            }
        }
        self.notes.extend(self.wanted_dump.note());
    }

    /// The policy's word on the dump, in view of the programs before the compiler.
    pub fn dump_as_called(&self, dump: Dump) -> Dump {
        if dump == Dump::Wanted && !self.target.launchers.is_empty() {
            return Dump::LeftOut("behind a launcher, which may take the object from a cache".to_owned());
        }
        dump
    }

    /// The command line as it runs, read.
    pub fn line_as_run(&self) -> CommandLine {
        argv::parse_with(&self.run, settings(&self.target), &mut |name| read_response_file(Path::new(name)))
    }

    /// Becomes the compiler: nothing of lpcc is left.
    pub fn execute(&self) -> ! {
        sys::let_go();
        let packed = self.packed();
        if packed.is_some()
            && let Ok(ended) = self.program(&[], packed.as_ref()).and_then(|program| sys::run(&program, None))
        {
            // Executed, it would be alone and its arguments gone with us.
            sys::end_as(ended.ending);
        }
        let error = match self.program(&[], None) {
            Ok(program) => retry_without_guard(sys::exec(&program), self, sys::exec),
            Err(error) => error,
        };
        cannot_execute(&self.target.program, &error)
    }

    /// Starts the compiler and waits. `extra` is added to its environment.
    pub fn run(&self, extra: &[(&str, OsString)], stdin: Option<&File>) -> Ended {
        match self.start(extra, stdin) {
            Ok(ended) => ended,
            Err(error) => {
                tracing::debug!(%error, "could not start the compiler; executing it instead");
                // Whatever we added (a variable too many for the kernel's limit) may be the cause.
                self.execute()
            }
        }
    }

    /// Like [`Self::run`]; an error means that the compiler was never started.
    pub fn start(&self, extra: &[(&str, OsString)], stdin: Option<&File>) -> io::Result<Ended> {
        let packed = self.packed();
        self.program(extra, packed.as_ref()).and_then(|program| sys::run(&program, stdin.map(AsFd::as_fd)))
    }

    fn program(&self, extra: &[(&str, OsString)], packed: Option<&MemoryFile>) -> io::Result<Program> {
        let argv = match packed {
            None => self.argv(),
            Some(file) => {
                let mut name = OsString::from("@");
                name.push(file.path());
                self.argv_with(std::slice::from_ref(&name))
            }
        };
        program(&self.target.program, &argv, &self.passed, extra)
    }

    /// The arguments as a response file of ours, where an edit took the call's own apart and that makes the command so
    /// long that the kernel might refuse it.
    fn packed(&self) -> Option<MemoryFile> {
        let length = |words: &[OsString]| words.iter().map(|word| word.len() + 1).sum::<usize>();
        let (run, given) = (length(&self.run), length(self.line.given()));
        // An empty word cannot be written for every compiler.
        if run <= SAFE_ARGUMENTS || run <= given || self.run.iter().any(|word| word.is_empty()) {
            return None;
        }
        MemoryFile::holding(&argv::response_file::quote(&self.run))
    }

    /// The whole command.
    pub fn argv(&self) -> Vec<OsString> {
        self.argv_with(&self.run)
    }

    fn argv_with(&self, arguments: &[OsString]) -> Vec<OsString> {
        let mut argv = vec![self.target.program.clone().into_os_string()];
        argv.extend(self.target.lead.iter().cloned());
        // No part of `run`: the file has another name each time, and the object is the same without.
        argv.extend(self.dump.as_ref().map(|file| {
            let mut option = OsString::from(clones::OPTION);
            option.push("=");
            option.push(file.path());
            option
        }));
        argv.extend(arguments.iter().cloned());
        argv
    }
}

/// A program with the environment as given, the guard and `extra`.
pub fn program(
    path: &Path,
    argv: &[OsString],
    passed: &Passed,
    extra: &[(&str, OsString)],
) -> io::Result<Program> {
    let mut environment = sys::environment();
    env::set(&mut environment, env::PASSED, &passed.value_for(path));
    for (name, value) in extra {
        env::set(&mut environment, name, value);
    }
    Program::new(path.as_os_str(), argv, &environment)
}

/// A call just below the kernel's limit must not fail for our few bytes.
fn retry_without_guard(error: io::Error, job: &Job, exec: impl Fn(&Program) -> io::Error) -> io::Error {
    if error.raw_os_error() != Some(libc::E2BIG) {
        return error;
    }
    match Program::new(job.target.program.as_os_str(), &job.argv(), &sys::environment()) {
        Ok(program) => exec(&program),
        Err(error) => error,
    }
}

/// One line, and the status a shell would give.
pub fn give_up(what: &dyn std::fmt::Display, status: i32) -> ! {
    sys::let_go();
    let _ = writeln!(io::stderr(), "lpcc: {what}");
    std::process::exit(status)
}

fn cannot_execute(program: &Path, error: &io::Error) -> ! {
    let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { NOT_EXECUTABLE };
    give_up(&format!("cannot execute `{}`: {error}", program.display()), status)
}

/// How the call's arguments are to be read, as far as the compiler's name tells; `cc` is asked by the name it leads to.
pub fn settings(target: &Target) -> Settings {
    let compiler = target.compiler.as_deref().unwrap_or(&target.program);
    let dialect_of = |path: &Path| {
        path.file_name().and_then(argv::compiler_name).map_or(Dialect::Unknown, |name| name.dialect)
    };
    let mut dialect = dialect_of(compiler);
    if dialect == Dialect::Unknown
        && let Ok(real) = std::fs::canonicalize(compiler)
    {
        dialect = dialect_of(&real);
    }
    Settings { driver: if target.cxx { Driver::Cxx } else { Driver::C }, ..Settings::from(dialect) }
}

/// The contents of a response file, where reading it disturbs nobody: a pipe can be read only once.
pub fn read_response_file(path: &Path) -> Option<Vec<u8>> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > LARGEST_RESPONSE_FILE || meta.permissions().mode() & 0o444 == 0 {
        return None;
    }
    std::fs::read(path).ok()
}

/// Standard input, read to its end and kept in memory for the compiler to read again; `None` where that cannot
/// be done and nothing was taken from it.
pub fn buffer_stdin() -> Option<(File, Vec<u8>)> {
    if sys::stdin_was_closed() {
        return None;
    }
    let mut file = sys::memory_file().ok()?;
    let mut text = Vec::new();
    let read = io::Read::read_to_end(&mut io::stdin().lock(), &mut text);
    if read.is_err() && text.is_empty() {
        return None;
    }
    file.write_all(&text).ok()?;
    io::Seek::rewind(&mut file).ok()?;
    Some((file, text))
}

/// Whether a path is named by bytes that mean a standard stream.
pub fn is_stream(path: &std::ffi::OsStr) -> bool {
    let bytes = path.as_bytes();
    bytes == b"-"
        || bytes.starts_with(b"/dev/std")
        || bytes.starts_with(b"/dev/fd/")
        || bytes.starts_with(b"/proc/")
}
