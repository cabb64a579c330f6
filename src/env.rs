//! Every environment variable that lpcc reads, and what it means. No other module reads the environment.
#![expect(clippy::disallowed_methods, reason = "the module that the rule points to")]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The C compiler for `lpcc -c x.c`: a command line such as `ccache gcc-12`, split as a shell would.
pub const CC: &str = "LPCC_CC";
/// The C++ compiler for `lpcc++ -c x.cc`, like [`CC`].
pub const CXX: &str = "LPCC_CXX";
/// The store to record into; created if it does not exist.
pub const STORE: &str = "LPCC_STORE";
/// The configuration, instead of the nearest `lpcc.toml`.
pub const CONFIG: &str = "LPCC_CONFIG";
/// What to do with `-flive-patching`, above any configuration: `keep`, `strip`, `inline-clone` or `inline-only-static`,
/// and further settings behind commas (`inline-clone,lto=strip-lto`).
pub const POLICY: &str = "LPCC_POLICY";
/// Which shadows to compile beside each unit, above any configuration: `toggle-live-patching`, `same`, `lines`, a name of
/// the configuration, `add=FLAGS`, `remove=FLAGS`, `compiler=NAME`, with commas between; `none` for none.
pub const TWICE: &str = "LPCC_TWICE";
/// Any value but empty or `0`: the compiler is executed and nothing else is done.
pub const DISABLE: &str = "LPCC_DISABLE";
/// Any value but empty or `0`: trouble with recording fails the compiler call, its output deleted.
pub const STRICT: &str = "LPCC_STRICT";
/// What lpcc says about its own work, on standard error: `error`, `warn`, `info`, `debug` or `trace`. Nothing is
/// said without it.
pub const LOG: &str = "LPCC_LOG";
/// A file to append the log to instead of standard error; implies `debug` where [`LOG`] is not set.
pub const LOG_FILE: &str = "LPCC_LOG_FILE";
/// Set by lpcc for the programs it runs: `device:inode` of each wrapper that the call has passed, with commas
/// between. An lpcc that finds it set is inside another's call: it executes the real compiler and records nothing.
pub const PASSED: &str = "LPCC_PASSED";
/// Where programs are searched.
pub const PATH: &str = "PATH";
/// The user's home; nothing depends on it.
pub const HOME: &str = "HOME";
/// Where per-user state lies; `~/.local/state` if not set.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The working directory as the shell knows it.
pub const PWD: &str = "PWD";
/// Set by ccache for the programs it runs: tells lpcc that it stands below a cache.
pub const CCACHE_DISABLE: &str = "CCACHE_DISABLE";
/// Programs that ccache runs besides the compiler: lpcc named there stands below the cache.
pub const CCACHE_PROGRAMS: [&str; 4] = ["CCACHE_COMPILER", "CCACHE_CC", "CCACHE_PREFIX", "CCACHE_PATH"];
/// The build's C compiler, a command line; `lpcc doctor` looks at it and `lpcc run` wraps it.
pub const CC_COMMAND: &str = "CC";
/// The build's C++ compiler, likewise.
pub const CXX_COMMAND: &str = "CXX";
/// Set by the top makefile of the Linux kernel for the makes below it: says that the build is the kernel's.
pub const KBUILD: &str = "sub_make_done";
/// Every variable of our own, so that `lpcc doctor` can name one that is misspelt.
pub const OWN: [&str; 11] = [CC, CXX, STORE, CONFIG, POLICY, TWICE, DISABLE, STRICT, LOG, LOG_FILE, PASSED];
/// What must not reach a shadow's compiler: requests to write files of the build's.
pub const WRITERS: [&str; 9] = [
    "CC_LOG_DIAGNOSTICS",
    "CC_LOG_DIAGNOSTICS_FILE",
    "CC_PRINT_HEADERS",
    "CC_PRINT_HEADERS_FILE",
    "CC_PRINT_OPTIONS",
    "CC_PRINT_OPTIONS_FILE",
    "CC_PRINT_PROC_STAT_FILE",
    "DEPENDENCIES_OUTPUT",
    "SUNPRO_DEPENDENCIES",
];
/// Where a compiler puts its temporary files.
pub const TMPDIR: &str = "TMPDIR";
/// How `make` tells its children of the jobserver.
pub const MAKEFLAGS: &str = "MAKEFLAGS";
/// Requests to the compilers that lpcc's own would replace, or that would show it: GCC's dependency output, Clang's headers
/// and options.
pub const REPORTS: [&str; 6] = [
    "CC_PRINT_HEADERS",
    "CC_PRINT_HEADERS_FILE",
    "CC_PRINT_HEADERS_FORMAT",
    "CC_PRINT_OPTIONS",
    "DEPENDENCIES_OUTPUT",
    "SUNPRO_DEPENDENCIES",
];

