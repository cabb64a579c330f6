//! Objects of unusual shape, as real tools make them: what changed in one function is found there and nowhere else, and
//! what is equal stays equal.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails to set up fails; clippy exempts only what stands under #[test]"
)]

mod kit;

use kit::objects::{differs, findings, works};
use kit::{Place, have, json, skip};
use lpcc::object;

/// The number of an object's sections.
fn sections(place: &Place, name: &str) -> usize {
    use ::object::{Object as _, read::elf::ElfFile64};
    let bytes = std::fs::read(place.tree().join(name)).unwrap();
    ElfFile64::<::object::Endianness>::parse(&*bytes).unwrap().sections().count()
}

/// Past `SHN_LORESERVE`, symbols name their sections through `.symtab_shndx` and the header counts in section 0.
#[test]
fn more_sections_than_a_symbol_can_number() {
    let place = Place::new();
    let last = |value: &str| {
        format!(
            ".section .text.last,\"ax\",@progbits\n.globl last\n.type last,@function\n\
             last: movl ${value}, %eax\n jmp f65799\n.size last, .-last\n"
        )
    };
    let many = ".altmacro\n.macro one n\n.section .text.f\\n,\"ax\",@progbits\n.globl f\\n\n.type f\\n,@function\n\
                f\\n: movl $1, %eax\n call g\n ret\n.size f\\n, 11\n.endm\n\
                .set n, 0\n.rept 65800\none %n\n.set n, n+1\n.endr\n";
    // What stands before the many moves every number of a section and of a symbol.
    for (name, source) in [
        ("old", format!("{many}{}", last("7"))),
        ("new", format!("{many}{}", last("8"))),
        ("moved", format!("{}{many}", last("7"))),
    ] {
        place.write(format!("{name}.s"), &source);
        place.shell(&format!("as {name}.s -o {name}.o"));
    }
    assert!(sections(&place, "old.o") > 65_536);
    differs(&place, "old.o", "new.o", &["function last changed code"]);
    differs(&place, "old.o", "moved.o", &[]);
}

const UNITS: [(&str, &str); 3] = [
    (
        "a",
        "void use(const void *); int shared_b(int); static int count; \
         static __attribute__((noinline)) int help(int x) { count += x; return x * 3 + count; } \
         int a_one(int x) { return help(x) + 1; } int a_two(void) { use(\"from a\"); return shared_b(2); }",
    ),
    (
        "b",
        "void use(const void *); static int count = 5; \
         static __attribute__((noinline)) int help(int x) { count -= x; return x * 7 + count; } \
         int shared_b(int x) { use(\"common\"); return help(x) + 2; } int *b_count(void) { return &count; }",
    ),
    (
        "c",
        "void use(const void *); static const int count[] = {4, 5, 6, 7}; \
         int c_one(int x) { switch (x) { case 0: use(\"common\"); return 1; case 1: use(\"c\"); return 8; \
         case 2: use(0); return 3; case 3: use(count); return 9; case 4: use(\"y\"); return 77; } return count[x & 3]; }",
    ),
];

/// `ld -r` puts units behind each other into one section of each name; statics of one name and several `STT_FILE` remain.
#[test]
fn three_units_linked_into_one_object() {
    for flags in ["-O2", "-O2 -g", "-O2 -fno-pic -ffunction-sections -fdata-sections", "-O2 -fPIC"] {
        for compiler in kit::compilers() {
            let place = Place::new();
            for (name, text) in UNITS {
                place.write(format!("{name}.c"), text);
                place.shell(&format!("{compiler} {flags} -c {name}.c -o {name}.o"));
            }
            place.shell("ld -r a.o b.o c.o -o old.o; cp old.o again.o; ld -r b.o a.o c.o -o swapped.o");
            differs(&place, "old.o", "again.o", &[]);
            differs(&place, "old.o", "swapped.o", &[]);
            // The statics of one name are told apart by their files.
            for (unit, old, new, expected) in [
                ("b", "x * 7", "x * 9", "function help changed code"),
                ("a", "x * 3", "x * 5", "function help changed code"),
                ("a", "from a", "from A", "function a_two changed strings"),
                ("c", "return 77", "return 78", "function c_one changed code"),
            ] {
                let (_, text) = UNITS.iter().find(|(name, _)| *name == unit).unwrap();
                place.write(format!("{unit}.c"), &text.replace(old, new));
                place.shell(&format!(
                    "{compiler} {flags} -c {unit}.c -o new-{unit}.o; cp {unit}.o kept.o; cp new-{unit}.o {unit}.o; \
                     ld -r a.o b.o c.o -o new.o; ld -r b.o a.o c.o -o both.o; cp kept.o {unit}.o"
                ));
                // Small constants make clang choose a table of results over code.
                let found = findings(&place, "old.o", "new.o");
                let symbol = expected.split(" changed").next().unwrap();
                assert_eq!(found.len(), 1, "{compiler} {flags} {unit}: {found:?}");
                assert!(
                    found[0].starts_with(&format!("{symbol} changed")),
                    "{compiler} {flags} {unit}: {found:?}"
                );
                assert_eq!(findings(&place, "old.o", "both.o"), found, "{compiler} {flags} {unit}");
            }
        }
    }
}

