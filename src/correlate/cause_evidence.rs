//! What a sensor's history says for a sample as a cause: the rise of the sample's habits, how unusual it is, and how
//! probable the sample is among all causes of what rose.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;

use crate::behavior::{Parameters, Ports, ProtocolSet, Transition};
use crate::sample::{PartialDate, Projection, SampleProfile, ScanVariant, ScanWindow};

use super::onset::{AFTER_DAYS_MIN, BEFORE_DAYS_MIN, SIDE_DAYS, lag_weight, lags};
use super::{
    Cause, EnabledEvidence, Event, NullDistribution, Posterior, Rise, SeriesTable, Shares, WeighOptions,
    rise, shares_on, unknown_scanners, weigh,
};

/// Habits of a smaller part of the most frequent one's share are left out of a sample's series: they bring more of
/// others' hosts than of its own.
const MAIN_SERIES_PART: f64 = 0.1;
/// Two causes whose fits differ by no more than this (a likelihood ratio of 12) look alike at a sensor.
const ALIKE_LOG_RATIO_MAX: f64 = 2.5;
/// How likely it is beforehand that a sensor sees sweeps just as the sandbox did: a sweep's end may be beyond the run.
const RUN_VARIANT_WEIGHT: f64 = 0.2;
/// A probability from which on a cause is called likely: some seven to one.
pub const PROBABLE: f64 = 0.88;
/// A p-value that is no chance.
const SIGNIFICANT: f64 = 0.05;
/// Deviations that happen by chance once in a million series of some hundred days.
const NO_CHANCE_DEVIATIONS: f64 = 5.0;
/// A rival with a smaller part of a cause's probability is none.
const RIVAL_PART: f64 = 0.1;

/// A sample as a cause to weigh at one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The scans that it may be, as the sensor would see them.
    pub variants: Vec<ScanVariant>,
    /// When it was discovered or caught.
    pub date: Option<PartialDate>,
}

impl Candidate {
    /// A sample by its projection onto the sensor, if it scans.
    #[must_use]
    pub fn new(
        sample: &SampleProfile,
        projection: Option<&Projection>,
        date: Option<PartialDate>,
    ) -> Candidate {
        let mut variants = projection.map_or_else(Vec::new, |one| one.variants.clone());
        let sweeps = |one: &ScanWindow| one.fingerprint.whole.parameters.transition == Transition::Sequential;
        if !variants.is_empty() && sample.scan_windows().any(sweeps) {
            variants.iter_mut().for_each(|variant| variant.weight *= 1.0 - RUN_VARIANT_WEIGHT);
            variants.push(ScanVariant::from_run(sample, RUN_VARIANT_WEIGHT));
        }
        Candidate { variants, date }
    }
}

/// Why there is no claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// The sensor never saw a habit of the sample.
    #[error("the sensor saw none of the sample's habits")]
    Unseen,
    /// There is no day near the sample's date with enough of a history on both sides.
    #[error(
        "no day near the sample's date has {BEFORE_DAYS_MIN} observed days before it and {AFTER_DAYS_MIN} from it on"
    )]
    ShortHistory,
}

/// What a sensor's history says for a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseEvidence {
    /// The strongest rise of its habits near its date.
    pub rise: Rise,
    /// Share of other dates, and of patterns of equal rarity, with a rise as strong; `None` where there are too few.
    pub p: Option<f64>,
    /// The probability that it is a cause of what rose, among all samples, unknown scanners and nothing at all.
    pub probability: f64,
    /// The probability that it was a scanner that no sample is known of.
    pub unknown: f64,
    /// Host-days above what was expected, of the services that it scans.
    pub excess: f64,
    /// Host-days of these that the sample alone would explain.
    pub explained: f64,
    /// The probability that it or one that looks like it is the cause.
    pub group_probability: f64,
    /// Other candidates that the sensor cannot tell from it, by place.
    pub alike: Vec<usize>,
    /// By line of the ledger: which part of the hosts that came from the onset on it explains, 0 to 1.
    pub parts: Vec<(usize, f64)>,
    /// Hosts by observed day of its habits.
    pub series: Vec<f64>,
}

