//! Use case: the number of distinct types per day (the type count), its jumps up and down, and the types that
//! make up a jump.

mod ports;

use crate::analysis::type_counts::{
    ChangeCollector, Jump, JumpBuilder, TypeCounts, judged_days, type_count_jumps,
};
use crate::history::{Coverage, DayState, Filter, RecordedTime, Sensor, SpanAggregator};
use crate::rules::Rules;
use crate::store::HistoryStore;

pub use ports::test_ports;

use super::AppError;
use super::history::select_sensors;

/// Returns the type counts and jumps of the named sensors; of all sensors if none is named. `level` bounds
/// the probability of a false jump per sensor (Bonferroni correction over its judged days).
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn type_counts(
    store: &dyn HistoryStore,
    sensors: &[String],
    level: f64,
    rules: &Rules,
) -> Result<Vec<TypeCounts>, AppError> {
    select_sensors(store, sensors)?
        .into_iter()
        .map(|sensor| type_counts_of_sensor(store, sensor, level, rules))
        .collect()
}

fn type_counts_of_sensor(
    store: &dyn HistoryStore,
    sensor: Sensor,
    level: f64,
    rules: &Rules,
) -> Result<TypeCounts, AppError> {
    let coverage = store.coverage(&sensor.name)?;
    let spans = match coverage.span() {
        Some((first, last)) => {
            SpanAggregator::day_spans(&coverage, &store.totals(&sensor.name)?, first, last)
        }
        None => Vec::new(),
    };
    let recorded = RecordedTime::from_captures(&store.captures(&sensor.name)?);
    let (days, left_out) = judged_days(&spans, &recorded, &sensor.zone()?);
    let found = type_count_jumps(&days, level);
    let jumps = match found.is_empty() {
        true => Vec::new(),
        false => read_jumps(store, &sensor.name, &coverage, ChangeCollector::new(found, &days), rules)?,
    };
    Ok(TypeCounts { sensor, days: spans, coverage, left_out, jumps })
}

/// Reads the types that were seen around the jumps of a sensor. Their parameters are read once for all jumps.
fn read_jumps(
    store: &dyn HistoryStore,
    sensor: &str,
    coverage: &Coverage,
    mut collector: ChangeCollector,
    rules: &Rules,
) -> Result<Vec<Jump>, AppError> {
    store.each_daily_count(sensor, &Filter::default(), &mut |seen| {
        if coverage.state(seen.day) == DayState::Observed {
            collector.add(seen.number, seen.day);
        }
    })?;
    let changes = collector.finish();
    let mut jumps = JumpBuilder::new(&changes, rules);
    let numbers = jumps.type_numbers();
    store.each_parameters(&numbers, &mut |number, parameters| jumps.add(number, &parameters))?;
    Ok(jumps.finish())
}
