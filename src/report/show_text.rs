//! `lpcc show` for a person: one table of functions and one of data for each object.

use std::fmt::Write;

use bstr::ByteSlice;

use super::shown::{Shown, basis, hook, image, standing};
use super::style::{self, paint};
use super::table::{self, Cell};
use super::{bytes, demangle};
use crate::object::listing;
use crate::object::{Fingerprints, Item, Kind};

/// The whole answer. With `streams`, also every line of every part that was hashed.
pub fn render(objects: &[Shown], streams: bool) -> String {
    let mut out = String::new();
    for (number, shown) in objects.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        object(&mut out, shown, streams);
    }
    out
}

fn object(out: &mut String, shown: &Shown, streams: bool) {
    let prints = &shown.prints;
    let name = bytes::printable(shown.name.as_bstr());
    let _ = writeln!(out, "{}  {}", paint(style::HEADING, name), image(prints));
    for line in basis(prints) {
        let _ = writeln!(out, "  {}", paint(style::CARE, line));
    }
    if let Some((agrees, text)) = standing(shown.recorded) {
        let colour = if agrees { style::QUIET } else { style::DIFFERENT };
        let _ = writeln!(out, "  {}", paint(colour, text));
    }
    for note in &shown.notes {
        let _ = writeln!(out, "  {}", paint(style::CARE, bytes::printable(note.as_bytes().as_bstr())));
    }
    for (kind, heading) in [
        (Kind::Function, "function"),
        (Kind::Data, "data"),
        (Kind::Site, "site"),
        (Kind::Section, "section"),
        (Kind::Unowned, "unowned"),
    ] {
        let items: Vec<_> = shown.items().filter(|item| item.kind == kind).collect();
        if items.is_empty() {
            continue;
        }
        let is_function = kind == Kind::Function;
        let header = ["size", "section", if is_function { "hook" } else { "" }, "parts"];
        let header = [heading].into_iter().chain(header);
        let mut rows = vec![header.map(|word| Cell::styled(style::QUIET, word)).collect::<Vec<_>>()];
        rows.extend(items.iter().map(|item| row(item)));
        if !is_function {
            for row in &mut rows {
                row.remove(3);
            }
        }
        if streams {
            for (number, item) in items.iter().enumerate() {
                let table = [
                    rows.first().cloned().unwrap_or_default(),
                    rows.get(number + 1).cloned().unwrap_or_default(),
                ];
                table::write(out, "  ", if number == 0 { &table } else { &table[1..] });
                hashed(out, prints, item);
            }
        } else {
            table::write(out, "  ", &rows);
        }
    }
}

fn row(item: &Item) -> Vec<Cell<'_>> {
    let mut name = demangle::shown(item.name.as_bstr());
    for alias in &item.aliases {
        let _ = write!(name.to_mut(), " = {}", demangle::shown(alias.as_bstr()));
    }
    let parts: Vec<_> = item.parts.iter().map(|part| part.kind.as_str()).collect();
    vec![
        Cell::plain(name),
        Cell::number(item.size),
        Cell::plain(bytes::printable(item.section.as_bstr())),
        Cell::plain(hook(item.traits.hook)),
        Cell::styled(style::QUIET, parts.join(" ")),
    ]
}

/// The hashes of an item's parts, and line by line what they were made from.
fn hashed(out: &mut String, prints: &Fingerprints, item: &Item) {
    for part in &item.parts {
        let heading = format!("{}  {}", part.kind.as_str(), part.hash);
        let _ = writeln!(out, "    {}", paint(style::QUIET, heading));
        for line in listing::lines(prints, item, part.kind) {
            let offset = line.offset.map(|offset| format!("+{offset:#x}")).unwrap_or_default();
            let _ = writeln!(out, "      {offset:>7}  {}", line.text);
        }
    }
}
