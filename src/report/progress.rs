//! How far a long command has come: one line on standard error, only where that is a terminal.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below this many objects nobody has to wait.
const WORTH_SAYING: usize = 200;
/// One line for this many objects done.
const STEP: usize = 16;

/// A counter of objects done, for any number of threads.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: AtomicUsize,
    visible: bool,
}

impl Progress {
    /// Starts counting towards `total`.
    pub fn new(total: usize) -> Self {
        let visible = total >= WORTH_SAYING && std::io::stderr().is_terminal();
        Self { total, done: AtomicUsize::new(0), visible }
    }

    /// One more is done.
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.visible && done.is_multiple_of(STEP) {
            let _ = write!(std::io::stderr(), "\r{done} of {} objects", self.total);
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
