//! The environment variables that change what lpcc does, and those that look as if they did.

use bstr::ByteSlice;

use super::findings::{Findings, Level};
use crate::report::bytes;
use crate::{env, sys};

const TOPIC: &str = "environment";

pub(super) fn look(findings: &mut Findings) {
    let mut entries: Vec<Vec<u8>> =
        sys::environment().into_iter().map(std::ffi::OsString::into_encoded_bytes).collect();
    entries.sort_unstable();
    for entry in entries.iter().filter(|entry| entry.starts_with(b"LPCC_")) {
        let name = entry.split_str("=").next().unwrap_or_default().to_str_lossy();
        let shown = bytes::printable(entry.as_bstr());
        if name == env::DISABLE && env::is_on(env::DISABLE) {
            findings.add_hint(
                TOPIC,
                Level::Check,
                format!("{shown}: nothing is recorded"),
                format!("unset {name}"),
            );
        } else if name == env::PASSED {
            let text =
                format!("{shown}: this runs inside a wrapped compiler call, where nothing is recorded");
            findings.add(TOPIC, Level::Check, text);
        } else if env::OWN.contains(&name.as_ref()) {
            findings.add(TOPIC, Level::Note, shown);
        } else {
            let hint = format!("lpcc knows {}", env::OWN.join(" "));
            findings.add_hint(TOPIC, Level::Check, format!("{shown}: lpcc knows no such variable"), hint);
        }
    }
}
