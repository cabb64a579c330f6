//! A patch to a selection: the functions that a live patch must carry.
//!
//! The tempting way is the one of the peers: build everything twice, compare all objects. lpcc recorded the shipped build, so
//! it runs again only the compiles whose inputs the patch touches, on both sides:
//!
//! 1. [`patch`] and [`apply`]: the patch is applied to copies; the tree is never written.
//! 2. [`units`]: the recorded units that read an edited file.
//! 3. [`view`]: a mirror of the tree for each state: as recorded, patched, patched with line numbers kept ([`lines`]).
//! 4. [`replay`]: the recorded call, run again in a view. The unpatched side must give the recorded fingerprints: where it
//!    does not, that is `drift`, and said first.
//! 5. [`unit`]: both sides compared; [`edits`], [`indirect`], [`ablation`] and [`bisect`] find the reasons, [`crate::analysis`] does the rest.
//!
//! What cannot be replayed, and every patched file that nobody read, is named with the reason, and the rest goes on.

pub mod ablation;
pub mod apply;
pub mod bisect;
pub mod counter;
pub mod edits;
pub mod error;
pub mod indirect;
pub mod lines;
pub mod noise;
pub mod patch;
pub mod pieces;
pub mod replay;
pub mod restored;
pub mod scan;
pub mod shipped;
pub mod stamp;
pub mod unit;
pub mod units;
pub mod view;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bstr::BString;
use rayon::prelude::*;

use crate::analysis::judge::{Neighbours, Target};
use crate::analysis::selection::{NotReplayed, Selection, UnitCall, Unread};
use crate::store::{Recording, Store, UnitEntry, absolute, is_too_wide};
use apply::{Applied, Edited};
use edits::File;
pub use error::SelectError;
use replay::Call;
use restored::Restored;
use unit::{Answer, Context, Views};
use units::Known;
use view::{Depth, Root, View};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Patch files and directories of patches, in order.
    pub patches: Vec<PathBuf>,
    /// Patches that are applied already in what runs now, on top of the recorded build.
    pub earlier: Vec<PathBuf>,
    /// The source tree that they apply to, absolute.
    pub tree: PathBuf,
    /// Directories of the recorded build that lie elsewhere now: old, new.
    pub maps: Vec<(PathBuf, PathBuf)>,
    /// `patch`'s `-p`.
    pub strip: Option<usize>,
    /// What takes the functions over.
    pub target: Target,
}

/// Hears how far the work has come.
pub trait Watcher: Sync {
    /// So many units are to be replayed.
    fn begin(&self, total: usize);
    /// One is done.
    fn step(&self);
}

