//! Which hosts a cause explains, each with a probability; never more than that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::civil::Date;

/// Neighbourhoods told of many.
const PREFIXES_MAX: usize = 20;

/// A host that a sample may explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Its address.
    pub host: IpAddr,
    /// The chance that the sample is why it scans, 0 to 1.
    pub probability: f64,
    /// Days from the onset on, on which it behaved so.
    pub days: u64,
    /// The first of them.
    pub first: Date,
    /// Index in the table of the series that contributes most to the probability.
    pub series: usize,
}

/// The hosts that a sample may explain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suspects {
    /// Hosts that behave so since the onset.
    pub total: u64,
    /// How many of them the sample explains, on average.
    pub expected: f64,
    /// The most probable ones.
    pub hosts: Vec<Suspect>,
    /// By /16 (IPv4) or /32 (IPv6): hosts, and how many of them the sample explains on average; most first.
    pub prefixes: Vec<(IpNet, u64, f64)>,
}

/// Gathers sightings from the onset on into suspects.
#[derive(Debug, Default)]
pub struct SuspectCollector {
    hosts: BTreeMap<IpAddr, SuspectSightings>,
}

#[derive(Debug, Default)]
struct SuspectSightings {
    days: BTreeSet<Date>,
    /// Its lines, each with the part of it that the sample explains.
    series: BTreeMap<usize, f64>,
}

impl SuspectCollector {
    /// Adds a sighting of a host on a series, of whose hosts the sample explains the share `part`. The order of the
    /// sightings does not matter.
    pub fn add(&mut self, host: IpAddr, day: Date, line: usize, part: f64) {
        let seen = self.hosts.entry(host).or_default();
        // One line seen on many days is one reason, not many.
        seen.series.insert(line, part);
        seen.days.insert(day);
    }

    /// The suspects, when the sample is the cause with this probability; at most `most` one by one.
    #[must_use]
    pub fn suspects(self, cause: f64, most: usize) -> Suspects {
        let mut all = Suspects { total: self.hosts.len() as u64, ..Suspects::default() };
        let mut prefixes: BTreeMap<IpNet, (u64, f64)> = BTreeMap::new();
        for (host, SuspectSightings { days, series: lines }) in self.hosts {
            let none_is: f64 = lines.values().map(|part| 1.0 - part).product();
            let probability = cause * (1.0 - none_is);
            let likeliest = lines.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            let (Some(first), Some((line, _))) = (days.first().copied(), likeliest) else { continue };
            all.expected += probability;
            if let Some(prefix) = prefix(host) {
                let sum = prefixes.entry(prefix).or_default();
                *sum = (sum.0 + 1, sum.1 + probability);
            }
            all.hosts.push(Suspect { host, probability, days: days.len() as u64, first, series: line });
        }
        all.hosts.sort_by(|a, b| {
            b.probability.total_cmp(&a.probability).then(b.days.cmp(&a.days)).then(a.host.cmp(&b.host))
        });
        all.hosts.truncate(most);
        all.prefixes = prefixes.into_iter().map(|(prefix, (hosts, sum))| (prefix, hosts, sum)).collect();
        all.prefixes.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        all.prefixes.truncate(PREFIXES_MAX);
        all
    }
}

fn prefix(host: IpAddr) -> Option<IpNet> {
    match host {
        IpAddr::V4(four) => Ipv4Net::new(four, 16).ok().map(|net| IpNet::V4(net.trunc())),
        IpAddr::V6(six) => Ipv6Net::new(six, 32).ok().map(|net| IpNet::V6(net.trunc())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_host_is_as_suspect_as_its_behavior_is_new() {
        let mut gatherer = SuspectCollector::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 9, 9]));
        for day in 1..=3 {
            gatherer.add(one, date(2009, 3, day), 4, 0.9);
        }
        gatherer.add(other, date(2009, 3, 2), 5, 0.1);
        let suspects = gatherer.suspects(0.8, 1);
        assert_eq!((suspects.total, suspects.hosts.len(), suspects.hosts[0].host), (2, 1, one));
        assert!((suspects.hosts[0].probability - 0.72).abs() < 1e-9, "{suspects:?}");
        assert!((suspects.expected - 0.80).abs() < 1e-9, "{suspects:?}");
        assert_eq!((suspects.hosts[0].days, suspects.prefixes[0].1), (3, 2));
    }

    #[test]
    fn the_order_of_sightings_changes_nothing() {
        let host = IpAddr::from([192, 0, 2, 1]);
        let seen = [(4, 0.9), (5, 0.5), (4, 0.9), (6, 0.1)];
        let of = |order: [usize; 4]| {
            let mut gatherer = SuspectCollector::default();
            for at in order {
                gatherer.add(host, date(2009, 3, 1), seen[at].0, seen[at].1);
            }
            gatherer.suspects(1.0, 1)
        };
        assert_eq!(of([0, 1, 2, 3]), of([3, 2, 1, 0]));
        let probability = of([1, 3, 0, 2]).hosts[0].probability;
        assert!((probability - (1.0 - 0.1 * 0.5 * 0.9)).abs() < 1e-9, "{probability}");
    }
}
