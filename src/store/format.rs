//! Records, links and notes as sections of a [`Container`]: what is written, and what is read back.
//!
//! | tag | index | contents, in postcard unless said otherwise |
//! | --- | --- | --- |
//! | `UNIT` | 0 | unit, call, compiler, decision, notes, and each variant's name, hash, size and outcome |
//! | `INPT` | 0 | inputs |
//! | `PRNT` | n | fingerprints of variant n, without its streams |
//! | `STRM` | n | canonical streams of variant n, as they are |
//! | `CLON` | 0 | the compiler's clones dump, as it wrote it; only where there is one |
//! | `TWIC` | 0 | how the shadows were compiled; absent where there is none |
//! | `REWR` | 0 | the commands that rewrote the object behind the compiler; absent where there is none |
//! | `LINK` | 0 | a link record |
//! | `NOTE` | 0 | a note |

use std::path::Path;

use bstr::BString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::container::{Builder, Container, Tag};
use super::error::FormatError;
use super::record::{
    Call, Compiler, Cost, Inputs, LinkRecord, Note, Outcome, Record, ShadowCall, Unit, Variant,
};
use crate::object::{Fingerprints, Hash};
use crate::policy::Decision;

const UNIT: Tag = *b"UNIT";
const INPUTS: Tag = *b"INPT";
const PRINTS: Tag = *b"PRNT";
const STREAMS: Tag = *b"STRM";
const TWICE: Tag = *b"TWIC";
const REWRITERS: Tag = *b"REWR";
const COST: Tag = *b"COST";
const CLONES: Tag = *b"CLON";
const LINK: Tag = *b"LINK";
const NOTE: Tag = *b"NOTE";

/// How much of a record is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// All but the canonical streams, which stay empty: enough to compare.
    Fingerprints,
    /// All: enough to show what changed inside, or to hash again.
    Everything,
}

/// Who a record is: all of it but inputs and fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Which unit.
    pub unit: Unit,
    /// The compiler call.
    pub call: Call,
    /// The real compiler.
    pub compiler: Compiler,
    /// What the policy said.
    pub decision: Decision,
    /// Trouble that did not stop the build.
    pub notes: Vec<String>,
    /// What came out: the primary first, then shadows.
    pub variants: Vec<VariantHead>,
}

/// A variant without its fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantHead {
    /// `primary`, or the shadow's name.
    pub name: String,
    /// Hash of the object file's bytes.
    pub hash: Hash,
    /// Size of the object file in bytes.
    pub size: u64,
    /// Why there are no fingerprints, where there are none.
    pub unreadable: Option<String>,
}

/// The bytes of a record's file.
pub fn encode(record: &Record) -> Result<Vec<u8>, FormatError> {
    Ok(record_builder(record)?.finish())
}

/// A record's sections, before they become a file: tests add to them what a newer lpcc might.
pub fn record_builder(record: &Record) -> Result<Builder, FormatError> {
    let mut builder = Builder::default();
    let identity = (
        &record.unit,
        &record.call,
        &record.compiler,
        &record.decision,
        &record.notes,
        record.variants.iter().map(head).collect::<Vec<_>>(),
    );
    builder.section(UNIT, 0, to_bytes(&identity)?)?;
    builder.section(INPUTS, 0, to_bytes(&record.inputs)?)?;
    let primary = record.variants.first().map(|variant| &variant.fingerprints);
    let own = |index: u16, variant: &Variant| index == 0 || Some(&variant.fingerprints) != primary;
    for (index, variant) in (0..=u16::MAX).zip(&record.variants) {
        if let Outcome::Read(prints) = &variant.fingerprints
            && own(index, variant)
        {
            builder.section(PRINTS, index, to_bytes(prints)?)?;
        }
    }
    for (index, variant) in (0..=u16::MAX).zip(&record.variants) {
        if let Outcome::Read(prints) = &variant.fingerprints
            && own(index, variant)
        {
            builder.section(STREAMS, index, prints.streams.clone())?;
        }
    }
    if !record.rewriters.is_empty() {
        builder.section(REWRITERS, 0, to_bytes(&record.rewriters)?)?;
    }
    if let Some(dump) = &record.clones {
        builder.section(CLONES, 0, dump.to_vec())?;
    }
    if !record.shadows.is_empty() {
        builder.section(TWICE, 0, to_bytes(&record.shadows)?)?;
    }
    Ok(builder)
}

/// The bytes of a file of costs.
pub fn encode_costs(costs: &[Cost]) -> Result<Vec<u8>, FormatError> {
    Ok(Builder::default().section(COST, 0, to_bytes(&costs)?)?.finish())
}

/// Reads costs from the file at `path`.
pub fn read_costs(path: &Path) -> Result<Vec<Cost>, FormatError> {
    required(&Container::open(path)?, COST, 0)
}

fn head(variant: &Variant) -> VariantHead {
    VariantHead {
        name: variant.name.clone(),
        hash: variant.hash,
        size: variant.size,
        unreadable: match &variant.fingerprints {
            Outcome::Read(_) => None,
            Outcome::Unreadable(reason) => Some(reason.clone()),
        },
    }
}

/// The bytes of a link record's file.
pub fn encode_link(link: &LinkRecord) -> Result<Vec<u8>, FormatError> {
    Ok(Builder::default().section(LINK, 0, to_bytes(link)?)?.finish())
}

/// The bytes of a note's file.
pub fn encode_note(note: &Note) -> Result<Vec<u8>, FormatError> {
    Ok(Builder::default().section(NOTE, 0, to_bytes(note)?)?.finish())
}

