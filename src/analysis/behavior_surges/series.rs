//! The daily hosts of the behaviors of a sensor, and the surges of these behavior series.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use crate::analysis::surge::{SURGE_HOSTS_MIN, Surge, surges, tested_day_count};
use crate::history::{DailyCount, adjusted_p_values};

use super::index::{GRANULARITY_COUNT, SeriesKey};
use super::{BehaviorIndex, RankedSurge, SurgeBehavior};

/// Numbers of hosts by day, ascending. Days without hosts are left out.
pub type HostsByDay = Vec<(Date, u64)>;

/// The hosts by day of all types of a sensor, in one array.
#[derive(Default)]
pub struct DaysOfTypes {
    /// The number of each type, ascending, with the end of its range in `days`.
    types: Vec<(u64, usize)>,
    days: HostsByDay,
}

impl DaysOfTypes {
    /// Adds the count of an observed day. Counts must come in ascending order of type number and day.
    pub fn add(&mut self, count: &DailyCount) {
        self.days.push((count.day, count.hosts));
        let end = self.days.len();
        match self.types.last_mut().filter(|(number, _)| *number == count.number) {
            Some(of_type) => of_type.1 = end,
            None => self.types.push((count.number, end)),
        }
    }

    /// Returns the numbers of the types, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.types.iter().map(|(number, _)| *number)
    }

    /// Returns the days of the type at an index.
    fn days_of_type(&self, at: usize) -> &[(Date, u64)] {
        let begin = at.checked_sub(1).map_or(0, |before| self.types[before].1);
        &self.days[begin..self.types[at].1]
    }

    /// Returns the sums of the hosts of several types by day. A host counts once for each of its types, so a
    /// sum is an upper bound of the types' unique hosts.
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

/// The behavior series of a sensor for behaviors that reach the minimum of hosts for a surge on some day.
pub struct SensorSeries {
    sensor: String,
    observed: Vec<Date>,
    /// Number of behaviors of each granularity, including those that are too rare to be judged.
    counts: [u64; GRANULARITY_COUNT],
    /// Hosts per day, by index of the behavior.
    series: BTreeMap<usize, HostsByDay>,
    /// The numbers of each behavior's types, ascending.
    types: HashMap<usize, Vec<u64>>,
    /// The behaviors of several types whose unique hosts are not known yet.
    uncounted: Vec<usize>,
}

/// A surge of the behavior at an index, before its p-value is adjusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgedSurge {
    place: usize,
    surge: Surge,
    /// Hosts per day, summed over the days of the surge.
    host_days: u64,
}

impl SensorSeries {
    /// Creates the behavior series of a sensor from the daily counts of its types, all of which `catalog`
    /// must have. The series of behaviors with several types are missing ([`SensorSeries::uncounted`]).
    #[must_use]
    pub fn new(
        sensor: &str,
        observed: Vec<Date>,
        all: &DaysOfTypes,
        catalog: &mut BehaviorIndex,
    ) -> SensorSeries {
        let mut seen = SensorSeries {
            sensor: sensor.to_owned(),
            observed,
            counts: [0; GRANULARITY_COUNT],
            series: BTreeMap::new(),
            types: HashMap::new(),
            uncounted: Vec::new(),
        };
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
        for members in coarser.chunk_by(|(one, _), (other, _)| one == other) {
            let place = members[0].0;
            let types = members.iter().map(|(_, at)| *at);
            seen.counts[catalog.coarseness(place)] += 1;
            match members {
                [(_, at)] if may_surge(all.days_of_type(*at)) => {
                    drop(seen.series.insert(place, all.days_of_type(*at).to_vec()))
                }
                [_, _, ..] if may_surge(&all.sums(types.clone())) => seen.uncounted.push(place),
                _ => continue,
            }
            seen.types.insert(place, types.map(|at| all.types[at].0).collect());
        }
        seen
    }

    /// Returns the behaviors that consist of several types and may surge, with the numbers of these types. A
    /// host may show several of the types, so their series need unique hosts
    /// ([`SensorSeries::add_unique_hosts`]).
    pub fn uncounted(&self) -> impl Iterator<Item = (usize, &[u64])> {
        self.uncounted.iter().map(|place| (*place, self.types[place].as_slice()))
    }

    /// Adds the unique hosts by day of the behaviors at these indices.
    pub fn add_unique_hosts(&mut self, hosts: BTreeMap<usize, HostsByDay>) {
        self.uncounted.clear();
        self.series.extend(hosts);
    }

    /// Returns the series by index of the behavior.
    #[must_use]
    pub fn series(&self) -> &BTreeMap<usize, HostsByDay> {
        &self.series
    }

    /// Returns the surges of one of these series whose p-value is at most `level`.
    #[must_use]
    pub fn judge(&self, place: usize, series: &HostsByDay, level: f64) -> Vec<JudgedSurge> {
        let days = self.with_zeros(series);
        let with_host_days = |surge: Surge| {
            let inside = days.iter().filter(|(day, _)| (surge.first..=surge.last).contains(day));
            JudgedSurge { place, surge, host_days: inside.map(|(_, hosts)| hosts).sum() }
        };
        surges(&days, level).into_iter().map(with_host_days).collect()
    }

    /// Returns the surges with a q-value of at most `level` among all surges of the sensor, which must come
    /// in the order of [`SensorSeries::series`]. `name` returns the behavior at an index.
    ///
    /// # Errors
    /// As `name`.
    pub fn significant<E>(
        &self,
        judged: impl Iterator<Item = JudgedSurge>,
        level: f64,
        catalog: &BehaviorIndex,
        name: impl Fn(usize) -> Result<SurgeBehavior, E>,
    ) -> Result<Vec<RankedSurge>, E> {
        let mut by_granularity: [Vec<JudgedSurge>; GRANULARITY_COUNT] = Default::default();
        for one in judged {
            by_granularity[catalog.coarseness(one.place)].push(one);
        }
        let mut significant = Vec::new();
        for (coarseness, (found, behaviors)) in by_granularity.into_iter().zip(self.counts).enumerate() {
            let tests = behaviors * tested_day_count(self.observed.len()) as u64;
            let p: Vec<f64> = found.iter().map(|one| one.surge.p).collect();
            for (JudgedSurge { place, surge, host_days }, q) in
                found.into_iter().zip(adjusted_p_values(&p, tests))
            {
                if q <= level {
                    significant.push(RankedSurge {
                        sensor: self.sensor.clone(),
                        behavior: name(place)?,
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
        Ok(significant)
    }

    /// Returns the series with all observed days; days that the series leaves out are 0.
    fn with_zeros(&self, series: &HostsByDay) -> Vec<(Date, u64)> {
        let mut left = series.iter().peekable();
        let mut hosts_on = |day: &Date| left.next_if(|(seen, _)| seen == day).map_or(0, |(_, hosts)| *hosts);
        self.observed.iter().map(|day| (*day, hosts_on(day))).collect()
    }
}
