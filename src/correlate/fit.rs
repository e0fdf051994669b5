//! How well a cause explains the counts of an event: a likelihood ratio against no cause.
//!
//! A cause adds `amount` host-days, spread over the series by its shares. The shares that a sensor observes
//! differ from those that a projection predicts, because a run is finite and because loss, rates and systems of
//! other hosts differ. They are taken as those of a sample of [`Shares::known_hosts`] hosts, so that each series
//! has a negative binomial distribution, and no number of hosts makes a wrong model right. The amount is unknown:
//! all its orders of magnitude are as likely, and the likelihood is averaged over them.

use crate::analysis::forecast::Forecast;

use super::{Event, SeriesCount};

/// What a cause does that its shares do not predict, as a part of all that it does. It may lie on any series.
const UNPREDICTED_SHARE: f64 = 0.03;
/// Number of amounts that the likelihood is averaged over, at equal distances of their logarithms.
const AMOUNTS: usize = 12;
/// The smallest amount, in host-days.
const AMOUNT_MIN: f64 = 1.0;
/// What other hosts, networks and recorders make of a projection is as uncertain as if the shares had been
/// observed on this number of hosts.
pub(super) const MODEL_HOSTS: f64 = 20.0;

/// A distribution of a cause's host-days over the series of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// The probability that this distribution is the right one, 0 to 1.
    pub weight: f64,
    /// Share of the host-days by series. The rest, up to 1, would show on series that were never seen.
    pub series: Vec<(usize, f64)>,
    /// Number of hosts whose observation would leave the shares as uncertain as they are.
    pub known_hosts: f64,
}

impl Shares {
    /// Returns the distribution of those host-days that are not on other series than these.
    #[must_use]
    pub fn on_series(&self, kept: &[bool]) -> Shares {
        let (kept, others): (Vec<_>, Vec<_>) = self.series.iter().copied().partition(|(at, _)| kept[*at]);
        let rest = 1.0 - others.iter().map(|(_, share)| share).sum::<f64>();
        let scaled = kept.into_iter().map(|(at, share)| (at, share / rest.max(share)));
        Shares { series: scaled.collect(), ..self.clone() }
    }
}

/// How well a cause explains an event at one sensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fit {
    /// By distribution that the cause may have: the logarithm of its probability, and of its likelihood ratio
    /// against no cause, averaged over amounts. Empty if the event says nothing about the cause.
    by_variant: Vec<(f64, f64)>,
    /// The likeliest amount, in host-days on the series that were asked for.
    pub(super) amount: f64,
    /// Index of the distribution that fits best.
    pub(super) best: usize,
}

/// Returns the logarithm of the likelihood ratio of a cause against none, over several sensors. Which distribution
/// of the cause is the right one is the same at all sensors, where they have the same ones.
pub(super) fn pooled_log_ratio<'a>(fits: impl Iterator<Item = &'a Fit>) -> f64 {
    let fits: Vec<&Fit> = fits.filter(|fit| !fit.by_variant.is_empty()).collect();
    let Some(first) = fits.first() else { return 0.0 };
    let count = first.by_variant.len();
    let averaged = |of: &dyn Fn(usize) -> f64, weights: &[(f64, f64)]| {
        let logs: Vec<f64> = weights.iter().enumerate().map(|(at, (weight, _))| weight + of(at)).collect();
        let total: Vec<f64> = weights.iter().map(|(weight, _)| *weight).collect();
        log_sum(&logs) - log_sum(&total)
    };
    if fits.iter().all(|fit| fit.by_variant.len() == count) {
        let pooled = |at: usize| fits.iter().map(|fit| fit.by_variant[at].1).sum();
        return averaged(&pooled, &first.by_variant);
    }
    fits.iter().map(|fit| averaged(&|at| fit.by_variant[at].1, &fit.by_variant)).sum()
}

