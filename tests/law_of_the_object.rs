//! The law of the whole object, by flipping: change any bit of an allocated section, any relocation, any symbol's
//! value, size, type, binding or visibility, any section's flags or alignment, and `diff` says so, at the owner and
//! at every reader.
//!
//! Each object is sampled at random with a printed seed (`LPCC_SEED`); `LPCC_FLIPS` says how many flips all objects
//! of a test share. `LPCC_FLIP_OBJECTS` names folders of more objects and archives (`scripts/flip` fills one).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test that fails to set up fails; its settings come from the environment"
)]

mod flip;
#[path = "support/random.rs"]
mod random;

use std::path::{Path, PathBuf};
use std::process::Command;

use flip::Account;
use lpcc::object;
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

/// Shares `flips` among the objects, prints the table, and fails on anything that was not told.
fn law_holds(objects: &[(String, Vec<u8>)], flips: u64) {
    let seed = setting("LPCC_SEED", 0x5eed);
    let flips = setting("LPCC_FLIPS", flips);
    eprintln!("LPCC_SEED={seed} LPCC_FLIPS={flips}, {} objects", objects.len());
    eprintln!("{}", Account::heading());
    let mut total = Account::default();
    for (at, (name, file)) in objects.iter().enumerate() {
        // Every object has a seed of its own, so that one can be looked at alone.
        let mut random = Random(seed.wrapping_add(at as u64));
        let left = flips.saturating_sub(total.flips);
        let account = flip::run(name, file, left.div_ceil((objects.len() - at) as u64), &mut random);
        eprintln!("{}", account.line(name));
        total.add(account);
    }
    eprintln!("{}", total.line("all"));
    for (kind, count) in &total.by_kind {
        eprintln!("  {kind:?}: {count}");
    }
    assert!(total.flips * 2 > flips, "too few flips were possible");
    let wrong = &total.wrong;
    let shown = wrong.iter().take(200).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} flips were not told to all:\n{shown}", wrong.len());
}

#[test]
fn small_objects() {
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
    let objects: Vec<_> = [
        ("c-plain", C_SOURCE, &["-O2"][..]),
        ("c-kernel", C_SOURCE, kernel),
        ("c-pic", C_SOURCE, &["-O2", "-fPIC", "-ffunction-sections"][..]),
        ("cxx", SOURCE, &["-O2"][..]),
    ]
    .into_iter()
    .map(|(name, source, flags)| (name.to_owned(), compile(dir.path(), name, source, flags)))
    .collect();
    law_holds(&objects, 3000);
}

/// The members of an archive, a sample of `count` of those with code.
fn members(archive: &Path, count: usize, random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let Ok(bytes) = std::fs::read(archive) else { return Vec::new() };
    let stem = archive.file_stem().unwrap().to_string_lossy().into_owned();
    let mut all: Vec<_> = object::members(&bytes)
        .unwrap()
        .into_iter()
        .filter_map(|member| Some((format!("{stem}({})", member.name), member.data?.to_vec())))
        .filter(|(_, data)| flip::elf::is_readable(data) && data.len() < 200_000)
        .collect();
    random.shuffle(&mut all);
    all.truncate(count);
    all
}

/// What every machine with a compiler has: the C library and the C++ library, as archives.
#[test]
fn members_of_the_system_libraries() {
    let mut random = Random(setting("LPCC_SEED", 0x5eed));
    let mut objects = Vec::new();
    for name in ["libc.a", "libstdc++.a"] {
        let output = Command::new("gcc").arg(format!("-print-file-name={name}")).output().unwrap();
        let path = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        assert!(path.is_absolute(), "no {name}; hint: scripts/setup");
        objects.extend(members(&path, setting("LPCC_FLIP_MEMBERS", 30) as usize, &mut random));
    }
    law_holds(&objects, 2000);
}

/// Whatever `LPCC_FLIP_OBJECTS` holds: objects, or archives of them.
#[test]
fn objects_of_real_projects() {
    let Some(folder) = std::env::var_os("LPCC_FLIP_OBJECTS") else {
        eprintln!("SKIPPED: no LPCC_FLIP_OBJECTS; scripts/flip makes some");
        return;
    };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut objects = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|it| it == "o")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        objects.push((name, std::fs::read(path).unwrap()));
    }
    law_holds(&objects, 2000);
}
