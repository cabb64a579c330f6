//! An oracle that knows nothing of lpcc: what the compiler's assembler text (`-S`) says of each function.
//!
//! Two functions are the same exactly if their text is the same once local labels are numbered by first use
//! and labels of nameless data are replaced by that data, transitively.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// The functions of one assembler file, by name without `.cold`, as comparable text.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Canonical text by function.
    pub functions: BTreeMap<String, String>,
    /// Canonical text by named datum.
    pub data: BTreeMap<String, String>,
    /// By function: what lies behind the section anchors that it names, and where.
    anchored: BTreeMap<String, String>,
}

impl Assembler {
    /// Functions that only `new` has or whose text differs.
    pub fn changed(old: &Self, new: &Self) -> Vec<String> {
        let differs = |name: &String| old.functions.get(name) != new.functions.get(name);
        new.functions.keys().filter(|n| differs(n)).cloned().collect()
    }

    /// Functions of which the text alone does not tell: it is equal, but they reach data by a distance from a
    /// section anchor, and what lies behind that anchor is not laid out equally. (Compiled without anchors, the
    /// text tells.)
    pub fn unclear(old: &Self, new: &Self) -> Vec<String> {
        let differs = |name: &String| old.anchored.get(name) != new.anchored.get(name);
        new.functions.keys().filter(|n| differs(n)).cloned().collect()
    }
}

#[derive(Debug, Default)]
struct Block {
    section: String,
    lines: Vec<String>,
}

