//! The command-line model against the compilers themselves: does an option take the next word, which files
//! appear, how is a response file split?
//!
//! A compiler that is not installed is skipped, and said so; `LPCC_TEST_REQUIRE` names those that must be
//! there (`gcc-12,clang-14`).

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lpcc::argv::{
    Action, CommandLine, Coverage, Dialect, Kind, Quoting, dependency_file, options, parse, response_file,
};

const GCC: &[&str] = &["gcc-12", "gcc-11"];
const CLANG: &[&str] = &["clang-14"];

/// The compilers that are here, with their dialect.
fn compilers() -> Vec<(&'static str, Dialect)> {
    let all =
        GCC.iter().map(|name| (*name, Dialect::Gcc)).chain(CLANG.iter().map(|name| (*name, Dialect::Clang)));
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let required = std::env::var("LPCC_TEST_REQUIRE").unwrap_or_default();
    all.filter(|(name, _)| {
        let here = Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
        assert!(
            here || !required.split(',').any(|wanted| wanted == *name),
            "`{name}` is required and missing"
        );
        if !here {
            eprintln!("skipped: no `{name}` here");
        }
        here
    })
    .collect()
}

fn run(compiler: &str, directory: &Path, args: &[OsString]) -> Output {
    Command::new(compiler)
        .args(args)
        .current_dir(directory)
        .env("LC_ALL", "C")
        .env_remove("DEPENDENCIES_OUTPUT")
        .env_remove("SUNPRO_DEPENDENCIES")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn words(text: &str) -> Vec<OsString> {
    text.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

fn read_in(directory: &Path, args: &[OsString], dialect: Dialect) -> CommandLine {
    parse(args, dialect, &mut |name| std::fs::read(directory.join(name)).ok())
}

/// How many words our model lets `option` take.
fn taken_by_model(option: &str, dialect: Dialect) -> usize {
    match options::find(option.as_bytes(), dialect) {
        Some((_, options::Found::Separate(count))) => count,
        _ => 0,
    }
}

/// How many of the words behind `option` the driver takes, or `None` where it does not know the option or
/// leaves before it looks at inputs.
fn taken_by_compiler(compiler: &str, directory: &Path, option: &str) -> Option<usize> {
    let args = words(&format!("-### {option} ZZ1 ZZ2 ZZ3 ZZ4 -c t.c"));
    let output = run(compiler, directory, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused =
        ["unrecognized", "unknown argument", "unsupported option", "not recognized", "unsupported argument"];
    if said.lines().any(|line| line.contains("error:") && refused.iter().any(|word| line.contains(word))) {
        return None;
    }
    let inputs = (1..=4)
        .filter(|number| {
            [
                format!(": ZZ{number}: linker input file"),
                format!("warning: ZZ{number}: 'linker' input"),
                format!("no such file or directory: 'ZZ{number}'"),
            ]
            .iter()
            .any(|sign| said.contains(sign))
        })
        .count();
    // Leaving early, or silenced: no input is named at all.
    (inputs > 0).then_some(4 - inputs)
}

/// The options a driver lists itself.
fn listed(compiler: &str, dialect: Dialect) -> Vec<String> {
    let flag = if dialect == Dialect::Gcc { "--completion=-" } else { "--autocomplete=-" };
    let output = Command::new(compiler).arg(flag).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
        .filter(|word| word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

/// Rows that say what newer releases do, where older ones take the letters for another option.
const NEWER: &[(&str, &str)] = &[("clang-14", "-dumpdir"), ("clang-14", "-Xoffload-linker")];

/// Every row of the table, as each driver that knows it takes it; and every option that a driver lists, but
/// for the families without words (`-Wx`, `-mx`, values of a `=`; also `-fx`, some thousand of them, unless
/// `LPCC_TEST_EXHAUSTIVE` is set).
#[test]
fn options_take_the_words_that_the_driver_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.c"), "int x;\n").unwrap();
    for number in 1..=4 {
        std::fs::write(folder.path().join(format!("ZZ{number}")), "").unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let exhaustive = std::env::var_os("LPCC_TEST_EXHAUSTIVE").is_some();
    for (compiler, dialect) in compilers() {
        let mut asked: BTreeSet<String> =
            options::TABLE.iter().map(|row| String::from_utf8_lossy(row.spelling).into_owned()).collect();
        let listed = if compiler == "gcc-11" && !exhaustive { Vec::new() } else { listed(compiler, dialect) };
        asked.extend(listed.into_iter().filter(|option| {
            let family = ["-W", "-m", "--warn-", "--machine", "--param=", "-fno-", "--no-", "-gno-"]
                .iter()
                .any(|family| option.starts_with(family));
            let value = option.find('=').is_some_and(|at| at + 1 < option.len());
            // `--NAME` is `-fNAME` for gcc; clang's own long options are few.
            let mapped = dialect == Dialect::Gcc
                && option.starts_with("--")
                && (!exhaustive || !option.ends_with('='));
            !family
                && !value
                && (!mapped || !options::TABLE.iter().any(|row| row.spelling == option.as_bytes()))
        }));
        // `-o` twice is fine; a language would make the words sources, and these end the call early.
        asked.retain(|option| !NEWER.contains(&(compiler, option.as_str())));
        asked.retain(|option| !["-x", "--language", "-###", "--"].contains(&option.as_str()));
        let mut checked = 0;
        let mut wrong = Vec::new();
        for option in &asked {
            if let Some(taken) = taken_by_compiler(compiler, folder.path(), option) {
                checked += 1;
                let model = taken_by_model(option, dialect);
                if model != taken {
                    wrong.push(format!("{option}: driver {taken}, model {model}"));
                }
            }
        }
        eprintln!("{compiler}: {checked} of {} options answered", asked.len());
        assert!(checked > 150, "{compiler}: only {checked} options answered");
        assert!(wrong.is_empty(), "{compiler}:\n{}", wrong.join("\n"));
    }
}

/// Fills a folder with sources and gives the files in it.
fn fill(directory: &Path) -> BTreeMap<OsString, Vec<u8>> {
    std::fs::create_dir_all(directory.join("sub")).unwrap();
    std::fs::create_dir_all(directory.join("inc.d")).unwrap();
    let c = "#include <stddef.h>\n#include \"q.h\"\nint FUNCTION(void) { return 0; }\n";
    for (name, function) in [
        ("t.c", "t"),
        ("u.c", "main"),
        ("sub/z.c", "z"),
        ("noext", "n"),
        (".hid.c", "h"),
        (".c", "e"),
        ("a.b.c", "ab"),
        ("t.cc", "tcc"),
        ("sp ace.c", "s"),
        ("-dash.c", "d"),
        ("x.o.c", "xo"),
    ] {
        std::fs::write(directory.join(name), c.replace("FUNCTION", function)).unwrap();
    }
    std::fs::write(directory.join(OsStr::from_bytes(b"\xff\xfe.c")), c.replace("FUNCTION", "f")).unwrap();
    std::fs::write(directory.join("q.h"), "extern int q;\n").unwrap();
    std::fs::write(directory.join("sub/q.h"), "extern int q;\n").unwrap();
    std::fs::write(directory.join("t.i"), "int ti;\n").unwrap();
    std::fs::write(directory.join("w.S"), "#define W w\n.globl W\nW: nop\n").unwrap();
    std::fs::write(directory.join("v.s"), ".globl v\nv: nop\n").unwrap();
    std::fs::write(directory.join("h.h"), "extern int h;\n").unwrap();
    std::fs::write(directory.join("rsp"), "-c -MD\nsub/z.c -o 'r s.o'").unwrap();
    std::fs::write(directory.join("objs.rsp"), "-c @more.rsp -o sub/n.o").unwrap();
    std::fs::write(directory.join("more.rsp"), "t.c -MMD").unwrap();
    files(directory)
}

fn files(directory: &Path) -> BTreeMap<OsString, Vec<u8>> {
    walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(directory).unwrap().as_os_str().to_os_string();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// `./a` and `a` are the same file.
fn plain(path: &OsStr) -> OsString {
    Path::new(path).components().filter(|part| part.as_os_str() != ".").collect::<std::path::PathBuf>().into()
}

/// Calls for both drivers; words between blanks. All files that the call writes are objects or dependency
/// files, or the action says that there are none of either.
const CALLS: &[&str] = &[
    "-c t.c",
    "-c sub/z.c",
    "-c ./sub/z.c",
    "-x c -c noext",
    "-c -xc noext",
    "-c .hid.c",
    "-x c -c .c",
    "-c a.b.c",
    "-c x.o.c",
    "-c t.cc",
    "-c t.i",
    "-c w.S",
    "-c v.s",
    "-x c -c -",
    "-x c -c /dev/stdin",
    "-x c -c /dev/null",
    "-c t.c u.c",
    "-c t.c sub/z.c v.s w.S",
    "-c t.c -o q",
    "-c t.c -oq",
    "-c -o q t.c",
    "-c t.c -o a.o -ob.o",
    "-c t.c --output q.o",
    "-c t.c --output=q.o",
    "--compile t.c",
    "-c t.c u.c -o q.o",
    "-c h.h t.c",
    "-x c -c noext t.c",
    "-c -x none t.c",
    "-x c -c noext -x none w.S",
    "-I inc.d -iquote sub -include q.h -D A -U B -c t.c",
    "-idirafter inc.d -isystem inc.d -imacros q.h -Iinc.d -DA=1 -c t.c",
    "-O2 -g -Wall -fPIC -march=x86-64 -std=gnu11 -c t.c",
    "-std=c99 --std c11 -c t.c",
    "-Wa,--noexecstack -Xassembler --noexecstack -c t.c",
    "-v -c t.c",
    "-H -c t.c",
    "-pipe -c t.c",
    "-l m -L sub -Wl,-z,now -Xlinker -z -c t.c",
    "-z now -u sym -T script -e entry -c t.c",
    "-MD -c t.c",
    "-MMD -c t.c",
    "-MD -c sub/z.c",
    "-MD -c a.b.c",
    "-MD -x c -c .c",
    "-MD -c t.c -o q",
    "-MD -c t.c -o q.r.o",
    "-MD -c t.c -o sub/.x",
    "-MD -c t.c -o inc.d/x",
    "-MD -c t.c -o ./q.o",
    "-MD -c t.c u.c",
    "-MD -MF f -c t.c",
    "-MD -MFf -c t.c",
    "-MD -MF=f -c t.c",
    "-MF f -MF g -MD -c t.c",
    "-MD -MF f -c t.c u.c",
    "-MD -MT x -MQ y -MP -c t.c",
    "-MT foo -MD -MP -MF sub/z.Tpo -c sub/z.c -fPIC -o sub/z.o",
    "-MD -MMD -c t.c",
    "-MMD -MD -c t.c",
    "-Wp,-MD,f -c t.c",
    "-Wp,-MMD,sub/.z.o.d -c sub/z.c -o sub/z.o",
    "-Wp,-MD,f -MF g -c t.c",
    "-MF g -Wp,-MD,f -c t.c",
    "-MD -MF g -Wp,-MMD,f -c t.c",
    "-Wp,-MMD,g -MD -c t.c -o o.o",
    "-Wp,-MD,f,-MT,x -c t.c -o o.o",
    "-Wp,-MMD,f -Wp,-MD,g -c t.c",
    "-Wp,-DX,-DY -MD -c t.c -o o.o",
    "-MD -c t.i",
    "-MD -c v.s",
    "-MD -c w.S",
    "-MD -c t.c v.s w.S",
    "-MD -x c -c -",
    "-MD -x c -c - -o sub/o.o",
    "-MD -MG -c t.c",
    "--write-dependencies -c t.c",
    "--write-user-dependencies -c t.c",
    "-MF f -c t.i",
    "@rsp",
    "@objs.rsp",
    "-c t.c -o @missing",
    "-c t.c @more.rsp -o two.o",
    "-E t.c",
    "-E -c t.c",
    "-E -MD t.c",
    "-S -c -E t.c",
    "-M t.c",
    "-MM -c t.c",
    "--user-dependencies t.c",
    "-M -MF f t.c",
    "-fsyntax-only t.c",
    "-fsyntax-only -S -c t.c",
    "-### -c t.c",
    "-dumpversion -c t.c",
    "-dumpmachine -c t.c",
    "-print-search-dirs -c t.c",
    "-print-file-name=plugin -c t.c",
    "--version -c t.c",
    "--help -c t.c",
    "-v",
    "-c",
    "-c -o q.o",
    "-c q.h-missing.c",
    "-c t.c -o",
];

const GCC_CALLS: &[&str] = &[
    "-MD -dumpdir P -c t.c",
    "-MD -dumpbase foo -c t.c",
    "-MD -dumpbase foo.c -dumpdir sub/ -c t.c",
    "-dumpbase foo -c t.c",
    "-Xpreprocessor -MD -Xpreprocessor f -c t.c",
    "-MD -Wp,-MF,f -c t.c -o o.o",
    "-MD -Wp,-MMD,f -c t.c -o o.o",
    "-MD -fsyntax-only t.c",
    "-emit-llvm -c t.c",
    "-wrapper env -c t.c",
    "-MD -dumpbase foo.c -dumpbase-ext .c -c t.c",
    "-MM -MD -c t.c -o x.o",
    "--include q.h -c t.c",
    "--machine 64 -c t.c",
    "-Wp,-MD,f -Xpreprocessor -MMD -Xpreprocessor g -c t.c",
    "-c t.c -- u.c",
];

const CLANG_CALLS: &[&str] = &[
    "-c t.c -- u.c",
    "-c -- -dash.c",
    "-MD -c -o sub/d.o -- -dash.c",
    "-emit-llvm -c t.c",
    "-flto -c t.c",
    "-MF f -c t.c",
    "-Wp,-MD -c t.c -o o.o",
    "-MD -Wp,-MMD,f -c t.c -o o.o",
    "-MD -fsyntax-only t.c",
    "-Xclang -disable-llvm-passes -mllvm -stats -target x86_64-linux-gnu -c t.c",
    "-Xarch_host -O2 -c t.c",
    "-MV -MD -c t.c",
    "-include-pch missing.pch -c t.c",
];

/// Files that a call leaves which are neither objects nor dependency files of ours to foretell.
fn beside(line: &CommandLine) -> Vec<OsString> {
    match line.action() {
        // The output itself; and precompiled headers that stand among other sources.
        Action::Preprocess => line.output().map(OsStr::to_os_string).into_iter().collect(),
        _ => line
            .sources()
            .iter()
            .filter(|source| source.header)
            .map(|source| OsString::from_vec([source.text.as_bytes(), b".gch"].concat()))
            .collect(),
    }
}

#[test]
fn the_files_that_appear_are_those_foretold() {
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (compiler, dialect) in compilers() {
        let own = if dialect == Dialect::Gcc { GCC_CALLS } else { CLANG_CALLS };
        for call in CALLS.iter().chain(own) {
            calls += 1;
            let folder = tempfile::tempdir().unwrap();
            let before = fill(folder.path());
            let args = words(call);
            let line = read_in(folder.path(), &args, dialect);
            let output = run(compiler, folder.path(), &args);
            let after = files(folder.path());
            let appeared: BTreeSet<OsString> =
                after.keys().filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
            let dependency = line.dependency();
            let mut foretold: BTreeSet<OsString> =
                line.planned_objects().into_iter().map(|(_, path)| plain(&path)).collect();
            let objects = foretold.clone();
            if let Some(dependency) = &dependency {
                foretold.extend(dependency.files.iter().map(|(_, path)| plain(path)));
            }
            foretold.extend(beside(&line).iter().map(|path| plain(path)));
            let ok = if output.status.success() {
                appeared == foretold || (line.action() == Action::Preprocess && appeared.is_subset(&foretold))
            } else {
                // A refused call may leave less, never other files.
                appeared.is_subset(&foretold)
            };
            if !ok {
                wrong.push(format!(
                    "{compiler} {call}: {:?}, foretold {foretold:?}, appeared {appeared:?}\n  {}",
                    line.action(),
                    String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default()
                ));
            }
            for object in &objects {
                let bytes = after.get(object);
                let expected: &[u8] =
                    if call.contains("llvm") || call.contains("lto") { b"BC" } else { b"\x7fELF" };
                let gcc = dialect == Dialect::Gcc;
                if output.status.success()
                    && !bytes.is_some_and(|bytes| bytes.starts_with(if gcc { b"\x7fELF" } else { expected }))
                    && !call.contains("-disable-llvm")
                {
                    wrong.push(format!("{compiler} {call}: {object:?} is no object"));
                }
            }
            for (_, path) in dependency.iter().flat_map(|dependency| &dependency.files) {
                let Some(bytes) = after.get(&plain(path)).filter(|_| output.status.success()) else {
                    continue;
                };
                let inputs = dependency_file::parse(bytes);
                let full = inputs.iter().any(|input| input.ends_with(b"/stddef.h"));
                let own = inputs.iter().any(|input| input.ends_with(b"q.h"));
                let said = dependency.as_ref().map(|dependency| dependency.coverage);
                if own && full != (said == Some(Coverage::Full)) {
                    wrong.push(format!("{compiler} {call}: said {said:?}, holds {inputs:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
}

/// A linker of our own that shows its words, each ended by a NUL. GCC hands them over in a file where the call
/// had one: it is shown as it is, behind a NUL more.
const LINKER: &str = r#"#!/bin/sh
for word in "$@"; do
    case "$word" in
        @*) printf '\0\0'; cat "${word#@}" ;;
        *) printf '%s\0' "$word" ;;
    esac
done > "$LPCC_TEST_SHOW"
"#;

/// The words that a driver makes of a response file, as they reach the linker.
fn split_by_compiler(compiler: &str, directory: &Path, contents: &[u8]) -> Vec<Vec<u8>> {
    std::fs::create_dir_all(directory.join("bin")).unwrap();
    for name in ["bin/ld", "bin/collect2"] {
        std::fs::write(directory.join(name), LINKER).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.join(name), mode).unwrap();
    }
    std::fs::write(directory.join("words.rsp"), contents).unwrap();
    let shown = directory.join("shown");
    let _ = std::fs::remove_file(&shown);
    let output = Command::new(compiler)
        .args(["-nostdlib", "-Bbin/", "-Xlinker", "--begin", "@words.rsp", "-Xlinker", "--end"])
        .current_dir(directory)
        .env("LPCC_TEST_SHOW", &shown)
        .output()
        .unwrap();
    let shown = std::fs::read(&shown).unwrap_or_else(|_| panic!("{compiler}: {output:?}"));
    let words: Vec<Vec<u8>> = match shown.windows(2).position(|pair| pair == b"\0\0") {
        // One word a line; blanks, quotes and backslashes stand behind a backslash.
        Some(at) => {
            let mut words = vec![Vec::new()];
            let mut bytes = shown[at + 2..].iter().copied();
            while let Some(byte) = bytes.next() {
                match byte {
                    b'\n' => words.push(Vec::new()),
                    b'\0' => {}
                    b'\\' => words.last_mut().unwrap().extend(bytes.next()),
                    other => words.last_mut().unwrap().push(other),
                }
            }
            words
        }
        None => shown.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect(),
    };
    let inside: Vec<Vec<u8>> = words.into_iter().skip_while(|word| word != b"--begin").skip(1).collect();
    assert!(inside.iter().any(|word| word == b"--end"), "{compiler}: {inside:?}");
    inside.into_iter().take_while(|word| word != b"--end").collect()
}

#[test]
fn response_files_are_split_as_the_driver_does() {
    // Words that both drivers hand to the linker as they are: `-l` anything, and files that exist.
    let pieces: &[&[u8]] = &[
        b"-l'a\\b'",
        b"-l\"a\\nb\"",
        b"-l\"a\\ b\"",
        b"-l\"a\\'b\"",
        b"-l\"a\\$b\"",
        b"-l\"a\\\\b\"",
        b"-la\\bc",
        b"-la\\ b",
        b"-la\\\nb",
        b"-la\\\tb",
        b"-la\x0bb",
        b"-la\x0cb",
        b"-la\rb",
        b"-lx''y \"-l\"'z'",
        b"'-la b' -lc",
        b"-l#a # -lb",
        b"-la\\",
        b"-lq \"-la b",
        b"-lq '-la b",
        b"\n\n -la\t\t-lb \n",
        b"-l\"a'b\" -l'a\"b'",
        b"-l\\\"a\\\"",
        b"-l\xff\xfe",
        b"-l$x -l`y`",
    ];
    for (compiler, dialect) in compilers() {
        let quoting = if dialect == Dialect::Clang { Quoting::Clang } else { Quoting::Gcc14 };
        let folder = tempfile::tempdir().unwrap();
        for piece in pieces {
            let model: Vec<Vec<u8>> =
                response_file::split(piece, quoting).into_iter().map(OsString::into_vec).collect();
            for input in model.iter().filter(|word| !word.starts_with(b"-")) {
                std::fs::write(folder.path().join(OsStr::from_bytes(input)), "").unwrap();
            }
            let driver = split_by_compiler(compiler, folder.path(), piece);
            let readable =
                |words: &[Vec<u8>]| words.iter().map(|word| bstr::BString::from(word.clone())).collect();
            let (driver, model): (Vec<bstr::BString>, Vec<_>) = (readable(&driver), readable(&model));
            assert_eq!(driver, model, "{compiler} {:?}", bstr::BStr::new(piece));
        }
        // And what we write ourselves.
        let hard = ["-la b", "-l\"'\\", "-l\n\t#", "-l\u{fc}$`"].map(OsString::from);
        let driver = split_by_compiler(compiler, folder.path(), &response_file::quote(&hard));
        let hard: Vec<Vec<u8>> = hard.into_iter().map(OsString::into_vec).collect();
        assert_eq!(driver, hard, "{compiler}");
    }
}

/// File names with everything that make's syntax minds, through the compiler's dependency output and back.
#[test]
fn dependency_files_give_back_the_names() {
    let names: &[&[u8]] = &[
        b"a b.h",
        b"a#b.h",
        b"a$b.h",
        b"a\\b.h",
        b"a\\ b.h",
        b"a\\#b.h",
        b"a:b.h",
        b"a\\\\b.h",
        b"a\tb.h",
        b"%.h",
        b"\xff\xfe.h",
        b"a\\\\ b.h",
        b"a'b.h",
        b"a;b.h",
        b"$$.h",
        b"#.h",
        b"a,b=c.h",
    ];
    for (compiler, dialect) in compilers() {
        for name in names {
            // Clang itself writes a slash for a backslash, and leaves a tab bare: what it writes is wrong.
            if dialect == Dialect::Clang && name.iter().any(|byte| b"\t\\".contains(byte)) {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(OsStr::from_bytes(name)), "extern int x;\n").unwrap();
            let source = [b"#include \"" as &[u8], name, b"\"\n#include \"last.h\"\n"].concat();
            std::fs::write(folder.path().join("t.c"), source).unwrap();
            std::fs::write(folder.path().join("last.h"), "").unwrap();
            let output = run(compiler, folder.path(), &words("-c t.c -MD -MP -MF d"));
            assert!(output.status.success(), "{compiler} {:?}: {output:?}", bstr::BStr::new(name));
            let text = std::fs::read(folder.path().join("d")).unwrap();
            let expected: Vec<bstr::BString> = vec!["t.c".into(), (*name).into(), "last.h".into()];
            let got: Vec<_> =
                dependency_file::parse(&text).into_iter().filter(|path| !path.starts_with(b"/")).collect();
            assert_eq!(got, expected, "{compiler}: {}", bstr::BStr::new(&text));
        }
    }
}

/// The words of the call that are options come through as the driver's own log shows them.
#[test]
fn nothing_is_taken_for_an_input_that_is_none() {
    let line = read_in(
        Path::new("."),
        &words(
            "-Wp,-MMD,a.d -nostdinc -I./include -include x.h -D__KERNEL__ --param=allow-store-data-races=0 -c -o a.o a.c",
        ),
        Dialect::Unknown,
    );
    assert_eq!(line.sources().len(), 1);
    assert!(line.link_inputs().is_empty());
    assert!(!line.arguments().iter().any(|argument| matches!(argument.kind, Kind::Unknown)));
}
