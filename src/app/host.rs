//! Use case: everything that sensors observed of one host.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::{Behavior, Marks, ProbeSignature};
use crate::history::{Filter, HostBehavior, Sensor, Sighting, SightingCounts, TypeFilter, longest_gap};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};

use super::history::{coverage_of_sightings, select_sensors};
use super::history_source::HistorySource;
use super::{AppError, CaptureOptions, Notices, parallel};

/// Number of sensors that are queried in parallel, each through its own handle of the store.
const SENSORS_IN_PARALLEL: usize = 4;

/// Returns what sensors observed of a host, by sensor, then by the time at which each type was first seen.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn host(
    source: &HistorySource,
    host: IpAddr,
    sensors: &[String],
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<HostBehavior>, AppError> {
    let store = source.open(&CaptureOptions::default(), rules, notices)?;
    let sensors = select_sensors(store.as_ref(), sensors)?;
    let HistorySource::Folder(path) = source else {
        let names: Vec<String> = sensors.into_iter().map(|sensor| sensor.name).collect();
        return host_in_store(store.as_ref(), host, &names, rules);
    };
    let look = |sensor: &Sensor| {
        let store = LocalStore::open_to_read(path, &rules.profile)?;
        behaviors_at_sensor(&store, host, sensor, rules)
    };
    let found = parallel::map(SENSORS_IN_PARALLEL, &sensors, look);
    Ok(found.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// Returns what sensors observed of a host, as [`host`] does, from a store that is open.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn host_in_store(
    store: &dyn HistoryStore,
    host: IpAddr,
    sensors: &[String],
    rules: &Rules,
) -> Result<Vec<HostBehavior>, AppError> {
    let mut found = Vec::new();
    for sensor in select_sensors(store, sensors)? {
        found.extend(behaviors_at_sensor(store, host, &sensor, rules)?);
    }
    Ok(found)
}

/// The sums of a host's windows of one type.
#[derive(Default)]
struct HostTypeSums {
    counts: Option<SightingCounts>,
    days: Vec<Date>,
    /// Numbers of windows by the number of their signature.
    signatures: BTreeMap<u64, u64>,
}

fn behaviors_at_sensor(
    store: &dyn HistoryStore,
    host: IpAddr,
    sensor: &Sensor,
    rules: &Rules,
) -> Result<Vec<HostBehavior>, AppError> {
    let (name, coverage) = (Arc::from(&*sensor.name), Arc::new(coverage_of_sightings(store, &sensor.name)?));
    let looked: Vec<Date> = coverage.observed_days().collect();
    let mut by_type: BTreeMap<u64, HostTypeSums> = BTreeMap::new();
    let filter = Filter { types: TypeFilter::All, sources: Some(IpNet::from(host)), first: None, last: None };
    store.each_sighting(&sensor.name, &filter, &mut |sighting: &Sighting| {
        let sums = by_type.entry(sighting.number).or_default();
        sums.counts = Some(sums.counts.unwrap_or(SightingCounts::NONE).merged(sighting.counts));
        sums.days.push(sighting.day);
        if let Some(signature) = sighting.signature {
            *sums.signatures.entry(signature).or_default() += sighting.counts.windows;
        }
    })?;
    let signatures = read_signatures(store, by_type.values().flat_map(|sums| sums.signatures.keys()))?;
    let mark_names = store.mark_names()?;
    let numbers: Vec<u64> = by_type.keys().copied().collect();
    let mut here = Vec::with_capacity(numbers.len());
    // A host with per-target ports has tens of thousands of types, so their parameters are read in one call.
    store.each_parameters(&numbers, &mut |number, parameters| {
        let Some(HostTypeSums { counts: Some(seen), mut days, signatures: numbers }) =
            by_type.remove(&number)
        else {
            return;
        };
        let behavior = Behavior::of_type(&parameters, &rules.profile);
        days.sort_unstable();
        days.dedup();
        let marks = names_of_marks(seen.marks, &mark_names);
        let labels = rules.labels(&parameters, &marks, Some(seen.first));
        let labels = labels.into_iter().map(str::to_owned).collect();
        let gap = longest_gap(&days, &looked);
        let (sensor, coverage) = (Arc::clone(&name), Arc::clone(&coverage));
        let windows =
            numbers.into_iter().filter_map(|(number, windows)| Some((*signatures.get(&number)?, windows)));
        let mut signatures: Vec<(ProbeSignature, u64)> = windows.collect();
        signatures.sort_by_key(|(signature, windows)| (Reverse(*windows), signature.number()));
        here.push(HostBehavior { sensor, behavior, labels, counts: seen, days, coverage, gap, signatures });
    })?;
    here.sort_by_key(|behaved| (behaved.counts.first, behaved.behavior.id));
    Ok(here)
}

/// Returns the signatures of some numbers.
fn read_signatures<'n>(
    store: &dyn HistoryStore,
    numbers: impl Iterator<Item = &'n u64>,
) -> Result<BTreeMap<u64, ProbeSignature>, AppError> {
    let mut signatures = BTreeMap::new();
    for number in numbers {
        if !signatures.contains_key(number) {
            signatures.insert(*number, store.signature(*number)?);
        }
    }
    Ok(signatures)
}

/// Returns the names of the marks in a bit set; bit i stands for the i-th name.
pub(super) fn names_of_marks(marks: u64, names: &[String]) -> Vec<&str> {
    let held = names.iter().take(Marks::MAX).enumerate().filter(|(bit, _)| marks >> bit & 1 == 1);
    held.map(|(_, name)| name.as_str()).collect()
}
