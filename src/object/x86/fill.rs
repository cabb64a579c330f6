//! Alignment fill: which bytes an assembler wrote only to bring what follows to an even place.

use super::super::marks;
use super::{Form, Instruction};

/// Fill inside a function ends at a multiple of this: the least that GCC's and LLVM's alignment directives ask for
/// (`.p2align 3` behind a `.p2align 4,,10` that was too far).
pub const FILL_ALIGNMENT: u64 = 8;

/// Takes out alignment fill: no-operations inside the function, not at its entry, that end at a multiple of
/// eight and are exactly what an assembler writes for that length. No-operations at the entry are patchable,
/// those at the very end are followed by nothing, those that something refers to are patched, and any others were written
/// on purpose: all those stay.
pub fn drop_fill(list: &mut Vec<Instruction>, bytes: &[u8], start: u32, bits: u32, marks: &[u32]) {
    let is_nop = |i: &Instruction| {
        if i.form != Form::Nop {
            return false;
        }
        let from = (i.start - start) as usize;
        bytes
            .get(from..from + usize::from(i.length))
            .is_some_and(|b| nop_length(b) == Some(b.len()) || (bits == 32 && idle_lea(b) == Some(b.len())))
    };
    let Some(first) = list.iter().position(|i| !is_nop(i) && !is_entry_mark(bytes, start, i)) else { return };
    let is_marked = |i: &Instruction| marks::any_in(marks, i.start, i.start + u32::from(i.length));
    let mut fill = Vec::new();
    let mut at = first;
    while let Some(skipped) = list.get(at..).and_then(|rest| rest.iter().position(is_nop)) {
        let mut begin = at + skipped;
        // A place that is referred to may be patched with all the single no-operations that lengthen it.
        let patched = list.get(begin).is_some_and(is_marked)
            || begin.checked_sub(1).and_then(|before| list.get(before)).is_some_and(is_marked);
        if patched {
            begin += usize::from(list.get(begin).is_some_and(is_marked));
            begin += list.iter().skip(begin).take_while(|i| is_nop(i) && i.length == 1).count();
        }
        let run = list.iter().skip(begin).take_while(|i| is_nop(i) && !is_marked(i)).count();
        at = begin + run;
        if let (Some(from), Some(next)) = (list.get(begin), list.get(at))
            && u64::from(next.start) % FILL_ALIGNMENT == 0
            && is_fill(
                bytes.get((from.start - start) as usize..(next.start - start) as usize).unwrap_or_default(),
                bits,
            )
        {
            fill.push(begin..at);
        }
    }
    let Some(mut to) = fill.first().map(|first| first.start) else { return };
    let ends = fill.iter().skip(1).map(|next| next.start).chain([list.len()]);
    for (one, end) in fill.iter().zip(ends) {
        list.copy_within(one.end..end, to);
        to += end - one.end;
    }
    list.truncate(to);
}

/// `endbr64` or `endbr32`.
fn is_entry_mark(bytes: &[u8], start: u32, i: &Instruction) -> bool {
    let from = (i.start - start) as usize;
    matches!(bytes.get(from..from + usize::from(i.length)), Some([0xf3, 0x0f, 0x1e, 0xfa | 0xfb]))
}

/// The length of the no-operation at the start of `bytes`, if it is one of the forms that GNU as and LLVM write:
/// the nine of Intel's manual (vol. 2B, NOP), and the longest with more operand-size and segment prefixes.
pub fn nop_length(bytes: &[u8]) -> Option<usize> {
    const LONG: [u8; 8] = [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
    const FORMS: [&[u8]; 9] = [
        &[0x90],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0],
        &[0x0f, 0x1f, 0x40, 0],
        &[0x0f, 0x1f, 0x44, 0, 0],
        &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
        &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
        &LONG,
        &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    ];
    if let Some(form) = FORMS.iter().find(|form| bytes.starts_with(form)) {
        return Some(form.len());
    }
    // 66 ... 66 2e 0f 1f 84 00 00000000, up to fifteen bytes.
    let prefixes = bytes.iter().take_while(|b| **b == 0x66).count();
    let rest = bytes.get(prefixes..)?.strip_prefix(&[0x2e])?;
    ((1..=6).contains(&prefixes) && rest.starts_with(&LONG)).then_some(prefixes + 1 + LONG.len())
}

