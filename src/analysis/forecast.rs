//! Forecasts of counts from the days before them, for many series of one sensor.
//!
//! The past days of a series give its level. Counts stray from their level by scatter, weekly rhythm and drift; one
//! short series does not show how far. All series of a sensor together do: the small ones give the variance of a
//! count as a multiple of Poisson's, and the large ones give the variance of a level relative to its square.

/// Maximum number of past days from which a level is known.
pub const PAST_DAYS_MAX: usize = 56;
/// Days after which a past day counts for half as much. It bounds how long a level lags behind a drift.
const HALF_LIFE_DAYS: f64 = 10.0;
/// Count that is added to the past of a rare series, so that a behavior that was never seen may still come.
const PRIOR_COUNT: f64 = 0.3;
/// Number of days that are added with [`PRIOR_COUNT`].
const PRIOR_DAYS: f64 = 14.0;
/// Days of the forecasts by which the scatter is estimated.
const HORIZON_DAYS: usize = 14;
/// Minimum number of past days of these forecasts.
const PAST_DAYS_MIN: usize = 28;
/// Expected counts from which the multiple of Poisson's variance is estimated. Larger counts give the drift.
const SMALL: std::ops::Range<f64> = 2.0..20.0;
/// Median of the chi-squared distribution with one degree of freedom. Medians leave out the few forecasts within
/// which an outbreak began.
const CHI_SQUARED_MEDIAN: f64 = 0.4549;
/// Assumed multiple of Poisson's variance, and assumed relative variance of the level over [`HORIZON_DAYS`], and the
/// number of forecasts for which these assumptions count.
const USUAL_DISPERSION: f64 = 1.2;
const USUAL_DRIFT: f64 = 0.02;
const ASSUMED_FORECASTS: usize = 8;
/// Maximum drift, as the variance of a level over [`HORIZON_DAYS`] divided by its square. A population whose level
/// changes by some 13 % from day to day has this drift; a larger change is an outbreak.
const DRIFT_MAX: f64 = 0.25;

/// The distribution of a sum of counts as the days before let expect it: a negative binomial distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The expected sum.
    pub mean: f64,
    /// The variance of the sum, at least the mean.
    pub variance: f64,
    /// The part of the variance that comes from the drift of the level.
    pub drift: f64,
}

/// How far the counts of a sensor's series stray from their levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scatter {
    /// Variance of a small sum, in units of Poisson's.
    pub dispersion: f64,
    /// Variance of a large sum of two weeks in units of its square.
    pub drift: f64,
}

/// A level that is known from past days.
struct Level {
    /// Counts per day.
    rate: f64,
    /// Weighted number of counts by which it is known.
    known: f64,
}

impl Level {
    /// Estimates the level after the past days, which ascend; the last [`PAST_DAYS_MAX`] count.
    fn after(past: &[f64]) -> Level {
        let kept = &past[past.len().saturating_sub(PAST_DAYS_MAX)..];
        let all: f64 = kept.iter().sum();
        // The level of a rare series cannot be seen to drift, so that all its past days count alike.
        let is_rare = all < kept.len() as f64;
        let (mut counts, mut days) = if is_rare { (PRIOR_COUNT, PRIOR_DAYS) } else { (0.0, 0.0) };
        let daily = if is_rare { 1.0 } else { (-std::f64::consts::LN_2 / HALF_LIFE_DAYS).exp() };
        let mut weight = 1.0;
        for count in kept.iter().rev() {
            counts += weight * count;
            days += weight;
            weight *= daily;
        }
        Level { rate: counts / days, known: counts }
    }
}

