//! Describes surges by their types, hosts, labels and marks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use crate::app::AppError;
use crate::event::Timestamp;
use crate::history::{Filter, Types};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::{Found, Kind, Ranked};

/// Maximum number of types and of hosts that are listed for a surge.
const TOLD_MAX: usize = 5;

/// Maximum number of host-days (hosts, counted once per type and day) that are held at once, unless a single
/// surge has more.
const HOST_DAYS_MAX: u64 = 1_000_000;

/// Describes surges, in their order. The sightings of a sensor are read once for as many surges as
/// [`HOST_DAYS_MAX`] allows.
pub(super) fn described(
    store: &dyn HistoryStore,
    rules: &Rules,
    ranked: Vec<Ranked>,
) -> Result<Vec<Found>, AppError> {
    let mut by_sensor: BTreeMap<String, Vec<(usize, Ranked)>> = BTreeMap::new();
    for (place, one) in ranked.into_iter().enumerate() {
        by_sensor.entry(one.sensor.clone()).or_default().push((place, one));
    }
    let mut found: Vec<(usize, Found)> = Vec::new();
    for (sensor, mut left) in by_sensor {
        while !left.is_empty() {
            let mut host_days = 0;
            let fits = left.iter().take_while(|(_, one)| {
                host_days += one.host_days;
                host_days <= HOST_DAYS_MAX
            });
            let some: Vec<(usize, Ranked)> = left.drain(..fits.count().max(1)).collect();
            let hosted = read(store, &sensor, &some)?;
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
    ranked: Ranked,
    hosted: Hosted,
) -> Result<Found, AppError> {
    let Ranked { sensor, behavior, surge, q, part_of, members, .. } = ranked;
    let Hosted { by_type, packets } = hosted;
    let names = store.mark_names()?;
    let mut marks: BTreeMap<&str, HashSet<IpAddr>> = BTreeMap::new();
    let mut labels: BTreeMap<String, HashSet<IpAddr>> = BTreeMap::new();
    let mut backscatter: HashSet<IpAddr> = HashSet::new();
    let mut named = Vec::new();
    // A label that is limited to certain dates is given if they include the surge's first day.
    let first = Timestamp::start_of(surge.first);
    for (number, hosts) in &by_type {
        let record = store.type_of(*number)?;
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
        rules.is_told(mark) && rules.is_beyond_chance(mark, hosts.len() as u64, total)
    });
    let kind = if 2 * backscatter.len() > packets.len() { Kind::Backscatter } else { Kind::Scan };
    Ok(Found {
        sensor,
        behavior,
        surge,
        q,
        kind,
        part_of,
        members,
        hosts: packets.len() as u64,
        types: most(named, TOLD_MAX),
        top_hosts: most(packets.into_iter().collect(), TOLD_MAX),
        labels: counted(labels.into_iter()),
        marks: counted(marks.map(|(mark, hosts)| (mark.to_owned(), hosts))),
    })
}

/// Reads the hosts of surges of one sensor: for each surge, the hosts of each type on the surge's days with
/// their marks, and the packets of each host.
fn read(store: &dyn HistoryStore, sensor: &str, surges: &[(usize, Ranked)]) -> Result<Vec<Hosted>, AppError> {
    let mut surges_of: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, (_, one)) in surges.iter().enumerate() {
        one.members.iter().for_each(|number| surges_of.entry(*number).or_default().push(at));
    }
    let listed: Vec<u64> = surges_of.keys().copied().collect();
    let filter = Filter {
        types: Types::Listed(&listed),
        first: surges.iter().map(|(_, one)| one.surge.first).min(),
        last: surges.iter().map(|(_, one)| one.surge.last).max(),
        ..Filter::default()
    };
    let mut hosted: Vec<Hosted> = surges.iter().map(|_| Hosted::default()).collect();
    store.each_sighting(sensor, &filter, &mut |sighting| {
        for at in surges_of.get(&sighting.number).into_iter().flatten() {
            let surge = &surges[*at].1.surge;
            if !(surge.first..=surge.last).contains(&sighting.day) {
                continue;
            }
            let Hosted { by_type, packets } = &mut hosted[*at];
            *by_type.entry(sighting.number).or_default().entry(sighting.host).or_default() |=
                sighting.counts.marks;
            *packets.entry(sighting.host).or_default() += sighting.counts.packets;
        }
    })?;
    Ok(hosted)
}

/// Hosts with the bit sets of their marks.
type Marked = HashMap<IpAddr, u64>;

/// The hosts of a surge, by type, and the packets of each host.
#[derive(Default)]
struct Hosted {
    by_type: BTreeMap<u64, Marked>,
    packets: HashMap<IpAddr, u64>,
}

/// Returns the marks that more than half of these hosts have, and adds the hosts of each mark to `all`.
fn common_marks<'n>(
    hosts: &Marked,
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
fn counted(all: impl Iterator<Item = (String, HashSet<IpAddr>)>) -> Vec<(String, u64)> {
    most(all.map(|(name, hosts)| (name, hosts.len() as u64)).collect(), usize::MAX)
}

/// Returns the `count` entries with the largest numbers, in descending order.
fn most<T: Ord>(mut all: Vec<(T, u64)>, count: usize) -> Vec<(T, u64)> {
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(count);
    all
}
