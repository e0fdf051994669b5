//! Change at a date: level and volatility of unique hosts a day, against the same statistic at other dates.
//!
//! Counts are taken as `ln(1 + hosts)`, so that a rise from 1 to 3 hosts weighs as one from 100 to 300. Days
//! without a value are left out, never read as zero. The p-value is empirical: the rank of the statistic at the
//! date among those at all other dates of the same series that have as many days on both sides.

use jiff::civil::Date;
use serde::Serialize;

/// Unique hosts by day; `None` is no value.
pub type DailyHosts = Vec<(Date, Option<u64>)>;

/// Observed days that each side of a date must have.
const SIDE_DAYS_MIN: usize = 14;
/// Observed days taken of each side, at most.
const SIDE_DAYS_MAX: usize = 60;
/// Other dates that a p-value must stand on: fewer could never reach 5 %.
const NULL_DATES_MIN: usize = 19;

/// A statistic before and after a date, and how unusual the change is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// Mean before: unique hosts a day for level, their mean day-to-day step for volatility.
    pub before: f64,
    /// Mean after.
    pub after: f64,
    /// Share of the other dates with a change at least as large; small means unusual.
    pub p: f64,
}

/// What changed at a date.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangeTest {
    /// The date: the first day of "after".
    #[serde(serialize_with = "as_text")]
    pub date: Date,
    /// Observed days before.
    pub days_before: usize,
    /// Observed days after.
    pub days_after: usize,
    /// Other dates in the null.
    pub null_dates: usize,
    /// Unique hosts a day.
    pub level: Shift,
    /// Their day-to-day step.
    pub volatility: Shift,
}

fn as_text<S: serde::Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

/// Why there is no statistic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStatistic {
    /// The report has no date.
    #[error("the sample's report gives no date to compare with")]
    NoDate,
    /// The date lies outside, or the history is short.
    #[error(
        "{before} observed days before {date} and {after} from then on; {SIDE_DAYS_MIN} of each are needed"
    )]
    ShortHistory {
        /// The date.
        date: Date,
        /// Observed days before.
        before: usize,
        /// Observed days after.
        after: usize,
    },
    /// Too few other dates.
    #[error("only {dates} other dates to compare {date} with; {NULL_DATES_MIN} are needed")]
    NoNull {
        /// The date.
        date: Date,
        /// How many there are.
        dates: usize,
    },
}

/// The level and volatility change of a series at a date.
///
/// # Errors
/// When the history is too short for a comparison, or for a null.
pub fn change_at(series: &[(Date, Option<u64>)], date: Date) -> Result<ChangeTest, NoStatistic> {
    let days: Vec<(Date, u64)> = series.iter().filter_map(|(day, value)| Some((*day, (*value)?))).collect();
    let at = days.partition_point(|(day, _)| *day < date);
    let short = NoStatistic::ShortHistory { date, before: at, after: days.len() - at };
    let tested = Sides::around(&days, at).ok_or(short)?;
    // Neighbours of the date say nearly the same as it does. They belong to the null all the same: without them a
    // date anywhere on a chance hill would count as its top, and 5 % would be 10.
    let null: Vec<Sides> = (0..days.len())
        .filter(|split| *split != at)
        .filter_map(|split| Sides::around(&days, split))
        .collect();
    if null.len() < NULL_DATES_MIN {
        return Err(NoStatistic::NoNull { date, dates: null.len() });
    }
    Ok(ChangeTest {
        date,
        days_before: tested.before.len(),
        days_after: tested.after.len(),
        null_dates: null.len(),
        level: shift(&tested, &null, mean),
        volatility: shift(&tested, &null, mean_step),
    })
}

/// The values of the observed days next to a split.
struct Sides<'a> {
    before: &'a [(Date, u64)],
    after: &'a [(Date, u64)],
}

impl<'a> Sides<'a> {
    fn around(days: &'a [(Date, u64)], at: usize) -> Option<Sides<'a>> {
        let before = &days[at.saturating_sub(SIDE_DAYS_MAX)..at];
        let after = &days[at..days.len().min(at + SIDE_DAYS_MAX)];
        (before.len() >= SIDE_DAYS_MIN && after.len() >= SIDE_DAYS_MIN).then_some(Sides { before, after })
    }
}

type CountScale = fn(u64) -> f64;
type Statistic = fn(&[(Date, u64)], CountScale) -> f64;

#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
fn shift(tested: &Sides<'_>, null: &[Sides<'_>], statistic: Statistic) -> Shift {
    let rise = |sides: &Sides<'_>| statistic(sides.after, logarithm) - statistic(sides.before, logarithm);
    let observed = rise(tested);
    let as_large = null.iter().filter(|sides| rise(sides) >= observed).count();
    Shift {
        before: statistic(tested.before, plain),
        after: statistic(tested.after, plain),
        p: (1 + as_large) as f64 / (1 + null.len()) as f64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "hosts of a day, below 2^52")]
