//! Symbol names without the numbers that compilers add.
//!
//! GCC numbers function-local statics (`cnt.0`) and clones (`foo.constprop.0.isra.0`) in the order in which it
//! meets them, so a new static above renumbers all that follow; clang numbers repeated names (`foo.cnt.2`) and
//! adds a hash to promoted ones (`.llvm.123`). The number says nothing about what the symbol is. The *words*
//! between the dots do (`constprop`, `part`), and stay.

use bstr::{BStr, BString, ByteSlice};

use crate::object::{Item, Kind, Scope, names};

/// The name of `item` without compiler-made numbers, or `None` where the name itself is the identity: another
/// file may refer to a global by it, and a name without a dot was written by a person.
///
/// An unowned range is named after its place, which is no identity at all: its stem is its section.
pub fn stem(item: &Item) -> Option<BString> {
    match (item.kind, &item.scope) {
        (Kind::Unowned, _) => Some(item.section.clone()),
        (Kind::Section, _) => None,
        (_, Scope::Local(_)) => local(item.name.as_bstr()),
        _ => promoted(item.name.as_bstr()),
    }
}

/// The stem of a local symbol's name; `None` where it holds nothing that a compiler added.
fn local(name: &BStr) -> Option<BString> {
    if name.starts_with(b"__UNIQUE_ID_") {
        // The kernel's macro numbers by __COUNTER__, without a dot.
        return Some(name.trim_end_with(|c| c.is_ascii_digit()).into());
    }
    if name.contains(&b'.') {
        return Some(names::stem(name).into());
    }
    let counted = names::stem(name);
    if name.starts_with(b"_ZZ") || names::is_counted(name, &counted) {
        return Some(without_discriminator(counted.as_bstr()).into());
    }
    None
}

/// Clang's `.llvm.<hash>` makes a local symbol global for ThinLTO; all other numbers of a global are its own.
fn promoted(name: &BStr) -> Option<BString> {
    let at = name.find(".llvm.")?;
    let hash = name.get(at + ".llvm.".len()..)?;
    let is_hash = !hash.is_empty() && hash.iter().all(u8::is_ascii_digit);
    is_hash.then(|| name.get(..at).unwrap_or_default().into())
}

/// Drops the discriminator of a C++ local name: `_ZZ1fvE1x_0`, `_ZZ1fvE1x__10_` (Itanium ABI, 5.1.7).
fn without_discriminator(name: &BStr) -> &[u8] {
    let name = name.as_bytes();
    let bare = name.strip_suffix(b"_").unwrap_or(name);
    let front = bare.trim_end_with(|c| c.is_ascii_digit());
    match front.strip_suffix(b"_") {
        Some(front) if front.len() + 1 < bare.len() => front.strip_suffix(b"_").unwrap_or(front),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_and_words_stay() {
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
        ] {
            assert_eq!(local(name.into()), Some(stem.into()), "{name}");
        }
        assert_eq!(local("plain_0".into()), None);
        assert_eq!(local("x9".into()), None);
    }

    #[test]
    fn a_global_keeps_its_number() {
        assert_eq!(promoted("x.1".into()), None);
        assert_eq!(promoted("x.llvm.99".into()), Some("x".into()));
    }
}
