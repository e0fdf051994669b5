//! Use case: everything that sensors observed of a behavior, or of the hosts of a prefix: its series, hosts, types,
//! departures from its past, and the samples that show it.
//!
//! Daily counts are read first: they say how many sightings there are. Sightings, which tell unique hosts, are read only
//! where they are few, or where the question demands them. Memory: about 100 bytes for each listed host, 4 for each host
//! and day, and 100 per type.

mod hosts;
mod sums;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::analysis::surge::{Surge, surges};
use crate::history::{Coverage, DayState, HostList, Sensor, SpanAggregator, TypeRecord};
use crate::rules::Rules;
use crate::sample::FamilyMember;
use crate::store::HistoryStore;

use super::AppError;
use super::family_members::members;
use super::history::{coverage_of_sightings, kept_samples, select_sensors};
use super::sandbox::LoadedSample;
use super::series::{Series, TrafficFilter};
use hosts::{BehaviorHosts, HostReading};
use sums::BehaviorSums;

/// Maximum number of types that are listed for a sensor.
const TYPES_MAX: usize = 100;
/// Maximum p of a departure that is reported. One series is asked for, so that no adjustment is needed.
const SURGE_P_MAX: f64 = 1e-3;
/// Maximum number of sightings at a sensor that are read to count unique hosts by day, unless the question demands it.
const SERIES_SIGHTINGS_MAX: u64 = 1_000_000;
/// Maximum number of sightings at a sensor that are read to list hosts, unless the question demands it.
const LIST_SIGHTINGS_MAX: u64 = 300_000;
/// Maximum number of windows of the days that are read at a sensor if daily counts do not tell, unless the question
/// demands it.
const SCANNED_WINDOWS_MAX: u64 = 2_000_000;

/// How much is read for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingDepth {
    /// Daily counts, and sightings where they are few.
    Bounded,
    /// All sightings of the span of time: unique hosts and their list, however long it takes.
    Exact,
}

/// A question about one behavior: which hosts show it, at which sensors and on which days.
#[derive(Clone, Debug)]
pub struct BehaviorQuery {
    /// The behavior.
    pub filter: TrafficFilter,
    /// The prefix of the hosts; `None` for all hosts.
    pub sources: Option<IpNet>,
    /// Names of the sensors; all if empty.
    pub sensors: Vec<String>,
    /// The first day; `None` for the first recorded one.
    pub first: Option<Date>,
    /// The last day; `None` for the last recorded one.
    pub last: Option<Date>,
    /// First and last day whose hosts and types are listed; `None` if those of all days of the series are.
    pub host_days: Option<(Date, Date)>,
    /// How much is read.
    pub depth: ReadingDepth,
}

impl BehaviorQuery {
    /// Returns whether the hosts and types of a day are listed.
    fn lists_day(&self, day: Date) -> bool {
        self.host_days.is_none_or(|(first, last)| first <= day && day <= last)
    }
}

/// A behavior at all sensors that were asked for.
#[derive(Clone, Debug)]
pub struct BehaviorView {
    /// Each sensor.
    pub sensors: Vec<BehaviorAtSensor>,
    /// Its type with the most windows; `None` if no sensor saw it.
    pub main_type: Option<TypeRecord>,
    /// Labels of that type.
    pub labels: Vec<String>,
    /// The samples that show it, with the number of their windows that do.
    pub samples: Vec<(FamilyMember, usize)>,
}

/// A type, and what it contributed to a behavior.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeShare {
    /// The type.
    pub record: TypeRecord,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Number of unique hosts on the day with the most.
    pub peak_hosts: u64,
}

/// A behavior at one sensor.
#[derive(Clone, Debug)]
pub struct BehaviorAtSensor {
    /// The sensor.
    pub sensor: Sensor,
    /// Its daily counts.
    pub series: Series,
    /// Number of unique hosts over the days whose hosts are listed; `None` if they were not counted. Then a host counts in
    /// the series once for each of its types.
    pub host_total: Option<u64>,
    /// Its hosts; `None` if they were not read.
    pub hosts: Option<HostList>,
    /// Its types, those with the most windows first.
    pub types: Vec<TypeShare>,
    /// Number of its types, with those that are not listed.
    pub type_count: usize,
    /// Its departures from its past, ascending by day.
    pub surges: Vec<Surge>,
    /// The first day that was read, if earlier days of the span were left out because they have too many sightings.
    pub narrowed_to: Option<Date>,
}

