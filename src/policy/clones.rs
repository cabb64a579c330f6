//! Whether the compiler is asked for its clones dump (`-fdump-ipa-clones`), which tells what was inlined and cloned into what.
//!
//! The option shapes no code, and that is the promise: with it the object is the same to the byte, and nothing is
//! left in the build tree. GCC breaks that promise in places (an LTO object holds the options it was compiled
//! with, a listing shows them), and left to itself names the file by rules that changed with version 11 and end in
//! `/dev` for a probe. So the dump goes to a file of ours, never beside the object; whether the option shows in what
//! is made is asked of the compiler; and where the dump cannot be had without harm it is left out, and that is said.

use std::os::unix::ffi::OsStrExt;

use super::Compiler;
use crate::argv::{self, CommandLine, Kind, Language};
use crate::store::record::Family;

/// The option.
pub const OPTION: &str = "-fdump-ipa-clones";

/// What is done about the dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dump {
    /// Nobody asked for it.
    #[default]
    Unasked,
    /// The call is run with the option, and the dump kept with the record.
    Wanted,
    /// Asked for and not to be had; the reason.
    LeftOut(String),
}

impl Dump {
    /// What a record notes of it.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::LeftOut(why) => Some(format!("clones = true: no dump: {why}")),
            Self::Unasked | Self::Wanted => None,
        }
    }
}

/// Decides for a call of which the policy wants the dump. `out_of_scope` is why nothing may be added to it, if so.
pub fn dump(
    line: &CommandLine,
    language: Language,
    out_of_scope: Option<&'static str>,
    compiler: &dyn Compiler,
) -> Dump {
    let left_out = |why: &str| Dump::LeftOut(why.to_owned());
    if line.dialect() == argv::Dialect::Clang || compiler.family() == Family::Clang {
        return left_out("clang has none");
    }
    if let Some(why) = out_of_scope {
        return left_out(why);
    }
    if line.action() != argv::Action::Object {
        return left_out("the call leaves no object of its own");
    }
    if line.sources().len() > 1 {
        return left_out("several sources in one call, of which the compiler would keep the last one's only");
    }
    if let Some(own) = own_dump(line) {
        return Dump::LeftOut(format!("the call has its own `{own}`, which stays as it is"));
    }
    let words = || (0..line.word_count()).map(|index| line.word(index));
    if words().any(|word| word == "-fverbose-asm") {
        return left_out("`-fverbose-asm` would show the option in a listing");
    }
    let mut beside = Vec::new();
    if line.lto() {
        beside.push("-flto");
    }
    if line.records_command_line() {
        beside.push("-frecord-gcc-switches");
    }
    if !compiler.accepts(language, &[&format!("{OPTION}=/dev/null")]) {
        return left_out("the compiler does not know the option");
    }
    if !compiler.hides(language, &format!("{OPTION}=/dev/null"), &beside) {
        let with = if beside.is_empty() { String::new() } else { format!(" with {}", beside.join(" ")) };
        return Dump::LeftOut(format!("this compiler writes the option into the object{with}"));
    }
    Dump::Wanted
}

/// The call's own option for the dump, as written: for that pass, or for all of its kind.
fn own_dump(line: &CommandLine) -> Option<String> {
    let options = line.arguments().iter().filter(|argument| !matches!(argument.kind, Kind::Input));
    let asks = |word: &[u8]| word.starts_with(OPTION.as_bytes()) || word.starts_with(b"-fdump-ipa-all");
    options
        .map(|argument| line.word(argument.word))
        .find(|word| asks(word.as_bytes()))
        .map(|word| word.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::{Dialect, parse};

    /// A GCC that takes the option and writes it into LTO objects, as GCC 11 and 12 do.
    struct Gcc;

    impl Compiler for Gcc {
        fn family(&self) -> Family {
            Family::Gcc
        }
        fn version(&self) -> String {
            "12.2.0".into()
        }
        fn target(&self) -> String {
            String::new()
        }
        fn accepts(&self, _: Language, _: &[&str]) -> bool {
            true
        }
        fn hides(&self, _: Language, _: &str, beside: &[&str]) -> bool {
            !beside.contains(&"-flto")
        }
    }

    #[test]
    fn asked_for_where_it_harms_nothing() {
        for (call, expected) in [
            ("-O2 -c t.c", None),
            ("-frecord-gcc-switches -c t.c", None),
            ("-flto -fno-lto -c t.c", None),
            ("-flto -c t.c", Some("into the object with -flto")),
            ("-c t.c u.c", Some("several sources")),
            ("-S t.c", Some("no object of its own")),
            ("t.c -o t", Some("no object of its own")),
            ("-fdump-ipa-clones -c t.c", Some("its own `-fdump-ipa-clones`")),
            ("-fdump-ipa-clones=x -c t.c", Some("its own `-fdump-ipa-clones=x`")),
            ("-fdump-ipa-all-details -c t.c", Some("its own")),
            ("-fdump-ipa-cp -c t.c", None),
            ("-o -fdump-ipa-clones -c t.c", None),
            ("-save-temps -fverbose-asm -c t.c", Some("listing")),
        ] {
            let words: Vec<_> = call.split(' ').map(Into::into).collect();
            let line = parse(&words, Dialect::Gcc, &mut |_| None);
            let found = dump(&line, Language::C, None, &Gcc);
            match expected {
                None => assert_eq!(found, Dump::Wanted, "{call}"),
                Some(why) => {
                    assert!(found.note().is_some_and(|note| note.contains(why)), "{call}: {found:?}");
                }
            }
        }
    }
}
