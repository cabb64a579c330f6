//! Calls that are written otherwise only because the callee is bound otherwise.
//!
//! The assembler resolves a call to a static function by itself, or by a PC-relative relocation against its section; a
//! call to a global one it leaves to the linker by `R_X86_64_PLT32`. The caller's assembler text is the same (`call f`),
//! so where a function becomes static or global its callers did not change: that is said at the callee. Any other
//! change of a relocation's type is a change.

use rustc_hash::FxHashSet;

use super::correlate::Correlation;
use super::detail::In;
use crate::object::stream::{Reader, Write as _, code, target};
use crate::object::{Fingerprints, Item, PartKind, Scope, names};

/// Relocation types of a near branch on x86, of both widths: PC-relative, and through the procedure linkage table;
/// none. As streams have them: 0, or the type + 1. Source: the psABIs, which agree in these numbers.
const BRANCHES: [u64; 3] = [0, 2 + 1, 4 + 1];
const X86: [u16; 2] = [3, 62];

/// Whether a difference in these parts can be nothing but how calls are written.
pub fn may_explain((old, new): (&Fingerprints, &Fingerprints), parts: &[PartKind]) -> bool {
    parts.contains(&PartKind::References)
        && parts.iter().all(|part| [PartKind::Code, PartKind::References].contains(part))
        && [old, new].iter().all(|side| X86.contains(&side.image.machine))
}

/// The functions that one side binds locally and the other does not, by their names in streams.
pub struct Rebound(FxHashSet<Vec<u8>>);

impl Rebound {
    /// Looks at all matched items.
    pub fn of(old: &Fingerprints, new: &Fingerprints, correlation: &Correlation) -> Self {
        let is_local = |item: &Item| matches!(item.scope, Scope::Local(_));
        let pairs = correlation.pairs.iter();
        let both = pairs
            .filter_map(|pair| Some((old.items.get(pair.old as usize)?, new.items.get(pair.new as usize)?)))
            .filter(|(old, new)| old.name == new.name && is_local(old) != is_local(new));
        Self(both.map(|(old, _)| names::stem(&old.name).into_owned()).collect())
    }

    /// Whether two functions differ in nothing but how calls to these are written.
    pub fn explains(&self, old: In<'_>, new: In<'_>) -> bool {
        !self.0.is_empty() && self.is_same(old, new).unwrap_or(false)
    }

    fn is_same(&self, old: In<'_>, new: In<'_>) -> Option<bool> {
        let code = |side| without_relocated_branches(stream(side, PartKind::Code)?);
        if code(old)? != code(new)? {
            return Some(false);
        }
        let olds = entries(stream(old, PartKind::References)?)?;
        let news = entries(stream(new, PartKind::References)?)?;
        let is_rebound_call = |(old, new): (&Entry<'_>, &Entry<'_>)| {
            old.at == new.at
                && old.target == new.target
                && BRANCHES.contains(&old.kind)
                && BRANCHES.contains(&new.kind)
                && item_name(old.target).is_some_and(|name| self.0.contains(name))
        };
        Some(
            olds.len() == news.len()
                && olds.iter().zip(&news).all(|both| both.0 == both.1 || is_rebound_call(both)),
        )
    }
}

/// The stream of a part; `None` where it is empty or not loaded.
fn stream((prints, item): In<'_>, part: PartKind) -> Option<&[u8]> {
    Some(prints.stream(item.part(part)?.stream)).filter(|stream| !stream.is_empty())
}

/// One entry of the `references` part.
#[derive(PartialEq, Eq)]
struct Entry<'s> {
    at: u64,
    field: u8,
    kind: u64,
    target: &'s [u8],
}

fn entries(stream: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut reader = Reader::new(stream);
    let mut all = Vec::new();
    while !reader.is_empty() {
        let (at, field, kind) = (reader.number()?, reader.byte()?, reader.number()?);
        all.push(Entry { at, field, kind, target: reader.target()? });
    }
    Some(all)
}

/// The name of a target that is an item, without its number.
fn item_name(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    (reader.byte()? == target::ITEM).then(|| reader.blob()).flatten()
}

/// A `code` stream with every near branch whose field is relocated (and zero) written as one without relocation.
fn without_relocated_branches(stream: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(stream);
    let mut out = Vec::with_capacity(stream.len());
    while !reader.is_empty() {
        let tag = reader.byte()?;
        match tag {
            code::BRANCH => {
                out.byte(tag);
                out.blob(reader.blob()?);
                let inside = reader.byte()?;
                out.byte(inside);
                if inside != 0 {
                    out.number(reader.number()?);
                    out.number(reader.number()?);
                }
            }
            code::MEMORY => {
                out.byte(tag);
                out.blob(reader.blob()?);
                out.byte(reader.byte()?);
            }
            code::RAW => {
                out.byte(tag);
                out.blob(reader.blob()?);
            }
            code::PIECE => out.byte(tag),
            length => match reader.bytes(length.into())? {
                [opcode @ (0xe8 | 0xe9), 0, 0, 0, 0] => branch(&[*opcode], &mut out),
                [0x0f, condition @ 0x80..=0x8f, 0, 0, 0, 0] => branch(&[0x0f, *condition], &mut out),
                bytes => {
                    out.byte(length);
                    out.extend_from_slice(bytes);
                }
            },
        }
    }
    Some(out)
}

fn branch(opcode: &[u8], out: &mut Vec<u8>) {
    out.byte(code::BRANCH);
    out.blob(opcode);
    out.byte(0);
}
