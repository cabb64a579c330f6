//! What lies on the disk of a build that was done: calls with their objects, links, and objects that nobody tells of.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use rayon::prelude::*;
use serde::Deserialize;
use walkdir::WalkDir;

use super::kbuild::{self, Saved};
use crate::compiler::find;
use crate::store::{absolute, is_object_file, locate};

/// A `.cmd` file larger than this is none.
const LARGEST: u64 = 16 << 20;

/// All that was found, each part sorted by its object.
#[derive(Debug, Default)]
pub struct Found {
    /// Compiles.
    pub units: Vec<Compiled>,
    /// Links.
    pub links: Vec<Linked>,
    /// Objects without a call.
    pub alone: Vec<PathBuf>,
    /// Objects that a call is known of and that are not there.
    pub gone: usize,
    /// What could not be read or understood: lines for a person.
    pub troubles: Vec<String>,
}

/// A compile whose object is there.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// The object, absolute.
    pub object: PathBuf,
    /// The compiler and its arguments.
    pub words: Vec<BString>,
    /// Where it ran; `None` where nothing tells before the object is read.
    pub directory: Option<PathBuf>,
    /// Files that kbuild knows it read.
    pub files: Option<Vec<BString>>,
    /// Commands that rewrote the object behind the compiler.
    pub rewriters: Vec<Vec<BString>>,
    /// The shell did more than what was understood.
    pub is_shell: bool,
}

/// A link whose output is there.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The output, absolute.
    pub output: PathBuf,
    /// The linker, or the compiler that calls it, and its arguments.
    pub words: Vec<BString>,
    /// Where it ran.
    pub directory: PathBuf,
}

/// Looks through a build's directory: kbuild's `.cmd` files, and objects that none of them tells of. `called_in` is where calls
/// ran whose files do not tell.
pub fn in_tree(root: &Path, called_in: Option<&Path>) -> Found {
    let mut found = Found::default();
    let (mut saved, mut objects) = (Vec::new(), Vec::new());
    let walk = WalkDir::new(root).follow_root_links(true).into_iter();
    for entry in walk.filter_entry(|entry| {
        entry.depth() == 0 || (entry.file_name() != locate::DIRECTORY && entry.file_name() != ".git")
    }) {
        match entry {
            Ok(entry) if !entry.file_type().is_file() => {}
            Ok(entry) => {
                let name = entry.file_name().as_bytes();
                if name.starts_with(b".") && name.ends_with(b".cmd") {
                    saved.push(entry.into_path());
                } else if name.ends_with(b".o") {
                    objects.push(entry.into_path());
                }
            }
            Err(error) => found.troubles.push(format!("cannot read the directory: {error}")),
        }
    }
    let read: Vec<(PathBuf, Result<Option<Saved>, String>)> = saved
        .into_par_iter()
        .map(|file| {
            let saved = read_saved(&file);
            (file, saved)
        })
        .collect();
    let mut told = BTreeSet::new();
    for (file, saved) in read {
        match saved {
            Ok(Some(saved)) => told.extend(found.add_saved(&file, saved, called_in)),
            Ok(None) => {}
            Err(why) => found.troubles.push(format!("`{}`: {why}", file.display())),
        }
    }
    objects.retain(|object| !told.contains(object.as_path()));
    found.alone = objects.into_par_iter().filter(|object| is_object_file(object)).collect();
    found.sorted()
}

/// An entry of a compilation database (Clang's format).
#[derive(Deserialize)]
struct Entry {
    directory: PathBuf,
    #[serde(default)]
    arguments: Option<Vec<String>>,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    output: Option<PathBuf>,
}

/// Reads a compilation database. An error is a fragment.
pub fn in_database(file: &Path) -> Result<Found, String> {
    let text = fs::read(file).map_err(|error| error.to_string())?;
    let entries: Vec<Entry> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let beside = file.parent().unwrap_or(Path::new("/"));
    let mut found = Found::default();
    let mut known = BTreeSet::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let directory = absolute(beside, &entry.directory);
        let (commands, is_shell) = match (entry.arguments, entry.command) {
            (Some(words), _) => (vec![words.into_iter().map(BString::from).collect()], false),
            (None, Some(command)) => kbuild::commands(command.as_bytes()),
            (None, None) => (Vec::new(), false),
        };
        let Some(at) = commands.iter().position(|words| is_compile(words)) else {
            found.troubles.push(format!(
                "`{}`: entry {} calls no compiler that is known",
                file.display(),
                index + 1
            ));
            continue;
        };
        let Some(words) = commands.get(at).map(|words| without_settings(words).to_vec()) else { continue };
        let named = entry.output.or_else(|| super::call::object_of(&words, &directory));
        let Some(object) = named.map(|object| absolute(&directory, &object)) else {
            found.troubles.push(format!("`{}`: entry {} makes no object", file.display(), index + 1));
            continue;
        };
        // The last entry of an object is what stands there now.
        if !object.is_file() {
            found.gone += 1;
        } else if known.insert(object.clone()) {
            let mut unit = Compiled {
                rewriters: rewriters(&commands, at, object.as_os_str().as_bytes()),
                object,
                words,
                directory: Some(directory),
                is_shell,
                ..Compiled::default()
            };
            unit.take_beside();
            found.units.push(unit);
        }
    }
    Ok(found.sorted())
}

