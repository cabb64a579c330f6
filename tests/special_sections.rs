//! What serves a function without lying in it: entries of special sections, code without a name, words before the entry, what it runs
//! on into, its names. A change there is told at that function and at no other, and what is inserted elsewhere changes none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use kit::objects::{differs, works};
use kit::{Place, skip};

/// A function of some instructions, as GNU as takes it.
fn function(name: &str, body: &str) -> String {
    format!(".globl {name}\n.type {name},%function\n{name}: {body}\n.size {name},.-{name}\n")
}

/// That these findings lie between two sources, each made by `assembler`.
#[track_caller]
fn sources_differ(assembler: &str, old: &str, new: &str, expected: &[&str]) {
    let place = Place::new();
    for (name, text) in [("old", old), ("new", new)] {
        place.write(format!("{name}.s"), text);
        place.shell(&format!("{assembler} {name}.s -o {name}.o"));
    }
    differs(&place, "old.o", "new.o", expected);
}

/// Whether this assembler is here; if not, that is said.
fn have(assembler: &str) -> bool {
    let place = Place::of(&[("probe.s", ".text\n")]);
    let here = works(&place, &format!("{assembler} probe.s -o probe.o"));
    if !here {
        skip(&format!("no {assembler}"));
    }
    here
}

/// Two functions with two entries each in a section, which are made of `entry`: `\f` is the function's name, `\n` a number.
fn entries(section: &str, of: [(&str, u32); 4], entry: &str) -> String {
    let code = "1: nop\n2: ret";
    let functions = [function("f", code), function("g", code)].concat();
    let entries: String =
        of.iter().map(|(f, n)| entry.replace("\\f", f).replace("\\n", &n.to_string())).collect();
    format!(".text\n{functions}.section {section}\n{entries}")
}

/// A jump table whose fields are all of one type has three of them to an entry, not two; an exception table may have two; where the
/// last entry lacks the fill behind it, the others tell; where nothing repeats, each reference into code begins an entry; and
/// a stated size tells in sections that a linker may merge.
#[test]
fn entries_are_those_of_their_function() {
    let tables = [
        ("--32", "__jump_table,\"aw\"", ".long \\f, \\f+1, key\\n\n"),
        ("--64", "__jump_table,\"aw\"", ".quad \\f, \\f+1, key\\n\n"),
        ("--64", "__jump_table,\"aM\",@progbits,16", ".long \\f-., \\f+1-.\n.quad key\\n-.\n"),
        ("--64", "__ex_table,\"aM\",@progbits,12", ".long \\f-., \\f+1-., \\n\n"),
        ("--64", "__ex_table,\"a\"", ".long \\f-., \\f+1-., handler\\n-.\n"),
        ("--64", ".parainstructions,\"a\"", ".balign 8\n.quad \\f\n.byte \\n, 5\n"),
        ("--64", "__unheard_of,\"a\"", ".quad \\f\n.skip \\n, 1\n"),
    ];
    for (width, section, entry) in tables {
        let old = entries(section, [("f", 1), ("g", 2), ("f", 3), ("g", 4)], entry);
        for (at, function) in [(0, "f"), (1, "g"), (2, "f"), (3, "g")] {
            let mut of = [("f", 1), ("g", 2), ("f", 3), ("g", 4)];
            of[at].1 = 5;
            let expected = format!("function {function} changed sites");
            let place = Place::new();
            for (name, text) in [("old", &old), ("new", &entries(section, of, entry))] {
                place.write(format!("{name}.s"), text);
                place.shell(&format!("as {width} {name}.s -o {name}.o"));
            }
            let found = kit::objects::findings(&place, "old.o", "new.o");
            let of_things: Vec<_> = found.iter().filter(|one| !one.starts_with("section")).collect();
            assert_eq!(of_things, [&expected], "{section} {entry}: entry {at}");
        }
    }
}

/// An unrelated function may decide which special section comes first in the file.
#[test]
fn the_order_of_special_sections_is_nobodys() {
    let entry =
        |section: &str, of: &str| format!(".pushsection {section},\"a\"\n.long {of}-., 0\n.popsection\n");
    let f = function("f", &format!("nop\nret\n{}{}", entry("__one", "f"), entry("__two", "f")));
    let unrelated = function("unrelated", &format!("ret\n{}", entry("__two", "unrelated")));
    sources_differ("as", &f, &format!("{unrelated}.text\n{f}"), &["function unrelated new"]);
}

/// On x86 a replacement of no bytes leads to nobody's; elsewhere a length of 0 has another meaning (arm64: a callback).
#[test]
fn alternatives_of_no_length() {
    if !have("aarch64-linux-gnu-as") {
        return;
    }
    let source = |callback: &str| {
        let code = "1: nop\nret\n.pushsection .altinstructions,\"a\"\n.word 1b-., {}-.\n.hword 7\n.byte 4, 0\n.popsection";
        let all = [function("a", "ret"), function("b", "ret"), function("f", &code.replace("{}", callback))];
        format!(".text\n{}", all.concat())
    };
    sources_differ("aarch64-linux-gnu-as", &source("a"), &source("b"), &["function f changed sites"]);
}

