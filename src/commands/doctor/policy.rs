//! Whether a policy holds here, and whether it can be read.

use super::findings::{Findings, Level};
use crate::argv::{self, Dialect};
use crate::commands::store::shown;
use crate::env;
use crate::wrap::apply;
use crate::wrap::configuration::Configuration;

const TOPIC: &str = "policy";

pub(super) fn look(findings: &mut Findings) {
    let line = argv::parse(&[], Dialect::Unknown, &mut |_| None);
    let loaded = apply::load(&line, &Configuration::here());
    for (file, reason) in &loaded.ignored {
        let text = format!("{} is passed over: {reason}", shown(file));
        findings.add_hint(TOPIC, Level::Check, text, "see `lpcc.toml`, lookup, in docs/policy.md");
    }
    for trouble in &loaded.troubles {
        let hint = format!("until then calls stay as they are; {}=1 fails them instead", env::STRICT);
        findings.add_hint(TOPIC, Level::Trouble, trouble.clone(), hint);
    }
    if let (Some(file), Some(config)) = (&loaded.file, &loaded.policy.config) {
        let rules = config.rules.iter().filter(|rule| rule.number.is_some()).count();
        let default = if config.rules.len() > rules { "a default, " } else { "" };
        findings.add(TOPIC, Level::Fine, format!("{}: {default}{rules} rules", shown(file)));
    }
    if loaded.policy.is_empty() && loaded.troubles.is_empty() && loaded.file.is_none() {
        findings.add(TOPIC, Level::Fine, "none: every call stays as it is");
    }
}
