//! Use case: days on which behaviors departed from their own past (surges), ascending by q-value.
//!
//! Memory: about 100 bytes per type and 16 per type and day. After these are freed: 16 bytes per behavior and
//! day, and 8 per host, behavior and day of one month. Surges are described in groups of at most a million
//! host-days (or one surge that has more), with 50 bytes per type and host.

mod describe;
mod read;

use crate::analysis::behavior_surges::{
    BehaviorIndex, DescribedSurge, RankedSurge, UnjudgedDays, rank_surges,
};
use crate::behavior::Profile;
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::{coverage_of_sightings, select_sensors};
use read::{read_series, significant_surges};

/// A query for surges.
#[derive(Clone, Debug, PartialEq)]
pub struct SurgeQuery {
    /// Names of the sensors; if empty, all sensors.
    pub sensors: Vec<String>,
    /// Maximum q-value of a reported surge.
    pub level: f64,
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

/// Returns all surges in the order of [`surges`], without their descriptions.
///
/// # Errors
/// As [`surges`].
pub(super) fn ranked_surges(
    store: &dyn HistoryStore,
    question: &SurgeQuery,
    profile: &Profile,
) -> Result<Vec<RankedSurge>, AppError> {
    let mut catalog = BehaviorIndex::default();
    let mut found = Vec::new();
    for sensor in select_sensors(store, &question.sensors)? {
        let series = read_series(store, &sensor.name, &mut catalog, profile)?;
        found.extend(significant_surges(&series, question.level, &catalog, store, profile)?);
    }
    rank_surges(&mut found);
    Ok(found)
}

/// Describes surges by their hosts, types and labels, in their order.
///
/// # Errors
/// When the history cannot be read.
pub(super) fn describe_surges(
    store: &dyn HistoryStore,
    rules: &Rules,
    ranked: Vec<RankedSurge>,
) -> Result<Vec<DescribedSurge>, AppError> {
    describe::describe_all(store, rules, ranked)
}

/// Returns the days of these sensors, or of all sensors if none is named, on which no surge can be reported.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn unjudged_days(store: &dyn HistoryStore, sensors: &[String]) -> Result<Vec<UnjudgedDays>, AppError> {
    let mut all = Vec::new();
    for sensor in select_sensors(store, sensors)? {
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        all.extend(UnjudgedDays::of_sensor(&sensor.name, &coverage));
    }
    Ok(all)
}
