//! Data that a function reaches from the address of a neighbour.
//!
//! With section anchors (GCC's `-fsection-anchors`, on from `-O1` where addresses take two instructions) or merged
//! globals (LLVM's) the compiler takes one address in a section and reaches the data around it by displacements. The
//! relocation names one datum; which others are read follows from the layout alone, so that two data can change places
//! while every byte and relocation of the function stays. Two wrong ways tempt: to lay every displacement of the
//! function on every address that it takes makes functions differ that touch nothing but their own data; to look at
//! the next few instructions loses an address that crosses a call or a loop.
//!
//! Here each address that lies in a register as a whole is followed along every path until the register surely holds
//! something else: through copies, sums, conditional moves, slots of the stack, calls (by what the callee overwrites,
//! where it is in this file: compilers know that too), jump tables and landing pads. A load, a store or a sum that
//! leaves the datum of that address is a reference to what lies there ([`REACHED`]).
//!
//! An access at a displacement that is known is proof of an anchor. The address right behind a datum, or a displacement
//! from a sum with something unknown, is not: that may be the end of an array, or an element before the one at hand. It
//! counts where this address is proved to be an anchor somewhere in the file, or cannot be told from one: anchors of
//! one section lie far apart ([`Rules::apart`]), or there is only one, before all data. Where a function is too tangled
//! to be followed, all its displacements are laid on the address: at worst a reference too many.

use std::collections::BTreeMap;
use std::ops::Range;

use object::elf;
use rustc_hash::{FxHashMap, FxHashSet};

use super::facts::Section;
use super::machine::Machine;
use super::machine::mapping::Mode;
use super::machine::steps::{Flow, Register, Rules, Slots, Step};
use super::parallel::Workers;
use super::places::{Body, DIRECT, Model, Place, REACHED, REACHED_PERHAPS, Use};
use super::x86::Reach;

/// How much of a function is walked: so many steps for each instruction, and so many always.
const STEPS: usize = 256;
const STEPS_ALWAYS: usize = 1 << 12;

/// No datum lies below the first anchor of a section, and a second one is further than this from its start.
const FIRST: i64 = 0x800;

/// How many sums an address is followed through with its distance known.
const SUMS: usize = 4;

/// How many displacements are laid on addresses at most, in one function. No compiler's function comes near.
const LAID: usize = 1 << 20;

/// How far above the stack pointer an address is put aside, and how far below it is still there.
const FRAME: i64 = 1 << 16;
const RED_ZONE: i64 = 512;

/// How deep callees of this file are looked into for what they overwrite.
const DEPTH: usize = 3;

/// How many callees are looked into for one function.
const CALLEES: usize = 64;

/// Entries of a jump table that are looked at.
const ENTRIES: usize = 4096;

/// An address that some instruction takes: section and offset.
type Anchor = (usize, i64);

/// Something reached from an address.
#[derive(Debug, Clone, Copy)]
struct Reached {
    at: u32,
    anchor: Anchor,
    /// Offset in the anchor's section.
    offset: i64,
    /// Bytes of the access; 0 where only the address is taken.
    width: u32,
    evidence: Evidence,
}

/// What it tells of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// An access at a known distance: where it leaves the datum, the address is an anchor.
    Proof,
    /// An array's end, or an unknown index, would explain it too.
    Perhaps,
    /// The function was not followed.
    Laid,
}

/// What one function takes and reaches.
#[derive(Debug, Default)]
struct Found {
    thing: usize,
    anchors: Vec<(u32, Anchor)>,
    reached: Vec<Reached>,
}

