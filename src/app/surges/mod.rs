//! Use case: days on which behaviors departed from their own past, most sure first.
//!
//! Types, shapes, families and services (a protocol and port) are judged each against its own past, so that a large
//! outbreak does not hide a small one. Memory: some 60 bytes a type, 16 a type and day while types are read, 8 a host,
//! behavior and day of one month, and 50 a type and host of the surge that is being told.

mod made;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::behavior::{BehaviorId, Parameters};
use crate::event::Protocol;
use crate::history::surge::{SURGE_HOSTS_MIN, Surge, judged_days, surges as surges_of};
use crate::history::{Coverage, DayState, Filter, Granularity, Hosts, adjusted_p_values};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::{chosen, coverage_of_sightings};

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
    /// Coarser behaviors have higher ranks.
    fn coarseness(&self) -> u8 {
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
    ranked(store, question)?.into_iter().map(|one| made::up(store, rules, one)).collect()
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
    let whole = (1..).zip(ranked(store, question)?).filter(|(_, one)| one.part_of.is_none());
    whole.map(|(rank, one)| Ok((rank, made::up(store, rules, one)?))).collect()
}

/// A surge, before it is read what it is made of.
struct Ranked {
    sensor: String,
    behavior: Behavior,
    surge: Surge,
    q: f64,
    part_of: Option<usize>,
    members: BTreeSet<u64>,
}

