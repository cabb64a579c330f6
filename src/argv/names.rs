//! Which program names are compilers, and which are launchers that stand before one.
//!
//! A closed table, not "whatever is executable": `lpcc make -j8` must not take `make` for a compiler, and
//! `gcc-ar` beside the shims must stay what it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::Dialect;

/// What a program's base name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompilerName {
    /// Family as far as the name tells: `cc` and `c99` may be either.
    pub dialect: Dialect,
    /// Whether it is the C++ driver, which takes `.c` for C++ and links the C++ library.
    pub cxx: bool,
}

/// Base names of drivers: name, family, whether C++.
const COMPILERS: &[(&[u8], Dialect, bool)] = &[
    (b"c++", Dialect::Unknown, true),
    (b"c89", Dialect::Unknown, false),
    (b"c99", Dialect::Unknown, false),
    (b"cc", Dialect::Unknown, false),
    (b"clang", Dialect::Clang, false),
    (b"clang++", Dialect::Clang, true),
    (b"g++", Dialect::Gcc, true),
    (b"gcc", Dialect::Gcc, false),
];

/// Base names of programs that run the compiler named by their first argument.
const LAUNCHERS: &[&[u8]] = &[b"ccache", b"distcc", b"icecc", b"sccache"];

/// What `basename` (no directory) tells, or `None` where it is not a compiler's: the table's names, with a
/// version behind (`gcc-12`, `clang++-16`, `gcc-12.2`, `clang14`), a target before
/// (`aarch64-linux-gnu-gcc`), or both. Debian's `c99-gcc` is one too.
pub fn compiler_name(basename: &OsStr) -> Option<CompilerName> {
    let name = without_version(basename.as_bytes());
    let last = name.rsplit(|&byte| byte == b'-').next()?;
    // A target prefix ends in `-` and has something before it: `-gcc` is an option, not a name.
    let prefix = name.get(..name.len().saturating_sub(last.len()))?;
    if !prefix.is_empty() && !prefix.first().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    // `x86_64-pc-linux-gnu-cc` is a compiler, `some-tool-cc` may be anything; but a wrong guess only happens
    // if the user names it as the compiler, and a missed cross compiler loses the build's records.
    COMPILERS
        .iter()
        .find(|(known, ..)| *known == last)
        .map(|&(_, dialect, cxx)| CompilerName { dialect, cxx })
}

/// Whether `basename` (no directory) is a known launcher: `ccache`, `distcc`, `icecc`, `sccache`, also with
/// a version (`ccache-4.7`).
pub fn launcher_name(basename: &OsStr) -> bool {
    LAUNCHERS.contains(&without_version(basename.as_bytes()))
}

/// The name without a trailing version: `-12`, `-12.2.0`, or digits set right behind (`clang14`).
fn without_version(name: &[u8]) -> &[u8] {
    let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let digits = name.iter().rev().take_while(|byte| is_version(byte)).count();
    let stem = name.get(..name.len() - digits).unwrap_or_default();
    if digits == 0 || matches!(name, b"c89" | b"c99") || name.ends_with(b"-c89") || name.ends_with(b"-c99") {
        name
    } else {
        stem.strip_suffix(b"-").unwrap_or(stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers() {
        let c = |dialect| Some(CompilerName { dialect, cxx: false });
        let cxx = |dialect| Some(CompilerName { dialect, cxx: true });
        for (name, expected) in [
            ("cc", c(Dialect::Unknown)),
            ("c89", c(Dialect::Unknown)),
            ("c99", c(Dialect::Unknown)),
            ("c99-gcc", c(Dialect::Gcc)),
            ("gcc", c(Dialect::Gcc)),
            ("gcc-12", c(Dialect::Gcc)),
            ("gcc-4.8.5", c(Dialect::Gcc)),
            ("musl-gcc", c(Dialect::Gcc)),
            ("aarch64-linux-gnu-gcc-12", c(Dialect::Gcc)),
            ("arm-none-eabi-gcc", c(Dialect::Gcc)),
            ("x86_64-pc-linux-gnu-c99", c(Dialect::Unknown)),
            ("c++", cxx(Dialect::Unknown)),
            ("g++", cxx(Dialect::Gcc)),
            ("g++-11", cxx(Dialect::Gcc)),
            ("x86_64-w64-mingw32-g++", cxx(Dialect::Gcc)),
            ("clang", c(Dialect::Clang)),
            ("clang14", c(Dialect::Clang)),
            ("clang-14", c(Dialect::Clang)),
            ("clang++-16", cxx(Dialect::Clang)),
            ("aarch64-linux-android21-clang++", cxx(Dialect::Clang)),
        ] {
            assert_eq!(compiler_name(OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn not_compilers() {
        for name in [
            "gcc-ar",
            "gcc-nm-12",
            "gcc-ranlib",
            "x86_64-linux-gnu-gcc-ar-12",
            "clang-format",
            "clang-tidy-14",
            "clang-cpp-14",
            "clang-cl",
            "cpp",
            "cpp-12",
            "gcov",
            "gcov-12",
            "gccgo",
            "make",
            "",
            "-",
            "-12",
            "12",
            "-gcc",
            ".gcc",
            "lpcc",
            "ccache",
            "xgcc2go",
            "gcc.exe",
            "libgcc",
        ] {
            assert_eq!(compiler_name(OsStr::new(name)), None, "{name}");
        }
        assert_eq!(compiler_name(OsStr::from_bytes(b"\xff-\xfe")), None);
    }

    #[test]
    fn launchers() {
        for name in ["ccache", "distcc", "icecc", "sccache", "ccache-4.7.5", "sccache-0.4"] {
            assert!(launcher_name(OsStr::new(name)), "{name}");
        }
        for name in ["ccache-swig", "gcc", "distccd", "", "cc"] {
            assert!(!launcher_name(OsStr::new(name)), "{name}");
        }
    }
}
