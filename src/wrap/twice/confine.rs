//! Where a shadow may write: its own folder and `/dev/null`, nowhere else. The kernel enforces it (Landlock, since
//! 5.13); where it cannot, the tables in `argv` are all there is.

use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{ABI, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};

/// The newest kernel interface whose rights are asked for; an older kernel enforces what it knows.
const NEWEST: ABI = ABI::V5;

/// The rules for a process that may write under `folder` only; `None` where the kernel has none.
pub fn to(folder: &Path) -> Option<OwnedFd> {
    rules(folder).inspect_err(|error| tracing::debug!(%error, "no Landlock here")).ok().flatten()
}

fn rules(folder: &Path) -> Result<Option<OwnedFd>, Box<dyn std::error::Error>> {
    let writes: BitFlags<AccessFs> = AccessFs::from_write(NEWEST);
    let null: BitFlags<AccessFs> = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let rules = Ruleset::default()
        .handle_access(writes)?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(folder)?, writes))?
        .add_rule(PathBeneath::new(PathFd::new("/dev/null")?, null))?;
    Ok(rules.into())
}
