//! Whether an object is the recorded one, but for what a program of the build rewrote behind the compiler.
//!
//! The kernel's objtool runs in the same make rule as the compile, after lpcc has recorded: the bytes on the disk are not those
//! recorded, and yet nothing is stale. To believe that of whatever has ORC tables would hide an edit that was built without
//! lpcc. So each difference must be one that objtool makes: tables of its own, and instructions that became no-operations in
//! their place. Anything else is a change.

mod bodies;

use bodies::Bodies;

use super::{Change, Finding, FindingKind, Place};
use crate::object::listing;
use crate::object::{Fingerprints, Item, Kind, PartKind};

/// The table that objtool makes of every object with code, and no compiler.
const ORC: &[u8] = b".orc_unwind";

/// Sections that objtool makes (`tools/objtool/check.c` and `orc_gen.c` of Linux 5.x and 6.x): sorted.
const TABLES: [&[u8]; 10] = [
    b".call_sites",
    b".cfi_sites",
    b".ibt_endbr_seal",
    b".orc_header",
    b".orc_unwind",
    b".orc_unwind_ip",
    b".retpoline_sites",
    b".return_sites",
    b".static_call_sites",
    b"__mcount_loc",
];

/// An object as the compiler left it, and the same or another as objtool did. Both with their streams.
#[derive(Clone, Copy)]
struct Stages<'p> {
    compiled: &'p Fingerprints,
    rewritten: &'p Fingerprints,
    /// The rewritten one is the old side of the comparison.
    is_backward: bool,
}

/// Checks that `now` is `recorded` but for what objtool does. An error is the first difference that it does not make. Both with
/// their streams.
pub fn check(recorded: &Fingerprints, now: &Fingerprints) -> Result<(), String> {
    let stages = Stages { compiled: recorded, rewritten: now, is_backward: false };
    super::compare(recorded, now).iter().try_for_each(|finding| {
        let said = || format!("{} {} {}", finding.kind.as_str(), finding.symbol, finding.change.as_str());
        if stages.is_objtools(finding) { Ok(()) } else { Err(said()) }
    })
}

/// Takes what objtool does out of the findings between two objects of which it rewrote one alone, and says which: a recording made
/// by the wrapper has what the compiler made, one made afterwards what lay on the disk. What is left of a function that
/// differs otherwise, too, still names all its parts.
pub fn leave_out(
    old: &Fingerprints,
    new: &Fingerprints,
    findings: &mut Vec<Finding>,
) -> Option<&'static str> {
    let (stages, side) = match (has_tables(old), has_tables(new)) {
        (false, true) => (Stages { compiled: old, rewritten: new, is_backward: false }, "new"),
        (true, false) => (Stages { compiled: new, rewritten: old, is_backward: true }, "old"),
        _ => return None,
    };
    findings.retain(|finding| !stages.is_objtools(finding));
    Some(side)
}

/// Whether objtool went over this object, by the table that it makes of every one with code.
pub fn has_tables(prints: &Fingerprints) -> bool {
    prints.items.iter().any(|item| *item.section == ORC)
}

impl Stages<'_> {
    fn is_objtools(self, finding: &Finding) -> bool {
        let came = if self.is_backward { Change::Removed } else { Change::New };
        match finding.kind {
            FindingKind::Section | FindingKind::Site | FindingKind::Unowned => {
                finding.change == came && is_table(&finding.symbol)
            }
            FindingKind::Function => finding.change == Change::Changed && self.is_one_function(finding),
            FindingKind::Data | FindingKind::Input => false,
        }
    }

    /// Whether a function differs by entries of objtool's tables and by no-operations alone. A no-operation may come to look like
    /// fill, or keep fill beside it from looking so: then every number of an instruction behind it is another, in all parts. So
    /// instructions are told by their offsets.
    fn is_one_function(self, finding: &Finding) -> bool {
        const MAY_DIFFER: [PartKind; 5] =
            [PartKind::Code, PartKind::References, PartKind::Constants, PartKind::Tables, PartKind::Sites];
        if !finding.parts.iter().all(|part| MAY_DIFFER.contains(part)) {
            return false;
        }
        let mut places = [finding.old.as_ref(), finding.new.as_ref()];
        if self.is_backward {
            places.reverse();
        }
        let [Some(old), Some(new)] = places else { return false };
        let (Some(old), Some(new)) = (item(self.compiled, old), item(self.rewritten, new)) else {
            return false;
        };
        let bodies = Bodies::new(
            &listing::instructions(self.compiled, old),
            &listing::instructions(self.rewritten, new),
        );
        old.size == new.size
            && bodies.are_one_code()
            && finding.parts.iter().filter(|part| **part != PartKind::Code).all(|part| {
                let (old, new) =
                    (listing::lines(self.compiled, old, *part), listing::lines(self.rewritten, new, *part));
                match part {
                    PartKind::References => bodies.are_one_list_of_references(old, new),
                    PartKind::Sites => bodies.are_one_list_but_for_tables(&old, &new),
                    _ => bodies.have_one_text(&old, &new),
                }
            })
    }
}

fn is_table(name: &[u8]) -> bool {
    TABLES.contains(&name)
}

/// The one function that a side of a finding speaks of; `None` where several could be meant.
fn item<'p>(prints: &'p Fingerprints, side: &Place) -> Option<&'p Item> {
    let mut fitting = prints.items.iter().filter(|item| {
        item.kind == Kind::Function
            && item.name == side.symbol
            && *item.section == side.section
            && item.size == side.size
    });
    let first = fitting.next();
    if fitting.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(TABLES.is_sorted() && is_table(ORC) && !is_table(b".text"));
    }
}
