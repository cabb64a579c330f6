//! Mutated input guided by coverage: an input that reaches code which no other reached is kept and mutated on.
//! `scripts/fuzz --guided` builds and runs this; no other build does.
//!
//! [`mod@super::fuzz`] beside it changes bytes blindly: it finds what lies near to real input, and runs everywhere.
//! libFuzzer finds its way through one condition after the other, but stops at what no step leads through: the hash of a
//! record's section, a header where the right eight bytes among ten thousand decide. So [`mutation`] takes containers apart
//! and seals them again, and steps on the fields of ELF headers, symbols and relocations.
//!
//! One program for all targets: `LPCC_FUZZ_TARGET` names one of [`targets::Target`]. A panic, an abort for want of memory
//! or a time-out is a finding.

#![no_main]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target says by a panic what went wrong"
)]
#![allow(unsafe_code, reason = "the macros of libfuzzer-sys hand the bytes over by pointer")]

mod elf_fields;
mod mutation;
#[path = "../../store_support/mod.rs"]
mod store_support;
mod targets;
mod text;

use std::sync::OnceLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};

use targets::Target;

/// The target of this process.
fn target() -> Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "the rule keeps the program's variables in src/env.rs; this is a test"
    )]
    *TARGET.get_or_init(|| {
        let name = std::env::var("LPCC_FUZZ_TARGET").unwrap_or_default();
        Target::named(&name).unwrap_or_else(|| panic!("LPCC_FUZZ_TARGET: no target `{name}`"))
    })
}

fuzz_target!(init: { target(); }, |input: &[u8]| {
    target().run(input);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutation::mutate(target(), data, size, max_size, seed)
});
