//! Which shadows are made of a unit beside its primary: `[twice]` in `lpcc.toml`, or `LPCC_TWICE`.
//!
//! A shadow is said as a *difference* from the call as it ran, never as a call of its own: a second set of
//! flags kept beside a build's own would soon be another build's.

use std::ffi::OsString;

use serde::Deserialize;
use toml::Spanned;

use super::matcher::Glob;
use super::rules::LivePatching;
use crate::argv::{self, CommandLine, Dialect, Kind};

/// Variants of other names are none of ours to take.
const PRIMARY: &str = "primary";

/// One second compile of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// What its variant is called in the record.
    pub name: String,
    /// In what it differs from the primary.
    pub difference: Difference,
}

/// How a note begins that says why a unit has no shadow, or not this one; the reason follows.
pub const COMPILED_ONCE: &str = "not compiled twice: ";

/// Of the shadows asked for, those that a call can have by its arguments, and a note for each reason why it cannot have
/// one.
pub fn possible(asked: &[Shadow], line: &CommandLine) -> (Vec<Shadow>, Vec<String>) {
    if asked.is_empty() {
        return Default::default();
    }
    if let Some(why) = line.shadow_is_idle() {
        return (Vec::new(), vec![format!("{COMPILED_ONCE}{why}")]);
    }
    let has_flag = line.dialect() != Dialect::Clang;
    let toggles = |shadow: &Shadow| matches!(shadow.difference, Difference::ToggleLivePatching(_));
    let (made, left_out): (Vec<_>, Vec<_>) =
        asked.iter().cloned().partition(|shadow| has_flag || !toggles(shadow));
    let note =
        |shadow: &Shadow| format!("{COMPILED_ONCE}clang has no `-flive-patching` for `{}`", shadow.name);
    (made, left_out.iter().map(note).collect())
}

/// In what a shadow differs from the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// `-flive-patching` taken out where the primary has it, else added at this level.
    ToggleLivePatching(LivePatching),
    /// In nothing: the identical call again.
    Same,
    /// The line numbers of all sources are other ones.
    Lines,
    /// Flags, or the compiler.
    Other(Other),
}

/// A difference of somebody's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Other {
    /// The compiler instead of the primary's: a path, or a name on PATH.
    pub compiler: Option<String>,
    /// Flags behind those of the call.
    pub add: Vec<String>,
    /// Flags of the call that are taken out.
    pub remove: Vec<Glob>,
}

/// `[twice]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    shadows: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    shadow: Vec<Spanned<Own>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    name: String,
    compiler: Option<String>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// All that a configuration says of shadows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Twice {
    /// Those to make.
    pub chosen: Vec<Shadow>,
    /// Those that have a name: `LPCC_TWICE` may choose among them too.
    pub defined: Vec<Shadow>,
}

impl Twice {
    /// Reads `[twice]`; an error is what is wrong, and at which byte.
    pub(super) fn read(table: &Table) -> Result<Self, (usize, String)> {
        let mut twice = Self::default();
        for own in &table.shadow {
            let at = own.span().start;
            let shadow = define(own.get_ref()).map_err(|what| (at, what))?;
            if twice.defined.iter().any(|other| other.name == shadow.name) {
                return Err((at, format!("the shadow `{}` is defined twice", shadow.name)));
            }
            twice.defined.push(shadow);
        }
        twice.chosen = match &table.shadows {
            Some(words) => {
                let words_of = words.get_ref().iter().map(String::as_str);
                choose(words_of, &twice.defined).map_err(|what| (words.span().start, what))?
            }
            None => twice.defined.clone(),
        };
        Ok(twice)
    }

    /// What `LPCC_TWICE` chooses: names with commas between, of the built-in shadows and of those that the
    /// configuration defines. `add=…`, `remove=…` (flags with blanks between) and `compiler=…` make one more, called
    /// `custom`. `none`, or `0`: no shadow.
    pub fn from_words(text: &str, defined: &[Shadow]) -> Result<Vec<Shadow>, String> {
        let (mut names, mut custom) = (Vec::new(), None);
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "none") {
            let mut set = |key: &str, value: &str| {
                let own: &mut Own = custom.get_or_insert_with(|| Own {
                    name: "custom".to_owned(),
                    compiler: None,
                    add: Vec::new(),
                    remove: Vec::new(),
                });
                let words = value.split_whitespace().map(str::to_owned);
                match key {
                    "add" => own.add.extend(words),
                    "remove" => own.remove.extend(words),
                    _ => own.compiler = Some(value.to_owned()),
                }
            };
            match word.split_once('=') {
                Some((key @ ("add" | "remove" | "compiler"), value)) => set(key, value),
                _ if word == "0" => {}
                _ => names.push(word),
            }
        }
        let mut chosen = choose(names.into_iter(), defined)?;
        if let Some(own) = custom {
            chosen.push(define(&own)?);
        }
        Ok(chosen)
    }
}

