//! Two objects to findings.
//!
//! A hash speaks of a reference by its name without the number and by the index of its first use, so that
//! renumbered statics leave it alone. That alone would be blind to two statics of one name that swapped their
//! roles. So two items are equal only if their hashes are equal **and** the items they refer to are matched
//! with each other by the correlation.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use bstr::{BStr, BString, ByteSlice};

use super::attributes;
use super::correlate::{Correlation, How, Pair, correlate};
use super::detail::{self, Spot};
use super::findings::{Change, CodePair, Finding, FindingKind, Place};
use super::maybe_line;
use super::path_only;
use super::readers::Readers;
use super::rebound::{self, Rebound};
use super::regrouped::Names;
use crate::object::{Fingerprints, Item, Kind, Part, PartKind, Reference, Scope};

/// All findings between two objects, sorted by kind, symbol and change.
///
/// Where the canonical streams are loaded on both sides, findings carry the first differing place.
pub fn compare(old: &Fingerprints, new: &Fingerprints) -> Vec<Finding> {
    run(old, new, false).0
}

/// [`compare`], and what changed inside each item that did. Needs the canonical streams.
pub fn compare_with_code(old: &Fingerprints, new: &Fingerprints) -> (Vec<Finding>, Vec<CodePair>) {
    run(old, new, true)
}

fn run(old: &Fingerprints, new: &Fingerprints, want_code: bool) -> (Vec<Finding>, Vec<CodePair>) {
    let correlation = correlate(old, new);
    let mut differ = Differ {
        old,
        new,
        correlation: &correlation,
        readers: OnceCell::new(),
        rebound: OnceCell::new(),
        names: OnceCell::new(),
        aliases: (aliases(old), aliases(new)),
        want_code,
        findings: Vec::new(),
        code: Vec::new(),
    };
    for pair in &correlation.pairs {
        differ.pair(*pair);
    }
    for &index in &correlation.removed {
        differ.lone(old, index, Change::Removed);
    }
    for &index in &correlation.added {
        differ.lone(new, index, Change::New);
    }
    differ.code.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    (sorted(differ.findings), differ.code)
}

/// The findings of an object that stands on one side only: everything in it is `change`.
pub fn all_of(prints: &Fingerprints, change: Change) -> Vec<Finding> {
    let empty = Fingerprints {
        recipe: prints.recipe,
        image: prints.image.clone(),
        basis: prints.basis.clone(),
        files: prints.files.clone(),
        items: Vec::new(),
        streams: Vec::new(),
    };
    let (old, new) = if change == Change::Removed { (prints, &empty) } else { (&empty, prints) };
    compare(old, new)
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (a.kind, &a.symbol, a.change).cmp(&(b.kind, &b.symbol, b.change)));
    findings
}

/// What each name that is not the first of its item stands for.
type Aliases<'a> = HashMap<(Kind, &'a BStr), &'a BStr>;

fn aliases(prints: &Fingerprints) -> Aliases<'_> {
    prints
        .items
        .iter()
        .flat_map(|item| {
            item.aliases.iter().map(move |alias| ((item.kind, alias.as_bstr()), item.name.as_bstr()))
        })
        .collect()
}

/// Parts whose streams speak of other items by name.
const NAMES_TARGETS: [PartKind; 6] = [
    PartKind::Content,
    PartKind::References,
    PartKind::Constants,
    PartKind::Tables,
    PartKind::Unwinding,
    PartKind::Sites,
];

struct Differ<'a> {
    old: &'a Fingerprints,
    new: &'a Fingerprints,
    correlation: &'a Correlation,
    /// What only differences ask for, made when the first one does.
    readers: OnceCell<(Readers<'a>, Readers<'a>)>,
    rebound: OnceCell<Rebound>,
    names: OnceCell<Names>,
    aliases: (Aliases<'a>, Aliases<'a>),
    want_code: bool,
    findings: Vec<Finding>,
    code: Vec<CodePair>,
}

