//! The arguments of a shadow: the same compile, of one source, that writes nothing of the primary's.
//!
//! Redirecting `-o` alone is the tempting way, and enough for whatever is named after the output. It is not
//! for what is written under a path of its own (`-MF`, `-aux-info`, `-Wa,-al=f`), into the working directory
//! (`-save-temps=cwd`, Ada specs) or past the driver (`-Wp,-MD,f`, `-Xclang -dependency-file`). So whatever only
//! writes is taken out, by the classes of the option table and by [`INNER`] for words that are handed to a stage;
//! what shapes code stays, also where it writes a file after the output's name ([`KEPT`]). What no table knows is
//! the kernel's to forbid: see `wrap::twice`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Argument;
use super::CommandLine;
use super::Edit;
use super::Kind;
use super::Source;
use super::options::Class;
use super::options::Stage;
use super::response_file;

/// Side outputs that shape code as well: their files follow `-o`.
const KEPT: [&[u8]; 3] = [b"--coverage", b"-coverage", b"-ftest-coverage"];

/// How a word that is handed to a stage is recognised.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Alone.
    Word,
    /// Alone, and the next word is its argument unless that is an option.
    WordAndFile,
    /// It starts so: with an argument joined, or else in the next word.
    Prefix,
    /// Listings of the assembler: `-a`, letters, and perhaps `=file`.
    Listing,
}

/// Words handed to a stage that write a file, or shape one that is not written.
const INNER: &[(Stage, &[u8], Shape)] = &[
    (Stage::Preprocessor, b"-MD", Shape::WordAndFile),
    (Stage::Preprocessor, b"-MMD", Shape::WordAndFile),
    (Stage::Preprocessor, b"-MF", Shape::Prefix),
    (Stage::Preprocessor, b"-MT", Shape::Prefix),
    (Stage::Preprocessor, b"-MQ", Shape::Prefix),
    (Stage::Preprocessor, b"-MP", Shape::Word),
    (Stage::Preprocessor, b"-MG", Shape::Word),
    (Stage::Assembler, b"-a", Shape::Listing),
    (Stage::Assembler, b"--MD", Shape::Prefix),
    (Stage::Assembler, b"-o", Shape::Prefix),
    (Stage::Compiler, b"-MT", Shape::WordAndFile),
    (Stage::Compiler, b"-coverage-notes-file", Shape::Prefix),
    (Stage::Compiler, b"-dependency-dot", Shape::WordAndFile),
    (Stage::Compiler, b"-dependency-file", Shape::WordAndFile),
    (Stage::Compiler, b"-diagnostic-log-file", Shape::WordAndFile),
    (Stage::Compiler, b"-header-include-file", Shape::WordAndFile),
    (Stage::Compiler, b"-module-file-deps", Shape::Word),
    (Stage::Compiler, b"-o", Shape::WordAndFile),
    (Stage::Compiler, b"-opt-record-file", Shape::WordAndFile),
    (Stage::Compiler, b"-serialize-diagnostic-file", Shape::WordAndFile),
    (Stage::Compiler, b"-split-dwarf-file", Shape::WordAndFile),
    (Stage::Compiler, b"-split-dwarf-output", Shape::WordAndFile),
    (Stage::Compiler, b"-stats-file", Shape::Prefix),
    (Stage::Compiler, b"-sys-header-deps", Shape::Word),
];

/// Options by which a compile cannot be made again beside itself, each with the reason. Matched at the start of a word.
const ALONE: &[(&[u8], &str)] = &[
    (b"-fmodules", "modules are written to the working directory"),
    (b"-fmodule-output", "modules are written to the working directory"),
    (b"-fprofile-generate", "with `-fprofile-generate` code depends on the output's name"),
    (b"-fprofile-arcs", "with `-fprofile-arcs` code depends on the output's name"),
    (b"-fprofile-use", "with `-fprofile-use` the profile is looked for under the output's name"),
    (b"-fbranch-probabilities", "the profile is looked for under the output's name"),
];

