//! Why a function is selected that no hunk lies in: through a macro or a type, in C++ too; through a property of its callee, with
//! the optimisation that handed it on; and which of several symbols of a name it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Scratch, succeed};

/// A few sources, recorded.
struct Tree {
    scratch: Scratch,
    compiler: &'static str,
}

impl Tree {
    fn recorded(name: &str, compiler: &'static str, files: &[(&str, &str)]) -> Self {
        let tree = Self { scratch: Scratch::new(&format!("reasons-{name}-{compiler}")), compiler };
        fs::create_dir(tree.path("src")).unwrap();
        for (file, text) in files {
            fs::write(tree.path("src").join(file), text).unwrap();
        }
        for (file, _) in files {
            let (stem, end) = file.split_once('.').unwrap();
            if end == "h" {
                continue;
            }
            let object = format!("{stem}.o");
            succeed(&mut tree.lpcc(&[compiler, "-O2", "-c", file, "-o", &object]));
        }
        succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        self.scratch.lpcc(arguments)
    }

    /// Selects for a replacement in one file.
    fn select(&self, file: &str, old: &str, new: &str, more: &[&str]) -> Value {
        let patch = self.scratch.replacing(file, old, new);
        let mut select = self.lpcc(&["select", "--recording", "shipped", "--format", "json", "--patch"]);
        let output = select.arg(patch).args(more).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{} {error}: {}", self.compiler, String::from_utf8_lossy(&output.stderr))
        })
    }
}

/// `symbol kind detail`, by the demangled name where there is one.
fn reasons(json: &Value) -> Vec<String> {
    let mut found: Vec<String> = json["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let name = it.get("demangled").unwrap_or(&it["symbol"]).as_str().unwrap();
            let why = &it["why"][0];
            format!("{name} {} {}", why["kind"].as_str().unwrap(), why["detail"].as_str().unwrap())
        })
        .collect();
    found.sort();
    found
}

const HEADER: &str = "\
#define LIMIT 10
namespace shapes {
struct Pair {
    int left;
    int right;
    int sum() const { return left + right; }
};
template <class T> class Holder : public T {
    Pair pair;
public:
    int get(int by = 1) const { return pair.right + by; }
};
}
";

const CXX: &str = "\
#include \"x.h\"
struct Empty {};
namespace shapes {
int limit(int x) { return x - LIMIT; }
int plain(int x) { return x; }
int use(const Pair &p) { return p.right; }
}
extern \"C\" int outside(const shapes::Holder<Empty> &h) { return h.get(); }
";

fn macros_and_types_in_cxx(compiler: &'static str) {
    let tree = Tree::recorded("cxx", compiler, &[("x.h", HEADER), ("x.cc", CXX)]);
    let json = tree.select("x.h", "LIMIT 10", "LIMIT 11", &[]);
    assert_eq!(
        reasons(&json),
        ["shapes::limit(int) edited through the macro LIMIT, edited at x.h:1"],
        "{json:#}"
    );
    let json = tree.select("x.h", "    int left;", "    int pad;\n    int left;", &[]);
    let found = reasons(&json);
    assert_eq!(found.len(), 2, "{json:#}");
    assert!(found[0].starts_with("outside "), "{found:?}");
    assert!(
        found[1]
            .starts_with("shapes::use(shapes::Pair const&) edited through the type Pair, edited at x.h:4"),
        "{found:?}"
    );
    assert!(json.to_string().contains("shadow variables"), "{json:#}");
    assert!(!json.to_string().contains("unexplained"), "{json:#}");
}

#[test]
fn macros_and_types_in_cxx_gcc() {
    macros_and_types_in_cxx("g++");
}

#[test]
fn macros_and_types_in_cxx_clang() {
    macros_and_types_in_cxx("clang++");
}

