//! Files whose claims are each true and together cost the product: symbols, sections or readers that share the same bytes by the
//! thousand. One line names the file and where it was found, before memory is spent; and what real files do alike is read.

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

use lpcc::object::{Kind, fingerprint};
use support::{Scratch, lpcc, succeed};

/// What a process may take for files of at most 2 MB: lpcc itself and a small multiple of the file.
const MEMORY_KIB: u64 = 200_000;

/// An object of some assembler text.
fn assembled(scratch: &Scratch, name: &str, text: &str) -> Vec<u8> {
    let (source, object) = (scratch.join("a.s"), scratch.join(name));
    fs::write(&source, text).unwrap();
    succeed(Command::new("as").arg(&source).arg("-o").arg(&object));
    fs::read(object).unwrap()
}

/// What `lpcc show` says of a file that it is to refuse, without its last line's end.
fn refusal(path: &Path) -> String {
    let script = format!("ulimit -v {MEMORY_KIB}; exec '{}' show '{}'", lpcc().display(), path.display());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}: {said}", path.display());
    let line = said.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n') && line.contains(path.to_str().unwrap()), "{said}");
    line.to_owned()
}

/// `count` symbols of a type, each from its own first byte to the end of `body`.
fn nested(section: &str, kind: &str, count: usize, body: &str) -> String {
    let mut text = format!("{section}\n");
    for number in 0..count {
        let _ = writeln!(text, ".type f{number}, {kind}\nf{number}: .byte 0x90");
    }
    let _ = writeln!(text, "{body}\nend:");
    for number in 0..count {
        let _ = writeln!(text, ".size f{number}, end - f{number}");
    }
    text
}

#[test]
fn symbols_may_not_lie_on_each_other_by_the_thousand() {
    let scratch = Scratch::new("claims-symbols");
    let relocated = ".rept 20000\n.quad ext\n.endr";
    let one_place = ".rept 5000\n.reloc end - 8, R_X86_64_64, ext\n.endr\n.quad 0";
    let hostile = [
        ("code", nested(".text", "@function", 3000, ".rept 40000\nmov $7, %eax\n.endr")),
        ("calls", nested(".text", "@function", 3000, ".rept 40000\ncall ext\n.endr")),
        ("data", nested(".data", "@object", 3000, relocated)),
        ("one place", nested(".data", "@object", 1000, one_place)),
    ];
    for (name, text) in hostile {
        assembled(&scratch, name, &text);
        let said = refusal(&scratch.join(name));
        assert!(said.contains("symbols lie on each other") && said.ends_with("(at symbol table)"), "{said}");
    }
    // Entries within each other, as hand-written code has them, are read.
    let honest = nested(".text", "@function", 30, ".rept 4000\nmov $7, %eax\n.endr");
    let prints = fingerprint(&assembled(&scratch, "honest", &honest)).unwrap();
    assert_eq!(prints.items.iter().filter(|item| item.kind == Kind::Function).count(), 30);
}

/// Functions that each read the same nameless bytes.
#[test]
fn nameless_bytes_are_not_read_by_thousands_without_end() {
    let scratch = Scratch::new("claims-readers");
    let readers = |head: &str, each: &dyn Fn(usize) -> String, count: usize| {
        let mut text = format!("{head}\n.text\n");
        for number in 0..count {
            let _ = writeln!(
                text,
                ".type f{number}, @function\nf{number}: {}\nret\n.size f{number}, . - f{number}",
                each(number)
            );
        }
        text
    };
    let cells = (0..4000)
        .fold(".data\n".to_owned(), |text, n| format!("{text}.Lc{n}: .quad .Lc{}\n", (n + 1) % 4000));
    let sites = ".uleb128 0, 1, 0, 0\n".repeat(20_000);
    let frames = format!(
        ".section .gcc_except_table, \"a\"\n.Lg: .byte 0xff, 0xff, 1\n.uleb128 .Le - .Lb\n.Lb: {sites}.Le:"
    );
    let string = ".section .s, \"aMS\", @progbits, 1\n.Ls: .fill 100000, 1, 65\n.byte 0";
    let lead = |_| "lea .Ls(%rip), %rax".to_owned();
    let hostile = [
        ("string", readers(string, &lead, 4000)),
        ("constant", readers(".section .rodata\n.Ls: .fill 100000, 1, 65", &lead, 4000)),
        ("relocated", readers(".data\n.Ls: .rept 5000\n.quad ext\n.endr", &lead, 4000)),
        ("chain", readers(&cells, &|n| format!("lea .Lc{n}(%rip), %rax"), 4000)),
        (
            "exceptions",
            readers(
                &frames,
                &|_| {
                    ".cfi_startproc\n.cfi_personality 0x1b, p\n.cfi_lsda 0x1b, .Lg\nnop\n.cfi_endproc"
                        .to_owned()
                },
                4000,
            ),
        ),
    ];
    for (name, text) in hostile {
        assembled(&scratch, name, &text);
        let said = refusal(&scratch.join(name));
        assert!(said.contains("shared by its functions") && said.ends_with("(at nameless data)"), "{said}");
    }
    let honest = readers(".section .rodata\n.Ls: .fill 100000, 1, 65", &lead, 100);
    assert!(fingerprint(&assembled(&scratch, "honest", &honest)).unwrap().items.len() > 100);
}

