//! `lpcc diff` for a person: the sum first, then what it was compiled with, then object by object.

use std::collections::BTreeMap;
use std::fmt::Write;

use bstr::{BString, ByteSlice};

use super::style::{self, paint};
use super::table::{self, Cell};
use super::{Comparison, bytes, code, demangle};
use crate::analysis::{Change, Finding, FindingKind, ObjectDiff, Status, Summary};

/// The whole answer; `width` is that of the terminal, `None` where there is none.
pub fn render(comparison: &Comparison, width: Option<usize>) -> String {
    let mut out = String::new();
    let summary = comparison.summary();
    let [old, new] =
        [&comparison.old, &comparison.new].map(|label| bytes::printable(label.as_bytes().as_bstr()));
    let _ = writeln!(out, "{old} -> {new}: {}", sum(&summary));
    circumstances(&mut out, &comparison.objects);
    for diff in comparison.objects.iter().filter(|diff| is_worth_showing(diff)) {
        object(&mut out, diff, comparison.objects.len(), width);
    }
    out
}

fn is_worth_showing(diff: &ObjectDiff) -> bool {
    diff.status != Status::Same || !diff.notes.is_empty()
}

/// `2 of 15 objects differ; 1 function changed, 1 new`.
fn sum(summary: &Summary) -> String {
    let total = summary.objects;
    let unreadable = summary.status(Status::Unreadable);
    let differing = total - summary.status(Status::Same) - unreadable;
    let mut text = match (differing, total) {
        (0, 0) => "no objects".to_owned(),
        (0, 1) if unreadable == 0 => "same".to_owned(),
        (0, _) if unreadable == 0 => format!("{}, all the same", counted(total, "object")),
        (_, 1) if unreadable == 0 => paint(style::DIFFERENT, "differs"),
        (1, _) => paint(style::DIFFERENT, format!("1 of {} differs", counted(total, "object"))),
        (_, _) => paint(style::DIFFERENT, format!("{differing} of {} differ", counted(total, "object"))),
    };
    let mut facts = Vec::new();
    for (kind, one) in [(FindingKind::Function, "function"), (FindingKind::Data, "datum")] {
        let mut named = false;
        for change in Change::ALL {
            let number = summary.findings(kind, change);
            if number == 0 {
                continue;
            }
            // The noun once is enough: `1 function changed, 2 new`.
            let what = if named { number.to_string() } else { counted(number, one) };
            named = true;
            facts.push(format!("{what} {}", verb(change)));
        }
    }
    if unreadable > 0 {
        facts.push(paint(style::OLD, format!("{} unreadable", counted(unreadable, "object"))));
    }
    if !facts.is_empty() {
        let _ = write!(text, "; {}", facts.join(", "));
    }
    text
}

fn verb(change: Change) -> &'static str {
    match change {
        Change::Section => "in another section",
        Change::Binding => "bound otherwise",
        Change::Alignment => "aligned otherwise",
        Change::Size => "of another size",
        Change::Alias => "with other names",
        other => other.as_str(),
    }
}

fn counted(number: usize, one: &str) -> String {
    match (number, one) {
        (1, one) => format!("1 {one}"),
        (_, "datum") => format!("{number} data"),
        _ => format!("{number} {one}s"),
    }
}

/// What differs in how objects were compiled, said once for all objects that share it.
fn circumstances(out: &mut String, objects: &[ObjectDiff]) {
    let mut shared: BTreeMap<(&BString, &str), usize> = BTreeMap::new();
    for finding in objects.iter().flat_map(|diff| &diff.findings).filter(|finding| is_circumstance(finding)) {
        *shared.entry((&finding.symbol, &finding.detail)).or_default() += 1;
    }
    let rows: Vec<_> = shared
        .into_iter()
        .map(|((what, detail), number)| {
            let scope = match (number, objects.len()) {
                (_, 1) => String::new(),
                (some, all) if some == all => "(all objects)".to_owned(),
                (some, _) => format!("({})", counted(some, "object")),
            };
            vec![
                Cell::styled(style::CARE, what.to_string()),
                Cell::plain(bytes::printable(detail.into())),
                Cell::styled(style::QUIET, scope),
            ]
        })
        .collect();
    table::write(out, "", &rows);
}

fn is_circumstance(finding: &Finding) -> bool {
    finding.kind == FindingKind::Input && (finding.symbol == "compiler" || finding.symbol == "flags")
}

