//! `[[accept]]`: what was looked at and found acceptable, with the reason.
//!
//! An exception that is not written down is made again with every fix, and one that hides what it excepts is forgotten. So
//! each has a key that stays the same from build to build, the function's name and its object, and what is accepted is
//! still shown, with the reason.

use serde::Deserialize;
use toml::Spanned;

use super::matcher::Glob;

/// An exception as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    function: Spanned<String>,
    object: Option<Spanned<String>>,
    reason: Spanned<String>,
}

/// An exception.
#[derive(Debug, Clone)]
pub struct Accept {
    function: Glob,
    object: Option<Glob>,
    /// Why.
    pub reason: String,
}

impl Accept {
    /// Checks what was written; an error is a place and what is wrong there.
    pub(super) fn new(table: &Table) -> Result<Self, (usize, String)> {
        let glob = |text: &Spanned<String>, make: fn(&str) -> Result<Glob, String>| {
            make(text.get_ref()).map_err(|what| (text.span().start, what))
        };
        if table.reason.get_ref().trim().is_empty() {
            return Err((table.reason.span().start, "an exception needs a reason".into()));
        }
        Ok(Self {
            function: glob(&table.function, Glob::text)?,
            object: table.object.as_ref().map(|object| glob(object, Glob::path)).transpose()?,
            reason: table.reason.get_ref().clone(),
        })
    }

    /// Whether it speaks of this function of this object (a path, absolute or relative to the source tree).
    pub fn covers(&self, function: &std::ffi::OsStr, object: &std::path::Path) -> bool {
        let object_matches = |glob: &Glob| glob.matches(std::path::Path::new("/").join(object));
        self.function.matches(function) && self.object.as_ref().is_none_or(object_matches)
    }
}
