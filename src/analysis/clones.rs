//! GCC's clones dump (`-fdump-ipa-clones`): what was inlined into what, and which function was made from which.
//!
//! One record a line, fields between `;`, nothing escaped:
//!
//! ```text
//! Callgraph clone;ORIGINAL;order;file;line;column;CLONE;order;file;line;column;KIND
//! Callgraph removal;FUNCTION;order;file;line;column
//! ```
//!
//! Before GCC 7.1 `<-` stood between the two functions and `optimization:` before the kind; SUSE's compilers of
//! that age write it so. The tempting ways, a split at fixed places and a list of known kinds, break: a file's name may hold
//! a `;`, and each release adds kinds (`simdclone`, the target of a `target_clones`, even `(null)`). So a function ends where
//! two numbers do, any kind is a kind, and a line that is neither of the two records is kept as strange, to be said.
//!
//! Two functions are the same if name and place are: `order` counts within one compile and means nothing outside it. The dump
//! is not all there is: it knows nothing of folded functions, of what a caller learned of its callee (registers, purity, ranges), nor
//! of who calls a clone; and since GCC 11 it no longer names originals that are gone.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use bstr::{BStr, BString, ByteSlice};

/// A function as the dump names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function {
    /// Its assembler name.
    pub name: BString,
    /// The file of its declaration, as the compiler was given it.
    pub file: BString,
    /// Line in it, from 1; 0 where it has none.
    pub line: u32,
    /// Column, from 1; 0 where it has none.
    pub column: u32,
}

/// One thing that was done: code of `from` is now in `to`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The original.
    pub from: Function,
    /// What holds a copy of its body: the caller it was inlined into, or the clone.
    pub to: Function,
    /// By what: [`INLINING`], or the clone's suffix (`constprop`, `isra`, `part`, …) as the compiler has it.
    pub kind: BString,
}

/// The kind of an edge from a callee to the caller that it was inlined into.
pub const INLINING: &str = "inlining to";

impl Edge {
    /// Whether `to` is a caller, rather than a function made from `from`.
    pub fn is_inlining(&self) -> bool {
        self.kind == INLINING
    }
}

/// What a dump holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clones {
    /// In the order of the dump; what was done twice stands twice.
    pub edges: Vec<Edge>,
    /// Functions that the compiler said it dropped.
    pub removed: Vec<Function>,
    /// Lines that are no record, as they stand.
    pub strange: Vec<BString>,
}

impl Clones {
    /// What went into `holder`: for each function that did, the names from the outermost copy to it. Of several ways the shortest.
    pub fn inlined_into(&self, holder: &BStr) -> BTreeSet<Vec<BString>> {
        let mut by_holder: HashMap<&BStr, Vec<&BStr>> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| edge.is_inlining()) {
            by_holder.entry(edge.to.name.as_bstr()).or_default().push(edge.from.name.as_bstr());
        }
        let mut chains = BTreeSet::new();
        let mut seen = HashSet::from([holder]);
        let mut waiting = VecDeque::from([(holder, Vec::new())]);
        while let Some((at, way)) = waiting.pop_front() {
            for callee in by_holder.get(at).into_iter().flatten().copied() {
                if seen.insert(callee) {
                    let mut chain: Vec<BString> = way.clone();
                    chain.push(callee.into());
                    chains.insert(chain.clone());
                    waiting.push_back((callee, chain));
                }
            }
        }
        chains
    }
}

const CLONE: &[u8] = b"Callgraph clone";
const REMOVAL: &[u8] = b"Callgraph removal";
const ARROW: &[u8] = b"<-";
const OPTIMIZATION: &[u8] = b"optimization:";

/// Reads a dump.
pub fn parse(dump: &[u8]) -> Clones {
    let mut clones = Clones::default();
    for line in dump.lines().filter(|line| !line.trim_ascii().is_empty()) {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b';').collect();
        match fields.split_first() {
            Some((&CLONE, rest)) if let Some(edge) = edge(rest) => clones.edges.push(edge),
            Some((&REMOVAL, rest)) if let Some((function, [])) = functions(rest).last() => {
                clones.removed.push(function);
            }
            _ => clones.strange.push(line.into()),
        }
    }
    clones
}

fn edge(fields: &[&[u8]]) -> Option<Edge> {
    functions(fields).find_map(|(from, rest)| {
        let (rest, old) = match rest.split_first() {
            Some((&ARROW, rest)) => (rest, true),
            _ => (rest, false),
        };
        functions(rest).find_map(|(to, rest)| {
            let kind = match (rest, old) {
                ([OPTIMIZATION, kind], true) | ([kind], false) => (*kind).into(),
                _ => return None,
            };
            Some(Edge { from: from.clone(), to, kind })
        })
    })
}

