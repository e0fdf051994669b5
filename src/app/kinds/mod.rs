//! Use case: the number of kinds of type a day, its jumps up and down, and what they consist of.

mod groups;
mod ports;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::surge::{SURGE_RATIO_MIN, Surge, judged_days, jumps};
use crate::history::{Coverage, Day, DayState, Filter, RecordedTime, Sensor, SpanCount, Spans};
use crate::rules::Rules;
use crate::store::HistoryStore;

pub use groups::Group;
pub use ports::test_ports;

use super::AppError;
use super::history::chosen;
use groups::{Change, groups_of};

/// A jump of the number of kinds, up or down.
#[derive(Clone, Debug, PartialEq)]
pub struct Jump {
    /// When and how much.
    pub surge: Surge,
    /// Types that were never seen before it; of a fall, types that were seen in the week before and never since.
    pub types: u64,
    /// The days, both ends included, on which these were seen: its own, or the week before a fall.
    pub seen: (Date, Date),
    /// What these are: first what has most to do with it.
    pub groups: Vec<Group>,
}

/// A sensor's kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Kinds {
    /// The sensor.
    pub sensor: Sensor,
    /// Every day from the first with a look to the last.
    pub days: Vec<SpanCount>,
    /// The days with a look.
    pub coverage: Coverage,
    /// Days that were looked at for so much less time than others that they are not judged: that alone makes a fall.
    pub left_out: usize,
    /// Its jumps, ascending.
    pub jumps: Vec<Jump>,
}

/// The kinds of these sensors, or of all; a jump is told by mistake with at most the chance `level` a sensor.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn kinds(
    store: &dyn HistoryStore,
    sensors: &[String],
    level: f64,
    rules: &Rules,
) -> Result<Vec<Kinds>, AppError> {
    chosen(store, sensors)?.into_iter().map(|sensor| of_sensor(store, sensor, level, rules)).collect()
}

fn of_sensor(store: &dyn HistoryStore, sensor: Sensor, level: f64, rules: &Rules) -> Result<Kinds, AppError> {
    let coverage = store.coverage(&sensor.name)?;
    let spans = match coverage.span() {
        Some((first, last)) => Spans::of_days(&coverage, &store.totals(&sensor.name)?, first, last),
        None => Vec::new(),
    };
    let mut days: Vec<(Date, u64)> =
        spans.iter().filter(|day| day.observed > 0).map(|day| (day.first, day.types)).collect();
    let observed = days.len();
    leave_out_parts(&mut days, &RecordedTime::of(&store.captures(&sensor.name)?), &sensor.zone()?);
    let left_out = observed - days.len();
    // Each day is tested to both sides.
    #[expect(clippy::cast_precision_loss, reason = "a number of days")]
    let p_max = level / (2 * judged_days(days.len())).max(1) as f64;
    let found = jumps(&days, p_max);
    let mut changes: Vec<Change> = found.iter().map(|surge| Change::new(surge, &days)).collect();
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
    let seen: Vec<(Date, Date)> = changes.iter().map(Change::seen_on).collect();
    let groups = groups_of(changes, store, rules)?;
    let jump = |((surge, seen), (types, groups))| Jump { surge, types, seen, groups };
    let jumps = found.into_iter().zip(seen).zip(groups).map(jump).collect();
    Ok(Kinds { sensor, days: spans, coverage, left_out, jumps })
}

/// Leaves out days that were looked at for so short a part of the usual time (the median's) that by this alone their count
/// would be a fall.
#[expect(clippy::cast_precision_loss, reason = "a part of a day")]
fn leave_out_parts(days: &mut Vec<(Date, u64)>, looks: &RecordedTime, zone: &TimeZone) {
    let looked = |day: Date| {
        let next = day.tomorrow().unwrap_or(day);
        looks.within(Day::on(day, zone).start, Day::on(next, zone).start) as f64
    };
    let mut times: Vec<f64> = days.iter().map(|(day, _)| looked(*day)).collect();
    times.sort_unstable_by(f64::total_cmp);
    let usual = times.get(times.len() / 2).copied().unwrap_or(0.0);
    days.retain(|(day, _)| SURGE_RATIO_MIN * looked(*day) >= usual);
}
