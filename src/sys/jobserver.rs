//! A client of make's jobserver: one token, taken without waiting and given back on every way out.
//!
//! A token that is lost slows the whole build down to its end, so it must also be given back from a signal handler
//! and from the panic hook: what is needed for that, a descriptor and a byte, lies in two statics. The
//! descriptors that `MAKEFLAGS` names may be anybody's (make names them to recipes that it does not give them
//! to), so they are asked what they are before anything is opened here; and the pipe is shared with make itself,
//! so that it must not be made non-blocking: it is opened anew for that.

use std::ffi::{CString, OsStr, c_int};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

/// Where the token goes back to; -1 where none is held.
static GIVE_TO: AtomicI32 = AtomicI32::new(-1);
/// The byte that was taken.
static TOKEN: AtomicU8 = AtomicU8::new(0);

/// How to reach a jobserver.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    /// A pipe that was inherited: descriptors to read from and write to.
    Pipe(c_int, c_int),
    /// A named pipe.
    Fifo(CString),
}

/// What `MAKEFLAGS` says: the last `--jobserver-auth=` (before make 4.2: `--jobserver-fds=`).
fn address(flags: &OsStr) -> Option<Address> {
    let words = flags.as_bytes().split(|byte| *byte == b' ');
    let mut values = words.filter_map(|word| {
        word.strip_prefix(b"--jobserver-auth=").or_else(|| word.strip_prefix(b"--jobserver-fds="))
    });
    let value = values.next_back()?;
    if let Some(path) = value.strip_prefix(b"fifo:") {
        return CString::new(path).ok().map(Address::Fifo);
    }
    let (read, write) = std::str::from_utf8(value).ok()?.split_once(',')?;
    let (read, write) = (read.parse().ok()?, write.parse().ok()?);
    (read >= 0 && write >= 0).then_some(Address::Pipe(read, write))
}

fn is_pipe(fd: c_int) -> bool {
    // SAFETY: zeroed is a valid stat, which the call writes to.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        libc::fstat(fd, &raw mut stat) == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
    }
}

/// A token; given back when dropped.
#[derive(Debug)]
pub struct Token(());

/// A jobserver that can be asked.
#[derive(Debug)]
pub struct Jobserver(Address);

impl Jobserver {
    /// The one that `MAKEFLAGS` names. To be called before any file is opened.
    pub fn find(flags: &OsStr) -> Option<Self> {
        let address = address(flags)?;
        match &address {
            Address::Pipe(read, write) if !is_pipe(*read) || !is_pipe(*write) => None,
            _ => Some(Self(address)),
        }
    }

    /// A token, if one is free just now.
    pub fn try_acquire(&self) -> Option<Token> {
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: system calls on descriptors and strings of ours; the byte read is a local.
        unsafe {
            let (reader, writer) = match &self.0 {
                Address::Pipe(read, write) => {
                    let path = CString::new(format!("/proc/self/fd/{read}")).ok()?;
                    (libc::open(path.as_ptr(), libc::O_RDONLY | flags), *write)
                }
                Address::Fifo(path) => {
                    let both = libc::open(path.as_ptr(), libc::O_RDWR | flags);
                    (both, both)
                }
            };
            if reader < 0 {
                return None;
            }
            let mut byte = 0u8;
            let taken = is_pipe(reader) && libc::read(reader, (&raw mut byte).cast(), 1) == 1;
            if taken {
                TOKEN.store(byte, Ordering::SeqCst);
                GIVE_TO.store(writer, Ordering::SeqCst);
            }
            if !taken || reader != writer {
                libc::close(reader);
            }
            taken.then_some(Token(()))
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives back the token that is held, if one is. Async-signal-safe.
pub fn give_back() {
    let writer = GIVE_TO.swap(-1, Ordering::SeqCst);
    if writer >= 0 {
        let byte = TOKEN.load(Ordering::SeqCst);
        // SAFETY: the descriptor was kept open for this; the byte is a local.
        while unsafe { libc::write(writer, (&raw const byte).cast(), 1) } == -1 {
            // SAFETY: reads this thread's errno.
            if unsafe { *libc::__errno_location() } != libc::EINTR {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makeflags_says() {
        for (flags, expected) in [
            ("", None),
            (" -j --jobserver-auth=3,4", Some(Address::Pipe(3, 4))),
            ("kw -j2 --jobserver-fds=5,6 -j", Some(Address::Pipe(5, 6))),
            ("--jobserver-auth=3,4 --jobserver-auth=fifo:/tmp/x", Some(Address::Fifo(c"/tmp/x".into()))),
            ("--jobserver-auth=-2,-2", None),
            ("--jobserver-auth=x", None),
        ] {
            assert_eq!(address(OsStr::new(flags)), expected, "{flags}");
        }
    }

    #[test]
    fn a_token_goes_back_where_it_came_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let jobserver =
            Jobserver::find(OsStr::new(&format!("--jobserver-auth=fifo:{}", path.display()))).unwrap();
        assert!(jobserver.try_acquire().is_none(), "there is none");
        let held = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut &held, b"z").unwrap();
        let token = jobserver.try_acquire().expect("one is free");
        assert!(jobserver.try_acquire().is_none(), "it is taken");
        drop(token);
        let mut byte = [0];
        std::io::Read::read_exact(&mut &held, &mut byte).unwrap();
        assert_eq!(&byte, b"z");
    }
}
