//! One sensor's view of an event: how well each sample, and each unknown scanner, explains it; and the probabilities of
//! all causes by several such views.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use crate::analysis::forecast::Scatter;
use crate::behavior::BehaviorId;
use crate::sample::{PartialDate, ScanVariant};

use super::fit::{Fit, Fitting, log_sum, pooled_log_ratio};
use super::lag::onset_probability;
use super::posterior::{Posterior, WeighedCause};
use super::probe_fit::{ALIKE_MIN, IMITATOR_ALIKE_MIN, ProbeClasses, ProbeFit, unknown_log_ratio};
use super::shares::shares_on;
use super::unknown_scanners::UnknownScanners;
use super::{Candidate, EnabledEvidence, Event, SeriesTable, Shares};

/// The probability that the populations of the series that are asked for grow together, if they grow: hosts with one
/// behavior are often on several series.
const COMMON_DRIFT: f64 = 0.5;
/// Share of the unknown scanners of a habit that scan exactly as a sample with this habit does (imitators), because source
/// code of malware is sold and published.
const IMITATORS: f64 = 0.5;

/// What is known of a sensor before any event is weighed.
pub(super) struct PreparedSensor<'a> {
    pub(super) table: &'a SeriesTable,
    /// The shares of all candidates, by period of equal dark addresses (its first day, if there are several).
    shares: BTreeMap<Option<Date>, Vec<Vec<Shares>>>,
    /// By candidate: how the sensor's signatures agree with it; `None` where nothing can be compared.
    probes: Vec<Option<ProbeClasses>>,
    unknown: UnknownScanners,
    scatter: Scatter,
}

