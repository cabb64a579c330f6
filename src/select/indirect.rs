//! Functions that a patch touches from afar: through a macro, a type or a declaration.
//!
//! No hunk lies in them, but the text that the compiler saw differs. So both sides are preprocessed and their top-level pieces
//! compared: a function whose own piece differs was edited through a macro; one that names a type or declaration whose piece
//! differs, or a type that holds one, was compiled against another. C only: in C++ a piece may be a whole namespace.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::{BStr, BString, ByteSlice};

use super::edits::File;
use crate::analysis::why::Indirect;

/// A piece of preprocessed text that ends at the top level.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece<'t> {
    tokens: Vec<&'t BStr>,
    /// The function that it defines.
    function: Option<&'t BStr>,
    /// The names that it declares otherwise.
    names: Vec<&'t BStr>,
}

/// Functions of either side that an edit reaches through something else, and through what. `has_body` tells which functions
/// were compiled by themselves: one that was not, and that debug information does not know of, is in those that name it.
pub fn functions(
    old: &[u8],
    new: &[u8],
    files: &[File<'_>],
    has_body: &dyn Fn(&BStr) -> bool,
) -> BTreeMap<BString, Indirect> {
    let (old, new) = (pieces(old), pieces(new));
    let mut found = BTreeMap::new();
    let bodies = |pieces: &[Piece<'_>]| -> HashMap<BString, Vec<BString>> {
        let functions =
            pieces.iter().filter_map(|piece| Some((BString::from(piece.function?), owned(&piece.tokens))));
        functions.collect()
    };
    let (was, is) = (bodies(&old), bodies(&new));
    let macros = edited_macros(files);
    for (name, body) in &is {
        if was.get(name).is_some_and(|other| other != body) {
            found.insert(name.clone(), Indirect { detail: through_macro(&macros), via: Vec::new() });
        }
    }
    for (name, place) in edited_names(&old, &new, files) {
        let users = old.iter().chain(&new).filter(|piece| piece.tokens.contains(&name));
        for function in users.filter_map(|piece| piece.function) {
            found
                .entry(function.into())
                .or_insert_with(|| Indirect { detail: place.clone(), via: Vec::new() });
        }
    }
    dissolved(&old, &new, has_body, &mut found);
    found
}

/// Adds the functions that name one of `found` which has no body anywhere: it went into them without a trace.
fn dissolved(
    old: &[Piece<'_>],
    new: &[Piece<'_>],
    has_body: &dyn Fn(&BStr) -> bool,
    found: &mut BTreeMap<BString, Indirect>,
) {
    let mut waiting: Vec<BString> = found.keys().filter(|name| !has_body(name.as_bstr())).cloned().collect();
    while let Some(callee) = waiting.pop() {
        let via = found.get(&callee).map(|indirect| indirect.via.clone()).unwrap_or_default();
        let users = old.iter().chain(new).filter(|piece| piece.tokens.iter().any(|token| **token == callee));
        for user in users.filter_map(|piece| piece.function) {
            if found.contains_key(&BString::from(user)) {
                continue;
            }
            let via = std::iter::once(callee.clone()).chain(via.iter().cloned()).collect();
            let detail = "by the source: nothing is left of it in debug information".to_owned();
            found.insert(user.into(), Indirect { detail, via });
            if !has_body(user) {
                waiting.push(user.into());
            }
        }
    }
}

fn owned(tokens: &[&BStr]) -> Vec<BString> {
    tokens.iter().map(|token| BString::from(*token)).collect()
}

fn through_macro(macros: &[(BString, String)]) -> String {
    match macros {
        [] => "its text as preprocessed differs".to_owned(),
        [(name, place)] => format!("through the macro {name}, edited at {place}"),
        [(name, place), ..] => format!("through macros such as {name}, edited at {place}"),
    }
}

/// Macros that the hunks define, and where.
fn edited_macros(files: &[File<'_>]) -> Vec<(BString, String)> {
    let mut found = Vec::new();
    for file in files {
        let Some(text) = file.edited.new.as_ref().or(file.edited.old.as_ref()) else { continue };
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        for hunk in &file.hunks {
            // A macro's later lines are edited through its first.
            let mut first = hunk.new.start;
            while first > 1 && lines.get(first - 2).is_some_and(|line| line.trim_ascii_end().ends_with(b"\\"))
            {
                first -= 1;
            }
            for number in first..hunk.new.end.max(first + 1) {
                let Some(line) = lines.get(number - 1) else { break };
                let rest = line.trim_ascii_start().strip_prefix(b"#").map(<[u8]>::trim_ascii_start);
                let Some(rest) = rest.and_then(|rest| rest.strip_prefix(b"define")) else { continue };
                let name: BString =
                    rest.trim_ascii_start().iter().copied().take_while(|byte| is_word(*byte)).collect();
                found.push((name, format!("{}:{number}", file.edited.path.display())));
            }
        }
    }
    found
}

/// Names whose pieces differ, and those of types that name them in turn; with what to say.
fn edited_names<'t>(old: &[Piece<'t>], new: &[Piece<'t>], files: &[File<'_>]) -> Vec<(&'t BStr, String)> {
    let declared = |pieces: &[Piece<'t>]| -> BTreeSet<(Vec<&'t BStr>, Vec<&'t BStr>)> {
        let others = pieces.iter().filter(|piece| piece.function.is_none());
        others.map(|piece| (piece.tokens.clone(), piece.names.clone())).collect()
    };
    let (was, is) = (declared(old), declared(new));
    let place = files.first().map(|file| {
        let line = file.hunks.first().map_or(1, |hunk| hunk.new.start);
        format!("{}:{line}", file.edited.path.display())
    });
    let place = place.unwrap_or_default();
    let mut names: BTreeMap<&BStr, String> = BTreeMap::new();
    for (_, declares) in was.symmetric_difference(&is) {
        for name in declares {
            names
                .entry(*name)
                .or_insert_with(|| format!("through the declaration of {name}, edited at {place}"));
        }
    }
    // What holds an edited type is laid out anew itself.
    loop {
        let mut more: Vec<(&BStr, String)> = Vec::new();
        for (tokens, declares) in is.iter().filter(|(tokens, _)| is_type(tokens)) {
            let Some(held) = tokens.iter().find_map(|token| names.get(token)) else { continue };
            more.extend(
                declares.iter().filter(|name| !names.contains_key(*name)).map(|name| (*name, held.clone())),
            );
        }
        if more.is_empty() {
            return names.into_iter().collect();
        }
        names.extend(more);
    }
}

/// Whether a piece defines a type: a body before any list (which may be that of a pointer to a function in it), or a typedef.
fn is_type(tokens: &[&BStr]) -> bool {
    let first = |wanted: &str| tokens.iter().position(|token| *token == wanted);
    let names_kind = tokens.iter().any(|token| matches!(token.as_bytes(), b"struct" | b"union" | b"enum"));
    let has_body = first("{").is_some_and(|body| first("(").is_none_or(|list| body < list));
    (names_kind && has_body) || tokens.first().is_some_and(|token| *token == "typedef")
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

/// Splits preprocessed text into pieces that end with `;` or a function's `}` at the top level.
fn pieces(text: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut tokens: Vec<&BStr> = Vec::new();
    let mut depth = 0_usize;
    for token in Tokens(text) {
        tokens.push(token);
        match token.as_bytes() {
            b"{" | b"(" | b"[" => depth += 1,
            b")" | b"]" => depth = depth.saturating_sub(1),
            b"}" => {
                depth = depth.saturating_sub(1);
                if depth == 0
                    && let Some(function) = defined(&tokens)
                {
                    let tokens = std::mem::take(&mut tokens);
                    pieces.push(Piece { tokens, function: Some(function), names: Vec::new() });
                }
            }
            // In K&R's style the parameters are declared before the body.
            b";" if depth == 0 && !is_old_style(&tokens) => {
                let tokens = std::mem::take(&mut tokens);
                let names = declared(&tokens);
                pieces.push(Piece { tokens, function: None, names });
            }
            _ => {}
        }
    }
    pieces
}

/// Whether these tokens, which end in `;`, are a definition in K&R's style before its body: words follow the first list.
fn is_old_style(tokens: &[&BStr]) -> bool {
    let Some(close) = end_of_list(tokens) else { return false };
    let behind = tokens.get(close + 1).map(|token| token.as_bytes());
    let is_attribute = |word: &[u8]| word.starts_with(b"__") || word == b"asm";
    behind.is_some_and(|word| word.first().is_some_and(|byte| is_word(*byte)) && !is_attribute(word))
        && !tokens.contains(&BStr::new("typedef"))
        && !tokens.contains(&BStr::new("="))
}

/// Where the first parameter list at the top level closes; it stands behind a name.
fn end_of_list(tokens: &[&BStr]) -> Option<usize> {
    let open = tokens.iter().position(|token| *token == "(")?;
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.as_bytes() {
            b"(" => depth += 1,
            b")" => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// The function whose definition these tokens are: the last name before a list at the top level, attributes left out.
fn defined<'t>(tokens: &[&'t BStr]) -> Option<&'t BStr> {
    let body = tokens.iter().position(|token| *token == "{")?;
    let head = tokens.get(..body)?;
    if head.contains(&BStr::new("=")) {
        return None;
    }
    let mut depth = 0_usize;
    let mut previous: Option<&BStr> = None;
    for token in head {
        match token.as_bytes() {
            b"(" => {
                let name = previous.filter(|name| name.first().is_some_and(|byte| is_word(*byte)));
                let is_attribute =
                    name.is_some_and(|name| name.starts_with(b"__attribute") || *name == "__asm__");
                if depth == 0 && name.is_some() && !is_attribute {
                    return name;
                }
                depth += 1;
            }
            b")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous = Some(token);
    }
    None
}

/// The names that a declaration gives: tags, enumerators, and what stands before `;`, `,`, `=`, `[` or `(` at the top level.
fn declared<'t>(tokens: &[&'t BStr]) -> Vec<&'t BStr> {
    let mut names = Vec::new();
    let (mut depth, mut in_enum) = (0_usize, false);
    let mut previous: &BStr = BStr::new("");
    for token in tokens {
        let is_name =
            |token: &BStr| token.first().is_some_and(|byte| is_word(*byte) && !byte.is_ascii_digit());
        match token.as_bytes() {
            b"{" | b"(" | b"[" => {
                if depth == 0 && is_name(previous) && *token != "{" {
                    names.push(previous);
                }
                in_enum |= depth == 0 && *token == "{" && tokens.contains(&BStr::new("enum"));
                depth += 1;
            }
            b"}" | b")" | b"]" => depth = depth.saturating_sub(1),
            b";" | b"," | b"=" if depth == 0 && is_name(previous) => names.push(previous),
            // A tag is declared where a body follows it, else only used.
            _ if depth == 0
                && matches!(previous.as_bytes(), b"struct" | b"union" | b"enum")
                && tokens.contains(&BStr::new("{"))
                && is_name(token) =>
            {
                names.push(token);
            }
            _ if depth == 1 && in_enum && is_name(token) && matches!(previous.as_bytes(), b"{" | b",") => {
                names.push(token);
            }
            _ => {}
        }
        previous = token;
    }
    names.retain(|name| {
        !matches!(name.as_bytes(), b"struct" | b"union" | b"enum" | b"__attribute__" | b"__asm__")
    });
    names
}