/// A branch in code without a name leads to where it leads, however it is written and wherever that lies.
#[test]
fn code_without_a_name() {
    let branches = [
        ("as", "jmp", "nop"),
        ("aarch64-linux-gnu-as", "b", "nop"),
        ("powerpc64le-linux-gnu-as", "b", "nop"),
        ("s390x-linux-gnu-as", "jg", "nopr"),
    ];
    for (assembler, branch, nop) in branches {
        if !have(assembler) {
            continue;
        }
        for section in [".section .fixup,\"ax\"", ".subsection 1"] {
            let source = |functions: [&str; 3], target: &str| {
                let one = |name: &str| match name {
                    "f" => {
                        function("f", &format!("{branch} .Laside\n.Lback: {nop}\n.Lend: {nop}\n{branch} f"))
                    }
                    "long" => function("long", &format!("{nop}\n{nop}\n{branch} long")),
                    _ => function(name, &format!("{branch} {name}")),
                };
                let functions = functions.map(one).concat();
                format!(".text\n{functions}{section}\n{nop}\n.Laside: {nop}\n{branch} {target}\n")
            };
            let old = source(["g", "f", "h"], ".Lback");
            let differ = |new: &str, expected: &[&str]| sources_differ(assembler, &old, new, expected);
            differ(&source(["g", "f", "h"], ".Lend"), &["function f changed constants"]);
            // What moved is what it was; what lies where another lay is not that.
            differ(&source(["long", "f", "h"], ".Lback"), &["function g removed", "function long new"]);
            differ(&source(["g", "f", "long"], ".Lback"), &["function h removed", "function long new"]);
            let (g, h) = (source(["f", "g", "h"], "g"), source(["f", "h", "g"], "h"));
            sources_differ(assembler, &g, &h, &["function f changed constants"]);
        }
    }
}

/// What a function runs on into is a part of what it does: the next function, or code without a name.
#[test]
fn what_follows_where_nothing_ends_a_function() {
    let place = |order: [&str; 3], bodies: &[(&str, &str)]| {
        let body = |name: &str| bodies.iter().find(|(n, _)| *n == name).unwrap().1;
        format!(".text\n{}", order.map(|name| function(name, body(name))).concat())
    };
    for (assembler, ends, trap) in [
        ("as", "ret", "ud2"),
        ("aarch64-linux-gnu-as", "ret", "brk #1"),
        ("riscv64-linux-gnu-as", "ret", "ebreak"),
    ] {
        if !have(assembler) {
            continue;
        }
        let bodies = [("f", "nop"), ("g", ends), ("h", &format!("nop\n{ends}"))];
        let (old, new) = (place(["f", "g", "h"], &bodies), place(["f", "h", "g"], &bodies));
        sources_differ(assembler, &old, &new, &["function f changed references"]);
        let trapped = [("f", trap), bodies[1], bodies[2]];
        let (old, new) = (place(["f", "g", "h"], &trapped), place(["f", "h", "g"], &trapped));
        sources_differ(assembler, &old, &new, &[]);
    }
    let tail = |value: u32| {
        format!(
            ".text\n{}add ${value}, %edi\njmp g\n{}",
            function("f", "xor %eax, %eax"),
            function("g", "ret")
        )
    };
    sources_differ("as", &tail(5), &tail(6), &["function f changed constants"]);
}

/// A call by a weak name is no call by the strong one of the same place.
#[test]
fn the_name_that_is_called() {
    let source = |name: &str| {
        let both = format!(".weak weak_name\nweak_name:\n{}", function("strong", "ret"));
        format!(".text\n{both}{}", function("f", &format!("call {name}\nret")))
    };
    sources_differ("as", &source("weak_name"), &source("strong"), &["function f changed references"]);
}

/// Names of one thing: one that came or went is told, whichever sorts first.
#[test]
fn aliases_that_change_sides() {
    let place = Place::new();
    let source = |one: &str, other: &str| {
        format!(
            "static int my_a(void) {{ return 11; }} static int my_b(void) {{ return 22; }}\n\
             int init_module(void) __attribute__((alias(\"{one}\"))); int cleanup_module(void) __attribute__((alias(\"{other}\")));"
        )
    };
    place.write("old.c", &source("my_a", "my_b"));
    place.write("new.c", &source("my_b", "my_a"));
    for compiler in kit::compilers() {
        place.shell(&format!("for x in old new; do {compiler} -O2 -c $x.c -o $x.o; done"));
        // clang keeps no name of a static that has a global one.
        let found = kit::objects::findings(&place, "old.o", "new.o");
        let by_body = ["function cleanup_module changed code", "function init_module changed code"];
        let by_name = ["function my_a alias attributes", "function my_b alias attributes"];
        assert!(found == by_name || found == by_body, "{compiler}: {found:?}");
    }
    let named = |name: &str| format!(".text\n{}.globl {name}\n.set {name}, foo\n", function("foo", "ret"));
    sources_differ("as", &named("__foo"), &named("__bar"), &["function foo alias attributes"]);
}

