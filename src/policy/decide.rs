//! From what the rules wish to what one call is run with.
//!
//! Words are inserted or deleted, never reordered. Where the wish cannot be had without breaking the call, the
//! call stays as it is and the reason says why: what this module cannot foresee, the retry of a failed call
//! catches, so here an unknown option is no reason to hold back.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::clones::{self, Dump};
use super::conflict;
use super::matcher::Subject;
use super::rules::{Effective, LivePatching, Lto, OnConflict, Origin, Policy};
use super::{Action, Decision};
use crate::argv::options::Class;
use crate::argv::{self, CommandLine, Kind, Language};
use crate::store::absolute;
use crate::store::record::Family;

/// What must be known of the real compiler; asked only where it matters.
pub trait Compiler {
    /// Its family.
    fn family(&self) -> Family;
    /// Its version (`12.2.0`), empty where it does not say.
    fn version(&self) -> String;
    /// Its target, empty where it does not say.
    fn target(&self) -> String;
    /// Whether it compiles an empty file of `language` with these options.
    fn accepts(&self, language: Language, options: &[&str]) -> bool;
    /// Whether `option`, given beside these, leaves no trace in what it makes.
    fn hides(&self, language: Language, option: &str, beside: &[&str]) -> bool;
}

/// A call to decide on.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its arguments.
    pub line: &'a CommandLine,
    /// Its working directory.
    pub directory: &'a Path,
}

/// What is done with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What a record keeps of it.
    pub decision: Decision,
    /// The arguments to run.
    pub run: Vec<OsString>,
    /// The options among them that lpcc added. Where there are any, a failed call is run as written.
    pub added: Vec<OsString>,
    /// Why the call must fail: an `error` in the policy.
    pub refused: Option<String>,
    /// What is done about the clones dump.
    pub dump: Dump,
    /// What the rules say, wherever it led.
    pub effective: Effective,
}

/// Whether any policy could change the call: if not, none is read.
pub fn may_matter(line: &CommandLine) -> bool {
    compiles(line) || !line.live_patching_words().is_empty()
}

/// Whether the call compiles C or C++ to code.
fn compiles(line: &CommandLine) -> bool {
    use argv::Action::{Assembly, Link, Object};
    matches!(line.action(), Assembly | Object | Link)
        && line.sources().iter().any(|source| is_ours(source.language) && !source.header)
}

fn is_ours(language: Language) -> bool {
    matches!(language, Language::C | Language::Cxx)
}

/// Decides on a call.
pub fn decide(call: Call<'_>, policy: &Policy, compiler: &dyn Compiler) -> Ruling {
    let subjects = subjects(call);
    let mut all: Vec<Effective> =
        subjects.iter().map(|subject| policy.effective(subject, call.line, compiler)).collect();
    let differing = all.iter().any(|effective| all.first().is_some_and(|first| !first.agrees(effective)));
    let clones =
        all.iter().find(|effective| effective.clones.value).map(|effective| effective.clones.clone());
    let mut effective = if differing { Effective::default() } else { all.pop().unwrap_or_default() };
    if let Some(clones) = clones {
        effective.clones = clones;
    }
    let mut weighing = Weighing {
        call,
        compiler,
        effective,
        language: subjects.iter().find_map(|subject| subject.language).unwrap_or(Language::C),
        strip: false,
        strip_lto: false,
        add: None,
        action: Action::Keep,
        reason: String::new(),
        refused: None,
    };
    if differing {
        "its sources fall under different rules: leave the call as it is".clone_into(&mut weighing.reason);
    } else {
        weighing.weigh();
    }
    weighing.finish()
}

fn subjects(call: Call<'_>) -> Vec<Subject> {
    let line = call.line;
    let path = |name: &std::ffi::OsStr| absolute(call.directory, Path::new(name));
    let planned = line.planned_objects();
    let output = |index: usize| {
        let own = planned.iter().find(|(source, _)| *source == index).map(|(_, output)| output.as_os_str());
        own.or(line.output()).map(path)
    };
    let subjects: Vec<Subject> = line
        .sources()
        .iter()
        .enumerate()
        .filter(|(_, source)| is_ours(source.language))
        .map(|(index, source)| Subject {
            source: Some(path(&source.text)),
            output: output(index),
            language: Some(source.language),
        })
        .collect();
    if subjects.is_empty() {
        return vec![Subject { source: None, output: line.output().map(path), language: None }];
    }
    subjects
}

