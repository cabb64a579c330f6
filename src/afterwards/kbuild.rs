//! What kbuild keeps beside an object: `.fork.o.cmd`, with the command that made it and what that read.
//!
//! ```text
//! savedcmd_kernel/fork.o := gcc -Wp,-MMD,… -c -o kernel/fork.o kernel/fork.c  ; ./tools/objtool/objtool --orc kernel/fork.o
//! source_kernel/fork.o := kernel/fork.c
//! deps_kernel/fork.o := \
//!   include/linux/slab.h \
//!     $(wildcard include/config/FOO) \
//! ```
//!
//! (`cmd_` before Linux 6.3.) The command is shell text within make text, so it is undone in that order. It may be several
//! commands: the compile, then what rewrites its object within the same rule. Nothing of it is run to find out.

use bstr::{BString, ByteSlice};

/// One `.cmd` file, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// What was made, as make calls it.
    pub target: BString,
    /// The commands in order, each a program with its arguments.
    pub commands: Vec<Vec<BString>>,
    /// Whether the shell does more with them than run one after the other (redirections, pipes, substitutions).
    pub is_shell: bool,
    /// The source that the command compiled, as make calls it; `None` where nothing tells.
    pub source: Option<BString>,
    /// Files read, without the source; `None` where the file has no list.
    pub files: Option<Vec<BString>>,
}

/// Reads a `.cmd` file; `None` where it is no such file.
pub fn parse(text: &[u8]) -> Option<Saved> {
    let mut saved = Saved::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((name, value)) = line.split_once_str(" := ") else { continue };
        let made = [b"savedcmd_".as_slice(), b"cmd_"].iter().find_map(|start| name.strip_prefix(*start));
        if let Some(target) = made.filter(|_| saved.target.is_empty()) {
            saved.target = target.into();
            let mut value = value.to_vec();
            while value.last() == Some(&b'\\') {
                value.pop();
                value.extend_from_slice(lines.next().unwrap_or_default());
            }
            (saved.commands, saved.is_shell) = commands(&undo_make(&value));
        } else if name.starts_with(b"source_") {
            saved.source = Some(value.trim_ascii().into());
        } else if name.starts_with(b"deps_") {
            saved.files = Some(list(value, &mut lines));
        }
    }
    (!saved.target.is_empty() && !saved.commands.is_empty()).then_some(saved)
}

/// A list over several lines that end in a backslash. What stands for configuration options is no file.
fn list<'a>(first: &'a [u8], lines: &mut impl Iterator<Item = &'a [u8]>) -> Vec<BString> {
    let mut files = Vec::new();
    let mut line = first;
    loop {
        let (text, goes_on) = match line.trim_ascii_end().strip_suffix(b"\\") {
            Some(text) => (text.trim_ascii(), true),
            None => (line.trim_ascii(), false),
        };
        if !text.is_empty() && !text.starts_with(b"$(wildcard ") {
            files.push(undo_make(text).into());
        }
        match lines.next() {
            Some(next) if goes_on => line = next,
            _ => return files,
        }
    }
}

/// Make's own escapes: `$$` and `$(pound)`.
fn undo_make(text: &[u8]) -> Vec<u8> {
    text.replace("$(pound)", "#").replace("$$", "$")
}

