//! The way to standard output.
//!
//! Rust ignores SIGPIPE, so that `lpcc show x.o | head` would end in an error or a panic; here a reader that
//! went away ends the output quietly, and any other failure to write is trouble.

use std::io::{ErrorKind, IsTerminal, Write};

use anyhow::Context;

/// Writes `text` to standard output; its styles only where that is a terminal and colour is wanted.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Writes one line about trouble to standard error. Nothing can be done where that fails.
pub fn complain(message: &str) {
    let mut err = anstream::AutoStream::auto(std::io::stderr().lock());
    let _ = writeln!(err, "lpcc: {message}");
}

/// The width of the terminal on standard output in columns; `None` where it is not one.
pub fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
