//! Counts what the heap gives, so that what a reading takes of it can be held against a bound.
//!
//! Time is bounded by the same count: a step that takes no memory does not show, but a reading that makes something of each
//! thing again and again does, whatever the machine does meanwhile.

#![expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static HEAP: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it came; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        given(layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        given(layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(place, layout) }
    }
}

fn given(bytes: usize) {
    let held = HELD.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(held, Relaxed);
    CALLS.fetch_add(1, Relaxed);
}

/// What running something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Bytes of the heap at a time, beyond what was held before.
    pub(crate) bytes: usize,
    /// How often memory was asked for.
    pub(crate) calls: usize,
}

/// Runs something and counts. All threads count, so nothing else may run meanwhile.
pub(crate) fn taken(run: impl FnOnce()) -> Taken {
    let (held, calls) = (HELD.load(Relaxed), CALLS.load(Relaxed));
    PEAK.store(held, Relaxed);
    run();
    Taken { bytes: PEAK.load(Relaxed).saturating_sub(held), calls: CALLS.load(Relaxed) - calls }
}

#[test]
fn memory_is_counted() {
    let _alone = crate::alone();
    let taken = taken(|| drop(std::hint::black_box(vec![0u8; 1 << 20])));
    assert!((1 << 20..2 << 20).contains(&taken.bytes), "{taken:?}");
    assert!(taken.calls >= 1);
}