/// The counts of those series that were asked for.
pub(super) struct Fitting {
    counts: Vec<SeriesCount>,
    /// Index into `counts` by series of the table; `None` for series that were not asked for.
    places: Vec<Option<usize>>,
    amounts: [f64; AMOUNTS],
    /// Logarithm of the likelihood without a cause.
    without: f64,
}

impl Fitting {
    pub(super) fn new(event: &Event, asked: &[bool]) -> Fitting {
        let mut counts = Vec::new();
        let place = |(count, asked): (&SeriesCount, &bool)| {
            asked.then(|| {
                counts.push(*count);
                counts.len() - 1
            })
        };
        let places = event.counts.iter().zip(asked).map(place).collect();
        let came: f64 = counts.iter().map(|count: &SeriesCount| count.came).sum();
        let steps = (2.0 * came).max(2.0 * AMOUNT_MIN).ln() / (AMOUNTS - 1) as f64;
        let amounts = std::array::from_fn(|number| AMOUNT_MIN * (steps * number as f64).exp());
        let without = counts
            .iter()
            .map(|count| log_probability(count.came, count.expected.mean, count.expected.variance));
        let without = without.sum();
        Fitting { counts, places, amounts, without }
    }

    /// Returns the fit of a cause with these possible distributions.
    pub(super) fn fit(&self, variants: &[Shares]) -> Fit {
        let is_asked = |shares: &Shares| shares.series.iter().any(|(at, _)| self.places[*at].is_some());
        if !variants.iter().any(is_asked) {
            return Fit::default();
        }
        let logs = |shares: &Shares| {
            let ratios = self.spread(shares).log_ratios();
            (shares.weight.max(1e-12).ln(), log_sum(&ratios) - (AMOUNTS as f64).ln())
        };
        let by_variant: Vec<(f64, f64)> = variants.iter().map(logs).collect();
        let weighted = |at: &usize| by_variant[*at].0 + by_variant[*at].1;
        let best = (0..variants.len()).max_by(|a, b| weighted(a).total_cmp(&weighted(b))).unwrap_or(0);
        Fit { by_variant, amount: self.spread(&variants[best]).likeliest_amount(), best }
    }

    /// Returns the logarithm of the likelihood ratio of common growth of all series against independent forecast errors.
    /// Common growth adds host-days to each series in proportion to the standard deviation of its drift.
    pub(super) fn common_drift(&self) -> f64 {
        let deviations: Vec<f64> = self.counts.iter().map(|count| count.expected.drift.sqrt()).collect();
        let all: f64 = deviations.iter().sum();
        if all <= 0.0 {
            return 0.0;
        }
        let shares = deviations.iter().map(|one| one / all).collect();
        let spread =
            SpreadShares { fitting: self, shares, unseen: 0.0, elsewhere: 0.0, known_hosts: MODEL_HOSTS };
        // Half of a normal distribution: growth by so many deviations.
        let steps = (1..=12).map(|step| 0.25 * f64::from(step));
        let weights: Vec<f64> = steps.clone().map(|step| -step * step / 2.0).collect();
        let ratios: Vec<f64> =
            steps.zip(&weights).map(|(step, weight)| weight + spread.log_ratio(step * all)).collect();
        log_sum(&ratios) - log_sum(&weights)
    }

    /// Returns the shares of a distribution by the series that were asked for.
    fn spread(&self, shares: &Shares) -> SpreadShares<'_> {
        let even = UNPREDICTED_SHARE / self.counts.len().max(1) as f64;
        let mut spread = vec![even; self.counts.len()];
        let (mut asked, mut elsewhere) = (0.0, 0.0);
        for (at, share) in &shares.series {
            match self.places.get(*at).copied().flatten() {
                Some(place) => {
                    spread[place] += (1.0 - UNPREDICTED_SHARE) * share;
                    asked += share;
                }
                None => elsewhere += share,
            }
        }
        let unseen = (1.0 - UNPREDICTED_SHARE) * (1.0 - asked - elsewhere).max(0.0);
        SpreadShares { fitting: self, shares: spread, unseen, elsewhere, known_hosts: shares.known_hosts }
    }
}