impl CommandLine {
    /// Why no shadow of this call can be compiled, or would tell anything.
    pub fn shadow_is_idle(&self) -> Option<&'static str> {
        if self.emit_llvm() || (self.lto() && !self.fat_lto()) {
            return Some("its objects hold no function bytes before the link");
        }
        let mut words = (0..self.word_count()).map(|index| self.word(index).as_bytes());
        let found = words.find_map(|word| ALONE.iter().find(|(start, _)| word.starts_with(start)));
        found.map(|(_, why)| *why)
    }

    /// Starts the edit that makes this call a compile of `source` alone that writes one file, which the caller
    /// names by a further `-o`.
    pub fn shadow_of(&self, source: &Source) -> Edit<'_> {
        let mut edit = self.edit();
        for argument in self.arguments() {
            let out = match argument.kind {
                Kind::Input => argument.word != source.word,
                Kind::Unknown => false,
                Kind::Option { row, .. } => match row.class {
                    Class::Output
                    | Class::Dependency(_)
                    | Class::SaveTemps
                    | Class::SplitDwarf(_)
                    | Class::Verbose
                    | Class::Library => true,
                    Class::SideOutput(_) => !KEPT.contains(&row.spelling),
                    _ => false,
                },
            };
            if out {
                edit = edit.without_words(self.words_of(argument));
            }
        }
        if self.split_dwarf() {
            edit = edit.with_inserted([OsString::from("-g")]); // which the option implies
        }
        for stage in [Stage::Preprocessor, Stage::Assembler, Stage::Compiler] {
            edit = self.without_inner(edit, stage);
        }
        edit
    }

    /// Takes out what is handed to `stage` and stands in [`INNER`]; what else came in the same word is put back.
    fn without_inner<'a>(&'a self, mut edit: Edit<'a>, stage: Stage) -> Edit<'a> {
        let handed: Vec<(&Argument, &[u8], &[u8])> = self
            .options()
            .filter(|(_, class, _)| *class == Class::Pass(stage))
            .filter_map(|(argument, _, value)| Some((argument, handing(argument)?, value?.as_bytes())))
            .flat_map(|(argument, how, value)| {
                let comma = |byte: &u8| *byte == b',' && how.ends_with(b",");
                value.split(comma).map(move |word| (argument, how, word)).collect::<Vec<_>>()
            })
            .collect();
        let mut writes = vec![false; handed.len()];
        let mut index = 0;
        while let Some((_, _, word)) = handed.get(index) {
            let next = handed.get(index + 1).map(|(_, _, next)| *next);
            let taken = words_that_write(stage, word, next);
            writes.iter_mut().skip(index).take(taken).for_each(|out| *out = true);
            index += taken.max(1);
        }
        let mut done = None;
        for ((argument, how, _), _) in handed.iter().zip(&writes).filter(|(_, out)| **out) {
            if done == Some(argument.word) {
                continue;
            }
            done = Some(argument.word);
            edit = edit.without_words(self.words_of(argument));
            let left: Vec<&[u8]> = handed
                .iter()
                .zip(&writes)
                .filter(|((other, ..), out)| other.word == argument.word && !**out)
                .map(|((.., word), _)| *word)
                .collect();
            if !left.is_empty() {
                edit = edit
                    .with_inserted([response_file::word([how, left.join(&b","[..]).as_slice()].concat())]);
            }
        }
        edit
    }
}

/// The spelling by which an argument hands words to a stage, where it is one that is understood.
fn handing(argument: &Argument) -> Option<&'static [u8]> {
    let Kind::Option { row, .. } = argument.kind else { return None };
    let known: [&[u8]; 6] =
        [b"-Wp,", b"-Wa,", b"-Xpreprocessor", b"-Xassembler", b"--for-assembler", b"-Xclang"];
    known.into_iter().find(|spelling| *spelling == row.spelling)
}

