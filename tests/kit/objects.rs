//! Two objects of a tree, and what lies between them.

#![allow(clippy::indexing_slicing, reason = "a document without what it must hold fails the test")]

use super::{Place, json, run};

/// Findings between two objects of the tree, as `kind symbol change parts`, sorted.
#[track_caller]
pub fn findings(place: &Place, old: &str, new: &str) -> Vec<String> {
    let document = json(place.lpcc().args(["diff", old, new, "--format", "json"]));
    assert_eq!(document["troubles"].as_array().map(Vec::len), Some(0), "{document}");
    let objects = document["objects"].as_array().unwrap();
    assert_eq!(objects.len(), 1, "{document}");
    let mut all: Vec<String> = objects[0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            let parts = finding["parts"].as_array().map_or(String::new(), |parts| {
                parts.iter().flat_map(|part| [" ", part.as_str().unwrap()]).collect()
            });
            format!("{} {} {}{parts}", word("kind"), word("symbol"), word("change"))
        })
        .collect();
    all.sort();
    all
}

/// That these and no other findings lie between two objects.
#[track_caller]
pub fn differs(place: &Place, old: &str, new: &str, expected: &[&str]) {
    assert_eq!(findings(place, old, new), expected, "{old} {new}");
}

/// Whether a command succeeds in the tree.
pub fn works(place: &Place, script: &str) -> bool {
    run(place.command("/bin/sh").args(["-ec", script]), None).status.success()
}