/// A distribution of a cause's host-days over the series that were asked for.
struct SpreadShares<'a> {
    fitting: &'a Fitting,
    /// By series that was asked for.
    shares: Vec<f64>,
    /// Share on series that were never seen. None of these host-days came, which speaks against the cause.
    unseen: f64,
    /// Share on series that were seen but not asked for.
    elsewhere: f64,
    known_hosts: f64,
}

impl SpreadShares<'_> {
    /// Returns the logarithm of the likelihood ratio of an amount of the cause against none.
    fn log_ratio(&self, amount: f64) -> f64 {
        let variance = |more: f64| more + amount * more / self.known_hosts;
        let of_series = |(count, share): (&SeriesCount, &f64)| {
            let more = amount * share;
            let Forecast { mean, variance: expected, .. } = count.expected;
            log_probability(count.came, mean + more, expected + variance(more))
        };
        let seen: f64 = self.fitting.counts.iter().zip(&self.shares).map(of_series).sum();
        let more = amount * self.unseen;
        seen + log_probability(0.0, more, variance(more)) - self.fitting.without
    }

    /// Returns the logarithms of the likelihood ratios of all amounts of the grid.
    fn log_ratios(&self) -> [f64; AMOUNTS] {
        self.fitting.amounts.map(|amount| self.log_ratio(amount))
    }

    /// Returns the likeliest amount on the series that were asked for, in host-days: the best one of the grid,
    /// refined by golden-section search of its logarithm.
    fn likeliest_amount(&self) -> f64 {
        const GOLDEN: f64 = 0.618_034;
        let ratios = self.log_ratios();
        let best = (0..AMOUNTS).max_by(|a, b| ratios[*a].total_cmp(&ratios[*b])).unwrap_or(0);
        if ratios[best] <= 0.0 {
            return 0.0;
        }
        let amounts = &self.fitting.amounts;
        let (mut low, mut high) =
            (amounts[best.saturating_sub(1)].ln(), amounts[(best + 1).min(AMOUNTS - 1)].ln());
        for _ in 0..8 {
            let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
            if self.log_ratio(left.exp()) > self.log_ratio(right.exp()) { high = right } else { low = left }
        }
        f64::midpoint(low, high).exp() * (1.0 - self.elsewhere).max(0.0)
    }
}

/// Returns the logarithm of the sum of numbers that are given by their logarithms.
pub(super) fn log_sum(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() {
        return most;
    }
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}

/// Returns the logarithm of the probability of a count under a negative binomial distribution of this mean and
/// variance, without the term that depends on the count alone.
fn log_probability(count: f64, mean: f64, variance: f64) -> f64 {
    if mean <= 0.0 {
        return if count > 0.0 { f64::NEG_INFINITY } else { 0.0 };
    }
    let beyond = variance - mean;
    if beyond <= 1e-9 * mean {
        return count * mean.ln() - mean;
    }
    let size = mean * mean / beyond;
    let whole = log_rising(size, count);
    whole - size * (mean / size).ln_1p() + count * (mean / (size + mean)).ln()
}

/// Returns `ln(gamma(size + count) / gamma(size))`.
pub(super) fn log_rising(size: f64, count: f64) -> f64 {
    if count < 12.5 {
        let mut product = 1.0;
        let mut at = 0.0;
        while at < count {
            product *= size + at;
            at += 1.0;
        }
        return product.ln();
    }
    // Small sizes are shifted to where Stirling's series is exact enough.
    let mut shifted = (size, 0.0);
    while shifted.0 < 8.0 {
        shifted = (shifted.0 + 1.0, shifted.1 + shifted.0.ln());
    }
    stirling(size + count) - (stirling(shifted.0) - shifted.1)
}

