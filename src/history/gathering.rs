//! Sightings and what belongs to them, gathered window by window and packed as they come.

use std::net::IpAddr;

use crate::behavior::OpenWindow;

use super::examples::Examples;
use super::packed::{self, Damaged, Waiting};
use super::{Day, Scope, Sighting};

/// Sightings that wait to be packed: some 6 MiB of them. More would make shorter bytes, but leave the cache.
const WAITING_MAX: usize = 1 << 17;

/// Gathers sightings of types that are told by numbers. Memory: some 10 to 15 bytes a (host, day, type), some 60 a type
/// for its example, and 8 MiB.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    done: Gathered,
    /// The day of what waits.
    day: Option<Day>,
    waiting: Waiting,
}

/// What was gathered: sightings, and examples of types.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Packed sightings. A host may be in several runs of a day: its sightings add up.
    pub runs: Vec<Run>,
    /// Each type's earliest whole window; of windows that begin together the lowest address's.
    pub examples: Examples,
}

/// Packed sightings of one day.
#[derive(Clone, Debug)]
pub struct Run {
    /// The day.
    pub day: Day,
    /// Groups as [`packed`] has them.
    pub bytes: Vec<u8>,
}

impl Gathering {
    /// Adds a closed window of a type that began on `day`; one without a time is left out.
    pub fn add_window(&mut self, window: &OpenWindow, day: Day, number: u32, marks: u64) {
        self.add(window, day, (number, Scope::Whole), window.packets, marks);
        self.done.examples.offer(number, window);
    }

    /// Adds a facet of a window that has several.
    pub fn add_facet(&mut self, window: &OpenWindow, day: Day, number: u32, packets: u64, marks: u64) {
        self.add(window, day, (number, Scope::Facet), packets, marks);
    }

    /// Takes in what was gathered elsewhere of types with the same numbers.
    pub fn merge(&mut self, other: Gathered) {
        self.done.runs.extend(other.runs);
        self.done.examples.merge(&other.examples);
    }

    /// All of it.
    #[must_use]
    pub fn finish(mut self) -> Gathered {
        self.pack();
        self.done
    }

    fn add(&mut self, window: &OpenWindow, day: Day, group: (u32, Scope), packets: u64, marks: u64) {
        let (Some(first), Some(last)) = (window.start, window.end) else { return };
        if self.day != Some(day) || self.waiting.len() >= WAITING_MAX {
            self.pack();
            self.day = Some(day);
        }
        let seen =
            Sighting { windows: 1, packets, first: first.whole_seconds(), last: last.whole_seconds(), marks };
        self.waiting.push(group.0, group.1, window.source, seen);
    }

    /// Packs what waits, as one run.
    fn pack(&mut self) {
        let Some(day) = self.day.filter(|_| !self.waiting.is_empty()) else { return };
        let bytes = self.waiting.pack(day);
        self.done.runs.push(Run { day, bytes });
    }
}

impl Gathered {
    /// Hands on all sightings one by one, in no order that means anything; one can come in several parts.
    ///
    /// # Errors
    /// Never for what a gathering made.
    pub fn each(&self, sink: &mut dyn FnMut(Day, u64, Scope, IpAddr, Sighting)) -> Result<(), Damaged> {
        for run in &self.runs {
            for group in packed::groups(&run.bytes) {
                let group = group?;
                for sighting in group.sightings(run.day.date) {
                    let (host, seen) = sighting?;
                    sink(run.day, group.number, group.scope, host, seen);
                }
            }
        }
        Ok(())
    }
}
