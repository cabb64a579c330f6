//! What is to be recorded of a call, if anything. A call with nothing to record is executed, not spawned.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::run::{Job, is_stream};
use crate::argv::{Action, Source};
use crate::store;

/// What is done with a call.
#[derive(Debug)]
pub enum Plan {
    /// Nothing is recorded; the reason.
    Execute(&'static str),
    /// The call makes something worth a record.
    Record(Work),
}

/// What a call makes.
#[derive(Debug)]
pub enum Work {
    /// Objects, each from one source.
    Objects(Vec<Unit>),
    /// One linked file, and the sources that are compiled on the way and leave no object of their own.
    Linked {
        /// The file, absolute.
        output: PathBuf,
        /// Sources as the call names them.
        sources: Vec<Source>,
    },
}

/// One source that is compiled to one object.
#[derive(Debug)]
pub struct Unit {
    /// The source.
    pub source: Source,
    /// Its index among the sources of the call.
    pub index: usize,
    /// The object, absolute.
    pub output: PathBuf,
}

/// Decides on a call.
pub fn plan(job: &Job) -> Plan {
    match job.line.action() {
        Action::Object => objects(job),
        Action::Link => linked(job),
        _ => Plan::Execute("it makes no object"),
    }
}

fn objects(job: &Job) -> Plan {
    let sources = job.line.sources();
    let units: Vec<Unit> = job
        .line
        .planned_objects()
        .into_iter()
        .filter(|(_, output)| outlives(&job.directory, output))
        .filter_map(|(index, output)| {
            let source = sources.get(index).filter(|source| source.text != "/dev/null")?.clone();
            Some(Unit { source, index, output: store::absolute(&job.directory, Path::new(&output)) })
        })
        .collect();
    if units.is_empty() {
        return Plan::Execute("none of its outputs is a file of its own");
    }
    Plan::Record(Work::Objects(units))
}

fn linked(job: &Job) -> Plan {
    let output = job.line.output().unwrap_or(OsStr::new("a.out"));
    if !outlives(&job.directory, output) {
        return Plan::Execute("the linked file is none of its own");
    }
    let output = store::absolute(&job.directory, Path::new(output));
    let sources = job.line.sources().into_iter().filter(|source| source.text != "/dev/null").collect();
    Plan::Record(Work::Linked { output, sources })
}

/// Whether what is written to `output` will be a file: not a stream, device, pipe or directory.
fn outlives(directory: &Path, output: &OsStr) -> bool {
    !is_stream(output) && std::fs::metadata(directory.join(output)).map_or(true, |meta| meta.is_file())
}
