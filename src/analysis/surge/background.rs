//! The background of a day: the count expected from past days, and the probability of a departure from it.
//!
//! The probability is that of a negative binomial distribution whose variance includes the dispersion of the
//! days and the uncertainty of their mean. For a Poisson series, such as a rare behavior, it equals that of
//! the exact test of two rates given their sum. Falls are tested at the other tail.

use std::collections::VecDeque;

use jiff::civil::Date;
use statrs::function::beta::checked_beta_reg;

use super::{DailySeries, Direction, TESTS_PER_DAY, TestedDay, WEEK, float};

/// Maximum number of past days that form the background: eight weeks.
const PAST_DAYS_MAX: usize = 56;
/// Minimum number of past days for a test: two of each weekday. The test includes the uncertainty of mean and
/// dispersion that so few days leave. Fewer days would include only one weekend.
pub const PAST_DAYS_MIN: usize = 14;
/// Minimum mean count per day for estimates of weekly rhythm and growth. In smaller counts, chance hides
/// both.
const RHYTHM_MEAN_MIN: f64 = 5.0;
/// Maximum rate of growth per day in the background: doubling in four weeks. Faster growth is a surge. For
/// falls, the limit is halving in four weeks.
const GROWTH_PER_DAY_MAX: f64 = std::f64::consts::LN_2 / 28.0;

/// The past days that form the background, at most [`PAST_DAYS_MAX`].
#[derive(Default)]
pub(super) struct PastDays {
    days: VecDeque<(Date, f64)>,
}

/// The expected counts, and the precision with which they are known.
struct BackgroundModel {
    direction: Direction,
    rhythm: WeekdayFactors,
    growth: GrowthTrend,
    /// Variance of a day's count divided by its mean; at least 1.
    dispersion: f64,
    /// Correlation of neighboring days, 0 to 1: the estimate plus one standard error.
    persistence: f64,
    /// Effective number of past days from which the expected count is known.
    effective_days: f64,
}

impl PastDays {
    /// Adds the days with indexes from `next` to `end` (excluded) to the background, and advances `next` to
    /// `end`.
    pub(super) fn add_days(&mut self, days: &DailySeries, next: &mut usize, end: usize) {
        for (day, count) in days.get(*next..end).unwrap_or_default() {
            if self.days.len() == PAST_DAYS_MAX {
                self.days.pop_front();
            }
            self.days.push_back((*day, float(*count)));
        }
        *next = end.max(*next);
    }

    /// Tests the last of these days by its own count and by the sum of its week. The week has at most seven
    /// days and does not begin before the index `from`.
    ///
    /// Returns `None` if there are too few past days, or if the count is not far from the expected one
    /// ([`TestedDay::exceeds_ratio`]).
    pub(super) fn test_day(
        &self,
        days: &DailySeries,
        from: usize,
        direction: Direction,
    ) -> Option<TestedDay> {
        let [.., (day, count)] = days else { return None };
        if self.days.len() < PAST_DAYS_MIN {
            return None;
        }
        let mut norm = self.fit_level(direction);
        let expected = norm.expected(*day);
        // Most days are not far, and estimating the dispersion takes longer than estimating the level.
        if !(TestedDay { day: *day, count: *count, expected, p: 1.0 }).exceeds_ratio(direction) {
            return None;
        }
        self.fit_dispersion(&mut norm);
        let week = &days[from.max(days.len().saturating_sub(WEEK)).min(days.len() - 1)..];
        let p = norm.tail_probability(*count, expected, 1).min(norm.run_probability(week));
        Some(TestedDay { day: *day, count: *count, expected, p: (TESTS_PER_DAY * p).min(1.0) })
    }

    /// Returns the probability that the sum of consecutive days departs at least as far.
    pub(super) fn run_probability(&self, days: &DailySeries, direction: Direction) -> f64 {
        self.fit_background(direction).run_probability(days)
    }

    /// Returns the index of the onset of a departure that was detected on the last of these days. It is the
    /// day of the last week, from index `from` on, since which the counts fit the background least (largest
    /// Poisson likelihood ratio).
    pub(super) fn onset(&self, days: &DailySeries, from: usize, direction: Direction) -> usize {
        let norm = self.fit_background(direction);
        let (mut onset, mut best) = (days.len() - 1, 0.0);
        let (mut sum, mut expected) = (0.0, 0.0);
        for at in (from.max(days.len().saturating_sub(WEEK))..days.len()).rev() {
            let (day, count) = days[at];
            sum += float(count);
            expected += norm.expected(day).max(1.0 / norm.effective_days);
            let far = match direction {
                Direction::Up => sum > expected,
                Direction::Down => sum < expected,
            };
            let of_sum = if sum > 0.0 { sum * (sum / expected).ln() } else { 0.0 };
            let ratio = of_sum - (sum - expected);
            if far && ratio > best {
                (onset, best) = (at, ratio);
            }
        }
        onset
    }

