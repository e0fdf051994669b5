//! What a sensor saw day by day, by habit: the sums that all samples are weighed with, made in one pass.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use jiff::civil::Date;

use crate::behavior::{Behavior, BehaviorId, Names, Parameters};
use crate::history::{DailyCount, DarkPeriods, Scope, TypeRecord};
use crate::sample::PerTargetPorts;

use super::SignatureCounts;

/// What hosts are counted by: see [`Names::line`](crate::behavior::Names::line).
#[derive(Clone, Debug, PartialEq)]
pub struct BehaviorSeries {
    /// Its name.
    pub name: Behavior,
    /// Its [habit](crate::behavior::Names::habit).
    pub habit: BehaviorId,
    /// Parameters of a type that has it.
    pub parameters: Parameters,
    /// Hosts by observed day, each once a day and type.
    pub hosts: Vec<f64>,
    /// Windows of all days.
    pub windows: f64,
}

impl BehaviorSeries {
    /// Its host-days.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.hosts.iter().sum()
    }
}

/// The observed days of a sensor with the hosts of each behavior by day. Memory: 8 bytes per series and day.
#[derive(Clone, Debug, Default)]
pub struct SeriesTable {
    /// The days that count, ascending.
    pub days: Vec<Date>,
    /// By day, how many addresses were dark, in parts of their mean; empty, or 1 each, where that never changed. A scanner
    /// of the whole Internet meets a sensor in proportion to its addresses, so hosts of days are compared by it. A sweep
    /// that covers the sensor whichever its size is compared with too large a change.
    pub exposure: Vec<f64>,
    /// What samples may be counted by.
    pub series: Vec<BehaviorSeries>,
    /// How the hosts of the series built their probes; empty where nobody asks.
    pub signatures: SignatureCounts,
    /// Ports that say nothing, since samples choose them anew.
    per_target_ports: PerTargetPorts,
    places: HashMap<Date, usize>,
    by_name: HashMap<BehaviorId, usize>,
    by_habit: BTreeMap<BehaviorId, Vec<usize>>,
    /// Types, shapes and patterns seen, of whole windows and of parts, with their host-days by type.
    host_days: HashMap<BehaviorId, u64>,
    /// The line of each type, by the type's number in the store that was read.
    by_type: BTreeMap<u64, usize>,
}

impl SeriesTable {
    /// Some days that a sensor looked, ascending, without anything seen.
    #[must_use]
    pub fn new(days: impl Iterator<Item = Date>, anew: PerTargetPorts) -> SeriesTable {
        let days: Vec<Date> = days.collect();
        let places = days.iter().copied().zip(0..).collect();
        SeriesTable { days, per_target_ports: anew, places, ..SeriesTable::default() }
    }

    /// The same, its days weighted by the addresses that were dark on them.
    #[must_use]
    pub fn with_dark(self, periods: &DarkPeriods) -> SeriesTable {
        let size = |day: &Date| match periods.period_on(*day).map(|period| &period.space) {
            // IPv6 prefixes have more addresses than anybody scans.
            Some(space) if space.ipv4_size() > 0 => space.ipv4_size() as f64,
            _ => 1.0,
        };
        let sizes: Vec<f64> = self.days.iter().map(size).collect();
        let mean = sizes.iter().sum::<f64>() / sizes.len().max(1) as f64;
        let changes = sizes.windows(2).any(|pair| pair[0].total_cmp(&pair[1]).is_ne());
        let exposure = if changes { sizes.iter().map(|size| size / mean).collect() } else { Vec::new() };
        SeriesTable { exposure, ..self }
    }

    /// The exposure of days from one place to before another; their number, where addresses never changed.
    #[must_use]
    pub fn total_exposure(&self, days: Range<usize>) -> f64 {
        days.map(|at| self.exposure_on(at)).sum()
    }

    /// Returns the exposure of the day at a place.
    #[must_use]
    pub fn exposure_on(&self, place: usize) -> f64 {
        self.exposure.get(place).copied().unwrap_or(1.0).max(f64::MIN_POSITIVE)
    }

