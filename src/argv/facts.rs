//! Single facts about a call that the wrapper decides by.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use super::CommandLine;
use super::options::Class;
use super::options::Stage;
use super::response_file;

/// The macro that carries a policy through a build's flags.
const MARKER: &[u8] = b"__LPCC_POLICY__";

/// A marker in the flags: `-D__LPCC_POLICY__[=value]`, in one word or two, or among the words that `-Wp,` or
/// `-Xpreprocessor` hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Its words.
    pub words: Range<usize>,
    /// What is behind the `=`.
    pub value: Option<OsString>,
    /// What is left of its words without it, where `-Wp,` hands over more than the marker.
    pub rest: Option<OsString>,
}

/// The marker's value, where `definition` (what is behind `-D`) is one.
#[expect(clippy::option_option, reason = "a marker may have no value")]
fn marker_value(definition: &[u8]) -> Option<Option<OsString>> {
    match definition.strip_prefix(MARKER)? {
        [] => Some(None),
        [b'=', value @ ..] => Some(Some(response_file::word(value.to_vec()))),
        _ => None,
    }
}

/// The last marker's value among the words between the commas of `-Wp,`, and the other words.
fn marker_between_commas(list: &[u8]) -> Option<(Option<OsString>, Vec<&[u8]>)> {
    let mut found = None;
    let mut others = Vec::new();
    let mut words = list.split(|byte| *byte == b',').peekable();
    while let Some(word) = words.next() {
        let apart = if word == b"-D" { words.peek().and_then(|next| marker_value(next)) } else { None };
        if apart.is_some() {
            words.next();
        }
        match apart.or_else(|| marker_value(word.strip_prefix(b"-D")?)) {
            Some(value) => found = Some(value),
            None => others.push(word),
        }
    }
    Some((found?, others))
}

/// Where temporary files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveTemps {
    /// `-save-temps`: gcc beside the output, clang in the working directory.
    Default,
    /// `-save-temps=cwd`.
    Cwd,
    /// `-save-temps=obj`.
    Obj,
}

/// Options that name a directory whose headers count as the system's: beginnings of words, also of those handed to the
/// preprocessor.
const SYSTEM_DIRECTORIES: [&[u8]; 8] = [
    b"--include-with-prefix",
    b"-cxx-isystem",
    b"-idirafter",
    b"-imultilib",
    b"-isystem",
    b"-iwithprefix",
    b"-stdlib++-isystem",
    b"-Wp,-i",
];

impl CommandLine {
    /// Whether link-time optimisation is on: the last of `-flto`, `-flto=...`, `-fno-lto`.
    pub fn lto(&self) -> bool {
        self.last(|class, _| if let Class::Lto(on) = class { Some(on) } else { None }).unwrap_or(false)
    }

    /// Whether LTO objects hold machine code too (`-ffat-lto-objects`).
    pub fn fat_lto(&self) -> bool {
        self.last(|class, _| if let Class::FatLto(on) = class { Some(on) } else { None }).unwrap_or(false)
    }

    /// Whether the output is LLVM IR (clang's `-emit-llvm`).
    pub fn emit_llvm(&self) -> bool {
        self.options().any(|(_, class, _)| class == Class::EmitLlvm)
    }

    /// Whether debug information goes to a `.dwo` beside the object (`-gsplit-dwarf`).
    pub fn split_dwarf(&self) -> bool {
        self.last(|class, _| if let Class::SplitDwarf(on) = class { Some(on) } else { None }).unwrap_or(false)
    }

    /// Whether and where temporary files are kept.
    pub fn save_temps(&self) -> Option<SaveTemps> {
        self.last(|class, value| match (class, value) {
            (Class::SaveTemps, None) => Some(SaveTemps::Default),
            (Class::SaveTemps, Some(value)) if value == "cwd" => Some(SaveTemps::Cwd),
            (Class::SaveTemps, Some(_)) => Some(SaveTemps::Obj),
            _ => None,
        })
    }

    /// Whether the command line itself goes into the object, so that an added option would show:
    /// `-frecord-gcc-switches`, clang's `-frecord-command-line` and `-grecord-command-line`.
    pub fn records_command_line(&self) -> bool {
        self.last(|class, _| if let Class::RecordCommandLine(on) = class { Some(on) } else { None })
            .unwrap_or(false)
    }

    /// Whether no header can come from a system directory: `-nostdinc`, and no directory named as one. A list without system
    /// headers (`-MMD`) then lacks none, as far as the environment names no such directory either.
    pub fn no_system_directories(&self) -> bool {
        let words = || (0..self.word_count()).map(|index| self.word(index).as_bytes());
        words().any(|word| word == b"-nostdinc")
            && !words().any(|word| SYSTEM_DIRECTORIES.iter().any(|start| word.starts_with(start)))
    }

    /// Whether options would be seen on the standard streams: `-v`, `-H`, `-Q`, `-ftime-report`.
    pub fn verbose(&self) -> bool {
        self.options().any(|(_, class, _)| class == Class::Verbose)
    }

    /// The plugins named by `-fplugin=`, in order.
    pub fn plugins(&self) -> Vec<&OsStr> {
        self.options()
            .filter(|(_, class, _)| *class == Class::Plugin)
            .filter_map(|(.., value)| value)
            .collect()
    }

    /// The last `-flive-patching[=level]`; without a level it is GCC's default, `inline-clone`.
    pub fn live_patching(&self) -> Option<&OsStr> {
        self.last(|class, value| {
            (class == Class::LivePatching).then(|| value.unwrap_or(OsStr::new("inline-clone")))
        })
    }

