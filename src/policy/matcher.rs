//! What a rule matches: globs, version ranges, and the one source that is held against them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::argv::{CommandLine, Language};
use crate::store::record::Family;

/// A glob over text, or over a path from any of its directories on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    pattern: Pattern,
    options: MatchOptions,
}

impl Glob {
    /// A glob over a whole word; `*` matches anything.
    pub fn text(text: &str) -> Result<Self, String> {
        Self::new(text, text, MatchOptions::new())
    }

    /// A glob over a path. One that does not begin with `/` may begin at any directory: `*.c`, `lib/**`.
    /// `*` stays within one component, `**` does not.
    pub fn path(text: &str) -> Result<Self, String> {
        let anywhere = if text.starts_with('/') { text.to_owned() } else { format!("/**/{text}") };
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        Self::new(&anywhere, text, options)
    }

    fn new(pattern: &str, written: &str, options: MatchOptions) -> Result<Self, String> {
        let pattern =
            Pattern::new(pattern).map_err(|error| format!("bad glob `{written}`: {}", error.msg))?;
        Ok(Self { pattern, options })
    }

    /// Whether it matches; bytes outside UTF-8 are matched as they are shown.
    pub fn matches(&self, text: impl AsRef<OsStr>) -> bool {
        self.pattern.matches_with(&text.as_ref().to_string_lossy(), self.options)
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.pattern.as_str())
    }
}

/// Versions such as `>=9, <13`: a bound speaks of as many numbers as it has, so that `12` means every 12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(Vec<(Comparison, Vec<u32>)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

impl VersionRange {
    /// Reads a range; an error where it is none, or where no version can lie in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bounds = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (comparison, rest) = COMPARISONS
                .iter()
                .find_map(|(sign, comparison)| part.strip_prefix(sign).map(|rest| (*comparison, rest)))
                .unwrap_or((Comparison::Equal, part));
            let version = numbers(rest.trim());
            let written = rest.trim().split('.').count();
            if version.is_empty() || version.len() != written {
                return Err(format!("bad version range `{text}`: such as `>=9, <13`, `12` or `12.2`"));
            }
            bounds.push((comparison, version));
        }
        let range = Self(bounds);
        // If any version lies in it, then one at or just beside a bound does.
        let reachable = range.0.iter().any(|(_, bound)| {
            let (last, before) =
                bound.split_last().map_or((0, bound.as_slice()), |(last, before)| (*last, before));
            [last.checked_sub(1), Some(last), last.checked_add(1)].into_iter().flatten().any(|last| {
                let mut version = before.to_vec();
                version.push(last);
                range.holds(&version)
            })
        });
        if reachable { Ok(range) } else { Err(format!("no version is `{text}`")) }
    }

    /// Whether `version` (`12.2.0`) lies in it; one that is not known does not.
    pub fn contains(&self, version: &str) -> bool {
        let version = numbers(version);
        !version.is_empty() && self.holds(&version)
    }

    fn holds(&self, version: &[u32]) -> bool {
        self.0.iter().all(|(comparison, bound)| {
            let mut version: Vec<u32> = version.to_vec();
            version.resize(version.len().max(bound.len()), 0);
            let order = version.get(..bound.len()).unwrap_or_default().cmp(bound);
            match comparison {
                Comparison::Less => order.is_lt(),
                Comparison::AtMost => order.is_le(),
                Comparison::Equal => order.is_eq(),
                Comparison::AtLeast => order.is_ge(),
                Comparison::More => order.is_gt(),
            }
        })
    }
}

/// The numbers that a version begins with.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// What a rule matches: every part that is given, any of what the part lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Globs over the source's absolute path.
    pub sources: Vec<Glob>,
    /// Globs over the output's absolute path.
    pub outputs: Vec<Glob>,
    /// Languages of the source.
    pub languages: Vec<Language>,
    /// Compiler families.
    pub families: Vec<Family>,
    /// Versions of the compiler.
    pub versions: Option<VersionRange>,
    /// Globs over the target (`x86_64-linux-gnu`).
    pub targets: Vec<Glob>,
    /// Globs over the words of the call.
    pub flags: Vec<Glob>,
}

/// One source of a call, or the call itself where it has none.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Absolute path of the source.
    pub source: Option<PathBuf>,
    /// Absolute path of the output.
    pub output: Option<PathBuf>,
    /// Language of the source.
    pub language: Option<Language>,
}

impl Matcher {
    /// Whether it matches every call.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `subject` of the call `line` is matched.
    pub fn matches(&self, subject: &Subject, line: &CommandLine, compiler: &dyn super::Compiler) -> bool {
        let any = |globs: &[Glob], path: Option<&Path>| {
            globs.is_empty() || path.is_some_and(|path| globs.iter().any(|glob| glob.matches(path)))
        };
        let word = |glob: &Glob| (0..line.word_count()).any(|index| glob.matches(line.word(index)));
        any(&self.sources, subject.source.as_deref())
            && any(&self.outputs, subject.output.as_deref())
            && (self.languages.is_empty() || subject.language.is_some_and(|it| self.languages.contains(&it)))
            && (self.flags.is_empty() || self.flags.iter().any(word))
            // What must be asked of the compiler comes last.
            && (self.families.is_empty() || self.families.contains(&compiler.family()))
            && self.versions.as_ref().is_none_or(|range| range.contains(&compiler.version()))
            && (self.targets.is_empty() || any(&self.targets, Some(Path::new(&compiler.target()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_over_paths_begin_at_any_directory() {
        for (glob, path, expected) in [
            ("*.c", "/b/lib/x.c", true),
            ("lib/*.c", "/b/lib/x.c", true),
            ("lib/*.c", "/b/mylib/x.c", false),
            ("lib/*.c", "/b/lib/sub/x.c", false),
            ("lib/**/*.c", "/b/lib/sub/deep/x.c", true),
            ("lib/**", "/b/lib/sub/x.c", true),
            ("/b/*.c", "/b/x.c", true),
            ("/b/*.c", "/a/b/x.c", false),
            ("[xy].c", "/y.c", true),
        ] {
            assert_eq!(Glob::path(glob).unwrap().matches(Path::new(path)), expected, "{glob} {path}");
        }
        assert!(Glob::text("-flto*").unwrap().matches("-flto=auto"));
        assert!(Glob::text("-I*").unwrap().matches("-I/usr/include"));
    }

    #[test]
    fn ranges() {
        for (range, version, expected) in [
            (">=9, <13", "12.2.0", true),
            (">=9, <13", "13.1.0", false),
            (">=9, <13", "8.5.0", false),
            ("12", "12.2.0", true),
            ("=12.2", "12.2.0", true),
            ("12.3", "12.2.0", false),
            (">12", "12.2.0", false),
            ("<=12", "12.9.0", true),
            (">=12.2.1", "12", false),
            (">=9", "", false),
        ] {
            assert_eq!(VersionRange::parse(range).unwrap().contains(version), expected, "{range} {version}");
        }
        for bad in ["", ">=", "9.x", "9,", ">=13, <9", ">12, <12", "12, 13"] {
            assert!(VersionRange::parse(bad).is_err(), "{bad}");
        }
    }
}
