//! What the standard library does not offer: the only unsafe code.
//!
//! The compiler must see the process that lpcc was given: the same signal dispositions, signal mask and
//! descriptors. Rust's start-up changes some of them before `main` (it ignores SIGPIPE and opens `/dev/null`
//! on closed standard descriptors), so a constructor notes them before that and every way of starting the
//! compiler puts them back. `std::process::Command` is not used for the compiler: it resets an inherited
//! ignored SIGPIPE, and its `posix_spawn` leaves the C library's internal signals ignored in the child.
#![allow(unsafe_code, reason = "the one module that may: system calls without a safe wrapper")]

mod beside;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod bytes;
pub mod confine;
mod guard;
pub mod jobserver;
mod memory;

pub use beside::{Attention, Beside, Cut, stopped};
pub use guard::guard;

use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

/// Whether SIGPIPE was ignored before Rust's start-up ignored it.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
/// Which of the descriptors 0 to 2 were closed, one bit each.
static CLOSED: AtomicU8 = AtomicU8::new(0);
/// The compiler that is running; 0 for none.
static CHILD: AtomicI32 = AtomicI32::new(0);

#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture;

/// Runs before Rust's own start-up: notes what that is going to change.
extern "C" fn capture() {
    PIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    let mut closed = 0;
    for fd in 0..3 {
        // SAFETY: asks for the flags of a descriptor number; fails on a closed one.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            closed |= 1 << fd;
        }
    }
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Whether standard input was closed when we were started.
pub fn stdin_was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed) & 1 != 0
}

/// Puts back what Rust's start-up changed. Safe to call between fork and exec.
fn restore() {
    if !PIPE_IGNORED.load(Ordering::Relaxed) {
        set_disposition(libc::SIGPIPE, libc::SIG_DFL);
    }
    let closed = CLOSED.load(Ordering::Relaxed);
    for fd in 0..3 {
        if closed & (1 << fd) != 0 {
            // SAFETY: the descriptor is the `/dev/null` that start-up opened; nothing else holds it.
            unsafe { libc::close(fd) };
        }
    }
}

fn is_ignored(signal: c_int) -> bool {
    // SAFETY: zeroed is a valid sigaction; a null new action only reads the old one.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut old) == 0 && old.sa_sigaction == libc::SIG_IGN
    }
}

fn set_disposition(signal: c_int, disposition: libc::sighandler_t) {
    // SAFETY: only called with SIG_DFL and SIG_IGN.
    unsafe { libc::signal(signal, disposition) };
}

/// A program ready to be executed: everything is allocated before a fork.
#[derive(Debug)]
pub struct Program {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    /// `path` is executed as it stands (no search); `args` is the whole argv, `argv[0]` included; `env` are
    /// whole `NAME=value` entries.
    pub fn new(path: &OsStr, args: &[OsString], env: &[OsString]) -> io::Result<Self> {
        let owned =
            |list: &[OsString]| list.iter().map(|entry| c_string(entry)).collect::<io::Result<Vec<_>>>();
        Ok(Self { path: c_string(path)?, argv: owned(args)?, env: owned(env)? })
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

fn pointers(list: &[CString]) -> Vec<*const c_char> {
    list.iter().map(|entry| entry.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
}

/// The environment as it was given, entry by entry, also entries that hold no `=` and repeated names (which
/// `std::env::vars_os` drops).
pub fn environment() -> Vec<OsString> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut entries = Vec::new();
    // SAFETY: `environ` is null or a null-terminated array of C strings; nothing changes it while we read,
    // as lpcc is single-threaded here and never calls setenv.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            entries.push(OsString::from_vec(std::ffi::CStr::from_ptr(*entry).to_bytes().to_vec()));
            entry = entry.add(1);
        }
    }
    entries
}

