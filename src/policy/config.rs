//! `lpcc.toml` as data: what is written there, checked before any call depends on it.
//!
//! A key that is misspelt would silently ship a build without its flag. So nothing unknown is passed over, a rule
//! that can never hold is an error, and every error has file, line and column.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::accept::{self, Accept};
use super::matcher::{Glob, Matcher, VersionRange};
use super::rules::{LivePatching, Lto, OnConflict, Rule, Settings};
use super::twice::{self, Twice};
use crate::argv::options::Class;
use crate::argv::{self, Dialect, Kind, Language, Value};
use crate::store::record::Family;

/// A configuration that was read.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// `[default]` first, where it is given, then the rules in order. Later ones win.
    pub rules: Vec<Rule>,
    /// `[twice]`.
    pub twice: Twice,
    /// Exceptions, in order.
    pub accepted: Vec<Accept>,
    /// What else it names.
    pub names: Names,
}

/// What a configuration names besides its rules: where environment variables name nothing, these hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// `cc`: the C compiler for `lpcc -c x.c`, a command line like `LPCC_CC`.
    pub cc: Option<String>,
    /// `cxx`: the C++ compiler for `lpcc++ -c x.cc`, likewise.
    pub cxx: Option<String>,
    /// `store`: the store, absolute; in the file it is taken from the file's directory.
    pub store: Option<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}:{line}:{column}`: {what}", file.display())]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, as a lower-case fragment.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    cc: Option<Spanned<String>>,
    cxx: Option<Spanned<String>>,
    store: Option<Spanned<String>>,
    default: Option<Spanned<Table>>,
    #[serde(default)]
    rule: Vec<Spanned<Table>>,
    twice: Option<twice::Table>,
    #[serde(default)]
    accept: Vec<accept::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    source: Option<Spanned<Words>>,
    output: Option<Spanned<Words>>,
    language: Option<Spanned<Words>>,
    compiler: Option<Spanned<Words>>,
    version: Option<Spanned<String>>,
    target: Option<Spanned<Words>>,
    flag: Option<Spanned<Words>>,
    live_patching: Option<Spanned<LivePatching>>,
    lto: Option<Lto>,
    on_conflict: Option<OnConflict>,
    clones: Option<Spanned<bool>>,
    add: Option<Spanned<Vec<String>>>,
    remove: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    fn all(&self) -> Vec<&str> {
        match self {
            Self::One(word) => vec![word],
            Self::Many(words) => words.iter().map(String::as_str).collect(),
        }
    }
}

/// What is wrong, and at which byte.
type Wrong = (usize, String);

impl Config {
    /// Reads the contents of the file at `path`.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, ConfigError> {
        let fail = |at: usize, what: String| {
            let before = text.get(..at.min(text.len())).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
            ConfigError { file: path.to_path_buf(), line, column, what }
        };
        let content = std::str::from_utf8(text)
            .map_err(|error| fail(error.valid_up_to(), "not text in UTF-8".to_owned()))?;
        let document: Document = toml::from_str(content).map_err(|error| {
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            fail(error.span().map_or(0, |span| span.start), what)
        })?;
        let names = names(path, &document).map_err(|(at, what)| fail(at, what))?;
        let line_of = |at: usize| fail(at, String::new()).line;
        let mut rules = Vec::new();
        if let Some(table) = &document.default {
            let at = table.span().start;
            let rule = rule(None, line_of(at), at, table.get_ref()).map_err(|(at, what)| fail(at, what))?;
            rules.push(rule);
        }
        for (index, table) in document.rule.iter().enumerate() {
            let at = table.span().start;
            let rule = rule(Some(index + 1), line_of(at), at, table.get_ref());
            rules.push(rule.map_err(|(at, what)| fail(at, what))?);
        }
        let twice = document.twice.as_ref().map(Twice::read).transpose();
        let twice = twice.map_err(|(at, what)| fail(at, what))?.unwrap_or_default();
        let accepted = document.accept.iter().map(Accept::new).collect::<Result<_, _>>();
        let accepted = accepted.map_err(|(at, what)| fail(at, what))?;
        Ok(Self { path: path.to_path_buf(), rules, twice, accepted, names })
    }
}

fn names(path: &Path, document: &Document) -> Result<Names, Wrong> {
    let command = |text: Option<&Spanned<String>>| -> Result<Option<String>, Wrong> {
        let Some(text) = text else { return Ok(None) };
        let words = shell_words::split(text.get_ref()).map_err(|_| "a quote is not closed");
        match words {
            Ok(words) if !words.is_empty() => Ok(Some(text.get_ref().clone())),
            Ok(_) => Err((text.span().start, "names no compiler".to_owned())),
            Err(what) => Err((text.span().start, what.to_owned())),
        }
    };
    let store = match &document.store {
        Some(text) if text.get_ref().is_empty() => {
            return Err((text.span().start, "names no directory".to_owned()));
        }
        Some(text) => {
            let base = path.parent().unwrap_or(Path::new("/"));
            Some(crate::store::absolute(base, Path::new(text.get_ref())))
        }
        None => None,
    };
    Ok(Names { cc: command(document.cc.as_ref())?, cxx: command(document.cxx.as_ref())?, store })
}

fn rule(number: Option<usize>, line: usize, at: usize, table: &Table) -> Result<Rule, Wrong> {
    let matcher = matcher(table)?;
    if number.is_none() && !matcher.is_empty() {
        return Err((at, "`[default]` holds for every call: put what it matches into a `[[rule]]`".into()));
    }
    let settings = Settings {
        live_patching: table.live_patching.as_ref().map(|level| *level.get_ref()),
        lto: table.lto,
        on_conflict: table.on_conflict,
        clones: table.clones.as_ref().map(|clones| *clones.get_ref()),
        add: flags(table.add.as_ref(), true)?,
        remove: flags(table.remove.as_ref(), false)?,
    };
    if number.is_some() && settings == Settings::default() {
        return Err((at, "the rule sets nothing".into()));
    }
    contradictions(table, &matcher, &settings)?;
    Ok(Rule { number, line, matcher, settings })
}

fn contradictions(table: &Table, matcher: &Matcher, settings: &Settings) -> Result<(), Wrong> {
    if let Some(level) = &table.live_patching
        && matcher.families == [Family::Clang]
        && settings.live_patching.is_some_and(|level| level.level().is_some())
    {
        return Err((level.span().start, "clang has no `-flive-patching`: `strip` or `keep`".into()));
    }
    if let Some(clones) = &table.clones
        && matcher.families == [Family::Clang]
        && *clones.get_ref()
    {
        return Err((clones.span().start, "clang has no clones dump".into()));
    }
    if let (Some(add), Some(remove), Some(list)) = (&settings.add, &settings.remove, &table.add)
        && let Some(both) = add.iter().find(|flag| remove.iter().any(|glob| glob.matches(flag)))
    {
        return Err((list.span().start, format!("`{both}` is both added and removed")));
    }
    Ok(())
}

fn matcher(table: &Table) -> Result<Matcher, Wrong> {
    let mut matcher = Matcher {
        sources: globs(table.source.as_ref(), Glob::path)?,
        outputs: globs(table.output.as_ref(), Glob::path)?,
        targets: globs(table.target.as_ref(), Glob::text)?,
        flags: globs(table.flag.as_ref(), Glob::text)?,
        ..Matcher::default()
    };
    if let Some(words) = &table.language {
        for word in words.get_ref().all() {
            matcher.languages.push(match word {
                "c" => Language::C,
                "c++" => Language::Cxx,
                _ => {
                    return Err((words.span().start, format!("unknown language `{word}`: `c` or `c++`")));
                }
            });
        }
    }
    if let Some(words) = &table.compiler {
        for word in words.get_ref().all() {
            matcher.families.push(match word {
                "gcc" => Family::Gcc,
                "clang" => Family::Clang,
                _ => {
                    return Err((words.span().start, format!("unknown compiler `{word}`: `gcc` or `clang`")));
                }
            });
        }
    }
    if let Some(text) = &table.version {
        let at = text.span().start;
        matcher.versions = Some(VersionRange::parse(text.get_ref()).map_err(|what| (at, what))?);
    }
    Ok(matcher)
}

fn globs(words: Option<&Spanned<Words>>, make: fn(&str) -> Result<Glob, String>) -> Result<Vec<Glob>, Wrong> {
    let Some(words) = words else { return Ok(Vec::new()) };
    let all = words.get_ref().all();
    if all.is_empty() {
        return Err((words.span().start, "an empty list matches nothing".into()));
    }
    all.into_iter().map(|word| make(word).map_err(|what| (words.span().start, what))).collect()
}

/// Flags to add or remove: options that shape code, never what a call is, reads or writes.
fn flags<T: FromFlag>(list: Option<&Spanned<Vec<String>>>, added: bool) -> Result<Option<Vec<T>>, Wrong> {
    let Some(list) = list else { return Ok(None) };
    let wrong = |what: String| (list.span().start, what);
    let words: Vec<std::ffi::OsString> = list.get_ref().iter().map(Into::into).collect();
    let line = argv::parse(&words, Dialect::Unknown, &mut |_| None);
    for argument in line.arguments() {
        let word = line.word(argument.word).to_string_lossy().into_owned();
        let Kind::Option { row, value } = argument.kind else {
            if word.starts_with('-') && word != "-" {
                continue;
            }
            return Err(wrong(format!("`{word}` is no option")));
        };
        match row.class {
            Class::LivePatching => {
                return Err(wrong(format!("`{word}`: say it with `live-patching`")));
            }
            class if class.is_the_builds() => {
                return Err(wrong(format!(
                    "`{word}` changes what a call is, reads or writes, which a policy may not"
                )));
            }
            _ if added && value == Value::Missing => {
                return Err(wrong(format!("`{word}` lacks its argument")));
            }
            _ => {}
        }
    }
    let made: Result<Vec<T>, String> = list.get_ref().iter().map(|word| T::from_flag(word)).collect();
    made.map(Some).map_err(wrong)
}

trait FromFlag: Sized {
    fn from_flag(word: &str) -> Result<Self, String>;
}

impl FromFlag for String {
    fn from_flag(word: &str) -> Result<Self, String> {
        Ok(word.to_owned())
    }
}

impl FromFlag for Glob {
    fn from_flag(word: &str) -> Result<Self, String> {
        Self::text(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("/p/lpcc.toml"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn all_that_can_be_said() {
        let config = parse(
            "[default]\nlive-patching = \"strip\"\n\n[[rule]]\nsource = [\"lib/**\", \"*.cc\"]\noutput = \"*.lo\"\n\
             language = \"c\"\ncompiler = [\"gcc\"]\nversion = \">=9, <13\"\ntarget = \"x86_64-*\"\nflag = \"-flto*\"\n\
             live-patching = \"inline-clone\"\nlto = \"strip-lto\"\non-conflict = \"error\"\n\
             add = [\"-fno-ipa-ra\"]\nremove = [\"-fipa-*\"]\n",
        )
        .unwrap();
        let lines: Vec<_> = config.rules.iter().map(|rule| (rule.number, rule.line)).collect();
        assert_eq!(lines, [(None, 1), (Some(1), 4)]);
        assert_eq!(config.rules[1].settings.live_patching, Some(LivePatching::InlineClone));
        assert!(parse("").unwrap().rules.is_empty());
    }

    #[test]
    fn compiler_and_store() {
        let names = |text: &str| parse(text).unwrap().names;
        let all = names("cc = \"ccache gcc-12\"\ncxx = \"g++\"\nstore = \"../records\"\n");
        assert_eq!((all.cc.as_deref(), all.cxx.as_deref()), (Some("ccache gcc-12"), Some("g++")));
        assert_eq!(all.store.as_deref(), Some(Path::new("/records")), "from the file's directory");
        assert_eq!(names("store = \"/s\"").store.as_deref(), Some(Path::new("/s")));
        assert_eq!(names("[default]\nclones = true\n"), Names::default());
    }

    #[test]
    fn every_mistake_has_its_place() {
        for (text, expected) in [
            ("[defaults]\n", "1:2`: unknown field `defaults`"),
            ("[default]\nlive-patchin = \"keep\"\n", "2:1`: unknown field `live-patchin`"),
            ("[default]\nlive-patching = \"on\"\n", "2:17`: unknown variant `on`"),
            ("[[rule]]\nlto = \"no\"\n", "2:7`: unknown variant `no`"),
            ("[[rule]]\nsource = \"a[\"\nlto = \"keep\"\n", "2:10`: bad glob `a[`"),
            ("[[rule]]\nsource = 3\nlto = \"keep\"\n", "2:10`: expected a string or a list"),
            ("[[rule]]\nsource = []\nlto = \"keep\"\n", "2:10`: an empty list matches nothing"),
            ("[default]\nsource = \"a\"\n", "1:1`: `[default]` holds for every call"),
            ("\n[[rule]]\nsource = \"a\"\n", "2:1`: the rule sets nothing"),
            ("[[rule]]\nversion = \">=x\"\nlto = \"keep\"\n", "2:11`: bad version range"),
            ("[[rule]]\nversion = \">=13, <9\"\nlto = \"keep\"\n", "2:11`: no version"),
            ("[[rule]]\nlanguage = \"d\"\nlto = \"keep\"\n", "2:12`: unknown language `d`"),
            ("[[rule]]\ncompiler = \"icc\"\nlto = \"keep\"\n", "2:12`: unknown compiler `icc`"),
            (
                "[[rule]]\ncompiler = \"clang\"\nlive-patching = \"inline-clone\"\n",
                "3:17`: clang has no `-flive-patching`",
            ),
            ("[[rule]]\ncompiler = \"clang\"\nclones = true\n", "3:10`: clang has no clones dump"),
            ("[default]\nadd = [\"-fdump-ipa-clones\"]\n", "2:7`: `-fdump-ipa-clones`"),
            ("[default]\nadd = [\"-flive-patching\"]\n", "2:7`: `-flive-patching`: say it with"),
            ("[default]\nadd = [\"x.c\"]\n", "2:7`: `x.c` is no option"),
            ("[default]\nadd = [\"-c\"]\n", "2:7`: `-c` changes what a call is"),
            ("[default]\nadd = [\"-include\"]\n", "2:7`: `-include` lacks its argument"),
            ("[default]\nadd = [\"-g\"]\nremove = [\"-g*\"]\n", "2:7`: `-g` is both added and removed"),
            ("[default]\nlto = 1\n", "2:7`: "),
            ("[twice]\nshadow = 1\n", "2:10`: "),
            ("[twice]\nshadows = [\"some\"]\n", "2:11`: no shadow `some`"),
            ("[[twice.shadow]]\nname = \"x\"\n", "1:1`: the shadow `x` differs in nothing"),
            ("[[twice.shadow]]\nname = \"same\"\nadd = [\"-O3\"]\n", "1:1`: `same` is a built-in"),
            ("[default]\nclones = \"yes\"\n", "2:10`: "),
            ("store = \"\"\n", "1:9`: names no directory"),
            ("cc = \" \"\n", "1:6`: names no compiler"),
            ("\ncxx = \"g++ 'x\"\n", "2:7`: a quote is not closed"),
            ("[default\n", "1:9`: "),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(&format!("`/p/lpcc.toml:{expected}")), "{text}\n{error}");
        }
        let error = Config::parse(Path::new("f"), b"[default]\n\xff").unwrap_err();
        assert_eq!((error.line, error.column), (2, 1));
    }
}
