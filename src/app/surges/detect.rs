//! Reads the daily hosts of each behavior at a sensor and finds the surges of these behavior series.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;
use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::coverage_of_sightings;
use crate::app::parallel;
use crate::behavior::{Behavior as Name, BehaviorId, Parameters, Profile};
use crate::history::surge::{SURGE_HOSTS_MIN, Surge, surges as surges_of, tested_day_count};
use crate::history::{Coverage, DayState, Filter, Granularity, HostSet, adjusted_p_values};
use crate::packet::Protocol;
use crate::store::HistoryStore;

use super::{GRANULARITY_COUNT, RankedSurge, SurgeBehavior};

type Map<K, V> = HashMap<K, V, FixedState>;

/// Identifies a behavior.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum SeriesKey {
    /// A type, by its number in the history.
    Type(u64),
    Shape(BehaviorId),
    Pattern(BehaviorId),
    Service(Protocol, u16),
}

impl SeriesKey {
    /// Returns the rank of the granularity, 0 for the finest.
    fn coarseness(self) -> usize {
        match self {
            SeriesKey::Type(_) => 0,
            SeriesKey::Shape(_) => 1,
            SeriesKey::Pattern(_) => 2,
            SeriesKey::Service(..) => 3,
        }
    }

    /// Returns the behavior of this granularity that windows with these parameters have.
    fn behavior(self, parameters: &Parameters, profile: &Profile) -> SurgeBehavior {
        let (granularity, name) = match self {
            SeriesKey::Service(protocol, port) => return SurgeBehavior::Service(protocol, port),
            SeriesKey::Type(_) => (Granularity::Type, Name::of_type(parameters, profile)),
            SeriesKey::Shape(_) => (Granularity::Shape, Name::of_shape(parameters, profile)),
            SeriesKey::Pattern(_) => (Granularity::Family, Name::of_family(parameters, profile)),
        };
        SurgeBehavior::Named(granularity, name.id, name.canonical)
    }
}

/// The behaviors that types belong to, each with its index. It is built once for all sensors.
#[derive(Default)]
pub(super) struct BehaviorIndex {
    /// Each behavior with the number of one of its types.
    behaviors: Vec<(SeriesKey, u64)>,
    places: Map<SeriesKey, usize>,
    /// For each type number, the indices of its shape, pattern and service; a type with several services has
    /// no service here.
    coarser: Map<u64, [Option<usize>; 3]>,
}

impl BehaviorIndex {
    /// Adds the types with these numbers, in ascending order, that are not known yet.
    fn add_types(
        &mut self,
        numbers: impl Iterator<Item = u64>,
        store: &dyn HistoryStore,
        profile: &Profile,
    ) -> Result<(), AppError> {
        let new: Vec<u64> = numbers.filter(|number| !self.coarser.contains_key(number)).collect();
        Ok(store.each_parameters(&new, &mut |number, parameters| {
            let shape = SeriesKey::Shape(Name::of_shape(&parameters, profile).id);
            let family = SeriesKey::Pattern(Name::of_family(&parameters, profile).id);
            let service = parameters.service().map(|(protocol, port)| SeriesKey::Service(protocol, port));
            let coarser = [Some(shape), Some(family), service];
            let places = coarser.map(|key| key.map(|key| self.index_of(key, number)));
            self.coarser.insert(number, places);
        })?)
    }

    /// Returns the indices of the shape, pattern and service of a known type.
    fn coarser(&self, number: u64) -> impl Iterator<Item = usize> + use<> {
        self.coarser.get(&number).copied().into_iter().flatten().flatten()
    }

    fn index_of(&mut self, key: SeriesKey, number: u64) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.behaviors.push((key, number));
            self.behaviors.len() - 1
        })
    }

    fn coarseness(&self, place: usize) -> usize {
        self.behaviors[place].0.coarseness()
    }

    /// Returns the behavior at an index, with its name.
    fn behavior(
        &self,
        place: usize,
        store: &dyn HistoryStore,
        profile: &Profile,
    ) -> Result<SurgeBehavior, AppError> {
        let (key, number) = self.behaviors[place];
        Ok(key.behavior(&store.type_record(number)?.parameters, profile))
    }
}

