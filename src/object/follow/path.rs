//! The way of an address through the registers and the stack of one function.

mod control;
mod done;
mod numbers;
mod onward;
mod own;
mod reach;
mod take;

use rustc_hash::{FxHashMap, FxHashSet};

use self::control::Hidden;
use self::done::{Done, code};
use self::take::may_be_anchor;
pub use self::take::position;
use super::super::bodies::Body;
use super::super::machine::Machine;
use super::super::machine::steps::{Flow, Move, Register, Rules};
use super::super::model::Model;
use super::super::places::{Place, Use};
use super::super::x86::Reach;
use super::{Anchor, Reached};

/// How much of a function is walked: so many steps for each instruction, and so many always.
const STEPS: usize = 256;
const STEPS_ALWAYS: usize = 1 << 12;

/// How many sums an address is followed through with its distance known.
const SUMS: usize = 4;

/// How far above the stack pointer an address is put aside, and how far below it is still there.
const FRAME: i64 = 1 << 16;
const RED_ZONE: i64 = 512;

/// Where an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Location {
    Register(Register),
    /// On the stack, at a distance from a register.
    Slot(Register, i64),
}

/// An address on its way, before an instruction.
#[derive(Debug, Clone, Copy)]
struct Item {
    at: u32,
    location: Location,
    anchor: Anchor,
    /// Distance from it.
    distance: i64,
    /// Nothing unknown was added.
    exact: bool,
    /// Something was done with it where it lies, so that it need not be for a callee that is called later.
    is_used: bool,
    /// The sums that it went through, and how many.
    sums: [u32; SUMS],
    count: u8,
}

/// What tells one way of an address from another.
type Seen = (u32, Location, Anchor, i64, bool, bool);

/// A function while the addresses in it are followed.
pub struct Path<'m, 'd> {
    model: &'m Model<'d>,
    machine: &'static dyn Machine,
    rules: &'static Rules,
    thing: usize,
    body: &'m Body,
    code: Vec<Done>,
    /// The number of the first instruction of each piece.
    firsts: Vec<usize>,
    /// The addresses, and the instructions that take them.
    pub anchors: Vec<(u32, Anchor)>,
    /// The references that name them (of a word in a pool: its own place), where every register that gets one is known.
    pub followed: Vec<(u32, Anchor)>,
    pending: Vec<Item>,
    /// Per instruction: whether a branch leads there. Only there can ways meet that were not one before.
    heads: Vec<bool>,
    seen: FxHashSet<Seen>,
    /// What is reached from them.
    pub reached: Vec<Reached>,
    /// The numbers that registers are set to somewhere.
    numbers: Vec<(Register, i64)>,
    /// Where an index may have been added or folded in: instruction, section and offset. At most [`LAID`] and what is laid.
    pub biased: Vec<(u32, usize, i64)>,
    /// Addresses that are taken for the datum that lies there, too.
    pub own: FxHashSet<Anchor>,
    /// Per callee of this file: what it overwrites.
    callees: FxHashMap<usize, u64>,
    /// Where computed jumps and exceptions lead, once asked.
    hidden: Option<Hidden>,
}

impl<'m, 'd> Path<'m, 'd> {
    /// `None` where the function has no address in a register.
    pub fn of(
        model: &'m Model<'d>,
        machine: &'static dyn Machine,
        rules: &'static Rules,
        thing: usize,
        body: &'m Body,
    ) -> Option<Self> {
        if !body.uses.iter().any(|u| may_be_anchor(model, u)) {
            return None;
        }
        let mut path = Self {
            model,
            machine,
            rules,
            thing,
            body,
            code: code(model, machine, thing, body),
            firsts: Vec::with_capacity(body.pieces.len()),
            anchors: Vec::new(),
            followed: Vec::new(),
            pending: Vec::new(),
            heads: Vec::new(),
            seen: FxHashSet::default(),
            reached: Vec::new(),
            numbers: Vec::new(),
            biased: Vec::new(),
            own: FxHashSet::default(),
            callees: FxHashMap::default(),
            hidden: None,
        };
        let mut first = 0;
        for list in &body.pieces {
            path.firsts.push(first);
            first += list.len();
        }
        path.numbers = path.find_numbers();
        path.heads = path.find_heads();
        path.settle_indexes();
        path.take();
        (!path.pending.is_empty()).then_some(path)
    }

