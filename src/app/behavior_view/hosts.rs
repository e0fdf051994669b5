//! The hosts of a behavior, from sightings: how many there were on each day, and each of them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use jiff::civil::Date;

use crate::app::AppError;
use crate::app::host::names_of_marks;
use crate::app::series::each_sighting;
use crate::history::{HostList, HostSet, HostSummary, Sensor, Sighting, SightingCounts};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::BehaviorQuery;

/// Maximum number of hosts that are listed one by one for a sensor.
const HOSTS_MAX: usize = 1_000;

/// How much the page reads about the hosts of a behavior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostReading {
    /// Their numbers by day.
    Numbers,
    /// Their numbers by day, and a list of those of the days that are listed.
    All,
}

/// The hosts of a behavior at a sensor.
#[derive(Debug, Default)]
pub(super) struct BehaviorHosts {
    /// Number of unique hosts by day.
    pub(super) by_day: BTreeMap<Date, u64>,
    /// Number of unique hosts of the days that are listed.
    pub(super) total: u64,
    /// These hosts, if they were wanted.
    pub(super) list: Option<HostList>,
}

/// The sums of one host. A host has few days, so they are kept in a list.
struct HostSums {
    counts: SightingCounts,
    days: Vec<Date>,
}

impl BehaviorHosts {
    /// Reads the sightings of a behavior at a sensor once. Memory: 4 bytes per host and day; for a list, 100 per host.
    pub(super) fn read(
        store: &dyn HistoryStore,
        sensor: &Sensor,
        query: &BehaviorQuery,
        rules: &Rules,
        reading: HostReading,
    ) -> Result<BehaviorHosts, AppError> {
        let mut by_day: HashMap<Date, HostSet, FixedState> = HashMap::default();
        let mut listed: HashMap<IpAddr, HostSums, FixedState> = HashMap::default();
        let mut add = |sighting: &Sighting| {
            by_day.entry(sighting.day).or_default().insert(sighting.host);
            if reading == HostReading::All && query.lists_day(sighting.day) {
                let none = || HostSums { counts: SightingCounts::NONE, days: Vec::new() };
                let sums = listed.entry(sighting.host).or_insert_with(none);
                sums.counts = sums.counts.merged(sighting.counts);
                if sums.days.last() != Some(&sighting.day) {
                    sums.days.push(sighting.day);
                }
            }
        };
        let between = (query.first, query.last);
        each_sighting(store, &sensor.name, &query.filter, rules, between, query.sources, &mut add)?;
        let mut hosts = BehaviorHosts::default();
        let mut all = HostSet::default();
        for (day, mut of_day) in by_day {
            hosts.by_day.insert(day, of_day.count());
            if query.lists_day(day) {
                all.union(of_day);
            }
        }
        hosts.total = all.count();
        if reading == HostReading::All {
            let names = store.mark_names()?;
            let summaries = listed.into_iter().map(|(host, sums)| summary(host, sums, &names));
            hosts.list = Some(HostList::from_hosts(summaries.collect(), HOSTS_MAX));
        }
        Ok(hosts)
    }
}

fn summary(host: IpAddr, HostSums { counts, mut days }: HostSums, names: &[String]) -> HostSummary {
    days.sort_unstable();
    days.dedup();
    HostSummary {
        host,
        days: days.len() as u64,
        windows: counts.windows,
        packets: counts.packets,
        first: counts.first,
        last: counts.last,
        marks: names_of_marks(counts.marks, names).into_iter().map(str::to_owned).collect(),
    }
}
