//! The types of an answer: findings, and the objects they belong to.

use bstr::BString;

use crate::object::listing::Line;
use crate::object::{Kind, PartKind};

/// What a finding is about. The order is the order in which findings are listed: how an object was compiled is
/// said before what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// How the unit was compiled: compiler, flags, input files.
    Input,
    /// A function.
    Function,
    /// A named object.
    Data,
    /// Entries of a special section that serve no single function.
    Site,
    /// A section's own flags, type and alignment.
    Section,
    /// Bytes that nothing accounts for.
    Unowned,
}

impl FindingKind {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Function => "function",
            Self::Data => "data",
            Self::Site => "site",
            Self::Section => "section",
            Self::Unowned => "unowned",
        }
    }
}

impl From<Kind> for FindingKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Function => Self::Function,
            Kind::Data => Self::Data,
            Kind::Site => Self::Site,
            Kind::Section => Self::Section,
            Kind::Unowned => Self::Unowned,
        }
    }
}

/// How it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It does something else, or holds something else.
    Changed,
    /// Only the new side has it.
    New,
    /// Only the old side has it.
    Removed,
    /// The same body under another name.
    Renamed,
    /// Proved to differ in line numbers only.
    LineOnly,
    /// Proved to differ in file names only.
    PathOnly,
    /// It lies in another section, or another section group.
    Section,
    /// Binding or visibility.
    Binding,
    /// Alignment.
    Alignment,
    /// Size.
    Size,
    /// Another set of names at the same place.
    Alias,
}

impl Change {
    /// All changes, in the order of output.
    pub const ALL: [Self; 11] = [
        Self::Changed,
        Self::New,
        Self::Removed,
        Self::Renamed,
        Self::LineOnly,
        Self::PathOnly,
        Self::Section,
        Self::Binding,
        Self::Alignment,
        Self::Size,
        Self::Alias,
    ];

    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::New => "new",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::LineOnly => "line-only",
            Self::PathOnly => "path-only",
            Self::Section => "section",
            Self::Binding => "binding",
            Self::Alignment => "alignment",
            Self::Size => "size",
            Self::Alias => "alias",
        }
    }
}

/// Something worth a second look, never a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// The difference looks like a moved `__LINE__`.
    MaybeLine,
}

impl Hint {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaybeLine => "maybe-line",
        }
    }
}

/// One side of a finding: what stood there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The raw symbol.
    pub symbol: BString,
    /// The section it lies in.
    pub section: BString,
    /// Size in bytes.
    pub size: u64,
    /// Number of the first differing instruction or entry.
    pub index: Option<u32>,
    /// Offset in bytes of the first differing place from the start of the item.
    pub offset: Option<u64>,
    /// What stands at that place.
    pub text: Option<String>,
}

/// One typed difference between two objects or records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// The raw symbol, of the new side where there is one; a section's name; `compiler`, `flags` or a path.
    pub symbol: BString,
    /// How it differs.
    pub change: Change,
    /// The parts that differ, in the order of [`PartKind`].
    pub parts: Vec<PartKind>,
    /// The first differing place, for a person. May be empty.
    pub detail: String,
    /// The old side, where it had one.
    pub old: Option<Place>,
    /// The new side, where it has one.
    pub new: Option<Place>,
    /// For data: the functions of the object that refer to it, raw symbols, sorted.
    pub readers: Vec<BString>,
    /// For data: those that may refer to it, for their address may be that of an element before it.
    pub perhaps: Vec<BString>,
    /// The two sides were matched by position only.
    pub guess: bool,
    /// Something worth a second look.
    pub hint: Option<Hint>,
}

impl Finding {
    /// A finding with everything optional left empty.
    pub fn new(kind: FindingKind, symbol: impl Into<BString>, change: Change) -> Self {
        Self {
            kind,
            symbol: symbol.into(),
            change,
            parts: Vec::new(),
            detail: String::new(),
            old: None,
            new: None,
            readers: Vec::new(),
            perhaps: Vec::new(),
            guess: false,
            hint: None,
        }
    }
}

/// What comparing a pair of objects came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Nothing differs.
    Same,
    /// There are findings.
    Changed,
    /// Only the new side has the object.
    Added,
    /// Only the old side has the object.
    Removed,
    /// The bytes differ, but the objects hold no function bytes before the link.
    Deferred,
    /// One of the two could not be read.
    Unreadable,
}

impl Status {
    /// All statuses, in the order of output.
    pub const ALL: [Self; 6] =
        [Self::Same, Self::Changed, Self::Added, Self::Removed, Self::Deferred, Self::Unreadable];

    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Deferred => "deferred",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The answer for one pair of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDiff {
    /// The name both sides have in common: a relative path, `libz.a(inflate.o)`.
    pub object: BString,
    /// What the comparison came to.
    pub status: Status,
    /// Why, where the status needs a reason, and how far the answer can be trusted.
    pub notes: Vec<String>,
    /// All findings, in order.
    pub findings: Vec<Finding>,
    /// What changed inside functions, where that was asked for.
    pub code: Vec<CodePair>,
}

/// What changed inside one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePair {
    /// The raw symbol of the new side.
    pub symbol: BString,
    /// The listings that differ.
    pub listings: Vec<Listing>,
}

/// Old and new lines of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which; `code` stands for the instructions with all that they refer to.
    pub part: PartKind,
    /// The old side's lines.
    pub old: Vec<Line>,
    /// The new side's lines.
    pub new: Vec<Line>,
}