    fn find_heads(&self) -> Vec<bool> {
        let mut heads = vec![false; self.code.len()];
        let branches = self.code.iter().filter_map(|done| match done.reach {
            Reach::Branch(place) | Reach::Entry(place) => self.number(done.piece, place),
            _ => None,
        });
        let named = self.body.uses.iter().filter_map(|one| self.number_of(one.place));
        for at in branches.chain(named) {
            if let Some(head) = heads.get_mut(at as usize) {
                *head = true;
            }
        }
        heads
    }

    fn use_at(&self, number: u32) -> Option<&'m Use> {
        let uses = &self.body.uses;
        uses.get(uses.partition_point(|u| u.at < number)).filter(|u| u.at == number)
    }

    /// The number of the instruction at an offset in the section of a piece.
    fn number(&self, piece: usize, offset: i64) -> Option<u32> {
        let list = self.body.pieces.get(piece)?;
        // Behind fill that was left out stands the next.
        let at = list.partition_point(|i| i64::from(i.start) < offset);
        let bounds = self.model.owner.things.get(self.thing)?.pieces.get(piece)?;
        let inside = (bounds.start.cast_signed()..bounds.end.cast_signed()).contains(&offset);
        (inside && at < list.len()).then(|| (self.firsts.get(piece).copied().unwrap_or(0) + at) as u32)
    }

    /// The number of the instruction at a place, if it is in this function.
    fn number_of(&self, place: Place) -> Option<u32> {
        match place {
            Place::Code(thing, piece, offset) if thing == self.thing => {
                self.number(piece, offset.cast_signed())
            }
            Place::Thing(thing, 0, _) if thing == self.thing => Some(0),
            _ => None,
        }
    }

    /// Follows every address to the end.
    pub fn walk(&mut self) {
        let most = STEPS_ALWAYS + STEPS * self.code.len();
        let mut steps = 0;
        while let Some(item) = self.pending.pop() {
            steps += 1;
            if steps > most {
                self.pending.clear();
                self.lay_all();
                return;
            }
            self.pass(item);
        }
    }

    /// What an instruction does to, and with, an address.
    fn pass(&mut self, item: Item) {
        let Some(Done { mut step, piece, reach, .. }) = self.code.get(item.at as usize).copied() else {
            return;
        };
        if step.executes
            && let Reach::Memory(place) = reach
            && let Some(executed) = self.number(piece, place).and_then(|at| self.code.get(at as usize))
        {
            step.accesses = executed.step.accesses;
        }
        if let Location::Register(register) = item.location
            && step.flow == Flow::Call
            && self.rules.clobbered >> register & 1 == 1
        {
            step.kills |= self.overwritten(item.at);
        }
        let mut stays = None;
        match item.location {
            Location::Register(register) => {
                self.note_own(&item, register, &step);
                self.accesses(&item, register, &step);
                self.put_aside(&item, register, &step);
                for one in step.moves.iter().flatten().filter(|m| m.from == register) {
                    self.moved(&item, one.to, one.by, one.exact);
                }
                if step.kills >> register & 1 == 0 {
                    stays = Some(item.location);
                }
            }
            Location::Slot(base, at) => {
                let base_of = step.accesses.first().and_then(|a| a.map(|a| a.base));
                if let Some(slots) = step.slots.filter(|_| base_of == Some(base)) {
                    let here = |slot: &(Register, i64)| slot.1 == at;
                    let hit = Some(slots.first).filter(here).or(slots.second.filter(here));
                    match hit {
                        Some((register, _)) if slots.load => {
                            self.go_on(item.at, Item { location: Location::Register(register), ..item });
                        }
                        Some(_) => return,
                        None => {}
                    }
                }
                let own = |m: &&Move| m.to == base && m.from == base && m.exact;
                stays = match step.moves.iter().flatten().find(own) {
                    // A call that does not return may seem to lead into a prologue, again and again.
                    Some(by) => Some(at.wrapping_sub(by.by))
                        .filter(|at| (-RED_ZONE..FRAME).contains(at))
                        .map(|at| Location::Slot(base, at)),
                    None => (step.kills >> base & 1 == 0).then_some(item.location),
                };
            }
        }
        if let Some(location) = stays {
            let is_used = item.is_used || self.uses(&item, &step);
            self.go_on(item.at, Item { location, is_used, ..item });
        }
    }
}
