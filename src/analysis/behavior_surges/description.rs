//! Describes a surge by its types, hosts, labels and marks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use crate::history::{Sighting, TypeRecord};
use crate::packet::Timestamp;
use crate::rules::Rules;

use super::{DescribedSurge, RankedSurge, SurgeKind};

/// Maximum number of types and of hosts that are listed for a surge.
const LISTED_MAX: usize = 5;

/// Hosts with the bit sets of their marks.
type MarkBitsByHost = HashMap<IpAddr, u64>;

/// The hosts of a surge, by type, and the packets of each host.
#[derive(Default)]
pub struct SurgeHosts {
    by_type: BTreeMap<u64, MarkBitsByHost>,
    packets: HashMap<IpAddr, u64>,
}

impl SurgeHosts {
    /// Adds a sighting of one of the surge's types on one of its days.
    pub fn add(&mut self, sighting: &Sighting) {
        *self.by_type.entry(sighting.number).or_default().entry(sighting.host).or_default() |=
            sighting.counts.marks;
        *self.packets.entry(sighting.host).or_default() += sighting.counts.packets;
    }

    /// Returns the numbers of the types, ascending.
    pub fn type_numbers(&self) -> impl Iterator<Item = u64> {
        self.by_type.keys().copied()
    }
}

/// The description of a surge while it is built, type by type.
pub struct SurgeDescription<'a> {
    rules: &'a Rules,
    mark_names: &'a [String],
    hosts: &'a SurgeHosts,
    ranked: RankedSurge,
    types: Vec<(String, u64)>,
    marks: BTreeMap<&'a str, HashSet<IpAddr>>,
    labels: BTreeMap<String, HashSet<IpAddr>>,
    backscatter: HashSet<IpAddr>,
}

impl<'a> SurgeDescription<'a> {
    /// Begins the description of a surge with these hosts. Bit i of a bit set of marks stands for the i-th of
    /// `mark_names`.
    #[must_use]
    pub fn new(
        ranked: RankedSurge,
        hosts: &'a SurgeHosts,
        mark_names: &'a [String],
        rules: &'a Rules,
    ) -> SurgeDescription<'a> {
        SurgeDescription {
            rules,
            mark_names,
            hosts,
            ranked,
            types: Vec::new(),
            marks: BTreeMap::new(),
            labels: BTreeMap::new(),
            backscatter: HashSet::new(),
        }
    }

    /// Adds one of the types ([`SurgeHosts::type_numbers`]) with its record.
    pub fn add_type(&mut self, number: u64, record: TypeRecord) {
        let Some(hosts) = self.hosts.by_type.get(&number) else { return };
        // A label that is limited to certain dates is given if they include the surge's first day.
        let first = Timestamp::start_of(self.ranked.surge.first);
        let of_type = common_marks(hosts, self.mark_names, &mut self.marks);
        let given = self.rules.labels(&record.parameters, &of_type, first);
        let answers = record.parameters.protocol.only_answers()
            || given.iter().any(|label| self.rules.is_backscatter(label));
        if answers {
            self.backscatter.extend(hosts.keys());
        }
        for label in given {
            self.labels.entry(label.to_owned()).or_default().extend(hosts.keys());
        }
        self.types.push((record.behavior.canonical, hosts.len() as u64));
    }

    /// Returns the description.
    #[must_use]
    pub fn finish(self) -> DescribedSurge {
        let SurgeDescription { rules, hosts, ranked, types, marks, labels, backscatter, .. } = self;
        let packets = &hosts.packets;
        let total = packets.len() as u64;
        let marks = marks.into_iter().filter(|(mark, hosts)| {
            rules.is_shown(mark) && rules.is_beyond_chance(mark, hosts.len() as u64, total)
        });
        let kind =
            if 2 * backscatter.len() > packets.len() { SurgeKind::Backscatter } else { SurgeKind::Scan };
        let RankedSurge { sensor, behavior, surge, q, part_of, members, .. } = ranked;
        DescribedSurge {
            sensor,
            behavior,
            surge,
            q,
            kind,
            part_of,
            members,
            hosts: total,
            types: top_entries(types, LISTED_MAX),
            top_hosts: top_entries(packets.iter().map(|(host, sum)| (*host, *sum)).collect(), LISTED_MAX),
            labels: by_host_count(labels.into_iter()),
            marks: by_host_count(marks.map(|(mark, hosts)| (mark.to_owned(), hosts))),
        }
    }
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