/// What every function reaches from the addresses of neighbours: thing and references, in the order of their places.
pub fn find(model: &Model<'_>, workers: Workers) -> Vec<(usize, Vec<Use>)> {
    let Some((machine, rules)) = model.machine.and_then(|m| Some((m, m.rules()?))) else { return Vec::new() };
    let things = &model.owner.things;
    let runs = workers.map_runs(things, super::ownership::Thing::weight, |run: Range<usize>| {
        let function = |thing: usize| {
            let body = model.bodies.get(thing).filter(|b| !b.pieces.is_empty())?;
            let mut path = Path::of(model, machine, rules, thing, body)?;
            path.walk();
            Some(Found { thing, anchors: path.anchors, reached: path.reached })
        };
        run.filter_map(function).collect::<Vec<_>>()
    });
    let found: Vec<Found> = runs.flatten().collect();
    let judge = Judge::of(model, rules, &found);
    let mut all = Vec::new();
    for one in &found {
        // One reference for each instruction and place; where an address is taken, that says more than an access.
        let mut kept: BTreeMap<(u32, usize, i64), (u32, u32)> = BTreeMap::new();
        let counts = |r: &&Reached| r.evidence == Evidence::Proof || judge.is_anchor(r.anchor);
        for reached in one.reached.iter().filter(counts) {
            let kind = if reached.evidence == Evidence::Laid { REACHED_PERHAPS } else { REACHED };
            for (offset, width) in others(model, reached) {
                let here = kept.entry((reached.at, reached.anchor.0, offset)).or_insert((width, kind));
                here.0 = if width == 0 { 0 } else { here.0.max(width) };
            }
        }
        let uses = kept.into_iter().map(|((at, section, offset), (width, kind))| {
            let place = model.containing(section, offset);
            Use { at, field: 0, access: width.min(255) as u8, kind, place }
        });
        let uses: Vec<Use> = uses.collect();
        if !uses.is_empty() {
            all.push((one.thing, uses));
        }
    }
    all
}

/// What of the bytes reached belongs to others than the datum at the address: offset and width.
fn others(model: &Model<'_>, reached: &Reached) -> Vec<(i64, u32)> {
    let (section, from) = reached.anchor;
    let Some(home) = model.section(section) else { return Vec::new() };
    let datum = |offset: i64| {
        let at = u64::try_from(offset).ok().filter(|at| *at < home.size)?;
        let inside = model.owner.at(section, at)?;
        let thing = model.owner.things.get(inside.thing)?;
        Some((inside.thing, thing.pieces.get(inside.piece)?.end.cast_signed()))
    };
    let own = datum(from).map(|(thing, _)| thing);
    let end = reached.offset.saturating_add(reached.width.max(1).into()).min(home.size.cast_signed());
    let mut at = reached.offset.max(0);
    let mut found = Vec::new();
    while at < end {
        let here = datum(at);
        let next = match here {
            Some((_, next)) => next,
            None => model.owner.next_start(section, at.cast_unsigned()).map_or(end, u64::cast_signed),
        };
        let next = next.clamp(at + 1, end);
        let apart = match here {
            Some((thing, _)) => own != Some(thing),
            // Nameless bytes behind a nameless address may be the same constant.
            None => own.is_some() || reached.width > 0 && at != from,
        };
        if apart {
            found.push((at, if reached.width == 0 { 0 } else { next.abs_diff(at) as u32 }));
        }
        at = next;
    }
    found
}

/// Which addresses are anchors.
struct Judge {
    proved: FxHashSet<Anchor>,
    excluded: FxHashSet<Anchor>,
}

impl Judge {
    fn of(model: &Model<'_>, rules: &Rules, found: &[Found]) -> Self {
        let proof = |r: &&Reached| r.evidence == Evidence::Proof && !others(model, r).is_empty();
        let proved = found.iter().flat_map(|f| &f.reached).filter(proof).map(|r| r.anchor).collect();
        let mut excluded = FxHashSet::default();
        if is_one_unit(model) {
            let mut all: Vec<Anchor> = found.iter().flat_map(|f| &f.anchors).map(|a| a.1).collect();
            all.sort_unstable();
            all.dedup();
            for section in all.chunk_by(|a, b| a.0 == b.0) {
                let named: Vec<i64> = section.iter().filter(|a| is_named(model, **a)).map(|a| a.1).collect();
                let is_other = |anchor: &Anchor| {
                    let among = |apart: i64, all: &[i64]| {
                        let near =
                            |other: &i64| (1..apart.unsigned_abs()).contains(&other.abs_diff(anchor.1));
                        all.iter().any(near)
                    };
                    match rules.apart {
                        Some(apart) if is_named(model, *anchor) => among(apart, &named),
                        Some(apart) => among(apart, &section.iter().map(|a| a.1).collect::<Vec<_>>()),
                        None => section.first().is_some_and(|first| first != anchor),
                    }
                };
                excluded.extend(section.iter().filter(|a| is_other(a)).copied());
            }
        }
        Self { proved, excluded }
    }

    fn is_anchor(&self, anchor: Anchor) -> bool {
        self.proved.contains(&anchor) || !self.excluded.contains(&anchor)
    }
}

fn is_named(model: &Model<'_>, (section, offset): Anchor) -> bool {
    u64::try_from(offset).is_ok_and(|at| model.owner.at(section, at).is_some())
}

