//! Rules, and what they say for one source: each setting on its own, from the last layer that gives it.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::config::Config;
use super::matcher::{Glob, Matcher, Subject};
use crate::argv::CommandLine;

/// What to do with `-flive-patching`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LivePatching {
    /// Leave it as the call has it.
    Keep,
    /// Take it out.
    Strip,
    /// Compile with `-flive-patching=inline-clone`.
    InlineClone,
    /// Compile with `-flive-patching=inline-only-static`.
    InlineOnlyStatic,
}

impl LivePatching {
    /// The level it asks the compiler for.
    pub fn level(self) -> Option<&'static str> {
        match self {
            Self::Keep | Self::Strip => None,
            Self::InlineClone => Some("inline-clone"),
            Self::InlineOnlyStatic => Some("inline-only-static"),
        }
    }

    /// The word in `lpcc.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Strip => "strip",
            Self::InlineClone => "inline-clone",
            Self::InlineOnlyStatic => "inline-only-static",
        }
    }
}

/// What to do where the compiler refuses the flag beside link-time optimisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lto {
    /// Add nothing; the call's own flags stay.
    Keep,
    /// Take the call's own `-flive-patching` out.
    StripLivePatching,
    /// Take `-flto` out.
    StripLto,
    /// Fail the call.
    Error,
}

impl Lto {
    /// The word in `lpcc.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::StripLivePatching => "strip-live-patching",
            Self::StripLto => "strip-lto",
            Self::Error => "error",
        }
    }
}

/// What to do where the call's other options, or the compiler, rule the flag out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Compile without it.
    Skip,
    /// Fail the call.
    Error,
}

impl OnConflict {
    /// The word in `lpcc.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }
}

/// What one layer sets; `None` leaves it to the layers below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `live-patching`
    pub live_patching: Option<LivePatching>,
    /// `lto`
    pub lto: Option<Lto>,
    /// `on-conflict`
    pub on_conflict: Option<OnConflict>,
    /// `clones`
    pub clones: Option<bool>,
    /// `add`
    pub add: Option<Vec<String>>,
    /// `remove`
    pub remove: Option<Vec<Glob>>,
}

impl Settings {
    /// What `LPCC_POLICY` or a marker holds: a level or `keep` or `strip`, then settings, with commas between:
    /// `inline-clone,lto=strip-lto,on-conflict=error`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut settings = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').unwrap_or(("live-patching", word));
            let bad = || format!("`{value}` is no value of `{name}`");
            match name {
                "live-patching" => settings.live_patching = Some(by_word(value).ok_or_else(bad)?),
                "lto" => settings.lto = Some(by_word(value).ok_or_else(bad)?),
                "on-conflict" => settings.on_conflict = Some(by_word(value).ok_or_else(bad)?),
                "clones" => settings.clones = Some(value.parse().map_err(|_| bad())?),
                _ => return Err(format!("unknown setting `{name}`")),
            }
        }
        Ok(settings)
    }
}

fn by_word<'de, T: Deserialize<'de>>(word: &'de str) -> Option<T> {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let deserializer: StrDeserializer<'de, Error> = word.into_deserializer();
    T::deserialize(deserializer).ok()
}

/// A rule, or the `[default]`, which has no number.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its number among the rules, from 1.
    pub number: Option<usize>,
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// What it matches.
    pub matcher: Matcher,
    /// What it sets.
    pub settings: Settings,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// A rule, or the default, of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// The rule's number; `None` for the default.
        rule: Option<usize>,
    },
    /// `LPCC_POLICY`.
    Environment,
    /// The marker argument.
    Marker,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in default"),
            Self::File { path, line, rule: Some(rule) } => {
                write!(f, "rule {rule}, `{}:{line}`", path.display())
            }
            Self::File { path, line, rule: None } => write!(f, "default, `{}:{line}`", path.display()),
            Self::Environment => f.write_str("`LPCC_POLICY`"),
            Self::Marker => f.write_str("the marker in the flags"),
        }
    }
}

/// A setting and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The setting.
    pub value: T,
    /// Its origin.
    pub origin: Origin,
}

/// What holds for one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// `live-patching`
    pub live_patching: Sourced<LivePatching>,
    /// `lto`
    pub lto: Sourced<Lto>,
    /// `on-conflict`
    pub on_conflict: Sourced<OnConflict>,
    /// `clones`
    pub clones: Sourced<bool>,
    /// `add`
    pub add: Sourced<Vec<String>>,
    /// `remove`
    pub remove: Sourced<Vec<Glob>>,
}

impl Default for Effective {
    fn default() -> Self {
        fn given<T>(value: T) -> Sourced<T> {
            Sourced { value, origin: Origin::BuiltIn }
        }
        Self {
            live_patching: given(LivePatching::Keep),
            lto: given(Lto::Keep),
            on_conflict: given(OnConflict::Skip),
            clones: given(false),
            add: given(Vec::new()),
            remove: given(Vec::new()),
        }
    }
}

impl Effective {
    fn take(&mut self, settings: &Settings, origin: &Origin) {
        fn set<T: Clone>(to: &mut Sourced<T>, from: Option<&T>, origin: &Origin) {
            if let Some(value) = from {
                *to = Sourced { value: value.clone(), origin: origin.clone() };
            }
        }
        set(&mut self.live_patching, settings.live_patching.as_ref(), origin);
        set(&mut self.lto, settings.lto.as_ref(), origin);
        set(&mut self.on_conflict, settings.on_conflict.as_ref(), origin);
        set(&mut self.clones, settings.clones.as_ref(), origin);
        set(&mut self.add, settings.add.as_ref(), origin);
        set(&mut self.remove, settings.remove.as_ref(), origin);
    }

    /// Whether both ask for the same arguments, wherever that comes from. `clones` shapes no code, so it is no part of it.
    pub fn agrees(&self, other: &Self) -> bool {
        self.live_patching.value == other.live_patching.value
            && self.lto.value == other.lto.value
            && self.on_conflict.value == other.on_conflict.value
            && self.add.value == other.add.value
            && self.remove.value == other.remove.value
    }
}

/// All layers that hold for a call.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The file.
    pub config: Option<Config>,
    /// What stands above the file, weakest first.
    pub above: Vec<(Origin, Settings)>,
}

impl Policy {
    /// Whether nobody said anything.
    pub fn is_empty(&self) -> bool {
        self.config.as_ref().is_none_or(|config| config.rules.is_empty()) && self.above.is_empty()
    }

    /// What holds for `subject`.
    pub fn effective(
        &self,
        subject: &Subject,
        line: &CommandLine,
        compiler: &dyn super::Compiler,
    ) -> Effective {
        let mut effective = Effective::default();
        if let Some(config) = &self.config {
            for rule in config.rules.iter().filter(|rule| rule.matcher.matches(subject, line, compiler)) {
                let origin = Origin::File { path: config.path.clone(), line: rule.line, rule: rule.number };
                effective.take(&rule.settings, &origin);
            }
        }
        for (origin, settings) in &self.above {
            effective.take(settings, origin);
        }
        effective
    }
}
