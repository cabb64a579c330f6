//! A gcc or clang command line as data. Pure: response files come in through a reader.
//!
//! A wrapper must know what a call will do (compile? which source to which object? what else is written?)
//! without disturbing it. The tempting way is to take the line apart and put it together again in a tidier
//! form; each tidying is a chance to change what the compiler does. So the line is only *read*:
//!
//! 1. [`response_file`] splits `@file` into words as the compiler would, and every word keeps its origin.
//! 2. [`options`] is the knowledge about compilers: one sorted table, one row per option.
//! 3. [`parse`] walks the words once with the table and yields a [`CommandLine`], which answers questions.
//! 4. [`Edit`] inserts or deletes whole words, and never reorders. No edit, no change: byte for byte.
//!
//! Where the table does not know an option, the option is passed as is and never swallows the next word: a
//! word wrongly taken for an input costs a record, a source wrongly taken for an argument loses one.

mod action;
mod command_line;
mod dependency;
pub mod dependency_file;
mod edit;
mod facts;
mod names;
pub mod options;
pub mod response_file;
mod shadow;
mod sources;

pub use action::Action;
pub use command_line::Argument;
pub use command_line::CommandLine;
pub use command_line::Driver;
pub use command_line::Kind;
pub use command_line::Origin;
pub use command_line::Reader;
pub use command_line::ResponseFile;
pub use command_line::Settings;
pub use command_line::Value;
pub use command_line::parse;
pub use command_line::parse_with;
pub use dependency::Coverage;
pub use dependency::Dependency;
pub use edit::Edit;
pub use facts::Marker;
pub use facts::SaveTemps;
pub use names::CompilerName;
pub use names::compiler_name;
pub use names::launcher_name;
pub use response_file::Quoting;
pub use sources::LinkInput;
pub use sources::Source;

use serde::Deserialize;
use serde::Serialize;

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

/// Whose rules a command line follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// GCC's driver.
    Gcc,
    /// Clang's driver in its gcc mode.
    Clang,
    /// Not identified yet: every option that either knows; where they differ, GCC's way.
    Unknown,
}