impl CauseEvidence {
    /// Whether the rise is no chance: its p-value, as it is or adjusted, is small; or it is so strong that no series of
    /// some hundred days shows its like by chance, however many outbreaks of others the null holds.
    #[must_use]
    pub fn is_unusual(&self, p: Option<f64>) -> bool {
        p.is_some_and(|p| p <= SIGNIFICANT) || self.rise.deviations >= NO_CHANCE_DEVIATIONS
    }
}

/// What a sensor's history says for each candidate, in their order.
#[must_use]
pub fn cause_evidence(
    ledger: &SeriesTable,
    null: &NullDistribution,
    candidates: &[Candidate],
    weighing: &EnabledEvidence,
) -> Vec<Result<CauseEvidence, NoEvidence>> {
    let shares: Vec<Vec<Shares>> =
        candidates.iter().map(|candidate| shares_on(ledger, &candidate.variants)).collect();
    let mut strangers = unknown_scanners(ledger, candidates);
    if !weighing.unknown_scanners {
        strangers.clear();
    }
    let mut of_period = BTreeMap::new();
    let each = candidates.iter().enumerate().map(|(number, candidate)| {
        let series = sample_series(ledger, &shares[number]).ok_or(NoEvidence::Unseen)?;
        let rise = rise(&ledger.days, &ledger.exposure, &series, candidate.date);
        let rise = rise.ok_or(NoEvidence::ShortHistory)?;
        let period = candidates.iter().flat_map(|candidate| &candidate.variants);
        let period = period.filter(|variant| variant.applies_on(rise.day)).find_map(|variant| variant.days);
        let shares =
            of_period.entry(period).or_insert_with(|| shares_on_day(ledger, candidates, &shares, rise.day));
        let mut event = Event::at(ledger, rise.place, SIDE_DAYS);
        if !weighing.expected {
            event.counts.iter_mut().for_each(|(expected, _)| *expected = 0.0);
        }
        let mut causes = causes(ledger, candidates, shares, rise.place);
        if !weighing.timing {
            causes.iter_mut().for_each(|cause| cause.timing = 0.0);
        }
        let lines = services(ledger, &shares[number]);
        let nothing = rise.no_onset_log_odds(ledger.days.len());
        let scale = WeighOptions { lines: &lines, strength: rise.strength(), no_event: nothing };
        let weighed = weigh(&event, &causes, &strangers, scale);
        let total = series.iter().sum();
        let (group_probability, alike) = group(&weighed, number);
        Ok(CauseEvidence {
            p: null.rank(&rise, total, candidate.date.is_some()),
            probability: weighed.causes[number],
            group_probability,
            unknown: weighed.unknown,
            excess: event.excess(&lines),
            explained: weighed.explained[number],
            alike,
            parts: parts(&event, &weighed, &shares[number], number),
            series,
            rise,
        })
    });
    each.collect()
}

/// The shares of all candidates on the addresses that were dark on a day, which are those of its onset when an event is
/// weighed: an event that goes on beyond a change of addresses is weighed with those of its first day. Where addresses
/// never changed, these are all shares as they are.
pub(super) fn shares_on_day<'a>(
    ledger: &SeriesTable,
    candidates: &[Candidate],
    all: &'a [Vec<Shares>],
    day: Date,
) -> Cow<'a, [Vec<Shares>]> {
    if candidates.iter().flat_map(|candidate| &candidate.variants).all(|variant| variant.applies_on(day)) {
        return Cow::Borrowed(all);
    }
    let of_day = |candidate: &Candidate| {
        let variants: Vec<ScanVariant> =
            candidate.variants.iter().filter(|variant| variant.applies_on(day)).cloned().collect();
        shares_on(ledger, &variants)
    };
    candidates.iter().map(of_day).collect()
}

