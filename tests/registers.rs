//! Which fields of an instruction name registers, held against objdump's text of all instructions in the C library, its mathematics
//! and the compiler's own library, on every machine: a register in the text that lpcc does not see might be an address that is
//! handed on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/machines.rs"]
mod cross;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cross::Cross;
use lpcc::object::machine::{self, mapping::Mode};

/// How objdump writes a machine's instructions.
struct Manner {
    /// `e_machine`.
    number: u16,
    /// Bytes are printed as little-endian numbers, not in the file's order.
    as_numbers: bool,
    /// Options that make it name registers by their numbers.
    options: &'static [&'static str],
    /// What general registers' names begin with.
    prefixes: &'static [&'static str],
}

fn manner(name: &str) -> Manner {
    let (number, as_numbers, options, prefixes): (_, _, &[&str], &[&str]) = match name {
        "aarch64" => (183, true, &["-M", "no-aliases"], &["x", "w"]),
        "arm" => (40, true, &["-M", "reg-names-raw"], &["r"]),
        "s390x" => (22, false, &[], &["%r"]),
        "ppc64le" => (21, false, &[], &["r"]),
        _ => (243, true, &["-M", "numeric,no-aliases"], &["x"]),
    };
    Manner { number, as_numbers, options, prefixes }
}

/// The general registers in an instruction's operands, each as often as it stands there.
fn registers(name: &str, manner: &Manner, operands: &str) -> BTreeMap<u8, usize> {
    let text = operands.split(['<', '@', '/', ';', '#']).next().unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '%' | '.' | '_');
    let mut found = BTreeMap::new();
    for word in text.split(|c| !is_part(c)) {
        let number = manner.prefixes.iter().find_map(|prefix| word.strip_prefix(prefix));
        // The short encodings of RISC-V mean the stack pointer without saying so; no address of a datum is in it.
        let is_stack = |number: &u8| name == "riscv64" && *number == 2;
        let number = number.and_then(|number| number.parse().ok()).filter(|number| *number < 32);
        if let Some(number) = number.filter(|number| !is_stack(number)) {
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

/// The bytes of an instruction as objdump prints them: in the file's order, or as little-endian numbers.
fn bytes(text: &str, as_numbers: bool) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for group in text.split_whitespace() {
        let pairs = (0..group.len()).step_by(2).map(|at| u8::from_str_radix(group.get(at..at + 2)?, 16).ok());
        let mut pairs = pairs.collect::<Option<Vec<u8>>>()?;
        if as_numbers {
            pairs.reverse();
        }
        all.append(&mut pairs);
    }
    Some(all)
}

/// How many instructions a file has, and those of which a register was overlooked.
fn check(cross: &Cross, file: &Path) -> (usize, BTreeMap<String, String>) {
    let manner = manner(cross.name);
    let machine = machine::of_number(manner.number).unwrap();
    let objdump = cross.compiler.replace("-gcc", "-objdump");
    let dump = Command::new(objdump).args(["-d", "-w"]).args(manner.options).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&dump.stdout);
    let (mut count, mut wrong) = (0, BTreeMap::new());
    for line in text.lines() {
        let mut columns = line.splitn(4, '\t');
        let (Some(_), Some(code), Some(name)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let Some(bytes) = bytes(code, manner.as_numbers) else { continue };
        // What stands among code without being any.
        if name.starts_with('.') || name.contains("undefined") || name.contains("UNDEFINED") {
            continue;
        }
        let is_thumb = cross.name == "arm" && code.split_whitespace().all(|group| group.len() == 4);
        let mode = if is_thumb { Mode::Thumb } else { Mode::Code };
        count += 1;
        for (register, times) in registers(cross.name, &manner, columns.next().unwrap_or_default()) {
            if machine.mentions(&bytes, mode, register) < times {
                wrong.entry(name.to_owned()).or_insert_with(|| format!("{register}: {line}"));
            }
        }
    }
    (count, wrong)
}

fn library(cross: &Cross, name: &str) -> PathBuf {
    let found = Command::new(cross.compiler).arg(format!("-print-file-name={name}")).output().unwrap();
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

#[test]
fn no_register_is_overlooked() {
    let mut overlooked = Vec::new();
    for cross in cross::installed() {
        let mut all = BTreeMap::new();
        let mut count = 0;
        for name in ["libc.a", "libm.a", "libgcc.a"] {
            let (instructions, wrong) = check(cross, &library(cross, name));
            count += instructions;
            all.extend(wrong);
        }
        overlooked.extend(all.values().map(|line| format!("{}: register {line}", cross.name)));
        assert!(count > 100_000, "{}: {count} instructions", cross.name);
    }
    assert!(overlooked.is_empty(), "{} kinds:\n{}", overlooked.len(), overlooked.join("\n"));
}

/// The libraries of Arm are in Thumb.
#[test]
fn no_register_is_overlooked_in_arm_encoding() {
    let scratch = support::Scratch::new("registers");
    let Some(arm) = cross::installed().into_iter().find(|cross| cross.name == "arm") else { return };
    let tree = scratch.join("lua");
    if support::source("lua5.4", &tree).is_none() {
        return;
    }
    // Debian makes it in its build; it names paths.
    std::fs::write(tree.join("src/lua5.4-deb-multiarch.h"), "#define DEB_HOST_MULTIARCH \"arm\"\n").unwrap();
    let mut count = 0;
    for source in std::fs::read_dir(tree.join("src")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = source.file_name().unwrap().to_string_lossy().into_owned();
        if source.extension().is_none_or(|extension| extension != "c") || name.starts_with("lua.") {
            continue;
        }
        for level in ["-O2", "-O3", "-Os"] {
            let object = scratch.join("x.o");
            let mut compile = Command::new(arm.compiler);
            compile.args(["-marm", "-mfpu=neon", "-w", level, "-c"]).arg(&source).arg("-o").arg(&object);
            support::succeed(&mut compile);
            let (instructions, wrong) = check(arm, &object);
            count += instructions;
            assert!(wrong.is_empty(), "{name} {level}: {wrong:#?}");
        }
    }
    assert!(count > 50_000, "{count} instructions");
}
