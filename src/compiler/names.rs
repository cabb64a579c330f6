//! Which program names are compilers and which are launchers. A table, not a guess: `lpcc make` must not take
//! `make` for a compiler merely because it can be executed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Base names of compiler drivers. Cross prefixes (`aarch64-linux-gnu-`) and version suffixes (`-12`, `-4.8.5`) are
/// taken off before the look-up.
const COMPILERS: [&str; 8] = ["c++", "c89", "c99", "cc", "clang", "clang++", "g++", "gcc"];

/// Programs that are given a compiler call and run it, perhaps elsewhere, perhaps not at all.
const LAUNCHERS: [&str; 4] = ["ccache", "distcc", "icecc", "sccache"];

/// The base names that `lpcc shims` lays even where no such program is found.
pub const PLAIN: [&str; 6] = ["cc", "gcc", "c++", "g++", "clang", "clang++"];

/// The languages lpcc itself can be called for without a compiler being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// `lpcc`
    C,
    /// `lpcc++`
    Cxx,
}

/// The last component of `program`.
pub fn base(program: &OsStr) -> &[u8] {
    program.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether `program` (a name or a path) is named like lpcc itself.
pub fn own(program: &OsStr) -> Option<Own> {
    match base(program) {
        b"lpcc" => Some(Own::C),
        b"lpcc++" => Some(Own::Cxx),
        _ => None,
    }
}

/// Whether `program` (a name or a path) is named like a compiler driver.
pub fn is_compiler(program: &OsStr) -> bool {
    stem(program).is_some()
}

/// Whether `program` is named like a driver whose default is C++.
pub fn is_cxx(program: &OsStr) -> bool {
    stem(program).is_some_and(|stem| stem.ends_with("++"))
}

/// Whether `program` (a name or a path) is named like a launcher.
pub fn is_launcher(program: &OsStr) -> bool {
    LAUNCHERS.iter().any(|name| name.as_bytes() == base(program))
}

/// The entry of [`COMPILERS`] behind a name, its prefix and suffix taken off.
fn stem(program: &OsStr) -> Option<&'static str> {
    let name = base(program);
    let find = |name: &[u8]| {
        let last = name.rsplit(|byte| *byte == b'-').next().unwrap_or_default();
        // A prefix is only one if something stands before the hyphen.
        (last.len() == name.len() || last.len() + 1 < name.len())
            .then(|| COMPILERS.iter().find(|known| known.as_bytes() == last).copied())?
    };
    find(name).or_else(|| find(without_version(name)?))
}

/// `gcc-12`, `gcc-4.8.5`, `clang16` without their version; `None` where there is none.
fn without_version(name: &[u8]) -> Option<&[u8]> {
    let end = name.iter().rposition(|byte| !(byte.is_ascii_digit() || *byte == b'.'))?;
    let version = name.get(end + 1..).filter(|version| version.first().is_some_and(u8::is_ascii_digit))?;
    let rest = name.get(..name.len() - version.len())?;
    Some(rest.strip_suffix(b"-").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_known_by_name() {
        for name in [
            "gcc", "cc", "c99", "g++", "clang++", "gcc-12", "g++-4.8.5", "clang16", "clang++-14",
            "aarch64-linux-gnu-gcc", "x86_64-linux-gnu-g++-12", "/usr/bin/gcc-12", "./cc", "c89-gcc", "musl-gcc",
        ] {
            assert!(is_compiler(OsStr::new(name)), "{name}");
        }
        for name in [
            "make", "gcc-ar", "gcc-ar-12", "-gcc", "gcc-", "cpp", "ccache", "clang-format", "clang-cpp-14", "c",
            "", "/", "gcc.c", "foo/", "12", "x86_64-linux-gnu-gcc-nm-12", "lpcc",
        ] {
            assert!(!is_compiler(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn language_follows_the_name() {
        assert!(is_cxx(OsStr::new("aarch64-linux-gnu-g++-12")) && is_cxx(OsStr::new("/opt/clang++")));
        assert!(!is_cxx(OsStr::new("gcc")));
        assert_eq!(own(OsStr::new("/opt/bin/lpcc++")), Some(Own::Cxx));
        assert_eq!(own(OsStr::new("gcc")), None);
    }
}
