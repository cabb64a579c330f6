//! `lpcc audit` where the debug information lies elsewhere: in a `.dwo`, in what `dwz` shares, in a stripped file, in a package.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails to set up fails"
)]

mod kit;

use bstr::ByteSlice;
use kit::{Place, have, run};

fn place() -> Place {
    Place::of(&[
        ("a.c", "static int g(int x) { return x * 3; }\nint f(int x) { return g(x) + 1; }\n"),
        ("b.c", "int u(void) { return 2; }\n"),
    ])
}

/// `object state evidence` of each unit, and the notes.
fn audit(place: &Place, paths: &[&str]) -> (Vec<String>, String) {
    let output = run(place.lpcc().args(["audit", "--format", "json"]).args(paths), None);
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let (mut units, mut notes) = (Vec::new(), Vec::new());
    for object in answer["objects"].as_array().unwrap() {
        for unit in object["units"].as_array().unwrap() {
            let text = |key: &str| unit[key].as_str().unwrap_or_default();
            let name = object["object"].as_str().unwrap();
            units.push(format!("{name} {} {} {}", text("name"), text("state"), text("evidence")));
        }
        notes.extend(object["notes"].as_array().into_iter().flatten().map(ToString::to_string));
    }
    notes.extend(answer["troubles"].as_array().unwrap().iter().map(ToString::to_string));
    (units, notes.join("\n"))
}

#[test]
fn split_debug_information() {
    let place = place();
    place.shell(
        "mkdir o; gcc-12 -g -gsplit-dwarf -O2 -flive-patching -c a.c -o o/a.o
         gcc-12 -g -gdwarf-4 -gsplit-dwarf -O2 -c b.c -o o/b.o; gcc-12 -shared -o s.so o/a.o o/b.o",
    );
    let there = "DW_AT_producer in the .dwo";
    let (units, notes) = audit(&place, &["o/a.o", "o/a.dwo", "s.so"]);
    assert_eq!(
        units,
        [
            format!("o/a.o a.c inline-clone {there}"),
            "o/a.dwo a.c inline-clone DW_AT_producer".into(),
            format!("s.so a.c inline-clone {there}"),
            format!("s.so b.c none {there}"),
        ]
    );
    assert_eq!(notes, "");
    // That of another build is not taken; what is lacking is said.
    place.shell("gcc-12 -g -gsplit-dwarf -O2 -c b.c -o o/x.o; cp o/x.dwo o/a.dwo; rm o/b.dwo");
    let (units, notes) = audit(&place, &["s.so"]);
    assert_eq!(units, ["s.so  unknown nothing", "s.so  unknown nothing"]);
    assert!(notes.contains("`o/a.dwo` is not the split debug information of this build"), "{notes}");
    assert!(notes.contains("`o/b.dwo`, is not here"), "{notes}");
}

#[test]
fn debug_information_that_dwz_shares() {
    if !have("dwz") {
        return;
    }
    let place = place();
    place.shell("gcc-12 -g -O2 -flive-patching -c a.c; gcc-12 -g -O2 -c b.c
         gcc-12 -shared -o x.so a.o b.o; cp x.so y.so; cp x.so alone.so; dwz alone.so; dwz -m shared.dwz x.so y.so",
    );
    let expected = |name: &str| {
        [format!("{name} a.c inline-clone DW_AT_producer"), format!("{name} b.c none DW_AT_producer")]
    };
    assert_eq!(audit(&place, &["alone.so"]).0, expected("alone.so"));
    assert_eq!(audit(&place, &["x.so"]), (expected("x.so").to_vec(), String::new()));
    place.shell("rm shared.dwz");
    let (units, notes) = audit(&place, &["x.so"]);
    assert_eq!(units, ["x.so a.c unknown nothing", "x.so b.c unknown nothing"]);
    assert!(notes.contains("shared in `shared.dwz`, which is not here"), "{notes}");
}

