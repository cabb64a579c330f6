//! The law of the whole object on machines beside x86: flip any bit of an allocated section, of a relocation or of a
//! symbol, and `diff` says that something changed. (Who must be named at each flip, `law_of_the_object` asks on x86.)
//!
//! Each object is sampled at random with a printed seed (`LPCC_SEED`); `LPCC_FLIPS` says how many flips each.

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

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use lpcc::{analysis, object};
use random::{Random, setting};

const SOURCE: &str = r#"
int ext(int); void use(const void *); extern int outside; int common_one[4];
static int counter; static const int table[] = {1, 2, 3, 4, 5}; int *pointer = &counter; int (*const handler)(int) = ext;
struct s { long v[30]; };
static __attribute__((noinline)) int helper(int x) { counter += x; return ext(x) * 3; }
#define C(n) case n: y += ext(n * 7); break;
#define D(n) case n: use("case " #n); break;
int sw(int x, int y) { switch (x) { C(0) D(1) C(2) D(3) C(4) C(5) C(6) D(7) C(8) C(9) C(10) D(11) C(12) C(13) C(14) C(15) } return helper(y); }
int cswitch(int x) { switch (x) { case 0: return 11; case 1: return 99; case 2: return 34; case 3: return 8; case 4: return 12; case 5: return 77; case 6: return 3; } return 0; }
void init(void) { struct s x = {{5,10,15,20,25,30,35,40,45,50,55,60,65,70,75,80,85,90,95,100,105,110,115,120,125,130,135,140,145,150}}; use(&x); }
int jump(int i, int y) { static void *const t[] = {&&a, &&b, &&c}; goto *t[i]; a: return ext(y) + 1; b: return ext(y) + 2; c: return ext(y) * 5; }
void say(int k) { use("hello"); use(L"wide"); use("nul\0inside"); if (k) use("hello" + 2); use(table); }
int loop(int *a, int n) { int s = outside; for (int i = 0; i < n; i++) s += a[i] * ext(i); return s; }
int start(void) __attribute__((constructor)); int start(void) { return ext(5); }
int unlikely(int x) { if (__builtin_expect(x == 7, 0)) { use("rare"); ext(1); ext(2); __builtin_trap(); } return x; }
int aliased(int x) { return x + 1; } int alias_of(int) __attribute__((alias("aliased")));
__thread int local = 5; int get(void) { return ++local; } double scale(double d) { return d * 3.14159 + 2.71; }
"#;

/// What a field that may be flipped is.
#[derive(Debug, Clone)]
enum What {
    Byte,
    /// Which field of a relocation, and its type.
    Relocation(&'static str, u32),
    Symbol,
    Section(&'static str),
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    offset: usize,
    width: usize,
    what: What,
}

/// Reads either class and byte order by itself: an oracle that shares no code with what it judges.
struct Elf<'f> {
    file: &'f [u8],
    wide: bool,
    little: bool,
}

impl Elf<'_> {
    fn number(&self, at: usize, width: usize) -> u64 {
        let bytes = self.file[at..at + width].iter();
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.little { bytes.rev().fold(0, join) } else { bytes.fold(0, join) }
    }

    /// A field whose place depends on the class: offset and width in 32 and in 64 bits.
    fn at(&self, base: usize, narrow: (usize, usize), wide: (usize, usize)) -> u64 {
        let (offset, width) = if self.wide { wide } else { narrow };
        self.number(base + offset, width)
    }

    fn header(&self, index: usize) -> usize {
        self.at(0, (0x20, 4), (0x28, 8)) as usize + index * if self.wide { 64 } else { 40 }
    }

    fn name(&self, table: usize, offset: u64) -> String {
        let from = table + offset as usize;
        let end = self.file[from..].iter().position(|b| *b == 0).unwrap() + from;
        String::from_utf8_lossy(&self.file[from..end]).into_owned()
    }

