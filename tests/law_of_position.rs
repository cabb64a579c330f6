//! The law of position: shuffle functions and data, insert unrelated ones before and between; whatever function
//! keeps its assembler text keeps its fingerprint, in every flag set.
//!
//! Programs are generated (`LPCC_SEED`, `LPCC_PROGRAMS`); the compiler's own text (`-S`) is the oracle.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test that fails to set up fails; its settings come from the environment"
)]

#[path = "support/machines.rs"]
mod machines;
#[path = "support/random.rs"]
mod random;
#[path = "support/text_oracle.rs"]
mod text_oracle;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use lpcc::analysis::{self, Change, FindingKind};
use lpcc::object;
use random::{Random, setting};

/// One definition: its text; statics are declared before all.
struct Definition {
    declaration: String,
    text: String,
}

/// A function that uses what compilers put aside: strings, tables, constants, statics, calls near and far.
fn function(random: &mut Random, index: usize, count: usize) -> Definition {
    let is_static = random.below(3) == 0;
    let noinline = if is_static { "static __attribute__((noinline, used)) " } else { "" };
    let head = format!("{noinline}long f{index}(long x, const long *p)");
    let mut body = String::new();
    for _ in 0..=random.below(4) {
        let (a, b) = (random.below(900), random.below(9) + 2);
        let callee = random.below(count);
        match random.below(13) {
            0 => write!(body, "use(\"text {} of f\");", random.below(40)),
            1 => write!(body, "{{ static long kept = {a}; x += kept++; }}"),
            2 => write!(body, "for (long i = 0; i < x; i++) {{ x ^= p[i] * {b}; if (x > {a}) x = f{callee}(i, p); }}"),
            3 => write!(body, "switch (x) {{ case 0: use(\"zero\"); break; case 1: x = ext({a}); break; case 2: x = f{callee}(x, p); break; case 3: x += {b}; break; case 4: use(\"four\"); break; case 5: x = ext(x); break; case 6: x -= {a}; break; }}"),
            4 => write!(body, "switch (x) {{ case 0: x = {a}; break; case 1: x = 77; break; case 2: x = {b}; break; case 3: x = 500; break; case 4: x = 3; break; case 5: x = 12; break; case 6: x = 9; break; }}"),
            5 => write!(body, "scale += scale * {a}.5 + {b}.25;"),
            6 => write!(body, "{{ struct big y = {{{{{a}, {b}, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}}}; use(&y); }}"),
            7 => write!(body, "if (__builtin_expect(x == {a}, 0)) {{ use(\"rare\"); fatal({b}); }}"),
            8 => write!(body, "x += table{}[x & 3];", random.below(3)),
            11 | 12 => {
                write!(body, "switch (x) {{").unwrap();
                for case in 0..20 + random.below(5) {
                    let (c, d) = (random.below(count), random.below(90));
                    match random.below(3) {
                        0 => write!(body, "case {case}: x = f{c}(x + {d}, p); break;"),
                        1 => write!(body, "case {case}: for (long i = 0; i < x; i++) x ^= p[i] + {d}; break;"),
                        _ => write!(body, "case {case}: use(\"case {d}\"); x += {d}; break;"),
                    }
                    .unwrap();
                }
                write!(body, "}}")
            }
            9 => write!(body, "use(L\"wide {b}\"); use(\"a\\0b{b}\");"),
            _ => write!(body, "return f{callee}(x + {b}, p);"),
        }
        .unwrap();
    }
    Definition { declaration: format!("{head};\n"), text: format!("{head} {{ {body} return x; }}\n") }
}

fn program(definitions: &[&Definition]) -> String {
    let mut text = String::from(
        "struct big { long v[20]; }; void use(const void *); void span(const void *, const void *); long ext(long); double scale;\n\
         void fatal(int) __attribute__((noreturn, cold));\n\
         static const long table0[] = {1, 2, 3, 4}, table1[] = {9, 8, 7, 6}; long table2[4] = {5, 5, 5, 1};\n",
    );
    for definition in definitions {
        text.push_str(&definition.declaration);
    }
    for definition in definitions {
        text.push_str(&definition.text);
    }
    text
}