/// Numbers of hosts by day, ascending. Days without hosts are left out.
type HostsByDay = Vec<(Date, u64)>;

/// The behavior series of a sensor for behaviors that reach the minimum of hosts for a surge on some day.
pub(super) struct SensorSeries {
    sensor: String,
    observed: Vec<Date>,
    /// Number of behaviors of each granularity, including those that are too rare to be judged.
    counts: [u64; GRANULARITY_COUNT],
    /// Hosts per day, by index of the behavior.
    series: BTreeMap<usize, HostsByDay>,
    /// The numbers of each behavior's types, ascending.
    types: HashMap<usize, Vec<u64>>,
}

/// The hosts by day of all types of a sensor, in one array.
#[derive(Default)]
struct DaysOfTypes {
    /// The number of each type, ascending, with the end of its range in `days`.
    types: Vec<(u64, usize)>,
    days: HostsByDay,
}

impl DaysOfTypes {
    /// Reads the daily counts of the observed days.
    fn read(store: &dyn HistoryStore, sensor: &str, coverage: &Coverage) -> Result<DaysOfTypes, AppError> {
        let mut all = DaysOfTypes::default();
        store.each_daily_count(sensor, &Filter::default(), &mut |seen| {
            if coverage.state(seen.day) != DayState::Observed {
                return;
            }
            all.days.push((seen.day, seen.hosts));
            let end = all.days.len();
            match all.types.last_mut().filter(|(number, _)| *number == seen.number) {
                Some(of_type) => of_type.1 = end,
                None => all.types.push((seen.number, end)),
            }
        })?;
        Ok(all)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        self.types.iter().map(|(number, _)| *number)
    }

    /// Returns the days of the type at an index.
    fn days_of_type(&self, at: usize) -> &[(Date, u64)] {
        let begin = at.checked_sub(1).map_or(0, |before| self.types[before].1);
        &self.days[begin..self.types[at].1]
    }

    /// Returns the sums of the hosts of several types by day. A host counts once for each of its types, so a sum
    /// is an upper bound of the types' unique hosts.
    fn sums(&self, types: impl Iterator<Item = usize>) -> HostsByDay {
        let mut days: HostsByDay = types.flat_map(|at| self.days_of_type(at)).copied().collect();
        days.sort_unstable_by_key(|(day, _)| *day);
        days.dedup_by(|(day, hosts), (kept, sum)| {
            let is_same = day == kept;
            *sum += if is_same { *hosts } else { 0 };
            is_same
        });
        days
    }
}

/// Returns whether some day has the minimum of hosts for a surge.
fn may_surge(days: &[(Date, u64)]) -> bool {
    days.iter().any(|(_, hosts)| *hosts >= SURGE_HOSTS_MIN)
}

impl SensorSeries {
    pub(super) fn read(
        store: &dyn HistoryStore,
        sensor: &str,
        catalog: &mut BehaviorIndex,
        profile: &Profile,
    ) -> Result<SensorSeries, AppError> {
        let coverage = coverage_of_sightings(store, sensor)?;
        let mut seen = SensorSeries {
            sensor: sensor.to_owned(),
            observed: coverage.observed_days().collect(),
            counts: [0; GRANULARITY_COUNT],
            series: BTreeMap::new(),
            types: HashMap::new(),
        };
        let all = DaysOfTypes::read(store, sensor, &coverage)?;
        catalog.add_types(all.numbers(), store, profile)?;
        // Pairs of a coarser behavior's index and the index of one of its types, ascending.
        let mut coarser: Vec<(usize, usize)> = Vec::new();
        for (at, number) in all.numbers().enumerate() {
            coarser.extend(catalog.coarser(number).map(|place| (place, at)));
            seen.counts[0] += 1;
            if may_surge(all.days_of_type(at)) {
                let place = catalog.index_of(SeriesKey::Type(number), number);
                seen.types.insert(place, vec![number]);
                seen.series.insert(place, all.days_of_type(at).to_vec());
            }
        }
        coarser.sort_unstable();
        let mut several: Vec<usize> = Vec::new();
        for members in coarser.chunk_by(|(one, _), (other, _)| one == other) {
            let place = members[0].0;
            let types = members.iter().map(|(_, at)| *at);
            seen.counts[catalog.coarseness(place)] += 1;
            match members {
                [(_, at)] if may_surge(all.days_of_type(*at)) => {
                    drop(seen.series.insert(place, all.days_of_type(*at).to_vec()))
                }
                [_, _, ..] if may_surge(&all.sums(types.clone())) => several.push(place),
                _ => continue,
            }
            seen.types.insert(place, types.map(|at| all.types[at].0).collect());
        }
        drop((all, coarser));
        let several = several.into_iter().map(|place| (place, seen.types[&place].as_slice()));
        seen.series.extend(unique_hosts(store, sensor, &coverage, several)?);
        Ok(seen)
    }

