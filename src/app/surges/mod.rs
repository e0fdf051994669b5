//! Use case: days on which behaviors departed from their own past, most sure first.
//!
//! Types, shapes, families and services (a protocol and port) are judged each against its own past, so that a large
//! outbreak does not hide a small one.
//!
//! Memory: some 100 bytes for each type and 16 for each day of a type; later, when these are gone, 16 for each behavior and day,
//! and 8 for each host, behavior and day of one month. Surges are described in groups of at most a million host-days (or one surge
//! that has more), with 50 bytes for each type and host.

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

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Of these sensors; of all, if there is none.
    pub sensors: Vec<String>,
    /// Told is what has at most this q.
    pub level: f64,
}

/// What surges.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Behavior {
    /// Whole windows that ask for one port by one protocol.
    Service(Protocol, u16),
    /// A type, shape or family with its canonical string.
    Named(Granularity, BehaviorId, String),
}

impl Behavior {
    /// Coarser behaviors have higher ranks, below [`COARSENESS_COUNT`].
    fn coarseness(&self) -> usize {
        match self {
            Behavior::Named(Granularity::Type, ..) => 0,
            Behavior::Named(Granularity::Shape, ..) => 1,
            Behavior::Named(Granularity::Family, ..) => 2,
            Behavior::Service(..) => 3,
        }
    }

    /// `service`, `family`, `shape` or `type`.
    #[must_use]
    pub fn granularity(&self) -> String {
        match self {
            Behavior::Service(..) => "service".to_owned(),
            Behavior::Named(granularity, ..) => granularity.to_string(),
        }
    }
}

/// How many granularities of behaviors there are.
const COARSENESS_COUNT: usize = 4;

/// What a surge is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody looks for something.
    Scan,
    /// Answers to packets with spoofed sources: nobody scans.
    Backscatter,
}

/// A surge with what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The sensor.
    pub sensor: String,
    /// What surges.
    pub behavior: Behavior,
    /// When and how much.
    pub surge: Surge,
    /// The peak's p-value, adjusted for all days of all behaviors of the granularity at the sensor.
    pub q: f64,
    /// Of what.
    pub kind: Kind,
    /// The first of the answer that it is a part of: a coarser behavior that has all its types and surges in the same
    /// days.
    pub part_of: Option<usize>,
    /// The numbers of its types in the history.
    pub members: BTreeSet<u64>,
    /// Unique hosts of all its days.
    pub hosts: u64,
    /// The types that most of its hosts have, with their hosts; at most five.
    pub types: Vec<(String, u64)>,
    /// The hosts with most packets, with their packets; at most five.
    pub top_hosts: Vec<(IpAddr, u64)>,
    /// Labels of its types, with the hosts that have them.
    pub labels: Vec<(String, u64)>,
    /// Marks of its hosts (scanning tools, malware, payloads), with their number.
    pub marks: Vec<(String, u64)>,
}

/// Answers a question; the surest first, of equals the largest.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn surges(store: &dyn HistoryStore, question: &Question, rules: &Rules) -> Result<Vec<Found>, AppError> {
    made::described(store, rules, ranked(store, question, &rules.profile)?)
}

/// Those that are no parts of others, with their places among all, from 1; what the others are made of is not read.
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

/// A surge, before it is read what it is made of.
struct Ranked {
    sensor: String,
    behavior: Behavior,
    surge: Surge,
    q: f64,
    part_of: Option<usize>,
    members: BTreeSet<u64>,
    /// Hosts a day, added up over the days of the surge.
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
    /// The sensor.
    pub sensor: String,
    /// How many days it looked.
    pub observed: usize,
    /// How many of these are not judged.
    pub days: usize,
    /// The last of them.
    pub last: Date,
}

/// As a notice.
impl fmt::Display for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unjudged { sensor, observed, days, last } = self;
        write!(f, "sensor {sensor}: the first {days} of {observed} observed days, to {last}, ")?;
        f.write_str("have too little past to be judged")
    }
}

/// What no answer about these sensors, or about all, says anything of.
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
    /// Whether another surge is a part of this one.
    fn holds(&self, part: &Ranked) -> bool {
        self.sensor == part.sensor
            && self.behavior.coarseness() > part.behavior.coarseness()
            && self.surge.first <= part.surge.last
            && part.surge.first <= self.surge.last
            && part.members.is_subset(&self.members)
    }
}
