//! What a difference in how a unit is compiled costs: two variants of one unit, A and B, to counts, sizes and the
//! losses that people ask about.
//!
//! [`crate::analysis::compare`] says which functions differ; this says what that means. A clone that B lacks, a function
//! that B calls where A had it inlined ([`inlining`]), a call that A knew never to return and B goes on behind
//! ([`noreturn`]) are told by the machine code and its references alone, so that they are told of every compiler.

pub mod flow;
pub mod inlining;
pub mod noreturn;
pub mod total;

use bstr::{BString, ByteSlice};

use super::{Change, Finding, FindingKind, compare};
use crate::object::{Fingerprints, Item, Kind};

pub use inlining::Inlining;
pub use noreturn::NoreturnLost;
pub use total::{Directory, Total};

/// What one variant of a unit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Number of functions.
    pub functions: usize,
    /// Bytes of all functions, `.cold` pieces included.
    pub code: u64,
    /// Bytes of all data that take room in the file.
    pub data: u64,
    /// Number of functions with a `.cold` piece.
    pub cold: usize,
}

impl Size {
    /// The size of what was fingerprinted.
    pub fn of(prints: &Fingerprints) -> Self {
        let mut size = Self::default();
        for item in &prints.items {
            match item.kind {
                Kind::Function => {
                    size.functions += 1;
                    size.code = size.code.saturating_add(code(item));
                    size.cold += usize::from(item.traits.cold().is_some());
                }
                Kind::Data if !item.traits.zero_filled => {
                    size.data = size.data.saturating_add(item.size);
                }
                _ => {}
            }
        }
        size
    }
}

/// Bytes of a function, its `.cold` piece included.
pub fn code(item: &Item) -> u64 {
    item.size.saturating_add(item.traits.cold().map_or(0, |cold| cold.2))
}

/// A function that A and B do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The raw symbol, of B where it has one.
    pub symbol: BString,
    /// How it differs.
    pub change: Change,
    /// Bytes in A; 0 where it is not there.
    pub a: u64,
    /// Bytes in B.
    pub b: u64,
    /// The parts that differ, as words, and the first differing place.
    pub detail: String,
}

impl Function {
    /// By how many bytes it grew, negative where it shrank.
    pub fn growth(&self) -> i64 {
        self.b.cast_signed().saturating_sub(self.a.cast_signed())
    }
}

/// A clone that GCC made in A (`.constprop`, `.isra`, `.part`) and not in B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneGone {
    /// Its symbol.
    pub symbol: BString,
    /// The function that it is of.
    pub origin: BString,
}

/// A unit compiled in two ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitCost {
    /// What A is.
    pub a: Size,
    /// What B is.
    pub b: Size,
    /// The functions that differ.
    pub functions: Vec<Function>,
    /// The data that differ: symbol and how.
    pub data: Vec<(BString, Change)>,
    /// Clones that vanish.
    pub clones_gone: Vec<CloneGone>,
    /// What B calls and A had inlined.
    pub inlining_lost: Vec<Inlining>,
    /// What A calls and B has inlined.
    pub inlining_gained: Vec<Inlining>,
    /// Calls that A knew not to return.
    pub noreturn_lost: Vec<NoreturnLost>,
}

impl UnitCost {
    /// Compares two variants, given with their canonical streams.
    pub fn of(a: &Fingerprints, b: &Fingerprints) -> Self {
        let findings = if a.items == b.items && a.streams == b.streams { Vec::new() } else { compare(a, b) };
        let mut cost = Self { a: Size::of(a), b: Size::of(b), ..Self::default() };
        for finding in &findings {
            match finding.kind {
                FindingKind::Function => cost.functions.push(function(finding, a, b)),
                FindingKind::Data => cost.data.push((finding.symbol.clone(), finding.change)),
                _ => {}
            }
        }
        if findings.is_empty() {
            return cost;
        }
        let gone = findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::Function && finding.change == Change::Removed);
        cost.clones_gone = gone
            .filter_map(|finding| {
                let origin = named(a, finding.symbol.as_bstr())?.traits.origin()?.clone();
                Some(CloneGone { symbol: finding.symbol.clone(), origin })
            })
            .collect();
        cost.inlining_lost = inlining::lost(a, b);
        cost.inlining_gained = inlining::lost(b, a);
        cost.noreturn_lost = noreturn::lost(a, b);
        cost
    }

    /// Number of functions with this change.
    pub fn count(&self, change: Change) -> usize {
        self.functions.iter().filter(|function| function.change == change).count()
    }
}

/// The function of this name.
fn named<'a>(prints: &'a Fingerprints, name: &bstr::BStr) -> Option<&'a Item> {
    prints.items.iter().find(|item| item.kind == Kind::Function && item.is_called(name))
}

fn function(finding: &Finding, a: &Fingerprints, b: &Fingerprints) -> Function {
    let bytes = |side: &Option<super::Place>, prints| {
        side.as_ref().map_or(0, |place| named(prints, place.symbol.as_bstr()).map_or(place.size, code))
    };
    let parts: Vec<_> = finding.parts.iter().map(|part| part.as_str()).collect();
    let detail = [parts.join(" "), finding.detail.clone()];
    Function {
        symbol: finding.symbol.clone(),
        change: finding.change,
        a: bytes(&finding.old, a),
        b: bytes(&finding.new, b),
        detail: detail.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("  "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{data, function, object};
    use super::*;

    /// A record may tell any size: the sum is then as large as can be said, and no trouble.
    #[test]
    fn sizes_that_no_file_has() {
        let mut items =
            vec![function("f", "f", &[]), function("g", "g", &[]), data("d", "d"), data("e", "e")];
        for item in &mut items {
            item.size = u64::MAX;
        }
        let prints = object(items);
        let size = Size::of(&prints);
        assert_eq!((size.code, size.data), (u64::MAX, u64::MAX));
        let mut total = Total::default();
        let unit = UnitCost { a: size, b: size, ..UnitCost::of(&prints, &prints) };
        total.add(&unit);
        total.add(&unit);
        assert_eq!((total.code_a, total.data_b), (u64::MAX, u64::MAX));
    }
}
