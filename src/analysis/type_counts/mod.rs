//! The type count (the number of distinct types per day), its jumps up and down, and the types that make up a
//! jump.

mod change;
mod groups;
mod ports;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::analysis::surge::{SURGE_RATIO_MIN, Surge, surges_and_falls, tested_day_count};
use crate::history::{Coverage, Day, RecordedTime, Sensor, SpanCount};

pub use change::{ChangeCollector, TypeCountChange};
pub use groups::{Group, JumpBuilder};
pub use ports::{GroupProbes, single_probe};

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

/// Returns the type counts of the days that are judged, and the number of days that are left out
/// ([`TypeCounts::left_out`]).
#[must_use]
pub fn judged_days(
    days: &[SpanCount],
    recorded: &RecordedTime,
    zone: &TimeZone,
) -> (Vec<(Date, u64)>, usize) {
    let mut judged: Vec<(Date, u64)> =
        days.iter().filter(|day| day.observed_days > 0).map(|day| (day.first, day.types)).collect();
    let observed = judged.len();
    leave_out_partial_days(&mut judged, recorded, zone);
    let left_out = observed - judged.len();
    (judged, left_out)
}

/// Returns the jumps of the type counts of the judged days, ascending by day. `level` bounds the probability
/// of a false jump (Bonferroni correction over the judged days).
#[must_use]
pub fn type_count_jumps(days: &[(Date, u64)], level: f64) -> Vec<Surge> {
    // Each day is tested in both directions.
    #[expect(clippy::cast_precision_loss, reason = "a number of days")]
    let p_max = level / (2 * tested_day_count(days.len())).max(1) as f64;
    surges_and_falls(days, p_max)
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