/// Selects for a patch. `store` holds the cache of content hashes.
pub fn by_patch(
    request: &Request,
    recording: &Recording,
    store: Option<&Store>,
    watcher: &dyn Watcher,
) -> Result<Selection, SelectError> {
    let scratch = tempfile::Builder::new()
        .prefix("lpcc-select-")
        .tempdir()
        .map_err(SelectError::file("make a directory in", Path::new("the directory for temporary files")))?;
    // A path through a link would not be recognised in what compilers list.
    let top = scratch.path().canonicalize().map_err(SelectError::file("read", scratch.path()))?;
    let (earlier, patches) = (apply::series(&request.earlier)?, apply::series(&request.patches)?);
    let aside = top.join("patched");
    fs::create_dir(&aside).map_err(SelectError::file("make", &aside))?;
    let Applied { files, earlier, notes } =
        apply::apply(&request.tree, (&earlier, &patches), request.strip, &aside)?;

    let mut selection = Selection::default();
    selection.rebuild.notes = notes;
    let known = known(recording, &mut selection);
    let tree = recorded_path(request, &request.tree);
    let named: Vec<(PathBuf, bool)> =
        files.iter().map(|file| (absolute(&tree, &file.path), file.old.is_none())).collect();
    let touched = units::touched(&known, &named);
    if touched.units.is_empty()
        && let Some(recorded) = units::elsewhere(&known, &tree, &request.tree, &files)
    {
        return Err(SelectError::NotRecorded { tree: request.tree.clone(), recorded });
    }
    unread(&mut selection, &touched.unread, &files, &tree);
    if touched.incomplete > 0 {
        selection.rebuild.notes.push(format!(
            "{} more units are replayed because what they read was not fully recorded",
            touched.incomplete
        ));
    }
    selection.rebuild.units = touched.units.len();
    let mut restored = Restored::default();
    let calls =
        calls(request, (&known, recording), &touched.units, (&files, &tree), &mut restored, &mut selection);
    let left_alone: BTreeSet<PathBuf> =
        files.iter().chain(&earlier).map(|file| absolute(&tree, &file.path)).collect();
    let told = restored.compare(request, (recording, store), &known, &calls, &left_alone);
    selection.rebuild.notes.extend(told);
    if calls.is_empty() {
        return Ok(finished(selection));
    }

    let files: Vec<File<'_>> = files.iter().map(|file| File::new(file, &tree)).collect();
    let context = |name: &str, depth: Depth<'_>| -> Result<Context<'_>, SelectError> {
        let scratch = top.join(name);
        fs::create_dir(&scratch).map_err(SelectError::file("make", &scratch))?;
        Ok(Context {
            views: views(request, &calls, (&files, &earlier, &restored), &tree, (&scratch, depth))?,
            edited: edited_really(&files, &request.tree).chain(restored.originals(request)).collect(),
            files: files.clone(),
            scratch,
            target: request.target,
            counted: OnceLock::new(),
        })
    };
    watcher.begin(calls.len());
    let answer = |context: &Context<'_>, (index, call): &(usize, Call<'_>)| {
        known.get(*index).map_or_else(
            || Err("it is no longer there".to_owned()),
            |unit| {
                let recorded = fingerprints(&unit.entry);
                context.unit(call, recorded.as_ref().ok(), &object_name(unit, &tree), *index)
            },
        )
    };
    // Of earlier patches the unpatched side is a state of its own, whose originals nobody looks for.
    let is_cumulative =
        !earlier.is_empty() || files.iter().any(|file| file.edited.shipped != file.edited.old);
    let is_flat = !is_cumulative
        && !restored.replaces()
        && files.iter().all(|file| units::is_told_when_read(file.edited));
    let directories = read_directories(&known, &calls, &files, (&tree, &restored));
    let first = context("first", if is_flat { Depth::Down(&directories) } else { Depth::Full })?;
    let mut answers: Vec<(usize, Result<Answer, String>)> = calls
        .par_iter()
        .map(|call| {
            let answer = answer(&first, call);
            watcher.step();
            (call.0, answer)
        })
        .collect();
    // What went wrong for a link to a directory does not where there is none.
    if is_flat && answers.iter().any(|(_, answer)| answer.is_err()) {
        let second = context("second", Depth::Full)?;
        answers.par_iter_mut().zip(&calls).filter(|((_, answer), _)| answer.is_err()).for_each(
            |((_, failed), call)| {
                *failed = answer(&second, call);
            },
        );
    }
    // A new header that a patched file includes was read after all.
    let read: BTreeSet<PathBuf> = answers
        .iter()
        .filter_map(|(_, answer)| answer.as_ref().ok())
        .flat_map(|it| it.read.clone())
        .collect();
    selection.unread.retain(|file| !read.contains(&absolute(&tree, replay::path(&file.path))));
    collect(answers, &known, &tree, request.target, &mut selection);
    Ok(finished(selection))
}

/// The units of the recording; damaged records are listed as not replayed.
fn known(recording: &Recording, selection: &mut Selection) -> Vec<Known> {
    let gone = recording.gone();
    let mut entries = Vec::new();
    let mut damaged = Vec::new();
    for unit in recording.units() {
        match unit {
            Ok(unit) if gone.contains(&unit.file) => {}
            Ok(unit) => entries.push(unit),
            Err(error) => damaged.push(error.to_string()),
        }
    }
    let (known, troubles) = units::read(entries);
    for trouble in damaged.into_iter().chain(troubles) {
        selection.rebuild.not_replayed.push(NotReplayed {
            source: BString::from("(unknown)"),
            object: None,
            reason: format!("its record cannot be read: {trouble}"),
        });
    }
    known
}

/// Where a path of today lay when the build was recorded.
fn recorded_path(request: &Request, actual: &Path) -> PathBuf {
    moved(actual, request.maps.iter().map(|(old, new)| (new.as_path(), old.as_path())))
}

/// Where a recorded path lies today.
fn actual_path(request: &Request, recorded: &Path) -> PathBuf {
    moved(recorded, request.maps.iter().map(|(old, new)| (old.as_path(), new.as_path())))
}

fn moved<'a>(path: &Path, mut maps: impl Iterator<Item = (&'a Path, &'a Path)>) -> PathBuf {
    maps.find_map(|(from, to)| {
        let inside = path.strip_prefix(from).ok()?;
        Some(if inside.as_os_str().is_empty() { to.to_path_buf() } else { to.join(inside) })
    })
    .unwrap_or_else(|| path.to_path_buf())
}

