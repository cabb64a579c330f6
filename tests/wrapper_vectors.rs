//! Calls that break wrappers, as a table: each is run by the bare compiler and by lpcc in one directory, and
//! exit status, standard output, standard error and every file written must be the same.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use kit::{Outcome, Place, compilers, differences, run};

/// One call.
#[derive(Clone, Copy)]
struct Vector {
    /// What it is about.
    name: &'static str,
    /// The arguments, quoted as for a shell.
    line: &'static str,
    /// Standard input; a closed pipe's end where `None`.
    stdin: Option<&'static str>,
    /// Variables that it needs.
    env: &'static [(&'static str, &'static str)],
    /// Compilers whose name holds this.
    only: &'static str,
    /// Units that must have a record afterwards.
    records: usize,
    /// Links that must.
    links: usize,
}

const BASE: Vector = Vector { name: "", line: "", stdin: None, env: &[], only: "", records: 0, links: 0 };

/// A call that makes this many objects.
const fn object(name: &'static str, line: &'static str, records: usize) -> Vector {
    Vector { name, line, records, ..BASE }
}

/// A call that leaves nothing to record.
const fn nothing(name: &'static str, line: &'static str) -> Vector {
    Vector { name, line, ..BASE }
}

/// A call that links.
const fn link(name: &'static str, line: &'static str) -> Vector {
    Vector { name, line, links: 1, ..BASE }
}

const fn gcc(vector: Vector) -> Vector {
    Vector { only: "gcc", ..vector }
}

const fn clang(vector: Vector) -> Vector {
    Vector { only: "clang", ..vector }
}

const fn fed(vector: Vector, stdin: &'static str) -> Vector {
    Vector { stdin: Some(stdin), ..vector }
}

const fn with(vector: Vector, env: &'static [(&'static str, &'static str)]) -> Vector {
    Vector { env, ..vector }
}

