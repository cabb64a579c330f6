//! A shadow whose line numbers are all other ones: what then differs depends on `__LINE__`.
//!
//! The tempting way is to put lines before the source; that moves the source's own lines and no header's, and a
//! copy of the source no longer finds its headers where it found them. So the source is preprocessed as far as its
//! directives only, macros left as they are (GCC's `-fdirectives-only`, clang's `-frewrite-includes`), every line marker
//! in that is moved, and the result compiled. `__LINE__` is expanded then, and nowhere before.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::call::{Prepared, Started};
use crate::argv::{self, Dialect, Kind, Language};
use crate::wrap::decide::Unit;
use crate::wrap::run;

/// By how much lines move: enough that no line falls on another's old number by accident, and within what old C allows.
const SHIFT: u64 = 1000;

/// Options that bring in a file before the source.
const INCLUDES: [&[u8]; 4] = [b"--imacros", b"--include", b"-imacros", b"-include"];

/// Preprocessing may take this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Preprocesses the source, moves its lines and starts the compile.
pub fn start(
    mut prepared: Prepared,
    unit: &Unit,
    stdin: Option<&File>,
    folder: &Path,
) -> Result<Started, String> {
    if !unit.source.preprocessed {
        return Err("the source is preprocessed already: its lines are fixed".to_owned());
    }
    let clang = is_clang(&prepared);
    // Response files are written out: the source may be named in one.
    let dialect = if clang { Dialect::Clang } else { Dialect::Gcc };
    let line =
        argv::parse(&prepared.arguments, dialect, &mut |name| run::read_response_file(Path::new(name)));
    prepared.arguments = (0..line.word_count()).map(|index| line.word(index).to_os_string()).collect();
    let whole = folder.join("whole");
    let mut words: Vec<OsString> = vec!["-E".into()];
    words.push(if clang { "-frewrite-includes" } else { "-fdirectives-only" }.into());
    words.extend(prepared.arguments.iter().filter(|word| *word != "-c" && *word != "--compile").cloned());
    words.extend(["-o".into(), whole.clone().into_os_string()]);
    let (process, said) = prepared.spawn(&words, stdin)?;
    match process.wait(PATIENCE) {
        Ok(Ok(ended)) if ended.ending.success() => {}
        Ok(Ok(ended)) => return Err(format!("preprocessing: {}", super::why(ended, said))),
        _ => return Err("preprocessing did not end".to_owned()),
    }
    let fail = |error: std::io::Error| format!("the moved source: {error}");
    let moved = moved(&fs::read(&whole).map_err(fail)?);
    // Named like the source: the symbol table holds the name.
    let name = Path::new(&unit.source.text).file_name().unwrap_or(std::ffi::OsStr::new("source"));
    let source = folder.join("tmp").join(name);
    File::create(&source).and_then(|mut file| file.write_all(&moved)).map_err(fail)?;

    let language = if unit.source.language == Language::Cxx { "c++" } else { "c" };
    let mut words: Vec<OsString> = Vec::new();
    if !clang {
        words.extend(["-fpreprocessed".into(), "-fdirectives-only".into()]);
    }
    // Clang writes what `-include` brings out, and would read it again; GCC knows.
    let included: Vec<usize> = line
        .arguments()
        .iter()
        .filter(
            |argument| matches!(argument.kind, Kind::Option { row, .. } if INCLUDES.contains(&row.spelling)),
        )
        .flat_map(|argument| line.words_of(argument))
        .collect();
    let mut forced = false;
    for (index, word) in prepared.arguments.iter().enumerate() {
        if clang && included.contains(&index) {
            continue;
        }
        if *word == unit.source.text {
            words.extend(["-x".into(), language.into(), source.clone().into_os_string()]);
            forced = true;
        } else {
            words.push(word.clone());
        }
    }
    if !forced {
        return Err("its source was not found among the arguments".to_owned());
    }
    prepared.arguments = words;
    prepared.start(None)
}

fn is_clang(prepared: &Prepared) -> bool {
    let named = |path: &Path| path.file_name().and_then(argv::compiler_name);
    let real = fs::canonicalize(&prepared.compiler).unwrap_or_default();
    [prepared.compiler.as_path(), &real]
        .into_iter()
        .filter_map(named)
        .any(|name| name.dialect == Dialect::Clang)
}

/// The text with the number of every line marker moved.
fn moved(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 64);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match marker(line) {
            Some((before, number, after)) => {
                out.extend_from_slice(before);
                out.extend_from_slice((number + SHIFT).to_string().as_bytes());
                out.extend_from_slice(after);
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// A line marker (`# 12 "x.c" 1`, `#line 12 "x.c"`) around its number. Those before the first file (`<built-in>`,
/// `<command-line>`) are markers like all others.
fn marker(line: &[u8]) -> Option<(&[u8], u64, &[u8])> {
    let rest = line.strip_prefix(b"#")?;
    let rest = rest.strip_prefix(b"line").unwrap_or(rest);
    let digits = rest.strip_prefix(b" ")?;
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = digits.split_at_checked(length)?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    let before = line.get(..line.len() - digits.len())?;
    after.starts_with(b" \"").then_some((before, number, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_markers_move() {
        let text =
            b"# 1 \"a b.c\" 1\nint x = __LINE__;\n#line 7 \"y.y\"\n#define A 5\n# 9 text\n#pragma 3 \"x\"\n";
        let expected: &[u8] =
            b"# 1001 \"a b.c\" 1\nint x = __LINE__;\n#line 1007 \"y.y\"\n#define A 5\n# 9 text\n#pragma 3 \"x\"\n";
        assert_eq!(moved(text), expected);
    }
}