/// Words, strings and single characters, blanks and line markers left out.
struct Tokens<'t>(&'t [u8]);

impl<'t> Iterator for Tokens<'t> {
    type Item = &'t BStr;

    fn next(&mut self) -> Option<&'t BStr> {
        loop {
            let blank = self.0.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let had_newline = self.0.get(..blank)?.contains(&b'\n');
            self.0 = self.0.get(blank..)?;
            if !(had_newline && self.0.starts_with(b"#")) {
                break;
            }
            let line = self.0.iter().take_while(|byte| **byte != b'\n').count();
            self.0 = self.0.get(line..)?;
        }
        let first = *self.0.first()?;
        let length = match first {
            b'"' | b'\'' => {
                let mut escaped = false;
                let end = self.0.iter().skip(1).position(|byte| {
                    let ends = *byte == first && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    ends
                });
                end.map_or(self.0.len(), |end| end + 2)
            }
            byte if is_word(byte) => self.0.iter().take_while(|byte| is_word(**byte)).count(),
            _ => 1,
        };
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(token.as_bstr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::apply::Edited;

    fn names(old: &str, new: &str) -> Vec<String> {
        let edited = Edited {
            path: "x.h".into(),
            shipped: None,
            old: Some(b"a\n".to_vec()),
            new: Some(b"b\n".to_vec()),
        };
        let files = [File::new(&edited, std::path::Path::new("/t"))];
        let found = functions(old.as_bytes(), new.as_bytes(), &files, &|name| name != "gone");
        found.into_keys().map(|name| name.to_string()).collect()
    }

    #[test]
    fn a_function_whose_text_differs() {
        let old = "\n# 1 \"x\"\nint a(void) { return 1; }\nint b(x)\nint x;\n{ return 2; }\n";
        assert_eq!(names(old, &old.replace("return 2", "return 3")), ["b"]);
        assert!(names(old, &old.replace("# 1", "# 7").replace("{ return", "{\n return")).is_empty());
    }

    #[test]
    fn a_function_that_took_in_another_without_a_trace() {
        let old = "static int gone(int x) { return x; } int f(int x) { return gone(x); } int g(int x) { return f(x); }";
        assert_eq!(names(old, &old.replace("return x;", "return x + 1;")), ["f", "gone"]);
    }

    #[test]
    fn a_function_that_uses_an_edited_type() {
        let old = "struct in { int a; }; struct out { struct in i; }; typedef struct out out_t;\n\
                   int f(out_t *o) { return o->i.a; } int g(int x) { return x; }\n";
        assert_eq!(names(old, &old.replace("int a;", "long a;")), ["f"]);
        let old = "struct in { int a; }; struct out { struct in i; int (*call)(int); };\n\
                   int f(void *p) { struct out *o = p; return o->i.a; } int g(int x) { return x; }\n";
        assert_eq!(names(old, &old.replace("int a;", "long a;")), ["f"]);
        let old = "enum { A, B }; int f(void) { return B; } int g(void) { return 0; }";
        assert_eq!(names(old, &old.replace("A,", "A, C,")), ["f"]);
        let old =
            "void die(void); static int t[2] = { 1, 2 }; int f(void) { die(); } int g(void) { return t[0]; }";
        assert_eq!(names(old, &old.replace("die(void);", "die(void) __attribute__((noreturn));")), ["f"]);
        assert_eq!(names(old, &old.replace("{ 1, 2 }", "{ 1, 3 }")), ["g"]);
    }
}