const VECTORS: &[Vector] = &[
    object("plain", "-c t.c -o t.o", 1),
    object("implicit output", "-O2 -g -c sub/z.c", 1),
    object("warnings", "-Wall -Wextra -c warn.c", 1),
    object("C++", "-c t.cc -O2", 1),
    object("record switches", "-frecord-gcc-switches -grecord-gcc-switches -g -c t.c", 1),
    clang(object("record command line", "-frecord-command-line -c t.c", 1)),
    object("verbose compile", "-v -c t.c", 1),
    object("header tree", "-H -c t.c", 1),
    object("libtool", "-MT a.lo -MD -MP -MF .deps/a.Tpo -c t.c -fPIC -DPIC -o .libs/a.o", 1),
    object("kbuild", "-Wp,-MMD,.t.o.d -c t.c -o t.o", 1),
    object("kbuild, all headers", "-Wp,-MD,.t.o.d -c t.c -o t.o", 1),
    object("dependency file by default name", "-MD -c t.c -o sub/q.r.o", 1),
    object("dependency file of two sources", "-MMD -c t.c u.c", 2),
    object("dependency output to /dev/null", "-MD -MF /dev/null -c t.c", 1),
    nothing("preprocess with -MM", "-MM -MD -c t.c -o x.o"),
    object("two sources", "-c t.c u.c -g", 2),
    nothing("two sources, one fails", "-c t.c bad.c"),
    nothing("error in the source", "-c bad.c -o bad.o"),
    nothing("no such file", "-c missing.c"),
    nothing("two sources and -o", "-c t.c u.c -o x.o"),
    nothing("unknown option", "-fno-such-option -c t.c"),
    nothing("no input", "-c"),
    nothing("nothing at all", ""),
    nothing("version", "--version"),
    nothing("version with a source", "--version -c t.c"),
    nothing("dumps", "-dumpversion"),
    nothing("machine", "-dumpmachine -c t.c"),
    nothing("file name", "-print-file-name=plugin"),
    nothing("search dirs", "-print-search-dirs"),
    nothing("verbose alone", "-v"),
    nothing("help", "--help"),
    gcc(nothing("help for optimizers", "-Q --help=optimizers")),
    nothing("commands shown", "-### -c t.c"),
    nothing("assembly", "-S t.c"),
    nothing("preprocess", "-E t.c"),
    nothing("dependencies", "-M t.c"),
    nothing("syntax", "-fsyntax-only t.c -Wall"),
    fed(nothing("cc-version", "-E -P -x c -"), "#if __GNUC__ > 3\nGCC __GNUC__\n#endif\n"),
    fed(object("standard input", "-g -x c -c - -o s.o", 1), "#include \"t.h\"\nint s(void){return T;}\n"),
    fed(object("standard input by name", "-x c -c /dev/stdin -o s.o", 1), "int s(void){return 1;}\n"),
    fed(object("standard input, name by the compiler", "-x c -c -", 1), "int s;\n"),
    fed(object("assembler from standard input", "-c -x assembler-with-cpp -o x.o -", 1), ".text\nf: ret\n"),
    fed(object("included standard input", "-include /dev/stdin -c t.c", 1), "#define X 1\n"),
    nothing("stdin that is no source", "-c -"),
    nothing("probe of an option", "-Werror -fno-such=1 -c -x c /dev/null -o probe.o"),
    nothing("probe that works", "-Werror -Wall -c -x c /dev/null -o probe.o"),
    nothing("to /dev/null", "-c t.c -o /dev/null"),
    nothing("to /dev/null with a dependency file", "-MD -c t.c -o /dev/null"),
    gcc(nothing("split debug information to /dev/null", "-g -gsplit-dwarf -c t.c -o /dev/null")),
    nothing("to a directory", "-c t.c -o sub"),
    nothing("to standard output", "-E -o - t.c"),
    object("response file", "@args.rsp", 1),
    object("response file, nested", "@outer.rsp -c t.c", 1),
    gcc(object("response file and temporaries", "-save-temps @args.rsp -o k.o", 1)),
    object("response file that is not there", "-c t.c @missing.rsp", 1),
    nothing("response file that names itself", "@self.rsp -c t.c"),
    nothing("response file that is a directory", "@sub -c t.c"),
    object("output called @x", "-c t.c -o @x", 1),
    object("joined output", "-ct.o.c", 0),
    object("joined -o", "-c t.c -ojoined.o", 1),
    object("last output wins", "-c t.c -o first.o -o second.o", 1),
    object("assembler", "-c a.s", 1),
    object("assembler, preprocessed", "-c b.S -DV=7", 1),
    object("preprocessed source", "-c p.i", 1),
    object("language forced", "-x c++ -c t.c -x none -o t.o", 1),
    object("split debug information", "-g -gsplit-dwarf -c t.c -o t.o", 1),
    object("saved temporaries", "-save-temps -c t.c -o sub/t.o", 1),
    object("saved temporaries in the directory", "-save-temps=cwd -c t.c -o sub/t.o", 1),
    object("saved temporaries by the object", "-save-temps=obj -c t.c -o sub/t.o", 1),
    object("stack usage", "-fstack-usage -c t.c -o sub/t.o", 1),
    gcc(object("call graph", "-fcallgraph-info -c t.c -o sub/t.o", 1)),
    gcc(object("dumps beside", "-O2 -fdump-ipa-clones -fdump-tree-optimized -c t.c -o sub/t.o", 1)),
    gcc(object("dump to a file", "-O2 -fopt-info-all=opt.txt -aux-info aux.txt -c t.c", 1)),
    gcc(object("listing", "-Wa,-al=list.txt -c t.c", 1)),
    gcc(object("dump base", "-dumpdir d- -dumpbase base -fstack-usage -c t.c", 1)),
    object("coverage", "--coverage -c t.c -frandom-seed=1", 1),
    object("profile", "-fprofile-generate -frandom-seed=1 -c t.c", 1),
    object("LTO", "-flto -frandom-seed=1 -c t.c", 1),
    clang(object("bitcode", "-emit-llvm -c t.c -o t.bc", 1)),
    clang(nothing("LLVM assembly", "-emit-llvm -S t.c")),
    clang(object("diagnostics in a file", "-c warn.c -Wall --serialize-diagnostics d.dia", 1)),
    nothing("precompiled header", "-x c-header t.h"),
    object("map of paths", "-g -ffile-prefix-map=/tmp=/X -fdebug-prefix-map=/usr=/Y -c t.c", 1),
    link("compile and link", "t.c main.c -o prog"),
    link("shared library", "-shared -fPIC t.c u.c -o libt.so -Wl,-soname,libt.so"),
    link("relocatable link", "-r -nostdlib t.c u.c -o both.o"),
    link("default output", "main.c t.c"),
    gcc(link("link with coverage", "--coverage -frandom-seed=1 t.c main.c -o prog")),
    nothing("link that fails", "t.c -o prog"),
    nothing("link to /dev/null", "main.c t.c -o /dev/null"),
    with(object("dependencies by environment", "-c t.c", 1), &[("DEPENDENCIES_OUTPUT", "d.txt t.o")]),
    with(object("Sun's dependencies", "-c t.c", 1), &[("SUNPRO_DEPENDENCIES", "d.txt")]),
    with(
        object("headers by environment", "-c t.c", 1),
        &[("CC_PRINT_HEADERS", "1"), ("CC_PRINT_HEADERS_FILE", "h.txt")],
    ),
    with(
        object("options by environment", "-c t.c", 1),
        &[("CC_PRINT_OPTIONS", "1"), ("CC_PRINT_OPTIONS_FILE", "o.txt")],
    ),
    with(object("date", "-c date.c", 1), &[("SOURCE_DATE_EPOCH", "1")]),
    with(object("no folder for temporaries", "-c t.c", 1), &[("TMPDIR", "/nonexistent")]),
    with(
        object("colours", "-fdiagnostics-color=always -Wall -c warn.c", 1),
        &[("GCC_COLORS", "error=01;31")],
    ),
    object("odd names", "-c 'a b.c' -o 'o \u{fc}\n.o'", 1),
    object("name that begins with a hyphen", "-c ./-h.c", 1),
    object("empty argument", "-c t.c ''", 1),
    object("the marker of a policy", "-D__LPCC_UNRELATED__=1 -c t.c", 1),
];

