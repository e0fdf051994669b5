//! What the histories of all sensors say for the samples as causes: when their behaviors rose, how unusual that
//! is, and how probable each sample and its family are among all causes of the rise.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;

use crate::behavior::{Parameters, Ports, ProtocolSet};
use crate::sample::PartialDate;

use super::event::EVENT_DAYS_MAX;
use super::lag::onset_probability;
use super::onset::{BEFORE_DAYS_MIN, rises};
use super::posterior::Posterior;
use super::probe_fit::{ClassCounts, IMITATOR_ALIKE_MIN, ProbeFit, unknown_log_ratio};
use super::sensor_fits::{AskedEvent, CandidatePriors, PreparedSensor, SensorFits, pooled_posterior};
use super::{Candidate, EnabledEvidence, Event, Rise, SensorCandidates, SeriesTable, Shares};

/// Behaviors with a smaller part of the share of the most frequent one are left out of a sample's series: they
/// bring more hosts of others than of its own.
const MAIN_SERIES_PART: f64 = 0.1;
/// Minimum part of the possible onsets of a dated sample that the history must cover for its silence to mean
/// anything.
const COVERED_PART_MIN: f64 = 0.25;

/// Why there is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// The sensor never saw a behavior of the sample.
    #[error("the sensor saw none of the sample's behaviors")]
    Unseen,
    /// Nothing began.
    #[error("the sample's behaviors rose above their background on no day")]
    NoRise,
    /// The outbreak is likely to lie outside of the history.
    #[error(
        "the history has no {BEFORE_DAYS_MIN} days before the time in which the sample's outbreak is likely to have begun, so nothing can be known"
    )]
    OutsideHistory,
}

/// How the hosts of a rise build their probes, compared with a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeEvidence {
    /// Host-days from the onset on, on the sample's main series, whose probes agree with the sample's software in every
    /// feature that can be compared.
    pub agreeing: f64,
    /// Host-days from the onset on whose probes differ from it in at least one feature.
    pub differing: f64,
    /// The share of agreeing host-days before the onset, 0 to 1; `None` if none can be compared.
    pub agreeing_before: Option<f64>,
    /// Natural logarithm of the likelihood ratio of the sample against an unknown scanner that scans as the sample does.
    /// A negative number speaks against the sample.
    pub log_ratio: f64,
}

/// What the histories say for a sample at one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseEvidence {
    /// The rise of its behaviors, over all sensors, that it explains best.
    pub rise: Rise,
    /// Number of standard deviations of the forecast by which the host-days at this sensor exceed it.
    pub deviations: f64,
    /// The probability that the sample is the cause, by all sensors.
    pub probability: f64,
    /// The probability that a sample of its family is the cause, by all sensors.
    pub family_probability: f64,
    /// The probability that a sample of its family is the cause, by this sensor alone.
    pub sensor_probability: f64,
    /// The probability that it was a scanner that no sample is known of.
    pub unknown: f64,
    /// The probability that nothing began.
    pub nothing: f64,
    /// Host-days at this sensor, on the services that the sample scans, that exceed the forecast.
    pub excess: f64,
    /// Host-days of these that the sample alone would explain.
    pub explained: f64,
    /// The probability that its family, or one that looks like it, is the cause.
    pub group_probability: f64,
    /// Samples of other families that explain the rise as well, by place.
    pub alike: Vec<usize>,
    /// Samples of its family that explain the rise as well, by place.
    pub relatives: Vec<usize>,
    /// By series of the table: which part of the hosts that came from the onset on it explains, 0 to 1.
    pub parts: Vec<(usize, f64)>,
    /// Hosts by observed day of its behaviors.
    pub series: Vec<f64>,
    /// How the hosts at this sensor build their probes; `None` if nothing can be compared.
    pub probes: Option<ProbeEvidence>,
}

