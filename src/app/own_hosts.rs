//! Use case: which hosts of one's own networks the sensors saw (the alarm of DAEDALUS).

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::history::{Filter, SightingCounts, TypeRecord};
use crate::store::HistoryStore;

use super::AppError;
use super::watch::OwnNetwork;

/// A host of an own network, as one sensor saw it.
#[derive(Clone, Debug)]
pub struct OwnHost {
    /// The name of the network.
    pub network: String,
    /// The host.
    pub host: IpAddr,
    /// The name of the sensor.
    pub sensor: String,
    /// The type with the most windows.
    pub main_type: TypeRecord,
    /// Counts of all its windows.
    pub counts: SightingCounts,
}

/// Returns the hosts of own networks that any sensor saw in the last `days` recorded days of it, the latest first. Days
/// after `last` are left out, if it is given.
///
/// # Errors
/// When the history cannot be read.
pub fn own_hosts(
    store: &dyn HistoryStore,
    networks: &[OwnNetwork],
    days: usize,
    last: Option<Date>,
) -> Result<Vec<OwnHost>, AppError> {
    let mut found = Vec::new();
    for sensor in store.sensors()? {
        let coverage = store.coverage(&sensor.name)?;
        let recorded =
            coverage.recorded_days.iter().rev().filter(|day| last.is_none_or(|last| **day <= last));
        let Some(first) = recorded.take(days).last().copied() else { continue };
        for network in networks {
            let filter =
                Filter { sources: Some(network.prefix), first: Some(first), last, ..Filter::default() };
            let mut hosts: BTreeMap<IpAddr, (SightingCounts, BTreeMap<u64, u64>)> = BTreeMap::new();
            store.each_sighting(&sensor.name, &filter, &mut |sighting| {
                let (counts, types) =
                    hosts.entry(sighting.host).or_insert_with(|| (SightingCounts::NONE, BTreeMap::new()));
                *counts = counts.merged(sighting.counts);
                *types.entry(sighting.number).or_default() += sighting.counts.windows;
            })?;
            for (host, (counts, types)) in hosts {
                let Some((number, _)) = types.iter().max_by_key(|(_, windows)| **windows) else { continue };
                found.push(OwnHost {
                    network: network.name.clone(),
                    host,
                    sensor: sensor.name.clone(),
                    main_type: store.type_record(*number)?,
                    counts,
                });
            }
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.counts.last));
    Ok(found)
}
