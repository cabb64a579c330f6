//! Real software, built with lpcc in the compiler's place: zlib (its own configure, plain make), Lua (plain make) and
//! SQLite (autotools and libtool, one unit of 250,000 lines), each with gcc and with clang.
//!
//! The oracles know nothing of lpcc: the objects of a build without it, and the compiler's own assembler text before
//! and after an edit. Sources come from the distribution's source packages; without a network these tests are
//! skipped, visibly, and where CI or LPCC_REQUIRE_SOURCES is set that is a failure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::build::{Form, Project, Recipe, objects_with_findings};
use support::{assert_same_files, edit, findings};

static ZLIB: Recipe =
    Recipe { package: "zlib", prepare: "./configure --static", folder: "", make: &["libz.a", "minigzip"] };

/// The distribution builds Lua by libtool; taking its patches back leaves upstream's plain makefile.
static LUA: Recipe = Recipe {
    package: "lua5.4",
    prepare: "for patch in 0002-lua-modules-paths 0001-build-system; do \
        patch -s -R -p1 <debian/patches/$patch.patch; done",
    folder: "src",
    make: &["o", "a", "MYCFLAGS=-DLUA_USE_POSIX"],
};

static SQLITE: Recipe = Recipe {
    package: "sqlite3",
    // -O1: the optimiser's reach is tried on the smaller projects; here it is the sheer size.
    prepare: "./configure --disable-tcl --disable-readline --disable-shared CFLAGS=-O1; make sqlite3.c",
    folder: "",
    make: &["sqlite3.lo"],
};

/// A one-line edit and where it is made.
struct Edit {
    source: &'static str,
    old: &'static str,
    new: &'static str,
    /// Functions that must be among the changed ones, lest the oracle be blind too.
    reaches: &'static [&'static str],
}

/// With and without lpcc the same objects; all of them recorded; and the same build again differs nowhere.
fn builds_as_without(project: &mut Project) {
    let bare = project.build_bare();
    assert!(!bare.is_empty(), "the build made no objects");
    project.restore();
    let (ours, _) = project.build();
    assert_same_files(&bare, &ours);
    every_object_has_a_record(project, ours.keys().map(AsRef::as_ref));
    project.snapshot("first");

    project.restore();
    project.build();
    project.snapshot("second");
    let (found, status) = project.diff("first", "second");
    assert!(found.is_empty() && status == 0, "the same build twice: status {status}, {found:?}");
}

/// Edits one line, builds again and compares lpcc's answer with the assembler's; then puts a comment above
/// everything and compares again. The snapshot `first` is of the tree as shipped.
fn names_what_changed(project: &Project, change: &Edit) {
    let source = project.folder().join(change.source);
    let object = change.source.replace(".c", ".o");
    let shipped = std::fs::read_to_string(&source).unwrap();
    let before = project.assembler(change.source);

    edit(&source, change.old, change.new);
    project.build();
    project.snapshot("edited");
    let expected = support::assembler::changed(&before, &project.assembler(change.source));
    for name in change.reaches {
        assert!(expected.contains(*name), "the edit does not reach {name}: {expected:?}");
    }
    let (found, status) = project.diff("first", "edited");
    assert_eq!(findings::functions(&found, &object), expected, "the functions that the edit changed");
    assert_eq!(objects_with_findings(&found), BTreeSet::from([object.clone()]));
    assert_eq!(status, 1);

    std::fs::write(&source, format!("/* One line that moves all others down. */\n{shipped}")).unwrap();
    project.build();
    project.snapshot("moved");
    let expected = support::assembler::changed(&before, &project.assembler(change.source));
    let (found, _) = project.diff("first", "moved");
    assert_eq!(findings::functions(&found, &object), expected, "the functions that depend on __LINE__");
    for finding in found.iter().filter(|finding| finding.kind == "function") {
        let said = finding.change == "line-only" || finding.json.to_string().contains("maybe-line");
        assert!(said, "not hinted as a matter of lines: {finding:?}");
    }
}

/// Every object that the build left has a record, found by its place, and no record is damaged or of other bytes.
fn every_object_has_a_record<'a>(project: &Project, objects: impl Iterator<Item = &'a Path>) {
    let mut show = project.lpcc(&["show", "--format", "json", "--recorded"]);
    let output = show.args(objects.map(|object| project.tree().join(object))).output().unwrap();
    assert!(output.status.success(), "no record: {}", String::from_utf8_lossy(&output.stderr));
    support::succeed(&mut project.lpcc(&["store", "verify"]));
}

const ZLIB_FIX: Edit = Edit {
    source: "inflate.c",
    old: "state->hold <<= state->bits & 7;",
    new: "state->hold >>= state->bits & 7;",
    reaches: &["inflateSync"],
};

/// `currentpc` is small and static: gcc and clang put it into its callers.
const LUA_EDIT: Edit = Edit {
    source: "ldebug.c",
    old: "return pcRel(ci->u.l.savedpc, ci_func(ci)->p);",
    new: "return pcRel(ci->u.l.savedpc, ci_func(ci)->p) + 2;",
    reaches: &["lua_getinfo"],
};

const LUA_EDIT_CPP: Edit = Edit { reaches: &["_Z13luaG_runerrorP9lua_StatePKcz"], ..LUA_EDIT };

/// A macro of the b-tree: one line, dozens of functions.
const SQLITE_EDIT: Edit = Edit {
    source: "sqlite3.c",
    old: "#define get2byte(x)   ((x)[0]<<8 | (x)[1])",
    new: "#define get2byte(x)   ((x)[0]<<8 ^ (x)[1])",
    reaches: &["btreeComputeFreeSpace", "defragmentPage"],
};

fn whole_story(recipe: &'static Recipe, compiler: &'static str, form: Form, change: &Edit) {
    let Some(mut project) = Project::prepare(recipe, compiler, form) else { return };
    builds_as_without(&mut project);
    names_what_changed(&project, change);
}

#[test]
fn zlib_gcc() {
    whole_story(&ZLIB, "gcc", Form::Named, &ZLIB_FIX);
}

#[test]
fn zlib_clang() {
    whole_story(&ZLIB, "clang", Form::ByVariable, &ZLIB_FIX);
}

#[test]
fn lua_gcc() {
    whole_story(&LUA, "gcc", Form::Shim, &LUA_EDIT);
}

#[test]
fn lua_clang() {
    whole_story(&LUA, "clang", Form::Named, &LUA_EDIT);
}

/// Lua is written to compile as C++ too: mangled names, exception tables.
#[test]
fn lua_as_cpp() {
    whole_story(&LUA, "g++", Form::Named, &LUA_EDIT_CPP);
}

#[test]
fn sqlite_gcc() {
    whole_story(&SQLITE, "gcc", Form::ByVariable, &SQLITE_EDIT);
}

/// Clang takes thrice as long over the amalgamation: what it makes of an edit is tried on zlib and Lua.
#[test]
fn sqlite_clang() {
    let Some(mut project) = Project::prepare(&SQLITE, "clang", Form::Shim) else { return };
    builds_as_without(&mut project);
}
