//! `lpcc select --patch` on real software, held against a full rebuild of the patched side.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use support::assembler::unnumbered;
use support::build::{Form, Project, Recipe};

static ZLIB: Recipe =
    Recipe { package: "zlib", prepare: "./configure --static", folder: "", make: &["libz.a"] };

static SQLITE: Recipe = Recipe {
    package: "sqlite3",
    // With assertions: hundreds of functions hold the number of a line.
    prepare: "./configure --disable-tcl --disable-readline --disable-shared --enable-debug CFLAGS=-O1; make sqlite3.c",
    folder: "",
    make: &["sqlite3.lo"],
};

/// A fix: what stands in the source and what replaces it.
struct Fix {
    source: &'static str,
    old: &'static str,
    new: &'static str,
    /// Functions that must be selected, with the reason of the first.
    selected: &'static [(&'static str, &'static str)],
}

/// Selects by patch; then applies the fix, builds, and compares.
fn selects_what_a_rebuild_shows(recipe: &'static Recipe, compiler: &'static str, fix: &Fix) -> Option<Value> {
    let project = Project::prepare(recipe, compiler, Form::Named)?;
    project.build();
    project.snapshot("shipped");
    let source = project.folder().join(fix.source);
    let text = fs::read(&source).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(text.matches(fix.old).count(), 1, "`{}` must stand once", fix.old);
    let edited = project.tree().join("edited.tmp");
    fs::write(&edited, text.replace(fix.old, fix.new)).unwrap();
    let patch = project.tree().join("fix.patch");
    let labels = [format!("a/{}", fix.source), format!("b/{}", fix.source)];
    let mut diff = Command::new("diff");
    diff.args(["-a", "-u", "--label", &labels[0], "--label", &labels[1]]).arg(&source).arg(&edited);
    fs::write(&patch, diff.output().unwrap().stdout).unwrap();

    let mut select = project.lpcc(&["select", "--recording", "shipped", "--format", "json", "--patch"]);
    let output = select.arg(&patch).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(output.status.code(), Some(1), "{json:#}");
    assert_eq!(json["rebuild"]["units"], json["rebuild"]["reproduced"], "{json:#}");
    assert_eq!(String::from_utf8_lossy(&fs::read(&source).unwrap()), text, "the tree was written");

    fs::copy(&edited, &source).unwrap();
    project.build();
    project.snapshot("fixed");
    let (found, _) = project.diff("shipped", "fixed");
    let bodies = ["changed", "new", "removed"];
    let rebuilt: BTreeSet<String> = found
        .iter()
        .filter(|it| it.kind == "function" && bodies.contains(&it.change.as_str()))
        .map(|it| unnumbered(&it.symbol))
        .collect();
    let names = |key: &str| -> BTreeSet<String> {
        json[key].as_array().unwrap().iter().map(|it| unnumbered(it["symbol"].as_str().unwrap())).collect()
    };
    let selected = names("functions");
    assert_eq!(&selected | &names("line_only"), rebuilt, "{json:#}");
    for (symbol, why) in fix.selected {
        let mut functions = json["functions"].as_array().unwrap().iter();
        let function = functions.find(|it| unnumbered(it["symbol"].as_str().unwrap()) == *symbol);
        assert_eq!(function.unwrap_or_else(|| panic!("no {symbol}: {json:#}"))["why"][0]["kind"], *why);
    }
    assert!(!json.to_string().contains("unexplained"), "{json:#}");
    Some(json)
}

/// Upstream's fix in zlib 1.3.1.
const INFLATE_SYNC: Fix = Fix {
    source: "inflate.c",
    old: "state->hold <<= state->bits & 7;",
    new: "state->hold >>= state->bits & 7;",
    selected: &[("inflateSync", "edited")],
};

#[test]
fn zlib_gcc() {
    selects_what_a_rebuild_shows(&ZLIB, "gcc", &INFLATE_SYNC);
}

#[test]
fn zlib_clang() {
    selects_what_a_rebuild_shows(&ZLIB, "clang", &INFLATE_SYNC);
}

/// One line more in a file of 250,000: one function, and not all that assert something below it.
#[test]
fn sqlite_gcc() {
    let fix = Fix {
        source: "sqlite3.c",
        old: "  hdr = pPage->hdrOffset;\n  data = pPage->aData;\n  /* EVIDENCE-OF: R-58015-48175",
        new: "  hdr = pPage->hdrOffset;\n  if( hdr>100 ) return SQLITE_CORRUPT_PAGE(pPage);\n  data = pPage->aData;\n  /* EVIDENCE-OF: R-58015-48175",
        selected: &[("btreeComputeFreeSpace", "edited")],
    };
    if let Some(json) = selects_what_a_rebuild_shows(&SQLITE, "gcc", &fix) {
        assert_eq!(json["functions"].as_array().unwrap().len(), 1, "{json:#}");
        assert!(json["line_only"].as_array().unwrap().len() > 10, "{json:#}");
    }
}