/// The longest of [`IDLE_LEAS`].
const IDLE_LONG: [u8; 7] = [0x8d, 0xb4, 0x26, 0, 0, 0, 0];
/// The forms of `lea` that GNU as fills i386 code with where no processor with long no-operations is asked for:
/// `%esi` to itself with a displacement of zero. (In 64-bit code the same bytes cut `%rsi` to 32 bits.)
const IDLE_LEAS: [&[u8]; 4] =
    [&[0x8d, 0x76, 0], &[0x8d, 0x74, 0x26, 0], &[0x8d, 0xb6, 0, 0, 0, 0], &IDLE_LONG];

/// The length of such a `lea` at the start of `bytes`.
pub fn idle_lea(bytes: &[u8]) -> Option<usize> {
    IDLE_LEAS.iter().find(|form| bytes.starts_with(form)).map(|form| form.len())
}

/// Whether `bytes` are what GNU as fills with by those: the longest as often as it fits, then one for the rest (five
/// has none, and takes a `nop` more); over more than twenty bytes it jumps.
fn is_lea_fill(bytes: &[u8]) -> bool {
    let jump = match bytes {
        [0xeb, over, rest @ ..] if usize::from(*over) == rest.len() => rest,
        _ => bytes,
    };
    let mut rest = jump;
    let mut longest = false;
    while let Some(behind) = rest.strip_prefix(&IDLE_LONG) {
        (rest, longest) = (behind, true);
    }
    match idle_lea(rest) {
        Some(4) => matches!(rest.get(4..), Some([] | [0x90])),
        Some(length) => length == rest.len(),
        None => longest && matches!(rest, [] | [0x90] | [0x66, 0x90]),
    }
}

/// Whether `bytes` are exactly what an assembler writes to fill their length in code of so many `bits`.
pub fn is_fill(bytes: &[u8], bits: u32) -> bool {
    is_nop_fill(bytes) || (bits == 32 && is_lea_fill(bytes))
}

/// Whether `bytes` are exactly what an assembler writes to fill their length: the longest form it uses as often
/// as it fits, and one shorter form for the rest, before or behind. GNU as uses forms of up to 11 bytes (9 and
/// 10 when tuned for some processors), LLVM of up to 10 or 15; old assemblers repeat `nop`.
fn is_nop_fill(bytes: &[u8]) -> bool {
    let lengths = || {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let length = nop_length(rest)?;
            rest = rest.get(length..).unwrap_or_default();
            Some(length)
        })
    };
    if lengths().sum::<usize>() != bytes.len() {
        return false;
    }
    let Some(longest) = lengths().max() else { return true };
    let shorter = lengths().filter(|l| *l != longest).count();
    let ends = [lengths().next(), lengths().last()];
    let one_rest_at_an_end =
        shorter == 0 || (shorter == 1 && ends.iter().any(|l| l.is_some_and(|l| l != longest)));
    one_rest_at_an_end && (lengths().nth(1).is_none() || longest >= 8 || longest == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_assemblers_fill_is_fill() {
        assert!(is_fill(&[0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0], 64));
        assert!(is_fill(&[0x90], 64));
        assert!(!is_fill(&[0x0f, 0x1f, 1], 64));
        assert!(!is_fill(&[0x66, 0x90, 0x66, 0x90], 64));
        assert!(!is_fill(&[0xcc], 64));
        // lea 0(%esi,%eiz,1), %esi is nothing in 32-bit code alone.
        let lea = [0x8d, 0xb4, 0x26, 0, 0, 0, 0, 0x8d, 0x74, 0x26, 0, 0x90];
        assert!(is_fill(&lea, 32) && !is_fill(&lea, 64));
        assert!(is_fill(&lea[7..], 32) && is_fill(&lea[..7], 32));
        assert!(!is_fill(&[0x8d, 0x76, 1], 32) && !is_fill(&[0x8d, 0x76, 0, 0x8d, 0x76, 0], 32));
        assert!(is_fill(&[0xeb, 7, 0x8d, 0xb4, 0x26, 0, 0, 0, 0], 32));
        assert!(!is_fill(&[0xeb, 6, 0x8d, 0xb4, 0x26, 0, 0, 0, 0], 32));
    }
}
