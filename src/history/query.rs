//! Queries to a history and their results, which are aggregates of sightings.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::behavior::{BehaviorId, Names};
use crate::packet::Timestamp;

use super::{Example, TypeRecord};

/// The granularity of a behavior.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// All parameters, with binned volumes (a *type*).
    Type,
    /// All parameters except volumes (a *shape*).
    Shape,
    /// A shape without the ports that carry no information (a *pattern*).
    #[serde(alias = "family")]
    Pattern,
}

impl std::fmt::Display for Granularity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Granularity::Type => "type",
            Granularity::Shape => "shape",
            Granularity::Pattern => "pattern",
        })
    }
}

/// Whether a sighting is of a whole window or of one of its (protocol, port) pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A whole window. Only whole windows add up to the sensor's totals.
    Whole,
    /// One (protocol, port) pair of a window that has several.
    Facet,
}

/// The sightings of one behavior.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BehaviorFilter {
    /// The granularity of `id`.
    pub granularity: Granularity,
    /// The id of the type, shape or pattern.
    pub id: BehaviorId,
    /// Whether facets count beside whole windows.
    pub facets: bool,
}

impl BehaviorFilter {
    /// Returns whether these names include the behavior.
    #[must_use]
    pub fn is_named(&self, names: &Names) -> bool {
        let name = match self.granularity {
            Granularity::Type => &names.behavior,
            Granularity::Shape => &names.shape,
            Granularity::Pattern => &names.pattern,
        };
        name.id == self.id
    }
}

/// The count of a selection on one day of a sensor. Days without sightings are left out; the coverage says
/// whether such a day is zero or has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Exact number of unique hosts.
    pub hosts: u64,
}

/// An hourly count: the sum of all sightings of one type in one hour of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourlyCount {
    /// The type's number ([`BehaviorId::number`]).
    pub number: u64,
    /// Whether whole windows or facets are counted.
    pub scope: Scope,
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// The hour of that day ([`super::Day::hour`]) in which the windows began.
    pub hour: u8,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets in these windows.
    pub packets: u64,
    /// Exact number of unique hosts.
    pub hosts: u64,
}

impl HourlyCount {
    /// Compares counts in the order of storage: by type, scope, day and hour.
    #[must_use]
    pub fn order(&self, other: &HourlyCount) -> Ordering {
        let key = |one: &HourlyCount| (one.number, one.scope, one.day, one.hour);
        key(self).cmp(&key(other))
    }

    /// Adds another count of the same type, scope and hour. The two must not share a host.
    pub fn add(&mut self, other: &HourlyCount) {
        self.windows = self.windows.saturating_add(other.windows);
        self.packets = self.packets.saturating_add(other.packets);
        self.hosts = self.hosts.saturating_add(other.hosts);
    }
}

/// The totals of one day of a sensor, over whole windows of all types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// Number of packets, windows and unique hosts.
    pub count: DayCount,
    /// Number of distinct types (the type count).
    pub types: u64,
}

/// A type with its totals over all days of a sensor, whole windows only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeTotal {
    /// The type.
    pub record: TypeRecord,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Exact number of unique hosts over all days.
    pub hosts: u64,
}

/// Everything a sensor observed of one selection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BehaviorSummary {
    /// Its behavior series, ascending by day; empty if it was never seen.
    pub series: Vec<DayCount>,
    /// Its hosts.
    pub hosts: HostList,
    /// The type with the most windows; `None` if the selection was never seen.
    pub most_frequent_type: Option<TypeRecord>,
    /// The example window of that type.
    pub example: Option<Example>,
}

/// One host of a selection, summed over all days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSummary {
    /// The host's address.
    pub host: IpAddr,
    /// Number of days on which the host was seen.
    pub days: u64,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    /// Names of the marks on the host's windows, ascending.
    pub marks: Vec<String>,
}

/// The hosts of a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostList {
    /// Exact number of hosts, including those not listed.
    pub total: u64,
    /// Time of the first packet of any host; `None` if there is no host.
    pub first: Option<Timestamp>,
    /// Time of the last packet of any host; `None` if there is no host.
    pub last: Option<Timestamp>,
    /// The listed hosts, by descending number of windows, then by address.
    pub hosts: Vec<HostSummary>,
    /// Number of hosts with each mark, over all hosts, ascending by name.
    pub mark_counts: Vec<(String, u64)>,
}

impl HostList {
    /// Creates the list from all hosts, each given once, of which at most `most` are listed.
    #[must_use]
    pub fn from_hosts(mut hosts: Vec<HostSummary>, most: usize) -> HostList {
        let mut marked: BTreeMap<String, u64> = BTreeMap::new();
        for name in hosts.iter().flat_map(|host| &host.marks) {
            *marked.entry(name.clone()).or_default() += 1;
        }
        let total = hosts.len() as u64;
        let first = hosts.iter().map(|host| host.first).min();
        let last = hosts.iter().map(|host| host.last).max();
        hosts.sort_by(|a, b| b.windows.cmp(&a.windows).then(a.host.cmp(&b.host)));
        hosts.truncate(most);
        HostList { total, first, last, hosts, mark_counts: marked.into_iter().collect() }
    }
}
