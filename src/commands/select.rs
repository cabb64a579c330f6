//! `lpcc select`: from a fix to the functions that a live patch must carry.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::{Context, bail};

use super::{located, pairs, side};
use crate::analysis::judge::Target;
use crate::analysis::selection::{Selection, Verdict};
use crate::report::error::{DIFFERENT, SAME, TROUBLE, UNPATCHABLE};
use crate::report::progress::Progress;
use crate::report::{output, select_json, select_lists, select_matrix, select_text};
use crate::select::{self, Request, Watcher};
use crate::store::Recording;
use crate::wrap::configuration::Configuration;

/// The functions that a live patch must carry, each with the reason.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The old side, where two recordings or objects are compared instead of applying a patch.
    #[arg(requires = "new", conflicts_with = "patch", required_unless_present = "patch")]
    old: Option<OsString>,
    /// The new side.
    new: Option<OsString>,
    /// The fix: a git or plain unified diff, or a directory of them (in the order of its `series`, or of names); may be given
    /// several times, and is applied in order.
    #[arg(long, value_name = "FILE")]
    patch: Vec<PathBuf>,
    /// The recording of the shipped build: a name, an export, a store, or a directory with one; `now` is the store's current state.
    #[arg(long, value_name = "RECORDING", default_value = "now")]
    recording: OsString,
    /// The source tree that the patch applies to, as it was built. It is never written.
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Patches that are applied already in what runs now, on top of the recorded build: the fix is selected on top of them.
    #[arg(long, value_name = "FILE")]
    on: Vec<PathBuf>,
    /// Select in several builds and print one table: recordings, each with its source tree behind `=` where it is not that of
    /// --source.
    #[arg(long, value_name = "RECORDING[=DIR]", num_args = 1.., requires = "patch")]
    matrix: Vec<OsString>,
    /// A shipped binary or its debug file, to be compared with the recording by build id, producer and functions.
    #[arg(long, value_name = "FILE", requires = "patch")]
    shipped: Vec<PathBuf>,
    /// Where a directory of the recorded build lies now; may be given several times.
    #[arg(long, value_name = "OLD=NEW")]
    map: Vec<OsString>,
    /// Leading components to strip from the names in the patch, as `patch -p`; found out where it is not given.
    #[arg(short = 'p', long, value_name = "NUMBER")]
    strip: Option<usize>,
    /// What will take the functions over: kernel live patching, libpulp, or nothing that asks for a hook.
    #[arg(long, value_enum, default_value_t)]
    target: TargetName,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// With `--format ulp`: the library to patch, as it is loaded.
    #[arg(long, value_name = "PATH", default_value = "LIBRARY")]
    library: String,
    /// With `--format ulp`: the live patch to be made.
    #[arg(long, value_name = "PATH", default_value = "LIVEPATCH.so")]
    container: String,
    /// Look for recordings in this store instead of the one found from here.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Names of targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum TargetName {
    /// Linux kernel live patching.
    Klp,
    /// libpulp.
    Ulp,
    /// No verdict on hooks.
    #[default]
    None,
}

impl From<TargetName> for Target {
    fn from(name: TargetName) -> Self {
        match name {
            TargetName::Klp => Self::Klp,
            TargetName::Ulp => Self::Ulp,
            TargetName::None => Self::None,
        }
    }
}

/// How a selection is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a program: one JSON document, see docs/json.md.
    Json,
    /// `file.c f1,f2`, for klp-ccp and SUSE's klp-build.
    KlpCcp,
    /// `file.o: changed function: f`, as kpatch lists them.
    Kpatch,
    /// libpulp's description of a live patch (`.dsc`).
    Ulp,
    /// `file.c -DCE_EXTRACT_FUNCTIONS=f1,f2`, for clang-extract.
    ClangExtract,
    /// `compile_commands.json` for the units concerned.
    CompileCommands,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let target = Target::from(args.target);
    if !args.matrix.is_empty() {
        return matrix(args, target);
    }
    let (what, mut selection) = match (&args.old, &args.new) {
        (Some(old), Some(new)) => {
            let sides =
                (side::resolve(old, args.store.as_deref()), side::resolve(new, args.store.as_deref()));
            let what = format!("{} -> {}", sides.0.label, sides.1.label);
            (what, pairs::select(&sides, target))
        }
        _ => (names(&args.patch), by_patch(args, &args.recording, &args.source, target)?),
    };
    accept(&mut selection);
    let text = match args.format {
        Format::Text => select_text::render(&what, &selection, target),
        Format::Json => select_json::render(&selection, target)?,
        Format::KlpCcp => select_lists::klp_ccp(&selection),
        Format::Kpatch => select_lists::kpatch(&selection),
        Format::Ulp => select_lists::ulp(&selection, &args.library, &args.container),
        Format::ClangExtract => select_lists::clang_extract(&selection),
        Format::CompileCommands => select_lists::compile_commands(&selection)?,
    };
    output::print(&text)?;
    if !matches!(args.format, Format::Text | Format::Json) {
        warn(&selection);
    }
    Ok(ExitCode::from(status(&selection)))
}

