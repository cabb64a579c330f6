//! The compiler that a build would have taken, had it not been told `lpcc` alone.
//!
//! `cc`, as for make. The Linux kernel's makefiles have another: `$(CROSS_COMPILE)gcc`, or clang under `LLVM`; and they keep
//! the name under which the compiler presents itself (`CONFIG_CC_VERSION_TEXT`, which is argv[0] with GCC), so that `cc` in
//! place of `gcc` is another configuration, and the host's in place of a cross compiler none at all. They are told by what
//! their top makefile exports for itself, `sub_make_done` (Linux 4.19 and later; U-Boot and others that took kbuild over).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::find::Own;
use crate::env;

/// The name of the compiler for a call that names none.
pub fn name(own: Own) -> OsString {
    match own {
        Own::C if env::is_on(env::KBUILD) => kbuild(env::get(env::CROSS_COMPILE), env::get(env::LLVM)),
        Own::C => "cc".into(),
        Own::Cxx => "c++".into(),
    }
}

/// What kbuild's `CC` is by default (Documentation/kbuild/llvm.rst): `LLVM` ending in a slash is where clang lies, beginning
/// with a dash it is the version; anything else in it is a plain `clang`, which needs no prefix to cross-compile.
fn kbuild(cross_compile: Option<OsString>, llvm: Option<OsString>) -> OsString {
    let Some(llvm) = llvm.map(OsString::into_vec) else {
        let mut name = cross_compile.unwrap_or_default();
        name.push("gcc");
        return name;
    };
    let mut name = Vec::new();
    if llvm.ends_with(b"/") {
        name.extend_from_slice(&llvm);
    }
    name.extend_from_slice(b"clang");
    if llvm.starts_with(b"-") {
        name.extend_from_slice(&llvm);
    }
    OsString::from_vec(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_default_compiler() {
        let name = |cross: &str, llvm: &str| {
            let set = |value: &str| Some(value).filter(|value| !value.is_empty()).map(OsString::from);
            kbuild(set(cross), set(llvm)).into_string().unwrap()
        };
        assert_eq!(name("", ""), "gcc");
        assert_eq!(name("aarch64-linux-gnu-", ""), "aarch64-linux-gnu-gcc");
        assert_eq!(name("aarch64-linux-gnu-", "1"), "clang");
        assert_eq!(name("", "-14"), "clang-14");
        assert_eq!(name("", "/opt/llvm/bin/"), "/opt/llvm/bin/clang");
    }
}
