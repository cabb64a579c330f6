//! `lpcc diff --format json` as data: what the tests ask of it.

use std::collections::BTreeSet;

use super::assembler::unnumbered;

/// One finding, flattened.
#[derive(Debug)]
pub struct Finding {
    pub object: String,
    pub kind: String,
    pub symbol: String,
    pub change: String,
    /// All of the finding, for messages and hints.
    pub json: serde_json::Value,
}

/// Parses what `lpcc diff --format json` printed.
#[track_caller]
pub fn parse(output: &[u8]) -> Vec<Finding> {
    let json: serde_json::Value = serde_json::from_slice(output)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(output)));
    assert_eq!(json["schema"], "lpcc.diff/1");
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for object in json["objects"].as_array().expect("`objects` is a list") {
        for finding in object["findings"].as_array().expect("`findings` is a list") {
            found.push(Finding {
                object: word(&object["object"]),
                kind: word(&finding["kind"]),
                symbol: word(&finding["symbol"]),
                change: word(&finding["change"]),
                json: finding.clone(),
            });
        }
    }
    found
}

/// Names of the functions in findings about objects whose name ends in `object`, numbers left out.
pub fn functions(findings: &[Finding], object: &str) -> BTreeSet<String> {
    findings
        .iter()
        .filter(|finding| finding.kind == "function" && finding.object.ends_with(object))
        .map(|finding| unnumbered(&finding.symbol))
        .collect()
}
