//! Reads the hosts and types of surges, and describes the surges by them.

use std::collections::BTreeMap;

use crate::analysis::behavior_surges::{DescribedSurge, RankedSurge, SurgeDescription, SurgeHosts};
use crate::app::AppError;
use crate::history::{Filter, TypeFilter};
use crate::rules::Rules;
use crate::store::HistoryStore;

/// Maximum number of host-days (hosts, counted once per type and day) that are held at once, unless a single
/// surge has more.
const HOST_DAYS_MAX: u64 = 1_000_000;

/// Describes surges, in their order. The sightings of a sensor are read once for as many surges as
/// [`HOST_DAYS_MAX`] allows.
pub(super) fn describe_all(
    store: &dyn HistoryStore,
    rules: &Rules,
    ranked: Vec<RankedSurge>,
) -> Result<Vec<DescribedSurge>, AppError> {
    let mut by_sensor: BTreeMap<String, Vec<(usize, RankedSurge)>> = BTreeMap::new();
    for (place, one) in ranked.into_iter().enumerate() {
        by_sensor.entry(one.sensor.clone()).or_default().push((place, one));
    }
    let mut found: Vec<(usize, DescribedSurge)> = Vec::new();
    for (sensor, mut left) in by_sensor {
        while !left.is_empty() {
            let mut host_days = 0;
            let fits = left.iter().take_while(|(_, one)| {
                host_days += one.host_days;
                host_days <= HOST_DAYS_MAX
            });
            let some: Vec<(usize, RankedSurge)> = left.drain(..fits.count().max(1)).collect();
            let hosted = read_hosts(store, &sensor, &some)?;
            for ((place, one), hosted) in some.into_iter().zip(hosted) {
                found.push((place, describe(store, rules, one, &hosted)?));
            }
        }
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, one)| one).collect())
}

/// Describes a surge by its hosts.
fn describe(
    store: &dyn HistoryStore,
    rules: &Rules,
    ranked: RankedSurge,
    hosted: &SurgeHosts,
) -> Result<DescribedSurge, AppError> {
    let names = store.mark_names()?;
    let mut description = SurgeDescription::new(ranked, hosted, &names, rules);
    for number in hosted.type_numbers() {
        description.add_type(number, store.type_record(number)?);
    }
    Ok(description.finish())
}

/// Reads the hosts of surges of one sensor.
fn read_hosts(
    store: &dyn HistoryStore,
    sensor: &str,
    surges: &[(usize, RankedSurge)],
) -> Result<Vec<SurgeHosts>, AppError> {
    let mut surges_of: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, (_, one)) in surges.iter().enumerate() {
        one.members.iter().for_each(|number| surges_of.entry(*number).or_default().push(at));
    }
    let listed: Vec<u64> = surges_of.keys().copied().collect();
    let filter = Filter {
        types: TypeFilter::Numbers(&listed),
        first: surges.iter().map(|(_, one)| one.surge.first).min(),
        last: surges.iter().map(|(_, one)| one.surge.last).max(),
        ..Filter::default()
    };
    let mut hosted: Vec<SurgeHosts> = surges.iter().map(|_| SurgeHosts::default()).collect();
    store.each_sighting(sensor, &filter, &mut |sighting| {
        for at in surges_of.get(&sighting.number).into_iter().flatten() {
            let surge = &surges[*at].1.surge;
            if (surge.first..=surge.last).contains(&sighting.day) {
                hosted[*at].add(sighting);
            }
        }
    })?;
    Ok(hosted)
}
