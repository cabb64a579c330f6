//! A recording made afterwards, of a build that was done without lpcc.
//!
//! Every binary shipped so far was built without lpcc, but builds leave witnesses: kbuild's `.cmd` files, a compilation
//! database, dependency files, the objects with their debug information. The tempting way is to build again under the wrapper; that
//! gives the fingerprints of other objects than those that run. So the objects are read where they lie, and the rest is pieced
//! together from the best witness there is. The invariant: what was not seen is said. The result is a recording like any
//! other.
//!
//! 1. [`found`]: calls and objects, by [`kbuild`] or a compilation database, or objects alone.
//! 2. [`call`]: a call read as the wrapper would have.
//! 3. [`inputs`]: what it read.

pub mod call;
pub mod found;
pub mod inputs;
pub mod kbuild;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use object::{Object, ObjectSection};
use rayon::prelude::*;

use crate::analysis::producers::{self, State};
use crate::argv::{self, Language};
use crate::compiler::guard::Passed;
use crate::object::origin::{self, Origin};
use crate::object::{self as objects, Hash};
use crate::policy::{Action, Decision};
use crate::store::record::{
    self, Compiler, Completeness, Inputs, LinkRecord, Outcome, Record, Unit, Variant,
};
use crate::store::{Recording, Store, StoreError};
use crate::wrap;
use call::Call;
use found::{Compiled, Found, Linked};
use inputs::Place;

/// The note that every record made afterwards begins with.
pub const NOTE: &str = "recorded afterwards: the build's environment is not known";
/// The note of a record without a call.
pub const ALONE: &str = "recorded from the object alone: no call is known";
/// Why nothing was done by policy.
const REASON: &str = "recorded afterwards: no policy was applied";

/// What was recorded, for a person.
#[derive(Debug, Default)]
pub struct Summary {
    /// Units with their calls.
    pub units: usize,
    /// Units by object facts alone.
    pub alone: usize,
    /// Links.
    pub links: usize,
    /// Units that the wrapper had recorded, and that still are what it recorded.
    pub standing: usize,
    /// Calls whose object is not there.
    pub gone: usize,
    /// Units that each program rewrote behind the compiler.
    pub rewritten: BTreeMap<String, usize>,
    /// Why inputs are not all known, with the number of units.
    pub partial: BTreeMap<String, usize>,
    /// What else is to be known of units, with the number of units.
    pub remarks: BTreeMap<String, usize>,
    /// What could not be recorded: lines for a person.
    pub troubles: Vec<String>,
}

/// Hears how far the work has come.
pub trait Watcher: Sync {
    /// One more is done.
    fn step(&self);
}

/// Records all that was found into `store`.
pub fn record(found: Found, store: &Store, watcher: &dyn Watcher) -> Result<Summary, StoreError> {
    let scratch = store.scratch()?;
    let passed = Passed::from_environment();
    let recording = Recording::open(store, None)?;
    let work = Work { store, recording, scratch: scratch.path(), passed };
    let mut summary = Summary { gone: found.gone, troubles: found.troubles, ..Summary::default() };
    let alone = found.alone.into_iter().map(|object| Compiled { object, ..Compiled::default() });
    let units: Vec<Compiled> = found.units.into_iter().chain(alone).collect();
    let done: Vec<Result<Done, String>> = units
        .into_par_iter()
        .enumerate()
        .map(|(number, unit)| {
            let done = work.unit(&unit, number);
            watcher.step();
            done.map_err(|why| format!("`{}`: {why}", unit.object.display()))
        })
        .collect();
    for done in done {
        match done {
            Ok(done) => summary.add(done),
            Err(trouble) => summary.troubles.push(trouble),
        }
    }
    for link in &found.links {
        match work.store.write_link(&work.link(link)) {
            Ok(_) => summary.links += 1,
            Err(error) => summary.troubles.push(format!("`{}`: {error}", link.output.display())),
        }
    }
    Ok(summary)
}

/// What became of one unit.
enum Done {
    Standing,
    Recorded { is_alone: bool, rewriters: Vec<String>, partial: Option<String>, remarks: Vec<String> },
}

impl Summary {
    fn add(&mut self, done: Done) {
        let Done::Recorded { is_alone, rewriters, partial, remarks } = done else {
            self.standing += 1;
            return;
        };
        self.units += usize::from(!is_alone);
        self.alone += usize::from(is_alone);
        for (counts, words) in [
            (&mut self.rewritten, rewriters),
            (&mut self.partial, partial.into_iter().collect()),
            (&mut self.remarks, remarks),
        ] {
            for word in words {
                *counts.entry(word).or_default() += 1;
            }
        }
    }
}