impl BehaviorAtSensor {
    /// Returns the first and the last day with a packet of the behavior.
    #[must_use]
    pub fn days(&self) -> Option<(Date, Date)> {
        let mut seen = self.series.spans.iter().filter(|span| span.windows > 0).map(|span| span.first);
        let first = seen.next()?;
        Some((first, seen.next_back().unwrap_or(first)))
    }
}

impl BehaviorView {
    /// Returns the sensors that saw the behavior.
    pub fn seen_at(&self) -> impl Iterator<Item = &BehaviorAtSensor> {
        self.sensors.iter().filter(|one| one.type_count > 0)
    }
}

/// Returns what sensors observed of a behavior.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn behavior_view(
    store: &dyn HistoryStore,
    query: &BehaviorQuery,
    rules: &Rules,
) -> Result<BehaviorView, AppError> {
    let mut sensors = Vec::new();
    for sensor in select_sensors(store, &query.sensors)? {
        sensors.push(at_sensor(store, sensor, query, rules)?);
    }
    let types = sensors.iter().flat_map(|one| &one.types);
    let main_type = types.max_by_key(|total| total.windows).map(|total| total.record.clone());
    let first = sensors
        .iter()
        .filter_map(|one| Some((one.days()?.0, one.sensor.zone().ok()?)))
        .min_by_key(|one| one.0);
    let first = first.and_then(|(day, zone)| crate::history::Day::from_date(day, &zone).end());
    let labels = main_type.iter().flat_map(|record| rules.labels(&record.parameters, &[], first));
    let labels = labels.map(str::to_owned).collect();
    Ok(BehaviorView { samples: samples(store, &query.filter, rules)?, sensors, main_type, labels })
}

fn at_sensor(
    store: &dyn HistoryStore,
    sensor: Sensor,
    query: &BehaviorQuery,
    rules: &Rules,
) -> Result<BehaviorAtSensor, AppError> {
    let coverage = coverage_of_sightings(store, &sensor.name)?;
    let mut query = query.clone();
    let mut narrowed_to = None;
    let (sums, reading) = match BehaviorSums::from_counts(store, &sensor, &query, rules)? {
        Some(sums) => {
            let reading = reading(&query, &sums);
            (sums, reading)
        }
        None => {
            narrowed_to = narrowed(store, &sensor, &query, &coverage)?;
            query.first = narrowed_to.or(query.first);
            (BehaviorSums::from_sightings(store, &sensor, &query, rules)?, Some(HostReading::All))
        }
    };
    let hosts =
        reading.map(|reading| BehaviorHosts::read(store, &sensor, &query, rules, reading)).transpose()?;
    let (host_total, by_day, list) = match hosts {
        Some(hosts) => (Some(hosts.total), Some(hosts.by_day), hosts.list),
        None => (None, None, None),
    };
    let shown = coverage.span().map(|(first, last)| {
        (
            query.first.map_or(first, |asked| asked.max(first)),
            query.last.map_or(last, |asked| asked.min(last)),
        )
    });
    let totals = sums.totals(by_day.as_ref());
    let spans = shown.map(|(first, last)| SpanAggregator::day_spans(&coverage, &totals, first, last));
    let spans = spans.unwrap_or_default();
    let observed = spans.iter().filter(|span| span.observed_days > 0);
    let daily: Vec<(Date, u64)> = observed.map(|span| (span.first, span.hosts)).collect();
    let ranked = sums.ranked_types();
    let type_count = ranked.len();
    let mut types = Vec::new();
    for (number, sums) in ranked.into_iter().take(TYPES_MAX) {
        let record = store.type_record(number)?;
        let (windows, packets, peak_hosts) = (sums.windows, sums.packets, sums.peak_hosts);
        types.push(TypeShare { record, windows, packets, peak_hosts });
    }
    let series = Series { sensor: sensor.name.clone(), filter: query.filter.clone(), spans, coverage };
    let surges = surges(&daily, SURGE_P_MAX);
    Ok(BehaviorAtSensor { sensor, series, host_total, hosts: list, types, type_count, surges, narrowed_to })
}