fn compile(dir: &Path, compiler: &str, flags: &[&str], source: &str) -> (Vec<u8>, text_oracle::Assembler) {
    std::fs::create_dir(dir).unwrap();
    std::fs::write(dir.join("x.c"), source).unwrap();
    let run = |mode: &str, out: &str| {
        let status =
            Command::new(compiler).current_dir(dir).args(flags).args(["-w", mode, "x.c", "-o", out]).status();
        assert!(status.unwrap().success());
        std::fs::read(dir.join(out)).unwrap()
    };
    (run("-c", "x.o"), text_oracle::read(&String::from_utf8_lossy(&run("-S", "x.s"))))
}

const FLAG_SETS: &[&[&str]] = &[
    &["-O2"],
    &["-O2", "-fPIC"],
    &[
        "-O2",
        "-fno-pic",
        "-mcmodel=kernel",
        "-mno-red-zone",
        "-mno-sse",
        "-ffunction-sections",
        "-fdata-sections",
        "-pg",
        "-mfentry",
    ],
    &["-O2", "-ffunction-sections", "-fdata-sections"],
    &["-Os"],
    &["-O0"],
    &["-O3", "-g"],
];

#[test]
fn what_keeps_its_text_keeps_its_fingerprint() {
    let compilers: Vec<&str> = ["gcc", "clang"].into_iter().filter(|c| machines::is_there(c)).collect();
    let builds: Vec<(&str, &[&str])> = compilers
        .iter()
        .flat_map(|c| FLAG_SETS.iter().map(|f| (*c, *f)))
        .filter(|(compiler, flags)| !(*compiler == "clang" && flags.contains(&"-mno-sse")))
        .collect();
    hold(&seeds(0xa11, 6), &builds);
}

#[test]
fn what_keeps_its_text_keeps_its_fingerprint_on_every_machine() {
    let mut all: Vec<(&str, &[&str])> = Vec::new();
    let only = std::env::var("LPCC_MACHINES").ok();
    for cross in machines::installed() {
        if only.as_ref().is_some_and(|names| !names.split(',').any(|n| n == cross.name)) {
            continue;
        }
        let mut builds = Vec::from([cross.kernel, cross.user].map(|flags| (cross.compiler, flags)));
        builds.extend(CROSS_FLAG_SETS.iter().map(|flags| (cross.compiler, *flags)));
        builds.extend(cross.more.iter().map(|flags| (cross.compiler, *flags)));
        let remembered: Vec<u64> =
            REMEMBERED.iter().filter(|(name, _)| *name == cross.name).map(|(_, seed)| *seed).collect();
        if !remembered.is_empty() {
            hold(&remembered, &builds);
        }
        all.append(&mut builds);
    }
    if !all.is_empty() {
        hold(&seeds(0xa11, 3), &all);
    }
}

/// Programs that once had false changes, by machine: a table's entries counted from the table before it, the numbers of a jump
/// table's index taken for an array's, half an address for a whole, another index's numbers, the end of a
/// constant for one handed on, what a condition overwrites for kept where a branch knows better, the bit that says Thumb for a place.
const REMEMBERED: &[(&str, u64)] = &[
    ("s390x", 2605),
    ("aarch64", 62),
    ("ppc64le", 66),
    ("s390x", 72),
    ("arm", 67),
    ("arm", 31),
    ("arm", 32),
    ("arm", 2028),
    ("riscv64", 45),
];

/// One seed for each program.
fn seeds(default: u64, count: u64) -> Vec<u64> {
    let (seed, count) = (setting("LPCC_SEED", default), setting("LPCC_PROGRAMS", count));
    (seed..seed.saturating_add(count)).collect()
}

