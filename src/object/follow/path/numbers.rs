//! The numbers that registers are set to: an index that is one, or begins as one, is part of an address.
//!
//! Which number an index begins with is found without following it: any that its register is set to somewhere in the
//! function may be it, unless what it was last set to stands just before.

use super::super::super::machine::steps::{Flow, Register};
use super::{Done, Path};

/// How many instructions before an access are looked at for what its index was set to.
const BEFORE: usize = 64;

impl Path<'_, '_> {
    /// Where an index is counted down, the number that it begins with is part of the address.
    pub(super) fn find_numbers(&self) -> Vec<(Register, i64)> {
        let steps = self.code.iter().map(|done| &done.step).filter(|step| step.kills.is_power_of_two());
        let mut numbers: Vec<(Register, i64)> = steps
            .filter_map(|step| Some((step.kills.trailing_zeros() as Register, step.number.or(step.counter)?)))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// An index that is a number is a displacement: Power's vector loads have no other.
    pub(super) fn settle_indexes(&mut self) {
        let mut numbers: [Option<i64>; 32] = [None; 32];
        for at in 0..self.code.len() {
            if self.heads.get(at).copied().unwrap_or(true) {
                numbers = [None; 32];
            }
            let Some(Done { step, .. }) = self.code.get_mut(at) else { return };
            if let [Some(access), None] = &mut step.accesses
                && let Some(index) = access.index
            {
                let known = |register: Register| numbers.get(usize::from(register)).copied().flatten();
                match (known(access.base), known(index)) {
                    (_, Some(number)) => *access = access.at(access.base, number),
                    (Some(number), None) => {
                        *access = access.at(index, number);
                    }
                    (None, None) => {}
                }
            }
            for (register, slot) in numbers.iter_mut().enumerate() {
                if (step.kills | step.perhaps) >> register & 1 == 1 || step.flow == Flow::Call {
                    *slot = step.number.filter(|_| step.kills == 1 << register);
                }
            }
        }
    }

    /// Whether a register surely holds neither a number that the function sets it to, nor one that is counted on from there: it was last
    /// set, on the only way to this instruction, to what was loaded or computed.
    pub(super) fn is_computed(&mut self, at: u32, register: Register) -> bool {
        if !self.numbers.iter().any(|(index, _)| *index == register) {
            return false;
        }
        self.found_hidden();
        let mut here = at as usize;
        for _ in 0..BEFORE {
            if self.heads.get(here).copied().unwrap_or(true) || self.is_listed(here) {
                return false;
            }
            let Some(before) = here.checked_sub(1) else { return false };
            let Some(Done { step, .. }) = self.code.get(before) else { return false };
            if step.perhaps >> register & 1 == 1 || !matches!(step.flow, Flow::Next | Flow::Branch) {
                return false;
            }
            if step.kills >> register & 1 == 1 {
                let is_moved = step.moves.iter().flatten().any(|m| m.to == register);
                return !is_moved && step.number.is_none() && step.counter.is_none();
            }
            here = before;
        }
        false
    }
}
