//! How far a long command has come: one line on standard error, only where that is a terminal.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below this many objects nobody has to wait.
const WORTH_SAYING: usize = 200;
/// One line for this many objects done.
const STEP: usize = 16;
/// Compiles take longer.
const WORTH_SAYING_OF_REPLAYS: usize = 2;

/// A counter of objects done, for any number of threads.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: AtomicUsize,
    visible: bool,
    step: usize,
    noun: &'static str,
}

impl Progress {
    /// Starts counting towards `total`.
    pub fn new(total: usize) -> Self {
        Self::with(total, WORTH_SAYING, STEP, "objects")
    }

    /// Starts counting towards `total` units replayed.
    pub fn of_replays(total: usize) -> Self {
        let progress = Self::with(total, WORTH_SAYING_OF_REPLAYS, 1, "units");
        progress.say(0);
        progress
    }

    fn with(total: usize, worth: usize, step: usize, noun: &'static str) -> Self {
        let visible = total >= worth && std::io::stderr().is_terminal();
        Self { total, done: AtomicUsize::new(0), visible, step, noun }
    }

    fn say(&self, done: usize) {
        if self.visible {
            let _ = write!(std::io::stderr(), "\r{done} of {} {}", self.total, self.noun);
        }
    }

    /// One more is done.
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(self.step) {
            self.say(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.visible {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