/// Shell text as commands, each a list of words; and whether there is more to it than that.
pub fn commands(text: &[u8]) -> (Vec<Vec<BString>>, bool) {
    let mut shell = Shell::default();
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match (shell.quote, byte) {
            (Some(b'\''), b'\'') | (Some(b'"'), b'"') => shell.quote = None,
            (Some(b'\''), _) => shell.word.push(byte),
            (Some(_), b'\\') => match rest.peek().copied() {
                Some(next @ (b'$' | b'`' | b'"' | b'\\')) => {
                    rest.next();
                    shell.word.push(next);
                }
                _ => shell.word.push(byte),
            },
            (_, b'$' | b'`') => {
                shell.more = true;
                shell.push(byte);
            }
            (Some(_), _) => shell.word.push(byte),
            (None, b'\\') => match rest.next() {
                Some(b'\n') | None => {}
                Some(next) => shell.push(next),
            },
            (None, b'\'' | b'"') => {
                shell.quote = Some(byte);
                shell.begun = true;
            }
            (None, b' ' | b'\t') => shell.end_word(),
            (None, b';' | b'\n') => shell.end_command(),
            (None, b'&') if rest.peek() == Some(&b'&') => {
                rest.next();
                shell.end_command();
            }
            (None, b'&' | b'|') => {
                shell.more = true;
                shell.end_command();
            }
            (None, b'<' | b'>' | b'(' | b')' | b'{' | b'}') => {
                shell.more = true;
                shell.end_word();
            }
            (None, _) => shell.push(byte),
        }
    }
    shell.end_command();
    (shell.commands, shell.more)
}

/// Where reading shell text stands.
#[derive(Default)]
struct Shell {
    commands: Vec<Vec<BString>>,
    command: Vec<BString>,
    word: BString,
    begun: bool,
    quote: Option<u8>,
    more: bool,
}

impl Shell {
    fn push(&mut self, byte: u8) {
        self.begun = true;
        self.word.push(byte);
    }

    fn end_word(&mut self) {
        if std::mem::take(&mut self.begun) || !self.word.is_empty() {
            self.command.push(std::mem::take(&mut self.word));
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.command.is_empty() {
            self.commands.push(std::mem::take(&mut self.command));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let (commands, _) = commands(text.as_bytes());
        commands.into_iter().map(|words| words.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn shell_text_is_split_as_a_shell_does() {
        for (text, expected) in [
            (r#"gcc -DN='"a b"' -o x.o x.c"#, vec![vec!["gcc", r#"-DN="a b""#, "-o", "x.o", "x.c"]]),
            (
                r#"gcc -D"S(s)=#s" a\ b.c ; objtool --orc x.o"#,
                vec![vec!["gcc", "-DS(s)=#s", "a b.c"], vec!["objtool", "--orc", "x.o"]],
            ),
            (r"gcc a\ b.c && ld", vec![vec!["gcc", "a b.c"], vec!["ld"]]),
            (r"gcc 'a\ b.c';ld", vec![vec!["gcc", r"a\ b.c"], vec!["ld"]]),
            ("a '' ''", vec![vec!["a", "", ""]]),
            ("  ;; ", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert!(!commands(br"gcc '$x' \$y; ld").1);
        for more in ["gcc $x", "gcc `x`", "gcc > log", "gcc | tee", "( gcc )", "gcc &"] {
            assert!(commands(more.as_bytes()).1, "{more}");
        }
    }

    #[test]
    fn a_file_of_kbuild() {
        let text = b"savedcmd_kernel/a.o := gcc -D'A=$(pound)1$$' -c -o kernel/a.o ../k/a.c  ; ./objtool --orc kernel/a.o\n\n\
            source_kernel/a.o := ../k/a.c\n\ndeps_kernel/a.o := \\\n    $(wildcard include/config/X) \\\n  ../k/b.h \\\n  c.h \\\n\n\
            kernel/a.o: $(deps_kernel/a.o)\n\n$(deps_kernel/a.o):\n";
        let saved = parse(text).unwrap();
        assert_eq!(saved.target, "kernel/a.o");
        assert_eq!(saved.commands.len(), 2);
        assert_eq!(saved.commands[0][1], "-DA=#1$");
        assert_eq!(saved.source, Some("../k/a.c".into()));
        assert_eq!(saved.files, Some(vec!["../k/b.h".into(), "c.h".into()]));
        assert_eq!(parse(b"cmd_x := ld -r -o x a.o").unwrap().commands[0].len(), 5);
        assert_eq!((parse(b""), parse(b"source_a := b"), parse(b"deps_x := \\")), (None, None, None));
    }
}
