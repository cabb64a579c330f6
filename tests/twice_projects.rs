//! Real projects compiled twice with every side output on: each file of the tree is what it is without lpcc, to the byte, no file
//! is there that would not be, and the numbers are those of other measurements.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::fs;

use serde_json::Value;
use support::{Scratch, assert_same_files, command, compiler, contents, copy_tree, lpcc, source, succeed};

/// Every side output that GCC has and whose contents are the same each time.
const SIDE: &str = "-g -MD -fstack-usage -fcallgraph-info -fdump-ipa-clones -fdump-tree-optimized -save-temps=obj \
                    -ftest-coverage -frandom-seed=1";

struct Project {
    package: &'static str,
    /// A shell script run once in the tree, `$CC` being the bare compiler.
    prepare: &'static str,
    /// A shell script run in the tree, `$CC` and `$CXX` being the compilers and `$SIDE` the flags.
    build: &'static str,
}

const ZLIB: Project = Project {
    package: "zlib",
    prepare: "./configure --static",
    build: "make -j4 CC=\"$CC\" CFLAGS=\"-O2 -D_LARGEFILE64_SOURCE=1 -DHAVE_HIDDEN $SIDE\" libz.a",
};

const LUA: Project = Project {
    package: "lua5.4",
    prepare: "for patch in 0002-lua-modules-paths 0001-build-system; do \
        patch -s -R -p1 <debian/patches/$patch.patch; done",
    build: "make -j4 -C src CC=\"$CC -std=gnu99\" MYCFLAGS=\"-DLUA_USE_POSIX $SIDE\" o a",
};

const SQLITE: Project = Project {
    package: "sqlite3",
    prepare: "./configure --disable-tcl --disable-readline --disable-shared CFLAGS=-O1; make sqlite3.c",
    build: "$CC -O1 -DSQLITE_THREADSAFE=0 $SIDE -c sqlite3.c -o sqlite3.o",
};

const JSONCPP: Project = Project {
    package: "libjsoncpp",
    prepare: "true",
    build: "for f in src/lib_json/*.cpp; do $CXX -O2 -Iinclude $SIDE -c \"$f\" -o \"${f%.cpp}.o\"; done",
};

/// Builds without lpcc, then twice with it; gives the report.
fn twice(project: &Project) -> Option<Value> {
    let scratch = Scratch::new(&format!("twice-{}", project.package));
    let (tree, store, pristine) = (scratch.join("tree"), scratch.join("store"), scratch.join("pristine"));
    source(project.package, &tree)?;
    let shell = |script: &str, lead: &str| {
        let mut shell = command("sh", &tree, &store);
        shell.args(["-ec", script]).env("SIDE", SIDE);
        for (variable, name) in [("CC", "gcc-12"), ("CXX", "g++-12")] {
            shell.env(variable, format!("{lead}{}", compiler(name).display()));
        }
        shell
    };
    succeed(&mut shell(project.prepare, ""));
    copy_tree(&tree, &pristine);
    succeed(&mut shell(project.build, ""));
    let bare = contents(&tree);
    let wrapped = |shadows: &str| {
        fs::remove_dir_all(&tree).unwrap();
        copy_tree(&pristine, &tree);
        let output =
            succeed(shell(project.build, &format!("{} ", lpcc().display())).env("LPCC_TWICE", shadows));
        assert_same_files(&bare, &contents(&tree));
        let left: Vec<_> =
            fs::read_dir(store.join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
        output
    };
    wrapped("toggle-live-patching,same");
    let answer = succeed(command(lpcc(), &tree, &store).args(["report", "--format", "json"]));
    Some(serde_json::from_slice(&answer.stdout).unwrap())
}

/// What the report says of functions: all, changed, gone, new; and every unit was compiled, alike where it was the same call.
#[track_caller]
fn numbers(report: &Value) -> [u64; 4] {
    assert_eq!(report["once"], 0);
    for shadow in report["shadows"].as_array().unwrap() {
        assert_eq!(shadow["failed"].as_array().unwrap().len(), 0, "{}", shadow["failed"]);
    }
    let (flag, same) = (&report["shadows"][0]["summary"], &report["shadows"][1]["summary"]);
    assert_eq!((&same["differing"], &same["data"]), (&0.into(), &0.into()), "{same}");
    ["a", "changed", "gone", "new"].map(|key| flag["functions"][key].as_u64().unwrap())
}

/// Upstream's zlib 1.3 by another measurement: 29 of 130 changed, one new.
#[test]
fn zlib() {
    let Some(report) = twice(&ZLIB) else { return };
    let [all, changed, gone, new] = numbers(&report);
    assert!((120..140).contains(&all) && (25..=33).contains(&changed), "{changed} of {all}");
    assert_eq!((gone, new), (0, 1));
}

/// Upstream's Lua 5.4 by another measurement: 58 of 726 at plain -O2; the distribution's 5.4.4, 68 of 704. Here `-std=gnu99` and
/// the compatibility macros of its makefile decide which functions there are.
#[test]
fn lua() {
    let Some(report) = twice(&LUA) else { return };
    let [all, changed, gone, new] = numbers(&report);
    assert!((690..740).contains(&all) && (55..=75).contains(&(changed + gone + new)), "{changed} of {all}");
    // luac's own `usage`, `fatal` and `cannot` always end in exit(), and nobody said so.
    let objects = report["shadows"][0]["objects"].as_array().unwrap().iter();
    let lost = objects.flat_map(|object| object["noreturn_lost"].as_array().unwrap());
    let mut callees: Vec<_> = lost.map(|lost| lost["callee"].as_str().unwrap()).collect();
    callees.dedup();
    assert_eq!(callees, ["cannot", "fatal", "usage"]);
}

#[test]
fn sqlite() {
    let Some(report) = twice(&SQLITE) else { return };
    let [all, changed, ..] = numbers(&report);
    assert!(all > 1500 && changed > 50, "{changed} of {all}");
}

#[test]
fn a_cpp_project() {
    let Some(report) = twice(&JSONCPP) else { return };
    let [all, changed, ..] = numbers(&report);
    assert!(all > 300 && changed > 10, "{changed} of {all}");
}
