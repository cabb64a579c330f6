//! One recorded call, run again: the same compiler, arguments, directory and environment, in a mirror of the tree.
//!
//! What the call wrote besides its object is left out, for none of it may land in the build's own tree; and the kernel sees to it
//! (Landlock), whatever option nobody thought of. The object goes aside, and so does a list of all files read: the proof
//! that the compile saw the edited files and not the originals. GCC's clones dump is asked for as well: it shapes no code and
//! names what was inlined where nothing is left in debug information.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bstr::{BString, ByteSlice};

use super::stamp::{self, Stamp};
use super::view::View;
use crate::analysis::clones::{self, Clones};
use crate::argv::options::{Class, Side, Stage};
use crate::argv::{self, CommandLine, Dialect, Driver, Kind, Settings, dependency_file};
use crate::object::{self, Basis, Fingerprints};
use crate::store::Identity;
use crate::store::absolute;
use crate::store::record::Family;
use crate::sys::confine;

/// What is wanted of a replay beyond the object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Options put behind the recorded ones.
    pub extra: &'a [&'a str],
    /// Paths of edited files in the tree, as they really are: a compile that reads one of them did not see the edit.
    pub edited: Option<&'a BTreeSet<PathBuf>>,
    /// The moment that it is compiled as of; the beginning of time where none is given.
    pub stamp: Option<Stamp>,
}

/// What a replay gave.
#[derive(Debug)]
pub struct Replayed {
    /// The object's bytes.
    pub object: Vec<u8>,
    /// Its fingerprints, with their streams.
    pub prints: Fingerprints,
    /// The files that were read, as paths of the recorded build.
    pub inputs: BTreeSet<PathBuf>,
    /// Why what rewrote the recorded object behind the compiler could not be run on this one.
    pub not_rewritten: Option<String>,
    /// What the compiler said on standard error.
    pub said: Vec<u8>,
    /// GCC's clones dump; `None` where the compiler has none.
    pub clones: Option<Clones>,
}

/// The recorded call of a unit as it can be run again.
#[derive(Debug)]
pub struct Call<'a> {
    identity: &'a Identity,
    line: CommandLine,
    rewriters: Vec<Vec<BString>>,
}

impl<'a> Call<'a> {
    /// Reads the recorded call, or says why it cannot be run again.
    pub fn new(identity: &'a Identity) -> Result<Self, String> {
        let unit = &identity.unit;
        if identity.call.run.is_empty() {
            return Err("no call is known: it was recorded from the object alone".into());
        }
        if unit.source == "-" || unit.source.starts_with(b"/dev/") || unit.source.starts_with(b"/proc/") {
            return Err("its source was standard input".into());
        }
        if !path(&identity.compiler.path).exists() {
            return Err(format!(
                "the recorded compiler `{}` is not here; hint: install the version that built what runs ({})",
                identity.compiler.path, identity.compiler.version
            ));
        }
        let words: Vec<OsString> =
            identity.call.run.iter().map(|word| OsStr::from_bytes(word).to_os_string()).collect();
        let files = &identity.call.response_files;
        let line = argv::parse_with(&words, settings(identity), &mut |name| {
            let name = name.as_bytes();
            files.iter().find(|(known, _)| *known == name).map(|(_, text)| text.to_vec())
        });
        if let Some(word) = hidden_output(&line) {
            return Err(format!("`{word}` writes a file that a replay must not write"));
        }
        if line.lto() && !line.fat_lto() {
            return Err("compiled for link-time optimisation: its object holds no function bytes".into());
        }
        Ok(Self { identity, line, rewriters: Vec::new() })
    }

    /// With the commands that rewrote the recorded object behind the compiler: they are run on what a replay makes, too.
    #[must_use]
    pub fn rewritten_by(mut self, rewriters: Vec<Vec<BString>>) -> Self {
        self.rewriters = rewriters;
        self
    }