/// Returns what the histories say for each sample: by sensor, then by candidate, in their orders.
#[must_use]
pub fn cause_evidence(
    sensors: &[SensorCandidates<'_>],
    enabled: &EnabledEvidence,
) -> Vec<Vec<Result<CauseEvidence, NoEvidence>>> {
    let prepared: Vec<PreparedSensor<'_>> =
        sensors.iter().map(|sensor| PreparedSensor::new(sensor.table, sensor.candidates)).collect();
    let candidates = sensors.first().map_or(&[][..], |sensor| sensor.candidates);
    let priors = CandidatePriors::new(candidates, enabled);
    let of = |(number, candidate): (usize, &Candidate)| {
        candidate_evidence(&prepared, &priors, (number, candidate.date), enabled)
    };
    let by_candidate: Vec<Vec<Result<CauseEvidence, NoEvidence>>> =
        candidates.iter().enumerate().map(of).collect();
    let of_sensor = |sensor: usize| by_candidate.iter().map(|all| all[sensor].clone()).collect();
    (0..sensors.len()).map(of_sensor).collect()
}

/// Returns what each sensor says for one candidate, which is given by its place and its date.
fn candidate_evidence(
    sensors: &[PreparedSensor<'_>],
    priors: &CandidatePriors,
    (number, date): (usize, Option<PartialDate>),
    enabled: &EnabledEvidence,
) -> Vec<Result<CauseEvidence, NoEvidence>> {
    let any_day = |sensor: &PreparedSensor<'_>| sensor.table.days.first().copied().unwrap_or(Date::ZERO);
    let own_series = |sensor: &PreparedSensor<'_>| {
        let shares = sensor.shares(any_day(sensor)).get(number)?;
        sample_series(sensor.table, shares)
    };
    let series: Vec<Option<Vec<f64>>> = sensors.iter().map(own_series).collect();
    let seen: Vec<(&SeriesTable, Option<&[f64]>)> =
        sensors.iter().zip(&series).map(|(sensor, hosts)| (sensor.table, hosts.as_deref())).collect();
    let weigh = |rise| WeighedRise::new(sensors, priors, number, rise, enabled);
    let weighed = rises(&seen, date).into_iter().map(weigh);
    let best = weighed.max_by(|a, b| a.family_probability().total_cmp(&b.family_probability()));
    let of_sensor = |(place, series): (usize, Option<Vec<f64>>)| {
        let series = series.ok_or(NoEvidence::Unseen)?;
        match &best {
            Some(best) => Ok(best.evidence(&sensors[place], place, series)),
            None if is_outside(sensors[place].table, date) => Err(NoEvidence::OutsideHistory),
            None => Err(NoEvidence::NoRise),
        }
    };
    series.into_iter().enumerate().map(of_sensor).collect()
}

/// Returns whether most of the days on which a sample's outbreak may have begun lie outside of a history.
fn is_outside(table: &SeriesTable, date: Option<PartialDate>) -> bool {
    let tested = table.days.iter().skip(BEFORE_DAYS_MIN);
    date.is_some_and(|date| tested.map(|day| onset_probability(*day, date)).sum::<f64>() < COVERED_PART_MIN)
}

/// A rise of a candidate with its causes, as all sensors see it.
struct WeighedRise<'a> {
    number: usize,
    rise: Rise,
    priors: &'a CandidatePriors,
    /// By sensor: the series that were asked for, the event and the fits; `None` where the sensor did not look.
    views: Vec<Option<(Vec<bool>, Event, SensorFits)>>,
    posterior: Posterior,
}