/// Decides what of the hosts is read.
fn reading(query: &BehaviorQuery, sums: &BehaviorSums) -> Option<HostReading> {
    let (series, listed) = sums.sightings(query);
    match query.depth {
        ReadingDepth::Exact => Some(HostReading::All),
        ReadingDepth::Bounded if series > SERIES_SIGHTINGS_MAX => None,
        ReadingDepth::Bounded if listed > LIST_SIGHTINGS_MAX => Some(HostReading::Numbers),
        ReadingDepth::Bounded => Some(HostReading::All),
    }
}

/// Returns the first of the last days of the span that together have few enough windows; `None` if all have.
fn narrowed(
    store: &dyn HistoryStore,
    sensor: &Sensor,
    query: &BehaviorQuery,
    coverage: &Coverage,
) -> Result<Option<Date>, AppError> {
    let Some((first, last)) = coverage.span() else { return Ok(None) };
    if query.depth == ReadingDepth::Exact {
        return Ok(None);
    }
    let first = query.first.map_or(first, |asked| asked.max(first));
    let last = query.last.map_or(last, |asked| asked.min(last));
    // Of days that still grow, nothing is counted yet: the day before stands for each.
    let whole = last.yesterday().unwrap_or(last).max(first);
    let totals = store.totals_until(&sensor.name, whole)?;
    let mut windows = 0u64;
    let mut begin = None;
    for total in totals.iter().rev().filter(|total| first <= total.count.day) {
        windows = windows.saturating_add(total.count.windows);
        if windows > SCANNED_WINDOWS_MAX {
            return Ok(begin.or(Some(last)));
        }
        if coverage.state(total.count.day) == DayState::Observed {
            begin = Some(total.count.day);
        }
    }
    Ok(None)
}

/// Returns the kept samples whose runs show a behavior, with the number of their windows that do.
fn samples(
    store: &dyn HistoryStore,
    filter: &TrafficFilter,
    rules: &Rules,
) -> Result<Vec<(FamilyMember, usize)>, AppError> {
    if *filter == TrafficFilter::All {
        return Ok(Vec::new());
    }
    let samples = kept_samples(store)?;
    let members = members(&samples, &store.family_renames()?, rules);
    let shown = |sample: &LoadedSample| {
        sample
            .profile
            .scan_windows()
            .filter(|window| {
                let whole = &window.fingerprint.whole;
                match filter {
                    TrafficFilter::Behavior(wanted) => wanted.is_named(&whole.names),
                    TrafficFilter::Service(protocol, port) => {
                        let parts = window.fingerprint.facets.iter().chain([whole]);
                        parts.into_iter().any(|part| part.parameters.is_service(*protocol, *port))
                    }
                    other => other.matches(&whole.parameters, rules),
                }
            })
            .count()
    };
    let mut found: Vec<(FamilyMember, usize)> =
        members.into_iter().zip(&samples).map(|(member, sample)| (member, shown(sample))).collect();
    found.retain(|(_, windows)| *windows > 0);
    found.sort_by_key(|(member, windows)| (std::cmp::Reverse(*windows), member.id.clone()));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn sightings_are_read_where_they_are_few_or_demanded() {
        let query = |depth| BehaviorQuery {
            filter: TrafficFilter::All,
            sources: None,
            sensors: Vec::new(),
            first: None,
            last: None,
            host_days: Some((date(2009, 3, 2), date(2009, 3, 2))),
            depth,
        };
        let read = |depth, before: u64, within: u64| {
            let mut sums = BehaviorSums::default();
            for (day, hosts) in [(date(2009, 3, 1), before), (date(2009, 3, 2), within)] {
                sums.days.entry(day).or_default().type_hosts = hosts;
            }
            reading(&query(depth), &sums)
        };
        let bounded = |before, within| read(ReadingDepth::Bounded, before, within);
        assert_eq!(bounded(500_000, 1_000), Some(HostReading::All));
        assert_eq!(bounded(1_000, 500_000), Some(HostReading::Numbers));
        assert_eq!(bounded(2_000_000, 1_000), None);
        assert_eq!(read(ReadingDepth::Exact, 2_000_000, 2_000_000), Some(HostReading::All));
    }
}
