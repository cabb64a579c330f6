//! Whole builds under a policy: probes of build systems give the same answers, and what GCC refuses beside the flag does
//! not stop a build.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;
mod support;

use std::process::Output;

use bstr::ByteSlice;
use kit::{LPCC, Place, have, run};
use lpcc::policy::Action;

const CLONE: &str = "[default]\nlive-patching = \"inline-clone\"\nclones = true\n";

/// Runs a build in a shell with CC set; the configuration lies in the tree or not.
fn build(place: &Place, policy: bool, script: &str) -> Output {
    if policy {
        place.write("lpcc.toml", CLONE);
    } else {
        let _ = std::fs::remove_file(place.tree().join("lpcc.toml"));
    }
    let cc = format!("{LPCC} gcc-12");
    let output =
        run(place.command("/bin/sh").env("CC", cc).env("HOME", place.tree()).args(["-ec", script]), None);
    assert!(output.status.success(), "{}\n{}", output.stdout.as_bstr(), output.stderr.as_bstr());
    output
}

#[test]
fn cmake_finds_the_same() {
    if !have("cmake") || !have("gcc-12") {
        return;
    }
    let place = Place::new();
    place.write(
        "CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.13)\nproject(p C)\ninclude(CheckCCompilerFlag)\n\
         include(CheckFunctionExists)\ninclude(CheckIncludeFile)\ninclude(CheckTypeSize)\n\
         check_c_compiler_flag(-fipa-icf HAVE_ICF)\ncheck_c_compiler_flag(-flto HAVE_LTO)\n\
         check_c_compiler_flag(-flive-patching HAVE_LIVE)\ncheck_c_compiler_flag(-fno-such HAVE_NO)\n\
         check_function_exists(strlcpy HAVE_STRLCPY)\ncheck_function_exists(printf HAVE_PRINTF)\n\
         check_include_file(no/such.h HAVE_NONE)\ncheck_type_size(long LONG)\nadd_library(l STATIC l.c)\n",
    );
    place.write("l.c", "int l(void) { return 1; }\n");
    let answers = |policy| {
        build(&place, policy, "rm -rf b; cmake -S . -B b >log; cmake --build b >>log");
        let cache = std::fs::read_to_string(place.tree().join("b/CMakeCache.txt")).unwrap();
        let kept = |line: &&str| line.contains("HAVE_") || line.contains("LONG");
        cache.lines().filter(kept).map(str::to_owned).collect::<Vec<_>>()
    };
    let (without, with) = (answers(false), answers(true));
    assert!(without.contains(&"HAVE_ICF:INTERNAL=1".to_owned()), "{without:?}");
    assert!(without.contains(&"HAVE_NO:INTERNAL=".to_owned()));
    assert_eq!(without, with);
    let made = place.records().into_iter().find(|record| record.unit.output.ends_with(b"l.c.o")).unwrap();
    assert_eq!(made.decision.action, Action::InlineClone);
}