#[test]
fn debug_information_that_was_stripped_and_packaged() {
    let place = place();
    // With a build id and without: found by it, or by the checksum.
    place.shell(
        "gcc-12 -g -O2 -flive-patching -c a.c; gcc-12 -g -O2 -c b.c
         for id in sha1 none; do
           gcc-12 -shared -Wl,--build-id=$id -o $id.full a.o b.o; objcopy --only-keep-debug $id.full $id.debug
           objcopy --strip-debug --add-gnu-debuglink=$id.debug $id.full $id.so
         done",
    );
    for name in ["sha1", "none"] {
        let (units, notes) = audit(&place, &[&format!("{name}.so")]);
        let there = "DW_AT_producer in the debug file";
        assert_eq!(
            units,
            [format!("{name}.so a.c inline-clone {there}"), format!("{name}.so b.c none {there}")],
            "{notes}"
        );
        // The debug file of another build.
        place.shell(&format!(
            "gcc-12 -g -shared -o other.so b.o; objcopy --only-keep-debug other.so {name}.debug"
        ));
        let (units, notes) = audit(&place, &[&format!("{name}.so")]);
        assert_eq!(units, [format!("{name}.so  unknown nothing")]);
        assert!(notes.contains(&format!("`{name}.debug`, which is not here")), "{notes}");
    }
    if have("dpkg-deb") {
        place.shell("mkdir -p p/DEBIAN p/usr/lib/debug/.build-id/aa; objcopy --only-keep-debug sha1.full p/usr/lib/debug/.build-id/aa/b.debug
             printf 'Package: x-dbgsym\\nVersion: 1\\nArchitecture: amd64\\nMaintainer: x <x@x>\\nDescription: x\\n' >p/DEBIAN/control
             dpkg-deb --root-owner-group -b p x-dbgsym.deb; head -c 500 x-dbgsym.deb >cut.deb",
        );
        let (units, _) = audit(&place, &["x-dbgsym.deb"]);
        let name = "x-dbgsym.deb(usr/lib/debug/.build-id/aa/b.debug)";
        assert_eq!(
            units,
            [format!("{name} a.c inline-clone DW_AT_producer"), format!("{name} b.c none DW_AT_producer")]
        );
        let cut = run(place.lpcc().args(["audit", "cut.deb"]), None);
        assert_eq!(cut.status.code(), Some(2), "{cut:?}");
        assert!(cut.stderr.contains_str("hint: install `dpkg-deb`"), "{}", cut.stderr.as_bstr());
    }
    if have("rpmbuild") && have("rpm2cpio") && have("cpio") {
        place.shell("printf 'Name: x\\nVersion: 1\\nRelease: 1\\nSummary: x\\nLicense: x\\n%%description\\nx\\n%%install\\ninstall -D sha1.full %%{buildroot}/usr/lib/debug/x.debug\\n%%files\\n/usr/lib/debug/x.debug\\n' >x.spec
             sed -i \"s| sha1| $PWD/sha1|\" x.spec
             HOME=$PWD rpmbuild -bb --define \"_topdir $PWD/r\" --define '__spec_install_post %{nil}' --define 'debug_package %{nil}' x.spec >log 2>&1 || { cat log; exit 1; }
             cp r/RPMS/*/x-1-1.*.rpm x.rpm",
        );
        let (units, notes) = audit(&place, &["x.rpm"]);
        assert_eq!(units.len(), 2, "{notes}");
        assert_eq!(units[0], "x.rpm(usr/lib/debug/x.debug) a.c inline-clone DW_AT_producer");
    }
}

#[test]
fn what_holds_no_object_is_trouble() {
    let place = place();
    place.shell("echo x >x.txt; ar rc empty.a x.txt");
    let output = run(place.lpcc().args(["audit", "empty.a"]), None);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.contains_str("no objects in it"), "{}", output.stderr.as_bstr());
}
