//! What compilers say to the flag, word for word: to a call that has it of its own, lpcc changes nothing; and where the policy
//! wishes for the flag, no build ever gets to hear it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod kit;

use std::path::Path;

use bstr::ByteSlice;
use kit::fakes::FAKES;
use kit::{Place, run, skip};
use lpcc::policy::Action;

/// The call's own arguments, and what is said to them by GCC up to 12, and by GCC from 13 on; nothing: it is taken.
const SAID: [(&str, &str, &str); 17] = [
    (
        "-fno-live-patching -c t.c",
        "error: unrecognized command-line option '-fno-live-patching'; did you mean '-flive-patching'?",
        "error: unrecognized command-line option '-fno-live-patching'; did you mean '-flive-patching'?",
    ),
    (
        "-flive-patching=none -c t.c",
        "error: unknown Live-Patching Level 'none'",
        "error: unknown Live-Patching Level 'none'",
    ),
    (
        "-flive-patching=none -c t.c",
        "note: valid arguments to '-flive-patching=' are: inline-clone inline-only-static",
        "note: valid arguments to '-flive-patching=' are: inline-clone inline-only-static",
    ),
    (
        "-flive-patching= -c t.c",
        "error: missing argument to '-flive-patching='",
        "error: missing argument to '-flive-patching='",
    ),
    ("-fipa-icf -flive-patching -c t.c", ICF, ICF),
    ("-flive-patching=inline-only-static -fipa-icf -c t.c", ICF, ICF),
    ("-fipa-icf -flive-patching -fsyntax-only t.c", ICF, ICF),
    ("-fipa-icf -flive-patching -M t.c", ICF, ICF),
    ("-O0 -fipa-icf -flive-patching -c t.c", ICF, ICF),
    ("-fipa-sra -flive-patching=inline-only-static -c t.c", SRA, SRA),
    ("-fipa-sra -flive-patching=inline-clone -c t.c", "", ""),
    (
        "-fwhole-program -flive-patching -c t.c",
        "cc1: error: '-fwhole-program' is incompatible with '-flive-patching=inline-only-static|inline-clone'",
        "cc1: error: '-fwhole-program' is incompatible with '-flive-patching=inline-only-static|inline-clone'",
    ),
    ("-fno-ipa-ra -flive-patching -c t.c", "", ""),
    ("-fipa-icf -fno-ipa-icf -flive-patching -c t.c", "", ""),
    ("-flto -frandom-seed=1 -flive-patching -c t.c", LTO, ""),
    ("-flto -flive-patching=inline-only-static -c t.c", LTO, ONLY_STATIC_LTO),
    ("-flto -flive-patching -fno-lto -c t.c", "", ""),
];

const ICF: &str =
    "cc1: error: '-fipa-icf' is incompatible with '-flive-patching=inline-only-static|inline-clone'";
const SRA: &str = "cc1: error: '-fipa-sra' is incompatible with '-flive-patching=inline-only-static'";
const LTO: &str = "cc1: sorry, unimplemented: live patching is not supported with LTO";
const ONLY_STATIC_LTO: &str =
    "cc1: sorry, unimplemented: live patching (with 'inline-only-static') is not supported with LTO";

fn place(config: &str) -> Place {
    Place::of(&[
        ("t.c", "static int g(int x) { return x * 3; }\nint f(int x) { return g(x) + 1; }\n"),
        ("a.c", "__attribute__((optimize(\"ipa-ra\"))) int f(int x) { return x; }\n"),
        ("lpcc.toml", config),
    ])
}

fn gccs() -> impl Iterator<Item = &'static str> {
    ["gcc-12", "gcc-11"].into_iter().filter(|name| {
        let here = Path::new("/usr/bin").join(name).exists();
        if !here {
            skip(name);
        }
        here
    })
}

/// Through lpcc: what was said, with plain quotes, and whether the call succeeded.
fn said(place: &Place, compiler: &str, args: &str) -> (String, bool) {
    let output = run(place.lpcc().arg(compiler).args(args.split(' ')), None);
    (output.stderr.to_str_lossy().replace(['‘', '’'], "'"), output.status.success())
}

fn assert_said(place: &Place, compiler: &str, args: &str, message: &str) {
    place.assert_like_bare(compiler, args, None);
    let (text, success) = said(place, compiler, args);
    assert_eq!(success, message.is_empty(), "{compiler} {args}: {text}");
    assert!(text.contains(message), "{compiler} {args}: {text}");
}

