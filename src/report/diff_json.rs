//! `lpcc diff --format json`: the schema `lpcc.diff/1`, described in docs/json.md.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::{BStr, BString, ByteSlice};
use serde::Serialize;
use serde_json::{Map, Value};

use super::code::{self, Op};
use super::{Comparison, demangle};
use crate::analysis::{Change, Finding, FindingKind, ObjectDiff, Place, Status, Summary};

/// The document, pretty-printed, with a final newline.
pub fn render(comparison: &Comparison) -> anyhow::Result<String> {
    let document = Document {
        schema: "lpcc.diff/1",
        old: &comparison.old,
        new: &comparison.new,
        objects: comparison.objects.iter().map(object).collect(),
        summary: summary(&comparison.summary()),
        troubles: &comparison.troubles,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    old: &'a str,
    new: &'a str,
    objects: Vec<Object<'a>>,
    summary: Value,
    troubles: &'a [String],
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(rename = "object")]
    name: String,
    #[serde(rename = "object_bytes", skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    findings: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code: Vec<Code>,
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    symbol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    demangled: Option<String>,
    change: &'static str,
    parts: Vec<&'static str>,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    readers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    perhaps_readers: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    guess: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    old: Side<'a>,
    new: Side<'a>,
}

/// One side of a finding; empty where that side has nothing.
#[derive(Default, Serialize)]
struct Side<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct Code {
    symbol: String,
    part: &'static str,
    lines: Vec<CodeLine>,
}

#[derive(Serialize)]
struct CodeLine {
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_offset: Option<u64>,
    text: String,
}

fn object(diff: &ObjectDiff) -> Object<'_> {
    Object {
        name: lossy(&diff.object),
        name_bytes: raw(&diff.object),
        status: diff.status.as_str(),
        notes: &diff.notes,
        findings: diff.findings.iter().map(entry).collect(),
        code: diff.code.iter().flat_map(code_of).collect(),
    }
}

fn entry(finding: &Finding) -> Entry<'_> {
    Entry {
        kind: finding.kind.as_str(),
        symbol: lossy(&finding.symbol),
        symbol_bytes: raw(&finding.symbol),
        demangled: demangle::demangle(finding.symbol.as_bstr()),
        change: finding.change.as_str(),
        parts: finding.parts.iter().map(|part| part.as_str()).collect(),
        detail: &finding.detail,
        readers: (finding.kind != FindingKind::Function && finding.kind != FindingKind::Input)
            .then(|| finding.readers.iter().map(lossy).collect()),
        perhaps_readers: finding.perhaps.iter().map(lossy).collect(),
        guess: finding.guess,
        hint: finding.hint.map(crate::analysis::Hint::as_str),
        old: side(finding.old.as_ref()),
        new: side(finding.new.as_ref()),
    }
}

fn side(place: Option<&Place>) -> Side<'_> {
    let Some(place) = place else { return Side::default() };
    Side {
        symbol: Some(lossy(&place.symbol)),
        section: Some(lossy(&place.section)),
        size: Some(place.size),
        offset: place.offset,
        index: place.index,
        text: place.text.as_deref(),
    }
}

fn code_of(pair: &crate::analysis::CodePair) -> impl Iterator<Item = Code> {
    pair.listings.iter().map(|listing| Code {
        symbol: lossy(&pair.symbol),
        part: listing.part.as_str(),
        lines: code::rows(listing).into_iter().flat_map(code_lines).collect(),
    })
}

fn code_lines(row: code::Row<'_>) -> Vec<CodeLine> {
    let line = |op, line: Option<&crate::object::listing::Line>, is_old, is_new| {
        line.map(|line| CodeLine {
            op,
            old_offset: line.offset.filter(|_| is_old),
            new_offset: line.offset.filter(|_| is_new),
            text: line.text.clone(),
        })
    };
    match row.op {
        Op::Gap => Vec::new(),
        Op::Same => {
            let mut same = line(" ", row.new, false, true);
            if let Some(same) = same.as_mut() {
                same.old_offset = row.old.and_then(|old| old.offset);
            }
            same.into_iter().collect()
        }
        Op::Different => {
            line("-", row.old, true, false).into_iter().chain(line("+", row.new, false, true)).collect()
        }
    }
}

/// Counts. All words of the closed lists are present, so that a reader need not ask which are.
fn summary(summary: &Summary) -> Value {
    let mut counts = Map::new();
    counts.insert("objects".into(), summary.objects.into());
    for status in Status::ALL {
        counts.insert(status.as_str().into(), summary.status(status).into());
    }
    for (name, kind) in [
        ("functions", FindingKind::Function),
        ("data", FindingKind::Data),
        ("sites", FindingKind::Site),
        ("sections", FindingKind::Section),
        ("unowned", FindingKind::Unowned),
        ("inputs", FindingKind::Input),
    ] {
        let by_change: Map<_, _> = Change::ALL
            .into_iter()
            .map(|change| (change.as_str().to_owned(), summary.findings(kind, change).into()))
            .collect();
        counts.insert(name.into(), by_change.into());
    }
    counts.into()
}

fn lossy(bytes: &BString) -> String {
    bytes.to_str_lossy().into_owned()
}

/// The bytes in base64, where the text lost some.
fn raw(bytes: &BString) -> Option<String> {
    let bytes: &BStr = bytes.as_bstr();
    bytes.to_str().is_err().then(|| STANDARD.encode(bytes))
}