/// Whether the file is what GCC made of one source: only then does it say where anchors can lie.
fn is_one_unit(model: &Model<'_>) -> bool {
    let facts = &model.facts;
    let sources = facts.symbols.iter().filter(|s| s.is_file()).count();
    let comment = facts.sections.iter().find(|s| s.name == b".comment").map_or(&[][..], |s| s.data);
    let says = |word: &[u8]| comment.windows(word.len()).any(|w| w == word);
    facts.image.file_type == elf::ET_REL.0 && sources <= 1 && says(b"GCC: ") && !says(b"clang")
}

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
    /// The sums that it went through, and how many.
    sums: [u32; SUMS],
    count: u8,
}

/// What tells one way of an address from another.
type Seen = (u32, Location, Anchor, i64, bool);

/// A function while the addresses in it are followed.
struct Path<'m, 'd> {
    model: &'m Model<'d>,
    machine: &'static dyn Machine,
    rules: &'static Rules,
    thing: usize,
    body: &'m Body,
    code: Vec<Done>,
    /// The number of the first instruction of each piece.
    firsts: Vec<usize>,
    /// The addresses, and the instructions that take them.
    anchors: Vec<(u32, Anchor)>,
    pending: Vec<Item>,
    /// Per instruction: whether a branch leads there. Only there can ways meet that were not one before.
    heads: Vec<bool>,
    seen: FxHashSet<Seen>,
    reached: Vec<Reached>,
    /// Per callee of this file: what it overwrites.
    callees: FxHashMap<usize, u64>,
    /// Where computed jumps and exceptions lead, once asked.
    hidden: Option<Hidden>,
}

/// An instruction, as far as addresses go.
#[derive(Debug, Clone, Copy)]
struct Done {
    step: Step,
    piece: usize,
    reach: Reach,
    access: u8,
}

/// Instructions that control comes to by no branch.
#[derive(Debug, Clone, Default)]
struct Hidden {
    /// Those that nothing else leads to.
    orphans: Vec<u32>,
    /// Those that tables list.
    listed: Vec<u32>,
}

impl<'m, 'd> Path<'m, 'd> {
    /// `None` where the function has no address in a register.
    fn of(
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
            pending: Vec::new(),
            heads: Vec::new(),
            seen: FxHashSet::default(),
            reached: Vec::new(),
            callees: FxHashMap::default(),
            hidden: None,
        };
        let mut first = 0;
        for list in &body.pieces {
            path.firsts.push(first);
            first += list.len();
        }
        path.heads = path.find_heads();
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
        for one in &self.body.uses {
            let upper = self.upper(one);
            let Some(anchor) = taken(self.model, self.machine, upper.as_ref().unwrap_or(one)) else {
                continue;
            };
            let own = [one.at];
            for at in pools.get(&one.at).map_or(&own[..], Vec::as_slice) {
                let Some(done) = self.code.get(*at as usize).filter(|d| d.step.kills.is_power_of_two())
                else {
                    continue;
                };
                let location = Location::Register(done.step.kills.trailing_zeros() as Register);
                self.anchors.push((*at, anchor));
                let start =
                    Item { at: *at, location, anchor, distance: 0, exact: true, sums: [0; SUMS], count: 0 };
                self.go_on(*at, start);
            }
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
    fn walk(&mut self) {
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
                let own = |m: &&super::machine::steps::Move| m.to == base && m.from == base && m.exact;
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
            self.go_on(item.at, Item { location, ..item });
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
            let width = access.width.max(1);
            self.reach(Reached { at: item.at, anchor: item.anchor, offset, width, evidence });
        }
    }

    /// Notes what lies outside the datum at the address.
    fn reach(&mut self, one: Reached) {
        let below = one.anchor.1.saturating_sub(one.offset);
        if below > 0 && (one.anchor.1 < FIRST || below > self.rules.below) {
            return; // the address is the end of an array, and this is the array
        }
        let evidence = if below > 0 { Evidence::Perhaps } else { one.evidence };
        if !others(self.model, &one).is_empty() {
            self.reached.push(Reached { evidence, ..one });
        }
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
        let mut next = Item { location: Location::Register(to), exact: item.exact && exact, ..*item };
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
        let Some(Done { step, piece, reach, .. }) = self.code.get(from as usize).copied() else { return };
        if matches!(step.flow, Flow::Branch | Flow::Jump) {
            let direct = match reach {
                Reach::Branch(place) => self.number(piece, place),
                _ => None,
            };
            let named = self.use_at(from).and_then(|u| self.number_of(u.place));
            if let Some(at) = direct.or(named) {
                self.enter(from, at, item);
            }
        }
        if matches!(step.flow, Flow::Indirect | Flow::Call) {
            for at in self.hidden(from, step.flow) {
                self.enter(from, at, item);
            }
        }
        if !matches!(step.flow, Flow::Jump | Flow::End) {
            self.enter(from, from + 1, item);
        }
    }

