//! Searches in sorted lists that go on where the last one ended.
//!
//! Whoever walks through code asks for the relocations of one place after the other, and for the owners of places that lie near
//! each other. A search through the whole of a long list touches memory all over it each time, and that, not the comparing,
//! is what makes large objects slower than their size. So a list's last answer is kept, and the next search looks behind it
//! first. The answer is the same wherever the search begins; threads may overwrite each other's places, which costs time
//! alone.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the last search in a list ended.
#[derive(Debug, Default)]
pub struct Last(AtomicUsize);

impl Last {
    /// How many elements of a sorted list come before a place, as [`slice::partition_point`] says.
    pub fn count<T>(&self, list: &[T], is_before: impl Fn(&T) -> bool) -> usize {
        let from = self.0.load(Ordering::Relaxed);
        let goes_on = from.checked_sub(1).and_then(|at| list.get(at)).is_some_and(&is_before);
        let count = if goes_on {
            from + count_near(list.get(from..).unwrap_or_default(), is_before)
        } else {
            list.partition_point(is_before)
        };
        self.0.store(count, Ordering::Relaxed);
        count
    }
}

/// [`slice::partition_point`] where it mostly lies near the front.
pub fn count_near<T>(list: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let (mut known, mut step) = (0, 1);
    while list.get(known + step - 1).is_some_and(&is_before) {
        known += step;
        step *= 2;
    }
    let rest = list.get(known..list.len().min(known + step - 1)).unwrap_or_default();
    known + rest.partition_point(is_before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_search_says_what_a_search_of_all_does(
            mut list in prop::collection::vec(0_u8..40, 0..60),
            wanted in prop::collection::vec(0_u8..42, 1..20),
        ) {
            list.sort_unstable();
            let last = Last::default();
            for wanted in wanted {
                let expected = list.partition_point(|at| *at < wanted);
                prop_assert_eq!(last.count(&list, |at| *at < wanted), expected);
                prop_assert_eq!(count_near(&list, |at| *at < wanted), expected);
            }
        }
    }
}