fn unread(selection: &mut Selection, paths: &[PathBuf], files: &[Edited], tree: &Path) {
    for path in paths {
        let inside = path.strip_prefix(tree).unwrap_or(path);
        let is_new = files.iter().any(|file| file.path == inside && file.old.is_none());
        let (reason, matters) = units::why_unread(inside, is_new);
        let path = BString::from(inside.as_os_str().as_bytes());
        selection.unread.push(Unread { path, reason: reason.to_owned(), matters });
    }
}

/// The calls that can be run again; the others are listed with the reason.
fn calls<'k>(
    request: &Request,
    (known, recording): (&'k [Known], &Recording),
    units: &BTreeSet<usize>,
    (files, tree): (&[Edited], &Path),
    restored: &mut Restored,
    selection: &mut Selection,
) -> Vec<(usize, Call<'k>)> {
    let mut calls = Vec::new();
    let mut refuse = |unit: &Known, reason: String| {
        selection.rebuild.not_replayed.push(NotReplayed {
            source: unit.entry.identity.unit.source.clone(),
            object: Some(object_name(unit, tree)),
            reason,
        });
    };
    for index in units {
        let Some(unit) = known.get(*index) else { continue };
        let rewriters = unit.entry.record.rewriters().unwrap_or_default();
        let call = match Call::new(&unit.entry.identity) {
            Ok(call) => call.rewritten_by(rewriters),
            Err(reason) => {
                refuse(unit, reason);
                continue;
            }
        };
        let source = call.source();
        let is_deleted = files.iter().any(|file| file.new.is_none() && absolute(tree, &file.path) == source);
        if is_deleted {
            refuse(
                unit,
                "the patch deletes or renames its source: the patched build has no such unit".into(),
            );
        } else if let Err(reason) = restored.provide(request, recording, unit, call.directory()) {
            refuse(unit, reason);
        } else {
            calls.push((*index, call));
        }
    }
    calls
}

/// The directories that are mirrored: the tree, and those of calls and of what is restored outside of it.
fn root_directories<'p>(
    calls: &'p [(usize, Call<'_>)],
    tree: &'p Path,
    restored: &'p Restored,
) -> BTreeSet<&'p Path> {
    let of_calls = calls.iter().map(|(_, call)| call.directory()).chain(restored.folders());
    let outside = of_calls.filter(|directory| !directory.starts_with(tree) && !is_too_wide(directory));
    outside.chain([tree]).collect()
}

