//! `lpcc select --patch` on real compiles: the right functions with the right reasons, a tree that is never written, and one
//! clear message for each kind of trouble.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Scratch, command, contents, lpcc, succeed};

/// A tree with its build and its store.
struct Tree {
    scratch: Scratch,
}

/// A library of two sources and two headers, in directories that name each other by `..`.
const FILES: &[(&str, &str)] = &[
    (
        "src/lib/a.c",
        "#include \"../include/api.h\"\n#include <assert.h>\n\
         static int __attribute__((noinline)) helper(int x)\n{\n    return x * 3;\n}\n\n\
         static int small(int x)\n{\n    return x + 1;\n}\n\n\
         int api_one(int x)\n{\n    return helper(x) + small(x);\n}\n\n\
         int api_two(int x)\n{\n    assert(x > 1);\n    return x - LIMIT;\n}\n\n\
         const char *api_file(void)\n{\n    return __FILE__;\n}\n",
    ),
    (
        "src/lib/b.c",
        "#include \"include/api.h\"\nint b_twice(struct pair *p)\n{\n    return p->right + twice(p->left);\n}\nint b_plain(int x)\n{\n    return x;\n}\n",
    ),
    (
        "src/include/api.h",
        "#ifndef API_H\n#define API_H\n#define LIMIT 10\nstruct pair {\n    int left;\n    int right;\n};\n\
         static inline int twice(int x)\n{\n    return x * 2;\n}\n#endif\n",
    ),
    ("src/doc/readme.txt", "nothing\n"),
    ("src/lib/unused.c", "int unused;\n"),
];

impl Tree {
    /// Lays the files out and records their compiles, from a build directory beside the sources: relative paths that leave
    /// the source directory, and absolute ones.
    fn recorded(name: &str, compiler: &str) -> Self {
        let tree = Self { scratch: Scratch::new(&format!("select-{name}")) };
        for (file, text) in FILES {
            let path = tree.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(tree.path("out")).unwrap();
        let flags = ["-O2", "-c", "-Wall"];
        tree.compile(compiler, &flags, &["../src/lib/a.c", "-o", "a.o", "-MD", "-MF", "a.d"]);
        let include = format!("-I{}", tree.path("src").display());
        let source = tree.path("src/lib/b.c").display().to_string();
        tree.compile(compiler, &flags, &[&include, &source, "-o", "b.o"]);
        succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        let mut command = command(lpcc(), &self.path("out"), &self.path("store"));
        command.args(arguments);
        command
    }

    fn compile(&self, compiler: &str, flags: &[&str], rest: &[&str]) {
        succeed(self.lpcc(&[compiler]).args(flags).args(rest));
    }

    /// A patch that replaces text in one file, made by `diff` itself.
    fn patch(&self, file: &str, old: &str, new: &str) -> PathBuf {
        self.scratch.replacing(file, old, new)
    }

    fn diff(&self, file: &str, old: &str, new: &str) -> PathBuf {
        self.scratch.patch("fix.patch", file, old, new)
    }

    /// Selects; checks that nothing in the trees was touched.
    #[track_caller]
    fn select(&self, patch: &Path, more: &[&str]) -> (Value, i32) {
        let before = (contents(&self.path("src")), contents(&self.path("out")));
        let mut command = self.lpcc(&["select", "--recording", "shipped", "--format", "json", "--source"]);
        let output = command.arg(self.path("src")).arg("--patch").arg(patch).args(more).output().unwrap();
        let after = (contents(&self.path("src")), contents(&self.path("out")));
        assert!(before == after, "select wrote to the tree");
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (json, output.status.code().unwrap())
    }

    /// The one line that a failing select says.
    #[track_caller]
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.lpcc(&["select"]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    }
}

/// `symbol change why` of each function, sorted.
fn functions(json: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<String> = json["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {} {}", word(&it["symbol"]), word(&it["change"]), word(&it["why"][0]["kind"])))
        .collect();
    found.sort();
    found
}

#[track_caller]
fn assert_reproduced(json: &Value, units: u64) {
    assert_eq!(json["rebuild"]["units"], units, "{json:#}");
    assert_eq!(json["rebuild"]["reproduced"], units, "{json:#}");
}

