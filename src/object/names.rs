//! What symbol names say: which are compiler-made, which carry a number that means nothing, who is whose piece.
//!
//! Sources: GCC's `clone_function_name` (`.constprop.N`, `.isra.N`, `.part.N`, `.cold`, `.lto_priv.N`), static
//! locals (`name.N`), LLVM's promotion (`.llvm.HASH`), static locals of clang (`function.name.N`), LLVM's exception
//! tables (`GCC_except_tableN`) and the tables that it makes of switches and of arrays of pointers (`reltable.f`).

use std::borrow::Cow;

use bstr::ByteSlice;
use object::elf;

use super::facts::Symbol;

/// A name for data without a name: its bytes belong to whoever reaches them.
pub fn is_private(name: &[u8]) -> bool {
    name.starts_with(b".L")
        || name.starts_with(b"CSWTCH.")
        || name.starts_with(b"switch.table.")
        || name.starts_with(b"reltable.")
        || name.is_empty()
        || is_exception_table(name)
}

/// A table that LLVM makes of an array of pointers in position-independent code (`names.rel`): its entries are
/// distances from the table's start.
pub fn is_relative_table(name: &[u8]) -> bool {
    name.ends_with(b".rel")
}

/// LLVM's label of a function's exception table; it counts through the file.
pub fn is_exception_table(name: &[u8]) -> bool {
    name.strip_prefix(b"GCC_except_table").is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
}

/// The first eight bytes as a number that compares as they do; what is shorter ends in zeros. To compare many names, most of
/// which differ early, without a look at each: they lie all over the memory.
pub fn first_bytes(name: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(first)
}

/// A mapping symbol of Arm or RISC-V (`$x`, `$d.5`): says what the bytes are, names nothing. (In a section for
/// thread-local data its type is `STT_TLS`.)
pub fn is_mapping(symbol: &Symbol<'_>) -> bool {
    let plain = symbol.kind == elf::STT_NOTYPE.0 || symbol.kind == elf::STT_TLS.0;
    symbol.is_local() && plain && symbol.name.starts_with(b"$")
}

/// Which of several names at one place names it: the least rank does.
pub fn rank(symbol: &Symbol<'_>) -> (u8, u8) {
    let binding = match symbol.binding {
        b if b == elf::STB_GLOBAL.0 => 0,
        b if b == elf::STB_WEAK.0 => 1,
        b if b == elf::STB_LOCAL.0 => 3,
        _ => 2,
    };
    (binding, u8::from(symbol.kind == elf::STT_NOTYPE.0))
}

/// The name of the function that a `.cold` piece belongs to.
pub fn cold_parent(name: &[u8]) -> Option<&[u8]> {
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let base = match name.get(..name.len() - digits) {
        Some(head) if digits > 0 && head.ends_with(b".") => head.strip_suffix(b".")?,
        _ => name,
    };
    base.strip_suffix(b".cold").filter(|parent| !parent.is_empty())
}

/// The name without the numbers that only count: `cnt.0` is `cnt`, `f.constprop.1.isra.0` is
/// `f.constprop.isra`, `f.llvm.8123` is `f`. A name without such a number is its own stem.
/// Lambdas and unnamed types of C++ are numbered too (see [`without_lambda_numbers`]).
pub fn stem(name: &[u8]) -> Cow<'_, [u8]> {
    if has_lambda(name) {
        return Cow::Owned(dotted_stem(&without_lambda_numbers(name)).into_owned());
    }
    dotted_stem(name)
}

