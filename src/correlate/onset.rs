//! When a series rises, and how sure that is: the best split near a date, and its rank among the same statistic at
//! other dates and of other patterns of equal rarity.
//!
//! Days are counts, so a split is judged by the likelihood ratio of two Poisson means instead of one, divided by how
//! much more the days scatter than Poisson's law allows. A sample may be caught late, so the split is looked for in a
//! window about its date, and days far from it cost as much as they are unlikely.

use jiff::civil::Date;

use super::SeriesTable;
use super::rhythm::without_weekdays;
use crate::sample::PartialDate;

/// Observed days taken of each side of a split, at most.
pub(super) const SIDE_DAYS: usize = 28;
/// Observed days that must lie before a split.
pub(super) const BEFORE_DAYS_MIN: usize = 14;
/// And from it on.
pub(super) const AFTER_DAYS_MIN: usize = 3;
/// A sample is caught so many days after its outbreak began, on average, where it is caught after.
const LATE_DAYS: f64 = 30.0;
/// And so many before, where before.
const EARLY_DAYS: f64 = 7.0;
/// Share of samples that are caught, or named, after their outbreak began.
const LATE_SHARE: f64 = 0.85;
/// The farthest that a date can lie from an onset and still have to do with it.
const LATE_DAYS_MAX: i64 = 120;
const EARLY_DAYS_MAX: i64 = 28;
/// Days between the dates that a null is made of.
const NULL_STEP_DAYS: usize = 5;
/// Statistics of other dates and patterns that a p-value must stand on: fewer never reach 5 %.
const NULL_MIN: usize = 40;
/// Maximum ratio of the host-days of two patterns that count as equally rare.
const RARITY_FACTOR: f64 = 4.0;

/// A day as a number.
fn day_number(day: Date) -> i64 {
    const START: Date = Date::constant(1970, 1, 1);
    START.duration_until(day).as_hours() / 24
}

/// Sums that make any split of a series quick.
struct RunningSums {
    values: Vec<f64>,
    /// Of the days' exposure: their number, where dark addresses never changed.
    exposure: Vec<f64>,
    /// Of squared steps from one day to the next.
    steps: Vec<f64>,
}

impl Rise {
    /// The logarithm of the likelihood ratio of a rise against none; 0 for a fall.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.deviations.max(0.0).powi(2) / 2.0
    }

    /// How much likelier it is that nothing began than that something began just then, of so many days on any of which
    /// it might have, before looking at how much rose: the logarithm of a ratio.
    #[must_use]
    pub fn no_onset_log_odds(&self, days: usize) -> f64 {
        (days.max(1) as f64 / self.width.max(1.0)).ln()
    }
}

impl RunningSums {
    /// Days beyond `exposure` count as 1 each.
    fn of(values: &[f64], exposure: &[f64]) -> RunningSums {
        let running = |each: &dyn Fn(usize) -> f64| {
            let mut sum = 0.0;
            let sums = (0..values.len()).map(|at| {
                sum += each(at);
                sum
            });
            std::iter::once(0.0).chain(sums).collect()
        };
        let step = |at: usize| at.checked_sub(1).map_or(0.0, |before| (values[at] - values[before]).powi(2));
        let exposed = |at: usize| exposure.get(at).copied().unwrap_or(1.0);
        RunningSums { values: running(&|at| values[at]), exposure: running(&exposed), steps: running(&step) }
    }

    /// The rise at each split.
    fn rises(&self) -> Vec<Option<f64>> {
        (0..self.values.len() - 1).map(|at| self.rise(at)).collect()
    }

    /// The rise at a split, as twice the logarithm of a likelihood ratio, over-scatter taken out; negative for a fall.
    fn rise(&self, at: usize) -> Option<f64> {
        let count = self.values.len() - 1;
        if at < BEFORE_DAYS_MIN || at + AFTER_DAYS_MIN > count {
            return None;
        }
        let (from, to) = (at.saturating_sub(SIDE_DAYS), count.min(at + SIDE_DAYS));
        let exposed = |from: usize, to: usize| self.exposure[to] - self.exposure[from];
        let (n0, n1) = (exposed(from, at), exposed(at, to));
        let (s0, s1) = (self.values[at] - self.values[from], self.values[to] - self.values[at]);
        // Steps within each side; the one at the split is neither's.
        let (q0, q1) = (self.steps[at] - self.steps[from + 1], self.steps[to] - self.steps[at + 1]);
        let mean = (s0 + s1) / (n0 + n1);
        if mean <= 0.0 {
            return Some(0.0);
        }
        let term = |s: f64, n: f64| if s > 0.0 { s * (s / (n * mean)).ln() } else { 0.0 };
        let ratio = 2.0 * (term(s0, n0) + term(s1, n1));
        // Scatter by steps from day to day, so that growth is no scatter (von Neumann 1941); half a host is added so
        // that empty sides do not divide by 0.
        let scatter = |s: f64, q: f64, n: f64| q / 2.0 / ((s + 0.5) / n);
        let over = ((scatter(s0, q0, n0) + scatter(s1, q1, n1)) / (n0 + n1 - 2.0).max(1.0)).max(1.0);
        Some(if s1 * n0 >= s0 * n1 { ratio / over } else { -ratio / over })
    }
}

