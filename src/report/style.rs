//! The few colours, and what each is for. They are always written; the output strips them where standard
//! output is not a terminal or `NO_COLOR` is set.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::analysis::{Change, Status};

/// Names of objects, headings.
pub const HEADING: Style = Style::new().bold();
/// What matters less.
pub const QUIET: Style = Style::new().dimmed();
/// What only the new side has.
pub const NEW: Style = AnsiColor::Green.on_default();
/// What only the old side has.
pub const OLD: Style = AnsiColor::Red.on_default();
/// What differs.
pub const DIFFERENT: Style = AnsiColor::Yellow.on_default();
/// What is said with care.
pub const CARE: Style = AnsiColor::Cyan.on_default();

/// `text` in `style`.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The colour of a change.
pub fn of_change(change: Change) -> Style {
    match change {
        Change::New => NEW,
        Change::Removed => OLD,
        Change::Changed | Change::Renamed => DIFFERENT,
        Change::LineOnly | Change::PathOnly => QUIET,
        Change::Section | Change::Binding | Change::Alignment | Change::Size | Change::Alias => CARE,
    }
}

/// The colour of an object's status.
pub fn of_status(status: Status) -> Style {
    match status {
        Status::Same => QUIET,
        Status::Changed => DIFFERENT,
        Status::Added => NEW,
        Status::Removed | Status::Unreadable => OLD,
        Status::Deferred => CARE,
    }
}
