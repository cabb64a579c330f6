//! What goes in and what comes out: sources, link inputs, objects.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Action;
use super::CommandLine;
use super::Dialect;
use super::Driver;
use super::Kind;
use super::Language;
use super::options::Class;
use super::response_file;

/// A file that the call compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As the call names it; `-` is standard input.
    pub text: OsString,
    /// Its language, by `-x` or by suffix.
    pub language: Language,
    /// Whether it goes through the preprocessor (not `.i`, `.s`, ...).
    pub preprocessed: bool,
    /// Whether it is a header, to be precompiled.
    pub header: bool,
    /// Which word it is.
    pub word: usize,
}

/// What goes to the linker only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInput {
    /// As the call names it: `a.o`, `libz.a`, or the library of `-l` with its `-l` joined.
    pub text: OsString,
    /// Which word it is.
    pub word: usize,
}

/// A language as the drivers tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Type {
    language: Language,
    preprocessed: bool,
    header: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "keeps the tables of languages short")]
const fn source(language: Language) -> Option<Type> {
    Some(Type { language, preprocessed: true, header: false })
}

#[expect(clippy::unnecessary_wraps, reason = "keeps the tables of languages short")]
const fn ready(language: Language) -> Option<Type> {
    Some(Type { language, preprocessed: false, header: false })
}

#[expect(clippy::unnecessary_wraps, reason = "keeps the tables of languages short")]
const fn header(language: Language) -> Option<Type> {
    Some(Type { language, preprocessed: true, header: true })
}

impl CommandLine {
    /// The inputs that are compiled, in order.
    pub fn sources(&self) -> Vec<Source> {
        self.inputs().filter_map(Result::ok).collect()
    }

    /// Objects, archives, libraries and whatever else is left to the linker, in order.
    pub fn link_inputs(&self) -> Vec<LinkInput> {
        self.inputs().filter_map(Result::err).collect()
    }

    fn inputs(&self) -> impl Iterator<Item = Result<Source, LinkInput>> {
        let mut forced: Option<&OsStr> = None;
        self.arguments.iter().filter_map(move |argument| match argument.kind {
            Kind::Input => {
                let text = self.word(argument.word).to_os_string();
                Some(match self.type_of(&text, forced) {
                    Some(Type { language, preprocessed, header }) => {
                        Ok(Source { text, language, preprocessed, header, word: argument.word })
                    }
                    None => Err(LinkInput { text, word: argument.word }),
                })
            }
            Kind::Option { row, .. } => match row.class {
                Class::Language => {
                    forced = self.value(argument).filter(|value| *value != "none");
                    None
                }
                Class::Library => {
                    let mut text = b"-l".to_vec();
                    text.extend_from_slice(self.value(argument)?.as_bytes());
                    Some(Err(LinkInput { text: response_file::word(text), word: argument.word }))
                }
                _ => None,
            },
            Kind::Unknown => None,
        })
    }

    fn type_of(&self, text: &OsStr, forced: Option<&OsStr>) -> Option<Type> {
        let cxx = self.settings.driver == Driver::Cxx;
        if let Some(language) = forced {
            return by_language(language.as_bytes());
        }
        let name = text.as_bytes();
        if name == b"-" {
            // Without -x only -E reads it, as the driver's own language.
            return source(if cxx { Language::Cxx } else { Language::C });
        }
        let name = name.rsplit(|&byte| byte == b'/').next()?;
        let dot = name.iter().rposition(|&byte| byte == b'.')?;
        let suffix = name.get(dot + 1..)?;
        match suffix {
            b"c" if cxx => source(Language::Cxx),
            b"i" if cxx => ready(Language::Cxx),
            b"h" if cxx => header(Language::Cxx),
            _ => by_suffix(suffix, self.settings.dialect),
        }
    }

    /// The last `-o`, or `None`.
    pub fn output(&self) -> Option<&OsStr> {
        self.options().rev().find_map(|(_, class, value)| if class == Class::Output { value } else { None })
    }

