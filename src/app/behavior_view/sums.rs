//! The sums of a behavior by day and by type, from daily counts or from sightings.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use crate::app::AppError;
use crate::app::series::{each_daily_count, each_sighting};
use crate::history::{DayCount, DayTotal, HostSet, Sensor, Sighting};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::BehaviorQuery;

/// The sums of a day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BehaviorDay {
    pub(super) windows: u64,
    pub(super) packets: u64,
    /// Number of hosts, each counted once for each type that it showed on the day.
    pub(super) type_hosts: u64,
    pub(super) types: u64,
    last_type: Option<u64>,
}

/// The sums of a type over the days whose types are listed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TypeActivity {
    pub(super) windows: u64,
    pub(super) packets: u64,
    /// Number of its hosts on the day with the most.
    pub(super) peak_hosts: u64,
}

/// A behavior at a sensor, by day and by type.
#[derive(Debug, Default)]
pub(super) struct BehaviorSums {
    pub(super) days: BTreeMap<Date, BehaviorDay>,
    pub(super) types: HashMap<u64, TypeActivity>,
}

impl BehaviorSums {
    /// Reads the daily counts of a behavior. Returns `None` if only sightings tell.
    pub(super) fn from_counts(
        store: &dyn HistoryStore,
        sensor: &Sensor,
        query: &BehaviorQuery,
        rules: &Rules,
    ) -> Result<Option<BehaviorSums>, AppError> {
        if query.sources.is_some() {
            return Ok(None);
        }
        let mut sums = BehaviorSums::default();
        let between = (query.first, query.last);
        let are_counted =
            each_daily_count(store, &sensor.name, &query.filter, rules, between, &mut |count| {
                sums.add(
                    query,
                    count.number,
                    DayCount {
                        day: count.day,
                        windows: count.windows,
                        packets: count.packets,
                        hosts: count.hosts,
                    },
                );
            })?;
        Ok(are_counted.then_some(sums))
    }

    /// Reads the sightings of a behavior. Memory: about 50 bytes for each type and day, and 4 for each of its hosts.
    pub(super) fn from_sightings(
        store: &dyn HistoryStore,
        sensor: &Sensor,
        query: &BehaviorQuery,
        rules: &Rules,
    ) -> Result<BehaviorSums, AppError> {
        let mut read: BTreeMap<(u64, Date), (u64, u64, HostSet)> = BTreeMap::new();
        let mut add = |sighting: &Sighting| {
            let (windows, packets, hosts) = read.entry((sighting.number, sighting.day)).or_default();
            *windows = windows.saturating_add(sighting.counts.windows);
            *packets = packets.saturating_add(sighting.counts.packets);
            hosts.insert(sighting.host);
        };
        let between = (query.first, query.last);
        each_sighting(store, &sensor.name, &query.filter, rules, between, query.sources, &mut add)?;
        let mut sums = BehaviorSums::default();
        for ((number, day), (windows, packets, mut hosts)) in read {
            sums.add(query, number, DayCount { day, windows, packets, hosts: hosts.count() });
        }
        Ok(sums)
    }

    /// Adds the count of a type on a day. Types come in ascending order.
    fn add(&mut self, query: &BehaviorQuery, number: u64, count: DayCount) {
        let day = self.days.entry(count.day).or_default();
        day.windows = day.windows.saturating_add(count.windows);
        day.packets = day.packets.saturating_add(count.packets);
        day.type_hosts = day.type_hosts.saturating_add(count.hosts);
        // A type may come twice, as whole windows and as facets.
        day.types += u64::from(day.last_type.replace(number) != Some(number));
        if query.lists_day(count.day) {
            let sums = self.types.entry(number).or_default();
            sums.windows = sums.windows.saturating_add(count.windows);
            sums.packets = sums.packets.saturating_add(count.packets);
            sums.peak_hosts = sums.peak_hosts.max(count.hosts);
        }
    }

    /// Returns the number of sightings to be read for the series, and for the list of hosts.
    pub(super) fn sightings(&self, query: &BehaviorQuery) -> (u64, u64) {
        let sum =
            |days: &mut dyn Iterator<Item = (&Date, &BehaviorDay)>| days.map(|(_, day)| day.type_hosts).sum();
        let listed = &mut self.days.iter().filter(|(day, _)| query.lists_day(**day));
        (sum(&mut self.days.iter()), sum(listed))
    }

    /// Returns the totals of the days. `hosts` has the exact numbers of hosts; without them, a host counts once for each
    /// type.
    pub(super) fn totals(&self, hosts: Option<&BTreeMap<Date, u64>>) -> Vec<DayTotal> {
        let total = |(day, sums): (&Date, &BehaviorDay)| {
            let hosts = hosts.map_or(sums.type_hosts, |hosts| hosts.get(day).copied().unwrap_or(0));
            let count = DayCount { day: *day, windows: sums.windows, packets: sums.packets, hosts };
            DayTotal { count, types: sums.types }
        };
        self.days.iter().map(total).collect()
    }

    /// Returns the types with their sums, those with the most windows first.
    pub(super) fn ranked_types(&self) -> Vec<(u64, TypeActivity)> {
        let mut ranked: Vec<(u64, TypeActivity)> =
            self.types.iter().map(|(number, sums)| (*number, *sums)).collect();
        ranked.sort_by_key(|(number, sums)| (std::cmp::Reverse(sums.windows), *number));
        ranked
    }
}
