//! What `lpcc show` knows of one object, and the words for it that text and JSON share.

use std::borrow::Cow;
use std::fmt::Write;

use bstr::BString;

use crate::object::{Basis, Fingerprints, Hook, Item};

/// One object to be shown.
#[derive(Debug)]
pub struct Shown {
    /// Path, `archive(member)`, or a unit's output.
    pub name: BString,
    /// Its fingerprints, with streams.
    pub prints: Fingerprints,
    /// How it stands to the record in the store; `None` where there is no record or none was looked for.
    pub recorded: Option<Standing>,
    /// Trouble that was noted when it was recorded.
    pub notes: Vec<String>,
    /// Show only what has one of these names; everything where empty.
    pub symbols: Vec<BString>,
}

impl Shown {
    /// The items asked for.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.prints
            .items
            .iter()
            .filter(|item| self.symbols.is_empty() || item.names().any(|name| self.symbols.contains(name)))
    }
}

/// How an object stands to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What is shown is the record itself.
    Record,
    /// The same bytes.
    SameBytes,
    /// Other bytes (debug information, say), the same fingerprints.
    SameFingerprints,
    /// Other fingerprints, by what a program of the build (objtool) rewrote behind the compiler alone.
    Rewritten,
    /// Other fingerprints: it was changed after it was recorded.
    Differs,
}

/// Whether the record agrees, and how that is said.
pub fn standing(standing: Option<Standing>) -> Option<(bool, &'static str)> {
    Some(match standing? {
        Standing::Record => (true, "from its record"),
        Standing::SameBytes => (true, "agrees with its record"),
        Standing::SameFingerprints => (true, "fingerprints agree with its record, other bytes do not"),
        Standing::Rewritten => (true, "post-processed: rewritten behind the compiler, otherwise as recorded"),
        Standing::Differs => (false, "differs from its record: it was changed after it was recorded"),
    })
}

/// `x86-64 relocatable, 64 bits`, and the build id where there is one.
pub fn image(prints: &Fingerprints) -> String {
    let image = &prints.image;
    let kind = match image.file_type {
        1 => "relocatable",
        2 => "executable",
        3 => "shared",
        4 => "core",
        _ => "object",
    };
    let build_id = image.build_id.as_ref().map(|id| {
        id.iter().fold(String::from(", build id "), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
            text
        })
    });
    format!("{} {kind}{}", machine(image.machine), build_id.unwrap_or_default())
}

/// The machine's usual name (System V ABI, `e_machine`).
pub fn machine(number: u16) -> String {
    let name = match number {
        0 => "no machine",
        3 => "i386",
        20 => "ppc",
        21 => "ppc64",
        22 => "s390",
        40 => "arm",
        62 => "x86-64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        _ => return format!("machine {number}"),
    };
    name.to_owned()
}

/// What there is to say about how far the fingerprints can be trusted; nothing where they are exact.
pub fn basis(prints: &Fingerprints) -> Vec<String> {
    match &prints.basis {
        Basis::Exact => Vec::new(),
        Basis::Conservative(reasons) => {
            reasons.iter().map(|reason| format!("conservative: {reason}")).collect()
        }
        Basis::Deferred(reason) => vec![format!("deferred: {reason}: no function bytes before the link")],
    }
}

/// The word for an entry hook; `-` for none.
pub fn hook(hook: Hook) -> Cow<'static, str> {
    match hook {
        Hook::None => "-".into(),
        Hook::Fentry => "fentry".into(),
        Hook::Mcount => "mcount".into(),
        Hook::Patchable { before: 0, after } => format!("patchable {after}").into(),
        Hook::Patchable { before, after } => format!("patchable {before}+{after}").into(),
    }
}