    /// The objects that a call with `-c` will write: index into [`CommandLine::sources`] and path as the
    /// compiler opens it, relative to the working directory. Empty for any other action, and where the
    /// compiler will refuse (several sources with `-o`).
    pub fn planned_objects(&self) -> Vec<(usize, OsString)> {
        if self.action() != Action::Object {
            return Vec::new();
        }
        let sources = self.sources();
        let compiled = sources.iter().enumerate().filter(|(_, source)| !source.header);
        match self.output() {
            Some(output) if sources.len() == 1 => {
                compiled.map(|(index, _)| (index, output.to_os_string())).collect()
            }
            Some(_) => Vec::new(),
            None => {
                compiled.map(|(index, source)| (index, self.beside(source, self.object_suffix()))).collect()
            }
        }
    }

    /// The file in the working directory that is named after `source`.
    pub(super) fn beside(&self, source: &Source, suffix: &[u8]) -> OsString {
        response_file::word([self.stem(source.text.as_bytes()), suffix].concat())
    }

    /// Clang calls bitcode that is asked for `.bc`; under `-flto` it is `.o`.
    fn object_suffix(&self) -> &'static [u8] {
        if self.emit_llvm() { b".bc" } else { b".o" }
    }

    /// The base name without its last suffix. For GCC a dot at the start begins none.
    fn stem<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        match name.iter().rposition(|&byte| byte == b'.') {
            Some(dot) if dot > 0 || self.settings.dialect == Dialect::Clang => {
                name.get(..dot).unwrap_or_default()
            }
            _ => name,
        }
    }

    /// Whether a source is standard input: `-`, `/dev/stdin`, `/dev/fd/0`, `/proc/self/fd/0`.
    pub fn reads_stdin(&self) -> bool {
        self.sources().iter().any(|source| {
            matches!(source.text.as_bytes(), b"-" | b"/dev/stdin" | b"/dev/fd/0" | b"/proc/self/fd/0")
        })
    }

    /// Whether a source is `/dev/null`, as in a build's probes.
    pub fn dev_null_source(&self) -> bool {
        self.sources().iter().any(|source| source.text == "/dev/null")
    }
}

/// The type that `-x` names, or `None` for an unknown one.
fn by_language(name: &[u8]) -> Option<Type> {
    match name {
        b"c" => source(Language::C),
        b"cpp-output" => ready(Language::C),
        b"c-header" => header(Language::C),
        b"c++" => source(Language::Cxx),
        b"c++-cpp-output" => ready(Language::Cxx),
        b"c++-header" | b"c++-system-header" | b"c++-user-header" => header(Language::Cxx),
        b"objective-c" | b"objective-c++" => source(Language::ObjectiveC),
        b"objective-c-cpp-output"
        | b"objective-c++-cpp-output"
        | b"objc-cpp-output"
        | b"objc++-cpp-output" => ready(Language::ObjectiveC),
        b"objective-c-header" | b"objective-c++-header" => header(Language::ObjectiveC),
        b"assembler" => ready(Language::Assembler),
        b"assembler-with-cpp" => source(Language::Assembler),
        b"ir" => ready(Language::Ir),
        _ => ready(Language::Other),
    }
}

