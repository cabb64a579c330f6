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
    Flag,
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
    /// Something in the same word *and* the next word: clang's `-Xarch_host -O3`.
    JoinedThenSeparate,
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
    /// Removes a macro.
    Undefine,
    /// Prints beside the diagnostics: `-v`, `-H`.
    Verbose,
    /// Loads a plugin.
    Plugin,
    /// `-flive-patching`.
    LivePatching,
    /// Link-time optimisation, on or off.
    Lto(bool),
    /// Machine code beside the LTO sections, on or off.
    FatLto(bool),
    /// LLVM IR instead of machine code.
    EmitLlvm,
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

impl Class {
    /// Whether it says what a call is, reads or writes, which is the build's to say and nobody else's.
    pub fn is_the_builds(self) -> bool {
        matches!(
            self,
            Self::Action(_)
                | Self::Output
                | Self::Language
                | Self::EndOfOptions
                | Self::Dependency(_)
                | Self::SideOutput(_)
                | Self::SaveTemps
                | Self::Library
        )
    }
}

/// Dependency options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dep {
    /// `-M`: instead of the output.
    M,
    /// `-MM`: likewise, without system headers.
    Mm,
    /// `-MD`: beside the output.
    Md,
    /// `-MMD`: likewise, without system headers.
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
    /// Its own path where one stands behind `=`, else named after the output, or printed.
    OutputOrPath,
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
            (None, Arg::Flag | Arg::MaybeEquals) => Some(Found::Alone),
            (None, Arg::Separate | Arg::Either | Arg::SeparateOrEquals) | (_, Arg::JoinedThenSeparate) => {
                Some(Found::Separate(1))
            }
            (None, Arg::Several(count)) => Some(Found::Separate(count)),
            (Some(b'='), Arg::Equals | Arg::MaybeEquals | Arg::SeparateOrEquals) => {
                Some(Found::Joined(length + 1))
            }
            (_, Arg::Joined) | (Some(_), Arg::Either) => Some(Found::Joined(length)),
            _ => None,
        }
    }
}

/// Where the rows of each second byte start: an option's second byte cuts the table to a few dozen rows.
static STARTS: [u16; 257] = starts();

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a bad index is a build error")]
const fn starts() -> [u16; 257] {
    let mut starts = [0; 257];
    let mut row = 0;
    let mut byte = 0;
    while byte < 257 {
        while row < TABLE.len() && (TABLE[row].spelling[1] as usize) < byte {
            row += 1;
        }
        starts[byte] = row as u16;
        byte += 1;
    }
    starts
}

/// No row: ends a chain of parents.
const NONE: u16 = u16::MAX;