/// Logarithm of how likely a sample's date lies so many days after (positive) an onset, a day.
pub(super) fn lag_weight(lag: i64) -> f64 {
    let days = lag.unsigned_abs() as f64;
    match lag >= 0 {
        true => (LATE_SHARE / LATE_DAYS).ln() - days / LATE_DAYS,
        false => ((1.0 - LATE_SHARE) / EARLY_DAYS).ln() - days / EARLY_DAYS,
    }
}

/// The days on which an onset at each observed day may have been: any since the observed day before.
fn onset_days(days: &[Date]) -> Vec<(i64, i64)> {
    let mut before = None;
    days.iter()
        .map(|day| {
            let latest = day_number(*day);
            let earliest = before.replace(latest).map_or(latest, |before: i64| before + 1);
            (earliest, latest)
        })
        .collect()
}

/// Days from an onset to a sample's date, both as first and last number: negative where the date is before.
fn days_late((earliest, latest): (i64, i64), (first, last): (i64, i64)) -> i64 {
    if latest < first {
        first - latest
    } else if earliest > last {
        last - earliest
    } else {
        0
    }
}

fn day_numbers(span: PartialDate) -> (i64, i64) {
    (day_number(span.first), day_number(span.last))
}

/// A rise of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// The place of its first day among the observed days.
    pub place: usize,
    /// That day.
    pub day: Date,
    /// Days from it to the sample's date, negative where the date is before; `None` without a date.
    pub days_late: Option<i64>,
    /// The likelihood ratio of two levels against one, as a number of standard deviations.
    pub deviations: f64,
    /// What it is ranked by: half the squared deviations, less what the distance from the sample's date costs.
    weight: f64,
    /// Days on which it may as well have begun, each counted for as much as it is less likely than the best: one or two of
    /// a step, many of a chance hill.
    width: f64,
}

/// Days from an onset at a place to each of some dates.
pub(super) fn lags(
    days: &[Date],
    place: usize,
    dates: impl Iterator<Item = Option<PartialDate>>,
) -> Vec<Option<i64>> {
    let onset = onset_days(days).get(place).copied();
    dates.map(|date| date.zip(onset).map(|(date, onset)| days_late(onset, day_numbers(date)))).collect()
}

/// The best rise of a series near a date, or anywhere without one; `exposure` is that of a [`SeriesTable`]. `None` where the
/// history is too short.
#[must_use]
pub fn rise(days: &[Date], exposure: &[f64], values: &[f64], date: Option<PartialDate>) -> Option<Rise> {
    let sums = RunningSums::of(&without_weekdays(days, values), exposure);
    let found = best_split(&onset_days(days), &sums.rises(), date.map(day_numbers))?;
    let BestSplit { place, days_late: late, ratio, weight, width } = found;
    let deviations = ratio.abs().sqrt().copysign(ratio);
    Some(Rise { place, day: *days.get(place)?, days_late: late, deviations, weight, width })
}

/// The best split of a series.
#[derive(Clone, Copy)]
struct BestSplit {
    place: usize,
    days_late: Option<i64>,
    ratio: f64,
    weight: f64,
    width: f64,
}

fn best_split(began: &[(i64, i64)], rises: &[Option<f64>], date: Option<(i64, i64)>) -> Option<BestSplit> {
    let mut found: Option<BestSplit> = None;
    let mut weights = Vec::new();
    for (place, (onset, ratio)) in began.iter().zip(rises).enumerate() {
        let Some(ratio) = *ratio else { continue };
        let late = date.map(|date| days_late(*onset, date));
        if late.is_some_and(|late| !(-EARLY_DAYS_MAX..=LATE_DAYS_MAX).contains(&late)) {
            continue;
        }
        let weight = ratio / 2.0 + late.map_or(0.0, lag_weight);
        weights.push(weight);
        if found.is_none_or(|found| weight > found.weight) {
            found = Some(BestSplit { place, days_late: late, ratio, weight, width: 1.0 });
        }
    }
    let width = |found: BestSplit| weights.iter().map(|weight| (weight - found.weight).exp()).sum();
    found.map(|found| BestSplit { width: width(found), ..found })
}

/// The same statistic of a sensor's patterns at many dates.
#[derive(Clone, Debug)]
pub struct NullDistribution {
    /// By pattern: host-days, and the statistic at each date.
    dated: Vec<(f64, Vec<f64>)>,
    /// And the best of all dates.
    undated: Vec<(f64, f64)>,
}

impl NullDistribution {
    /// The null of a sensor.
    #[must_use]
    pub fn from_series(ledger: &SeriesTable) -> NullDistribution {
        let days = &ledger.days;
        let began = onset_days(days);
        let dates: Vec<i64> = days.iter().step_by(NULL_STEP_DAYS).map(|day| day_number(*day)).collect();
        let mut null = NullDistribution { dated: Vec::new(), undated: Vec::new() };
        for series in &ledger.peers {
            let total: f64 = series.iter().sum();
            let rises = RunningSums::of(&without_weekdays(days, series), &ledger.exposure).rises();
            let at = |day: &i64| best_split(&began, &rises, Some((*day, *day))).map(|found| found.weight);
            null.dated.push((total, dates.iter().filter_map(at).collect()));
            null.undated.extend(best_split(&began, &rises, None).map(|found| (total, found.weight)));
        }
        null
    }

