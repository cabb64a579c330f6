//! What a unit of a kernel's build is for, as its call tells.
//!
//! kbuild compiles programs that run while it builds, code that runs before the kernel does, and the kernel; all in one tree, and
//! only the last can be live-patched. The macros that kbuild defines tell them apart, in any version since 2.6.

use bstr::BString;

/// What a unit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The kernel itself.
    Kernel,
    /// A module.
    Module,
    /// What the kernel carries and does not run as its own code: boot, realmode, purgatory, vdso.
    Carried,
    /// Anything else: in a kernel's build, a program of the host's.
    Other,
}

/// Directories whose code is carried, in the module name that kbuild gives each object (`KBUILD_MODFILE`) or in its source.
const CARRIED: [&[u8]; 7] =
    [b"/boot/", b"/entry/vdso/", b"/kernel/vdso", b"/purgatory/", b"/realmode/", b"/vdso/", b"/vdso32/"];

/// The role of a unit that is compiled with these arguments.
pub fn role(arguments: &[BString]) -> Role {
    let has = |word: &[u8]| arguments.iter().any(|argument| argument.as_slice() == word);
    if !has(b"-D__KERNEL__") {
        return Role::Other;
    }
    let file = arguments.iter().find(|argument| argument.starts_with(b"-DKBUILD_MODFILE="));
    // Kernels before 5.6 do not name it; the source comes last.
    let place = file.or_else(|| arguments.last()).map(|place| place.as_slice()).unwrap_or_default();
    let holds = |part: &&[u8]| place.windows(part.len()).any(|window| window == *part);
    match () {
        () if CARRIED.iter().any(holds) => Role::Carried,
        () if has(b"-DMODULE") => Role::Module,
        () => Role::Kernel,
    }
}

impl Role {
    /// The words used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "the kernel itself",
            Self::Module => "modules",
            Self::Carried => "carried, not the kernel's own code (boot, realmode, purgatory, vdso)",
            Self::Other => "programs of the host's",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_by_what_kbuild_defines() {
        let role = |words: &str| {
            let words: Vec<_> = words.split(' ').map(BString::from).collect();
            role(&words)
        };
        let own = "-D__KERNEL__ -DKBUILD_MODFILE=\"kernel/fork\" -c kernel/fork.c";
        assert_eq!(role(own), Role::Kernel);
        assert_eq!(role("-D__KERNEL__ -DMODULE -DKBUILD_MODFILE=\"fs/ext4/ext4\" -c x.c"), Role::Module);
        assert_eq!(role("-D__KERNEL__ -DKBUILD_MODFILE=\"arch/x86/boot/edd\" -c x.c"), Role::Carried);
        assert_eq!(role("-D__KERNEL__ -c arch/x86/entry/vdso/vgetcpu.c"), Role::Carried);
        assert_eq!(role("-O2 -c scripts/mod/modpost.c"), Role::Other);
    }
}
