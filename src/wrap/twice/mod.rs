//! Compiling twice: shadows beside the primary, so that the build never notices.
//!
//! The tempting way, to run the call again with another `-o`, is what the double compilers of today do, and it
//! corrupts dependency files and prints every warning twice. Here a shadow
//!
//! - is given arguments in which nothing is left that only writes ([`crate::argv`]), an environment without requests
//!   to write, a folder of its own for its output and temporaries, and memory for what it says ([`call`]);
//! - is forbidden by the kernel to write anywhere else ([`sys::confine`]), so that an option nobody thought of costs a
//!   fingerprint and no build;
//! - calls the true compiler, never a cache;
//! - is a finding where it fails, never a failed build.
//!
//! It runs beside the primary where make's jobserver has a token to spare, else when the primary is done; and not
//! at all where the store holds what it would make ([`again`]).

mod again;
mod call;

mod lines;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::decide::Unit;
use super::run::Job;
use crate::argv::{CommandLine, Language};
use crate::env;
use crate::object::{self, Hash};
use crate::policy::{self, COMPILED_ONCE, Difference, Shadow};
use crate::store::record::{Compiler, Completeness, Cost, Inputs, Outcome, ShadowCall, Variant};
use crate::store::{self, Scratch, Store, UnitEntry};
use crate::sys::jobserver::{Jobserver, Token};
use crate::sys::{self, Attention, Cut, Ended, Ending, Usage};
use call::{Prepared, Started};

/// A shadow may take this long, and [`TIMES`] as long as its primary: far beyond any real compile, and short of a build
/// that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const TIMES: u32 = 20;

/// What a unit is known to be made of; learned once, for its record and its shadows.
#[derive(Debug)]
pub struct Known {
    /// What it was made from.
    pub inputs: Inputs,
    /// By whom.
    pub compiler: Compiler,
}

/// One shadow of one unit.
#[derive(Debug)]
struct Task {
    /// Index of the unit.
    unit: usize,
    shadow: Shadow,
    /// What the store had of the unit before.
    old: Option<UnitEntry>,
    made: Option<Made>,
}

/// A shadow that was compiled, or need not be.
#[derive(Debug)]
enum Made {
    /// The object is there.
    Object { path: PathBuf, call: ShadowCall, cost: Cost, inputs: PathBuf },
    /// The store has it: which variant of the old record it is, and how it was compiled.
    Before(usize, ShadowCall),
    /// It could not be compiled; why.
    Failed(ShadowCall, String),
    /// The build was stopped: nothing is said of it.
    Stopped,
}

/// All shadows of a call.
#[derive(Debug)]
pub struct Twice {
    /// The call as it runs.
    line: CommandLine,
    tasks: Vec<Task>,
    jobserver: Option<Jobserver>,
    /// The folder of all shadows, and what keeps a signal from ending us before it is removed.
    scratch: Option<(Scratch, Attention)>,
    running: Option<(usize, Started)>,
    token: Option<Token>,
    stdin: Option<Vec<u8>>,
}

impl Twice {
    /// Plans the shadows of `units`; `None` where there are none. What was asked for and cannot be is noted in the job.
    /// `stdin` is what standard input held.
    pub fn new(job: &mut Job, units: &[Unit], store: &Store, stdin: Option<&[u8]>) -> Option<Self> {
        if job.shadows.is_empty() || job.target.compiler.is_none() {
            return None;
        }
        let jobserver = env::get(env::MAKEFLAGS).and_then(|flags| Jobserver::find(&flags));
        let line = job.line_as_run();
        let ours = |unit: &Unit| matches!(unit.source.language, Language::C | Language::Cxx);
        let (mut shadows, mut notes) = policy::possible(&job.shadows, &line);
        if let Some(why) = call::reads_once(&line, stdin.is_some()) {
            notes = vec![format!("{COMPILED_ONCE}{why}")];
            shadows.clear();
        }
        tracing::debug!(?notes, "shadows planned");
        job.shadows = shadows;
        job.notes.append(&mut notes);
        let recording = store::Recording::open(store, None).ok();
        let tasks: Vec<Task> = units
            .iter()
            .enumerate()
            .filter(|(_, unit)| ours(unit))
            .flat_map(|(index, unit)| {
                let old =
                    recording.as_ref().and_then(|recording| recording.find(&unit.output).ok().flatten());
                let task = move |shadow: &Shadow| Task {
                    unit: index,
                    shadow: shadow.clone(),
                    old: old.clone(),
                    made: None,
                };
                job.shadows.iter().map(task)
            })
            .collect();
        let stdin = stdin.map(<[u8]>::to_vec);
        (!tasks.is_empty()).then_some(Self {
            line,
            tasks,
            jobserver,
            scratch: None,
            running: None,
            token: None,
            stdin,
        })
    }

