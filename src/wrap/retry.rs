//! A call to which lpcc added an option, and what becomes of it when it fails.
//!
//! Not everything that a compiler refuses can be foreseen: an `optimize` attribute, a specs file. To tell from
//! the messages would be to parse translated text. So while such a call runs, its standard error is held back; if it ends well, that is shown,
//! and if not, it is dropped and the call is run as written, and that run alone is what the build sees.
//!
//! Standard error goes to memory, or, where it is a terminal, to one of the same size: the compiler chooses
//! colours by it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::{stdio, termios};

use super::run::{self, Job};
use crate::argv::{self, CommandLine};
use crate::policy::Action;
use crate::sys::{self, Ending};

/// Exit status where the policy insists on an option that the call fails with.
const REFUSED: i32 = 1;

/// Signals by which a build is stopped: such a call is not run again.
const STOPS: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Runs the call, and runs it again as written where it fails for whatever reason with what lpcc added. `extra` gives
/// what is added to the environment, anew for each run.
pub fn run(job: &mut Job, extra: &mut dyn FnMut(&Job) -> Vec<(&'static str, OsString)>) -> Ending {
    if job.as_written.is_none() && job.dump.is_none() {
        let extra = extra(job);
        return job.run(&extra, None);
    }
    let held = Held::start();
    let first = match &held {
        Ok(_) => job.start(&extra(job), None),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    let text = held.map(Held::finish).unwrap_or_default();
    let done = match &first {
        Ok(Ending::Killed(signal)) => STOPS.contains(signal),
        Ok(ending) => ending.success(),
        Err(_) => false,
    };
    if let Ok(ending) = first
        && done
    {
        let _ = io::stderr().write_all(&text); // nobody is left to tell
        return ending;
    }
    tracing::warn!(?first, "the call failed with what was added; running it as written");
    again(job, &text, extra)
}

fn again(job: &mut Job, text: &[u8], extra: &mut dyn FnMut(&Job) -> Vec<(&'static str, OsString)>) -> Ending {
    let as_written = job.as_written.take();
    let asked_for_dump = job.dump.take().is_some();
    let policy_stays = as_written.is_none();
    if let Some(as_written) = as_written {
        job.run = as_written;
    }
    let held = if job.insists { Held::start().ok() } else { None };
    let variables = extra(job);
    let started = job.start(&variables, None);
    let Ok(ending) = started else {
        drop(held.map(Held::finish));
        job.execute()
    };
    if let Some(held) = held {
        let second = held.finish();
        if ending.success() {
            for output in outputs(&job.line) {
                let _ = std::fs::remove_file(job.directory.join(output)); // not for make to take for done
            }
            let _ = io::stderr().write_all(text);
            let why = format!("{}: the call fails with it (on-conflict = error)", job.decision.reason);
            run::give_up(&format!("the policy forbids this call: {why}"), REFUSED);
        }
        let _ = io::stderr().write_all(&second);
    }
    if asked_for_dump {
        job.notes
            .push("clones = true: no dump: the call failed with the option and was run without".to_owned());
    }
    if policy_stays {
        return ending;
    }
    let said = std::mem::take(&mut job.decision.reason);
    job.decision.action = Action::Keep;
    job.decision.reason = format!("{said}; the call failed with it and was run as written");
    job.decision.live_patching = job.line.live_patching().map(|level| level.to_string_lossy().into_owned());
    job.notes.push("the call failed with what the policy added, and was run as written".to_owned());
    ending
}

/// What the call writes, as it names it.
fn outputs(line: &CommandLine) -> Vec<OsString> {
    if let Some(output) = line.output() {
        return vec![output.to_owned()];
    }
    match line.action() {
        argv::Action::Object => line.planned_objects().into_iter().map(|(_, output)| output).collect(),
        argv::Action::Assembly => line
            .sources()
            .iter()
            .filter_map(|source| {
                Some(Path::new(Path::new(&source.text).file_name()?).with_extension("s").into())
            })
            .collect(),
        argv::Action::Link => vec![OsString::from("a.out")],
        _ => Vec::new(),
    }
}

/// Standard error, held back until [`Held::finish`].
struct Held {
    own: OwnedFd,
    to: To,
}

enum To {
    Memory(File),
    /// A terminal of ours, and who reads what is written to it.
    Terminal(JoinHandle<Vec<u8>>),
}

impl Held {
    fn start() -> io::Result<Self> {
        let own = rustix::io::fcntl_dupfd_cloexec(stdio::stderr(), 3)?;
        let (to, inner) = if termios::isatty(&own) {
            let (reader, terminal) = terminal_like(&own)?;
            (To::Terminal(std::thread::spawn(move || read_all(reader))), terminal)
        } else {
            let memory = sys::memory_file()?;
            let inner = OwnedFd::from(memory.try_clone()?);
            (To::Memory(memory), inner)
        };
        stdio::dup2_stderr(&inner)?;
        Ok(Self { own, to })
    }

    /// Gives standard error back, and what was written to it.
    fn finish(self) -> Vec<u8> {
        let _ = stdio::dup2_stderr(&self.own);
        match self.to {
            To::Memory(mut memory) => {
                let mut text = Vec::new();
                let _ = memory.rewind().and_then(|()| memory.read_to_end(&mut text));
                text
            }
            To::Terminal(reader) => reader.join().unwrap_or_default(),
        }
    }
}

/// Until the last writer is gone: the kernel then says EIO.
fn read_all(mut reader: File) -> Vec<u8> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return text,
            Ok(count) => text.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return text,
        }
    }
}

/// Both ends of a terminal with the size and settings of `model`, which leaves its output as it is.
fn terminal_like(model: &OwnedFd) -> io::Result<(File, OwnedFd)> {
    let reader = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&reader)?;
    unlockpt(&reader)?;
    let name = ptsname(&reader, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let terminal = rustix::fs::open(name, flags, rustix::fs::Mode::empty())?;
    if let Ok(mut settings) = termios::tcgetattr(model) {
        settings.output_modes.remove(termios::OutputModes::OPOST);
        termios::tcsetattr(&terminal, termios::OptionalActions::Now, &settings)?;
    }
    if let Ok(size) = termios::tcgetwinsize(model) {
        let _ = termios::tcsetwinsize(&terminal, size);
    }
    Ok((File::from(reader), terminal))
}
