//! The law of readers: when a datum changes, every function that uses it is told, whatever way the compiler found to its
//! address: by name, from a neighbour's, from one that lies before the array, through a register kept over calls and loops.
//!
//! Programs are generated (`LPCC_SEED`, `LPCC_PROGRAMS`; `LPCC_COMPILERS` is part of the only calls); which function uses which datum, the generator knows. The last
//! element of each datum is changed in turn. A function counts as told if it is a reader of the datum, or changed itself (its
//! code may hold what it once read).

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

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use lpcc::analysis::{self, FindingKind};
use lpcc::object;
use random::{Random, setting};

/// A static array.
struct Datum {
    name: String,
    length: usize,
    is_const: bool,
    text: String,
}

fn datum(random: &mut Random, index: usize) -> Datum {
    let is_const = random.below(2) == 0;
    let (length, name) = (2 + random.below(20), format!("datum{index}"));
    let kind = ["int", "short", "long", "unsigned char", "struct pair"][random.below(5)];
    let mut values: Vec<String> = (1..length).map(|_| random.below(120).to_string()).collect();
    values.push(format!("LAST{index}"));
    let values: Vec<String> = match kind {
        "struct pair" => values.iter().map(|value| format!("{{3, {value}}}")).collect(),
        _ => values,
    };
    let head = if is_const { "static const" } else { "static" };
    let text = format!(
        "#ifndef LAST{index}\n#define LAST{index} 121\n#endif\n{head} {kind} {name}[{length}] = {{{}}};\n",
        values.join(", ")
    );
    let field = if kind == "struct pair" { ".b" } else { "" };
    let text = format!("{text}#define AT{index}(i) {name}[i]{field}\n");
    Datum { name, length, is_const, text }
}

/// A use of a datum, and how many elements before the one at hand it reaches.
#[derive(Debug)]
struct Usage {
    datum: usize,
    before: usize,
}

/// Statements that use a datum so that its last element matters.
fn usage(random: &mut Random, index: usize, datum: &Datum) -> (String, Usage) {
    let (length, by) = (datum.length, 1 + random.below(7));
    let at = |place: String| format!("AT{index}({place})");
    let which = random.below(if datum.is_const { 7 } else { 10 });
    let text = match which {
        0 => format!("s += {};", at("i".into())),
        1 => format!("s ^= {};", at(format!("i - {by}"))),
        2 => format!("use(&{}[{}]);", datum.name, random.below(length)),
        3 => format!("for (long j = 0; j < {length}; j++) s = s * 3 + {};", at("j".into())),
        4 => format!("for (long j = {length} - 1; j >= 0; j--) {{ s += {}; ext(s); }}", at("j".into())),
        5 => format!("s += {} * ext(s);", at(format!("(i + {by}) & 1"))),
        6 => format!("if (i > {by}) use({} + i); else s += {};", datum.name, at(format!("i * 2 + {by}"))),
        7 => format!("{}++;", at("i".into())),
        8 => format!("{} = s; use({});", at((length - 1).to_string()), datum.name),
        _ => format!("s += {}; {} = i;", at((length - 1).to_string()), at(random.below(length).to_string())),
    };
    (text, Usage { datum: index, before: if which == 1 { by } else { 0 } })
}

/// Whether all uses are of an element before the one at hand, whose address is the start of another datum: nobody can tell it from
/// that one's first.
fn is_hidden(prints: &object::Fingerprints, datum: &Datum, uses: &[&Usage]) -> bool {
    let data = || prints.items.iter().filter(|item| item.kind == object::Kind::Data);
    let Some(item) = data().find(|item| item.name == datum.name.as_str()) else { return false };
    let element = item.size / datum.length as u64;
    let starts_at = |at: u64| data().any(|other| other.section == item.section && other.address == at);
    uses.iter().all(|one| {
        let before = one.before as u64 * element;
        before > 0 && item.address.checked_sub(before).is_some_and(starts_at)
    })
}

/// A program, and for each of its functions the data that it uses.
fn program(random: &mut Random) -> (String, Vec<Vec<Usage>>, Vec<Datum>) {
    let data: Vec<Datum> = (0..4 + random.below(5)).map(|index| datum(random, index)).collect();
    let mut text = String::from("long ext(long); void use(const void *); struct pair { int a, b; };\n");
    text.extend(data.iter().map(|datum| datum.text.as_str()));
    let mut uses = Vec::new();
    for number in 0..6 {
        let mut mine = Vec::new();
        let mut body = String::new();
        for _ in 0..=random.below(3) {
            let which = random.below(data.len());
            let (text, usage) = usage(random, which, &data[which]);
            writeln!(body, "    {text}").unwrap();
            mine.push(usage);
            if random.below(3) == 0 {
                writeln!(body, "    s = ext(s);").unwrap();
            }
        }
        if random.below(4) == 0 {
            let cases: Vec<_> =
                (0..6).map(|case| format!("case {case}: s += ext({case} * 7); break;")).collect();
            let cases = cases.join(" ");
            writeln!(body, "    switch (s) {{ {cases}}}").unwrap();
        }
        writeln!(
            text,
            "__attribute__((noinline)) long f{number}(long i, long s)\n{{\n{body}    return s;\n}}"
        )
        .unwrap();
        uses.push(mine);
    }
    (text, uses, data)
}

