//! What differs in how two units were compiled: compiler, flags, input files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use bstr::{BStr, BString, ByteSlice};

use super::findings::{Change, Finding, FindingKind};
use super::producers::{Built, State};
use crate::argv::{self, Dialect};
use crate::object::Hash;
use crate::store::Identity;
use crate::store::record::{Call, Compiler, Inputs};

/// Findings about compiler and flags. They are said first: whatever else differs may come of them.
pub fn compare(old: &Identity, new: &Identity) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(detail) = compiler(old, new) {
        findings.push(Finding { detail, ..Finding::new(FindingKind::Input, "compiler", Change::Changed) });
    }
    let (old_flags, new_flags) = (flags(&words(&old.call)), flags(&words(&new.call)));
    let (gone, come) = only_on_one_side(&old_flags, &new_flags);
    let states = (&old.decision.live_patching, &new.decision.live_patching);
    let shown = gone.iter().chain(&come).any(|flag| flag.contains_str("live-patching"));
    if states.0 != states.1 && !shown {
        // The same words in another order, of which the last counts.
        let said = |state: &Option<String>| match state {
            Some(level) => format!("-flive-patching={level}"),
            None => "no -flive-patching".to_owned(),
        };
        let detail = format!("{} -> {}", said(states.0), said(states.1));
        findings.push(Finding { detail, ..Finding::new(FindingKind::Input, "flags", Change::Changed) });
    }
    if !gone.is_empty() || !come.is_empty() {
        let said = |flags: &[&BString]| flags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let detail = match (gone.is_empty(), come.is_empty()) {
            (true, _) => format!("now with {}", said(&come)),
            (_, true) => format!("now without {}", said(&gone)),
            _ => format!("{} -> {}", said(&gone), said(&come)),
        };
        findings.push(Finding { detail, ..Finding::new(FindingKind::Input, "flags", Change::Changed) });
    }
    findings
}

/// The same where a side has no record: from what the files say themselves, as far as both tell.
pub fn compare_built(old: &Built, new: &Built) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |symbol: &str, (was, is): (BTreeSet<String>, BTreeSet<String>)| {
        if !was.is_empty() && !is.is_empty() && was != is {
            let said = |told: BTreeSet<String>| told.into_iter().collect::<Vec<_>>().join(", ");
            let detail = format!("{} -> {}", said(was), said(is));
            findings.push(Finding { detail, ..Finding::new(FindingKind::Input, symbol, Change::Changed) });
        }
    };
    add("compiler", (compilers(old), compilers(new)));
    add("flags", (states(old), states(new)));
    findings
}

/// `gcc 12.2.0`, `clang 14.0.6`: as records name it, out of `GNU C17 12.2.0 -O2` and `Debian clang version 14.0.6`.
fn compilers(built: &Built) -> BTreeSet<String> {
    let named = |producer: &BString| {
        let words: Vec<&[u8]> = producer.split_str(" ").collect();
        let behind = |text: &[u8]| words.iter().skip_while(|word| **word != text).nth(1);
        let (family, version) = match words.as_slice() {
            [b"GNU", language, version, ..] if *language != b"AS" => ("gcc", Some(version)),
            [b"gcc", version] => ("gcc", Some(version)),
            [b"clang", version] => ("clang", Some(version)),
            _ if words.iter().any(|word| *word == b"clang") => ("clang", behind(b"version")),
            _ => return None,
        };
        Some(format!("{family} {}", version?.to_str_lossy()))
    };
    built.units.iter().filter_map(|unit| named(unit.producer.as_ref()?)).collect()
}

fn states(built: &Built) -> BTreeSet<String> {
    let told = built.units.iter().filter_map(|unit| match &unit.state {
        State::Level(level) => Some(format!("-flive-patching={level}")),
        State::Without => Some("no -flive-patching".to_owned()),
        State::Foreign | State::Unknown => None,
    });
    told.collect()
}

/// The input files whose contents differ, or that only one side read: which edits an object saw.
pub fn files(old: &Inputs, new: &Inputs) -> Vec<Finding> {
    fn hashes(inputs: &Inputs) -> BTreeMap<&BString, Option<Hash>> {
        inputs.files.iter().map(|input| (&input.path, input.hash)).collect()
    }
    let (olds, news) = (hashes(old), hashes(new));
    let finding = |path: &BString, change| Finding::new(FindingKind::Input, path.clone(), change);
    let mut findings = Vec::new();
    for (path, hash) in &olds {
        match news.get(path) {
            None => findings.push(finding(path, Change::Removed)),
            Some(other) if other != hash => findings.push(finding(path, Change::Changed)),
            Some(_) => {}
        }
    }
    let new_paths = news.keys().filter(|path| !olds.contains_key(*path));
    findings.extend(new_paths.map(|path| finding(path, Change::New)));
    findings.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    findings
}

