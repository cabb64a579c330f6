//! The rules of the tree, kept by machine, each with its reason. A rule that turns out wrong is changed here, with
//! its reason, and nowhere else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a rule found: file, line, what is wrong.
type Complaints = Vec<String>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `directory`, sorted, as a path relative to the repository.
fn files_below(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(directory)];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Every file that git would keep: all but `.git`, build output and recordings.
fn project_files() -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if [".git", "target", ".lpcc"].contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&name));
        } else {
            found.push(name);
        }
    }
    found.retain(|file| !file.contains("__pycache__"));
    found.sort();
    found
}

fn read(file: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(file)).unwrap()).into_owned()
}

/// Lines of code with their numbers: comments are left out, and so is what stands behind `#[cfg(test)]` at the
/// start of a line, which by custom is the rest of the file. A file included only for tests
/// (`#[cfg(test)] mod testing;`) is named `testing.rs` or `tests.rs` and is no code of the program.
fn code_lines(file: &str) -> Vec<(usize, String)> {
    if ["testing.rs", "tests.rs", "/tests/"].iter().any(|name| file.contains(name)) {
        return Vec::new();
    }
    let text = read(file);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'))
        .unwrap_or(lines.len());
    lines[..end]
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, (*line).to_owned()))
        .collect()
}

/// Does `word` stand in `line` as a word of its own?
fn names(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let goes_on_before = before.is_some_and(is_word) && word.starts_with(is_word);
        let goes_on_after = after.is_some_and(is_word) && word.ends_with(is_word);
        !goes_on_before && !goes_on_after
    })
}

/// Complains of every line of code in `files` that names one of `words`.
fn forbid(files: &[String], words: &[&str], reason: &str) -> Complaints {
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in code_lines(file) {
            for word in words.iter().filter(|word| names(&line, word)) {
                complaints.push(format!("{file}:{number}: names `{word}`: {reason}"));
            }
        }
    }
    complaints
}

fn rust_below(directory: &str) -> Vec<String> {
    files_below(directory).into_iter().filter(|file| is_rust(file)).collect()
}

fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}

#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

const PRINTERS: &[&str] = &[
    "println!",
    "print!",
    "eprintln!",
    "eprint!",
    "dbg!",
    "io::stdout",
    "io::stderr",
    "stdout()",
    "stderr()",
];

/// Pure modules can be tested with bytes alone, fuzzed, and run over thousands of records in parallel; and what
/// they say cannot depend on the machine they say it on.
#[test]
fn pure_modules_do_no_input_or_output() {
    let words = [
        "std::fs",
        "std::env",
        "std::process",
        "std::net",
        "std::io",
        "libc",
        "File::open",
        "File::create",
        "Command::new",
    ];
    for module in ["src/argv", "src/object", "src/analysis"] {
        let files = rust_below(module);
        none(&forbid(&files, &words, "this module does no I/O"));
        none(&forbid(&files, PRINTERS, "this module does no I/O"));
        none(&forbid(&files, &["crate::sys", "crate::env"], "this module does no I/O"));
    }
}

/// The wrapper runs once per compile: a command-line parser or a report on its path costs every build.
#[test]
fn the_wrapper_knows_nothing_of_the_commands() {
    let reason = "the wrapper's path must stay small and quick";
    none(&forbid(&rust_below("src/wrap"), &["clap", "report", "commands"], reason));
}

/// One place that says which variables there are, what each means, and which of them a record keeps.
#[test]
fn environment_variables_are_read_in_one_module() {
    let words = ["env::var", "env::var_os", "env::vars", "env::vars_os", "getenv", "environ"];
    let files: Vec<String> =
        rust_below("src").into_iter().filter(|file| file != "src/env.rs" && file != "src/sys.rs").collect();
    none(&forbid(&files, &words, "environment variables are read in src/env.rs"));
    none(&forbid(
        &["src/sys.rs".to_owned()],
        &["env::var", "env::var_os", "getenv"],
        "environment variables are read in src/env.rs",
    ));
}

/// What the language does not check is in one module, where all of it can be read at once.
#[test]
fn unsafe_code_is_in_one_module() {
    let files: Vec<String> =
        rust_below("src").into_iter().filter(|file| !file.starts_with("src/sys")).collect();
    none(&forbid(&files, &["unsafe", "unsafe_code"], "unsafe code is in src/sys alone"));
}