    fn fields(&self) -> Vec<Field> {
        let count = self.at(0, (0x30, 2), (0x3c, 2)) as usize;
        let names = self.at(0, (0x32, 2), (0x3e, 2)) as usize;
        let offset = |i: usize| self.at(self.header(i), (16, 4), (24, 8)) as usize;
        let flags = |i: usize| self.at(self.header(i), (8, 4), (8, 8));
        let mut all = Vec::new();
        for index in 1..count {
            let header = self.header(index);
            let kind = self.number(header + 4, 4);
            let size = self.at(header, (20, 4), (32, 8)) as usize;
            let name = self.name(offset(names), self.number(header, 4));
            let link = self.at(header, (24, 4), (40, 4)) as usize;
            let info = self.at(header, (28, 4), (44, 4)) as usize;
            let mut push = |name: String, offset, width, what| all.push(Field { name, offset, width, what });
            if flags(index) & 2 != 0 {
                let (low, align) = if self.wide { (8, 48) } else { (8, 32) };
                let width = if self.wide { 8 } else { 4 };
                push(format!("flags of {name}"), header + low, width, What::Section("flags"));
                push(format!("alignment of {name}"), header + align, width, What::Section("alignment"));
                if kind != 8 {
                    for byte in 0..size {
                        push(format!("{name}+{byte:#x}"), offset(index) + byte, 1, What::Byte);
                    }
                }
            }
            if (kind == 4 || kind == 9) && flags(info) & 2 != 0 {
                let unit = match (self.wide, kind) {
                    (true, _) => 24,
                    (false, 4) => 12,
                    (false, _) => 8,
                };
                for entry in (offset(index)..offset(index) + size).step_by(unit) {
                    let number = (entry - offset(index)) / unit;
                    let info = self.at(entry, (4, 4), (8, 8));
                    let kind = if self.wide { info as u32 } else { info as u32 & 0xff };
                    // The type is the low half of the information, wherever the byte order puts that.
                    let (types, symbols) = match (self.wide, self.little) {
                        (true, true) => ((8, 4), (12, 4)),
                        (true, false) => ((12, 4), (8, 4)),
                        (false, _) => ((4, 1), (5, 3)),
                    };
                    let mut part = |what: &'static str, (from, width): (usize, usize)| {
                        let name = format!("{what} of {name}[{number}]");
                        push(name, entry + from, width, What::Relocation(what, kind));
                    };
                    part("offset", (0, if self.wide { 8 } else { 4 }));
                    part("type", types);
                    part("symbol", symbols);
                    if unit != 8 {
                        part("addend", if self.wide { (16, 8) } else { (8, 4) });
                    }
                }
            }
            if kind == 2 {
                let unit = if self.wide { 24 } else { 16 };
                for entry in (offset(index) + unit..offset(index) + size).step_by(unit) {
                    let symbol = self.name(offset(link), self.number(entry, 4));
                    let info = self.number(entry + if self.wide { 4 } else { 12 }, 1);
                    let section = self.number(entry + if self.wide { 6 } else { 14 }, 2) as usize;
                    let silent = section != 0 && section < count && flags(section) & 2 == 0;
                    // Names of sources, of sections, and of places that a compiler or an assembler made.
                    if matches!(info & 15, 3 | 4)
                        || symbol.is_empty()
                        || symbol.starts_with(['$', '.'])
                        || silent
                    {
                        continue;
                    }
                    let parts = if self.wide { [(4, 1), (8, 8), (16, 8)] } else { [(12, 1), (4, 4), (8, 4)] };
                    for (which, (from, width)) in ["info", "value", "size"].into_iter().zip(parts) {
                        push(format!("{which} of symbol {symbol}"), entry + from, width, What::Symbol);
                    }
                }
            }
        }
        all
    }

    /// Section and value of the symbol that a relocation's field names, if its binding will do.
    fn place(&self, field: &Field, is_bound: impl Fn(u64) -> bool) -> Option<(u64, u64)> {
        let count = self.at(0, (0x30, 2), (0x3c, 2)) as usize;
        let table = (1..count).map(|i| self.header(i)).find(|at| self.number(at + 4, 4) == 2)?;
        let unit = if self.wide { 24 } else { 16 };
        let index = self.number(field.offset, field.width) as usize;
        if (index * unit) as u64 >= self.at(table, (20, 4), (32, 8)) {
            return None;
        }
        let symbol = self.at(table, (16, 4), (24, 8)) as usize + unit * index;
        let info = self.number(symbol + if self.wide { 4 } else { 12 }, 1);
        let section = self.number(symbol + if self.wide { 6 } else { 14 }, 2);
        // The Thumb bit of an Arm function is part of its address only for who calls it.
        is_bound(info >> 4).then(|| (section, self.at(symbol, (4, 4), (8, 8))))
    }
}