    fn fit_background(&self, direction: Direction) -> BackgroundModel {
        let mut norm = self.fit_level(direction);
        self.fit_dispersion(&mut norm);
        norm
    }

    /// Estimates the expected counts; dispersion and persistence are set by `fit_dispersion`.
    fn fit_level(&self, direction: Direction) -> BackgroundModel {
        let days = float(self.days.len() as u64);
        let mean = self.days.iter().map(|(_, count)| count).sum::<f64>() / days;
        let (rhythm, growth) = if mean < RHYTHM_MEAN_MIN {
            (WeekdayFactors::none(), GrowthTrend::none(mean))
        } else {
            let rhythm = WeekdayFactors::estimate(&self.days, mean);
            let growth = GrowthTrend::estimate(&self.days, &rhythm, direction);
            (rhythm, growth)
        };
        // The fit reduces precision: seven means are estimated instead of one, and a trend is extrapolated.
        let days_known = days / (1.0 + rhythm.parameters + 4.0 * growth.parameters);
        BackgroundModel {
            direction,
            rhythm,
            growth,
            dispersion: 1.0,
            persistence: 0.0,
            effective_days: days_known,
        }
    }

    /// Estimates dispersion and persistence from the residuals of the past days.
    fn fit_dispersion(&self, norm: &mut BackgroundModel) {
        let spent = 1.0 + norm.rhythm.parameters + norm.growth.parameters;
        let fitted: Vec<(f64, f64)> =
            self.days.iter().map(|(day, count)| (*count, norm.expected(*day))).collect();
        norm.persistence = persistence(&fitted);
        norm.dispersion = dispersion(fitted.into_iter(), float(self.days.len() as u64) - spent);
    }
}

/// Returns the estimated correlation of neighboring days plus one standard error. Days with a count of zero
/// do not count as observations in the standard error.
fn persistence(fitted: &[(f64, f64)]) -> f64 {
    let seen = fitted.iter().filter(|(count, _)| *count > 0.0).count();
    let apart = |(count, fit): &(f64, f64)| if *fit > 0.0 { (count - fit) / fit.sqrt() } else { 0.0 };
    let own: f64 = fitted.iter().map(|day| apart(day).powi(2)).sum();
    let neighbours: f64 = fitted.windows(2).map(|pair| apart(&pair[0]) * apart(&pair[1])).sum();
    let correlation = if own > 0.0 { neighbours / own } else { 0.0 };
    (correlation.max(0.0) + 1.0 / float(seen.max(1) as u64).sqrt()).min(1.0)
}

/// Returns the upper end of Pearson's dispersion (one-sided 95 %), because a few weeks determine it only
/// roughly. Returns 1 if the variance does not exceed that of a Poisson series.
fn dispersion(fitted: impl Iterator<Item = (f64, f64)>, freedom: f64) -> f64 {
    let square = |(count, fit): (f64, f64)| if fit > 0.0 { (count - fit).powi(2) / fit } else { 0.0 };
    let pearson: f64 = fitted.map(square).sum();
    // Quantiles of the chi-squared distribution (Wilson and Hilferty).
    let spread = 2.0 / (9.0 * freedom);
    let quantile = |normal: f64| freedom * (1.0 - spread + normal * spread.sqrt()).powi(3);
    if pearson <= quantile(0.0) { 1.0 } else { (pearson / quantile(-1.6449)).max(1.0) }
}

impl BackgroundModel {
    fn expected(&self, day: Date) -> f64 {
        self.rhythm.factor(day) * self.growth.level(day)
    }

    /// Returns the probability that the sum of consecutive days, without the most extreme day, departs at
    /// least as far. The extreme day is left out so that a single day is not detected in seven weeks. In a
    /// surge, the observed sum loses its largest count and the expected sum its largest expectation; in a
    /// fall, both lose the smallest. This is conservative: the observed sum without the day of that
    /// expectation would depart at least as far.
    fn run_probability(&self, days: &DailySeries) -> f64 {
        let counts = || days.iter().map(|(_, count)| *count);
        let expected = || days.iter().map(|(day, _)| self.expected(*day));
        let (farthest, likeliest) = match self.direction {
            Direction::Up => (counts().max(), expected().fold(0.0, f64::max)),
            Direction::Down => (counts().min(), expected().fold(f64::INFINITY, f64::min)),
        };
        let sum = counts().sum::<u64>() - farthest.unwrap_or(0);
        let rest = expected().sum::<f64>() - likeliest;
        if days.len() > 1 { self.tail_probability(sum, rest, days.len() - 1) } else { 1.0 }
    }

