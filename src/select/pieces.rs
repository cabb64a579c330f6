//! Preprocessed text cut into pieces: what ends at the top level, and what it defines or declares.
//!
//! Not a parser. In C a piece ends with `;` or a function's `}`. In C++ whole programs lie inside of braces: so those of a
//! namespace, of `extern "C"` and of a class are no piece but a scope, and what lies in them is cut as at the top. A function is known
//! by its place, which the preprocessor's line markers tell, for in C++ its name alone says little.

use bstr::{BStr, ByteSlice};

/// A piece of preprocessed text that ends at the top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'t> {
    /// Its words, strings and single characters.
    pub tokens: Vec<&'t BStr>,
    /// The function that it defines.
    pub function: Option<Defined<'t>>,
    /// The names that it declares otherwise, that of its class among them.
    pub names: Vec<&'t BStr>,
    /// The class that it stands in.
    pub class: Option<&'t BStr>,
}

/// A function's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defined<'t> {
    /// Its name, unqualified.
    pub name: &'t BStr,
    /// The file of the name, as the line markers have it; empty where there are none.
    pub file: &'t BStr,
    /// Its line, from 1.
    pub line: u64,
}

impl Piece<'_> {
    /// Whether it says how a type is laid out: a body before any list (which may be that of a pointer to a function in it), a typedef,
    /// or a member.
    pub fn is_type(&self) -> bool {
        let first = |wanted: &str| self.tokens.iter().position(|token| *token == wanted);
        if self.class.is_some() {
            return self.function.is_none() && first("(").is_none();
        }
        let names_kind = self.tokens.iter().any(|token| is_kind(token));
        let has_body = first("{").is_some_and(|body| first("(").is_none_or(|list| body < list));
        (names_kind && has_body) || self.tokens.first().is_some_and(|token| *token == "typedef")
    }
}

fn is_kind(token: &BStr) -> bool {
    matches!(token.as_bytes(), b"struct" | b"union" | b"enum" | b"class")
}

/// Whether a byte may stand in a name.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

fn is_name(token: &BStr) -> bool {
    token.first().is_some_and(|byte| is_word(*byte) && !byte.is_ascii_digit())
}

/// A scope of C++ that is open: a namespace's has no name here.
type Scope<'t> = Option<&'t BStr>;

/// Splits preprocessed text into pieces; `is_cxx` opens scopes.
pub fn split(text: &[u8], is_cxx: bool) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut tokens: Vec<&BStr> = Vec::new();
    let mut places: Vec<(&BStr, u64)> = Vec::new();
    let mut scopes: Vec<Scope<'_>> = Vec::new();
    let mut depth = 0_usize;
    for token in Tokens::new(text) {
        if depth == 0 && is_cxx {
            if token.text == "{"
                && let Some(scope) = opens_scope(&tokens)
            {
                // What a class derives from is part of its layout.
                if let Some(name) = scope {
                    pieces.push(Piece {
                        tokens: tokens.clone(),
                        function: None,
                        names: vec![name],
                        class: Some(name),
                    });
                }
                scopes.push(scope);
                (tokens, places) = Default::default();
                continue;
            }
            if token.text == "}" && !scopes.is_empty() {
                scopes.pop();
                (tokens, places) = Default::default();
                continue;
            }
        }
        tokens.push(token.text);
        places.push((token.file, token.line));
        let class = scopes.last().copied().flatten();
        match token.text.as_bytes() {
            b"{" | b"(" | b"[" => depth += 1,
            b")" | b"]" => depth = depth.saturating_sub(1),
            b"}" => {
                depth = depth.saturating_sub(1);
                if depth == 0
                    && let Some(at) = defined(&tokens, is_cxx)
                {
                    let (tokens, places) = (std::mem::take(&mut tokens), std::mem::take(&mut places));
                    let place = tokens.get(at).zip(places.get(at));
                    let function = place.map(|(name, (file, line))| Defined { name, file, line: *line });
                    pieces.push(Piece { tokens, function, names: Vec::new(), class });
                }
            }
            // In K&R's style the parameters are declared before the body.
            b";" if depth == 0 && (is_cxx || !is_old_style(&tokens)) => {
                let tokens = std::mem::take(&mut tokens);
                places.clear();
                let mut names = declared(&tokens);
                names.extend(class);
                pieces.push(Piece { tokens, function: None, names, class });
            }
            _ => {}
        }
    }
    pieces
}

