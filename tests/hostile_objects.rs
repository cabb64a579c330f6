//! Objects that lie: sizes, counts, offsets and links that no file can hold. `lpcc show` says one clear line or reads what
//! is there; it never panics, never hangs, and its memory is bounded by the file, not by what the file claims.
//!
//! Each runs as a process of its own under a limit of memory and of time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails to set up fails"
)]

#[path = "flip/elf.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod elf;
mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Scratch, lpcc, succeed};

/// What a process may take: lpcc itself, its threads' stacks and a small multiple of the largest file here.
const MEMORY_KIB: u64 = 400_000;
const TIME: Duration = Duration::from_secs(60);

const SOURCE: &str = r#"
#include <stdexcept>
struct A { virtual ~A() {} virtual int f(int) { return 1; } };
struct B : A { int f(int x) override { if (x) throw std::runtime_error("x"); return x; } };
static int counter; thread_local int t = 4; double scale(double x) { return x * 1.5; }
asm(".pushsection __sites,\"a\"\n.quad _Z4picki\n.popsection");
int use(A *a, int x) { try { return a->f(x) + ++counter + t; } catch (const std::exception &) { return 3; } }
int pick(int n) { switch (n) { case 0: return 7; case 1: return 12; case 2: return 3; case 3: return 99; case 4: return use(new B, n); } return 0; }
"#;