/// The probability of a candidate with those that fit as well, and which these are.
pub(super) fn group(weighed: &Posterior, number: usize) -> (f64, Vec<usize>) {
    let alike = alike(weighed, number);
    let others = alike.iter().map(|other| weighed.causes[*other]).sum::<f64>();
    (weighed.causes[number] + others, alike)
}

/// Which lines of a ledger are of the services that a sample scans, alone or together.
pub(super) fn services(ledger: &SeriesTable, variants: &[Shares]) -> Vec<bool> {
    let own = variants.iter().flat_map(|shares| &shares.series).map(|(line, _)| *line);
    let own: BTreeSet<usize> = own.collect();
    let of = |line: usize| {
        let Parameters { ports, protocol, .. } = &ledger.series[line].parameters;
        (ports, protocol)
    };
    let services: HashSet<(&Ports, &ProtocolSet)> = own.iter().map(|line| of(*line)).collect();
    (0..ledger.series.len()).map(|line| own.contains(&line) || services.contains(&of(line))).collect()
}

/// The hosts a day of a sample's habits; `None` where none was ever seen.
fn sample_series(ledger: &SeriesTable, variants: &[Shares]) -> Option<Vec<f64>> {
    let mut shares: BTreeMap<usize, f64> = BTreeMap::new();
    for Shares { weight, series: lines } in variants {
        lines.iter().for_each(|(line, share)| *shares.entry(*line).or_default() += weight * share);
    }
    let most = shares.values().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let mut series = vec![0.0; ledger.days.len()];
    for (line, _) in shares.iter().filter(|(_, share)| **share >= MAIN_SERIES_PART * most) {
        series.iter_mut().zip(&ledger.series[*line].hosts).for_each(|(sum, hosts)| *sum += hosts);
    }
    Some(series)
}

/// All candidates as causes of what began at a place of the observed days.
pub(super) fn causes<'a>(
    ledger: &SeriesTable,
    candidates: &[Candidate],
    shares: &'a [Vec<Shares>],
    place: usize,
) -> Vec<Cause<'a>> {
    // A date that has nothing to do with the day may be any of the history's.
    let anywhere = -(ledger.days.len().max(1) as f64).ln();
    let lags = lags(&ledger.days, place, candidates.iter().map(|candidate| candidate.date));
    let cause = |(shares, lag): (&'a Vec<Shares>, Option<i64>)| Cause {
        variants: shares,
        timing: lag.map_or(0.0, |lag| lag_weight(lag) - anywhere),
    };
    shares.iter().zip(lags).map(cause).collect()
}

/// Which part of each line's hosts a cause explains, beside what was expected there.
fn parts(event: &Event, weighed: &Posterior, shares: &[Shares], number: usize) -> Vec<(usize, f64)> {
    let Some(best) = shares.get(weighed.best[number]) else { return Vec::new() };
    let amount = weighed.explained[number];
    let part = |(line, share): &(usize, f64)| {
        let (expected, _) = event.counts.get(*line)?;
        let its = amount * share;
        (its > 0.0).then(|| (*line, its / (its + expected)))
    };
    best.series.iter().filter_map(part).collect()
}

/// The candidates that fit as well as one, the most probable first.
pub(super) fn alike(weighed: &Posterior, number: usize) -> Vec<usize> {
    let (fit, probability) = (weighed.fits[number], weighed.causes[number]);
    let is_alike = |(other, (its_fit, its)): &(usize, (&f64, &f64))| {
        let explain = its_fit.min(fit) > ALIKE_LOG_RATIO_MAX && (*its_fit - fit).abs() <= ALIKE_LOG_RATIO_MAX;
        *other != number && explain && **its >= RIVAL_PART * probability
    };
    let others = weighed.fits.iter().zip(&weighed.causes).enumerate().filter(is_alike);
    let mut others: Vec<usize> = others.map(|(other, _)| other).collect();
    others.sort_by(|a, b| weighed.causes[*b].total_cmp(&weighed.causes[*a]));
    others
}