/// The scope that a `{` behind these tokens opens, if it does.
fn opens_scope<'t>(tokens: &[&'t BStr]) -> Option<Scope<'t>> {
    let tokens = behind_template(tokens);
    let first = tokens.first()?;
    let second = tokens.get(1);
    let is_namespace =
        *first == "namespace" || *first == "inline" && second.is_some_and(|it| *it == "namespace");
    if is_namespace
        || *first == "extern" && tokens.len() == 2 && second.is_some_and(|it| it.starts_with(b"\""))
    {
        return Some(None);
    }
    // An enumeration is a piece; so is what a function returns, or an initialised variable.
    if tokens.contains(&BStr::new("enum")) || tokens.contains(&BStr::new("=")) {
        return None;
    }
    let kind = tokens.iter().position(|token| is_kind(token))?;
    let mut name = None;
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(kind + 1) {
        let is_attribute = |at: usize| {
            tokens
                .get(at)
                .is_some_and(|it| it.starts_with(b"__attribute") || **it == "alignas" || **it == "__declspec")
        };
        match token.as_bytes() {
            b"(" if depth == 0 && !is_attribute(index.wrapping_sub(1)) => return None,
            b"(" | b"[" => depth += 1,
            b")" | b"]" => depth = depth.saturating_sub(1),
            b":" | b"<" if depth == 0 && tokens.get(index + 1).is_none_or(|next| *next != ":") => break,
            _ if depth == 0 && is_name(token) && !is_attribute(index) && *token != "final" => {
                name = Some(*token);
            }
            _ => {}
        }
    }
    Some(Some(name?))
}

/// What stands behind `template <...>`, where that comes first.
fn behind_template<'s, 't>(mut tokens: &'s [&'t BStr]) -> &'s [&'t BStr] {
    while tokens.first().is_some_and(|token| *token == "template") {
        let mut depth = 0_usize;
        let end = tokens.iter().position(|token| {
            match token.as_bytes() {
                b"<" => depth += 1,
                b">" => depth = depth.saturating_sub(1),
                _ => return false,
            }
            depth == 0
        });
        let Some(end) = end else { return tokens };
        tokens = tokens.get(end + 1..).unwrap_or_default();
    }
    tokens
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

/// Where the name of the function stands whose definition these tokens are: the last one before a list at the top level,
/// attributes left out.
fn defined(tokens: &[&BStr], is_cxx: bool) -> Option<usize> {
    let skipped = if is_cxx { tokens.len() - behind_template(tokens).len() } else { 0 };
    let tokens = tokens.get(skipped..)?;
    let body = tokens.iter().position(|token| *token == "{")?;
    let mut depth = 0_usize;
    let mut previous: Option<&BStr> = None;
    let mut found = None;
    for (index, token) in tokens.get(..body)?.iter().enumerate() {
        match token.as_bytes() {
            b"(" => {
                let name = previous.filter(|name| name.first().is_some_and(|byte| is_word(*byte)));
                let is_attribute =
                    name.is_some_and(|name| name.starts_with(b"__attribute") || *name == "__asm__");
                if depth == 0 && name.is_some() && !is_attribute && found.is_none() {
                    found = Some(skipped + index - 1);
                }
                depth += 1;
            }
            b")" => depth = depth.saturating_sub(1),
            // An initialised variable; in C++ an argument may have a default, and a name may be `operator=`.
            b"=" if (!is_cxx || depth == 0)
                && found.is_none()
                && previous.is_none_or(|it| it != "operator") =>
            {
                return None;
            }
            _ => {}
        }
        previous = Some(token);
    }
    found
}

/// The names that a declaration gives: tags, enumerators, and what stands before `;`, `,`, `=`, `[` or `(` at the top level.
fn declared<'t>(tokens: &[&'t BStr]) -> Vec<&'t BStr> {
    let mut names = Vec::new();
    let (mut depth, mut in_enum) = (0_usize, false);
    let mut previous: &BStr = BStr::new("");
    for token in tokens {
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
            _ if depth == 0 && is_kind(previous) && tokens.contains(&BStr::new("{")) && is_name(token) => {
                names.push(token);
            }
            _ if depth == 1 && in_enum && is_name(token) && matches!(previous.as_bytes(), b"{" | b",") => {
                names.push(token);
            }
            _ => {}
        }
        previous = token;
    }
    names.retain(|name| !is_kind(name) && !matches!(name.as_bytes(), b"__attribute__" | b"__asm__"));
    names
}