/// Without section anchors the text tells everything.
const CROSS_FLAG_SETS: &[&[&str]] = &[
    &["-O2"],
    &["-O2", "-fno-section-anchors"],
    &["-O2", "-fPIC", "-fno-section-anchors"],
    &["-Os"],
    &["-O0"],
    &["-O3", "-g"],
    &["-O3", "-fno-section-anchors", "-fno-jump-tables"],
];

/// A function that reaches statics by every kind of access: alone, side by side, in loops, over calls, by address.
fn reaching(random: &mut Random, index: usize) -> String {
    let mut body = String::new();
    for _ in 0..=random.below(5) {
        let [a, b, c] = [random.below(6), random.below(6), random.below(6)];
        let (value, wide) = (random.below(90), random.below(4));
        match random.below(9) {
            0 => write!(body, "s{a} += x;"),
            1 => write!(body, "x += s{a} * s{b} - s{c};"),
            2 => write!(body, "s{a} = x; s{b} = x + {value};"),
            3 => write!(body, "use(&s{a}); x ^= s{b};"),
            4 => write!(body, "for (long i = 0; i < x; i++) {{ w{wide} += s{a} * i; x += ext(i); }}"),
            5 => write!(body, "t{wide}[x & 7] += w{wide}; x += t{wide}[(x >> 3) & 7];"),
            6 => write!(body, "switch (x) {{ case 0: x += s{a}; break; case 1: x = ext(s{b}); break; case 2: use(&w{wide}); break; case 3: s{c}++; break; case 4: x -= s{c}; break; case 5: use(\"five\"); }}"),
            7 => write!(body, "x = x > {value} ? s{a} : w{wide}; p = x & 1 ? &s{b} : &s{c}; x += *p;"),
            _ => write!(body, "span(&t{wide}[0], &t{wide}[8]); x += q{wide}.b; q{wide}.a = x;"),
        }
        .unwrap();
    }
    format!("__attribute__((noinline)) long g{index}(long x) {{ int *p = 0; {body} return x; }}\n")
}

/// Statics of which several have one size, in an order of their own.
fn statics(random: &mut Random) -> String {
    let mut all: Vec<String> = Vec::new();
    all.extend((0..6).map(|n| format!("static int s{n} = {};\n", n + 1)));
    all.extend((0..4).map(|n| format!("static long w{n} = {}; static long t{n}[8] = {{{n}, 1}};\n", n + 20)));
    all.extend((0..4).map(|n| format!("static struct pair q{n} = {{{n}, 9}};\n")));
    random.shuffle(&mut all);
    all.concat()
}

