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
//! The anchor itself has the address of the first datum of its block, whichever that is: it is a reference to it only for a
//! function that reads that datum, or hands the address on ([`path`]). What is not undone is the displacement in the code:
//! another datum in the block changes the code of functions that have nothing to do with it. On s390x, ppc64le and riscv64
//! mostly the numbers alone; on aarch64, and half the time on arm, where GCC chooses other instructions and registers where a displacement
//! is 0 or pairs with another, there is no form of which both would be the same.
//!
//! An access at a displacement that is known is proof of an anchor. The address right behind a datum, or a displacement
//! from a sum with something unknown, is not: that may be the end of an array, or an element before the one at hand. An end
//! counts where this address is proved to be an anchor somewhere in the file, or cannot be told from one: anchors of
//! one section lie far apart ([`Rules::apart`]), or there is only one, before all data. Where a function is too tangled
//! to be followed, all its displacements are laid on the address: at worst a reference too many. Where something unknown was added, the
//! place may be another's still ([`super::biased`]).

mod path;

use std::collections::BTreeMap;
use std::ops::Range;

use object::elf;
use rustc_hash::FxHashSet;

use self::path::Path;
pub use self::path::position;
use super::biased::Biased;
use super::machine::Machine;
use super::machine::steps::Rules;
use super::model::Model;
use super::parallel::Workers;
use super::places::{Place, REACHED, REACHED_PERHAPS, Use};

/// Of how many addresses in one function it is asked whether they are taken for themselves. Anchors lie far apart.
const MOST_PASSING: usize = 64;

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
    /// An address at a known distance that is handed on: where no names are, something begins there.
    Handed,
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
    /// The references that name them, where it is known which registers get the address.
    followed: Vec<(u32, Anchor)>,
    reached: Vec<Reached>,
    biased: Vec<Biased>,
    own: FxHashSet<Anchor>,
}

/// What a function reaches from the addresses of neighbours.
#[derive(Debug)]
pub struct Neighbours {
    /// The function.
    pub thing: usize,
    /// References to what it reaches, in the order of their places.
    pub uses: Vec<Use>,
    /// References that it has only to reach others: their number among its references, and the section.
    pub passing: Vec<(usize, usize)>,
    /// Places that it reaches with an index added, or perhaps folded in.
    pub biased: Vec<Biased>,
}

/// What every function reaches from the addresses of neighbours.
pub fn find(model: &Model<'_>, workers: Workers) -> Vec<Neighbours> {
    let Some((machine, rules)) = model.machine.and_then(|m| Some((m, m.rules()?))) else { return Vec::new() };
    let things = &model.owner.things;
    let runs = workers.map_runs(things, super::ownership::Thing::weight, |run: Range<usize>| {
        let function = |thing: usize| {
            let body = model.bodies.get(thing).filter(|b| !b.pieces.is_empty())?;
            let mut path = Path::of(model, machine, rules, thing, body)?;
            path.walk();
            let Path { anchors, followed, reached, mut biased, own, .. } = path;
            biased.sort_unstable();
            biased.dedup();
            let named = |(at, section, offset)| Biased { thing, at, section, offset };
            Some(Found {
                thing,
                anchors,
                followed,
                reached,
                biased: biased.into_iter().map(named).collect(),
                own,
            })
        };
        run.filter_map(function).collect::<Vec<_>>()
    });
    let found: Vec<Found> = runs.flatten().collect();
    let judge = Judge::of(model, rules, &found);
    let mut all = Vec::new();
    for one in found {
        // One reference for each instruction and place; where an address is taken, that says more than an access.
        let mut kept: BTreeMap<(u32, usize, i64), (u32, u32)> = BTreeMap::new();
        for reached in &one.reached {
            let Some(kind) = judge.kind(model, reached) else { continue };
            for (offset, width) in others(model, reached) {
                // With an index added, any element may be meant.
                let width = if reached.evidence == Evidence::Proof { width } else { 0 };
                let here = kept.entry((reached.at, reached.anchor.0, offset)).or_insert((width, kind));
                here.0 = if width == 0 { 0 } else { here.0.max(width) };
            }
        }
        let uses = kept.into_iter().map(|((at, section, offset), (width, kind))| {
            let place = model.containing(section, offset);
            Use { at, field: 0, access: width.min(255) as u8, kind, place }
        });
        let uses: Vec<Use> = uses.collect();
        let passing = if uses.is_empty() { Vec::new() } else { passing(model, machine, &judge, &one) };
        let mut biased = one.biased;
        biased.extend(passing.iter().flat_map(|anchor| &anchor.biased));
        let passing = passing.into_iter().flat_map(|anchor| anchor.uses).collect();
        all.push(Neighbours { thing: one.thing, uses, passing, biased });
    }
    all
}

