//! Where an address goes from an instruction: into other registers and slots of the stack, and along the ways of control.

use super::super::super::machine::steps::{Flow, Register, Slots, Step};
use super::super::super::x86::Reach;
use super::super::{Evidence, Reached};
use super::done::Done;
use super::{Item, Location, Path};

impl Path<'_, '_> {
    pub(super) fn put_aside(&mut self, item: &Item, register: Register, step: &Step) {
        let Some(Slots { load: false, first, second }) = step.slots else { return };
        let Some(base) = step.accesses.iter().flatten().next().map(|a| a.base) else { return };
        if self.rules.stack >> base & 1 == 0 {
            return;
        }
        for (_, at) in [Some(first), second].into_iter().flatten().filter(|(stored, _)| *stored == register) {
            // The base may move with this very instruction.
            let by = step.moves.iter().flatten().find(|m| m.to == base && m.from == base).map_or(0, |m| m.by);
            self.go_on(item.at, Item { location: Location::Slot(base, at.wrapping_sub(by)), ..*item });
        }
    }

    pub(super) fn moved(&mut self, item: &Item, to: Register, by: i64, exact: bool) {
        let location = Location::Register(to);
        let is_used = item.is_used && location == item.location;
        let mut next = Item { location, exact: item.exact && exact, is_used, ..*item };
        if by != 0 {
            let known = item.sums.iter().take(item.count.into()).any(|at| *at == item.at);
            if known {
                return; // it went round a loop: the first round told
            }
            match next.sums.get_mut(usize::from(item.count)) {
                Some(slot) => {
                    *slot = item.at;
                    next.count += 1;
                    next.distance = item.distance.wrapping_add(by);
                }
                None => next.exact = false,
            }
            let offset = item.anchor.1.wrapping_add(next.distance);
            let evidence = Evidence::Perhaps;
            self.reach(Reached { at: item.at, anchor: item.anchor, offset, width: 0, evidence });
        }
        self.go_on(item.at, next);
    }

    /// Takes an address to wherever control goes from here.
    pub(super) fn go_on(&mut self, from: u32, item: Item) {
        let Some(Done { step, piece, reach, settled, .. }) = self.code.get(from as usize).copied() else {
            return;
        };
        // Who jumps to a branch comes by no block before it.
        let settled = if self.heads.get(from as usize) == Some(&false) && !self.is_listed(from as usize) {
            settled
        } else {
            [0; 2]
        };
        let survives =
            |settled: u64| !matches!(item.location, Location::Register(r) if settled >> r & 1 == 1);
        if matches!(step.flow, Flow::Branch | Flow::Jump) {
            let direct = match reach {
                Reach::Branch(place) => self.number(piece, place),
                _ => None,
            };
            let named = self.use_at(from).and_then(|u| self.number_of(u.place));
            if let Some(at) = direct.or(named).filter(|_| survives(settled[1])) {
                self.enter(from, at, item);
            }
        }
        if matches!(step.flow, Flow::Indirect | Flow::Call) {
            for at in self.hidden(from, step.flow) {
                self.enter(from, at, item);
            }
        }
        if !matches!(step.flow, Flow::Jump | Flow::End) && survives(settled[0]) {
            self.enter(from, from + 1, item);
        }
    }

    /// Brings an address to an instruction, from another.
    fn enter(&mut self, from: u32, at: u32, item: Item) {
        // What was moved on within a loop is somewhere in what it walks over.
        let exact = item.exact && (item.count == 0 || at > from);
        let next = Item { at, exact, ..item };
        let alone = at == from + 1 && !self.heads.get(at as usize).is_some_and(|head| *head);
        let Item { location, anchor, distance, exact, is_used, .. } = next;
        if alone || self.seen.insert((at, location, anchor, distance, exact, is_used)) {
            self.pending.push(next);
        }
    }
}
