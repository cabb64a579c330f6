//! Distances that count from the start of their entry, brought to the places that they mean (64-bit Power).
//!
//! An entry of the kernel's sections of features is a mask, a value, and four fields `label - entry` (`MAKE_FTR_SECTION_ENTRY` in
//! `arch/powerpc/include/asm/feature-fixups.h`). `R_PPC64_REL64` counts from the field itself (64-Bit ELF V2 ABI Specification, 3.5),
//! so that the assembler adds the field's distance in its entry to the addend: read like a field `label - .`, it leads
//! so many bytes too far, into the next function. Nothing but the relocations tells such a section: all of that type, in equal
//! runs of neighbours, each behind an equal gap, with which the section begins.
//!
//! A field `label - .` in an entry of that shape would be misread. It cannot be where an entry begins with one, as the lists that
//! compilers write do: there is no relocation at the start of an entry here. And a section is left as it is if any field would
//! lead out of the section of its label.

use object::elf;

use super::facts::{Definition, Facts, Relocation};

/// Width of a field.
const FIELD: u64 = 8;

/// Takes the distance of each such field in its entry out of its addend.
pub fn settle(facts: &mut Facts<'_>) {
    if facts.image.machine != elf::EM_PPC64.0 || facts.image.file_type != elf::ET_REL.0 {
        return;
    }
    for index in 0..facts.sections.len() {
        let Some(distances) = find(facts, index) else { continue };
        if let Some(section) = facts.sections.get_mut(index) {
            let fields = section.relocations.iter_mut().zip(distances);
            fields.for_each(|(relocation, distance)| relocation.addend -= distance);
        }
    }
}

/// The distance of each relocation's field from the start of its entry, where a section consists of such entries.
fn find(facts: &Facts<'_>, index: usize) -> Option<Vec<i64>> {
    let section = facts.sections.get(index).filter(|s| s.is_allocated() && !s.is_executable())?;
    let all = &section.relocations;
    let gap = all.first()?.offset;
    let neighbours = (0_u64..).zip(all).take_while(|(n, r)| r.offset.wrapping_sub(gap) == n * FIELD);
    let run = neighbours.count() as u64;
    let stride = gap.checked_add(run * FIELD)?;
    let fits = section.size.is_multiple_of(stride) && section.size / stride * run == all.len() as u64;
    if gap < FIELD || run < 2 || !fits {
        return None;
    }
    let distance = |(n, relocation): (u64, &Relocation)| {
        let distance = gap + n % run * FIELD;
        let here =
            relocation.kind == elf::R_PPC64_REL64.0 && relocation.offset == n / run * stride + distance;
        let distance = i64::try_from(distance).ok()?;
        (here && leads(facts, relocation, distance)).then_some(distance)
    };
    (0_u64..).zip(all).map(distance).collect()
}

/// Whether what a field leads to lies in the section of its symbol, or behind a symbol of another file.
fn leads(facts: &Facts<'_>, relocation: &Relocation, distance: i64) -> bool {
    let Some(symbol) = facts.symbols.get(relocation.symbol() as usize) else { return false };
    let home = match symbol.definition {
        Definition::Section(section) => facts.sections.get(section).map(|home| (symbol.value, home.size)),
        _ => Some((0, u64::MAX)),
    };
    let place = |from: u64| from.checked_add_signed(relocation.addend.checked_sub(distance)?);
    !relocation.is_implicit()
        && home.is_some_and(|(from, size)| place(from).is_some_and(|place| place <= size))
}
