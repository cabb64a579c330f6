//! Where control goes in a function, read from its canonical streams: enough to tell whether it can return, and whether
//! code stands behind a call that only a return can reach. x86-64 alone: elsewhere instructions are not told apart.
//!
//! The error bias: a claim is made only where every instruction was understood. An indirect jump without a table may go
//! anywhere, so a function with one "may return".

use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl};

use crate::object::stream::{Reader, code, target, unwinding};
use crate::object::{Fingerprints, Item, PartKind, names};

/// `EM_X86_64`.
const X86_64: u16 = 62;

/// What an instruction does to control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Other,
    Padding,
    Call,
    Jump,
    Branch,
    IndirectJump,
    Return,
    Stop,
}

/// Where a call or jump goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Goal {
    Own(u32),
    /// A function by its name, of this file or another.
    Name(BString),
    Elsewhere,
}

/// The flow of one function.
#[derive(Debug)]
pub struct Flow {
    steps: Vec<Step>,
    goals: Vec<Option<Goal>>,
    /// Instructions that something may jump to, and those that begin a piece.
    reached: BTreeSet<u32>,
    /// Instructions behind which a piece ends.
    ends: BTreeSet<u32>,
    has_tables: bool,
}

/// A call in a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Number of the instruction.
    pub at: u32,
    /// Whom it calls.
    pub callee: BString,
    /// Whether code stands behind it that only a return can reach.
    pub goes_on: bool,
}

impl Flow {
    /// Reads the flow of `item`; `None` where not every instruction is understood.
    pub fn of(prints: &Fingerprints, item: &Item) -> Option<Self> {
        if prints.image.machine != X86_64 {
            return None;
        }
        let mut flow = Self {
            steps: Vec::new(),
            goals: Vec::new(),
            reached: BTreeSet::from([0]),
            ends: BTreeSet::new(),
            has_tables: item.part(PartKind::Tables).is_some(),
        };
        flow.read_code(prints.stream(item.part(PartKind::Code)?.stream))?;
        let stream = |kind| item.part(kind).map(|part| prints.stream(part.stream)).unwrap_or_default();
        flow.read_references(stream(PartKind::References), item, prints)?;
        flow.read_tables(stream(PartKind::Tables), item, prints)?;
        flow.read_unwinding(stream(PartKind::Unwinding));
        for goal in flow.goals.iter().flatten() {
            if let Goal::Own(to) = goal {
                flow.reached.insert(*to);
            }
        }
        Some(flow)
    }

    fn read_code(&mut self, stream: &[u8]) -> Option<()> {
        let mut reader = Reader::new(stream);
        while !reader.is_empty() {
            let (step, own) = match reader.byte()? {
                length @ 1..=15 => (step(reader.bytes(length.into())?)?, None),
                code::BRANCH => {
                    let mut bytes = reader.blob()?.to_vec();
                    bytes.extend([0; 4]);
                    let own = (reader.byte()? != 0).then(|| place(&mut reader)).flatten();
                    (step(&bytes)?, own)
                }
                code::MEMORY => {
                    let bytes = reader.blob()?;
                    reader.byte()?;
                    (step(bytes)?, None)
                }
                code::PIECE => {
                    let next = self.next();
                    self.ends.insert(next.checked_sub(1)?);
                    self.reached.insert(next);
                    continue;
                }
                _ => return None,
            };
            self.steps.push(step);
            self.goals.push(own.map(Goal::Own));
        }
        self.ends.insert(self.next().checked_sub(1)?);
        Some(())
    }

    fn next(&self) -> u32 {
        self.steps.len() as u32
    }

    fn read_references(&mut self, stream: &[u8], item: &Item, prints: &Fingerprints) -> Option<()> {
        let mut reader = Reader::new(stream);
        while !reader.is_empty() {
            let at = reader.number()? as usize;
            reader.byte()?;
            reader.number()?;
            let goal = goal(&mut reader, item, prints)?;
            if let Goal::Own(to) = goal {
                self.reached.insert(to); // also by an address that is only taken
            }
            let jumps = self.steps.get(at).is_some_and(|step| !matches!(step, Step::Other | Step::Padding));
            if jumps && let Some(slot) = self.goals.get_mut(at) {
                *slot = Some(goal);
            }
        }
        Some(())
    }

    fn read_tables(&mut self, stream: &[u8], item: &Item, prints: &Fingerprints) -> Option<()> {
        let mut reader = Reader::new(stream);
        while !reader.is_empty() {
            for _ in 0..reader.number()? {
                reader.number()?;
                reader.number()?;
                if let Goal::Own(to) = goal(&mut reader, item, prints)? {
                    self.reached.insert(to);
                }
            }
            reader.blob()?;
        }
        Some(())
    }

