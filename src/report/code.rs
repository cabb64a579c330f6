//! `lpcc diff --code`: old and new instructions beside each other where there is room, else below each other.

use std::fmt::Write;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp};

use super::demangle;
use super::style::{self, paint};
use crate::analysis::{CodePair, Listing};
use crate::object::listing::Line;

/// Equal lines shown around each difference.
const CONTEXT: usize = 3;
/// Two columns of instructions need this much.
const SIDE_BY_SIDE: usize = 100;
/// After this long the shortest way from old to new is not looked for any more; what is shown stays right.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The same on both sides.
    Same,
    /// One side's, or both sides', own.
    Different,
    /// Equal rows were left out here.
    Gap,
}

/// Old and new line that stand beside each other.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What it shows.
    pub op: Op,
    /// The old side's line.
    pub old: Option<&'a Line>,
    /// The new side's line.
    pub new: Option<&'a Line>,
}

/// The rows of a listing that differ, with some context.
pub fn rows(listing: &Listing) -> Vec<Row<'_>> {
    let text = |lines: &'_ [Line]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    let (old, new) = (text(&listing.old), text(&listing.new));
    let deadline = Instant::now() + PATIENCE;
    let ops = similar::capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline));
    let mut rows = Vec::new();
    for (number, group) in similar::group_diff_ops(ops, CONTEXT).into_iter().enumerate() {
        if number > 0 {
            rows.push(Row { op: Op::Gap, old: None, new: None });
        }
        for op in group {
            let is_same = matches!(op, DiffOp::Equal { .. });
            let (olds, news) = (op.old_range(), op.new_range());
            for offset in 0..olds.len().max(news.len()) {
                let line = |lines: &'_ [Line], range: &std::ops::Range<usize>| {
                    (offset < range.len()).then_some(range.start + offset).filter(|at| *at < lines.len())
                };
                rows.push(Row {
                    op: if is_same { Op::Same } else { Op::Different },
                    old: line(&listing.old, &olds).and_then(|at| listing.old.get(at)),
                    new: line(&listing.new, &news).and_then(|at| listing.new.get(at)),
                });
            }
        }
    }
    rows
}

/// Writes what changed inside one function; `width` is that of the terminal, `None` where there is none.
pub fn write(out: &mut String, pair: &CodePair, width: Option<usize>) {
    for listing in &pair.listings {
        let heading = format!("{} ({})", demangle::shown(pair.symbol.as_ref()), listing.part.as_str());
        let _ = writeln!(out, "  {}", paint(style::HEADING, heading));
        let rows = rows(listing);
        match width.filter(|width| *width >= SIDE_BY_SIDE) {
            Some(width) => side_by_side(out, &rows, width),
            None => unified(out, &rows),
        }
    }
}

fn side_by_side(out: &mut String, rows: &[Row<'_>], width: usize) {
    let column = (width - "    ".len() - " | ".len()) / 2;
    for row in rows {
        let sign = match (row.op, row.old, row.new) {
            (Op::Gap, ..) => {
                let _ = writeln!(out, "    {}", paint(style::QUIET, "..."));
                continue;
            }
            (Op::Same, ..) => ' ',
            (_, Some(_), Some(_)) => '|',
            (_, Some(_), None) => '<',
            _ => '>',
        };
        let (old, new) = (fitted(row.old, column), fitted(row.new, column));
        let pad = column.saturating_sub(old.chars().count());
        if row.op == Op::Same {
            let _ = writeln!(out, "    {old}{:pad$} {sign} {new}", "");
        } else {
            let (old, new) = (paint(style::OLD, old), paint(style::NEW, new));
            let _ = writeln!(out, "    {old}{:pad$} {sign} {new}", "");
        }
    }
}

fn unified(out: &mut String, rows: &[Row<'_>]) {
    let mut pending: Vec<String> = Vec::new();
    for row in rows {
        if row.op == Op::Different {
            if let Some(old) = row.old {
                let _ = writeln!(out, "  {}", paint(style::OLD, format!("- {}", with_offset(old))));
            }
            // All old lines of a run come before its new ones.
            pending.extend(row.new.map(with_offset));
            continue;
        }
        flush(out, &mut pending);
        match row.new {
            Some(line) => {
                let _ = writeln!(out, "    {}", with_offset(line));
            }
            None => {
                let _ = writeln!(out, "    {}", paint(style::QUIET, "..."));
            }
        }
    }
    flush(out, &mut pending);
}

fn flush(out: &mut String, pending: &mut Vec<String>) {
    for line in pending.drain(..) {
        let _ = writeln!(out, "  {}", paint(style::NEW, format!("+ {line}")));
    }
}

fn with_offset(line: &Line) -> String {
    match line.offset {
        Some(offset) => format!("{:>7}  {}", format!("+{offset:#x}"), line.text),
        None => line.text.clone(),
    }
}

fn fitted(line: Option<&Line>, width: usize) -> String {
    let text = line.map(with_offset).unwrap_or_default();
    if text.chars().count() <= width {
        return text;
    }
    let mut cut: String = text.chars().take(width.saturating_sub(3)).collect();
    cut.push_str("...");
    cut
}
