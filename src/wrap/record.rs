//! Recording a compile: watch it, let it run, read what came out, and end as it did.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bstr::BString;

use super::decide::{Unit, Work};
use super::inputs::Watch;
use super::run::{self, Job};
use super::twice::{self, Known, Twice};
use super::{link, retry, safety};
use crate::argv::Source;
use crate::compiler::identity;
use crate::env;
use crate::object::{self, Hash, Workers};
use crate::store::record::{Call, Cost, Note, NoteKind, Outcome, Record, Variant};
use crate::store::{self, Store};
use crate::sys::{self, Ending};

/// Longest time that recording one call may take, in seconds: far beyond any real object, and short of a
/// build that hangs.
const LONGEST: u32 = 600;

/// Outputs of at most this many bytes in all are recorded in this process, larger ones in a child: beside what it
/// took to make those, a fork is nothing, and no bug can make much of a small one.
const SMALL: u64 = 1 << 20;

/// The name of the variant that the build asked for.
pub const PRIMARY: &str = "primary";

/// Exit status of the child that records.
const RECORDED: u8 = 0;
const TROUBLE: u8 = 1;

/// Exit status of a call that compiled and could not be recorded, where [`env::STRICT`] asks for it.
const STRICT_FAILURE: i32 = 1;

/// Runs the call, records what it made and ends as the compiler did.
pub fn compile(job: &mut Job, work: &Work) -> ! {
    let store = match open_store(job) {
        Ok(store) => store,
        Err(why) => {
            tracing::warn!(why, "not recorded");
            if env::is_on(env::STRICT) {
                run::give_up(&format!("not recorded: {why}"), STRICT_FAILURE);
            }
            job.dump = None; // nothing would keep it
            match job.as_written {
                None => job.execute(),
                Some(_) => sys::end_as(retry::run(job, &mut |_| Vec::new()).ending),
            }
        }
    };
    if env::is_set(env::CCACHE_DISABLE) && job.target.launchers.is_empty() {
        tracing::warn!(
            "called by a compiler cache: cached objects hide the policy; use `lpcc ccache gcc` instead"
        );
    }
    let mut watch = Watch::Unknown("a link");
    let stdin =
        if matches!(work, Work::Objects(_)) && job.line.reads_stdin() { run::buffer_stdin() } else { None };
    let before: Vec<Option<State>> = outputs(work).into_iter().map(State::of).collect();
    let mut twice = match work {
        Work::Objects(units) => {
            Twice::new(job, units, &store, stdin.as_ref().map(|(_, text)| text.as_slice()))
        }
        Work::Linked { .. } => None,
    };
    if let (Some(twice), Work::Objects(units)) = (&mut twice, work) {
        twice.beside(job, units, &store);
    }

    let mut environment = |job: &Job| {
        if matches!(work, Work::Objects(_)) {
            watch = Watch::new(job);
        }
        watch.environment()
    };
    let began = Instant::now();
    let sys::Ended { ending, usage } = match &stdin {
        Some((stdin, _)) => job.run(&environment(job), Some(stdin)),
        None => retry::run(job, &mut environment),
    };
    let wall = began.elapsed();
    safety::once_ended(ending);
    let job = &*job;

    let made: Vec<bool> = outputs(work)
        .into_iter()
        .zip(&before)
        // Of a call that failed, only what it did make: the other sources' objects.
        .map(|(output, before)| State::of(output).is_some_and(|now| ending.success() || Some(now) != *before))
        .collect();
    if !made.contains(&true) {
        drop(twice);
        sys::end_as(ending);
    }
    let stdin = stdin.map(|(_, text)| text);
    if !ending.success() {
        twice = None;
    }
    let mut attempt =
        Attempt { job, store: &store, stdin: stdin.as_deref(), twice, primary: None, known: Vec::new() };
    if let (Work::Objects(units), Some(twice)) = (work, &attempt.twice) {
        let seconds = u32::try_from(twice.patience(wall).as_secs()).unwrap_or(u32::MAX);
        sys::guard(LONGEST.saturating_add(seconds), ending);
        attempt.finish_shadows(units, &mut watch, (usage, wall));
    }
    let size: u64 = outputs(work).into_iter().filter_map(State::of).map(|state| state.2).sum();
    if size + attempt.twice.as_ref().map_or(0, Twice::size) <= SMALL && !env::is_on(env::STRICT) {
        sys::guard(LONGEST, ending);
        if !attempt.record(work, &made, &mut watch) {
            tracing::warn!("trouble with recording");
        }
        drop(attempt);
        sys::end_as(ending);
    }
    let recorded = sys::in_child(|| {
        safety::while_recording();
        sys::guard(LONGEST, Ending::Exited(TROUBLE.into()));
        if attempt.record(work, &made, &mut watch) { RECORDED } else { TROUBLE }
    });
    drop(attempt);
    if !recorded.is_ok_and(Ending::success) {
        tracing::warn!("trouble with recording");
        if env::is_on(env::STRICT) {
            for output in outputs(work) {
                let _ = std::fs::remove_file(output);
            }
            run::give_up(
                &"the call succeeded but could not be recorded, and `LPCC_STRICT` is set",
                STRICT_FAILURE,
            );
        }
    }
    sys::end_as(ending)
}

