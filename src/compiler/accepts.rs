//! What the real compiler accepts: tried on an empty file, once, and kept.
//!
//! Version numbers do not tell: SUSE brought `-flive-patching` to GCC 4.8 and 7, and GCC 13 took back the refusal
//! under LTO for one level of two. An answer that was not heard (the compiler could not start, or was killed)
//! is no answer: it counts as a refusal for this call, and is asked again by the next.

use std::path::Path;

use super::guard::Passed;
use super::identity::Question;
use crate::argv::{CommandLine, Language};
use crate::store::Store;

/// Whether the compiler at `path` compiles an empty file of `language` with `options`.
pub fn accepts(
    store: Option<&Store>,
    path: &Path,
    line: &CommandLine,
    language: Language,
    options: &[&str],
    passed: &Passed,
) -> bool {
    let question = Question::new(path, line, language);
    let mut key = b"accepts 1".to_vec();
    for option in options {
        key.extend_from_slice(&(option.len() as u64).to_le_bytes());
        key.extend_from_slice(option.as_bytes());
    }
    key.extend_from_slice(&question.key());
    let cached = store
        .and_then(|store| store.compiler_cache_get(&key))
        .and_then(|bytes| postcard::from_bytes::<bool>(&bytes).ok());
    if let Some(answer) = cached {
        return answer;
    }
    let language = if language == Language::Cxx { "c++" } else { "c" };
    let mut words: Vec<&str> = options.to_vec();
    // Assembly, so that neither assembler nor linker has a say.
    words.extend(["-S", "-o", "/dev/null", "-x", language, "/dev/null"]);
    let status = question.command(&words, passed).stdout(std::process::Stdio::null()).status();
    let answer = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    tracing::debug!(compiler = %path.display(), ?options, answer, "asked what the compiler accepts");
    if status.is_ok_and(|status| status.code().is_some())
        && let Some(store) = store
        && let Ok(bytes) = postcard::to_stdvec(&answer)
    {
        let _ = store.compiler_cache_put(&key, &bytes); // asked again next time
    }
    answer
}