/// Becomes `program`. Returns only on failure, with the process unchanged but for SIGPIPE.
pub fn exec(program: &Program) -> io::Error {
    let (argv, env) = (pointers(&program.argv), pointers(&program.env));
    restore();
    // SAFETY: the arrays are null-terminated and outlive the call.
    let error = unsafe {
        libc::execve(program.path.as_ptr(), argv.as_ptr(), env.as_ptr());
        io::Error::last_os_error()
    };
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    // A script without `#!`: run by the shell, as `execvp`, make and every shell do.
    let script = script_arguments(program, &argv);
    // SAFETY: as above.
    unsafe { libc::execve(c"/bin/sh".as_ptr(), script.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

fn script_arguments(program: &Program, argv: &[*const c_char]) -> Vec<*const c_char> {
    let mut script = vec![c"/bin/sh".as_ptr(), program.path.as_ptr()];
    script.extend(argv.iter().skip(1));
    script
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl Ending {
    /// Exit status 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// What a process took, its children included that it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode, in microseconds.
    pub user: u64,
    /// CPU time in the kernel, in microseconds.
    pub system: u64,
    /// Most memory that one of the processes had at a time, in KiB.
    pub memory: u64,
}

impl Usage {
    fn of(usage: &libc::rusage) -> Self {
        let micros = |time: libc::timeval| {
            let micros = time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_usec);
            u64::try_from(micros).unwrap_or_default()
        };
        let memory = u64::try_from(usage.ru_maxrss).unwrap_or_default();
        Self { user: micros(usage.ru_utime), system: micros(usage.ru_stime), memory }
    }
}

/// How a process ended, and what it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// What it took.
    pub usage: Usage,
}

/// Signals that a build sends to stop a compile; they are handed on to the compiler.
const FORWARDED: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Hands a signal on, unless the kernel sent it (a terminal's Ctrl-C reaches the whole group by itself).
extern "C" fn forward(signal: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid siginfo; kill and errno are async-signal-safe.
    unsafe {
        let errno = *libc::__errno_location();
        let child = CHILD.load(Ordering::SeqCst);
        if child > 0 && !info.is_null() && (*info).si_code <= 0 {
            libc::kill(child, signal);
        }
        beside::stop_by(signal);
        *libc::__errno_location() = errno;
    }
}

/// Bytes of stack for the few calls between clone and exec.
const STACK: usize = 64 << 10;

/// What the child needs to become the compiler.
struct Birth {
    parent: libc::pid_t,
    path: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
    script: *const *const c_char,
    stdin: RawFd,
    /// Standard output and error; -1: those of the parent.
    output: RawFd,
    /// A Landlock ruleset to live under; -1: none.
    ruleset: RawFd,
    chld_ignored: bool,
    before: *const libc::sigset_t,
    failed: RawFd,
}

/// The child between clone and exec: only async-signal-safe calls, no allocation, no return.
extern "C" fn become_compiler(birth: *mut libc::c_void) -> c_int {
    // SAFETY: `birth` is a `Birth` of the parent, who waits for the exec; so are all its pointers.
    unsafe {
        let birth = &*birth.cast::<Birth>();
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != birth.parent {
            libc::_exit(127);
        }
        restore();
        if birth.chld_ignored {
            set_disposition(libc::SIGCHLD, libc::SIG_IGN);
        }
        if birth.stdin != -1 {
            libc::dup2(birth.stdin, 0);
        }
        if birth.output != -1 {
            libc::dup2(birth.output, 1);
            libc::dup2(birth.output, 2);
        }
        if birth.ruleset != -1 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::syscall(libc::SYS_landlock_restrict_self, birth.ruleset, 0);
        }
        // Handlers of ours that are there because another child is: exec would drop them, only a moment too late.
        for signal in FORWARDED {
            if !is_ignored(signal) {
                set_disposition(signal, libc::SIG_DFL);
            }
        }
        libc::sigprocmask(libc::SIG_SETMASK, birth.before, std::ptr::null_mut());
        libc::execve(birth.path, birth.argv, birth.env);
        if *libc::__errno_location() == libc::ENOEXEC {
            libc::execve(c"/bin/sh".as_ptr(), birth.script, birth.env);
        }
        let errno = (*libc::__errno_location()).to_ne_bytes();
        libc::write(birth.failed, errno.as_ptr().cast(), errno.len());
        libc::_exit(127)
    }
}

/// What a child is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Standard input instead of ours.
    pub stdin: Option<BorrowedFd<'a>>,
    /// Standard output and error instead of ours.
    pub output: Option<BorrowedFd<'a>>,
    /// A Landlock ruleset that it and its children live under.
    pub ruleset: Option<BorrowedFd<'a>>,
}

/// Runs `program` and waits for it, handing on the signals that stop a build. The child dies with us, so that a killed
/// lpcc leaves no compiler behind that later writes an object. `stdin` replaces standard input.
///
/// An error means that the program was never started.
pub fn run(program: &Program, stdin: Option<BorrowedFd<'_>>) -> io::Result<Ended> {
    let mut saved = Vec::new();
    let started = start(program, Given { stdin, ..Given::default() }, |child| {
        CHILD.store(child, Ordering::SeqCst);
        saved = install_forwarders();
    });
    let Newborn { child, mut failure } = started?;
    // SAFETY: plain system calls on our own memory.
    unsafe {
        let blocked = forwarded();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut before);
        let never_started = start_failure(&mut failure);
        let ended = wait(child, &blocked);
        put_back(saved);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        never_started.map_or(ended, Err)
    }
}

