//! The forms that relocations take in a file: whichever a toolchain writes, the same functions have the same fingerprints, and a
//! relocation that changed is found.

#![allow(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod kit;

use kit::objects::{findings, works};
use kit::{Place, have, skip};
use lpcc::object;

const SOURCE: &str = "int one(int); int two(int); static int kept, other; static const char *const names[] = {\"a\", \"b\", \"c\"}; \
    int call(int x) { return one(x) + 1; } int *where(void) { return &kept; } int count(void) { return kept++ + other++; } \
    const char *name(int k) { return names[k]; } const char *text(void) { return \"text\"; } int *table[] = {&kept, &other}; \
    int pick(int x) { switch (x) { case 0: return one(1); case 1: return two(9); case 2: return 3; case 3: return one(8); \
    case 4: return two(12); case 5: return 77; } return 0; }";

/// Edits that leave all bytes, or nearly, and another relocation; what each must change, nothing else may.
const EDITS: [(&str, &str, &[&str]); 4] = [
    ("return one(x)", "return two(x)", &["call"]),
    ("return &kept", "return &other", &["where"]),
    ("{&kept, &other}", "{&other, &kept}", &["table"]),
    ("\"a\", \"b\"", "\"b\", \"a\"", &["name", "names"]),
];

/// The functions and data that differ between two files of the tree.
#[track_caller]
fn differing(place: &Place, old: &str, new: &str) -> Vec<String> {
    let symbol = |finding: String| finding.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut names: Vec<String> = findings(place, old, new).into_iter().map(symbol).collect();
    names.retain(|name| !name.contains(".note.gnu"));
    names.sort();
    names
}

/// That every edit is found where files are made by `script` from `$1.c` as `$1.o`.
#[track_caller]
fn edits_are_found(place: &Place, script: &str) {
    let make = |name: &str, source: &str| {
        place.write(format!("{name}.c"), source);
        place.shell(&format!("set {name}; {script}"));
    };
    make("old", SOURCE);
    for (from, to, expected) in EDITS {
        assert!(SOURCE.contains(from));
        make("new", &SOURCE.replace(from, to));
        let found = differing(place, "old.o", "new.o");
        // Which of them bears a table's change depends on whether a table of strings has a name.
        assert!(
            !found.is_empty() && found.iter().all(|name| expected.contains(&name.trim_end_matches(".rel"))),
            "{script}: {to}: {found:?}"
        );
    }
}

/// Compact relocations (`SHT_CREL`), which LLVM writes from version 19 on: with addends and, in 32-bit files, without.
#[test]
fn compact_relocations() {
    if !have("clang-19") {
        return;
    }
    let compact = "-Wa,--crel,--allow-experimental-crel";
    for target in [
        "",
        "-m32 -fno-pic",
        "--target=aarch64-linux-gnu",
        "--target=riscv64-linux-gnu",
        "--target=s390x-linux-gnu",
    ] {
        let place = Place::of(&[("probe.c", "int f(void) { return 1; }")]);
        let compile = format!("clang-19 {target} -O2 -g -ffunction-sections");
        if !works(&place, &format!("{compile} {compact} -c probe.c -o probe.o")) {
            eprintln!("SKIPPED: this clang writes no compact relocations with {target}");
            continue;
        }
        edits_are_found(&place, &format!("{compile} {compact} -c $1.c -o $1.o"));
        place.shell(&format!("cp old.o compact.o; {compile} -c old.c -o plain.o"));
        assert_eq!(differing(&place, "plain.o", "compact.o"), [""; 0], "{target}");
        let bytes = |name: &str| std::fs::read(place.tree().join(name)).unwrap();
        assert_ne!(bytes("plain.o"), bytes("compact.o"), "{target}");
        let debug = object::debug::read(&bytes("compact.o")).unwrap();
        assert!(debug.written.iter().any(|it| it.name == "pick"), "{target}: {:?}", debug.written);
    }
}

/// A compact section that says it has more relocations than bytes, or ends in the midst of one.
#[test]
fn compact_relocations_that_lie() {
    if !have("clang-19") {
        return;
    }
    let place = Place::of(&[("old.c", SOURCE)]);
    if !works(&place, "clang-19 -O2 -Wa,--crel,--allow-experimental-crel -c old.c -o old.o") {
        skip("this clang writes no compact relocations");
        return;
    }
    let mut bytes = std::fs::read(place.tree().join("old.o")).unwrap();
    let (start, size) = {
        use ::object::{Object as _, ObjectSection as _, read::elf::ElfFile64};
        let file = ElfFile64::<::object::Endianness>::parse(&*bytes).unwrap();
        file.section_by_name(".crel.text").unwrap().file_range().unwrap()
    };
    let section = start as usize..(start + size) as usize;
    // The header is the count, eight times, as a LEB128 number: one without an end; and one of 2^57 relocations, of which the
    // section has a few that say nothing.
    let endless = vec![0xff; section.len()];
    let mut many = vec![0; section.len()];
    many.splice(..9, [0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    for lie in [endless, many] {
        bytes.get_mut(section.clone()).unwrap().copy_from_slice(&lie);
        let error = object::fingerprint(&bytes).unwrap_err();
        assert!(error.place.contains("relocation section"), "{error}");
    }
}

/// Relative relocations of linked files as a list of places and maps of bits (`SHT_RELR`): the address lies in the word.
#[test]
fn packed_relative_relocations() {
    let place = Place::of(&[(
        "probe.c",
        "int f(void) { return 1; } int *p(void) { static int x; static int *y = &x; return y++; }",
    )]);
    for (link, plain) in [
        ("gcc -Wl,-z,pack-relative-relocs", "gcc"),
        ("clang -fuse-ld=lld -Wl,--pack-dyn-relocs=relr", "clang -fuse-ld=lld"),
        ("clang -fuse-ld=lld -m32 -Wl,--pack-dyn-relocs=relr", "clang -fuse-ld=lld -m32"),
    ] {
        let (link, plain) =
            (format!("{link} -shared -nostdlib -fPIC -O1"), format!("{plain} -shared -nostdlib -fPIC -O1"));
        if !works(&place, &format!("{link} probe.c -o probe.so && readelf -SW probe.so | grep -q RELR")) {
            eprintln!("SKIPPED: nothing packed by {link}");
            continue;
        }
        let make = |name: &str, by: &str, source: &str| {
            place.write("x.c", source);
            place.shell(&format!("{by} x.c -o {name}.so"));
        };
        let swapped = SOURCE.replace("{&kept, &other}", "{&other, &kept}");
        for (by, old, new) in [(&link, "packed", "packed-new"), (&plain, "plain", "plain-new")] {
            make(old, by, SOURCE);
            make(new, by, &swapped);
            assert_eq!(differing(&place, &format!("{old}.so"), &format!("{new}.so")), ["table"], "{by}");
        }
        let parts = |name: &str| {
            let prints = object::fingerprint(&std::fs::read(place.tree().join(name)).unwrap()).unwrap();
            let table = prints.items.into_iter().find(|item| item.name == "table").unwrap();
            table.parts.into_iter().find(|part| part.kind == object::PartKind::Content).map(|part| part.hash)
        };
        assert_eq!(parts("packed.so"), parts("plain.so"), "{link}: the form is no part of the content");
    }
}
