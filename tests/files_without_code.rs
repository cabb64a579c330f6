//! Files that do not hold the code they are about: two of them say nothing of a change, and so lpcc must not say `same`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod kit;

use kit::objects::works;
use kit::{Place, json, run, skip};

const OLD: &str = "int f(int x) { return x + 1; } int main(void) { return f(3); }";

/// The sources, and what a script makes of each as `$side`.
fn sides(script: &str) -> Option<Place> {
    let place = Place::of(&[
        ("old.c", OLD),
        ("new.c", &OLD.replace("+ 1", "+ 2")),
        ("g.c", "int g(void) { return 5; }"),
    ]);
    works(&place, &format!("for side in old new; do {script}; done")).then_some(place)
}

/// The lines with which `lpcc diff` refuses both files.
#[track_caller]
fn refusals(place: &Place, old: &str, new: &str) -> String {
    let output = run(place.lpcc().args(["diff", old, new]), None);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What `objcopy --only-keep-debug` leaves has the sections of code, without their bytes.
#[test]
fn debug_information_alone() {
    let place = sides("gcc -O2 -g $side.c -o $side; objcopy --only-keep-debug $side $side.debug").unwrap();
    let said = refusals(&place, "old.debug", "new.debug");
    for name in ["`old.debug`", "`new.debug`"] {
        let line = said.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains("its code is not in it") && line.contains("(at section `.init`)"), "{said}");
    }
}

/// A linked file runs without section headers, but nothing tells where its functions are.
#[test]
fn no_section_headers() {
    let strip = "gcc -O2 $side.c -o $side; \
                 dd if=/dev/zero of=$side bs=1 seek=40 count=8 conv=notrunc status=none; \
                 dd if=/dev/zero of=$side bs=1 seek=60 count=4 conv=notrunc status=none";
    let place = sides(strip).unwrap();
    let said = refusals(&place, "old", "new");
    assert!(
        said.contains("`old`") && said.contains("no sections") && said.contains("(at e_shnum)"),
        "{said}"
    );
}

/// Functions made for link-time optimisation alone, in one object with others (`ld -r`).
#[test]
fn a_part_for_link_time_optimisation() {
    let script = "gcc -O2 -flto -fno-fat-lto-objects -c $side.c -o slim.o; gcc -O2 -c g.c; ld -r slim.o g.o -o $side.o; \
                  objdump -h $side.o | grep -q gnu.lto_";
    let Some(place) = sides(script) else {
        return skip("an ld that leaves link-time optimisation to the compiler");
    };
    let document = json(place.lpcc().args(["diff", "old.o", "new.o", "--format", "json"]));
    assert_eq!(document["objects"][0]["status"], "deferred", "{document}");
}