fn object(out: &mut String, diff: &ObjectDiff, total: usize, width: Option<usize>) {
    let mut heading = paint(style::HEADING, bytes::printable(diff.object.as_bstr()));
    if diff.status != Status::Changed {
        let _ = write!(heading, "  {}", paint(style::of_status(diff.status), diff.status.as_str()));
    }
    // Of an object that is new or gone as a whole, the numbers say enough: everything in it is.
    let whole = matches!(diff.status, Status::Added | Status::Removed) && total > 1;
    if whole {
        let number = |kind| diff.findings.iter().filter(|finding| finding.kind == kind).count();
        let _ = write!(
            heading,
            "  {}, {}",
            counted(number(FindingKind::Function), "function"),
            counted(number(FindingKind::Data), "datum")
        );
    }
    let _ = writeln!(out, "{heading}");
    for note in &diff.notes {
        let _ = writeln!(out, "  {}", paint(style::CARE, bytes::printable(note.as_bytes().as_bstr())));
    }
    if whole {
        return;
    }
    files(out, &diff.findings);
    let (sections, others): (Vec<_>, Vec<_>) =
        diff.findings.iter().filter(|finding| finding.kind != FindingKind::Input).partition(|finding| {
            finding.kind == FindingKind::Section && matches!(finding.change, Change::New | Change::Removed)
        });
    let rows: Vec<_> = others.into_iter().map(row).collect();
    table::write(out, "  ", &rows);
    for change in [Change::New, Change::Removed] {
        folded_sections(out, change, &sections);
    }
    for pair in &diff.code {
        code::write(out, pair, width);
    }
}

/// The edited files that the object was made from.
fn files(out: &mut String, findings: &[Finding]) {
    const SHOWN: usize = 6;
    let files: Vec<_> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Input && !is_circumstance(finding))
        .map(|finding| bytes::printable(finding.symbol.as_bstr()))
        .collect();
    if files.is_empty() {
        return;
    }
    let more = files.len().saturating_sub(SHOWN);
    let mut line = files.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(line, " and {more} more");
    }
    let _ = writeln!(out, "  {}", paint(style::QUIET, format!("edited: {line}")));
}

/// With `-ffunction-sections` each new function brings a section: one line names them all.
fn folded_sections(out: &mut String, change: Change, sections: &[&Finding]) {
    const SHOWN: usize = 8;
    let names: Vec<_> = sections
        .iter()
        .filter(|finding| finding.change == change)
        .map(|finding| bytes::printable(finding.symbol.as_bstr()))
        .collect();
    if names.is_empty() {
        return;
    }
    let mut line = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        let _ = write!(line, " and {} more", names.len() - SHOWN);
    }
    let noun = if names.len() == 1 { "section" } else { "sections" };
    let _ = writeln!(out, "  {}", paint(style::QUIET, format!("{} {noun}: {line}", change.as_str())));
}

fn row(finding: &Finding) -> Vec<Cell<'_>> {
    let symbol = demangle::shown(finding.symbol.as_bstr());
    let name = match finding.kind {
        FindingKind::Function | FindingKind::Data | FindingKind::Input => symbol,
        kind => format!("{} {symbol}", kind.as_str()).into(),
    };
    let parts = finding.parts.iter().map(|part| part.as_str()).collect::<Vec<_>>().join(", ");
    let what = match finding.change {
        Change::New | Change::Removed | Change::Renamed => noun(finding.kind).to_owned(),
        Change::Changed => parts,
        _ => String::new(),
    };
    vec![
        Cell::plain(name),
        Cell::styled(style::of_change(finding.change), finding.change.as_str()),
        Cell::plain(what),
        Cell::plain(remark(finding)),
    ]
}

fn noun(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Function => "function",
        FindingKind::Data => "data",
        _ => "",
    }
}

/// Detail, readers, and what has to be said with care.
fn remark(finding: &Finding) -> String {
    let mut remarks = Vec::new();
    if !finding.detail.is_empty() {
        remarks.push(bytes::printable(finding.detail.as_bytes().as_bstr()));
    }
    for (said, readers) in [("read by", &finding.readers), ("perhaps read by", &finding.perhaps)] {
        let readers: Vec<_> = readers.iter().map(|name| demangle::shown(name.as_bstr())).collect();
        if !readers.is_empty() {
            remarks.push(format!("{said} {}", readers.join(", ")).into());
        }
    }
    if finding.hint.is_some() {
        remarks.push("(maybe a line number only)".into());
    }
    if finding.guess {
        remarks.push("(matched by position: a guess)".into());
    }
    remarks.join("  ")
}