/// The recorded directories that the calls run in or read from, and those of the edited files, each with its parents.
fn read_directories(
    known: &[Known],
    calls: &[(usize, Call<'_>)],
    files: &[File<'_>],
    (tree, restored): (&Path, &Restored),
) -> BTreeSet<PathBuf> {
    let roots = root_directories(calls, tree, restored);
    let mut found: BTreeSet<PathBuf> = BTreeSet::new();
    let mut add = |directory: &Path| {
        if roots.iter().any(|root| directory.starts_with(root)) && !found.contains(directory) {
            found.extend(directory.ancestors().map(Path::to_path_buf));
        }
    };
    for (index, call) in calls {
        add(call.directory());
        for file in known.get(*index).into_iter().flat_map(Known::files) {
            file.parent().into_iter().for_each(&mut add);
        }
    }
    files.iter().filter_map(|file| file.recorded.parent()).for_each(&mut add);
    found
}

/// The three states of the tree.
fn views(
    request: &Request,
    calls: &[(usize, Call<'_>)],
    (files, earlier, restored): (&[File<'_>], &[Edited], &Restored),
    tree: &Path,
    (top, depth): (&Path, Depth<'_>),
) -> Result<Views, SelectError> {
    let root =
        |recorded: &Path| Root { recorded: recorded.to_path_buf(), actual: actual_path(request, recorded) };
    let roots: Vec<Root> = root_directories(calls, tree, restored).into_iter().map(root).collect();
    let new_contents = |file: &File<'_>| file.edited.new.clone();
    let aligned: Vec<Option<Vec<u8>>> = files
        .iter()
        .map(|file| lines::aligned(file.edited.old.as_ref()?, file.edited.new.as_ref()?))
        .collect();
    let make = |name: &str| -> Result<View, SelectError> {
        let view = View::new(&top.join(name), &roots, depth)?;
        restored.lay(&view)?;
        for file in earlier {
            view.put(&absolute(tree, &file.path), file.new.as_deref())?;
        }
        Ok(view)
    };
    let is_cumulative =
        !earlier.is_empty() || files.iter().any(|file| file.edited.shipped != file.edited.old);
    // Unless something is edited there, the unpatched side may read the originals by whatever way.
    let nothing = BTreeSet::new();
    let old = match depth {
        Depth::Down(_) if !is_cumulative && restored.is_empty() => {
            View::new(&top.join("old"), &roots, Depth::Down(&nothing))?
        }
        _ => make("old")?,
    };
    let new = make("new")?;
    let shipped = if is_cumulative { Some(View::new(&top.join("rec"), &roots, depth)?) } else { None };
    if let Some(view) = &shipped {
        restored.lay(view)?;
    }
    for file in files {
        if file.edited.shipped != file.edited.old {
            old.put(&file.recorded, file.edited.old.as_deref())?;
        }
        new.put(&file.recorded, new_contents(file).as_deref())?;
    }
    let moves_lines = aligned.iter().any(Option::is_some);
    let aligned_view = if moves_lines { Some(make("lin")?) } else { None };
    if let Some(view) = &aligned_view {
        for (file, aligned) in files.iter().zip(aligned) {
            view.put(&file.recorded, aligned.or_else(|| new_contents(file)).as_deref())?;
        }
    }
    Ok(Views { shipped, old, new, aligned: aligned_view })
}

/// Edited files that exist, by their real paths.
fn edited_really(files: &[File<'_>], tree: &Path) -> impl Iterator<Item = PathBuf> {
    files.iter().filter_map(|file| tree.join(&file.edited.path).canonicalize().ok())
}

fn object_name(unit: &Known, tree: &Path) -> BString {
    unit::name_of(unit.entry.output(), tree)
}

/// The recorded fingerprints of a unit, with their streams.
fn fingerprints(entry: &UnitEntry) -> Result<crate::object::Fingerprints, String> {
    let damaged = |why| format!("the record {}", entry.damaged(why));
    let mut prints = entry.record.fingerprints(0).map_err(damaged)?;
    entry.record.load_streams(0, &mut prints).map_err(damaged)?;
    Ok(prints)
}

/// Puts the units' answers together, and gives the verdicts.
fn collect(
    mut answers: Vec<(usize, Result<Answer, String>)>,
    known: &[Known],
    tree: &Path,
    target: Target,
    selection: &mut Selection,
) {
    let asks = answers.iter().any(|(_, answer)| answer.as_ref().is_ok_and(unit::asks_for_neighbours));
    let neighbours =
        if target != Target::None && asks { neighbours(known, tree, target) } else { Neighbours::default() };
    for (index, answer) in &mut answers {
        let Some(unit) = known.get(*index) else { continue };
        let name = object_name(unit, tree);
        match answer {
            Ok(answer) => {
                unit::judge(answer, &name, target, &neighbours);
                let identity = &unit.entry.identity;
                selection.units.push(UnitCall {
                    object: name.clone(),
                    output: identity.unit.output.clone(),
                    source: identity.unit.source.clone(),
                    directory: identity.call.directory.clone(),
                    version: identity.compiler.version.clone(),
                    arguments: [&identity.compiler.path]
                        .into_iter()
                        .chain(&identity.call.run)
                        .cloned()
                        .collect(),
                });
                if answer.drift.is_empty() {
                    selection.rebuild.reproduced += 1;
                }
                selection.rebuild.drift.append(&mut answer.drift);
                selection.rebuild.notes.extend(answer.notes.drain(..).map(|note| format!("{name}: {note}")));
                selection.functions.append(&mut answer.closed.functions);
                selection.data.append(&mut answer.closed.data);
                selection.others.append(&mut answer.closed.others);
                selection.line_only.append(&mut answer.line_only);
                selection.line_only.append(&mut answer.closed.path_only);
            }
            Err(reason) => selection.rebuild.not_replayed.push(NotReplayed {
                source: unit.entry.identity.unit.source.clone(),
                object: Some(name),
                reason: reason.clone(),
            }),
        }
    }
}

/// Callers and namesakes over the whole recording.
fn neighbours(known: &[Known], tree: &Path, target: Target) -> Neighbours {
    let prints: Vec<_> = known
        .par_iter()
        .filter_map(|unit| Some((object_name(unit, tree), unit.entry.record.fingerprints(0).ok()?)))
        .collect();
    let mut neighbours = Neighbours::default();
    for (object, prints) in &prints {
        neighbours.add(object, prints, target);
    }
    neighbours
}

fn finished(mut selection: Selection) -> Selection {
    selection
        .functions
        .sort_by(|a, b| (&a.object, &a.symbol, a.change).cmp(&(&b.object, &b.symbol, b.change)));
    selection.line_only.sort();
    selection.rebuild.notes.dedup();
    selection
}
