//! `clones = true`: the compiler's clones dump is kept with the record, and the build never notices.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::path::Path;

use bstr::ByteSlice;
use kit::{Place, run, skip, write_script};
use lpcc::analysis::clones;
use lpcc::policy::Action;
use lpcc::store::record::Record;

const CLONES: &str = "[default]\nclones = true\n";

const SOURCE: &str = "static int g(int x) { return x * 3; }\n\
     __attribute__((noinline)) static int h(int a, int b, int c) { return a * b + 7; }\n\
     int f(int x) { return g(x) + h(x, 3, 4) + h(2 * x, 3, 5); }\n";

fn place(config: &str) -> Place {
    Place::of(&[
        ("t.c", SOURCE),
        ("u.c", "int u(void) { return 2; }\n"),
        ("sub/t.c", SOURCE),
        ("s.S", ".text\n"),
        ("lpcc.toml", config),
    ])
}

/// Compilers of the family that has the dump.
fn gccs() -> Vec<&'static str> {
    let here = |name: &&str| Path::new("/usr/bin").join(name).exists();
    let (found, missing): (Vec<_>, Vec<_>) = ["gcc-12", "gcc-11"].into_iter().partition(here);
    for name in missing {
        skip(name);
    }
    found
}

fn record(place: &Place, output: &str) -> Record {
    let whole = place.tree().join(output);
    let mut records = place.records().into_iter();
    records.find(|record| record.unit.output == whole.to_str().unwrap()).unwrap()
}

#[test]
fn the_dump_is_the_compilers_own_and_the_object_the_same() {
    for compiler in gccs() {
        let place = place(CLONES);
        for args in [
            "-O2 -c t.c",
            "-O2 -g -frecord-gcc-switches -c t.c",
            "-O2 -g -c sub/t.c -o sub/t.o",
            "-O2 -Wall -Wextra -MD -fstack-usage -c t.c",
            "-O2 -g -gsplit-dwarf -c t.c",
            "-O2 -save-temps -c t.c",
            "-O2 -save-temps -fverbose-asm -c t.c",
            "-O2 -flto -frandom-seed=1 -c t.c",
            "-O2 -c t.c sub/t.c",
            "-O2 -c t.c u.c",
            "-O2 -S t.c",
            "-O2 -E t.c",
            "-O2 -fsyntax-only t.c",
            "-O2 -shared -fPIC -Wl,--build-id=none t.c u.c -o t.so",
            "-O2 -fdump-ipa-clones -c t.c",
            "-O2 -fdump-ipa-clones=mine -c t.c",
            "-O2 -c t.c -o /dev/null",
            "-O2 -x c -c /dev/null -o n.o",
            "-O2 -c s.S",
        ] {
            place.assert_like_bare(compiler, args, None);
        }
        place.assert_like_bare(compiler, "-O2 -x c -c - -o z.o", Some(SOURCE.as_bytes()));
        place.assert_like_bare(compiler, "-O2 -x c -c - -o /dev/null", Some(SOURCE.as_bytes()));
        place.assert_like_bare(compiler, "-O2 -x c -S - -o -", Some(SOURCE.as_bytes()));

        let own = place.beside("own");
        let option = format!("-fdump-ipa-clones={}", own.display());
        let bare =
            place.command(Path::new("/usr/bin").join(compiler)).args(["-O2", &option, "-c", "t.c"]).status();
        assert!(bare.unwrap().success());
        assert!(place.call(compiler, "-O2 -c t.c").status.success());
        let kept = record(&place, "t.o");
        assert_eq!(kept.clones.as_ref().unwrap().as_bstr(), std::fs::read(&own).unwrap().as_bstr());
        assert_eq!(kept.call.run, ["-O2", "-c", "t.c"], "the file's name is another each time");
        assert_eq!((kept.decision.action, kept.notes.len()), (Action::Keep, 0));
        let read = clones::parse(kept.clones.as_ref().unwrap());
        let edges: Vec<_> = read
            .edges
            .iter()
            .map(|edge| format!("{} {} {}", edge.from.name, edge.kind, edge.to.name))
            .collect();
        assert_eq!(edges, ["g inlining to f", "h constprop h.constprop.0"], "{compiler}");
        assert!(read.strange.is_empty());
    }
}