/// What stands before a function's entry: the hash of its type for whoever calls it by a pointer.
#[test]
fn words_before_the_entry() {
    for (assembler, fill) in [("as", "nop"), ("aarch64-linux-gnu-as", "nop"), ("riscv64-linux-gnu-as", "nop")]
    {
        if !have(assembler) {
            continue;
        }
        let source = |before: &str, hash: u32| {
            let first = function("first", &format!("{before}\nret"));
            format!(".text\n{first}.balign 16\n.long {hash}\n{}", function("f", &format!("{fill}\nret")))
        };
        let old = source("nop", 0x0584_0794);
        sources_differ(assembler, &old, &source("nop", 0xab53_c5c9), &["function f changed sites"]);
        sources_differ(
            assembler,
            &old,
            &source("nop\nnop\nnop\nnop\nnop", 0x0584_0794),
            &["function first changed code"],
        );
    }
}

/// A branch to the end of its function is to nothing behind it; g++ aligns a function to two and then to sixteen.
#[test]
fn ends_of_functions() {
    let f =
        |behind: &str| format!(".text\n.p2align 4\n{}{behind}", function("f", "nop\njmp .Lend\nret\n.Lend:"));
    let other = format!(".p2align 4\n{}", function("other", "ret"));
    sources_differ("as", &f(""), &f(&other), &["function other new"]);
    let aligned = |order: [(&str, &str); 2]| {
        let one = |(name, body): (&str, &str)| format!(".align 2\n.p2align 4\n{}", function(name, body));
        format!(".text\n{}", order.map(one).concat())
    };
    let (a, b) =
        (("a", "nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nret"), ("b", "nop\nret"));
    sources_differ("as", &aligned([a, b]), &aligned([b, a]), &[]);
}

/// GCC that writes frames itself (`-fno-dwarf2-cfi-asm`) begins those of cold pieces with a move by nothing.
#[test]
fn frames_that_move_by_nothing() {
    let place = Place::new();
    let source = |before: &str| {
        format!(
            "void may(int) ; void cold() __attribute__((cold)); struct S {{ ~S(); }};\n{before}\n\
             int f(int x) {{ S s; try {{ may(x); if (x) cold(); }} catch (int) {{ cold(); return 2; }} return 1; }}"
        )
    };
    place.write("old.cc", &source(""));
    place.write(
        "new.cc",
        &source("int other(int x) { try { may(x + 1); } catch (long) { return 7; } return x; }"),
    );
    place.shell("for x in old new; do g++ -O2 -fno-dwarf2-cfi-asm -c $x.cc -o $x.o; done");
    let found = kit::objects::findings(&place, "old.o", "new.o");
    assert!(found.iter().all(|one| one.ends_with(" new")), "{found:?}");
    place.shell(
        "g++ -O2 -fno-dwarf2-cfi-asm -S old.cc -o - | sed -n '/gcc_except_table/,$p' | grep -q LSDA || true",
    );
}

/// On a machine that nobody here decodes, a call that the assembler resolved may lead elsewhere where its bytes are the same; and what
/// `.o` files of its groups say counts.
#[test]
fn machines_without_a_decoder() {
    let place = Place::new();
    let statics = [
        "static __attribute__((noinline)) int a(int x) { return x * 3 + 5; }",
        "static __attribute__((noinline)) int b(int x) { return x * 7 + 9; }",
    ];
    place.write(
        "old.c",
        &format!(
            "{}\n{}\nint f(int x) {{ return a(x) + 1; }} int g(int x) {{ return b(x) - 1; }}",
            statics[0], statics[1]
        ),
    );
    place.write(
        "new.c",
        &format!(
            "{}\n{}\nint f(int x) {{ return b(x) + 1; }} int g(int x) {{ return a(x) - 1; }}",
            statics[1], statics[0]
        ),
    );
    let call = "clang-19 --target=loongarch64-linux-gnu -O2 -mno-relax -c";
    if !works(&place, &format!("for x in old new; do {call} $x.c -o $x.o; cp $x.o again-$x.o; done")) {
        skip("no compiler for a machine without a decoder");
        return;
    }
    let found = kit::objects::findings(&place, "old.o", "new.o");
    assert!(found.iter().any(|one| one.starts_with("function f changed code")), "{found:?}");
    differs(&place, "old.o", "again-old.o", &[]);
}

/// A group that is no COMDAT keeps all that a linker would drop.
#[test]
fn groups_that_are_no_comdat() {
    let source = |comdat: &str| {
        format!(".section .text.f,\"axG\",@progbits,signature{comdat}\n{}", function("f", "ret"))
    };
    sources_differ("as", &source(",comdat"), &source(""), &["function f section attributes"]);
}
