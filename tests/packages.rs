//! Packages: of others, built with shims in the way and found identical; and lpcc's own, built, installed and run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod kit;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use kit::{LPCC, Place, have, is_root, run, skip};
use lpcc::store::Recording;

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What a command said, which must succeed.
#[track_caller]
fn said(command: &mut Command) -> String {
    let output = run(command, None);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Three packages of Debian's, quick ones; `scripts/debian` without arguments builds all.
#[test]
fn debian_packages_are_identical() {
    if !have("dh") {
        return;
    }
    if !is_root() {
        return skip("only root may install build dependencies, and build as nobody");
    }
    let mut script = Command::new(here("scripts/debian"));
    script.args(["bzip2", "bzip2-by-path", "perl-xs"]).env("LPCC", LPCC);
    let output = run(&mut script, None);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
    #[allow(clippy::disallowed_methods, reason = "a switch of the test suite, not of lpcc")]
    let required = std::env::var_os("LPCC_REQUIRE_SOURCES").is_some();
    if !required && trouble.contains("fetch-source: cannot fetch") {
        return skip(&trouble);
    }
    assert!(output.status.success(), "{told}{trouble}");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    for line in &lines {
        assert!(line.contains("identical"), "{told}");
    }
    let by_path = lines.iter().find(|line| line.starts_with("bzip2-by-path")).unwrap();
    assert!(by_path.contains(" 0 recorded, said as not seen"), "{told}");
}

const MAKEFILE: &str = "all: program\nprogram: a.o b.o\n\tgcc $(CFLAGS) $(LDFLAGS) -o program a.o b.o\n\
    %.o: %.c\n\tgcc $(CPPFLAGS) $(CFLAGS) -c -o $@ $<\n\
    install:\n\tinstall -D program $(DESTDIR)/usr/bin/lpcc-test-program\nclean:\n\trm -f *.o program\n";
const SOURCES: [(&str, &str); 3] = [
    ("Makefile", MAKEFILE),
    ("a.c", "int f(int);\nint main(void) { return f(0); }\n"),
    ("b.c", "int f(int x) { return x * 3; }\n"),
];

/// A directory to stand first on PATH, with lpcc in it.
fn program_folder(place: &Place) -> PathBuf {
    let folder = place.beside("bin");
    fs::create_dir_all(&folder).unwrap();
    symlink(LPCC, folder.join("lpcc")).unwrap();
    folder
}

fn path(first: &Path) -> String {
    format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", first.display())
}

/// The objects that an export holds, by their names.
#[track_caller]
fn exported(file: &Path) -> Vec<String> {
    let recording = Recording::open_export(file).unwrap().unwrap_or_else(|| panic!("{}", file.display()));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    recording.units().map(|unit| name(unit.unwrap().output())).collect()
}

#[test]
fn the_debhelper_sequence_and_the_hook() {
    if !have("dh") {
        return;
    }
    let place = Place::of(&SOURCES);
    place.write("debian/control", "Source: lpcc-test\nSection: devel\nPriority: optional\nMaintainer: A <a@b.invalid>\nBuild-Depends: debhelper-compat (= 13)\nRules-Requires-Root: no\n\nPackage: lpcc-test\nArchitecture: any\nDepends: ${shlibs:Depends}\nDescription: test\n test\n");
    place.write("debian/changelog", "lpcc-test (2:1.0-1) unstable; urgency=low\n\n  * Test.\n\n -- A <a@b.invalid>  Wed, 01 Jan 2025 00:00:00 +0000\n");
    place.write("debian/source/format", "3.0 (quilt)\n");
    place.write("debian/rules", "#!/usr/bin/make -f\n%:\n\tdh $@\n");
    fs::set_permissions(place.tree().join("debian/rules"), fs::Permissions::from_mode(0o755)).unwrap();
    let folder = program_folder(&place);
    symlink(here("shims/debian/dh_lpcc"), folder.join("dh_lpcc")).unwrap();
    let sequences = place.beside("perl/Debian/Debhelper/Sequence");
    fs::create_dir_all(&sequences).unwrap();
    symlink(here("shims/debian/lpcc.pm"), sequences.join("lpcc.pm")).unwrap();
    let build = |addon: &[(&str, &str)]| {
        let mut build = place.command("dpkg-buildpackage");
        build.args(["-b", "-uc", "-us"]).env("PATH", path(&folder)).env("HOME", "/nonexistent");
        build.env("PERL5LIB", place.beside("perl")).env_remove("LPCC_STORE").envs(addon.iter().copied());
        said(&mut build);
        let arch = said(Command::new("dpkg").arg("--print-architecture"));
        fs::read(place.beside(&format!("lpcc-test_1.0-1_{}.deb", arch.trim()))).unwrap()
    };
    let bare = build(&[]);
    let file = fs::read_dir(place.beside("."))
        .unwrap()
        .flatten()
        .find(|it| it.path().extension().is_some_and(|it| it == "lpcc"));
    assert!(file.is_none(), "off, it is not there");
    assert!(build(&[("DH_EXTRA_ADDONS", "lpcc")]) == bare, "the package is the same");
    let mut files = fs::read_dir(place.beside(".")).unwrap().flatten().map(|entry| entry.path());
    let file = files.find(|path| path.extension().is_some_and(|it| it == "lpcc")).unwrap();
    assert!(
        file.file_name().unwrap().to_str().unwrap().starts_with("lpcc-test_1.0-1_"),
        "{}",
        file.display()
    );
    assert_eq!(exported(&file), ["a.o", "b.o"]);
    let changes = files_ending(&place.beside("."), "changes").pop().unwrap();
    let changes = fs::read_to_string(changes).unwrap();
    assert!(changes.contains(file.file_name().unwrap().to_str().unwrap()), "{changes}");
    let first = fs::read(&file).unwrap();
    build(&[("DH_EXTRA_ADDONS", "lpcc")]);
    assert!(fs::read(&file).unwrap() == first, "two builds export the same bytes");

    // Without debhelper's help, as in a builder's chroot: shims first on PATH, and the hook of dpkg-buildpackage.
    fs::remove_file(&file).unwrap();
    let configuration = place.beside("configuration");
    fs::create_dir_all(configuration.join("dpkg")).unwrap();
    symlink(here("shims/debian/buildpackage.conf"), configuration.join("dpkg/buildpackage.conf")).unwrap();
    symlink(LPCC, folder.join("gcc")).unwrap();
    let store = place.beside("hook-store");
    let hooked = build(&[
        ("XDG_CONFIG_HOME", configuration.to_str().unwrap()),
        ("LPCC_STORE", store.to_str().unwrap()),
    ]);
    assert!(hooked == bare, "the package is the same");
    assert_eq!(exported(&file), ["a.o", "b.o"]);
    assert!(
        fs::read_to_string(files_ending(&place.beside("."), "changes").pop().unwrap())
            .unwrap()
            .contains(".lpcc")
    );
    // Nothing recorded is no failed build.
    let nothing = place.beside("no-store");
    fs::remove_file(folder.join("gcc")).unwrap();
    build(&[("XDG_CONFIG_HOME", configuration.to_str().unwrap()), ("LPCC_STORE", nothing.to_str().unwrap())]);
}

fn files_ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.path().extension().is_some_and(|it| it == ending) {
            found.push(entry.into_path());
        }
    }
    found
}

