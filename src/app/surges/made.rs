//! What a surge is made of: its types, hosts, labels and marks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use crate::app::AppError;
use crate::event::Timestamp;
use crate::history::surge::Surge;
use crate::history::{Filter, Types};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::{Found, Kind, Ranked};

/// Of types and of hosts so many are told.
const TOLD_MAX: usize = 5;

/// A surge with all that is told of it.
pub(super) fn up(store: &dyn HistoryStore, rules: &Rules, ranked: Ranked) -> Result<Found, AppError> {
    let Ranked { sensor, behavior, surge, q, part_of, members } = ranked;
    let Hosted { by_type, packets } = read(store, &sensor, &members, &surge)?;
    let names = store.mark_names()?;
    let mut marks: BTreeMap<&str, HashSet<IpAddr>> = BTreeMap::new();
    let mut labels: BTreeMap<String, HashSet<IpAddr>> = BTreeMap::new();
    let mut backscatter: HashSet<IpAddr> = HashSet::new();
    let mut named = Vec::new();
    // A label with dates is given if the surge's first day lies within them.
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

/// The hosts of each type in the days of a surge with their marks, and the packets of each host.
fn read(
    store: &dyn HistoryStore,
    sensor: &str,
    types: &BTreeSet<u64>,
    surge: &Surge,
) -> Result<Hosted, AppError> {
    let listed: Vec<u64> = types.iter().copied().collect();
    let filter = Filter {
        types: Types::Listed(&listed),
        first: Some(surge.first),
        last: Some(surge.last),
        ..Filter::default()
    };
    let mut hosted = Hosted::default();
    store.each_sighting(sensor, &filter, &mut |sighting| {
        *hosted.by_type.entry(sighting.number).or_default().entry(sighting.host).or_default() |=
            sighting.counts.marks;
        *hosted.packets.entry(sighting.host).or_default() += sighting.counts.packets;
    })?;
    Ok(hosted)
}

/// Hosts with the bits of their marks.
type Marked = HashMap<IpAddr, u64>;

/// The hosts of a surge.
#[derive(Default)]
struct Hosted {
    by_type: BTreeMap<u64, Marked>,
    packets: HashMap<IpAddr, u64>,
}

/// The marks that most of these hosts have; those of each host are added to `all`.
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

/// Names with their number of hosts, the most first.
fn counted(all: impl Iterator<Item = (String, HashSet<IpAddr>)>) -> Vec<(String, u64)> {
    most(all.map(|(name, hosts)| (name, hosts.len() as u64)).collect(), usize::MAX)
}

/// The largest, at most so many.
fn most<T: Ord>(mut all: Vec<(T, u64)>, count: usize) -> Vec<(T, u64)> {
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(count);
    all
}
