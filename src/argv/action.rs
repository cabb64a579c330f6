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
                    verbose |= matches!(self.word(argument.word).as_bytes(), b"-v" | b"--verbose")
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