fn edits_of(compiler: &str) {
    let tree = Tree::recorded(&format!("edits-{compiler}"), compiler);

    // A line more in one function: `assert` and everything below moves, and only that function is carried.
    let patch = tree.patch("lib/a.c", "    return x * 3;", "    x = -x;\n    return x * 3;");
    let (json, status) = tree.select(&patch, &[]);
    assert_reproduced(&json, 1);
    assert_eq!(functions(&json), ["helper changed edited"]);
    assert_eq!(json["functions"][0]["why"][0]["detail"], "lib/a.c:5");
    assert_eq!(json["functions"][0]["object"], tree.path("out/a.o").to_str().unwrap());
    let line_only: BTreeSet<&str> =
        json["line_only"].as_array().unwrap().iter().map(|it| it["symbol"].as_str().unwrap()).collect();
    assert_eq!(line_only, BTreeSet::from(["api_two"]));
    assert_eq!(status, 1);

    // An inlined callee has no body to hook: its caller is carried, and that is said.
    let (json, _) = tree.select(&tree.patch("lib/a.c", "return x + 1;", "return x + 7;"), &[]);
    assert_eq!(functions(&json), ["api_one changed inlined"]);
    assert_eq!(json["functions"][0]["why"][0]["via"], serde_json::json!(["small"]));
    let notes = json["rebuild"]["notes"].to_string();
    // Of a copy that melted into its surroundings clang keeps no debug information.
    assert!(compiler == "clang" || notes.contains("small is edited and has no body of its own"), "{notes}");

    // A header: found by what was read, through `..` and by an absolute path.
    let (json, _) = tree.select(&tree.patch("include/api.h", "return x * 2;", "return x * 4;"), &[]);
    assert_reproduced(&json, 2);
    assert_eq!(functions(&json), ["b_twice changed inlined"]);
    let (json, _) = tree.select(&tree.patch("include/api.h", "LIMIT 10", "LIMIT 11"), &[]);
    assert_eq!(functions(&json), ["api_two changed edited"]);
    let detail = &json["functions"][0]["why"][0]["detail"];
    assert_eq!(detail, "through the macro LIMIT, edited at include/api.h:3");
    let (json, _) =
        tree.select(&tree.patch("include/api.h", "    int left;", "    int pad;\n    int left;"), &[]);
    assert_eq!(functions(&json), ["b_twice changed edited"]);

    // Nothing to patch.
    let (json, status) =
        tree.select(&tree.patch("lib/a.c", "int api_one", "/* a comment */\n\nint api_one"), &[]);
    assert_eq!((functions(&json).len(), status), (0, 0), "{json:#}");

    // No hook: not patchable for a target that needs one.
    let patch = tree.patch("lib/a.c", "return x * 3;", "return x * 5;");
    let (json, status) = tree.select(&patch, &["--target", "klp"]);
    assert_eq!(json["functions"][0]["verdict"], "unpatchable");
    assert_eq!(status, 3);
}

#[test]
fn edits_gcc() {
    edits_of("gcc");
}

#[test]
fn edits_clang() {
    edits_of("clang");
}

