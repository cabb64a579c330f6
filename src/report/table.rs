//! Columns that stand under each other. Widths are counted in characters, styles in none.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::Style;

/// One cell: what is printed, and how.
#[derive(Debug, Clone, Default)]
pub struct Cell<'t> {
    text: Cow<'t, str>,
    style: Style,
    right: bool,
}

impl<'t> Cell<'t> {
    /// A plain cell.
    pub fn plain(text: impl Into<Cow<'t, str>>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A cell in a style.
    pub fn styled(style: Style, text: impl Into<Cow<'t, str>>) -> Self {
        Self { text: text.into(), style, ..Self::default() }
    }

    /// A number, flush right.
    pub fn number(number: u64) -> Self {
        Self { text: number.to_string().into(), right: true, ..Self::default() }
    }

    fn width(&self) -> usize {
        // (Counting characters takes a while for tables of many thousand rows.)
        if self.text.is_ascii() { self.text.len() } else { self.text.chars().count() }
    }
}

/// The widest column that others are still aligned behind; longer cells push their own row only.
const WIDEST: usize = 48;

/// Writes the rows, each line behind `indent`, columns two spaces apart, nothing after the last text of a line.
pub fn write(out: &mut String, indent: &str, rows: &[Vec<Cell<'_>>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(Cell::width).filter(|width| *width <= WIDEST).max().unwrap_or(0)
        })
        .collect();
    for row in rows {
        let used = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        out.push_str(indent);
        for (column, cell) in row.iter().take(used).enumerate() {
            let pad = widths.get(column).copied().unwrap_or(0).saturating_sub(cell.width());
            let last = column + 1 == used;
            let (before, after) = match (cell.right, last) {
                (true, _) => (pad, 0),
                (false, true) => (0, 0),
                (false, false) => (0, pad),
            };
            out.extend(std::iter::repeat_n(' ', before));
            if cell.style.is_plain() {
                out.push_str(&cell.text);
            } else {
                let (style, text) = (cell.style, &cell.text);
                // Writing to a String cannot fail.
                let _ = write!(out, "{style}{text}{style:#}");
            }
            out.extend(std::iter::repeat_n(' ', if last { after } else { after + 2 }));
        }
        out.push('\n');
    }
}
