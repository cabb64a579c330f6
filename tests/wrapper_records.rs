//! What a record says: call, inputs with their hashes, compiler, directory, environment.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails to set up fails"
)]

mod kit;

use bstr::{BString, ByteSlice};
use kit::{Place, compilers, run};
use lpcc::argv::Language;
use lpcc::object::Hash;
use lpcc::store::record::{Completeness, Family, Record};
use lpcc::store::{Recording, Store, Want};

fn place() -> Place {
    Place::of(&[
        ("t.h", "#define T 1\n#include \"deep.h\"\n"),
        ("deep.h", "#define DEEP 1\n"),
        ("t.c", "#include <stddef.h>\n#include \"t.h\"\nint t(void) { return T; }\n"),
        ("u.c", "#include \"deep.h\"\nint u;\n"),
    ])
}

/// The records of one call.
fn records(place: &Place, compiler: &str, args: &[&str], stdin: Option<&str>) -> Vec<Record> {
    let _ = std::fs::remove_dir_all(place.store());
    let output = run(place.lpcc().arg(compiler).args(args), stdin.map(str::as_bytes));
    assert!(output.status.success(), "{output:?}");
    place.records()
}

/// Inputs that lie in the tree.
fn own_inputs(record: &Record) -> Vec<BString> {
    let paths = record.inputs.files.iter().map(|input| input.path.as_bstr());
    let own = paths.filter(|path| !path.starts_with(b"/"));
    own.map(|path| BString::from(path.strip_prefix(b"./").unwrap_or(path))).collect()
}

fn has_system_header(record: &Record) -> bool {
    record.inputs.files.iter().any(|input| input.path.ends_with(b"/stddef.h"))
}

fn assert_partial(record: &Record, reason: &str) {
    match &record.inputs.completeness {
        Completeness::Partial(found) => assert!(found.contains(reason), "{found}"),
        Completeness::Full => panic!("full, not partial: {reason}"),
    }
}

#[test]
fn inputs_are_learned_without_being_asked_for() {
    let place = place();
    for compiler in compilers() {
        for extra in [vec![], vec!["-save-temps"], vec!["-frecord-gcc-switches"]] {
            let args: Vec<&str> = ["-c", "t.c"].into_iter().chain(extra).collect();
            let record = records(&place, compiler, &args, None).remove(0);
            assert_eq!(record.inputs.completeness, Completeness::Full, "{compiler} {args:?}");
            let mut own = own_inputs(&record);
            assert_eq!(own.remove(0), "t.c", "{compiler}: the source comes first");
            own.sort();
            assert_eq!(own, ["deep.h", "t.h"], "{compiler} {args:?}");
            assert!(has_system_header(&record), "{compiler}");
            for input in &record.inputs.files {
                let path = place.tree().join(input.path.to_path().unwrap());
                assert_eq!(input.hash, Some(Hash::of(&std::fs::read(path).unwrap())), "{}", input.path);
            }
        }
    }
}

/// A store, a source and a header whose paths hold spaces: what an environment variable or a list separated by spaces
/// would cut.
#[test]
fn inputs_whose_paths_hold_spaces() {
    let place = Place::new();
    place.write("a folder/a b.c", "#include <stddef.h>\n#include \"c d.h\"\nint t(void) { return T; }\n");
    place.write("a folder/c d.h", "#define T 1\n");
    for compiler in compilers() {
        let folder = place.tree().join("a folder");
        let store = folder.join(format!("st ore {}", compiler.len()));
        let mut call = place.lpcc();
        call.current_dir(&folder).env("LPCC_STORE", &store).args([compiler, "-c", "a b.c", "-o", "x y.o"]);
        assert!(run(&mut call, None).status.success());
        let recording = Recording::open(&Store::open(&store).unwrap(), None).unwrap();
        let unit = recording.units().next().unwrap().unwrap();
        let record = unit.record.record(Want::Everything).unwrap();
        assert_eq!(record.inputs.completeness, Completeness::Full, "{compiler}");
        assert_eq!(own_inputs(&record), ["a b.c", "c d.h"], "{compiler}");
        assert!(has_system_header(&record), "{compiler}");
    }
}

