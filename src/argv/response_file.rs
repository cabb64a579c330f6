//! `@file`: splitting a response file into words as the compiler does, and writing one that all agree on.
//!
//! GCC up to 14, GCC from 15 on and clang split differently inside quotes and at the edges; see [`Quoting`].
//! Everybody expands at any position of the command line, also behind `-o`; a nested `@file` is looked up from
//! the working directory, not from the containing file; quotes do not protect an `@`; and a file that cannot
//! be read leaves the word as it is.

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
    let bytes = match quoting {
        // GCC reads the file as a C string: everything behind a NUL is lost.
        Quoting::Gcc14 | Quoting::Gcc15 => bytes.split(|&byte| byte == 0).next().unwrap_or_default(),
        Quoting::Clang => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
    };
    let mut words = Vec::new();
    let mut word = Vec::new();
    // A word has begun: for GCC also by a quote or backslash alone, which can make an empty word.
    let mut begun = false;
    let mut quote = None;
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' if escapes(quote, rest.peek().copied(), quoting) => {
                begun = true;
                // At the end of the file GCC drops the backslash.
                word.extend(rest.next().filter(|&next| next != b'\n' || quoting != Quoting::Gcc15));
            }
            _ if quote == Some(byte) => quote = None,
            _ if quote.is_some() => word.push(byte),
            b'\'' | b'"' => {
                begun = true;
                quote = Some(byte);
            }
            _ if separates(byte, quoting) => {
                end_word(&mut words, &mut word, begun, quoting);
                begun = false;
            }
            other => {
                begun = true;
                word.push(other);
            }
        }
    }
    end_word(&mut words, &mut word, begun, quoting);
    words
}

fn end_word(words: &mut Vec<OsString>, word: &mut Vec<u8>, begun: bool, quoting: Quoting) {
    if if quoting == Quoting::Clang { !word.is_empty() } else { begun } {
        words.push(OsString::from_vec(std::mem::take(word)));
    }
}

/// Whether a backslash, inside this quote and before this byte, takes that byte literally.
fn escapes(quote: Option<u8>, next: Option<u8>, quoting: Quoting) -> bool {
    match quoting {
        Quoting::Gcc14 => true,
        Quoting::Gcc15 => match quote {
            None => true,
            Some(b'"') => next.is_none_or(|next| b"$`\"\\\n".contains(&next)),
            Some(_) => false,
        },
        Quoting::Clang => next.is_some(),
    }
}

fn separates(byte: u8, quoting: Quoting) -> bool {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' => true,
        0x0b | 0x0c => quoting != Quoting::Clang,
        0 => quoting == Quoting::Clang,
        _ => false,
    }
}

/// A response file that every compiler splits back into `words`: one word a line, a backslash before each
/// blank, backslash and quote, a newline between single quotes. An empty word cannot be written for clang
/// and becomes `""`, which clang drops.
pub fn quote(words: &[OsString]) -> Vec<u8> {
    let mut out = Vec::new();
    // Clang takes a byte order mark at the start of the file for no part of the first word.
    if words.first().is_some_and(|word| word.as_bytes().starts_with(b"\xef\xbb\xbf")) {
        out.push(b'\n');
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: &[u8], quoting: Quoting) -> Vec<Vec<u8>> {
        split(bytes, quoting).into_iter().map(OsString::into_vec).collect()
    }

    /// The matrix: input, then GCC to 14, GCC from 15, clang; words between `|`, `-` for none.
    #[test]
    fn matrix() {
        let table: &[[&[u8]; 4]] = &[
            [b"'a\\b'", b"ab", b"a\\b", b"ab"],
            [b"\"a\\nb\"", b"anb", b"a\\nb", b"anb"],
            [b"\"a\\ b\"", b"a b", b"a\\ b", b"a b"],
            [b"\"a\\'b\"", b"a'b", b"a\\'b", b"a'b"],
            [b"\"a\\$b\"", b"a$b", b"a$b", b"a$b"],
            [b"\"a\\\\b\"", b"a\\b", b"a\\b", b"a\\b"],
            [b"a\\bc", b"abc", b"abc", b"abc"],
            [b"a\\ b", b"a b", b"a b", b"a b"],
            [b"a\\\nb", b"a\nb", b"ab", b"a\nb"],
            [b"a\x0bb\x0cc", b"a|b|c", b"a|b|c", b"a\x0bb\x0cc"],
            [b"a \"\" b", b"a||b", b"a||b", b"a|b"],
            [b"a''b \"c\"'d'", b"ab|cd", b"ab|cd", b"ab|cd"],
            [b"ab\\", b"ab", b"ab", b"ab\\"],
            [b"a\0b c", b"a", b"a", b"a|b|c"],
            [b"\xef\xbb\xbfa", b"\xef\xbb\xbfa", b"\xef\xbb\xbfa", b"a"],
            [b"# x", b"#|x", b"#|x", b"#|x"],
            [b"'a b", b"a b", b"a b", b"a b"],
            [b" \n\t\r ", b"-", b"-", b"-"],
            [b"", b"-", b"-", b"-"],
        ];
        for [input, gcc14, gcc15, clang] in table {
            for (expected, quoting) in
                [(gcc14, Quoting::Gcc14), (gcc15, Quoting::Gcc15), (clang, Quoting::Clang)]
            {
                let expected: Vec<Vec<u8>> = match *expected {
                    b"-" => Vec::new(),
                    words => words.split(|&byte| byte == b'|').map(<[u8]>::to_vec).collect(),
                };
                assert_eq!(words(input, quoting), expected, "{quoting:?} {:?}", bstr::BStr::new(input));
            }
        }
    }

    #[test]
    fn quoted_for_all() {
        let hard = [" a", "b\n c\\", "'\"", "@x", "#", "\t\r\x0b\x0c", "\u{fc}", "$x`y`"].map(OsString::from);
        for quoting in [Quoting::Gcc14, Quoting::Gcc15, Quoting::Clang] {
            assert_eq!(split(&quote(&hard), quoting), hard, "{quoting:?}");
        }
    }
}