struct Work<'a> {
    store: &'a Store,
    recording: Recording,
    scratch: &'a Path,
    passed: Passed,
}

impl Work<'_> {
    /// Records one unit. An error is a fragment.
    fn unit(&self, unit: &Compiled, number: usize) -> Result<Done, String> {
        let bytes = fs::read(&unit.object).map_err(|error| error.to_string())?;
        let hash = Hash::of(&bytes);
        if self.stands(&unit.object, hash) {
            return Ok(Done::Standing);
        }
        let told = OnceCell::new();
        let origin = || told.get_or_init(|| origin::read(&bytes).unwrap_or_default()).clone();
        let made = fs::metadata(&unit.object).and_then(|meta| meta.modified()).ok();
        let mut remarks = Vec::new();
        let call = if unit.words.is_empty() {
            None
        } else {
            let directory = directory(unit, &origin, &mut remarks);
            Some(Call::new(&unit.words, &unit.object, &directory, &self.passed)?)
        };
        let (compiler, (inputs, changed)) = if let Some(call) = &call {
            let place = Place { store: self.store, scratch: self.scratch, passed: &self.passed, number };
            let inputs = inputs::of_call(call, unit.files.clone(), &origin, made, place);
            (call.identify(self.store, &self.passed), inputs)
        } else {
            (told_compiler(&origin(), &bytes), inputs::of_object(&origin(), made, self.store))
        };
        remarks.extend(changed);
        if call.as_ref().is_some_and(|call| call.compiler().is_none()) {
            remarks.push(format!("the compiler `{}` is not here", compiler.path));
        }
        remarks.extend(another_compiler(&bytes, &compiler));
        if unit.is_shell {
            remarks.push("its make rule is a shell script that was read in part".to_owned());
        }
        let is_alone = call.is_none();
        let rewriters: Vec<String> =
            unit.rewriters.iter().filter_map(|words| words.first()).map(base).collect();
        let partial = match &inputs.completeness {
            Completeness::Partial(why) => Some(why.clone()),
            Completeness::Full => None,
        };
        let notes: Vec<String> = std::iter::once(if is_alone { ALONE } else { NOTE }.to_owned())
            .chain(remarks.iter().cloned())
            .chain(rewriters.iter().map(|it| format!("the object was rewritten by {it} behind the compiler")))
            .collect();
        let record = assemble(unit, call.as_ref(), (compiler, inputs), (hash, &bytes), &origin, notes);
        self.store.write_unit(&record).map_err(|error| error.to_string())?;
        Ok(Done::Recorded { is_alone, rewriters, partial, remarks })
    }

    /// Whether the wrapper itself recorded these very bytes: it knows more than can be found out afterwards.
    fn stands(&self, object: &Path, hash: Hash) -> bool {
        self.recording.find(object).ok().flatten().is_some_and(|unit| {
            let is_ours = unit.identity.notes.first().is_some_and(|note| note == NOTE || note == ALONE);
            !is_ours && unit.identity.variants.first().is_some_and(|variant| variant.hash == hash)
        })
    }

    fn link(&self, link: &Linked) -> LinkRecord {
        let mut inputs = Vec::new();
        for word in link.words.iter().skip(1) {
            let listed = word
                .strip_prefix(b"@")
                .and_then(|file| fs::read(link.directory.join(OsStr::from_bytes(file))).ok());
            match listed {
                Some(list) => inputs.extend(words(&list).map(BString::from)),
                None => inputs.push(word.clone()),
            }
        }
        let output = BString::from(link.output.as_os_str().as_bytes());
        inputs.retain(|word| {
            [b".o".as_slice(), b".a", b".so"].iter().any(|end| word.ends_with(end)) && !output.ends_with(word)
        });
        LinkRecord {
            output,
            build_id: wrap::build_id(&link.output),
            hash: self.store.hash_file(&link.output),
            inputs,
            without_object: Vec::new(),
            call: record::Call {
                given: link.words.iter().skip(1).cloned().collect(),
                run: link.words.iter().skip(1).cloned().collect(),
                response_files: Vec::new(),
                launchers: Vec::new(),
                directory: BString::from(link.directory.as_os_str().as_bytes()),
                environment: Vec::new(),
            },
        }
    }
}

