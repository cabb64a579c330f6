//! What a call does.

use std::os::unix::ffi::OsStrExt;

use super::CommandLine;
use super::options::Class;
use super::options::Dep;

/// What a call does: the furthest step that the compiler takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Prints something and compiles nothing: `--version`, `-dumpversion`, `-print-*`, `--help`, `-###`, `-v`
    /// without inputs, clang's `-cc1`.
    Information,
    /// `-E`, `-M`, `-MM`.
    Preprocess,
    /// `-fsyntax-only`, clang's `--analyze`.
    SyntaxOnly,
    /// A header to `.gch` or `.pch`, clang's `-emit-ast` and `--precompile`.
    Precompiled,
    /// `-S`, clang's `-emit-llvm -S`.
    Assembly,
    /// `-c`.
    Object,
    /// None of the above, with inputs.
    Link,
    /// No inputs: the compiler will refuse.
    Nothing,
}

impl CommandLine {
    /// What the call does. Information beats everything, then `-E -M -MM`, then `-fsyntax-only`, `-S`, `-c`,
    /// wherever they stand.
    pub fn action(&self) -> Action {
        let mut verbose = false;
        let mut asked = Action::Link;
        for (argument, class, _) in self.options() {
            match class {
                Class::Action(Action::Information) => return Action::Information,
                Class::Dependency(Dep::M | Dep::Mm) => asked = Action::Preprocess,
                Class::Action(action) if rank(action) < rank(asked) => asked = action,
                Class::Verbose => {
                    verbose |= matches!(self.word(argument.word).as_bytes(), b"-v" | b"--verbose");
                }
                _ => {}
            }
        }
        let sources = self.sources();
        if sources.is_empty() && self.link_inputs().is_empty() {
            return if verbose { Action::Information } else { Action::Nothing };
        }
        let headers = sources.iter().filter(|source| source.header).count();
        let compiles = matches!(asked, Action::Assembly | Action::Object | Action::Link);
        if compiles && headers > 0 && headers == sources.len() {
            return Action::Precompiled;
        }
        asked
    }
}

/// The earlier step wins.
fn rank(action: Action) -> u8 {
    match action {
        Action::Information => 0,
        Action::Preprocess => 1,
        Action::Precompiled => 2,
        Action::SyntaxOnly => 3,
        Action::Assembly => 4,
        Action::Object => 5,
        Action::Link => 6,
        Action::Nothing => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::Dialect;
    use crate::argv::parse;

    #[test]
    fn precedence() {
        for (call, gcc, clang) in [
            ("-c t.c", Action::Object, Action::Object),
            ("-c -S t.c", Action::Assembly, Action::Assembly),
            ("-S -c -E t.c", Action::Preprocess, Action::Preprocess),
            ("-fsyntax-only -S t.c", Action::SyntaxOnly, Action::SyntaxOnly),
            ("-fsyntax-only -c t.c", Action::SyntaxOnly, Action::SyntaxOnly),
            ("-MM -MD -c t.c", Action::Preprocess, Action::Preprocess),
            ("-M t.c", Action::Preprocess, Action::Preprocess),
            ("-MD -c t.c", Action::Object, Action::Object),
            ("--version -c t.c", Action::Information, Action::Information),
            ("-c t.c -###", Action::Information, Action::Information),
            ("-print-search-dirs", Action::Information, Action::Information),
            ("-Q --help=optimizers", Action::Information, Action::Nothing),
            ("-o --version -c t.c", Action::Object, Action::Object),
            ("-v", Action::Information, Action::Information),
            ("-H", Action::Nothing, Action::Nothing),
            ("-v -c t.c", Action::Object, Action::Object),
            ("-v -c", Action::Information, Action::Information),
            ("-c", Action::Nothing, Action::Nothing),
            ("", Action::Nothing, Action::Nothing),
            ("t.c", Action::Link, Action::Link),
            ("t.o -o t", Action::Link, Action::Link),
            ("-shared -lm", Action::Link, Action::Link),
            ("h.h", Action::Precompiled, Action::Precompiled),
            ("-x c-header q", Action::Precompiled, Action::Precompiled),
            ("-c h.h t.c", Action::Object, Action::Object),
            ("-fsyntax-only h.h", Action::SyntaxOnly, Action::SyntaxOnly),
            ("--analyze t.c", Action::Link, Action::SyntaxOnly),
            ("-emit-llvm -c t.c", Action::Object, Action::Object),
            ("--compile t.c", Action::Object, Action::Object),
            ("--preprocess --assemble t.c", Action::Preprocess, Action::Preprocess),
            ("-cc1 -E t.c", Action::Preprocess, Action::Information),
        ] {
            let args: Vec<_> = call.split(' ').filter(|word| !word.is_empty()).map(Into::into).collect();
            for (dialect, expected) in [(Dialect::Gcc, gcc), (Dialect::Clang, clang)] {
                assert_eq!(parse(&args, dialect, &mut |_| None).action(), expected, "{dialect:?} {call}");
            }
        }
    }
}
