//! The record of one unit and of one link: types. How they become bytes is [`super::format`]'s matter.
//!
//! Paths and arguments are bytes, never text. Nothing here is random or timed: the same build gives the same
//! record.

use std::os::unix::ffi::OsStrExt;

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::argv::{CommandLine, Language};
use crate::object::{Fingerprints, Hash};
use crate::policy::Decision;

/// What is kept of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which unit.
    pub unit: Unit,
    /// The compiler call.
    pub call: Call,
    /// The real compiler.
    pub compiler: Compiler,
    /// What the policy said.
    pub decision: Decision,
    /// What was read to make the object.
    pub inputs: Inputs,
    /// What came out: the primary first, then shadows.
    pub variants: Vec<Variant>,
    /// Trouble that did not stop the build, as lower-case fragments.
    pub notes: Vec<String>,
    /// The compiler's clones dump, as it wrote it, where it was asked for and could be had.
    pub clones: Option<BString>,
    /// How the shadows among `variants` were compiled, in the same order.
    pub shadows: Vec<ShadowCall>,
    /// Commands that rewrote the object behind the compiler, within the same make rule (the kernel's objtool): program and
    /// arguments, in order, run in the call's directory. The primary is what they left. A wrapper sees the compiler's object
    /// and has none.
    pub rewriters: Vec<Vec<BString>>,
}

/// How a shadow was compiled: enough to know that it need not be compiled again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowCall {
    /// Arguments, without the program name and the output; response files expanded where lpcc took words out of them.
    pub run: Vec<BString>,
    /// The compiler, where it is not the unit's.
    pub compiler: Option<Compiler>,
    /// Files read beyond the unit's inputs, where those are known to be partial.
    pub inputs: Vec<Input>,
}

/// What compiling a variant took. Lies in a file beside the record: the same build gives the same records, not the same times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The variant's name.
    pub name: String,
    /// CPU time in user mode, in microseconds.
    pub user: u64,
    /// CPU time in the kernel, in microseconds.
    pub system: u64,
    /// Time on the clock, in microseconds.
    pub wall: u64,
    /// Most memory that one of the compiler's processes had at a time, in KiB.
    pub memory: u64,
}

/// One source file compiled to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The source as the call named it; `-` for standard input.
    pub source: BString,
    /// The object, absolute; the unit's key in the store.
    pub output: BString,
    /// Its language.
    pub language: Language,
}

/// One run of the wrapper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Arguments as given, without the program name.
    pub given: Vec<BString>,
    /// Arguments as run, without the program name; `@file` unexpanded.
    pub run: Vec<BString>,
    /// Response files named by the call, with their contents: the build may delete them.
    pub response_files: Vec<(BString, BString)>,
    /// Programs between lpcc and the compiler (`ccache`, `distcc`), outermost first, absolute.
    pub launchers: Vec<BString>,
    /// Working directory, absolute.
    pub directory: BString,
    /// Environment variables that decide what is compiled, by the allow-list in `env`, sorted.
    pub environment: Vec<(BString, BString)>,
}

impl Call {
    /// The response files of a call as it was read.
    pub fn response_files_of(line: &CommandLine) -> Vec<(BString, BString)> {
        let name = |word: &[u8]| BString::from(word.strip_prefix(b"@").unwrap_or(word));
        let files = line.response_files().iter();
        files.map(|file| (name(file.word.as_bytes()), file.contents.as_slice().into())).collect()
    }
}

/// The identity of a real compiler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiler {
    /// Absolute path by which it was run.
    pub path: BString,
    /// Family.
    pub family: Family,
    /// Version as the compiler gives it (`12.2.0`).
    pub version: String,
    /// Target triple as the compiler gives it.
    pub target: String,
    /// Content hashes of what does the work: driver first, then cc1 or cc1plus, as, plugins.
    pub programs: Vec<(BString, Hash)>,
}

/// Compiler family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// GCC.
    Gcc,
    /// Clang, Apple's and vendors' included.
    Clang,
    /// Neither said so.
    Unknown,
}

impl Family {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gcc => "gcc",
            Self::Clang => "clang",
            Self::Unknown => "unknown compiler",
        }
    }
}

/// What was read to make the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Whether `files` is all of it.
    pub completeness: Completeness,
    /// Files read, in the order the compiler names them, the source first.
    pub files: Vec<Input>,
}

/// Whether a list of inputs is all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Completeness {
    /// All files that the compiler says it read.
    Full,
    /// Some are known to be missing; the reason (`-MMD: no system headers`).
    Partial(String),
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Path as the compiler named it, relative to the call's directory.
    pub path: BString,
    /// Hash of its contents, or `None` where it was gone or unreadable after the compile.
    pub hash: Option<Hash>,
}

/// One way of compiling the unit, and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// `primary`, or the shadow's name.
    pub name: String,
    /// Hash of the object file's bytes.
    pub hash: Hash,
    /// Size of the object file in bytes.
    pub size: u64,
    /// What its functions and data are.
    pub fingerprints: Outcome,
}

/// Fingerprints, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The object was read.
    Read(Fingerprints),
    /// It could not be read; the reason.
    Unreadable(String),
}

/// What is kept of a link call: enough to know an object's image later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// The linked file, absolute.
    pub output: BString,
    /// Its build id (`NT_GNU_BUILD_ID`), raw bytes.
    pub build_id: Option<BString>,
    /// Hash of its bytes.
    pub hash: Option<Hash>,
    /// Objects, archives and libraries named by the call, as given.
    pub inputs: Vec<BString>,
    /// Sources compiled and linked in one call: they left no object of their own.
    pub without_object: Vec<BString>,
    /// The call.
    pub call: Call,
}

/// A call that left no record, or trouble on the way to one. Nothing timed or random is in it, so that the same
/// note of the same build is one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The source as the call named it, where one is known.
    pub source: Option<BString>,
    /// The output, absolute, where one is known.
    pub output: Option<BString>,
    /// Why, as a lower-case fragment.
    pub reason: String,
    /// The call, where it was understood so far.
    pub call: Option<Call>,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NoteKind {
    /// A call that made an object and left no record.
    NotRecorded,
    /// Something went wrong; the build went on.
    Trouble,
    /// Everything as it should be, and worth saying.
    Remark,
}
