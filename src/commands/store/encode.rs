//! Records as JSON. Bytes are lossy text, and base64 under `…_bytes` beside it where that text lost some.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::{BStr, BString, ByteSlice};
use serde_json::{Map, Value, json};

use crate::object::{Basis, Fingerprints, Hook, Item, Part, Reference, Scope};
use crate::report::bytes;
use crate::store::record::{
    Call, Compiler, Completeness, Input, Inputs, LinkRecord, Note, Outcome, Record, Variant,
};

type Object = Map<String, Value>;

/// A path under `key`.
pub fn path(object: &mut Object, key: &str, path: &Path) {
    bytes::put(object, key, path.as_os_str().as_bytes().into());
}

/// Bytes under `key` that may be missing.
fn optional(object: &mut Object, key: &str, text: Option<&BStr>) {
    match text {
        Some(text) => bytes::put(object, key, text),
        None => drop(object.insert(key.into(), Value::Null)),
    }
}

/// A list under `key`; all of it once more in base64 where one element needs it.
fn list<'a>(object: &mut Object, key: &str, texts: impl IntoIterator<Item = &'a BString>) {
    let texts: Vec<&BStr> = texts.into_iter().map(|text| text.as_bstr()).collect();
    let lossy = texts.iter().map(|text| text.to_str_lossy().into_owned());
    object.insert(key.into(), lossy.collect());
    if texts.iter().any(|text| text.to_str().is_err()) {
        object.insert(format!("{key}_bytes"), texts.iter().map(|text| STANDARD.encode(text)).collect());
    }
}

/// Raw bytes that are no text.
fn base64(raw: &[u8]) -> Value {
    STANDARD.encode(raw).into()
}

/// A record with everything in it, canonical streams too.
pub fn record(record: &Record) -> Object {
    let mut object = Object::new();
    bytes::put(&mut object, "source", record.unit.source.as_bstr());
    bytes::put(&mut object, "output", record.unit.output.as_bstr());
    object.insert("language".into(), debug(&record.unit.language));
    object.insert("call".into(), call(&record.call).into());
    object.insert("compiler".into(), compiler(&record.compiler).into());
    object.insert(
        "decision".into(),
        json!({
            "action": debug(&record.decision.action), "reason": record.decision.reason,
            "live_patching": record.decision.live_patching,
        }),
    );
    object.insert("inputs".into(), inputs(&record.inputs));
    object.insert("variants".into(), record.variants.iter().map(variant).collect());
    object.insert("notes".into(), json!(record.notes));
    let shadows = record.shadows.iter().map(|shadow| {
        let mut object = Object::new();
        list(&mut object, "run", &shadow.run);
        object.insert("compiler".into(), shadow.compiler.as_ref().map(compiler).into());
        object.insert("inputs".into(), files(&shadow.inputs));
        Value::from(object)
    });
    object.insert("shadows".into(), shadows.collect());
    let rewriters = record.rewriters.iter().map(|words| {
        let mut object = Object::new();
        list(&mut object, "command", words);
        Value::from(object)
    });
    object.insert("rewriters".into(), rewriters.collect());
    optional(&mut object, "clones", record.clones.as_ref().map(|dump| dump.as_bstr()));
    object
}

/// A link record.
pub fn link(link: &LinkRecord) -> Object {
    let mut object = Object::new();
    bytes::put(&mut object, "output", link.output.as_bstr());
    object.insert("build_id".into(), hex(link.build_id.as_ref()));
    object.insert("hash".into(), link.hash.map(|hash| hash.to_string()).into());
    list(&mut object, "inputs", &link.inputs);
    list(&mut object, "without_object", &link.without_object);
    object.insert("call".into(), call(&link.call).into());
    object
}

/// A note.
pub fn note(note: &Note) -> Object {
    let mut object = Object::new();
    object.insert("kind".into(), debug(&note.kind));
    optional(&mut object, "source", note.source.as_ref().map(|path| path.as_bstr()));
    optional(&mut object, "output", note.output.as_ref().map(|path| path.as_bstr()));
    object.insert("reason".into(), note.reason.clone().into());
    object.insert("call".into(), note.call.as_ref().map(call).into());
    object
}

fn call(call: &Call) -> Object {
    let mut object = Object::new();
    list(&mut object, "given", &call.given);
    list(&mut object, "run", &call.run);
    let pairs = |pairs: &[(BString, BString)], key: &str| {
        let pair = |(name, value): &(BString, BString)| {
            let mut pair = Object::new();
            bytes::put(&mut pair, "name", name.as_bstr());
            bytes::put(&mut pair, key, value.as_bstr());
            Value::from(pair)
        };
        pairs.iter().map(pair).collect::<Value>()
    };
    object.insert("response_files".into(), pairs(&call.response_files, "contents"));
    list(&mut object, "launchers", &call.launchers);
    bytes::put(&mut object, "directory", call.directory.as_bstr());
    object.insert("environment".into(), pairs(&call.environment, "value"));
    object
}

