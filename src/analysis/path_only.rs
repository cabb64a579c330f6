//! Proof that two items differ in the path of their own source only: what `__FILE__` makes of building in
//! another directory.
//!
//! The object itself names its source by its base name (`STT_FILE`). So two strings are the same `__FILE__` where
//! each is an absolute path that ends in the name of a source of its own object. A path to anything else that
//! changed is a change.

use super::detail::In;
use crate::object::{PartKind, listing};

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
    let mut said = None;
    for (was, is) in was.iter().zip(&is).filter(|(was, is)| was.text != is.text) {
        let (was, is) = (own_source(old, &was.text)?, own_source(new, &is.text)?);
        said.get_or_insert_with(|| format!("__FILE__ {was} -> {is}"));
    }
    said
}

/// The path in the line of a string, if it is the absolute path of a source of the object.
fn own_source<'t>(side: In<'_>, line: &'t str) -> Option<&'t str> {
    let (_, value) = line.split_once(": ")?;
    let path = value.strip_prefix('"')?.strip_suffix('"').filter(|path| path.starts_with('/'))?;
    let base = path.rsplit('/').next()?;
    side.0.files.iter().any(|file| *file == base).then_some(path)
}
