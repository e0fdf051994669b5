//! Sightings and what belongs to them, gathered window by window and packed as they come.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use jiff::civil::Date;

use crate::behavior::{BehaviorId, Facet, Fingerprint, OpenWindow, Single};
use crate::event::Timestamp;

use super::packed::{self, Damaged};
use super::{Example, Scope, Sighting, SightingKey, TypeRecord};

/// Sightings that wait to be packed: 16 MiB of them.
const WAITING_MAX: usize = 1 << 18;

/// Gathers what one capture adds to a sensor's history. Memory: some 10 to 15 bytes a (host, day, type), half a
/// kilobyte a type with its example, and 16 MiB.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    done: Gathered,
    /// The day of what waits.
    day: Option<Date>,
    waiting: Vec<Waiting>,
    /// The number of the type of windows with one probe, and when the type's example began.
    singles: HashMap<Single, (usize, Timestamp), FixedState>,
}

/// What one capture adds to a sensor's history: types, their examples, sightings.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Types by their name; a type's place is its number in the runs.
    types: IndexMap<BehaviorId, Known, FixedState>,
    runs: Vec<Run>,
}

/// A type that was met.
#[derive(Clone, Debug)]
struct Known {
    facet: Facet,
    /// Its earliest whole window; of windows that begin together the lowest address's.
    example: Option<Example>,
}

/// Packed sightings of one day. A host may be in several runs of a day: its sightings add up.
#[derive(Clone, Debug)]
pub struct Run {
    /// The day.
    pub day: Date,
    /// Groups as [`packed`] has them; types by their place in [`Gathered::types`].
    pub bytes: Vec<u8>,
}

/// A sighting that is not packed yet; its day is the gathering's.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The type's number and the scope: twice the number, and one more for a facet.
    group: u32,
    host: IpAddr,
    seen: Sighting,
}

impl Gathering {
    /// Adds a window that began on `day`.
    pub fn add(&mut self, window: &OpenWindow, fingerprint: &Fingerprint, day: Date, marks: u64) {
        let (Some(first), Some(last)) = (fingerprint.start, fingerprint.end) else { return };
        let host = fingerprint.source;
        let seen =
            |facet: &Facet| Sighting { windows: 1, packets: facet.parameters.packets, first, last, marks };
        let number = self.number(&fingerprint.whole);
        self.keep_example(number, first, host, || Example::packets_of(window));
        self.sight(day, number, Scope::Whole, host, seen(&fingerprint.whole));
        if let Some(single) = Single::of(window) {
            let (_, began) = self.singles.entry(single).or_insert((number, first));
            *began = first.min(*began);
        }
        for facet in &fingerprint.facets {
            let number = self.number(facet);
            self.sight(day, number, Scope::Facet, host, seen(facet));
        }
    }

    /// Adds a window of a kind that was added before, without a fingerprint; answers whether it did.
    ///
    /// Nine windows in ten have one probe, and windows come in time order: such a one brings neither a new type nor an
    /// earlier example.
    pub fn add_known(&mut self, window: &OpenWindow, day: Date, marks: u64) -> bool {
        let (Some(first), Some(last), Some(single)) = (window.start, window.end, Single::of(window)) else {
            return false;
        };
        match self.singles.get(&single) {
            Some(&(number, example)) if example < first => {
                let seen = Sighting { windows: 1, packets: window.packets, first, last, marks };
                self.sight(day, number, Scope::Whole, window.source, seen);
                true
            }
            _ => false,
        }
    }

    /// Takes in what was gathered elsewhere: sightings add up, the earlier example stays.
    ///
    /// # Errors
    /// Never for what a gathering made.
    pub fn merge(&mut self, other: &Gathered) -> Result<(), Damaged> {
        let numbers: Vec<usize> = other.types.values().map(|known| self.number(&known.facet)).collect();
        other.each(&mut |number, key, seen| {
            let number = numbers.get(number).ok_or(Damaged)?;
            self.sight(key.day, *number, key.scope, key.host, seen);
            Ok(())
        })?;
        for (number, known) in numbers.into_iter().zip(other.types.values()) {
            if let Some(Example { start, host, packets, .. }) = &known.example {
                self.keep_example(number, *start, *host, || packets.clone());
            }
        }
        Ok(())
    }

    /// A mark to [roll back](Gathering::roll_back) to.
    pub fn mark(&mut self) -> usize {
        self.pack();
        self.done.runs.len()
    }

