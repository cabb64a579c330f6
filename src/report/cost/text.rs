//! `lpcc report` for a person: each shadow's sum, then what carries most of it.

use std::fmt::Write;

use bstr::ByteSlice;

use super::{Report, ShadowReport, Subject, UnitReport, percent, seconds};
use crate::analysis::Change;
use crate::analysis::cost::total;
use crate::report::style::{self, paint};
use crate::report::table::{self, Cell};
use crate::report::{bytes, demangle};

/// The whole answer; lists are cut after `limit` rows.
pub fn render(report: &Report, limit: usize) -> String {
    let mut out = String::new();
    let twice = report.units - report.once;
    let _ = writeln!(out, "{}: {} of {} units compiled twice", report.recording, twice, report.units);
    for (why, units) in &report.because {
        let _ = writeln!(out, "  {units} not: {why}");
    }
    if report.shadows.is_empty() {
        let hint = "hint: say `LPCC_TWICE=toggle-live-patching`, or [twice] in lpcc.toml, and build again";
        let _ = writeln!(out, "{}", paint(style::QUIET, hint));
    }
    for shadow in &report.shadows {
        out.push('\n');
        render_shadow(&mut out, shadow, limit);
    }
    out
}

fn render_shadow(out: &mut String, shadow: &ShadowReport, limit: usize) {
    let heading = paint(style::HEADING, &shadow.name);
    let _ = writeln!(out, "{heading}  A: {}; B: {}", shadow.a, shadow.b);
    if total_alike(shadow) {
        let _ = writeln!(out, "  all {} functions alike", shadow.total.functions);
    } else {
        sums(out, shadow);
    }
    noreturn(out, shadow);
    directories(out, shadow, limit);
    objects(out, shadow, limit);
    functions(out, shadow, limit);
    pairs(out, shadow, limit);
    if !shadow.failed.is_empty() {
        let _ = writeln!(out, "  {}", paint(style::OLD, "no shadow to compare"));
        let rows: Vec<_> = shadow
            .failed
            .iter()
            .map(|(object, why)| {
                vec![Cell::plain(bytes::printable(object.as_bstr())), Cell::plain(why.clone())]
            })
            .collect();
        cut(out, &rows, limit);
    }
}

/// Whether there is nothing to tell of a shadow that is asked for nothing but differences.
fn total_alike(shadow: &ShadowReport) -> bool {
    matches!(shadow.subject, Subject::Same | Subject::Lines)
        && shadow.total.differing == 0
        && shadow.total.units > 0
}

fn sums(out: &mut String, shadow: &ShadowReport) {
    let total = &shadow.total;
    let mut rows: Vec<Vec<Cell<'_>>> = Vec::new();
    let mut row = |name: &'static str, cells: [String; 2]| {
        let [value, more] = cells;
        rows.push(vec![Cell::styled(style::QUIET, name), Cell::plain(value), Cell::plain(more)]);
    };
    let mut changes = vec![format!("{} {}", total.changed, shadow.subject.verdict())];
    if total.gone + total.new > 0 || shadow.subject == Subject::LivePatching {
        changes.extend([format!("{} gone", total.gone), format!("{} new", total.new)]);
    }
    if total.other > 0 {
        changes.push(format!("{} otherwise", total.other));
    }
    row("functions", [total.functions.to_string(), changes.join(", ")]);
    if total.data > 0 {
        row("data", [format!("{} differ", total.data), String::new()]);
    }
    let sizes = |a: u64, b: u64| [format!("{a} -> {b} bytes"), percent(a, b)];
    row("code", sizes(total.code_a, total.code_b));
    if total.data_a != total.data_b {
        row("data size", sizes(total.data_a, total.data_b));
    }
    if let Some((a, b)) = shadow.took() {
        row("compile time", [format!("{} -> {} CPU", seconds(a.cpu), seconds(b.cpu)), percent(a.cpu, b.cpu)]);
        row(
            "peak memory",
            [format!("{} -> {} MB", a.memory / 1024, b.memory / 1024), percent(a.memory, b.memory)],
        );
    }
    if matches!(shadow.subject, Subject::LivePatching | Subject::Other) {
        row("clones gone", [total.clones_gone.to_string(), String::new()]);
        let gained = if total.inlining_gained > 0 {
            format!("{} gained", total.inlining_gained)
        } else {
            String::new()
        };
        row("inlining lost", [total.inlining_lost.to_string(), gained]);
        row("noreturn lost", [total.noreturn_lost.to_string(), String::new()]);
    }
    table::write(out, "  ", &rows);
}

