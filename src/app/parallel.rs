//! Shares independent pieces of work among threads.

use std::iter;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Returns the results of `work` for all `things`, in their order. Each of up to `threads` threads, one of
/// which is the caller's, takes the next remaining thing. There are no more threads than things.
pub(super) fn map<T, A: Send>(
    threads: usize,
    things: impl IntoIterator<Item = T, IntoIter: Send>,
    work: impl Fn(T) -> A + Sync,
) -> Vec<A> {
    let things = things.into_iter();
    let threads = threads.min(things.size_hint().1.unwrap_or(usize::MAX));
    let left = Mutex::new(things.enumerate());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || -> Vec<(usize, A)> { iter::from_fn(next).map(|(at, thing)| (at, work(thing))).collect() };
    let mut answers: Vec<Option<A>> = Vec::new();
    let mut place = |some: Vec<(usize, A)>| {
        for (at, answer) in some {
            answers.resize_with(answers.len().max(at + 1), || None);
            answers[at] = Some(answer);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        place(take());
        others.into_iter().for_each(|other| place(other.join().unwrap_or_else(|panic| resume_unwind(panic))));
    });
    answers.into_iter().flatten().collect()
}

/// Returns the requested number of threads, or the number of processors if none was requested.
pub fn thread_count(requested: Option<NonZeroUsize>) -> usize {
    requested.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn answers_come_in_order_whatever_the_threads() {
        for threads in 0..5 {
            assert!(map(threads, 0..1000, |at| at * 2).into_iter().eq((0..1000).map(|at| at * 2)));
            assert_eq!(map(threads, Vec::<u8>::new(), |_| ()), []);
        }
    }

    #[test]
    fn a_panic_is_passed_on_as_it_was() {
        for threads in 1..4 {
            let work = |at| assert!(at != 7, "as it should");
            let panic = catch_unwind(AssertUnwindSafe(|| map(threads, 0..100, work))).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"as it should"), "{threads}");
        }
    }
}