/// Two statics of one type exchange their names. With section anchors no byte and no relocation of a function that
/// reaches them needs to change; what the compiler writes without anchors says who does.
#[test]
fn whoever_reaches_another_datum_by_a_displacement_is_told() {
    // One program that was once silent on arm: the start of an array, reached from its end.
    let seeds = [seeds(0xa2c, 2), vec![64]].concat();
    eprintln!("programs of the seeds {seeds:?}");
    let only = std::env::var("LPCC_MACHINES").ok();
    let (mut wrong, mut told, mut alike) = (BTreeSet::new(), 0, 0);
    for number in seeds {
        let mut random = Random(number);
        let mut old = String::from("struct pair { int a, b; }; void use(const void *); long ext(long);\n");
        old.push_str("void span(const void *, const void *);\n");
        old.push_str(&statics(&mut random));
        for index in 0..12 {
            old.push_str(&reaching(&mut random, index));
        }
        let kind = ["s", "w", "t", "q"][random.below(4)];
        let (one, other) = (random.below(2), 2 + random.below(2));
        let (one, other) = (format!("{kind}{one}"), format!("{kind}{other}"));
        let new = old.replace(&one, "@").replace(&other, &one).replace('@', &other);
        for cross in machines::installed() {
            if only.as_ref().is_some_and(|names| !names.split(',').any(|n| n == cross.name)) {
                continue;
            }
            for flags in [&["-O2"][..], &["-Os", "-fno-pic"], &["-O3", "-fPIC"]] {
                let mut dir = tempfile::tempdir().unwrap();
                dir.disable_cleanup(std::env::var_os("LPCC_KEEP").is_some());
                let anchored = [flags, &["-fsection-anchors"]].concat();
                let plain = [flags, &["-fno-section-anchors"]].concat();
                let build = |name: &str, flags: &[&str], text: &str| {
                    compile(&dir.path().join(name), cross.compiler, flags, text)
                };
                let objects = [("old", &old), ("new", &new)].map(|(n, text)| build(n, &anchored, text).0);
                let texts = [("old-", &old), ("new-", &new)].map(|(n, text)| build(n, &plain, text).1);
                let prints = objects.each_ref().map(|o| object::fingerprint(o).unwrap());
                let findings = analysis::compare(&prints[0], &prints[1]);
                let differs: BTreeSet<String> =
                    text_oracle::Assembler::changed(&texts[0], &texts[1]).into_iter().collect();
                for name in texts[0].functions.keys() {
                    let found =
                        findings.iter().any(|f| f.symbol == name.as_str() && f.change == Change::Changed);
                    told += usize::from(found);
                    let code = |side: &object::Fingerprints| {
                        let item = side.items.iter().find(|i| i.name == name.as_str());
                        item.and_then(|i| i.part(object::PartKind::Code)).map(|p| p.hash)
                    };
                    alike += usize::from(found && code(&prints[0]) == code(&prints[1]));
                    if differs.contains(name) && !found {
                        let place = format!("program {number} {} {flags:?}", cross.name);
                        wrong.insert(format!("{place}: {name} is silent of {one}, {other}"));
                    }
                }
            }
        }
    }
    eprintln!("{told} functions told, {alike} of them of equal code");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(machines::installed().is_empty() || alike > 50, "the law must have something to hold for");
}

/// Every way to have to do with the first datum of a block; and `passes`, which only reaches others by its address.
const FIRST_OF_A_BLOCK: &str = "
static int first = 1; static long long second = 2, third = 3; void use(const void *); long ext(long);
long reads(long x) { long y = first; second += x; third ^= x; return y; }
long passes(long x, long y) { second += x; third ^= y; return x; }
void hands(long x) { second += x; third ^= x; use(&first); }
void stores(long x, int **p) { second += x; third ^= x; *p = &first; }
long compares(long x, int *p) { second += x; third ^= x; return p == &first; }
int *returns(long x) { second += x; third ^= x; return &first; }
long indexes(long x, long y) { second += x; third ^= y; return (&first)[y]; }
void calls(long x, void (*f)(int *)) { second += x; third ^= x; f(&first); }
";