const DEBUGGED: &str = "void use(const void *);\nstatic inline int twice(int x) { use(0); return x * 2; }\n\
    int f(int x) {\n  use(\"f\");\n  return twice(x) + 3;\n}\nint g(int x) {\n  return x - 4;\n}\n";

/// Debug information is no part of a function, in whatever form it lies in the object.
#[test]
fn compressed_and_split_debug_information() {
    let place = Place::new();
    place.write("probe.c", DEBUGGED);
    let mut forms = 0;
    for compiler in kit::compilers() {
        for flag in [
            "-gz=zlib",
            "-gz=zlib -gdwarf-4",
            "-gz=zstd",
            "-Wa,--compress-debug-sections=zstd",
            "-gsplit-dwarf",
            "-gsplit-dwarf -gz=zlib",
        ] {
            let call = format!("{compiler} -Werror -O2 -g {flag} -c");
            if !works(&place, &format!("{call} probe.c -o probe.o")) {
                eprintln!("SKIPPED: {compiler} knows no {flag}");
                continue;
            }
            forms += 1;
            for (name, text) in [
                ("old", DEBUGGED.to_owned()),
                ("moved", DEBUGGED.replace("int f(", "/* one\n two */\nint f(")),
                ("new", DEBUGGED.replace("x - 4", "x - 5")),
            ] {
                place.write("x.c", &text);
                place.shell(&format!("{call} x.c -o {name}.o"));
            }
            differs(&place, "old.o", "moved.o", &[]);
            differs(&place, "old.o", "new.o", &["function g changed code"]);
            let bytes = std::fs::read(place.tree().join("old.o")).unwrap();
            let debug = object::debug::read(&bytes).unwrap();
            // The split form has all of it in another file.
            if !flag.contains("split") {
                let written = |name: &str| debug.written.iter().find(|it| it.name == name).map(|it| it.line);
                assert_eq!(
                    [written("twice"), written("f"), written("g")],
                    [Some(2), Some(3), Some(7)],
                    "{call}"
                );
                let f = debug.function(b"f").unwrap();
                assert!(f.inlined.iter().any(|chain| chain.iter().any(|name| name == "twice")), "{call}");
            }
        }
    }
    assert!(forms >= 3, "{forms}");
}

const I386: &str = "void use(const void *); int ext(int); static int count; int common_one[4]; \
    static const char *const names[] = {\"zero\", \"one\", \"two\", \"three\"}; \
    const char *name(int k) { return names[k & 3]; } static int half(int); void *where(void) { return (void *)half; } \
    int sw(int x) { switch (x) { case 0: return ext(1); case 1: return ext(9); case 2: use(\"two of sw\"); return 3; \
    case 3: return 8; case 4: return ext(12); case 5: return 77; case 6: return ++count; } return 0; } \
    void say(int k) { use(\"hello\"); if (k) use(\"hello\" + 2); use(&common_one[2]); } \
    static __attribute__((noinline)) int half(int x) { return x * 3 + count; } \
    int (*pointer)(int) = half; int *second = &common_one[1]; int call(int x) { return half(x) + ext(x); } \
    double scale(double d) { return d * 1.5; } int untouched(int x) { return ext(x) + count; }";

/// `SHT_REL`: addends lie in the section, and position-independent code reaches its data through the table of offsets.
#[test]
fn relocations_with_their_addends_in_place() {
    edits_of_one_function("-m32");
}

/// 64-bit code in 32-bit files, with relative operands.
#[test]
fn sixty_four_bit_code_in_files_of_32() {
    edits_of_one_function("-mx32");
}