    /// Brings an address to an instruction, from another.
    fn enter(&mut self, from: u32, at: u32, item: Item) {
        // What was moved on within a loop is somewhere in what it walks over.
        let exact = item.exact && (item.count == 0 || at > from);
        let next = Item { at, exact, ..item };
        let alone = at == from + 1 && !self.heads.get(at as usize).is_some_and(|head| *head);
        if alone || self.seen.insert((at, next.location, next.anchor, next.distance, next.exact)) {
            self.pending.push(next);
        }
    }

    /// Where control comes to from an instruction by no branch: through tables, or by an exception.
    fn hidden(&mut self, from: u32, flow: Flow) -> Vec<u32> {
        let is_thrown_at = |s: &Section<'_>| super::lsda_section(s) || s.name.starts_with(b".ARM.extab");
        if flow == Flow::Call && !self.model.facts.sections.iter().any(is_thrown_at) {
            return Vec::new();
        }
        let hidden = match &self.hidden {
            Some(hidden) => hidden.clone(),
            None => self.hidden.insert(self.find_hidden()).clone(),
        };
        let mut to = hidden.orphans;
        if flow == Flow::Indirect {
            to.extend(hidden.listed);
            // A table may be of branches.
            let jumps = self.code.iter().skip(from as usize + 1).take_while(|d| d.step.flow == Flow::Jump);
            to.extend((from + 2..).zip(jumps).map(|(next, _)| next));
        }
        to
    }

    fn find_hidden(&self) -> Hidden {
        let mut entered = vec![false; self.code.len()];
        let mut enter = |at: u32| {
            if let Some(one) = entered.get_mut(at as usize) {
                *one = true;
            }
        };
        enter(0);
        let mut listed = Vec::new();
        for (number, done) in (0_u32..).zip(&self.code) {
            if !matches!(done.step.flow, Flow::Jump | Flow::End | Flow::Indirect) {
                enter(number + 1);
            }
            match done.reach {
                Reach::Branch(place) => self.number(done.piece, place).into_iter().for_each(&mut enter),
                Reach::Entry(place) => listed.extend(self.number(done.piece, place)),
                _ => {}
            }
        }
        for one in &self.body.uses {
            self.number_of(one.place).into_iter().for_each(&mut enter);
            listed.extend(self.listed_at(one));
        }
        for table in &self.body.distances {
            let Some(home) = self.model.section(table.table.0) else { continue };
            let end = home.size.min(table.table.1.saturating_add(ENTRIES as u64 * u64::from(table.width)));
            let entries = table.entries(home, end).into_iter();
            listed.extend(entries.map_while(|(_, target)| self.number(table.home.1, target)));
        }
        let orphans = (0_u32..).zip(&entered).filter(|(_, entered)| !**entered).map(|(at, _)| at);
        let orphans =
            orphans.filter(|at| self.code.get(*at as usize).is_some_and(|d| d.reach == Reach::None));
        listed.sort_unstable();
        listed.dedup();
        Hidden { orphans: orphans.collect(), listed }
    }

    /// Instructions of this function that a table lists whose address is taken.
    fn listed_at(&self, one: &Use) -> Vec<u32> {
        let (section, start) = match one.place {
            Place::Private(section, offset) => (section, offset.max(0).cast_unsigned()),
            Place::Thing(thing, ..) => {
                let labels = self.model.bodies.get(thing).filter(|b| b.pieces.is_empty());
                let uses = labels.into_iter().flat_map(|b| &b.uses).take(ENTRIES);
                return uses.filter_map(|u| self.number_of(u.place)).collect();
            }
            _ => return Vec::new(),
        };
        let Some(home) = self.model.section(section).filter(|s| !s.is_executable()) else {
            return Vec::new();
        };
        let machine = self.model.facts.image.machine;
        let entries = home.relocations_in(start, home.size).iter().take(ENTRIES);
        let place = |relocation: &super::facts::Relocation| {
            let mut at = *relocation;
            // Entries may count from the start of the table.
            if super::arch::shape(machine, at.kind).is_some_and(|s| s.relative) {
                at.addend = at.addend.wrapping_sub(at.offset.wrapping_sub(start).cast_signed());
            }
            self.number_of(self.model.resolve(home, &at, 0))
        };
        entries.map_while(place).collect()
    }

