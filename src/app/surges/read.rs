//! Reads the daily hosts of each behavior at a sensor, and finds the surges of these behavior series.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;
use jiff::civil::Date;

use crate::analysis::behavior_surges::{BehaviorIndex, DaysOfTypes, HostsByDay, RankedSurge, SensorSeries};
use crate::app::AppError;
use crate::app::history::coverage_of_sightings;
use crate::app::parallel;
use crate::behavior::Profile;
use crate::history::{Coverage, DayState, Filter, HostSet};
use crate::store::HistoryStore;

type Map<K, V> = HashMap<K, V, FixedState>;

/// Reads the behavior series of a sensor, and adds its types to `catalog`.
pub(super) fn read_series(
    store: &dyn HistoryStore,
    sensor: &str,
    catalog: &mut BehaviorIndex,
    profile: &Profile,
) -> Result<SensorSeries, AppError> {
    let coverage = coverage_of_sightings(store, sensor)?;
    let mut all = DaysOfTypes::default();
    store.each_daily_count(sensor, &Filter::default(), &mut |seen| {
        if coverage.state(seen.day) == DayState::Observed {
            all.add(seen);
        }
    })?;
    let new: Vec<u64> = all.numbers().filter(|number| !catalog.has_type(*number)).collect();
    store.each_parameters(&new, &mut |number, parameters| catalog.add_type(number, &parameters, profile))?;
    let mut seen = SensorSeries::new(sensor, coverage.observed_days().collect(), &all, catalog);
    drop((all, new));
    let hosts = unique_hosts(store, sensor, &coverage, seen.uncounted())?;
    seen.add_unique_hosts(hosts);
    Ok(seen)
}

/// Returns the surges with a q-value of at most `level`.
pub(super) fn significant_surges(
    series: &SensorSeries,
    level: f64,
    catalog: &BehaviorIndex,
    store: &dyn HistoryStore,
    profile: &Profile,
) -> Result<Vec<RankedSurge>, AppError> {
    let judge = |(place, hosts): (&usize, &HostsByDay)| series.judge(*place, hosts, level);
    let judged = parallel::map(parallel::thread_count(None), series.series(), judge);
    series.significant(judged.into_iter().flatten(), level, catalog, |place| {
        let record = store.type_record(catalog.member(place))?;
        Ok(catalog.behavior(place, &record.parameters, profile))
    })
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
