//! `lpcc select` for a person, to be read from top to bottom: what to carry in one line, whether the replay can be trusted,
//! then object by object, then what need not be carried, and last what was not looked at.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

use bstr::{BString, ByteSlice};

use super::style::{self, paint};
use super::table::{self, Cell};
use super::{bytes, demangle};
use crate::analysis::judge::Target;
use crate::analysis::selection::{Function, FunctionChange, Noise, Selection, Verdict, Why, WhyKind};

/// Names shown in a list before it is cut.
const SHOWN: usize = 12;

/// The whole answer. `what` is what was asked about.
pub fn render(what: &str, selection: &Selection, target: Target) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{what}: {}", sum(selection, target));
    rebuild(&mut out, selection);
    let mut object: Option<&BString> = None;
    for function in &selection.functions {
        if object != Some(&function.object) {
            object = Some(&function.object);
            of_object(&mut out, selection, &function.object);
        }
    }
    data(&mut out, selection);
    line_only(&mut out, selection);
    others(&mut out, selection);
    missing(&mut out, selection);
    out
}

fn sum(selection: &Selection, target: Target) -> String {
    let functions = selection.functions.len();
    let mut objects: Vec<_> = selection.functions.iter().map(|function| &function.object).collect();
    objects.dedup();
    let mut text = match functions {
        0 if selection.is_incomplete() => {
            paint(style::OLD, "nothing found to carry, but not all was looked at")
        }
        0 => "no function to carry".to_owned(),
        number => {
            let counted = format!("{} in {}", count(number, "function"), count(objects.len(), "object"));
            paint(style::DIFFERENT, format!("a live patch must carry {counted}"))
        }
    };
    if !selection.data.is_empty() {
        let _ = write!(text, "; {} data changed", selection.data.len());
    }
    let unpatchable = selection.unpatchable();
    if unpatchable > 0 {
        let _ = write!(
            text,
            "; {}",
            paint(style::OLD, format!("{unpatchable} cannot be patched by {}", target.as_str()))
        );
    }
    let unexplained = selection
        .functions
        .iter()
        .filter(|it| it.why.iter().any(|why| why.kind == WhyKind::Unexplained))
        .count();
    if unexplained > 0 {
        let _ = write!(text, "; {}", paint(style::OLD, format!("{unexplained} UNEXPLAINED")));
    }
    if !selection.line_only.is_empty() {
        let _ = write!(text, "; {} left out: {}", selection.line_only.len(), of_what(selection));
    }
    text
}

fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Whether what is replayed is what was recorded.
fn rebuild(out: &mut String, selection: &Selection) {
    let rebuild = &selection.rebuild;
    if rebuild.units > 0 {
        let equal = rebuild.reproduced == rebuild.units;
        let said = format!("{} of {} replayed as recorded", rebuild.reproduced, count(rebuild.units, "unit"));
        let _ = writeln!(out, "rebuild: {}", if equal { said } else { paint(style::OLD, said) });
    }
    for note in &rebuild.notes {
        let _ = writeln!(out, "  {}", paint(style::CARE, printable(note)));
    }
    if !rebuild.drift.is_empty() {
        let said = "drift: the unpatched source does not give the recorded functions; the answer is about what it gives";
        let _ = writeln!(out, "{}", paint(style::OLD, said));
        let rows: Vec<_> = rebuild
            .drift
            .iter()
            .map(|drift| {
                vec![
                    Cell::plain(bytes::printable(drift.object.as_bstr())),
                    Cell::plain(demangle::shown(drift.symbol.as_bstr())),
                    Cell::plain(printable(&drift.detail)),
                ]
            })
            .collect();
        table::write(out, "  ", &rows);
    }
}

fn of_object(out: &mut String, selection: &Selection, object: &BString) {
    let functions: Vec<_> =
        selection.functions.iter().filter(|function| function.object == *object).collect();
    let source =
        functions.first().map(|function| bytes::printable(function.source.as_bstr())).unwrap_or_default();
    let _ = writeln!(
        out,
        "{}  {}",
        paint(style::HEADING, bytes::printable(object.as_bstr())),
        paint(style::QUIET, source)
    );
    let rows: Vec<_> = functions.iter().flat_map(|function| rows(function)).collect();
    table::write(out, "  ", &rows);
    for function in functions {
        remarks(out, function);
    }
}

fn rows(function: &Function) -> Vec<Vec<Cell<'_>>> {
    let change = match function.change {
        FunctionChange::Changed => style::DIFFERENT,
        FunctionChange::New => style::NEW,
        FunctionChange::Removed => style::OLD,
    };
    let first = function.why.first().map(reason).unwrap_or_default();
    let loud = function.why.iter().any(|why| why.kind == WhyKind::Unexplained);
    let reason_style = if loud { style::OLD } else { style::QUIET };
    let name = demangle::shown(function.symbol.as_bstr());
    let mut rows = vec![vec![
        Cell::plain(name),
        Cell::styled(change, function.change.as_str().to_owned()),
        Cell::styled(if loud { reason_style } else { style::CARE }, first.0),
        Cell::plain(first.1),
    ]];
    for why in function.why.iter().skip(1) {
        let (kind, detail) = reason(why);
        rows.push(vec![
            Cell::plain(String::new()),
            Cell::plain(String::new()),
            Cell::styled(style::CARE, kind),
            Cell::plain(detail),
        ]);
    }
    rows
}

