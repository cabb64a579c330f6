//! Reading one object: its bytes, or its record.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::{Object, Source, system_says};
use crate::analysis::producers::{self, Built};
use crate::analysis::{Finding, inputs};
use crate::object::fingerprint::RECIPE;
use crate::object::{self, Fingerprints, Hash, Workers};
use crate::store::record::Inputs;
use crate::store::{Identity, UnitEntry, read_regular};

/// What is known of an object without its fingerprints, and the way to those.
#[derive(Debug)]
pub enum Loaded<'a> {
    /// The bytes, and their hash where it was asked for.
    Bytes(OnceCell<Hash>, Cow<'a, [u8]>),
    /// The record.
    Record(&'a UnitEntry),
}

/// Reads what settles most comparisons. Errors are fragments that follow the object's name.
pub fn load(object: &Object) -> Result<Loaded<'_>, String> {
    let bytes = match &object.source {
        Source::Unit(unit) => return Ok(Loaded::Record(unit)),
        Source::File(path) => Cow::Owned(read_regular(path).map_err(|error| system_says(&error))?),
        Source::Member { archive, start, length, .. } => {
            let range = *start..start.saturating_add(*length);
            Cow::Borrowed(archive.get(range).ok_or("reaches beyond the archive")?)
        }
    };
    Ok(Loaded::Bytes(OnceCell::new(), bytes))
}

/// What differs in how two objects were built, compiler first: by their records where both have one, else by what the
/// files themselves tell.
pub fn built_otherwise(old: &Loaded<'_>, new: &Loaded<'_>) -> Vec<Finding> {
    match (old.identity(), new.identity()) {
        (Some(old), Some(new)) => inputs::compare(old, new),
        _ if old.has_bytes_of(new) => Vec::new(),
        _ => inputs::compare_built(&old.built(), &new.built()),
    }
}

impl Loaded<'_> {
    /// How it was built, as far as the record or the file itself tells.
    fn built(&self) -> Built {
        match self {
            Self::Bytes(_, bytes) => producers::built(bytes, &mut |_| None).unwrap_or_default(),
            Self::Record(unit) => producers::recorded(&unit.identity),
        }
    }

    /// The hash of the object's bytes; `None` where a record has no variant, or the bytes are gone.
    pub fn hash(&self) -> Option<Hash> {
        match self {
            Self::Bytes(_, bytes) if bytes.is_empty() => None,
            Self::Bytes(hash, bytes) => Some(*hash.get_or_init(|| Hash::of(bytes))),
            Self::Record(unit) => unit.identity.variants.first().map(|variant| variant.hash),
        }
    }

    /// Whether both are surely the same bytes.
    pub fn has_bytes_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(_, own), Self::Bytes(_, others)) => own == others,
            _ => self.hash().is_some() && self.hash() == other.hash(),
        }
    }

    /// How it was compiled, where that is recorded.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Bytes(..) => None,
            Self::Record(unit) => Some(&unit.identity),
        }
    }

    /// What was read to make it, where that is recorded.
    pub fn inputs(&self) -> Option<Inputs> {
        match self {
            Self::Bytes(..) => None,
            Self::Record(unit) => unit.record.inputs().ok(),
        }
    }

    /// Lets go of the bytes, which nothing reads any more.
    pub fn let_go(&mut self) {
        if let Self::Bytes(_, bytes) = self {
            *bytes = Cow::Borrowed(&[]);
        }
    }

    /// The fingerprints of the primary variant, with their streams.
    pub fn fingerprints(&self) -> Result<Fingerprints, String> {
        self.fingerprints_by(Workers::ONE)
    }

    /// [`Loaded::fingerprints`], by several threads where they are worth it.
    pub fn fingerprints_by(&self, workers: Workers) -> Result<Fingerprints, String> {
        let unit = match self {
            Self::Bytes(_, bytes) => {
                return object::fingerprint_with(bytes, workers).map_err(|error| error.to_string());
            }
            Self::Record(unit) => unit,
        };
        let primary = unit.identity.variants.first().ok_or("the record has no variant")?;
        if let Some(reason) = &primary.unreadable {
            return Err(format!("was not read when it was recorded: {reason}"));
        }
        let damaged = |why| format!("the record {}", unit.damaged(why));
        let mut prints = unit.record.fingerprints(0).map_err(damaged)?;
        if prints.recipe != RECIPE {
            return Err(format!("was recorded by recipe {}, this lpcc has {RECIPE}", prints.recipe));
        }
        unit.record.load_streams(0, &mut prints).map_err(damaged)?;
        Ok(prints)
    }
}
