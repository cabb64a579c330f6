//! The law of constants: when a value changes that a function has in constants of its own, that function is told, and no other.
//!
//! Compilers put such values into code, into tables without a name (of switches, of initialisers, of strings), into constants that
//! the linker merges, and reach them by their address, by one before them, or from a neighbour's. Programs are generated
//! (`LPCC_SEED`, `LPCC_PROGRAMS`; `LPCC_COMPILERS` is part of the only calls); each function has a value that no other knows. A
//! function counts as told if it changed, or reads a datum that did.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails to set up fails; its settings come from the environment"
)]

#[path = "support/machines.rs"]
mod machines;
#[path = "support/random.rs"]
mod random;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use lpcc::analysis::{self, FindingKind};
use lpcc::object::{self, Fingerprints};
use random::{Random, setting};

/// How many functions a program has.
const FUNCTIONS: usize = 10;

/// `count` values, one of which is `mine`.
fn values(random: &mut Random, count: usize, mine: &str) -> Vec<String> {
    let at = random.below(count);
    (0..count).map(|i| if i == at { mine.to_owned() } else { (1 + random.below(99)).to_string() }).collect()
}

/// A function that has the value of the macro `V{index}` in it, and what that value is.
fn function(random: &mut Random, index: usize) -> (String, usize) {
    let mine = format!("V{index}");
    let first = [0, 0, 1, -3, 13, 65, -20, 100][random.below(8)];
    let int = ["int", "long", "unsigned", "int"][random.below(4)];
    let element = ["int", "short", "signed char", "long", "double", "float"][random.below(6)];
    let count = 5 + random.below(5);
    let case = |i: usize| first + i64::try_from(i).unwrap();
    let mut value = 1 + random.below(99);
    let cases = |results: &[String]| {
        results
            .iter()
            .enumerate()
            .fold(String::new(), |all, (i, result)| all + &format!("case {}: {result} ", case(i)))
    };
    let returns =
        |values: Vec<String>| values.iter().map(|value| format!("return {value};")).collect::<Vec<_>>();
    let text = match random.below(10) {
        0..=2 => {
            let cases = cases(&returns(values(random, count, &mine)));
            format!("{int} f{index}({int} x) {{ switch (x) {{ {cases}}} return ext(x) + {index}; }}")
        }
        3 => {
            value += 100_000;
            let texts = values(random, count, &format!("TEXT({mine})"));
            let quoted = |text: String| if text.starts_with('T') { text } else { format!("\"s{text}\"") };
            let cases = cases(&returns(texts.into_iter().map(quoted).collect()));
            format!("const char *f{index}({int} x) {{ switch (x) {{ {cases}}} return \"none{index}\"; }}")
        }
        4 | 5 => {
            let kept = ["static const", "const"][random.below(2)];
            let check = [
                format!("(unsigned {})(x - ({first})) < {count}", int.trim_start_matches("unsigned")),
                format!("x >= {first} && x < {}", case(count)),
            ];
            let all = values(random, count, &mine).join(", ");
            let check = &check[random.below(2)];
            format!(
                "long f{index}({} x) {{ {kept} {element} a[] = {{{all}}}; if ({check}) return a[x - ({first})] * 3; return ext(x); }}",
                int.replace("unsigned", "int")
            )
        }
        6 => {
            let float = ["double", "float", "long double"][random.below(3)];
            format!("{float} f{index}({float} x) {{ return x * ({float})({mine} + 0.25) + ext({index}); }}")
        }
        7 => {
            let count = 6 + random.below(25);
            let all = values(random, count, &mine).join(", ");
            format!("void f{index}(void) {{ int a[] = {{{all}}}; use(a); }}")
        }
        8 => {
            value += 10_000;
            format!(
                "const char *f{index}({int} x) {{ static const char *const n[] = {{\"a{index}\", TEXT({mine}), \"b{index}\", \"c\"}}; return n[x & 3]; }}"
            )
        }
        _ => {
            value += 1_000;
            let leave = ["break;", "return r;", "r ^= x; break;"];
            let calls: Vec<_> = values(random, count, &mine)
                .into_iter()
                .map(|value| format!("r += ext({value}); {}", leave[random.below(3)]))
                .collect();
            let cases = cases(&calls);
            format!("{int} f{index}({int} x) {{ {int} r = ext(x); switch (x) {{ {cases}}} return r + x; }}")
        }
    };
    (text, value)
}

