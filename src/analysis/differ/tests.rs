//! Tests of the comparison.

use super::*;
use crate::analysis::testing::{add_part, data, function, object, part};
use crate::object::Scope;

/// Findings as `kind symbol change parts`.
fn found(old: &Fingerprints, new: &Fingerprints) -> Vec<String> {
    compare(old, new).iter().map(said).collect()
}

fn said(finding: &Finding) -> String {
    let parts: Vec<_> = finding.parts.iter().map(|part| part.as_str()).collect();
    let text = format!(
        "{} {} {} {}",
        finding.kind.as_str(),
        finding.symbol,
        finding.change.as_str(),
        parts.join(",")
    );
    text.trim_end().to_owned()
}

#[test]
fn equal_objects_have_no_findings() {
    let one = object(vec![data("t.0", "a"), function("f", "f", &[0])]);
    assert_eq!(found(&one, &one), Vec::<String>::new());
}

#[test]
fn a_renumbered_static_is_no_finding() {
    let old = object(vec![data("cnt.0", "a"), function("f", "f", &[0])]);
    let new = object(vec![
        data("cnt.0", "b"),
        data("cnt.1", "a"),
        function("f", "f", &[1]),
        function("g", "g", &[0]),
    ]);
    assert_eq!(found(&old, &new), ["function g new", "data cnt.0 new"]);
}

#[test]
fn a_renumbered_static_in_a_section_of_its_own_is_no_finding() {
    let with_section = |name: &str| {
        let mut item = data(name, "a");
        item.section = format!(".data.{name}").as_str().into();
        add_part(&mut item, part(PartKind::Attributes, name));
        object(vec![item])
    };
    assert_eq!(found(&with_section("cnt.0"), &with_section("cnt.1")), Vec::<String>::new());
}

#[test]
fn equal_hashes_are_not_enough() {
    // Two statics of one name change roles: the hash of `f` speaks of the first `cnt` that it uses.
    let old = object(vec![data("cnt.0", "a"), data("cnt.1", "b"), function("f", "f", &[0])]);
    let new = object(vec![data("cnt.0", "a"), data("cnt.1", "b"), function("f", "f", &[1])]);
    assert_eq!(found(&old, &new), ["function f changed references"]);
    assert_eq!(compare(&old, &new)[0].detail, "reference to cnt.0 became cnt.1");
}

#[test]
fn an_external_that_came_to_be_defined_here_is_the_same_symbol() {
    let mut caller = function("f", "f", &[]);
    caller.references = [Reference::External("g".into())].into();
    let old = object(vec![caller]);
    let new = object(vec![function("f", "f", &[1]), function("g", "g", &[])]);
    assert_eq!(found(&old, &new), ["function g new"]);
    let mut caller = function("f", "f", &[]);
    caller.references = [Reference::External("h".into())].into();
    assert_eq!(found(&old, &object(vec![caller])), ["function f changed references"]);
}

#[test]
fn data_names_its_readers_of_both_sides() {
    let old = object(vec![data("tbl", "a"), function("f", "f", &[0]), function("g", "g", &[])]);
    let new = object(vec![data("tbl", "b"), function("f", "f", &[]), function("g", "g", &[0])]);
    let findings = compare(&old, &new);
    let table = findings.iter().find(|finding| finding.symbol == "tbl").unwrap();
    assert_eq!((said(table).as_str(), table.readers.len()), ("data tbl changed content", 2));
    assert_eq!(table.readers, ["f", "g"]);
}

#[test]
fn attributes_have_words_of_their_own() {
    let old = object(vec![function("f", "f", &[])]);
    let mut moved = function("f", "f", &[]);
    moved.section = ".text.unlikely".into();
    moved.scope = Scope::Weak;
    moved.aliases = ["g".into()].into();
    add_part(&mut moved, part(PartKind::Attributes, "other"));
    let changes =
        ["function f section attributes", "function f binding attributes", "function f alias attributes"];
    assert_eq!(found(&old, &object(vec![moved.clone()])), changes);

    moved.parts[0] = part(PartKind::Code, "changed too");
    let all = ["function f changed code"].into_iter().chain(changes).collect::<Vec<_>>();
    assert_eq!(found(&old, &object(vec![moved])), all);
}

#[test]
fn an_attribute_without_a_word_is_a_change() {
    let old = object(vec![function("f", "f", &[])]);
    let mut hooked = function("f", "f", &[]);
    hooked.traits.hook = crate::object::Hook::Fentry;
    add_part(&mut hooked, part(PartKind::Attributes, "hook"));
    assert_eq!(found(&old, &object(vec![hooked])), ["function f changed attributes"]);
}

#[test]
fn an_attribute_nobody_can_explain_is_a_change() {
    let old = object(vec![function("f", "f", &[])]);
    let mut odd = function("f", "f", &[]);
    add_part(&mut odd, part(PartKind::Attributes, "odd"));
    assert_eq!(found(&old, &object(vec![odd])), ["function f changed attributes"]);
}

#[test]
fn a_renamed_function_says_from_what() {
    let side = |name: &str, scope| object(vec![Item { scope, ..function(name, "a", &[]) }]);
    let findings = compare(&side("foo", Scope::Local(None)), &side("foo2", Scope::Local(None)));
    assert_eq!(findings.iter().map(said).collect::<Vec<_>>(), ["function foo2 renamed"]);
    assert_eq!(findings[0].detail, "foo became foo2");
    assert_eq!(findings[0].old.as_ref().unwrap().symbol, "foo");
    // Others know a global by its name: for them the one is gone, and the other new.
    let findings = compare(&side("foo", Scope::Global), &side("foo2", Scope::Global));
    assert_eq!(
        findings.iter().map(said).collect::<BTreeSet<_>>(),
        ["function foo removed", "function foo2 new"].map(str::to_owned).into()
    );
}

#[test]
fn a_guess_is_marked() {
    let old = object(vec![data("t.0", "a"), data("t.1", "b")]);
    let new = object(vec![data("t.4", "c"), data("t.5", "d")]);
    assert!(compare(&old, &new).iter().all(|finding| finding.guess && finding.change == Change::Changed));
}

#[test]
fn one_side_only() {
    let one = object(vec![data("t", "a"), function("f", "f", &[0])]);
    let said = |change| all_of(&one, change).iter().map(said).collect::<Vec<_>>();
    assert_eq!(said(Change::New), ["function f new", "data t new"]);
    assert_eq!(said(Change::Removed), ["function f removed", "data t removed"]);
    assert_eq!(all_of(&one, Change::Removed)[1].readers, ["f"]);
}