/// Callees whose properties leak into their callers.
const LEAKS: &str = "\
extern void outside(void);
extern int shared;
static __attribute__((noinline)) int pure(int x)
{
    return x * 3 + 1;
}
int pure_caller(int x)
{
    int before = shared;
    int got = pure(x);
    return got + before + shared + pure(x);
}
static __attribute__((noinline)) int range(int x)
{
    return x & 1;
}
int range_caller(int x)
{
    int got = range(x);
    if (got > 5)
        outside();
    return got;
}
static __attribute__((noinline)) int takes(int unused, int x)
{
    return x * shared;
}
int takes_caller(int x)
{
    return takes(1, x) + takes(2, x + 1);
}
";

#[track_caller]
fn assert_leak(tree: &Tree, edit: (&str, &str), caller: &str, property: &str) {
    let json = tree.select("leaks.c", edit.0, edit.1, &[]);
    let found = reasons(&json);
    let leak = found.iter().find(|it| it.starts_with(&format!("{caller} caller")));
    let leak = leak.unwrap_or_else(|| panic!("no {caller}: {found:?}"));
    assert!(leak.contains(property), "{leak}");
}

#[test]
fn the_pass_of_clang_that_hands_it_on_is_named() {
    let tree = Tree::recorded("leaks", "clang", &[("leaks.c", LEAKS)]);
    let pure = ("    return x * 3 + 1;", "    outside();\n    return x * 3 + 1;");
    assert_leak(
        &tree,
        pure,
        "pure_caller",
        "pure: which memory it touches, and whether it returns or unwinds",
    );
    let range = ("    return x & 1;", "    return x & 15;");
    assert_leak(
        &tree,
        range,
        "range_caller",
        "range: the values it returns, or is called with (clang's `IPSCCPPass`",
    );
    let takes = ("    return x * shared;", "    return x * shared + unused;");
    assert_leak(&tree, takes, "takes_caller", "parameters");
}

#[test]
fn the_option_of_gcc_that_hands_it_on_is_named() {
    let tree = Tree::recorded("leaks", "gcc", &[("leaks.c", LEAKS)]);
    let pure = ("    return x * 3 + 1;", "    outside();\n    return x * 3 + 1;");
    assert_leak(&tree, pure, "pure_caller", "-fno-ipa-stack-alignment` on both sides)");
}

/// Two local functions of one name: which one it is, by the image, and without it as far as the object tells.
#[test]
fn which_symbol_of_a_name() {
    let local = |number: u32| {
        format!(
            "extern int shared;\nstatic __attribute__((noinline)) int same(int x)\n{{\n    return x * {number} + shared;\n}}\nint of_{number}(int x)\n{{\n    return same(x) + 1;\n}}\n"
        )
    };
    let main = "int shared;\nint of_3(int); int of_5(int);\nint main(void) { return of_3(1) + of_5(2); }\n";
    let files = [("three.c", local(3)), ("five.c", local(5)), ("main.c", main.to_owned())];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let tree = Tree::recorded("names", "gcc", &files);
    succeed(&mut tree.lpcc(&["gcc", "three.o", "main.o", "five.o", "-Wl,--build-id", "-o", "program"]));
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));

    let position = |json: &Value| -> Value {
        let functions = json["functions"].as_array().unwrap();
        functions.iter().find(|it| it["symbol"] == "same").unwrap()["position"].clone()
    };
    let edit = ("    return x * 5 + shared;", "    return x * 7 + shared;");
    let json = tree.select("five.c", edit.0, edit.1, &["--target", "klp"]);
    assert_eq!(
        position(&json),
        serde_json::json!({"sympos": 0, "number": 1, "of": 1, "in": "five.o", "final": false})
    );
    let same = json["functions"].as_array().unwrap().iter().find(|it| it["symbol"] == "same").unwrap();
    assert!(same["obstacles"].to_string().contains("one of 2 local functions of this name"), "{json:#}");
    for (file, edit, number) in
        [("five.c", edit, 2), ("three.c", ("    return x * 3 + shared;", "    return x * 9 + shared;"), 1)]
    {
        let json = tree.select(file, edit.0, edit.1, &["--shipped", "program"]);
        let expected =
            serde_json::json!({"sympos": number, "number": number, "of": 2, "in": "program", "final": true});
        assert_eq!(position(&json), expected, "{json:#}");
    }
}
