//! A real kernel: a few objects of the system's linux-source, built bare and with lpcc, recorded while it is built and
//! afterwards, patched, and rewritten by objtool.
//!
//! One build serves all, for it is dear: the parts are functions below. Skipped, visibly, where there is no source.

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
use support::{Scratch, assert_same_files, command, lpcc, objects, skip, succeed};

/// What is built: live patching itself, static keys, exception tables, alternatives, formats.
const TARGETS: &[&str] =
    &["kernel/fork.o", "kernel/livepatch/core.o", "mm/util.o", "lib/bug.o", "lib/usercopy.o"];

/// What a kernel that can be patched needs beyond the smallest one.
const OPTIONS: &[&str] = &[
    "64BIT",
    "MODULES",
    "SYSFS",
    "KALLSYMS",
    "KALLSYMS_ALL",
    "FTRACE",
    "FUNCTION_TRACER",
    "DYNAMIC_FTRACE",
    "LIVEPATCH",
    "UNWINDER_ORC",
    "JUMP_LABEL",
    "SMP",
    "RETPOLINE",
    "BUG",
    "PRINTK",
    "PROC_FS",
    "DEBUG_KERNEL",
    "DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT",
];

struct Kernel {
    scratch: Scratch,
    tree: PathBuf,
}

impl Kernel {
    fn new() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kernel-source");
        let output = Command::new(script).output().unwrap();
        if !output.status.success() {
            skip(&format!("no source of Linux: {}", String::from_utf8_lossy(&output.stderr).trim()));
            return None;
        }
        let tree = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        Some(Self { scratch: Scratch::new("kernel"), tree: tree.canonicalize().unwrap() })
    }

    fn build(&self) -> PathBuf {
        self.scratch.join("build")
    }

    fn store(&self) -> PathBuf {
        self.scratch.join("store")
    }

    fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command(program, &self.tree, &self.store());
        command
            .env("KBUILD_BUILD_TIMESTAMP", "2026-01-01")
            .env("KBUILD_BUILD_USER", "u")
            .env("KBUILD_BUILD_HOST", "h");
        command
    }

    /// Configures and builds; `how` goes to make.
    fn make(&self, how: &[&str]) {
        fs::create_dir_all(self.build()).unwrap();
        let make = |targets: &[&str]| {
            let mut make = self.run("make");
            make.arg("-j2").arg(format!("O={}", self.build().display())).args(how).args(targets);
            succeed(&mut make);
        };
        make(&["tinyconfig"]);
        let mut config = self.run(self.tree.join("scripts/config"));
        config.arg("--file").arg(self.build().join(".config"));
        for option in OPTIONS {
            config.args(["-e", option]);
        }
        succeed(&mut config);
        make(&["olddefconfig"]);
        make(&["prepare"]);
        make(TARGETS);
    }

    fn lpcc(&self, arguments: &[&str]) -> Command {
        let mut command = self.run(lpcc());
        command.args(arguments).current_dir(self.build());
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.lpcc(arguments).args(["--format", "json"]).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The command in one of kbuild's files, by the compiler itself.
    fn command_of(&self, file: &str) -> String {
        let saved = self.read(file);
        let (_, command) = saved.lines().find_map(|line| line.split_once(" := ")).unwrap();
        let command = command.replace("$(pound)", "#").replace("$$", "$");
        command.replacen(&lpcc().display().to_string(), "gcc", 1)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.build().join(file)).unwrap()
    }
}

#[test]
fn a_kernel_with_lpcc_is_the_kernel_without() {
    let Some(kernel) = Kernel::new() else { return };
    kernel.make(&[]);
    let (bare, config) = (objects(&kernel.build()), kernel.read(".config"));
    fs::remove_dir_all(kernel.build()).unwrap();
    let program = lpcc();
    // kconfig keeps the name that the compiler gives itself: lpcc alone must be `gcc` here, not `cc`.
    kernel.make(&[&format!("CC={}", program.display()), &format!("HOSTCC={} gcc", program.display())]);

    assert_eq!(config, kernel.read(".config"), "the configuration tells compilers apart");
    assert!(config.contains("CONFIG_LIVEPATCH=y") && config.contains("CONFIG_CC_VERSION_TEXT="));
    assert!(bare.len() > TARGETS.len());
    assert_same_files(&bare, &objects(&kernel.build()));

    recorded_and_told_apart(&kernel);
    recorded_afterwards(&kernel);
    a_fix_is_selected_from_either(&kernel);
    position_does_not_show_behind_objtool(&kernel);
    the_ready_made_policy(&kernel);
}