/// The type that a suffix names, or `None` for what goes to the linker.
fn by_suffix(suffix: &[u8], dialect: Dialect) -> Option<Type> {
    match suffix {
        b"c" => source(Language::C),
        b"i" => ready(Language::C),
        b"h" => header(Language::C),
        b"cc" | b"cp" | b"cxx" | b"cpp" | b"CPP" | b"c++" | b"C" => source(Language::Cxx),
        b"ii" => ready(Language::Cxx),
        b"hh" | b"H" | b"hp" | b"hxx" | b"hpp" | b"HPP" | b"h++" | b"tcc" => header(Language::Cxx),
        b"m" | b"mm" | b"M" => source(Language::ObjectiveC),
        b"mi" | b"mii" => ready(Language::ObjectiveC),
        b"s" => ready(Language::Assembler),
        b"S" | b"sx" => source(Language::Assembler),
        b"ll" | b"bc" if dialect != Dialect::Gcc => ready(Language::Ir),
        // What other front ends of the same drivers compile.
        b"f" | b"for" | b"ftn" | b"i90" | b"f90" | b"f95" | b"f03" | b"f08" | b"F" | b"FOR" | b"fpp"
        | b"FPP" | b"FTN" | b"F90" | b"F95" | b"F03" | b"F08" | b"adb" | b"ads" | b"d" | b"di" | b"go"
        | b"mod" | b"cu" | b"cl" | b"cui" => ready(Language::Other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::Settings;
    use crate::argv::parse;
    use crate::argv::parse_with;

    fn line(call: &str, dialect: Dialect) -> CommandLine {
        let args: Vec<OsString> = call.split(' ').map(OsString::from).collect();
        parse(&args, dialect, &mut |_| None)
    }

    #[test]
    fn languages() {
        for (call, language, preprocessed, header) in [
            ("t.c", Language::C, true, false),
            ("t.i", Language::C, false, false),
            ("t.CPP", Language::Cxx, true, false),
            ("t.C", Language::Cxx, true, false),
            ("d.x/t.c++", Language::Cxx, true, false),
            ("t.ii", Language::Cxx, false, false),
            ("t.s", Language::Assembler, false, false),
            ("t.S", Language::Assembler, true, false),
            ("t.sx", Language::Assembler, true, false),
            ("t.h", Language::C, true, true),
            ("t.H", Language::Cxx, true, true),
            ("t.mm", Language::ObjectiveC, true, false),
            ("t.ll", Language::Ir, false, false),
            ("t.f90", Language::Other, false, false),
            ("-xc t.o", Language::C, true, false),
            ("-x c++ t.c", Language::Cxx, true, false),
            ("-x c -x none t.cc", Language::Cxx, true, false),
            ("--language=assembler-with-cpp t", Language::Assembler, true, false),
            ("-x martian t", Language::Other, false, false),
            ("-", Language::C, true, false),
        ] {
            let sources = line(call, Dialect::Unknown).sources();
            assert_eq!(sources.len(), 1, "{call}");
            let source = &sources[0];
            let found = (source.language, source.preprocessed, source.header);
            assert_eq!(found, (language, preprocessed, header), "{call}");
        }
    }

    #[test]
    fn the_cxx_driver_takes_c_for_cxx() {
        let settings = Settings { driver: Driver::Cxx, ..Settings::from(Dialect::Gcc) };
        let args = ["t.c", "t.i", "t.h", "-xc", "u.c"].map(OsString::from);
        let sources = parse_with(&args, settings, &mut |_| None).sources();
        let languages: Vec<_> = sources.iter().map(|source| source.language).collect();
        assert_eq!(languages, [Language::Cxx, Language::Cxx, Language::Cxx, Language::C]);
    }

    #[test]
    fn what_is_left_to_the_linker() {
        let line = line("a.o -lm t.c -l z libx.a -Wl,-z,now noext -o out.c t.", Dialect::Gcc);
        let inputs: Vec<_> = line.link_inputs().into_iter().map(|input| input.text).collect();
        assert_eq!(inputs, ["a.o", "-lm", "-lz", "libx.a", "noext", "t."]);
        assert_eq!(line.sources().len(), 1);
        assert_eq!(line.output(), Some(OsStr::new("out.c")));
        assert_eq!(line.planned_objects(), []);
    }

    #[test]
    fn unknown_options_swallow_nothing() {
        for call in
            ["-c -yunknown t.c", "-c -brandnew t.c", "-c --new-option t.c", "-c -MD t.c", "-c -fnew t.c"]
        {
            for dialect in [Dialect::Gcc, Dialect::Clang, Dialect::Unknown] {
                assert_eq!(line(call, dialect).planned_objects(), [(0, "t.o".into())], "{dialect:?} {call}");
            }
        }
    }

    #[test]
    fn stdin_and_dev_null() {
        for call in ["-x c -c -", "-c -x c /dev/stdin", "-xc -E /proc/self/fd/0"] {
            assert!(line(call, Dialect::Gcc).reads_stdin(), "{call}");
        }
        assert!(!line("-c t.c -o -", Dialect::Gcc).reads_stdin());
        assert!(line("-c -x c /dev/null", Dialect::Gcc).dev_null_source());
        assert!(!line("-c t.c -o /dev/null", Dialect::Gcc).dev_null_source());
    }
}