const SETS: [&str; 7] = ["-O2", "-Os", "-O2 -fno-pic", "-O2 -fPIC", "-O1 -fdata-sections", "-O3", "-O0"];

fn compile(dir: &Path, compiler: &str, flags: &[String], change: Option<usize>) -> object::Fingerprints {
    let mut command = Command::new(compiler);
    command.current_dir(dir).args(flags).args(["-w", "-c", "x.c", "-o", "x.o"]);
    command.args(change.map(|index| format!("-DLAST{index}=122")));
    assert!(command.status().unwrap().success(), "{compiler} {flags:?}");
    object::fingerprint(&std::fs::read(dir.join("x.o")).unwrap()).unwrap()
}

#[test]
fn who_uses_a_datum_is_told() {
    let (seed, programs) = (setting("LPCC_SEED", 0x5eed), setting("LPCC_PROGRAMS", 2));
    eprintln!("LPCC_SEED={seed} LPCC_PROGRAMS={programs}");
    let mut random = Random(seed);
    let (mut asked, mut missed) = (0, Vec::new());
    let calls = machines::calls(&SETS);
    for number in 0..programs {
        let (text, uses, data) = program(&mut random);
        for (compiler, flags) in &calls {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("x.c"), &text).unwrap();
            let old = compile(dir.path(), compiler, flags, None);
            for (index, datum) in data.iter().enumerate() {
                let new = compile(dir.path(), compiler, flags, Some(index));
                let told = analysis::compare(&old, &new);
                for (function, all) in uses.iter().enumerate() {
                    let mine: Vec<&Usage> = all.iter().filter(|usage| usage.datum == index).collect();
                    let name = format!("f{function}");
                    let is_told = told.iter().any(|finding| match finding.kind {
                        FindingKind::Function => finding.symbol == name.as_str(),
                        _ => finding
                            .readers
                            .iter()
                            .chain(&finding.perhaps)
                            .any(|reader| *reader == name.as_str()),
                    });
                    asked += mine.len();
                    if !mine.is_empty() && !is_told && !is_hidden(&old, datum, &mine) {
                        missed.push(format!(
                            "program {number}: {compiler} {flags:?}: {} in {name}",
                            datum.name
                        ));
                    }
                }
            }
        }
        if !missed.is_empty() {
            eprintln!("{text}");
            break;
        }
    }
    eprintln!("{asked} uses of data that changed");
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

/// Whether a function is told as one that reads, or may read, what changes with `-DLAST=`.
fn is_reader(source: &str, compiler: &str, flags: &[&str], function: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.c"), source).unwrap();
    let [old, new] = ["-DLAST=77", "-DLAST=78"].map(|last| {
        let mut command = Command::new(compiler);
        command.current_dir(dir.path()).args(flags).args([last, "-w", "-c", "x.c", "-o", "x.o"]);
        assert!(command.status().unwrap().success(), "{compiler} {flags:?}");
        object::fingerprint(&std::fs::read(dir.path().join("x.o")).unwrap()).unwrap()
    });
    analysis::compare(&old, &new).iter().any(|finding| {
        finding.symbol == function
            || finding.readers.iter().chain(&finding.perhaps).any(|reader| *reader == function)
    })
}

/// i386's address of an element before the first may lie in a table of jumps, which is another function's.
#[test]
fn an_element_before_the_first_may_lie_in_a_table_of_jumps() {
    let source = "long ext(long); static const short datum[6] = {61, 38, 3, 16, 5, LAST};
        __attribute__((noinline)) long f(long i, long s) { return ext(s ^ datum[i - 6]); }
        long g(long x) { switch (x) { case 0: x = ext(1); break; case 1: x += ext(9); break; case 2: return ext(4);
            case 3: x -= ext(2); break; case 4: x ^= ext(8); break; case 5: return ext(x); } return x + 1; }";
    for flags in [["-m32", "-O2"], ["-m32", "-Os"]] {
        assert!(is_reader(source, "clang", &flags, "f"), "{flags:?}");
    }
}

/// Arm subtracts an index that counts up to nought.
#[test]
fn an_index_that_is_subtracted_leads_to_its_datum() {
    // Small ones in between are more than are held possible behind an address.
    let small: Vec<_> = (0..11).map(|n| format!("static short small{n}[2] = {{{n}, 5}};\n")).collect();
    let uses: Vec<_> = (0..11).map(|n| format!("s += small{n}[i & 1]; small{n}[s & 1] = i;\n")).collect();
    let (small, uses) = (small.concat(), uses.concat());
    let source = format!(
        "long ext(long); static short last[18] = {{78, 89, 6, LAST}};\n{small}
        __attribute__((noinline)) long f(long i, long s) {{
            s = ext(s + small0[i]);
            for (long j = 17; j >= 0; j--) {{ s += last[j]; ext(s); }}
            return s; }}
        long g(long i, long s) {{ {uses} last[i]++; return ext(last[s] + s); }}"
    );
    let flags = ["--target=arm-linux-gnueabihf", "-mglobal-merge", "-Os"];
    assert!(is_reader(&source, "clang", &flags, "f"));
}
