//! From the findings of one object to what a live patch would carry of it.
//!
//! A function whose body, data or tables differ is carried. One that only got another neighbour (a section, an alias, an
//! alignment) runs the same code as before: it is told apart, under what else differs, and never dropped.

use std::collections::BTreeSet;

use bstr::{BString, ByteSlice};

use super::findings::{Change, Finding, FindingKind};
use super::selection::{Datum, Function, FunctionChange, LineOnly, Noise, Other, Verdict};

/// The unit that findings are about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The object's name.
    pub object: &'a BString,
    /// The source's name.
    pub source: &'a BString,
}

/// What one object contributes, without reasons and verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// Functions to carry.
    pub functions: Vec<Function>,
    /// Data that changed.
    pub data: Vec<Datum>,
    /// Functions that differ in paths only.
    pub path_only: Vec<LineOnly>,
    /// The rest.
    pub others: Vec<Other>,
}

/// Sorts the findings between the running code and the patched.
pub fn close(about: About<'_>, findings: &[Finding]) -> Closed {
    let mut closed = Closed::default();
    // One thing under two names shows as an alias and as new or gone: the alias says all.
    let aliased: BTreeSet<&BString> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Function && finding.change == Change::Alias)
        .map(|finding| &finding.symbol)
        .collect();
    for finding in findings {
        let change = match (finding.kind, finding.change) {
            (FindingKind::Input, _) => continue,
            (FindingKind::Function, Change::Changed) => FunctionChange::Changed,
            (FindingKind::Function, Change::New) => FunctionChange::New,
            (FindingKind::Function, Change::Removed) => FunctionChange::Removed,
            (FindingKind::Function, Change::PathOnly | Change::LineOnly) => {
                closed.path_only.push(LineOnly {
                    object: about.object.clone(),
                    symbol: finding.symbol.clone(),
                    noise: if finding.change == Change::PathOnly { Noise::Path } else { Noise::Line },
                });
                continue;
            }
            (FindingKind::Data, _) => {
                closed.data.push(datum(about, finding));
                continue;
            }
            _ => {
                closed.others.push(other(about, finding));
                continue;
            }
        };
        let is_alias = change != FunctionChange::Changed && aliased.contains(&finding.symbol);
        closed.functions.push(function(about, finding, change, is_alias));
    }
    closed
}

fn function(about: About<'_>, finding: &Finding, change: FunctionChange, is_alias: bool) -> Function {
    let running = finding.old.as_ref().map(|place| place.symbol.clone());
    let detail = match (finding.guess, is_alias) {
        (true, _) => format!("{} (matched by position: a guess)", finding.detail),
        (_, true) if change == FunctionChange::New => "was another name of a folded function".to_owned(),
        (_, true) => "is now another name of a folded function".to_owned(),
        _ => finding.detail.clone(),
    };
    Function {
        object: about.object.clone(),
        source: about.source.clone(),
        symbol: running.unwrap_or_else(|| finding.symbol.clone()),
        change,
        parts: finding.parts.clone(),
        detail: detail.trim().to_owned(),
        why: Vec::new(),
        verdict: Verdict::Patchable,
        obstacles: Vec::new(),
        instead: Vec::new(),
        accepted: None,
        position: None,
        old: finding.old.clone(),
        new: finding.new.clone(),
    }
}

fn datum(about: About<'_>, finding: &Finding) -> Datum {
    let size = |place: &Option<super::Place>| place.as_ref().map(|place| place.size);
    let advice = match (finding.change, size(&finding.old), size(&finding.new)) {
        (Change::New, ..) => "new: comes with the functions that use it",
        (Change::Removed, ..) => "no longer used",
        (_, Some(old), Some(new)) if old != new => {
            "its layout changed: keep the running one and put what is new into shadow variables"
        }
        (Change::Changed, ..) => {
            "its initial value changed: the running copy keeps its own; set it when the patch is applied"
        }
        _ => "",
    };
    let perhaps: Vec<_> = finding.perhaps.iter().map(|name| name.to_str_lossy()).collect();
    let perhaps = if perhaps.is_empty() {
        String::new()
    } else {
        format!("perhaps read by {}, too", perhaps.join(", "))
    };
    let detail = [finding.detail.as_str(), &perhaps, advice]
        .iter()
        .filter(|text| !text.is_empty())
        .copied()
        .collect::<Vec<_>>();
    Datum {
        object: about.object.clone(),
        symbol: finding.symbol.clone(),
        change: finding.change.as_str(),
        readers: finding.readers.clone(),
        detail: detail.join("; "),
    }
}

fn other(about: About<'_>, finding: &Finding) -> Other {
    Other {
        object: about.object.clone(),
        kind: finding.kind.as_str(),
        symbol: finding.symbol.clone(),
        change: finding.change.as_str(),
        detail: finding.detail.clone(),
    }
}
