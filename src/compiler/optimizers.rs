//! What a `-flive-patching` level turns off in this compiler: asked from it, not remembered.
//!
//! `-Q --help=optimizers` prints what is on. GCC 9 prints that before the flag has had its effect; there the assembler
//! output's own list (`-fverbose-asm`) tells.

use std::collections::BTreeSet;
use std::path::Path;

use super::guard::Passed;
use super::identity::Question;
use crate::argv::{CommandLine, Language};

/// From what a compiler prints to the optimisations that are on.
type Reader = fn(&str) -> BTreeSet<String>;

/// The optimisations that are on in the call and off with `level`, sorted; `None` where the compiler does not say.
pub fn turned_off(path: &Path, line: &CommandLine, level: &str, passed: &Passed) -> Option<Vec<String>> {
    let question = Question::new(path, line, Language::C);
    let own = own_options(line);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let flag = format!("-flive-patching={level}");
    let ask = |extra: &[&str], with: bool, read: Reader| {
        let mut words = own.clone();
        if with {
            words.push(&flag);
        }
        words.extend(extra);
        let output = question.command(&words, passed).output().ok()?;
        let on = read(&String::from_utf8_lossy(&output.stdout));
        (output.status.success() && !on.is_empty()).then_some(on)
    };
    let help: &[&str] = &["-Q", "--help=optimizers"];
    let listing: &[&str] = &["-S", "-fverbose-asm", "-o", "-", "-x", "c", "/dev/null"];
    let ways: [(&[&str], Reader); 2] = [(help, enabled), (listing, listed)];
    let mut told = false;
    for (way, read) in ways {
        if let (Some(without), Some(with)) = (ask(way, false, read), ask(way, true, read)) {
            told = true;
            let off: Vec<String> = without.difference(&with).cloned().collect();
            if !off.is_empty() {
                return Some(off);
            }
        }
    }
    told.then(Vec::new)
}

/// The call's options that decide which of these optimisations are on.
fn own_options(line: &CommandLine) -> Vec<String> {
    let shapes = ["-O", "-fipa-", "-fno-ipa-", "-fpartial-inlining", "-fno-partial-inlining"];
    (0..line.word_count())
        .filter_map(|index| line.word(index).to_str())
        .filter(|word| shapes.iter().any(|shape| word.starts_with(shape)))
        .map(str::to_owned)
        .collect()
}

/// `  -fipa-ra    [enabled]`
fn enabled(text: &str) -> BTreeSet<String> {
    let on = |line: &str| Some(line.trim().strip_suffix("[enabled]")?.trim().to_owned());
    text.lines().filter_map(on).collect()
}

/// `# options enabled:  -faggressive-loop-optimizations …`, over several lines.
fn listed(text: &str) -> BTreeSet<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains("options enabled:"));
    let first =
        lines.next().and_then(|line| line.split_once("options enabled:")).map_or("", |(_, rest)| rest);
    let rest =
        lines.map_while(|line| line.strip_prefix("# ")).take_while(|line| line.trim().starts_with('-'));
    std::iter::once(first).chain(rest).flat_map(str::split_whitespace).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_telling() {
        let on = enabled("The following:\n  -fa   \t[enabled]\n  -fb  [disabled]\n  -fc=  x\n");
        assert_eq!(on.into_iter().collect::<Vec<_>>(), ["-fa"]);
        let text = "# GNU C\n# options passed:  -O2\n# options enabled:  -fa -fb\n# -fc\n\t.text\n# -fd\n";
        assert_eq!(listed(text).into_iter().collect::<Vec<_>>(), ["-fa", "-fb", "-fc"]);
        assert!(listed("nothing").is_empty());
    }
}