/// Variables by which the compilers are given directories whose headers count as the system's.
pub const SYSTEM_DIRECTORIES: [&str; 4] =
    ["CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH"];

/// Environment variables kept in a record because they decide what a compiler makes of a call (GCC manual, "Environment Variables
/// Affecting GCC"; Clang's driver). Sorted. A closed list, so that no secret is ever kept.
const RECORDED: [&str; 21] = [
    "CCC_OVERRIDE_OPTIONS",
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "DEPENDENCIES_OUTPUT",
    "GCC_COMPARE_DEBUG",
    "GCC_EXEC_PREFIX",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LIBRARY_PATH",
    "OBJCPLUS_INCLUDE_PATH",
    "OBJC_INCLUDE_PATH",
    "PATH",
    "PWD",
    "SOURCE_DATE_EPOCH",
    "SUNPRO_DEPENDENCIES",
];

/// The value of a variable, `None` where it is not set or empty.
pub fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a variable is set, be it empty: programs that only ask that are many.
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// Whether a switch is on: set, not empty, not `0`.
pub fn is_on(name: &str) -> bool {
    get(name).is_some_and(|value| value != "0")
}

/// A variable that names a path.
pub fn path(name: &str) -> Option<PathBuf> {
    get(name).map(PathBuf::from)
}

/// Where programs are searched; what `execvp` takes where `PATH` is not set.
pub fn search_path() -> OsString {
    std::env::var_os(PATH).unwrap_or_else(|| OsString::from("/bin:/usr/bin"))
}

/// The entries of `environment` that a record keeps, as name and value, sorted.
pub fn recorded(environment: &[OsString]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut kept: Vec<_> = environment
        .iter()
        .filter_map(|entry| {
            let (name, value) = split_entry(entry)?;
            let wanted = RECORDED.iter().any(|known| known.as_bytes() == name);
            wanted.then(|| (name.to_vec(), value.to_vec()))
        })
        .collect();
    kept.sort();
    kept
}

fn split_entry(entry: &OsStr) -> Option<(&[u8], &[u8])> {
    let bytes = entry.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=')?;
    Some((bytes.get(..equals)?, bytes.get(equals + 1..)?))
}

/// Takes every entry called `name` out of `environment`.
pub fn remove(environment: &mut Vec<OsString>, name: &str) {
    environment.retain(|entry| split_entry(entry).is_none_or(|(found, _)| found != name.as_bytes()));
}

/// Gives `name` this `value` in `environment`, in place of any it had.
pub fn set(environment: &mut Vec<OsString>, name: &str, value: &OsStr) {
    remove(environment, name);
    let mut entry = OsString::from(name);
    entry.push("=");
    entry.push(value);
    environment.push(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_recorded_variables_is_sorted() {
        assert!(RECORDED.is_sorted());
    }

    #[test]
    fn entries_are_replaced_not_repeated() {
        let mut environment = vec!["A=1".into(), "B=2".into(), "odd".into(), "A=3".into()];
        set(&mut environment, "A", OsStr::new("9"));
        assert_eq!(environment, ["B=2", "odd", "A=9"]);
    }

    #[test]
    fn secrets_are_not_recorded() {
        let environment = ["TOKEN=x".into(), "CPATH=/i".into(), "LANG=C".into()];
        let kept = recorded(&environment);
        assert_eq!(kept, [(b"CPATH".to_vec(), b"/i".to_vec()), (b"LANG".to_vec(), b"C".to_vec())]);
    }
}
