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
        // Functions share what stands at the front of a table, and go back there in between.
        if !list.first().is_some_and(&is_before) {
            return 0;
        }
        let (front, back) = list.split_at(self.0.load(Ordering::Relaxed).min(list.len()));
        let count = if front.last().is_none_or(&is_before) {
            front.len() + count_near(back.len(), |at| back.get(at).is_some_and(&is_before))
        } else {
            let behind = |at: usize| front.get(front.len() - 1 - at).is_some_and(|one| !is_before(one));
            front.len() - count_near(front.len(), behind)
        };
        self.0.store(count, Ordering::Relaxed);
        count
    }
}

/// How many of the first `count` numbers hold, where all that hold come first, mostly few of many.
pub fn count_near(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut known, mut step) = (0, 1);
    while known + step <= count && holds(known + step - 1) {
        known += step;
        step *= 2;
    }
    let (mut least, mut most) = (known, count.min(known + step - 1));
    while least < most {
        let middle = usize::midpoint(least, most);
        if holds(middle) {
            least = middle + 1;
        } else {
            most = middle;
        }
    }
    least
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
                prop_assert_eq!(count_near(list.len(), |at| list[at] < wanted), expected);
            }
        }
    }
}
