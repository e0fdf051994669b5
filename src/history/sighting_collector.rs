//! Gathering of sightings and examples from the windows of a capture.

use std::collections::BTreeMap;
use std::io;

use crate::behavior::OpenWindow;

use super::batch::{Batch, BatchWriter, WindowBuffer, WindowCounts};
use super::examples::Examples;
use super::{Day, Scope};

/// Maximum number of windows that wait to be sorted. A larger number would yield fewer and longer sorted
/// runs, but exceed the processor's cache.
const WAITING_MAX: usize = 1 << 16;
/// Maximum number of hours that wait at once. Windows come nearly in time order, so that at most two hours
/// mix, around the full hour.
const HOURS_MAX: usize = 2;

/// Gathers the sightings and examples of one capture. Memory: 64 bytes for each waiting window, of which
/// there are at most 65,536, and as much again while they are sorted; about 60 bytes per type for its
/// example; 90 bytes per sighting if there is no writer.
#[derive(Debug, Default)]
pub struct SightingCollector {
    waiting: BTreeMap<(Day, u8), WindowBuffer>,
    windows: usize,
    collected: CollectedSightings,
    write_error: Option<io::Error>,
}

/// What identifies a window or facet in a history.
#[derive(Clone, Copy, Debug)]
pub struct WindowNames {
    /// The number of its type in histories.
    pub number: u64,
    /// The number of its probe signature in histories; `None` if it has none.
    pub signature: Option<u64>,
    /// Its marks, as a bitmap by the numbers of the rules.
    pub marks: u64,
}

/// The sightings and examples gathered from windows.
#[derive(Debug, Default)]
pub struct CollectedSightings {
    /// Batches that were not passed to a writer. Two batches of the same hour may contain the same type,
    /// scope and host; their counts add up.
    pub batches: Vec<Batch>,
    /// The writer that received the batches.
    pub writer: Option<Box<dyn BatchWriter>>,
    /// The earliest whole window of each type; of windows that begin at the same time, the one with the
    /// lowest source address. Types are numbered as in the capture's type list.
    pub examples: Examples,
}

impl SightingCollector {
    /// Creates a gathering that passes its batches to a writer.
    #[must_use]
    pub fn with_writer(writer: Box<dyn BatchWriter>) -> SightingCollector {
        let done = CollectedSightings { writer: Some(writer), ..CollectedSightings::default() };
        SightingCollector { collected: done, ..SightingCollector::default() }
    }

    /// Adds a whole window that began on `day`. A window without a time is ignored. `place` is the type's
    /// index in the capture's type list.
    pub fn add_window(&mut self, window: &OpenWindow, day: Day, place: u32, names: WindowNames) {
        self.add(window, day, Scope::Whole, window.packets, names);
        self.collected.examples.offer(place, window);
    }

    /// Adds one facet of a window that has several, with its names and its packet count.
    pub fn add_facet(&mut self, window: &OpenWindow, day: Day, packets: u64, names: WindowNames) {
        self.add(window, day, Scope::Facet, packets, names);
    }

    /// Merges the batches and examples of another gathering. Its writer is dropped.
    pub fn merge(&mut self, other: CollectedSightings) {
        for batch in other.batches {
            self.pass_batch(batch);
        }
        self.collected.examples.merge(&other.examples);
    }

    /// Sorts the waiting windows and returns everything gathered.
    ///
    /// # Errors
    /// Fails when a batch could not be written.
    pub fn finish(mut self) -> io::Result<CollectedSightings> {
        self.sort_waiting();
        match self.write_error {
            Some(error) => Err(error),
            None => Ok(self.collected),
        }
    }

    fn add(&mut self, window: &OpenWindow, day: Day, scope: Scope, packets: u64, names: WindowNames) {
        let (Some(first), Some(last)) = (window.start, window.end) else { return };
        let hour = (day, u8::try_from(day.hour(first).clamp(0, 31)).unwrap_or(0));
        let is_new = !self.waiting.contains_key(&hour);
        if self.windows >= WAITING_MAX || is_new && self.waiting.len() >= HOURS_MAX {
            self.sort_waiting();
        }
        let (first, last) = (first.whole_seconds(), last.whole_seconds());
        let WindowNames { number, signature, marks } = names;
        let window_counts = WindowCounts { packets, first, last, marks, signature };
        self.waiting.entry(hour).or_default().push(number, scope, window.source, window_counts);
        self.windows += 1;
    }

    fn sort_waiting(&mut self) {
        self.windows = 0;
        for ((day, hour), mut waiting) in std::mem::take(&mut self.waiting) {
            if waiting.len() > 0 {
                let batch = waiting.take(day.date, hour);
                self.pass_batch(batch);
            }
        }
    }

    /// Passes a batch to the writer, or keeps it if there is none. After the first failure, batches are
    /// discarded.
    fn pass_batch(&mut self, batch: Batch) {
        if self.write_error.is_some() {
            return;
        }
        match &mut self.collected.writer {
            Some(writer) => self.write_error = writer.write(batch).err(),
            None => self.collected.batches.push(batch),
        }
    }
}
