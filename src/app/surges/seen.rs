//! What a sensor saw of each behavior by day, and which of these series surge.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;
use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::coverage_of_sightings;
use crate::behavior::{Behavior as Name, Parameters, Profile};
use crate::history::surge::{SURGE_HOSTS_MIN, Surge, judged_days, surges as surges_of};
use crate::history::{Coverage, DayState, Filter, Granularity, Hosts, adjusted_p_values};
use crate::store::HistoryStore;

use super::{Behavior, COARSENESS_COUNT, Ranked};

type Map<K, V> = HashMap<K, V, FixedState>;

/// The behaviors that types belong to, by number; learned once for all sensors.
#[derive(Default)]
pub(super) struct Catalog {
    behaviors: Vec<Behavior>,
    places: HashMap<Behavior, usize>,
    /// By a type's number, the places of its shape, family and service; a type that asks for several services has none.
    coarser: Map<u64, [Option<usize>; 3]>,
}

impl Catalog {
    /// Learns the types of some numbers, which ascend, if they are new.
    fn learn(
        &mut self,
        numbers: impl Iterator<Item = u64>,
        store: &dyn HistoryStore,
        profile: &Profile,
    ) -> Result<(), AppError> {
        let new: Vec<u64> = numbers.filter(|number| !self.coarser.contains_key(number)).collect();
        Ok(store.each_parameters(&new, &mut |number, parameters| {
            let shape = Behavior::named(Granularity::Shape, Name::of_shape(&parameters, profile));
            let family = Behavior::named(Granularity::Family, Name::of_family(&parameters, profile));
            let coarser = [Some(shape), Some(family), service(&parameters)];
            let places = coarser.map(|behavior| behavior.map(|behavior| self.place(behavior)));
            self.coarser.insert(number, places);
        })?)
    }

    /// Returns the places of the shape, family and service of a type that was learned.
    fn coarser(&self, number: u64) -> impl Iterator<Item = usize> + use<> {
        self.coarser.get(&number).copied().into_iter().flatten().flatten()
    }

    /// Returns the place of a type itself.
    fn itself(&mut self, number: u64, store: &dyn HistoryStore) -> Result<usize, AppError> {
        Ok(self.place(Behavior::named(Granularity::Type, store.type_of(number)?.behavior)))
    }

