//! The machines beside x86 that the system has cross compilers for, and the flags that make sense on each.

use std::process::Command;

/// A cross compiler.
#[allow(dead_code, reason = "not every test compiles with every set")]
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
/// On Arm the no-operations before the first function's entry come before its `.thumb`, so that they are not those
/// of a function that is second: a difference indeed.
const PATCHABLE_BEHIND: &[&str] =
    &["-O2", "-fno-pic", "-ffunction-sections", "-fdata-sections", "-fpatchable-function-entry=2"];
const PATCHABLE_NO_ANCHORS: &[&str] = &[
    "-O2",
    "-fno-pic",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-section-anchors",
    "-fpatchable-function-entry=4,2",
];
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
        kernel: PATCHABLE_BEHIND,
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
        // A constant whose neighbour is reached by a distance from an anchor alone is read too far there.
        kernel: PATCHABLE_NO_ANCHORS,
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

/// Compilers, x86's and those of other machines, with each of these sets of flags; those alone whose call has
/// `LPCC_COMPILERS` in it.
#[allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "not every test; the settings of a test come from the environment"
)]
pub fn calls(sets: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut compilers = Vec::new();
    for flag in ["", "-m32"] {
        compilers.extend(["gcc", "clang"].map(|compiler| (compiler.to_owned(), flag.to_owned())));
    }
    for cross in installed() {
        compilers.push((cross.compiler.to_owned(), String::new()));
        let target = cross.compiler.trim_end_matches("-gcc");
        compilers.push(("clang".to_owned(), format!("--target={target}")));
        if ["aarch64-linux-gnu", "arm-linux-gnueabihf"].contains(&target) {
            compilers.push(("clang".to_owned(), format!("--target={target} -mglobal-merge")));
        }
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut calls = Vec::new();
    for (compiler, flag) in compilers.into_iter().filter(|(compiler, _)| is_there(compiler)) {
        calls.extend(sets.iter().map(|set| (compiler.clone(), words(&format!("{flag} {set}")))));
    }
    let only = std::env::var("LPCC_COMPILERS").unwrap_or_default();
    calls.retain(|(compiler, flags)| format!("{compiler} {}", flags.join(" ")).contains(&only));
    calls
}
