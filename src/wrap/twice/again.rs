//! Whether the store holds what a shadow would make: the same call, compiler and contents of all inputs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::BString;

use super::{Known, Task, call};
use crate::argv::CommandLine;
use crate::argv::dependency_file;
use crate::env;
use crate::object::Hash;
use crate::object::fingerprint::RECIPE;
use crate::store::record::{Completeness, Cost, Input, Outcome, ShadowCall, Variant};
use crate::store::{Store, UnitEntry};
use crate::sys;
use crate::wrap::decide::Unit;
use crate::wrap::record;
use crate::wrap::run::Job;

/// Whether the shadow is likely to be in the store, as far as can be told before the primary has run. A wrong yes
/// only means that the shadow is compiled after the primary and not beside it.
pub fn likely(task: &Task, job: &Job, line: &CommandLine, units: &[Unit], store: &Store) -> bool {
    let Some(old) = &task.old else { return false };
    let inputs = || old.record.inputs().is_ok_and(|inputs| unchanged(&inputs.files, job, store));
    place(task, old).is_some() && same_call(task, old, job, line, units).is_some() && inputs()
}

/// Which variant of the old record the shadow is, and how it was compiled; `None` where it must be compiled.
pub fn made_before(
    task: &Task,
    job: &Job,
    line: &CommandLine,
    known: &Known,
    units: &[Unit],
    store: &Store,
) -> Option<(usize, ShadowCall)> {
    let old = task.old.as_ref()?;
    let index = place(task, old)?;
    let shadow = same_call(task, old, job, line, units)?;
    if old.identity.compiler != known.compiler || old.record.inputs().ok()? != known.inputs {
        return None;
    }
    if known.inputs.completeness != Completeness::Full
        && (shadow.inputs.is_empty() || !unchanged(&shadow.inputs, job, store))
    {
        return None;
    }
    old.record.container().check_all().ok()?;
    let readable = old.identity.variants.get(index)?.unreadable.is_none();
    let current = !readable || old.record.fingerprints(index).ok()?.recipe == RECIPE;
    current.then_some((index, shadow))
}

/// A variant of an old record, and what it took.
pub fn load(old: &UnitEntry, index: usize) -> Option<(Variant, Option<Cost>)> {
    let head = old.identity.variants.get(index)?;
    let fingerprints = if let Some(why) = &head.unreadable {
        Outcome::Unreadable(why.clone())
    } else {
        let mut prints = old.record.fingerprints(index).ok()?;
        old.record.load_streams(index, &mut prints).ok()?;
        Outcome::Read(prints)
    };
    let cost = old.costs().into_iter().find(|cost| cost.name == head.name);
    let variant = Variant { name: head.name.clone(), hash: head.hash, size: head.size, fingerprints };
    Some((variant, cost))
}

/// Whether `old`, which is whole, says what would be said now of a unit with so many shadows, all of them taken from it.
pub fn stands(old: &UnitEntry, shadows: usize, unit: &Unit, job: &Job, known: &Known, primary: Hash) -> bool {
    let identity = &old.identity;
    identity.variants.len() == shadows + 1
        && identity.variants.first().is_some_and(|variant| variant.hash == primary)
        && identity.unit.source == unit.source.text.as_bytes()
        && identity.unit.language == unit.source.language
        && identity.compiler == known.compiler
        && identity.decision == job.decision
        && identity.notes == job.notes
        && identity.call == record::call(job)
        && old.record.inputs().is_ok_and(|inputs| inputs == known.inputs)
        && old.record.clones().is_ok_and(|dump| dump == record::dump(job))
        && old.record.fingerprints(0).is_ok_and(|prints| prints.recipe == RECIPE)
        && old.record.container().check_all().is_ok()
}

/// Which of the old variants the shadow is.
fn place(task: &Task, old: &UnitEntry) -> Option<usize> {
    old.identity
        .variants
        .iter()
        .skip(1)
        .position(|variant| variant.name == task.shadow.name)
        .map(|index| index + 1)
}

/// How the old shadow was compiled, where the new one would be compiled just so.
fn same_call(
    task: &Task,
    old: &UnitEntry,
    job: &Job,
    line: &CommandLine,
    units: &[Unit],
) -> Option<ShadowCall> {
    let unit = units.get(task.unit)?;
    let before = old.record.shadows().ok()?.into_iter().nth(place(task, old)? - 1)?;
    let compiler = call::other_compiler(&task.shadow, job).ok()?;
    let now = call::shadow_call(&call::arguments(line, unit, &task.shadow), compiler.as_deref());
    let environment: Vec<(BString, BString)> = env::recorded(&sys::environment())
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let call = &old.identity.call;
    let same = before.run == now.run
        && before.compiler == now.compiler
        && call.directory == job.directory.as_os_str().as_bytes()
        && call.environment == environment;
    same.then_some(before)
}

/// What a shadow's own dependency file names, with contents.
pub fn inputs(list: &Path, job: &Job, store: &Store) -> Vec<Input> {
    let text = std::fs::read(list).unwrap_or_default();
    let files = dependency_file::parse(&text).into_iter().map(|path| {
        let hash = store.hash_file(&job.directory.join(OsStr::from_bytes(&path)));
        Input { path, hash }
    });
    files.collect()
}

/// Whether all these files hold what they held.
fn unchanged(files: &[Input], job: &Job, store: &Store) -> bool {
    files.iter().all(|file| {
        let path = job.directory.join(OsStr::from_bytes(&file.path));
        file.hash.is_some() && store.hash_file(&path) == file.hash
    })
}
