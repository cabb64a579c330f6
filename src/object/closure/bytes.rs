//! Bytes with their references and names, as they are written.

use bstr::BString;
use object::elf;

use super::super::addend::in_field;
use super::super::facts::{Relocation, Section};
use super::super::private::{Extent, SizedName};
use super::super::recipe::clear_implicit;
use super::super::stream::Write;
use super::super::{arch, unwinding};
use super::Closure;

/// Type, binding and `st_other` of a compiler's name for nameless data: a local object.
const PLAIN_NAME: [u8; 3] = [1, 0, 0];

impl<'m, 'd> Closure<'m, 'd> {
    /// The compiler-made symbols in nameless bytes that are no plain name of the whole: LLVM keeps such a name
    /// (`.L.str.3`) where some relocation wants a symbol, which is no fact about the bytes.
    pub fn odd_names(&self, extent: &Extent) -> Vec<SizedName> {
        let all = self.privates.sized_names(extent.section);
        let from = all.partition_point(|n| n.0 < extent.start);
        let whole = (extent.start, extent.end.saturating_sub(extent.start), PLAIN_NAME);
        let inside = all.iter().skip(from).take_while(|n| n.0 < extent.end);
        inside.filter(|n| **n != whole).copied().collect()
    }

    /// Writes where in nameless bytes a compiler-made symbol with a size (`CSWTCH.5`) lies, its name aside.
    pub fn sized_names(&self, extent: &Extent, out: &mut Vec<u8>) {
        let all = self.privates.sized_names(extent.section);
        let from = all.partition_point(|n| n.0 < extent.start);
        let inside: Vec<_> = all
            .iter()
            .skip(from)
            .take_while(|n| n.0 < extent.end.max(extent.start.saturating_add(1)))
            .collect();
        out.number(inside.len() as u64);
        for (offset, size, kind) in inside {
            out.number(offset - extent.start);
            out.number(*size);
            out.extend(kind);
        }
    }

    /// Writes bytes with their references: flags of the section, contents, then each relocation as offset,
    /// type, target.
    pub fn bytes(&mut self, home: &'m Section<'d>, start: u64, end: u64, out: &mut Vec<u8>) {
        out.number(home.flags);
        if home.is_zero_filled() {
            out.byte(0);
            out.number(end.saturating_sub(start));
        } else {
            out.byte(1);
            let relocations = home.relocations_in(start, end);
            if relocations.iter().any(|r| self.holds_addend(home, r)) {
                out.blob(&self.masked(home, start, end, relocations));
            } else {
                out.blob(home.bytes(start, end));
            }
        }
        self.relocations(home, start, end, out);
    }

    /// Writes the relocations of a range as their number, then offset, type and target of each.
    pub fn relocations(&mut self, home: &'m Section<'d>, start: u64, end: u64, out: &mut Vec<u8>) {
        let relocations = home.relocations_in(start, end).iter().filter(|r| !unwinding::is_need(home, r));
        out.number(relocations.clone().count() as u64);
        for relocation in relocations {
            out.number(relocation.offset - start);
            out.number(relocation.kind.into());
            let mut at = *relocation;
            if let Some(base) = self.table_base {
                at.addend = at.addend.wrapping_sub((relocation.offset - base).cast_signed());
            }
            let instead = self.instead.iter().find(|(offset, _)| *offset == relocation.offset);
            let place = instead.map_or_else(|| self.model.resolve(home, &at, 0), |(_, place)| *place);
            self.target(place, 0, out);
        }
    }

    /// Whether a field holds the addend of its relocation, which is part of the target: where it lies nowhere else (`SHT_REL`), and
    /// where GNU ld writes into a word what the relocation says too, the address of what lies in the same linked file.
    fn holds_addend(&self, home: &Section<'_>, relocation: &Relocation) -> bool {
        let image = &self.model.facts.image;
        let repeats = || {
            let size = if image.bits == 64 { 8 } else { 4 };
            arch::relative_kind(image.machine) == Some(relocation.kind)
                && in_field(home, relocation.offset, size, image.little_endian) == relocation.addend
        };
        relocation.is_implicit() || (image.file_type != elf::ET_REL.0 && repeats())
    }

    /// Contents with the fields zeroed that hold an addend.
    pub fn masked(&self, home: &Section<'_>, start: u64, end: u64, relocations: &[Relocation]) -> BString {
        let mut bytes = home.bytes(start, end).to_vec();
        for relocation in relocations.iter().filter(|r| self.holds_addend(home, r)) {
            let size = arch::shape(self.model.facts.image.machine, relocation.kind).map_or(4, |s| s.size);
            let from = (relocation.offset - start) as usize;
            let to = from.saturating_add(size.into()).min(bytes.len());
            if let Some(field) = bytes.get_mut(from..to) {
                clear_implicit(self.model, relocation.kind, field);
            }
        }
        bytes.into()
    }
}