/// Flips that are no change, each for its reason.
fn is_exempt(machine: &str, file: &[u8], flipped: &[u8], field: &Field, bit: usize) -> bool {
    let (wide, little) = (file[4] == 2, file[5] == 1);
    match &field.what {
        // Alignment 0 and 1 mean the same (ELF specification, sh_addralign).
        What::Section("alignment") => {
            let low = if little { 0 } else { field.width * 8 - 8 };
            bit == low
        }
        // Another symbol of the same section and value; where a distance in the file is summed up, whoever else may define it
        // (R_RISCV_ADD8 to R_RISCV_SUB64, R_RISCV_SUB6 to R_RISCV_SET32).
        What::Relocation("symbol", kind) => {
            let is_term = machine == "riscv64" && matches!(kind, 33..=40 | 52..=56);
            let place = |file| Elf { file, wide, little }.place(field, |binding| binding == 0 || is_term);
            let is_defined = |place: &(u64, u64)| place.0 != 0;
            place(file).filter(is_defined).is_some_and(|here| place(flipped) == Some(here))
        }
        // R_RISCV_RELAX marks an instruction: it has no symbol, and its addend is left over (psABI, "relaxation").
        What::Relocation("addend", 51) => machine == "riscv64",
        _ => false,
    }
}

/// What is compiled for a machine: C in several sets of flags, and C++ with exceptions by GCC and by clang.
fn calls(cross: &machines::Cross) -> Vec<(String, Vec<String>, &'static str)> {
    let sets = [&["-O2"][..], cross.kernel].into_iter().chain(cross.more.iter().copied());
    let owned = |flags: &[&str]| flags.iter().map(ToString::to_string).collect();
    let c = sets.map(|flags| (cross.compiler.to_owned(), owned(flags), SOURCE));
    let cxx = cxx(cross).into_iter().map(|(compiler, target)| {
        (compiler, owned(&[&target, "-xc++", "-std=c++17", "-O2", "-DAFTER"]), IN_FRONT)
    });
    c.chain(cxx).collect()
}

/// The compilers of C++ for a machine that are here, each with an option that clang needs.
fn cxx(cross: &machines::Cross) -> Vec<(String, String)> {
    let gcc = (cross.compiler.replace("gcc", "g++"), "-O2".to_owned());
    let clang = ("clang++".to_owned(), format!("--target={}", cross.compiler.trim_end_matches("-gcc")));
    [gcc, clang].into_iter().filter(|(compiler, _)| machines::is_there(compiler)).collect()
}

fn compile_source(dir: &Path, compiler: &str, flags: &[&str], source: &str) -> Vec<u8> {
    std::fs::write(dir.join("x.c"), source).unwrap();
    let status =
        Command::new(compiler).current_dir(dir).args(flags).args(["-w", "-c", "x.c"]).status().unwrap();
    assert!(status.success());
    std::fs::read(dir.join("x.o")).unwrap()
}