/// Where the call ran: as its witness tells, else as the object does.
fn directory(unit: &Compiled, origin: &dyn Fn() -> Origin, remarks: &mut Vec<String>) -> PathBuf {
    if let Some(directory) = &unit.directory {
        return directory.clone();
    }
    let told = origin().directory.map(|path| Path::new(OsStr::from_bytes(&path)).to_path_buf());
    told.filter(|path| path.is_dir()).unwrap_or_else(|| {
        remarks.push("nothing tells in which directory its call ran; hint: --directory".to_owned());
        unit.object.parent().unwrap_or(Path::new("/")).to_path_buf()
    })
}

/// The record of a unit.
fn assemble(
    unit: &Compiled,
    call: Option<&Call>,
    (compiler, inputs): (Compiler, Inputs),
    (hash, bytes): (Hash, &[u8]),
    origin: &dyn Fn() -> Origin,
    notes: Vec<String>,
) -> Record {
    let outcome = match objects::fingerprint(bytes) {
        Ok(prints) => Outcome::Read(prints),
        Err(error) => Outcome::Unreadable(error.to_string()),
    };
    let (source, language, live_patching, recorded) = if let Some(call) = call {
        let level = call.line.live_patching().map(|level| level.to_string_lossy().into_owned());
        (BString::from(call.source.text.as_bytes()), call.source.language, level, call.recorded())
    } else {
        let origin = origin();
        let source = origin.source.clone().unwrap_or_default();
        (source.clone(), language_of(&source), told_level(bytes), no_call(&origin))
    };
    Record {
        unit: Unit { source, output: BString::from(unit.object.as_os_str().as_bytes()), language },
        call: recorded,
        compiler,
        decision: Decision { action: Action::Keep, reason: REASON.to_owned(), live_patching },
        inputs,
        variants: vec![Variant {
            name: wrap::PRIMARY.to_owned(),
            hash,
            size: bytes.len() as u64,
            fingerprints: outcome,
        }],
        notes,
        clones: None,
        shadows: Vec::new(),
        rewriters: unit.rewriters.clone(),
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The base name of a program.
fn base(program: &BString) -> String {
    program.rsplit_str("/").next().unwrap_or_default().to_str_lossy().into_owned()
}

fn no_call(origin: &Origin) -> record::Call {
    record::Call {
        given: Vec::new(),
        run: Vec::new(),
        response_files: Vec::new(),
        launchers: Vec::new(),
        directory: origin.directory.clone().unwrap_or_default(),
        environment: Vec::new(),
    }
}

fn language_of(source: &BString) -> Language {
    let words = [std::ffi::OsString::from("-c"), OsStr::from_bytes(source).to_os_string()];
    let line = argv::parse(&words, argv::Dialect::Unknown, &mut |_| None);
    line.sources().first().map_or(Language::Other, |source| source.language)
}

/// The level of `-flive-patching` that the object itself tells.
fn told_level(bytes: &[u8]) -> Option<String> {
    let built = producers::built(bytes, &mut |_| None).ok()?;
    built.units.into_iter().find_map(|unit| match unit.state {
        State::Level(level) => Some(level),
        _ => None,
    })
}

/// The compiler as the object tells it.
fn told_compiler(origin: &Origin, bytes: &[u8]) -> Compiler {
    let text = origin.producer.clone().or_else(|| comment(bytes)).unwrap_or_default();
    let mut compiler = call::nobody(BString::default());
    compiler.family = match () {
        () if text.contains_str("clang") => record::Family::Clang,
        () if text.starts_with(b"GNU C") || text.starts_with(b"GCC:") => record::Family::Gcc,
        () => record::Family::Unknown,
    };
    compiler.version = version(&text).unwrap_or_default();
    compiler
}

/// Says so where the object names another version than that of the compiler that is found today.
fn another_compiler(bytes: &[u8], compiler: &Compiler) -> Option<String> {
    let told = comment(bytes)?;
    if compiler.version.is_empty() || told.contains_str(&compiler.version) {
        return None;
    }
    let said = told.trim_ascii().as_bstr();
    Some(format!(
        "made by `{said}`, and the compiler found here is {} {}",
        compiler.family.as_str(),
        compiler.version
    ))
}

/// What the compiler wrote into `.comment`, first of all.
fn comment(bytes: &[u8]) -> Option<BString> {
    let file = object::File::parse(bytes).ok()?;
    let section = file.section_by_name(".comment")?;
    let data = section.data().ok()?;
    data.split_str("\0").find(|text| !text.is_empty()).map(BString::from)
}

/// The last word of digits and dots.
fn version(text: &BString) -> Option<String> {
    let is_version =
        |word: &&[u8]| word.contains(&b'.') && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    words(text).find(is_version).map(|word| word.to_str_lossy().into_owned())
}