fn noreturn(out: &mut String, shadow: &ShadowReport) {
    let lost =
        shadow.units.iter().flat_map(|unit| unit.cost.noreturn_lost.iter().map(move |lost| (unit, lost)));
    let rows: Vec<_> = lost
        .map(|(unit, lost)| {
            let offset = lost.offset.map(|offset| format!("+{offset:#x}")).unwrap_or_default();
            vec![
                Cell::styled(style::DIFFERENT, demangle::shown(lost.callee.as_bstr())),
                Cell::plain(format!("called by {}{offset}", demangle::shown(lost.caller.as_bstr()))),
                Cell::styled(style::QUIET, bytes::printable(unit.object.as_bstr())),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let _ =
            writeln!(out, "  {}", paint(style::HEADING, "implicit noreturn lost: mark these `__noreturn`"));
        cut(out, &rows, usize::MAX);
    }
}

fn header<'t>(words: &[&'t str]) -> Vec<Cell<'t>> {
    words.iter().map(|word| Cell::styled(style::QUIET, *word)).collect()
}

fn directories(out: &mut String, shadow: &ShadowReport, limit: usize) {
    let list = total::directories(shadow.units.iter().map(|unit| (unit.object.as_bstr(), &unit.cost)));
    if list.len() < 2 {
        return;
    }
    let mut rows = vec![header(&["directory", "units", "functions", "changed", "gone", "new", "code"])];
    rows.extend(list.iter().filter(|directory| directory.total.touched() > 0).map(|directory| {
        let total = &directory.total;
        let mut row = vec![Cell::plain(bytes::printable(directory.path.as_bstr()))];
        row.extend(
            [total.units, total.functions, total.changed, total.gone, total.new]
                .map(|n| Cell::number(n as u64)),
        );
        row.push(Cell::plain(percent(total.code_a, total.code_b)));
        row
    }));
    cut(out, &rows, limit + 1);
}

fn objects(out: &mut String, shadow: &ShadowReport, limit: usize) {
    let mut units: Vec<&UnitReport> =
        shadow.units.iter().filter(|unit| !unit.cost.functions.is_empty()).collect();
    if units.is_empty() {
        return;
    }
    units.sort_by_key(|unit| std::cmp::Reverse(unit.cost.functions.len()));
    let mut rows = vec![header(&["object", "functions", "changed", "gone", "new", "code"])];
    rows.extend(units.into_iter().map(|unit| {
        let cost = &unit.cost;
        let count = |change| Cell::number(cost.count(change) as u64);
        vec![
            Cell::plain(bytes::printable(unit.object.as_bstr())),
            Cell::number(cost.a.functions as u64),
            count(Change::Changed),
            count(Change::Removed),
            count(Change::New),
            Cell::plain(percent(cost.a.code, cost.b.code)),
        ]
    }));
    cut(out, &rows, limit + 1);
}

fn functions(out: &mut String, shadow: &ShadowReport, limit: usize) {
    let mut all: Vec<_> = shadow
        .units
        .iter()
        .flat_map(|unit| unit.cost.functions.iter().map(move |function| (unit, function)))
        .collect();
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|(unit, function)| {
        (std::cmp::Reverse(function.growth().unsigned_abs()), &unit.object, &function.symbol)
    });
    let mut rows = vec![header(&["function", "object", "", "A", "B", "first difference"])];
    rows.extend(all.into_iter().map(|(unit, function)| {
        vec![
            Cell::plain(demangle::shown(function.symbol.as_bstr())),
            Cell::styled(style::QUIET, bytes::printable(unit.object.as_bstr())),
            Cell::styled(style::of_change(function.change), function.change.as_str()),
            Cell::number(function.a),
            Cell::number(function.b),
            Cell::styled(style::QUIET, bytes::printable(function.detail.as_bytes().as_bstr())),
        ]
    }));
    cut(out, &rows, limit + 1);
}

/// Clones that vanish, and what is no longer inlined.
fn pairs(out: &mut String, shadow: &ShadowReport, limit: usize) {
    if matches!(shadow.subject, Subject::Same | Subject::Lines) {
        return;
    }
    let mut rows = Vec::new();
    for unit in &shadow.units {
        let object = || Cell::styled(style::QUIET, bytes::printable(unit.object.as_bstr()));
        for gone in &unit.cost.clones_gone {
            let text = format!("clone gone: {}", demangle::shown(gone.symbol.as_bstr()));
            rows.push(vec![Cell::plain(text), object()]);
        }
        for lost in &unit.cost.inlining_lost {
            let inner = demangle::shown(lost.callee.as_bstr());
            let outer = demangle::shown(lost.caller.as_bstr());
            rows.push(vec![Cell::plain(format!("no longer inlined: {inner} in {outer}")), object()]);
        }
    }
    cut(out, &rows, limit);
}

/// Writes at most `limit` rows, and how many more there are.
fn cut(out: &mut String, rows: &[Vec<Cell<'_>>], limit: usize) {
    let shown = rows.get(..limit).unwrap_or(rows);
    table::write(out, "  ", shown);
    let more = rows.len() - shown.len();
    if more > 0 {
        let _ = writeln!(out, "  {}", paint(style::QUIET, format!("... and {more} more: --all")));
    }
}
