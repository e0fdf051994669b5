//! Sightings, hourly counts and examples in ordinary maps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::behavior::BehaviorId;
use crate::history::{DayCount, Example, Scope, SightingCounts};

/// The key of a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SightingKey {
    pub(super) number: u64,
    pub(super) scope: Scope,
    pub(super) host: IpAddr,
    pub(super) day: Date,
    pub(super) signature: Option<u64>,
}

/// Sightings, hourly counts and examples.
#[derive(Debug, Default)]
pub(super) struct SightingMaps {
    pub(super) sightings: BTreeMap<SightingKey, SightingCounts>,
    /// Windows and packets by type, scope, day and hour.
    pub(super) hours: BTreeMap<(u64, Scope, Date, u8), (u64, u64)>,
    pub(super) examples: BTreeMap<BehaviorId, Example>,
}

impl SightingMaps {
    /// Adds a sighting.
    pub(super) fn add_sighting(&mut self, key: SightingKey, counts: SightingCounts) {
        let known = self.sightings.entry(key);
        known.and_modify(|known| *known = known.merged(counts)).or_insert(counts);
    }

    /// Adds windows that all began in one hour.
    pub(super) fn count_hour(&mut self, key: (u64, Scope, Date, u8), (windows, packets): (u64, u64)) {
        let sum = self.hours.entry(key).or_default();
        *sum = (sum.0 + windows, sum.1 + packets);
    }

    /// Keeps an example if it is earlier than the known example of its type.
    pub(super) fn add_example(&mut self, example: Example) {
        let begins = |example: &Example| (example.start, example.host);
        if self.examples.get(&example.behavior).is_none_or(|kept| begins(&example) < begins(kept)) {
            self.examples.insert(example.behavior, example);
        }
    }

    /// Removes everything that began on the days in `gone`.
    pub(super) fn delete_days(&mut self, gone: &BTreeSet<Date>, zone: &TimeZone) {
        self.sightings.retain(|key, _| !gone.contains(&key.day));
        self.hours.retain(|(_, _, day, _), _| !gone.contains(day));
        self.examples.retain(|_, example| !gone.contains(&example.start.day(zone)));
    }

    /// Adds all sightings, hourly counts and examples of another value.
    pub(super) fn merge(&mut self, other: SightingMaps) {
        other.sightings.into_iter().for_each(|(key, seen)| self.add_sighting(key, seen));
        other.hours.into_iter().for_each(|(key, counts)| self.count_hour(key, counts));
        other.examples.into_values().for_each(|example| self.add_example(example));
    }
}

/// Returns the sums of sightings by day, with the exact number of unique hosts.
pub(super) fn counts_by_day<'a>(
    sightings: impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)>,
) -> Vec<DayCount> {
    let mut days: BTreeMap<Date, (u64, u64, BTreeSet<IpAddr>)> = BTreeMap::new();
    for (key, sighting) in sightings {
        let day = days.entry(key.day).or_default();
        day.0 += sighting.windows;
        day.1 += sighting.packets;
        day.2.insert(key.host);
    }
    days.into_iter()
        .map(|(day, (windows, packets, hosts))| DayCount { day, windows, packets, hosts: hosts.len() as u64 })
        .collect()
}
