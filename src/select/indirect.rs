//! Functions that a patch touches from afar: through a macro, a type or a declaration.
//!
//! No hunk lies in them, but the text that the compiler saw differs. So both sides are preprocessed and their top-level pieces
//! compared: a function whose own piece differs was edited through a macro; one that names a type or declaration whose piece
//! differs, or a type that holds one, or that is a member of one, was compiled against another.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::{BStr, BString, ByteSlice};

use super::edits::File;
use super::pieces::{self, Defined, Piece, is_word};
use crate::analysis::why::Indirect;

/// The preprocessed text of one side.
#[derive(Clone, Copy)]
pub struct Text<'t> {
    /// The text.
    pub text: &'t [u8],
    /// Whether it is C++.
    pub is_cxx: bool,
    /// The symbols of a function by its place, from debug information; none where that does not know it.
    pub symbols: &'t dyn Fn(&Defined<'_>) -> Vec<BString>,
}

/// A side, cut into pieces.
struct Side<'t> {
    pieces: Vec<Piece<'t>>,
    /// For each piece, the symbols of the function that it defines.
    symbols: Vec<Vec<BString>>,
}

impl<'t> Side<'t> {
    fn new(text: &Text<'t>) -> Self {
        let pieces = pieces::split(text.text, text.is_cxx);
        let symbols = pieces.iter().map(|piece| {
            let Some(function) = &piece.function else { return Vec::new() };
            let known = (text.symbols)(function);
            if known.is_empty() { vec![function.name.into()] } else { known }
        });
        Self { symbols: symbols.collect(), pieces }
    }

    /// The functions with their pieces.
    fn functions(&self) -> impl Iterator<Item = (&BString, &Piece<'t>)> {
        self.pieces
            .iter()
            .zip(&self.symbols)
            .flat_map(|(piece, symbols)| symbols.iter().map(move |it| (it, piece)))
    }
}

/// Functions of either side that an edit reaches through something else, and through what. `has_body` tells which functions
/// were compiled by themselves: one that was not, and that debug information does not know of, is in those that name it.
pub fn functions(
    old: Text<'_>,
    new: Text<'_>,
    files: &[File<'_>],
    has_body: &dyn Fn(&BStr) -> bool,
) -> BTreeMap<BString, Indirect> {
    let (old, new) = (Side::new(&old), Side::new(&new));
    let mut found = BTreeMap::new();
    let was: HashMap<&BString, &[&BStr]> =
        old.functions().map(|(symbol, piece)| (symbol, piece.tokens.as_slice())).collect();
    let macros = edited_macros(files);
    for (symbol, piece) in new.functions() {
        if was.get(symbol).is_some_and(|other| *other != piece.tokens) {
            found.insert(
                symbol.clone(),
                Indirect { detail: through_macro(&macros), via: Vec::new(), is_type: false },
            );
        }
    }
    for (name, (detail, is_type)) in edited_names(&old.pieces, &new.pieces, files) {
        let uses = |piece: &Piece<'_>| {
            piece.tokens.contains(&name) || piece.class.is_some_and(|class| class == name)
        };
        for (symbol, _) in old.functions().chain(new.functions()).filter(|(_, piece)| uses(piece)) {
            found.entry(symbol.clone()).or_insert_with(|| Indirect {
                detail: detail.clone(),
                via: Vec::new(),
                is_type,
            });
        }
    }
    dissolved(&old, &new, has_body, &mut found);
    found
}

/// Adds the functions that name one of `found` which has no body anywhere: it went into them without a trace.
fn dissolved(
    old: &Side<'_>,
    new: &Side<'_>,
    has_body: &dyn Fn(&BStr) -> bool,
    found: &mut BTreeMap<BString, Indirect>,
) {
    let all: Vec<(&BString, &Piece<'_>)> = old.functions().chain(new.functions()).collect();
    let names: HashMap<&BString, &BStr> =
        all.iter().filter_map(|(symbol, piece)| Some((*symbol, piece.function?.name))).collect();
    let mut waiting: Vec<BString> = found.keys().filter(|name| !has_body(name.as_bstr())).cloned().collect();
    while let Some(callee) = waiting.pop() {
        let via = found.get(&callee).map(|indirect| indirect.via.clone()).unwrap_or_default();
        let Some(name) = names.get(&callee) else { continue };
        for (user, _) in all.iter().filter(|(_, piece)| piece.tokens.contains(name)) {
            if found.contains_key(*user) {
                continue;
            }
            let via = std::iter::once(callee.clone()).chain(via.iter().cloned()).collect();
            let detail = "by the source: nothing is left of it in debug information".to_owned();
            found.insert((*user).clone(), Indirect { detail, via, is_type: false });
            if !has_body(user.as_bstr()) {
                waiting.push((*user).clone());
            }
        }
    }
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

/// What is said of an edited name, and whether it is a type's.
type Said = (String, bool);

/// Names whose pieces differ, and those of types that name them in turn; with what to say.
fn edited_names<'t>(old: &[Piece<'t>], new: &[Piece<'t>], files: &[File<'_>]) -> BTreeMap<&'t BStr, Said> {
    let declared = |pieces: &[Piece<'t>]| -> BTreeSet<(Vec<&'t BStr>, Vec<&'t BStr>)> {
        let others = pieces.iter().filter(|piece| piece.function.is_none());
        others.map(|piece| (piece.tokens.clone(), piece.names.clone())).collect()
    };
    let (was, is) = (declared(old), declared(new));
    let types: Vec<&Piece<'t>> = old.iter().chain(new).filter(|piece| piece.is_type()).collect();
    let of_types: BTreeSet<&BStr> = types.iter().flat_map(|piece| piece.names.iter().copied()).collect();
    let place = files.first().map(|file| {
        let line = file.hunks.first().map_or(1, |hunk| hunk.new.start);
        format!("{}:{line}", file.edited.path.display())
    });
    let place = place.unwrap_or_default();
    let mut names: BTreeMap<&BStr, Said> = BTreeMap::new();
    for (_, declares) in was.symmetric_difference(&is) {
        for name in declares {
            let is_type = of_types.contains(name);
            let what = if is_type { "type" } else { "declaration of" };
            let said = || (format!("through the {what} {name}, edited at {place}"), is_type);
            names.entry(*name).or_insert_with(said);
        }
    }
    // What holds an edited type is laid out anew itself.
    loop {
        let mut more: Vec<(&BStr, Said)> = Vec::new();
        for piece in &types {
            let Some(held) = piece.tokens.iter().find_map(|token| names.get(token)) else { continue };
            let open = piece.names.iter().filter(|name| !names.contains_key(*name));
            more.extend(open.map(|name| (*name, held.clone())));
        }
        if more.is_empty() {
            return names;
        }
        names.extend(more);
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
        let nothing: &dyn Fn(&Defined<'_>) -> Vec<BString> = &|_| Vec::new();
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let (old, new) = (
            Text { text: old, is_cxx: false, symbols: nothing },
            Text { text: new, is_cxx: false, symbols: nothing },
        );
        let found = functions(old, new, &files, &|name| name != "gone");
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
