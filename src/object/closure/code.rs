//! Code without a name: replacements of alternatives, fixups, tails that several functions share.
//!
//! Taken as bytes it would tell where it lies: a branch that the assembler resolved holds a distance, and a relocation's addend
//! counts from the end of its instruction on some machines. So it is taken apart as a function's is, and what leads out of it is written as
//! a place. Nothing says that it is code and no constant: what does not lead to an instruction stays as it stands.
//!
//! In a linked file without its static symbols, nearly all code has no name. There, what a branch leads to is not followed from one such
//! function to the next: each exported function would write all that it calls, and what that calls (`show` of a stripped libGLU took 2 s for 10 ms). The
//! distance stays as it stands, and the bytes behind it are told as nobody's.

use object::elf;

use super::super::facts::Section;
use super::super::fingerprint::Kind;
use super::super::machine::Machine;
use super::super::marks::any_in;
use super::super::ownership::Piece;
use super::super::places::{DIRECT, Place};
use super::super::private::Extent;
use super::super::stream::Write;
use super::super::x86::{Instruction, Reach};
use super::Closure;

/// So many bytes of an instruction may be zeros at its end: an address or a distance.
const LONGEST_REST: u64 = 8;

impl<'m, 'd> Closure<'m, 'd> {
    /// Writes nameless code as other nameless bytes are: flags of the section, contents, then offset, type and target of each
    /// reference, of [`DIRECT`] type where the assembler resolved it.
    pub fn code(&mut self, home: &'m Section<'d>, extent: &Extent, out: &mut Vec<u8>) {
        let model = self.model;
        let Some(machine) = model.machine.filter(|_| !home.is_zero_filled()) else {
            return self.bytes(home, extent.start, extent.end, out);
        };
        let mut extent = *extent;
        let mut list = self.instructions_from(machine, &extent);
        let end = self.end_of_code(home, machine, &extent, &list);
        if end > extent.end {
            self.covered.push((extent.section, extent.end, end));
            extent.end = end;
            list = self.instructions_from(machine, &extent);
        }
        extent.end = end;
        list.retain(|one| u64::from(one.start) < extent.end);
        let relocations = home.relocations_in(extent.start, extent.end);
        let mut contents = self.masked(home, extent.start, extent.end, relocations);
        let biases = |offset: u64| {
            let at = list.partition_point(|one| u64::from(one.start) <= offset).checked_sub(1)?;
            let one = list.get(at).filter(|one| !matches!(one.reach(), Reach::Undecodable))?;
            let (start, end) = (u64::from(one.start), u64::from(one.start) + u64::from(one.length));
            (offset < end).then(|| machine.bias(start, end, offset))
        };
        let mut references: Vec<(u64, u32, Place)> = Vec::new();
        for relocation in relocations {
            let bias = biases(relocation.offset).unwrap_or(0);
            references.push((relocation.offset, relocation.kind, model.resolve(home, relocation, bias)));
        }
        for one in &list {
            let (start, end) = (u64::from(one.start), u64::from(one.start) + u64::from(one.length));
            let (from, to) = ((start - extent.start) as usize, (end - extent.start) as usize);
            let Some(text) = contents.get_mut(from..to) else { continue };
            let own = home.relocations_in(start, end);
            for relocation in own {
                machine.clear_repeated(relocation.kind, relocation.addend, text);
            }
            let (Reach::Branch(target) | Reach::Entry(target)) = one.reach() else { continue };
            if own.is_empty() {
                let stays = (extent.start..extent.end).contains(&target.cast_unsigned());
                let leaves = || self.led_to(extent.section, target);
                let Some(place) = (!stays).then(leaves).flatten() else { continue };
                references.push((start, DIRECT, place));
            }
            clear_distance(machine, one, text);
        }
        references.sort_by_key(|(at, ..)| *at);
        out.number(home.flags);
        out.byte(1);
        out.blob(&contents);
        out.number(references.len() as u64);
        for (at, kind, place) in references {
            out.number(at - extent.start);
            out.number(kind.into());
            self.target(place, 0, out);
        }
    }

    /// The instructions of nameless bytes, and what begins in them.
    fn instructions_from(&self, machine: &dyn Machine, extent: &Extent) -> Vec<Instruction> {
        let ahead = extent.end.saturating_add(LONGEST_REST);
        let end = self.model.section(extent.section).map_or(ahead, |home| ahead.min(home.size));
        let mut list = Vec::new();
        self.model.instructions(
            machine,
            &Piece { section: extent.section, start: extent.start, end },
            &mut list,
        );
        list
    }

    /// Where nameless code ends. Zeros at the end of nameless bytes are taken for fill: here they may be the rest of an instruction,
    /// or words that stand before the next function (a template of GCC's for trampolines). Before that one, no-operations are the fill.
    fn end_of_code(
        &self,
        home: &Section<'_>,
        machine: &dyn Machine,
        extent: &Extent,
        list: &[Instruction],
    ) -> u64 {
        let range = |one: &Instruction| (u64::from(one.start), u64::from(one.start) + u64::from(one.length));
        let zeros = |end: u64| home.bytes(extent.end, end).iter().all(|byte| *byte == 0);
        let next = self.model.owner.next_start(extent.section, extent.start);
        if let Some(next) = next.filter(|next| extent.end <= *next && zeros(*next)) {
            let is_fill = |from: u64, to: u64| {
                let marks = self.model.marks.of(extent.section);
                machine.is_fill(home.bytes(from, to))
                    && home.relocations_in(from, to).is_empty()
                    && !any_in(marks, from as u32, to as u32)
            };
            let before = list.iter().rev().map(range).filter(|(start, _)| *start < extent.end);
            let code_end = before.skip_while(|(start, end)| is_fill(*start, *end)).map(|(_, end)| end).next();
            let code_end = code_end.filter(|end| extent.end == next && is_fill(*end, next));
            return code_end.unwrap_or(next);
        }
        let is_rest = |end: &u64| zeros(*end) && next.is_none_or(|next| next >= *end);
        let mut cut = list.iter().map(range).filter(|(start, end)| (start + 1..*end).contains(&extent.end));
        cut.next().map(|(_, end)| end).filter(is_rest).unwrap_or(extent.end)
    }

    /// Where a branch without a relocation leads, if that is an instruction.
    fn led_to(&self, section: usize, target: i64) -> Option<Place> {
        let place = self.model.direct(section, target);
        let is_one = match place {
            Place::Thing(thing, 0, _) => {
                self.model.owner.things.get(thing).is_some_and(|thing| thing.kind == Kind::Function)
            }
            Place::Code(thing, piece, offset) => self.model.instruction_at(thing, piece, offset).1 == 0,
            Place::Private(home, _) => {
                home == section
                    && self.model.facts.image.file_type == elf::ET_REL.0
                    && self.model.section(home).is_some_and(|s| (0..s.size.cast_signed()).contains(&target))
            }
            _ => false,
        };
        is_one.then_some(place)
    }
}

/// Takes a branch's distance out of its bytes.
fn clear_distance(machine: &dyn Machine, one: &Instruction, text: &mut [u8]) {
    match machine.branch_opcode(text, one.field) {
        Some(opcode) if opcode.bytes().len() == text.len() => text.copy_from_slice(opcode.bytes()),
        _ => text.iter_mut().skip(one.field.into()).for_each(|byte| *byte = 0),
    }
}