/// Returns `ln(gamma(x))` but for a constant, for x of at least 8.
fn stirling(x: f64) -> f64 {
    (x - 0.5) * x.ln() - x + 1.0 / (12.0 * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(counts: &[(f64, f64)]) -> Event {
        let count = |(mean, came): &(f64, f64)| SeriesCount {
            came: *came,
            expected: Forecast { mean: *mean, variance: mean + mean * mean / 50.0, drift: 0.0 },
        };
        Event { days: (56, 14), counts: counts.iter().map(count).collect() }
    }

    fn log_ratio(fit: &Fit) -> f64 {
        pooled_log_ratio(std::iter::once(fit))
    }

    fn shares(series: &[(usize, f64)]) -> Vec<Shares> {
        vec![Shares { weight: 1.0, series: series.to_vec(), known_hosts: MODEL_HOSTS }]
    }

    #[test]
    fn the_cause_whose_shares_came_fits_best_beside_a_pandemic() {
        // A pandemic on the first series; thirty hosts more on the second and third.
        let came = event(&[(4_000.0, 4_030.0), (2.0, 22.0), (0.5, 11.0), (5.0, 6.0)]);
        let fitting = Fitting::new(&came, &[true; 4]);
        let right = fitting.fit(&shares(&[(1, 0.65), (2, 0.35)]));
        assert!(log_ratio(&right) > 10.0, "{right:?}");
        assert!((right.amount - 30.0).abs() < 8.0, "{right:?}");
        for wrong in [&[(0, 1.0)][..], &[(3, 1.0)], &[(1, 0.1), (3, 0.9)]] {
            assert!(log_ratio(&fitting.fit(&shares(wrong))) < log_ratio(&right) - 5.0, "{wrong:?}");
        }
    }

    #[test]
    fn nothing_new_speaks_for_no_cause_and_unseen_shares_against_one() {
        let quiet = event(&[(30.0, 31.0), (9.0, 8.0)]);
        assert!(log_ratio(&Fitting::new(&quiet, &[true; 2]).fit(&shares(&[(0, 1.0)]))) < 0.5);
        let came = event(&[(1.0, 30.0), (1.0, 1.0)]);
        let fitting = Fitting::new(&came, &[true; 2]);
        let whole = log_ratio(&fitting.fit(&shares(&[(0, 1.0)])));
        // Half of what the cause does should have shown on series that were never seen.
        assert!(log_ratio(&fitting.fit(&shares(&[(0, 0.5)]))) < whole - 2.0);
        // What lies on series that were not asked for says nothing.
        let part = log_ratio(&Fitting::new(&came, &[true, false]).fit(&shares(&[(0, 0.5), (1, 0.5)])));
        assert!(part > 5.0, "{part}");
    }

    #[test]
    fn many_hosts_do_not_make_a_slightly_different_run_impossible() {
        let seen = shares(&[(0, 0.6), (1, 0.4)]);
        let ratio = |hosts: f64| {
            let came = event(&[(1.0, 0.7 * hosts), (1.0, 0.3 * hosts)]);
            let fitting = Fitting::new(&came, &[true; 2]);
            let exact = shares(&[(0, 0.7), (1, 0.3)]);
            log_ratio(&fitting.fit(&exact)) - log_ratio(&fitting.fit(&seen))
        };
        assert!(ratio(10_000.0).abs() < 2.0, "{}", ratio(10_000.0));
    }

    #[test]
    fn the_negative_binomial_distribution_agrees_with_its_definition() {
        // By the recurrence p(k) = p(k-1) (k - 1 + r) / k * q, without the factor that depends on k alone.
        let (mean, variance) = (7.0f64, 20.0f64);
        let (size, chance) = (mean * mean / (variance - mean), (variance - mean) / variance);
        let mut log = size * (1.0 - chance).ln();
        for count in 0..60u32 {
            let count = f64::from(count);
            let got = log_probability(count, mean, variance);
            assert!((got - log).abs() < 1e-4, "{count}: {got} {log}");
            log += (count + size).ln() + chance.ln();
        }
    }
}
