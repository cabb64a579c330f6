//! The types of a selection: what a live patch must carry, with reason and verdict for each.

use bstr::BString;

use super::findings::Place;
use crate::object::PartKind;

/// The whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// How the replay went.
    pub rebuild: Rebuild,
    /// The functions to carry, by object and symbol.
    pub functions: Vec<Function>,
    /// Data that changed, which no live patch of functions carries by itself.
    pub data: Vec<Datum>,
    /// Functions that differ in line numbers only (proved), or in the path of their source: not to carry.
    pub line_only: Vec<LineOnly>,
    /// What differs and is neither: sections, symbols' bindings, entries of special sections, unowned bytes.
    pub others: Vec<Other>,
    /// Patched files that no recorded unit read.
    pub unread: Vec<Unread>,
    /// The recorded calls of the units that were replayed.
    pub units: Vec<UnitCall>,
}

/// A recorded call, for tools that compile the unit themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitCall {
    /// The object's name in this answer.
    pub object: BString,
    /// The object, absolute.
    pub output: BString,
    /// The source, as the call named it.
    pub source: BString,
    /// The directory of the call.
    pub directory: BString,
    /// The compiler and its arguments.
    pub arguments: Vec<BString>,
    /// The compiler's version.
    pub version: String,
}

/// Does what is replayed equal what was recorded?
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// Units that the fix touches.
    pub units: usize,
    /// Of those, the ones whose unpatched replay gave the recorded fingerprints.
    pub reproduced: usize,
    /// Where it did not.
    pub drift: Vec<Drift>,
    /// Units that could not be replayed.
    pub not_replayed: Vec<NotReplayed>,
    /// What else is to be said: fuzz of a patch, another compiler.
    pub notes: Vec<String>,
}

/// One thing that the unpatched replay made otherwise than the recorded build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The object.
    pub object: BString,
    /// The function, datum or section.
    pub symbol: BString,
    /// In what it differs.
    pub detail: String,
}

/// A unit that could not be replayed, or not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReplayed {
    /// Its source.
    pub source: BString,
    /// Its object, where it has one.
    pub object: Option<BString>,
    /// Why, as a fragment.
    pub reason: String,
}

/// A patched file that no recorded unit read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub path: BString,
    /// What may be behind it.
    pub reason: String,
    /// Whether it may change what runs all the same, so that the selection may lack something.
    pub matters: bool,
}

/// How a function differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionChange {
    /// Both sides have it.
    Changed,
    /// Only the patched side has it.
    New,
    /// Only the unpatched side has it.
    Removed,
}

impl FunctionChange {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::New => "new",
            Self::Removed => "removed",
        }
    }
}

/// A function that a live patch must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The object.
    pub object: BString,
    /// The unit's source, as the call named it.
    pub source: BString,
    /// The raw symbol: of the running code where it is there, else of the patched.
    pub symbol: BString,
    /// How it differs.
    pub change: FunctionChange,
    /// In which parts of its fingerprint.
    pub parts: Vec<PartKind>,
    /// The first differing place, for a person.
    pub detail: String,
    /// Why: never empty.
    pub why: Vec<Why>,
    /// Whether it can be patched.
    pub verdict: Verdict,
    /// What needs care.
    pub obstacles: Vec<String>,
    /// What to patch instead, where it cannot be patched.
    pub instead: Vec<BString>,
    /// The reason given in the configuration for accepting that it cannot.
    pub accepted: Option<String>,
    /// Which symbol of its name it is; `None` for one that does not run yet.
    pub position: Option<Position>,
    /// The running code's side.
    pub old: Option<Place>,
    /// The patched side.
    pub new: Option<Place>,
}

/// Which of the symbols of one name a function's is. The kernel's live patching calls it `sympos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// From 1, in the order of addresses; in a relocatable file, in that of the symbol table.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// The file in which they were counted: the linked image where one was given, else the object.
    pub within: BString,
    /// Whether that file is linked, so that the position is final.
    pub is_final: bool,
}

impl Position {
    /// What the kernel's live patching takes: 0 where there is one symbol of the name.
    pub fn sympos(&self) -> usize {
        if self.of == 1 { 0 } else { self.number }
    }
}

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Why {
    /// Which kind.
    pub kind: WhyKind,
    /// The way from the edit to the function.
    pub via: Vec<BString>,
    /// For a person.
    pub detail: String,
}

/// Kinds of reasons, the most direct first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyKind {
    /// The patch touches its source.
    Edited,
    /// It contains a copy of an edited function.
    Inlined,
    /// It is a specialised copy of an edited function, or a piece of one.
    Clone,
    /// It refers to data that changed.
    Data,
    /// Its compiled body relied on a property of an edited function.
    Caller,
    /// It shares a callee with one that changed.
    Sibling,
    /// Nothing known explains it.
    Unexplained,
}

impl WhyKind {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Inlined => "inlined",
            Self::Clone => "clone",
            Self::Data => "data",
            Self::Caller => "caller",
            Self::Sibling => "sibling",
            Self::Unexplained => "unexplained",
        }
    }
}

/// Whether a function can be patched by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It can.
    Patchable,
    /// It cannot.
    Unpatchable,
}

impl Verdict {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patchable => "patchable",
            Self::Unpatchable => "unpatchable",
        }
    }
}

/// A datum that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datum {
    /// The object.
    pub object: BString,
    /// The raw symbol.
    pub symbol: BString,
    /// How it differs, in the words of a finding.
    pub change: &'static str,
    /// The functions that refer to it.
    pub readers: Vec<BString>,
    /// The first differing place, and what to do about it.
    pub detail: String,
}

/// A function that need not be carried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineOnly {
    /// The object.
    pub object: BString,
    /// The raw symbol.
    pub symbol: BString,
    /// Of what it is a matter.
    pub noise: Noise,
}

/// What may differ without any change of what a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noise {
    /// Line numbers.
    Line,
    /// The path of the source.
    Path,
    /// `__COUNTER__`.
    Counter,
}

impl Noise {
    /// The words used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line numbers",
            Self::Path => "paths",
            Self::Counter => "`__COUNTER__`",
        }
    }
}

/// A difference that is no function's body and no datum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The object.
    pub object: BString,
    /// What the finding is about, in its words.
    pub kind: &'static str,
    /// The raw symbol or section.
    pub symbol: BString,
    /// How it differs, in the words of a finding.
    pub change: &'static str,
    /// For a person.
    pub detail: String,
}

impl Selection {
    /// Number of functions that cannot be patched, accepted ones left out.
    pub fn unpatchable(&self) -> usize {
        let counts =
            |function: &&Function| function.verdict == Verdict::Unpatchable && function.accepted.is_none();
        self.functions.iter().filter(counts).count()
    }

    /// Whether something was not looked at, so that functions may be missing or wrong.
    pub fn is_incomplete(&self) -> bool {
        let rebuild = &self.rebuild;
        !rebuild.not_replayed.is_empty()
            || !rebuild.drift.is_empty()
            || self.unread.iter().any(|file| file.matters)
    }

    /// Whether there is nothing that a live patch would carry.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.data.is_empty()
    }
}
