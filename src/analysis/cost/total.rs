//! Sums over units, and by directory.

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};

use super::UnitCost;
use crate::analysis::Change;

/// What all units of something come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Units.
    pub units: usize,
    /// Units in which any function or datum differs.
    pub differing: usize,
    /// Functions in A.
    pub functions: usize,
    /// Functions in B.
    pub functions_b: usize,
    /// Functions that changed.
    pub changed: usize,
    /// Functions that only A has.
    pub gone: usize,
    /// Functions that only B has.
    pub new: usize,
    /// Functions that differ in a way with a word of its own: renamed, in another section, bound otherwise.
    pub other: usize,
    /// Data that differ.
    pub data: usize,
    /// Bytes of code in A.
    pub code_a: u64,
    /// Bytes of code in B.
    pub code_b: u64,
    /// Bytes of data in A.
    pub data_a: u64,
    /// Bytes of data in B.
    pub data_b: u64,
    /// Clones that vanish.
    pub clones_gone: usize,
    /// Calls of what A had inlined.
    pub inlining_lost: usize,
    /// Inlined in B, called in A.
    pub inlining_gained: usize,
    /// Calls that A knew not to return.
    pub noreturn_lost: usize,
}

impl Total {
    /// Adds one unit.
    pub fn add(&mut self, unit: &UnitCost) {
        let (changed, gone, new) =
            (unit.count(Change::Changed), unit.count(Change::Removed), unit.count(Change::New));
        self.units += 1;
        self.differing += usize::from(!unit.functions.is_empty() || !unit.data.is_empty());
        self.functions += unit.a.functions;
        self.functions_b += unit.b.functions;
        self.changed += changed;
        self.gone += gone;
        self.new += new;
        self.other += unit.functions.len() - changed - gone - new;
        self.data += unit.data.len();
        self.code_a = self.code_a.saturating_add(unit.a.code);
        self.code_b = self.code_b.saturating_add(unit.b.code);
        self.data_a = self.data_a.saturating_add(unit.a.data);
        self.data_b = self.data_b.saturating_add(unit.b.data);
        self.clones_gone += unit.clones_gone.len();
        self.inlining_lost += unit.inlining_lost.len();
        self.inlining_gained += unit.inlining_gained.len();
        self.noreturn_lost += unit.noreturn_lost.len();
    }

    /// Functions that differ in any way.
    pub fn touched(&self) -> usize {
        self.changed + self.gone + self.new + self.other
    }
}

/// A directory and what is in it, without its subdirectories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path, below what all objects share; `.` for that itself.
    pub path: BString,
    /// What it comes to.
    pub total: Total,
}

/// The sums by directory, those with most differing functions first.
pub fn directories<'a>(units: impl Iterator<Item = (&'a BStr, &'a UnitCost)>) -> Vec<Directory> {
    let mut found: BTreeMap<&BStr, Total> = BTreeMap::new();
    for (object, cost) in units {
        found.entry(directory(object)).or_default().add(cost);
    }
    let mut list: Vec<_> =
        found.into_iter().map(|(path, total)| Directory { path: path.into(), total }).collect();
    list.sort_by(|a, b| (b.total.touched(), &a.path).cmp(&(a.total.touched(), &b.path)));
    list
}

/// The directory of an object; `.` where its name has none.
pub fn directory(object: &BStr) -> &BStr {
    match object.rfind_byte(b'/') {
        Some(0) => b"/".as_bstr(),
        Some(at) => object.get(..at).unwrap_or_default().as_bstr(),
        None => b".".as_bstr(),
    }
}

/// The length of the directory that all these paths share, its slash included.
pub fn shared<'a>(mut paths: impl Iterator<Item = &'a BStr>) -> usize {
    let Some(first) = paths.next() else { return 0 };
    let mut length = first.rfind_byte(b'/').map_or(0, |at| at + 1);
    for path in paths {
        let same = first.iter().zip(path.iter()).take(length).take_while(|(a, b)| a == b).count();
        length = first.get(..same).and_then(|same| same.rfind_byte(b'/')).map_or(0, |at| at + 1);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_paths_share() {
        let shared = |paths: &[&'static str]| shared(paths.iter().map(|path| path.as_bytes().as_bstr()));
        assert_eq!(shared(&["/b/a.o"]), 3);
        assert_eq!(shared(&["/b/a.o", "/b/c/d.o", "/b/cx.o"]), 3);
        assert_eq!(shared(&["/b/x/a.o", "/b/xy/a.o"]), 3);
        assert_eq!(shared(&["/b/a.o", "/c.o"]), 1);
        assert_eq!(shared(&["a.o", "b.o"]), 0);
        assert_eq!(directory(b"x/y/a.o".as_bstr()), "x/y");
        assert_eq!(directory(b"a.o".as_bstr()), ".");
    }
}
