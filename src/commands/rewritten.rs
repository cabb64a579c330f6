//! Objects that a program of the build rewrote behind the compiler: their records are not stale.

use std::fs;

use rayon::prelude::*;

use super::side::Loaded;
use crate::afterwards::found;
use crate::analysis::rewritten;
use crate::object;
use crate::store::{Problem, UnitEntry, Verification};

/// What `verify` found, with records told apart whose object was only rewritten.
pub fn settled(mut found: Verification) -> Verification {
    found.problems.par_iter_mut().for_each(|problem| {
        let Problem::Stale { file, output } = problem else { return };
        let by = UnitEntry::open(file.clone()).ok().and_then(|unit| by(&unit, &fs::read(&output).ok()?));
        if let Some(by) = by {
            *problem = Problem::Rewritten { file: file.clone(), output: output.clone(), by };
        }
    });
    found
}

/// The programs that rewrote an object of these bytes, where it is otherwise as recorded.
pub fn by(unit: &UnitEntry, bytes: &[u8]) -> Option<String> {
    let recorded = Loaded::Record(unit).fingerprints().ok()?;
    let now = object::fingerprint(bytes).ok()?;
    rewritten::check(&recorded, &now).ok()?;
    let told = found::rewriters_of(unit.output());
    if !told.is_empty() {
        return Some(told.join(", "));
    }
    rewritten::has_tables(&now).then(|| "objtool, by its tables".to_owned())
}