/// The build never notices: a stray line on stderr fails a configure script somewhere.
#[test]
fn few_modules_print() {
    let may_print = ["src/report/", "src/commands/", "src/sys.rs", "src/wrap/", "src/main.rs"];
    let files: Vec<String> = rust_below("src")
        .into_iter()
        .filter(|file| !may_print.iter().any(|prefix| file.starts_with(prefix)))
        .collect();
    none(&forbid(&files, PRINTERS, "only report, commands and the error printer print"));
    none(&forbid(&rust_below("src/wrap"), &["println!", "print!", "dbg!"], "stdout is the compiler's"));
}

/// A file holds one idea. 150 to 250 lines are the norm; at 600 something has gone wrong.
#[test]
fn no_file_is_long() {
    let long = project_files()
        .into_iter()
        .filter(|file| is_rust(file) || file.starts_with("scripts/"))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, file)| format!("{file}: {lines} lines"))
        .collect::<Vec<_>>();
    none(&long);
}

/// A reader who opens any file learns in its first lines what it is for.
#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<String> = rust_below("src")
        .into_iter()
        .chain(rust_below("tests"))
        .filter(|file| !read(file).trim_start_matches('\n').starts_with("//!"))
        .map(|file| format!("{file}: does not open with `//!`"))
        .collect();
    none(&silent);
}

/// What is written here must hold on any machine and with any mirror: no host of a registry or an archive, no
/// address at all outside documents, licence texts and the lock file, and no path that exists on one machine only.
#[test]
fn no_file_names_a_host_or_a_machine() {
    // Put together here, so that this file does not name them itself.
    let hosts = [("debian", "org"), ("ubuntu", "com"), ("crates", "io"), ("pypi", "org"), ("github", "com")];
    let hosts: Vec<String> = hosts.iter().map(|(name, domain)| format!("{name}.{domain}")).collect();
    let machine: Vec<String> = ["work", "root", "home"].iter().map(|name| format!("/{name}/")).collect();
    let mut complaints = Vec::new();
    for file in project_files() {
        if file == "Cargo.lock" || file.starts_with("LICENSE") {
            continue;
        }
        for (index, line) in read(&file).lines().enumerate() {
            let number = index + 1;
            for host in hosts.iter().filter(|host| line.contains(host.as_str())) {
                complaints.push(format!("{file}:{number}: names the host `{host}`"));
            }
            let addresses = if file.starts_with("docs/") { "" } else { line };
            for (at, _) in addresses.match_indices("://") {
                let rest = &line[at + 3..];
                if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && !rest.contains("example.invalid")
                {
                    complaints.push(format!("{file}:{number}: holds an address"));
                }
            }
            for path in &machine {
                let starts_a_path = line.match_indices(path.as_str()).any(|(at, _)| {
                    !line[..at]
                        .chars()
                        .next_back()
                        .is_some_and(|c| c.is_alphanumeric() || "._-/}$".contains(c))
                });
                if starts_a_path {
                    complaints.push(format!("{file}:{number}: names the path `{path}` of one machine"));
                }
            }
        }
    }
    none(&complaints);
}

/// Noise in every later diff.
#[test]
fn no_line_ends_in_white_space() {
    let mut complaints = Vec::new();
    for file in project_files() {
        let bytes = fs::read(root().join(&file)).unwrap();
        if bytes.contains(&0) {
            continue; // a sample in binary form
        }
        let text = String::from_utf8_lossy(&bytes);
        for (index, line) in text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                complaints.push(format!("{file}:{}: ends in white space", index + 1));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            complaints.push(format!("{file}: the last line has no end"));
        }
    }
    none(&complaints);
}

/// The README's picture of the tree is the first map a newcomer has: every folder and file of `src` that it shows
/// exists, and every folder of `src`, and every other top-level folder, is shown.
#[test]
fn the_readme_shows_the_tree_as_it_is() {
    let readme = read("README.md");
    let shown: BTreeSet<String> = readme
        .lines()
        .skip_while(|line| !line.starts_with("src/main.rs"))
        .take_while(|line| !line.starts_with("```"))
        .filter_map(|line| line.split_whitespace().next())
        .map(|word| word.trim_end_matches('/').to_owned())
        .collect();
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(root()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let is_folder = entry.file_type().unwrap().is_dir();
        if is_folder && !name.starts_with('.') && name != "target" && name != "src" {
            there.insert(name);
        }
    }
    for entry in fs::read_dir(root().join("src")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        there.insert(format!("src/{name}"));
    }
    let missing: Vec<_> = there.difference(&shown).collect();
    let invented: Vec<_> = shown.difference(&there).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "README.md: not shown: {missing:?}; shown but not there: {invented:?}"
    );
}
