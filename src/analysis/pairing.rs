//! Which object of one side stands against which object of the other.

use std::collections::{BTreeMap, HashSet};

use bstr::{BStr, BString, ByteSlice};

/// Indices into the two lists; one of them is `None` where an object stands on one side only.
pub type Match = (BString, Option<usize>, Option<usize>);

/// The names of both sides.
type Names = (Vec<BString>, Vec<BString>);

/// Pairs objects by name, in the order of names. A side of one object each pairs whatever they are called.
///
/// Names are paths relative to a directory, `archive(member)`, or, from a recording, absolute outputs. Two
/// builds of one tree in two places pair by what lies under the root that each has in common; of the two
/// readings (as they stand, relative to the root) the one that pairs more objects holds. Two archives pair by their members
/// where that pairs more.
pub fn pair(old: &[BString], new: &[BString]) -> Vec<Match> {
    if let ([_], [name]) = (old, new) {
        return vec![(base_name(name.as_bstr()).into(), Some(0), Some(0))];
    }
    let relative = (under_root(old), under_root(new));
    let common = |a: &[BString], b: &[BString]| {
        let a: HashSet<&BString> = a.iter().collect();
        b.iter().filter(|name| a.contains(name)).count()
    };
    let readings = [
        (old.to_vec(), new.to_vec()),
        relative.clone(),
        (old.to_vec(), relative.1.clone()),
        (relative.0.clone(), new.to_vec()),
    ];
    let best = readings.into_iter().rev().max_by_key(|(old, new)| common(old, new)).unwrap_or(relative);
    let pairs = common(&best.0, &best.1);
    match members(old, new, common) {
        Some((count, members)) if count > pairs => by_name(&members),
        _ => by_name(&best),
    }
}

/// Both lists under the new archive's name, where each side is one archive, and how many names they have in common.
fn members(
    old: &[BString],
    new: &[BString],
    common: impl Fn(&[BString], &[BString]) -> usize,
) -> Option<(usize, Names)> {
    // Names of files and of members may hold parentheses, too: of the places where they may end the best pair holds.
    let mut best = None;
    for is in archive_ends(new) {
        let archive = base_of_archive(new, is)?;
        let under = |names: &[BString], cut: usize| -> Vec<BString> {
            let member = |name: &BString| name.get(cut..).unwrap_or_default().to_vec();
            names.iter().map(|name| bstr::concat([archive, &member(name)]).into()).collect()
        };
        let news = under(new, is);
        for was in archive_ends(old) {
            let olds = under(old, was);
            let count = common(&olds, &news);
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, (olds, news.clone())));
            }
        }
    }
    best
}

/// Where the name of the archive that all these are members of may end: before each `(` that they share.
fn archive_ends(names: &[BString]) -> Vec<usize> {
    let Some((first, rest)) = names.split_first() else { return Vec::new() };
    if !names.iter().all(|name| name.ends_with(b")")) {
        return Vec::new();
    }
    let is_shared = |end: &usize| {
        let archive = first.get(..=*end);
        rest.iter().all(|name| name.get(..=*end) == archive)
    };
    first.find_iter(b"(").filter(is_shared).collect()
}

/// The archive's name without its directory.
fn base_of_archive(names: &[BString], end: usize) -> Option<&[u8]> {
    let path = names.first()?.get(..end)?;
    let start = path.rfind_byte(b'/').map_or(0, |slash| slash + 1);
    path.get(start..)
}

fn by_name((old, new): &Names) -> Vec<Match> {
    // Several members of an archive may share a name: the first of one side is the first of the other.
    let mut matches: BTreeMap<Numbered<'_>, (Option<usize>, Option<usize>)> = BTreeMap::new();
    for (key, index) in numbered(old) {
        matches.entry(key).or_default().0 = Some(index);
    }
    for (key, index) in numbered(new) {
        matches.entry(key).or_default().1 = Some(index);
    }
    let names: Vec<&BString> = matches.keys().map(|key| key.0).collect();
    let shared: Vec<_> = names.iter().map(|name| name.as_bstr()).collect();
    let cut = if shared.len() > 1 && shared.iter().all(|name| name.starts_with(b"/")) {
        common_root(&shared)
    } else {
        0
    };
    matches
        .into_iter()
        .map(|((name, number), (old, new))| {
            let mut name: BString = name.get(cut..).unwrap_or(name).into();
            if number > 0 {
                name.extend_from_slice(format!(" #{}", number + 1).as_bytes());
            }
            (name, old, new)
        })
        .collect()
}

