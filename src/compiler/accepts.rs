//! What the real compiler accepts: tried on an empty file, once, and kept.
//!
//! Version numbers do not tell: SUSE brought `-flive-patching` to GCC 4.8 and 7, and GCC 13 took back the refusal
//! under LTO for one level of two. An answer that was not heard (the compiler could not start, or was killed)
//! is no answer: it counts as a refusal for this call, and is asked again by the next.

use std::path::Path;
use std::process::Stdio;

use super::guard::Passed;
use super::identity::Question;
use crate::argv::{CommandLine, Language};
use crate::store::Store;

/// Whom a question is put to, and in what circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The compiler.
    pub path: &'a Path,
    /// The call, whose options may lead to another compiler proper.
    pub line: &'a CommandLine,
    /// The language.
    pub language: Language,
    /// The wrappers that the call has passed.
    pub passed: &'a Passed,
}

/// Whether it compiles an empty file with `options`.
pub fn accepts(store: Option<&Store>, asked: &Asked<'_>, options: &[&str]) -> bool {
    kept(store, asked, "accepts 1", options, || {
        let status = asked.compile(options, "/dev/null").stdout(Stdio::null()).status().ok()?;
        status.code().map(|_| status.success())
    })
}

/// Whether `option`, given beside these, leaves no trace in the assembly that comes of an empty file: neither among
/// the recorded switches, nor in debug information, nor in an LTO object's own list of options.
pub fn hides(store: Option<&Store>, asked: &Asked<'_>, option: &str, beside: &[&str]) -> bool {
    let with: Vec<&str> = beside.iter().copied().chain([option]).collect();
    kept(store, asked, "hides 1", &with, || {
        let made = |options: &[&str]| {
            let options: Vec<&str> = options.iter().copied().chain(["-g", "-frandom-seed=lpcc"]).collect();
            let output = asked.compile(&options, "-").stdout(Stdio::piped()).output().ok()?;
            output.status.code().map(|status| (status, output.stdout))
        };
        let (without, with) = (made(beside)?, made(&with)?);
        Some(without.0 == 0 && without == with)
    })
}

/// The answer to a question, from the store where it was asked before.
fn kept(
    store: Option<&Store>,
    asked: &Asked<'_>,
    what: &str,
    options: &[&str],
    ask: impl FnOnce() -> Option<bool>,
) -> bool {
    let mut key = what.as_bytes().to_vec();
    for option in options {
        key.extend_from_slice(&(option.len() as u64).to_le_bytes());
        key.extend_from_slice(option.as_bytes());
    }
    key.extend_from_slice(&asked.question().key());
    let cached = store
        .and_then(|store| store.compiler_cache_get(&key))
        .and_then(|bytes| postcard::from_bytes::<bool>(&bytes).ok());
    if let Some(answer) = cached {
        return answer;
    }
    let heard = ask();
    tracing::debug!(compiler = %asked.path.display(), what, ?options, ?heard, "asked the compiler");
    if let (Some(answer), Some(store)) = (heard, store)
        && let Ok(bytes) = postcard::to_stdvec(&answer)
    {
        let _ = store.compiler_cache_put(&key, &bytes); // asked again next time
    }
    heard.unwrap_or(false)
}

impl<'a> Asked<'a> {
    fn question(&self) -> Question<'a> {
        Question::new(self.path, self.line, self.language)
    }

    /// The compiler with an empty file, ready to make assembly: neither assembler nor linker has a say.
    fn compile(&self, options: &[&str], output: &str) -> std::process::Command {
        let language = if self.language == Language::Cxx { "c++" } else { "c" };
        let mut words: Vec<&str> = options.to_vec();
        words.extend(["-S", "-o", output, "-x", language, "/dev/null"]);
        self.question().command(&words, self.passed)
    }
}
