//! Verdicts, lists for other tools, accepted exceptions, earlier patches, several builds, and the check of what was built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::{Scratch, succeed};

/// As the kernel compiles: a call of `__fentry__` at each entry but those marked `notrace`; `__init` code in a section that is freed.
const SOURCE: &str = "\
#define notrace __attribute__((no_instrument_function))
#define __init __attribute__((__section__(\".init.text\")))
#define noinline __attribute__((noinline))
extern void outside(int);
static noinline notrace int quiet(int x)
{
    outside(x);
    return x + 1;
}

int loud(int x)
{
    return quiet(x) * 2;
}

int __init start(int x)
{
    outside(x + 1);
    return x;
}

int table[2] = { 1, 2 };

int reads(int x)
{
    return table[x] + 3;
}
";

struct Tree(Scratch);

impl Tree {
    fn recorded(name: &str) -> Self {
        let tree = Self(Scratch::new(&format!("target-{name}")));
        fs::create_dir(tree.path("src")).unwrap();
        fs::write(tree.path("src/k.c"), SOURCE).unwrap();
        tree.compile();
        succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        self.0.lpcc(arguments)
    }

    fn compile(&self) {
        succeed(&mut self.lpcc(&["gcc", "-O2", "-pg", "-mfentry", "-fno-pie", "-c", "k.c", "-o", "k.o"]));
    }

    /// A patch from one text to another.
    fn diff(&self, name: &str, old: &str, new: &str) -> PathBuf {
        self.0.patch(name, "k.c", old, new)
    }

    fn select(&self, patch: &Path, more: &[&str]) -> Output {
        let mut command = self.lpcc(&["select", "--recording", "shipped", "--patch"]);
        command.arg(patch).args(more).output().unwrap()
    }

