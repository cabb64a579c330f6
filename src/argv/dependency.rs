//! How dependency output was asked for, and which files it will fill.
//!
//! Dependency options reach the compiler proper on two ways: through the driver (`-MD`, `-MF`), and past it
//! (`-Wp,-MD,file`, `-Xpreprocessor`). GCC hands over the second kind behind the first, so that it wins
//! wherever it stands. For both, one `-MMD` anywhere beats every `-MD`. Clang turns `-Wp,-MD,file` into `-MD -MF file` in its place and takes the last of all;
//! with anything more than one file behind it (`-Wp,-MD,file,-MT,x`), it drops the file.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Action;
use super::Argument;
use super::CommandLine;
use super::Dialect;
use super::options::Class;
use super::options::Dep;
use super::options::Side;
use super::options::Stage;
use super::response_file;

/// Which inputs a dependency file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All (`-MD`).
    Full,
    /// None from system directories (`-MMD`).
    NoSystemHeaders,
}

/// Dependency output beside the compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which inputs are in it.
    pub coverage: Coverage,
    /// The files that will be written: index into [`CommandLine::sources`] and path, relative to the working
    /// directory. One file may serve several sources; the last one compiled leaves it. Sources that are not
    /// preprocessed have none.
    pub files: Vec<(usize, OsString)>,
}

/// What was asked for, as it is collected.
#[derive(Default)]
struct Request {
    /// By `-MD` and `-MMD`.
    coverage: Option<Coverage>,
    /// By `-M` and `-MM`: dependencies are the call's own output, beside which there is a file only where
    /// one is named.
    instead: Option<Coverage>,
    file: Option<OsString>,
}

impl Request {
    /// A driver's option.
    fn add(&mut self, dep: Dep, value: Option<&OsStr>) {
        match dep {
            Dep::Mmd => self.coverage = Some(Coverage::NoSystemHeaders),
            Dep::Md => {
                self.coverage.get_or_insert(Coverage::Full);
            }
            Dep::Mm => self.instead = Some(Coverage::NoSystemHeaders),
            Dep::M => {
                self.instead.get_or_insert(Coverage::Full);
            }
            Dep::File => self.file = value.map(OsStr::to_os_string),
            Dep::Target | Dep::Shape => {}
        }
    }
}

impl CommandLine {
    /// The dependency output of a call that also does something else, or `None` where none is asked for.
    /// Environment variables (`DEPENDENCIES_OUTPUT`) can ask too; that is for the caller to see.
    pub fn dependency(&self) -> Option<Dependency> {
        let request =
            if self.settings.dialect == Dialect::Clang { self.clang_request() } else { self.gcc_request() };
        if request.coverage.is_none() && request.file.is_none() {
            return None;
        }
        let coverage = request.instead.or(request.coverage)?;
        let action = self.action();
        if matches!(action, Action::Information | Action::Nothing) {
            return None;
        }
        let files = self
            .sources()
            .iter()
            .enumerate()
            .filter(|(_, source)| source.preprocessed)
            .map(|(index, source)| {
                let path = request.file.clone().or_else(|| self.beside_output());
                (index, path.unwrap_or_else(|| self.implicit_file(source, action)))
            })
            .collect();
        Some(Dependency { coverage, files })
    }

    fn gcc_request(&self) -> Request {
        let mut request = Request::default();
        let mut behind = Vec::new();
        for (argument, class, value) in self.options() {
            match class {
                Class::Dependency(dep) => request.add(dep, value),
                Class::Pass(Stage::Preprocessor) => behind.extend(self.handed_over(argument)),
                _ => {}
            }
        }
        let mut behind = behind.into_iter();
        while let Some(word) = behind.next() {
            match word {
                b"-MD" => request.coverage = Some(Coverage::Full),
                b"-MMD" => request.coverage = Some(Coverage::NoSystemHeaders),
                b"-MF" => {}
                _ => continue,
            }
            request.file = behind.next().map(|file| response_file::word(file.to_vec())).or(request.file);
        }
        request
    }

    fn clang_request(&self) -> Request {
        let mut request = Request::default();
        for (argument, class, value) in self.options() {
            match class {
                Class::Dependency(dep) => request.add(dep, value),
                Class::Pass(Stage::Preprocessor)
                    if self.word(argument.word).as_bytes().starts_with(b"-Wp,") =>
                {
                    let mut behind = self.handed_over(argument);
                    match behind.next() {
                        Some(b"-MD") => request.add(Dep::Md, None),
                        Some(b"-MMD") => request.add(Dep::Mmd, None),
                        _ => continue,
                    }
                    if let (Some(file), None) = (behind.next(), behind.next()) {
                        request.file = Some(response_file::word(file.to_vec()));
                    }
                }
                _ => {}
            }
        }
        request
    }

    /// The words that `-Wp,` (between commas) or `-Xpreprocessor` (one) hands to the preprocessor.
    fn handed_over<'a>(&'a self, argument: &Argument) -> impl Iterator<Item = &'a [u8]> {
        let listed = self.word(argument.word).as_bytes().starts_with(b"-Wp,");
        let value = self.value(argument).unwrap_or_default().as_bytes();
        value.split(move |&byte| listed && byte == b',')
    }

    /// The output's name with `.d` for its last suffix.
    fn beside_output(&self) -> Option<OsString> {
        let output = self.output()?.as_bytes();
        let name = output.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let dot = output.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot >= name);
        let stem = output.get(..dot.unwrap_or(output.len()))?;
        Some(response_file::word([stem, b".d"].concat()))
    }

    /// Without `-o` and `-MF`: the source's stem in the working directory. GCC (from 11 on) puts `a-` before
    /// it, for the `a.out` that it would make, where the call compiles no further than that; `-dumpdir` and
    /// `-dumpbase` name it otherwise.
    fn implicit_file(&self, source: &super::Source, action: Action) -> OsString {
        if self.settings.dialect == Dialect::Clang {
            return self.beside(source, b".d");
        }
        let naming = |spelling: &[u8]| {
            self.arguments().iter().rev().find_map(|argument| match argument.kind {
                super::Kind::Option { row, .. }
                    if row.class == Class::SideOutput(Side::Naming) && row.spelling.ends_with(spelling) =>
                {
                    self.value(argument)
                }
                _ => None,
            })
        };
        let directory = match naming(b"-dumpdir") {
            Some(directory) => directory.as_bytes(),
            None if matches!(action, Action::Link | Action::SyntaxOnly) => b"a-",
            None => b"",
        };
        let Some(base) = naming(b"-dumpbase") else {
            return response_file::word([directory, self.beside(source, b".d").as_bytes()].concat());
        };
        let base = base.as_bytes();
        let extension = naming(b"-dumpbase-ext").unwrap_or_default();
        let base = base.strip_suffix(extension.as_bytes()).unwrap_or(base);
        response_file::word([directory, base, b".d"].concat())
    }
}
