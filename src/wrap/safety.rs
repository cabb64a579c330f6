//! The last resort: a panic anywhere must not reach the build.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::run;
use crate::compiler::find::Target;
use crate::compiler::guard::Passed;
use crate::sys::{self, Ending};

static GIVEN: OnceLock<(Target, Passed)> = OnceLock::new();
static ENDED: OnceLock<Ending> = OnceLock::new();
static RECORDING: AtomicBool = AtomicBool::new(false);

/// From here on, a panic executes the compiler with the arguments given.
pub fn until_started(target: &Target, passed: &Passed) {
    let _ = GIVEN.set((target.clone(), passed.clone()));
    std::panic::set_hook(Box::new(|_| {
        sys::let_go();
        if RECORDING.load(Ordering::Relaxed) {
            std::process::exit(1);
        }
        if let Some(ending) = ENDED.get() {
            sys::end_as(*ending);
        }
        if let Some((target, passed)) = GIVEN.get()
            && let Ok(program) = run::program(&target.program, &target.argv(), passed, &[])
        {
            sys::exec(&program);
        }
        std::process::exit(1);
    }));
}

/// From here on, a panic ends this process as the compiler ended.
pub fn once_ended(ending: Ending) {
    let _ = ENDED.set(ending);
}

/// From here on, in the child that records, a panic is trouble with recording.
pub fn while_recording() {
    RECORDING.store(true, Ordering::Relaxed);
}