#[test]
fn inputs_from_the_dependency_file_of_the_build() {
    let place = place();
    for compiler in compilers() {
        let full: &[&[&str]] = &[
            &["-MD", "-c", "t.c"],
            &["-MT", "x", "-MD", "-MP", "-MF", "dep", "-c", "t.c"],
            &["-Wp,-MD,.t.o.d", "-c", "t.c"],
        ];
        for args in full {
            let record = records(&place, compiler, args, None).remove(0);
            assert_eq!(record.inputs.completeness, Completeness::Full, "{compiler} {args:?}");
            assert!(has_system_header(&record));
            assert_eq!(own_inputs(&record), ["t.c", "t.h", "deep.h"]);
        }
        let record = records(&place, compiler, &["-MMD", "-c", "t.c"], None).remove(0);
        assert_partial(&record, "-MMD");
        assert_eq!(own_inputs(&record), ["t.c", "t.h", "deep.h"]);
        let record = records(&place, compiler, &["-MD", "-MF", "/dev/null", "-c", "t.c"], None).remove(0);
        assert_partial(&record, "dependency file");
        assert_eq!(own_inputs(&record), ["t.c"]);
    }
}

#[test]
fn several_sources_are_several_units() {
    let place = place();
    for compiler in compilers() {
        let found = records(&place, compiler, &["-c", "t.c", "u.c"], None);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].unit.source, "u.c");
        if compiler.contains("gcc") {
            assert_eq!(own_inputs(&found[0]), ["t.c", "t.h", "deep.h"]);
            assert_eq!(own_inputs(&found[1]), ["u.c", "deep.h"]);
        } else {
            assert_partial(&found[0], "several sources");
        }
    }
}

#[test]
fn standard_input_is_an_input() {
    let place = place();
    let text = "#include \"deep.h\"\nint s = DEEP;\n";
    for compiler in compilers() {
        let record = records(&place, compiler, &["-x", "c", "-c", "-", "-o", "s.o"], Some(text)).remove(0);
        assert_eq!(record.inputs.files[0].path, "-");
        assert_eq!(record.inputs.files[0].hash, Some(Hash::of(text.as_bytes())));
        assert!(own_inputs(&record).contains(&BString::from("deep.h")));
    }
}

#[test]
fn what_an_assembler_reads_is_not_known() {
    let place = place();
    place.write("a.S", "#include \"deep.h\"\n.data\n.incbin \"t.h\"\n");
    for compiler in compilers() {
        let record = records(&place, compiler, &["-c", "a.S"], None).remove(0);
        assert_eq!(record.unit.language, Language::Assembler);
        assert_partial(&record, ".incbin");
        assert_eq!(own_inputs(&record), ["a.S", "deep.h"]);
    }
}

#[test]
fn the_compiler_is_identified() {
    let place = place();
    let record = records(&place, "gcc-12", &["-c", "t.c"], None).remove(0);
    let compiler = &record.compiler;
    assert_eq!((compiler.family, compiler.path.as_bstr()), (Family::Gcc, b"/usr/bin/gcc-12".as_bstr()));
    assert!(compiler.version.starts_with("12."), "{}", compiler.version);
    assert!(compiler.target.contains("linux"), "{}", compiler.target);
    let names: Vec<&[u8]> =
        compiler.programs.iter().map(|(path, _)| path.rsplit_str("/").next().unwrap()).collect();
    assert_eq!(names, [&b"gcc-12"[..], b"cc1", b"as"]);
    let driver = std::fs::read("/usr/bin/gcc-12").unwrap();
    assert_eq!(compiler.programs[0].1, Hash::of(&driver));
    place.write("x.cc", "int x;\n");
    let record = records(&place, "g++-12", &["-c", "x.cc"], None).remove(0);
    assert!(record.compiler.programs[1].0.ends_with(b"/cc1plus"));
    if compilers().contains(&"/usr/bin/clang-14") {
        let record = records(&place, "clang-14", &["-c", "t.c"], None).remove(0);
        assert_eq!((record.compiler.family, record.compiler.version.as_str()), (Family::Clang, "14.0.6"));
    }
}

