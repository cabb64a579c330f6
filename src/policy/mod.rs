//! What is done with `-flive-patching`, call by call.
//!
//! The flag is a wish of the one who ships the build, and a build holds many calls on which it must not be
//! tried: probes, links, other compilers, calls with options that GCC refuses beside it. So a wish is never an
//! edit. [`config`] reads `lpcc.toml`, which [`lookup`] finds; [`rules`] picks what holds for one source;
//! [`decide`] weighs it against the call and what the compiler accepts, and gives a [`Ruling`]: the arguments
//! to run and the reason; [`twice`] says which shadows are made beside it, [`clones`] whether a dump of clones can be had
//! with them. Nothing in it runs anything: what must be known of the compiler is asked through
//! [`Compiler`].

pub mod accept;
pub mod clones;
pub mod config;
pub mod conflict;
pub mod decide;
pub mod lookup;
pub mod matcher;
pub mod rules;
pub mod twice;

use serde::{Deserialize, Serialize};

pub use accept::Accept;
pub use clones::Dump;
pub use config::{Config, ConfigError};
pub use decide::{Call, Compiler, Ruling, decide, may_matter};
pub use rules::{Effective, LivePatching, Lto, OnConflict, Origin, Policy, Settings, Sourced};
pub use twice::{COMPILED_ONCE, Difference, Shadow, Twice, possible};

/// The reason where nobody said anything.
pub const LEFT_ALONE: &str = "built-in default: leave the call as it is";

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

/// What is done with the flag. New ones are added at the end: records hold the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The call's own flags stay as they are.
    Keep,
    /// Every form of the flag is taken out.
    Strip,
    /// The call is run with `-flive-patching=inline-clone`.
    InlineClone,
    /// The call is run with `-flive-patching=inline-only-static`.
    InlineOnlyStatic,
}

impl Action {
    /// The word used in `lpcc.toml` and in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Strip => "strip",
            Self::InlineClone => "inline-clone",
            Self::InlineOnlyStatic => "inline-only-static",
        }
    }
}
