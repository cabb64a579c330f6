//! A selection between two sides that were both built: recordings, objects, directories.
//!
//! No patch is known here, so no edit is: reasons come from debug information where the objects have it, from data and from
//! who refers to whom, and what they do not explain is said to be unexplained.

use std::collections::BTreeMap;

use bstr::BString;
use rayon::prelude::*;

use super::side::{self, Object, Side, Source};
use crate::analysis::clones::{self, Clones};
use crate::analysis::close::{About, Closed, close};
use crate::analysis::judge::{self, Neighbours, Target};
use crate::analysis::selection::{NotReplayed, Selection};
use crate::analysis::why::{self, Evidence};
use crate::analysis::{self, Change, Finding, pairing};
use crate::object::debug::{self, Debug};
use crate::object::{Basis, Fingerprints};

/// Selects between two sides.
pub fn select(sides: &(Side, Side), target: Target) -> Selection {
    let mut selection = Selection::default();
    let not_compared =
        |object: Option<BString>, source: BString, reason: String| NotReplayed { source, object, reason };
    for trouble in sides.0.troubles.iter().chain(&sides.1.troubles) {
        selection.rebuild.not_replayed.push(not_compared(None, BString::from("(unknown)"), trouble.clone()));
    }
    if [&sides.0, &sides.1].into_iter().any(|side| side.objects.is_empty() && !side.troubles.is_empty()) {
        return selection;
    }
    let names = |side: &Side| side.objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>();
    let answers: Vec<_> = pairing::pair(&names(&sides.0), &names(&sides.1))
        .into_par_iter()
        .map(|(name, old, new)| {
            let old = old.and_then(|index| sides.0.objects.get(index));
            let new = new.and_then(|index| sides.1.objects.get(index));
            let answer = pair(&name, old, new, target);
            (name, answer)
        })
        .collect();
    let mut built_otherwise: BTreeMap<(BString, String), usize> = BTreeMap::new();
    for (name, answer) in answers {
        match answer {
            Ok((mut closed, differences)) => {
                for finding in differences {
                    *built_otherwise.entry((finding.symbol, finding.detail)).or_default() += 1;
                }
                selection.functions.append(&mut closed.functions);
                selection.data.append(&mut closed.data);
                selection.others.append(&mut closed.others);
                selection.line_only.append(&mut closed.path_only);
            }
            Err(reason) => {
                selection.rebuild.not_replayed.push(not_compared(Some(name.clone()), name, reason));
            }
        }
    }
    selection.rebuild.notes.extend(built_otherwise.into_iter().map(|((what, detail), objects)| {
        let counted = if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") };
        format!("both sides are not built alike: {what}: {detail} ({counted})")
    }));
    selection
}

/// One object on each side: what a patch must carry, and what differs in how the two were built.
fn pair(
    name: &BString,
    old: Option<&Object>,
    new: Option<&Object>,
    target: Target,
) -> Result<(Closed, Vec<Finding>), String> {
    let (was, is) = (Loaded::of(old)?, Loaded::of(new)?);
    let built_otherwise = match (&was.object, &is.object) {
        (Some(old), Some(new)) => side::built_otherwise(old, new),
        _ => Vec::new(),
    };
    let source = is.source.clone().or_else(|| was.source.clone()).unwrap_or_default();
    let about = About { object: name, source: &source };
    let findings: Vec<Finding> = match (&was.prints, &is.prints) {
        (Some(was), Some(is)) => analysis::compare(was, is),
        (Some(was), None) => analysis::all_of(was, Change::Removed),
        (None, Some(is)) => analysis::all_of(is, Change::New),
        (None, None) => Vec::new(),
    };
    let mut closed = close(about, &findings);
    let (Some(old), Some(new)) = (was.or(&is), is.or(&was)) else { return Ok((closed, built_otherwise)) };
    let (edited, indirect) = (BTreeMap::new(), BTreeMap::new());
    let evidence = Evidence {
        prints: (old, new),
        debug: (&was.debug, &is.debug),
        clones: (was.clones.as_ref(), is.clones.as_ref()),
        edited: &edited,
        indirect: &indirect,
    };
    why::explain(&mut closed.functions, &closed.data, &evidence);
    let neighbours = Neighbours::default();
    let unit = judge::Unit { object: name, old, new, debug: &was.debug, neighbours: &neighbours };
    judge::judge(&mut closed.functions, target, &unit);
    Ok((closed, built_otherwise))
}

/// What is known of one object.
#[derive(Default)]
struct Loaded<'a> {
    object: Option<side::Loaded<'a>>,
    prints: Option<Fingerprints>,
    debug: Debug,
    clones: Option<Clones>,
    source: Option<BString>,
}

impl<'a> Loaded<'a> {
    fn of(object: Option<&'a Object>) -> Result<Self, String> {
        let Some(object) = object else { return Ok(Self::default()) };
        let named = |why: String| format!("`{}`: {why}", object.place());
        let loaded = side::load(object).map_err(named)?;
        let prints = loaded.fingerprints().map_err(named)?;
        if let Basis::Deferred(why) = &prints.basis {
            return Err(named(format!("holds no function bytes before the link ({why})")));
        }
        let debug = match (&loaded, &object.source) {
            (side::Loaded::Bytes(_, bytes), Source::File(_) | Source::Member { .. }) => {
                debug::read(bytes).unwrap_or_default()
            }
            _ => Debug::default(),
        };
        let source = loaded.identity().map(|identity| identity.unit.source.clone());
        let clones = match &loaded {
            side::Loaded::Record(unit) => {
                unit.record.clones().ok().flatten().map(|dump| clones::parse(&dump))
            }
            side::Loaded::Bytes(..) => None,
        };
        Ok(Self { object: Some(loaded), prints: Some(prints), debug, clones, source })
    }

    fn or<'s>(&'s self, other: &'s Self) -> Option<&'s Fingerprints> {
        self.prints.as_ref().or(other.prints.as_ref())
    }
}