/// Reads an assembler file.
#[expect(clippy::too_many_lines, reason = "one match over the directives")]
pub fn read(text: &str) -> Assembler {
    let mut section = ".text".to_owned();
    let mut stack = Vec::new();
    let mut blocks: HashMap<String, Block> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut types: HashMap<String, String> = HashMap::new();
    let mut attributes: HashMap<String, Vec<String>> = HashMap::new();
    let mut equals: HashMap<String, String> = HashMap::new();
    let mut open: Option<String> = None;
    let mut in_function: Option<String> = None;
    let marker = comment_marker(text);
    // Section anchors: the labels and directives behind each, up to the end of its section's part.
    let mut anchors: HashMap<String, String> = HashMap::new();
    let mut anchor: Option<String> = None;
    for line in text.lines().flat_map(|raw| statements(&strip_comment(raw, marker))) {
        if let Some(open) = anchor.as_ref().and_then(|name| anchors.get_mut(name)) {
            open.push_str(&line);
            open.push('\n');
        }
        if line.is_empty() {
            continue;
        }
        if let Some((name, _)) = label(&line).filter(|(_, rest)| rest.is_empty()) {
            let begins = types.get(&name).is_some_and(|t| t.contains("function"));
            if begins {
                in_function = Some(name.clone());
            }
            match &in_function {
                Some(function) if *function != name && !section_is_data(&section) => {
                    blocks.entry(function.clone()).or_default().lines.push(format!("{name}:"));
                }
                _ => {
                    order.push(name.clone());
                    blocks.entry(name.clone()).or_default().section.clone_from(&section);
                }
            }
            open = Some(name);
            continue;
        }
        let word = line.split_whitespace().next().unwrap_or_default();
        let rest = line[word.len()..].trim();
        match word {
            ".text" | ".data" | ".bss" => {
                anchor = None;
                word.clone_into(&mut section);
                open = None;
            }
            ".section" => {
                anchor = None;
                section = unquoted(rest);
                open = None;
            }
            ".pushsection" => {
                stack.push(section.clone());
                section = unquoted(rest);
            }
            ".popsection" => section = stack.pop().unwrap_or_default(),
            ".type" => {
                let mut parts = rest.splitn(2, ',');
                let name = parts.next().unwrap_or_default().trim().to_owned();
                types.insert(name, parts.next().unwrap_or_default().trim().to_owned());
            }
            ".globl" | ".global" | ".weak" | ".local" | ".hidden" => {
                attributes.entry(rest.to_owned()).or_default().push(word.to_owned());
            }
            ".comm" | ".lcomm" => {
                let name = rest.split(',').next().unwrap_or_default().to_owned();
                order.push(name.clone());
                blocks.entry(name).or_default().lines.push(line.clone());
            }
            ".set" | ".thumb_set" => {
                let mut parts = rest.splitn(2, ',');
                let name = parts.next().unwrap_or_default().trim().to_owned();
                let value = parts.next().unwrap_or_default().trim().to_owned();
                if name.starts_with(".LANCHOR") {
                    anchors.insert(name.clone(), format!("{value}\n"));
                    anchor = Some(name);
                } else {
                    equals.insert(name, value);
                }
            }
            ".size" => {
                let name = rest.split(',').next().unwrap_or_default().trim();
                if in_function.as_deref() == Some(name) {
                    in_function = None;
                }
            }
            ".cfi_startproc" | ".previous" | ".file" | ".ident" | ".p2align" | ".align" | ".balign"
            | ".loc" | ".addrsig" | ".addrsig_sym" => {}
            _ => {
                let in_code = !section_is_data(&section);
                // What an asm statement pushes aside without a label belongs to its section, not to the function.
                let aside = open.as_ref().filter(|name| in_function.as_ref() != Some(name)).cloned();
                let target = if in_code { in_function.clone() } else { aside };
                if let Some(name) = target {
                    blocks.entry(name).or_default().lines.push(line.clone());
                }
            }
        }
    }
    // Labels that only debug information speaks of are not the function's.
    let referenced: std::collections::HashSet<String> = blocks
        .values()
        .filter(|block| !block.section.contains(".debug"))
        .flat_map(|block| &block.lines)
        .filter(|line| !line.ends_with(':'))
        .flat_map(|line| tokens(line))
        .filter(|token| token.starts_with(".L"))
        .map(str::to_owned)
        .collect();
    for block in blocks.values_mut() {
        block.lines.retain(|line| line.strip_suffix(':').is_none_or(|label| referenced.contains(label)));
    }
    // A distance from an anchor says only with the layout behind it what is meant.
    let mut distances: HashMap<String, String> = HashMap::new();
    for (name, block) in &mut blocks {
        for line in block.lines.iter_mut().filter(|line| line.contains(".LANCHOR")) {
            let (short, distance) = without_distance(line);
            let all = distances.entry(name.clone()).or_default();
            all.push_str(&distance);
            all.push('\n');
            *line = short;
        }
    }
    let canon = Canon { blocks: &blocks, sets: &equals };
    let mut result = Assembler::default();
    for name in order {
        let function = types.get(&name).is_some_and(|t| t.contains("function"));
        if name.starts_with(".L") || name.starts_with("CSWTCH.") {
            continue;
        }
        // Where a function lies and how it is bound has findings of its own.
        let head = if function { String::new() } else { format!("{:?}", attributes.get(&name)) };
        let body = canon.block(&name);
        if function {
            let parent = name.split(".cold").next().unwrap_or(&name).to_owned();
            let named = |n: &&String| {
                blocks.get(&name).is_some_and(|b| b.lines.iter().any(|l| l.contains(n.as_str())))
            };
            let mut used: Vec<&String> = anchors.keys().filter(named).collect();
            used.sort();
            for name in used {
                let text = result.anchored.entry(parent.clone()).or_default();
                text.push_str(&anchors[name]);
                text.push_str(distances.get(name).map_or("", String::as_str));
            }
            let text = result.functions.entry(parent).or_default();
            let _ = writeln!(text, "{head}\n{body}");
        } else {
            result.data.insert(name, format!("{head}\n{body}"));
        }
    }
    result
}

/// A section's name and flags; some compilers quote the name.
fn unquoted(section: &str) -> String {
    match section.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        Some((name, flags)) => format!("{name}{flags}"),
        None => section.to_owned(),
    }
}

fn section_is_data(section: &str) -> bool {
    !section.starts_with(".text")
        && !section.starts_with(".init.text")
        && !section.contains("\"ax\"")
        && !section.contains("\"axG\"")
}

