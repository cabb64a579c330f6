//! The way to standard output.
//!
//! Rust ignores SIGPIPE, so that `lpcc show x.o | head` would end in an error or a panic; here a reader that
//! went away ends the output quietly, and any other failure to write is trouble.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};

use anstream::ColorChoice;
use anyhow::Context;

/// Writes `text` to standard output; its styles only where that is a terminal and colour is wanted.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let is_plain = anstream::AutoStream::choice(&out) == ColorChoice::Never;
    // Many lines at once: a stream that strips writes every line for itself, and a table has thousands. Not all: it may be long.
    let written = lines(text).try_for_each(|lines| {
        let lines = if is_plain { Cow::Owned(plain(lines)) } else { Cow::Borrowed(lines) };
        out.write_all(lines.as_bytes())
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// The text without its styles. (The library's strip looks at every byte; names hold no control characters when they come here,
/// see [`super::bytes::printable`], so that nearly all text stands between two styles.)
fn plain(text: &str) -> String {
    let mut pieces = text.split('\x1b');
    let mut out = String::with_capacity(text.len());
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let style = piece.strip_prefix('[').and_then(|style| style.split_once('m'));
        match style.filter(|(codes, _)| codes.bytes().all(|code| code.is_ascii_digit() || code == b';')) {
            Some((_, behind)) => out.push_str(behind),
            None => return anstream::adapter::strip_str(text).to_string(),
        }
    }
    out
}

/// How many bytes are written at once, and the rest of a line.
const AT_ONCE: usize = 256 << 10;

/// A text in pieces of whole lines.
fn lines(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let rest = text.as_bytes().get(AT_ONCE..).unwrap_or_default();
        let line = rest.iter().position(|byte| *byte == b'\n');
        let (piece, behind) = text.split_at_checked(line.map_or(text.len(), |at| AT_ONCE + at + 1))?;
        text = behind;
        Some(piece).filter(|piece| !piece.is_empty())
    })
}

/// Writes one line about trouble to standard error, one also where a file's name holds the end of a line. Nothing can be done
/// where that fails.
pub fn complain(message: &str) {
    let message = super::bytes::printable(message.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_taken_out_as_the_library_takes_them() {
        for text in [
            "",
            "none",
            "\x1b[1m\x1b[38;5;9mé\x1b[0m and \x1b[2mparts\x1b[0m\n",
            "\x1b[0m",
            "\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\ text",
            "\x1b[2Kerased \x1b[m",
            "cut \x1b",
            "cut \x1b[3",
        ] {
            assert_eq!(plain(text), anstream::adapter::strip_str(text).to_string(), "{text:?}");
        }
    }

    #[test]
    fn no_line_is_lost_or_cut() {
        let line = "é".repeat(40_000) + "\n";
        for text in
            [String::new(), "a".to_owned(), line.repeat(11), line.repeat(11) + "end", "é".repeat(AT_ONCE)]
        {
            let pieces: Vec<&str> = lines(&text).collect();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().rev().skip(1).all(|piece| piece.ends_with('\n')));
        }
        assert!(lines(&line.repeat(11)).count() > 2);
    }
}