    /// What the callee of this call overwrites.
    fn overwritten(&mut self, at: u32) -> u64 {
        // A call may be two instructions, of which the first has the reference.
        let before = || self.use_at(at.checked_sub(1)?);
        let Some(one) = self.use_at(at).or_else(before) else { return self.rules.clobbered };
        self.by_callee(one.place, DEPTH)
    }

    fn by_callee(&mut self, place: Place, depth: usize) -> u64 {
        let all = self.rules.clobbered;
        let (Place::Thing(thing, ..) | Place::Code(thing, ..)) = place else { return all };
        if let Some(known) = self.callees.get(&thing) {
            return *known;
        }
        let model = self.model;
        let Some(body) = model.bodies.get(thing).filter(|b| !b.pieces.is_empty()) else { return all };
        if depth == 0 || self.callees.len() > CALLEES {
            return 0;
        }
        self.callees.insert(thing, 0);
        let mut kills = 0;
        for (number, done) in (0_u32..).zip(code(model, self.machine, thing, body)) {
            kills |= done.step.kills;
            let uses = &body.uses;
            let calls = matches!(done.step.flow, Flow::Call | Flow::Jump);
            let named = uses.get(uses.partition_point(|u| u.at < number)).filter(|u| calls && u.at == number);
            match named {
                Some(one) if !matches!(one.place, Place::Code(own, ..) if own == thing) => {
                    kills |= self.by_callee(one.place, depth - 1);
                }
                None if done.step.flow == Flow::Call => kills |= all,
                _ => {}
            }
        }
        self.callees.insert(thing, kills & all);
        kills & all
    }

    /// Lays every displacement of the function on every address that it takes.
    fn lay_all(&mut self) {
        let accesses = self.code.iter().flat_map(|d| d.step.accesses).flatten();
        let accesses = accesses.map(|a| (a.displacement, a.width.max(1)));
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
        }
    }
}

/// What each instruction of a function does.
fn code(model: &Model<'_>, machine: &dyn Machine, thing: usize, body: &Body) -> Vec<Done> {
    let pieces = model.owner.things.get(thing).map_or(&[][..], |t| t.pieces.as_slice());
    let mut all = Vec::with_capacity(body.pieces.iter().map(Vec::len).sum());
    for (piece, (at, list)) in pieces.iter().zip(&body.pieces).enumerate() {
        let map = model.maps.get(at.section);
        let section = model.section(at.section);
        let mut predicated = 0;
        for one in list {
            let start = u64::from(one.start);
            let bytes = section.map_or(&[][..], |s| s.bytes(start, start + u64::from(one.length)));
            let mode = map.map_or(Mode::Code, |m| m.at(start));
            let reach = one.reach();
            let is_data = mode == Mode::Data || matches!(reach, Reach::Entry(_) | Reach::Literal(_));
            let mut step =
                if is_data { Step { flow: Flow::End, ..Step::default() } } else { machine.step(bytes, mode) };
            if predicated > 0 {
                predicated -= 1;
                step = step.conditional();
            }
            predicated = predicated.max(step.predicated);
            all.push(Done { step, piece, reach, access: one.access });
        }
    }
    all
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
    let place = match one.place {
        // The address was loaded (`.toc`).
        Place::Private(section, offset) if one.access > 0 => {
            let (home, at) = (model.section(section)?, u64::try_from(offset).ok()?);
            let relocation = home.relocations_in(at, at.saturating_add(1)).first()?;
            model.resolve(home, relocation, 0)
        }
        place if one.access == 0 && !machine.is_upper(one.kind) => place,
        _ => return None,
    };
    let anchor = position(model, place)?;
    model.section(anchor.0).filter(|s| holds_data(s)).map(|_| anchor)
}

/// Section and offset of a place, unless a name was used that others may define too.
fn position(model: &Model<'_>, place: Place) -> Option<Anchor> {
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

fn holds_data(section: &Section<'_>) -> bool {
    section.is_allocated() && !section.is_executable() && section.flags & elf::SHF_TLS.0 == 0
}