/// How many words, from `word` on, write a file: none, it, or it and the next.
fn words_that_write(stage: Stage, word: &[u8], next: Option<&[u8]>) -> usize {
    let follows = next.is_some_and(|next| !next.starts_with(b"-"));
    let rows = INNER.iter().filter(|(of, ..)| *of == stage);
    rows.map(|(_, spelling, shape)| match shape {
        Shape::Word => usize::from(word == *spelling),
        Shape::WordAndFile if word == *spelling => 1 + usize::from(follows),
        Shape::WordAndFile => 0,
        Shape::Prefix if word == *spelling => 1 + usize::from(next.is_some()),
        Shape::Prefix => usize::from(word.starts_with(spelling)),
        Shape::Listing => {
            let letters = word.strip_prefix(*spelling).map(|rest| rest.split(|byte| *byte == b'=').next());
            let listing = |letters: &[u8]| letters.iter().all(|byte| b"cdghilmns".contains(byte));
            usize::from(letters.flatten().is_some_and(listing))
        }
    })
    .max()
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::Dialect;
    use crate::argv::parse;

    fn shadow(dialect: Dialect, call: &str, source: usize) -> String {
        let args: Vec<OsString> = call.split(' ').map(OsString::from).collect();
        let line = parse(&args, dialect, &mut |name| (name == "f").then(|| b"-O2 -MD -MF x.d".to_vec()));
        let words = line.shadow_of(&line.sources()[source]).finish();
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_writes_goes_and_what_shapes_code_stays() {
        for (call, expected) in [
            ("-O2 -g -c t.c -o t.o", "-O2 -g -c t.c"),
            ("-MD -MF d -MT x -MP -c t.c", "-c t.c"),
            ("-Wp,-MMD,.t.d -Wp,-MD,d,-DX=1 -c t.c", "-Wp,-DX=1 -c t.c"),
            ("-Xpreprocessor -MD -Xpreprocessor d -Xpreprocessor -DY -c t.c", "-Xpreprocessor -DY -c t.c"),
            ("-Wa,-al=l,--noexecstack -Wa,--MD,f -c t.c", "-Wa,--noexecstack -c t.c"),
            ("-Wa,-march=x,-adhln -c t.c", "-Wa,-march=x -c t.c"),
            ("-Xassembler -a=f -Xassembler -L -c t.c", "-Xassembler -L -c t.c"),
            ("-gsplit-dwarf -c t.c", "-g -c t.c"),
            ("-save-temps=cwd -fstack-usage -fcallgraph-info -fdump-tree-all -c t.c", "-c t.c"),
            ("-fdump-ipa-clones -da -fopt-info-all=o -aux-info a -time=t -c t.c", "-c t.c"),
            ("-fprofile-note=n -fdump-go-spec=g -dumpdir d -dumpbase b -c t.c", "-c t.c"),
            ("--coverage -c t.c -v -H", "--coverage -c t.c"),
            ("-ftest-coverage -c t.c", "-ftest-coverage -c t.c"),
            ("@f -c t.c", "-O2 -c t.c"),
            ("-c a.c t.c u.c b.o -lm", "-c a.c"),
        ] {
            assert_eq!(shadow(Dialect::Gcc, call, 0), expected, "{call}");
        }
        assert_eq!(shadow(Dialect::Gcc, "-x c -c a b c", 1), "-x c -c b");
        for (call, expected) in [
            ("-MJ j --serialize-diagnostics s -ftime-trace=t -c t.c", "-c t.c"),
            (
                "-Xclang -dependency-file -Xclang d -Xclang -MT -Xclang t -Xclang -x -c t.c",
                "-Xclang -x -c t.c",
            ),
        ] {
            assert_eq!(shadow(Dialect::Clang, call, 0), expected, "{call}");
        }
    }

    #[test]
    fn what_cannot_be_compiled_beside_itself() {
        for (call, idle) in [
            ("-c t.c", false),
            ("-flto -c t.c", true),
            ("-flto -ffat-lto-objects -c t.c", false),
            ("-fmodules-ts -c t.cc", true),
            ("-fprofile-use -c t.c", true),
            ("--coverage -c t.c", false),
        ] {
            let args: Vec<OsString> = call.split(' ').map(OsString::from).collect();
            let line = parse(&args, Dialect::Gcc, &mut |_| None);
            assert_eq!(line.shadow_is_idle().is_some(), idle, "{call}");
        }
    }
}