/// An asm statement may hold several on one line.
fn statements(line: &str) -> Vec<String> {
    let mut quoted = false;
    let mut all = vec![String::new()];
    for c in line.chars() {
        quoted ^= c == '"';
        if c == ';' && !quoted {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all.iter().map(|s| s.trim().to_owned()).collect()
}

/// A line without the number behind its anchor, and that number.
fn without_distance(line: &str) -> (String, String) {
    let Some(at) = line.find(".LANCHOR") else { return (line.to_owned(), String::new()) };
    let (head, rest) = line.split_at(at + ".LANCHOR".len());
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let (number, tail) = rest.split_at(digits);
    let distance = tail.chars().take_while(|c| c.is_ascii_digit() || *c == '+').count();
    (format!("{head}{number}{}", &tail[distance..]), tail[..distance].to_owned())
}

/// What begins a comment: `#` on most machines, which on Arm begins an immediate.
fn comment_marker(text: &str) -> &'static str {
    if text.contains(".eabi_attribute") {
        "@"
    } else if text.contains(", %function") || text.contains("// -- Begin function") {
        "//"
    } else {
        "#"
    }
}

fn strip_comment(line: &str, marker: &str) -> String {
    let mut quoted = false;
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        match c {
            '"' if !line[..at].ends_with('\\') => quoted = !quoted,
            _ if !quoted && line[at..].starts_with(marker) => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    line[..end].trim().to_owned()
}

fn label(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once(':')?;
    let plain = name.chars().all(|c| c.is_alphanumeric() || "._$\"@".contains(c));
    (plain && !name.is_empty()).then(|| (name.to_owned(), rest.trim().to_owned()))
}

struct Canon<'a> {
    blocks: &'a HashMap<String, Block>,
    sets: &'a HashMap<String, String>,
}

impl Canon<'_> {
    fn block(&self, name: &str) -> String {
        let mut numbers = HashMap::new();
        let mut seen = vec![name.to_owned()];
        self.text(name, &mut numbers, &mut seen)
    }

    fn text(&self, name: &str, numbers: &mut HashMap<String, usize>, seen: &mut Vec<String>) -> String {
        let Some(block) = self.blocks.get(name) else { return String::new() };
        let defined: Vec<&str> = block.lines.iter().filter_map(|l| l.strip_suffix(':')).collect();
        let mut out = String::new();
        let mut follow = Vec::new();
        for line in &block.lines {
            for token in tokens(line) {
                out.push_str(&self.token(token, &defined, name, numbers, &mut follow));
            }
            out.push('\n');
        }
        for next in follow {
            if seen.contains(&next) {
                continue;
            }
            seen.push(next.clone());
            let _ = writeln!(out, "where {}:", numbers.get(&next).copied().unwrap_or(0));
            out.push_str(&self.text(&next, numbers, seen));
        }
        out
    }

    fn token(
        &self,
        token: &str,
        defined: &[&str],
        own: &str,
        numbers: &mut HashMap<String, usize>,
        follow: &mut Vec<String>,
    ) -> String {
        let target = self.sets.get(token).map_or(token, String::as_str);
        let nameless =
            target.starts_with(".L") || target.starts_with("CSWTCH.") || target.starts_with("switch.table.");
        // A named table of this function's labels steers it.
        let lists_labels = |name: &str| {
            self.blocks.get(name).is_some_and(|block| {
                section_is_data(&block.section)
                    && block
                        .lines
                        .iter()
                        .any(|line| tokens(line).iter().any(|t| t.starts_with(".L") && defined.contains(t)))
            })
        };
        if !nameless && lists_labels(target) {
            follow.push(target.to_owned());
        }
        if !nameless {
            let token = target;
            let parent = own.split(".cold").next().unwrap_or(own);
            let digits = token
                .rsplit_once('.')
                .filter(|(_, n)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
            return match digits {
                _ if token == parent => "@".to_owned(),
                Some((stem, _)) if self.blocks.contains_key(token) => {
                    let next = numbers.len();
                    format!("{stem}.{}", numbers.entry(token.to_owned()).or_insert(next))
                }
                _ => token.to_owned(),
            };
        }
        let next = numbers.len();
        let number = *numbers.entry(target.to_owned()).or_insert(next);
        if !defined.contains(&target) && self.blocks.contains_key(target) {
            follow.push(target.to_owned());
        }
        format!("L{number}")
    }
}

fn tokens(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut kind = None;
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        if c == '"' {
            quoted = !quoted;
        }
        let word = !quoted && (c.is_alphanumeric() || "._".contains(c));
        if kind != Some(word) && at > start {
            out.push(&line[start..at]);
            start = at;
        }
        kind = Some(word);
    }
    out.push(&line[start..]);
    out
}