    /// Starts a shadow beside the primary, if the jobserver has a token to spare and there is one to be compiled.
    pub fn beside(&mut self, job: &Job, units: &[Unit], store: &Store) {
        let Some(jobserver) = &self.jobserver else { return };
        let stale = |task: &Task| {
            task.shadow.difference != Difference::Lines && !again::likely(task, job, &self.line, units, store)
        };
        let Some(index) = self.tasks.iter().position(stale) else { return };
        let Some(token) = jobserver.try_acquire() else { return };
        self.token = Some(token);
        match self.start(index, job, units, store) {
            Ok(started) => self.running = Some((index, started)),
            Err(why) => {
                tracing::debug!(why, "the shadow did not start beside the primary");
                self.token = None;
            }
        }
    }

    /// How long the shadows may take at most after a primary that took `wall`.
    pub fn patience(&self, wall: Duration) -> Duration {
        (PATIENCE + wall * TIMES) * u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    /// Finishes all shadows after the primary, which took `wall`. `known` is what each unit is made of.
    pub fn finish(
        &mut self,
        job: &Job,
        units: &[Unit],
        known: &[Option<Known>],
        wall: Duration,
        store: &Store,
    ) {
        self.token = None; // the primary has ended: its place is ours
        let limit = PATIENCE + wall * TIMES;
        let line = job.line_as_run();
        if line.given() != self.line.given() {
            // The call failed with what the policy added, and was run as written: that is the primary now.
            self.running = None;
            self.line = line;
        }
        for index in 0..self.tasks.len() {
            let mut made = self.make(index, (job, units, store), known, limit);
            let stopped = matches!(made, Made::Stopped);
            let unit = self.tasks.get(index).map(|task| task.unit);
            let partial = |known: &Known| known.inputs.completeness != Completeness::Full;
            if let Made::Object { call, inputs, .. } = &mut made
                && unit.and_then(|unit| known.get(unit)?.as_ref()).is_some_and(partial)
            {
                call.inputs = again::inputs(inputs, job, store);
            }
            if let Some(task) = self.tasks.get_mut(index) {
                task.made = Some(made);
            }
            if stopped {
                break;
            }
        }
    }

    fn make(
        &mut self,
        index: usize,
        (job, units, store): (&Job, &[Unit], &Store),
        known: &[Option<Known>],
        limit: Duration,
    ) -> Made {
        if let Some((running, started)) = self.running.take_if(|(running, _)| *running == index) {
            tracing::debug!(shadow = running, "waiting for a shadow that runs beside the primary");
            return ended(started, limit);
        }
        let Some(task) = self.tasks.get(index).filter(|_| self.scratch.is_none() || !sys::stopped()) else {
            return Made::Stopped;
        };
        if let Some(known) = known.get(task.unit).and_then(Option::as_ref)
            && let Some((variant, call)) = again::made_before(task, job, &self.line, known, units, store)
        {
            tracing::debug!(shadow = task.shadow.name, "the store has this shadow");
            return Made::Before(variant, call);
        }
        match self.start(index, job, units, store) {
            Ok(started) => ended(started, limit),
            Err(why) => Made::Failed(self.shadow_call(index, job, units), why),
        }
    }

    fn shadow_call(&self, index: usize, job: &Job, units: &[Unit]) -> ShadowCall {
        let task = self.tasks.get(index);
        let unit = task.and_then(|task| units.get(task.unit));
        let words = task
            .zip(unit)
            .map(|(task, unit)| call::arguments(&self.line, unit, &task.shadow))
            .unwrap_or_default();
        let compiler = task.and_then(|task| call::other_compiler(&task.shadow, job).ok().flatten());
        call::shadow_call(&words, compiler.as_deref())
    }

    fn start(&mut self, index: usize, job: &Job, units: &[Unit], store: &Store) -> Result<Started, String> {
        let Some((task, unit)) = self.tasks.get(index).and_then(|task| Some((task, units.get(task.unit)?)))
        else {
            return Err("no such unit".to_owned());
        };
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert((call::scratch(store)?, Attention::new())),
        };
        let folder = scratch.0.path().join(index.to_string());
        let prepared = Prepared::new(job, &self.line, unit, &task.shadow, &folder)?;
        let stdin = self.stdin.as_deref().map(call::in_memory).transpose()?;
        match task.shadow.difference {
            Difference::Lines => lines::start(prepared, unit, stdin.as_ref(), &folder),
            _ => prepared.start(stdin.as_ref()),
        }
    }