/// An anchor whose own datum a function has nothing to do with.
struct Passing {
    /// The references to it: their number among the function's, and the section.
    uses: Vec<(usize, usize)>,
    /// Where an index was added to the address: with a number folded into it, it may be the datum's own after all.
    biased: Option<Biased>,
}

/// The anchors whose own datum a function has nothing to do with.
fn passing(model: &Model<'_>, machine: &dyn Machine, judge: &Judge, found: &Found) -> Vec<Passing> {
    let mut all = Vec::new();
    let Some(body) = model.bodies.get(found.thing) else { return all };
    let mut anchors: Vec<Anchor> = found.anchors.iter().map(|(_, anchor)| *anchor).collect();
    anchors.sort_unstable();
    anchors.dedup();
    anchors.retain(|anchor| !found.own.contains(anchor));
    for anchor in anchors.into_iter().take(MOST_PASSING) {
        let mut reached = found.reached.iter().filter(|r| r.anchor == anchor).peekable();
        // What is nameless, as the address is, may be the same constant, of which an access at a known distance reads no more than that.
        let is_other = |r: &Reached| {
            is_named(model, anchor)
                || is_named(model, (anchor.0, r.offset))
                || r.evidence == Evidence::Proof && r.width > 0
                || r.evidence == Evidence::Handed
        };
        let is_anchor = judge.has_anchors && judge.is_anchor(anchor);
        let is_sure = |r: &Reached| matches!(r.evidence, Evidence::Proof | Evidence::Handed);
        let counts = |r: &Reached| is_other(r) && (is_sure(r) || is_anchor);
        let indexed = found.reached.iter().find(|r| r.anchor == anchor && !is_sure(r));
        if reached.peek().is_none() || !reached.all(counts) {
            continue;
        }
        let here: Vec<usize> = (0..body.uses.len())
            .filter(|index| body.uses.get(*index).and_then(|u| position(model, u.place)) == Some(anchor))
            .collect();
        let is_taken = |index: &usize| {
            body.uses
                .get(*index)
                .is_some_and(|one| machine.is_upper(one.kind) || found.followed.contains(&(one.at, anchor)))
        };
        if here.iter().all(is_taken) {
            let (section, offset) = anchor;
            let biased = indexed.map(|r| Biased { thing: found.thing, at: r.at, section, offset });
            all.push(Passing { uses: here.into_iter().map(|index| (index, section)).collect(), biased });
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
        model.owner.datum_at(section, at)
    };
    let own = datum(from);
    let is_divided = |one: i64, other: i64| {
        let next = model.owner.next_datum(section, one.min(other).max(0).cast_unsigned());
        next.is_some_and(|next| next.cast_signed() <= one.max(other))
    };
    let end = reached.offset.saturating_add(reached.width.max(1).into()).min(home.size.cast_signed());
    let mut at = reached.offset.max(0);
    let mut found = Vec::new();
    while at < end {
        let here = datum(at);
        let next = match here {
            Some((_, next)) => next.cast_signed(),
            None => model.owner.next_datum(section, at.cast_unsigned()).map_or(end, u64::cast_signed),
        };
        let next = next.clamp(at + 1, end);
        let begins = reached.width > 0 || reached.evidence == Evidence::Handed;
        let apart = match here {
            Some(datum) => own != Some(datum),
            // Nameless bytes behind a nameless address may be the same constant.
            None => own.is_some() || begins && at != from || is_divided(from, at),
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
    /// Whether the file says that GCC made it, which reaches data from anchors.
    has_anchors: bool,
    proved: FxHashSet<Anchor>,
    excluded: FxHashSet<Anchor>,
}

impl Judge {
    fn of(model: &Model<'_>, rules: &Rules, found: &[Found]) -> Self {
        let proof = |r: &&Reached| r.evidence == Evidence::Proof && !others(model, r).is_empty();
        let proved = found.iter().flat_map(|f| &f.reached).filter(proof).map(|r| r.anchor).collect();
        let mut excluded = FxHashSet::default();
        let has_anchors = is_one_unit(model);
        if has_anchors {
            let mut all: Vec<Anchor> = found.iter().flat_map(|f| &f.anchors).map(|a| a.1).collect();
            all.sort_unstable();
            all.dedup();
            // A jump table stands before all data, and is none of them.
            let distances = model.bodies.iter().flat_map(|body| &body.distances);
            let tables: FxHashSet<Anchor> = distances.map(|d| (d.table.0, d.table.1.cast_signed())).collect();
            all.retain(|anchor| !leads_into_code(model, *anchor) && !tables.contains(anchor));
            for section in all.chunk_by(|a, b| a.0 == b.0) {
                let named: Vec<i64> = section.iter().filter(|a| is_named(model, **a)).map(|a| a.1).collect();
                let is_other = |anchor: &Anchor| {
                    // GCC folds a distance into an anchor's address, too: of several near ones, the first may be the anchor.
                    let apart = rules.apart.unwrap_or(i64::MAX);
                    let near = |other: &i64| (1..apart).contains(&anchor.1.saturating_sub(*other));
                    if is_named(model, *anchor) {
                        named.iter().any(near)
                    } else {
                        section.iter().any(|other| near(&other.1))
                    }
                };
                excluded.extend(section.iter().filter(|a| is_other(a)).copied());
            }
        }
        Self { has_anchors, proved, excluded }
    }

    /// What kind of reference something reached is, if any. An access, or an address further on than the end of the datum, counts
    /// whatever the address is; the end itself is only that, unless the address is an anchor.
    fn kind(&self, model: &Model<'_>, reached: &Reached) -> Option<u32> {
        let is_anchor = self.is_anchor(reached.anchor);
        match reached.evidence {
            Evidence::Proof | Evidence::Handed => Some(REACHED),
            Evidence::Perhaps if is_anchor => Some(REACHED),
            Evidence::Perhaps if reached.width > 0 || !is_end(model, reached) => Some(REACHED_PERHAPS),
            Evidence::Laid if is_anchor => Some(REACHED_PERHAPS),
            Evidence::Perhaps | Evidence::Laid => None,
        }
    }

    fn is_anchor(&self, anchor: Anchor) -> bool {
        self.proved.contains(&anchor) || !self.excluded.contains(&anchor)
    }
}

/// Whether something reached is the end of the datum at the address.
fn is_end(model: &Model<'_>, reached: &Reached) -> bool {
    let (section, from) = reached.anchor;
    let Ok(from) = u64::try_from(from) else { return true };
    match model.owner.datum_at(section, from) {
        Some((_, end)) => end.cast_signed() == reached.offset,
        // What is nameless ends where the next datum begins.
        None => model.owner.next_datum(section, from).is_none_or(|next| next.cast_signed() >= reached.offset),
    }
}

fn is_named(model: &Model<'_>, (section, offset): Anchor) -> bool {
    u64::try_from(offset).is_ok_and(|at| model.owner.datum_at(section, at).is_some())
}

/// Whether a nameless address is that of a table of places in code.
pub fn leads_into_code(model: &Model<'_>, (section, offset): Anchor) -> bool {
    let (Some(home), Ok(at)) = (model.section(section), u64::try_from(offset)) else { return false };
    let first = home.relocations_in(at, at.saturating_add(1)).first();
    let place =
        first.filter(|_| model.owner.datum_at(section, at).is_none()).map(|r| model.resolve(home, r, 0));
    matches!(place, Some(Place::Code(..)))
}

/// Whether the file is what GCC made of one source: only then does it say where anchors can lie.
fn is_one_unit(model: &Model<'_>) -> bool {
    let facts = &model.facts;
    let sources = facts.symbols.iter().filter(|s| s.is_file()).count();
    let comment = facts.sections.iter().find(|s| s.name == b".comment").map_or(&[][..], |s| s.data);
    let says = |word: &[u8]| comment.windows(word.len()).any(|w| w == word);
    facts.image.file_type == elf::ET_REL.0 && sources <= 1 && says(b"GCC: ") && !says(b"clang")
}
