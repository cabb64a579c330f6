//! Relocations of every form, brought to the sections that they apply to.

use object::elf;
use object::read::elf::{CrelIterator, FileHeader, Rel as _, Rela as _, SectionHeader};
use object::{Endianness, SectionIndex};

use super::super::ReadError;
use super::super::arch;
use super::{IMPLICIT, Relocation, Section, error};

/// The least width of an address in bytes.
const WORD: usize = 4;

/// Brings relocation sections to the sections they apply to.
pub struct Relocations<'s, 'd> {
    /// All sections, whose relocations are added to.
    pub sections: &'s mut Vec<Section<'d>>,
    /// Addresses instead of offsets (`ET_EXEC`, `ET_DYN`).
    pub linked: bool,
    /// `e_machine`.
    pub machine: u16,
    /// Little-endian MIPS of 64 bits, which has the halves of `r_info` in an order of its own.
    pub mips64el: bool,
    /// The symbol table that [`Facts::symbols`] starts with.
    pub main: SectionIndex,
    /// Where the dynamic symbols start in [`Facts::symbols`] when the static ones come first.
    pub dynamic_base: usize,
    /// The main table is the static one.
    pub use_static: bool,
}

impl Relocations<'_, '_> {
    /// Reads the section with this index, where it is one of relocations; an error names it.
    pub fn read<Elf: FileHeader<Endian = Endianness>>(
        &mut self,
        raw: &Elf::SectionHeader,
        index: usize,
        endian: Endianness,
        data: &[u8],
    ) -> Result<(), ReadError> {
        let wrong = |e: object::read::Error| error(e, format!("relocation section {index}"));
        let target = raw.sh_info(endian) as usize;
        let dynamic = self.linked && raw.sh_flags(endian).0 & elf::SHF_ALLOC.0 != 0;
        if let Some((rels, link)) = raw.rela(endian, data).map_err(wrong)? {
            let mips = self.mips64el;
            let all = rels.iter().map(|r| {
                let (kind, symbol) = (r.r_type(endian, mips).0, r.r_sym(endian, mips));
                Relocation::new(r.r_offset(endian).into(), kind, symbol, Some(r.r_addend(endian).into()))
            });
            self.place(all, target, dynamic, self.symbol_base(link));
        } else if let Some((rels, link)) = raw.rel(endian, data).map_err(wrong)? {
            let all = rels.iter().map(|r| {
                Relocation::new(r.r_offset(endian).into(), r.r_type(endian).0, r.r_sym(endian), None)
            });
            self.place(all, target, dynamic, self.symbol_base(link));
        } else if let Some((rels, link)) = raw.crel(endian, data).map_err(wrong)? {
            let bytes = raw.data(endian, data).map_err(wrong)?;
            let all = compact(rels, bytes.len()).map_err(wrong)?;
            self.place(all.into_iter(), target, dynamic, self.symbol_base(link));
        } else if let Some(places) = raw.relr(endian, data).map_err(wrong)?
            && let Some(kind) = arch::relative_kind(self.machine)
        {
            // One word tells of up to 63 places: more than there are words is a lie, which must not be believed with memory.
            let words = self.sections.iter().filter(|s| s.is_allocated()).map(|s| s.data.len() / WORD).sum();
            let all: Vec<_> =
                places.take(words + 1).map(|at| Relocation::new(at.into(), kind, 0, None)).collect();
            if all.len() > words {
                return Err(error("more places than words", format!("relocation section {index}")));
            }
            self.place(all.into_iter(), target, true, 0);
        }
        Ok(())
    }

    fn symbol_base(&self, link: SectionIndex) -> u32 {
        if self.linked && self.use_static && link != self.main { self.dynamic_base as u32 } else { 0 }
    }

    fn place(&mut self, all: impl Iterator<Item = Relocation>, target: usize, dynamic: bool, base: u32) {
        if !dynamic {
            let Some(section) = self.sections.get_mut(target).filter(|_| target != 0) else { return };
            let address = if self.linked { section.address } else { 0 };
            section.relocations.extend(all.map(|mut r| {
                r.offset = r.offset.wrapping_sub(address);
                r
            }));
            return;
        }
        // Dynamic relocations name addresses: find the section of each.
        let mut by_address: Vec<(u64, u64, usize)> = self
            .sections
            .iter()
            .enumerate()
            .filter(|(_, s)| s.is_allocated() && s.size != 0)
            .map(|(index, s)| (s.address, s.address.saturating_add(s.size), index))
            .collect();
        by_address.sort_unstable();
        for mut relocation in all {
            let at = by_address.partition_point(|(start, ..)| *start <= relocation.offset);
            let Some(&(start, end, index)) = at.checked_sub(1).and_then(|i| by_address.get(i)) else {
                continue;
            };
            if relocation.offset >= end {
                continue;
            }
            relocation.offset -= start;
            if relocation.symbol() != 0 {
                let form = relocation.symbol & IMPLICIT;
                relocation.symbol = relocation.symbol().saturating_add(base).min(IMPLICIT - 1) | form;
            }
            if let Some(section) = self.sections.get_mut(index) {
                section.relocations.push(relocation);
            }
        }
    }
}

/// The relocations of a `SHT_CREL` section of so many bytes. Each takes one byte at least: a count beyond that is a lie, which must not
/// be believed with memory. Source: the proposal for the generic ABI that LLVM follows from version 19.
fn compact(rels: CrelIterator<'_>, bytes: usize) -> object::read::Result<Vec<Relocation>> {
    let explicit = rels.is_rela();
    let mut all = Vec::with_capacity(rels.len().min(bytes));
    for one in rels {
        let one = one?;
        all.push(Relocation::new(one.r_offset, one.r_type.0, one.r_sym, explicit.then_some(one.r_addend)));
    }
    Ok(all)
}
