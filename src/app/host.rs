//! Use case: all that sensors saw of one host.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::{Behavior, Marks};
use crate::history::{Coverage, Filter, Sensor, Sighting, SightingCounts, Types};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};

use super::history::{HistorySource, chosen, coverage_of_sightings};
use super::{AppError, CaptureOptions, Notices, share};

/// A host's windows of one type at one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaved {
    /// The sensor.
    pub sensor: Arc<str>,
    /// The type.
    pub behavior: Behavior,
    /// Labels by the type's parameters, the marks of these windows, and the time of their first packet.
    pub labels: Vec<String>,
    /// All windows together.
    pub seen: SightingCounts,
    /// Days on which it was seen, ascending.
    pub days: Vec<Date>,
    /// The days that the sensor looked.
    pub coverage: Arc<Coverage>,
    /// Most days in a row between two of these on which the sensor looked and did not see it.
    pub gap: u64,
}

/// Sensors that are asked side by side, each through a store of its own.
const AT_ONCE: usize = 4;

/// What sensors saw of a host; by sensor, then in the order in which the types began.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn host(
    source: &HistorySource,
    host: IpAddr,
    sensors: &[String],
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<Behaved>, AppError> {
    let store = source.open(&CaptureOptions::default(), rules, notices)?;
    let sensors = chosen(store.as_ref(), sensors)?;
    let HistorySource::Folder(path) = source else {
        let found = sensors.iter().map(|sensor| at_sensor(store.as_ref(), host, sensor, rules));
        return Ok(found.collect::<Result<Vec<_>, _>>()?.concat());
    };
    let look = |sensor: &Sensor| {
        let store = LocalStore::open_to_read(path, &rules.profile)?;
        at_sensor(&store, host, sensor, rules)
    };
    let found = share::each(AT_ONCE, &sensors, look);
    Ok(found.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn at_sensor(
    store: &dyn HistoryStore,
    host: IpAddr,
    sensor: &Sensor,
    rules: &Rules,
) -> Result<Vec<Behaved>, AppError> {
    let (name, coverage) = (Arc::from(&*sensor.name), Arc::new(coverage_of_sightings(store, &sensor.name)?));
    let looked: Vec<Date> = coverage.days().collect();
    let mut kinds: BTreeMap<u64, (SightingCounts, Vec<Date>)> = BTreeMap::new();
    let filter = Filter { types: Types::All, sources: Some(IpNet::from(host)), first: None, last: None };
    store.each_sighting(&sensor.name, &filter, &mut |sighting: &Sighting| {
        let (sum, days) = kinds.entry(sighting.number).or_insert_with(|| (SightingCounts::NONE, Vec::new()));
        *sum = sum.merged(sighting.counts);
        days.push(sighting.day);
    })?;
    let mark_names = store.mark_names()?;
    let numbers: Vec<u64> = kinds.keys().copied().collect();
    let mut here = Vec::with_capacity(numbers.len());
    // A host that asks for a port a destination has tens of thousands of types.
    store.each_parameters(&numbers, &mut |number, parameters| {
        let Some((seen, mut days)) = kinds.remove(&number) else { return };
        let behavior = Behavior::of_type(&parameters, &rules.profile);
        days.sort_unstable();
        days.dedup();
        let marks = named(seen.marks, &mark_names);
        let labels = rules.labels(&parameters, &marks, Some(seen.first));
        let labels = labels.into_iter().map(str::to_owned).collect();
        let gap = longest_gap(&days, &looked);
        let (sensor, coverage) = (Arc::clone(&name), Arc::clone(&coverage));
        here.push(Behaved { sensor, behavior, labels, seen, days, coverage, gap });
    })?;
    here.sort_by_key(|behaved| (behaved.seen.first, behaved.behavior.id));
    Ok(here)
}

/// The names of marks; bit i stands for the i-th name.
fn named(marks: u64, names: &[String]) -> Vec<&str> {
    let held = names.iter().take(Marks::MAX).enumerate().filter(|(bit, _)| marks >> bit & 1 == 1);
    held.map(|(_, name)| name.as_str()).collect()
}

/// Most days in a row that the sensor looked, ascending, between two on which the host was seen.
fn longest_gap(days: &[Date], looked: &[Date]) -> u64 {
    let between = |pair: &[Date]| match pair {
        [before, after] => {
            let from = looked.partition_point(|day| day <= before);
            looked.partition_point(|day| day < after).saturating_sub(from) as u64
        }
        _ => 0,
    };
    days.windows(2).map(between).max().unwrap_or(0)
}