/// For each row, the longest other spelling that it starts with.
static PARENTS: [u16; TABLE.len()] = parents();

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a bad index is a build error")]
const fn parents() -> [u16; TABLE.len()] {
    let mut parents = [NONE; TABLE.len()];
    let mut row = 1;
    while row < TABLE.len() {
        // The table is sorted: all rows between a spelling and its extension start with that spelling.
        let mut parent = row as u16 - 1;
        while parent != NONE && !starts_with(TABLE[row].spelling, TABLE[parent as usize].spelling) {
            parent = parents[parent as usize];
        }
        parents[row] = parent;
        row += 1;
    }
    parents
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a bad index is a build error")]
const fn starts_with(word: &[u8], prefix: &[u8]) -> bool {
    let mut at = 0;
    while at < prefix.len() {
        if at >= word.len() || word[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The row for a word that starts with `-`: the longest spelling that the word starts with and whose
/// argument fits, as both drivers choose it.
///
/// GCC takes `--NAME` for `-fNAME` where it is nothing else, so that `--live-patching` is a live-patching
/// option: the row is then that of `-fNAME`.
pub fn find(word: &[u8], dialect: Dialect) -> Option<(&'static Row, Found)> {
    let found = longest(word, dialect);
    match word {
        [b'-', b'-', rest @ ..] if found.is_none() && dialect != Dialect::Clang && !rest.is_empty() => {
            longest(&[b"-f", rest].concat(), dialect)
        }
        _ => found,
    }
}

fn longest(word: &[u8], dialect: Dialect) -> Option<(&'static Row, Found)> {
    let second = usize::from(*word.get(1)?);
    let start = usize::from(*STARTS.get(second)?);
    let rows = TABLE.get(start..usize::from(*STARTS.get(second + 1)?))?;
    let mut at = start + rows.partition_point(|row| row.spelling <= word).checked_sub(1)?;
    loop {
        let row = TABLE.get(at)?;
        if word.starts_with(row.spelling)
            && let Some(found) = row.matches(word, dialect)
        {
            return Some((row, found));
        }
        // The letters or the argument do not fit: a shorter spelling may.
        at = usize::from(*PARENTS.get(at)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(word: &str, dialect: Dialect) -> Option<(&'static str, Found)> {
        find(word.as_bytes(), dialect).map(|(row, found)| (std::str::from_utf8(row.spelling).unwrap(), found))
    }

    #[test]
    fn sorted_and_once() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].spelling < pair[1].spelling, "{:?}", bstr::BStr::new(pair[1].spelling));
        }
        for row in TABLE {
            assert!(row.spelling.len() > 1 && row.spelling[0] == b'-');
            assert!(row.gcc.is_some() || row.clang.is_some());
            let historic: [&[u8]; 2] = [b"-Xopenmp-target=", b"--output-pch="];
            if !historic.contains(&row.spelling) && !row.spelling.starts_with(b"-fxray-") {
                assert!(!row.spelling.ends_with(b"="), "`=` belongs to the argument");
            }
        }
    }

    #[test]
    fn every_row_finds_itself() {
        for row in TABLE {
            for dialect in [Dialect::Gcc, Dialect::Clang, Dialect::Unknown] {
                let Some(arg) = row.arg(dialect) else { continue };
                let word =
                    if arg == Arg::Equals { [row.spelling, b"=x"].concat() } else { row.spelling.to_vec() };
                assert_eq!(
                    find(&word, dialect).map(|found| found.0),
                    Some(row),
                    "{:?}",
                    bstr::BStr::new(&word)
                );
            }
        }
    }

    #[test]
    fn longest_that_fits() {
        use Found::Alone;
        use Found::Joined;
        use Found::Separate;
        for (word, gcc, clang) in [
            ("-o", Some(("-o", Separate(1))), Some(("-o", Separate(1)))),
            ("-ofoo", Some(("-o", Joined(2))), Some(("-o", Joined(2)))),
            ("-MD", Some(("-MD", Alone)), Some(("-MD", Alone))),
            ("-MDfoo", None, None),
            ("-emit-llvm", Some(("-e", Joined(2))), Some(("-emit-llvm", Alone))),
            ("-flto", Some(("-flto", Alone)), Some(("-flto", Alone))),
            ("-flto=auto", Some(("-flto", Joined(6))), Some(("-flto", Joined(6)))),
            ("-flto-partition=none", Some(("-f", Joined(2))), Some(("-f", Joined(2)))),
            ("--output=f", Some(("--output", Joined(9))), Some(("--output", Joined(9)))),
            ("--output", Some(("--output", Separate(1))), Some(("--output", Separate(1)))),
            ("--outputf", Some(("-f", Joined(2))), None),
            ("--live-patching=x", Some(("-flive-patching", Joined(16))), None),
            ("--no-lto", Some(("-fno-lto", Alone)), None),
            ("-Xarch_host", None, Some(("-Xarch_", Separate(1)))),
            ("-sectcreate", None, Some(("-sectcreate", Separate(3)))),
            ("-aux-info", Some(("-aux-info", Separate(1))), Some(("-aux-info", Alone))),
            ("-h", Some(("-h", Separate(1))), None),
            ("--", None, Some(("--", Alone))),
            ("-", None, None),
            ("-std=c99", Some(("-std", Joined(5))), Some(("-std", Joined(5)))),
            ("-std", None, None),
            ("-undef", Some(("-undef", Alone)), Some(("-undef", Alone))),
            ("-unknown", Some(("-u", Joined(2))), Some(("-u", Joined(2)))),
            ("-y\u{ff}", None, None),
        ] {
            assert_eq!(spelling(word, Dialect::Gcc), gcc, "gcc {word}");
            assert_eq!(spelling(word, Dialect::Clang), clang, "clang {word}");
        }
    }

    #[test]
    fn unknown_dialect_is_the_union() {
        assert_eq!(spelling("-Xclang", Dialect::Unknown), Some(("-Xclang", Found::Separate(1))));
        assert_eq!(spelling("-wrapper", Dialect::Unknown), Some(("-wrapper", Found::Separate(1))));
        assert_eq!(spelling("-aux-info", Dialect::Unknown), Some(("-aux-info", Found::Separate(1))));
        assert_eq!(spelling("-emit-llvm", Dialect::Unknown), Some(("-emit-llvm", Found::Alone)));
    }
}