fn edits_of_one_function(width: &str) {
    // What must change, by what compilers make of the source: clang reads a table of its own in position-independent code.
    let edits: &[(&str, &str, &[&str])] = &[
        ("\"one\"", "\"onE\"", &["data names changed", "function name changed"]),
        ("return ext(12)", "return ext(13)", &["function sw changed"]),
        // What lies behind it moves, and what is reached without a relocation is at another distance.
        ("return 77", "return ext(7) * ext(77) ^ ext(8) * 1234567 ^ ext(9)", &["function sw changed"]),
        ("two of sw", "two of SW", &["function sw changed"]),
        ("\"hello\" + 2", "\"hello\" + 3", &["function say changed"]),
        ("common_one[2]", "common_one[3]", &["function say changed"]),
        ("&common_one[1]", "&common_one[2]", &["data second changed"]),
        ("x * 3", "x * 5", &["function half changed"]),
    ];
    let place = Place::of(&[("probe.c", "int f(void) { return 1; }"), ("old.c", I386)]);
    let mut judged = 0;
    for compiler in kit::compilers() {
        if !works(&place, &format!("{compiler} {width} -c probe.c -o probe.o")) {
            skip(&format!("{compiler} makes no code with {width}"));
            continue;
        }
        for flags in [
            "-O2 -fno-pic",
            "-O2 -fPIC",
            "-O2 -fPIE -ffunction-sections -fdata-sections",
            "-O0",
            "-Os -fno-pic",
        ] {
            let call = format!("{compiler} {width} {flags} -c");
            place.shell(&format!("{call} old.c -o old.o"));
            place.write("again.c", &format!("/* moved */\n{I386} int last(void) {{ return 1; }}"));
            place.shell(&format!("{call} again.c -o again.o"));
            let mut found = findings(&place, "old.o", "again.o");
            found.retain(|finding| !finding.starts_with("section "));
            assert_eq!(found, ["function last new"], "{call}");
            for (old, new, expected) in edits {
                place.write("new.c", &I386.replace(old, new));
                place.shell(&format!("{call} new.c -o new.o"));
                let mut found = findings(&place, "old.o", "new.o");
                // A section comes with the part of a function that lies in it.
                found.retain(|finding| !(finding.starts_with("section ") && finding.ends_with(" new")));
                assert!(
                    found.len() == 1 && expected.iter().any(|it| found[0].starts_with(it)),
                    "{call}: {new}: {found:?}, not {expected:?}"
                );
                judged += 1;
            }
        }
    }
    eprintln!("{judged} edits judged");
}

/// Tables of exceptions where addends lie in place, behind a function that moves them all.
#[test]
fn exceptions_with_addends_in_place() {
    let source = "extern \"C\" { int ext(int); int first(int x) { return x; } int f(int x) { try { return ext(x); } catch (int) { return ext(1); } \
        catch (char *) { return 2; } } int g(int x) { try { return ext(x); } catch (long) { return 8; } } }";
    let place = Place::of(&[("old.cc", source)]);
    for compiler in kit::compilers() {
        let driver = compiler.replace("gcc", "g++").replace("clang", "clang++");
        for flags in ["-m32 -O2", "-m32 -O2 -fPIC", "-m32 -Os -ffunction-sections", "-mx32 -O2", "-O2 -fPIC"]
        {
            let call = format!("{driver} {flags} -c");
            if !works(&place, &format!("{call} old.cc -o old.o")) {
                skip(&format!("{driver} makes no code with {flags}"));
                continue;
            }
            for (old, new, expected) in [
                (
                    "return x; }",
                    "return ((x ^ 77777) + 12345) * 99999 ^ 54321; }",
                    "function first changed code",
                ),
                ("catch (long)", "catch (short)", "function g changed"),
                ("return ext(1)", "return ext(3)", "function f changed code"),
            ] {
                place.write("new.cc", &source.replacen(old, new, 1));
                place.shell(&format!("{call} new.cc -o new.o"));
                let mut found = findings(&place, "old.o", "new.o");
                // References to types come and go with them.
                found.retain(|finding| !finding.contains(" DW.ref."));
                assert!(found.len() == 1 && found[0].starts_with(expected), "{call}: {new}: {found:?}");
            }
        }
    }
}

