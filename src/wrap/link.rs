//! The light record of a link: enough to know later which image an object went into.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::BString;
use object::Object;
use object::read::ReadCache;

use super::record::call;
use super::run::Job;
use crate::argv::Source;
use crate::store::Store;
use crate::store::record::LinkRecord;

/// What is known of a link that succeeded. Of the linked file only headers, notes and the hash are looked at.
pub fn record(job: &Job, output: &Path, sources: &[Source], store: &Store) -> LinkRecord {
    let text = |word: &std::ffi::OsString| BString::from(word.as_bytes());
    LinkRecord {
        output: BString::from(output.as_os_str().as_bytes()),
        build_id: build_id(output),
        hash: store.hash_file(output),
        inputs: job.line.link_inputs().iter().map(|input| text(&input.text)).collect(),
        without_object: sources.iter().map(|source| text(&source.text)).collect(),
        call: call(job),
    }
}

/// The build id of a linked file, where it has one.
pub fn build_id(path: &Path) -> Option<BString> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    file.build_id().ok()?.map(BString::from)
}
