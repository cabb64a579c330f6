//! Does recording work here? There is one way to know: compile something and read its record.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::findings::{Findings, Level};
use crate::compiler::find;
use crate::compiler::guard::Passed;
use crate::env;
use crate::object::{Basis, Hash, Kind};
use crate::store::record::{Completeness, Outcome};
use crate::store::{Recording, Want};

const TOPIC: &str = "recording";

/// A unit with a header, a static function, a constant and a call: a little of all that is recorded.
const SOURCE: &str = "#include \"trial.h\"\n\
    static const int table[] = { 2, 3, 5, TRIAL };\n\
    static int __attribute__((noinline)) look_up(unsigned i) { return table[i & 3]; }\n\
    int trial(unsigned i, int (*say)(const char *, int)) { return say(\"trial\", look_up(i)); }\n";
const HEADER: &str = "#define TRIAL 7\n";

pub(super) fn look(findings: &mut Findings) {
    let passed = Passed::from_environment();
    let mut tried: Vec<PathBuf> = Vec::new();
    // The compiler that `CC=lpcc` stands for comes first, then each other family.
    for name in [None, Some("gcc"), Some("clang")] {
        let named =
            name.map_or_else(|| Some(PathBuf::new()), |name| find::find(OsStr::new(name), &passed).ok());
        let real =
            named.and_then(|path| if name.is_some() { fs::canonicalize(path).ok() } else { Some(path) });
        let Some(real) = real.filter(|real| !tried.contains(real)) else { continue };
        let call = name.map_or_else(|| "`lpcc`".to_owned(), |name| format!("`lpcc {name}`"));
        match run(name) {
            Ok(done) => {
                tried.extend([real, fs::canonicalize(&done.compiler).unwrap_or_default()]);
                let level = if done.flaws.is_empty() { Level::Fine } else { Level::Note };
                findings.add(TOPIC, level, format!("{call} compiled a small file: {}", done.said));
                for flaw in done.flaws {
                    findings.add(TOPIC, Level::Check, format!("{call}: {flaw}"));
                }
            }
            Err(error) => findings.add_hint(
                TOPIC,
                Level::Trouble,
                format!("{call} does not record: {error:#}"),
                "LPCC_LOG=debug says what a call does",
            ),
        }
    }
}

/// A trial that left a record.
struct Done {
    said: String,
    flaws: Vec<String>,
    compiler: PathBuf,
}

/// Compiles a small file as a build would, through this very program, into a store of its own.
fn run(compiler: Option<&str>) -> anyhow::Result<Done> {
    let scratch =
        tempfile::Builder::new().prefix("lpcc trial ").tempdir().context("no temporary directory")?;
    let directory = fs::canonicalize(scratch.path()).context("no temporary directory")?;
    fs::write(directory.join("trial.c"), SOURCE)
        .and_then(|()| fs::write(directory.join("trial.h"), HEADER))?;
    let (store, object) = (directory.join("store"), directory.join("trial.o"));
    let own = std::env::current_exe().context("cannot tell where lpcc itself lies")?;
    let mut command = Command::new(own);
    command.args(compiler.map(OsString::from)).args(["-O2", "-c", "trial.c", "-o", "trial.o"]);
    command.current_dir(&directory).stdin(Stdio::null());
    command.env(env::STORE, &store).env(env::STRICT, "1");
    for variable in [env::DISABLE, env::PASSED, env::LOG, env::LOG_FILE] {
        command.env_remove(variable);
    }
    let output = command.output().context("cannot run lpcc itself")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}", said.lines().next().unwrap_or("the call failed and said nothing"));
    }
    read_back(&store, &object)
}

fn read_back(store: &Path, object: &Path) -> anyhow::Result<Done> {
    let recording = Recording::open_dir(store).context("no store was made")?;
    let unit = recording.find(object)?.context("the call left no record")?;
    let record = unit.record.record(Want::Everything).map_err(|why| unit.damaged(why))?;
    let primary = record.variants.first().context("the record has no variant")?;
    let mut flaws = Vec::new();
    if primary.hash != Hash::of(&fs::read(object)?) {
        bail!("the record is of another object");
    }
    let fingerprinted = match &primary.fingerprints {
        Outcome::Read(prints) => {
            let functions = prints.items.iter().filter(|item| item.kind == Kind::Function).count();
            if let Basis::Conservative(reasons) = &prints.basis {
                flaws.push(format!("fingerprints are conservative: {}", reasons.join(", ")));
            }
            if functions < 2 && !matches!(prints.basis, Basis::Deferred(_)) {
                flaws.push(format!("{functions} functions were fingerprinted where two were compiled"));
            }
            format!("{functions} functions")
        }
        Outcome::Unreadable(reason) => {
            flaws.push(format!("the object could not be fingerprinted: {reason}"));
            "no functions".to_owned()
        }
    };
    match &record.inputs.completeness {
        Completeness::Full if record.inputs.files.len() < 2 => {
            flaws.push("the header is not among the inputs".into());
        }
        Completeness::Full => {}
        Completeness::Partial(reason) => flaws.push(format!("inputs are partial: {reason}")),
    }
    let compiler = &record.compiler;
    if compiler.version.is_empty() {
        flaws.push("the compiler did not tell its version".into());
    }
    let path = PathBuf::from(OsString::from_vec(compiler.path.to_vec()));
    Ok(Done {
        said: format!(
            "{fingerprinted}, {} inputs, {} {}; recorded and read back",
            record.inputs.files.len(),
            compiler.family.as_str(),
            compiler.version
        ),
        flaws,
        compiler: path,
    })
}