    /// The words that are `-flive-patching` options, in any spelling.
    pub fn live_patching_words(&self) -> Vec<usize> {
        self.options()
            .filter(|(_, class, _)| *class == Class::LivePatching)
            .map(|(argument, ..)| argument.word)
            .collect()
    }

    /// The markers, in order; also those inside response files.
    pub fn markers(&self) -> Vec<Marker> {
        self.options()
            .filter_map(|(argument, class, value)| {
                let (words, handed) = (self.words_of(argument), value?.as_bytes());
                match class {
                    Class::Define => Some(Marker { words, value: marker_value(handed)?, rest: None }),
                    Class::Pass(Stage::Preprocessor) if words.len() == 1 => {
                        let (value, others) = marker_between_commas(handed)?;
                        let rest = [b"-Wp,".to_vec(), others.join(&b',')].concat();
                        let rest = (!others.is_empty()).then(|| response_file::word(rest));
                        Some(Marker { words, value, rest })
                    }
                    Class::Pass(Stage::Preprocessor) => {
                        let value = marker_value(handed.strip_prefix(b"-D")?)?;
                        Some(Marker { words, value, rest: None })
                    }
                    _ => None,
                }
            })
            .collect()
    }

    /// The last option for which `pick` gives something.
    fn last<'a, T>(&'a self, pick: impl Fn(Class, Option<&'a OsStr>) -> Option<T>) -> Option<T> {
        self.options().rev().find_map(|(_, class, value)| pick(class, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::Dialect;
    use crate::argv::parse;

    fn line(call: &str) -> CommandLine {
        let args: Vec<OsString> = call.split(' ').map(OsString::from).collect();
        parse(&args, Dialect::Unknown, &mut |_| None)
    }

    #[test]
    fn the_last_one_wins() {
        assert!(line("-flto -c").lto() && line("-fno-lto -flto=auto").lto());
        assert!(
            !line("-flto -fno-lto").lto() && !line("-flto-partition=none").lto() && !line("-o -flto").lto()
        );
        assert!(
            line("-flto -ffat-lto-objects").fat_lto()
                && !line("-ffat-lto-objects -fno-fat-lto-objects").fat_lto()
        );
        assert!(line("-gsplit-dwarf").split_dwarf() && line("-gsplit-dwarf=split").split_dwarf());
        assert!(!line("-gsplit-dwarf -gno-split-dwarf").split_dwarf());
        assert_eq!(line("-save-temps").save_temps(), Some(SaveTemps::Default));
        assert_eq!(line("--save-temps=cwd -save-temps=obj").save_temps(), Some(SaveTemps::Obj));
        assert_eq!(line("-save-temps=obj -save-temps=cwd").save_temps(), Some(SaveTemps::Cwd));
        assert_eq!(line("-c t.c").save_temps(), None);
        assert_eq!(line("-flive-patching").live_patching(), Some(OsStr::new("inline-clone")));
        let last = "-flive-patching=inline-clone -flive-patching=inline-only-static";
        assert_eq!(line(last).live_patching(), Some(OsStr::new("inline-only-static")));
        assert_eq!(line(last).live_patching_words(), [0, 1]);
        assert_eq!(line("-c -o -flive-patching").live_patching(), None);
    }

    #[test]
    fn seen_on_the_standard_streams_or_in_the_object() {
        for call in ["-v -c", "-H", "-Q", "-ftime-report", "--verbose", "--trace-includes"] {
            assert!(line(call).verbose(), "{call}");
        }
        assert!(!line("-Wverbose -o -v").verbose());
        assert!(line("-frecord-gcc-switches").records_command_line());
        assert!(line("-grecord-command-line").records_command_line());
        assert!(!line("-frecord-gcc-switches -fno-record-gcc-switches").records_command_line());
        assert_eq!(line("-fplugin=a.so -c -fplugin=b -fplugin-arg-a-x=y").plugins(), ["a.so", "b"]);
    }

    #[test]
    fn markers_in_one_word_or_two() {
        let found =
            line("-D__LPCC_POLICY__ -D __LPCC_POLICY__=strip -DX -D__LPCC_POLICY__= -D__LPCC_POLICY__2")
                .markers();
        let found: Vec<_> = found.into_iter().map(|marker| (marker.words, marker.value)).collect();
        assert_eq!(found, [(0..1, None), (1..3, Some("strip".into())), (4..5, Some("".into()))]);
    }

    #[test]
    fn markers_handed_to_the_preprocessor() {
        for (call, value, rest) in [
            ("-Wp,-D__LPCC_POLICY__=strip", Some("strip"), None),
            ("-Wp,-D,__LPCC_POLICY__=strip", Some("strip"), None),
            ("-Wp,-DA,-D__LPCC_POLICY__=strip,-MD,f.d", Some("strip"), Some("-Wp,-DA,-MD,f.d")),
            ("-Wp,-D,__LPCC_POLICY__,-D,B", None, Some("-Wp,-D,B")),
            ("-Xpreprocessor -D__LPCC_POLICY__=keep", Some("keep"), None),
        ] {
            let line = line(call);
            let words = line.word_count();
            let expected =
                Marker { words: 0..words, value: value.map(Into::into), rest: rest.map(Into::into) };
            assert_eq!(line.markers(), [expected], "{call}");
        }
        for call in ["-Wp,-D__LPCC_POLICY__X", "-Wp,-U__LPCC_POLICY__", "-Wa,-D__LPCC_POLICY__", "-Wp,-D"] {
            assert_eq!(line(call).markers(), [], "{call}");
        }
    }
}
