//! From the way lpcc was called to the program that is run: the real compiler, or a launcher before it.
//!
//! Three forms. A shim is called by a compiler's name and finds the next program of that name on PATH. `lpcc gcc-12 …` names
//! the compiler, perhaps behind launchers (`lpcc ccache gcc-12 …`). `lpcc -c x.c` names none: [`env::CC`], else the
//! configuration's, else `cc`, or `gcc` in a kernel's build ([`usual`]).
//!
//! What is found is made absolute but keeps its own name: gcc finds its parts by argv[0], and given a bare
//! name while a shim stands first on PATH it would look for them beside the shim.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::guard::Passed;
use super::usual;
use crate::argv;
use crate::env;

/// As many symbolic links in a row as the kernel follows.
const MOST_LINKS: usize = 40;

/// A compiler call taken apart: what to run, and which of its arguments are the compiler's.
#[derive(Debug, Clone)]
pub struct Target {
    /// The program to execute, absolute, not resolved through links.
    pub program: PathBuf,
    /// Arguments before the compiler's own: the rest of a launcher chain, the compiler's name in it included.
    pub lead: Vec<OsString>,
    /// The compiler's arguments, as given.
    pub args: Vec<OsString>,
    /// Launchers, outermost first, absolute.
    pub launchers: Vec<PathBuf>,
    /// The real compiler; `None` where a launcher was called for something else (`ccache -s`).
    pub compiler: Option<PathBuf>,
    /// Whether the driver's default language is C++.
    pub cxx: bool,
}

/// Why no program was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no compiler `{}` on PATH", .0.to_string_lossy())]
pub struct NotFound(pub OsString);

impl Target {
    /// The whole argv of the program.
    pub fn argv(&self) -> Vec<OsString> {
        let mut argv = vec![self.program.clone().into_os_string()];
        argv.extend(self.lead.iter().chain(&self.args).cloned());
        argv
    }
}

/// The languages lpcc itself can be called for without a compiler being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// `lpcc`
    C,
    /// `lpcc++`
    Cxx,
}

/// The last component of a name or path.
fn base(program: &OsStr) -> &OsStr {
    OsStr::from_bytes(program.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default())
}

fn own(program: &OsStr) -> Option<Own> {
    match base(program).as_bytes() {
        b"lpcc" => Some(Own::C),
        b"lpcc++" => Some(Own::Cxx),
        _ => None,
    }
}

/// Whether a name or path is a compiler driver's, by its base name.
pub fn is_compiler(program: &OsStr) -> bool {
    argv::compiler_name(base(program)).is_some()
}

/// Whether a call by this name or path is a compiler call: a driver's, a launcher's, or lpcc's own.
pub fn stands_for_compiler(program: &OsStr) -> bool {
    is_compiler(program) || is_launcher(program) || own(program).is_some()
}

fn is_cxx(program: &OsStr) -> bool {
    argv::compiler_name(base(program)).is_some_and(|name| name.cxx)
}

fn is_launcher(program: &OsStr) -> bool {
    argv::launcher_name(base(program))
}

/// Finds what stands behind `call`, the whole command line of this process. `configured` gives the compiler that the
/// configuration names, asked only where the call and the environment name none.
pub fn target(
    call: &[OsString],
    passed: &Passed,
    configured: &dyn Fn(Own) -> Option<OsString>,
) -> Result<Target, NotFound> {
    let (name, args) =
        call.split_first().map_or((OsStr::new("lpcc"), call), |(name, args)| (name.as_os_str(), args));
    if own(name).is_none() && is_compiler(name) {
        return named(base(name), args, passed);
    }
    let mut called = own(name).unwrap_or(Own::C);
    let mut args = args;
    // `lpcc lpcc gcc`: each is ourselves.
    while let Some((first, rest)) = args.split_first()
        && let Some(again) = own(first)
    {
        called = again;
        args = rest;
    }
    if let Some((first, rest)) = args.split_first()
        && (is_compiler(first) || is_launcher(first))
    {
        match named(first, rest, passed) {
            // No such program, but such a file: an input with a compiler's name.
            Err(_) if Path::new(first).exists() => {}
            found => return found,
        }
    }
    let variable = match called {
        Own::C => env::CC,
        Own::Cxx => env::CXX,
    };
    let line = env::get(variable).or_else(|| configured(called));
    let words = line.map(|line| split(&line)).unwrap_or_default();
    let words: Vec<OsString> = words.into_iter().skip_while(|word| own(word).is_some()).collect();
    let Some((first, rest)) = words.split_first() else {
        return named(OsStr::new(usual::name(called, Path::new("."))), args, passed);
    };
    let whole: Vec<OsString> = rest.iter().chain(args).cloned().collect();
    named(first, &whole, passed)
}

