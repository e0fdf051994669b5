//! Describes surges by their types, hosts, labels and marks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use crate::app::AppError;
use crate::history::{Filter, TypeFilter};
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::{DescribedSurge, RankedSurge, SurgeKind};

/// Maximum number of types and of hosts that are listed for a surge.
const LISTED_MAX: usize = 5;

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
                found.push((place, describe(store, rules, one, hosted)?));
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
    hosted: SurgeHosts,
) -> Result<DescribedSurge, AppError> {
    let RankedSurge { sensor, behavior, surge, q, part_of, members, .. } = ranked;
    let SurgeHosts { by_type, packets } = hosted;
    let names = store.mark_names()?;
    let mut marks: BTreeMap<&str, HashSet<IpAddr>> = BTreeMap::new();
    let mut labels: BTreeMap<String, HashSet<IpAddr>> = BTreeMap::new();
    let mut backscatter: HashSet<IpAddr> = HashSet::new();
    let mut named = Vec::new();
    // A label that is limited to certain dates is given if they include the surge's first day.
    let first = Timestamp::start_of(surge.first);
    for (number, hosts) in &by_type {
        let record = store.type_record(*number)?;
        let of_type = common_marks(hosts, &names, &mut marks);
        let given = rules.labels(&record.parameters, &of_type, first);
        let answers = record.parameters.protocol.only_answers()
            || given.iter().any(|label| rules.is_backscatter(label));
        if answers {
            backscatter.extend(hosts.keys());
        }
        for label in given {
            labels.entry(label.to_owned()).or_default().extend(hosts.keys());
        }
        named.push((record.behavior.canonical, hosts.len() as u64));
    }
    let total = packets.len() as u64;
    let marks = marks.into_iter().filter(|(mark, hosts)| {
        rules.is_shown(mark) && rules.is_beyond_chance(mark, hosts.len() as u64, total)
    });
    let kind = if 2 * backscatter.len() > packets.len() { SurgeKind::Backscatter } else { SurgeKind::Scan };
    Ok(DescribedSurge {
        sensor,
        behavior,
        surge,
        q,
        kind,
        part_of,
        members,
        hosts: packets.len() as u64,
        types: top_entries(named, LISTED_MAX),
        top_hosts: top_entries(packets.into_iter().collect(), LISTED_MAX),
        labels: by_host_count(labels.into_iter()),
        marks: by_host_count(marks.map(|(mark, hosts)| (mark.to_owned(), hosts))),
    })
}

/// Reads the hosts of surges of one sensor: for each surge, the hosts of each type on the surge's days with
/// their marks, and the packets of each host.
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
            if !(surge.first..=surge.last).contains(&sighting.day) {
                continue;
            }
            let SurgeHosts { by_type, packets } = &mut hosted[*at];
            *by_type.entry(sighting.number).or_default().entry(sighting.host).or_default() |=
                sighting.counts.marks;
            *packets.entry(sighting.host).or_default() += sighting.counts.packets;
        }
    })?;
    Ok(hosted)
}

/// Hosts with the bit sets of their marks.
type MarkBitsByHost = HashMap<IpAddr, u64>;

/// The hosts of a surge, by type, and the packets of each host.
#[derive(Default)]
struct SurgeHosts {
    by_type: BTreeMap<u64, MarkBitsByHost>,
    packets: HashMap<IpAddr, u64>,
}

/// Returns the marks that more than half of these hosts have, and adds the hosts of each mark to `all`.
fn common_marks<'n>(
    hosts: &MarkBitsByHost,
    names: &'n [String],
    all: &mut BTreeMap<&'n str, HashSet<IpAddr>>,
) -> Vec<&'n str> {
    let mut common = Vec::new();
    for (bit, name) in names.iter().enumerate() {
        let marked = || hosts.iter().filter(|(_, bits)| **bits >> bit & 1 == 1).map(|(host, _)| *host);
        let count = marked().count();
        if count > 0 {
            all.entry(name).or_default().extend(marked());
        }
        if 2 * count > hosts.len() {
            common.push(name.as_str());
        }
    }
    common
}

/// Returns names with their numbers of hosts, the most hosts first.
fn by_host_count(all: impl Iterator<Item = (String, HashSet<IpAddr>)>) -> Vec<(String, u64)> {
    top_entries(all.map(|(name, hosts)| (name, hosts.len() as u64)).collect(), usize::MAX)
}

/// Returns the `count` entries with the largest numbers, in descending order.
fn top_entries<T: Ord>(mut all: Vec<(T, u64)>, count: usize) -> Vec<(T, u64)> {
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(count);
    all
}
