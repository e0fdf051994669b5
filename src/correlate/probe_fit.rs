//! How well the probe signatures of an event fit a sample: likelihood ratios against no cause.
//!
//! The host-days on the sample's series form two classes: those whose probes agree with the sample in every feature that
//! can be compared, and those that differ in at least one. The days before the event give the share of the first class
//! among the background hosts. A cause that brings hosts moves this share towards its own. Features are not weighed one
//! by one, because they are not independent.

use std::ops::Range;

use crate::behavior::Agreement;

use super::fit::{MODEL_HOSTS, log_rising, log_sum};
use super::{SignatureCounts, TraitAgreement};

/// Number of shares between 0 and 1 that likelihoods are averaged over.
const SHARES: usize = 24;
/// Probability that the prior on a cause's share does not apply and any share is equally likely. Variants of a family may
/// build other probes: half of the bots that descend from Mirai lack its sequence number.
const EXCEPTION: f64 = 0.1;
/// Prior on the share of agreeing hosts if the cause has the sample's software: a beta distribution with mean 0.9.
const OWN_SOFTWARE: (f64, f64) = (18.0, 2.0);
/// Prior on this share if the cause has other software: a beta distribution with mean 0.05.
const OTHER_SOFTWARE: (f64, f64) = (1.0, 19.0);
/// Prior on the share of hosts with the sandbox's operating system: a beta distribution with mean 2/3.
const OWN_SYSTEM: (f64, f64) = (2.0, 1.0);
/// Uniform prior on a share.
const ANY: (f64, f64) = (1.0, 1.0);
/// Pseudo-count in host-days: the weight of the share over all series when it is combined with the share on the sample's
/// main series.
const USUAL_HOSTS: f64 = 20.0;
/// An unknown scanner builds its probes as the sample does with at least this probability, and otherwise with at least this
/// probability, because software is sold, copied and changed.
const USUAL_MIN: f64 = 0.02;
/// Drift of the background between the days before and the event: standard deviation of the natural logarithm of the odds
/// of the first class. One deviation doubles or halves the odds.
const DRIFT: f64 = 0.7;
/// Nodes (in standard deviations) and weights of the average over this drift: five-point Gauss-Hermite quadrature.
const DRIFTS: [(f64, f64); 5] =
    [(-2.857, 0.011_26), (-1.356, 0.222_08), (0.0, 0.533_33), (1.356, 0.222_08), (2.857, 0.011_26)];
/// Minimum share of the hosts of a series that a cause must have brought for the series to be used, relative to the largest
/// such share of any series.
const MAIN_PART: f64 = 0.5;

/// The hosts of a sample's series in an event, by how they build their probes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ClassCounts {
    /// Host-days that agree with the sample.
    pub(super) agreeing: f64,
    /// Host-days that differ from it.
    pub(super) differing: f64,
}

impl ClassCounts {
    fn add(&mut self, agreement: Agreement, hosts: f64) {
        match agreement {
            Agreement::Equal => self.agreeing += hosts,
            Agreement::Different => self.differing += hosts,
            Agreement::Unknown => {}
        }
    }

    fn total(&self) -> f64 {
        self.agreeing + self.differing
    }

    /// Returns the share of the first class, if further hosts with a share of their own are added.
    fn share(&self, (hosts, share): (f64, f64)) -> f64 {
        (self.agreeing + hosts * share) / (self.total() + hosts)
    }
}

/// How well the signatures of an event fit a sample at one sensor: logarithms of likelihood ratios against no cause.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ProbeFit {
    /// If the sample is the cause.
    pub(super) sample: f64,
    /// If an unknown scanner that is built as the sample is the cause.
    pub(super) built_alike: f64,
    /// If an unknown scanner that is built otherwise is the cause.
    pub(super) built_otherwise: f64,
    /// The probability that an unknown scanner of the sample's series is built as the sample is; `None` where the
    /// sensor knows no signature that could be compared.
    pub(super) usual: Option<f64>,
    /// The hosts of the event by software.
    pub(super) came: ClassCounts,
    /// The hosts of the days before by software.
    pub(super) before: ClassCounts,
}

