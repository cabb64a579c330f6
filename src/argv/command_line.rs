//! Reading a command line: words after response files, then one pass with the option table.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use super::Dialect;
use super::Quoting;
use super::options;
use super::options::Class;
use super::options::Row;
use super::response_file;

/// What must be known to read a command line; [`Default`] is the unidentified C driver.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whose options.
    pub dialect: Dialect,
    /// Whose response files.
    pub quoting: Quoting,
    /// Which driver: `g++` takes a `.c` file for C++.
    pub driver: Driver,
}

/// C or C++ driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// `gcc`, `clang`, `cc`.
    #[default]
    C,
    /// `g++`, `clang++`, `c++`.
    Cxx,
}

impl From<Dialect> for Settings {
    /// The C driver of a dialect, response files as GCC 14 or clang splits them.
    fn from(dialect: Dialect) -> Self {
        let quoting = if dialect == Dialect::Clang { Quoting::Clang } else { Quoting::Gcc14 };
        Self { dialect, quoting, driver: Driver::C }
    }
}

/// Reads the contents of the file that `@name` names (relative to the call's working directory), or `None`
/// where the compiler would leave the word as it is: no such file, not readable, a directory.
pub type Reader<'a> = dyn FnMut(&OsStr) -> Option<Vec<u8>> + 'a;

/// A command line that was read.
#[derive(Debug, Clone)]
pub struct CommandLine {
    pub(super) settings: Settings,
    /// The arguments as given, without the program name.
    pub(super) given: Vec<OsString>,
    /// Words that came out of response files; [`Origin::File`] points in here.
    pub(super) from_files: Vec<OsString>,
    pub(super) words: Vec<Origin>,
    pub(super) files: Vec<ResponseFile>,
    pub(super) arguments: Vec<Argument>,
}

/// Where a word comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This argument, unchanged.
    Given(usize),
    /// A response file: index of the word's text among all words from files, and of its innermost file in
    /// [`CommandLine::response_files`].
    File {
        /// Index of the text.
        text: usize,
        /// Index of the file.
        file: usize,
    },
}

/// A response file that was expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseFile {
    /// The word as written, with its `@`.
    pub word: OsString,
    /// What it held.
    pub contents: Vec<u8>,
    /// The argument that it came by, itself or through the files around it.
    pub argument: usize,
    /// The file that named it, or `None` where the call itself did.
    pub parent: Option<usize>,
    /// The words that came from it and from files within it.
    pub words: Range<usize>,
}

/// One option with its argument, or one input.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Index of its first word.
    pub word: usize,
    /// What it is.
    pub kind: Kind,
}

/// What an argument is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Not an option: a source, object, archive or `-`.
    Input,
    /// An option in the table. `value` is where the value starts in the word itself if it is joined.
    Option {
        /// Its row.
        row: &'static Row,
        /// Where its value is.
        value: Value,
    },
    /// An option that the table does not know: passed as is, swallows nothing.
    Unknown,
}

/// Where an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// It has none.
    None,
    /// In the same word from this byte on.
    Joined(usize),
    /// In this many words behind.
    Separate(usize),
    /// It needs one and the line ends: the compiler will refuse the call.
    Missing,
}

/// Reads a gcc or clang command line, given without the program's name, as the C driver of `dialect` does.
/// Never fails: what is not understood is kept as it is.
pub fn parse(args: &[OsString], dialect: Dialect, read: &mut Reader<'_>) -> CommandLine {
    parse_with(args, Settings::from(dialect), read)
}

/// [`parse`] with everything said.
pub fn parse_with(args: &[OsString], settings: Settings, read: &mut Reader<'_>) -> CommandLine {
    let mut line = CommandLine {
        settings,
        given: args.to_vec(),
        from_files: Vec::new(),
        words: Vec::with_capacity(args.len()),
        files: Vec::new(),
        arguments: Vec::with_capacity(args.len()),
    };
    for (index, argument) in args.iter().enumerate() {
        match contents_of(argument, read, &line) {
            Some(bytes) => {
                line.expand(argument, bytes, Place { argument: index, parent: None, depth: 1 }, read);
            }
            None => line.words.push(Origin::Given(index)),
        }
    }
    line.classify();
    line
}

/// Where a response file stands.
#[derive(Clone, Copy)]
struct Place {
    argument: usize,
    parent: Option<usize>,
    depth: usize,
}

/// What the response file named by `word` holds, where it is one and may be expanded.
fn contents_of(word: &OsStr, read: &mut Reader<'_>, line: &CommandLine) -> Option<Vec<u8>> {
    let name = word.as_bytes().strip_prefix(b"@")?;
    if line.files.len() >= response_file::FILE_LIMIT {
        return None;
    }
    read(OsStr::from_bytes(name))
}