#[test]
fn the_same_call_writes_the_same_record() {
    for compiler in gccs() {
        let place = place(CLONES);
        let written = || {
            assert!(place.call(compiler, "-O2 -c t.c").status.success());
            let units = walkdir::WalkDir::new(place.store().join("units")).into_iter().flatten();
            let file = units.into_iter().find(|entry| entry.file_type().is_file()).unwrap();
            std::fs::read(file.path()).unwrap()
        };
        assert_eq!(written(), written());
    }
}

#[test]
fn what_is_left_out_is_said() {
    let place = place(CLONES);
    for compiler in gccs() {
        for (args, output, why) in [
            ("-O2 -c t.c u.c", "u.o", "several sources in one call"),
            ("-O2 -flto -c t.c", "t.o", "into the object with -flto"),
            ("-O2 -fdump-ipa-clones -c t.c", "t.o", "its own `-fdump-ipa-clones`"),
            ("-O2 -fverbose-asm -c t.c", "t.o", "listing"),
        ] {
            assert!(place.call(compiler, args).status.success());
            let record = record(&place, output);
            assert_eq!((record.clones, record.notes.len()), (None, 1), "{compiler} {args}");
            assert!(record.notes[0].contains(why), "{:?}", record.notes);
        }
        assert!(place.call(compiler, "-O2 -shared -fPIC t.c u.c -o t.so").status.success());
        let store = lpcc::store::Store::open(&place.store()).unwrap();
        let recording = lpcc::store::Recording::open(&store, None).unwrap();
        let notes: Vec<_> = recording.notes().map(|note| note.unwrap().reason).collect();
        assert!(notes[0].contains("no object of its own"), "{notes:?}");
    }
    for clang in ["clang-14", "clang-19"] {
        if !Path::new("/usr/bin").join(clang).exists() {
            skip(clang);
            continue;
        }
        place.assert_like_bare(clang, "-O2 -c t.c", None);
        assert!(place.call(clang, "-O2 -c t.c").status.success());
        let record = record(&place, "t.o");
        assert!(record.clones.is_none() && record.notes[0].contains("clang has none"), "{:?}", record.notes);
    }
    if Path::new("/usr/bin/ccache").exists() {
        let mut cached = place.lpcc();
        cached.env("CCACHE_DIR", place.beside("ccache")).args(["ccache", "gcc", "-O2", "-c", "t.c"]);
        assert!(run(&mut cached, None).status.success());
        assert!(record(&place, "t.o").notes[0].contains("behind a launcher"));
    }
}

/// A GCC with quirks, which leaves the work to the real one.
fn fake(place: &Place, name: &str, on_dump: &str) -> String {
    let path = place.beside(name);
    write_script(
        &path,
        &format!(
            "#!/bin/sh\necho \"$@\" >> {log}\ncase \"$*\" in\n*--version*) echo 'gcc (Fake) 9.3.0'; \
             echo 'Copyright (C) Free Software Foundation, Inc.'; exit;;\n*-dumpfullversion*) echo 9.3.0; exit;;\n\
             *-fdump-ipa-clones=/dev/null*) ;;\n*-fdump-ipa-clones=*) {on_dump};;\nesac\nexec /usr/bin/gcc \"$@\"\n",
            log = place.beside("log").display()
        ),
    );
    path.into_os_string().into_string().unwrap()
}

