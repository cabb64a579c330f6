//! A gcc or clang command line as data. Pure: response files come in through a reader.

use serde::{Deserialize, Serialize};

/// Source languages as `-x` and file suffixes tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// C.
    C,
    /// C++.
    Cxx,
    /// Objective-C or Objective-C++.
    ObjectiveC,
    /// Assembler, preprocessed (`.S`) or not (`.s`).
    Assembler,
    /// LLVM IR or bitcode.
    Ir,
    /// Another language (Fortran, Ada, D, Go, ...).
    Other,
}