#[test]
fn the_call_is_kept() {
    let place = place();
    place.write("outer.rsp", "@inner.rsp '-DQ=a b'\n");
    place.write("inner.rsp", "-O2\n");
    std::fs::create_dir(place.tree().join("out")).unwrap();
    let mut command = place.lpcc();
    command.args(["gcc-12", "@outer.rsp", "-D__LPCC_POLICY__=keep", "-c", "t.c", "-o", "./out/../out/t.o"]);
    command.env("SOURCE_DATE_EPOCH", "7").env("SECRET_TOKEN", "hush").env("CPATH", "/tmp");
    assert!(run(&mut command, None).status.success());
    let record = place.records().remove(0);
    let tree = place.tree();
    let absolute = |name: &str| BString::from(tree.join(name).into_os_string().into_encoded_bytes());
    assert_eq!(record.unit.output, absolute("out/t.o"));
    assert_eq!(record.call.directory, absolute("").trim_end_with(|c| c == '/').as_bstr());
    assert_eq!(record.call.given[1], "-D__LPCC_POLICY__=keep");
    assert_eq!(record.call.run, ["@outer.rsp", "-c", "t.c", "-o", "./out/../out/t.o"]);
    let files: Vec<&[u8]> = record.call.response_files.iter().map(|(name, _)| name.as_slice()).collect();
    assert_eq!(files, [&b"outer.rsp"[..], b"inner.rsp"]);
    assert!(record.call.environment.contains(&("SOURCE_DATE_EPOCH".into(), "7".into())));
    assert!(record.call.environment.contains(&("CPATH".into(), "/tmp".into())));
    assert!(!format!("{record:?}").contains("hush"), "a secret was kept");
    let object = std::fs::read(tree.join("out/t.o")).unwrap();
    assert_eq!(record.variants[0].hash, Hash::of(&object));
    assert_eq!(record.variants[0].size, object.len() as u64);
}

#[test]
fn the_same_build_gives_the_same_records() {
    let place = place();
    let one = records(&place, "gcc-12", &["-O2", "-g", "-c", "t.c", "u.c"], None);
    let other = records(&place, "gcc-12", &["-O2", "-g", "-c", "t.c", "u.c"], None);
    assert!(one == other);
}

#[test]
fn a_link_is_recorded_lightly() {
    let place = place();
    place.write("main.c", "int t(void); int main(void) { return t() - 1; }\n");
    assert!(run(place.lpcc().args(["gcc-12", "-c", "t.c"]), None).status.success());
    let mut command = place.lpcc();
    command.args(["gcc-12", "main.c", "t.o", "-lm", "-o", "prog", "-Wl,--build-id=0xabcd"]);
    assert!(run(&mut command, None).status.success());
    let store = Store::open(&place.store()).unwrap();
    let recording = Recording::open(&store, None).unwrap();
    let link = recording.find_link(&place.tree().join("prog")).unwrap().unwrap();
    assert_eq!(link.build_id, Some(BString::from(&b"\xab\xcd"[..])));
    assert_eq!(link.inputs, ["t.o", "-lm"]);
    assert_eq!(link.without_object, ["main.c"]);
    assert_eq!(link.hash, Some(Hash::of(&std::fs::read(place.tree().join("prog")).unwrap())));
    assert_eq!(place.records().len(), 1);
}

#[test]
fn names_are_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let place = place();
    let odd = std::ffi::OsStr::from_bytes(b"a b\n\xff'$x.c");
    std::fs::write(place.tree().join(odd), "#include \"deep.h\"\nint odd;\n").unwrap();
    for compiler in compilers() {
        let _ = std::fs::remove_dir_all(place.store());
        let output = std::ffi::OsStr::from_bytes(b"o \n\xfe.o");
        assert!(
            run(place.lpcc().arg(compiler).arg("-c").arg(odd).arg("-o").arg(output), None).status.success()
        );
        let record = place.records().remove(0);
        assert_eq!(record.unit.source, odd.as_bytes());
        assert!(record.unit.output.ends_with(b"/o \n\xfe.o"));
        assert!(record.inputs.files[0].hash.is_some());
        assert!(own_inputs(&record).contains(&BString::from("deep.h")), "{compiler}");
    }
}
