//! Use case: days on which behaviors departed from their own past (surges), ascending by q-value.
//!
//! Each type, shape, pattern and service (a protocol and port) is compared with its own past, so that a large
//! outbreak does not hide a small one.
//!
//! Memory: about 100 bytes per type and 16 per type and day. After these are freed: 16 bytes per behavior and
//! day, and 8 per host, behavior and day of one month. Surges are described in groups of at most a million
//! host-days (or one surge that has more), with 50 bytes per type and host.

mod made;
mod seen;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::behavior::{BehaviorId, Profile};
use crate::event::Protocol;
use crate::history::Granularity;
use crate::history::surge::{Surge, judged_days};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::{chosen, coverage_of_sightings};
use seen::{Catalog, Seen};

/// A query for surges.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Names of the sensors; if empty, all sensors.
    pub sensors: Vec<String>,
    /// Maximum q-value of a reported surge.
    pub level: f64,
}

/// A behavior that can surge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Behavior {
    /// Whole windows with this protocol and no other, and this destination port and no other.
    Service(Protocol, u16),
    /// A type, shape or pattern, with its id and canonical string.
    Named(Granularity, BehaviorId, String),
}

impl Behavior {
    /// Returns the name of the granularity: `service`, `family` (a pattern), `shape` or `type`.
    #[must_use]
    pub fn granularity(&self) -> String {
        match self {
            Behavior::Service(..) => "service".to_owned(),
            Behavior::Named(granularity, ..) => granularity.to_string(),
        }
    }
}

/// Number of granularities.
const COARSENESS_COUNT: usize = 4;

/// What the packets of a surge are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Scans.
    Scan,
    /// Backscatter: answers to packets with spoofed sources, so that the hosts do not scan.
    Backscatter,
}

/// A surge with the types, hosts, labels and marks that make it up.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The sensor's name.
    pub sensor: String,
    /// The behavior that surges.
    pub behavior: Behavior,
    /// The days and the size of the surge.
    pub surge: Surge,
    /// The peak's p-value, adjusted (Benjamini–Hochberg) for all judged days of all behaviors of the
    /// granularity at the sensor.
    pub q: f64,
    /// Whether its hosts scan or answer.
    pub kind: Kind,
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
pub fn surges(store: &dyn HistoryStore, question: &Question, rules: &Rules) -> Result<Vec<Found>, AppError> {
    made::described(store, rules, ranked(store, question, &rules.profile)?)
}

/// Returns the surges that are not part of another one, each with its rank among all surges, from 1. The
/// sightings of the others are not read.
///
/// # Errors
/// As [`surges`].
pub fn wholes(
    store: &dyn HistoryStore,
    question: &Question,
    rules: &Rules,
) -> Result<Vec<(usize, Found)>, AppError> {
    let whole = (1..).zip(ranked(store, question, &rules.profile)?).filter(|(_, one)| one.part_of.is_none());
    let (ranks, whole): (Vec<usize>, Vec<Ranked>) = whole.unzip();
    Ok(ranks.into_iter().zip(made::described(store, rules, whole)?).collect())
}

/// A surge before its types, hosts, labels and marks are read.
struct Ranked {
    sensor: String,
    behavior: Behavior,
    surge: Surge,
    q: f64,
    part_of: Option<usize>,
    /// Rank of the granularity, 0 for the finest.
    coarseness: usize,
    members: BTreeSet<u64>,
    /// Hosts per day, summed over the days of the surge.
    host_days: u64,
}

fn ranked(store: &dyn HistoryStore, question: &Question, profile: &Profile) -> Result<Vec<Ranked>, AppError> {
    let mut catalog = Catalog::default();
    let mut found = Vec::new();
    for sensor in chosen(store, &question.sensors)? {
        let seen = Seen::read(store, &sensor.name, &mut catalog, profile)?;
        found.extend(seen.surges(question.level, &catalog, store, profile)?);
    }
    found.sort_by(|a, b| {
        a.q.total_cmp(&b.q)
            .then(a.surge.p.total_cmp(&b.surge.p))
            .then(b.surge.excess.total_cmp(&a.surge.excess))
            .then_with(|| (&a.sensor, &a.behavior).cmp(&(&b.sensor, &b.behavior)))
    });
    for at in 0..found.len() {
        found[at].part_of = found.iter().position(|whole| whole.holds(&found[at]));
    }
    Ok(found)
}

/// The first days of a sensor, which have too little past to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
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
impl fmt::Display for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unjudged { sensor, observed, days, last } = self;
        write!(f, "sensor {sensor}: the first {days} of {observed} observed days, to {last}, ")?;
        f.write_str("have too little past to be judged")
    }
}

/// Returns the days of these sensors, or of all sensors if none is named, on which no surge can be reported.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn unjudged(store: &dyn HistoryStore, sensors: &[String]) -> Result<Vec<Unjudged>, AppError> {
    let mut all = Vec::new();
    for sensor in chosen(store, sensors)? {
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        let observed = coverage.days().count();
        let days = observed - judged_days(observed);
        let last = coverage.days().take(days).last();
        all.extend(last.map(|last| Unjudged { sensor: sensor.name, observed, days, last }));
    }
    Ok(all)
}

impl Ranked {
    /// Returns whether `part` is a part of this surge.
    fn holds(&self, part: &Ranked) -> bool {
        self.sensor == part.sensor
            && self.coarseness > part.coarseness
            && self.surge.first <= part.surge.last
            && part.surge.first <= self.surge.last
            && part.members.is_subset(&self.members)
    }
}
