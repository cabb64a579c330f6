//! Canonical streams as lines that a person can read: what `show --parts` prints and `diff --code` compares.

use super::{Fingerprints, Item, PartKind};

/// One printable line of a canonical stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Instruction number (code) or entry number (other parts).
    pub index: u32,
    /// Offset in bytes from the start of the item, where the stream knows it (code, by the layout).
    pub offset: Option<u64>,
    /// The line itself. Two lines are equal exactly if the stream entries behind them are.
    pub text: String,
}

/// The lines of one part of `item`; empty where the part is empty or the streams were not loaded.
pub fn lines(_prints: &Fingerprints, _item: &Item, _part: PartKind) -> Vec<Line> {
    Vec::new()
}

/// The instructions of a function with their targets written in place of the relocated fields: the reading
/// form of `code` and `references` (with `strings`, `constants`, `tables` shown at their use) together.
pub fn instructions(_prints: &Fingerprints, _item: &Item) -> Vec<Line> {
    Vec::new()
}