impl<'a> Differ<'a> {
    fn pair(&mut self, pair: Pair) {
        let (Some(old), Some(new)) =
            (self.old.items.get(pair.old as usize), self.new.items.get(pair.new as usize))
        else {
            return;
        };
        let mut parts = differing_parts(old, new);
        let mut attributes = if parts.contains(&PartKind::Attributes) {
            attributes::changes((self.old, old), (self.new, new))
        } else {
            Vec::new()
        };
        // What an item is called is in no hash; where it has several names, which is the first may change with the others.
        if pair.how == How::Name
            && let Some(renamed) = attributes::other_names(old, new)
        {
            attributes.retain(|attribute| attribute.change != Change::Alias);
            attributes.push(renamed);
        }
        // What the attributes say has its own findings; they are a part of `changed` only where they say
        // something that has no word of its own.
        if attributes.iter().all(|attribute| attribute.change != Change::Changed) {
            parts.retain(|part| *part != PartKind::Attributes);
        }
        // Whoever is reached under another set of names is reached all the same, if the references agree.
        if self.disagreement(old, new).is_none() {
            parts.retain(|part| !NAMES_TARGETS.contains(part) || !self.is_regrouped(old, new, *part));
            if old.kind == Kind::Function && self.is_rebound(old, new, &parts) {
                parts.clear();
            }
        }
        let mut spot = Spot::first((self.old, old), (self.new, new), &parts);
        if parts.is_empty()
            && let Some(place) = self.disagreement(old, new)
        {
            parts.push(PartKind::References);
            spot = Some(place);
        }

        if pair.how == How::Renamed && is_public(old) {
            // Others may name it: for them one symbol is gone and another is there.
            self.lone(self.old, pair.old, Change::Removed);
            self.lone(self.new, pair.new, Change::New);
        }
        let base = |change| Finding {
            old: Some(place(old)),
            new: Some(place(new)),
            readers: self.readers_of(old.kind, Some(pair.old), Some(pair.new)),
            perhaps: self.perhaps_readers_of(Some(pair.old), Some(pair.new)),
            guess: pair.how == How::Guess,
            ..Finding::new(old.kind.into(), common_name(old, new).clone(), change)
        };
        let (mut found, mut code) = (Vec::new(), None);
        if pair.how == How::Renamed && !is_public(old) {
            let detail = detail::renamed(&old.name, &new.name);
            found.push(Finding { detail, ..base(Change::Renamed) });
        }
        if !parts.is_empty() {
            if self.want_code {
                let listings = detail::listings((self.old, old), (self.new, new), &parts);
                code = Some(CodePair { symbol: common_name(old, new).clone(), listings });
            }
            if let Some(detail) = path_only::proof((self.old, old), (self.new, new), &parts) {
                found.push(Finding { parts, detail, ..base(Change::PathOnly) });
            } else {
                let hint = maybe_line::hint((self.old, old), (self.new, new), &parts);
                found.push(with_spot(Finding { parts, hint, ..base(Change::Changed) }, spot));
            }
        }
        for attribute in attributes.into_iter().filter(|attribute| attribute.change != Change::Changed) {
            if old.kind == Kind::Section && attribute.change == Change::Alignment {
                found.extend(self.realigned(old, new, &attribute.detail));
            }
            let parts = vec![PartKind::Attributes];
            found.push(Finding { parts, detail: attribute.detail, ..base(attribute.change) });
        }
        self.findings.extend(found);
        self.code.extend(code);
    }

    /// Who may have caused a section's new alignment: a datum has none of its own in a section that it shares, but
    /// only one that lies at a multiple of the greater alignment can have asked for it.
    fn realigned(&self, old: &Item, new: &Item, detail: &str) -> Vec<Finding> {
        let alignment = |side: (&Fingerprints, &Item)| attributes::alignment(side).unwrap_or(0);
        let (was, is) = (alignment((self.old, old)), alignment((self.new, new)));
        let (prints, section) = if is >= was { (self.new, new) } else { (self.old, old) };
        let asked = |item: &&Item| {
            item.kind == Kind::Data
                && item.section == section.section
                && item.address.is_multiple_of(was.max(is).max(1))
        };
        let finding = |item: &Item| Finding {
            parts: vec![PartKind::Attributes],
            detail: format!("section {}: {detail}", section.name),
            guess: true,
            ..Finding::new(FindingKind::Data, item.name.clone(), Change::Alignment)
        };
        prints.items.iter().filter(asked).map(finding).collect()
    }

    fn lone(&mut self, prints: &Fingerprints, index: u32, change: Change) {
        let Some(item) = prints.items.get(index as usize) else { return };
        let mut finding = Finding::new(item.kind.into(), item.name.clone(), change);
        if change == Change::Removed {
            finding.old = Some(place(item));
            finding.readers = self.readers_of(item.kind, Some(index), None);
            finding.perhaps = self.perhaps_readers_of(Some(index), None);
        } else {
            finding.new = Some(place(item));
            finding.readers = self.readers_of(item.kind, None, Some(index));
            finding.perhaps = self.perhaps_readers_of(None, Some(index));
        }
        let (aliases, verb) =
            if change == Change::Removed { (&self.aliases.1, "is now") } else { (&self.aliases.0, "was") };
        if let Some(other) = aliases.get(&(item.kind, item.name.as_bstr())) {
            let detail = format!("{verb} another name of {other}");
            self.findings.push(Finding { detail, change: Change::Alias, ..finding.clone() });
        }
        self.findings.push(finding);
    }

    fn is_regrouped(&self, old: &Item, new: &Item, part: PartKind) -> bool {
        let names = self.names.get_or_init(|| Names::of(self.old, self.new, self.correlation));
        names.explain((self.old, old), (self.new, new), part)
    }