#[test]
fn meson_finds_the_same() {
    if !have("meson") || !have("ninja") || !have("gcc-12") {
        return;
    }
    let place = Place::new();
    place.write(
        "meson.build",
        "project('p', 'c')\ncc = meson.get_compiler('c')\nforeach f : ['-fipa-icf', '-flto', '-flive-patching', '-fno-such']\n  \
         message('answer', f, cc.has_argument(f))\nendforeach\nmessage('answer', cc.has_function('strlcpy'), cc.has_header('stdio.h'), \
         cc.sizeof('long'), cc.has_function('printf', prefix: '#include <stdio.h>'), cc.links('int main(void){return 0;}'))\nstatic_library('l', 'l.c')\n",
    );
    place.write("l.c", "int l(void) { return 1; }\n");
    let answers = |policy| {
        let output = build(&place, policy, "rm -rf b; meson setup b; ninja -C b >log");
        let text = output.stdout.to_str_lossy().into_owned();
        text.lines().filter(|line| line.starts_with("Message: answer")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (without, with) = (answers(false), answers(true));
    assert_eq!((without.len(), &without), (5, &with));
}

#[test]
fn configure_finds_the_same() {
    if !have("autoconf") || !have("gcc-12") {
        return;
    }
    let place = Place::new();
    place.write(
        "configure.ac",
        "AC_INIT([p],[1])\nAC_PROG_CC\nAC_CHECK_FUNCS([strlcpy printf])\nAC_CHECK_HEADERS([stdio.h no/such.h])\n\
         AC_CHECK_SIZEOF([long])\nAC_C_INLINE\nCFLAGS=\"$CFLAGS -fipa-icf\"\n\
         AC_COMPILE_IFELSE([AC_LANG_PROGRAM([],[])],[echo icf yes],[echo icf no])\n\
         CFLAGS=\"$CFLAGS -flto\"\nAC_LINK_IFELSE([AC_LANG_PROGRAM([],[])],[echo lto yes],[echo lto no])\nAC_OUTPUT\n",
    );
    let answers = |policy| {
        let output = build(&place, policy, "autoconf; rm -f config.log; ./configure");
        output.stdout.to_str_lossy().into_owned()
    };
    let (without, with) = (answers(false), answers(true));
    assert!(without.contains("icf yes") && without.contains("lto yes"), "{without}");
    assert_eq!(without, with);
}

#[test]
fn builds_with_lto_and_with_icf_go_to_their_end() {
    if !have("gcc-12") {
        return;
    }
    for (flags, action) in
        [("-O2 -flto", Action::Keep), ("-O2 -fipa-icf", Action::Keep), ("-O2", Action::InlineClone)]
    {
        let place = Place::new();
        place.write("a.c", "int b(int);\nint main(int n, char **v) { return b(n) - 3 + !v; }\n");
        place.write(
            "b.c",
            "static int twice(int x) { return 2 * x; }\nint b(int x) { return twice(x) + 1; }\n",
        );
        place.write(
            "Makefile",
            "p: a.o b.o\n\t$(CC) $(CFLAGS) -o $@ $^\n\t./p\n%.o: %.c\n\t$(CC) $(CFLAGS) -c -o $@ $<\n",
        );
        let output = build(&place, true, &format!("make -j2 CFLAGS='{flags}' CC=\"$CC\""));
        assert!(output.stderr.is_empty(), "{}", output.stderr.as_bstr());
        let records = place.records();
        assert_eq!(records.len(), 2);
        assert!(records.iter().all(|record| record.decision.action == action), "{flags}");
    }
}

/// zlib as shipped, its objects and programs, with the flags that GCC refuses beside `-flive-patching`.
#[test]
fn zlib_with_lto_and_with_icf() {
    if !have("gcc-12") {
        return;
    }
    let place = Place::new();
    let pristine = place.beside("zlib");
    if support::source("zlib", &pristine).is_none() {
        return;
    }
    for (flags, dumps) in
        [("-O2 -g -flto -ffat-lto-objects", false), ("-O2 -g -fipa-icf", true), ("-O2 -g", true)]
    {
        std::fs::remove_dir_all(place.tree()).unwrap();
        let _ = std::fs::remove_dir_all(place.store());
        support::copy_tree(&pristine, &place.tree());
        let output = build(
            &place,
            true,
            &format!(
                "CFLAGS='{flags}' ./configure --static >log; make -j2 libz.a minigzip >>log
                 ./minigzip <inflate.c >packed; ./minigzip -d <packed | cmp - inflate.c"
            ),
        );
        assert!(output.stderr.is_empty(), "{flags}: {}", output.stderr.as_bstr());
        let units: Vec<_> =
            place.records().into_iter().filter(|it| it.unit.output.ends_with(b"flate.o")).collect();
        assert_eq!(units.len(), 2, "{flags}: inflate and deflate");
        let plain = flags == "-O2 -g";
        for unit in units {
            let action = if plain { Action::InlineClone } else { Action::Keep };
            assert_eq!(unit.decision.action, action, "{flags}: {}", unit.decision.reason);
            assert_eq!(unit.clones.is_some_and(|dump| !dump.is_empty()), dumps, "{flags}: {:?}", unit.notes);
        }
        let stray = place.listing().into_keys().find(|name| name.to_string_lossy().contains("ipa-clones"));
        assert_eq!(stray, None, "{flags}");
        let expected = if plain { "inline-clone" } else { "none" };
        let audited = run(place.lpcc().args(["audit", "--expect", expected, "libz.a", "minigzip"]), None);
        assert_eq!(audited.status.code(), Some(0), "{flags}: {}", audited.stdout.as_bstr());
    }
}