/// The target where the program is named by `first`: a compiler, or launchers before one.
fn named(first: &OsStr, rest: &[OsString], passed: &Passed) -> Result<Target, NotFound> {
    let program = find(first, passed)?;
    let plain = Target {
        program: program.clone(),
        lead: Vec::new(),
        args: rest.to_vec(),
        launchers: Vec::new(),
        compiler: None,
        cxx: is_cxx(first),
    };
    if !is_launcher(first) {
        // The name is a compiler's, but what it leads to may be a launcher in disguise.
        let mut target = plain;
        (target.launchers, target.compiler) = behind_disguise(&program, first, passed);
        return Ok(target);
    }
    let mut target = plain;
    target.launchers.push(program);
    while let Some((word, after)) = target.args.split_first() {
        let (word, after) = (word.clone(), after.to_vec());
        let setting = target.lead.len() + 1 == target.launchers.len() && word.as_bytes().contains(&b'=');
        if is_launcher(&word) {
            target.launchers.push(find(&word, passed)?);
            target.lead.push(word);
        } else if is_compiler(&word) {
            let compiler = find(&word, passed)?;
            let disguised = on_path(&word).next().is_some_and(|found| passed.contains(&found));
            target.cxx = is_cxx(&word);
            // A cache must not take our shim for the compiler: it would watch lpcc for changes instead.
            target.lead.push(if disguised { compiler.clone().into_os_string() } else { word.clone() });
            let (more, compiler) = behind_disguise(&compiler, &word, passed);
            target.launchers.extend(more);
            target.compiler = compiler;
            target.args = after;
            break;
        } else if own(&word).is_some() || setting {
            target.lead.push(word);
        } else {
            break;
        }
        target.args = after;
    }
    Ok(target)
}

/// The compiler that runs when `program` is executed under `name`: itself, or (where it is a link to a launcher,
/// `/usr/lib/ccache/gcc`) the next program of that name that is none, with the launchers passed on the way.
fn behind_disguise(program: &Path, name: &OsStr, passed: &Passed) -> (Vec<PathBuf>, Option<PathBuf>) {
    if !is_disguised(program) {
        return (Vec::new(), Some(program.to_path_buf()));
    }
    let bare = base(name);
    let compiler = on_path(bare).find(|path| !passed.contains(path) && !is_disguised(path));
    (vec![program.to_path_buf()], compiler)
}

/// Whether `path` is a link, through however many, to a launcher.
fn is_disguised(path: &Path) -> bool {
    let mut at = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = std::fs::read_link(&at) else { return false };
        if next.file_name().is_some_and(is_launcher) {
            return true;
        }
        at = at.parent().unwrap_or(Path::new("/")).join(next);
    }
    false
}

/// The first program called `name` that is none of the wrappers already passed.
pub fn find(name: &OsStr, passed: &Passed) -> Result<PathBuf, NotFound> {
    let mut found = on_path(name).peekable();
    if let Some(first) = found.peek()
        && name.as_bytes().contains(&b'/')
        && passed.contains(first)
    {
        // A path to ourselves (`CC=/opt/shims/gcc` under `lpcc`) means the next of that name.
        let bare = base(name);
        return on_path(bare).find(|path| !passed.contains(path)).ok_or_else(|| NotFound(name.to_owned()));
    }
    found.find(|path| !passed.contains(path)).ok_or_else(|| NotFound(name.to_owned()))
}

/// Every executable called `name` on PATH, absolute, in order; for a name with a slash that file alone.
pub fn on_path(name: &OsStr) -> impl Iterator<Item = PathBuf> {
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    which::which_in_all(name, Some(env::search_path()), directory)
        .into_iter()
        .flatten()
        .map(|path| std::path::absolute(&path).unwrap_or(path))
}

/// A command line in a variable, split as a shell would; bytes outside UTF-8, or quotes that do not close, split
/// at blanks alone.
fn split(line: &OsStr) -> Vec<OsString> {
    if let Some(words) = line.to_str().and_then(|text| shell_words::split(text).ok()) {
        return words.into_iter().map(OsString::from).collect();
    }
    line.as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}
