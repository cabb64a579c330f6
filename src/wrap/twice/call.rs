//! The call of a shadow: arguments, environment, folder, streams.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use bstr::BString;

use crate::argv::{CommandLine, response_file};
use crate::compiler::{find, identity};
use crate::env;
use crate::policy::{Difference, Shadow};
use crate::store::record::ShadowCall;
use crate::store::{Scratch, Store};
use crate::sys::confine;
use crate::sys::{self, Beside, Given, Program};
use crate::wrap::decide::Unit;
use crate::wrap::run::Job;

/// Arguments of more bytes than this go through a response file: the kernel limits what a program is given.
const LONGEST: usize = 128 << 10;

/// Why a second compile would not see what the first one saw: something that can be read only once.
pub fn reads_once(line: &CommandLine, stdin_is_kept: bool) -> Option<&'static str> {
    if line.reads_stdin() && !stdin_is_kept {
        return Some("standard input could not be kept for a second compile");
    }
    let words = (0..line.word_count()).map(|index| line.word(index));
    let pipe = |word: &OsStr| {
        word.as_bytes().starts_with(b"/dev/fd/")
            || word.as_bytes().starts_with(b"/proc/self/fd/")
            || fs::metadata(word).is_ok_and(|meta| meta.file_type().is_fifo())
    };
    let stdin_included = |line: &CommandLine| {
        let mut words = (0..line.word_count()).map(|index| line.word(index));
        words.any(|word| word == "/dev/stdin") && !line.reads_stdin()
    };
    (words.into_iter().any(pipe) && !line.reads_stdin() || stdin_included(line))
        .then_some("it reads a pipe, which can be read only once")
}

/// A folder of the shadows' own in the store. What shadows of killed compiles left is swept on the way.
pub fn scratch(store: &Store) -> Result<Scratch, String> {
    store.sweep_scratch();
    store.scratch().map_err(|error| error.to_string())
}

/// The arguments of a shadow of `unit`, without the output.
pub fn arguments(line: &CommandLine, unit: &Unit, shadow: &Shadow) -> Vec<OsString> {
    let source = line.sources().into_iter().find(|source| source.text == unit.source.text);
    let source = source.unwrap_or_else(|| unit.source.clone());
    let mut edit = line.shadow_of(&source);
    match &shadow.difference {
        Difference::Same | Difference::Lines => {}
        Difference::ToggleLivePatching(level) => {
            if line.live_patching().is_some() {
                edit = edit.without_live_patching();
            } else if let Some(level) = level.level() {
                edit = edit.with_appended([OsString::from(format!("-flive-patching={level}"))]);
            }
        }
        Difference::Other(other) => {
            for argument in line.arguments() {
                let word = line.word(argument.word);
                let taken = other.remove.iter().any(|glob| glob.matches(word));
                if taken && argument.word != source.word {
                    edit = edit.without_words(line.words_of(argument));
                }
            }
            edit = edit.with_appended(other.add.iter().map(OsString::from));
        }
    }
    // What a shadow warns of is nobody's; and a warning that only it has must not fail it under `-Werror`.
    edit.with_appended([OsString::from("-w")]).finish()
}

/// The compiler of a shadow, where it is not the primary's.
pub fn other_compiler(shadow: &Shadow, job: &Job) -> Result<Option<PathBuf>, String> {
    let Difference::Other(other) = &shadow.difference else { return Ok(None) };
    let Some(name) = &other.compiler else { return Ok(None) };
    find::find(OsStr::new(name), &job.passed).map(Some).map_err(|error| error.to_string())
}

/// How a shadow is compiled, as the record keeps it.
pub fn shadow_call(arguments: &[OsString], compiler: Option<&Path>) -> ShadowCall {
    let bytes = |text: &OsStr| BString::from(text.as_bytes());
    let compiler = compiler.map(identity::driver_alone);
    ShadowCall { run: arguments.iter().map(|word| bytes(word)).collect(), compiler, inputs: Vec::new() }
}

/// A shadow that is ready to be started.
#[derive(Debug)]
pub struct Prepared {
    /// The compiler.
    pub compiler: PathBuf,
    /// Its arguments, without the output.
    pub arguments: Vec<OsString>,
    /// Where the object goes.
    pub output: PathBuf,
    /// Its environment.
    pub environment: Vec<OsString>,
    /// How it is compiled, as the record keeps it.
    pub call: ShadowCall,
    shadow: String,
    folder: PathBuf,
}

