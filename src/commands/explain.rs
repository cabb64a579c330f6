//! `lpcc explain`: what the policy does with a call, or did with a recorded object, and why.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bstr::{BString, ByteSlice};
use serde_json::{Value, json};

use super::located;
use crate::analysis::clones;
use crate::policy::{Decision, Difference, Dump, Effective, Origin, Shadow};
use crate::report::error::{SAME, TROUBLE};
use crate::report::table::{self, Cell};
use crate::report::{Format, bytes, output};
use crate::store::{Recording, UnitEntry, VariantHead};
use crate::wrap::apply::{self, Explained};

/// What the policy does with a compiler call, or did with a recorded object, and why.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An object that was recorded.
    #[arg(value_name = "OBJECT", required_unless_present = "call", conflicts_with = "call")]
    object: Option<PathBuf>,
    /// A compiler and its arguments, behind `--`; nothing is compiled.
    #[arg(last = true, value_name = "CALL")]
    call: Vec<OsString>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Look for the record in this store instead of the one found from here.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let answer = match &args.object {
        Some(object) => recorded(&find(object, args.store.as_deref())?)?,
        None => of_call(&apply::explain(&args.call)?),
    };
    let text = match args.format {
        Format::Text => answer.text(),
        Format::Json => format!("{:#}\n", answer.json()),
    };
    for trouble in &answer.troubles {
        output::complain(trouble);
    }
    output::print(&text)?;
    Ok(ExitCode::from(if answer.troubles.is_empty() { SAME } else { TROUBLE }))
}

/// What is told of a call.
struct Answer {
    decision: Decision,
    refused: Option<String>,
    compiler: String,
    command: Vec<BString>,
    configuration: Option<PathBuf>,
    ignored: Vec<(PathBuf, String)>,
    settings: Vec<(&'static str, String, String)>,
    added: Vec<String>,
    turned_off: Option<Vec<String>>,
    dump: Option<String>,
    /// Each shadow, and what is or was made of it.
    shadows: Vec<(String, String)>,
    notes: Vec<String>,
    troubles: Vec<String>,
}

fn find(object: &Path, store: Option<&Path>) -> anyhow::Result<UnitEntry> {
    let missing = || anyhow::anyhow!("`{}` has no record", object.display());
    let store = located::find(store)?.ok_or_else(missing)?;
    let recording = Recording::open(&store, None)?;
    for path in [std::path::absolute(object).ok(), object.canonicalize().ok()].into_iter().flatten() {
        let found = recording.find(&path);
        if let Some(unit) = found.map_err(|damaged| anyhow::anyhow!("the record {damaged}"))? {
            return Ok(unit);
        }
    }
    Err(missing())
}

fn recorded(unit: &UnitEntry) -> anyhow::Result<Answer> {
    let identity = &unit.identity;
    let dump = unit.record.clones().map_err(|why| unit.damaged(why))?.map(|dump| {
        let edges = clones::parse(&dump).edges;
        let inlined = edges.iter().filter(|edge| edge.is_inlining()).count();
        format!("kept with the record: {inlined} inlined, {} cloned", edges.len() - inlined)
    });
    let shadow = |variant: &VariantHead| match &variant.unreadable {
        Some(why) => (variant.name.clone(), why.clone()),
        None => (variant.name.clone(), "compiled and recorded".to_owned()),
    };
    let compiler = &identity.compiler;
    let run = compiler_first(compiler.path.clone(), &identity.call.launchers, &identity.call.run);
    Ok(Answer {
        dump,
        decision: identity.decision.clone(),
        refused: None,
        compiler: format!("{} {}, {}", compiler.family.as_str(), compiler.version, compiler.target),
        command: run,
        configuration: None,
        ignored: Vec::new(),
        settings: Vec::new(),
        added: identity
            .call
            .run
            .iter()
            .filter(|word| !identity.call.given.contains(word))
            .map(ToString::to_string)
            .collect(),
        turned_off: None,
        shadows: identity.variants.iter().skip(1).map(shadow).collect(),
        notes: identity.notes.clone(),
        troubles: Vec::new(),
    })
}

fn compiler_first(compiler: BString, launchers: &[BString], run: &[BString]) -> Vec<BString> {
    launchers.iter().cloned().chain([compiler]).chain(run.iter().cloned()).collect()
}

fn of_call(explained: &Explained) -> Answer {
    let ruling = &explained.ruling;
    let compiler = match (&explained.about, &explained.compiler) {
        (Some(about), Some(_)) => format!("{} {}, {}", about.family.as_str(), about.version, about.target),
        _ => "none: a launcher is called for something else".to_owned(),
    };
    Answer {
        dump: match &ruling.dump {
            Dump::Unasked => None,
            Dump::Wanted => {
                Some("`-fdump-ipa-clones=` is added when it runs, and the dump kept with the record".into())
            }
            Dump::LeftOut(why) => Some(format!("left out: {why}")),
        },
        decision: ruling.decision.clone(),
        refused: ruling.refused.clone(),
        compiler,
        command: explained.command.iter().map(|word| BString::from(word.as_encoded_bytes())).collect(),
        configuration: explained.loaded.file.clone(),
        ignored: explained.loaded.ignored.clone(),
        settings: settings(&ruling.effective),
        added: ruling.added.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        turned_off: explained.turned_off.clone(),
        shadows: explained.shadows.iter().map(|shadow| (shadow.name.clone(), said(shadow))).collect(),
        notes: explained.once.clone(),
        troubles: explained.loaded.troubles.clone(),
    }
}

/// What a shadow is, in words.
fn said(shadow: &Shadow) -> String {
    match &shadow.difference {
        Difference::ToggleLivePatching(level) => {
            format!(
                "compiled without the flag where the call has it, else with `-flive-patching={}`",
                level.as_str()
            )
        }
        Difference::Same => "the identical call again".to_owned(),
        Difference::Lines => "compiled with all line numbers moved".to_owned(),
        Difference::Other(other) => {
            let removed = other.remove.iter().map(|glob| format!("without `{glob}`"));
            let added = other.add.iter().map(|flag| format!("with `{flag}`"));
            let compiler = other.compiler.iter().map(|compiler| format!("by `{compiler}`"));
            let differences: Vec<String> = compiler.chain(removed).chain(added).collect();
            format!("compiled {}", differences.join(", "))
        }
    }
}

/// Every setting, its value and where it comes from.
fn settings(effective: &Effective) -> Vec<(&'static str, String, String)> {
    let list = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(" ") };
    let row = |name, value: String, origin: &Origin| (name, value, origin.to_string());
    vec![
        row("live-patching", effective.live_patching.value.as_str().into(), &effective.live_patching.origin),
        row("lto", effective.lto.value.as_str().into(), &effective.lto.origin),
        row("clones", effective.clones.value.to_string(), &effective.clones.origin),
        row("on-conflict", effective.on_conflict.value.as_str().into(), &effective.on_conflict.origin),
        row("add", list(effective.add.value.clone()), &effective.add.origin),
        row(
            "remove",
            list(effective.remove.value.iter().map(ToString::to_string).collect()),
            &effective.remove.origin,
        ),
    ]
}