    fn place(&mut self, behavior: Behavior) -> usize {
        if let Some(place) = self.places.get(&behavior) {
            return *place;
        }
        self.places.insert(behavior.clone(), self.behaviors.len());
        self.behaviors.push(behavior);
        self.behaviors.len() - 1
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

/// Hosts by day, ascending; days without any are left out.
type Days = Vec<(Date, u64)>;

/// What a sensor saw of the behaviors that some day had hosts enough to surge.
pub(super) struct Seen {
    sensor: String,
    observed: Vec<Date>,
    /// How many behaviors of each granularity there are, those that were too rare to be judged among them.
    counts: [u64; COARSENESS_COUNT],
    /// Hosts a day, by the place of the behavior.
    series: BTreeMap<usize, Days>,
    /// The numbers of each behavior's types, ascending.
    types: HashMap<usize, Vec<u64>>,
}

/// Types of a behavior, and an upper bound of its hosts a day: a host counts once for each of its types.
#[derive(Default)]
struct Bound {
    types: Vec<u64>,
    days: Days,
}

impl Bound {
    fn add(&mut self, number: u64, days: &Days) {
        self.types.push(number);
        for (day, hosts) in days {
            match self.days.binary_search_by_key(day, |(known, _)| *known) {
                Ok(at) => self.days[at].1 += hosts,
                Err(at) => self.days.insert(at, (*day, *hosts)),
            }
        }
    }
}

fn may_surge(days: &Days) -> bool {
    days.iter().any(|(_, hosts)| *hosts >= SURGE_HOSTS_MIN)
}

impl Seen {
    pub(super) fn read(
        store: &dyn HistoryStore,
        sensor: &str,
        catalog: &mut Catalog,
        profile: &Profile,
    ) -> Result<Seen, AppError> {
        let coverage = coverage_of_sightings(store, sensor)?;
        let mut seen = Seen {
            sensor: sensor.to_owned(),
            observed: coverage.days().collect(),
            counts: [0; COARSENESS_COUNT],
            series: BTreeMap::new(),
            types: HashMap::new(),
        };
        let mut coarser: BTreeMap<usize, Bound> = BTreeMap::new();
        let all = days_of_types(store, sensor, &coverage)?;
        catalog.learn(all.iter().map(|(number, _)| *number), store, profile)?;
        for (number, days) in all {
            for place in catalog.coarser(number) {
                coarser.entry(place).or_default().add(number, &days);
            }
            seen.counts[0] += 1;
            if may_surge(&days) {
                let place = catalog.itself(number, store)?;
                seen.types.insert(place, vec![number]);
                seen.series.insert(place, days);
            }
        }
        for place in coarser.keys() {
            seen.counts[catalog.behaviors[*place].coarseness()] += 1;
        }
        coarser.retain(|_, bound| may_surge(&bound.days));
        let mut several: Vec<usize> = Vec::new();
        for (place, Bound { types, days }) in coarser {
            if types.len() == 1 {
                seen.series.insert(place, days);
            } else {
                several.push(place);
            }
            seen.types.insert(place, types);
        }
        let several = several.into_iter().map(|place| (place, seen.types[&place].as_slice()));
        seen.series.extend(unique_hosts(store, sensor, &coverage, several)?);
        Ok(seen)
    }

    /// Returns the surges with a q of at most `level`.
    pub(super) fn surges(&self, level: f64, catalog: &Catalog) -> Vec<Ranked> {
        let mut by_granularity: [Vec<(usize, Surge, u64)>; COARSENESS_COUNT] = Default::default();
        for (place, series) in &self.series {
            let days = self.with_zeros(series);
            for surge in surges_of(&days, level) {
                let inside = days.iter().filter(|(day, _)| (surge.first..=surge.last).contains(day));
                let host_days = inside.map(|(_, hosts)| hosts).sum();
                by_granularity[catalog.behaviors[*place].coarseness()].push((*place, surge, host_days));
            }
        }
        let mut ranked = Vec::new();
        for (found, behaviors) in by_granularity.into_iter().zip(self.counts) {
            let tests = behaviors * judged_days(self.observed.len()) as u64;
            let p: Vec<f64> = found.iter().map(|(_, surge, _)| surge.p).collect();
            for ((place, surge, host_days), q) in found.into_iter().zip(adjusted_p_values(&p, tests)) {
                if q <= level {
                    ranked.push(Ranked {
                        sensor: self.sensor.clone(),
                        behavior: catalog.behaviors[place].clone(),
                        surge,
                        q,
                        part_of: None,
                        members: self.types.get(&place).into_iter().flatten().copied().collect(),
                        host_days,
                    });
                }
            }
        }
        ranked
    }

    /// All observed days, with 0 for those that a series leaves out.
    fn with_zeros(&self, series: &Days) -> Vec<(Date, u64)> {
        let mut left = series.iter().peekable();
        let mut hosts_on = |day: &Date| left.next_if(|(seen, _)| seen == day).map_or(0, |(_, hosts)| *hosts);
        self.observed.iter().map(|day| (*day, hosts_on(day))).collect()
    }
}

/// Each type's number with its hosts by day, of days that count.
fn days_of_types(
    store: &dyn HistoryStore,
    sensor: &str,
    coverage: &Coverage,
) -> Result<Vec<(u64, Days)>, AppError> {
    let mut all: Vec<(u64, Days)> = Vec::new();
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
fn unique_hosts<'t>(
    store: &dyn HistoryStore,
    sensor: &str,
    coverage: &Coverage,
    behaviors: impl Iterator<Item = (usize, &'t [u64])>,
) -> Result<BTreeMap<usize, Days>, AppError> {
    let mut places_of: Map<u64, Vec<usize>> = Map::default();
    for (place, types) in behaviors {
        types.iter().for_each(|number| places_of.entry(*number).or_default().push(place));
    }
    let mut series: BTreeMap<usize, Days> = BTreeMap::new();
    let months: BTreeSet<Date> = coverage.days().map(Date::first_of_month).collect();
    for month in months.into_iter().filter(|_| !places_of.is_empty()) {
        let filter = Filter { first: Some(month), last: Some(month.last_of_month()), ..Filter::default() };
        let mut hosts: Map<(usize, Date), Hosts> = Map::default();
        store.each_sighting(sensor, &filter, &mut |sighting| {
            for place in places_of.get(&sighting.number).into_iter().flatten() {
                hosts.entry((*place, sighting.day)).or_default().insert(sighting.host);
            }
        })?;
        hosts.retain(|(_, day), _| coverage.state(*day) == DayState::Observed);
        for ((place, day), mut hosts) in hosts {
            series.entry(place).or_default().push((day, hosts.count()));
        }
    }
    series.values_mut().for_each(|days| days.sort_unstable());
    Ok(series)
}