    fn is_rebound(&self, old: &Item, new: &Item, parts: &[PartKind]) -> bool {
        let rebound = || self.rebound.get_or_init(|| Rebound::of(self.old, self.new, self.correlation));
        rebound::may_explain((self.old, self.new), parts)
            && rebound().explains((self.old, old), (self.new, new))
    }

    /// The first reference whose two sides are not matched with each other.
    fn disagreement(&self, old: &Item, new: &Item) -> Option<Spot> {
        let length = old.references.len().max(new.references.len());
        (0..length).find_map(|index| {
            let sides = (old.references.get(index), new.references.get(index));
            let agrees = match sides {
                (Some(old), Some(new)) => self.agrees(old, new),
                _ => false,
            };
            (!agrees).then(|| {
                Spot::reference(reference_name(self.old, sides.0), reference_name(self.new, sides.1))
            })
        })
    }

    fn agrees(&self, old: &Reference, new: &Reference) -> bool {
        let has_name = |prints: &Fingerprints, item: u32, name: &BString| {
            prints.items.get(item as usize).is_some_and(|item| item.is_called(name))
        };
        match (old, new) {
            (Reference::Item(old), Reference::Item(new)) => self.correlation.new_of(*old) == Some(*new),
            (Reference::External(old), Reference::External(new)) => old == new,
            // A symbol that moved into or out of this file is the same symbol as long as it keeps its name.
            (Reference::Item(old), Reference::External(new)) => has_name(self.old, *old, new),
            (Reference::External(old), Reference::Item(new)) => has_name(self.new, *new, old),
        }
    }

    fn readers_of(&self, kind: Kind, old: Option<u32>, new: Option<u32>) -> Vec<BString> {
        if kind == Kind::Function {
            return Vec::new();
        }
        let (was, is) = self.readers();
        was.surely(old).chain(is.surely(new)).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Those of which only that is known that they may be readers.
    fn perhaps_readers_of(&self, old: Option<u32>, new: Option<u32>) -> Vec<BString> {
        let (was, is) = self.readers();
        let only_perhaps = |readers: &Readers<'_>, index| {
            let surely: BTreeSet<&BString> = readers.surely(index).collect();
            readers.perhaps(index).filter(|name| !surely.contains(name)).cloned().collect::<Vec<_>>()
        };
        let all: BTreeSet<BString> =
            [only_perhaps(was, old), only_perhaps(is, new)].into_iter().flatten().collect();
        all.into_iter().collect()
    }

    fn readers(&self) -> &(Readers<'a>, Readers<'a>) {
        self.readers.get_or_init(|| (Readers::of(self.old), Readers::of(self.new)))
    }
}

fn reference_name(prints: &Fingerprints, reference: Option<&Reference>) -> Option<String> {
    match reference? {
        Reference::Item(index) => Some(prints.items.get(*index as usize)?.name.to_string()),
        Reference::External(name) => Some(name.to_string()),
    }
}

/// The name that both sides know the thing by, where there is one: an alias that came does not rename it.
fn common_name<'a>(old: &Item, new: &'a Item) -> &'a BString {
    new.names().find(|name| old.is_called(name)).unwrap_or(&new.name)
}

/// Whether other files can name the item.
fn is_public(item: &Item) -> bool {
    matches!(item.scope, Scope::Global | Scope::Weak)
}

/// The parts whose hashes differ, or that only one side has.
fn differing_parts(old: &Item, new: &Item) -> Vec<PartKind> {
    let is_same = |(old, new): (&Part, &Part)| old.kind == new.kind && old.hash == new.hash;
    if old.parts.len() == new.parts.len() && old.parts.iter().zip(&new.parts).all(is_same) {
        return Vec::new();
    }
    let kinds: BTreeSet<_> = old.parts.iter().chain(&new.parts).map(|part| part.kind).collect();
    let hash = |item: &Item, kind| item.part(kind).map(|part| part.hash);
    kinds.into_iter().filter(|&kind| hash(old, kind) != hash(new, kind)).collect()
}

fn place(item: &Item) -> Place {
    Place { symbol: item.name.clone(), section: (&item.section).into(), size: item.size, ..Place::default() }
}

fn with_spot(mut finding: Finding, spot: Option<Spot>) -> Finding {
    let Some(spot) = spot else { return finding };
    finding.detail = spot.describe();
    for (place, side) in [(&mut finding.old, spot.old), (&mut finding.new, spot.new)] {
        if let (Some(place), Some(side)) = (place.as_mut(), side) {
            place.index = side.index;
            place.offset = side.offset;
            place.text = Some(side.text);
        }
    }
    finding
}

/// Whether findings are about what the object holds, not about how it was compiled.
pub fn is_about_object(finding: &Finding) -> bool {
    finding.kind != FindingKind::Input
}

#[cfg(test)]
mod tests;
