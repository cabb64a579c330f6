//! `lpcc show`: fingerprints of objects, computed on the spot or recorded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bstr::BString;

use super::side::{self, Loaded, Object, Side, Source};
use super::{located, rewritten};
use crate::analysis::kernel;
use crate::object::{Hash, Workers};
use crate::report::error::{SAME, TROUBLE};
use crate::report::shown::{Shown, Standing};
use crate::report::{Format, output, show_json, show_text};
use crate::store::{Recording, UnitEntry, read_regular};

/// Fingerprints of objects, archives, linked files, directories or recordings.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An object, an archive, a linked file, a record, a directory, or a recording's name.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print every part with its hash and, line by line, what was hashed.
    #[arg(long)]
    parts: bool,
    /// Show only this function or datum (a raw symbol); may be given several times.
    #[arg(long, value_name = "NAME")]
    symbol: Vec<OsString>,
    /// Show what was recorded for an object instead of reading the object again.
    #[arg(long)]
    recorded: bool,
    /// Look for records in this store instead of the one found from here.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let recording = match located::find(args.store.as_deref()) {
        Ok(store) => store.map(|store| Recording::open(&store, None)).transpose()?,
        // A broken store matters only to those who ask for it.
        Err(error) if args.recorded || args.store.is_some() => return Err(error),
        Err(_) => None,
    };
    let mut show = Show { args, recording, shown: Vec::new(), troubles: Vec::new() };
    for path in &args.paths {
        // A record outlives its object: the path is enough.
        if args.recorded
            && let Ok(Some(unit)) = show.record_of(Path::new(path))
        {
            let name = unit.identity.unit.output.clone();
            let objects = vec![Object { name, source: Source::Unit(Box::new(unit)) }];
            show.side(&Side { label: String::new(), objects, troubles: Vec::new() });
            continue;
        }
        show.side(&side::resolve(path, args.store.as_deref()));
    }
    show.missing_symbols();
    let text = match args.format {
        Format::Text => show_text::render(&show.shown, args.parts),
        Format::Json => show_json::render(&show.shown, args.parts, &show.troubles)?,
    };
    for trouble in &show.troubles {
        output::complain(trouble);
    }
    output::print(&text)?;
    let status = if show.troubles.is_empty() { SAME } else { TROUBLE };
    // The process is about to end, which frees all at once; item by item takes a sixtieth of the time.
    std::mem::forget(show);
    Ok(ExitCode::from(status))
}

struct Show<'a> {
    args: &'a Args,
    recording: Option<Recording>,
    shown: Vec<Shown>,
    troubles: Vec<String>,
}

impl Show<'_> {
    fn side(&mut self, side: &Side) {
        self.troubles.extend(side.troubles.iter().cloned());
        for object in &side.objects {
            match self.object(object) {
                Ok(shown) if self.args.symbol.is_empty() || shown.items().next().is_some() => {
                    self.shown.push(shown);
                }
                Ok(_) => {}
                Err(why) => self.troubles.push(format!("`{}`: {why}", object.place())),
            }
        }
    }

    fn object(&self, object: &Object) -> Result<Shown, String> {
        let loaded = side::load(object)?;
        let record = match &object.source {
            Source::File(path) => self.record_of(path)?,
            Source::Member { .. } | Source::Unit(_) => None,
        };
        let symbols = self.args.symbol.iter().map(|name| BString::from(name.as_encoded_bytes())).collect();
        let (prints, recorded) = match (&loaded, &record) {
            (Loaded::Record(_), _) => (loaded.fingerprints()?, Some(Standing::Record)),
            (_, Some(record)) if self.args.recorded => {
                (Loaded::Record(record).fingerprints()?, Some(Standing::Record))
            }
            (_, None) if self.args.recorded => return Err("has no record in the store".into()),
            (_, Some(record)) => {
                let prints = loaded.fingerprints_by(Workers::FEW)?;
                let standing = standing(&loaded, &prints.items, record);
                (prints, standing)
            }
            (_, None) => (loaded.fingerprints_by(Workers::FEW)?, None),
        };
        let identity = record.as_ref().map(|record| &record.identity).or(loaded.identity());
        let mut notes = identity.map(|identity| identity.notes.clone()).unwrap_or_default();
        let role = identity.map(|identity| kernel::role(&identity.call.run));
        notes.extend(
            role.filter(|role| *role != kernel::Role::Other)
                .map(|role| format!("part of a kernel build: {}", role.as_str())),
        );
        Ok(Shown { name: object.name.clone(), prints, recorded, notes, symbols })
    }

    fn record_of(&self, path: &Path) -> Result<Option<UnitEntry>, String> {
        let Some(recording) = &self.recording else { return Ok(None) };
        // The object may stand behind a link; its record bears the path that the build used.
        let paths = [std::path::absolute(path).ok(), path.canonicalize().ok()];
        for path in paths.into_iter().flatten() {
            if let Some(unit) = recording.find(&path).map_err(|damaged| format!("its record {damaged}"))? {
                return Ok(Some(unit));
            }
        }
        if !self.args.recorded {
            return Ok(None);
        }
        // One that the build moved is known by its bytes. Reading every record is slow: only for those who ask.
        let Ok(bytes) = read_regular(path) else { return Ok(None) };
        let hash = Hash::of(&bytes);
        let is_it = |unit: &UnitEntry| unit.identity.variants.iter().any(|variant| variant.hash == hash);
        Ok(recording.units().flatten().find(is_it))
    }

    /// A symbol that nothing has is a mistake worth a line.
    fn missing_symbols(&mut self) {
        for symbol in &self.args.symbol {
            let name = BString::from(symbol.as_encoded_bytes());
            let found = self.shown.iter().any(|shown| shown.items().any(|item| item.is_called(&name)));
            if !found {
                self.troubles.push(format!("no function or datum is called `{name}`"));
            }
        }
    }
}

fn standing(loaded: &Loaded<'_>, items: &[crate::object::Item], record: &UnitEntry) -> Option<Standing> {
    let recorded = Loaded::Record(record);
    if recorded.hash() == loaded.hash() {
        return Some(Standing::SameBytes);
    }
    let prints = recorded.fingerprints().ok()?;
    let identities = |items: &[crate::object::Item]| -> Vec<_> {
        items.iter().map(|item| (item.name.clone(), item.identity(), item.references.clone())).collect()
    };
    let same = identities(items) == identities(&prints.items);
    Some(match loaded {
        _ if same => Standing::SameFingerprints,
        Loaded::Bytes(_, bytes) if rewritten::by(record, bytes).is_some() => Standing::Rewritten,
        _ => Standing::Differs,
    })
}
