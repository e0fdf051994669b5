//! One sensor's view of an event: how well each sample, and each unknown scanner, explains it; and the probabilities of
//! all causes by several such views.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::analysis::forecast::Scatter;
use crate::behavior::BehaviorId;
use crate::sample::ScanVariant;

use super::candidate::are_related;
use super::fit::{Fit, Fitting, log_sum, pooled_log_ratio};
use super::lag::onset_probability;
use super::posterior::{Posterior, WeighedCause};
use super::shares::shares_on;
use super::unknown_scanners::UnknownScanners;
use super::{Candidate, EnabledEvidence, Event, SeriesTable, Shares};

/// Share of the unknown scanners of a habit that scan just as a sample with this habit does: source code of malware
/// is sold and published, and one of its offspring is as good as another to a sensor.
const IMITATORS: f64 = 0.5;

/// What is known of a sensor before any event is weighed.
pub(super) struct PreparedSensor<'a> {
    pub(super) table: &'a SeriesTable,
    pub(super) candidates: &'a [Candidate],
    /// The shares of all candidates, by period of equal dark addresses (its first day, if there are several).
    shares: BTreeMap<Option<Date>, Vec<Vec<Shares>>>,
    unknown: UnknownScanners,
    scatter: Scatter,
}

impl<'a> PreparedSensor<'a> {
    pub(super) fn new(table: &'a SeriesTable, candidates: &'a [Candidate]) -> PreparedSensor<'a> {
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
        PreparedSensor {
            shares: periods.into_iter().map(in_period).collect(),
            unknown: UnknownScanners::new(table),
            scatter: Scatter::estimate(table.series.iter().map(|series| series.hosts.as_slice())),
            table,
            candidates,
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

    /// Returns how well each candidate, and each unknown scanner, explains an event on some series.
    pub(super) fn weigh(
        &self,
        day: Date,
        event: &Event,
        asked: &[bool],
        enabled: &EnabledEvidence,
    ) -> SensorFits {
        let fitting = Fitting::new(event, asked);
        let shares = self.shares(day);
        let samples: Vec<Fit> = shares.iter().map(|variants| fitting.fit(variants)).collect();
        let mut unknown = BTreeMap::new();
        if enabled.unknown_scanners {
            for scanner in self.unknown.at(self.table, self.table.place_from(day), asked) {
                let fit = fitting.fit(&scanner.shares);
                let log_ratio = pooled_log_ratio(std::iter::once(&fit)) + scanner.log_volumes;
                unknown.insert(scanner.habit, (scanner.log_rate, log_ratio));
            }
        }
        let imitator = |(variants, fit): (&Vec<Shares>, &Fit)| {
            let series = &variants.get(fit.best)?.series;
            let (main, _) = series.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            unknown.get(&self.table.series[*main].habit).map(|(rate, _)| *rate)
        };
        let imitators = shares.iter().zip(&samples).map(imitator).collect();
        SensorFits { samples, unknown, imitators }
    }
}

/// How well each cause explains an event at one sensor.
#[derive(Clone, Debug)]
pub(super) struct SensorFits {
    pub(super) samples: Vec<Fit>,
    /// By habit: logarithms of the rate per day and of the likelihood ratio.
    unknown: BTreeMap<BehaviorId, (f64, f64)>,
    /// By sample: the logarithm of the rate per day of unknown scanners with the habit that it shows most.
    imitators: Vec<Option<f64>>,
}

/// Returns the posterior of one event that several sensors saw: the likelihoods of the sensors are multiplied, and
/// each sensor has an amount of its own. `days` is the number of days on any of which the event may have begun.
pub(super) fn pooled_posterior(
    fits: &[&SensorFits],
    candidates: &[Candidate],
    (day, observed): (Date, usize),
    days: f64,
    enabled: &EnabledEvidence,
) -> Posterior {
    let relatives = family_sizes(candidates, enabled);
    let cause = |number: usize| {
        let even = 1.0 / observed.max(1) as f64;
        let timing = match candidates[number].date.filter(|_| enabled.timing) {
            Some(date) => onset_probability(day, date),
            None => even,
        };
        WeighedCause {
            relatives: relatives[number],
            log_timing: timing.ln(),
            log_ratio: pooled_log_ratio(fits.iter().map(|fits| &fits.samples[number])),
        }
    };
    let samples: Vec<WeighedCause> = (0..candidates.len()).map(cause).collect();
    let imitator = |(number, sample): (usize, &WeighedCause)| {
        let rates: Vec<f64> = fits.iter().filter_map(|fits| fits.imitators[number]).collect();
        let rate = log_sum(&rates) - (rates.len() as f64 * sample.relatives as f64).ln();
        (!rates.is_empty()).then(|| rate + IMITATORS.ln() + sample.log_ratio)
    };
    let imitators: Vec<f64> = samples.iter().enumerate().filter_map(imitator).collect();
    let mut unknown: BTreeMap<_, (f64, f64, f64)> = BTreeMap::new();
    for (habit, (rate, ratio)) in fits.iter().flat_map(|fits| &fits.unknown) {
        let sum = unknown.entry(*habit).or_default();
        *sum = (sum.0 + rate.exp(), sum.1 + 1.0, sum.2 + ratio);
    }
    let others = unknown
        .into_values()
        .map(|(rates, sensors, ratio)| (rates / sensors).ln() + (1.0 - IMITATORS).ln() + ratio);
    let unknown: Vec<f64> = others.chain(imitators).collect();
    Posterior::new(&samples, &unknown, days)
}

/// Returns the number of samples of each candidate's family.
fn family_sizes(candidates: &[Candidate], enabled: &EnabledEvidence) -> Vec<usize> {
    let related = |one: &Candidate, other: &Candidate| enabled.families && are_related(one, other);
    let size = |one| candidates.iter().filter(|other| related(one, other)).count().max(1);
    candidates.iter().map(size).collect()
}