    /// Forgets the sightings since a mark; types and examples stay known.
    pub fn roll_back(&mut self, mark: usize) {
        self.waiting.clear();
        self.done.runs.truncate(mark);
    }

    /// All of it.
    #[must_use]
    pub fn finish(mut self) -> Gathered {
        self.pack();
        self.done
    }

    fn number(&mut self, facet: &Facet) -> usize {
        let behavior = facet.names.behavior.id;
        if let Some(number) = self.done.types.get_index_of(&behavior) {
            return number;
        }
        self.done.types.insert_full(behavior, Known { facet: facet.clone(), example: None }).0
    }

    fn keep_example(
        &mut self,
        number: usize,
        start: Timestamp,
        host: IpAddr,
        packets: impl FnOnce() -> Vec<super::ExamplePacket>,
    ) {
        let Some((behavior, known)) = self.done.types.get_index_mut(number) else { return };
        if known.example.as_ref().is_none_or(|kept| (start, host) < (kept.start, kept.host)) {
            known.example = Some(Example { behavior: *behavior, host, start, packets: packets() });
        }
    }

    fn sight(&mut self, day: Date, number: usize, scope: Scope, host: IpAddr, seen: Sighting) {
        if self.day != Some(day) || self.waiting.len() >= WAITING_MAX {
            self.pack();
            self.day = Some(day);
        }
        let group = u32::try_from(number * 2 + usize::from(scope == Scope::Facet)).unwrap_or(u32::MAX);
        self.waiting.push(Waiting { group, host, seen });
    }

    /// Packs what waits, as one run.
    fn pack(&mut self) {
        let Some(day) = self.day.filter(|_| !self.waiting.is_empty()) else { return };
        let mut bytes = Vec::with_capacity(self.waiting.len() * 12);
        let (mut body, mut seen) = (Vec::new(), Vec::new());
        self.waiting.sort_unstable_by_key(|waiting| (waiting.group, waiting.host));
        for group in self.waiting.chunk_by(|a, b| a.group == b.group) {
            seen.clear();
            seen.extend(group.chunk_by(|a, b| a.host == b.host).map(of_one_host));
            let number = u64::from(group[0].group / 2);
            let scope = if group[0].group % 2 == 1 { Scope::Facet } else { Scope::Whole };
            packed::write_group(&mut bytes, number, scope, day, &seen, &mut body);
        }
        bytes.shrink_to_fit();
        self.done.runs.push(Run { day, bytes });
        self.waiting.clear();
    }
}

impl Gathered {
    /// The types, each at its number's place.
    pub fn types(&self) -> impl Iterator<Item = TypeRecord> + '_ {
        self.types.values().map(|known| TypeRecord::from(&known.facet))
    }

    /// One example of each type that whole windows had, with the type's number.
    pub fn examples(&self) -> impl Iterator<Item = (usize, &Example)> + '_ {
        self.types.values().enumerate().filter_map(|(number, known)| Some((number, known.example.as_ref()?)))
    }

    /// All sightings, packed.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// All sightings one by one, in no order that means anything; a key can come more than once.
    ///
    /// # Errors
    /// Never for what a gathering made.
    pub fn sightings(&self) -> Result<Vec<(SightingKey, Sighting)>, Damaged> {
        let mut all = Vec::new();
        self.each(&mut |_, key, seen| {
            all.push((key, seen));
            Ok(())
        })?;
        Ok(all)
    }

    /// Hands on each sighting with its type's number.
    fn each(
        &self,
        sink: &mut dyn FnMut(usize, SightingKey, Sighting) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        for run in &self.runs {
            for group in packed::groups(&run.bytes) {
                let group = group?;
                let number = usize::try_from(group.number).map_err(|_| Damaged)?;
                let (&behavior, _) = self.types.get_index(number).ok_or(Damaged)?;
                for sighting in group.sightings(run.day) {
                    let (host, seen) = sighting?;
                    sink(number, SightingKey { day: run.day, behavior, scope: group.scope, host }, seen)?;
                }
            }
        }
        Ok(())
    }
}

fn of_one_host(waiting: &[Waiting]) -> (IpAddr, Sighting) {
    let (first, others) = (waiting[0], &waiting[1..]);
    (first.host, others.iter().fold(first.seen, |sum, other| sum.merged(other.seen)))
}
