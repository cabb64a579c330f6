//! Ends this process as it should end, whatever befalls it.
//!
//! The tempting way to keep trouble with recording away from the build is a child process for each recording. For
//! a tiny object the fork, the pages copied after it and the child's end cost as much as the recording. So a
//! small recording is made in the process itself, under a guard: a crash, an abort (exhausted memory, a full
//! stack), a limit that the kernel enforces by a signal, or too much time ends the process by the status that was
//! promised, at once and in silence. What no guard can withstand (the kernel's killer of processes that eat up
//! the machine) needs a large object, and those are recorded in a child.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::Ending;

/// Signals by which the kernel or the C library tells that something went wrong in the process itself.
const FATAL: [c_int; 9] = [
    libc::SIGALRM,
    libc::SIGABRT,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGXCPU,
];

/// The promised ending: an exit status, or a signal as a negative number.
static PROMISED: AtomicI32 = AtomicI32::new(0);

static GUARDED: AtomicBool = AtomicBool::new(false);

/// From here on, a fatal signal, or `seconds` that pass, end this process as `ending`.
pub fn guard(seconds: u32, ending: Ending) {
    let promised = match ending {
        Ending::Exited(status) => status,
        Ending::Killed(signal) => -signal,
    };
    PROMISED.store(promised, Ordering::SeqCst);
    GUARDED.store(true, Ordering::SeqCst);
    // SAFETY: zeroed is a valid sigaction and sigset; `keep_promise` has the signature of a plain handler and
    // calls only async-signal-safe functions.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut fatal: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut fatal);
        action.sa_sigaction = keep_promise as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in FATAL {
            libc::sigaddset(&raw mut fatal, signal);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const fatal, std::ptr::null_mut());
        libc::alarm(seconds);
        // A file that grows beyond a limit is then an error of its write, no more.
        super::set_disposition(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Keeps the promise, where there is one, because memory is exhausted.
pub(super) fn exhausted() {
    if GUARDED.load(Ordering::SeqCst) {
        keep_promise(libc::SIGABRT);
    }
}

extern "C" fn keep_promise(_: c_int) {
    super::jobserver::give_back();
    let promised = PROMISED.load(Ordering::SeqCst);
    if promised < 0 {
        super::die_of(-promised);
    }
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(promised) }
}

#[cfg(test)]
mod tests {
    use super::super::in_child;
    use super::*;

    fn end_of(seconds: u32, work: fn()) -> Ending {
        in_child(|| {
            guard(seconds, Ending::Exited(7));
            work();
            0
        })
        .unwrap()
    }

    /// Deeper than any stack.
    fn recurse(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 512]);
        if depth == u64::MAX { 0 } else { recurse(depth + 1) + room.iter().sum::<u64>() }
    }

    #[test]
    fn the_promise_is_kept() {
        assert_eq!(end_of(10, || std::process::abort()), Ending::Exited(7));
        assert_eq!(end_of(10, || assert_ne!(std::hint::black_box(recurse(0)), 1)), Ending::Exited(7));
        assert_eq!(
            // SAFETY: raises a signal that is handled.
            end_of(10, || assert_ne!(unsafe { libc::raise(libc::SIGXCPU) }, 1)),
            Ending::Exited(7)
        );
        assert_eq!(end_of(1, || std::thread::sleep(std::time::Duration::from_secs(20))), Ending::Exited(7));
        assert_eq!(end_of(10, || ()), Ending::Exited(0));
    }

    #[test]
    fn a_promised_signal_kills() {
        let ending = in_child(|| {
            guard(10, Ending::Killed(libc::SIGTERM));
            std::process::abort()
        });
        assert_eq!(ending.unwrap(), Ending::Killed(libc::SIGTERM));
    }
}
