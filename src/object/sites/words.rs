//! Words right before a function's entry: the hash of its type (clang's `-fsanitize=kcfi` and `function`), Power's distance to the TOC
//! in the large code model. They have no symbol and nobody refers to them; who calls the function counts back from its address.

use std::collections::HashMap;

use super::super::fingerprint::Kind;
use super::super::model::Model;
use super::super::private::Privates;

/// Longer runs of bytes are something of their own.
const LONGEST: u64 = 64;

/// What stands before functions' entries, behind the fill that may precede it: function to section, start, end.
pub fn find(model: &Model<'_>, privates: &Privates) -> HashMap<usize, (usize, u64, u64)> {
    let mut found = HashMap::new();
    let Some(machine) = model.machine else { return found };
    for (index, section) in model.facts.sections.iter().enumerate().filter(|(_, s)| s.is_executable()) {
        let mut behind = 0;
        for (start, end) in model.owner.ranges(index) {
            let gap = section.bytes(behind, start);
            if behind < start && !machine.is_fill(gap) {
                let mut rest = gap;
                while let Some(length) =
                    machine.nop_length(rest).or_else(|| rest.starts_with(&[0]).then_some(1))
                {
                    rest = rest.get(length..).unwrap_or_default();
                }
                let from = start - rest.len() as u64;
                let function = model.owner.at(index, start).filter(|inside| {
                    let thing = model.owner.things.get(inside.thing);
                    inside.piece == 0 && thing.is_some_and(|thing| thing.kind == Kind::Function)
                });
                if let Some(inside) = function.filter(|_| {
                    (1..=LONGEST).contains(&(start - from)) && !privates.refers_to(index, behind, start)
                }) {
                    found.insert(inside.thing, (index, from, start));
                }
            }
            behind = behind.max(end);
        }
    }
    found
}
