//! The probabilities of the causes of an event, by Bayes' rule.
//!
//! Something begins on a day because of a sample's family, or because of a scanner of which nobody has a sample;
//! or nothing begins, and chance or drift made the counts. Each cause has a rate per day and a likelihood ratio
//! against nothing.

use super::fit::log_sum;

/// Prior: one malware family in this number caused an outbreak that is visible in the history.
const FAMILIES_PER_CAUSE: f64 = 20.0;
/// Two causes whose fits differ by no more than this (a likelihood ratio of 12) look alike.
const ALIKE_LOG_RATIO_MAX: f64 = 2.5;
/// A cause with a smaller part of the probability of another one is no rival of it.
const RIVAL_PART: f64 = 0.1;

/// A sample as a cause, as it is weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WeighedCause {
    /// Number of the samples of its family, itself included.
    pub(super) relatives: usize,
    /// Logarithm of the probability that the outbreak of the family began on the day of the event, if there is
    /// one.
    pub(super) log_timing: f64,
    /// Logarithm of the likelihood ratio against no cause.
    pub(super) log_ratio: f64,
}

/// The probabilities of all causes of an event; with `nothing` they sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Posterior {
    /// By sample, in the order given.
    pub(super) samples: Vec<f64>,
    /// Of an unknown scanner.
    pub(super) unknown: f64,
    /// That nothing began.
    pub(super) nothing: f64,
    /// Logarithms of the likelihood ratios of the samples.
    log_ratios: Vec<f64>,
}

impl Posterior {
    /// Weighs samples and unknown scanners against each other and against nothing. Unknown scanners are given by
    /// the logarithms of rate times likelihood ratio; `nothing` is the logarithm of the weight of no new cause. `days` is
    /// the number of days on which the event may have begun.
    pub(super) fn new(samples: &[WeighedCause], unknown: &[f64], nothing: f64, days: f64) -> Posterior {
        let begun = days.max(1.0).ln();
        let log_ratios: Vec<f64> = samples.iter().map(|cause| cause.log_ratio).collect();
        let of_sample = |cause: &WeighedCause| {
            let prior = -(FAMILIES_PER_CAUSE * cause.relatives.max(1) as f64).ln();
            begun + prior + cause.log_timing + cause.log_ratio
        };
        let samples: Vec<f64> = samples.iter().map(of_sample).collect();
        let unknown = begun + log_sum(unknown);
        let all: Vec<f64> = samples.iter().copied().chain([unknown, nothing]).collect();
        let total = log_sum(&all);
        Posterior {
            samples: samples.iter().map(|log| (log - total).exp()).collect(),
            unknown: (unknown - total).exp(),
            nothing: (nothing - total).exp(),
            log_ratios,
        }
    }

    /// Returns the samples that explain the event as well as one does, the most probable first.
    pub(super) fn alike(&self, number: usize) -> Vec<usize> {
        let (ratio, probability) = (self.log_ratios[number], self.samples[number]);
        let is_alike = |other: &usize| {
            let its = self.log_ratios[*other];
            let explain = its.min(ratio) > ALIKE_LOG_RATIO_MAX && (its - ratio).abs() <= ALIKE_LOG_RATIO_MAX;
            *other != number && explain && self.samples[*other] >= RIVAL_PART * probability
        };
        let mut others: Vec<usize> = (0..self.samples.len()).filter(is_alike).collect();
        others.sort_by(|a, b| self.samples[*b].total_cmp(&self.samples[*a]));
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(log_timing: f64, log_ratio: f64) -> WeighedCause {
        WeighedCause { relatives: 1, log_timing, log_ratio }
    }

    #[test]
    fn a_strong_fit_wins_and_equal_fits_share() {
        let rare = -(1_000f64).ln();
        let alone = Posterior::new(&[cause(-4.0, 20.0), cause(-4.0, 0.0)], &[rare + 12.0], 0.0, 1.0);
        assert!(alone.samples[0] > 0.95 && alone.alike(0).is_empty(), "{alone:?}");
        let both = Posterior::new(&[cause(-4.0, 20.0), cause(-4.0, 20.5)], &[rare], 0.0, 1.0);
        assert!((both.samples[0] + both.samples[1]) > 0.95, "{both:?}");
        assert_eq!((both.alike(0), both.alike(1)), (vec![1], vec![0]));
    }

    #[test]
    fn an_unknown_scanner_that_fits_as_well_is_not_ruled_out() {
        let rate = (0.1f64 / 150.0 / 8.0).ln();
        let posterior = Posterior::new(&[cause(-5.0, 30.0)], &[rate + 30.0], 0.0, 1.0);
        assert!(posterior.unknown > 0.1 && posterior.samples[0] > 0.6, "{posterior:?}");
        let quiet = Posterior::new(&[cause(-5.0, 1.0)], &[rate], 0.0, 1.0);
        assert!(quiet.nothing > 0.9, "{quiet:?}");
    }
}
