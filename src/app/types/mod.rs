//! Use case: the number of distinct types per day (the type count), its jumps up and down, and the types that
//! make up a jump.

mod groups;
mod ports;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::surge::{SURGE_RATIO_MIN, Surge, surges_and_falls, tested_day_count};
use crate::history::{Coverage, Day, DayState, Filter, RecordedTime, Sensor, SpanAggregator, SpanCount};
use crate::rules::Rules;
use crate::store::HistoryStore;

pub use groups::Group;
pub use ports::test_ports;

use super::AppError;
use super::history::select_sensors;
use groups::{TypeCountChange, groups_of};

/// A jump of the type count, up or down.
#[derive(Clone, Debug, PartialEq)]
pub struct Jump {
    /// The days and the size of the jump.
    pub surge: Surge,
    /// Number of types that had never been seen before a rise; for a fall, number of types that were seen in
    /// the seven observed days before it and never since.
    pub types: u64,
    /// The first and last day on which these types were seen: the days of a rise, or the days before a fall.
    pub seen_days: (Date, Date),
    /// These types by pattern, those that contribute most to the jump first.
    pub groups: Vec<Group>,
}

/// The type counts of one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeCounts {
    /// The sensor.
    pub sensor: Sensor,
    /// Every day from the first observed day to the last.
    pub days: Vec<SpanCount>,
    /// The sensor's coverage.
    pub coverage: Coverage,
    /// Number of days that are not judged because so little of them was recorded that this alone would look
    /// like a fall.
    pub left_out: usize,
    /// The jumps, ascending by day.
    pub jumps: Vec<Jump>,
}

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
    let mut days: Vec<(Date, u64)> =
        spans.iter().filter(|day| day.observed_days > 0).map(|day| (day.first, day.types)).collect();
    let observed = days.len();
    leave_out_partial_days(
        &mut days,
        &RecordedTime::from_captures(&store.captures(&sensor.name)?),
        &sensor.zone()?,
    );
    let left_out = observed - days.len();
    // Each day is tested in both directions.
    #[expect(clippy::cast_precision_loss, reason = "a number of days")]
    let p_max = level / (2 * tested_day_count(days.len())).max(1) as f64;
    let found = surges_and_falls(&days, p_max);
    let mut changes: Vec<TypeCountChange> =
        found.iter().map(|surge| TypeCountChange::new(surge, &days)).collect();
    if !changes.is_empty() {
        let mut add = |number: u64, seen: &[Date]| changes.iter_mut().for_each(|one| one.add(number, seen));
        let (mut number, mut seen_on): (u64, Vec<Date>) = (0, Vec::new());
        store.each_daily_count(&sensor.name, &Filter::default(), &mut |seen| {
            if seen.number != number {
                add(number, &seen_on);
                seen_on.clear();
                number = seen.number;
            }
            if coverage.state(seen.day) == DayState::Observed {
                seen_on.push(seen.day);
            }
        })?;
        add(number, &seen_on);
    }
    let groups = groups_of(&changes, store, rules)?;
    let jump = |((surge, change), (types, groups)): ((Surge, &TypeCountChange), _)| Jump {
        surge,
        types,
        seen_days: change.seen_on(),
        groups,
    };
    let jumps = found.into_iter().zip(&changes).zip(groups).map(jump).collect();
    Ok(TypeCounts { sensor, days: spans, coverage, left_out, jumps })
}

/// Removes the days whose recorded time is so much shorter than the median that by this alone their count
/// would be a fall.
#[expect(clippy::cast_precision_loss, reason = "a part of a day")]
fn leave_out_partial_days(days: &mut Vec<(Date, u64)>, looks: &RecordedTime, zone: &TimeZone) {
    let looked = |day: Date| {
        let next = day.tomorrow().unwrap_or(day);
        looks.nanoseconds_between(Day::from_date(day, zone).start, Day::from_date(next, zone).start) as f64
    };
    let mut times: Vec<f64> = days.iter().map(|(day, _)| looked(*day)).collect();
    times.sort_unstable_by(f64::total_cmp);
    let usual = times.get(times.len() / 2).copied().unwrap_or(0.0);
    days.retain(|(day, _)| SURGE_RATIO_MIN * looked(*day) >= usual);
}
