//! The command definitions, from which help, man page and completions are generated.

use clap::{Parser, Subcommand};

use super::{
    audit, check, diff, doctor, explain, generate, record, report, run, select, shims, show, store, version,
};

/// Shown below the list of commands.
const EXAMPLE: &str = "\
Example:
  lpcc run --name before -- make     record a build under a name
  lpcc run -- make                   edit something and build again
  lpcc diff before now               which functions changed, and why";

/// A drop-in C/C++ compiler wrapper for the people who ship live patches.
///
/// Put lpcc where the compiler stood (`make CC=lpcc`): the build goes on as before, and lpcc records a
/// fingerprint of every function and datum in every object. `lpcc COMPILER ARGUMENT...` is a compiler call;
/// only the words below are commands.
#[derive(Debug, Parser)]
#[command(name = "lpcc", disable_version_flag = true, after_help = EXAMPLE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// lpcc's commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fingerprints of objects, archives, linked files, directories or recordings.
    ///
    /// Objects are fingerprinted on the spot; where the store has a record of one, it is said whether the two
    /// agree. The exit status is 0, or 2 if something could not be read.
    Show(show::Args),
    /// What differs between two objects, archives, linked files, directories or recordings.
    ///
    /// A side is an object, an archive, a linked file, a record, a directory tree (all of these in it, paired by
    /// relative path), or a recording: `now` is the store's current state, any other name a snapshot (`./now` is
    /// the path), a file that of `lpcc store export`. The exit status is 0 if nothing differs, 1 if something does, 2 if something could not be
    /// compared.
    Diff(diff::Args),
    /// The functions that a live patch must carry for a fix, each with the reason.
    ///
    /// `lpcc select --patch FIX.patch` applies the fix to a scratch view of the source tree (the tree itself is never written), runs
    /// the recorded compiles that it touches again on both sides, and compares. `lpcc select OLD NEW` compares two
    /// recordings or objects. The exit status is 0 if there is nothing to patch, 1 for a selection, 3 if something in it
    /// cannot be patched, 2 for trouble: anything not replayed, or not replayed as it was recorded.
    Select(select::Args),
    /// Does a built live patch carry what was selected, no less and no more than is explained?
    ///
    /// Replacements are looked for under the names that kpatch, klp-ccp, clang-extract and libpulp give them. The exit status is 0 if
    /// all is there and nothing else, 1 if not, 2 for trouble.
    Check(check::Args),
    /// The state of `-flive-patching` in what was really built.
    ///
    /// Read from the objects, archives, linked files and `.debug` files themselves (`DW_AT_producer`,
    /// `.GCC.command.line`); where they keep silent, from the record of the very same bytes. `none` is GCC without the flag,
    /// `foreign` another compiler or assembler, `unknown` that nothing tells. The exit status is 0, 1 if `--expect` is not met, 2 if something could
    /// not be read.
    Audit(audit::Args),
    /// A recording of a build that was done without lpcc.
    ///
    /// `lpcc record DIR` reads kbuild's `.cmd` files in a kernel's build directory, `lpcc record --from
    /// compile_commands.json` a compilation database; the objects are read where they lie. What cannot be known afterwards is
    /// said. The exit status is 0, or 2 if something could not be recorded.
    Record(record::Args),
    /// What the policy does with a compiler call, or did with a recorded object, and why.
    ///
    /// `lpcc explain -- gcc -O2 -c x.c` decides on the call as if it were made here, and runs nothing of it. The
    /// exit status is 0, or 2 if the configuration could not be read or there is no record.
    Explain(explain::Args),
    /// What a flag costs in a build that was compiled twice: size, functions, compile time, what is lost.
    ///
    /// With `[twice]` in lpcc.toml, or `LPCC_TWICE=toggle-live-patching`, each unit is compiled a second time, and this
    /// holds the two against each other. `same` shows what is not deterministic, `lines` what depends on `__LINE__`. The exit
    /// status is 0, or 2 if something could not be read.
    Report(report::Args),
    /// Run a build with the shims first on PATH, recording into ./.lpcc.
    Run(run::Args),
    /// Lay links named like the compilers into a directory.
    Shims(shims::Args),
    /// Look after the store.
    Store(store::Args),
    /// Say what works here and what does not.
    Doctor(doctor::Args),
    /// Print the version of lpcc.
    Version(version::Args),
    /// Print the man page or shell completions.
    #[command(hide = true)]
    Generate(generate::Args),
}
