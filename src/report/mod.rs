//! Answers made readable: text and JSON. Nothing here decides what is found; it decides how it is said.

pub mod bytes;
pub mod code;
pub mod cost;
pub mod demangle;
pub mod diff_json;
pub mod diff_text;
pub mod error;
pub mod output;
pub mod progress;
pub mod select_json;
pub mod select_lists;
pub mod select_matrix;
pub mod select_text;
pub mod show_json;
pub mod show_text;
pub mod shown;
pub mod style;
pub mod table;

use crate::analysis::{ObjectDiff, Summary};

/// All that `lpcc diff` has to say.
#[derive(Debug)]
pub struct Comparison {
    /// The old side as the user named it.
    pub old: String,
    /// The new side as the user named it.
    pub new: String,
    /// Every object of either side, in the order of names.
    pub objects: Vec<ObjectDiff>,
    /// What could not be read: a file and what is wrong with it.
    pub troubles: Vec<String>,
}

impl Comparison {
    /// Counts over all objects.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.objects)
    }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a program: one JSON document, see docs/json.md.
    Json,
}

#[cfg(test)]
mod tests;
