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
        (Kind::Unowned, _) => Some((&item.section).into()),
        (Kind::Section, _) => None,
        (_, Scope::Local(_)) => names::stem_of_local(&item.name).map(|stem| stem.into_owned().into()),
        _ => promoted(item.name.as_bstr()),
    }
}

/// Clang's `.llvm.<hash>` makes a local symbol global for ThinLTO; all other numbers of a global are its own.
fn promoted(name: &BStr) -> Option<BString> {
    // Most names hold no dot, and to look for one byte is quick.
    name.find_byte(b'.')?;
    let at = name.find(".llvm.")?;
    let hash = name.get(at + ".llvm.".len()..)?;
    let is_hash = !hash.is_empty() && hash.iter().all(u8::is_ascii_digit);
    is_hash.then(|| name.get(..at).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_keeps_its_number() {
        assert_eq!(promoted("x.1".into()), None);
        assert_eq!(promoted("x.llvm.99".into()), Some("x".into()));
    }
}
