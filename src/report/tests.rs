//! What people read, kept as snapshots.

use bstr::BString;
use serde_json::Value;

use super::shown::{Shown, Standing};
use super::*;
use crate::analysis::{Change, CodePair, Finding, FindingKind, Hint, Listing, Place, Status};
use crate::object::fingerprint::RECIPE;
use crate::object::listing::Line;
use crate::object::{
    Basis, Fingerprints, Hash, Hook, Image, Item, Kind, Part, PartKind, Reference, Scope, StreamRange, Traits,
};

fn place(symbol: &str, offset: Option<u64>, text: Option<&str>) -> Place {
    Place {
        symbol: symbol.into(),
        section: ".text".into(),
        size: 100,
        index: offset.map(|offset| offset as u32 / 4),
        offset,
        text: text.map(str::to_owned),
    }
}

fn line(index: u32, text: &str) -> Line {
    Line { index, offset: Some(u64::from(index) * 4), text: text.into() }
}

fn object(name: &str, status: Status, findings: Vec<Finding>) -> ObjectDiff {
    ObjectDiff { object: name.into(), status, notes: Vec::new(), findings, code: Vec::new() }
}

fn code(parts: &[PartKind], detail: &str, symbol: &str) -> Finding {
    Finding {
        parts: parts.to_vec(),
        detail: detail.into(),
        old: Some(place(symbol, Some(0x1a4), Some("cmp $0x7,%eax"))),
        new: Some(place(symbol, Some(0x1a4), Some("cmp $0x8,%eax"))),
        ..Finding::new(FindingKind::Function, symbol, Change::Changed)
    }
}