#[test]
fn to_the_calls_own_flag_each_compiler_says_what_it_says() {
    let place = place("[default]\nlive-patching = \"keep\"\n");
    for compiler in gccs() {
        for (args, message, _) in SAID {
            assert_said(&place, compiler, args, message);
        }
        assert_said(&place, compiler, "-flto -flive-patching -E t.c", LTO);
        let at_function =
            "error: '-fipa-ra' is incompatible with '-flive-patching=inline-only-static|inline-clone'";
        assert_said(&place, compiler, "-flive-patching -O2 -c a.c", at_function);
    }
    for fake in FAKES.iter().filter(|fake| fake.knows) {
        let compiler = fake.lay(&place);
        for (args, until_12, from_13) in SAID {
            let message = if fake.beside_lto.is_empty() { until_12 } else { from_13 };
            assert_said(&place, &compiler, args, message);
        }
    }
    let plain = FAKES.iter().find(|fake| !fake.knows).unwrap().lay(&place);
    assert_said(
        &place,
        &plain,
        "-flive-patching -c t.c",
        "error: unrecognized command line option '-flive-patching'",
    );
}

#[test]
fn clang_knows_none_of_it() {
    for clang in ["clang-14", "clang-19"] {
        if !Path::new("/usr/bin").join(clang).exists() {
            skip(clang);
            continue;
        }
        let place = place("[default]\nlive-patching = \"keep\"\n");
        for flag in [
            "-flive-patching",
            "-flive-patching=inline-clone",
            "-fno-live-patching",
            "-fdump-ipa-clones",
            "-fno-ipa-icf",
        ] {
            let message = format!("error: unknown argument: '{flag}'");
            for beside in ["-c t.c", "-Wno-unknown-argument -c t.c", "-Qunused-arguments -c t.c"] {
                assert_said(&place, clang, &format!("{flag} {beside}"), &message);
            }
        }
        let (text, success) = said(&place, clang, "-fno-ipa-cp -c t.c");
        assert!(success && text.contains("[-Wignored-optimization-argument]"), "{text}");
        // With a level wished for, its own is taken out, wherever it stands, and none is added.
        place.write("lpcc.toml", "[default]\nlive-patching = \"inline-clone\"\nclones = true\n");
        for args in [
            "-flive-patching -c t.c",
            "-flive-patching=inline-clone -E t.c",
            "-flive-patching -fsyntax-only t.c",
        ] {
            let (text, success) = said(&place, clang, args);
            assert!(success && text.is_empty(), "{clang} {args}: {text}");
        }
    }
}

#[test]
fn what_the_policy_wishes_for_is_never_heard_as_an_error() {
    let arguments = [
        ("-O2 -c t.c", true),
        ("-O2 -fipa-icf -c t.c", false),
        ("-O2 -fipa-pure-const -c t.c", false),
        ("-O2 -fwhole-program -c t.c", false),
        ("-O2 -fipa-icf -fno-ipa-icf -c t.c", true),
        ("-O2 -c a.c", false),
    ];
    for level in ["inline-clone", "inline-only-static"] {
        let place = place(&format!("[default]\nlive-patching = \"{level}\"\n"));
        let fakes = FAKES.iter().map(|fake| (fake.lay(&place), fake.knows, fake.beside_lto == level));
        let compilers: Vec<_> = gccs().map(|name| (name.to_owned(), true, false)).chain(fakes).collect();
        for (compiler, knows, beside_lto) in compilers {
            let rows = arguments
                .into_iter()
                .chain([("-O2 -flto -c t.c", beside_lto), ("-O2 -fipa-sra -c t.c", level == "inline-clone")]);
            for (args, added) in rows {
                // A fake leaves the flag out of what the real one sees: no function of it is refused.
                if args.contains("a.c") && compiler.contains('/') {
                    continue;
                }
                let (text, success) = said(&place, &compiler, args);
                assert!(success && text.is_empty(), "{compiler} {args}: {text}");
                let record =
                    place.records().into_iter().find(|it| args.ends_with(&it.unit.source.to_string()));
                let decision = record.unwrap().decision;
                let expected = if added && knows { level } else { "keep" };
                assert_eq!(decision.action.as_str(), expected, "{compiler} {args}: {}", decision.reason);
                let state = (decision.action != Action::Keep).then_some(level);
                assert_eq!(decision.live_patching.as_deref(), state, "{compiler} {args}");
            }
        }
    }
}