/// Reads a link record from the file at `path`.
pub fn read_link(path: &Path) -> Result<LinkRecord, FormatError> {
    link(&Container::open(path)?)
}

pub(super) fn link(container: &Container) -> Result<LinkRecord, FormatError> {
    required(container, LINK, 0)
}

pub(super) fn note(container: &Container) -> Result<Note, FormatError> {
    required(container, NOTE, 0)
}

/// Reads a note from the file at `path`.
pub fn read_note(path: &Path) -> Result<Note, FormatError> {
    note(&Container::open(path)?)
}

/// Reads a record from the bytes of its file.
pub fn read_record(bytes: &[u8], want: Want) -> Result<Record, FormatError> {
    RecordFile { container: Container::from_bytes(bytes.to_vec())? }.record(want)
}

/// A record whose parts are read, and checked, as they are asked for.
#[derive(Debug, Clone)]
pub struct RecordFile {
    container: Container,
}

impl From<Container> for RecordFile {
    fn from(container: Container) -> Self {
        Self { container }
    }
}

impl RecordFile {
    /// The record in the file at `path`.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        Ok(Self { container: Container::open(path)? })
    }

    /// The envelope: version, sections and their lengths.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Who the record is.
    pub fn identity(&self) -> Result<Identity, FormatError> {
        required(&self.container, UNIT, 0)
    }

    /// What was read to make the object.
    pub fn inputs(&self) -> Result<Inputs, FormatError> {
        required(&self.container, INPUTS, 0)
    }

    /// The fingerprints of variant `index` of [`Identity::variants`], without streams. An error where the
    /// variant has none: [`VariantHead::unreadable`] says so beforehand.
    pub fn fingerprints(&self, index: usize) -> Result<Fingerprints, FormatError> {
        required(&self.container, PRINTS, self.holder(index)?)
    }

    /// The variant whose sections hold what variant `index` is: itself, or the primary.
    fn holder(&self, index: usize) -> Result<u16, FormatError> {
        let own = variant_index(index)?;
        if self.container.has(PRINTS, own) {
            return Ok(own);
        }
        let readable = |variant: &VariantHead| variant.unreadable.is_none();
        Ok(if self.identity()?.variants.get(index).is_some_and(readable) { 0 } else { own })
    }

    /// How the shadows were compiled, in the order of the variants behind the primary.
    pub fn shadows(&self) -> Result<Vec<ShadowCall>, FormatError> {
        if self.container.has(TWICE, 0) { required(&self.container, TWICE, 0) } else { Ok(Vec::new()) }
    }

    /// The commands that rewrote the object behind the compiler.
    pub fn rewriters(&self) -> Result<Vec<Vec<BString>>, FormatError> {
        if self.container.has(REWRITERS, 0) {
            required(&self.container, REWRITERS, 0)
        } else {
            Ok(Vec::new())
        }
    }

    /// The compiler's clones dump, as it wrote it; `None` where there is none. [`crate::analysis::clones`] reads it.
    pub fn clones(&self) -> Result<Option<BString>, FormatError> {
        Ok(self.container.section(CLONES, 0)?.map(BString::from))
    }

    /// Fills the streams of fingerprints that came from variant `index` of this record.
    pub fn load_streams(&self, index: usize, prints: &mut Fingerprints) -> Result<(), FormatError> {
        prints.streams = self
            .container
            .section(STREAMS, self.holder(index)?)?
            .ok_or_else(|| FormatError::damaged("the canonical streams are missing"))?;
        Ok(())
    }

    /// The record as one value.
    pub fn record(&self, want: Want) -> Result<Record, FormatError> {
        let identity = self.identity()?;
        let mut variants = Vec::new();
        for (index, head) in identity.variants.into_iter().enumerate() {
            let fingerprints = if let Some(reason) = head.unreadable {
                Outcome::Unreadable(reason)
            } else {
                let mut prints = self.fingerprints(index)?;
                if want == Want::Everything {
                    self.load_streams(index, &mut prints)?;
                }
                Outcome::Read(prints)
            };
            variants.push(Variant { name: head.name, hash: head.hash, size: head.size, fingerprints });
        }
        Ok(Record {
            unit: identity.unit,
            call: identity.call,
            compiler: identity.compiler,
            decision: identity.decision,
            inputs: self.inputs()?,
            variants,
            notes: identity.notes,
            shadows: self.shadows()?,
            clones: self.clones()?,
            rewriters: self.rewriters()?,
        })
    }
}

fn variant_index(index: usize) -> Result<u16, FormatError> {
    u16::try_from(index).map_err(|_| FormatError::damaged("no such variant"))
}

pub(super) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, FormatError> {
    postcard::to_stdvec(value).map_err(|error| FormatError::Unencodable(error.to_string()))
}

/// Decodes a section that must be there, to its last byte. A vector's stated length makes no room by itself:
/// serde reserves at most a MiB ahead of the elements.
pub(super) fn required<T: DeserializeOwned>(
    container: &Container,
    tag: Tag,
    index: u16,
) -> Result<T, FormatError> {
    let name = tag.escape_ascii();
    let bytes = container
        .section(tag, index)?
        .ok_or_else(|| FormatError::Damaged(format!("section {name} is missing")))?;
    match postcard::take_from_bytes::<T>(&bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(FormatError::Damaged(format!("section {name} has bytes left over"))),
        Err(error) => Err(FormatError::Damaged(format!("section {name} does not decode: {error}"))),
    }
}