/// A child that was started, or that failed to become the program, which its pipe then says.
struct Newborn {
    child: libc::pid_t,
    failure: File,
}

/// Why the child did not become the program, where it did not. Returns once that is settled.
fn start_failure(failure: &mut File) -> Option<io::Error> {
    let mut errno = [0; 4];
    let failed = io::Read::read_exact(failure, &mut errno).is_ok();
    failed.then(|| io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
}

fn forwarded() -> libc::sigset_t {
    // SAFETY: zeroed is a valid sigset, which the calls write to.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in FORWARDED {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// Starts `program`. `known` is told the child while no signal of [`FORWARDED`] can arrive.
fn start(program: &Program, given: Given<'_>, known: impl FnOnce(libc::pid_t)) -> io::Result<Newborn> {
    let (argv, env) = (pointers(&program.argv), pointers(&program.env));
    let script = script_arguments(program, &argv);
    let (failure, failed) = pipe()?;
    let chld_ignored = is_ignored(libc::SIGCHLD);
    set_disposition(libc::SIGCHLD, libc::SIG_DFL); // else the kernel reaps the child and its status is lost
    let raw = |fd: Option<BorrowedFd<'_>>| fd.map_or(-1, |fd| fd.as_raw_fd());

    // SAFETY: plain system calls on our own memory; the child calls only async-signal-safe functions.
    unsafe {
        let blocked = forwarded();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, &raw const blocked, &raw mut before);
        let mut birth = Birth {
            parent: libc::getpid(),
            path: program.path.as_ptr(),
            argv: argv.as_ptr(),
            env: env.as_ptr(),
            script: script.as_ptr(),
            stdin: raw(given.stdin),
            output: raw(given.output),
            ruleset: raw(given.ruleset),
            chld_ignored,
            before: &raw const before,
            failed: failed.as_raw_fd(),
        };
        // The child shares our memory until its exec and we stand still meanwhile: no page is copied. It has
        // a stack of its own, so nothing of ours is overwritten.
        let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let child = libc::clone(become_compiler, top.cast(), flags, (&raw mut birth).cast());
        let fork_error = (child < 0).then(io::Error::last_os_error);
        if fork_error.is_none() {
            known(child);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        drop(failed);
        match fork_error {
            Some(error) => Err(error),
            None => Ok(Newborn { child, failure }),
        }
    }
}

/// Puts back what [`install_forwarders`] replaced.
fn put_back(saved: Vec<(c_int, libc::sigaction)>) {
    for (signal, action) in saved {
        // SAFETY: the actions came from the kernel.
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
}

/// Forwards each signal of [`FORWARDED`] that was not ignored; gives back the actions it replaced.
fn install_forwarders() -> Vec<(c_int, libc::sigaction)> {
    let mut saved = Vec::new();
    for signal in FORWARDED.into_iter().filter(|signal| !is_ignored(*signal)) {
        // SAFETY: zeroed is a valid sigaction; `forward` has the signature that SA_SIGINFO asks for.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut old: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = forward as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            if libc::sigaction(signal, &raw const action, &raw mut old) == 0 {
                saved.push((signal, old));
            }
        }
    }
    saved
}

/// Waits for `child`. It is left unreaped until no handler can signal its process id any more.
fn wait(child: libc::pid_t, blocked: &libc::sigset_t) -> io::Result<Ended> {
    // SAFETY: zeroed is a valid siginfo; the calls write only to the locals given.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let id = libc::id_t::try_from(child).unwrap_or_default();
        while libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOWAIT) == -1 {
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break;
            }
        }
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::from_ref(blocked), std::ptr::null_mut());
        CHILD.store(0, Ordering::SeqCst);
        reap(child)
    }
}

