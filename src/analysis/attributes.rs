//! What the `attributes` parts of two items say differently, each under its own word.
//!
//! The listing gives the part as lines of a word (or a few) and a value: `section .text.foo`, `binding weak`,
//! `alias bar (global, default, function)`, `hook fentry`, `size 16`, `alignment 8`, `section flags 0x6`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bstr::ByteSlice;

use super::detail::In;
use super::findings::Change;
use crate::object::{Item, Kind, PartKind, Scope, listing, names};

/// One attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The finding it makes; [`Change::Changed`] where it has no word of its own.
    pub change: Change,
    /// Old and new value in words.
    pub detail: String,
}

/// The attributes that differ, one for each kind of change, for two items whose `attributes` hashes differ.
/// Empty only where the two sides differ in nothing but that a section bears the item's own, renumbered name
/// (`.bss.cnt.0`). A difference that no line shows is a change all the same.
pub fn changes(old: In<'_>, new: In<'_>) -> Vec<Attribute> {
    let mut values = values(old);
    for (word, value) in self::values(new).into_iter().flat_map(pairs) {
        values.entry(word).or_default().1.push(value);
    }
    let (old, new) = (old.1, new.1);
    let mut found: BTreeMap<Change, Vec<String>> = BTreeMap::new();
    let mut renumbered = false;
    for (word, (was, is)) in values {
        if was == is {
            continue;
        }
        // A section of its own tells its flags and alignment; one that is shared tells them itself.
        let of_section =
            matches!(word.as_str(), "section" | "entry" | "alignment") && (was.is_empty() || is.is_empty());
        if of_section && old.section != new.section {
            renumbered = true;
            continue;
        }
        if bears_name(&was, &is, old, new) {
            renumbered = true;
            continue;
        }
        found.entry(change_of(&word, new.kind)).or_default().push(describe(&word, &was, &is));
    }
    if found.is_empty() && !renumbered {
        found.insert(Change::Changed, Vec::new());
    }
    found.into_iter().map(|(change, details)| Attribute { change, detail: details.join(", ") }).collect()
}

/// The names that only one of two items has which have one in common, where they are not called alike.
pub fn other_names(old: &Item, new: &Item) -> Option<Attribute> {
    if old.name == new.name {
        return None;
    }
    let stems =
        |item: &Item| item.names().map(|name| names::stem(name).into_owned()).collect::<BTreeSet<_>>();
    let (was, is) = (stems(old), stems(new));
    let only = |these: &BTreeSet<Vec<u8>>, others: &BTreeSet<Vec<u8>>, verb: &str| {
        these.difference(others).map(|name| format!("alias {} {verb}", name.as_bstr())).collect::<Vec<_>>()
    };
    let all = [only(&was, &is, "is gone"), only(&is, &was, "is new")].concat();
    (!all.is_empty()).then(|| Attribute { change: Change::Alias, detail: all.join(", ") })
}

/// The alignment in bytes that an item's attributes state.
pub fn alignment(side: In<'_>) -> Option<u64> {
    let lines = listing::lines(side.0, side.1, PartKind::Attributes);
    lines.iter().find_map(|line| line.text.strip_prefix("alignment ")?.parse().ok())
}

/// Values by word; only the old side is filled.
type Values = BTreeMap<String, (Vec<String>, Vec<String>)>;

fn pairs(
    (word, (values, _)): (String, (Vec<String>, Vec<String>)),
) -> impl Iterator<Item = (String, String)> {
    values.into_iter().map(move |value| (word.clone(), value))
}

fn values((prints, item): In<'_>) -> Values {
    let mut values = Values::new();
    let mut put = |word: &str, value: String| values.entry(word.to_owned()).or_default().0.push(value);
    let lines = listing::lines(prints, item, PartKind::Attributes);
    for line in &lines {
        let (word, value) = word_of(&line.text);
        put(word, value.to_owned());
    }
    if lines.is_empty() {
        // The streams are not loaded: what the item itself tells must do.
        put("section", item.section.to_string());
        put("binding", binding(item).to_owned());
        put("hook", format!("{:?}", item.traits.hook).to_lowercase());
        for alias in &item.aliases {
            put("alias", alias.to_string());
        }
        if item.kind != Kind::Function {
            put("size", item.size.to_string());
        }
    }
    values
}

/// Words that hold a space come before those that they begin with.
const WORDS_OF_TWO: [&str; 4] = ["section type", "section flags", "entry size", "cold piece in section"];

fn word_of(line: &str) -> (&str, &str) {
    let long =
        WORDS_OF_TWO.iter().find_map(|word| Some((*word, line.strip_prefix(word)?.strip_prefix(' ')?)));
    long.or_else(|| line.split_once(' ')).unwrap_or((line, ""))
}

fn binding(item: &Item) -> &'static str {
    match item.scope {
        Scope::Global => "global",
        Scope::Weak => "weak",
        Scope::Local(_) => "local",
        Scope::None => "none",
    }
}

/// Whether the values differ only in the item's own name.
fn bears_name(was: &[String], is: &[String], old: &Item, new: &Item) -> bool {
    // `-ffunction-sections` and `-fdata-sections` name sections after symbols, number and all; COMDAT groups
    // and aliases do likewise.
    let (old, new) = (old.name.to_str_lossy(), new.name.to_str_lossy());
    old != new
        && was.len() == is.len()
        && was.iter().zip(is).all(|(was, is)| was == is || was.replace(&*old, &new) == *is)
}

fn change_of(word: &str, kind: Kind) -> Change {
    match word {
        // A section's own flags are what it is; an item's section's flags are where it lies.
        "section type" | "section flags" | "entry size" if kind == Kind::Section => Change::Changed,
        "section" | "group" | "section type" | "section flags" | "entry size" | "cold piece in section" => {
            Change::Section
        }
        "binding" | "visibility" => Change::Binding,
        "alias" => Change::Alias,
        "size" => Change::Size,
        "alignment" => Change::Alignment,
        _ => Change::Changed,
    }
}

fn describe(word: &str, was: &[String], is: &[String]) -> String {
    if let ([was], [is]) = (was, is) {
        return format!("{word} {was} -> {is}");
    }
    let only = |these: &[String], others: &[String], verb: &str| {
        let others: HashSet<&String> = others.iter().collect();
        let these = these.iter().filter(|value| !others.contains(value));
        these.map(|value| format!("{word} {value} {verb}")).collect::<Vec<_>>()
    };
    let mut all = only(was, is, "is gone");
    all.extend(only(is, was, "is new"));
    if all.is_empty() { format!("{word} in another order") } else { all.join(", ") }
}
