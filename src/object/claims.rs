//! What a file claims, held against what it has.
//!
//! Numbers in a header are believed with memory and time, and most lies are told by a bound of their own: a size that ends behind the
//! file, a count that no section holds. Three claims are each true and together cost the product: sections that lie on the same bytes,
//! symbols that cover the same bytes, functions that each lead to the same nameless bytes. The tempting wrong way is to stop at a size or a depth,
//! and so to miss what an honest file has there; the rule here is a sum, far above what any real file has, and a
//! file beyond it is refused in one line.
//!
//! Measured on the objects and libraries of a Debian system with its cross compilers: sections have their file's bytes once,
//! symbols cover them once, and streams take once or twice as many (14 times in `libz3.so`, the most).

use super::ReadError;
use super::facts::{Facts, Section, error};
use super::ownership::Ownership;

/// So many times a file's bytes its sections may have. The generic ABI lets no byte lie in two sections; who bends that rule does so once.
const SECTIONS: usize = 2;
/// So many times the sections' bytes their symbols may cover (hand-written code nests entries within each other), and so many bytes more.
const COVERED: u64 = 4;
const COVERED_ALWAYS: u64 = 1 << 20;
/// What a relocation that several symbols cover counts for, in bytes.
const RELOCATION: u64 = 8;
/// So many times the sections' bytes the streams of all items may take, and so many bytes more.
const STREAMS: usize = 64;
const STREAMS_ALWAYS: usize = 32 << 20;

/// Refuses a file whose sections lie on each other.
pub fn sections(file: &[u8], sections: &[Section<'_>]) -> Result<(), ReadError> {
    let claimed = all_bytes(sections);
    if claimed <= file.len().saturating_mul(SECTIONS) {
        return Ok(());
    }
    let what = format!("sections lie on each other: they have {claimed} bytes, the file {}", file.len());
    Err(error(what, "section headers"))
}

/// Refuses a file whose symbols lie on each other by the thousand.
pub fn things(facts: &Facts<'_>, owner: &Ownership) -> Result<(), ReadError> {
    let mut covered = 0_u64;
    for (index, section) in facts.sections.iter().enumerate().filter(|(_, section)| !section.data.is_empty())
    {
        let mut reach = 0;
        for (start, end) in owner.ranges(index) {
            covered = covered.saturating_add(end - start);
            if start < reach {
                let again = section.relocations_in(start, end).len() as u64;
                covered = covered.saturating_add(again.saturating_mul(RELOCATION));
            }
            reach = end.max(reach);
        }
    }
    let bytes = all_bytes(&facts.sections) as u64;
    if covered <= bytes.saturating_mul(COVERED).saturating_add(COVERED_ALWAYS) {
        return Ok(());
    }
    let what = format!("symbols lie on each other: they cover {covered} bytes, the sections have {bytes}");
    Err(error(what, "symbol table"))
}

/// How many bytes the streams of a file's items may take.
pub fn most_streams(facts: &Facts<'_>) -> usize {
    STREAMS_ALWAYS.saturating_add(all_bytes(&facts.sections).saturating_mul(STREAMS))
}

/// Refuses a file whose items repeat each other's nameless bytes without end: they took `written` bytes of the `most` that they may.
pub fn streams(most: usize, written: usize) -> Result<(), ReadError> {
    if written <= most {
        return Ok(());
    }
    Err(error(
        format!("what is shared by its functions comes to more than {most} bytes, read by each"),
        "nameless data",
    ))
}

fn all_bytes(sections: &[Section<'_>]) -> usize {
    sections.iter().fold(0_usize, |sum, section| sum.saturating_add(section.data.len()))
}
