//! The policy enters a call here: found, read and decided on only where it could matter.
//!
//! Trouble with it is never the build's: a configuration that cannot be read leaves the call as it is and is
//! noted. Under `LPCC_STRICT` it fails the call, because a live patch may depend on the flag being there.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::configuration::Configuration;
use super::record;
use super::run::{self, Job};
use crate::argv::{CommandLine, Language};
use crate::compiler::guard::Passed;
use crate::compiler::{accepts, find, identity, optimizers};
use crate::env;
use crate::policy::{self, Origin, Policy, Settings, Shadow, Twice};
use crate::store::Store;
use crate::store::record::Family;

/// Exit status of a call that the policy forbids.
const REFUSED: i32 = 1;

/// Decides on the call and changes its arguments accordingly.
pub fn apply(job: &mut Job) {
    if !policy::may_matter(&job.line) {
        return;
    }
    let Some(compiler) = job.target.compiler.clone() else { return };
    let loaded = load(&job.line, &job.configuration);
    for (file, reason) in &loaded.ignored {
        tracing::warn!(file = %file.display(), reason, "configuration ignored");
    }
    for trouble in loaded.troubles {
        tracing::warn!(trouble, "policy not applied");
        if env::is_on(env::STRICT) {
            run::give_up(&trouble, REFUSED);
        }
        job.notes.push(format!("policy: {trouble}"));
    }
    job.shadows = loaded.shadows;
    if loaded.policy.is_empty() {
        return;
    }
    let asked = Asked::new(&compiler, &job.line, &job.passed, || record::open_store(job).ok());
    let call = policy::Call { line: &job.line, directory: &job.directory };
    let ruling = policy::decide(call, &loaded.policy, &asked);
    drop(asked);
    tracing::debug!(decision = ?ruling.decision, added = ?ruling.added, "policy");
    if let Some(why) = ruling.refused {
        run::give_up(&format!("the policy forbids this call: {why}"), REFUSED);
    }
    job.decision = ruling.decision;
    job.insists = ruling.effective.on_conflict.value == policy::OnConflict::Error && !ruling.added.is_empty();
    let as_written = std::mem::replace(&mut job.run, ruling.run);
    job.as_written = (!ruling.added.is_empty()).then_some(as_written);
    job.ask_for_dump(ruling.dump);
}

/// A call looked at, not run.
#[derive(Debug)]
pub struct Explained {
    /// The real compiler, where the call has one.
    pub compiler: Option<PathBuf>,
    /// What it says of itself.
    pub about: Option<identity::Probed>,
    /// The whole command that would run.
    pub command: Vec<OsString>,
    /// The policy that was found.
    pub loaded: Loaded,
    /// What it says.
    pub ruling: policy::Ruling,
    /// The shadows that would be compiled.
    pub shadows: Vec<Shadow>,
    /// Why others would not.
    pub once: Vec<String>,
    /// What the state of the flag turns off, where it is on and the compiler says.
    pub turned_off: Option<Vec<String>>,
}

/// Decides on the call `words` (a compiler and its arguments) and tells everything about it.
pub fn explain(words: &[OsString]) -> Result<Explained, find::NotFound> {
    let passed = Passed::from_environment();
    let call: Vec<OsString> = std::iter::once(OsString::from("lpcc")).chain(words.iter().cloned()).collect();
    let configuration = Configuration::here();
    let target = find::target(&call, &passed, &|own| configuration.compiler(own))?;
    let mut job = Job::new(target, passed, configuration);
    let loaded = load(&job.line, &job.configuration);
    let compiler = job.target.compiler.clone();
    let (mut ruling, about) = {
        let program = compiler.as_deref().unwrap_or(&job.target.program);
        let asked = Asked::new(program, &job.line, &job.passed, || None);
        let call = policy::Call { line: &job.line, directory: &job.directory };
        let ruling = policy::decide(call, &loaded.policy, &asked);
        (ruling, compiler.is_some().then(|| asked.about().clone()))
    };
    ruling.dump = job.dump_as_called(ruling.dump);
    let level = ruling.decision.live_patching.as_deref();
    let turned_off = level
        .zip(compiler.as_deref())
        .and_then(|(level, compiler)| optimizers::turned_off(compiler, &job.line, level, &job.passed));
    job.run.clone_from(&ruling.run);
    let (shadows, once) = policy::possible(&loaded.shadows, &job.line_as_run());
    Ok(Explained { compiler, about, command: job.argv(), loaded, ruling, shadows, once, turned_off })
}

