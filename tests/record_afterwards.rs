//! `lpcc record` on builds that were done without lpcc, held against what the wrapper records of the very same build.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod support;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use support::{Scratch, command, compiler, lpcc, succeed};

/// A project of two units, built bare by `compiler_name`; its folder, and its compilation database.
fn project(scratch: &Scratch, compiler_name: &str) {
    let tree = scratch.join("tree dir");
    fs::create_dir_all(tree.join("include")).unwrap();
    let write = |file: &str, text: &str| fs::write(tree.join(file), text).unwrap();
    write("include/a.h", "static inline int twice(int x) { return 2 * x; }\n");
    write(
        "a.c",
        "#include <stdio.h>\n#include \"a.h\"\nint a(int x) { return printf(NAME \"%d\", twice(x)); }\n",
    );
    write("b.c", "int b(int *p) { return p[0] + p[1]; }\n");
    let mut entries = Vec::new();
    for (source, words) in [("a.c", vec!["-Iinclude", "-DNAME=\"x y\""]), ("b.c", vec!["-MD", "-MF", "b.d"])]
    {
        let object = source.replace(".c", ".o");
        let mut all = vec!["-O2", "-g"];
        all.extend(words);
        all.extend(["-c", source, "-o", &object]);
        let mut call = Command::new(compiler(compiler_name));
        succeed(call.args(&all).current_dir(&tree));
        all.insert(0, compiler_name);
        // One entry each way that the format knows.
        entries.push(if source == "a.c" {
            let quoted: Vec<_> =
                all.iter().map(|word| word.replace('"', "\\\"").replace(' ', "\\ ")).collect();
            json!({"directory": tree, "file": source, "command": quoted.join(" ")})
        } else {
            json!({"directory": tree, "file": source, "arguments": all, "output": object})
        });
    }
    write("compile_commands.json", &Value::from(entries).to_string());
}

fn answer(scratch: &Scratch, arguments: &[&str]) -> Value {
    let mut call = command(lpcc(), &scratch.join("tree dir"), &scratch.join("store"));
    call.env_remove("LPCC_STORE").args(arguments).args(["--format", "json"]);
    let output = call.output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn inputs(scratch: &Scratch, store: &str, object: &str) -> Value {
    let mut call = command(lpcc(), &scratch.join("tree dir"), &scratch.join(store));
    let output = succeed(call.args(["store", "dump", object]));
    let dump: Value = serde_json::from_slice(&output.stdout).unwrap();
    dump["inputs"].clone()
}

fn as_the_wrapper_would(compiler_name: &str) {
    let scratch = Scratch::new(&format!("afterwards-{compiler_name}"));
    project(&scratch, compiler_name);
    let told = answer(&scratch, &["record", "--from", "compile_commands.json", "--store", "../told"]);
    assert_eq!((&told["units"], &told["troubles"]), (&2.into(), &json!([])), "{told}");
    assert_eq!(told["partial"], json!([]), "{told}");

    // The same build under the wrapper.
    let tree = scratch.join("tree dir");
    let database = fs::read(tree.join("compile_commands.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_slice(&database).unwrap();
    for entry in &entries {
        let line = match &entry["command"] {
            Value::String(line) => line.clone(),
            _ => entry["arguments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|word| word.as_str().unwrap())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let mut call = command("sh", &tree, &scratch.join("watched"));
        succeed(call.arg("-c").arg(format!("'{}' {line}", lpcc().display())));
    }
    let diff = answer(&scratch, &["diff", "../told", "../watched"]);
    assert_eq!(diff["summary"]["same"], 2, "{diff}");
    for object in ["a.o", "b.o"] {
        let sorted = |store: &str| {
            let mut files: Vec<String> = inputs(&scratch, store, object)["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::to_string)
                .collect();
            files.sort();
            files
        };
        assert_eq!(sorted("told"), sorted("watched"), "{object}");
    }
    // What the wrapper knows of the same bytes is left as it is.
    let again = answer(&scratch, &["record", "--from", "compile_commands.json", "--store", "../watched"]);
    assert_eq!((&again["units"], &again["standing"]), (&0.into(), &2.into()), "{again}");
}

#[test]
fn gcc() {
    as_the_wrapper_would("gcc");
}

#[test]
fn clang() {
    as_the_wrapper_would("clang");
}

/// What cannot be known afterwards is said, and what is known is recorded all the same.
#[test]
fn what_is_not_known_is_said() {
    let scratch = Scratch::new("afterwards-unknown");
    project(&scratch, "gcc");
    let tree = scratch.join("tree dir");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    fs::File::options().append(true).open(tree.join("include/a.h")).unwrap().set_modified(later).unwrap();
    let database = fs::read_to_string(tree.join("compile_commands.json")).unwrap();
    let nowhere = json!({"directory": tree, "file": "c.c", "arguments": ["gcc", "-c", "c.c"]});
    let foreign = json!({"directory": tree, "file": "d.x", "arguments": ["rustc", "d.x"]});
    let without = format!("{},{nowhere},{foreign}]", database.strip_suffix(']').unwrap())
        .replace("\"gcc\"", "\"elsewhere-gcc\"");
    fs::write(tree.join("compile_commands.json"), without).unwrap();
    let told = answer(&scratch, &["record", "--from", "compile_commands.json"]);
    assert_eq!((&told["units"], &told["gone"]), (&2.into(), &1.into()), "{told}");
    let text = told.to_string();
    for said in [
        "`elsewhere-gcc`",
        "changed after the object was made: `include/a.h`",
        "calls no compiler that is known",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // The store is the build's own.
    assert!(tree.join(".lpcc/store.version").is_file());
    let files = inputs(&scratch, "tree dir/.lpcc", "a.o");
    assert!(
        files["files"]
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["path"] == "include/a.h" && file["hash"].is_null()),
        "{files}"
    );

    // Objects alone.
    fs::create_dir(scratch.join("alone")).unwrap();
    fs::copy(tree.join("a.o"), scratch.join("alone/a.o")).unwrap();
    let alone = answer(&scratch, &["record", "../alone"]);
    assert_eq!((&alone["alone"], &alone["units"]), (&1.into(), &0.into()), "{alone}");
    assert!(alone["partial"][0]["text"].as_str().unwrap().starts_with("no call is known"), "{alone}");
    let mut select = command(lpcc(), &tree, &scratch.join("alone/.lpcc"));
    let patch = "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n #include <stdio.h>\n #include \"a.h\"\n-int a(int x) { return printf(NAME \"%d\", twice(x)); }\n+int a(int x) { return printf(NAME \"%i\", twice(x)); }\n";
    fs::write(tree.join("fix.patch"), patch).unwrap();
    let output = select.args(["select", "--patch", "fix.patch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no call is known"), "{output:?}");
}
