//! Surges of the behaviors of sensors: their order, which of them are parts of others, and the types, hosts,
//! labels and marks that make them up.
//!
//! Each type, shape, pattern and service (a protocol and port) is compared with its own past, so that a large
//! outbreak does not hide a small one.

mod description;
mod index;
mod series;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::analysis::surge::{Surge, tested_day_count};
use crate::history::Coverage;

pub use crate::history::SurgeBehavior;
pub use description::{SurgeDescription, SurgeHosts};
pub use index::BehaviorIndex;
pub use series::{DaysOfTypes, HostsByDay, JudgedSurge, SensorSeries};

/// What the packets of a surge are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SurgeKind {
    /// Scans.
    Scan,
    /// Backscatter: answers to packets with spoofed sources, so that the hosts do not scan.
    Backscatter,
}

/// A surge with the types, hosts, labels and marks that make it up.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribedSurge {
    /// The sensor's name.
    pub sensor: String,
    /// The behavior that surges.
    pub behavior: SurgeBehavior,
    /// The days and the size of the surge.
    pub surge: Surge,
    /// The peak's p-value, adjusted (Benjamini–Hochberg) for all judged days of all behaviors of the
    /// granularity at the sensor.
    pub q: f64,
    /// Whether its hosts scan or answer.
    pub kind: SurgeKind,
    /// Index, in the list of all surges, of the first surge that this one is a part of: a coarser behavior
    /// that includes all types of this one and surges in overlapping days.
    pub part_of: Option<usize>,
    /// The numbers of its types in the history.
    pub members: BTreeSet<u64>,
    /// Number of unique hosts over all its days.
    pub hosts: u64,
    /// The canonical strings of the types that most hosts show, with their numbers of hosts; at most five.
    pub types: Vec<(String, u64)>,
    /// The hosts with the most packets, with their numbers of packets; at most five.
    pub top_hosts: Vec<(IpAddr, u64)>,
    /// Labels of its types, with their numbers of hosts, the most hosts first.
    pub labels: Vec<(String, u64)>,
    /// Marks of its hosts (scanning tools, malware, payloads), with their numbers of hosts, the most hosts
    /// first.
    pub marks: Vec<(String, u64)>,
}

/// A surge before its types, hosts, labels and marks are known.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedSurge {
    /// The sensor's name.
    pub sensor: String,
    /// The behavior that surges.
    pub behavior: SurgeBehavior,
    /// The days and the size of the surge.
    pub surge: Surge,
    /// As [`DescribedSurge::q`].
    pub q: f64,
    /// As [`DescribedSurge::part_of`].
    pub part_of: Option<usize>,
    /// Rank of the granularity, 0 for the finest.
    coarseness: usize,
    /// The numbers of its types in the history.
    pub members: BTreeSet<u64>,
    /// Hosts per day, summed over the days of the surge.
    pub host_days: u64,
}

impl RankedSurge {
    /// Returns whether `part` is a part of this surge.
    fn contains(&self, part: &RankedSurge) -> bool {
        self.sensor == part.sensor
            && self.coarseness > part.coarseness
            && self.surge.first <= part.surge.last
            && part.surge.first <= self.surge.last
            && part.members.is_subset(&self.members)
    }
}

/// Sorts the surges of all sensors, ascending by q-value; among equal ones, the lowest p-value and then the
/// largest excess first. Determines which of them are parts of others.
pub fn rank_surges(found: &mut [RankedSurge]) {
    found.sort_by(|a, b| {
        a.q.total_cmp(&b.q)
            .then(a.surge.p.total_cmp(&b.surge.p))
            .then(b.surge.excess.total_cmp(&a.surge.excess))
            .then_with(|| (&a.sensor, &a.behavior).cmp(&(&b.sensor, &b.behavior)))
    });
    for at in 0..found.len() {
        found[at].part_of = found.iter().position(|whole| whole.contains(&found[at]));
    }
}

/// The first days of a sensor, which have too little past to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnjudgedDays {
    /// The sensor's name.
    pub sensor: String,
    /// Number of observed days.
    pub observed: usize,
    /// Number of observed days that are not judged.
    pub days: usize,
    /// The last day that is not judged.
    pub last: Date,
}

impl UnjudgedDays {
    /// Returns the days of a sensor that are not judged; `None` if the sensor has no observed day.
    #[must_use]
    pub fn of_sensor(sensor: &str, coverage: &Coverage) -> Option<UnjudgedDays> {
        let observed = coverage.observed_days().count();
        let days = observed - tested_day_count(observed);
        let last = coverage.observed_days().take(days).last()?;
        Some(UnjudgedDays { sensor: sensor.to_owned(), observed, days, last })
    }
}

/// Formats the notice that is shown to users.
impl fmt::Display for UnjudgedDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnjudgedDays { sensor, observed, days, last } = self;
        write!(f, "sensor {sensor}: the first {days} of {observed} observed days, to {last}, ")?;
        f.write_str("have too little past to be judged")
    }
}
