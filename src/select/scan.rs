//! C and C++ source text, read just far enough: which lines a directive may stand before, and where a function ends.
//!
//! Not a parser: comments, strings, continuation lines and conditionals are told apart, nothing else. What is made of
//! it is proved by compiling, or only used to say where an edit lies.

/// One line and what stands before and in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// A preprocessor line may stand before it: it begins in no comment, string or continued line.
    pub open: bool,
    /// What kind of directive it is.
    pub directive: Directive,
}

/// Directives that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Not one, or one continued from the line before.
    None,
    /// `#if`, `#ifdef`, `#ifndef`.
    If,
    /// `#else`, `#elif` and kin.
    Else,
    /// `#endif`.
    Endif,
    /// `#line N`, or `# N`: the next line has this number.
    Line(u64),
    /// Another one.
    Other,
}

/// What the scanner is inside of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Code,
    BlockComment,
    LineComment,
    Quoted(u8),
    /// A raw string, ended by this.
    Raw(Vec<u8>),
}

/// Goes through text and tells of each byte of code (not of comments, strings and directives).
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    state: State,
    in_directive: bool,
}

/// What one step of the scanner met.
enum Step {
    /// A byte of code, outside of directives.
    Code(u8),
    /// The start of a line.
    Start(Line),
    /// Anything else.
    Other,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, state: State::Code, in_directive: false }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Whether the line before ends in a backslash.
    fn is_continued(&self) -> bool {
        let before = self.text.get(..self.at.saturating_sub(1)).unwrap_or_default();
        before.strip_suffix(b"\r").unwrap_or(before).ends_with(b"\\")
    }

    fn start_of_line(&mut self) -> Line {
        let is_continued = self.at > 0 && self.is_continued();
        if !is_continued {
            self.in_directive = false;
            if matches!(self.state, State::LineComment | State::Quoted(_)) {
                self.state = State::Code; // an unterminated quote ends with its line
            }
        }
        let open = !is_continued && self.state == State::Code;
        let directive =
            if open { directive(self.text.get(self.at..).unwrap_or_default()) } else { Directive::None };
        self.in_directive |= directive != Directive::None;
        Line { open, directive }
    }

    /// Each step but the starts of lines consumes at least a byte.
    fn step(&mut self) -> Step {
        let byte = self.byte(0);
        let mut used = 1;
        let mut met = Step::Other;
        match &self.state {
            State::Code => match (byte, self.byte(1)) {
                (b'/', b'*') => (self.state, used) = (State::BlockComment, 2),
                (b'/', b'/') => (self.state, used) = (State::LineComment, 2),
                (b'"', _) if self.is_raw() => {
                    let rest = self.text.get(self.at + 1..).unwrap_or_default();
                    let name = rest.iter().take_while(|byte| **byte != b'(' && **byte != b'\n').count();
                    let mut end = vec![b')'];
                    end.extend_from_slice(rest.get(..name).unwrap_or_default());
                    end.push(b'"');
                    self.state = State::Raw(end);
                }
                (b'"', _) => self.state = State::Quoted(byte),
                // A digit before: a separator of C23 and C++14 numbers.
                (b'\'', _)
                    if !(self.at > 0 && self.text.get(self.at - 1).is_some_and(u8::is_ascii_hexdigit)) =>
                {
                    self.state = State::Quoted(byte);
                }
                _ if !self.in_directive => met = Step::Code(byte),
                _ => {}
            },
            State::BlockComment => {
                if byte == b'*' && self.byte(1) == b'/' {
                    (self.state, used) = (State::Code, 2);
                }
            }
            State::Quoted(quote) => {
                if byte == b'\\' && self.byte(1) != b'\n' {
                    used = 2;
                } else if byte == *quote {
                    self.state = State::Code;
                }
            }
            State::Raw(end) => {
                if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(end)) {
                    used = end.len();
                    self.state = State::Code;
                }
            }
            State::LineComment => {}
        }
        self.at += used;
        met
    }

    fn is_raw(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default();
        let Some(front) = before.strip_suffix(b"R") else { return false };
        let front =
            [&b"u8"[..], b"u", b"U", b"L"].iter().find_map(|it| front.strip_suffix(*it)).unwrap_or(front);
        !front.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    }
}

impl Iterator for Scanner<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        (self.at < self.text.len()).then(|| self.step())
    }
}

/// What directive a line is, told from its first words.
fn directive(line: &[u8]) -> Directive {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.trim_ascii_start();
    let Some(rest) = words.strip_prefix(b"#") else { return Directive::None };
    words = rest.trim_ascii_start();
    let length = words.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let (word, rest) = words.split_at(length);
    let number = |digits: &[u8]| -> Option<u64> {
        let end = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
    };
    match word {
        b"if" | b"ifdef" | b"ifndef" => Directive::If,
        b"else" | b"elif" | b"elifdef" | b"elifndef" => Directive::Else,
        b"endif" => Directive::Endif,
        b"line" => number(rest.trim_ascii_start()).map_or(Directive::Other, Directive::Line),
        digits => number(digits).map_or(Directive::Other, Directive::Line),
    }
}