fn plain(hosts: u64) -> f64 {
    hosts as f64
}

fn logarithm(hosts: u64) -> f64 {
    plain(hosts).ln_1p()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
fn mean(days: &[(Date, u64)], scale: CountScale) -> f64 {
    days.iter().map(|(_, hosts)| scale(*hosts)).sum::<f64>() / days.len().max(1) as f64
}

/// The mean step between days that follow each other on the calendar: a gap is no step.
#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
fn mean_step(days: &[(Date, u64)], scale: CountScale) -> f64 {
    let steps: Vec<f64> = days
        .windows(2)
        .filter(|pair| distance(pair[0].0, pair[1].0) == 1)
        .map(|pair| (scale(pair[1].1) - scale(pair[0].1)).abs())
        .collect();
    steps.iter().sum::<f64>() / steps.len().max(1) as f64
}

/// Days between two dates.
fn distance(a: Date, b: Date) -> i64 {
    a.duration_until(b).as_hours().abs() / 24
}

/// The day from which on a series lies on another level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangePoint {
    /// The first day of the new level.
    #[serde(serialize_with = "as_text")]
    pub day: Date,
    /// The last day of the old one: the day before, unless there is no data between.
    #[serde(serialize_with = "as_text")]
    pub last_before: Date,
    /// Share of the series' variance that two levels explain instead of one, 0 to 1.
    pub explained: f64,
}

/// The split of a series into two levels that explains most of its variance (least squares on `ln(1 + hosts)`).
/// `None` for a constant series or fewer than two days.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
pub fn change_point(series: &[(Date, Option<u64>)]) -> Option<ChangePoint> {
    let days: Vec<(Date, f64)> =
        series.iter().filter_map(|(day, value)| Some((*day, logarithm((*value)?)))).collect();
    let count = days.len() as f64;
    let sum: f64 = days.iter().map(|(_, value)| value).sum();
    let total: f64 = days.iter().map(|(_, value)| (value - sum / count).powi(2)).sum();
    let mut left = 0.0;
    let mut best: Option<ChangePoint> = None;
    for at in 1..days.len() {
        left += days[at - 1].1;
        let (before, after) = (at as f64, count - at as f64);
        let between = (left / before - (sum - left) / after).powi(2) * before * after / count;
        let explained = between / total;
        if explained.is_finite() && best.is_none_or(|best| explained > best.explained) {
            best = Some(ChangePoint { day: days[at].0, last_before: days[at - 1].0, explained });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;

    use super::*;

    /// 181 days from 2008-11-01; `hosts` says how many, `None` is an outage.
    fn series(hosts: impl Fn(usize) -> Option<u64>) -> DailyHosts {
        (0..181)
            .map(|at| (date(2008, 11, 1).saturating_add(i64::try_from(at).unwrap().days()), hosts(at)))
            .collect()
    }

    const MARCH_2: Date = date(2009, 3, 2);

    #[test]
    fn a_step_at_the_date_is_unusual_and_elsewhere_it_is_not() {
        let step = series(|at| Some(if at < 121 { 4 } else { 9 } + at as u64 % 3));
        let there = change_at(&step, MARCH_2).unwrap();
        assert!(there.level.p < 0.02, "{there:?}");
        assert!(there.level.after > there.level.before);
        let elsewhere = change_at(&step, date(2008, 12, 20)).unwrap();
        assert!(elsewhere.level.p > 0.3, "{elsewhere:?}");
        assert_eq!(change_point(&step).unwrap().day, MARCH_2);
    }

    #[test]
    fn an_outage_is_no_value() {
        let with_outage = series(|at| match at {
            118..=128 => None,
            _ => Some(10 + at as u64 % 2),
        });
        let change = change_at(&with_outage, MARCH_2).unwrap();
        assert!((change.level.before - change.level.after).abs() < 0.2, "{change:?}");
        assert!((change.volatility.after - 1.0).abs() < 1e-9, "the gap must not be a step: {change:?}");
    }

    #[test]
    fn swings_are_told_from_level() {
        let swings = series(|at| {
            Some(if at < 121 {
                50
            } else if at % 2 == 0 {
                30
            } else {
                70
            })
        });
        let change = change_at(&swings, MARCH_2).unwrap();
        assert!(change.volatility.p < 0.05 && change.volatility.after > 30.0, "{change:?}");
    }

    #[test]
    fn a_short_history_abstains() {
        let short = series(|at| (at < 20).then_some(1));
        assert!(matches!(
            change_at(&short, MARCH_2),
            Err(NoStatistic::ShortHistory { before: 20, after: 0, .. })
        ));
        let no_null = series(|at| (100..140).contains(&at).then_some(1));
        assert!(matches!(change_at(&no_null, MARCH_2), Err(NoStatistic::NoNull { .. })));
        assert_eq!(change_point(&[]), None);
    }
}