fn compiler(compiler: &Compiler) -> Object {
    let mut object = Object::new();
    bytes::put(&mut object, "path", compiler.path.as_bstr());
    object.insert("family".into(), debug(&compiler.family));
    object.insert("version".into(), compiler.version.clone().into());
    object.insert("target".into(), compiler.target.clone().into());
    let programs = compiler.programs.iter().map(|(path, hash)| {
        let mut program = Object::new();
        bytes::put(&mut program, "path", path.as_bstr());
        program.insert("hash".into(), hash.to_string().into());
        Value::from(program)
    });
    object.insert("programs".into(), programs.collect());
    object
}

fn files(files: &[Input]) -> Value {
    let file = |input: &Input| {
        let mut file = Object::new();
        bytes::put(&mut file, "path", input.path.as_bstr());
        file.insert("hash".into(), input.hash.map(|hash| hash.to_string()).into());
        Value::from(file)
    };
    files.iter().map(file).collect()
}

fn inputs(inputs: &Inputs) -> Value {
    let missing = match &inputs.completeness {
        Completeness::Full => None,
        Completeness::Partial(reason) => Some(reason),
    };
    json!({"complete": missing.is_none(), "missing": missing, "files": files(&inputs.files)})
}

fn variant(variant: &Variant) -> Value {
    let (prints, unreadable) = match &variant.fingerprints {
        Outcome::Read(prints) => (Some(fingerprints(prints)), None),
        Outcome::Unreadable(reason) => (None, Some(reason)),
    };
    json!({
        "name": variant.name, "hash": variant.hash.to_string(), "size": variant.size, "unreadable": unreadable,
        "fingerprints": prints,
    })
}

fn fingerprints(prints: &Fingerprints) -> Value {
    let (trust, reasons) = match &prints.basis {
        Basis::Exact => ("exact", Vec::new()),
        Basis::Conservative(reasons) => ("conservative", reasons.clone()),
        Basis::Deferred(reason) => ("deferred", vec![reason.clone()]),
    };
    let image = &prints.image;
    json!({
        "recipe": prints.recipe,
        "image": {
            "machine": image.machine, "file_type": image.file_type, "bits": image.bits,
            "little_endian": image.little_endian, "flags": image.flags, "build_id": hex(image.build_id.as_ref()),
        },
        "basis": {"trust": trust, "reasons": reasons},
        "items": prints.items.iter().map(item).collect::<Value>(),
        "streams": base64(&prints.streams),
    })
}

fn item(item: &Item) -> Value {
    let mut object = Object::new();
    object.insert("kind".into(), debug(&item.kind));
    bytes::put(&mut object, "name", item.name.as_bstr());
    let mut names: Vec<BString> = item.names().cloned().collect();
    names.sort();
    list(&mut object, "names", &names);
    let (scope, file) = match &item.scope {
        Scope::Global => ("global", None),
        Scope::Weak => ("weak", None),
        Scope::Local(file) => ("local", file.as_deref()),
        Scope::None => ("none", None),
    };
    object.insert("scope".into(), scope.into());
    optional(&mut object, "file", file);
    bytes::put(&mut object, "section", item.section.as_bstr());
    object.insert("address".into(), item.address.into());
    object.insert("size".into(), item.size.into());
    object.insert("identity".into(), item.identity().to_string().into());
    object.insert("parts".into(), item.parts.iter().map(part).collect());
    let references = item.references.iter().map(|reference| {
        let mut object = Object::new();
        match reference {
            Reference::Item(index) => drop(object.insert("item".into(), (*index).into())),
            Reference::External(name) => bytes::put(&mut object, "external", name.as_bstr()),
        }
        Value::from(object)
    });
    object.insert("references".into(), references.collect());
    object.insert("traits".into(), traits(item).into());
    object.into()
}

fn part(part: &Part) -> Value {
    let range = json!({"start": part.stream.start, "len": part.stream.len});
    json!({"kind": part.kind.as_str(), "hash": part.hash.to_string(), "stream": range})
}

fn traits(item: &Item) -> Object {
    let traits = &item.traits;
    let mut object = Object::new();
    let hook = match traits.hook {
        Hook::Patchable { before, after } => json!({"kind": "patchable", "before": before, "after": after}),
        plain => json!({"kind": debug(&plain)}),
    };
    object.insert("hook".into(), hook);
    object.insert("instructions".into(), traits.instructions.into());
    let cold = traits.cold().map(|(section, address, size)| {
        let mut cold = Object::new();
        bytes::put(&mut cold, "section", section.as_bstr());
        cold.insert("address".into(), (*address).into());
        cold.insert("size".into(), (*size).into());
        cold
    });
    object.insert("cold".into(), cold.into());
    optional(&mut object, "origin", traits.origin().map(|name| name.as_bstr()));
    object.insert("inferred_size".into(), traits.inferred_size.into());
    object.insert("layout".into(), json!({"start": traits.layout.start, "len": traits.layout.len}));
    object.insert("zero_filled".into(), traits.zero_filled.into());
    object.insert("writable".into(), traits.writable.into());
    object.insert("perhaps".into(), traits.perhaps().into());
    object
}

/// The name of a plain enum's variant, as JSON has it: `NotRecorded` is `not-recorded`.
fn debug(value: &impl std::fmt::Debug) -> Value {
    let mut text = String::new();
    for (index, letter) in format!("{value:?}").chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text.into()
}

fn hex(raw: Option<&BString>) -> Value {
    let digits = |raw: &BString| {
        raw.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // a String takes everything
            text
        })
    };
    raw.map(digits).into()
}
