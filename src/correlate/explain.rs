//! From an event to its causes: the samples weighed against each other and against unknown scanners, the counts taken
//! apart, and what a sample of the rest should look like.

use jiff::civil::Date;

use super::cause_evidence::services;
use super::lag::days_late;
use super::onset::BEFORE_DAYS_MIN;
use super::posterior::Posterior;
use super::sensor_fits::{AskedEvent, CandidatePriors, PreparedSensor, SensorFits, pooled_posterior};
use super::{BehaviorSeries, Candidate, EnabledEvidence, Event, Mix, SeriesTable, Shares, mix};

/// A cause that is less probable is in the mix only to be told from.
const MIX_PROBABILITY_MIN: f64 = 0.01;
/// Number of days about the one asked for on any of which the event may have begun.
const ONSET_WINDOW_DAYS: f64 = 7.0;

/// A sample as a cause of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleCause {
    /// Its place among the candidates.
    pub candidate: usize,
    /// The probability that it is a cause.
    pub probability: f64,
    /// Host-days of it in the mix.
    pub amount: f64,
    /// Days from the event's first day to its date; negative where the date is before; `None` without a date.
    pub days_late: Option<i64>,
    /// Candidates that the sensor cannot tell from it, by place.
    pub alike: Vec<usize>,
}

/// An event with its causes.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its first observed day.
    pub day: Date,
    /// Observed days before that it is compared with, and that it lasts.
    pub days: (usize, usize),
    /// How unusual what came is beside what was expected, in standard deviations of Poisson's law for both sides.
    pub deviations: f64,
    /// The samples, the most probable first.
    pub causes: Vec<SampleCause>,
    /// The probability that a scanner began that no sample is known of.
    pub unknown: f64,
    /// The probability that nothing began.
    pub no_event: f64,
    /// The counts taken apart; amounts are in the order of the candidates.
    pub mix: Mix,
    /// What the unexplained rest looks like, with its host-days, most first.
    pub rest: Vec<(BehaviorSeries, f64)>,
}

/// Why an event is not explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoExplanation {
    /// The sensor did not look from then on.
    #[error("the sensor has no observed day from {0} on")]
    NotObserved(Date),
    /// There is not enough to compare with.
    #[error("only {before} observed days before {day}; {BEFORE_DAYS_MIN} are needed to say what is new")]
    ShortHistory {
        /// The day.
        day: Date,
        /// Observed days before.
        before: usize,
    },
}

/// Explains what came from a day on, for so many observed days at most, on the lines that were asked for. The others tell
/// what else a sample does.
///
/// # Errors
/// When the sensor did not look, or not for long enough before.
pub fn explain(
    ledger: &SeriesTable,
    asked: &[bool],
    candidates: &[Candidate],
    day: Date,
    lasting: usize,
) -> Result<Explanation, NoExplanation> {
    let place = ledger.place_from(day);
    let first = ledger.days.get(place).copied().ok_or(NoExplanation::NotObserved(day))?;
    if place < BEFORE_DAYS_MIN {
        return Err(NoExplanation::ShortHistory { day, before: place });
    }
    let sensor = PreparedSensor::new(ledger, candidates);
    let enabled = EnabledEvidence::default();
    let priors = CandidatePriors::new(candidates, &enabled);
    let event = sensor.event(first, lasting, asked);
    // Whoever asks for a day means one of those about it.
    let weighed_on = |asked: &[bool]| {
        let fits = sensor.weigh(&AskedEvent { day: first, event: &event, series: asked }, &enabled);
        let days = (first, ledger.days.len());
        let posterior = pooled_posterior(&[&fits], &priors, days, ONSET_WINDOW_DAYS, 0.0);
        Weighed { posterior, fits }
    };
    // Each sample on the services that it scans; unknown scanners on all that was asked for.
    let shares = sensor.shares(first);
    let both = |of: &Vec<Shares>| -> Vec<bool> {
        services(ledger, of).iter().zip(asked).map(|(one, other)| *one && *other).collect()
    };
    let each: Vec<Weighed> = shares.iter().map(|of| weighed_on(&both(of))).collect();
    let whole = weighed_on(asked).posterior;
    let mixed = mixed(&event, shares, &each, asked);
    let mut all: Vec<SampleCause> = candidates
        .iter()
        .enumerate()
        .map(|(candidate, known)| SampleCause {
            candidate,
            probability: each[candidate].posterior.samples[candidate],
            amount: mixed.amounts[candidate],
            days_late: known.date.map(|date| days_late(first, date)),
            alike: each[candidate].posterior.alike(candidate),
        })
        .collect();
    all.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(b.amount.total_cmp(&a.amount)));
    Ok(Explanation {
        day: first,
        days: event.days,
        deviations: event.deviations(asked),
        causes: all,
        unknown: whole.unknown,
        no_event: whole.nothing,
        rest: mixed.rest.iter().map(|(line, left)| (ledger.series[*line].clone(), *left)).collect(),
        mix: mixed,
    })
}

/// The causes of an event, weighed on the services of one sample.
struct Weighed {
    posterior: Posterior,
    fits: SensorFits,
}

/// The mix of all candidates that are probable at all, each by its best variant; of those that look alike only the
/// most probable, since their amounts cannot be told apart.
fn mixed(event: &Event, shares: &[Vec<Shares>], weighed: &[Weighed], asked: &[bool]) -> Mix {
    let probability = |one: usize| weighed[one].posterior.samples[one];
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| probability(*b).total_cmp(&probability(*a)));
    let mut used: Vec<usize> = Vec::new();
    for one in order {
        let twin = weighed[one].posterior.alike(one).iter().any(|other| used.contains(other));
        if probability(one) >= MIX_PROBABILITY_MIN && !twin {
            used.push(one);
        }
    }
    let best = |one: &usize| {
        let best = weighed[*one].fits.samples[*one].best;
        Some(shares[*one].get(best)?.on_series(asked))
    };
    let of: Vec<Shares> = used.iter().filter_map(best).collect();
    let mut found = mix(event, &of.iter().collect::<Vec<_>>());
    let mut amounts = vec![0.0; shares.len()];
    for (one, amount) in used.iter().zip(&found.amounts) {
        amounts[*one] = *amount;
    }
    found.amounts = amounts;
    found
}