/// A shadow that runs.
#[derive(Debug)]
pub struct Started {
    /// Its process.
    pub process: Beside,
    /// Where the object will be.
    pub output: PathBuf,
    /// What it says.
    pub said: File,
    /// How it is compiled, as the record keeps it.
    pub call: ShadowCall,
    /// The shadow's name.
    pub shadow: String,
    /// Where the list of its inputs will be, as a dependency file.
    pub inputs: PathBuf,
}

impl Prepared {
    /// Makes `folder` and all that is needed to compile into it.
    pub fn new(
        job: &Job,
        line: &CommandLine,
        unit: &Unit,
        shadow: &Shadow,
        folder: &Path,
    ) -> Result<Self, String> {
        let (out, temporary) = (folder.join("out"), folder.join("tmp"));
        for made in [&out, &temporary] {
            fs::create_dir_all(made).map_err(|error| format!("no folder for it: {error}"))?;
        }
        let other = other_compiler(shadow, job)?;
        let compiler = other.clone().or_else(|| job.target.compiler.clone()).ok_or("no compiler")?;
        let mut environment = sys::environment();
        for name in env::WRITERS {
            env::remove(&mut environment, name);
        }
        env::set(&mut environment, env::TMPDIR, temporary.as_os_str());
        env::set(&mut environment, env::PASSED, &job.passed.value_for(&compiler));
        let arguments = arguments(line, unit, shadow);
        let call = shadow_call(&arguments, other.as_deref());
        // The same base name as the primary's: some of it may end up in the object.
        let output = out.join(unit.output.file_name().unwrap_or(OsStr::new("shadow.o")));
        let (shadow, folder) = (shadow.name.clone(), folder.to_path_buf());
        Ok(Self { compiler, arguments, output, environment, call, shadow, folder })
    }

    /// Starts it.
    pub fn start(self, stdin: Option<&File>) -> Result<Started, String> {
        let mut words = self.arguments.clone();
        // A list of inputs of our own: the build's may leave system headers out.
        let inputs = self.folder.join("inputs");
        words.extend(["-MD".into(), "-MF".into(), inputs.clone().into_os_string()]);
        words.extend([OsString::from("-o"), self.output.clone().into_os_string()]);
        let (process, said) = self.spawn(&words, stdin)?;
        Ok(Started { process, output: self.output, said, call: self.call, shadow: self.shadow, inputs })
    }

    /// Starts the compiler with these arguments; gives its process and the file that what it says goes to.
    pub fn spawn(&self, words: &[OsString], stdin: Option<&File>) -> Result<(Beside, File), String> {
        let fail = |error: std::io::Error| format!("it could not be started: {error}");
        let mut argv = vec![self.compiler.clone().into_os_string()];
        if words.iter().map(|word| word.len() + 1).sum::<usize>() > LONGEST
            && !words.iter().any(|word| word.is_empty())
        {
            let file = self.folder.join("arguments");
            fs::write(&file, response_file::quote(words)).map_err(fail)?;
            let mut word = OsString::from("@");
            word.push(&file);
            argv.push(word);
        } else {
            argv.extend(words.iter().cloned());
        }
        let program = Program::new(self.compiler.as_os_str(), &argv, &self.environment).map_err(fail)?;
        let said = sys::memory_file().map_err(fail)?;
        let nothing = File::open("/dev/null").map_err(fail)?;
        let ruleset = confine::to(&self.folder);
        let given = Given {
            stdin: Some(stdin.unwrap_or(&nothing).as_fd()),
            output: Some(said.as_fd()),
            ruleset: ruleset.as_ref().map(AsFd::as_fd),
        };
        let process = Beside::start(&program, given).map_err(fail)?;
        Ok((process, said))
    }
}

/// A file in memory that holds `text`, to be read from its start.
pub fn in_memory(text: &[u8]) -> Result<File, String> {
    let fail = |error: std::io::Error| format!("no memory for standard input: {error}");
    let mut file = sys::memory_file().map_err(fail)?;
    file.write_all(text).and_then(|()| file.rewind()).map_err(fail)?;
    Ok(file)
}

/// The start of what was written to a file in memory.
pub fn from_memory(mut file: File) -> Vec<u8> {
    const MOST: u64 = 64 << 10;
    let mut text = Vec::new();
    let _ = file.rewind().and_then(|()| file.take(MOST).read_to_end(&mut text)); // less is said then
    text
}