fn lay(place: &Place) {
    place.write("t.h", "#define T 1\n");
    place.write("t.c", "#include <stdio.h>\n#include \"t.h\"\nint f(int a) { return a + T; }\nvoid g(void) { puts(\"x\"); }\n");
    place.write("u.c", "#include \"t.h\"\nint u(int a) { return a * 3 + T; }\n");
    place.write("main.c", "int f(int); int main(void) { return f(-1); }\n");
    place.write("t.cc", "#include <string>\nstd::string s(int n) { return std::string(n, 'x'); }\n");
    place.write("warn.c", "int w(int unused) { int x; return x; }\n");
    place.write("bad.c", "int b( { return 1; }\n");
    place.write("date.c", "const char *d = __DATE__ __TIME__;\n");
    place.write("a.s", ".globl a\n.text\na: ret\n");
    place.write("b.S", "#include \"t.h\"\n.data\n.long V, T\n");
    place.write("p.i", "# 1 \"p.c\"\nint p;\n");
    place.write("sub/z.c", "int z(void) { return 26; }\n");
    place.write(".deps/keep", "");
    place.write(".libs/keep", "");
    place.write("a b.c", "int ab;\n");
    place.write("-h.c", "int h;\n");
    place.write("args.rsp", "-c 'u.c' \"-DA=a\\b\" -O2\n");
    place.write("outer.rsp", "@inner.rsp -g\n");
    place.write("inner.rsp", "-O1 -o nested.o\n");
    place.write("self.rsp", "@self.rsp\n");
}

fn outcome(place: &Place, vector: &Vector, program: &[&str]) -> Outcome {
    place.clear();
    lay(place);
    let (first, rest) = program.split_first().unwrap();
    let mut command = place.command(first);
    command.args(rest).args(shell_words::split(vector.line).unwrap()).envs(vector.env.iter().copied());
    let output = run(&mut command, vector.stdin.map(str::as_bytes));
    Outcome { output, tree: place.listing() }
}

/// Every vector whose number modulo `of` is `part`: the parts run side by side.
fn check(part: usize, of: usize) {
    let mut wrong = Vec::new();
    for vector in VECTORS.iter().skip(part).step_by(of) {
        for compiler in compilers().into_iter().filter(|path| path.contains(vector.only)) {
            let place = Place::new();
            let bare = outcome(&place, vector, &[compiler]);
            let wrapped = outcome(&place, vector, &[kit::LPCC, compiler]);
            let mut found = differences(&bare, &wrapped);
            if !found.is_empty() {
                // Precompiled headers and listings are not the same twice with the bare compiler either.
                let again = outcome(&place, vector, &[compiler]);
                let unsteady = differences(&bare, &again);
                let same_file =
                    |one: &str, other: &str| one.split(" differs").next() == other.split(" differs").next();
                found.retain(|one| !unsteady.iter().any(|other| same_file(one, other)));
            }
            // A call that fails may have made objects before it did; those are recorded.
            let made =
                bare.tree.keys().filter(|name| name.extension().is_some_and(|suffix| suffix == "o")).count();
            let expected =
                if bare.output.status.success() { (vector.records, vector.links) } else { (made, 0) };
            let recorded = (place.records().len(), place.links());
            if recorded != expected {
                found.push(format!("records and links: {recorded:?}, expected {expected:?}"));
            }
            if !found.is_empty() {
                wrong.push(format!("{compiler}, {}: {}\n{}", vector.name, vector.line, found.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn as_the_bare_compiler_0() {
    check(0, 4);
}

#[test]
fn as_the_bare_compiler_1() {
    check(1, 4);
}

#[test]
fn as_the_bare_compiler_2() {
    check(2, 4);
}

#[test]
fn as_the_bare_compiler_3() {
    check(3, 4);
}