    /// Returns the probability that `together` days have a sum of at least `sum`; in a fall, of at most
    /// `sum`.
    fn tail_probability(&self, sum: u64, expected: f64, together: usize) -> f64 {
        let certain = match self.direction {
            Direction::Up => sum == 0,
            Direction::Down => expected <= 0.0,
        };
        if certain {
            return 1.0;
        }
        let dispersion = self.dispersion * self.variance_factor(together);
        let together = float(together as u64);
        let of_days = |mean: f64| if dispersion > 1.0 { (dispersion - 1.0) / mean } else { 0.0 };
        let known = expected / together * self.effective_days;
        // The uncertainty of the mean is common to all days of the sum. For a Poisson series these are the
        // tails of the exact test, with one more host in the past (surge) or one more now (fall).
        let chance = match self.direction {
            Direction::Up => {
                let mean = expected + dispersion * together / self.effective_days;
                let size = 1.0 / (of_days(mean) + dispersion / (known + dispersion));
                checked_beta_reg(float(sum), size, mean / (mean + size))
            }
            Direction::Down => {
                let size = 1.0 / (of_days(expected) + dispersion / known);
                checked_beta_reg(size, float(sum + 1), size / (expected + size))
            }
        };
        chance.unwrap_or(1.0)
    }

    /// Returns the factor by which the correlation of days widens the variance of a sum. The correlation
    /// decreases by the same factor with each day of distance.
    fn variance_factor(&self, days: usize) -> f64 {
        let together = float(days as u64);
        let (mut sum, mut correlation) = (1.0, 1.0);
        for apart in 1..days {
            correlation *= self.persistence;
            sum += 2.0 * (1.0 - float(apart as u64) / together) * correlation;
        }
        sum
    }
}

/// The weekly rhythm: a factor for each day of the week, from Monday.
struct WeekdayFactors {
    factors: [f64; 7],
    parameters: f64,
}

impl WeekdayFactors {
    fn none() -> WeekdayFactors {
        WeekdayFactors { factors: [1.0; 7], parameters: 0.0 }
    }

    /// Estimates the rhythm; it needs at least four weeks of past days.
    fn estimate(days: &VecDeque<(Date, f64)>, mean: f64) -> WeekdayFactors {
        if days.len() < 28 {
            return WeekdayFactors::none();
        }
        let mut sums = [(0.0, 0.0); 7];
        for (day, count) in days {
            let (sum, number) = &mut sums[weekday(*day)];
            *sum += count;
            *number += 1.0;
        }
        // Each weekday gets an additional day with the mean count, so that a weekday with few observations
        // shows no rhythm.
        let factor = |(sum, number): (f64, f64)| (sum + mean) / ((number + 1.0) * mean);
        WeekdayFactors { factors: sums.map(factor), parameters: 6.0 }
    }

    fn factor(&self, day: Date) -> f64 {
        self.factors[weekday(day)]
    }
}

fn weekday(day: Date) -> usize {
    usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())
}

/// A level that grows slowly, or shrinks slowly in tests for falls.
struct GrowthTrend {
    level: f64,
    reference_day: Date,
    rate_per_day: f64,
    parameters: f64,
}

impl GrowthTrend {
    fn none(level: f64) -> GrowthTrend {
        GrowthTrend { level, reference_day: Date::ZERO, rate_per_day: 0.0, parameters: 0.0 }
    }

    /// Estimates growth from the first half of the past days to the second. There is no growth if the change
    /// can be chance.
    fn estimate(days: &VecDeque<(Date, f64)>, rhythm: &WeekdayFactors, direction: Direction) -> GrowthTrend {
        let half = days.len() / 2;
        let mean = |from: usize, to: usize| {
            let sum: f64 = days.range(from..to).map(|(day, count)| count / rhythm.factor(*day)).sum();
            sum / float((to - from) as u64)
        };
        let (before, after) = (mean(0, half), mean(half, days.len()));
        let middle = |at: usize| days[at].0;
        let (from, to) = (middle(half / 2), middle(half + (days.len() - half) / 2));
        let apart = float(from.duration_until(to).as_hours().unsigned_abs() / 24);
        let a_day = (after / before.max(f64::MIN_POSITIVE)).ln() / apart;
        let a_day = match direction {
            Direction::Up => a_day.clamp(0.0, GROWTH_PER_DAY_MAX),
            Direction::Down => a_day.clamp(-GROWTH_PER_DAY_MAX, 0.0),
        };
        let noise =
            (1.0 / (before.max(1.0) * float(half as u64)) + 1.0 / (after * float(half as u64))).sqrt();
        if a_day.abs() * apart <= noise {
            return GrowthTrend::none(mean(0, days.len()));
        }
        GrowthTrend { level: after, reference_day: to, rate_per_day: a_day, parameters: 1.0 }
    }

    fn level(&self, day: Date) -> f64 {
        let hours = self.reference_day.duration_until(day).as_hours();
        #[expect(clippy::cast_precision_loss, reason = "hours of months")]
        let days = hours as f64 / 24.0;
        self.level * (self.rate_per_day * days).exp()
    }
}