fn define(own: &Own) -> Result<Shadow, String> {
    let name = &own.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    if name.is_empty() || name == PRIMARY || !name.chars().all(plain) {
        return Err(format!("`{name}` is no name for a shadow: letters, digits and `-_.+`"));
    }
    if built_in(name).is_some() {
        return Err(format!("`{name}` is a built-in shadow"));
    }
    if own.compiler.is_none() && own.add.is_empty() && own.remove.is_empty() {
        return Err(format!("the shadow `{name}` differs in nothing: `same` is that"));
    }
    let remove = own.remove.iter().map(|glob| Glob::text(glob)).collect::<Result<Vec<_>, _>>()?;
    may_be_added(&own.add)?;
    let other = Other { compiler: own.compiler.clone(), add: own.add.clone(), remove };
    Ok(Shadow { name: name.clone(), difference: Difference::Other(other) })
}

/// A shadow's flags shape code; what a call is, reads or writes is the build's, and for a shadow lpcc's.
fn may_be_added(flags: &[String]) -> Result<(), String> {
    let words: Vec<OsString> = flags.iter().map(Into::into).collect();
    let line = argv::parse(&words, Dialect::Unknown, &mut |_| None);
    for argument in line.arguments() {
        let word = line.word(argument.word).to_string_lossy().into_owned();
        let harmless = match argument.kind {
            Kind::Input => false,
            Kind::Unknown => true,
            Kind::Option { row, .. } => !row.class.is_the_builds(),
        };
        if !harmless {
            return Err(format!("`{word}` changes what a call is, reads or writes, which a shadow may not"));
        }
    }
    Ok(())
}

fn choose<'a>(words: impl Iterator<Item = &'a str>, defined: &[Shadow]) -> Result<Vec<Shadow>, String> {
    let mut chosen: Vec<Shadow> = Vec::new();
    for word in words {
        let own = defined.iter().find(|shadow| shadow.name == word).cloned();
        let shadow = own.or_else(|| built_in(word)).ok_or_else(|| {
            let known: Vec<_> = defined.iter().map(|shadow| format!(", `{}`", shadow.name)).collect();
            let levels = "`toggle-live-patching=inline-only-static`";
            format!("no shadow `{word}`: `toggle-live-patching`, {levels}, `same`, `lines`{}", known.concat())
        })?;
        if !chosen.iter().any(|other| other.name == shadow.name) {
            chosen.push(shadow);
        }
    }
    Ok(chosen)
}

/// The shadow that a word names by itself.
fn built_in(word: &str) -> Option<Shadow> {
    let difference = match word {
        "toggle" | "toggle-live-patching" | "toggle-live-patching=inline-clone" => {
            Difference::ToggleLivePatching(LivePatching::InlineClone)
        }
        "toggle-live-patching=inline-only-static" => {
            Difference::ToggleLivePatching(LivePatching::InlineOnlyStatic)
        }
        "same" => Difference::Same,
        "lines" => Difference::Lines,
        _ => return None,
    };
    let name = match &difference {
        Difference::ToggleLivePatching(LivePatching::InlineClone) => "toggle-live-patching",
        _ => word,
    };
    Some(Shadow { name: name.to_owned(), difference })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(shadows: &[Shadow]) -> Vec<&str> {
        shadows.iter().map(|shadow| shadow.name.as_str()).collect()
    }

    #[test]
    fn what_a_call_cannot_have_is_said() {
        let asked = Twice::from_words("toggle,same", &[]).unwrap();
        let possible = |text: &str, dialect| {
            let words: Vec<OsString> = text.split(' ').map(Into::into).collect();
            let (made, notes) = possible(&asked, &argv::parse(&words, dialect, &mut |_| None));
            (made.len(), notes.concat())
        };
        assert_eq!(possible("-c a.c", Dialect::Gcc), (2, String::new()));
        let (made, note) = possible("-c a.c", Dialect::Clang);
        assert!(made == 1 && note.contains("clang has no `-flive-patching`"), "{made} {note}");
        let (made, note) = possible("-flto -c a.c", Dialect::Gcc);
        assert!(made == 0 && note.contains("no function bytes before the link"), "{made} {note}");
        assert_eq!(possible("-flto -ffat-lto-objects -c a.c", Dialect::Gcc).0, 2);
    }

    #[test]
    fn words_of_the_environment() {
        let chosen = |text| Twice::from_words(text, &[]);
        assert_eq!(
            names(&chosen("toggle, same,same,lines").unwrap()),
            ["toggle-live-patching", "same", "lines"]
        );
        let levels = chosen("toggle-live-patching=inline-clone,toggle-live-patching=inline-only-static");
        let levels = levels.unwrap();
        assert_eq!(names(&levels), ["toggle-live-patching", "toggle-live-patching=inline-only-static"]);
        assert_eq!(levels[1].difference, Difference::ToggleLivePatching(LivePatching::InlineOnlyStatic));
        assert!(chosen("none").unwrap().is_empty() && chosen("0").unwrap().is_empty());
        let custom = chosen("add=-O3 -fwrapv,remove=-O*,compiler=gcc-11").unwrap();
        let Difference::Other(other) = &custom[0].difference else { panic!("{custom:?}") };
        assert_eq!(other.add, ["-O3", "-fwrapv"]);
        assert!(other.remove[0].matches("-O2") && other.compiler.as_deref() == Some("gcc-11"));
        for (text, expected) in [
            ("twice", "no shadow `twice`"),
            ("add=-c", "`-c` changes what a call is"),
            ("add=x.c", "`x.c` changes what a call is"),
        ] {
            let error = chosen(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
