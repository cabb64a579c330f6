//! What each instruction of a function does to addresses.
//!
//! Where a condition decides whether an instruction is done, the register that it overwrites may keep what was there. A
//! branch behind it that asks the same condition knows: where it goes on, the instruction was done.

use super::super::super::bodies::Body;
use super::super::super::machine::Machine;
use super::super::super::machine::mapping::Mode;
use super::super::super::machine::steps::{Block, Flow, Step};
use super::super::super::model::Model;
use super::super::super::x86::Reach;

/// An instruction, as far as addresses go.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    pub step: Step,
    pub piece: usize,
    pub reach: Reach,
    pub access: u8,
    /// Registers that a block right before a branch has surely overwritten, as bits: where control goes on behind it, and at its
    /// target. Not for who jumps to the branch itself.
    pub settled: [u64; 2],
}

/// What each instruction of a function does.
pub fn code(model: &Model<'_>, machine: &dyn Machine, thing: usize, body: &Body) -> Vec<Done> {
    let pieces = model.owner.things.get(thing).map_or(&[][..], |t| t.pieces.as_slice());
    let mut all = Vec::with_capacity(body.pieces.iter().map(Vec::len).sum());
    for (piece, (at, list)) in pieces.iter().zip(&body.pieces).enumerate() {
        let map = model.maps.get(at.section);
        let section = model.section(at.section);
        let mut block = Predicated::default();
        for one in list {
            let start = u64::from(one.start);
            let bytes = section.map_or(&[][..], |s| s.bytes(start, start + u64::from(one.length)));
            let mode = map.map_or(Mode::Code, |m| m.at(start));
            let reach = one.reach();
            let is_data = mode == Mode::Data || matches!(reach, Reach::Entry(_) | Reach::Literal(_));
            let step =
                if is_data { Step { flow: Flow::End, ..Step::default() } } else { machine.step(bytes, mode) };
            let (step, settled) = block.next(step);
            all.push(Done { step, piece, reach, access: one.access, settled });
        }
    }
    all
}

/// The instructions that the last `it` decides on.
#[derive(Debug, Default)]
struct Predicated {
    /// The conditions of those to come, the next one last.
    conditions: Vec<u8>,
    /// The first condition, and what was overwritten where it did not hold and where it did, by the lowest bit of the encoding.
    /// `None` where the flags may not be what they were.
    overwritten: Option<(u8, [u64; 2])>,
}

impl Predicated {
    /// What the next instruction does, and what is surely overwritten behind it and at its target if it is a branch.
    fn next(&mut self, step: Step) -> (Step, [u64; 2]) {
        if let Some(condition) = self.conditions.pop() {
            self.overwritten = self.overwritten.filter(|_| !step.compares && step.flow == Flow::Next);
            if let Some((_, registers)) = &mut self.overwritten {
                let [if_even, if_odd] = registers;
                *(if condition & 1 == 0 { if_even } else { if_odd }) |= step.kills;
            }
            return (step.conditional(), [0; 2]);
        }
        let before = self.overwritten.take();
        if let Some(block) = step.block {
            self.begin(block);
        }
        let settled = match (before, step.condition) {
            (Some((first, [if_even, if_odd])), Some(condition)) if first >> 1 == condition >> 1 => {
                if condition & 1 == 0 {
                    [if_odd, if_even]
                } else {
                    [if_even, if_odd]
                }
            }
            _ => [0; 2],
        };
        (step, settled)
    }

    fn begin(&mut self, block: Block) {
        self.conditions = block.conditions().collect();
        self.overwritten = self.conditions.first().map(|first| (*first, [0; 2]));
        self.conditions.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::machine;

    /// What is settled behind the last of these Thumb instructions, and at its target.
    fn settled(halves: &[u16]) -> [u64; 2] {
        let arm = machine::of_number(40).unwrap();
        let mut block = Predicated::default();
        let all = halves.iter().map(|half| block.next(arm.step(&half.to_le_bytes(), Mode::Thumb)).1);
        all.last().unwrap()
    }

    #[test]
    fn a_branch_knows_what_its_condition_did() {
        let [both_if_equal, else_the_second] = [0xbf04, 0xbf0c]; // itt eq; ite eq
        let [to_r3, to_r1] = [0x1f2b, 0x2100]; // subs r3, r5, #4; movs r1, #0
        let [beq, bne, bgt] = [0xd03c, 0xd13c, 0xdc3c];
        assert_eq!(settled(&[both_if_equal, to_r3, to_r1, bne]), [0b1010, 0]);
        assert_eq!(settled(&[both_if_equal, to_r3, to_r1, beq]), [0, 0b1010]);
        assert_eq!(settled(&[else_the_second, to_r3, to_r1, bne]), [0b1000, 0b10]);
        assert_eq!(settled(&[both_if_equal, to_r3, to_r1, bgt]), [0, 0], "another condition");
        assert_eq!(settled(&[both_if_equal, to_r3, to_r1, 0xbf00, bne]), [0, 0], "not right before it");
        assert_eq!(settled(&[both_if_equal, to_r3, 0x2900, bne]), [0, 0], "it compares");
        assert_eq!(settled(&[both_if_equal, to_r3, 0x4298, bne]), [0, 0], "it compares");
    }
}
