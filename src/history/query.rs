//! Questions to a history and their answers: aggregates, never rows.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::behavior::BehaviorId;
use crate::event::Timestamp;

use super::{Example, TypeRecord};

/// How finely behavior is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// All parameters, volumes binned.
    Type,
    /// No volumes.
    Shape,
    /// No volumes, and no ports that say nothing.
    Family,
}

impl std::fmt::Display for Granularity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Granularity::Type => "type",
            Granularity::Shape => "shape",
            Granularity::Family => "family",
        })
    }
}

/// Whether a sighting is of a whole window or of one of its (protocol, port) pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A whole window: these alone add up to the sensor's totals.
    Whole,
    /// A pair of a window that has several.
    Facet,
}

/// The sightings of one behavior.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selection {
    /// What `id` is the name of.
    pub granularity: Granularity,
    /// The type, shape or family.
    pub id: BehaviorId,
    /// Whether facets count too, beside whole windows.
    pub facets: bool,
}

/// A selection on one day: one sensor's observation. Days without any sighting are left out; the coverage
/// tells whether they are zero or no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// The sensor's day.
    pub day: Date,
    /// Windows.
    pub windows: u64,
    /// Packets.
    pub packets: u64,
    /// Unique hosts, exact.
    pub hosts: u64,
}

/// What a sensor counted of a type in an hour of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourlyCount {
    /// The type's number.
    pub number: u64,
    /// Of whole windows or of facets.
    pub scope: Scope,
    /// The sensor's day.
    pub day: Date,
    /// The hour of that day ([`super::Day::hour`]) in which the windows began.
    pub hour: u8,
    /// Windows.
    pub windows: u64,
    /// Packets of these windows.
    pub packets: u64,
    /// Unique hosts, exact.
    pub hosts: u64,
}

impl HourlyCount {
    /// The order in which stores keep them: by type, scope, day and hour.
    #[must_use]
    pub fn order(&self, other: &HourlyCount) -> Ordering {
        let key = |one: &HourlyCount| (one.number, one.scope, one.day, one.hour);
        key(self).cmp(&key(other))
    }

    /// Adds the counts of another one of the same key and other hosts.
    pub fn add(&mut self, other: &HourlyCount) {
        self.windows = self.windows.saturating_add(other.windows);
        self.packets = self.packets.saturating_add(other.packets);
        self.hosts = self.hosts.saturating_add(other.hosts);
    }
}

/// All of a sensor's day, whole windows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// Packets, windows and unique hosts.
    pub count: DayCount,
    /// Kinds of behavior type.
    pub types: u64,
}

/// A type with its sum over all days of a sensor, whole windows only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeTotal {
    /// The type.
    pub record: TypeRecord,
    /// Windows.
    pub windows: u64,
    /// Packets.
    pub packets: u64,
    /// Unique hosts over all days, exact.
    pub hosts: u64,
}

/// All that a sensor saw of a selection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Habit {
    /// Its days, ascending; none where it was never seen.
    pub series: Vec<DayCount>,
    /// Its hosts.
    pub hosts: HostList,
    /// Of its types the one with most windows.
    pub seen_as: Option<TypeRecord>,
    /// The earliest window of that type.
    pub example: Option<Example>,
}

/// A host of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSummary {
    /// Its address.
    pub host: IpAddr,
    /// Days on which it was seen.
    pub days: u64,
    /// Windows.
    pub windows: u64,
    /// Packets.
    pub packets: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// Names of the marks on its windows, ascending.
    pub marks: Vec<String>,
}

/// The hosts of a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostList {
    /// How many there are, exact.
    pub total: u64,
    /// The first packet of all; `None` without a host.
    pub first: Option<Timestamp>,
    /// The last packet of all.
    pub last: Option<Timestamp>,
    /// Those with most windows, then by address; at most as many as asked for.
    pub hosts: Vec<HostSummary>,
    /// Over all hosts: how many have each mark, by name.
    pub marked: Vec<(String, u64)>,
}

impl HostList {
    /// The list of some hosts, each given once; at most `most` are told one by one.
    #[must_use]
    pub fn of(mut hosts: Vec<HostSummary>, most: usize) -> HostList {
        let mut marked: BTreeMap<String, u64> = BTreeMap::new();
        for name in hosts.iter().flat_map(|host| &host.marks) {
            *marked.entry(name.clone()).or_default() += 1;
        }
        let total = hosts.len() as u64;
        let first = hosts.iter().map(|host| host.first).min();
        let last = hosts.iter().map(|host| host.last).max();
        hosts.sort_by(|a, b| b.windows.cmp(&a.windows).then(a.host.cmp(&b.host)));
        hosts.truncate(most);
        HostList { total, first, last, hosts, marked: marked.into_iter().collect() }
    }
}