#[test]
fn the_rpm_macros() {
    if !have("rpmbuild") {
        return;
    }
    let place = Place::of(&SOURCES);
    let folder = program_folder(&place);
    let spec = "Name: lpcc-test\nVersion: 1.0\nRelease: 1\nSummary: test\nLicense: MIT\n\
        %global debug_package %{nil}\n%description\ntest\n%prep\nmkdir -p work\ncp %{_sources}/* work\n\
        %build\ncd work\nmake CFLAGS=-O2\n%install\ncd work\nmake install DESTDIR=%{buildroot}\n%files\n/usr/bin/lpcc-test-program\n";
    fs::write(place.beside("test.spec"), spec).unwrap();
    let build = |top: &str, macros: bool| {
        let mut build = place.command("rpmbuild");
        build.args(["-bb", "--define"]).arg(format!("_topdir {}", place.beside("top").display()));
        build.arg("--define").arg(format!("_sources {}", place.tree().display()));
        build.arg("--define").arg(format!("_rpmdir {}", place.beside(top).display()));
        // Else rpm makes the home that is not there, where it may.
        build.arg("--define").arg(format!("_dbpath {}", place.beside("db").display()));
        if macros {
            build.arg("--load").arg(here("shims/rpm/macros.lpcc"));
            // The package puts lpcc into %{_bindir}; here it lies elsewhere.
            build.arg("--define").arg(format!("_lpcc {}", folder.join("lpcc").display()));
        }
        build.env("HOME", "/nonexistent").env_remove("LPCC_STORE").env("SOURCE_DATE_EPOCH", "1735689600");
        said(build.arg(place.beside("test.spec")));
        let package = files_ending(&place.beside(top), "rpm").pop().unwrap();
        let mut unpack = place.command("sh");
        said(
            unpack
                .args(["-c", "rpm2cpio \"$1\" | cpio -i --quiet --to-stdout './usr/bin/*' | md5sum", "sh"])
                .arg(package),
        )
    };
    let bare = build("bare", false);
    assert_eq!(build("ours", true), bare, "the program is the same");
    let export = files_ending(&place.beside("ours"), "lpcc").pop().unwrap();
    assert!(
        export.file_name().unwrap().to_str().unwrap().starts_with("lpcc-test-1.0-1."),
        "{}",
        export.display()
    );
    assert_eq!(exported(&export), ["a.o", "b.o"]);
}

