//! Tests of the matching.

use proptest::prelude::*;

use super::*;
use crate::analysis::testing::{data, function, object};
use crate::object::Item;

/// Pairs by name, and how.
fn paired(old: &Fingerprints, new: &Fingerprints) -> Vec<(String, String, How)> {
    let correlation = correlate(old, new);
    let name = |prints: &Fingerprints, index: u32| prints.items[index as usize].name.to_string();
    let mut pairs: Vec<_> =
        correlation.pairs.iter().map(|pair| (name(old, pair.old), name(new, pair.new), pair.how)).collect();
    pairs.sort();
    pairs
}

fn pair(old: &str, new: &str, how: How) -> (String, String, How) {
    (old.into(), new.into(), how)
}

#[test]
fn a_name_is_believed_whatever_the_content() {
    let old = object(vec![function("foo", "a", &[]), data("foo", "1")]);
    let new = object(vec![data("foo", "2"), function("foo", "b", &[])]);
    assert_eq!(paired(&old, &new), [pair("foo", "foo", How::Name), pair("foo", "foo", How::Name)]);
    let correlation = correlate(&old, &new);
    assert_eq!(correlation.new_of(0), Some(1), "a function is no datum");
}

#[test]
fn an_alias_is_a_name_too() {
    let mut new = function("bar", "a", &[]);
    new.aliases = ["foo".into()].into();
    let old = object(vec![function("foo", "a", &[])]);
    assert_eq!(paired(&old, &object(vec![new])), [pair("foo", "bar", How::Name)]);
}

#[test]
fn content_beats_the_number_of_a_static() {
    let old = object(vec![data("cnt.0", "one"), data("cnt.1", "two")]);
    let new = object(vec![data("cnt.0", "zero"), data("cnt.1", "one"), data("cnt.2", "two")]);
    assert_eq!(paired(&old, &new), [pair("cnt.0", "cnt.1", How::Stem), pair("cnt.1", "cnt.2", How::Stem)]);
}

#[test]
fn swapped_clones_are_told_by_their_bodies() {
    let old = object(vec![function("f.constprop.0", "a", &[]), function("f.constprop.1", "b", &[])]);
    let new = object(vec![function("f.constprop.0", "b", &[]), function("f.constprop.1", "a", &[])]);
    assert_eq!(
        paired(&old, &new),
        [
            pair("f.constprop.0", "f.constprop.1", How::Stem),
            pair("f.constprop.1", "f.constprop.0", How::Stem),
        ]
    );
}

#[test]
fn a_clone_is_not_what_it_was_cloned_from() {
    let old = object(vec![function("h", "a", &[])]);
    let new = object(vec![function("h.constprop.0", "b", &[])]);
    assert_eq!(paired(&old, &new), []);
}

#[test]
fn referrers_decide_between_equal_statics() {
    // f uses one counter, g another; both are four zero bytes.
    let old = object(vec![
        data("cnt.0", ""),
        data("cnt.1", ""),
        function("f", "f", &[0]),
        function("g", "g", &[1]),
    ]);
    let new = object(vec![
        data("cnt.0", ""),
        data("cnt.1", ""),
        function("f", "f", &[1]),
        function("g", "g", &[0]),
    ]);
    let pairs = paired(&old, &new);
    assert!(pairs.contains(&pair("cnt.0", "cnt.1", How::Stem)), "{pairs:?}");
    assert!(pairs.contains(&pair("cnt.1", "cnt.0", How::Stem)), "{pairs:?}");
}

#[test]
fn the_place_in_the_referrer_decides_between_statics_of_one_function() {
    let old = object(vec![data("cnt.0", ""), data("cnt.1", ""), function("f", "f", &[0, 1])]);
    let new = object(vec![data("cnt.0", ""), data("cnt.1", ""), function("f", "f", &[1, 0])]);
    let pairs = paired(&old, &new);
    assert!(pairs.contains(&pair("cnt.0", "cnt.1", How::Stem)), "{pairs:?}");
}