impl Compiled {
    /// What kbuild keeps beside the object, where the call came from elsewhere.
    fn take_beside(&mut self) {
        let Some(saved) = beside(&self.object) else { return };
        if let Some(at) = saved.commands.iter().position(|words| is_compile(words)) {
            self.rewriters = rewriters(&saved.commands, at, &saved.target);
            self.files = saved.files;
        }
    }
}

impl Found {
    /// Takes in what a `.cmd` file tells. Gives the output that it is about.
    fn add_saved(&mut self, file: &Path, saved: Saved, called_in: Option<&Path>) -> Option<PathBuf> {
        let folder = file.parent()?;
        let name = file.file_name()?.as_bytes();
        let name = name.get(1..name.len() - b".cmd".len())?;
        let output = folder.join(OsStr::from_bytes(name));
        if !is_binary_name(name) {
            return None;
        }
        let directory = directory_of(folder, &saved.target).or_else(|| called_in.map(Path::to_path_buf));
        let compile = saved.commands.iter().position(|words| is_compile(words) && compiles(words));
        if !output.is_file() {
            self.gone += usize::from(compile.is_some());
            return None;
        }
        if let Some(at) = compile.filter(|_| name.ends_with(b".o")) {
            self.units.push(Compiled {
                object: output.clone(),
                words: saved
                    .commands
                    .get(at)
                    .map(|words| without_settings(words).to_vec())
                    .unwrap_or_default(),
                directory,
                files: saved.files,
                rewriters: rewriters(&saved.commands, at, &saved.target),
                is_shell: saved.is_shell,
            });
        } else if let Some(words) = saved.commands.iter().find(|words| is_link(words)) {
            let directory = directory.unwrap_or_else(|| folder.to_path_buf());
            let words = without_settings(words).to_vec();
            self.links.push(Linked { output: output.clone(), words, directory });
        } else {
            return None;
        }
        Some(output)
    }

    fn sorted(mut self) -> Self {
        self.units.sort_by(|a, b| a.object.cmp(&b.object));
        self.links.sort_by(|a, b| a.output.cmp(&b.output));
        self.alone.sort();
        self.troubles.sort();
        self
    }
}

/// What kbuild keeps beside an object.
fn beside(object: &Path) -> Option<Saved> {
    let mut hidden = OsString::from(".");
    hidden.push(object.file_name()?);
    hidden.push(".cmd");
    read_saved(&object.with_file_name(hidden)).ok().flatten()
}

/// The programs that rewrite an object behind the compiler, as kbuild's file beside it tells.
pub fn rewriters_of(object: &Path) -> Vec<String> {
    let Some(saved) = beside(object) else { return Vec::new() };
    let compile = saved.commands.iter().position(|words| is_compile(words));
    let behind = compile.map(|at| rewriters(&saved.commands, at, &saved.target)).unwrap_or_default();
    let names = behind.iter().filter_map(|words| words.first()).map(|program| {
        Path::new(OsStr::from_bytes(program)).file_name().unwrap_or_default().to_string_lossy().into_owned()
    });
    names.collect()
}

fn read_saved(file: &Path) -> Result<Option<Saved>, String> {
    let large = fs::metadata(file).is_ok_and(|meta| meta.len() > LARGEST);
    if large {
        return Err("too large to be one of kbuild's".to_owned());
    }
    fs::read(file).map(|text| kbuild::parse(&text)).map_err(|error| error.to_string())
}

/// Names of what compiles and links make; kbuild keeps `.cmd` files of headers and lists too.
fn is_binary_name(name: &[u8]) -> bool {
    name.ends_with(b".o") || name.ends_with(b".ko") || name.ends_with(b".so") || !name.contains(&b'.')
}

/// Where make ran: the folder without what the relative target names of it.
fn directory_of(folder: &Path, target: &BString) -> Option<PathBuf> {
    let target = Path::new(OsStr::from_bytes(target));
    if target.is_absolute() {
        return None;
    }
    let inner = absolute(Path::new("/"), target.parent()?);
    let inner = inner.strip_prefix("/").ok()?;
    let mut directory = folder.to_path_buf();
    for part in inner.components().rev() {
        if directory.file_name() != Some(part.as_os_str()) {
            return None;
        }
        directory.pop();
    }
    Some(directory)
}

/// Words behind `NAME=value` settings of the shell's.
fn without_settings(words: &[BString]) -> &[BString] {
    let is_setting = |word: &BString| {
        let name = word.split_str("=").next().unwrap_or_default();
        name.len() < word.len()
            && !name.is_empty()
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let count = words.iter().take_while(|word| is_setting(word)).count();
    words.get(count..).unwrap_or_default()
}

fn program(words: &[BString]) -> &OsStr {
    without_settings(words).first().map_or(OsStr::new(""), |word| OsStr::from_bytes(word))
}

/// Whether the program is a compiler, or a launcher before one.
fn is_compile(words: &[BString]) -> bool {
    find::stands_for_compiler(program(words))
}

fn compiles(words: &[BString]) -> bool {
    words.iter().any(|word| word == "-c")
}

fn is_link(words: &[BString]) -> bool {
    let name = Path::new(program(words)).file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let is_linker =
        name == b"ld" || name.starts_with(b"ld.") || name.starts_with(b"ld-") || name.ends_with(b"-ld");
    is_linker || is_compile(words) && !compiles(words)
}

/// Commands behind the compile that name its object.
fn rewriters(commands: &[Vec<BString>], compile: usize, target: &[u8]) -> Vec<Vec<BString>> {
    let behind = commands.iter().skip(compile + 1);
    behind.filter(|words| words.iter().skip(1).any(|word| word.as_slice() == target)).cloned().collect()
}