/// A program, and the value of each of its functions.
fn program(random: &mut Random) -> (String, Vec<usize>) {
    let mut text =
        String::from("#define TEXT_(x) #x\n#define TEXT(x) TEXT_(x)\nlong ext(long); void use(void *);\n");
    let mut all = Vec::new();
    for index in 0..FUNCTIONS {
        let (function, value) = function(random, index);
        writeln!(text, "#ifndef V{index}\n#define V{index} {value}\n#endif\n{function}").unwrap();
        all.push(value);
    }
    (text, all)
}

const SETS: [&str; 8] = [
    "-O2",
    "-Os",
    "-O2 -fno-pic",
    "-O2 -fPIC",
    "-O1",
    "-O3 -fno-pic",
    "-O2 -fno-section-anchors",
    "-Os -fno-pic -fno-section-anchors",
];

fn compile(dir: &Path, compiler: &str, flags: &[String], change: Option<String>) -> (Vec<u8>, Fingerprints) {
    let mut command = Command::new(compiler);
    command.current_dir(dir).args(flags).args(["-w", "-c", "x.c", "-o", "x.o"]).args(change);
    assert!(command.status().unwrap().success(), "{compiler} {flags:?}");
    let bytes = std::fs::read(dir.join("x.o")).unwrap();
    let prints = object::fingerprint(&bytes).unwrap();
    (bytes, prints)
}

/// Who changed, or reads what did.
fn told(old: &Fingerprints, new: &Fingerprints) -> BTreeSet<String> {
    let names = analysis::compare(old, new).into_iter().flat_map(|finding| match finding.kind {
        FindingKind::Function => vec![finding.symbol],
        _ => finding.readers,
    });
    names.map(|name| name.to_string()).collect()
}

/// Whether the first datum of a block is told from the anchor that has its address. (Where a call or the end follows with the
/// address still in a register that arguments or results are passed in, it may be handed on, and the function is told of that
/// datum too; likewise where an index's constant part leads below the anchor. Power and RISC-V happen to do neither.)
fn tells_anchors_apart(compiler: &str, flags: &[String]) -> bool {
    let has_anchors = compiler.ends_with("-gcc");
    let is_off = flags.iter().any(|flag| flag == "-fno-section-anchors");
    // On s390x an index's constant part stands in a displacement as one from an anchor does.
    let is_clear = compiler.starts_with("powerpc64le-") || compiler.starts_with("riscv64-");
    !has_anchors || is_clear || is_off && !compiler.starts_with("s390x-")
}

#[test]
fn a_function_is_told_of_its_own_constants_alone() {
    let (seed, programs) = (setting("LPCC_SEED", 0xc0de), setting("LPCC_PROGRAMS", 1));
    eprintln!("LPCC_SEED={seed} LPCC_PROGRAMS={programs}");
    let mut random = Random(seed);
    let programs: Vec<_> = (0..programs).map(|_| program(&mut random)).collect();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (number, (text, values)) in programs.iter().enumerate() {
        for (compiler, flags) in machines::calls(&SETS) {
            if compiler.starts_with("clang") && flags.iter().any(|flag| flag == "-fno-section-anchors") {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("x.c"), text).unwrap();
            let (bytes, old) = compile(dir.path(), &compiler, &flags, None);
            for (index, value) in values.iter().enumerate() {
                let change = format!("-DV{index}={}", value + 1 + index % 3);
                let (other_bytes, new) = compile(dir.path(), &compiler, &flags, Some(change.clone()));
                if other_bytes == bytes {
                    continue;
                }
                asked += 1;
                let told = told(&old, &new);
                let own = format!("f{index}");
                let is_other = |name: &String| {
                    // What ends where the changed one begins, and is walked over to its end, is not told from it.
                    let definition = text.lines().find(|line| line.contains(&format!(" {name}(")));
                    let walks =
                        definition.is_some_and(|line| line.contains(" a[] =") && !line.contains("static"));
                    *name != own && !name.starts_with(&format!("{own}.")) && !walks
                };
                let others = told.iter().any(is_other);
                if !told.contains(&own) || others && tells_anchors_apart(&compiler, &flags) {
                    wrong.push(format!("program {number}: {compiler} {flags:?} {change}: {told:?}"));
                }
            }
        }
        if !wrong.is_empty() {
            eprintln!("{text}");
            break;
        }
    }
    eprintln!("{asked} values that changed");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Arm takes an address in instructions that a condition holds for: whoever does so reads what lies there all the same.
#[test]
fn an_address_taken_under_a_condition_has_its_reader() {
    let source = r#"
        int first(int x) { switch (x) { case 0: return 41; case 1: return 3; case 2: return 99; case 3: return 7; case 4: return 26; } return x; }
        const char *f(unsigned x) {
            switch (x) { case 13: return "one"; case 14: return "two"; case 15: return "three"; case 16: return TEXT;
                         case 17: return "five"; case 18: return "six"; case 19: return "seven"; }
            return "none";
        }"#;
    for cross in machines::installed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.c"), source).unwrap();
        let flags = ["-O3", "-fno-pic"].map(str::to_owned);
        let [old, new] = ["-DTEXT=\"four\"", "-DTEXT=\"4\""]
            .map(|text| compile(dir.path(), cross.compiler, &flags, Some(text.to_owned())).1);
        let told = told(&old, &new);
        assert!(told.contains("f"), "{}: {told:?}", cross.name);
    }
}