/// The same fix in several builds.
fn matrix(args: &Args, target: Target) -> anyhow::Result<ExitCode> {
    let mut columns = Vec::new();
    for build in &args.matrix {
        let (recording, source) = match split(build) {
            Some((recording, source)) => (recording, source.into()),
            None => (build.clone(), args.source.clone()),
        };
        let selection = by_patch(args, &recording, &source, target);
        let mut selection = selection.with_context(|| format!("`{}`", build.to_string_lossy()))?;
        accept(&mut selection);
        columns.push((recording.to_string_lossy().into_owned(), selection));
    }
    let text = match args.format {
        Format::Text => select_matrix::render(&names(&args.patch), &columns),
        Format::Json => select_matrix::json(&columns, target)?,
        _ => bail!("--matrix prints text or json"),
    };
    output::print(&text)?;
    let severity =
        |status: u8| [SAME, DIFFERENT, UNPATCHABLE, TROUBLE].iter().position(|known| *known == status);
    let statuses = columns.iter().map(|(_, selection)| status(selection));
    Ok(ExitCode::from(statuses.max_by_key(|status| severity(*status)).unwrap_or(SAME)))
}

/// Marks what the configuration accepts.
fn accept(selection: &mut Selection) {
    let configuration = Configuration::here();
    let read = configuration.read();
    if let Some(trouble) = &read.trouble {
        output::complain(trouble);
    }
    let accepted = read.config.as_ref().map(|config| config.accepted.as_slice()).unwrap_or_default();
    for function in &mut selection.functions {
        if function.verdict == Verdict::Unpatchable {
            let (symbol, object) = (OsStr::from_bytes(&function.symbol), OsStr::from_bytes(&function.object));
            let exception = accepted.iter().find(|accept| accept.covers(symbol, Path::new(object)));
            function.accepted = exception.map(|accept| accept.reason.clone());
        }
    }
}

/// A list has no room for what must be known all the same.
fn warn(selection: &Selection) {
    for drift in &selection.rebuild.drift {
        output::complain(&format!("drift: {} {}: {}", drift.object, drift.symbol, drift.detail));
    }
    for unit in &selection.rebuild.not_replayed {
        output::complain(&format!("not replayed: {}: {}", unit.source, unit.reason));
    }
    for file in selection.unread.iter().filter(|file| file.matters) {
        output::complain(&format!("not read: {}: {}", file.path, file.reason));
    }
    for function in selection.functions.iter().filter(|function| function.verdict == Verdict::Unpatchable) {
        let why = function.obstacles.first().map(String::as_str).unwrap_or_default();
        output::complain(&format!("cannot be patched: {}: {why}", function.symbol));
    }
}

/// Trouble beats all: a selection that may lack something is not to be taken for one.
fn status(selection: &Selection) -> u8 {
    match () {
        () if selection.is_incomplete() => TROUBLE,
        () if selection.unpatchable() > 0 => UNPATCHABLE,
        () if !selection.is_empty() => DIFFERENT,
        () => SAME,
    }
}

fn names(patches: &[PathBuf]) -> String {
    let names: Vec<_> = patches
        .iter()
        .map(|patch| patch.file_name().unwrap_or(patch.as_os_str()).to_string_lossy().into_owned())
        .collect();
    names.join(", ")
}

fn by_patch(args: &Args, recording: &OsStr, source: &Path, target: Target) -> anyhow::Result<Selection> {
    let recording = open(recording, args)?;
    let tree = source
        .canonicalize()
        .with_context(|| format!("cannot find the source tree `{}`", source.display()))?;
    if !tree.is_dir() {
        bail!(
            "`{}` is no directory; hint: --source names the tree that the patch applies to",
            tree.display()
        );
    }
    let request = Request {
        patches: args.patch.clone(),
        earlier: args.on.clone(),
        tree,
        maps: args.map.iter().map(|map| self::map(map)).collect::<anyhow::Result<_>>()?,
        strip: args.strip,
        target,
    };
    let store = located::find(args.store.as_deref()).ok().flatten();
    let mut selection = select::by_patch(&request, &recording, store.as_ref(), &Watch::default())?;
    for shipped in &args.shipped {
        select::shipped::compare(shipped, &recording, &mut selection)
            .map_err(|why| anyhow::anyhow!("cannot compare with `{}`: {why}", shipped.display()))?;
    }
    Ok(selection)
}

/// The recording to ask, by name or place.
fn open(name: &OsStr, args: &Args) -> anyhow::Result<Recording> {
    match side::target(name, args.store.as_deref()) {
        Ok(side::Target::Recording(recording)) => Ok(recording),
        Ok(_) => bail!("`{}` is no recording; hint: `lpcc store list` names them", name.to_string_lossy()),
        Err(why) => bail!(why),
    }
}

/// What stands on both sides of the first `=`.
fn split(text: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = text.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=')?;
    let side = |bytes: &[u8]| OsStr::from_bytes(bytes).to_os_string();
    Some((side(bytes.get(..equals)?), side(bytes.get(equals + 1..)?)))
}

/// `OLD=NEW`, both absolute afterwards.
fn map(text: &OsStr) -> anyhow::Result<(PathBuf, PathBuf)> {
    let Some((old, new)) = split(text) else {
        bail!("--map `{}`: expected OLD=NEW", text.to_string_lossy());
    };
    if !Path::new(&old).is_absolute() {
        bail!("--map `{}`: the recorded directory must be absolute", text.to_string_lossy());
    }
    let new = Path::new(&new);
    let new = new.canonicalize().with_context(|| format!("--map: cannot find `{}`", new.display()))?;
    Ok((crate::store::absolute(Path::new("/"), Path::new(&old)), new))
}

/// Shows how far the replay has come.
#[derive(Default)]
struct Watch(OnceLock<Progress>);

impl Watcher for Watch {
    fn begin(&self, total: usize) {
        let _ = self.0.set(Progress::of_replays(total));
    }

    fn step(&self) {
        if let Some(progress) = self.0.get() {
            progress.step();
        }
    }
}