#[test]
fn no_flip_is_silent_on_any_machine() {
    let seed = setting("LPCC_SEED", 0x5eed);
    let flips = setting("LPCC_FLIPS", 400);
    eprintln!("LPCC_SEED={seed} LPCC_FLIPS={flips}");
    let mut random = Random(seed);
    let mut silent = Vec::new();
    let (mut done, mut refused) = (0, 0);
    let only = std::env::var("LPCC_MACHINES").ok();
    for cross in machines::installed() {
        if only.as_ref().is_some_and(|names| !names.split(',').any(|n| n == cross.name)) {
            continue;
        }
        for (compiler, flags, source) in calls(cross) {
            let dir = tempfile::tempdir().unwrap();
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            let file = compile_source(dir.path(), &compiler, &flags, source);
            let old = object::fingerprint(&file).unwrap();
            assert_eq!(old.basis, object::Basis::Exact, "{compiler} {flags:?}");
            let fields = Elf { file: &file, wide: file[4] == 2, little: file[5] == 1 }.fields();
            // Every kind of field gets its share: bytes are the many.
            let mut by_kind: BTreeMap<String, Vec<&Field>> = BTreeMap::new();
            for field in &fields {
                let kind = match &field.what {
                    What::Byte => field.name.split('+').next().unwrap_or_default().to_owned(),
                    What::Relocation(which, _) | What::Section(which) => (*which).to_owned(),
                    What::Symbol => "symbol".to_owned(),
                };
                by_kind.entry(kind).or_default().push(field);
            }
            let kinds: Vec<_> = by_kind.into_values().collect();
            for _ in 0..flips {
                let fields = &kinds[random.below(kinds.len())];
                let field = fields[random.below(fields.len())];
                let bit = random.below(field.width * 8);
                let mut flipped = file.clone();
                flipped[field.offset + bit / 8] ^= 1 << (bit % 8);
                let Ok(new) = object::fingerprint(&flipped) else {
                    refused += 1;
                    continue;
                };
                done += 1;
                if analysis::compare(&old, &new).is_empty()
                    && !is_exempt(cross.name, &file, &flipped, field, bit)
                {
                    silent.push(format!("{compiler} {flags:?}: {} (bit {bit})", field.name));
                }
            }
        }
    }
    eprintln!("{done} flips, {refused} that no reader would take");
    silent.sort();
    silent.dedup();
    assert!(silent.is_empty(), "{} silent flips:\n{}", silent.len(), silent.join("\n"));
}

/// Data of equal size behind an anchor, in the order `@`, `%`.
const NEIGHBOURS: &str = "
static int first = 11, @ = 22, % = 33; static const int held = 1, one@ = 5, one% = 6;
void keep(const int *, const int *);
__attribute__((noinline)) int change(void) { first += 1; @ += 2; % += 3; return first * @ - %; }
__attribute__((noinline)) void set(int a, int b) { first = a; @ = b; % = a + b; keep(&first, &first); }
__attribute__((noinline)) void pass(void) { keep(&held, &one@); keep(&one%, &first); }
int apart(void) { return 7; }
";

/// An array behind an anchor, read with an index alone, in a section that begins with a jump table.
#[test]
fn an_array_behind_an_anchor_has_its_readers() {
    let source = "int x(int); static const short first[8] = {1, 2, 3, 4}, last[8] = {7, 8, 9, LAST};
        int both(int i) { return first[i & 7] + last[i & 7]; }
        int one(int i) { return first[i & 7]; }
        int other(int i) { return last[i & 7]; }
        int jumps(int n) {
            switch (n) {
            case 0: return x(1);
            case 1: return x(8) + 3;
            case 2: return x(x(4));
            case 3: return x(5) * 9;
            case 4: return x(n) / 3;
            case 5: return x(2) - n;
            }
            return 0;
        }";
    for cross in machines::installed() {
        for flags in [&["-O2"][..], &["-Os"], &["-O2", "-fno-pic"]] {
            let dir = tempfile::tempdir().unwrap();
            let [old, new] = ["-DLAST=5", "-DLAST=6"].map(|last| {
                let flags = [flags, &[last]].concat();
                object::fingerprint(&compile_source(dir.path(), cross.compiler, &flags, source)).unwrap()
            });
            let told = analysis::compare(&old, &new);
            let readers =
                told.iter().find(|f| f.symbol == "last").map(|f| f.readers.as_slice()).unwrap_or_default();
            let has = |name: &str| readers.iter().any(|reader| reader == name);
            assert!(has("both") && has("other") && !has("jumps"), "{} {flags:?}: {readers:?}", cross.name);
        }
    }
}