#[test]
fn a_changed_static_is_told_by_its_referrer() {
    let old = object(vec![
        data("t.0", "one"),
        data("t.1", "two"),
        function("f", "f", &[0]),
        function("g", "g", &[1]),
    ]);
    let new = object(vec![
        data("t.0", "TWO"),
        data("t.1", "ONE"),
        function("f", "f", &[1]),
        function("g", "g", &[0]),
    ]);
    let pairs = paired(&old, &new);
    assert!(pairs.contains(&pair("t.0", "t.1", How::Stem)), "{pairs:?}");
    assert!(pairs.contains(&pair("t.1", "t.0", How::Stem)), "{pairs:?}");
}

#[test]
fn position_is_the_last_resort_and_says_so() {
    let old = object(vec![data("t.0", "a"), data("t.1", "b")]);
    let new = object(vec![data("t.4", "c"), data("t.5", "d")]);
    assert_eq!(paired(&old, &new), [pair("t.0", "t.4", How::Guess), pair("t.1", "t.5", How::Guess)]);
}

#[test]
fn statics_of_one_name_in_several_files_are_told_by_the_file() {
    let local = |file: &str, content: &str| {
        let mut item = data("state", content);
        item.scope = Scope::Local(Some(file.into()));
        item
    };
    let old = object(vec![local("a.c", "1"), local("b.c", "2")]);
    let new = object(vec![local("b.c", "1"), local("a.c", "2")]);
    let correlation = correlate(&old, &new);
    assert_eq!((correlation.new_of(0), correlation.new_of(1)), (Some(1), Some(0)));
}

#[test]
fn a_renamed_function_is_told_by_its_body_alone() {
    let old = object(vec![function("foo", "a", &[]), function("x", "x", &[])]);
    let new = object(vec![function("foo2", "a", &[]), function("y", "y", &[])]);
    assert_eq!(paired(&old, &new), [pair("foo", "foo2", How::Renamed)]);
    // With two candidates it is not told at all.
    let new = object(vec![function("p", "a", &[]), function("q", "a", &[])]);
    assert_eq!(paired(&old, &new), []);
}

/// Items of one stem: the worst case, for everything could be everything.
fn statics(count: u32, renumbered: bool) -> Vec<Item> {
    let mut items: Vec<_> = (0..count)
        .map(|number| data(&format!("cnt.{}", if renumbered { count - 1 - number } else { number }), ""))
        .collect();
    items.extend((0..count).map(|number| function(&format!("f{number}"), "body", &[number])));
    items
}

#[test]
fn the_work_grows_with_the_input_and_not_with_its_square() {
    let work = |count| {
        let correlation = correlate(&object(statics(count, false)), &object(statics(count, true)));
        assert_eq!(correlation.pairs.len(), 2 * count as usize);
        assert!(correlation.pairs.iter().all(|pair| pair.old == pair.new), "each by its reader");
        correlation.looked_at
    };
    let (small, large) = (work(500), work(4000));
    assert!(large <= small * 9, "{small} for 500, {large} for 4000");
}

proptest! {
    /// Whatever the order and the numbers, each item finds the one with its body and its readers.
    #[test]
    fn order_and_numbers_do_not_matter(
        bodies in prop::collection::vec(0u8..4, 1..24),
        order in Just(()).prop_perturb(|(), mut rng| rng.random::<u64>()),
    ) {
        let items: Vec<Item> = bodies
            .iter()
            .enumerate()
            .flat_map(|(number, body)| {
                let target = 2 * number as u32;
                [data(&format!("t.{number}"), &body.to_string()), function(&format!("f{number}"), "f", &[target])]
            })
            .collect();
        let mut rotated = items.clone();
        let turn = 2 * (order as usize % bodies.len());
        rotated.rotate_left(turn);
        let length = items.len();
        for (index, item) in rotated.iter_mut().enumerate() {
            if item.kind == Kind::Data {
                item.name = format!("t.{}", index / 2).into();
            } else {
                item.references = [crate::object::Reference::Item(index as u32 - 1)].into();
            }
        }
        let correlation = correlate(&object(items), &object(rotated));
        prop_assert_eq!(correlation.pairs.len(), length);
        for pair in &correlation.pairs {
            prop_assert_eq!((pair.new as usize + turn) % length, pair.old as usize);
            prop_assert!(pair.how != How::Guess);
        }
    }
}