fn outputs(work: &Work) -> Vec<&Path> {
    match work {
        Work::Objects(units) => units.iter().map(|unit| unit.output.as_path()).collect(),
        Work::Linked { output, .. } => vec![output.as_path()],
    }
}

/// What tells that a file was written anew.
#[derive(Debug, PartialEq, Eq)]
struct State(u64, u64, u64, i64, i64);

impl State {
    /// Of a regular file, also behind a link.
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some(Self(meta.dev(), meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
    }
}

pub fn open_store(job: &Job) -> Result<Store, String> {
    let (explicit, home, state) =
        (job.configuration.store(), env::path(env::HOME), env::path(env::XDG_STATE_HOME));
    let root: PathBuf = store::locate(explicit.as_deref(), &job.directory, home.as_deref(), state.as_deref())
        .ok_or("no place for a store")?;
    Store::open(&root).or_else(|_| Store::create(&root)).map_err(|error| error.to_string())
}

/// The call as a record keeps it.
pub fn call(job: &Job) -> Call {
    let bytes = |text: &std::ffi::OsStr| BString::from(text.as_bytes());
    let pairs = env::recorded(&sys::environment());
    Call {
        given: job.line.given().iter().map(|word| bytes(word)).collect(),
        run: job.run.iter().map(|word| bytes(word)).collect(),
        response_files: Call::response_files_of(&job.line),
        launchers: job.target.launchers.iter().map(|path| bytes(path.as_os_str())).collect(),
        directory: bytes(job.directory.as_os_str()),
        environment: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
    }
}

/// The clones dump that the compiler wrote, where it was asked for.
pub fn dump(job: &Job) -> Option<BString> {
    job.dump.as_ref().map(|file| BString::from(file.read()))
}

/// The recording of a call that ended.
struct Attempt<'a> {
    job: &'a Job,
    store: &'a Store,
    stdin: Option<&'a [u8]>,
    /// The shadows, where there are any.
    twice: Option<Twice>,
    /// What the primary took, where there are shadows to hold it against.
    primary: Option<Cost>,
    /// What each unit is made of, where that was learned for its shadows.
    known: Vec<Option<Known>>,
}