/// What sbuild and mock do: a chroot, another user, an environment of their own. There are the shims in /usr/local/bin, the
/// configuration in /etc, and the marker in the flags.
#[test]
fn in_a_chroot_without_environment() {
    if !is_root() {
        return skip("only root may enter a chroot");
    }
    let place = Place::of(&SOURCES);
    let script = r#"
        mkdir upper work root
        mount -t tmpfs none upper && mkdir upper/up upper/work
        mount -t overlay none -o lowerdir=/,upperdir=upper/up,workdir=upper/work root || exit 77
        mount --bind /dev root/dev
        mount -t proc none root/proc
        cp -L "$1" root/usr/bin/lpcc
        chmod 755 root/usr/bin/lpcc
        chroot root lpcc shims /usr/local/bin >/dev/null
        mkdir -p root/etc/lpcc root/var/lib/lpcc root/build
        cp "$2" root/etc/lpcc/lpcc.toml
        cp tree/* root/build/
        chown -R nobody root/build root/var/lib/lpcc
        cd root
        chroot . setpriv --reuid=65534 --regid=65534 --clear-groups env -i HOME=/nonexistent LC_ALL=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            make -C /build CFLAGS='-O2 -D__LPCC_POLICY__=inline-clone' </dev/null
        chroot . lpcc store --store /var/lib/lpcc/build export /export.lpcc
        cp export.lpcc ..
    "#;
    let example = here("shims/debian/lpcc.toml");
    let example = example.to_str().unwrap();
    let mut command = place.command("unshare");
    command
        .current_dir(place.beside("."))
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env_remove("LPCC_STORE");
    let output = run(command.args(["-m", "sh", "-ec", script, "sh", LPCC, example]), None);
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || told.contains("Operation not permitted") {
        return skip(&format!("no overlay of the system here: {told}"));
    }
    assert!(output.status.success(), "{told}");
    let export = place.beside("export.lpcc");
    assert_eq!(exported(&export), ["a.o", "b.o"]);
    let unit = Recording::open_export(&export).unwrap().unwrap().units().next().unwrap().unwrap();
    let run = &unit.identity.call.run;
    assert!(run.iter().any(|word| word == "-flive-patching=inline-clone"), "the marker's policy: {run:?}");
    assert!(!run.iter().any(|word| word.starts_with(b"-D__LPCC")), "{run:?}");
}

#[test]
fn our_own_packages() {
    let place = Place::new();
    let mut script = Command::new(here("scripts/package"));
    // A program with debug information is large, and nobody will send this package anywhere.
    script.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    let made = said(script.arg(place.beside("out")).env("LPCC", LPCC));
    let file = |ending: &str| made.lines().find(|line| line.ends_with(ending)).map(PathBuf::from);
    let deb = file(".deb").unwrap_or_else(|| panic!("{made}"));
    let root = place.beside("root");
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    if is_root() {
        let mut install = Command::new("dpkg");
        install.arg(format!("--root={}", root.display())).args(["--force-script-chrootless", "-i"]);
        said(install.arg(&deb));
    } else {
        said(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&root));
    }
    installed(&place, &root);
    let rpm = file(".rpm").unwrap_or_else(|| panic!("{made}"));
    let root = place.beside("rpm-root");
    fs::create_dir(&root).unwrap();
    let mut unpack = place.command("sh");
    said(unpack.current_dir(&root).args(["-c", "rpm2cpio \"$1\" | cpio -id --quiet", "sh"]).arg(rpm));
    installed(&place, &root);
}

/// What lies below `root` works: the program, its C++ name, the page, completions, examples.
fn installed(place: &Place, root: &Path) {
    let program = root.join("usr/bin/lpcc");
    assert!(said(Command::new(&program).arg("version")).starts_with("lpcc "));
    assert_eq!(fs::read_link(root.join("usr/bin/lpcc++")).unwrap(), Path::new("lpcc"));
    place.write("a.cpp", "int f(int x) { return x + 1; }\n");
    said(place.command(root.join("usr/bin/lpcc++")).args(["-c", "a.cpp"]));
    assert_eq!(place.records().len(), 1);
    let page = root.join("usr/share/man/man1/lpcc.1.gz");
    assert!(said(Command::new("zcat").arg(page)).contains(".TH lpcc 1"));
    for file in [
        "usr/share/bash-completion/completions/lpcc",
        "usr/share/doc/lpcc/examples/macros.lpcc",
        "usr/share/doc/lpcc/examples/kernel.toml",
        "usr/share/doc/lpcc/examples/buildpackage.conf",
        "usr/share/doc/lpcc/distributions.md",
        "usr/share/doc/lpcc/CHANGELOG.md",
    ] {
        assert!(fs::metadata(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")).len() > 0);
    }
}