/// The lines of `text`, in order.
pub fn lines(text: &[u8]) -> Vec<Line> {
    let mut found = Vec::new();
    walk(text, 0, |step| {
        if let Step::Start(line) = step {
            found.push(*line);
        }
        true
    });
    found
}

/// Goes through `text` from byte `from`, the start of a line, until `visit` gives `false`.
fn walk(text: &[u8], from: usize, mut visit: impl FnMut(&Step) -> bool) {
    let mut scanner = Scanner::new(text);
    scanner.at = from;
    let mut at_start = true;
    loop {
        if at_start && scanner.at < text.len() {
            let line = scanner.start_of_line();
            if !visit(&Step::Start(line)) {
                return;
            }
        }
        let before = scanner.at;
        let Some(step) = scanner.next() else { return };
        if !visit(&step) {
            return;
        }
        // A step of several bytes never crosses the end of a line but in `\` + newline, which is left alone above.
        at_start = text.get(before..scanner.at).is_some_and(|used| used.contains(&b'\n'));
    }
}

/// The last line, from 1, of the function whose declarator begins on line `first`; `None` where no body begins there.
/// Branches of conditionals are taken one at a time, so that braces opened in each do not add up.
pub fn end_of_function(text: &[u8], first: usize) -> Option<usize> {
    let from = offset_of_line(text, first)?;
    let (mut line, mut depth, mut parentheses) = (first.checked_sub(1)?, 0_i64, 0_i64);
    let mut branches: Vec<(i64, i64)> = Vec::new();
    let mut end = None;
    let (mut last, mut lists) = (0, 0_usize);
    walk(text, from, |step| {
        match step {
            Step::Start(found) => {
                line += 1;
                match found.directive {
                    Directive::If => branches.push((depth, parentheses)),
                    Directive::Else => {
                        (depth, parentheses) = branches.last().copied().unwrap_or((depth, parentheses));
                    }
                    Directive::Endif => drop(branches.pop()),
                    _ => {}
                }
            }
            Step::Code(b'{') => depth += 1,
            Step::Code(b'}') => {
                depth -= 1;
                if depth <= 0 {
                    end = (depth == 0).then_some(line);
                    return false;
                }
            }
            Step::Code(b'(') => parentheses += 1,
            Step::Code(b')') => {
                parentheses -= 1;
                lists += usize::from(parentheses == 0);
            }
            // A prototype; in K&R's style declarations of parameters stand between, which the body follows.
            Step::Code(b';') if depth == 0 && parentheses == 0 && last == b')' && lists == 1 => return false,
            _ => {}
        }
        if let Step::Code(byte) = step
            && !byte.is_ascii_whitespace()
        {
            last = *byte;
        }
        true
    });
    end
}

/// Where line `number`, from 1, begins.
fn offset_of_line(text: &[u8], number: usize) -> Option<usize> {
    if number <= 1 {
        return (number == 1).then_some(0);
    }
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(number - 2).filter(|start| *start < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Vec<bool> {
        lines(text.as_bytes()).iter().map(|line| line.open).collect()
    }

    #[test]
    fn where_a_directive_may_stand() {
        assert_eq!(open("int a;\n/* x\ny */ int b;\nint c;\n"), [true, true, false, true]);
        assert_eq!(open("#define M(x) \\\n  x\nint c;\n"), [true, false, true]);
        assert_eq!(open("char *s = \"a\\\nb\";\n// c \\\nd\nint e;\n"), [true, false, true, false, true]);
        assert_eq!(open("auto s = R\"x(\n\")\n)x\";\nint e;\n"), [true, false, false, true]);
        assert_eq!(open("int q = '\"';\nint n = 1'000;\nint m;\n"), [true, true, true]);
        assert_eq!(open("char *s = \"/*\";\nint m;\n"), [true, true]);
        assert_eq!(open("/* // */ int x;\nint y; // \" \nint z;\n"), [true, true, true]);
    }

    #[test]
    fn directives() {
        let kinds: Vec<_> = lines(b"#if X\n # else\n#endif\n#line 12 \"x\"\n# 7 \"y\"\n#define A\nint x;\n")
            .iter()
            .map(|l| l.directive)
            .collect();
        let expected = [
            Directive::If,
            Directive::Else,
            Directive::Endif,
            Directive::Line(12),
            Directive::Line(7),
            Directive::Other,
            Directive::None,
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn where_a_function_ends() {
        let end = |text: &str| end_of_function(text.as_bytes(), 2);
        assert_eq!(end("int x;\nint f(void)\n{\n  if (1) {\n  }\n}\nint g;\n"), Some(6));
        assert_eq!(end("\nint f(a, b)\nint a;\nint (*b)(int);\n{\n}\n"), Some(6));
        assert_eq!(end("\nint f(void);\nint g(void) {\n}\n"), None);
        assert_eq!(
            end("\nint f(void) {\n#ifdef A\n if (a) {\n#else\n if (b) {\n#endif\n }\n}\nint g;\n"),
            Some(9)
        );
        assert_eq!(end("\nint f(void) {\n  s = \"}\"; /* } */\n}\n"), Some(4));
    }
}
