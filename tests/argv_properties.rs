//! Any words at all: reading never panics, no edit changes nothing, and edits only insert and delete.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

use lpcc::argv::CommandLine;
use lpcc::argv::Dialect;
use lpcc::argv::Driver;
use lpcc::argv::Quoting;
use lpcc::argv::Settings;
use lpcc::argv::compiler_name;
use lpcc::argv::dependency_file;
use lpcc::argv::launcher_name;
use lpcc::argv::options;
use lpcc::argv::parse_with;
use lpcc::argv::response_file;
use proptest::prelude::*;

/// Files that a call may name; `a` and `b` name each other, `d` itself.
type Files = Vec<(&'static str, Vec<u8>)>;

fn word() -> impl Strategy<Value = OsString> {
    let option = proptest::sample::select(options::TABLE)
        .prop_map(|row| OsStr::from_bytes(row.spelling).to_os_string());
    let usual = proptest::sample::select(vec![
        "@a",
        "@b",
        "@c",
        "@d",
        "@e",
        "@none",
        "t.c",
        "-",
        "--",
        "-D__LPCC_POLICY__",
        "-D",
        "__LPCC_POLICY__=x",
        "-o",
        "x.o",
        "-c",
        "-flive-patching=inline-clone",
        "--live-patching",
        "",
        "@",
        "-Wp,-MD,f",
        "h.h",
        "libz.a",
        "-MD",
    ])
    .prop_map(OsString::from);
    let any = proptest::collection::vec(any::<u8>(), 0..6).prop_map(OsString::from_vec);
    let joined = (proptest::sample::select(options::TABLE), "[=a-z,.-]{0,4}")
        .prop_map(|(row, rest)| OsString::from_vec([row.spelling, rest.as_bytes()].concat()));
    prop_oneof![3 => usual, 2 => option, 1 => any, 1 => joined]
}

fn words() -> impl Strategy<Value = Vec<OsString>> {
    proptest::collection::vec(word(), 0..12)
}

fn files() -> impl Strategy<Value = Files> {
    (words(), words(), words(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(a, b, d, e)| {
        vec![
            ("a", response_file::quote(&a)),
            ("b", response_file::quote(&b)),
            ("c", Vec::new()),
            ("d", response_file::quote(&d)),
            ("e", e),
        ]
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let dialect = proptest::sample::select(vec![Dialect::Gcc, Dialect::Clang, Dialect::Unknown]);
    let quoting = proptest::sample::select(vec![Quoting::Gcc14, Quoting::Gcc15, Quoting::Clang]);
    let driver = proptest::sample::select(vec![Driver::C, Driver::Cxx]);
    (dialect, quoting, driver).prop_map(|(dialect, quoting, driver)| Settings { dialect, quoting, driver })
}

fn read(args: &[OsString], settings: Settings, files: &Files) -> CommandLine {
    parse_with(args, settings, &mut |name| {
        files.iter().find(|(known, _)| name == *known).map(|(_, contents)| contents.clone())
    })
}

/// Whether `part` is `whole` with words left out.
fn is_subsequence(part: &[OsString], whole: &[OsString]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|word| whole.any(|other| other == word))
}

fn expanded(line: &CommandLine) -> Vec<OsString> {
    (0..line.word_count()).map(|index| line.word(index).to_os_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics_and_no_edit_is_no_change(args in words(), files in files(), settings in settings()) {
        let line = read(&args, settings, &files);
        prop_assert_eq!(line.edit().finish(), args.clone());
        prop_assert_eq!(line.given(), args.as_slice());
        // Every question has an answer.
        let _ = (line.action(), line.sources(), line.link_inputs(), line.output(), line.planned_objects());
        let _ = (line.reads_stdin(), line.dev_null_source(), line.dependency(), line.lto(), line.split_dwarf());
        let _ = (line.save_temps(), line.records_command_line(), line.verbose(), line.plugins(), line.live_patching());
        // The arguments are the words, each once and in order.
        let mut next = 0;
        for argument in line.arguments() {
            let words = line.words_of(argument);
            prop_assert_eq!(words.start, next);
            next = words.end;
        }
        prop_assert_eq!(next, line.word_count());
    }

    #[test]
    fn edits_only_insert_and_delete(args in words(), files in files(), settings in settings()) {
        let line = read(&args, settings, &files);
        let before = expanded(&line);
        // A file that names itself: the compiler refuses the call, whatever is taken out.
        prop_assume!(!before.iter().any(|word| files.iter().any(|(name, _)| *word == *format!("@{name}"))));
        let without = line.edit().without_markers().without_live_patching().finish();
        let after = read(&without, settings, &files);
        prop_assert!(is_subsequence(&expanded(&after), &before));
        prop_assert_eq!(
            expanded(&after).len() + line.markers().iter().map(|marker| marker.words.len()).sum::<usize>()
                + line.live_patching_words().len(),
            before.len()
        );
        let new = [OsString::from("-NEW"), OsString::from("word")];
        for edit in [line.edit().with_inserted(new.clone()), line.edit().with_appended(new.clone())] {
            let more = edit.finish();
            prop_assert_eq!(more.len(), args.len() + 2);
            prop_assert!(is_subsequence(&args, &more) && is_subsequence(&new, &more));
        }
    }

    #[test]
    fn files_of_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for quoting in [Quoting::Gcc14, Quoting::Gcc15, Quoting::Clang] {
            let _ = response_file::split(&bytes, quoting);
        }
        let _ = dependency_file::rules(&bytes);
        let _ = compiler_name(OsStr::from_bytes(&bytes));
        let _ = launcher_name(OsStr::from_bytes(&bytes));
    }

    #[test]
    fn written_files_read_back(args in proptest::collection::vec(proptest::collection::vec(1u8.., 1..9), 0..9)) {
        let args: Vec<OsString> = args.into_iter().map(OsString::from_vec).collect();
        // Clang skips a byte order mark at the start of a file, whatever is meant by it.
        prop_assume!(!args.first().is_some_and(|word| word.as_bytes().starts_with(b"\xef\xbb\xbf")));
        for quoting in [Quoting::Gcc14, Quoting::Gcc15, Quoting::Clang] {
            prop_assert_eq!(response_file::split(&response_file::quote(&args), quoting), args.clone());
        }
    }
}

/// A kernel's command line in a few microseconds. The bound is generous: a debug build on a busy machine.
#[test]
fn a_kernel_call_is_read_quickly() {
    let text = include_str!("data/kernel-call.txt");
    let args: Vec<OsString> = text.split_ascii_whitespace().map(OsString::from).collect();
    assert!(args.len() > 100);
    let rounds = 2000;
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        let line = lpcc::argv::parse(&args, Dialect::Gcc, &mut |_| None);
        assert_eq!(line.planned_objects().len(), 1);
    }
    let each = start.elapsed() / rounds;
    eprintln!("{} words read and asked in {each:?}", args.len());
    assert!(each < std::time::Duration::from_millis(2), "{each:?}");
}