/// A mangled name without what only counts lambdas and unnamed types within a function: `UliE_` and `UliE0_` are the
/// first and the second lambda of one type (Itanium C++ ABI, 5.1.8), `3$_0` and `4$_12` are LLVM's local lambdas.
fn without_lambda_numbers(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    // How deep in closure types: each `Ul` is ended by an `E`, the number, and `_`.
    let mut open = 0_usize;
    while let Some((first, tail)) = rest.split_first() {
        let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        let number_ends = |bytes: &[u8]| bytes.get(digits(bytes)) == Some(&b'_');
        if rest.starts_with(b"Ul") {
            open += 1;
        } else if rest.starts_with(b"Ut") && number_ends(tail.get(1..).unwrap_or_default()) {
            out.extend_from_slice(b"Ut");
            rest = rest.get(2..).unwrap_or_default();
            rest = rest.get(digits(rest)..).unwrap_or_default();
            continue;
        } else if rest.starts_with(b"$_") {
            // The length of the name, already written, counts the digits.
            let kept = out.len() - out.iter().rev().take_while(|b| b.is_ascii_digit()).count();
            out.truncate(kept);
            out.extend_from_slice(b"$_");
            rest = rest.get(2..).unwrap_or_default();
            rest = rest.get(digits(rest)..).unwrap_or_default();
            continue;
        }
        out.push(*first);
        rest = tail;
        if open > 0 && *first == b'E' && number_ends(rest) {
            open -= 1;
            rest = rest.get(digits(rest)..).unwrap_or_default();
        }
    }
    out
}

fn dotted_stem(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'.') {
        return Cow::Borrowed(name);
    }
    let counts = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = name.split(|b| *b == b'.').peekable();
    let mut stem = parts.next().unwrap_or_default().to_vec();
    while let Some(part) = parts.next() {
        let is_hashed = part == b"llvm" && parts.peek().is_some_and(|next| counts(next));
        if !counts(part) && !is_hashed {
            stem.push(b'.');
            stem.extend_from_slice(part);
        }
    }
    if stem.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(stem) }
}

/// Whether a name is one of several that only their numbers tell apart, given its [`stem`]: the first lambda of a
/// function bears no number.
pub fn is_counted(name: &[u8], stem: &[u8]) -> bool {
    stem != name || has_lambda(name)
}

/// Whether a mangled name speaks of a lambda or an unnamed type.
fn has_lambda(name: &[u8]) -> bool {
    name.starts_with(b"_Z") && ["Ul", "Ut", "$_"].iter().any(|mark| name.contains_str(mark))
}

/// Functions that clang makes for a file's variables, one each: the first bears no number.
const FOR_VARIABLES: [&[u8]; 2] = [b"__cxx_global_var_init", b"__cxx_global_array_dtor"];

/// What GCC and clang name after a file, or the first global in it: its constructor and destructor.
const FOR_FILES: [&[u8]; 2] = [b"_GLOBAL__sub_I", b"_GLOBAL__sub_D"];

/// The name of a local symbol without compiler-made numbers, or `None` where it holds nothing that a compiler added. One of
/// several may bear no number (clang's `f.cnt` and `f.cnt.1`), so that a name without one can be such a stem itself.
pub fn stem_of_local(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    if name.starts_with(b"__UNIQUE_ID_") {
        // The kernel's macro numbers by __COUNTER__, without a dot.
        return Some(Cow::Borrowed(name.trim_end_with(|c| c.is_ascii_digit())));
    }
    if let Some(prefix) = FOR_FILES.iter().find(|prefix| name.starts_with(prefix)) {
        return Some(Cow::Borrowed(prefix));
    }
    if name.contains(&b'.') {
        return Some(stem(name));
    }
    let counted = stem(name);
    if name.starts_with(b"_ZZ") || is_counted(name, &counted) || FOR_VARIABLES.contains(&name) {
        let kept = without_discriminator(&counted).len();
        return Some(match counted {
            Cow::Borrowed(stem) => Cow::Borrowed(stem.get(..kept).unwrap_or(stem)),
            Cow::Owned(mut stem) => {
                stem.truncate(kept);
                Cow::Owned(stem)
            }
        });
    }
    None
}

/// The stem of a symbol's name, and whether it is one of several that only their numbers tell apart.
pub fn stem_of<'d>(symbol: &Symbol<'d>) -> (Cow<'d, [u8]>, bool) {
    if symbol.is_local() {
        return stem_of_local(symbol.name).map_or((Cow::Borrowed(symbol.name), false), |stem| (stem, true));
    }
    let stem = stem(symbol.name);
    let is_counted = is_counted(symbol.name, &stem);
    (stem, is_counted)
}

