//! The compiler that a build would have taken, had it not been told `lpcc` alone.
//!
//! `cc`, as for make. The Linux kernel's makefiles have `gcc`, and they keep the name under which the compiler presents itself
//! (`CONFIG_CC_VERSION_TEXT`, which is argv[0] with GCC): `cc` in its place is another configuration.
//!
//! A kernel's build must be told in the same way by all of its calls: kconfig starts again, without end, where the name that
//! make was told and the one that kconfig was told differ. What the top makefile exports (`sub_make_done`, Linux 4.19 and
//! later) reaches its recipes, but not what it asks itself by `$(shell)` (before make 4.4), and what was said on make's command line
//! (`CROSS_COMPILE`, `LLVM`) no more; so the directory tells, too, and which gcc or clang it is has to be said: `CC="lpcc clang"`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::ByteSlice;

use super::find::Own;
use crate::argv;
use crate::env;

/// What the top of a kernel's source has, and a build's directory by its link `source`.
const KERNELS: [&str; 2] = ["scripts/Kbuild.include", "source/scripts/Kbuild.include"];

/// The name of the compiler for a call that names none, made in `directory`.
pub fn name(own: Own, directory: &Path) -> &'static str {
    let is_kernel = || env::is_on(env::KBUILD) || KERNELS.iter().any(|file| directory.join(file).exists());
    match own {
        Own::C if is_kernel() => "gcc",
        Own::C => "cc",
        Own::Cxx => "c++",
    }
}

/// The compiler that a configured kernel was built with, by the name that it gave itself; `None` where `directory` is no kernel's
/// build. For calls read afterwards, which say `lpcc` alone.
pub fn of_configured_kernel(directory: &Path) -> Option<OsString> {
    let text = std::fs::read(directory.join("include/config/auto.conf")).ok()?;
    let mut settings = text.lines().filter_map(|line| line.strip_prefix(b"CONFIG_CC_VERSION_TEXT="));
    named_in(settings.next()?.trim_with(|letter| letter == '"')) // older kernels quote it
}

/// GCC says its argv[0] first; Clang (perhaps behind a distribution's name) says `clang version`.
fn named_in(version: &[u8]) -> Option<OsString> {
    let mut words = version.split(u8::is_ascii_whitespace);
    let first = OsStr::from_bytes(words.next()?);
    if argv::compiler_name(first).is_some() {
        return Some(first.to_owned());
    }
    words.next().filter(|word| *word == b"clang").map(|_| "clang".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_kernel_s_compiler() {
        let name = |text: &str| named_in(text.as_bytes()).map(|name| name.into_string().unwrap());
        assert_eq!(name("gcc (Debian 12.2.0-14) 12.2.0").unwrap(), "gcc");
        assert_eq!(name("aarch64-linux-gnu-gcc-12 (Debian) 12.2.0").unwrap(), "aarch64-linux-gnu-gcc-12");
        assert_eq!(name("Debian clang version 14.0.6").unwrap(), "clang");
        assert_eq!(name("clang version 19.1.7").unwrap(), "clang");
        assert_eq!((name(""), name("icx 2024")), (None, None));
    }
}