impl<'a> PreparedSensor<'a> {
    pub(super) fn new(table: &'a SeriesTable, candidates: &[Candidate]) -> PreparedSensor<'a> {
        let variants = candidates.iter().flat_map(|candidate| &candidate.variants);
        let mut periods: BTreeSet<Option<Date>> =
            variants.filter_map(|variant| variant.days).map(|(first, _)| Some(first)).collect();
        if periods.is_empty() {
            periods.insert(None);
        }
        let in_period = |period: Option<Date>| {
            let of = |candidate: &Candidate| {
                let applies = |one: &&ScanVariant| period.is_none_or(|day| one.applies_on(day));
                let variants: Vec<ScanVariant> = candidate.variants.iter().filter(applies).cloned().collect();
                shares_on(table, &variants, candidate.run_contacts)
            };
            (period, candidates.iter().map(of).collect())
        };
        let classes = |candidate: &Candidate| {
            let signatures = table.signatures.signatures();
            let agreements = signatures.iter().map(|seen| candidate.probes.compare(seen)).collect();
            (!candidate.probes.is_empty()).then(|| ProbeClasses::new(agreements, &table.signatures))
        };
        PreparedSensor {
            probes: candidates.iter().map(classes).collect(),
            shares: periods.into_iter().map(in_period).collect(),
            unknown: UnknownScanners::new(table),
            scatter: Scatter::estimate(table.series.iter().map(|series| series.hosts.as_slice())),
            table,
        }
    }

    /// Returns the shares of all candidates on the addresses that were dark on a day.
    pub(super) fn shares(&self, day: Date) -> &[Vec<Shares>] {
        let period = self.shares.range(..=Some(day)).next_back().or_else(|| self.shares.iter().next());
        period.map_or(&[], |(_, shares)| shares.as_slice())
    }

    /// Returns the event that begins on a day and lasts for at most that many observed days.
    pub(super) fn event(&self, day: Date, lasting: usize, asked: &[bool]) -> Event {
        Event::at(self.table, self.table.place_from(day), lasting, &self.scatter, asked)
    }

    /// Returns how well each candidate, and each unknown scanner, explains an event.
    pub(super) fn weigh(&self, asked: &AskedEvent<'_>, enabled: &EnabledEvidence) -> SensorFits {
        let fitting = Fitting::new(asked.event, asked.series);
        let shares = self.shares(asked.day);
        let samples: Vec<Fit> = shares.iter().map(|variants| fitting.fit(variants)).collect();
        let best: Vec<Option<&Shares>> =
            shares.iter().zip(&samples).map(|(variants, fit)| variants.get(fit.best)).collect();
        let probe_fit = |number: usize| {
            let best = best[number].filter(|_| enabled.signatures);
            best.map_or_else(ProbeFit::default, |best| {
                self.probe_fit(number, best, samples[number].amount, asked)
            })
        };
        let probes: Vec<ProbeFit> = (0..samples.len()).map(probe_fit).collect();
        let habits: Vec<Option<BehaviorId>> = best.iter().map(|shares| self.main_habit((*shares)?)).collect();
        let unknown = match enabled.unknown_scanners {
            true => self.unknown_scanners(&fitting, asked, &habits, &probes),
            false => BTreeMap::new(),
        };
        let rate = |habit: &Option<BehaviorId>| unknown.get(&(*habit)?).map(|unknown| unknown.log_rate);
        let imitators = habits.iter().map(rate).collect();
        SensorFits { samples, probes, unknown, imitators, drift: fitting.common_drift() }
    }

    /// Returns the habit that a distribution has most.
    fn main_habit(&self, shares: &Shares) -> Option<BehaviorId> {
        let (main, _) = shares.series.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(self.table.series[*main].habit)
    }

    /// Returns the unknown scanners by habit. `habits` and `probes` are by sample. Probes are only compared with samples, so
    /// the best likelihood ratio over the samples of a habit counts for its unknown scanners.
    fn unknown_scanners(
        &self,
        fitting: &Fitting,
        asked: &AskedEvent<'_>,
        habits: &[Option<BehaviorId>],
        probes: &[ProbeFit],
    ) -> BTreeMap<BehaviorId, UnknownFit> {
        let place = self.table.place_from(asked.day);
        let weighed = self.unknown.at(self.table, place, asked.series).into_iter().map(|scanner| {
            let of_habit = habits.iter().zip(probes).filter(|(habit, _)| **habit == Some(scanner.habit));
            let ratio = |probes: &ProbeFit| unknown_log_ratio(std::iter::once(probes), ALIKE_MIN);
            let best = of_habit.map(|(_, probes)| *probes).max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
            let fit = fitting.fit(&scanner.shares);
            let log_ratio = pooled_log_ratio(std::iter::once(&fit)) + scanner.log_volumes;
            let probes = best.unwrap_or_default();
            (scanner.habit, UnknownFit { log_rate: scanner.log_rate, log_ratio, probes })
        });
        weighed.collect()
    }

    /// Returns how well the signatures of an event fit a candidate that brought `amount` host-days with these shares.
    fn probe_fit(&self, number: usize, shares: &Shares, amount: f64, asked: &AskedEvent<'_>) -> ProbeFit {
        let Some(classes) = &self.probes[number] else { return ProbeFit::default() };
        let AskedEvent { day, event, series } = asked;
        let kept: Vec<(usize, f64)> = shares.series.iter().copied().filter(|(at, _)| series[*at]).collect();
        let all: f64 = kept.iter().map(|(_, share)| share).sum();
        let part = amount / all.max(f64::MIN_POSITIVE);
        let amounts: Vec<(usize, f64)> = kept.into_iter().map(|(at, share)| (at, share * part)).collect();
        let place = self.table.place_from(*day);
        let (before, lasting) = event.days;
        let days = (place - before..place, place..place + lasting);
        classes.fit(&self.table.signatures, days, &amounts, &|series| event.counts[series].came)
    }
}

/// How well an unknown scanner of one habit explains an event at one sensor.
#[derive(Clone, Copy, Debug)]
struct UnknownFit {
    /// Logarithm of its rate per day.
    log_rate: f64,
    /// Logarithm of the likelihood ratio of the counts.
    log_ratio: f64,
    /// How well its probes fit, as they are compared with a sample of the habit.
    probes: ProbeFit,
}

/// An event with the series of the table that are asked for.
pub(super) struct AskedEvent<'e> {
    /// Its first day.
    pub(super) day: Date,
    pub(super) event: &'e Event,
    /// By series of the table, whether it is asked for.
    pub(super) series: &'e [bool],
}

/// How well each cause explains an event at one sensor.
#[derive(Clone, Debug)]
pub(super) struct SensorFits {
    pub(super) samples: Vec<Fit>,
    /// By sample: how well it fits the signatures.
    pub(super) probes: Vec<ProbeFit>,
    /// By habit.
    unknown: BTreeMap<BehaviorId, UnknownFit>,
    /// By sample: the logarithm of the rate per day of unknown scanners with the habit that it shows most.
    imitators: Vec<Option<f64>>,
    /// Logarithm of the likelihood ratio of common growth of the populations that were there before.
    drift: f64,
}

/// What is known of the candidates before any sensor is asked.
pub(super) struct CandidatePriors {
    /// By candidate: the date of the sample, if there is one and dates count.
    dates: Vec<Option<PartialDate>>,
    /// By candidate: the index of its family.
    family_of: Vec<usize>,
    /// By family: its candidates, ascending.
    families: Vec<Vec<usize>>,
}

impl CandidatePriors {
    pub(super) fn new(candidates: &[Candidate], enabled: &EnabledEvidence) -> CandidatePriors {
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut families: Vec<Vec<usize>> = Vec::new();
        let mut family_of = Vec::new();
        for (number, candidate) in candidates.iter().enumerate() {
            let name = candidate.family.as_deref().filter(|_| enabled.families);
            // A candidate without a family is one by itself.
            let new = families.len();
            let family = name.map_or(new, |name| *known.entry(name).or_insert(new));
            if family == new {
                families.push(Vec::new());
            }
            families[family].push(number);
            family_of.push(family);
        }
        let dates = candidates.iter().map(|candidate| candidate.date.filter(|_| enabled.timing));
        CandidatePriors { dates: dates.collect(), family_of, families }
    }