/// A word, a string or a single character, and where it stands.
struct Token<'t> {
    text: &'t BStr,
    file: &'t BStr,
    line: u64,
}

/// The tokens of preprocessed text; blanks are left out, line markers followed.
struct Tokens<'t> {
    rest: &'t [u8],
    file: &'t BStr,
    line: u64,
    at_start: bool,
}

impl<'t> Tokens<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { rest: text, file: BStr::new(""), line: 1, at_start: true }
    }

    /// Reads `# 12 "file"`, up to the end of its line, which begins line 12.
    fn marker(&mut self) {
        let length = self.rest.iter().take_while(|byte| **byte != b'\n').count();
        let (marker, rest) = self.rest.split_at(length);
        self.rest = rest.get(1..).unwrap_or_default();
        let words = marker.strip_prefix(b"#").unwrap_or_default().trim_ascii_start();
        let words = words.strip_prefix(b"line").unwrap_or(words).trim_ascii_start();
        let digits = words.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = words.get(..digits).and_then(|digits| digits.to_str().ok()?.parse().ok());
        self.line = number.unwrap_or(self.line + 1);
        let name = words.split(|byte| *byte == b'"').nth(1).filter(|_| number.is_some());
        self.file = name.map_or(self.file, ByteSlice::as_bstr);
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            let blank = self.rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (blanks, rest) = self.rest.split_at(blank);
            let lines = blanks.find_iter("\n").count();
            self.line += lines as u64;
            self.at_start |= lines > 0;
            self.rest = rest;
            if !(self.at_start && rest.starts_with(b"#")) {
                break;
            }
            self.marker();
        }
        let first = *self.rest.first()?;
        self.at_start = false;
        let length = match first {
            b'"' | b'\'' => {
                let mut escaped = false;
                let end = self.rest.iter().skip(1).position(|byte| {
                    let ends = *byte == first && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    ends
                });
                end.map_or(self.rest.len(), |end| end + 2)
            }
            byte if is_word(byte) => self.rest.iter().take_while(|byte| is_word(**byte)).count(),
            _ => 1,
        };
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(Token { text: token.as_bstr(), file: self.file, line: self.line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_cxx_are_no_pieces() {
        let text = "# 7 \"x.cc\"\nnamespace n {\nclass Base { int b; };\n\
                    template <class T> struct Box final : public Base {\n  T held = T();\n  int get(int by = 1) const { return b + by; }\n  \
                    int other() const;\n};\nextern \"C\" { int c(void); }\n\
                    int Box<int>::other() const\n{ return held; }\n}\nint outside() { return 1; }\n";
        let pieces = split(text.as_bytes(), true);
        let functions: Vec<String> = pieces
            .iter()
            .filter_map(|piece| piece.function.map(|it| (it, piece.class)))
            .map(|(it, class)| format!("{} {}:{} {}", it.name, it.file, it.line, class.unwrap_or_default()))
            .collect();
        assert_eq!(functions, ["get x.cc:11 Box", "other x.cc:15 ", "outside x.cc:18 "]);
        let types: Vec<_> =
            pieces.iter().filter(|piece| piece.is_type()).flat_map(|piece| &piece.names).collect();
        assert!(types.contains(&&BStr::new("Base")) && types.contains(&&BStr::new("Box")), "{types:?}");
    }
}