/// What lies behind a section anchor is named by no relocation: two neighbours that change places leave the text.
#[test]
fn neighbours_of_an_anchor_are_no_silent_change() {
    use lpcc::object::{PartKind, listing};
    for cross in machines::installed() {
        let mut by_displacement = 0;
        let plain =
            [&["-O2"][..], &["-O2", "-fno-pic"], &["-O2", "-fsection-anchors"], cross.user, cross.kernel];
        for flags in plain {
            let dir = tempfile::tempdir().unwrap();
            let [old, new] = [["beta", "gamma"], ["gamma", "beta"]].map(|[one, other]| {
                let source = NEIGHBOURS.replace('@', one).replace('%', other);
                let file = compile_source(dir.path(), cross.compiler, flags, &source);
                object::fingerprint(&file).unwrap()
            });
            for name in ["change", "set", "pass"] {
                let find = |prints: &object::Fingerprints| {
                    let item = prints.items.iter().position(|i| i.name == name).unwrap();
                    let item = &prints.items[item];
                    let text = listing::lines(prints, item, PartKind::References);
                    let near = text.iter().filter(|l| l.text.contains("by displacement")).count();
                    (item.part(PartKind::Code).unwrap().hash, format!("{text:#?}"), item.identity(), near)
                };
                let (old, new) = (find(&old), find(&new));
                assert_eq!(old.0, new.0, "{} {flags:?}: {name} is not of equal text", cross.name);
                assert_ne!(old.2, new.2, "{} {flags:?}: {name} is silent\n{}", cross.name, old.1);
                assert!(!old.1.contains("unreadable"), "{}", old.1);
                by_displacement += old.3;
            }
            let apart = |prints: &object::Fingerprints| {
                prints.items.iter().find(|i| i.name == "apart").unwrap().identity()
            };
            assert_eq!(apart(&old), apart(&new), "{} {flags:?}", cross.name);
        }
        eprintln!("{}: {by_displacement} references by displacement", cross.name);
        assert!(by_displacement > 0, "{}", cross.name);
    }
}

/// Arrays behind one another, one of them with a displacement in its index, in the order that compilers like and the other.
const ELEMENTS: [&str; 3] = [
    "static int before[8] = {5,6,7}; static int array[16] = {1,2,3,4,LAST};
     int f(long i) { return array[i - 3]++ + before[i]++; } int g(long i) { return before[i]++; }",
    "static int array[16] = {1,2,3,4,LAST}; static int before[8] = {5,6,7};
     int f(int i) { return array[i - 3]++; } int g(long i) { return before[i]++; }",
    "int before[8] = {5,6,7}; static int array[16] = {1,2,3,4,LAST};
     int f(long i) { before[i] += 2; return array[i - 3]; }",
];

/// An element before an array's first lies in the neighbour, and may be reached from the neighbour's address.
#[test]
fn an_element_before_the_first_has_its_reader() {
    let clang = |cross: &machines::Cross| {
        let target = format!("--target={}", cross.compiler.trim_end_matches("-gcc"));
        ["clang", "clang-14", "clang-19"]
            .into_iter()
            .filter(|c| machines::is_there(c))
            .map(move |c| (c, target.clone()))
    };
    for cross in machines::installed() {
        let gcc = [(cross.compiler, "-O2".to_owned())];
        for (compiler, target) in gcc.into_iter().chain(clang(cross)) {
            for flags in [&["-O2"][..], &["-O2", "-fno-pic"], &["-O2", "-fPIC"], &["-Os"]] {
                let merged: &[&[&str]] = match compiler == cross.compiler {
                    true => &[&[], &["-fno-toplevel-reorder"]],
                    // Where nothing is merged, the option is an error.
                    false if ["arm", "aarch64"].contains(&cross.name) => &[&[], &["-mglobal-merge"]],
                    false => &[&[]],
                };
                for (more, source) in merged.iter().flat_map(|m| ELEMENTS.iter().map(move |s| (m, s))) {
                    let dir = tempfile::tempdir().unwrap();
                    let [old, new] = ["-DLAST=5", "-DLAST=6"].map(|last| {
                        let flags = [flags, more, &[&target, last]].concat();
                        object::fingerprint(&compile_source(dir.path(), compiler, &flags, source)).unwrap()
                    });
                    let told = analysis::compare(&old, &new);
                    let finding = told.iter().find(|finding| finding.symbol.starts_with(b"array"));
                    let has_reader = finding.is_some_and(|finding| finding.readers.iter().any(|r| r == "f"));
                    assert!(has_reader, "{compiler} {target} {flags:?} {more:?}: {finding:?}\n{source}");
                }
            }
        }
    }
}