    /// Returns the candidates of the family of one, itself included, ascending.
    pub(super) fn relatives(&self, number: usize) -> &[usize] {
        &self.families[self.family_of[number]]
    }
}

/// Returns the logarithm of the largest Bayes factor of a cause against none that a p-value allows: 1 / (-e p ln p), or 1
/// if p is at least 1/e (T. Sellke, M. J. Bayarri, J. O. Berger, Calibration of p Values for Testing Precise Null
/// Hypotheses, The American Statistician 55, 2001). It bounds the average over the possible days of the onset. A p-value of
/// 0 bounds nothing.
fn log_ratio_max(p: f64) -> f64 {
    if p <= 0.0 {
        f64::INFINITY
    } else if p * std::f64::consts::E >= 1.0 {
        0.0
    } else {
        -(-std::f64::consts::E * p * p.ln()).ln()
    }
}

/// Returns the posterior of one event that several sensors saw: the likelihoods of the sensors are multiplied, and
/// each sensor has an amount of its own. `observed` is the number of days of the history; `days` is the number of days
/// on which the event may have begun. `p` is the p-value of the rise: the probability that a rise at least this strong occurs
/// on some day although nothing began.
pub(super) fn pooled_posterior(
    fits: &[&SensorFits],
    priors: &CandidatePriors,
    (day, observed): (Date, usize),
    days: f64,
    p: f64,
) -> Posterior {
    let counts_log_ratio = |number: usize| pooled_log_ratio(fits.iter().map(|fits| &fits.samples[number]));
    let cause = |number: usize| {
        let even = 1.0 / observed.max(1) as f64;
        let timing = priors.dates[number].map_or(even, |date| onset_probability(day, date));
        WeighedCause {
            relatives: priors.relatives(number).len(),
            log_timing: timing.ln(),
            log_ratio: counts_log_ratio(number)
                + fits.iter().map(|fits| fits.probes[number].sample).sum::<f64>(),
        }
    };
    let samples: Vec<WeighedCause> = (0..priors.dates.len()).map(cause).collect();
    let imitator = |(number, sample): (usize, &WeighedCause)| {
        let rates: Vec<f64> = fits.iter().filter_map(|fits| fits.imitators[number]).collect();
        let rate = log_sum(&rates) - (rates.len() as f64 * sample.relatives as f64).ln();
        let probes = fits.iter().map(|fits| &fits.probes[number]);
        let log_ratio = counts_log_ratio(number) + unknown_log_ratio(probes, IMITATOR_ALIKE_MIN);
        (!rates.is_empty()).then(|| rate + IMITATORS.ln() + log_ratio)
    };
    let imitators: Vec<f64> = samples.iter().enumerate().filter_map(imitator).collect();
    let mut unknown: BTreeMap<&BehaviorId, Vec<&UnknownFit>> = BTreeMap::new();
    for (habit, fit) in fits.iter().flat_map(|fits| &fits.unknown) {
        unknown.entry(habit).or_default().push(fit);
    }
    let others = unknown.into_values().map(|sensors| {
        let rates: f64 = sensors.iter().map(|fit| fit.log_rate.exp()).sum();
        let counts: f64 = sensors.iter().map(|fit| fit.log_ratio).sum();
        let probes = unknown_log_ratio(sensors.iter().map(|fit| &fit.probes), ALIKE_MIN);
        (rates / sensors.len() as f64).ln() + (1.0 - IMITATORS).ln() + counts + probes
    });
    let unknown: Vec<f64> = others.chain(imitators).collect();
    let drift = COMMON_DRIFT.ln() + fits.iter().map(|fits| fits.drift).sum::<f64>();
    let nothing = log_sum(&[(1.0 - COMMON_DRIFT).ln(), drift]);
    let most = (0..samples.len()).map(|number| samples[number].log_timing + counts_log_ratio(number));
    let nothing = nothing.max(most.fold(f64::NEG_INFINITY, f64::max) - log_ratio_max(p));
    Posterior::new(&samples, &unknown, nothing, days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p_value_bounds_the_bayes_factor() {
        assert_eq!((log_ratio_max(0.0), log_ratio_max(0.5), log_ratio_max(1.0)), (f64::INFINITY, 0.0, 0.0));
        // The table of the authors: a p-value of 0.05 allows odds of 2.46 to 1, one of 0.001 allows 53.
        assert!((log_ratio_max(0.05).exp() - 2.456).abs() < 0.001, "{}", log_ratio_max(0.05).exp());
        assert!((log_ratio_max(0.001).exp() - 53.25).abs() < 0.1, "{}", log_ratio_max(0.001).exp());
    }
}