/// Holds with every cross compiler: a function is told where the number `LAST` in its constant becomes another.
fn is_told_of_its_last(name: &str, source: &str) {
    for cross in machines::installed() {
        for level in ["-O1", "-O2", "-Os"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("x.c"), source).unwrap();
            let [old, new] = ["-DLAST=77", "-DLAST=78"].map(|last| {
                compile(dir.path(), cross.compiler, &[level.to_owned()], Some(last.to_owned())).1
            });
            let told = told(&old, &new);
            assert!(told.contains(name), "{} {level}: {told:?}", cross.name);
        }
    }
}

/// A table of jumps without relocations (aarch64) lies before all data and is no anchor: what is reached from the address behind it is
/// not the end of what lies there.
#[test]
fn a_table_of_jumps_is_no_anchor() {
    let list = |count: usize, last: &str| {
        let numbers: Vec<_> = (0..count).map(|number| (number * 7 % 89).to_string()).collect();
        format!("int a[] = {{{}, {last}}}; use(a);", numbers.join(", "))
    };
    let source = format!(
        "long ext(long); void use(void *);
        void first(void) {{ {} }}
        int table(int x) {{ switch (x) {{ case -20: return 36; case -19: return 76; case -18: return 63; case -17: return 34;
            case -16: return 22; }} return ext(x) + 6; }}
        void last(void) {{ {} }}
        int jumps(int x) {{ int r = ext(x); switch (x) {{ case 1: r += ext(107); break; case 2: r += ext(82); return r;
            case 3: r += ext(87); r ^= x; break; case 4: r += ext(76); return r; case 5: r += ext(96); return r;
            case 6: r += ext(11); return r; case 7: r += ext(14); r ^= x; break; case 8: r += ext(16); break; }} return r + x; }}",
        list(29, "1"),
        list(25, "LAST")
    );
    is_told_of_its_last("last", &source);
}

/// Constants without a name lie behind each other, and one anchor leads to all: where the address of one is handed to `memcpy`, it is
/// that one's.
#[test]
fn a_constant_that_is_handed_on_has_its_reader() {
    let list = |from: usize, count: usize, last: &str| {
        let numbers: Vec<_> = (0..count).map(|number| (from + number * 7).to_string()).collect();
        format!("int a[] = {{{}, {last}}}; use(a);", numbers.join(", "))
    };
    let functions = [list(3, 14, "1"), list(5, 9, "2"), list(8, 25, "LAST"), list(4, 25, "3")];
    let functions =
        functions.iter().enumerate().map(|(index, body)| format!("void f{index}(void) {{ {body} }}\n"));
    // A table of jumps is no anchor.
    let jumps = "long g(long x) { switch (x) { case 0: x = ext(1); break; case 1: x += ext(9); break; case 2: return ext(4); \
                 case 3: x -= ext(2); break; case 4: x ^= ext(8); break; case 5: return ext(x); } return x + 1; }\n";
    let source = format!("long ext(long); void use(void *);\n{jumps}{}", functions.collect::<String>());
    is_told_of_its_last("f2", &source);
}
