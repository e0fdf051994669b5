//! Use case: hosts that changed their behavior around a date (cohorts).

use std::collections::HashSet;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::history::{Coverage, DayState, HostsByPeriod, SensorCohort};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::{coverage_of_sightings, select_sensors};
use super::series::{TrafficFilter, each_sighting};

/// A query for a cohort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CohortQuery {
    /// Names of the sensors; if empty, all sensors.
    pub sensors: Vec<String>,
    /// The first behavior.
    pub from: TrafficFilter,
    /// The second behavior.
    pub to: TrafficFilter,
    /// The first day of the period after the change.
    pub around: Date,
    /// Length of the period before and of the period after, in calendar days.
    pub days: u16,
}

/// Returns the cohort of each sensor of a query.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn cohort(
    store: &dyn HistoryStore,
    question: &CohortQuery,
    rules: &Rules,
) -> Result<Vec<SensorCohort>, AppError> {
    let sensors = select_sensors(store, &question.sensors)?;
    sensors.iter().map(|sensor| sensor_cohort(store, &sensor.name, question, rules)).collect()
}

fn sensor_cohort(
    store: &dyn HistoryStore,
    sensor: &str,
    question: &CohortQuery,
    rules: &Rules,
) -> Result<SensorCohort, AppError> {
    let coverage = coverage_of_sightings(store, sensor)?;
    let away = |days: i32| question.around.saturating_add(jiff::Span::new().days(days));
    let days = i32::from(question.days);
    let before = (away(-days), away(-1));
    let after = (question.around, away(days - 1));
    let hosts = |of: &TrafficFilter, (first, last): (Date, Date)| -> Result<HashSet<IpAddr>, AppError> {
        let mut hosts = HashSet::new();
        each_sighting(store, sensor, of, rules, (Some(first), Some(last)), None, &mut |sighting| {
            if coverage.state(sighting.day) == DayState::Observed {
                hosts.insert(sighting.host);
            }
        })?;
        Ok(hosts)
    };
    let periods = HostsByPeriod {
        from_before: hosts(&question.from, before)?,
        from_after: hosts(&question.from, after)?,
        to_after: hosts(&question.to, after)?,
        any_before: hosts(&TrafficFilter::All, before)?,
        any_after: hosts(&TrafficFilter::All, after)?,
    };
    let observed = (observed_days(&coverage, before), observed_days(&coverage, after));
    Ok(SensorCohort { sensor: sensor.to_owned(), observed, cohort: periods.cohort() })
}

fn observed_days(coverage: &Coverage, (first, last): (Date, Date)) -> u64 {
    coverage.observed_days().filter(|day| first <= *day && *day <= last).count() as u64
}
