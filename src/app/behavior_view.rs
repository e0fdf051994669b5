//! Use case: everything that sensors observed of a behavior, or of the hosts of a prefix: its series, hosts, types,
//! departures from its past, and the samples that show it.
//!
//! Memory: about 100 bytes per host, and 100 bytes per type.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::analysis::surge::{Surge, surges};
use crate::history::{
    HostList, HostSet, HostSummary, RecordedTime, Sensor, Sighting, SightingCounts, SpanAggregator,
    SpanLength, TypeRecord, TypeTotal,
};
use crate::rules::Rules;
use crate::sample::FamilyMember;
use crate::store::HistoryStore;

use super::AppError;
use super::family_members::members;
use super::history::{coverage_of_sightings, kept_samples, select_sensors};
use super::host::names_of_marks;
use super::sandbox::LoadedSample;
use super::series::{Series, TrafficFilter, each_sighting};

/// Maximum number of hosts that are listed one by one for a sensor.
const HOSTS_MAX: usize = 1_000;
/// Maximum number of types that are listed for a sensor.
const TYPES_MAX: usize = 100;
/// Maximum p of a departure that is reported. One series is asked for, so that no adjustment is needed.
const SURGE_P_MAX: f64 = 1e-3;

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

/// A behavior at one sensor.
#[derive(Clone, Debug)]
pub struct BehaviorAtSensor {
    /// The sensor.
    pub sensor: Sensor,
    /// Its daily counts.
    pub series: Series,
    /// Its hosts.
    pub hosts: HostList,
    /// Its types, those with the most windows first.
    pub types: Vec<TypeTotal>,
    /// Number of its types, with those that are not listed.
    pub type_count: usize,
    /// Its departures from its past, ascending by day.
    pub surges: Vec<Surge>,
}

impl BehaviorView {
    /// Returns the sensors that saw the behavior.
    pub fn seen_at(&self) -> impl Iterator<Item = &BehaviorAtSensor> {
        self.sensors.iter().filter(|one| one.hosts.total > 0)
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
    let first = sensors.iter().filter_map(|one| one.hosts.first).min();
    let labels = main_type.iter().flat_map(|record| rules.labels(&record.parameters, &[], first));
    let labels = labels.map(str::to_owned).collect();
    Ok(BehaviorView { samples: samples(store, &query.filter, rules)?, sensors, main_type, labels })
}

/// The sums of one host, with its days as numbers of days after the first.
struct HostSums {
    counts: SightingCounts,
    days: Vec<i32>,
}

/// Reads the sightings of a behavior at a sensor once, for its series, hosts and types.
fn at_sensor(
    store: &dyn HistoryStore,
    sensor: Sensor,
    query: &BehaviorQuery,
    rules: &Rules,
) -> Result<BehaviorAtSensor, AppError> {
    let coverage = coverage_of_sightings(store, &sensor.name)?;
    let (zone, no_hours) = (sensor.zone()?, RecordedTime::from_captures(&[]));
    let mut spans = SpanAggregator::new(SpanLength::Day, &coverage, &zone, &no_hours);
    let mut hosts: HashMap<IpAddr, HostSums> = HashMap::new();
    let mut types: HashMap<u64, (u64, u64, HostSet)> = HashMap::new();
    let mut add = |sighting: &Sighting| {
        spans.add(sighting);
        if query.host_days.is_some_and(|(first, last)| sighting.day < first || last < sighting.day) {
            return;
        }
        let none = || HostSums { counts: SightingCounts::NONE, days: Vec::new() };
        let sums = hosts.entry(sighting.host).or_insert_with(none);
        sums.counts = sums.counts.merged(sighting.counts);
        let day = day_number(sighting.day);
        if sums.days.last() != Some(&day) {
            sums.days.push(day);
        }
        let (windows, packets, of_type) = types.entry(sighting.number).or_default();
        *windows += sighting.counts.windows;
        *packets += sighting.counts.packets;
        of_type.insert(sighting.host);
    };
    let between = (query.first, query.last);
    each_sighting(store, &sensor.name, &query.filter, rules, between, query.sources, &mut add)?;
    let span = coverage.span();
    let (first, last) = (span.map(|span| span.0), span.map(|span| span.1));
    let shown = query.first.max(first).zip(last.map(|last| query.last.map_or(last, |asked| asked.min(last))));
    let spans = shown.map_or_else(Vec::new, |(first, last)| spans.finish(first, last));
    let series = Series { sensor: sensor.name.clone(), filter: query.filter.clone(), spans, coverage };
    let names = store.mark_names()?;
    let summary = |(host, HostSums { counts, mut days }): (IpAddr, HostSums)| {
        days.sort_unstable();
        days.dedup();
        HostSummary {
            host,
            days: days.len() as u64,
            windows: counts.windows,
            packets: counts.packets,
            first: counts.first,
            last: counts.last,
            marks: names_of_marks(counts.marks, &names).into_iter().map(str::to_owned).collect(),
        }
    };
    let hosts = HostList::from_hosts(hosts.into_iter().map(summary).collect(), HOSTS_MAX);
    let type_count = types.len();
    let mut ranked: Vec<(u64, (u64, u64, HostSet))> = types.into_iter().collect();
    ranked.sort_by_key(|(number, (windows, ..))| (std::cmp::Reverse(*windows), *number));
    let mut totals = Vec::new();
    for (number, (windows, packets, mut of_type)) in ranked.into_iter().take(TYPES_MAX) {
        let record = store.type_record(number)?;
        totals.push(TypeTotal { record, windows, packets, hosts: of_type.count() });
    }
    let daily: Vec<(Date, u64)> = series
        .spans
        .iter()
        .filter(|span| span.observed_days > 0)
        .map(|span| (span.first, span.hosts))
        .collect();
    Ok(BehaviorAtSensor {
        sensor,
        series,
        hosts,
        types: totals,
        type_count,
        surges: surges(&daily, SURGE_P_MAX),
    })
}

/// Returns the number of a day, so that equal days have equal numbers.
fn day_number(day: Date) -> i32 {
    i32::from(day.year()) * 512 + i32::from(day.month()) * 32 + i32::from(day.day())
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
