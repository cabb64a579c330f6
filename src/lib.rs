//! lpcc: a drop-in C/C++ compiler wrapper for the people who ship live patches.
//!
//! The modules stand in the order in which a compile, and later a question about it, passes through them:
//!
//! 1. `sys` captures what a language runtime changes at start-up; `env` names every variable we read.
//! 2. `argv` reads the command line as data; `compiler` finds the real compiler, never ourselves.
//! 3. `policy` decides what is done with the call; `wrap` runs it, and compiles it twice where that is asked, so that the
//!    build never notices.
//! 4. `object` turns the bytes that came out into fingerprints; `store` keeps them as a record.
//! 5. `analysis` compares records and says what differs; `report` makes that text, JSON or a page.
//! 6. `select` makes the other side of a comparison from a patch, by running recorded calls again.
//! 7. `afterwards` makes a recording of a build that was done without lpcc, from what it left on the disk.
//! 8. `commands` answers a person, one thin file per command.

pub mod afterwards;
pub mod analysis;
pub mod argv;
pub mod commands;
pub mod compiler;
pub mod env;
pub mod object;
pub mod policy;
pub mod report;
pub mod select;
pub mod store;
pub mod sys;
pub mod wrap;