#[test]
fn sections_may_not_lie_on_each_other() {
    const OFFSET: usize = 24;
    let scratch = Scratch::new("claims-sections");
    let text = (0..20)
        .fold(String::new(), |text, n| format!("{text}.section .data.{n}, \"aw\"\n.fill 10000, 1, {n}\n"));
    let honest = assembled(&scratch, "honest", &text);
    assert!(fingerprint(&honest).is_ok());
    let mut file = honest.clone();
    let headers = elf::u64_at(&honest, 0x28) as usize;
    let count = usize::from(elf::u16_at(&honest, 0x3c));
    for section in 0..count {
        let header = headers + section * 64;
        if elf::u64_at(&honest, header + 32) == 10_000 {
            // Twenty times its own bytes, which lie where the others do.
            file[header + OFFSET..header + OFFSET + 8].copy_from_slice(&64_u64.to_le_bytes());
            file[header + 32..header + 40].copy_from_slice(&200_000_u64.to_le_bytes());
        }
    }
    fs::write(scratch.join("shared"), &file).unwrap();
    let said = refusal(&scratch.join("shared"));
    assert!(said.contains("sections lie on each other") && said.ends_with("(at section headers)"), "{said}");
}

/// Compressed sections that lie on the same bytes would be unpacked one by one.
#[test]
fn unpacked_sections_are_a_multiple_of_the_file() {
    use object::Object as _;
    let scratch = Scratch::new("claims-unpacked");
    let text = ".section .debug_str, \"\"\n.zero 30000000\n.section .debug_line_str, \"\"\n.zero 3000000\n";
    let (packed, honest) = (scratch.join("packed.o"), scratch.join("honest.o"));
    assembled(&scratch, "plain.o", text);
    succeed(
        Command::new("objcopy").arg("--compress-debug-sections").arg(scratch.join("plain.o")).arg(&packed),
    );
    let bytes = fs::read(packed).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let room = lpcc::object::dwarf::Room::of(&file);
    let said =
        lpcc::object::dwarf::decompressed(&file.section_by_name(".debug_str").unwrap(), &room).unwrap_err();
    assert_eq!(said, "with `.debug_str`, its sections come to more than 64 times the file");

    let source = scratch.join("a.c");
    fs::write(&source, "int f(int x) { return x + 1; }\n").unwrap();
    succeed(Command::new("gcc").args(["-g3", "-gz", "-c", "-o"]).arg(&honest).arg(&source));
    let bytes = fs::read(honest).unwrap();
    assert!(!lpcc::object::debug::read(&bytes).unwrap().functions.is_empty());
}

/// In a library without its static symbols, what an exported function calls has no name, and each would write all that it calls, and
/// what that calls.
#[test]
fn a_stripped_library_is_written_about_once() {
    const COUNT: usize = 2000;
    let scratch = Scratch::new("claims-stripped");
    let mut text = String::new();
    for number in (0..COUNT).rev() {
        let (near, far) = (number + 1, number * 2 + 1);
        let call = |to: usize| if to < COUNT { format!("s{to}(x ^ {to})") } else { "x".to_owned() };
        let _ = writeln!(
            text,
            "static __attribute__((noinline, noclone)) int s{number}(int x) {{ return {number} + {} * {}; }}\n\
             int e{number}(int x) {{ return s{number}(x) - 1; }}",
            call(near),
            call(far)
        );
    }
    let (source, library) = (scratch.join("a.c"), scratch.join("a.so"));
    fs::write(&source, text).unwrap();
    succeed(Command::new("gcc").args(["-O1", "-fPIC", "-shared", "-s", "-o"]).arg(&library).arg(&source));
    let file = fs::read(library).unwrap();
    let prints = fingerprint(&file).unwrap();
    assert!(prints.items.iter().filter(|item| item.name.starts_with(b"e")).count() >= COUNT);
    assert!(prints.streams.len() < 4 * file.len(), "{} of {}", prints.streams.len(), file.len());
}
