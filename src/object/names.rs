//! What symbol names say: which are compiler-made, which carry a number that means nothing, who is whose piece.
//!
//! Sources: GCC's `clone_function_name` (`.constprop.N`, `.isra.N`, `.part.N`, `.cold`, `.lto_priv.N`), static
//! locals (`name.N`), LLVM's promotion (`.llvm.HASH`), static locals of clang (`function.name.N`).

use object::elf;

use super::facts::Symbol;

/// A name for data without a name: its bytes belong to whoever reaches them.
pub fn is_private(name: &[u8]) -> bool {
    name.starts_with(b".L")
        || name.starts_with(b"CSWTCH.")
        || name.starts_with(b"switch.table.")
        || name.is_empty()
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
pub fn stem(name: &[u8]) -> Vec<u8> {
    let mut parts = name.split(|b| *b == b'.');
    let mut stem = parts.next().unwrap_or_default().to_vec();
    if stem.is_empty() {
        return name.to_vec();
    }
    let mut hash_follows = false;
    for part in parts {
        let counts = !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        if counts || hash_follows {
            hash_follows = false;
        } else if part == b"llvm" {
            hash_follows = true;
        } else {
            stem.push(b'.');
            stem.extend_from_slice(part);
        }
    }
    stem
}

/// Whether [`stem`] would take something off.
pub fn has_number(name: &[u8]) -> bool {
    name.contains(&b'.') && stem(name) != name
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
            ("__func__.12", "__func__"),
            ("f.cnt.2", "f.cnt"),
            (".LC5", ".LC5"),
            ("plain", "plain"),
            ("v1.2", "v1"),
            ("a.", "a."),
        ] {
            assert_eq!(stem(name.as_bytes()), expected.as_bytes(), "{name}");
        }
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