/// Runs `lpcc show --parts` and `lpcc diff` on a file; what is wrong with how they end.
fn try_file(name: &str, file: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let path = file.display();
    for words in [format!("show --parts '{path}'"), format!("diff '{path}' '{path}.other'")] {
        let script = format!("ulimit -v {MEMORY_KIB}; exec '{}' {words}", lpcc().display());
        let begun = Instant::now();
        let output = Command::new("timeout")
            .args([&(TIME.as_secs() * 2).to_string(), "sh", "-c", &script])
            .env("LPCC_STORE", file.with_extension("store"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let status = output.status.code();
        // 0 and 1 are answers, 2 is trouble that was said.
        if !matches!(status, Some(0..=2)) || (status == Some(2) && said.lines().count() > 2) {
            wrong
                .push(format!("{name}: {words}: {status:?}: {}", said.chars().take(300).collect::<String>()));
        }
        if begun.elapsed() > TIME {
            wrong.push(format!("{name}: {words}: {:?}", begun.elapsed()));
        }
    }
    wrong
}

fn put(file: &mut [u8], at: usize, value: u64, width: usize) {
    file[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// The object with one field of one header, symbol or relocation set to a number that no file can bear out.
fn lies(object: &[u8]) -> Vec<(String, Vec<u8>)> {
    const NUMBERS: [u64; 6] = [1, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 1 << 62, u64::MAX];
    let elf = elf::read(object);
    let mut all = Vec::new();
    let mut lie = |what: String, at: usize, width: usize| {
        for number in NUMBERS.iter().filter(|number| width == 8 || **number < 1 << (8 * width)) {
            let mut file = object.to_vec();
            put(&mut file, at, *number, width);
            all.push((format!("{what} = {number:#x}"), file));
        }
    };
    for (what, at, width) in
        [("e_shoff", 0x28, 8), ("e_shentsize", 0x3a, 2), ("e_shnum", 0x3c, 2), ("e_shstrndx", 0x3e, 2)]
    {
        lie(what.to_owned(), at, width);
    }
    let mut seen = Vec::new();
    for section in elf.sections.iter().skip(1).filter(|section| section.size > 0) {
        // One of each type and kind is enough.
        let class = (section.kind, section.is_executable(), section.flags & 0x30);
        if seen.contains(&class) {
            continue;
        }
        seen.push(class);
        for (field, from, width) in [
            ("type", 4, 4),
            ("offset", 24, 8),
            ("size", 32, 8),
            ("link", 40, 4),
            ("info", 44, 4),
            ("entsize", 56, 8),
        ] {
            lie(format!("{} {field}", section.name), section.header + from, width);
        }
    }
    let symbol = elf.symbols.iter().find(|symbol| symbol.name == "_Z4picki").unwrap();
    for (field, from, width) in [("name", 0, 4), ("section", 6, 2), ("value", 8, 8), ("size", 16, 8)] {
        lie(format!("symbol {field}"), symbol.at + from, width);
    }
    let bss = elf.symbols.iter().find(|symbol| symbol.name == "_ZL7counter").unwrap();
    lie("size of a zero-filled datum".to_owned(), bss.at + 16, 8);
    for name in [".text", ".eh_frame", "__sites"] {
        let section = elf.sections.iter().find(|section| section.name == name).unwrap();
        let relocation = section.relocations[0];
        for (field, from, width) in [("offset", 0, 8), ("type", 8, 4), ("symbol", 12, 4), ("addend", 16, 8)] {
            lie(format!("{name} relocation {field}"), relocation.at + from, width);
        }
        for at in [0, 4, 8, 12, 17, 24] {
            lie(format!("{name}+{at}"), section.offset + at, 4);
        }
    }
    all
}

#[test]
fn lying_headers() {
    let scratch = Scratch::new("lies");
    let (source, object) = (scratch.join("a.cc"), scratch.join("a.o"));
    fs::write(&source, SOURCE).unwrap();
    succeed(Command::new("g++").args(["-O2", "-c", "-o"]).arg(&object).arg(&source));
    let object = fs::read(object).unwrap();
    let lies = lies(&object);
    assert!(lies.len() > 200, "too few lies");
    let mut wrong = Vec::new();
    for (number, (what, file)) in lies.iter().enumerate() {
        let path = scratch.join(format!("lie-{number}"));
        fs::write(&path, file).unwrap();
        fs::write(format!("{}.other", path.display()), &object).unwrap();
        wrong.extend(try_file(what, &path));
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(format!("{}.other", path.display()));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lies.len(), wrong.join("\n"));
}

/// Strings in a section that has a length and no bytes: there is nothing around a place in it.
#[test]
fn strings_without_bytes() {
    let scratch = Scratch::new("no-bytes");
    let (source, made) = (scratch.join("a.s"), scratch.join("a.o"));
    let text = "f: lea .Ls+8(%rip), %rax\nret\n.type f, @function\n.size f, .-f\n\
                .section .rodata.str1.1,\"aMS\",@nobits,1\n.Ls: .zero 16\n";
    for (file, text) in [("a.o", text.to_owned()), ("a.o.other", text.replace("+8", "+4"))] {
        fs::write(&source, text).unwrap();
        succeed(Command::new("as").arg(&source).arg("-o").arg(scratch.join(file)));
    }
    assert_eq!(try_file("strings without bytes", &made), Vec::<String>::new());
}

/// A compressed section says how long it is when it is not; that much would be reserved before a byte is read.
#[test]
fn a_compressed_section_is_not_believed() {
    use object::{Object as _, ObjectSection as _};
    let scratch = Scratch::new("compressed");
    let (source, made) = (scratch.join("a.cc"), scratch.join("a.o"));
    fs::write(&source, SOURCE).unwrap();
    succeed(Command::new("g++").args(["-O2", "-g", "-gz", "-c", "-o"]).arg(&made).arg(&source));
    let honest = fs::read(made).unwrap();
    let read = |bytes: &[u8]| {
        let file = object::File::parse(bytes).unwrap();
        let section = file.section_by_name(".debug_info").unwrap();
        lpcc::object::dwarf::decompressed(&section, &lpcc::object::dwarf::Room::of(&file))
            .map(|data| data.len())
    };
    let section = {
        let file = object::File::parse(&*honest).unwrap();
        file.section_by_name(".debug_info").unwrap().file_range().unwrap()
    };
    // The header of compression: type, reserved, size, alignment.
    let size_at = section.0 as usize + 8;
    let told = u64::from_le_bytes(honest[size_at..size_at + 8].try_into().unwrap());
    assert_eq!(read(&honest), Ok(told as usize));
    let most = (section.1 - 24) * 1032;
    for lie in [most + 1, 1 << 40, u64::MAX] {
        let mut file = honest.clone();
        put(&mut file, size_at, lie, 8);
        let said = read(&file).expect_err("a lie was believed");
        assert!(said.ends_with(&format!("cannot hold {lie}")), "{said}");
        let path = scratch.join("lie.o");
        fs::write(&path, &file).unwrap();
        fs::write(scratch.join("lie.o.other"), &honest).unwrap();
        assert_eq!(try_file("a compressed section", &path), Vec::<String>::new());
    }
    // What the bytes might hold is tried, and ends with them.
    let mut file = honest.clone();
    put(&mut file, size_at, most, 8);
    assert!(read(&file).is_err());
}

/// A pipe that nobody writes to, a device without an end, a socket: said at once, named by the user or by a thin archive.
#[test]
fn what_is_no_regular_file() {
    let scratch = Scratch::new("no-regular");
    succeed(Command::new("mkfifo").arg(scratch.join("pipe")));
    let _socket = std::os::unix::net::UnixListener::bind(scratch.join("socket")).unwrap();
    succeed(Command::new("ln").args(["-s", "/dev/zero"]).arg(scratch.join("device")));
    let mut wrong = Vec::new();
    for what in ["pipe", "socket", "device"] {
        // A thin archive of this one member: its name is in the table of names.
        let names = format!("{what}/\n");
        let mut thin = format!("!<thin>\n{:<48}{:<10}`\n{names}", "//", names.len());
        thin.push_str(if thin.len() % 2 == 1 { "\n" } else { "" });
        let _ = writeln!(thin, "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", "/0", 0, 0, 0, 644, 1234);
        let archive = format!("{what}.a");
        fs::write(scratch.join(&archive), thin).unwrap();
        for named in [what, &archive] {
            for words in [format!("show {named}"), format!("diff {named} {named}"), format!("audit {named}")]
            {
                let script = format!("ulimit -v {MEMORY_KIB}; exec '{}' {words}", lpcc().display());
                let mut command = Command::new("timeout");
                command.args(["20", "sh", "-c", &script]).current_dir(scratch.path());
                let output = command.env("LPCC_STORE", scratch.join("store")).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let expected = format!("a {what}, not a regular file");
                let is_one = said.lines().all(|line| line.contains(&expected) && line.contains('`'));
                if output.status.code() != Some(2) || said.is_empty() || !is_one {
                    wrong.push(format!("{words}: {:?}: {said}", output.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files that are honest and absurd: many of everything at one place. What grows with the square shows here.
#[test]
fn crowds() {
    const COUNT: usize = 40_000;
    let scratch = Scratch::new("crowds");
    let mut crowds: Vec<(&str, String)> = Vec::new();
    let mut add = |name, head: &str, each: &dyn Fn(usize) -> String, tail: &str| {
        let mut text = head.to_owned();
        for number in 0..COUNT {
            let _ = writeln!(text, "{}", each(number));
        }
        text.push_str(tail);
        crowds.push((name, text));
    };
    let function = ".type f, @function\nf: ret\n.size f, .-f\n";
    add(
        "aliases of one function",
        function,
        &|n| format!(".globl a{n}\n.set a{n}, f\n.type a{n}, @function\n.size a{n}, 1"),
        "",
    );
    add(
        "symbols that nest",
        ".data\nstart: .zero 40001\n",
        &|n| format!(".set n{n}, start + {n}\n.type n{n}, @object\n.size n{n}, {}", COUNT - n),
        "",
    );
    add(
        "labels in one function",
        ".type f, @function\nf:\n",
        &|n| format!("l{n}: inc %eax"),
        "ret\n.size f, .-f\n",
    );
    add(
        "references to one nameless place",
        ".type f, @function\nf:\n",
        &|_| "lea .Lx(%rip), %rax".to_owned(),
        "ret\n.size f, .-f\n.section .rodata\n.Lx: .zero 64\n",
    );
    add(
        "nameless places that refer to each other",
        ".type f, @function\nf: lea .L0(%rip), %rax\nret\n.size f, .-f\n.section .data.rel.ro,\"aw\"\n",
        &|n| format!(".L{n}: .quad .L{}, {n}", (n * 7 + 1) % COUNT),
        "",
    );
    add(
        "statics of one name",
        ".data\n",
        &|n| format!(".type s.{n}, @object\n.size s.{n}, 4\ns.{n}: .long 7"),
        "",
    );
    add(
        "functions that call the first",
        ".type f0, @function\nf0: ret\n.size f0, .-f0\n",
        &|n| format!(".type g.{n}, @function\ng.{n}: call f0\nret\n.size g.{n}, .-g.{n}"),
        "",
    );
    let mut wrong = Vec::new();
    for (name, text) in &crowds {
        let (source, object) = (scratch.join("c.s"), scratch.join("c.o"));
        fs::write(&source, text).unwrap();
        succeed(Command::new("as").arg(&source).arg("-o").arg(&object));
        // The other side has one more instruction, so that everything is compared.
        fs::write(&source, text.replace("f: ret", "f: nop\nret").replace(".long 7", ".long 8")).unwrap();
        succeed(Command::new("as").arg(&source).arg("-o").arg(format!("{}.other", object.display())));
        let begun = Instant::now();
        wrong.extend(try_file(name, &object));
        eprintln!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
