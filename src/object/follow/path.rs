//! The way of an address through the registers and the stack of one function.

mod control;
mod done;
mod numbers;
mod own;

use object::elf;
use rustc_hash::{FxHashMap, FxHashSet};

use self::control::Hidden;
use self::done::{Done, code};
use super::super::bodies::Body;
use super::super::facts::Section;
use super::super::machine::Machine;
use super::super::machine::distances::Distances;
use super::super::machine::steps::{Flow, Move, Register, Rules, Slots, Step};
use super::super::model::Model;
use super::super::places::{DIRECT, Place, Use};
use super::super::x86::Reach;
use super::{Anchor, Evidence, Reached, leads_into_code, others};

/// How much of a function is walked: so many steps for each instruction, and so many always.
const STEPS: usize = 256;
const STEPS_ALWAYS: usize = 1 << 12;

/// No datum lies below the first anchor of a section, and a second one is further than this from its start.
const FIRST: i64 = 0x800;

/// How many numbers are tried for an index, and what an access multiplies them by.
const NUMBERS: usize = 16;
const SCALES: [i64; 4] = [1, 2, 4, 8];
/// The same where an index may be subtracted.
const BOTH_WAYS: [i64; 8] = [1, 2, 4, 8, -1, -2, -4, -8];

/// How many sums an address is followed through with its distance known.
const SUMS: usize = 4;