/// A wish, and who has it.
fn said(what: &str, origin: &Origin) -> String {
    if *origin == Origin::BuiltIn && what == "keep" {
        return super::LEFT_ALONE.to_owned();
    }
    format!("{what}: {origin}")
}

/// A decision in the making.
struct Weighing<'a> {
    call: Call<'a>,
    compiler: &'a dyn Compiler,
    effective: Effective,
    language: Language,
    strip: bool,
    strip_lto: bool,
    /// The level to add.
    add: Option<&'static str>,
    action: Action,
    reason: String,
    refused: Option<String>,
}

impl Weighing<'_> {
    fn weigh(&mut self) {
        let line = self.call.line;
        let wish = self.effective.live_patching.value;
        match wish {
            LivePatching::Strip => {
                self.action = Action::Strip;
                self.strip = line.live_patching().is_some();
                self.reason = said(wish.as_str(), &self.effective.live_patching.origin);
            }
            LivePatching::Keep => self.keep(),
            LivePatching::InlineClone => self.want("inline-clone", Action::InlineClone),
            LivePatching::InlineOnlyStatic => self.want("inline-only-static", Action::InlineOnlyStatic),
        }
    }

    /// The call's own flags stay, unless they are a pair that the rules on LTO speak of.
    fn keep(&mut self) {
        self.reason = said("keep", &self.effective.live_patching.origin);
        let line = self.call.line;
        let Some(level) = line.live_patching().map(|level| level.to_string_lossy().into_owned()) else {
            return;
        };
        let flag = format!("-flive-patching={level}");
        let lto = self.effective.lto.clone();
        if !line.lto()
            || lto.value == Lto::Keep
            || self.compiler.family() != Family::Gcc
            || self.compiler.accepts(self.language, &[&flag, "-flto"])
        {
            return;
        }
        let because =
            format!("lto = {}: {}: the compiler refuses `{flag}` beside LTO", lto.value.as_str(), lto.origin);
        match lto.value {
            Lto::Keep => {}
            Lto::StripLivePatching => {
                self.action = Action::Strip;
                self.strip = true;
                self.reason = because;
            }
            Lto::StripLto => {
                self.strip_lto = true;
                self.reason = because;
            }
            Lto::Error => self.refused = Some(because),
        }
    }

    /// The flag is wished for: nothing, or that level.
    fn want(&mut self, level: &'static str, action: Action) {
        let line = self.call.line;
        let said = said(level, &self.effective.live_patching.origin);
        if line.dialect() == argv::Dialect::Clang || self.compiler.family() == Family::Clang {
            self.strip = line.live_patching().is_some();
            self.action = if self.strip { Action::Strip } else { Action::Keep };
            self.reason = format!("{said}; not added: clang has no such flag");
            return;
        }
        if let Some(why) = self.out_of_scope() {
            self.reason = format!("{said}; not added: {why}");
            return;
        }
        let flag = format!("-flive-patching={level}");
        if line.live_patching().is_some_and(|own| own == level) {
            // As written; whether it stands beside the rest is between the build and the compiler.
            self.keep();
            if self.action == Action::Keep {
                self.action = action;
                self.reason = format!("{said}; the call has it already");
            }
            return;
        }
        let conflict = conflict::refused_beside(line, level)
            .map(|option| format!("the call has `{option}`, which GCC refuses beside it"))
            .or_else(|| {
                let accepted = self.compiler.accepts(self.language, &[&flag]);
                (!accepted).then(|| "the compiler does not accept it".to_owned())
            });
        if let Some(why) = conflict {
            self.step_back(&said, &why);
            return;
        }
        if line.lto() && !self.compiler.accepts(self.language, &[&flag, "-flto"]) {
            let lto = self.effective.lto.clone();
            let why =
                format!("the compiler refuses it beside LTO (lto = {}: {})", lto.value.as_str(), lto.origin);
            match lto.value {
                Lto::Keep => {
                    self.reason = format!("{said}; not added: {why}");
                    return;
                }
                Lto::StripLivePatching => {
                    self.strip = line.live_patching().is_some();
                    self.action = if self.strip { Action::Strip } else { Action::Keep };
                    self.reason = format!("{said}; not added: {why}");
                    return;
                }
                Lto::Error => {
                    self.refused = Some(format!("{said}: {why}"));
                    return;
                }
                Lto::StripLto => {
                    self.strip_lto = true;
                    self.reason = format!("{said}; LTO taken out: {why}");
                }
            }
        } else {
            self.reason = said;
        }
        self.strip = true;
        self.add = Some(level);
        self.action = action;
    }

    fn step_back(&mut self, said: &str, why: &str) {
        let policy = &self.effective.on_conflict;
        if policy.value == OnConflict::Error {
            self.refused = Some(format!("{said}: {why} (on-conflict = error: {})", policy.origin));
        }
        self.reason = format!("{said}; not added: {why}");
    }

    /// Why nothing is ever added to this call, as far as its kind tells.
    fn out_of_scope(&self) -> Option<&'static str> {
        let line = self.call.line;
        if !compiles(line) {
            return Some("the call compiles no C or C++ to code");
        }
        if line.reads_stdin() || line.dev_null_source() {
            return Some("the call is a probe: it compiles standard input or `/dev/null`");
        }
        if line.sources().iter().any(|source| source.language == Language::Other) {
            return Some("the call compiles another language as well");
        }
        let streams = |output: &std::ffi::OsStr| {
            let output = output.as_bytes();
            output == b"-" || output.starts_with(b"/dev/") || output.starts_with(b"/proc/")
        };
        line.output().is_some_and(streams).then_some("its output is no file")
    }

    fn finish(self) -> Ruling {
        let line = self.call.line;
        let mut edit = line.edit().without_markers();
        let mut added = Vec::new();
        if self.strip {
            edit = edit.without_live_patching();
        }
        if let Some(level) = self.add {
            added.push(OsString::from(format!("-flive-patching={level}")));
            edit = edit.with_inserted(added.clone());
        }
        if self.strip_lto {
            for argument in line.arguments() {
                if matches!(argument.kind, Kind::Option { row, .. } if row.class == Class::Lto(true)) {
                    edit = edit.without_words(line.words_of(argument));
                }
            }
        }
        let mut reason = self.reason.clone();
        if self.out_of_scope_for_extras().is_none() {
            let (mut removed, mut gained) = (Vec::new(), Vec::new());
            for argument in line.arguments() {
                let word = line.word(argument.word);
                if may_go(argument.kind) && self.effective.remove.value.iter().any(|glob| glob.matches(word))
                {
                    removed.push(format!("`{}`", word.to_string_lossy()));
                    edit = edit.without_words(line.words_of(argument));
                }
            }
            if !self.effective.add.value.is_empty() {
                let extra: Vec<OsString> = self.effective.add.value.iter().map(Into::into).collect();
                gained.extend(self.effective.add.value.iter().map(|flag| format!("`{flag}`")));
                added.extend(extra.iter().cloned());
                edit = edit.with_appended(extra);
            }
            for (verb, flags, origin) in [
                ("removed", &removed, &self.effective.remove.origin),
                ("added", &gained, &self.effective.add.origin),
            ] {
                if !flags.is_empty() {
                    reason = format!("{reason}; {verb} {}: {origin}", flags.join(" "));
                }
            }
        }
        let dump = if self.effective.clones.value {
            clones::dump(line, self.language, self.out_of_scope(), self.compiler)
        } else {
            Dump::Unasked
        };
        let live_patching = match (self.add, self.strip) {
            (Some(level), _) => Some(level.to_owned()),
            (None, true) => None,
            (None, false) => line.live_patching().map(|level| level.to_string_lossy().into_owned()),
        };
        Ruling {
            decision: Decision { action: self.action, reason, live_patching },
            run: edit.finish(),
            added,
            refused: self.refused,
            dump,
            effective: self.effective,
        }
    }

    /// Extra flags go where the flag itself may go, for clang too.
    fn out_of_scope_for_extras(&self) -> Option<&'static str> {
        if self.effective.add.value.is_empty() && self.effective.remove.value.is_empty() {
            return Some("none are given");
        }
        self.out_of_scope()
    }
}

/// Whether an argument is an option that a rule may remove.
fn may_go(kind: Kind) -> bool {
    match kind {
        Kind::Input => false,
        Kind::Unknown => true,
        Kind::Option { row, .. } => !row.class.is_the_builds() && row.class != Class::LivePatching,
    }
}