fn ranked(store: &dyn HistoryStore, question: &Question) -> Result<Vec<Ranked>, AppError> {
    let mut catalog = Catalog::default();
    let mut found = Vec::new();
    for sensor in chosen(store, &question.sensors)? {
        let seen = Seen::read(store, &sensor.name, &mut catalog)?;
        for (behavior, members, surge, q) in seen.surges(question.level, &catalog) {
            found.push(Ranked { sensor: sensor.name.clone(), behavior, surge, q, part_of: None, members });
        }
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

/// The behaviors that each type belongs to, by the types' numbers.
#[derive(Default)]
struct Catalog {
    behaviors: Vec<Behavior>,
    places: HashMap<Behavior, usize>,
    types: HashMap<u64, Vec<usize>>,
}

impl Catalog {
    fn learn(&mut self, number: u64, store: &dyn HistoryStore) -> Result<(), AppError> {
        if self.types.contains_key(&number) {
            return Ok(());
        }
        let record = store.type_of(number)?;
        let mut of = vec![
            Behavior::Named(Granularity::Type, record.behavior.id, record.behavior.canonical),
            Behavior::Named(Granularity::Shape, record.shape.id, record.shape.canonical),
            Behavior::Named(Granularity::Family, record.family.id, record.family.canonical),
        ];
        of.extend(service(&record.parameters));
        let places = of.into_iter().map(|behavior| self.place(behavior)).collect();
        self.types.insert(number, places);
        Ok(())
    }

    fn place(&mut self, behavior: Behavior) -> usize {
        if let Some(place) = self.places.get(&behavior) {
            return *place;
        }
        self.places.insert(behavior.clone(), self.behaviors.len());
        self.behaviors.push(behavior);
        self.behaviors.len() - 1
    }

    fn of(&self, number: u64) -> &[usize] {
        self.types.get(&number).map_or(&[], Vec::as_slice)
    }
}

/// The one service that windows with these parameters ask for.
fn service(parameters: &Parameters) -> Option<Behavior> {
    let mut protocols = parameters.protocol.protocols();
    match (protocols.next(), protocols.next(), parameters.ports.listed()) {
        (Some(protocol), None, [port]) => Some(Behavior::Service(protocol, *port)),
        _ => None,
    }
}

/// Hosts by day.
type Days = BTreeMap<Date, u64>;

/// What a sensor saw of each behavior.
struct Seen {
    observed: Vec<Date>,
    /// How many behaviors of each granularity there are, those that were too rare to be judged among them.
    number: BTreeMap<String, u64>,
    /// Hosts a day of those that some day had enough of.
    series: BTreeMap<usize, Days>,
    /// The types of each.
    types: BTreeMap<usize, BTreeSet<u64>>,
}

impl Seen {
    fn read(store: &dyn HistoryStore, sensor: &str, catalog: &mut Catalog) -> Result<Seen, AppError> {
        let coverage = coverage_of_sightings(store, sensor)?;
        let observed: Vec<Date> = coverage.days().collect();
        // Pairs of host and type are never fewer than hosts: who has too few of them needs no count of hosts.
        let mut pairs: HashMap<usize, (u64, Days)> = HashMap::new();
        let mut types: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for (number, days) in observations(store, sensor, &coverage)? {
            catalog.learn(number, store)?;
            for place in catalog.of(number) {
                let (members, sums) = pairs.entry(*place).or_default();
                *members += 1;
                days.iter().for_each(|(day, hosts)| *sums.entry(*day).or_default() += hosts);
                types.entry(*place).or_default().insert(number);
            }
        }
        let mut number: BTreeMap<String, u64> = BTreeMap::new();
        for place in pairs.keys() {
            *number.entry(catalog.behaviors[*place].granularity()).or_default() += 1;
        }
        pairs.retain(|_, (_, days)| days.values().any(|hosts| *hosts >= SURGE_HOSTS_MIN));
        types.retain(|place, _| pairs.contains_key(place));
        let (several, alone): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(_, (members, _))| *members > 1);
        let several: BTreeSet<usize> = several.into_iter().map(|(place, _)| place).collect();
        let mut series: BTreeMap<usize, Days> =
            alone.into_iter().map(|(place, (_, days))| (place, days)).collect();
        series.extend(unique_hosts(store, sensor, &coverage, &several, catalog)?);
        Ok(Seen { observed, number, series, types })
    }

    /// What surges, with the types it consists of, and its q.
    fn surges(&self, level: f64, catalog: &Catalog) -> Vec<(Behavior, BTreeSet<u64>, Surge, f64)> {
        let mut by_granularity: BTreeMap<String, Vec<(usize, Surge)>> = BTreeMap::new();
        for (place, days) in &self.series {
            let days: Vec<(Date, u64)> =
                self.observed.iter().map(|day| (*day, days.get(day).copied().unwrap_or(0))).collect();
            let found = surges_of(&days, level).into_iter().map(|surge| (*place, surge));
            by_granularity.entry(catalog.behaviors[*place].granularity()).or_default().extend(found);
        }
        let mut told = Vec::new();
        for (granularity, found) in by_granularity {
            let behaviors = self.number.get(&granularity).copied().unwrap_or(0);
            let tests = behaviors * judged_days(self.observed.len()) as u64;
            let p: Vec<f64> = found.iter().map(|(_, surge)| surge.p).collect();
            for ((place, surge), q) in found.into_iter().zip(adjusted_p_values(&p, tests)) {
                if q <= level {
                    let types = self.types.get(&place).cloned().unwrap_or_default();
                    told.push((catalog.behaviors[place].clone(), types, surge, q));
                }
            }
        }
        told
    }
}

/// A type's number with its hosts by day.
type Observed = (u64, Vec<(Date, u64)>);

/// Each type with its hosts by day, of days that count.
fn observations(
    store: &dyn HistoryStore,
    sensor: &str,
    coverage: &Coverage,
) -> Result<Vec<Observed>, AppError> {
    let mut all: Vec<Observed> = Vec::new();
    store.each_daily_count(sensor, &Filter::default(), &mut |seen| {
        if coverage.state(seen.day) != DayState::Observed {
            return;
        }
        match all.last_mut().filter(|(number, _)| *number == seen.number) {
            Some((_, days)) => days.push((seen.day, seen.hosts)),
            None => all.push((seen.number, vec![(seen.day, seen.hosts)])),
        }
    })?;
    Ok(all)
}

/// Exact unique hosts by day of behaviors that consist of several types, read month by month.
fn unique_hosts(
    store: &dyn HistoryStore,
    sensor: &str,
    coverage: &Coverage,
    wanted: &BTreeSet<usize>,
    catalog: &Catalog,
) -> Result<BTreeMap<usize, Days>, AppError> {
    let mut series: BTreeMap<usize, Days> = BTreeMap::new();
    let months: BTreeSet<Date> = coverage.days().map(Date::first_of_month).collect();
    for month in months.into_iter().filter(|_| !wanted.is_empty()) {
        let filter = Filter { first: Some(month), last: Some(month.last_of_month()), ..Filter::default() };
        let mut hosts: HashMap<(usize, Date), Hosts> = HashMap::new();
        store.each_sighting(sensor, &filter, &mut |met| {
            if coverage.state(met.day) != DayState::Observed {
                return;
            }
            for place in catalog.of(met.number).iter().filter(|place| wanted.contains(place)) {
                hosts.entry((*place, met.day)).or_default().insert(met.host);
            }
        })?;
        for ((place, day), mut hosts) in hosts {
            series.entry(place).or_default().insert(day, hosts.count());
        }
    }
    Ok(series)
}
