//! The law of the whole object, by flipping: change any bit of an allocated section, any relocation, any symbol's
//! value, size, type, binding or visibility, any section's flags or alignment, and some finding appears.
//!
//! Each object is sampled at random with a printed seed (`LPCC_SEED`); `LPCC_FLIPS` says how many flips each.

#[path = "support/elf_layout.rs"]
mod elf_layout;
#[path = "support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use elf_layout::{Field, FieldKind};
use lpcc::{analysis, object};
use random::{Random, setting};

const SOURCE: &str = r#"
#include <stdexcept>
#include <string>
struct Shape { virtual ~Shape() {} virtual int area(int) = 0; };
struct Square : Shape { int area(int x) override { if (x < 0) throw std::runtime_error("negative"); return x * x; } };
struct Round : Shape { int area(int x) override { static int calls; return 3 * x * x + ++calls; } };
int use(Shape *s, int x) { try { return s->area(x); } catch (const std::exception &e) { return -1; } catch (int i) { return i; } }
Square square; Round round_;
thread_local int depth = 3;
int deeper() { return ++depth; }
double scale(double d, int k) { switch (k) { case 0: return d * 1.5; case 1: return d * 2.25; case 2: return d / 3.125; case 3: return d + 4; case 4: return d - 7; case 5: return d * d; default: return 0; } }
const char *name(int k) { static const char *const names[] = {"zero", "one", "two", "three"}; return names[k & 3]; }
std::string join(const std::string &a, const std::string &b) { return a + ", " + b; }
extern "C" int __attribute__((weak)) hook(void) { return 0; }
int spread(int a) { return hook() + a; }
"#;

const C_SOURCE: &str = r#"
typedef unsigned long size;
int ext(int); void use(const void *); extern int outside; int common_one[4];
static int counter; static const int table[] = {1, 2, 3, 4, 5}; int *pointer = &counter; int (*const handler)(int) = ext;
struct s { long v[30]; };
static __attribute__((noinline)) int helper(int x) { counter += x; return ext(x) * 3; }
int sw(int x) { switch (x) { case 0: return ext(1); case 1: return ext(9); case 2: return helper(3); case 3: return 8; case 4: return ext(12); case 5: return 77; case 6: return helper(x); } return 0; }
int cswitch(int x) { switch (x) { case 0: return 11; case 1: return 99; case 2: return 34; case 3: return 8; case 4: return 12; case 5: return 77; case 6: return 3; } return 0; }
void init(void) { struct s x = {{5,10,15,20,25,30,35,40,45,50,55,60,65,70,75,80,85,90,95,100,105,110,115,120,125,130,135,140,145,150}}; use(&x); }
int jump(int i, int y) { static void *const t[] = {&&a, &&b, &&c}; goto *t[i]; a: return ext(y) + 1; b: return ext(y) + 2; c: return ext(y) * 5; }
void say(int k) { use("hello"); use(L"wide"); use("nul\0inside"); if (k) use("hello" + 2); use(table); }
int loop(int *a, int n) { int s = outside; for (int i = 0; i < n; i++) s += a[i] * ext(i); return s; }
int start(void) __attribute__((constructor)); int start(void) { return ext(5); }
int unlikely(int x) { if (__builtin_expect(x == 7, 0)) { use("rare"); ext(1); ext(2); __builtin_trap(); } return x; }
int aliased(int x) { return x + 1; } int alias_of(int) __attribute__((alias("aliased")));
"#;

fn compile(dir: &Path, name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    let cxx = source.contains("std::");
    let file = dir.join(format!("{name}.{}", if cxx { "cc" } else { "c" }));
    std::fs::write(&file, source).unwrap();
    let out = dir.join(format!("{name}.o"));
    let driver = if cxx { "g++" } else { "gcc" };
    let status =
        Command::new(driver).args(flags).args(["-w", "-c", "-o"]).arg(&out).arg(&file).status().unwrap();
    assert!(status.success());
    std::fs::read(out).unwrap()
}

/// Flips one bit of a field at random; `None` where the result is no other object.
fn flip(file: &[u8], field: &Field, random: &mut Random) -> (Vec<u8>, usize) {
    let bit = random.below(field.width.min(3) * 8);
    let mut flipped = file.to_vec();
    flipped[field.offset + bit / 8] ^= 1 << (bit % 8);
    (flipped, bit)
}

fn silent_flips(name: &str, file: &[u8], flips: u64, random: &mut Random) -> Vec<String> {
    let old = object::fingerprint(file).unwrap();
    let fields = elf_layout::fields(file);
    // Every kind of field gets its share: bytes are the many.
    let mut by_kind: BTreeMap<String, Vec<&Field>> = BTreeMap::new();
    for field in &fields {
        let kind = match &field.kind {
            FieldKind::Byte(section, _) => format!("byte of {section}"),
            FieldKind::Relocation(which) => format!("relocation {which}"),
            FieldKind::Symbol(_, _, which) => format!("symbol {which}"),
            FieldKind::Section(_, which) => format!("section {which}"),
        };
        by_kind.entry(kind).or_default().push(field);
    }
    let mut silent = Vec::new();
    let kinds: Vec<_> = by_kind.into_iter().collect();
    for _ in 0..flips {
        let (_, fields) = &kinds[random.below(kinds.len())];
        let field = fields[random.below(fields.len())];
        let (flipped, bit) = flip(file, field, random);
        let Ok(new) = object::fingerprint(&flipped) else { continue };
        if analysis::compare(&old, &new).is_empty() && !same_place(file, field, bit) {
            silent.push(format!("{name}: {} (bit {bit})", field.what));
        }
    }
    silent
}

/// Flips that are no change, each for its reason.
fn same_place(_file: &[u8], field: &Field, bit: usize) -> bool {
    match &field.kind {
        // Alignment 0 and 1 mean the same (ELF specification, sh_addralign).
        FieldKind::Section(_, "alignment") => bit == 0,
        _ => false,
    }
}

#[test]
fn no_flip_is_silent() {
    let seed = setting("LPCC_SEED", 0x5eed);
    let flips = setting("LPCC_FLIPS", 600);
    eprintln!("LPCC_SEED={seed} LPCC_FLIPS={flips}");
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let kernel: &[&str] = &[
        "-O2",
        "-fno-pic",
        "-mcmodel=kernel",
        "-mno-red-zone",
        "-ffunction-sections",
        "-fdata-sections",
        "-pg",
        "-mfentry",
    ];
    let mut silent = Vec::new();
    for (name, source, flags) in [
        ("c-plain", C_SOURCE, &["-O2"][..]),
        ("c-kernel", C_SOURCE, kernel),
        ("c-pic", C_SOURCE, &["-O2", "-fPIC", "-ffunction-sections"][..]),
        ("cxx", SOURCE, &["-O2"][..]),
    ] {
        let file = compile(dir.path(), name, source, flags);
        silent.extend(silent_flips(name, &file, flips, &mut random));
    }
    silent.sort();
    silent.dedup();
    assert!(silent.is_empty(), "{} silent flips:\n{}", silent.len(), silent.join("\n"));
}
