//! Whether an address is taken for the sake of the datum that lies there, or only to reach its neighbours.
//!
//! A section anchor has the address of the first datum of its block, whichever that is. A function that reaches others by it
//! has nothing to do with that one, and another first datum changes nothing for it. But if it reads the first datum, or hands
//! the address on (an argument, a result, a store, a comparison), it does. So every field of an instruction that may name the
//! register must be accounted for by an access, a sum or what it overwrites; else the address counts as that of its datum.

use super::super::super::machine::mapping::Mode;
use super::super::super::machine::steps::{Access, Flow, Register, Step};
use super::super::super::x86::Reach;
use super::super::{Evidence, Reached, others};
use super::{Item, Location, Path};

impl Path<'_, '_> {
    /// Notes where an address in a register is used for its own datum by an instruction.
    pub(super) fn note_own(&mut self, item: &Item, register: Register, step: &Step) {
        let offset = item.anchor.1.wrapping_add(item.distance);
        let here =
            Reached { at: item.at, anchor: item.anchor, offset, width: 0, evidence: Evidence::Perhaps };
        if !others(self.model, &here).is_empty() {
            return;
        }
        let leaves = self.leaves(item.at, register, step);
        if leaves && item.exact && !item.is_used && item.distance > 0 && !self.lists_code(item.anchor) {
            // Of bytes without a name none tell where one constant ends and the next begins.
            let handed = Reached { evidence: Evidence::Handed, ..here };
            if !others(self.model, &handed).is_empty() {
                self.reached.push(handed);
                return;
            }
        }
        if leaves || !self.is_explained(item.at, register, step) {
            self.own.insert(item.anchor);
        }
    }

    /// Whether an instruction does something with an address where it lies, beside going on from there.
    pub(super) fn uses(&self, item: &Item, step: &Step) -> bool {
        let Location::Register(register) = item.location else { return false };
        let mut accesses = step.accesses.iter().flatten();
        let mut moves = step.moves.iter().flatten();
        accesses.any(|a| a.base == register || a.index == Some(register))
            || !moves.any(|m| m.from == register)
                && self
                    .text(item.at)
                    .is_some_and(|(text, mode)| self.machine.mentions(text, mode, register) > 0)
    }

    /// Whether control leaves the function there with the register where a callee or the caller may look.
    fn leaves(&mut self, at: u32, register: Register, step: &Step) -> bool {
        let handed = self.rules.arguments >> register & 1 == 1;
        match step.flow {
            Flow::Next => false,
            Flow::Call => handed,
            Flow::End => self.rules.results >> register & 1 == 1,
            Flow::Indirect => handed && self.hidden(at, step.flow).is_empty(),
            Flow::Branch | Flow::Jump => {
                let Some(done) = self.code.get(at as usize) else { return true };
                let inside = match done.reach {
                    Reach::Branch(place) => self.number(done.piece, place).is_some(),
                    _ => self.use_at(at).is_some_and(|one| self.number_of(one.place).is_some()),
                };
                handed && !inside
            }
        }
    }

    /// Whether the fields that may name the register are all known to be bases, indexes, terms or what is overwritten.
    fn is_explained(&self, at: u32, register: Register, step: &Step) -> bool {
        let Some((text, mode)) = self.text(at) else { return false };
        let mentions = self.machine.mentions(text, mode, register);
        if mentions == 0 {
            return true;
        }
        let accesses = || step.accesses.iter().flatten();
        // Whether a displacement beside an index is the address's (then it leads to a neighbour) or the index's, nothing tells.
        let is_either =
            |a: &Access| a.displacement != 0 && a.index.is_some_and(|i| a.base == register || i == register);
        if accesses().any(is_either) {
            return false;
        }
        let named =
            accesses().map(|a| usize::from(a.base == register) + usize::from(a.index == Some(register)));
        let moves = step.moves.iter().flatten();
        let is_base = accesses().any(|a| a.base == register);
        let moves_on = is_base && moves.clone().any(|m| m.to == register && m.from == register);
        let terms =
            if accesses().next().is_some() { 0 } else { moves.filter(|m| m.from == register).count() };
        let overwritten = usize::from((step.kills | step.perhaps) >> register & 1 == 1 && !moves_on);
        let put_aside = step.slots.filter(|slots| {
            let on_stack = accesses().next().is_some_and(|a| self.rules.stack >> a.base & 1 == 1);
            !slots.load && on_stack
        });
        let put_aside = put_aside.map_or(0, |slots| {
            usize::from(slots.first.0 == register)
                + usize::from(slots.second.is_some_and(|s| s.0 == register))
        });
        named.sum::<usize>() + terms + overwritten + put_aside >= mentions
    }

    /// The bytes of an instruction, and what they are.
    fn text(&self, at: u32) -> Option<(&[u8], Mode)> {
        let piece = self.code.get(at as usize)?.piece;
        let index = (at as usize).checked_sub(*self.firsts.get(piece)?)?;
        let one = self.body.pieces.get(piece)?.get(index)?;
        let section = self.model.owner.things.get(self.thing)?.pieces.get(piece)?.section;
        let start = u64::from(one.start);
        let mode = self.model.maps.get(section).map_or(Mode::Code, |map| map.at(start));
        Some((self.model.section(section)?.bytes(start, start + u64::from(one.length)), mode))
    }
}