/// How many displacements are laid on addresses at most, in one function. No compiler's function comes near.
const LAID: usize = 1 << 20;

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

    /// Finds the addresses that come to lie in a register, and where.
    fn take(&mut self) {
        let pools = self.pools();
        let mut starts = Vec::new();
        for one in &self.body.uses {
            let upper = self.upper(one);
            let Some(anchor) = taken(self.model, self.machine, upper.as_ref().unwrap_or(one)) else {
                continue;
            };
            let own = [one.at];
            let loads = pools.get(&one.at).map_or(&own[..], Vec::as_slice);
            let written = |at: u32| self.code.get(at as usize).and_then(|done| done.step.written());
            if loads.iter().all(|at| written(*at).is_some()) {
                self.followed.push((one.at, anchor));
            }
            for at in loads {
                let Some(written) = written(*at) else { continue };
                let location = Location::Register(written);
                self.anchors.push((*at, anchor));
                let start = Item {
                    at: *at,
                    location,
                    anchor,
                    distance: 0,
                    exact: true,
                    is_used: false,
                    sums: [0; SUMS],
                    count: 0,
                };
                starts.push(start);
            }
        }
        for start in starts {
            self.go_on(start.at, start);
        }
    }

    /// The reference to the rest of an address with the place that the instruction with its upper part names.
    fn upper(&self, one: &Use) -> Option<Use> {
        let upper = self.machine.names_upper(one.kind).then(|| self.number_of(one.place))??;
        self.use_at(upper).map(|u| Use { place: u.place, ..*one })
    }

    /// The loads of each word of a literal pool that has a relocation.
    fn pools(&self) -> FxHashMap<u32, Vec<u32>> {
        let mut pools: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (number, done) in (0_u32..).zip(&self.code) {
            if let Reach::Memory(place) = done.reach
                && done.access > 0
                && let Some(word) = self.number(done.piece, place)
                && self.use_at(word).is_some_and(|u| u.kind != DIRECT)
            {
                pools.entry(word).or_default().push(number);
            }
        }
        pools
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

    fn accesses(&mut self, item: &Item, register: Register, step: &Step) {
        for access in step.accesses.iter().flatten() {
            if access.base != register && access.index != Some(register) {
                continue;
            }
            let offset = item.anchor.1.wrapping_add(item.distance).wrapping_add(access.displacement);
            let known = item.exact && access.index.is_none();
            let evidence = if known { Evidence::Proof } else { Evidence::Perhaps };
            let width = if access.index.is_some() { 1 } else { access.width.max(1) };
            self.reach(Reached { at: item.at, anchor: item.anchor, offset, width, evidence });
            if offset == item.anchor.1 && self.lists_code(item.anchor) {
                continue; // an index of a jump table
            }
            let other = if access.base == register { access.index } else { Some(access.base) };
            let other = other.filter(|index| !self.is_computed(item.at, *index));
            let numbers = self.numbers.iter().filter(|(index, _)| Some(*index) == other).take(NUMBERS);
            let scales = if self.rules.subtracts { &BOTH_WAYS[..] } else { &SCALES };
            let distances = numbers.flat_map(|(_, number)| scales.iter().map(|by| number.wrapping_mul(*by)));
            let room = LAID.saturating_sub(self.biased.len());
            let places = distances.map(|by| (item.at, item.anchor.0, offset.wrapping_add(by)));
            self.biased.extend(places.take(room));
        }
    }

    /// Notes what lies outside the datum at the address.
    fn reach(&mut self, one: Reached) {
        let below = one.anchor.1.saturating_sub(one.offset);
        let may_be_biased = below > 0 || one.evidence != Evidence::Proof;
        if may_be_biased && self.biased.len() < LAID && (below != 0 || !self.begins(one.anchor)) {
            self.biased.push((one.at, one.anchor.0, one.offset));
        }
        if below > 0 && (one.anchor.1 < FIRST || below > self.rules.below) {
            // The address is the end of an array, and this is the array.
            self.own.insert(one.anchor);
            if self.ends_there(&one) {
                self.reached.push(Reached { evidence: Evidence::Perhaps, ..one });
            }
            return;
        }
        let evidence = if below > 0 { Evidence::Perhaps } else { one.evidence };
        let stays = others(self.model, &one).is_empty();
        // A sum that stays in the datum has a way of its own; an access of two data at once may be of this one, too.
        if one.width > 0 && (stays || self.meets_own(&one)) {
            self.own.insert(one.anchor);
        }
        if !stays {
            self.reached.push(Reached { evidence, ..one });
        }
    }

    /// Whether an access has to do with the datum at the address itself.
    fn meets_own(&self, one: &Reached) -> bool {
        let (section, from) = one.anchor;
        let own = u64::try_from(from).ok().and_then(|at| self.model.owner.datum_at(section, at));
        let (start, end) =
            own.map_or((from, from.saturating_add(1)), |(s, e)| (s.cast_signed(), e.cast_signed()));
        one.offset < end && start < one.offset.saturating_add(one.width.into())
    }

    /// Whether something reached below an address surely belongs to the datum that ends there: it is accessed, or is that datum's
    /// start. (An address further on in it may be an element before the first of what begins there.)
    fn ends_there(&self, one: &Reached) -> bool {
        let datum = u64::try_from(one.offset).ok().and_then(|at| self.model.owner.datum_at(one.anchor.0, at));
        datum.is_some_and(|(start, end)| {
            end.cast_signed() == one.anchor.1
                && (one.evidence == Evidence::Proof || start.cast_signed() == one.offset)
        })
    }

    /// Whether a datum, or a jump table, begins at an address.
    fn begins(&self, anchor: Anchor) -> bool {
        let datum = u64::try_from(anchor.1).ok().and_then(|at| self.model.owner.datum_at(anchor.0, at));
        datum.is_some_and(|(start, _)| start.cast_signed() == anchor.1) || self.lists_code(anchor)
    }

    /// Whether a jump table begins at an address: one of addresses, or one of distances that this function reads.
    fn lists_code(&self, anchor: Anchor) -> bool {
        let is_here = |d: &Distances| (d.table.0, d.table.1.cast_signed()) == anchor;
        self.body.distances.iter().any(is_here) || leads_into_code(self.model, anchor)
    }

    fn put_aside(&mut self, item: &Item, register: Register, step: &Step) {
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

    fn moved(&mut self, item: &Item, to: Register, by: i64, exact: bool) {
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
    fn go_on(&mut self, from: u32, item: Item) {
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

    /// Lays every displacement of the function on every address that it takes.
    fn lay_all(&mut self) {
        self.own.extend(self.anchors.iter().map(|(_, anchor)| *anchor));
        let accesses = self.code.iter().flat_map(|d| d.step.accesses).flatten();
        let accesses = accesses.map(|a| (a.displacement, if a.index.is_some() { 1 } else { a.width.max(1) }));
        let sums = self.code.iter().flat_map(|d| d.step.moves).flatten().map(|m| (m.by, 0));
        let mut displacements: Vec<(i64, u32)> = accesses.chain(sums).collect();
        displacements.sort_unstable();
        displacements.dedup();
        // One reference to an address is as good as another.
        self.anchors.sort_unstable_by_key(|(at, anchor)| (*anchor, *at));
        let mut anchors = self.anchors.clone();
        anchors.dedup_by_key(|(_, anchor)| *anchor);
        for (at, anchor) in anchors.iter().take(LAID / displacements.len().max(1)) {
            self.reached.extend(displacements.iter().map(|(by, width)| Reached {
                at: *at,
                anchor: *anchor,
                offset: anchor.1.wrapping_add(*by),
                width: *width,
                evidence: Evidence::Laid,
            }));
            self.biased
                .extend(displacements.iter().map(|(by, _)| (*at, anchor.0, anchor.1.wrapping_add(*by))));
        }
    }
}

/// Whether a reference can take the address of a datum; [`taken`] says which.
fn may_be_anchor(model: &Model<'_>, one: &Use) -> bool {
    let section = match one.place {
        Place::Thing(thing, _, None) => {
            model.owner.things.get(thing).and_then(|t| t.pieces.first()).map(|p| p.section)
        }
        Place::Private(section, _) | Place::Beyond(section, ..) => Some(section),
        _ => None,
    };
    section.and_then(|s| model.section(s)).is_some_and(holds_data)
}

/// The address that a reference brings into a register whole.
fn taken(model: &Model<'_>, machine: &dyn Machine, one: &Use) -> Option<Anchor> {
    if machine.is_upper(one.kind) {
        return None; // half of it
    }
    let place = match one.place {
        // The address was loaded (`.toc`).
        Place::Private(section, offset) if one.access > 0 => {
            let (home, at) = (model.section(section)?, u64::try_from(offset).ok()?);
            let relocation = home.relocations_in(at, at.saturating_add(1)).first()?;
            model.resolve(home, relocation, 0)
        }
        place if one.access == 0 => place,
        _ => return None,
    };
    let anchor = position(model, place)?;
    model.section(anchor.0).filter(|s| holds_data(s)).map(|_| anchor)
}

/// Section and offset of a place, unless a name was used that others may define too.
pub fn position(model: &Model<'_>, place: Place) -> Option<Anchor> {
    match place {
        Place::Thing(thing, offset, None) => {
            let piece = model.owner.things.get(thing)?.pieces.first()?;
            Some((piece.section, piece.start.cast_signed().checked_add(offset)?))
        }
        Place::Private(section, offset) => Some((section, offset)),
        Place::Beyond(section, base, distance) => Some((section, base.cast_signed().checked_add(distance)?)),
        _ => None,
    }
}

/// Whether a section has data that are reached from each other: not one whose pieces the linker merges, and lays where it likes.
/// (Power's comparison of strings reads on behind them.)
fn holds_data(section: &Section<'_>) -> bool {
    section.is_allocated()
        && !section.is_executable()
        && !section.is_mergeable()
        && section.flags & elf::SHF_TLS.0 == 0
}
