//! From an event to its causes: the samples weighed against each other and against unknown scanners, the counts taken
//! apart, and what a sample of the rest should look like.

use jiff::civil::Date;

use super::claim::{alike, causes};
use super::onset::{BEFORE_DAYS_MIN, lags};
use super::{Candidate, Event, Ledger, Line, Mix, Shares, mix, shares_on, weigh};

/// A cause that is less probable is in the mix only to be told from.
const IN_THE_MIX_MIN: f64 = 0.01;

/// A sample as a cause of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Its place among the candidates.
    pub candidate: usize,
    /// The probability that it is a cause.
    pub probability: f64,
    /// Host-days of it in the mix.
    pub amount: f64,
    /// Days from the event's first day to its date; negative where the date is before; `None` without a date.
    pub late: Option<i64>,
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
    /// How unusual what came is beside what was expected, in standard deviations of Poisson's law.
    pub deviations: f64,
    /// The samples, the most probable first.
    pub causes: Vec<Explained>,
    /// The probability that a scanner began that no sample is known of.
    pub unknown: f64,
    /// The probability that nothing began.
    pub nothing: f64,
    /// The counts taken apart; amounts are in the order of the candidates.
    pub mix: Mix,
    /// What the unexplained rest looks like, with its host-days, most first.
    pub rest: Vec<(Line, f64)>,
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

/// Explains what came from a day on, for so many observed days at most.
///
/// # Errors
/// When the sensor did not look, or not for long enough before.
pub fn explain(
    ledger: &Ledger,
    candidates: &[Candidate],
    day: Date,
    lasting: usize,
) -> Result<Explanation, NoExplanation> {
    let place = ledger.place_from(day);
    let first = ledger.days.get(place).copied().ok_or(NoExplanation::NotObserved(day))?;
    if place < BEFORE_DAYS_MIN {
        return Err(NoExplanation::ShortHistory { day, before: place });
    }
    let event = Event::at(ledger, place, lasting.max(1));
    let shares: Vec<Vec<Shares>> =
        candidates.iter().map(|candidate| shares_on(ledger, &candidate.variants)).collect();
    let habits: Vec<&[usize]> = ledger.habits().collect();
    let weighed = weigh(&event, &causes(ledger, candidates, &shares, place), &habits);
    let mixed = mixed(&event, &shares, &weighed);
    let lags = lags(&ledger.days, place, candidates.iter().map(|candidate| candidate.date));
    let mut all: Vec<Explained> = lags
        .into_iter()
        .enumerate()
        .map(|(candidate, late)| Explained {
            candidate,
            probability: weighed.causes[candidate],
            amount: mixed.amounts[candidate],
            late,
            alike: alike(&weighed, candidate).into_iter().map(|(other, _)| other).collect(),
        })
        .collect();
    all.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(b.amount.total_cmp(&a.amount)));
    let known: f64 = weighed.causes.iter().sum();
    let expected: f64 = event.counts.iter().map(|(expected, _)| expected).sum();
    Ok(Explanation {
        day: first,
        days: event.days,
        deviations: (mixed.came - expected) / expected.max(1.0).sqrt(),
        causes: all,
        unknown: weighed.unknown,
        nothing: (1.0 - known - weighed.unknown).max(0.0),
        rest: mixed.rest.iter().map(|(line, left)| (ledger.lines[*line].clone(), *left)).collect(),
        mix: mixed,
    })
}

/// The mix of all candidates that are probable at all, each by its best variant; of those that look alike only the
/// most probable, since their amounts cannot be told apart.
fn mixed(event: &Event, shares: &[Vec<Shares>], weighed: &super::Weighed) -> Mix {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| weighed.causes[*b].total_cmp(&weighed.causes[*a]));
    let mut used: Vec<usize> = Vec::new();
    for candidate in order {
        let twin = alike(weighed, candidate).iter().any(|(other, _)| used.contains(other));
        if weighed.causes[candidate] >= IN_THE_MIX_MIN && !twin {
            used.push(candidate);
        }
    }
    let of: Vec<&Shares> = used.iter().filter_map(|one| shares[*one].get(weighed.best[*one])).collect();
    let mut found = mix(event, &of);
    let mut amounts = vec![0.0; shares.len()];
    for (one, amount) in used.iter().zip(&found.amounts) {
        amounts[*one] = *amount;
    }
    found.amounts = amounts;
    found
}