/// Switches that become tables of values, whose cases begin beside 0; another one in front where `AFTER` is defined.
const TABLES: &str = r"
INT g(INT);
#ifdef AFTER
INT front(INT x) {
    switch (x) { case 20: return 40; case 21: return 31; case 22: return 92; case 23: return 17; case 24: return 64; case 25: return 505; }
    return 3;
}
#endif
INT f(INT x) {
    switch (x) { case 0: return 48; case 1: return 3; case 2: return 9; case 3: return 1; case 4: return 6; case 5: return 455; }
    return 3;
}
INT above(INT x) {
    switch (x) { case 13: return 4; case 14: return 30; case 15: return ABOVE; case 16: return 17; case 17: return 6; case 18: return 655; }
    return g(x) + x;
}
INT below(INT x) {
    switch (x) { case -3: return 5; case -2: return BELOW; case -1: return 10; case 0: return 8; case 1: return 29; case 2: return 855; }
    return g(x) + x;
}
";

/// The first case's number may be part of the address that a table is read by; the table is its function's all the same, alone,
/// and what lies in front of it nobody's else.
#[test]
fn a_table_behind_a_check_of_bounds_is_its_functions_alone() {
    let mut calls: Vec<(String, String)> = Vec::new();
    for cross in machines::installed() {
        let clang = cxx(cross).into_iter().filter(|(compiler, _)| compiler.starts_with("clang"));
        calls.extend(clang.map(|(compiler, target)| (compiler.replace("clang++", "clang"), target)));
        // (What lies behind an anchor is another distance in the assembler text, too.)
        calls.push((cross.compiler.to_owned(), "-fno-section-anchors".to_owned()));
    }
    for compiler in ["gcc", "clang", "clang-14", "clang-19"].into_iter().filter(|c| machines::is_there(c)) {
        calls.extend(["-m32", "-m64"].map(|width| (compiler.to_owned(), width.to_owned())));
    }
    for (compiler, target) in calls {
        for (int, flags) in ["int", "long"]
            .into_iter()
            .flat_map(|int| ["-O2", "-fno-pic", "-fPIC", "-Os"].map(|set| (int, set)))
        {
            let dir = tempfile::tempdir().unwrap();
            let int = format!("-DINT={int}");
            let compiled = |defined: [&str; 2], more: &[&str]| {
                let flags = [&["-O2", &target, flags, &int, defined[0], defined[1]], more].concat();
                object::fingerprint(&compile_source(dir.path(), &compiler, &flags, TABLES)).unwrap()
            };
            let (above, below) = ("-DABOVE=91", "-DBELOW=71");
            let old = compiled([above, below], &[]);
            let changed = |new: &object::Fingerprints| -> Vec<String> {
                let told = analysis::compare(&old, new).into_iter();
                let functions = told.filter(|f| f.kind == analysis::FindingKind::Function);
                functions
                    .filter(|f| f.change != analysis::Change::New)
                    .map(|f| f.symbol.to_string())
                    .collect()
            };
            let said = format!("{compiler} {target} {flags} {int}");
            assert_eq!(changed(&compiled([above, below], &["-DAFTER"])), [""; 0], "{said}");
            assert_eq!(changed(&compiled(["-DABOVE=95", below], &[])), ["above"], "{said}");
            assert_eq!(changed(&compiled([above, "-DBELOW=72"], &[])), ["below"], "{said}");
        }
    }
}

/// C++ that jumps by tables, throws and catches, with more of that in front of it where `AFTER` is defined.
const IN_FRONT: &str = r"
extern int x(int), y(int); struct E { int v; virtual ~E(); }; struct F : E { F(int); virtual int w(); };
#ifdef AFTER
int front(int a) { try { return x(a); } catch (F &f) { return f.w(); } catch (int i) { return i; } }
template <class T> T other(T a) { static T s = x(7); return s + a; }
int more() { return other(3); }
#endif
int f(int a) { try { return x(a) + y(a); } catch (E &e) { return e.v; } catch (...) { return 77; } }
int g(int a) {
    struct L { int k; ~L() { x(k); } } l{a};
    auto h = [&](int q) { return x(q) + l.k; };
    return h(y(a)) + h(3);
}
int k(const char *s) {
    static int n = x(3);
    switch (n) {
    case 1: throw F(3);
    case 2: return y(2);
    case 3: throw 5;
    case 4: return x(4);
    case 5: return x(y(5));
    case 6: throw 'a';
    }
    return s[n];
}
F::F(int i) { v = i; }
int F::w() { return v * 3; }
";