/// A function at the start of `fields`, and what is behind it; several readings where its file's name holds a `;`, the
/// shortest first.
fn functions<'a, 'f>(fields: &'f [&'a [u8]]) -> impl Iterator<Item = (Function, &'f [&'a [u8]])> {
    let name = fields.first().copied().unwrap_or_default();
    let begins = !name.is_empty() && fields.get(1).and_then(|order| number(order)).is_some();
    (4..fields.len()).filter(move |_| begins).filter_map(move |column_at| {
        let file = fields.get(2..column_at - 1)?;
        let line = number(fields.get(column_at - 1)?)?;
        let column = number(fields.get(column_at)?)?;
        let file = bstr::join(";", file).into();
        Some((Function { name: BStr::new(name).into(), file, line, column }, fields.get(column_at + 1..)?))
    })
}

fn number(field: &[u8]) -> Option<u32> {
    field.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(dump: &str) -> (Vec<String>, Vec<String>, usize) {
        let clones = parse(dump.as_bytes());
        let place = |it: &Function| format!("{} {}:{}:{}", it.name, it.file, it.line, it.column);
        (
            clones
                .edges
                .iter()
                .map(|edge| format!("{} -> {} {}", place(&edge.from), place(&edge.to), edge.kind))
                .collect(),
            clones.removed.iter().map(place).collect(),
            clones.strange.len(),
        )
    }

    #[test]
    fn both_layouts() {
        let (edges, removed, strange) = told(
            "Callgraph clone;small;0;c/h.h;1;19;api;8;c/c.c;16;5;inlining to\n\
             Callgraph removal;small;0;c/h.h;1;19\n\
             Callgraph clone;sra.constprop.0;25;c.c;6;38;sra.constprop.0.isra.0;26;c.c;6;38;isra\n\
             Callgraph clone;one.part.3;1348;fs/o.c;210;5;<-;one;1291;fs/o.c;210;5;optimization:;inlining to\n",
        );
        assert_eq!(
            edges,
            [
                "small c/h.h:1:19 -> api c/c.c:16:5 inlining to",
                "sra.constprop.0 c.c:6:38 -> sra.constprop.0.isra.0 c.c:6:38 isra",
                "one.part.3 fs/o.c:210:5 -> one fs/o.c:210:5 inlining to",
            ]
        );
        assert_eq!((removed.as_slice(), strange), (&["small c/h.h:1:19".to_owned()][..], 0));
    }

    #[test]
    fn any_kind_and_any_file() {
        for kind in ["simdclone", "(null)", "avx2", "default", "a kind of tomorrow", ""] {
            let clones = parse(format!("Callgraph clone;f;1;a.c;2;3;f.{kind};4;a.c;2;3;{kind}\n").as_bytes());
            assert_eq!(clones.edges[0].kind, kind);
            assert!(!clones.edges[0].is_inlining());
        }
        let (edges, ..) = told("Callgraph clone;f;1;a;7.c;2;3;g;4;b;1;9;x.c;5;6;inlining to\n");
        assert_eq!(edges, ["f a;7.c:2:3 -> g b;1;9;x.c:5:6 inlining to"]);
        let clones = parse(b"Callgraph clone;f;1;\xff.c;2;3;g;4;\xff.c;5;6;part");
        assert_eq!(clones.edges[0].from.file, &b"\xff.c"[..]);
        let (edges, removed, strange) = told("Callgraph clone;f;1;<built-in>;0;0;g;4;a.c;5;6;part\r\n\n");
        assert_eq!((edges.len(), removed.len(), strange), (1, 0, 0));
    }

    #[test]
    fn what_is_no_record_is_kept_as_strange() {
        for line in [
            "Callgraph clone",
            "Callgraph clone;f;1;a.c;2;3",
            "Callgraph clone;f;x;a.c;2;3;g;4;a.c;5;6;part",
            "Callgraph clone;f;1;a.c;2;3;<-;g;4;a.c;5;6;part",
            "Callgraph removal;f;1;a.c;2",
            "Callgraph removal;;1;a.c;2;3",
            "something else",
        ] {
            assert_eq!(told(line), (Vec::new(), Vec::new(), 1), "{line}");
        }
        assert_eq!(parse(b""), Clones::default());
    }
}