    /// Returns hosts by observed day as a series of counts, as if the same addresses had been dark on all days.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of hosts")]
    pub fn daily(&self, hosts: &[f64]) -> Vec<(Date, u64)> {
        let count = |(at, (day, hosts)): (usize, (&Date, &f64))| {
            (*day, (hosts / self.exposure_on(at)).round() as u64)
        };
        self.days.iter().zip(hosts).enumerate().map(count).collect()
    }

    /// Adds what was observed of a type; `names` are what it is [counted by](SeriesTable::names), if it may be a sample's.
    pub fn add(&mut self, record: &TypeRecord, seen: &DailyCount, names: Option<&Names>) {
        let DailyCount { number, scope, day, hosts, windows, .. } = *seen;
        if names.is_some() {
            for id in [record.behavior.id, record.shape.id, record.pattern.id] {
                *self.host_days.entry(id).or_default() += hosts;
            }
        }
        let Some(place) = self.places.get(&day).copied().filter(|_| scope == Scope::Whole) else { return };
        let days = self.days.len();
        let Some(names) = names else { return };
        let line = *self.by_name.entry(names.line().id).or_insert_with(|| {
            let (name, habit) = (names.line().clone(), names.habit().id);
            self.by_habit.entry(habit).or_default().push(self.series.len());
            let parameters = record.parameters.clone();
            self.series.push(BehaviorSeries {
                name,
                habit,
                parameters,
                hosts: vec![0.0; days],
                windows: 0.0,
            });
            self.series.len() - 1
        });
        self.series[line].hosts[place] += hosts as f64;
        self.series[line].windows += windows as f64;
        self.by_type.insert(number, line);
    }

    /// The names by whose line and habit a type's hosts are counted.
    #[must_use]
    pub fn names(&self, record: &TypeRecord) -> Names {
        self.per_target_ports.names(&record.parameters, record.names())
    }

    /// The host-days of a relevant type, shape or pattern, a host once for each type of it; `None` where it was never
    /// seen.
    #[must_use]
    pub fn host_days(&self, id: BehaviorId) -> Option<u64> {
        self.host_days.get(&id).copied()
    }

    /// The types that are counted in lines, by their numbers in the store that was read, ascending, with their lines.
    pub fn types(&self) -> impl Iterator<Item = (u64, usize)> + '_ {
        self.by_type.iter().map(|(number, line)| (*number, *line))
    }

    /// The line of a type, by its number in the store that was read.
    #[must_use]
    pub fn series_of_type(&self, number: u64) -> Option<usize> {
        self.by_type.get(&number).copied()
    }

    /// The line of a name.
    #[must_use]
    pub fn series_by_name(&self, name: BehaviorId) -> Option<usize> {
        self.by_name.get(&name).copied()
    }

    /// The lines of a habit.
    #[must_use]
    pub fn series_of_habit(&self, habit: BehaviorId) -> &[usize] {
        self.by_habit.get(&habit).map_or(&[], Vec::as_slice)
    }

    /// The habits seen, each once, with their lines.
    pub fn habits(&self) -> impl Iterator<Item = (BehaviorId, &[usize])> + '_ {
        self.by_habit.iter().map(|(habit, lines)| (*habit, lines.as_slice()))
    }

    /// What was known at the end of a day.
    #[must_use]
    pub fn until(&self, last: Date) -> SeriesTable {
        let mut known = self.clone();
        let days = known.days.partition_point(|day| *day <= last);
        known.days.truncate(days);
        known.exposure.truncate(days);
        known.places.retain(|day, _| *day <= last);
        known.series.iter_mut().for_each(|line| line.hosts.truncate(days));
        known
    }

    /// The place of a day that counts.
    #[must_use]
    pub fn place_of(&self, day: Date) -> Option<usize> {
        self.places.get(&day).copied()
    }

    /// Whether a day counts.
    #[must_use]
    pub fn has_day(&self, day: Date) -> bool {
        self.places.contains_key(&day)
    }

    /// The place of the first observed day that is not before a date.
    #[must_use]
    pub fn place_from(&self, date: Date) -> usize {
        self.days.partition_point(|day| *day < date)
    }
}
