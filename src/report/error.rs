//! The one place that prints an error and turns it into an exit status.

use std::process::ExitCode;

/// Exit status: nothing differs, or the command did what it was asked.
pub const SAME: u8 = 0;
/// Exit status of a comparison that found a difference.
pub const DIFFERENT: u8 = 1;
/// Exit status for trouble of any kind: bad input, a file that cannot be read. Beats [`DIFFERENT`].
pub const TROUBLE: u8 = 2;

/// Exit status of a selection that holds something that cannot be patched. [`TROUBLE`] beats it.
pub const UNPATCHABLE: u8 = 3;

/// Prints the error, if there is one, as a single line `lpcc: outermost: cause: cause`, and gives the status.
pub fn exit_code(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        super::output::complain(&format!("{error:#}"));
        ExitCode::from(TROUBLE)
    })
}
