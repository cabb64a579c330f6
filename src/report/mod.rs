//! Answers made readable: text, JSON, HTML.

pub mod error;