/// Returns the logarithm of the likelihood ratio of an unknown scanner against no cause, over several sensors. The scanner
/// builds its probes in the same way at all sensors. `alike_min` is the minimum probability that it builds them as the sample
/// does.
pub(super) fn unknown_log_ratio<'a>(fits: impl Iterator<Item = &'a ProbeFit>, alike_min: f64) -> f64 {
    let (mut alike, mut otherwise, mut usual, mut sensors) = (0.0, 0.0, 0.0, 0.0);
    for fit in fits {
        alike += fit.built_alike;
        otherwise += fit.built_otherwise;
        if let Some(share) = fit.usual {
            (usual, sensors) = (usual + share, sensors + 1.0);
        }
    }
    if sensors <= 0.0 {
        return 0.0;
    }
    let usual = (usual / sensors).clamp(alike_min, 1.0 - USUAL_MIN);
    log_sum(&[usual.ln() + alike, (1.0 - usual).ln() + otherwise])
}

/// Minimum probability that an imitator (an unknown scanner that scans exactly as a sample does) also builds its probes as
/// the sample does: its author may have had the same source code.
pub(super) const IMITATOR_ALIKE_MIN: f64 = 0.1;
/// Minimum probability that any other unknown scanner builds its probes as the sample does.
pub(super) const ALIKE_MIN: f64 = USUAL_MIN;

/// The result of comparing a sample with all signatures that one sensor saw.
#[derive(Clone, Debug)]
pub(super) struct ProbeClasses {
    /// By index of the sensor's signatures.
    agreements: Vec<TraitAgreement>,
    /// Host-days of all series by software, of all days before the one at each place of the sensor's days.
    before: Vec<ClassCounts>,
}

impl ProbeClasses {
    pub(super) fn new(agreements: Vec<TraitAgreement>, counts: &SignatureCounts) -> ProbeClasses {
        let mut sum = ClassCounts::default();
        let mut before = vec![sum];
        for place in 0..counts.days() {
            for (signature, hosts) in counts.on_day(place) {
                sum.add(agreements[signature].software, hosts);
            }
            before.push(sum);
        }
        ProbeClasses { agreements, before }
    }

    /// Returns the share of the sensor's hosts of all series that agree in software, before the day at a place.
    fn usual_before(&self, place: usize) -> f64 {
        let before = self.before.get(place).or_else(|| self.before.last());
        before.copied().unwrap_or_default().share((2.0, 0.5))
    }

    /// Returns how well the signatures of an event fit, if the sample brought these parts of the hosts that came: pairs
    /// of a series and host-days of the sample on it. `came` are the host-days of the event by series.
    pub(super) fn fit(
        &self,
        counts: &SignatureCounts,
        (before, event): (Range<usize>, Range<usize>),
        amounts: &[(usize, f64)],
        came: &dyn Fn(usize) -> f64,
    ) -> ProbeFit {
        let (main, part) = main_series(amounts, came);
        let of = |days: &Range<usize>, of_class: &dyn Fn(&TraitAgreement) -> Agreement| {
            let mut classes = ClassCounts::default();
            for series in &main {
                for (signature, hosts) in counts.hosts(*series, days.clone()) {
                    classes.add(of_class(&self.agreements[signature]), hosts);
                }
            }
            classes
        };
        let software = |agreement: &TraitAgreement| agreement.software;
        let system = |agreement: &TraitAgreement| agreement.system;
        let (came, usual) = (of(&event, &software), of(&before, &software));
        let elsewhere = self.usual_before(event.start);
        let by_software = ClassFit { came, usual: usual.share((1.0, elsewhere)), part };
        let systems = of(&before, &system);
        let by_system = ClassFit { came: of(&event, &system), usual: systems.share((1.0, 0.5)), part };
        let is_known = came.total() > 0.0 || by_system.came.total() > 0.0;
        let any_system = by_system.log_ratio(ANY, 0.0);
        ProbeFit {
            sample: by_software.log_ratio(OWN_SOFTWARE, EXCEPTION) + by_system.log_ratio(OWN_SYSTEM, 0.0),
            built_alike: by_software.log_ratio(OWN_SOFTWARE, EXCEPTION) + any_system,
            built_otherwise: by_software.log_ratio(OTHER_SOFTWARE, EXCEPTION) + any_system,
            usual: is_known.then(|| usual.share((USUAL_HOSTS, elsewhere))),
            came,
            before: usual,
        }
    }
}

/// Returns the series of whose hosts a cause brought the largest parts, and the part of all their hosts that it brought.
fn main_series(amounts: &[(usize, f64)], came: &dyn Fn(usize) -> f64) -> (Vec<usize>, f64) {
    let part = |(series, amount): &(usize, f64)| (amount / came(*series).max(1.0)).min(1.0);
    let most = amounts.iter().map(part).fold(0.0, f64::max);
    let is_main = |one: &&(usize, f64)| most > 0.0 && part(one) >= MAIN_PART * most;
    let (mut main, mut brought, mut all) = (Vec::new(), 0.0, 0.0);
    for (series, amount) in amounts.iter().filter(is_main) {
        main.push(*series);
        brought += amount;
        all += came(*series);
    }
    (main, (brought / f64::max(all, 1.0)).min(1.0))
}