/// Every target has a record with all its inputs; host programs are told apart; what objtool rewrote is not stale.
fn recorded_and_told_apart(kernel: &Kernel) {
    for target in TARGETS {
        let dump = succeed(&mut kernel.lpcc(&["store", "dump", target])).stdout;
        let dump: Value = serde_json::from_slice(&dump).unwrap();
        assert_eq!(dump["inputs"]["complete"], true, "{target}");
        let shown = kernel.json(&["show", target]);
        let standing = &shown["objects"][0]["record"];
        assert_eq!(standing, "post-processed", "{target}");
    }
    let doctor = kernel.lpcc(&["doctor", "--recording"]).output().unwrap();
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    for said in ["the kernel itself: ", "programs of the host's: ", "rewritten by objtool since"] {
        assert!(doctor.contains(said), "{said}: {doctor}");
    }
    assert!(!doctor.contains("changed since recorded"), "{doctor}");
    // What was rewritten is in the tree and recorded.
    for folder in ["kernel", "mm", "lib"] {
        let doctor = kernel.lpcc(&["doctor", "--recording", "--tree", folder]).output().unwrap();
        let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let line =
            doctor.lines().find(|line| line.contains(" below `")).unwrap_or_else(|| panic!("{doctor}"));
        let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(matches!(numbers[..], [all, recorded] if all > 0 && all == recorded), "{folder}: {doctor}");
    }
    let verify = kernel.json(&["store", "verify"]);
    let problems = verify["problems"].as_array().unwrap();
    let kinds: BTreeSet<_> = problems.iter().map(|problem| problem["problem"].as_str().unwrap()).collect();
    assert!(!kinds.contains("stale"), "{verify}");

    // An edit that is built without lpcc is no rewriting, be it of one number.
    let object = kernel.build().join("mm/util.o");
    let shipped = fs::read(&object).unwrap();
    let line = kernel.command_of("mm/.util.o.cmd");
    let source = fs::read_to_string(kernel.tree.join("mm/util.c")).unwrap();
    let edited = source.replacen("return p;", "return p + 1;", 1);
    assert_ne!(source, edited);
    let aside = kernel.scratch.join("util.c");
    fs::write(&aside, edited).unwrap();
    let named = kernel.tree.join("mm/util.c");
    let line = line.replace(
        &format!("{} ", named.display()),
        &format!("-I{}/mm {} ", kernel.tree.display(), aside.display()),
    );
    succeed(kernel.run("sh").arg("-c").arg(line).current_dir(kernel.build()));
    assert_eq!(kernel.json(&["show", "mm/util.o"])["objects"][0]["record"], "differs");
    fs::write(&object, shipped).unwrap();
}