#[test]
fn a_call_that_fails_with_the_option_is_run_without_and_keeps_its_policy() {
    let place = place("[default]\nclones = true\nlive-patching = \"strip\"\n");
    let compiler = fake(&place, "broken/gcc", "echo 'no such dump' >&2; exit 1");
    let output = place.call(&compiler, "-O2 -flive-patching -c t.c");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let kept = record(&place, "t.o");
    assert_eq!((kept.clones, kept.decision.action), (None, Action::Strip));
    assert_eq!(kept.call.run, ["-O2", "-c", "t.c"]);
    assert_eq!(kept.notes, ["clones = true: no dump: the call failed with the option and was run without"]);
    // What fails either way is the build's own.
    place.write("bad.c", "int f(int x) { return y; }\n");
    for compiler in gccs() {
        place.assert_like_bare(compiler, "-Wall -c bad.c", None);
        place.assert_like_bare(compiler, "-c missing.c", None);
    }
}

#[test]
fn a_compiler_that_does_not_know_the_option_is_asked_once() {
    let place = place(CLONES);
    let compiler = place.beside("old/gcc");
    write_script(
        &compiler,
        &format!(
            "#!/bin/sh\necho \"$@\" >> {log}\ncase \"$*\" in *--version*) echo 'Free Software Foundation';; \
             *-dumpfull*) echo 4.6.0;; *-fdump-ipa-clones*) exit 1;; *) exec /usr/bin/gcc \"$@\";; esac\n",
            log = place.beside("log").display()
        ),
    );
    for _ in 0..2 {
        assert!(place.call(compiler.to_str().unwrap(), "-O2 -c t.c").status.success());
    }
    let log = std::fs::read_to_string(place.beside("log")).unwrap();
    assert_eq!(log.matches("-fdump-ipa-clones").count(), 1, "{log}");
    assert!(record(&place, "t.o").notes[0].contains("does not know the option"));
}

#[test]
fn both_wishes_go_together() {
    let place = place("[default]\nclones = true\nlive-patching = \"inline-only-static\"\n");
    place.write(
        "a.c",
        &format!("{SOURCE}__attribute__((optimize(\"ipa-ra\"))) int a(int x) {{ return x; }}\n"),
    );
    for compiler in gccs() {
        assert!(place.call(compiler, "-O2 -c t.c").status.success());
        let kept = record(&place, "t.o");
        assert_eq!(kept.call.run, ["-flive-patching=inline-only-static", "-O2", "-c", "t.c"]);
        let read = clones::parse(kept.clones.as_ref().unwrap());
        assert!(!read.edges.is_empty() && read.edges.iter().all(clones::Edge::is_inlining), "{read:?}");
        // The flag is refused at a function: as written, without either.
        assert!(place.call(compiler, "-O2 -c a.c").status.success());
        let kept = record(&place, "a.o");
        assert_eq!((kept.clones, kept.notes.len()), (None, 2), "{:?}", kept.notes);
    }
}

#[test]
fn rules_and_layers_say_for_which_sources() {
    let place = place("[[rule]]\nsource = \"sub/**\"\nclones = true\n");
    assert!(place.call("gcc", "-O2 -c t.c").status.success());
    assert!(place.call("gcc", "-O2 -c sub/t.c -o sub/t.o").status.success());
    assert!(record(&place, "t.o").clones.is_none() && record(&place, "sub/t.o").clones.is_some());
    assert!(place.call("gcc", "-O2 -D__LPCC_POLICY__=clones=true -c t.c").status.success());
    assert!(record(&place, "t.o").clones.is_some());
    let mut command = place.lpcc();
    command.env("LPCC_POLICY", "clones=false").args(["gcc", "-O2", "-c", "sub/t.c", "-o", "sub/t.o"]);
    assert!(run(&mut command, None).status.success());
    assert!(record(&place, "sub/t.o").clones.is_none());
    let explained = run(place.lpcc().args(["explain", "--", "gcc", "-O2", "-c", "sub/t.c"]), None).stdout;
    assert!(explained.contains_str("clones = true: rule 1, `"), "{}", explained.as_bstr());
}

