//! A list's work shared among threads, with a result that does not tell how many there were.

use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

/// How many threads may work on one object. There are never more than the machine has processors for, which is asked
/// only where there is work for two: the answer takes the reading of several files.
#[derive(Debug, Clone, Copy)]
pub struct Workers(usize);

/// What is worth a thread, in the weights of [`Workers::map_runs`], which count bytes of code: to start one takes as
/// long as a few kilobytes.
const WORTH_A_THREAD: usize = 64 << 10;

impl Workers {
    /// The thread that asks, alone.
    pub const ONE: Self = Self(1);

    /// As many as there are processors for, up to `most`.
    pub const fn up_to(most: usize) -> Self {
        Self(most)
    }

    /// Cuts `list` into runs of about equal weight, one a worker, and gives what `work` makes of each run, in order.
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
        let mut runs = Vec::with_capacity(workers);
        let (mut start, mut weighed) = (0, 0);
        for (index, item) in list.iter().enumerate() {
            weighed = weight(item).saturating_add(weighed);
            if weighed >= total.div_ceil(workers).saturating_mul(runs.len() + 1) {
                runs.push(start..index + 1);
                start = index + 1;
            }
        }
        if start < list.len() || runs.is_empty() {
            runs.push(start..list.len());
        }
        let work = &work;
        thread::scope(|scope| {
            let mut runs = runs.into_iter();
            let first = runs.next();
            let others: Vec<_> = runs.map(|run| scope.spawn(move || work(run))).collect();
            let mut results: Vec<R> = first.map(work).into_iter().collect();
            for other in others {
                results.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            results.into_iter()
        })
    }
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
                assert!(runs.len() <= workers);
                assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            }
        }
    }
}