    /// Returns the surges with a q-value of at most `level`.
    pub(super) fn surges(
        &self,
        level: f64,
        catalog: &BehaviorIndex,
        store: &dyn HistoryStore,
        profile: &Profile,
    ) -> Result<Vec<RankedSurge>, AppError> {
        let judge = |(place, series): (&usize, &HostsByDay)| -> Vec<(usize, Surge, u64)> {
            let days = self.with_zeros(series);
            let with_host_days = |surge: Surge| {
                let inside = days.iter().filter(|(day, _)| (surge.first..=surge.last).contains(day));
                let host_days = inside.map(|(_, hosts)| hosts).sum();
                (*place, surge, host_days)
            };
            surges_of(&days, level).into_iter().map(with_host_days).collect()
        };
        let judged = parallel::map(parallel::thread_count(None), &self.series, judge);
        let mut by_granularity: [Vec<(usize, Surge, u64)>; GRANULARITY_COUNT] = Default::default();
        for surge in judged.into_iter().flatten() {
            by_granularity[catalog.coarseness(surge.0)].push(surge);
        }
        let mut ranked = Vec::new();
        for (coarseness, (found, behaviors)) in by_granularity.into_iter().zip(self.counts).enumerate() {
            let tests = behaviors * tested_day_count(self.observed.len()) as u64;
            let p: Vec<f64> = found.iter().map(|(_, surge, _)| surge.p).collect();
            for ((place, surge, host_days), q) in found.into_iter().zip(adjusted_p_values(&p, tests)) {
                if q <= level {
                    ranked.push(RankedSurge {
                        sensor: self.sensor.clone(),
                        behavior: catalog.behavior(place, store, profile)?,
                        surge,
                        q,
                        part_of: None,
                        coarseness,
                        members: self.types.get(&place).into_iter().flatten().copied().collect(),
                        host_days,
                    });
                }
            }
        }
        Ok(ranked)
    }

    /// Returns the series with all observed days; days that the series leaves out are 0.
    fn with_zeros(&self, series: &HostsByDay) -> Vec<(Date, u64)> {
        let mut left = series.iter().peekable();
        let mut hosts_on = |day: &Date| left.next_if(|(seen, _)| seen == day).map_or(0, |(_, hosts)| *hosts);
        self.observed.iter().map(|day| (*day, hosts_on(day))).collect()
    }
}

/// Returns the exact number of unique hosts by day for behaviors that consist of several types. Sightings are
/// read month by month.
fn unique_hosts<'t>(
    store: &dyn HistoryStore,
    sensor: &str,
    coverage: &Coverage,
    behaviors: impl Iterator<Item = (usize, &'t [u64])>,
) -> Result<BTreeMap<usize, HostsByDay>, AppError> {
    let mut places_of: Map<u64, Vec<usize>> = Map::default();
    for (place, types) in behaviors {
        types.iter().for_each(|number| places_of.entry(*number).or_default().push(place));
    }
    let mut series: BTreeMap<usize, HostsByDay> = BTreeMap::new();
    let months: BTreeSet<Date> = coverage.observed_days().map(Date::first_of_month).collect();
    for month in months.into_iter().filter(|_| !places_of.is_empty()) {
        let filter = Filter { first: Some(month), last: Some(month.last_of_month()), ..Filter::default() };
        let mut hosts: Map<(usize, Date), HostSet> = Map::default();
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