/// The policy for a call, and what was wrong on the way to it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// All layers that could be read.
    pub policy: Policy,
    /// Where the file was found, be it faulty.
    pub file: Option<PathBuf>,
    /// Files that were passed over, each with the reason.
    pub ignored: Vec<(PathBuf, String)>,
    /// The shadows to compile.
    pub shadows: Vec<Shadow>,
    /// What could not be read.
    pub troubles: Vec<String>,
}

/// The policy for the call `line`, of which the configuration is one layer.
pub fn load(line: &CommandLine, configuration: &Configuration) -> Loaded {
    let read = configuration.read();
    let mut loaded = Loaded { file: read.file.clone(), ignored: read.ignored.clone(), ..Loaded::default() };
    loaded.policy.config.clone_from(&read.config);
    loaded.troubles.extend(read.trouble.clone());
    let environment = env::get(env::POLICY).map(|text| (Origin::Environment, text));
    let marker = line.markers().into_iter().next_back().and_then(|marker| marker.value);
    for (origin, text) in environment.into_iter().chain(marker.map(|text| (Origin::Marker, text))) {
        match Settings::parse(&text.to_string_lossy()) {
            Ok(settings) if settings == Settings::default() => {}
            Ok(settings) => loaded.policy.above.push((origin, settings)),
            Err(what) => loaded.troubles.push(format!("{origin}: {what}")),
        }
    }
    let configured = loaded.policy.config.as_ref().map(|config| config.twice.clone()).unwrap_or_default();
    loaded.shadows = match env::get(env::TWICE) {
        None => configured.chosen,
        Some(text) => {
            Twice::from_words(&text.to_string_lossy(), &configured.defined).unwrap_or_else(|what| {
                loaded.troubles.push(format!("{}: {what}", env::TWICE));
                Vec::new()
            })
        }
    };
    loaded
}

/// The real compiler, asked where the policy wants to know, and what it answered kept in the store.
pub struct Asked<'a, F: Fn() -> Option<Store>> {
    compiler: &'a Path,
    line: &'a CommandLine,
    passed: &'a Passed,
    open: F,
    store: OnceCell<Option<Store>>,
    about: OnceCell<identity::Probed>,
}

impl<'a, F: Fn() -> Option<Store>> Asked<'a, F> {
    /// `open` gives the store, called once at most.
    pub fn new(compiler: &'a Path, line: &'a CommandLine, passed: &'a Passed, open: F) -> Self {
        Self { compiler, line, passed, open, store: OnceCell::new(), about: OnceCell::new() }
    }

    fn store(&self) -> Option<&Store> {
        self.store.get_or_init(&self.open).as_ref()
    }

    fn asked(&self, language: Language) -> accepts::Asked<'a> {
        accepts::Asked { path: self.compiler, line: self.line, language, passed: self.passed }
    }

    fn about(&self) -> &identity::Probed {
        self.about.get_or_init(|| {
            let language = self.line.sources().first().map_or(Language::C, |source| source.language);
            identity::probe(self.store(), self.compiler, self.line, language, self.passed)
        })
    }
}

impl<F: Fn() -> Option<Store>> policy::Compiler for Asked<'_, F> {
    fn family(&self) -> Family {
        self.about().family
    }

    fn version(&self) -> String {
        self.about().version.clone()
    }

    fn target(&self) -> String {
        self.about().target.clone()
    }

    fn accepts(&self, language: Language, options: &[&str]) -> bool {
        accepts::accepts(self.store(), &self.asked(language), options)
    }

    fn hides(&self, language: Language, option: &str, beside: &[&str]) -> bool {
        accepts::hides(self.store(), &self.asked(language), option, beside)
    }
}