/// One of everything.
fn comparison() -> Comparison {
    let input = |what: &str, detail: &str| Finding {
        detail: detail.into(),
        ..Finding::new(FindingKind::Input, what, Change::Changed)
    };
    let data = |symbol: &str, change| Finding {
        parts: if change == Change::Changed { vec![PartKind::Content] } else { Vec::new() },
        readers: vec!["inflate".into(), "inflate_table".into()],
        old: Some(place(symbol, None, None)),
        new: Some(place(symbol, None, None)),
        ..Finding::new(FindingKind::Data, symbol, change)
    };
    let mut inflate = object(
        "inflate.o",
        Status::Changed,
        vec![
            input("flags", "-O2 +O3"),
            input("inflate.c", ""),
            code(
                &[PartKind::Code, PartKind::Strings],
                "at +0x1a4: cmp $0x7,%eax -> cmp $0x8,%eax",
                "inflate",
            ),
            Finding {
                hint: Some(Hint::MaybeLine),
                ..code(&[PartKind::Code], "at +0x8: mov $0x7,%edi -> mov $0x9,%edi", "warn")
            },
            code(&[PartKind::Strings], "string \"hello\" became \"hellO\"", "_ZN1VIiE3getEi.isra.0"),
            Finding {
                detail: "section .text -> .text.unlikely".into(),
                ..Finding::new(FindingKind::Function, "moved", Change::Section)
            },
            Finding {
                detail: "old_name became new_name".into(),
                ..Finding::new(FindingKind::Function, "new_name", Change::Renamed)
            },
            data("lens_tbl", Change::Changed),
            Finding { guess: true, ..data("cnt.3", Change::Changed) },
            data("fresh", Change::New),
            Finding::new(FindingKind::Section, ".text.fresh", Change::New),
            Finding::new(FindingKind::Section, ".data.fresh", Change::New),
            Finding {
                detail: "alignment 8 -> 16".into(),
                ..Finding::new(FindingKind::Section, ".rodata", Change::Alignment)
            },
            Finding::new(FindingKind::Unowned, ".data+0x10", Change::Removed),
        ],
    );
    inflate.code = vec![CodePair {
        symbol: "inflate".into(),
        listings: vec![Listing {
            part: PartKind::Code,
            old: vec![line(0, "push %rbx"), line(1, "cmp $0x7,%eax"), line(2, "ret")],
            new: vec![line(0, "push %rbx"), line(1, "cmp $0x8,%eax"), line(2, "nop"), line(3, "ret")],
        }],
    }];
    let mut deferred = object("lto.o", Status::Deferred, Vec::new());
    deferred.notes = vec!["deferred: lto: no function bytes before the link (new side)".into()];
    let mut bad = object("bad\n.o", Status::Unreadable, Vec::new());
    bad.object = BString::from(b"bad\n\xff.o");
    bad.notes = vec!["`bad.o`: section header beyond the file (at section 3)".into()];
    let added = vec![Finding::new(FindingKind::Function, "f", Change::New), data("d", Change::New)];
    Comparison {
        old: "'before'".into(),
        new: "'now'".into(),
        objects: vec![
            object("adler32.o", Status::Same, vec![input("flags", "-O2 +O3")]),
            bad,
            inflate,
            deferred,
            object("new.o", Status::Added, added),
        ],
        troubles: vec!["`bad.o`: section header beyond the file (at section 3)".into()],
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn diff_as_text() {
    insta::assert_snapshot!(plain(&diff_text::render(&comparison(), None)));
}

#[test]
fn diff_as_text_on_a_wide_terminal() {
    let mut comparison = comparison();
    comparison.objects.drain(..2);
    comparison.objects.truncate(1);
    comparison.objects[0].findings.truncate(3);
    insta::assert_snapshot!(plain(&diff_text::render(&comparison, Some(120))));
}

#[test]
fn diff_as_text_in_colour() {
    let mut comparison = comparison();
    comparison.objects.drain(..2);
    comparison.objects.truncate(1);
    comparison.objects[0].findings.truncate(3);
    insta::assert_snapshot!(format!("{:?}", diff_text::render(&comparison, None)));
}

#[test]
fn nothing_differs() {
    let same = |objects| Comparison { old: "a.o".into(), new: "b.o".into(), objects, troubles: Vec::new() };
    let one = object("a.o", Status::Same, Vec::new());
    assert_eq!(diff_text::render(&same(vec![one.clone()]), None), "a.o -> b.o: same\n");
    assert_eq!(
        diff_text::render(&same(vec![one.clone(), one]), None),
        "a.o -> b.o: 2 objects, all the same\n"
    );
    assert_eq!(diff_text::render(&same(Vec::new()), None), "a.o -> b.o: no objects\n");
}

#[test]
fn diff_as_json() {
    let text = diff_json::render(&comparison()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "lpcc.diff/1");
    insta::assert_snapshot!(text);
}

fn shown() -> Shown {
    let part = |kind| Part { kind, hash: Hash::of(b"x"), stream: StreamRange::default() };
    let item = |kind, name: &str, parts: &[PartKind]| Item {
        kind,
        name: name.into(),
        aliases: Box::default(),
        scope: Scope::Global,
        section: ".text".into(),
        address: 16,
        size: 120,
        parts: parts.iter().map(|kind| part(*kind)).collect(),
        references: [Reference::External("puts".into()), Reference::Item(1)].into(),
        traits: Traits::default(),
    };
    let mut folded =
        item(Kind::Function, "_Z3fooi", &[PartKind::Code, PartKind::Strings, PartKind::Attributes]);
    folded.aliases = ["bar".into()].into();
    folded.traits.hook = Hook::Patchable { before: 2, after: 5 };
    folded.traits.instructions = 31;
    let prints = Fingerprints {
        recipe: RECIPE,
        image: Image {
            machine: 62,
            file_type: 3,
            bits: 64,
            little_endian: true,
            flags: 0,
            build_id: Some(BString::from(b"\xab\x01")),
        },
        basis: Basis::Conservative(vec!["linked file without relocations".into()]),
        files: Vec::new(),
        items: vec![folded, item(Kind::Data, "table", &[PartKind::Content])],
        streams: Vec::new(),
    };
    Shown {
        name: "libx.so".into(),
        prints,
        recorded: Some(Standing::Differs),
        notes: Vec::new(),
        symbols: Vec::new(),
    }
}

#[test]
fn show_as_text() {
    insta::assert_snapshot!(plain(&show_text::render(&[shown()], false)));
}

#[test]
fn show_as_text_with_parts() {
    insta::assert_snapshot!(plain(&show_text::render(&[shown()], true)));
}

#[test]
fn show_as_json() {
    insta::assert_snapshot!(show_json::render(&[shown()], true, &[]).unwrap());
}