#[test]
fn new_deleted_renamed_and_unread_files() {
    let tree = Tree::recorded("files", "gcc");
    let patch = tree.path("git.patch");
    fs::write(
        &patch,
        "diff --git a/lib/new.c b/lib/new.c\nnew file mode 100644\n--- /dev/null\n+++ b/lib/new.c\n@@ -0,0 +1 @@\n+int n(void) { return 1; }\n\
         diff --git a/doc/readme.txt b/doc/readme.txt\n--- a/doc/readme.txt\n+++ b/doc/readme.txt\n@@ -1 +1 @@\n-nothing\n+something\n\
         diff --git a/lib/unused.c b/lib/unused.c\n--- a/lib/unused.c\n+++ b/lib/unused.c\n@@ -1 +1 @@\n-int unused;\n+int used;\n",
    )
    .unwrap();
    let (json, status) = tree.select(&patch, &[]);
    let unread = |json: &Value| -> Vec<(String, bool)> {
        let files = json["unread"].as_array().unwrap().iter();
        files.map(|it| (it["path"].as_str().unwrap().to_owned(), it["matters"].as_bool().unwrap())).collect()
    };
    assert_eq!(
        unread(&json),
        [("doc/readme.txt".to_owned(), false), ("lib/new.c".into(), true), ("lib/unused.c".into(), false)]
    );
    assert_eq!(status, 2, "a new source cannot be replayed");

    fs::write(
        &patch,
        "diff --git a/lib/b.c b/lib/c.c\nsimilarity index 100%\nrename from lib/b.c\nrename to lib/c.c\n",
    )
    .unwrap();
    let (json, status) = tree.select(&patch, &[]);
    let reason = json["rebuild"]["not_replayed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("deletes or renames its source"), "{reason}");
    assert_eq!(status, 2);
}

/// A directory that nothing was read from is a link in the scratch view: who comes to an edited file by way of it does not get at the
/// original.
#[test]
fn a_way_out_through_a_directory() {
    let tree = Tree::recorded("way", "gcc");
    fs::write(
        tree.path("src/lib/c.c"),
        "#include \"../doc/../include/api.h\"\nint c_limit(int x)\n{\n    return x - LIMIT;\n}\n",
    )
    .unwrap();
    tree.compile("gcc", &["-O2", "-c", "-Wall"], &["../src/lib/c.c", "-o", "c.o"]);
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    let (json, status) = tree.select(&tree.patch("include/api.h", "LIMIT 10", "LIMIT 11"), &[]);
    assert_reproduced(&json, 3);
    assert_eq!(functions(&json), ["api_two changed edited", "c_limit changed edited"]);
    assert_eq!(status, 1);
}

#[test]
fn series_fuzz_and_levels() {
    let tree = Tree::recorded("series", "gcc");
    let folder = tree.path("patches");
    fs::create_dir(&folder).unwrap();
    // The second needs the first, and was made for a tree with other context.
    let first = tree.patch("lib/a.c", "return x * 3;", "return x * 4;");
    fs::rename(first, folder.join("one.patch")).unwrap();
    let text =
        fs::read_to_string(tree.path("src/lib/a.c")).unwrap().replace("return x * 3;", "return x * 4;");
    let other = text.replace("#include <assert.h>", "#include <stdio.h>");
    let second = tree.diff("lib/a.c", &other, &other.replace("return x * 4;", "return x * 5;"));
    let deeper = fs::read_to_string(second).unwrap().replace("a/lib", "x/y/lib").replace("b/lib", "x/y/lib");
    fs::write(folder.join("two.patch"), deeper).unwrap();
    fs::write(folder.join("series"), "one.patch -p1\n# a comment\ntwo.patch\n").unwrap();
    let (json, _) = tree.select(&folder, &[]);
    assert_eq!(functions(&json), ["helper changed edited"]);
    let notes = json["rebuild"]["notes"].to_string();
    assert!(notes.contains("with fuzz"), "{notes}");
}

#[test]
fn each_trouble_has_one_message() {
    let tree = Tree::recorded("trouble", "gcc");
    let patch = tree.patch("lib/a.c", "return x * 3;", "return x * 5;");
    let patch = patch.to_str().unwrap();
    let source = tree.path("src");
    let source = source.to_str().unwrap();
    let asked = ["--recording", "shipped", "--source", source, "--patch", patch];

    let said = tree.complaint(&["--recording", "shipped", "--source", "no-such-tree", "--patch", patch]);
    assert!(said.contains("cannot find the source tree"), "{said}");
    let said = tree.complaint(&["--recording", "shipped", "--patch", patch]);
    assert!(said.contains("--source"), "{said}");
    let said = tree.complaint(&["--recording", "unknown", "--source", source, "--patch", patch]);
    assert!(said.contains("it has `shipped`"), "{said}");
    fs::write(tree.path("empty.patch"), "no diff\n").unwrap();
    let empty = tree.path("empty.patch");
    let said =
        tree.complaint(&["--recording", "shipped", "--source", source, "--patch", empty.to_str().unwrap()]);
    assert!(said.contains("holds no unified diff"), "{said}");

    let text = fs::read_to_string(tree.path("src/lib/a.c")).unwrap();
    fs::write(tree.path("src/lib/a.c"), text.replace("return x * 3;", "return x * 5;")).unwrap();
    let said = tree.complaint(&asked);
    assert!(said.contains("applied already"), "{said}");
    fs::write(tree.path("src/lib/a.c"), "int x;\n").unwrap();
    let said = tree.complaint(&asked);
    assert!(said.contains("does not apply") && said.contains("lib/a.c"), "{said}");

    // Not the recorded source: the drift is named, function by function, and the input as well.
    fs::write(tree.path("src/lib/a.c"), text.replace("return x + 1;", "return x + 2;")).unwrap();
    let (json, status) = tree.select(Path::new(patch), &[]);
    assert_eq!(status, 2);
    assert_eq!(json["rebuild"]["drift"][0]["symbol"], "api_one");
    assert!(json["rebuild"]["notes"].to_string().contains("a.c"), "{json:#}");
    fs::write(tree.path("src/lib/a.c"), text).unwrap();

    // The patched source does not compile.
    let broken = tree.patch("lib/a.c", "return x * 3;", "return x * ;");
    let (json, status) = tree.select(&broken, &[]);
    let reason = json["rebuild"]["not_replayed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("with the patch it does not compile") && reason.contains("error"), "{reason}");
    assert_eq!(status, 2);
}

#[test]
fn a_build_that_moved_and_a_compiler_that_is_gone() {
    let tree = Tree::recorded("moved", "gcc");
    let patch = tree.patch("lib/a.c", "return x * 3;", "return x * 5;");
    let (old, new) = (tree.path("src"), tree.path("elsewhere"));
    fs::rename(&old, &new).unwrap();
    let asked =
        ["--recording", "shipped", "--source", new.to_str().unwrap(), "--patch", patch.to_str().unwrap()];
    let said = tree.complaint(&asked);
    assert!(said.contains(&format!("hint: --map {}={}", old.display(), new.display())), "{said}");
    let mut select = tree.lpcc(&["select", "--recording", "shipped", "--format", "json", "--source"]);
    select.arg(&new).arg("--patch").arg(&patch).arg("--map");
    let output = select.arg(format!("{}={}", old.display(), new.display())).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_reproduced(&json, 1);
    assert_eq!(functions(&json), ["helper changed edited"]);
    fs::rename(&new, &old).unwrap();

    fs::rename(tree.path("out"), tree.path("was-out")).unwrap();
    fs::create_dir(tree.path("work")).unwrap();
    let mut select = command(lpcc(), &tree.path("work"), &tree.path("store"));
    select.args(["select", "--recording", "shipped", "--format", "json", "--source"]);
    let output = select.arg(&old).arg("--patch").arg(&patch).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Nothing in it was read, so that an empty one in its place does.
    assert_reproduced(&json, 1);
    assert_eq!(functions(&json), ["helper changed edited"]);
}

#[test]
fn two_builds_are_compared_without_a_patch() {
    let tree = Tree::recorded("pair", "gcc");
    let source = tree.path("src/lib/a.c");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("return x * 3;", "return x * 5;")).unwrap();
    tree.compile("gcc", &["-O2", "-c", "-Wall"], &["../src/lib/a.c", "-o", "a.o"]);
    let output = tree.lpcc(&["select", "--format", "json", "shipped", "now"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["functions"][0]["symbol"], "helper");
    assert_eq!(json["functions"].as_array().unwrap().len(), 1);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json["rebuild"]["notes"], serde_json::json!([]));
    let same = tree.lpcc(&["select", "shipped", "shipped"]).output().unwrap();
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));

    // Another state of the flag is said before any function.
    tree.compile("gcc", &["-O2", "-flive-patching", "-c", "-Wall"], &["../src/lib/a.c", "-o", "a.o"]);
    let output = tree.lpcc(&["select", "shipped", "now"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let second = said.lines().nth(1).unwrap();
    assert_eq!(
        second.trim(),
        "both sides are not built alike: flags: now with -flive-patching (1 object)",
        "{said}"
    );
}
