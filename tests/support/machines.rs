//! The machines beside x86 that the system has cross compilers for, and the flags that make sense on each.

use std::process::Command;

/// A cross compiler.
pub struct Cross {
    /// What the machine is called in messages and settings.
    pub name: &'static str,
    /// The compiler's name on PATH.
    pub compiler: &'static str,
    /// How kernels and live-patched programs are built there: an entry that can be taken over.
    pub kernel: &'static [&'static str],
    /// More that only this machine has.
    pub more: &'static [&'static [&'static str]],
    /// What a position-independent program is built with.
    pub user: &'static [&'static str],
}

const PATCHABLE: &[&str] =
    &["-O2", "-fno-pic", "-ffunction-sections", "-fdata-sections", "-fpatchable-function-entry=4,2"];
const FENTRY: &[&str] = &["-O2", "-fno-pic", "-ffunction-sections", "-fdata-sections", "-pg", "-mfentry"];
const PROFILE_KERNEL: &[&str] = &["-O2", "-ffunction-sections", "-fdata-sections", "-pg", "-mprofile-kernel"];
const PROFILED: &[&str] = &["-O2", "-fPIE", "-ffunction-sections", "-fdata-sections", "-pg"];

/// All of them.
pub const CROSS: &[Cross] = &[
    Cross {
        name: "aarch64",
        compiler: "aarch64-linux-gnu-gcc",
        kernel: PATCHABLE,
        user: PROFILED,
        more: &[],
    },
    Cross {
        name: "arm",
        compiler: "arm-linux-gnueabihf-gcc",
        kernel: PATCHABLE,
        user: PROFILED,
        more: &[
            &["-O2", "-marm", "-fno-section-anchors"],
            &["-O2", "-marm", "-fno-pic", "-fno-section-anchors"],
        ],
    },
    Cross { name: "s390x", compiler: "s390x-linux-gnu-gcc", kernel: FENTRY, user: PROFILED, more: &[] },
    Cross {
        name: "ppc64le",
        compiler: "powerpc64le-linux-gnu-gcc",
        kernel: PROFILE_KERNEL,
        user: PROFILED,
        more: &[&["-O2", "-mcmodel=large", "-fno-section-anchors"]],
    },
    Cross {
        name: "riscv64",
        compiler: "riscv64-linux-gnu-gcc",
        kernel: PATCHABLE,
        user: PROFILED,
        more: &[&["-O2", "-mno-relax", "-fno-section-anchors"]],
    },
];

/// Whether a compiler can be run.
pub fn is_there(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok()
}

/// The cross compilers that are installed; says which are not, and fails where `CI` forbids that.
#[allow(clippy::disallowed_methods, reason = "the settings of a test come from the environment")]
pub fn installed() -> Vec<&'static Cross> {
    let (there, missing): (Vec<_>, Vec<_>) = CROSS.iter().partition(|c| is_there(c.compiler));
    for cross in missing {
        let required = std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "0");
        assert!(!required, "no `{}` on PATH; hint: scripts/setup", cross.compiler);
        eprintln!("SKIPPED: no `{}`", cross.compiler);
    }
    there
}
