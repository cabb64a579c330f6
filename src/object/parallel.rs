//! A list's work shared among threads, with a result that does not tell how many there were.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads may work on one object. There are never more than the machine has processors for, which is asked
/// only where there is work for two: the answer takes the reading of several files.
#[derive(Debug, Clone, Copy)]
pub struct Workers(usize);

/// What is worth a thread, in the weights of [`Workers::map_runs`], which count bytes of code: to start one takes as
/// long as a few kilobytes.
const WORTH_A_THREAD: usize = 64 << 10;
/// Runs begin at multiples of so many items, so that what is made of so many does not tell how many runs there were.
pub const TOGETHER: usize = 32;
/// Runs to a worker, where there are several workers. What is made of each has to be put together.
const RUNS_EACH: usize = 4;

impl Workers {
    /// The thread that asks, alone.
    pub const ONE: Self = Self(1);

    /// As many as one object may have: there is mostly other work beside it.
    pub const FEW: Self = Self(4);

    /// As many as there are processors for, up to `most`.
    pub const fn up_to(most: usize) -> Self {
        Self(most)
    }

    /// Cuts `list` into runs of about equal weight, and gives what `work` makes of each run, in order. There are some
    /// runs to each worker, who takes the next when done with one: what a run takes is only about its weight.
    pub fn map_runs<T, R: Send>(
        self,
        list: &[T],
        weight: impl Fn(&T) -> usize,
        work: impl Fn(Range<usize>) -> R + Sync,
    ) -> impl Iterator<Item = R> {
        let total = list.iter().fold(0_usize, |sum, item| sum.saturating_add(weight(item)));
        let workers = match self.0.min(total / WORTH_A_THREAD) {
            0 | 1 => 1,
            several => thread::available_parallelism().map_or(1, |here| here.get().min(several)),
        };
        let count = if workers == 1 { 1 } else { workers * RUNS_EACH };
        let runs = cut(list, weight, total.div_ceil(count));
        let next = AtomicUsize::new(0);
        let work_off = || {
            let mut made = Vec::new();
            while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                made.push((run.start, work(run.clone())));
            }
            made
        };
        let mut made = thread::scope(|scope| {
            if workers == 1 {
                return work_off();
            }
            // The thread that asks does not work itself: Linux often lets a new thread wait for it, on its processor, for some
            // milliseconds while another idles (measured on two processors: a tenth of the time that SQLite takes).
            let all: Vec<_> = (0..workers).map(|_| scope.spawn(work_off)).collect();
            let mut made = Vec::with_capacity(runs.len());
            for one in all {
                made.extend(one.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            made
        });
        made.sort_unstable_by_key(|(start, _)| *start);
        made.into_iter().map(|(_, result)| result)
    }
}

/// Runs of `list` that weigh `each` or somewhat more, the last perhaps less; at least one. All begin at multiples of [`TOGETHER`].
fn cut<T>(list: &[T], weight: impl Fn(&T) -> usize, each: usize) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let (mut start, mut weighed) = (0, 0_usize);
    for (index, item) in list.iter().enumerate() {
        weighed = weighed.saturating_add(weight(item));
        if weighed >= each && index + 1 < list.len() && (index + 1).is_multiple_of(TOGETHER) {
            runs.push(start..index + 1);
            (start, weighed) = (index + 1, 0);
        }
    }
    runs.push(start..list.len());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_the_list_in_order() {
        for count in [0, 1, 2, 7, 1000] {
            for workers in [1, 2, 3, 8] {
                // Some weigh as much as all others together.
                let list: Vec<usize> = (0..count).map(|n| n * 7919 % (1 << 18)).collect();
                let runs: Vec<_> = Workers(workers).map_runs(&list, |weight| *weight, |run| run).collect();
                assert!(runs.len() <= workers * RUNS_EACH);
                assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            }
        }
    }
}
