//! Objects of 64-bit Power: what only its kernel and its newer instructions have.

#![allow(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod kit;

use kit::objects::findings;
use kit::{Place, have, skip};

const COMPILER: &str = "powerpc64le-linux-gnu-gcc";

/// The functions and data that differ between two sources.
#[track_caller]
fn differing(flags: &str, old: &str, new: &str) -> Vec<String> {
    let place = Place::of(&[("old.c", old), ("new.c", new)]);
    for name in ["old", "new"] {
        place.shell(&format!("{COMPILER} -O2 {flags} -c {name}.c -o {name}.o"));
    }
    let found = findings(&place, "old.o", "new.o");
    let mut names: Vec<String> =
        found.iter().filter_map(|one| one.split(' ').nth(1)).map(str::to_owned).collect();
    names.sort();
    names
}

/// The kernel's entries of features count from their own start. The code they replace is the function's that has them.
#[test]
fn entries_of_features_are_their_functions() {
    if !have(COMPILER) {
        return skip(COMPILER);
    }
    let macros = "#define FTR(new, value) asm volatile(\"97: nop\\n99:\\n .pushsection __ftr_alt_97,\\\"a\\\"\\n .align 2\\n\" \
        \"981: \" new \"\\n982:\\n .popsection\\n .pushsection __ftr_fixup,\\\"a\\\"\\n .align 3\\n985: .8byte \" value \", \" value \
        \"\\n .8byte 97b-985b, 99b-985b, 981b-985b, 982b-985b\\n .popsection\" ::: \"memory\")\n";
    let function = |name: &str, number: u32, value: u32| {
        format!("int {name}(int x) {{ FTR(\"li 9,{number}\", \"{value}\"); return x + {value}; }}\n")
    };
    let source = |functions: &[String]| format!("{macros}{}", functions.concat());
    let plain: Vec<String> = (1..9).map(|n| function(&format!("f{n}"), n, n)).collect();
    let old = source(&plain);
    for changed in ["f1", "f4", "f8"] {
        let mut new = plain.clone();
        for (n, one) in (1..).zip(&mut new).filter(|(n, _)| format!("f{n}") == changed) {
            *one = function(changed, 77, n);
        }
        assert_eq!(differing("", &old, &source(&new)), [changed]);
    }
    let mut more = plain.clone();
    more.insert(4, function("between", 50, 50));
    assert_eq!(differing("", &old, &source(&more)), ["between"]);
    // One entry alone.
    let one = |number| source(&[function("f", number, 1), "int g(int x) { return x * x; }".to_owned()]);
    assert_eq!(differing("", &one(1), &one(2)), ["f"]);
}

/// What a prefixed load brings is no address of what it was loaded from.
#[test]
fn a_value_from_a_prefixed_load_is_no_address() {
    if !have(COMPILER) {
        return skip(COMPILER);
    }
    for (kind, zero) in [("int", "int"), ("unsigned char", "int"), ("short", "int"), ("long", "long")] {
        let source = |before: &str, between: &str| {
            format!(
                "extern void ext({zero}), at(void *); {before} static int key[40], key2[40]; {between} static {kind} cnt; \
                 void f(void) {{ cnt += 36; ext(cnt); }} void g(void) {{ at(key); at(key2); }}"
            )
        };
        let more = |name: &str| format!("void {name}(void) {{ static int more[6]; at(more); }}");
        let (old, new) = (source("", ""), source(&more("first"), &more("second")));
        let flags = "-mcpu=power10 -fno-section-anchors";
        let found = differing(flags, &old, &new);
        assert!(!found.contains(&"f".to_owned()) && !found.contains(&"g".to_owned()), "{kind}: {found:?}");
    }
}
