//! Use case: all that sensors saw of one host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::history::{Coverage, Met, Restriction, Sighting, TypeRecord, Types};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::chosen;

/// A host's windows of one type at one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaved {
    /// The sensor.
    pub sensor: String,
    /// The type.
    pub record: TypeRecord,
    /// Labels that the type's parameters give it.
    pub labels: Vec<String>,
    /// All windows together.
    pub seen: Sighting,
    /// Days on which it was seen.
    pub days: BTreeSet<Date>,
    /// The days that the sensor looked.
    pub coverage: Coverage,
    /// Most days in a row between two of these on which the sensor looked and did not see it.
    pub gap: u64,
}

/// What sensors saw of a host; by sensor, then in the order in which the types began.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn host(
    store: &dyn HistoryStore,
    host: IpAddr,
    sensors: &[String],
    rules: &Rules,
) -> Result<Vec<Behaved>, AppError> {
    let mut all = Vec::new();
    for sensor in chosen(store, sensors)? {
        let coverage = store.coverage(&sensor.name)?;
        let mut kinds: BTreeMap<u64, (Sighting, BTreeSet<Date>)> = BTreeMap::new();
        let restriction =
            Restriction { types: Types::All, sources: Some(IpNet::from(host)), first: None, last: None };
        store.each_sighting(&sensor.name, &restriction, &mut |met: &Met| {
            let (sum, days) = kinds.entry(met.number).or_insert_with(|| (Sighting::NONE, BTreeSet::new()));
            *sum = sum.merged(met.seen);
            days.insert(met.day);
        })?;
        let mut here = Vec::new();
        for (number, (seen, days)) in kinds {
            let record = store.type_of(number)?;
            let labels = rules.labels(&record.parameters, &[], Some(seen.first));
            let labels = labels.into_iter().map(str::to_owned).collect();
            let gap = longest_gap(&days, &coverage);
            let coverage = coverage.clone();
            here.push(Behaved { sensor: sensor.name.clone(), record, labels, seen, days, coverage, gap });
        }
        here.sort_by_key(|behaved| (behaved.seen.first, behaved.record.behavior.id));
        all.extend(here);
    }
    Ok(all)
}

fn longest_gap(days: &BTreeSet<Date>, coverage: &Coverage) -> u64 {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return 0 };
    let (mut gap, mut longest) = (0, 0);
    for day in coverage.days().filter(|day| first <= day && day <= last) {
        gap = if days.contains(&day) { 0 } else { gap + 1 };
        longest = longest.max(gap);
    }
    longest
}
