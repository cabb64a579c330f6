//! An oracle that knows nothing of lpcc: which functions of a unit differ by their assembler text.
//!
//! The compiler is asked for `-S` before and after an edit. Each function's text runs from its label to its `.size`
//! directive (so that its jump tables and its `.cold` piece belong to it). What the compiler numbers is not the
//! function's own: labels are renumbered by first use, and a reference to a private constant is replaced by that
//! constant's contents. Two functions are the same exactly if what remains is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// Functions by name (numbers after a dot left out), each with its texts: clones may share such a name.
pub type Functions = BTreeMap<String, Vec<String>>;

/// Splits the output of `gcc -S` or `clang -S` into functions.
pub fn functions(text: &str) -> Functions {
    let lines: Vec<&str> = text.lines().map(without_comment).filter(|line| !line.trim().is_empty()).collect();
    let constants = constants(&lines);
    let mut declared = BTreeSet::new();
    for line in &lines {
        if let Some(rest) = line.trim_start().strip_prefix(".type")
            && let Some((name, "@function")) =
                rest.split_once(',').map(|(name, kind)| (name.trim(), kind.trim()))
        {
            declared.insert(name);
        }
    }
    let mut found = Functions::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = line.strip_suffix(':').filter(|name| declared.contains(name)) else { continue };
        let size = format!("{name}, .-{name}");
        let end = lines.iter().skip(start).position(|line| {
            line.trim_start().strip_prefix(".size").is_some_and(|rest| {
                let rest = rest.trim();
                rest == size
                    || (rest.starts_with(&format!("{name}, ")) && rest.ends_with(&format!("-{name}")))
            })
        });
        if name.contains(".cold") {
            continue; // inside its parent
        }
        let body = &lines[start + 1..start + end.expect("a function without a size")];
        found.entry(unnumbered(name)).or_default().push(canonical(body, &constants));
    }
    for texts in found.values_mut() {
        texts.sort();
    }
    found
}

/// Names of the functions whose texts differ, or which one side does not have.
pub fn changed(old: &Functions, new: &Functions) -> BTreeSet<String> {
    old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}

/// A name without the numbers that the compiler appends: `x.1234` is `x`, `f.constprop.0` is `f.constprop`.
pub fn unnumbered(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('.').collect();
    while parts.len() > 1 && parts.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        parts.pop();
    }
    parts.join(".")
}

/// The line without a comment: `#` outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '#' if !quoted => return line[..at].trim_end(),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    line.trim_end()
}

/// Labels that the program cannot see, with the data directives behind each.
fn constants<'a>(lines: &[&'a str]) -> HashMap<&'a str, String> {
    let mut found: HashMap<&str, String> = HashMap::new();
    let mut open: Option<&str> = None;
    for line in lines {
        let trimmed = line.trim();
        if let Some(label) = trimmed.strip_suffix(':') {
            open = is_constant(label).then_some(label);
            if let Some(label) = open {
                found.insert(label, String::new());
            }
        } else if let Some((name, value)) = trimmed.strip_prefix(".set").and_then(|rest| rest.split_once(','))
        {
            if is_constant(name.trim()) {
                found.insert(name.trim(), format!("={}", value.trim()));
            }
        } else if is_data(trimmed) {
            if let Some(label) = open {
                let content = found.entry(label).or_default();
                content.push_str(trimmed);
                content.push(';');
            }
        } else if !trimmed.starts_with(".size") && !trimmed.starts_with(".type") {
            open = None;
        }
    }
    found
}

/// Compiler-made and unnamed: gcc's `.LC*` and `CSWTCH.*`, clang's `.LCPI*`, `.L.str*`, `.LJTI*`, `.Lswitch.table*`
/// and unnamed initialisers.
fn is_constant(label: &str) -> bool {
    [".LC", ".L.str", ".L__const", ".LJTI", ".Lswitch.table", "CSWTCH", "switch.table", ".Lconstinit"]
        .iter()
        .any(|prefix| label.starts_with(prefix))
}

fn is_data(line: &str) -> bool {
    let directives = [
        ".byte",
        ".value",
        ".short",
        ".2byte",
        ".long",
        ".4byte",
        ".quad",
        ".8byte",
        ".octa",
        ".zero",
        ".string",
        ".ascii",
        ".asciz",
        ".float",
        ".double",
        ".base64",
        ".string32",
    ];
    line.split_whitespace().next().is_some_and(|word| directives.contains(&word))
}

/// The body with labels renumbered by first use and constants replaced by their contents.
fn canonical(body: &[&str], constants: &HashMap<&str, String>) -> String {
    let mut labels = HashMap::new();
    let mut text = String::new();
    for line in body {
        append(line.trim(), constants, &mut labels, &mut Vec::new(), &mut text);
        text.push('\n');
    }
    text
}

/// Appends one line; `open` are the constants being replaced, since a jump table refers to itself.
fn append<'a>(
    line: &'a str,
    constants: &'a HashMap<&str, String>,
    labels: &mut HashMap<String, usize>,
    open: &mut Vec<&'a str>,
    text: &mut String,
) {
    if line.starts_with(".string") || line.starts_with(".asc") {
        text.push_str(line);
        return;
    }
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let word_end = rest.find(|c: char| !(c.is_alphanumeric() || "._$".contains(c))).unwrap_or(rest.len());
        if word_end == 0 {
            text.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(word_end);
        rest = after;
        if open.contains(&word) {
            text.push_str("{itself}");
        } else if let Some(content) = constants.get(word) {
            open.push(word);
            text.push('{');
            for part in content.split_inclusive(';') {
                append(part, constants, labels, open, text);
            }
            text.push('}');
            open.pop();
        } else if word.starts_with(".L") {
            let next = labels.len();
            let number = *labels.entry(word.to_owned()).or_insert(next);
            write!(text, ".L{number}").unwrap();
        } else if c.is_ascii_digit() || c == '.' {
            text.push_str(word);
        } else {
            text.push_str(&unnumbered(word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{changed, functions};

    const OLD: &str = "\t.type f, @function\nf:\n.LFB0:\n\tleaq .LC0(%rip), %rdi\n\tjmp .L4\n.L4:\n\tret\n\t.size f, .-f\n\
        \t.section .rodata\n.LC0:\n\t.string \"a # b\"\n";

    #[test]
    fn label_numbers_do_not_matter() {
        let new = OLD.replace(".LC0", ".LC7").replace(".L4", ".L9").replace(".LFB0", ".LFB3");
        assert!(changed(&functions(OLD), &functions(&new)).is_empty());
    }

    #[test]
    fn a_constant_belongs_to_who_reads_it() {
        let new = OLD.replace("a # b", "a # c");
        assert_eq!(changed(&functions(OLD), &functions(&new)).into_iter().collect::<Vec<_>>(), ["f"]);
    }
}