impl<'a> WeighedRise<'a> {
    fn new(
        sensors: &[PreparedSensor<'_>],
        priors: &'a CandidatePriors,
        number: usize,
        rise: Rise,
        enabled: &EnabledEvidence,
    ) -> WeighedRise<'a> {
        let view = |sensor: &PreparedSensor<'_>| {
            let table = sensor.table;
            let place = table.place_from(rise.day);
            let lasting = table.place_from(rise.last.tomorrow().unwrap_or(rise.last)).saturating_sub(place);
            let asked = services(table, sensor.shares(rise.day).get(number)?);
            if place < BEFORE_DAYS_MIN || lasting == 0 {
                return None;
            }
            let mut event = sensor.event(rise.day, lasting.min(EVENT_DAYS_MAX), &asked);
            if !enabled.expected {
                event.counts.iter_mut().for_each(|count| count.expected.mean = count.expected.mean.min(0.1));
            }
            let fits = sensor.weigh(&AskedEvent { day: rise.day, event: &event, series: &asked }, enabled);
            Some((asked, event, fits))
        };
        let views: Vec<Option<(Vec<bool>, Event, SensorFits)>> = sensors.iter().map(view).collect();
        let fits: Vec<&SensorFits> = views.iter().flatten().map(|(_, _, fits)| fits).collect();
        let days = sensors.iter().map(|sensor| sensor.table.days.len()).max().unwrap_or(1);
        WeighedRise {
            number,
            rise,
            priors,
            posterior: pooled_posterior(&fits, priors, (rise.day, days), 1.0, rise.p),
            views,
        }
    }

    fn family_probability(&self) -> f64 {
        self.family_sum(&self.posterior)
    }

    fn family_sum(&self, posterior: &Posterior) -> f64 {
        let relatives = self.priors.relatives(self.number);
        relatives.iter().map(|number| posterior.samples[*number]).sum::<f64>().min(1.0)
    }

    /// Returns the evidence as one sensor shows it.
    fn evidence(&self, sensor: &PreparedSensor<'_>, place: usize, series: Vec<f64>) -> CauseEvidence {
        let WeighedRise { number, posterior, rise, .. } = self;
        let family_probability = self.family_probability();
        let family = self.priors.relatives(*number);
        let (alike, relatives): (Vec<usize>, Vec<usize>) =
            posterior.alike(*number).into_iter().partition(|other| family.binary_search(other).is_err());
        let others: f64 = alike.iter().map(|other| posterior.samples[*other]).sum();
        let mut evidence = CauseEvidence {
            rise: *rise,
            deviations: 0.0,
            probability: posterior.samples[*number],
            family_probability,
            sensor_probability: 0.0,
            unknown: posterior.unknown,
            nothing: posterior.nothing,
            excess: 0.0,
            explained: 0.0,
            group_probability: (family_probability + others).min(1.0),
            alike,
            relatives,
            parts: Vec::new(),
            series,
            probes: None,
        };
        if let Some((asked, event, fits)) = &self.views[place] {
            let days = (rise.day, sensor.table.days.len());
            let alone = pooled_posterior(&[fits], self.priors, days, 1.0, rise.p);
            let fit = &fits.samples[*number];
            let shares = &sensor.shares(rise.day)[*number];
            evidence.deviations = event.deviations(asked);
            evidence.sensor_probability = self.family_sum(&alone);
            evidence.excess = event.excess(asked);
            evidence.explained = fit.amount;
            evidence.parts = parts(event, shares.get(fit.best), fit.amount);
            evidence.probes = probe_evidence(&fits.probes[*number]);
        }
        evidence
    }
}

/// Returns how a sensor's hosts build their probes compared with a sample.
fn probe_evidence(fit: &ProbeFit) -> Option<ProbeEvidence> {
    fit.usual?;
    let ClassCounts { agreeing, differing } = fit.before;
    let before = agreeing + differing;
    Some(ProbeEvidence {
        agreeing: fit.came.agreeing,
        differing: fit.came.differing,
        agreeing_before: (before > 0.0).then(|| agreeing / before),
        log_ratio: fit.sample - unknown_log_ratio(std::iter::once(fit), IMITATOR_ALIKE_MIN),
    })
}

/// Returns which series of a table are of the services that a sample scans, alone or together.
pub(super) fn services(table: &SeriesTable, variants: &[Shares]) -> Vec<bool> {
    let own = variants.iter().flat_map(|shares| &shares.series).map(|(at, _)| *at);
    let own: BTreeSet<usize> = own.collect();
    let of = |at: usize| {
        let Parameters { ports, protocol, .. } = &table.series[at].parameters;
        (ports, protocol)
    };
    let services: HashSet<(&Ports, &ProtocolSet)> = own.iter().map(|at| of(*at)).collect();
    (0..table.series.len()).map(|at| own.contains(&at) || services.contains(&of(at))).collect()
}

/// Returns the hosts by day of a sample's behaviors; `None` where none was ever seen.
fn sample_series(table: &SeriesTable, variants: &[Shares]) -> Option<Vec<f64>> {
    let mut shares: BTreeMap<usize, f64> = BTreeMap::new();
    for Shares { weight, series, .. } in variants {
        series.iter().for_each(|(at, share)| *shares.entry(*at).or_default() += weight * share);
    }
    let most = shares.values().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let mut series = vec![0.0; table.days.len()];
    for (at, _) in shares.iter().filter(|(_, share)| **share >= MAIN_SERIES_PART * most) {
        series.iter_mut().zip(&table.series[*at].hosts).for_each(|(sum, hosts)| *sum += hosts);
    }
    Some(series)
}

/// Returns, by series, the share of the hosts that a cause explains: its host-days divided by the sum of these and of
/// the expected ones, 0 to 1.
fn parts(event: &Event, shares: Option<&Shares>, amount: f64) -> Vec<(usize, f64)> {
    let part = |(at, share): &(usize, f64)| {
        let expected = event.counts.get(*at)?.expected.mean;
        let its = amount * share;
        (its > 0.0).then(|| (*at, its / (its + expected)))
    };
    shares.into_iter().flat_map(|shares| &shares.series).filter_map(part).collect()
}
