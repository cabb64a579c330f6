//! Where a compile of ours may write: its own folder and `/dev/null`, nowhere else. The kernel enforces it (Landlock, since
//! 5.13); where it cannot, the tables in `argv` are all there is.

use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
};

/// The newest kernel interface whose rights are asked for; an older kernel enforces what it knows.
const NEWEST: ABI = ABI::V5;

/// The rules for a process that may write under `folder` only; `None` where the kernel has none.
pub fn to(folder: &Path) -> Option<OwnedFd> {
    rules(folder)
        .map(Into::into)
        .inspect_err(|error| tracing::debug!(%error, "no Landlock here"))
        .ok()
        .flatten()
}

/// Runs `work` in a thread that may write under `folder` only, and so may all that it starts. Where the kernel has no
/// such rules, or no thread is to be had, `work` runs as it is.
pub fn within<T: Send>(folder: &Path, work: impl Fn() -> T + Sync) -> T {
    let confined = || {
        if let Err(error) = rules(folder).and_then(|rules| Ok(rules.restrict_self()?)) {
            tracing::debug!(%error, "no Landlock here");
        }
        work()
    };
    let ran = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, confined).ok()?;
        thread.join().ok()
    });
    ran.unwrap_or_else(work)
}

fn rules(folder: &Path) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
    let writes: BitFlags<AccessFs> = AccessFs::from_write(NEWEST);
    let null: BitFlags<AccessFs> = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    Ok(Ruleset::default()
        .handle_access(writes)?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(folder)?, writes))?
        .add_rule(PathBeneath::new(PathFd::new("/dev/null")?, null))?)
}
