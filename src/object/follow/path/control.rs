//! Where control goes by no branch, and what it does on the way: jump tables, landing pads, callees.

use object::elf;

use super::super::super::facts::{Relocation, Section};
use super::super::super::machine::steps::Flow;
use super::super::super::places::{Place, Use};
use super::super::super::x86::Reach;
use super::super::super::{arch, unwinding};
use super::Path;
use super::done::code;

/// How deep callees of this file are looked into for what they overwrite.
const DEPTH: usize = 3;

/// How many callees are looked into for one function.
const CALLEES: usize = 64;

/// Routines that compilers call for a prologue, an epilogue or the thread's pointer, and around which registers stay: Power's and RISC-V's
/// out-of-line saves (`-Os`, `-msave-restore`), Arm's `__aeabi_read_tp` (Run-time ABI for the Arm Architecture, 4.3.5).
const KEEPERS: [&[u8]; 6] =
    [b"_savegpr", b"_savefpr", b"_savevr", b"_restfpr", b"__riscv_save_", b"__aeabi_read_tp"];

/// `R_AARCH64_TLSDESC_CALL`: what is called overwrites its result alone (ELF for the Arm 64-bit Architecture, TLS descriptors).
const TLSDESC_CALL: u32 = 569;

/// Entries of a jump table that are looked at.
const ENTRIES: usize = 4096;

/// Instructions that control comes to by no branch.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    /// Those that nothing else leads to.
    orphans: Vec<u32>,
    /// Those that tables list.
    listed: Vec<u32>,
}

impl Path<'_, '_> {
    /// Where control comes to from an instruction by no branch: through tables, or by an exception.
    pub fn hidden(&mut self, from: u32, flow: Flow) -> Vec<u32> {
        let is_thrown_at = |s: &Section<'_>| unwinding::is_lsda(s) || s.name.starts_with(b".ARM.extab");
        if flow == Flow::Call && !self.model.facts.sections.iter().any(is_thrown_at) {
            return Vec::new();
        }
        let hidden = self.found_hidden().clone();
        let mut to = hidden.orphans;
        if flow == Flow::Indirect {
            to.extend(hidden.listed);
            // A table may be of branches.
            let jumps = self.code.iter().skip(from as usize + 1).take_while(|d| d.step.flow == Flow::Jump);
            to.extend((from + 2..).zip(jumps).map(|(next, _)| next));
        }
        to
    }

    /// Where control comes to by no branch, found when first asked for.
    pub fn found_hidden(&mut self) -> &Hidden {
        let hidden = self.hidden.take().unwrap_or_else(|| self.find_hidden());
        self.hidden.insert(hidden)
    }

    /// Whether a jump table lists an instruction, once [`Path::found_hidden`] was asked.
    pub fn is_listed(&self, at: usize) -> bool {
        self.hidden.as_ref().is_some_and(|hidden| hidden.listed.binary_search(&(at as u32)).is_ok())
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
        let mut starts: Vec<(usize, i64)> = self.body.uses.iter().filter_map(|u| private(u.place)).collect();
        starts.sort_unstable();
        for one in &self.body.uses {
            self.number_of(one.place).into_iter().for_each(&mut enter);
            listed.extend(self.listed_at(one, &starts));
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

    /// Instructions of this function that a table lists whose address is taken. `starts` are all nameless addresses that the
    /// function takes, sorted: at one of them another table may begin, whose entries count from there.
    fn listed_at(&self, one: &Use, starts: &[(usize, i64)]) -> Vec<u32> {
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
        let next = starts.partition_point(|at| *at <= (section, start.cast_signed()));
        let next = starts.get(next).filter(|at| at.0 == section).map_or(u64::MAX, |at| at.1.cast_unsigned());
        let place = |relocation: &Relocation| {
            let mut at = *relocation;
            // Entries may count from the start of the table.
            if arch::shape(machine, at.kind).is_some_and(|s| s.relative) {
                if at.offset >= next {
                    return None;
                }
                at.addend = at.addend.wrapping_sub(at.offset.wrapping_sub(start).cast_signed());
            }
            self.number_of(self.model.resolve(home, &at, 0))
        };
        entries.map_while(place).collect()
    }

    /// What the callee of this call overwrites.
    pub fn overwritten(&mut self, at: u32) -> u64 {
        // A call may be two instructions, of which the first has the reference.
        let before = || self.use_at(at.checked_sub(1)?);
        let Some(one) = self.use_at(at).or_else(before) else { return self.rules.clobbered };
        match one.place {
            Place::External(symbol, _) if self.keeps_registers(symbol) => 0,
            _ if self.model.facts.image.machine == elf::EM_AARCH64.0 && one.kind == TLSDESC_CALL => 0,
            _ => self.by_callee(one.place, DEPTH),
        }
    }

    /// Whether an undefined function is a routine that compilers call beside the calling convention.
    fn keeps_registers(&self, symbol: u32) -> bool {
        let name = self.model.facts.symbols.get(symbol as usize).map_or(&[][..], |symbol| symbol.name);
        KEEPERS.iter().any(|prefix| name.starts_with(prefix))
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
            // What is overwritten under a condition, a caller does not count on either.
            kills |= done.step.kills | done.step.perhaps;
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
}

/// Section and offset of a nameless place.
fn private(place: Place) -> Option<(usize, i64)> {
    match place {
        Place::Private(section, offset) => Some((section, offset)),
        _ => None,
    }
}