    /// The variants of unit `index`, read, with how they were compiled and what that took. `primary` is the primary's
    /// variant: what has its bytes has its fingerprints.
    pub fn variants(&mut self, index: usize, primary: &Variant) -> Vec<(Variant, ShadowCall, Option<Cost>)> {
        let tasks = self.tasks.iter_mut().filter(|task| task.unit == index);
        tasks
            .filter_map(|task| {
                let name = task.shadow.name.clone();
                Some(match task.made.take()? {
                    Made::Before(variant, call) => {
                        let (variant, cost) = again::load(task.old.as_ref()?, variant)?;
                        (variant, call, cost)
                    }
                    Made::Object { path, call, cost, .. } => (read(name, &path, primary), call, Some(cost)),
                    Made::Failed(call, why) => (failed(name, &why), call, None),
                    Made::Stopped => return None,
                })
            })
            .collect()
    }

    /// Whether the record that the store has of unit `index` is just what would be written now: nothing was compiled but the
    /// primary, and that is the same. Then there is nothing to read, to fingerprint or to write.
    pub fn stands(&self, index: usize, unit: &Unit, job: &Job, known: &Known, primary: Hash) -> bool {
        let mut tasks = self.tasks.iter().filter(|task| task.unit == index).peekable();
        let old = tasks.peek().and_then(|task| task.old.as_ref());
        let before = |task: &Task| matches!(task.made, Some(Made::Before(..)));
        let count = tasks.clone().count();
        tasks.all(before) && old.is_some_and(|old| again::stands(old, count, unit, job, known, primary))
    }

    /// Bytes of all objects that are to be read.
    pub fn size(&self) -> u64 {
        let objects = self.tasks.iter().filter_map(|task| match &task.made {
            Some(Made::Object { path, .. }) => std::fs::metadata(path).ok(),
            _ => None,
        });
        objects.map(|meta| meta.len()).sum()
    }
}

/// Waits for a shadow and says what came of it.
fn ended(started: Started, limit: Duration) -> Made {
    let Started { process, output, said, call, shadow, inputs } = started;
    let began = process.began();
    match process.wait(limit) {
        Err(Cut::Stopped) => Made::Stopped,
        Err(Cut::TooLong) => Made::Failed(call, format!("it took longer than {} seconds", limit.as_secs())),
        Ok(Err(error)) => Made::Failed(call, format!("it could not be waited for: {error}")),
        Ok(Ok(ended)) if ended.ending.success() && output.is_file() => {
            Made::Object { path: output, call, cost: cost(&shadow, ended.usage, began.elapsed()), inputs }
        }
        Ok(Ok(ended)) => Made::Failed(call, why(ended, said)),
    }
}

/// What a compile took, as it is kept.
pub fn cost(name: &str, usage: Usage, wall: Duration) -> Cost {
    let wall = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
    Cost { name: name.to_owned(), user: usage.user, system: usage.system, wall, memory: usage.memory }
}

/// Why a compile gave nothing: its ending, and the first error it named.
fn why(ended: Ended, said: File) -> String {
    let how = match ended.ending {
        Ending::Exited(0) => "it wrote no object".to_owned(),
        Ending::Exited(status) => format!("exit status {status}"),
        Ending::Killed(signal) => format!("killed by signal {signal}"),
    };
    let text = call::from_memory(said);
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let telling = lines.clone().find(|line| line.contains_str("error")).or_else(|| lines.next());
    match telling {
        Some(line) => format!("{how}: {}", line.to_str_lossy().chars().take(300).collect::<String>()),
        None => how,
    }
}

fn failed(name: String, why: &str) -> Variant {
    tracing::debug!(shadow = name, why, "the shadow failed");
    let fingerprints = Outcome::Unreadable(format!("the shadow compile failed: {why}"));
    Variant { name, hash: Hash([0; 32]), size: 0, fingerprints }
}

fn read(name: String, path: &Path, primary: &Variant) -> Variant {
    let object = match std::fs::read(path) {
        Ok(object) => object,
        Err(error) => return failed(name, &format!("the object could not be read: {error}")),
    };
    let hash = Hash::of(&object);
    let fingerprints = if hash == primary.hash {
        primary.fingerprints.clone()
    } else {
        let started = Instant::now();
        let outcome = object::fingerprint(&object);
        tracing::debug!(microseconds = started.elapsed().as_micros(), shadow = name, "shadow fingerprinted");
        outcome.map_or_else(|error| Outcome::Unreadable(error.to_string()), Outcome::Read)
    };
    Variant { name, hash, size: object.len() as u64, fingerprints }
}
