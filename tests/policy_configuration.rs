//! What the configuration names besides rules: the compiler and the store, below the environment and above the usual.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bstr::ByteSlice;
use kit::{LPCC, Place, run, write_script};
use lpcc::store::{Recording, Store};

fn place(config: &str) -> Place {
    let place = Place::new();
    place.write("t.c", "int f(int x) { return x + 1; }\n");
    place.write("sub/t.c", "int f(int x) { return x + 1; }\n");
    place.write("lpcc.toml", config);
    for name in ["one/gcc", "two/gcc", "three/g++"] {
        write_script(&place.beside(name), "#!/bin/sh\nexec /usr/bin/gcc \"$@\"\n");
    }
    place
}

/// A command in the tree without a store in its environment.
fn bare(place: &Place, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = place.command(program);
    command.env_remove("LPCC_STORE").env("HOME", place.beside("home"));
    command
}

fn units(store: &Path) -> usize {
    Store::open(store).map_or(0, |store| Recording::open(&store, None).unwrap().units().count())
}

#[test]
fn the_compiler_of_the_configuration() {
    let place = place("");
    let (one, two, three) = (place.beside("one/gcc"), place.beside("two/gcc"), place.beside("three/g++"));
    place.write("lpcc.toml", &format!("cc = \"{} -DX\"\ncxx = \"'{}'\"\n", one.display(), three.display()));
    let ran = |command: &mut Command| {
        let output = run(command.args(["-c", "t.c"]), None);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let record = place.records().remove(0);
        let run: Vec<_> = record.call.run.iter().map(ToString::to_string).collect();
        (record.compiler.path.to_string(), run.join(" "))
    };
    let text = |path: &Path| path.display().to_string();
    assert_eq!(ran(&mut place.lpcc()), (text(&one), "-DX -c t.c".into()));
    assert_eq!(
        ran(place.lpcc().env("LPCC_CC", &two)),
        (text(&two), "-c t.c".into()),
        "the environment is above it"
    );
    assert_eq!(ran(place.lpcc().arg("gcc-12")).0, "/usr/bin/gcc-12", "what the call names is above both");
    let shims = place.shim("lpcc++");
    assert_eq!(ran(&mut place.command(shims.join("lpcc++"))).0, text(&three));
    let doctor = run(place.lpcc().arg("doctor"), None).stdout;
    assert!(doctor.contains_str(format!("{} -DX, of the configuration, stands in for cc", one.display())));
    let explained = run(place.lpcc().args(["explain", "--", "-c", "t.c"]), None).stdout;
    assert!(explained.contains_str(format!("{} -DX -c t.c", one.display())), "{}", explained.as_bstr());

    place.write("lpcc.toml", "cc = \"lpcc gcc-12\"\n");
    assert_eq!(ran(&mut place.lpcc()).0, "/usr/bin/gcc-12", "never itself");
    place.write("lpcc.toml", "cc = \"gcc-none\"\n");
    let output = run(place.lpcc().args(["-c", "t.c"]), None);
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr.as_bstr());
    // Neither a faulty file names one, nor one that others may write to.
    place.write("lpcc.toml", &format!("cc = \"{}\"\nccx = 1\n", one.display()));
    assert_eq!(ran(&mut place.lpcc()).0, "/usr/bin/cc");
    place.write("lpcc.toml", &format!("cc = \"{}\"\n", one.display()));
    let file = place.tree().join("lpcc.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(ran(&mut place.lpcc()).0, "/usr/bin/cc");
}

#[test]
fn the_store_of_the_configuration() {
    let place = place("store = \"../records\"\n");
    std::fs::create_dir(place.tree().join(".lpcc")).unwrap();
    let compile = |command: &mut Command, folder: &str| {
        let output = run(command.current_dir(place.tree().join(folder)).args(["gcc", "-c", "t.c"]), None);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    };
    // From the file's directory, wherever the call is made; above the nearest `.lpcc`.
    compile(&mut bare(&place, LPCC), "sub");
    compile(&mut bare(&place, LPCC), "");
    let records = place.beside("records");
    assert_eq!(units(&records), 2);
    assert_eq!(units(&place.tree().join(".lpcc")), 0);
    // The environment is above it.
    compile(&mut place.lpcc(), "");
    assert_eq!((units(&place.store()), units(&records)), (1, 2));
    // The commands ask the same one, and `run` records into it.
    let mut list = bare(&place, LPCC);
    let text = run(list.current_dir(place.tree().join("sub")).args(["store", "list"]), None).stdout;
    assert!(
        text.contains_str(records.as_os_str().as_encoded_bytes()) && text.contains_str("2 units"),
        "{}",
        text.as_bstr()
    );
    let build =
        run(bare(&place, LPCC).args(["run", "--name", "all", "--", "gcc", "-c", "t.c", "-o", "r.o"]), None);
    assert!(build.status.success(), "{build:?}");
    assert_eq!(units(&records), 3);
    let diff = run(bare(&place, LPCC).args(["diff", "all", "now"]), None);
    assert_eq!(diff.status.code(), Some(0), "{diff:?}");
    // Without it, the nearest `.lpcc`.
    place.write("lpcc.toml", "");
    compile(&mut bare(&place, LPCC), "sub");
    assert_eq!(units(&place.tree().join(".lpcc")), 1);
}