/// Drops the discriminator of a C++ local name: `_ZZ1fvE1x_0`, `_ZZ1fvE1x__10_` (Itanium ABI, 5.1.7).
fn without_discriminator(name: &[u8]) -> &[u8] {
    let bare = name.strip_suffix(b"_").unwrap_or(name);
    let front = bare.trim_end_with(|c| c.is_ascii_digit());
    match front.strip_suffix(b"_") {
        Some(front) if front.len() + 1 < bare.len() => front.strip_suffix(b"_").unwrap_or(front),
        _ => name,
    }
}

/// The function that a clone comes from: what stands before `.part`, `.constprop`, `.isra` and the like.
pub fn clone_origin(name: &[u8]) -> Option<&[u8]> {
    const SUFFIXES: [&[u8]; 5] = [b".part.", b".constprop.", b".isra.", b".lto_priv.", b".simdclone."];
    let at = (1..name.len())
        .find(|at| SUFFIXES.iter().any(|s| name.get(*at..).is_some_and(|n| n.starts_with(s))))?;
    name.get(..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems() {
        for (name, expected) in [
            ("cnt.0", "cnt"),
            ("f.constprop.1.isra.0", "f.constprop.isra"),
            ("f.part.0", "f.part"),
            ("f.llvm.123456", "f"),
            ("f.llvm.x", "f.llvm.x"),
            ("__func__.12", "__func__"),
            ("f.cnt.2", "f.cnt"),
            (".LC5", ".LC5"),
            ("plain", "plain"),
            ("v1.2", "v1"),
            ("a.", "a."),
            ("_ZZ1fiENKUliE_clEi", "_ZZ1fiENKUliE_clEi"),
            ("_ZZ1fiENKUliE0_clEi.constprop.0", "_ZZ1fiENKUliE_clEi.constprop"),
            ("_ZZ1giENK4$_12clEi", "_ZZ1giENK$_clEi"),
            ("_ZN3FooUt3_E", "_ZN3FooUt_E"),
        ] {
            assert_eq!(*stem(name.as_bytes()), *expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn numbers_of_locals_go_and_words_stay() {
        for (name, stem) in [
            ("cnt.0", "cnt"),
            ("cnt.12.3", "cnt"),
            ("foo.constprop.0.isra.0", "foo.constprop.isra"),
            ("x.part.0", "x.part"),
            ("__func__.5", "__func__"),
            ("foo.cnt.2", "foo.cnt"),
            ("foo.cnt", "foo.cnt"),
            ("foo.llvm.1234567890", "foo"),
            ("foo.llvm.x", "foo.llvm.x"),
            ("__UNIQUE_ID_author412", "__UNIQUE_ID_author"),
            ("_ZZ1fvE3cnt", "_ZZ1fvE3cnt"),
            ("_ZZ1fvE3cnt_0", "_ZZ1fvE3cnt"),
            ("_ZZ1fvE3cnt__10_", "_ZZ1fvE3cnt"),
            (".x.0", ".x"),
            ("__cxx_global_var_init", "__cxx_global_var_init"),
            ("__cxx_global_var_init.4", "__cxx_global_var_init"),
            ("_GLOBAL__sub_I_first", "_GLOBAL__sub_I"),
            ("_GLOBAL__sub_I_file.cc", "_GLOBAL__sub_I"),
        ] {
            assert_eq!(stem_of_local(name.as_bytes()).as_deref(), Some(stem.as_bytes()), "{name}");
        }
        assert_eq!(stem_of_local(b"plain_0"), None);
        assert_eq!(stem_of_local(b"x9"), None);
    }

    #[test]
    fn cold_pieces_name_their_parent() {
        assert_eq!(cold_parent(b"f.cold"), Some(b"f".as_slice()));
        assert_eq!(cold_parent(b"f.constprop.0.cold.7"), Some(b"f.constprop.0".as_slice()));
        assert_eq!(cold_parent(b"f.colder"), None);
        assert_eq!(cold_parent(b"f.0"), None);
        assert_eq!(cold_parent(b".cold"), None);
    }
}
