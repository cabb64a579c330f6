//! Single facts about a call that the wrapper decides by.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use super::CommandLine;
use super::options::Class;
use super::response_file;

/// The macro that carries a policy through a build's flags.
const MARKER: &[u8] = b"__LPCC_POLICY__";

/// A marker in the flags: `-D__LPCC_POLICY__[=value]`, in one word or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Its words.
    pub words: Range<usize>,
    /// What is behind the `=`.
    pub value: Option<OsString>,
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

impl CommandLine {
    /// Whether link-time optimisation is on: the last of `-flto`, `-flto=...`, `-fno-lto`.
    pub fn lto(&self) -> bool {
        self.last(|class, _| if let Class::Lto(on) = class { Some(on) } else { None }).unwrap_or(false)
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
            .filter(|(_, class, _)| *class == Class::Define)
            .filter_map(|(argument, _, value)| {
                let rest = value?.as_bytes().strip_prefix(MARKER)?;
                let value = match rest {
                    [] => None,
                    [b'=', value @ ..] => Some(response_file::word(value.to_vec())),
                    _ => return None,
                };
                Some(Marker { words: self.words_of(argument), value })
            })
            .collect()
    }

    /// The last option for which `pick` gives something.
    fn last<'a, T>(&'a self, pick: impl Fn(Class, Option<&'a OsStr>) -> Option<T>) -> Option<T> {
        self.options().rev().find_map(|(_, class, value)| pick(class, value))
    }
}