/// Branch widths, fill, tables of call sites and the order of sections all move; nobody's meaning does.
#[test]
fn what_comes_in_front_changes_nobody() {
    let sets = ["-O0", "-O1", "-O2", "-Os", "-O3", "-fPIC", "-fno-pic", "-ffunction-sections", "-g"];
    for cross in machines::installed() {
        for (compiler, target) in cxx(cross) {
            for set in sets {
                let dir = tempfile::tempdir().unwrap();
                let [old, new] = ["-DBEFORE", "-DAFTER"].map(|side| {
                    let flags = ["-xc++", "-std=c++17", "-O2", &target, set, side];
                    object::fingerprint(&compile_source(dir.path(), &compiler, &flags, IN_FRONT)).unwrap()
                });
                let told: Vec<_> = analysis::compare(&old, &new)
                    .into_iter()
                    .filter(|finding| finding.change != analysis::Change::New)
                    // The first that needs a routine has it linked.
                    .filter(|f| {
                        !(f.kind == analysis::FindingKind::Section && f.symbol.starts_with(b".ARM.exidx"))
                    })
                    .collect();
                assert!(told.is_empty(), "{compiler} {target} {set}: {told:#?}");
            }
        }
    }
}

/// A comparison of strings that is expanded reads on behind the string, into whatever lies there.
#[test]
fn what_is_merged_has_no_neighbours() {
    let source = "void use(const char *); const char *const names[] = {\"one\", \"two\", \"three\", 0};
        int find(const char *s) {
            for (int i = 0; names[i]; i++) if (!__builtin_strcmp(names[i], s)) return i;
            return -1;
        }
        void last(void) { use(\"first\"); use(\"second\"); use(LAST); }";
    for cross in machines::installed() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = ["-DLAST=\"and some more\"", "-DLAST=\"and some less\""].map(|last| {
            let flags = ["-O2", "-fno-section-anchors", last];
            object::fingerprint(&compile_source(dir.path(), cross.compiler, &flags, source)).unwrap()
        });
        let told: Vec<_> = analysis::compare(&old, &new).into_iter().map(|finding| finding.symbol).collect();
        assert_eq!(told, ["last"], "{}", cross.name);
    }
}

/// How a function can be taken over, as each machine's compiler is asked for it.
#[test]
fn every_machine_tells_its_hooks() {
    use lpcc::object::Hook;
    let source = "void use(void *); int f(int n) { char b[100]; if (n > 3) use(b); return b[n & 31]; }";
    for cross in machines::installed() {
        let nop = match cross.name {
            "arm" | "riscv64" | "s390x" => 2,
            _ => 4,
        };
        let mut wanted: Vec<(&[&str], Hook)> = vec![(&["-O2"], Hook::None), (&["-O2", "-pg"], Hook::Mcount)];
        // Not in front of a local entry.
        if cross.name != "ppc64le" {
            let hook = Hook::Patchable { before: 0, after: 3 * nop };
            wanted.push((&["-O2", "-fpatchable-function-entry=3"], hook));
        }
        // On Arm those before the entry are of four bytes.
        if cross.name != "arm" {
            let hook = Hook::Patchable { before: 2 * nop, after: 2 * nop };
            wanted.push((&["-O2", "-fpatchable-function-entry=4,2"], hook));
        }
        match cross.name {
            "s390x" => wanted.push((&["-O2", "-pg", "-mfentry"], Hook::Fentry)),
            "ppc64le" => wanted.push((&["-O2", "-pg", "-mprofile-kernel"], Hook::Mcount)),
            _ => {}
        }
        for (flags, hook) in wanted {
            let dir = tempfile::tempdir().unwrap();
            let prints =
                object::fingerprint(&compile_source(dir.path(), cross.compiler, flags, source)).unwrap();
            let item = prints.items.iter().find(|i| i.name == "f").unwrap();
            assert_eq!(item.traits.hook, hook, "{} {flags:?}", cross.name);
        }
    }
}
