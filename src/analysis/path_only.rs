//! Proof that two items differ in the path of their own source only: what `__FILE__` makes of building in
//! another directory.
//!
//! The object itself names its source by its base name (`STT_FILE`). So two strings are the same `__FILE__` where
//! each is an absolute path that ends in the name of a source of its own object. A path to anything else that
//! changed is a change. `__FILE__` is one string for a whole unit: where any item still holds the old path, or held the
//! new one before, the two are no such move but strings that somebody wrote, and a change too.

use super::detail::In;
use crate::object::{Fingerprints, PartKind, listing};

/// What to say of two items that differ in `parts`, if the paths of their sources are all that differs.
pub fn proof(old: In<'_>, new: In<'_>, parts: &[PartKind]) -> Option<String> {
    if parts != [PartKind::Strings] {
        return None;
    }
    let strings = |side: In<'_>| listing::lines(side.0, side.1, PartKind::Strings);
    let (was, is) = (strings(old), strings(new));
    if was.len() != is.len() {
        return None;
    }
    let mut moved = None;
    for (was, is) in was.iter().zip(&is).filter(|(was, is)| was.text != is.text) {
        let pair = (own_source(old, &was.text)?, own_source(new, &is.text)?);
        // A unit has one path.
        if *moved.get_or_insert(pair) != pair {
            return None;
        }
    }
    let (was, is) = moved?;
    let moved_everywhere = base(was) == base(is) && !holds(new.0, was) && !holds(old.0, is);
    moved_everywhere.then(|| format!("__FILE__ {was} -> {is}"))
}

/// The path in the line of a string, if it is the absolute path of a source of the object.
fn own_source<'t>(side: In<'_>, line: &'t str) -> Option<&'t str> {
    let path = value(line)?;
    let base = base(path).filter(|_| path.starts_with('/'))?;
    side.0.files.iter().any(|file| *file == base).then_some(path)
}

fn base(path: &str) -> Option<&str> {
    path.rsplit('/').next()
}

/// The string in a line of the `strings` part.
fn value(line: &str) -> Option<&str> {
    line.split_once(": ")?.1.strip_prefix('"')?.strip_suffix('"')
}

/// Whether any item holds the string.
fn holds(prints: &Fingerprints, path: &str) -> bool {
    prints.items.iter().any(|item| {
        listing::lines(prints, item, PartKind::Strings).iter().any(|line| value(&line.text) == Some(path))
    })
}