impl Attempt<'_> {
    /// Lets the shadows end. `took` is what the primary took.
    fn finish_shadows(&mut self, units: &[Unit], watch: &mut Watch, (usage, wall): (sys::Usage, Duration)) {
        let Some(mut twice) = self.twice.take() else { return };
        self.known = units.iter().map(|unit| self.known(units, unit, watch)).collect();
        twice.finish(self.job, units, &self.known, wall, self.store);
        self.twice = Some(twice);
        self.primary = Some(twice::cost(PRIMARY, usage, wall));
    }

    /// What a unit is made of, and by whom; `None` where there is no compiler.
    fn known(&self, units: &[Unit], unit: &Unit, watch: &mut Watch) -> Option<Known> {
        let compiler = self.job.target.compiler.as_ref()?;
        let (job, store) = (self.job, self.store);
        let compiler = identity::identify(store, compiler, &job.line, unit.source.language, &job.passed);
        let inputs = watch.inputs(job, (units, unit), compiler.family, self.stdin, store);
        Some(Known { inputs, compiler })
    }

    /// Records all that was made; whether that went without trouble.
    fn record(&mut self, work: &Work, made: &[bool], watch: &mut Watch) -> bool {
        match work {
            Work::Objects(units) => units
                .iter()
                .zip(made)
                .filter(|(_, made)| **made)
                // All are tried, also where one meets trouble.
                .map(|(unit, _)| usize::from(!self.unit(units, unit, watch)))
                .sum::<usize>()
                .eq(&0),
            Work::Linked { output, sources } => {
                self.say_that_no_dump_is_kept(output, sources);
                let written = self.store.write_link(&link::record(self.job, output, sources, self.store));
                written.map_err(|error| tracing::warn!(%error, "the link was not recorded")).is_ok()
            }
        }
    }

    /// Sources that are compiled and linked in one call have no record to say it in.
    fn say_that_no_dump_is_kept(&self, output: &Path, sources: &[Source]) {
        let (Some(reason), Some(source)) = (self.job.wanted_dump.note(), sources.first()) else { return };
        let note = Note {
            kind: NoteKind::Remark,
            source: Some(BString::from(source.text.as_bytes())),
            output: Some(BString::from(output.as_os_str().as_bytes())),
            reason,
            call: Some(call(self.job)),
        };
        if let Err(error) = self.store.note(&note) {
            tracing::warn!(%error, "not noted that there is no clones dump");
        }
    }

    fn unit(&mut self, units: &[Unit], unit: &Unit, watch: &mut Watch) -> bool {
        let object = match std::fs::read(&unit.output) {
            Ok(object) => object,
            Err(error) => return self.trouble(unit, &format!("the object could not be read: {error}")),
        };
        let position = units.iter().position(|other| other.index == unit.index).unwrap_or_default();
        let known = self.known.get_mut(position).and_then(Option::take);
        let Some(known) = known.or_else(|| self.known(units, unit, watch)) else { return false };
        let (job, store) = (self.job, self.store);
        let hash = Hash::of(&object);
        if self.twice.as_ref().is_some_and(|twice| twice.stands(position, unit, job, &known, hash)) {
            tracing::debug!("the record that the store has stands");
            return true;
        }
        let started = Instant::now();
        let outcome = match object::fingerprint_with(&object, Workers::FEW) {
            Ok(prints) => Outcome::Read(prints),
            Err(error) => Outcome::Unreadable(error.to_string()),
        };
        tracing::debug!(microseconds = started.elapsed().as_micros(), "fingerprinted"); // scripts/bench reads it
        let Known { inputs, compiler } = known;
        let primary =
            Variant { name: PRIMARY.to_owned(), hash, size: object.len() as u64, fingerprints: outcome };
        let made = self.twice.as_mut().map(|twice| twice.variants(position, &primary)).unwrap_or_default();
        let mut variants = vec![primary];
        let (mut shadows, mut costs) = (Vec::new(), Vec::new());
        // Several sources in one call: what each took is not known.
        costs.extend(self.primary.clone().filter(|_| units.len() == 1));
        for (variant, call, cost) in made {
            variants.push(variant);
            shadows.push(call);
            costs.extend(cost);
        }
        let record = Record {
            unit: store::record::Unit {
                source: BString::from(unit.source.text.as_bytes()),
                output: BString::from(unit.output.as_os_str().as_bytes()),
                language: unit.source.language,
            },
            call: call(job),
            decision: job.decision.clone(),
            inputs,
            compiler,
            variants,
            notes: job.notes.clone(),
            shadows,
            clones: dump(job),
            rewriters: Vec::new(),
        };
        if !record.shadows.is_empty()
            && let Err(error) = store.write_costs(&unit.output, &costs)
        {
            tracing::warn!(%error, "what the variants took is not kept");
        }
        match store.write_unit(&record) {
            Ok(place) => {
                tracing::debug!(record = %place.display(), "recorded");
                true
            }
            Err(error) => self.trouble(unit, &error.to_string()),
        }
    }

    /// Says in the recording, or at least in the log, what went wrong.
    fn trouble(&self, unit: &Unit, reason: &str) -> bool {
        tracing::warn!(reason, output = %unit.output.display(), "not recorded");
        let note = Note {
            kind: NoteKind::Trouble,
            source: Some(BString::from(unit.source.text.as_bytes())),
            output: Some(BString::from(unit.output.as_os_str().as_bytes())),
            reason: reason.to_owned(),
            call: Some(call(self.job)),
        };
        if let Err(error) = self.store.note(&note) {
            tracing::warn!(%error, "not even noted");
        }
        false
    }
}
