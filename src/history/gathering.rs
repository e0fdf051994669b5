//! Sightings and examples, gathered window by window.

use std::collections::BTreeMap;
use std::io;

use crate::behavior::OpenWindow;

use super::batch::{Batch, BatchWriter, Waiting, WindowCounts};
use super::examples::Examples;
use super::{Day, Scope};

/// Windows that wait to be sorted. More would make fewer and longer sorted runs, but leave the processor's cache.
const WAITING_MAX: usize = 1 << 16;
/// Hours that wait at once. Windows come nearly in time order, so that only two hours mix, about the full hour.
const HOURS_MAX: usize = 2;

/// Gathers sightings of one capture. Memory: 48 bytes for each of at most 65,536 windows that wait, as much again while they
/// are sorted, some 60 bytes a type for its example, and 90 bytes a sighting where there is no writer.
#[derive(Debug, Default)]
pub struct Gathering {
    waiting: BTreeMap<(Day, u8), Waiting>,
    windows: usize,
    done: Gathered,
    failed: Option<io::Error>,
}

/// What was gathered: sightings, and examples of types.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Batches that were not handed to a writer. Two batches of the same hour can have the same type, scope and host; their counts
    /// add up.
    pub batches: Vec<Batch>,
    /// Has what was written.
    pub writer: Option<Box<dyn BatchWriter>>,
    /// Each type's earliest whole window; of windows that begin together the lowest address's. Types have the numbers
    /// of the capture's list.
    pub examples: Examples,
}

impl Gathering {
    /// One that hands batches to a writer.
    #[must_use]
    pub fn with_writer(writer: Box<dyn BatchWriter>) -> Gathering {
        let done = Gathered { writer: Some(writer), ..Gathered::default() };
        Gathering { done, ..Gathering::default() }
    }

    /// Adds a closed window of a type that began on `day`. One without a time is left out. `place` is the type's place in the
    /// capture's list, `number` its number in histories.
    pub fn add_window(&mut self, window: &OpenWindow, day: Day, place: u32, number: u64, marks: u64) {
        self.add(window, day, (number, Scope::Whole), window.packets, marks);
        self.done.examples.offer(place, window);
    }

    /// Adds a facet of a window that has several.
    pub fn add_facet(&mut self, window: &OpenWindow, day: Day, number: u64, packets: u64, marks: u64) {
        self.add(window, day, (number, Scope::Facet), packets, marks);
    }

    /// Takes in what was gathered elsewhere.
    pub fn merge(&mut self, other: Gathered) {
        for batch in other.batches {
            self.keep(batch);
        }
        self.done.examples.merge(&other.examples);
    }

    /// Returns all of it.
    ///
    /// # Errors
    /// When a batch could not be written.
    pub fn finish(mut self) -> io::Result<Gathered> {
        self.sort_waiting();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.done),
        }
    }

    fn add(
        &mut self,
        window: &OpenWindow,
        day: Day,
        (number, scope): (u64, Scope),
        packets: u64,
        marks: u64,
    ) {
        let (Some(first), Some(last)) = (window.start, window.end) else { return };
        let hour = (day, u8::try_from(day.hour(first).clamp(0, 31)).unwrap_or(0));
        let is_new = !self.waiting.contains_key(&hour);
        if self.windows >= WAITING_MAX || is_new && self.waiting.len() >= HOURS_MAX {
            self.sort_waiting();
        }
        let (first, last) = (first.whole_seconds(), last.whole_seconds());
        let window_counts = WindowCounts { packets, first, last, marks };
        self.waiting.entry(hour).or_default().push(number, scope, window.source, window_counts);
        self.windows += 1;
    }

    fn sort_waiting(&mut self) {
        self.windows = 0;
        for ((day, hour), mut waiting) in std::mem::take(&mut self.waiting) {
            if waiting.len() > 0 {
                let batch = waiting.take(day.date, hour);
                self.keep(batch);
            }
        }
    }

    /// Hands a batch to the writer, or keeps it. After the first failure nothing is kept.
    fn keep(&mut self, batch: Batch) {
        if self.failed.is_some() {
            return;
        }
        match &mut self.done.writer {
            Some(writer) => self.failed = writer.write(batch).err(),
            None => self.done.batches.push(batch),
        }
    }
}
