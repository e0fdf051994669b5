//! Use case: days on which behaviors departed from their own past (surges), ascending by q-value.
//!
//! Each type, shape, pattern and service (a protocol and port) is compared with its own past, so that a large
//! outbreak does not hide a small one.
//!
//! Memory: about 100 bytes per type and 16 per type and day. After these are freed: 16 bytes per behavior and
//! day, and 8 per host, behavior and day of one month. Surges are described in groups of at most a million
//! host-days (or one surge that has more), with 50 bytes per type and host.

mod describe;
mod detect;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::behavior::{BehaviorId, Profile};
use crate::history::Granularity;
use crate::history::surge::{Surge, tested_day_count};
use crate::packet::Protocol;
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::{coverage_of_sightings, select_sensors};
use detect::{BehaviorIndex, SensorSeries};

/// A query for surges.
#[derive(Clone, Debug, PartialEq)]
pub struct SurgeQuery {
    /// Names of the sensors; if empty, all sensors.
    pub sensors: Vec<String>,
    /// Maximum q-value of a reported surge.
    pub level: f64,
}

/// A behavior that can surge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SurgeBehavior {
    /// Whole windows with this protocol and no other, and this destination port and no other.
    Service(Protocol, u16),
    /// A type, shape or pattern, with its id and canonical string.
    Named(Granularity, BehaviorId, String),
}

impl SurgeBehavior {
    /// Returns the name of the granularity: `service`, `family` (a pattern), `shape` or `type`.
    #[must_use]
    pub fn granularity(&self) -> String {
        match self {
            SurgeBehavior::Service(..) => "service".to_owned(),
            SurgeBehavior::Named(granularity, ..) => granularity.to_string(),
        }
    }
}

/// Number of granularities.
const GRANULARITY_COUNT: usize = 4;

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

/// Returns all surges, ascending by q-value; among equal ones, the lowest p-value and then the largest excess
/// first.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn surges(
    store: &dyn HistoryStore,
    question: &SurgeQuery,
    rules: &Rules,
) -> Result<Vec<DescribedSurge>, AppError> {
    describe::describe_all(store, rules, ranked_surges(store, question, &rules.profile)?)
}

/// Returns the surges that are not part of another one, each with its rank among all surges, from 1. The
/// sightings of the others are not read.
///
/// # Errors
/// As [`surges`].
pub fn top_level_surges(
    store: &dyn HistoryStore,
    question: &SurgeQuery,
    rules: &Rules,
) -> Result<Vec<(usize, DescribedSurge)>, AppError> {
    let whole =
        (1..).zip(ranked_surges(store, question, &rules.profile)?).filter(|(_, one)| one.part_of.is_none());
    let (ranks, whole): (Vec<usize>, Vec<RankedSurge>) = whole.unzip();
    Ok(ranks.into_iter().zip(describe::describe_all(store, rules, whole)?).collect())
}

/// A surge before its types, hosts, labels and marks are read.
struct RankedSurge {
    sensor: String,
    behavior: SurgeBehavior,
    surge: Surge,
    q: f64,
    part_of: Option<usize>,
    /// Rank of the granularity, 0 for the finest.
    coarseness: usize,
    members: BTreeSet<u64>,
    /// Hosts per day, summed over the days of the surge.
    host_days: u64,
}

fn ranked_surges(
    store: &dyn HistoryStore,
    question: &SurgeQuery,
    profile: &Profile,
) -> Result<Vec<RankedSurge>, AppError> {
    let mut catalog = BehaviorIndex::default();
    let mut found = Vec::new();
    for sensor in select_sensors(store, &question.sensors)? {
        let seen = SensorSeries::read(store, &sensor.name, &mut catalog, profile)?;
        found.extend(seen.surges(question.level, &catalog, store, profile)?);
    }
    found.sort_by(|a, b| {
        a.q.total_cmp(&b.q)
            .then(a.surge.p.total_cmp(&b.surge.p))
            .then(b.surge.excess.total_cmp(&a.surge.excess))
            .then_with(|| (&a.sensor, &a.behavior).cmp(&(&b.sensor, &b.behavior)))
    });
    for at in 0..found.len() {
        found[at].part_of = found.iter().position(|whole| whole.contains(&found[at]));
    }
    Ok(found)
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

/// Formats the notice that is shown to users.
impl fmt::Display for UnjudgedDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnjudgedDays { sensor, observed, days, last } = self;
        write!(f, "sensor {sensor}: the first {days} of {observed} observed days, to {last}, ")?;
        f.write_str("have too little past to be judged")
    }
}

/// Returns the days of these sensors, or of all sensors if none is named, on which no surge can be reported.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn unjudged_days(store: &dyn HistoryStore, sensors: &[String]) -> Result<Vec<UnjudgedDays>, AppError> {
    let mut all = Vec::new();
    for sensor in select_sensors(store, sensors)? {
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        let observed = coverage.observed_days().count();
        let days = observed - tested_day_count(observed);
        let last = coverage.observed_days().take(days).last();
        all.extend(last.map(|last| UnjudgedDays { sensor: sensor.name, observed, days, last }));
    }
    Ok(all)
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
