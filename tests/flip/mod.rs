//! The law of the whole object as an experiment: alter an object once, and see that everyone is told who must be.

pub mod elf;
pub mod exempt;
pub mod frames;
pub mod mutation;
pub mod owners;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lpcc::analysis::{self, Finding, FindingKind};
use lpcc::object;

use crate::random::Random;
use elf::Elf;
use mutation::{Kind, Mutation, Target};
use owners::{Demand, Owners};

/// What came of the alterations of one object, or of several.
#[derive(Debug, Default)]
pub struct Account {
    pub flips: u64,
    /// No longer a readable object: said so, with the place.
    pub unreadable: u64,
    /// Proved to be the same canonical place.
    pub same_place: u64,
    /// Those who had to be told, owners and readers.
    pub demanded: u64,
    /// Altered, and no finding at all; or somebody who must be told was not.
    pub wrong: Vec<String>,
    pub by_kind: BTreeMap<Kind, u64>,
}

impl Account {
    pub fn add(&mut self, other: Self) {
        self.flips += other.flips;
        self.unreadable += other.unreadable;
        self.same_place += other.same_place;
        self.demanded += other.demanded;
        self.wrong.extend(other.wrong);
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
    }

    /// One line of the table.
    pub fn line(&self, name: &str) -> String {
        let Self { flips, unreadable, same_place, demanded, wrong, .. } = self;
        let wrong = wrong.len();
        format!("{name:<34}{flips:>8}{unreadable:>12}{same_place:>12}{demanded:>12}{wrong:>8}")
    }

    /// The heading of the table.
    pub fn heading() -> String {
        let (a, b, c, d, e, f) = ("object", "flips", "unreadable", "same place", "to be told", "wrong");
        format!("{a:<34}{b:>8}{c:>12}{d:>12}{e:>12}{f:>8}")
    }
}

/// Alters an object so many times, each time anew.
pub fn run(name: &str, file: &[u8], flips: u64, random: &mut Random) -> Account {
    let mut account = Account::default();
    if !elf::is_readable(file) {
        return account;
    }
    let elf = elf::read(file);
    let Ok(old) = object::fingerprint(file) else { return account };
    let owners = Owners::new(&elf);
    let mut tries = 0;
    while account.flips < flips && tries < flips * 4 {
        tries += 1;
        let Some(mutation) = mutation::draw(&elf, random) else { continue };
        account.flips += 1;
        *account.by_kind.entry(mutation.kind).or_default() += 1;
        let Ok(new) = object::fingerprint(&mutation.file) else {
            account.unreadable += 1;
            continue;
        };
        if exempt::is_same_place(&elf, &mutation) {
            account.same_place += 1;
            continue;
        }
        let findings = analysis::compare(&old, &new);
        let demand = demand(&elf, &owners, &mutation);
        account.demanded += demand.values().map(|readers| 1 + readers.len() as u64).sum::<u64>();
        let mut missing = String::new();
        if findings.is_empty() {
            missing.push_str(" SILENT");
        }
        for (thing, readers) in &demand {
            if mutation.kind == Kind::SymbolValue && is_told_by_readers(&owners, readers, &findings) {
                continue;
            }
            judge(&owners, *thing, readers, &findings, &mut missing);
        }
        if !missing.is_empty() {
            let told: Vec<String> = findings
                .iter()
                .take(4)
                .map(|it| format!("{} {} {}: {}", it.kind.as_str(), it.symbol, it.change.as_str(), it.detail))
                .collect();
            account.wrong.push(format!("{name}: {}:{missing}; told: {}", mutation.what, told.join(" | ")));
        }
    }
    account
}

fn demand(elf: &Elf<'_>, owners: &Owners<'_, '_>, mutation: &Mutation) -> Demand {
    match mutation.target {
        Target::Place(section, offset) => {
            let table = elf.sections[section].name.starts_with(".gcc_except_table");
            let at = elf.sections[section].offset + offset as usize;
            // Fill before the table of types is nobody's.
            if table && mutation.kind == Kind::Byte && elf.file[at] == 0 {
                return Demand::new();
            }
            owners.at(section, offset)
        }
        Target::Symbol(index) => owners.of_symbol(index),
        Target::Section => Demand::new(),
    }
}

/// A datum whose symbol alone moves is what it was, elsewhere: those who reach the old place are who changed.
fn is_told_by_readers(owners: &Owners<'_, '_>, readers: &BTreeSet<usize>, findings: &[Finding]) -> bool {
    let told = |reader: &usize| {
        let names = &owners.things[*reader].names;
        findings.iter().any(|it| it.kind == FindingKind::Function && names.contains(&it.symbol.to_string()))
    };
    !readers.is_empty() && readers.iter().all(told)
}

/// Appends who of a thing and its readers was not told.
fn judge(
    owners: &Owners<'_, '_>,
    thing: usize,
    readers: &BTreeSet<usize>,
    findings: &[Finding],
    missing: &mut String,
) {
    let thing = &owners.things[thing];
    let names = &thing.names;
    let about = |finding: &&Finding| {
        let kind = if thing.is_function { FindingKind::Function } else { FindingKind::Data };
        // What changes its section, or stops being allocated, may become another kind of thing.
        finding.kind >= kind.min(FindingKind::Function) && names.contains(&finding.symbol.to_string())
    };
    let told: Vec<&Finding> = findings.iter().filter(about).collect();
    if told.is_empty() {
        let _ = write!(missing, " owner {names:?}");
    }
    let told: BTreeSet<String> =
        told.iter().flat_map(|finding| &finding.readers).map(ToString::to_string).collect();
    for reader in readers {
        let names = &owners.things[*reader].names;
        if !names.iter().any(|name| told.contains(name)) {
            let _ = write!(missing, " reader {names:?} of {:?}", thing.names);
        }
    }
}
