//! A process that runs beside the compiler, and that nobody may notice: the shadow's compiler.
//!
//! There is one at a time. It dies with us (the kernel sees to that), a signal that stops the build stops it, and it is stopped where it
//! takes too long. A killed driver would leave its compiler proper behind, so all its children are ended too.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use super::{Ended, Given, Newborn, Program};

/// The process; 0 for none.
static BESIDE: AtomicI32 = AtomicI32::new(0);
/// Whether the build was asked to stop.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Notes that the build is to stop, and stops the process that is there. Async-signal-safe.
pub(super) fn stop_by(signal: c_int) {
    STOPPED.store(true, Ordering::SeqCst);
    let child = BESIDE.load(Ordering::SeqCst);
    if child > 0 {
        // SAFETY: a child of ours that was not waited for yet.
        unsafe { libc::kill(child, signal) };
    }
}

/// Ends the process that is there, where this one is about to become another or to exit: nothing waits for it then.
pub(super) fn abandon() {
    let child = BESIDE.swap(0, Ordering::SeqCst);
    if child > 0 {
        // SAFETY: a child of ours that was not waited for yet.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
}

/// As long as it lives, a signal that stops a build does not end this process at once, which has something to put away
/// first; [`stopped`] tells of it.
#[derive(Debug)]
pub struct Attention {
    replaced: Vec<(c_int, Saved)>,
}

impl Attention {
    /// From here on.
    #[expect(clippy::new_without_default, reason = "it changes what signals do")]
    pub fn new() -> Self {
        STOPPED.store(false, Ordering::SeqCst);
        let replaced = super::install_forwarders().into_iter().map(|(signal, old)| (signal, Saved(old)));
        Self { replaced: replaced.collect() }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        let replaced = std::mem::take(&mut self.replaced).into_iter();
        super::put_back(replaced.map(|(signal, old)| (signal, old.0)).collect());
    }
}

/// Whether the build was asked to stop.
pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// A process beside the compiler; stopped when dropped.
#[derive(Debug)]
pub struct Beside {
    child: libc::pid_t,
    /// Readable once it has ended.
    ended: Option<OwnedFd>,
    began: Instant,
}

/// A disposition that was replaced.
struct Saved(libc::sigaction);

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("disposition")
    }
}

/// Why a process beside gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The build was asked to stop.
    Stopped,
    /// It took longer than it may.
    TooLong,
}

impl Beside {
    /// Starts it. Between [`Attention::new`] and its drop only.
    pub fn start(program: &Program, given: Given<'_>) -> io::Result<Self> {
        let known = |child| BESIDE.store(child, Ordering::SeqCst);
        let Newborn { child, mut failure } = super::start(program, given, known)?;
        let failed = super::start_failure(&mut failure);
        // SAFETY: gives a new descriptor, which nothing else owns, or -1 on a kernel without them.
        let ended = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, child, 0) as c_int;
            (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
        };
        let mut beside = Self { child, ended, began: Instant::now() };
        if let Some(error) = failed {
            let _ = beside.reap(); // it became nothing
            return Err(error);
        }
        Ok(beside)
    }

    /// When it was started.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Waits until it ends, at most `limit` from now.
    pub fn wait(mut self, limit: Duration) -> Result<io::Result<Ended>, Cut> {
        let end = Instant::now() + limit;
        while let Some(ended) = &self.ended {
            if stopped() {
                return Err(Cut::Stopped);
            }
            let left = end.saturating_duration_since(Instant::now()).as_millis();
            if left == 0 {
                return Err(Cut::TooLong);
            }
            let mut poll = libc::pollfd { fd: ended.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            let left = c_int::try_from(left).unwrap_or(c_int::MAX);
            // SAFETY: one entry, which the call writes to.
            if unsafe { libc::poll(&raw mut poll, 1, left) } > 0 {
                break;
            }
        }
        let ended = self.reap();
        if stopped() { Err(Cut::Stopped) } else { Ok(ended) }
    }

    fn reap(&mut self) -> io::Result<Ended> {
        let ended = super::reap(self.child);
        BESIDE.store(0, Ordering::SeqCst);
        self.child = 0;
        ended
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if self.child == 0 {
            return;
        }
        // It cannot have children it does not tell of: it stands still meanwhile.
        // SAFETY: a child of ours that was not waited for yet, and its descendants.
        unsafe {
            libc::kill(self.child, libc::SIGSTOP);
            for descendant in descendants(self.child).into_iter().rev() {
                libc::kill(descendant, libc::SIGKILL);
            }
            libc::kill(self.child, libc::SIGKILL);
        }
        let _ = self.reap(); // it is gone either way
    }
}

/// The children of `process`, and theirs, as far as the kernel tells.
fn descendants(process: libc::pid_t) -> Vec<libc::pid_t> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(one) = found.get(next) {
        let tasks = fs::read_dir(format!("/proc/{one}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<libc::pid_t> = lists
            .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
            .collect();
        found.extend(children);
        next += 1;
    }
    found.drain(1..).collect()
}