impl Scatter {
    /// Estimates the scatter of series of equal length, by forecasts from many days of each.
    pub fn estimate<'a>(series: impl Iterator<Item = &'a [f64]>) -> Scatter {
        let usual = CHI_SQUARED_MEDIAN * USUAL_DISPERSION;
        let mut small = vec![usual; ASSUMED_FORECASTS];
        let mut large = Vec::new();
        for counts in series {
            let mut from = PAST_DAYS_MIN;
            while from + HORIZON_DAYS <= counts.len() {
                let mean = Level::after(&counts[..from]).rate * HORIZON_DAYS as f64;
                let came: f64 = counts[from..from + HORIZON_DAYS].iter().sum();
                let square = (came - mean).powi(2);
                if SMALL.contains(&mean) {
                    small.push(square / mean);
                } else if mean >= SMALL.end {
                    large.push((mean, square));
                }
                from += HORIZON_DAYS;
            }
        }
        let dispersion = (median(&mut small) / CHI_SQUARED_MEDIAN).max(1.0);
        let mut parts: Vec<f64> = large
            .into_iter()
            .map(|(mean, square)| ((square - dispersion * mean) / (mean * mean)).max(0.0))
            .chain(std::iter::repeat_n(CHI_SQUARED_MEDIAN * USUAL_DRIFT, ASSUMED_FORECASTS))
            .collect();
        Scatter { dispersion, drift: (median(&mut parts) / CHI_SQUARED_MEDIAN).min(DRIFT_MAX) }
    }

    /// Returns the forecast of the sum of a series over some days, in units of the days of its past.
    #[must_use]
    pub fn forecast(&self, past: &[f64], days: f64) -> Forecast {
        let Level { rate, known } = Level::after(past);
        let mean = rate * days;
        // The uncertainty of the level, and its drift from the middle of the past to that of the sum.
        let drift = mean * mean * self.drift * f64::midpoint(1.0, days / HORIZON_DAYS as f64);
        let of_level = mean * mean * self.dispersion / known;
        Forecast { mean, variance: mean * self.dispersion + of_level + drift, drift }
    }
}

fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::SplitMix64;

    /// Returns daily counts of a population. The logarithm of its level takes a random step each day, of standard
    /// deviation `step`.
    fn counts(random: &mut SplitMix64, level: f64, step: f64, days: usize) -> Vec<f64> {
        let mut log = 0.0f64;
        let day = |_| {
            // The sum of twelve uniform numbers is nearly normal, with variance 1.
            log += step * ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0);
            let (mut count, mut left) = (0.0, random.waiting_time(1.0));
            while left < level * log.exp() {
                count += 1.0;
                left += random.waiting_time(1.0);
            }
            count
        };
        (0..days).map(day).collect()
    }

    #[test]
    fn forecasts_hold_for_steady_and_for_drifting_series_of_any_size() {
        for (step, level) in [(0.0, 0.05), (0.0, 2.0), (0.0, 50.0), (0.08, 2.0), (0.08, 50.0)] {
            let mut random = SplitMix64::from_name("forecast", 1);
            let all: Vec<Vec<f64>> = (0..40).map(|_| counts(&mut random, level, step, 150)).collect();
            let scatter = Scatter::estimate(all.iter().map(Vec::as_slice));
            let (mut far, mut asked) = (0, 0);
            for series in &all {
                for from in [60, 80, 100, 120] {
                    let Forecast { mean, variance, .. } = scatter.forecast(&series[..from], 14.0);
                    let came: f64 = series[from..from + 14].iter().sum();
                    far += usize::from((came - mean).abs() > 3.0 * variance.sqrt());
                    asked += 1;
                }
            }
            assert!(far * 20 <= asked, "step {step}, level {level}: {far} of {asked}, {scatter:?}");
        }
    }

    #[test]
    fn an_unseen_behavior_may_come_once_but_not_often() {
        let scatter = Scatter { dispersion: 1.0, drift: 0.02 };
        let Forecast { mean, variance, .. } = scatter.forecast(&[0.0; 56], 28.0);
        assert!((0.05..0.2).contains(&mean) && variance < 0.5, "{mean} {variance}");
    }
}
