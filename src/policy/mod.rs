//! What is done with `-flive-patching`, call by call. For now every call is kept as it is; the rules of
//! `lpcc.toml` come to live here.

use serde::{Deserialize, Serialize};

use crate::argv::CommandLine;

/// What the policy says for one unit, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was done.
    pub action: Action,
    /// Why: the rule, and where it stands.
    pub reason: String,
    /// The last `-flive-patching` level among the arguments as run, if any: the state of the flag.
    pub live_patching: Option<String>,
}

/// What is done with the flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The call stays as it is.
    Keep,
}

/// What is done with a call: for now nothing, as long as no rules are known.
pub fn decide(line: &CommandLine) -> Decision {
    Decision {
        action: Action::Keep,
        reason: "built-in default: leave the call as it is".to_owned(),
        live_patching: line.live_patching().map(|level| level.to_string_lossy().into_owned()),
    }
}