/// Waits for `child` and takes its status.
fn reap(child: libc::pid_t) -> io::Result<Ended> {
    // SAFETY: zeroed is a valid rusage; the call writes only to the locals given.
    unsafe {
        let mut status = 0;
        let mut usage: libc::rusage = std::mem::zeroed();
        while libc::wait4(child, &raw mut status, 0, &raw mut usage) == -1 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        let ending = if libc::WIFSIGNALED(status) {
            Ending::Killed(libc::WTERMSIG(status))
        } else {
            Ending::Exited(libc::WEXITSTATUS(status))
        };
        Ok(Ended { ending, usage: Usage::of(&usage) })
    }
}

/// Gives up what is held for a process beside the compiler: to be called before this one exits or becomes another without
/// running destructors. Nothing where nothing is held.
pub fn let_go() {
    jobserver::give_back();
    beside::abandon();
}

/// Ends this process as another one ended.
pub fn end_as(ending: Ending) -> ! {
    let_go();
    match ending {
        Ending::Exited(status) => std::process::exit(status),
        Ending::Killed(signal) => die_of(signal),
    }
}

/// Ends this process by `signal`. Async-signal-safe.
fn die_of(signal: c_int) -> ! {
    // SAFETY: plain system calls; the compiler's own core file must not be overwritten by ours.
    unsafe {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        set_disposition(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::kill(libc::getpid(), signal);
        libc::_exit(128 + signal)
    }
}

/// Runs `work` in a child process and tells how it ended. Whatever befalls it cannot touch the caller. `work` gives the
/// exit status. Only for a process with a single thread.
pub fn in_child(work: impl FnOnce() -> u8) -> io::Result<Ending> {
    set_disposition(libc::SIGCHLD, libc::SIG_DFL);
    // SAFETY: single-threaded, so the child may do whatever the parent may; it never returns from here.
    unsafe {
        let child = libc::fork();
        match child {
            -1 => Err(io::Error::last_os_error()),
            0 => libc::_exit(c_int::from(work())),
            child => wait(child, &std::mem::zeroed()).map(|ended| ended.ending),
        }
    }
}

fn pipe() -> io::Result<(File, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: pipe2 writes two descriptors, which nothing else owns.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) == -1 {
            return Err(io::Error::last_os_error());
        }
        let [read, write] = ends;
        Ok((File::from_raw_fd(read), OwnedFd::from_raw_fd(write)))
    }
}

/// A file that lives in memory only, closed on exec. Other processes of the same user reach it under
/// [`descriptor_path`]; it can fill no disk and leaves nothing behind however we end.
pub fn memory_file() -> io::Result<File> {
    // SAFETY: memfd_create gives a new descriptor, which nothing else owns.
    unsafe {
        let fd = libc::memfd_create(c"lpcc".as_ptr(), libc::MFD_CLOEXEC);
        if fd == -1 { Err(io::Error::last_os_error()) } else { Ok(File::from_raw_fd(fd)) }
    }
}

/// The name by which a child of ours can open `file`, where it can.
pub fn descriptor_path(file: &File) -> Option<std::path::PathBuf> {
    // SAFETY: reads an attribute of this process. Without it, /proc/PID/fd belongs to root.
    if unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } != 1 {
        return None;
    }
    let path = std::path::PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    File::options().append(true).open(&path).is_ok().then_some(path)
}