/// What ThinLTO promotes is named by a hash of its unit, which the next build may choose otherwise.
#[test]
fn promoted_statics_by_another_hash() {
    let place = Place::of(&[(
        "x.c",
        "int ext(int); int f(int x) { return ext(x) * 3; } int table[] = {1, 2, 3}; \
         int g(int x) { return f(x) + table[x]; } int h(int x) { return x; }",
    )]);
    for compiler in kit::compilers() {
        let make = |name: &str, edit: &str, hash: &str| {
            place.shell(&format!(
                "sed '{edit}' x.c > y.c; {compiler} -O2 -fno-inline -ffunction-sections -c y.c -o {name}.o; \
                 objcopy --redefine-sym f=f.llvm.{hash} --redefine-sym table=table.llvm.{hash} \
                 --rename-section .text.f=.text.f.llvm.{hash} {name}.o"
            ));
        };
        make("old", "", "1234567890123456789");
        make("new", "", "987654321987654321");
        make("body", "s/\\* 3/* 5/", "987654321987654321");
        let only = |found: &[String]| {
            found.iter().filter(|it| !it.starts_with("section ")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(findings(&place, "old.o", "new.o"), [""; 0], "{compiler}");
        let found = only(&findings(&place, "old.o", "body.o"));
        assert!(
            found.len() == 1
                && found[0].starts_with("function f.llvm.")
                && found[0].ends_with(" changed code"),
            "{compiler}: {found:?}"
        );
    }
}

/// Newer assemblers leave out the symbols of sections that nothing refers to; clang's does at all times.
#[test]
fn objects_without_symbols_of_sections() {
    if !have("clang") {
        return;
    }
    let place = Place::of(&[(
        "x.c",
        "void use(const void *); static int count; static __attribute__((noinline)) int help(int x) { return count += x * 3; } \
         int f(int x) { use(\"text\"); return help(x); } int g(int x) { return x + 2; }",
    )]);
    for compiler in kit::compilers() {
        for (name, edit) in [("old", ""), ("new", "s/x \\* 3/x * 5/"), ("word", "s/text/texT/")] {
            place.shell(&format!(
                "sed '{edit}' x.c > y.c; {compiler} -O2 -ffunction-sections -c y.c -o {name}.o; \
                 strip --strip-unneeded {name}.o -o {name}-bare.o"
            ));
        }
        differs(&place, "old.o", "new.o", &["function help changed code"]);
        differs(&place, "old.o", "word.o", &["function f changed strings"]);
        // What no relocation names has no symbol any more, static functions among them.
        let found = findings(&place, "old-bare.o", "new-bare.o");
        assert!(found.contains(&"function f changed constants".to_owned()), "{compiler}: {found:?}");
        // A changed number in code is no line, also where the code is taken as bytes.
        let document = json(place.lpcc().args(["diff", "old-bare.o", "new-bare.o", "--format", "json"]));
        assert!(!document.to_string().contains("maybe-line"), "{compiler}: {document}");
        // The frame of what has no name is nobody's.
        assert!(
            found.iter().all(|it| it.starts_with("function f ") || it.starts_with("unowned .eh_frame")),
            "{compiler}: {found:?}"
        );
        differs(&place, "old-bare.o", "word-bare.o", &["function f changed strings"]);
        differs(&place, "old-bare.o", "old-bare.o", &[]);
    }
}

/// The kernel's ORC tables, as objtool writes them: an entry counts where it says what the one before does not, wherever it lies; but
/// a table that is not as objtool leaves it is told, be it by an entry that says nothing.
#[test]
fn unwinding_tables_of_the_kernel() {
    use ::object::{Object as _, ObjectSection as _};
    let place = Place::new();
    let before = ".globl e\n.type e,@function\ne: ret\n.size e, .-e\n.p2align 4\n";
    let source = |before: &str, entries: &[(&str, u32)]| {
        let code = ".globl f\n.type f,@function\nf: push %rbx\n call g\n pop %rbx\n ret\n.size f, .-f\n";
        let places: Vec<String> = entries.iter().map(|(at, _)| format!(" .long {at} - .\n")).collect();
        let said: Vec<String> =
            entries.iter().map(|(_, what)| format!(" .long {what}\n .short 0\n")).collect();
        format!(
            ".text\n.p2align 4\n{before}{code}.section .orc_unwind_ip,\"a\"\n{}.section .orc_unwind,\"a\"\n{}",
            places.concat(),
            said.concat()
        )
    };
    for (name, source) in [
        ("old", source("", &[("f", 8), ("f+1", 16), ("f+7", 8)])),
        ("new", source("", &[("f", 8), ("f+1", 24), ("f+7", 8)])),
        ("later", source("", &[("f", 8), ("f+6", 16), ("f+7", 8)])),
        ("again", source("", &[("f", 8), ("f+1", 16), ("f+6", 16), ("f+7", 8)])),
        // The entry of the function before says the same, so that this one has none of its own.
        ("behind", source(before, &[("e", 8), ("f+1", 16), ("f+7", 8)])),
    ] {
        place.write(format!("{name}.s"), &source);
        place.shell(&format!("as {name}.s -o {name}.o"));
    }
    differs(&place, "old.o", "new.o", &["function f changed sites"]);
    differs(&place, "old.o", "later.o", &["function f changed sites"]);
    differs(&place, "old.o", "again.o", &[]);
    differs(&place, "old.o", "behind.o", &["function e new"]);

    let mut bytes = std::fs::read(place.tree().join("again.o")).unwrap();
    let file = ::object::File::parse(&*bytes).unwrap();
    let (start, _) = file.section_by_name(".orc_unwind_ip").unwrap().file_range().unwrap();
    bytes[start as usize + 2 * 4] = 1; // the field of the entry that says nothing
    std::fs::write(place.tree().join("field.o"), bytes).unwrap();
    assert_ne!(findings(&place, "again.o", "field.o"), Vec::<String>::new());
}

/// Arm's index of unwinding: each function has its entry and what that leads to. Its order, and which entry carries the
/// request for the personality (the assembler says it once a section), are nobody's.
#[test]
fn unwinding_entries_of_arm() {
    let assembler = "arm-linux-gnueabihf-as";
    if !have(assembler) {
        return skip(assembler);
    }
    let place = Place::new();
    let function = |name: &str, saved: &str, more: &str| {
        format!(
            ".globl {name}\n.type {name}, %function\n{name}:\n.fnstart\n push {{r4, r5, r6, lr}}\n .save {{{saved}}}\n\
             bl ext\n pop {{r4, r5, r6, pc}}\n{more}.fnend\n.size {name}, .-{name}\n"
        )
    };
    let (all, fewer) = ("r4, r5, r6, lr", "r4, r5, lr");
    let table = |value: u32| format!(".personality routine\n.handlerdata\n.word {value}\n.text\n");
    let leaf = |more: &str| {
        format!(
            ".globl leaf\n.type leaf, %function\nleaf:\n.fnstart\n bx lr\n{more}.fnend\n.size leaf, .-leaf\n"
        )
    };
    let (f, g, h) = (function("f", all, ""), function("g", all, ""), function("h", all, &table(5)));
    let stopped = leaf(".cantunwind\n");
    let sources = [
        ("old", [&*f, &g, &h, &stopped].concat()),
        ("moved", [&*stopped, &h, &g, &f].concat()),
        ("saved", [&*f, &function("g", fewer, ""), &h, &stopped].concat()),
        ("table", [&*f, &g, &function("h", all, &table(6)), &stopped].concat()),
        ("leaf", [&*f, &g, &h, &leaf("")].concat()),
        ("without", [&*g, &h, &stopped].concat()),
        ("needs", [&*f, &g, &h, &stopped, ".section .ARM.exidx\n.reloc 0, R_ARM_NONE, another\n"].concat()),
    ];
    for (name, source) in sources {
        place.write(format!("{name}.s"), &format!(".syntax unified\n.arm\n.text\n{source}"));
        place.shell(&format!("{assembler} {name}.s -o {name}.o"));
    }
    differs(&place, "old.o", "moved.o", &[]);
    differs(&place, "old.o", "saved.o", &["function g changed sites"]);
    differs(&place, "old.o", "table.o", &["function h changed constants"]);
    differs(&place, "old.o", "leaf.o", &["function leaf changed sites"]);
    differs(&place, "old.o", "without.o", &["function f removed"]);
    differs(&place, "old.o", "needs.o", &["section .ARM.exidx changed attributes"]);
}

/// Where a linker may shorten code, lengths and advances of unwinding are relocations between labels; the label at the end of
/// one function is the start of the next.
#[test]
fn unwinding_by_labels_on_riscv() {
    let assembler = "riscv64-linux-gnu-as";
    if !have(assembler) {
        return skip(assembler);
    }
    let place = Place::new();
    let function = |name: &str, calls: [&str; 2]| {
        let [before, behind] = calls;
        format!(
            ".globl {name}\n.type {name}, @function\n{name}:\n.cfi_startproc\n addi sp, sp, -16\n{before}\
             .cfi_def_cfa_offset 16\n{behind} li a0, 1\n addi sp, sp, 16\n.cfi_def_cfa_offset 0\n ret\n\
             .cfi_endproc\n.size {name}, .-{name}\n"
        )
    };
    let one = " call ext\n";
    let (f, g) = (function("f", [one, one]), function("g", [one, one]));
    for (name, source) in [
        ("old", [&*f, &g].concat()),
        ("moved", [&*g, &f].concat()),
        ("later", [&*f, &function("g", [" call ext\n call ext\n", ""])].concat()),
        ("before", [&*function("h", ["", one]), &f, &g].concat()),
    ] {
        place.write(format!("{name}.s"), &source);
        place.shell(&format!("{assembler} {name}.s -o {name}.o"));
    }
    differs(&place, "old.o", "moved.o", &[]);
    differs(&place, "old.o", "later.o", &["function g changed unwinding"]);
    differs(&place, "old.o", "before.o", &["function h new"]);
}

/// Entries of a jump table count from the table's start, not from their own place as their relocations say: what they seem to
/// name is no reason for fill to count, for how long fill is depends on where the function lies.
#[test]
fn a_jump_table_names_no_fill() {
    let place = Place::new();
    let source = |before: usize, section: &str| {
        let other = format!(".globl d\n.type d,@function\nd: .skip {before}, 0xf8\n ret\n.size d, .-d\n");
        let code = ".globl f\n.type f,@function\nf: lea .Ltable(%rip), %rax\n movslq (%rax,%rdi,4), %rdx\n add %rax, %rdx\n \
                    jmp *%rdx\n.L1: call g\n.p2align 4\n.L2: call h\n ret\n.size f, .-f\n";
        let table =
            ".Ltable: .long .L1-.Ltable\n .long .L1-.Ltable\n .long .L1-.Ltable\n .long .L2-.Ltable\n";
        format!(
            ".section {section},\"ax\"\n.p2align 4\n{other}{code}.section .rodata{},\"a\"\n{table}",
            &section[5..]
        )
    };
    for section in [".text", ".text.f", ".text.unlikely.f"] {
        place.write("old.s", &source(1, section));
        place.shell("as old.s -o old.o");
        for before in 2..18 {
            place.write("new.s", &source(before, section));
            place.shell("as new.s -o new.o");
            differs(&place, "old.o", "new.o", &["function d changed code"]);
        }
    }
}

/// GCC puts an array of characters without a zero among strings that a linker may merge, and a zero behind it that is in nobody's
/// size: without that it is another entry for the linker. What follows is another's.
#[test]
fn a_zero_behind_a_datum_makes_it_a_string() {
    let place = Place::new();
    let source = |zero: u8, next: u8| {
        format!(
            ".globl f\n.type f,@function\nf: lea d(%rip), %rax\n ret\n.size f, .-f\n\
             .globl g\n.type g,@function\ng: lea .Lnext(%rip), %rax\n ret\n.size g, .-g\n\
             .section .rodata.str1.1,\"aMS\",@progbits,1\n.type d,@object\n.size d, 3\nd: .byte 0xfc, 0xfc, 0xff\n .byte {zero}\n\
             .Lnext: .byte {next}, 0\n"
        )
    };
    for (name, zero, next) in [("old", 0, 65), ("next", 0, 66), ("open", 16, 65)] {
        place.write(format!("{name}.s"), &source(zero, next));
        place.shell(&format!("as {name}.s -o {name}.o"));
    }
    differs(&place, "old.o", "next.o", &["function g changed strings"]);
    let open = findings(&place, "old.o", "open.o");
    assert!(open.contains(&"data d changed content".to_owned()), "{open:?}");
    assert!(!open.iter().any(|one| one.starts_with("function f")), "{open:?}");
}

/// GCC's template of trampolines on aarch64 is code without a name that ends with words of zeros; the fill behind it is nobody's.
#[test]
fn a_template_of_trampolines_ends_with_its_words() {
    const COMPILER: &str = "aarch64-linux-gnu-gcc";
    if !have(COMPILER) {
        return skip(COMPILER);
    }
    let source = |more: &str| {
        format!(
            "int get(int); void use(const void *); int before(int x) {{ return get(x){more}; }} \
             int nest(int x) {{ int in(int y) {{ return x + y + 1; }} use((void *)in); return in(3); }}"
        )
    };
    let place = Place::of(&[
        ("old.c", &source("")),
        ("new.c", &source(" + get(1)")),
        ("more.c", &source(" + get(1) * 3")),
    ]);
    for name in ["old", "new", "more"] {
        place.shell(&format!("{COMPILER} -O2 -c {name}.c -o {name}.o"));
    }
    differs(&place, "old.o", "new.o", &["function before changed code references unwinding"]);
    differs(&place, "new.o", "more.o", &["function before changed code unwinding"]);
}