/// Where another datum becomes the first of a block, whoever has to do with the first is told, and who only reaches others
/// from there is not.
#[test]
fn the_first_datum_of_a_block_is_nobodys_but_its_readers() {
    let renamed = FIRST_OF_A_BLOCK.replace("first", "other");
    // It finds room before `second`, which stays where it was.
    let added = format!("static int added = 5; int adds(void) {{ return added++; }}{FIRST_OF_A_BLOCK}");
    let mut wrong = Vec::new();
    for cross in machines::installed() {
        for flags in [&["-O2", "-fsection-anchors"][..], &["-Os", "-fsection-anchors", "-fno-pic"]] {
            let dir = tempfile::tempdir().unwrap();
            let build = |name: &str, text: &str| {
                object::fingerprint(&compile(&dir.path().join(name), cross.compiler, flags, text).0).unwrap()
            };
            let old = build("old", FIRST_OF_A_BLOCK);
            for (edit, text) in [("renamed", &renamed), ("added", &added)] {
                let findings = analysis::compare(&old, &build(edit, text));
                let found =
                    |name: &str| findings.iter().any(|f| f.symbol == name && f.change == Change::Changed);
                let place = format!("{} {flags:?} {edit}", cross.name);
                // Not every machine puts what is added there.
                let readers = ["reads", "hands", "stores", "compares", "returns", "indexes", "calls"];
                for name in readers.iter().filter(|name| edit == "renamed" && !found(name)) {
                    wrong.push(format!("{place}: {name} is silent"));
                }
                if found("passes") {
                    wrong.push(format!("{place}: passes has nothing to do with it"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Compiles programs before and after a shuffle with each compiler and its flags, and compares.
fn hold(seeds: &[u64], builds: &[(&str, &[&str])]) {
    eprintln!("programs of the seeds {seeds:?} (LPCC_SEED and LPCC_PROGRAMS, or remembered)");
    let mut wrong = BTreeSet::new();
    let (mut kept, mut missed) = (0, 0);
    for number in seeds {
        let mut random = Random(*number);
        let count = 12;
        let mut definitions: Vec<Definition> = (0..count).map(|i| function(&mut random, i, count)).collect();
        let old = program(&definitions.iter().collect::<Vec<_>>());
        random.shuffle(&mut definitions);
        // Unrelated functions before and between; nobody calls them.
        for extra in 0..4 {
            let mut more = function(&mut random, count + extra, count);
            more.declaration = more.declaration.replace("static __attribute__((noinline, used)) ", "");
            more.text = more.text.replace("static __attribute__((noinline, used)) ", "");
            definitions.insert(random.below(definitions.len()), more);
        }
        let new = program(&definitions.iter().collect::<Vec<_>>());
        for (compiler, flags) in builds {
            {
                let mut dir = tempfile::tempdir().unwrap();
                dir.disable_cleanup(std::env::var_os("LPCC_KEEP").is_some());
                let (old_object, old_text) = compile(&dir.path().join("old"), compiler, flags, &old);
                let (new_object, new_text) = compile(&dir.path().join("new"), compiler, flags, &new);
                let findings = analysis::compare(
                    &object::fingerprint(&old_object).unwrap(),
                    &object::fingerprint(&new_object).unwrap(),
                );
                let differs: BTreeSet<String> =
                    text_oracle::Assembler::changed(&old_text, &new_text).into_iter().collect();
                let found: BTreeSet<String> = findings
                    .iter()
                    .filter(|f| f.kind == FindingKind::Function && f.change == Change::Changed)
                    .map(|f| f.symbol.to_string())
                    .collect();
                let unclear: BTreeSet<String> =
                    text_oracle::Assembler::unclear(&old_text, &new_text).into_iter().collect();
                for name in old_text.functions.keys().filter(|n| new_text.functions.contains_key(*n)) {
                    let place = format!("program {number} {compiler} {flags:?} {name}");
                    match (differs.contains(name), found.contains(name)) {
                        (false, true) if unclear.contains(name) => {}
                        (false, true) => {
                            let detail =
                                findings.iter().find(|f| f.symbol == name.as_str()).map(|f| f.detail.clone());
                            wrong.insert(format!("false change: {place}: {}", detail.unwrap_or_default()));
                        }
                        (true, false) => {
                            if std::env::var_os("LPCC_DUMP").is_some() {
                                eprintln!(
                                    "OLD {place}\n{}\nNEW\n{}",
                                    old_text.functions[name], new_text.functions[name]
                                );
                            }
                            missed += 1;
                            wrong.insert(format!("missed: {place}"));
                        }
                        (false, false) => kept += 1,
                        (true, true) => {}
                    }
                }
            }
        }
    }
    eprintln!("{kept} functions kept their text and their fingerprint, {missed} missed");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(kept > 40, "the oracle must find functions that stay");
}