    /// The share of dates and patterns of equal rarity with a rise as strong; `None` where there are too few.
    #[must_use]
    pub fn rank(&self, rise: &Rise, host_days: f64, dated: bool) -> Option<f64> {
        let equal = |total: f64| {
            let (a, b) = (total.max(1.0), host_days.max(1.0));
            a <= b * RARITY_FACTOR && b <= a * RARITY_FACTOR
        };
        let all: Vec<f64> = match dated {
            true => {
                let near = self.dated.iter().filter(|(total, _)| equal(*total));
                near.flat_map(|(_, weights)| weights.iter().copied()).collect()
            }
            false => {
                self.undated.iter().filter(|(total, _)| equal(*total)).map(|(_, weight)| *weight).collect()
            }
        };
        if all.len() < NULL_MIN {
            return None;
        }
        let as_strong = all.iter().filter(|weight| **weight >= rise.weight).count();
        Some((1 + as_strong) as f64 / (1 + all.len()) as f64)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::correlate::change_at;
    use crate::sample::SplitMix64;

    fn days(count: usize) -> Vec<Date> {
        date(2009, 1, 1).series(jiff::Span::new().days(1)).take(count).collect()
    }

    /// Hosts a day about a level that wanders, with a weekly rhythm and bursts: what darknets show when nothing begins.
    fn quiet(random: &mut SplitMix64, count: usize) -> Vec<f64> {
        let mut level = 1.0 + random.unit() * 20.0;
        let value = |at: usize| {
            level = (level * (0.9 + 0.2 * random.unit())).clamp(0.5, 60.0);
            let weekend = if at % 7 >= 5 { 0.7 } else { 1.0 };
            let burst = if random.below(40) == 0 { 3.0 } else { 1.0 };
            let (mut hosts, mut left) = (0.0, random.waiting_time(1.0));
            while left < level * weekend * burst {
                hosts += 1.0;
                left += random.waiting_time(1.0);
            }
            hosts
        };
        (0..count).map(value).collect()
    }

    #[test]
    fn five_percent_of_quiet_dates_are_called_unusual_at_five_percent() {
        let days = days(181);
        let mut random = SplitMix64::new(5);
        let (mut rises, mut levels, mut volatilities, mut asked) = (0, 0, 0, 0);
        for _ in 0..40 {
            let peers: Vec<Vec<f64>> = (0..24).map(|_| quiet(&mut random, days.len())).collect();
            let mut ledger = SeriesTable::default();
            (ledger.days, ledger.peers) = (days.clone(), peers.clone());
            let null = NullDistribution::from_series(&ledger);
            for series in &peers {
                let at = 20 + usize::try_from(random.below(140)).unwrap();
                let pivot = PartialDate { first: days[at], last: days[at] };
                let rise = rise(&days, &[], series, Some(pivot)).unwrap();
                let p = null.rank(&rise, series.iter().sum(), true).unwrap();
                #[expect(clippy::cast_possible_truncation, reason = "hosts of a day")]
                let counts: Vec<_> =
                    days.iter().zip(series).map(|(day, hosts)| (*day, Some(*hosts as u64))).collect();
                let change = change_at(&counts, days[at]).unwrap();
                rises += u32::from(p <= 0.05);
                levels += u32::from(change.level.p <= 0.05);
                volatilities += u32::from(change.volatility.p <= 0.05);
                asked += 1;
            }
        }
        for (name, count) in [("rise", rises), ("level", levels), ("volatility", volatilities)] {
            let share = f64::from(count) / f64::from(asked);
            // 960 questions that are not independent of each other: two per cent either way.
            assert!((0.02..=0.07).contains(&share), "{name}: {share}");
        }
    }

    #[test]
    fn an_outbreak_is_found_to_the_day_and_an_early_date_costs_more_than_a_late_one() {
        let days = days(150);
        let step: Vec<f64> = (0..150u32).map(|at| if at < 80 { 1.0 } else { 6.0 }).collect();
        for caught in [80usize, 100, 140] {
            let pivot = PartialDate { first: days[caught], last: days[caught] };
            let found = rise(&days, &[], &step, Some(pivot)).unwrap();
            assert_eq!((found.place, found.days_late), (80, Some(i64::try_from(caught).unwrap() - 80)));
            assert!(found.deviations > 4.0);
        }
        assert!(lag_weight(20) > lag_weight(-20));
        // Six times the addresses, six times the hosts: nothing began.
        let exposure: Vec<f64> = step.iter().map(|hosts| hosts / 3.5).collect();
        let pivot = PartialDate { first: days[90], last: days[90] };
        assert!(rise(&days, &exposure, &step, Some(pivot)).unwrap().deviations < 0.1);
        assert_eq!(rise(&days[..10], &[], &step[..10], None), None);
    }
}