impl CommandLine {
    fn expand(&mut self, word: &OsStr, contents: Vec<u8>, place: Place, read: &mut Reader<'_>) {
        let file = self.files.len();
        let words = response_file::split(&contents, self.settings.quoting);
        let start = self.words.len();
        let Place { argument, parent, depth } = place;
        let word = word.to_os_string();
        self.files.push(ResponseFile { word, contents, argument, parent, words: start..start });
        for word in words {
            let nested = if depth < response_file::DEPTH_LIMIT && !self.is_open(file, &word) {
                contents_of(&word, read, self)
            } else {
                None
            };
            if let Some(bytes) = nested {
                self.expand(&word, bytes, Place { argument, parent: Some(file), depth: depth + 1 }, read);
            } else {
                self.words.push(Origin::File { text: self.from_files.len(), file });
                self.from_files.push(word);
            }
        }
        let end = self.words.len();
        if let Some(entry) = self.files.get_mut(file) {
            entry.words = start..end;
        }
    }

    /// Whether `word` names `file` or a file that it is in: a cycle.
    fn is_open(&self, file: usize, word: &OsStr) -> bool {
        let mut at = Some(file);
        while let Some(entry) = at.and_then(|index| self.files.get(index)) {
            if entry.word == word {
                return true;
            }
            at = entry.parent;
        }
        false
    }

    fn classify(&mut self) {
        let mut only_inputs = false;
        let mut index = 0;
        while index < self.words.len() {
            let text = self.word(index).as_bytes();
            let (kind, used) = if only_inputs || text == b"-" || !text.starts_with(b"-") {
                (Kind::Input, 1)
            } else {
                match options::find(text, self.settings.dialect) {
                    None => (Kind::Unknown, 1),
                    Some((row, found)) => {
                        only_inputs = row.class == Class::EndOfOptions;
                        let left = self.words.len() - index - 1;
                        let value = match found {
                            options::Found::Alone => Value::None,
                            options::Found::Joined(at) => Value::Joined(at),
                            options::Found::Separate(count) if count <= left => Value::Separate(count),
                            options::Found::Separate(_) => Value::Missing,
                        };
                        let behind = if let Value::Separate(count) = value { count } else { 0 };
                        (Kind::Option { row, value }, 1 + behind)
                    }
                }
            };
            self.arguments.push(Argument { word: index, kind });
            index += used;
        }
    }

    /// The arguments as given, without the program name.
    pub fn given(&self) -> &[OsString] {
        &self.given
    }

    /// Number of words after response files were expanded.
    pub fn word_count(&self) -> usize {
        self.words.len()
    }

    /// The text of a word; empty where there is no such word.
    pub fn word(&self, index: usize) -> &OsStr {
        let text = match self.words.get(index) {
            Some(&Origin::Given(index)) => self.given.get(index),
            Some(&Origin::File { text, .. }) => self.from_files.get(text),
            None => None,
        };
        text.map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// Where a word comes from.
    pub fn origin(&self, index: usize) -> Option<Origin> {
        self.words.get(index).copied()
    }

    /// The response files that were expanded, in order, outer before inner. The build may delete them: a
    /// record keeps their contents.
    pub fn response_files(&self) -> &[ResponseFile] {
        &self.files
    }

    /// Options and inputs in order.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// The value of an option (the first, where it takes several words), as bytes: joined or separate.
    pub fn value(&self, argument: &Argument) -> Option<&OsStr> {
        match argument.kind {
            Kind::Option { value: Value::Joined(at), .. } => {
                self.word(argument.word).as_bytes().get(at..).map(OsStr::from_bytes)
            }
            Kind::Option { value: Value::Separate(_), .. } => Some(self.word(argument.word + 1)),
            _ => None,
        }
    }

    /// The words of an option with its argument.
    pub fn words_of(&self, argument: &Argument) -> Range<usize> {
        let behind = match argument.kind {
            Kind::Option { value: Value::Separate(count), .. } => count,
            _ => 0,
        };
        argument.word..argument.word + 1 + behind
    }

    /// The dialect it was read in.
    pub fn dialect(&self) -> Dialect {
        self.settings.dialect
    }

    /// Options with their class and value, in order.
    pub(super) fn options(&self) -> impl DoubleEndedIterator<Item = (&Argument, Class, Option<&OsStr>)> {
        self.arguments.iter().filter_map(|argument| match argument.kind {
            Kind::Option { row, .. } => Some((argument, row.class, self.value(argument))),
            _ => None,
        })
    }
}
