//! What a build generates and reads is found by `lpcc select` when the build's directory is gone or was made anew: kept by
//! snapshots and exports, as contents; sources are not kept.

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
use std::process::Command;

use serde_json::Value;
use support::{Scratch, command, contents, lpcc, succeed};

const SOURCE: &str = "#include \"config.h\"\n#include \"table.h\"\nint scaled(int x)\n{\n    return x * SCALE + 1;\n}\n\
                      int of_table(int x)\n{\n    return table[x & 1];\n}\n";

/// A source in `src`, as unpacked from an archive of last year; a build in `out`, which generates a header, and in `gen/include`, which
/// holds another; and the patch of one function.
struct Tree {
    scratch: Scratch,
    patch: PathBuf,
}

impl Tree {
    fn built(name: &str) -> Self {
        let scratch = Scratch::new(&format!("generated-{name}"));
        for folder in ["src", "out", "gen/include"] {
            fs::create_dir_all(scratch.join(folder)).unwrap();
        }
        fs::write(scratch.join("src/a.c"), SOURCE).unwrap();
        succeed(Command::new("touch").args(["-d", "2020-01-01"]).arg(scratch.join("src/a.c")));
        let patch = scratch.replacing("a.c", "+ 1", "+ 2");
        let tree = Self { scratch, patch };
        tree.generate(3);
        tree.compile("b.o", &["-DSECOND"]);
        tree.compile("a.o", &[]);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn generate(&self, scale: u32) {
        fs::write(self.path("out/config.h"), format!("#define SCALE {scale}\n")).unwrap();
        fs::write(self.path("gen/include/table.h"), "static const int table[] = {7, 9};\n").unwrap();
    }

    fn compile(&self, object: &str, more: &[&str]) {
        let include = format!("-I{}", self.path("gen/include").display());
        succeed(self.lpcc(&["gcc", "-O2", "-c", "-I.", &include, "../src/a.c", "-o", object]).args(more));
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        let mut command = command(lpcc(), &self.path("out"), &self.path("store"));
        command.args(arguments);
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = succeed(self.lpcc(arguments).args(["--format", "json"]));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Selects by `recording`, from a directory that stays; checks that nothing was written.
    #[track_caller]
    fn select(&self, recording: &str) -> Value {
        let before = contents(self.scratch.path());
        let mut select = command(lpcc(), &self.path("src"), &self.path("store"));
        select.args(["select", "--source", ".", "--format", "json", "--recording", recording, "--patch"]);
        let output = select.arg(&self.patch).output().unwrap();
        let after = contents(self.scratch.path());
        let is_cache = |path: &PathBuf| path.ends_with("store/hashes");
        let changed: Vec<_> =
            after.keys().chain(before.keys()).filter(|it| before.get(*it) != after.get(*it)).collect();
        assert!(changed.iter().all(|path| is_cache(path)), "select wrote {changed:?}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Both units are replayed as recorded, and the notes name what was taken from the recording.
    #[track_caller]
    fn assert_selected(&self, recording: &str, restored: &[&str]) {
        let json = self.select(recording);
        let rebuild = &json["rebuild"];
        assert_eq!((&rebuild["units"], &rebuild["reproduced"]), (&2.into(), &2.into()), "{rebuild:#}");
        assert_eq!(rebuild["not_replayed"].as_array().map(Vec::len), Some(0), "{rebuild:#}");
        let symbols: Vec<_> = json["functions"].as_array().unwrap().iter().map(|it| &it["symbol"]).collect();
        assert_eq!(symbols, ["scaled", "scaled"]);
        let notes = rebuild["notes"].to_string();
        assert_eq!(notes.contains("taken from the recording"), !restored.is_empty(), "{notes}");
        for file in restored {
            assert!(notes.contains(file), "{file}: {notes}");
        }
    }

    #[track_caller]
    fn assert_not_replayed(&self, recording: &str, what: &[&str]) {
        let json = self.select(recording);
        let reason = json["rebuild"]["not_replayed"][0]["reason"].as_str().unwrap();
        assert!(what.iter().all(|text| reason.contains(text)), "{reason}");
        assert_eq!(json["rebuild"]["reproduced"], 0);
    }
}

#[test]
fn a_build_directory_that_is_gone() {
    let tree = Tree::built("gone");
    let made = tree.json(&["store", "snapshot", "shipped"]);
    assert_eq!(made["inputs"], 2, "config.h and table.h, and not the unpacked a.c: {made}");
    tree.assert_selected("shipped", &[]);
    for gone in ["out", "gen"] {
        fs::remove_dir_all(tree.path(gone)).unwrap();
    }
    tree.assert_selected("shipped", &["out/config.h", "gen/include/table.h"]);
    assert!(!tree.path("out").exists() && !tree.path("gen").exists());
}

#[test]
fn a_header_that_was_generated_anew() {
    let tree = Tree::built("anew");
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    tree.generate(4);
    tree.assert_selected("shipped", &["out/config.h"]);
    // The header itself is what the patch edits: then it is taken as it lies there, and said to be another.
    let store = tree.path("store");
    let mut select = command(lpcc(), &tree.path("src"), &store);
    let patch = tree.path("header.patch");
    fs::write(
        &patch,
        "--- a/out/config.h\n+++ b/out/config.h\n@@ -1 +1 @@\n-#define SCALE 4\n+#define SCALE 5\n",
    )
    .unwrap();
    select.args(["select", "--recording", "shipped", "--format", "json", "--patch"]).arg(&patch);
    let output = select.arg("--source").arg(tree.scratch.path()).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["rebuild"]["drift"][0]["symbol"], "scaled", "{json:#}");
    assert!(json["rebuild"]["notes"].to_string().contains("not as they were"), "{json:#}");
}

#[test]
fn what_was_not_kept_is_named() {
    let tree = Tree::built("lost");
    fs::remove_file(tree.path("out/config.h")).unwrap();
    tree.assert_not_replayed("now", &["out/config.h` is gone", "a snapshot or an export"]);
    // Nothing is kept that was not what the compile read.
    tree.generate(4);
    assert_eq!(tree.json(&["store", "snapshot", "late"])["inputs"], 1);
    fs::remove_dir_all(tree.path("out")).unwrap();
    tree.assert_not_replayed("late", &["out` is gone", "--map"]);
}

#[test]
fn an_export_holds_them_too() {
    let tree = Tree::built("export");
    let (one, other) = (tree.path("one.lpcc"), tree.path("other.lpcc"));
    assert_eq!(tree.json(&["store", "export", one.to_str().unwrap()])["inputs"], 2);
    succeed(&mut tree.lpcc(&["store", "snapshot", "shipped"]));
    for gone in ["out/config.h", "gen/include/table.h"] {
        fs::remove_file(tree.path(gone)).unwrap();
    }
    let restored = ["out/config.h", "gen/include/table.h"];
    tree.assert_selected(one.to_str().unwrap(), &restored);
    // From a snapshot whose tree is gone the same export is made, and an import is a snapshot again.
    tree.json(&["store", "export", "--recording", "shipped", other.to_str().unwrap()]);
    assert!(fs::read(&one).unwrap() == fs::read(&other).unwrap(), "the same recording gives the same bytes");
    succeed(&mut tree.lpcc(&["store", "import", one.to_str().unwrap(), "imported"]));
    tree.assert_selected("imported", &restored);
}

#[test]
fn later_snapshots_share_them_and_damage_is_found() {
    let tree = Tree::built("share");
    succeed(&mut tree.lpcc(&["store", "snapshot", "one"]));
    for gone in ["out/config.h", "gen/include/table.h"] {
        fs::remove_file(tree.path(gone)).unwrap();
    }
    assert_eq!(
        tree.json(&["store", "snapshot", "two"])["inputs"],
        2,
        "what an earlier snapshot kept is kept"
    );
    let kept: Vec<PathBuf> = contents(&tree.path("store/snapshots/two/inputs")).into_keys().collect();
    let file = kept.iter().find(|file| file.extension().is_some()).unwrap();
    let file = tree.path("store/snapshots/two/inputs").join(file);
    let links = |file: &Path| std::os::unix::fs::MetadataExt::nlink(&file.metadata().unwrap());
    assert_eq!(links(&file), 2);
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let verified = tree.lpcc(&["store", "verify"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("inputs/"), "{verified:?}");
    tree.assert_not_replayed("two", &["is gone"]);
}

#[test]
fn what_git_tracks_is_source() {
    let tree = Tree::built("git");
    let git = |arguments: &[&str]| {
        let mut git = command("git", tree.scratch.path(), &tree.path("store"));
        succeed(git.args(arguments));
    };
    git(&["init", "-q"]);
    git(&["add", "gen"]);
    assert_eq!(tree.json(&["store", "snapshot", "shipped"])["inputs"], 1, "config.h alone");
}