/// A name with its number among equal ones.
type Numbered<'a> = (&'a BString, usize);

/// Each name with its number among equal ones, and its index.
fn numbered(names: &[BString]) -> impl Iterator<Item = (Numbered<'_>, usize)> {
    let mut seen: BTreeMap<&BString, usize> = BTreeMap::new();
    names.iter().enumerate().map(move |(index, name)| {
        let number = seen.entry(name).or_default();
        *number += 1;
        ((name, *number - 1), index)
    })
}

/// The names without the directory that all of them lie in.
fn under_root(names: &[BString]) -> Vec<BString> {
    let all: Vec<_> = names.iter().map(|name| name.as_bstr()).collect();
    let cut = common_root(&all);
    names.iter().map(|name| name.get(cut..).unwrap_or_default().into()).collect()
}

/// Length of the directory, with its slash, that all names lie in.
fn common_root(names: &[&BStr]) -> usize {
    let Some((first, rest)) = names.split_first() else { return 0 };
    let shared = rest.iter().fold(first.len(), |shared, name| {
        first.iter().zip(name.iter()).take(shared).take_while(|(a, b)| a == b).count()
    });
    // An archive's member may hold a slash (`lib.a(dir/x.o)`); the root ends before the archive.
    let head = first.get(..shared).unwrap_or_default();
    let head = head.split_str("(").next().unwrap_or_default();
    head.rfind_byte(b'/').map_or(0, |slash| slash + 1)
}

fn base_name(name: &BStr) -> &BStr {
    let plain = name.split_str("(").next().unwrap_or_default();
    let start = plain.rfind_byte(b'/').map_or(0, |slash| slash + 1);
    name.get(start..).unwrap_or_default().as_bstr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<BString> {
        names.iter().map(|&name| name.into()).collect()
    }

    fn shown(old: &[&str], new: &[&str]) -> Vec<(String, bool, bool)> {
        pair(&names(old), &names(new))
            .into_iter()
            .map(|(name, old, new)| (name.to_string(), old.is_some(), new.is_some()))
            .collect()
    }

    fn both(name: &str) -> (String, bool, bool) {
        (name.into(), true, true)
    }

    #[test]
    fn two_files_pair_whatever_their_names() {
        assert_eq!(shown(&["a/x.o"], &["b/y.o"]), [both("y.o")]);
    }

    #[test]
    fn two_build_directories_pair_under_their_roots() {
        assert_eq!(
            shown(&["/one/z/a.o", "/one/z/lib/b.o"], &["/two/y/z/a.o", "/two/y/z/lib/b.o"]),
            [both("a.o"), both("lib/b.o")]
        );
    }

    #[test]
    fn one_tree_pairs_as_it_stands_when_an_object_is_new() {
        assert_eq!(
            shown(&["/z/lib/a.o", "/z/lib/b.o"], &["/z/lib/a.o", "/z/lib/b.o", "/z/new.o"]),
            [both("lib/a.o"), both("lib/b.o"), ("new.o".into(), false, true)]
        );
    }

    #[test]
    fn a_recording_pairs_with_a_directory() {
        assert_eq!(shown(&["/z/a.o", "/z/lib/b.o"], &["a.o", "lib/b.o"]), [both("a.o"), both("lib/b.o")]);
    }

    #[test]
    fn members_of_one_name_pair_in_order() {
        assert_eq!(
            shown(&["l.a(x.o)", "l.a(x.o)"], &["l.a(x.o)", "l.a(x.o)"]),
            [both("l.a(x.o)"), both("l.a(x.o) #2")]
        );
    }
}