    /// Who the unit is.
    pub fn identity(&self) -> &'a Identity {
        self.identity
    }

    /// The directory of the recorded call.
    pub fn directory(&self) -> &'a Path {
        path(&self.identity.call.directory)
    }

    /// The source's absolute path when it was recorded.
    pub fn source(&self) -> PathBuf {
        absolute(self.directory(), path(&self.identity.unit.source))
    }

    /// The arguments, paths moved into `view`, with the object going to `object` and the list of files read to `list`.
    fn arguments(&self, view: &View, object: &Path, list: &Path, wish: Wish<'_>) -> Vec<OsString> {
        // First, so that maps of the call's own, which are more to the point, go before it: where it has one for macros alone, as
        // kbuild's calls do, gcc would prefer one for all files wherever it stands.
        let has_map = (0..self.line.word_count())
            .any(|index| self.line.word(index).as_bytes().contains_str("-prefix-map="));
        let maps: &[&str] =
            if has_map { &["-fdebug-prefix-map=", "-fmacro-prefix-map="] } else { &["-ffile-prefix-map="] };
        let mut out: Vec<OsString> = maps.iter().map(|option| joined(option, &view.prefix_map())).collect();
        out.extend(self.stamp_arguments(wish.stamp.unwrap_or(stamp::BEGINNING)));
        let other_sources: BTreeSet<usize> = {
            let sources = self.line.sources();
            let own = sources
                .iter()
                .position(|source| source.text.as_bytes() == self.identity.unit.source.as_bytes());
            let others =
                sources.iter().enumerate().filter(|(index, _)| Some(*index) != own).map(|(_, it)| it.word);
            others.chain(self.line.link_inputs().iter().map(|input| input.word)).collect()
        };
        let mut behind = Vec::new();
        let mut ended = false;
        for argument in self.line.arguments() {
            let words = self.line.words_of(argument);
            let is_define = match argument.kind {
                Kind::Input => {
                    if other_sources.contains(&argument.word) {
                        continue;
                    }
                    false
                }
                Kind::Option { row, .. } => {
                    if is_left_out(row.class, self.line.value(argument)) {
                        continue;
                    }
                    ended |= row.class == Class::EndOfOptions;
                    matches!(row.class, Class::Define | Class::Undefine)
                }
                Kind::Unknown => false,
            };
            let to = if ended { &mut behind } else { &mut out };
            for index in words {
                let word = self.line.word(index);
                // What a macro holds is part of the program, also where it is a path.
                to.push(if is_define { word.to_os_string() } else { view.word(word) });
            }
        }
        out.extend(wish.extra.iter().map(OsString::from));
        out.extend(["-o".into(), object.into(), "-MD".into(), "-MF".into(), list.into()]);
        out.extend(behind);
        out
    }

    /// Runs the call in `view`. `aside` is the beginning of the names of files that it writes. An error is a fragment: why
    /// there is no object to compare.
    pub fn run(&self, view: &View, aside: &Path, wish: Wish<'_>) -> Result<Replayed, String> {
        let dump = aside.with_extension("clones");
        let asks = self.identity.compiler.family == Family::Gcc;
        let option = format!("-fdump-ipa-clones={}", dump.display());
        let with_dump: Vec<&str> = wish.extra.iter().copied().chain([option.as_str()]).collect();
        let output = aside.with_extension("o");
        let mut ran =
            self.output(view, &output, if asks { Wish { extra: &with_dump, ..wish } } else { wish });
        if asks && ran.as_ref().is_err_and(|why| why.contains("fdump-ipa-clones")) {
            ran = self.output(view, &output, wish); // a compiler of before the dump
        }
        let Output { bytes: mut object, inputs, said } = ran?;
        let clones = fs::read(&dump).ok().map(|dump| clones::parse(&dump));
        let _ = fs::remove_file(&dump); // the folder goes at the end anyway
        let mut not_rewritten = None;
        if !self.rewriters.is_empty() {
            match self.rewrite(view, &aside.with_extension("rewritten.o"), &object) {
                Ok(rewritten) => object = rewritten,
                Err(why) => not_rewritten = Some(why),
            }
        }
        let prints =
            object::fingerprint(&object).map_err(|error| format!("its object is unreadable: {error}"))?;
        if let Basis::Deferred(why) = &prints.basis {
            return Err(format!("its object holds no function bytes before the link ({why})"));
        }
        Ok(Replayed { object, prints, inputs, not_rewritten, said, clones })
    }

    /// What the recorded commands make of an object, laid at `place` for them. An error is a fragment: why they cannot be run.
    fn rewrite(&self, view: &View, place: &Path, object: &[u8]) -> Result<Vec<u8>, String> {
        let said = |error: std::io::Error| error.to_string();
        fs::write(place, object).map_err(said)?;
        let recorded = absolute(self.directory(), path(&self.identity.unit.output));
        for words in &self.rewriters {
            let mut words = words.iter();
            let program = words.next().ok_or("an empty command")?;
            let mut command = Command::new(path(program));
            for word in words {
                let names_it = absolute(self.directory(), path(word)) == recorded;
                command.arg(if names_it { place.as_os_str() } else { OsStr::from_bytes(word) });
            }
            command.current_dir(view.path(self.directory()));
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let ended =
                confined(place, command).map_err(|error| format!("`{program}` cannot be run: {error}"))?;
            if !ended.status.success() {
                let complaint = complaint(&ended.stderr, &ended.status.to_string());
                return Err(format!("`{program}` fails: {complaint}"));
            }
        }
        let rewritten = fs::read(place).map_err(said)?;
        let _ = fs::remove_file(place); // the folder goes at the end anyway
        Ok(rewritten)
    }

    /// How clang is told the moment: older ones do not know `SOURCE_DATE_EPOCH`. A call that defines it itself is left alone.
    fn stamp_arguments(&self, stamp: Stamp) -> Vec<OsString> {
        let defines = |name: &str| self.identity.call.run.iter().any(|word| word.contains_str(name));
        let is_clang = self.identity.compiler.family == Family::Clang;
        if !is_clang || self.has_own_moment() || defines("__DATE__") || defines("__TIME__") {
            return Vec::new();
        }
        let define = |name: &str, value: &str| OsString::from(format!("-D{name}=\"{value}\""));
        vec![
            "-Wno-builtin-macro-redefined".into(),
            define("__DATE__", &stamp.date()),
            define("__TIME__", &stamp.time()),
        ]
    }

    /// Whether the recorded build set the moment of its compiles, so that the replay has it too.
    fn has_own_moment(&self) -> bool {
        self.identity.call.environment.iter().any(|(name, _)| name == MOMENT)
    }

    /// The preprocessed text of the source in `view`, like [`Self::run`].
    pub fn preprocess(
        &self,
        view: &View,
        aside: &Path,
        extra: &[&str],
        edited: Option<&BTreeSet<PathBuf>>,
    ) -> Result<Vec<u8>, String> {
        let extra = [&["-E"], extra].concat();
        let wish = Wish { extra: &extra, edited, stamp: None };
        Ok(self.output(view, &aside.with_extension("i"), wish)?.bytes)
    }

    /// Runs the call, with its output going to `output`.
    fn output(&self, view: &View, output: &Path, wish: Wish<'_>) -> Result<Output, String> {
        let list = output.with_extension("d");
        let directory = view.path(self.directory());
        let mut command = Command::new(path(&self.identity.compiler.path));
        command.args(self.arguments(view, output, &list, wish)).current_dir(&directory).env_clear();
        command.env(MOMENT, wish.stamp.unwrap_or(stamp::BEGINNING).epoch().to_string());
        for (name, value) in &self.identity.call.environment {
            let (name, value) = (OsStr::from_bytes(name), OsStr::from_bytes(value));
            if crate::env::REPORTS.iter().any(|known| name == *known) {
                continue;
            }
            let names_sources = name == "PWD" || SEARCHED.iter().any(|known| name == *known);
            command.env(name, if names_sources { view.word(value) } else { value.to_os_string() });
        }
        if let Some(folder) = output.parent() {
            command.env("TMPDIR", folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let ended = confined(output, command)
            .map_err(|error| format!("`{}` cannot be run: {error}", self.identity.compiler.path))?;
        if !ended.status.success() {
            return Err(format!("does not compile: {}", complaint(&ended.stderr, &ended.status.to_string())));
        }
        let read = fs::read(&list).map_err(|error| format!("the compiler listed no inputs: {error}"))?;
        let inputs = read_files(view, &directory, &read, wish.edited)?;
        let bytes = fs::read(output).map_err(|error| format!("the compiler left no output: {error}"))?;
        let _ = (fs::remove_file(output), fs::remove_file(&list)); // the folder goes at the end anyway
        Ok(Output { bytes, inputs, said: ended.stderr })
    }
}

/// What a run of the compiler left.
struct Output {
    bytes: Vec<u8>,
    inputs: BTreeSet<PathBuf>,
    said: Vec<u8>,
}

/// Runs a command that may write nowhere but where `output` lies.
fn confined(output: &Path, command: Command) -> std::io::Result<std::process::Output> {
    let run = std::sync::Mutex::new(command);
    let run = || run.lock().unwrap_or_else(std::sync::PoisonError::into_inner).output();
    output.parent().map_or_else(run, |folder| confine::within(folder, run))
}

/// The files of a dependency list, as recorded paths; an error where an edited file's original is among them.
fn read_files(
    view: &View,
    directory: &Path,
    list: &[u8],
    edited: Option<&BTreeSet<PathBuf>>,
) -> Result<BTreeSet<PathBuf>, String> {
    let mut inputs = BTreeSet::new();
    for file in dependency_file::parse(list) {
        let named = absolute(directory, path(&file));
        if let Some(edited) = edited
            // As it was opened: behind a link to a directory, `..` is another one than in the text of the path.
            && let Ok(real) = directory.join(path(&file)).canonicalize()
            && edited.contains(&real)
        {
            return Err(format!(
                "it reads `{}` by a path that cannot be moved into a scratch view",
                real.display()
            ));
        }
        inputs.insert(view.recorded(&named));
    }
    Ok(inputs)
}

/// The variable by which a build sets the moment of its compiles (reproducible-builds.org).
const MOMENT: &str = "SOURCE_DATE_EPOCH";

/// Variables that hold search paths for what is read.
const SEARCHED: [&str; 5] =
    ["CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH"];

/// An option that hands the request for a file of its own to the preprocessor or assembler, among others, so that it cannot
/// simply be left out.
fn hidden_output(line: &CommandLine) -> Option<String> {
    let parts =
        |text: &OsStr| text.as_bytes().split(|byte| *byte == b',').map(<[u8]>::to_vec).collect::<Vec<_>>();
    line.arguments().iter().find_map(|argument| {
        let Kind::Option { row, .. } = argument.kind else { return None };
        let parts = parts(line.value(argument)?);
        let writes = match row.class {
            Class::Pass(Stage::Preprocessor) => {
                parts.iter().skip(1).any(|part| part.starts_with(b"-M")) && !is_dependency(&parts)
            }
            Class::Pass(Stage::Assembler) => parts
                .iter()
                .any(|part| part.starts_with(b"--MD") || part.starts_with(b"-a") && part.contains(&b'=')),
            _ => false,
        };
        writes.then(|| line.word(argument.word).to_string_lossy().into_owned())
    })
}

/// `-MD,file` and what belongs to it: left out as a whole.
fn is_dependency(parts: &[Vec<u8>]) -> bool {
    parts.first().is_some_and(|first| first.starts_with(b"-M"))
}

/// Options that write something of their own, or name the object.
fn is_left_out(class: Class, value: Option<&OsStr>) -> bool {
    let has_dependencies = || value.is_some_and(|value| value.as_bytes().starts_with_str("-M"));
    match class {
        Class::Output | Class::Dependency(_) | Class::SaveTemps | Class::SplitDwarf(_) | Class::Verbose => {
            true
        }
        Class::SideOutput(side) => side != Side::FollowsOutput,
        Class::Pass(Stage::Preprocessor) => has_dependencies(),
        _ => false,
    }
}

fn settings(identity: &Identity) -> Settings {
    let dialect = match identity.compiler.family {
        Family::Gcc => Dialect::Gcc,
        Family::Clang => Dialect::Clang,
        Family::Unknown => Dialect::Unknown,
    };
    let name = path(&identity.compiler.path).file_name().and_then(argv::compiler_name);
    let driver = if name.is_some_and(|name| name.cxx) { Driver::Cxx } else { Driver::C };
    Settings { driver, ..Settings::from(dialect) }
}

/// The first error of a compiler's output, or the first line, or how it ended.
fn complaint(stderr: &[u8], status: &str) -> String {
    let lines = || stderr.lines().map(|line| line.to_str_lossy());
    let error = lines().find(|line| line.contains("error:") || line.contains("fatal"));
    error.or_else(|| lines().next()).map_or_else(|| status.to_owned(), |line| line.trim().to_owned())
}

fn joined(option: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(option);
    word.push(value);
    word
}

/// Recorded bytes as a path.
pub fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