/// From kbuild's files alone, the same units with the same inputs.
fn recorded_afterwards(kernel: &Kernel) {
    let answer = kernel.json(&["record", ".", "--store", "../afterwards"]);
    assert!(answer["units"].as_u64().unwrap() > TARGETS.len() as u64, "{answer}");
    assert_eq!(answer["troubles"].as_array().unwrap().len(), 0, "{answer}");
    let rewritten = &answer["rewritten"][0];
    assert_eq!(rewritten["text"], "objtool", "{answer}");
    let dump = |target: &str, store: &str| -> Value {
        let mut command = kernel.lpcc(&["store", "--store", store, "dump", target]);
        serde_json::from_slice(&succeed(&mut command).stdout).unwrap()
    };
    for target in TARGETS {
        let (watched, told) = (dump(target, "../store"), dump(target, "../afterwards"));
        let files = |dump: &Value| -> BTreeSet<String> {
            dump["inputs"]["files"].as_array().unwrap().iter().map(Value::to_string).collect()
        };
        assert_eq!(files(&watched), files(&told), "{target}");
        assert_eq!(told["inputs"]["complete"], true, "{target}");
        for part in ["compiler", "source", "output", "language"] {
            assert_eq!(watched[part], told[part], "{target}: {part}");
        }
        for part in ["run", "directory"] {
            assert_eq!(watched["call"][part], told["call"][part], "{target}: {part}");
        }
        assert_eq!(
            kernel.json(&["show", "--store", "../afterwards", target])["objects"][0]["record"],
            "same-bytes"
        );
    }
    // A second look changes nothing.
    let again = kernel.json(&["record", ".", "--store", "../afterwards", "--name", "shipped"]);
    assert_eq!(answer, again);
    let same = kernel.lpcc(&["diff", "--store", "../afterwards", "shipped", "now"]).output().unwrap();
    assert_eq!(same.status.code(), Some(0));
    // The wrapper's recording has what the compiler made: beside this one, what objtool does is left out, either way round.
    for (old, new) in [("../store", "../afterwards"), ("../afterwards", "../store")] {
        let found = kernel.json(&["diff", old, new]);
        for target in TARGETS {
            let object = found["objects"].as_array().unwrap().iter().find(|it| it["object"] == *target);
            assert_eq!(object.unwrap()["status"], "same", "{target}: {}", object.unwrap());
        }
    }
    // What the wrapper recorded of the very bytes stands; what objtool rewrote since is recorded as it is.
    fs::create_dir(kernel.scratch.join("alone")).unwrap();
    fs::copy(kernel.build().join("lib/bug.o"), kernel.scratch.join("alone/bug.o")).unwrap();
    let alone = kernel.json(&["record", "../alone"]);
    assert_eq!((&alone["alone"], &alone["units"]), (&1.into(), &0.into()), "{alone}");
    let partial = alone["partial"][0]["text"].as_str().unwrap();
    assert!(partial.starts_with("no call is known"), "{partial}");
}

/// The selection for a fix is the same from the wrapper's recording and from the one made afterwards, and both replay as recorded.
fn a_fix_is_selected_from_either(kernel: &Kernel) {
    let text = fs::read_to_string(kernel.tree.join("kernel/fork.c")).unwrap();
    let condition = "if (atomic_dec_and_test(&mm->mm_users))";
    let fixed = text.replacen(condition, "if (mm && atomic_dec_and_test(&mm->mm_users))", 1);
    assert!(text != fixed, "`{condition}` must stand in kernel/fork.c");
    let (old, new) = (kernel.scratch.join("a/kernel"), kernel.scratch.join("b/kernel"));
    for (folder, text) in [(&old, &text), (&new, &fixed)] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("fork.c"), text).unwrap();
    }
    let mut diff = Command::new("diff");
    diff.args(["-u", "a/kernel/fork.c", "b/kernel/fork.c"]).current_dir(kernel.scratch.path());
    fs::write(kernel.scratch.join("fix.patch"), diff.output().unwrap().stdout).unwrap();
    let select = |store: &str| {
        let source = kernel.tree.display().to_string();
        let patch = kernel.scratch.join("fix.patch").display().to_string();
        kernel.json(&["select", "--store", store, "--source", &source, "--patch", &patch, "--target", "klp"])
    };
    let (watched, told) = (select("../store"), select("../afterwards"));
    for answer in [&watched, &told] {
        assert_eq!(answer["rebuild"]["reproduced"], 1, "{answer}");
        assert_eq!(answer["rebuild"]["drift"].as_array().unwrap().len(), 0, "{answer}");
    }
    let names = |answer: &Value| -> Vec<String> {
        let functions = answer["functions"].as_array().unwrap().iter();
        functions.map(|function| function["symbol"].as_str().unwrap().to_owned()).collect()
    };
    assert!(!names(&watched).is_empty());
    assert_eq!(names(&watched), names(&told));

    // The fix as the compiler leaves it, beside the object as objtool did: the same functions, and no others.
    let source = kernel.tree.join("kernel/fork.c");
    let path = source.display();
    fs::write(new.join("fork.c"), format!("#line 1 \"{path}\"\n{fixed}")).unwrap();
    let object = kernel.scratch.join("fixed.o").display().to_string();
    let line = kernel.command_of("kernel/.fork.o.cmd");
    let (compile, _) = line.split_once(" ; ").unwrap();
    let compile = compile.replace("kernel/fork.o", &object).replace(
        &format!(" {path}"),
        &format!(" -I{}/kernel {}/fork.c", kernel.tree.display(), new.display()),
    );
    succeed(kernel.run("sh").arg("-c").arg(compile).current_dir(kernel.build()));
    let found = kernel.json(&["diff", "kernel/fork.o", &object]);
    let object = &found["objects"][0];
    let findings = object["findings"].as_array().unwrap().iter().filter(|it| it["kind"] == "function");
    let differ: Vec<&str> = findings.map(|it| it["symbol"].as_str().unwrap()).collect();
    assert_eq!(differ, names(&watched), "{object}");
    assert!(object["notes"].to_string().contains("objtool rewrote the old side"), "{object}");
}