#[test]
fn dumps_are_exported_kept_and_dropped_with_their_records() {
    let place = place(CLONES);
    for (source, output) in
        [("t.c", "t.o"), ("sub/t.c", "sub/one.o"), ("sub/t.c", "sub/two.o"), ("u.c", "u.o")]
    {
        let args = format!("-O2 -DX{} -c {source} -o {output}", output.len());
        assert!(place.call("gcc", &args).status.success());
    }
    place.write("sub/t.c", &SOURCE.replace("int f", "int f2"));
    assert!(place.call("gcc", "-O2 -c sub/t.c -o sub/two.o").status.success());
    assert!(place.call("gcc", "-O2 -flto -c u.c -o lto.o").status.success());
    let store = |args: &str| run(place.lpcc().arg("store").args(args.split(' ')), None);
    assert!(store("snapshot before").status.success());
    let exported = |args: &str| {
        let _ = std::fs::remove_dir_all(place.beside("out"));
        let out = place.beside("out");
        let output = store(format!("export-clones {} {args}", out.display()).trim_end());
        assert!(output.status.success(), "{output:?}");
        let files = walkdir::WalkDir::new(&out).sort_by_file_name().into_iter().flatten();
        let files = files.filter(|entry| entry.file_type().is_file());
        let names: Vec<_> =
            files.map(|entry| entry.path().strip_prefix(&out).unwrap().display().to_string()).collect();
        (names, output.stdout.to_str_lossy().into_owned())
    };
    let all = [
        "sub/one.c.000i.ipa-clones",
        "sub/two.c.000i.ipa-clones",
        "t.c.000i.ipa-clones",
        "u.c.000i.ipa-clones",
    ];
    let (names, text) = exported("");
    assert_eq!(names, all);
    assert!(text.starts_with("wrote 4 dumps below ") && text.contains("1 unit has none"), "{text}");
    assert!(text.contains("lto.o`: this compiler writes the option"), "{text}");
    let exported_text = std::fs::read_to_string(place.beside("out/t.c.000i.ipa-clones")).unwrap();
    assert_eq!(exported_text, record(&place, "t.o").clones.unwrap().to_string());
    let below = format!("--below {}", place.tree().join("sub").display());
    assert!(exported(&below).0.contains(&"two.c.000i.ipa-clones".to_owned()));

    std::fs::remove_file(place.tree().join("sub/two.o")).unwrap();
    assert!(store("gc").status.success());
    assert_eq!(
        exported("").0,
        ["sub/t.c.000i.ipa-clones", "t.c.000i.ipa-clones", "u.c.000i.ipa-clones"],
        "gone with its record, and the other has the plain name"
    );
    assert_eq!(exported("--recording before").0, all, "the snapshot keeps it");
    assert!(store("verify").status.success());
    // One byte of a dump, which no comparison ever reads.
    let hex = |file: &Path| std::fs::read(file).unwrap().find("Callgraph clone;g");
    let units = walkdir::WalkDir::new(place.store().join("units")).into_iter().flatten();
    let damaged = units
        .filter(|it| it.file_type().is_file())
        .find_map(|it| Some((it.path().to_owned(), hex(it.path())?)));
    let (file, at) = damaged.unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[at] ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let verified = store("verify");
    assert_eq!(verified.status.code(), Some(2), "{verified:?}");
    assert_eq!(store("export-clones out").status.code(), Some(2), "and is not exported as if it were whole");
}

#[test]
fn nothing_to_export_is_said() {
    let place = place("");
    assert!(place.call("gcc", "-O2 -c t.c").status.success());
    let output = run(place.lpcc().args(["store", "export-clones", "out"]), None);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.contains_str("clones = true"), "{}", output.stderr.as_bstr());
    assert!(!place.tree().join("out").exists());
}