impl Answer {
    /// The command as a shell would take it.
    fn command_line(&self) -> String {
        let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
        let quoted = |word: &BString| {
            let word = bytes::printable(word.as_bstr());
            if !word.is_empty() && word.chars().all(plain) {
                word.into_owned()
            } else {
                shell_words::quote(&word).into_owned()
            }
        };
        self.command.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }

    fn text(&self) -> String {
        let mut rows: Vec<Vec<_>> = Vec::new();
        let mut row = |cells: &[&str]| {
            rows.push(cells.iter().map(|text| Cell::plain((*text).to_owned())).collect());
        };
        row(&["decision", self.decision.action.as_str()]);
        row(&["because", &self.decision.reason]);
        if let Some(why) = &self.refused {
            row(&["refused", why]);
        }
        let state = self.decision.live_patching.as_ref().map(|level| format!("-flive-patching={level}"));
        row(&["flag", state.as_deref().unwrap_or("none")]);
        row(&["compiler", &self.compiler]);
        row(&["runs", &self.command_line()]);
        if let Some(off) = &self.turned_off {
            let off = if off.is_empty() { "nothing".to_owned() } else { off.join(" ") };
            row(&["turns off", &off]);
        }
        if let Some(dump) = &self.dump {
            row(&["clones", dump]);
        }
        if let Some(file) = &self.configuration {
            row(&["configuration", &file.display().to_string()]);
        }
        for (file, reason) in &self.ignored {
            row(&["ignored", &format!("{}: {reason}", file.display())]);
        }
        for (name, value, origin) in &self.settings {
            row(&["setting", &format!("{name} = {value}: {origin}")]);
        }
        for (name, what) in &self.shadows {
            row(&["shadow", &format!("{name}: {what}")]);
        }
        for note in &self.notes {
            row(&["note", note]);
        }
        let mut out = String::new();
        table::write(&mut out, "", &rows);
        out
    }

    fn json(&self) -> Value {
        let text = |words: &[BString]| -> Vec<String> {
            words.iter().map(|word| word.to_str_lossy().into_owned()).collect()
        };
        let mut answer = json!({
            "schema": "lpcc.explain/1",
            "action": self.decision.action.as_str(),
            "reason": self.decision.reason,
            "live_patching": self.decision.live_patching,
            "refused": self.refused,
            "compiler": self.compiler,
            "command": text(&self.command),
            "added": self.added,
            "turned_off": self.turned_off,
            "clones": self.dump,
            "configuration": self.configuration.as_ref().map(|file| file.display().to_string()),
            "ignored": self.ignored.iter().map(|(file, reason)| json!({
                "file": file.display().to_string(), "reason": reason,
            })).collect::<Vec<_>>(),
            "settings": self.settings.iter().map(|(name, value, origin)| json!({
                "name": name, "value": value, "origin": origin,
            })).collect::<Vec<_>>(),
            "shadows": self.shadows.iter().map(|(name, what)| json!({"name": name, "what": what})).collect::<Vec<_>>(),
            "notes": self.notes,
            "troubles": self.troubles,
        });
        let lossy = self.command.iter().any(|word| word.to_str().is_err());
        if lossy && let Some(answer) = answer.as_object_mut() {
            use base64::Engine;
            let encode = |word: &BString| base64::engine::general_purpose::STANDARD.encode(word);
            answer.insert("command_bytes".into(), self.command.iter().map(encode).collect());
        }
        answer
    }
}
