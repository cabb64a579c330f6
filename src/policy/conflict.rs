//! What GCC refuses beside `-flive-patching`, as far as a command line shows it.
//!
//! Source: `control_options_for_live_patching` in GCC's `opts.cc`, and running GCC 9 to 16. Each pass there is an error if the call switched
//! it on itself. A compiler that knows one of them not refuses it with or without the flag, so the table needs
//! no versions. What the command line does not show (an `optimize` attribute, a specs file) is left to the retry.

use std::os::unix::ffi::OsStrExt;

use crate::argv::{CommandLine, Kind};

/// Switches that no level allows. Sorted.
const ANY_LEVEL: [&str; 13] = [
    "ipa-bit-cp",
    "ipa-icf",
    "ipa-icf-functions",
    "ipa-icf-variables",
    "ipa-modref",
    "ipa-pta",
    "ipa-pure-const",
    "ipa-ra",
    "ipa-reference",
    "ipa-reference-addressable",
    "ipa-stack-alignment",
    "ipa-vrp",
    "whole-program",
];

/// Switches that `inline-only-static` forbids besides. Sorted.
const ONLY_STATIC: [&str; 4] = ["ipa-cp", "ipa-cp-clone", "ipa-sra", "partial-inlining"];

/// The first option of the call that GCC refuses beside `level`, as written. The last word on a switch counts.
pub fn refused_beside(line: &CommandLine, level: &str) -> Option<String> {
    let mut on: Vec<(&str, String)> = Vec::new();
    for argument in line.arguments() {
        if matches!(argument.kind, Kind::Input) {
            continue;
        }
        let word = line.word(argument.word).as_bytes();
        let Some((name, enabled)) = switch(word) else { continue };
        let known =
            ANY_LEVEL.iter().chain(if level == "inline-only-static" { &ONLY_STATIC[..] } else { &[] });
        let Some(known) = known.copied().find(|known| known.as_bytes() == name) else { continue };
        on.retain(|(other, _)| *other != known);
        if enabled {
            on.push((known, String::from_utf8_lossy(word).into_owned()));
        }
    }
    on.into_iter().next().map(|(_, word)| word)
}

/// The name of an `-f` switch and whether it is on: `-fipa-ra`, `-fno-ipa-ra`, and GCC's other spelling `--ipa-ra`.
fn switch(word: &[u8]) -> Option<(&[u8], bool)> {
    let name = word.strip_prefix(b"-f").or_else(|| word.strip_prefix(b"--"))?;
    Some(name.strip_prefix(b"no-").map_or((name, true), |name| (name, false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::{Dialect, parse};

    #[test]
    fn the_last_word_on_a_switch_counts() {
        assert!(ANY_LEVEL.is_sorted() && ONLY_STATIC.is_sorted());
        for (call, clone, only_static) in [
            ("-O2", None, None),
            ("-fipa-icf", Some("-fipa-icf"), Some("-fipa-icf")),
            ("-fno-ipa-icf", None, None),
            ("-fipa-icf -fno-ipa-icf", None, None),
            ("-fno-ipa-icf -fipa-icf", Some("-fipa-icf"), Some("-fipa-icf")),
            ("--ipa-ra", Some("--ipa-ra"), Some("--ipa-ra")),
            ("-fipa-sra", None, Some("-fipa-sra")),
            ("-fpartial-inlining", None, Some("-fpartial-inlining")),
            ("-fwhole-program", Some("-fwhole-program"), Some("-fwhole-program")),
            ("-o -fipa-icf", None, None),
            ("-fipa-profile -fipa-strict-aliasing", None, None),
        ] {
            let words: Vec<_> = call.split(' ').map(Into::into).collect();
            let line = parse(&words, Dialect::Gcc, &mut |_| None);
            assert_eq!(refused_beside(&line, "inline-clone").as_deref(), clone, "{call}");
            assert_eq!(refused_beside(&line, "inline-only-static").as_deref(), only_static, "{call}");
        }
    }
}