    fn json(&self, patch: &Path, more: &[&str]) -> (Value, i32) {
        let output = self.select(patch, &[&["--format", "json"], more].concat());
        let json = serde_json::from_slice(&output.stdout);
        let json =
            json.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (json, output.status.code().unwrap())
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn what_cannot_be_hooked_is_patched_in_its_callers() {
    let tree = Tree::recorded("klp");
    let quiet = tree.diff("quiet.patch", SOURCE, &SOURCE.replace("return x + 1;", "return x + 9;"));
    let (json, status) = tree.json(&quiet, &["--target", "klp"]);
    let function = json["functions"].as_array().unwrap().iter().find(|it| it["symbol"] == "quiet").unwrap();
    assert_eq!(function["verdict"], "unpatchable");
    assert_eq!(function["instead"], serde_json::json!(["loud"]));
    assert!(function["obstacles"][0].as_str().unwrap().starts_with("no entry hook"), "{function:#}");
    assert_eq!(status, 3);
    let (json, status) = tree.json(&quiet, &[]);
    assert_eq!((json["functions"][0]["verdict"].as_str().unwrap(), status), ("patchable", 1));

    let start = tree.diff("start.patch", SOURCE, &SOURCE.replace("outside(x + 1)", "outside(x + 2)"));
    let (json, _) = tree.json(&start, &["--target", "klp"]);
    assert_eq!(json["functions"][0]["verdict"], "unpatchable");
    assert!(json["functions"][0]["obstacles"][0].as_str().unwrap().contains(".init.text"), "{json:#}");

    // Hooked by ftrace, but not as libpulp needs it.
    let loud = tree.diff("loud.patch", SOURCE, &SOURCE.replace("quiet(x) * 2", "quiet(x) * 7"));
    assert_eq!(tree.json(&loud, &["--target", "klp"]).1, 1);
    assert_eq!(tree.json(&loud, &["--target", "ulp"]).1, 3);

    // Data is no function: it is listed with who reads it.
    let data = tree.diff("data.patch", SOURCE, &SOURCE.replace("{ 1, 2 }", "{ 1, 5 }"));
    let (json, status) = tree.json(&data, &["--target", "klp"]);
    assert_eq!(json["functions"].as_array().unwrap().len(), 0, "{json:#}");
    assert_eq!(json["data"][0]["symbol"], "table");
    assert_eq!(json["data"][0]["readers"], serde_json::json!(["reads"]));
    assert_eq!(status, 1);
}

/// Callers that cannot be hooked either are followed, into other objects too, until one can be.
#[test]
fn callers_are_followed_over_objects() {
    let tree = Tree::recorded("closure");
    let first = "extern void outside(int);\n__attribute__((noinline, no_instrument_function)) int deep(int x)\n{\n    outside(x);\n    return x + 1;\n}\n";
    let second = "int deep(int);\n__attribute__((noinline, no_instrument_function)) static int middle(int x) { return deep(x) + 1; }\n\
                  int top(int x) { return middle(x) * 3; }\n";
    for (name, text) in [("first", first), ("second", second)] {
        let source = format!("{name}.c");
        fs::write(tree.path("src").join(&source), text).unwrap();
        let object = format!("{name}.o");
        succeed(&mut tree.lpcc(&["gcc", "-O2", "-pg", "-mfentry", "-fno-pie", "-c", &source, "-o", &object]));
    }
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    let patch = tree.diff("deep.patch", first, &first.replace("return x + 1;", "return x + 9;"));
    let named =
        fs::read_to_string(&patch).unwrap().replace("a/k.c", "a/first.c").replace("b/k.c", "b/first.c");
    fs::write(&patch, named).unwrap();
    let (json, status) = tree.json(&patch, &["--target", "klp"]);
    assert_eq!(json["functions"][0]["instead"], serde_json::json!(["top (second.o)"]), "{json:#}");
    assert_eq!(status, 3);
}

#[test]
fn an_accepted_exception_is_shown_and_does_not_fail() {
    let tree = Tree::recorded("accept");
    let quiet = tree.diff("quiet.patch", SOURCE, &SOURCE.replace("return x + 1;", "return x + 9;"));
    let config = tree.path("src/lpcc.toml");
    fs::write(
        &config,
        "[[accept]]\nfunction = \"qui*\"\nobject = \"k.o\"\nreason = \"patched through loud\"\n",
    )
    .unwrap();
    let (json, status) = tree.json(&quiet, &["--target", "klp"]);
    let function = json["functions"].as_array().unwrap().iter().find(|it| it["symbol"] == "quiet").unwrap();
    assert_eq!(function["accepted"], "patched through loud");
    assert_eq!(status, 1);
    fs::write(&config, "[[accept]]\nfunction = \"quiet\"\nreason = \"\"\n").unwrap();
    let output = tree.select(&quiet, &["--target", "klp"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs a reason"));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn lists_for_other_tools() {
    let tree = Tree::recorded("lists");
    let both = SOURCE.replace("quiet(x) * 2", "quiet(x) * 7").replace("table[x] + 3", "table[x] + 4");
    let patch = tree.diff("both.patch", SOURCE, &both);
    let list = |format: &str| text(&tree.select(&patch, &["--format", format]));
    assert_eq!(list("klp-ccp"), "k.c loud,reads\n");
    assert_eq!(list("clang-extract"), "k.c -DCE_EXTRACT_FUNCTIONS=loud,reads\n");
    assert_eq!(list("kpatch"), "k.o: changed function: loud\nk.o: changed function: reads\n");
    assert_eq!(list("ulp"), "LIVEPATCH.so\n@LIBRARY\nloud:loud_lp\nreads:reads_lp\n");
    let commands: Value = serde_json::from_str(&list("compile-commands")).unwrap();
    assert_eq!(commands[0]["file"], "k.c");
    assert!(commands[0]["arguments"].to_string().contains("-mfentry"));
}

#[test]
fn a_fix_on_top_of_earlier_ones() {
    let tree = Tree::recorded("cumulative");
    let first = SOURCE.replace("quiet(x) * 2", "quiet(x) * 7");
    let second = first.replace("table[x] + 3", "table[x] + 4");
    let earlier = tree.diff("1.patch", SOURCE, &first);
    let fix = tree.diff("2.patch", &first, &second);
    let (json, status) = tree.json(&fix, &["--on", earlier.to_str().unwrap()]);
    let symbols: Vec<_> =
        json["functions"].as_array().unwrap().iter().map(|it| it["symbol"].clone()).collect();
    assert_eq!(symbols, ["reads"], "{json:#}");
    assert_eq!(json["rebuild"]["reproduced"], 1);
    assert_eq!(status, 1);
}

#[test]
fn one_fix_in_several_builds() {
    let tree = Tree::recorded("matrix");
    succeed(&mut tree.lpcc(&["gcc", "-O2", "-fno-pie", "-c", "k.c", "-o", "k.o"]));
    succeed(&mut tree.lpcc(&["store", "snapshot", "plain"]));
    let patch = tree.diff("loud.patch", SOURCE, &SOURCE.replace("quiet(x) * 2", "quiet(x) * 7"));
    let mut select = tree.lpcc(&["select", "--target", "klp", "--patch"]);
    let output = select.arg(patch).args(["--matrix", "shipped", "plain"]).output().unwrap();
    let said = text(&output);
    let row = said.lines().find(|line| line.starts_with("k.o")).unwrap();
    assert!(row.contains("edited") && row.contains("unpatchable"), "{said}");
    assert_eq!(output.status.code(), Some(3));
}

/// kpatch keeps the names, klp-ccp puts `klpp_` before them; both leave glue of their own.
#[test]
fn a_built_live_patch_is_checked() {
    let tree = Tree::recorded("check");
    let both = SOURCE.replace("quiet(x) * 2", "quiet(x) * 7").replace("table[x] + 3", "table[x] + 4");
    let patch = tree.diff("both.patch", SOURCE, &both);
    let selection = tree.path("selection.json");
    fs::write(&selection, tree.select(&patch, &["--format", "json"]).stdout).unwrap();
    let check = |source: &str| -> (String, i32) {
        fs::write(tree.path("lp.c"), source).unwrap();
        let built = tree.path("lp.o");
        succeed(Command::new("gcc").args(["-O2", "-c", "-o"]).arg(&built).arg(tree.path("lp.c")));
        let output = tree.lpcc(&["check"]).arg(built).arg(&selection).output().unwrap();
        (text(&output), output.status.code().unwrap())
    };
    let whole = "int klpp_loud(int x) { return x; } int klpp_reads(int x) { return x; } int init_module(void) { return 0; }";
    assert_eq!(check(whole).1, 0, "{}", check(whole).0);
    let (said, status) = check("int loud(int x) { return x; }");
    assert!(said.contains("missing  reads") && status == 1, "{said}");
    let (said, status) = check(&format!("{whole} int other(int x) {{ return x; }}"));
    assert!(said.contains("extra    other") && status == 1, "{said}");
    fs::write(&selection, "{}").unwrap();
    let output = tree.lpcc(&["check"]).arg(tree.path("lp.o")).arg(&selection).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// A shipped file is known by its build id, and by the sizes of its functions.
#[test]
fn a_shipped_binary_is_compared() {
    let tree = Tree::recorded("shipped");
    let link = |name: &str| {
        let script =
            "void outside(int x) { (void)x; }\nint main(void) { return 0; }\nvoid __fentry__(void) {}\n";
        fs::write(tree.path("src/main.c"), script).unwrap();
        let flags = ["-no-pie", "-Wl,--build-id", "k.o", "main.c", "-o", name];
        succeed(tree.lpcc(&["gcc"]).args(flags));
    };
    link("program");
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    let patch = tree.diff("loud.patch", SOURCE, &SOURCE.replace("quiet(x) * 2", "quiet(x) * 7"));
    let (json, status) = tree.json(&patch, &["--shipped", "program"]);
    assert!(json["rebuild"]["notes"].to_string().contains("byte for byte"), "{json:#}");
    assert_eq!(status, 1, "{json:#}");

    // Another build of another source: said, and the selection is not to be trusted.
    fs::write(tree.path("src/k.c"), SOURCE.replace("quiet(x) * 2", "quiet(x) * 2 + quiet(x + 1) * 77"))
        .unwrap();
    tree.compile();
    link("other");
    fs::write(tree.path("src/k.c"), SOURCE).unwrap();
    let (json, status) = tree.json(&patch, &["--shipped", "other"]);
    assert!(json["rebuild"]["notes"].to_string().contains("which no recorded link made"), "{json:#}");
    assert_eq!(json["rebuild"]["drift"][0]["symbol"], "loud");
    assert_eq!(status, 2);
}
