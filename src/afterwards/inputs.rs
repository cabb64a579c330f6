//! What a compile read that was not watched.
//!
//! From the best witness to the worst: kbuild's list beside the object, the dependency file that the build asked for, the same
//! compiler asked again for its list (`-M`), the line table of the object's debug information. Whatever the witness, the
//! contents are today's: a file that changed after the object was made is named without a hash, and a remark says so.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use bstr::BString;

use super::call::Call;
use crate::argv::{Coverage, Language, dependency_file};
use crate::compiler::guard::Passed;
use crate::env;
use crate::object::origin::Origin;
use crate::store::Store;
use crate::store::record::{Completeness, Input, Inputs};

/// Files, or files and why there may be more.
type Known = Result<Vec<BString>, (Vec<BString>, String)>;

/// Where things are asked and written.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Holds the cache of content hashes.
    pub store: &'a Store,
    /// A directory for files of ours.
    pub scratch: &'a Path,
    /// The wrappers that a compiler we run must pass by.
    pub passed: &'a Passed,
    /// A number that no other unit has.
    pub number: usize,
}

/// The inputs of a call that made an object at `made`. `kept` is kbuild's list.
pub fn of_call(
    call: &Call,
    kept: Option<Vec<BString>>,
    origin: &dyn Fn() -> Origin,
    made: Option<SystemTime>,
    place: Place<'_>,
) -> (Inputs, Option<String>) {
    let mut known = witnessed(call, kept, place);
    if let Err((files, why)) = &known
        && files.is_empty()
    {
        let told = origin().files;
        if !told.is_empty() {
            known = Err((told, format!("{why}; files are those of the debug information")));
        }
    }
    if call.source.language == Language::Assembler && known.is_ok() {
        // What the assembler itself reads is in nobody's list.
        known = known.and_then(|files| Err((files, "`.include` and `.incbin` of the assembler".to_owned())));
    }
    finish(known, &BString::from(call.source.text.as_bytes()), &call.directory, made, place.store)
}

/// The inputs of an object without a call.
pub fn of_object(origin: &Origin, made: Option<SystemTime>, store: &Store) -> (Inputs, Option<String>) {
    let why = "no call is known; files are those of the debug information";
    let source = origin.source.clone().unwrap_or_default();
    let directory =
        origin.directory.as_ref().map_or(Path::new("/"), |path| Path::new(OsStr::from_bytes(path)));
    let why = if origin.files.is_empty() { "nothing tells what was read" } else { why };
    finish(Err((origin.files.clone(), why.to_owned())), &source, directory, made, store)
}

fn witnessed(call: &Call, kept: Option<Vec<BString>>, place: Place<'_>) -> Known {
    if !call.source.preprocessed {
        return Ok(Vec::new());
    }
    let coverage = call.line.dependency().map(|dependency| dependency.coverage);
    let judged = |files: Vec<BString>| match coverage {
        Some(Coverage::NoSystemHeaders) if !call.line.no_system_directories() => {
            Err((files, "`-MMD`: no system headers".to_owned()))
        }
        _ => Ok(files),
    };
    if let Some(mut files) = kept {
        files.extend(left_out_by_fixdep(&files, &call.directory));
        return judged(files);
    }
    let file = call.line.dependency().and_then(|dependency| {
        let index = call.line.sources().iter().position(|source| source.word == call.source.word)?;
        dependency.files.into_iter().find(|(of, _)| *of == index).map(|(_, file)| file)
    });
    if let Some(text) = file.and_then(|file| fs::read(call.directory.join(file)).ok()) {
        let files = dependency_file::parse(&text);
        if !files.is_empty() {
            return judged(files);
        }
    }
    asked(call, place).map_err(|why| (Vec::new(), why))
}

/// fixdep takes the configuration out of its lists, since it lists each option of it instead.
fn left_out_by_fixdep(files: &[BString], directory: &Path) -> Vec<BString> {
    let is_kernel = files.iter().any(|file| file.ends_with(b"include/linux/kconfig.h"));
    let generated = ["include/generated/autoconf.h", "include/generated/autoksyms.h"];
    let there = generated.iter().filter(|file| is_kernel && directory.join(file).is_file());
    there.map(|file| BString::from(*file)).collect()
}

/// Asks the compiler for its list.
fn asked(call: &Call, place: Place<'_>) -> Result<Vec<BString>, String> {
    let compiler = call.compiler().ok_or("the compiler is not here")?;
    let list = place.scratch.join(format!("{}.d", place.number));
    let question = [OsString::from("-M"), "-o".into(), list.clone().into()];
    let mut command = Command::new(compiler);
    command.args(call.line.shadow_of(&call.source).without_markers().with_appended(question).finish());
    for name in env::WRITERS {
        command.env_remove(name);
    }
    command.env(env::PASSED, place.passed.value_for(compiler)).current_dir(&call.directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = command.status().map_err(|error| format!("the compiler cannot be run: {error}"))?;
    let files = fs::read(&list).map(|text| dependency_file::parse(&text)).unwrap_or_default();
    let _ = fs::remove_file(&list);
    if !ended.success() || files.is_empty() {
        return Err("the compiler, asked again, gives no list of what it reads".to_owned());
    }
    Ok(files)
}

/// The list with its hashes, and the remark about files that changed since.
fn finish(
    known: Known,
    source: &BString,
    directory: &Path,
    made: Option<SystemTime>,
    store: &Store,
) -> (Inputs, Option<String>) {
    let (files, completeness) = match known {
        Ok(files) => (files, Completeness::Full),
        Err((files, why)) => (files, Completeness::Partial(why)),
    };
    let mut paths: Vec<BString> = Vec::with_capacity(files.len() + 1);
    let mut seen = HashSet::new();
    for path in std::iter::once(source.clone()).chain(files) {
        if !path.is_empty() && seen.insert(path.clone()) {
            paths.push(path);
        }
    }
    let mut changed: Option<BString> = None;
    let files = paths
        .into_iter()
        .map(|path| {
            let file = directory.join(OsStr::from_bytes(&path));
            let time = fs::metadata(&file).and_then(|meta| meta.modified()).ok();
            let is_later = time.zip(made).is_some_and(|(time, made)| time > made);
            if is_later {
                changed.get_or_insert_with(|| path.clone());
            }
            let hash = if is_later { None } else { store.hash_file(&file) };
            Input { path, hash }
        })
        .collect();
    let remark =
        changed.map(|first| format!("changed after the object was made: `{first}`, maybe among others"));
    (Inputs { completeness, files }, remark)
}