/// A function more at the top of a file moves all others, and changes the fingerprint of none, objtool's tables included.
fn position_does_not_show_behind_objtool(kernel: &Kernel) {
    let name = "kernel/livepatch/core";
    let line = kernel.command_of("kernel/livepatch/.core.o.cmd");
    let source = kernel.tree.join(format!("{name}.c"));
    let text = fs::read_to_string(&source).unwrap();
    let at = text.match_indices("\n#include").last().unwrap().0 + 1;
    let end = at + text[at..].find('\n').unwrap() + 1;
    let next = text[..end].lines().count() + 1;
    let more = "noinline int lpcc_more(int *p) { return *p * 3 + ((int (*)(int))(long)p[2])(5); }";
    let moved = kernel.scratch.join("core.c");
    let named = source.display();
    fs::write(&moved, format!("{}{more}\n#line {next} \"{named}\"\n{}", &text[..end], &text[end..])).unwrap();
    let object = kernel.scratch.join("core.o");
    let folder = source.parent().unwrap().display();
    let line = line
        .replace(&format!("{name}.o"), &object.display().to_string())
        .replace(&format!(" {named}"), &format!(" -I{folder} {}", moved.display()));
    succeed(kernel.run("sh").arg("-c").arg(line).current_dir(kernel.build()));
    let found = kernel.json(&["diff", &format!("{name}.o"), &object.display().to_string()]);
    let functions = &found["summary"]["functions"];
    assert_eq!((&functions["new"], &functions["changed"]), (&1.into(), &0.into()), "{found}");
    let edges: Vec<_> = found["objects"][0]["findings"].as_array().unwrap().iter().collect();
    assert!(
        edges.iter().all(|finding| finding["symbol"] == "lpcc_more" || finding["kind"] == "input"),
        "{edges:?}"
    );
}

/// The policy that ships for kernels, asked about calls as kbuild makes them.
fn the_ready_made_policy(kernel: &Kernel) {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("shims/kernel.toml");
    for (source, words, expected) in [
        ("kernel/fork.c", "-D__KERNEL__", "inline-clone"),
        ("mm/util.c", "-D__KERNEL__", "inline-clone"),
        ("drivers/char/mem.c", "-D__KERNEL__ -DMODULE", "inline-clone"),
        ("arch/x86/kernel/process.c", "-D__KERNEL__", "keep"),
        ("lib/bug.c", "-D__KERNEL__", "keep"),
        ("kernel/bounds.c", "-D__KERNEL__", "keep"),
        ("arch/x86/boot/main.c", "-D__KERNEL__ -D_SETUP", "keep"),
        ("arch/x86/boot/compressed/misc.c", "-D__KERNEL__", "keep"),
        ("arch/x86/entry/vdso/vgetcpu.c", "-D__KERNEL__", "keep"),
        ("arch/x86/purgatory/purgatory.c", "-D__KERNEL__", "keep"),
        ("arch/x86/realmode/rm/video-mode.c", "-D__KERNEL__", "keep"),
        ("drivers/firmware/efi/libstub/file.c", "-D__KERNEL__", "keep"),
        ("kernel/gen_kheaders.c", "-O2", "keep"),
    ] {
        let mut explain = kernel.lpcc(&["explain", "--format", "json", "--", "gcc", "-O2"]);
        if words.contains("__KERNEL__") {
            explain.arg(format!("-DKBUILD_MODFILE=\"{}\"", source.trim_end_matches(".c")));
        }
        explain.args(words.split(' ')).arg("-c").arg(kernel.tree.join(source)).args(["-o", "x.o"]);
        let output = succeed(explain.env("LPCC_CONFIG", &policy));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["action"], expected, "{source}: {answer}");
    }
}