fn compiler(old: &Identity, new: &Identity) -> Option<String> {
    let (old, new) = (&old.compiler, &new.compiler);
    let said = |compiler: &Compiler| {
        let name = compiler.path.rsplit_str("/").next().unwrap_or_default();
        format!("{} {} ({})", name.as_bstr(), compiler.version, compiler.target)
    };
    let hashes =
        |compiler: &Compiler| -> Vec<Hash> { compiler.programs.iter().map(|program| program.1).collect() };
    // `cc` and `gcc` are one program under two names: what does the work decides, where it is known.
    if hashes(old) == hashes(new) && !old.programs.is_empty() && old.target == new.target {
        return None;
    }
    let (was, is) = (said(old), said(new));
    if was != is {
        return Some(format!("{was} -> {is}"));
    }
    (hashes(old) != hashes(new)).then(|| format!("{is}: same version, other programs"))
}

/// The arguments as run, with those that stood in response files.
fn words(call: &Call) -> Vec<BString> {
    let run: Vec<_> = call.run.iter().map(|word| OsStr::from_bytes(word).to_os_string()).collect();
    let line = argv::parse(&run, Dialect::Unknown, &mut |name| {
        let file = call.response_files.iter().find(|(known, _)| known == name.as_bytes());
        file.map(|(_, contents)| contents.to_vec())
    });
    (0..line.word_count()).map(|index| BString::from(line.word(index).as_bytes())).collect()
}

/// The arguments that decide what is compiled, without those that say where things lie.
fn flags(arguments: &[BString]) -> Vec<BString> {
    let mut flags = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if TAKES_PLACE.contains(&argument.as_bytes()) {
            arguments.next();
        } else if TAKES_VALUE.contains(&argument.as_bytes()) {
            let mut flag = argument.clone();
            if let Some(value) = arguments.next() {
                flag.push(b' ');
                flag.extend_from_slice(value);
            }
            flags.push(flag);
        } else if argument.starts_with(b"-") && !is_place(argument.as_bstr()) {
            flags.push(argument.clone());
        }
    }
    flags
}

/// Options whose separate argument is a place: sorted.
const TAKES_PLACE: &[&[u8]] =
    &[b"-I", b"-L", b"-MF", b"-MQ", b"-MT", b"-idirafter", b"-iquote", b"-isystem", b"-o"];

/// Options whose separate argument belongs to what is compiled: sorted.
const TAKES_VALUE: &[&[u8]] = &[
    b"--param",
    b"-D",
    b"-U",
    b"-Xclang",
    b"-arch",
    b"-imacros",
    b"-include",
    b"-march",
    b"-mllvm",
    b"-target",
    b"-x",
];

/// Options that only say where things lie, or what is written beside the object.
fn is_place(argument: &BStr) -> bool {
    let prefixes: [&[u8]; 6] = [b"-I", b"-L", b"-M", b"-o", b"-isystem", b"-Wp,-M"];
    prefixes.iter().any(|prefix| argument.starts_with(prefix))
        || argument.contains_str("-prefix-map=")
        || argument == "-c"
}

fn only_on_one_side<'a>(old: &'a [BString], new: &'a [BString]) -> (Vec<&'a BString>, Vec<&'a BString>) {
    let mut counts: BTreeMap<&BString, (usize, usize)> = BTreeMap::new();
    for flag in old {
        counts.entry(flag).or_default().0 += 1;
    }
    for flag in new {
        counts.entry(flag).or_default().1 += 1;
    }
    // Repeating a flag is no difference, its order among the others may be; both are kept in the records.
    let has = |flag: &BString| counts.get(flag).copied().unwrap_or_default();
    let pick = |flags: &'a [BString], lacking: fn((usize, usize)) -> bool| {
        let mut picked: Vec<&BString> = flags.iter().filter(|flag| lacking(has(flag))).collect();
        picked.dedup();
        picked
    };
    (pick(old, |count| count.1 == 0), pick(new, |count| count.0 == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::producers::BuiltUnit;

    #[test]
    fn compilers_under_one_name() {
        for (producer, expected) in [
            ("GNU C17 12.2.0 -mtune=generic -O2", Some("gcc 12.2.0")),
            ("GNU C++17 13.0.1 20230101 (experimental) -g", Some("gcc 13.0.1")),
            ("gcc 12.2.0", Some("gcc 12.2.0")),
            ("Debian clang version 14.0.6", Some("clang 14.0.6")),
            ("clang version 19.1.7 (x)", Some("clang 19.1.7")),
            ("clang 14.0.6", Some("clang 14.0.6")),
            ("GNU AS 2.40", None),
            ("", None),
        ] {
            let unit = BuiltUnit {
                name: None,
                state: State::Unknown,
                producer: Some(producer.into()),
                evidence: "DW_AT_producer",
            };
            let found = compilers(&Built { units: vec![unit], notes: Vec::new() });
            assert_eq!(found.iter().next().map(String::as_str), expected, "{producer}");
        }
    }
}