    /// Landing pads; what cannot be read ends the reading: a pad too few makes a claim too many only of code that C++ alone
    /// has.
    fn read_unwinding(&mut self, stream: &[u8]) -> Option<()> {
        let mut reader = Reader::new(stream);
        while !reader.is_empty() {
            match reader.byte()? {
                unwinding::CFI => {
                    place(&mut reader)?;
                    reader.blob()?;
                }
                unwinding::CALL_SITE => {
                    place(&mut reader)?;
                    place(&mut reader)?;
                    if reader.byte()? != 0 {
                        let pad = place(&mut reader)?;
                        self.reached.insert(pad);
                    }
                    reader.number()?;
                }
                unwinding::RANGE => {
                    place(&mut reader)?;
                    place(&mut reader)?;
                    reader.number()?;
                    reader.blob()?;
                }
                unwinding::HEAD => drop(reader.bytes(3)?),
                _ => return None,
            }
        }
        Some(())
    }

    /// Whether no way leads out of the function: it ends in calls that do not return, in traps or in loops.
    pub fn never_returns(&self) -> bool {
        let leaves = |(step, goal): (&Step, &Option<Goal>)| match step {
            Step::Return => true,
            Step::Jump | Step::Branch => !matches!(goal, Some(Goal::Own(_))),
            Step::IndirectJump => !self.has_tables,
            _ => false,
        };
        let works = self.steps.iter().any(|step| matches!(step, Step::Call | Step::Jump | Step::Stop));
        works && !self.steps.iter().zip(&self.goals).any(leaves)
    }

    /// The calls of functions that have a name.
    pub fn calls(&self) -> Vec<Call> {
        let numbered = (0..).zip(self.steps.iter().zip(&self.goals));
        numbered
            .filter_map(|(at, (step, goal))| match (step, goal) {
                (Step::Call, Some(Goal::Name(callee))) => {
                    Some(Call { at, callee: callee.clone(), goes_on: self.goes_on(at) })
                }
                _ => None,
            })
            .collect()
    }

    /// Whether the instruction behind `at` is of the same piece and nothing but `at` leads to it.
    fn goes_on(&self, at: u32) -> bool {
        let padding = |step: &Step| *step == Step::Padding;
        !self.ends.contains(&at)
            && !self.reached.contains(&(at + 1))
            && self.steps.get(at as usize + 1).is_some_and(|step| !padding(step))
    }
}

fn step(bytes: &[u8]) -> Option<Step> {
    let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
    if instruction.is_invalid() {
        return None;
    }
    Some(match instruction.flow_control() {
        FlowControl::Next => match instruction.code() {
            Code::Nopw | Code::Nopd | Code::Nopq | Code::Nop_rm16 | Code::Nop_rm32 | Code::Nop_rm64 => {
                Step::Padding
            }
            Code::Hlt => Step::Stop,
            _ => Step::Other,
        },
        FlowControl::UnconditionalBranch => Step::Jump,
        FlowControl::IndirectBranch => Step::IndirectJump,
        FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend => Step::Branch,
        FlowControl::Return => Step::Return,
        FlowControl::Call | FlowControl::IndirectCall => Step::Call,
        FlowControl::Interrupt => Step::Other,
        FlowControl::Exception => Step::Stop,
    })
}

/// An instruction's number; what lies inside one is taken for it.
fn place(reader: &mut Reader<'_>) -> Option<u32> {
    let number = reader.number()? as u32;
    reader.number()?;
    Some(number)
}

fn goal(reader: &mut Reader<'_>, item: &Item, prints: &Fingerprints) -> Option<Goal> {
    Some(match reader.byte()? {
        target::EXTERNAL => {
            let name = reader.blob()?.into();
            reader.bytes(3)?;
            reader.number()?;
            reader.number()?;
            reader.signed()?;
            Goal::Name(name)
        }
        target::ITEM => {
            let name = concrete(reader, item, prints)?;
            reader.signed()?;
            Goal::Name(name)
        }
        target::CODE => {
            concrete(reader, item, prints)?;
            place(reader)?;
            Goal::Elsewhere
        }
        target::OWN => Goal::Own(place(reader)?),
        target::STRING => {
            reader.number()?;
            reader.signed()?;
            Goal::Elsewhere
        }
        target::CONSTANT | target::TABLE => {
            reader.number()?;
            Goal::Elsewhere
        }
        target::SECTION => {
            reader.blob()?;
            reader.signed()?;
            Goal::Elsewhere
        }
        target::ABSOLUTE => {
            reader.signed()?;
            Goal::Elsewhere
        }
        _ => return None,
    })
}

/// The full name behind a name without its number: the one met so many uses after the first.
fn concrete(reader: &mut Reader<'_>, item: &Item, prints: &Fingerprints) -> Option<BString> {
    let stem: &BStr = reader.blob()?.as_bstr();
    let Some(use_number) = (reader.number()? as usize).checked_sub(1) else { return Some(stem.into()) };
    let mut met = item.references.iter().filter_map(|reference| match reference {
        crate::object::Reference::Item(index) => {
            let name = &prints.items.get(*index as usize)?.name;
            let own = names::stem(name);
            (own == stem.as_bytes() && names::is_counted(name, &own)).then(|| name.clone())
        }
        crate::object::Reference::External(_) => None,
    });
    Some(met.nth(use_number).unwrap_or_else(|| stem.into()))
}