/// The classes of an event's hosts, with what explains them.
struct ClassFit {
    came: ClassCounts,
    /// Share of the first class among the usual hosts.
    usual: f64,
    /// Part of the event's hosts that a cause brought.
    part: f64,
}

impl ClassFit {
    /// Returns the logarithm of the likelihood ratio of a cause against none. The prior on the share of the first class among
    /// the cause's hosts is a beta distribution, or uniform with probability `exception`.
    fn log_ratio(&self, (agreeing, differing): (f64, f64), exception: f64) -> f64 {
        if self.came.total() <= 0.0 || self.part <= 0.0 {
            return 0.0;
        }
        let shares = (0..SHARES).map(|at| (at as f64 + 0.5) / SHARES as f64);
        let density =
            |share: f64| ((agreeing - 1.0) * share.ln() + (differing - 1.0) * (1.0 - share).ln()).exp();
        let whole: f64 = shares.clone().map(density).sum();
        let weighted = shares.flat_map(|share| {
            let weight = (1.0 - exception) * density(share) / whole + exception / SHARES as f64;
            self.usual_shares().map(move |(usual, log_weight)| {
                let mean = (1.0 - self.part) * usual + self.part * share;
                weight.ln() + log_weight + self.log_probability(mean)
            })
        });
        let without = self.usual_shares().map(|(usual, log_weight)| log_weight + self.log_probability(usual));
        log_sum(&weighted.collect::<Vec<_>>()) - log_sum(&without.collect::<Vec<_>>())
    }

    /// Returns the shares that the first class may have among the usual hosts of the event, with the logarithms of their
    /// probabilities.
    fn usual_shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let odds = self.usual / (1.0 - self.usual);
        DRIFTS.into_iter().map(move |(deviations, weight)| {
            let drifted = odds * (DRIFT * deviations).exp();
            (drifted / (1.0 + drifted), weight.ln())
        })
    }

    /// Returns the logarithm of the beta-binomial probability of the class counts for a mean share of the first class,
    /// without the binomial coefficient. The two parameters of the beta distribution sum to [`MODEL_HOSTS`].
    fn log_probability(&self, mean: f64) -> f64 {
        let mean = mean.clamp(0.005, 0.995);
        let (agreeing, differing) = (mean * MODEL_HOSTS, (1.0 - mean) * MODEL_HOSTS);
        log_rising(agreeing, self.came.agreeing) + log_rising(differing, self.came.differing)
            - log_rising(MODEL_HOSTS, self.came.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(agreeing: f64, differing: f64, usual: f64, own: (f64, f64)) -> f64 {
        let came = ClassCounts { agreeing, differing };
        ClassFit { came, usual, part: 1.0 }.log_ratio(own, EXCEPTION)
    }

    #[test]
    fn hosts_that_are_built_as_the_sample_speak_for_it_where_others_are_not() {
        let rare = ratio(40.0, 2.0, 0.02, OWN_SOFTWARE);
        assert!(rare > 15.0, "{rare}");
        assert!(rare > ratio(40.0, 2.0, 0.02, OTHER_SOFTWARE) + 3.0);
        // Where everybody is built so, it says nothing.
        assert!(ratio(40.0, 2.0, 0.95, OWN_SOFTWARE).abs() < 1.0);
    }

    #[test]
    fn hosts_that_are_built_otherwise_speak_against_it_within_reason() {
        let against = ratio(0.0, 300.0, 0.02, OTHER_SOFTWARE) - ratio(0.0, 300.0, 0.02, OWN_SOFTWARE);
        assert!((3.0..7.0).contains(&against), "{against}");
        let system = ratio(0.0, 300.0, 0.5, ANY) - ratio(0.0, 300.0, 0.5, OWN_SYSTEM);
        assert!((0.5..4.0).contains(&system), "{system}");
    }

    #[test]
    fn an_unknown_scanner_is_built_in_one_way_at_all_sensors() {
        let fit =
            ProbeFit { built_alike: 10.0, built_otherwise: 0.0, usual: Some(0.1), ..ProbeFit::default() };
        let three = unknown_log_ratio([fit; 3].iter(), ALIKE_MIN);
        assert!((three - (30.0 + 0.1f64.ln())).abs() < 1e-3, "{three}");
        assert!(unknown_log_ratio([ProbeFit::default()].iter(), ALIKE_MIN).abs() < 1e-12);
    }
}
