//! The targets, and what must hold for any input.

use std::sync::OnceLock;

use lpcc::analysis::cost::UnitCost;
use lpcc::analysis::cost::flow::Flow;
use lpcc::analysis::{compare_with_code, producers, rewritten};
use lpcc::object::{self, Fingerprints, debug};
use lpcc::store::record::{Outcome, Record};
use lpcc::store::{Export, Want, format, read_record};

use super::{mutation, store_support, text};

/// Files that lie beside the fuzzed one are asked for without end by one that names itself.
const FILES_BESIDE: usize = 4;

/// What is fuzzed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Objects, linked files and archives: read, listed, recorded, compared with themselves.
    Object,
    /// Two objects (see [`mutation::Pair`]) compared with each other.
    Pair,
    /// Debug information, for `audit` and for `select`.
    Dwarf,
    /// Records, behind their hashes.
    Record,
    /// Exports, behind their hashes.
    Export,
    /// What is read as text: the first byte says which of [`text::PARSERS`] reads the rest.
    Text,
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "pair" => Self::Pair,
            "dwarf" => Self::Dwarf,
            "record" => Self::Record,
            "export" => Self::Export,
            "text" => Self::Text,
            _ => return None,
        })
    }

    /// Runs it on one input; panics where a property does not hold.
    pub fn run(self, input: &[u8]) {
        match self {
            Self::Object => object(input),
            Self::Pair => pair(input),
            Self::Dwarf => dwarf(input),
            Self::Record => record(input),
            Self::Export => export(input),
            Self::Text => text::run(input),
        }
    }
}

fn object(input: &[u8]) {
    let _ = object::kind_of(input);
    if let Ok(members) = object::members(input) {
        assert!(members.iter().all(|member| member.data.is_none_or(|data| data.len() <= input.len())));
    }
    let Ok(prints) = object::fingerprint(input) else { return };
    for item in &prints.items {
        for part in &item.parts {
            let _ = object::listing::lines(&prints, item, part.kind);
        }
    }
    let again = recorded(prints.clone());
    assert_eq!(again, prints, "not the same after it was written and read");
    let (findings, code) = compare_with_code(&prints, &again);
    assert!(findings.is_empty() && code.is_empty(), "differs from itself: {findings:?}");
}

/// The fingerprints as they come back from a record.
fn recorded(prints: Fingerprints) -> Fingerprints {
    static FORM: OnceLock<Record> = OnceLock::new();
    let mut record = FORM.get_or_init(|| store_support::record(b"/a.o", 1, 1)).clone();
    record.variants[0].fingerprints = Outcome::Read(prints);
    let bytes = format::encode(&record).expect("a record can be written");
    let mut read = read_record(&bytes, Want::Everything).expect("what was written can be read");
    match read.variants.swap_remove(0).fingerprints {
        Outcome::Read(prints) => prints,
        Outcome::Unreadable(reason) => panic!("{reason}"),
    }
}

fn pair(input: &[u8]) {
    let Some(pair) = mutation::Pair::of(input) else { return };
    let (Ok(old), Ok(new)) = (object::fingerprint(pair.old), object::fingerprint(pair.new)) else { return };
    let (there, code) = compare_with_code(&old, &new);
    assert!(code.len() <= there.len(), "more code than findings");
    let (back, _) = compare_with_code(&new, &old);
    assert_eq!(there.is_empty(), back.is_empty(), "differs one way only: {there:?} {back:?}");
    let same = old.items == new.items && old.streams == new.streams && old.image == new.image;
    assert!(!same || there.is_empty(), "the same fingerprints differ: {there:?}");
    let cost = UnitCost::of(&old, &new);
    assert!(cost.functions.len() + cost.data.len() <= there.len(), "the cost of what does not differ");
    let _ = rewritten::check(&old, &new);
}

fn dwarf(input: &[u8]) {
    let mut beside = 0;
    // The worst file beside is the file itself: whatever it refers to leads back to where it came from.
    let mut reader = |file: &producers::Beside<'_>| {
        beside += 1;
        let _ = file.fits(input);
        (beside <= FILES_BESIDE).then(|| input.to_vec())
    };
    let _ = producers::built(input, &mut reader);
    if let Ok(debug) = debug::read(input) {
        assert!(debug.written.is_sorted());
    }
}

fn record(input: &[u8]) {
    let Ok(record) = read_record(input, Want::Everything) else { return };
    let bytes = format::encode(&record).expect("what was read can be written");
    assert_eq!(read_record(&bytes, Want::Everything).as_ref(), Ok(&record), "not the same written and read");
    let light = read_record(input, Want::Fingerprints).expect("less of it can be read");
    for (variant, light) in record.variants.iter().zip(&light.variants) {
        let (Outcome::Read(prints), Outcome::Read(light)) = (&variant.fingerprints, &light.fingerprints)
        else {
            continue;
        };
        // What a record says of positions in its streams need not be true.
        for item in &prints.items {
            for part in &item.parts {
                let _ = object::listing::lines(prints, item, part.kind);
            }
            let _ = Flow::of(prints, item).map(|flow| (flow.never_returns(), flow.calls()));
        }
        let _ = compare_with_code(prints, light);
    }
}

fn export(input: &[u8]) {
    let Ok(export) = Export::from_bytes(input.to_vec()) else { return };
    let _ = (export.links().count(), export.notes().count());
    for unit in export.units() {
        let Ok(unit) = unit else { continue };
        let _ = export.find(unit.output());
        let _ = unit.record.record(Want::Everything);
    }
}
