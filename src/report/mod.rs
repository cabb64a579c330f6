//! Answers made readable: text, JSON, HTML.

pub mod bytes;
pub mod error;
pub mod output;
pub mod table;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a program: one JSON document, see docs/json.md.
    Json,
}
