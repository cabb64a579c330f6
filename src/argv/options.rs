//! What is known about options: one sorted table, one row per option.
//!
//! The rows are in [`table`]; this file says what a row means and finds the one for a word.

mod table;

use super::Action;
use super::Dialect;

pub use table::TABLE;

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// As typed, without `=` and argument.
    pub spelling: &'static [u8],
    /// How GCC takes its argument, or `None` where GCC does not know it.
    pub gcc: Option<Arg>,
    /// How clang takes its argument, or `None` where clang does not know it.
    pub clang: Option<Arg>,
    /// What it does.
    pub class: Class,
}

/// How an option's argument is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// It takes none: `-c`.
    None,
    /// In the same word, possibly empty: `-O2`, `-Wall`.
    Joined,
    /// In the next word: `-Xlinker x`.
    Separate,
    /// In as many following words: clang's `-sectcreate`.
    Several(usize),
    /// In the same word, or in the next where nothing is joined: `-I`.
    Either,
    /// Behind `=`: `-std=c99`. Without it, it is another option.
    Equals,
    /// Behind `=`, or none: `-flto`, `-flto=auto`.
    MaybeEquals,
    /// Behind `=`, or in the next word: `--output`.
    SeparateOrEquals,
}

/// What an option does, as far as a wrapper cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Decides what the call does.
    Action(Action),
    /// Names the output.
    Output,
    /// Names the language of the inputs behind it.
    Language,
    /// Everything behind is an input.
    EndOfOptions,
    /// Asks for dependency output or shapes it.
    Dependency(Dep),
    /// Writes another file beside the output.
    SideOutput(Side),
    /// Hands words to a stage: `-Wp,`, `-Xassembler`.
    Pass(Stage),
    /// Decides what is read or where it is looked for: `-I`, `-include`.
    Input,
    /// Defines a macro.
    Define,
    /// Prints beside the diagnostics: `-v`, `-H`.
    Verbose,
    /// Loads a plugin.
    Plugin,
    /// `-flive-patching`.
    LivePatching,
    /// Link-time optimisation, on or off.
    Lto(bool),
    /// `-gsplit-dwarf`, on or off.
    SplitDwarf(bool),
    /// `-save-temps`.
    SaveTemps,
    /// The command line goes into the object, on or off.
    RecordCommandLine(bool),
    /// A library to link.
    Library,
    /// Matters at the link only.
    Link,
    /// Anything else.
    Other,
}

/// Dependency options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dep {
    /// `-MD`.
    Md,
    /// `-MMD`.
    Mmd,
    /// `-MF`, `-dependency-file`.
    File,
    /// `-MT`, `-MQ`.
    Target,
    /// `-MP`, `-MG`, ...: changes the text only.
    Shape,
}

/// Where a side output lands, which decides whether a second compile with another `-o` would overwrite it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Named after the output: follows `-o`.
    FollowsOutput,
    /// Its own path, in the option.
    ExplicitPath,
    /// The working directory.
    WorkingDirectory,
    /// Writes nothing by itself, but names what others write: `-dumpdir`, `-dumpbase`.
    Naming,
}

/// A stage that options hand words to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `-Wp,`, `-Xpreprocessor`.
    Preprocessor,
    /// `-Wa,`, `-Xassembler`.
    Assembler,
    /// `-Wl,`, `-Xlinker`, `-z`.
    Linker,
    /// `-Xclang`, `-mllvm`.
    Compiler,
}

/// How a word matched a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No argument.
    Alone,
    /// The argument starts at this byte of the word.
    Joined(usize),
    /// The argument is this many words behind.
    Separate(usize),
}

impl Row {
    /// How `dialect` takes the argument, or `None` where it does not know the option.
    pub fn arg(&self, dialect: Dialect) -> Option<Arg> {
        match dialect {
            Dialect::Gcc => self.gcc,
            Dialect::Clang => self.clang,
            Dialect::Unknown => self.gcc.or(self.clang),
        }
    }

    /// Whether `word`, which starts with the spelling, is this option in `dialect`.
    fn matches(&self, word: &[u8], dialect: Dialect) -> Option<Found> {
        let arg = self.arg(dialect)?;
        let length = self.spelling.len();
        match (word.get(length), arg) {
            (None, Arg::None | Arg::MaybeEquals) => Some(Found::Alone),
            (None, Arg::Separate | Arg::Either | Arg::SeparateOrEquals) => Some(Found::Separate(1)),
            (None, Arg::Several(count)) => Some(Found::Separate(count)),
            (Some(b'='), Arg::Equals | Arg::MaybeEquals | Arg::SeparateOrEquals) => {
                Some(Found::Joined(length + 1))
            }
            (_, Arg::Joined) | (Some(_), Arg::Either) => Some(Found::Joined(length)),
            _ => None,
        }
    }
}

/// The row for a word that starts with `-`: the longest spelling that the word starts with and whose
/// argument fits, as both drivers choose it.
pub fn find(word: &[u8], dialect: Dialect) -> Option<(&'static Row, Found)> {
    let mut prefix = word;
    loop {
        let below = TABLE.partition_point(|row| row.spelling <= prefix);
        let row = TABLE.get(below.checked_sub(1)?)?;
        let common = row.spelling.iter().zip(prefix).take_while(|(a, b)| a == b).count();
        if common == row.spelling.len() {
            if let Some(found) = row.matches(word, dialect) {
                return Some((row, found));
            }
            // Fits the letters but not the argument: try a shorter one.
            prefix = prefix.get(..common.checked_sub(1)?)?;
        } else {
            prefix = prefix.get(..common)?;
        }
        if prefix.is_empty() {
            return None;
        }
    }
}