fn reason(why: &Why) -> (String, String) {
    let way: Vec<_> = why.via.iter().map(|name| demangle::shown(name.as_bstr())).collect();
    let detail = match (why.kind, way.is_empty()) {
        (WhyKind::Inlined, false) => format!("{}: {}", way.join(" < "), why.detail),
        _ => why.detail.clone(),
    };
    let kind = if why.kind == WhyKind::Unexplained {
        "UNEXPLAINED".to_owned()
    } else {
        why.kind.as_str().to_owned()
    };
    (kind, printable(&detail).into_owned())
}

/// What has to be known before one patches it.
fn remarks(out: &mut String, function: &Function) {
    let name = demangle::shown(function.symbol.as_bstr());
    if function.verdict == Verdict::Unpatchable {
        let reason = function.obstacles.first().cloned().unwrap_or_default();
        let _ = writeln!(
            out,
            "  {}",
            paint(style::OLD, format!("{name} cannot be patched: {}", printable(&reason)))
        );
        let instead: Vec<_> = function.instead.iter().map(|name| demangle::shown(name.as_bstr())).collect();
        if !instead.is_empty() {
            let _ = writeln!(out, "    instead: {}", cut(&instead));
        }
        if let Some(accepted) = &function.accepted {
            let _ = writeln!(out, "    {}", paint(style::CARE, format!("accepted: {}", printable(accepted))));
        }
    }
    if let Some(position) = function.position.as_ref().filter(|position| position.of > 1) {
        let said = format!("symbol {} of {} of this name", position.number, position.of);
        let place = bytes::printable(position.within.as_bstr());
        let _ = writeln!(out, "  {}", paint(style::CARE, format!("{name}: {said} in {place} (`sympos`)")));
    }
    let skip = usize::from(function.verdict == Verdict::Unpatchable);
    for obstacle in function.obstacles.iter().skip(skip) {
        let _ = writeln!(out, "  {}", paint(style::QUIET, format!("{name}: {}", printable(obstacle))));
    }
}

fn data(out: &mut String, selection: &Selection) {
    if selection.data.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", paint(style::HEADING, "data, which no patch of functions carries by itself"));
    let rows: Vec<_> = selection
        .data
        .iter()
        .map(|datum| {
            let readers: Vec<_> = datum.readers.iter().map(|name| demangle::shown(name.as_bstr())).collect();
            let read = if readers.is_empty() { String::new() } else { format!("read by {}", cut(&readers)) };
            vec![
                Cell::plain(format!(
                    "{} {}",
                    bytes::printable(datum.object.as_bstr()),
                    demangle::shown(datum.symbol.as_bstr())
                )),
                Cell::styled(style::DIFFERENT, datum.change.to_owned()),
                Cell::plain(printable(&datum.detail)),
                Cell::plain(read),
            ]
        })
        .collect();
    table::write(out, "  ", &rows);
}

fn line_only(out: &mut String, selection: &Selection) {
    if selection.line_only.is_empty() {
        return;
    }
    let names: Vec<_> =
        selection.line_only.iter().map(|only| demangle::shown(only.symbol.as_bstr())).collect();
    let _ = writeln!(out, "{}", paint(style::QUIET, format!("{}: {}", of_what(selection), cut(&names))));
}

/// `line numbers only`, and so on.
fn of_what(selection: &Selection) -> String {
    let noises: BTreeSet<Noise> = selection.line_only.iter().map(|only| only.noise).collect();
    let words: Vec<_> = noises.into_iter().map(Noise::as_str).collect();
    format!("{} only", words.join(" or "))
}

fn others(out: &mut String, selection: &Selection) {
    if selection.others.is_empty() {
        return;
    }
    let mut names: Vec<_> = selection
        .others
        .iter()
        .map(|other| format!("{} {} {}", other.kind, bytes::printable(other.symbol.as_bstr()), other.change))
        .collect();
    names.dedup();
    let _ = writeln!(
        out,
        "{}",
        paint(style::QUIET, format!("differs too, and is no function's body: {}", cut(&names)))
    );
}

/// What was not looked at.
fn missing(out: &mut String, selection: &Selection) {
    let rebuild = &selection.rebuild;
    if !rebuild.not_replayed.is_empty() {
        let _ = writeln!(out, "{}", paint(style::OLD, "not replayed, so not compared"));
    }
    for unit in &rebuild.not_replayed {
        let _ = writeln!(out, "  {}: {}", bytes::printable(unit.source.as_bstr()), printable(&unit.reason));
    }
    if !selection.unread.is_empty() {
        let _ = writeln!(out, "{}", paint(style::CARE, "patched files that no recorded unit read"));
    }
    for file in &selection.unread {
        let _ = writeln!(out, "  {}: {}", bytes::printable(file.path.as_bstr()), printable(&file.reason));
    }
}

fn cut(names: &[impl AsRef<str>]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

fn printable(text: &str) -> Cow<'_, str> {
    bytes::printable(text.as_bytes().as_bstr())
}
