//! Records to answers. Pure: what is compared comes in as values, findings go out as values.
//!
//! [`pairing`] says which object of one side stands against which of the other, [`correlate`] which item of an
//! object is which item of the other, [`differ`] what differs between them, [`inputs`] what differs in how they
//! were compiled, and [`findings`] holds the types of the answer. [`cost`] says what a difference in flags costs,
//! [`producers`] reads what a file says itself about how it was made, [`clones`] what the compiler said it inlined and cloned.

pub mod attributes;
pub mod carried;
pub mod clones;
pub mod close;
pub mod correlate;
pub mod cost;
pub mod detail;
pub mod differ;
pub mod findings;
pub mod inputs;
pub mod judge;
pub mod kernel;
pub mod maybe_line;
pub mod pairing;
pub mod path_only;
pub mod producers;
mod readers;
mod rebound;
mod regrouped;
pub mod rewritten;
pub mod selection;
pub mod stem;
pub mod summary;
pub mod why;

#[cfg(test)]
mod testing;

pub use correlate::{Correlation, correlate};
pub use differ::{all_of, compare, compare_with_code};
pub use findings::{Change, CodePair, Finding, FindingKind, Hint, Listing, ObjectDiff, Place, Status};
pub use summary::Summary;
