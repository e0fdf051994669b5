//! Competing causes of one event: how well each explains what came, beside what came before.
//!
//! What came after an onset is taken as what came before, day by day, and one cause more: a sample, with the
//! distribution that its projection predicts; or a scanner that nobody has a sample of, with one habit of its own. Each
//! is fitted by maximum likelihood, and Bayes' rule turns fits and priors into probabilities. A fit counts for no more
//! than some dozens of hosts: more of them do not make a model truer.

use crate::behavior::BehaviorId;
use crate::sample::Variant;

use super::Ledger;
use super::onset::SIDE_DAYS;

/// Hosts that a fit may count for.
const HOSTS_COUNTED_MAX: f64 = 40.0;
/// What a cause does that its projection does not say: loss, other systems' retries, other rates.
const UNSAID: f64 = 0.08;
/// What an unknown scanner does beside its main habit.
const UNSAID_UNKNOWN: f64 = 0.03;
/// Habits that a scanner of one service may well have: 1 to 5 packets a destination, in sweeps or not, by one source
/// port, one a destination or one a packet.
const HABITS: f64 = 30.0;
/// Volumes that windows with several destinations may well have: powers of two from a handful to some hundred.
const VOLUMES: f64 = 6.0;
/// Services that scanners usually come for.
const SERVICES: f64 = 20.0;
/// Beforehand: that nothing began on the day that was chosen because it looks most as if something did,
const NOTHING_PRIOR: f64 = 0.9;
/// that a scanner began of which nobody has a sample,
const UNKNOWN_PRIOR: f64 = 0.05;
/// and that one of the samples did.
const SAMPLE_PRIOR: f64 = 0.05;

/// What came at a sensor about a day, habit by habit.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Observed days before, and from the onset on.
    pub days: (usize, usize),
    /// By line of the ledger: host-days expected from what came before, and host-days that came.
    pub counts: Vec<(f64, f64)>,
}

impl Event {
    /// The event that begins at a place of a ledger's days, and lasts for so many observed days at most.
    #[must_use]
    pub fn at(ledger: &Ledger, place: usize, lasting: usize) -> Event {
        let from = place.saturating_sub(SIDE_DAYS);
        let to = ledger.days.len().min(place + lasting);
        let days = (place - from, to.saturating_sub(place));
        let ratio = days.1 as f64 / days.0.max(1) as f64;
        let counts = ledger.lines.iter().map(|line| {
            let before: f64 = line.hosts[from..place].iter().sum();
            (before * ratio, line.hosts[place..to].iter().sum())
        });
        Event { counts: counts.collect(), days }
    }

    /// Host-days above what was expected, all habits together, each above nothing.
    #[must_use]
    pub fn excess(&self) -> f64 {
        self.counts.iter().map(|(expected, came)| (came - expected).max(0.0)).sum()
    }
}

/// A distribution over a ledger's lines, and how likely it is to be the right one.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// How likely, 0 to 1.
    pub weight: f64,
    /// Share of the windows by line; what shows in habits that were never seen is not in it.
    pub lines: Vec<(usize, f64)>,
}

/// A cause to weigh.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What it may be.
    pub variants: Vec<Shares>,
    /// Logarithm of how much likelier its date lies so near to the onset when it is the cause than when not.
    pub timing: f64,
}

/// What weighing came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// The probability of each cause, in the order given.
    pub causes: Vec<f64>,
    /// Host-days that each would explain alone.
    pub explained: Vec<f64>,
    /// Logarithm of the likelihood ratio of each against no cause at all.
    pub fits: Vec<f64>,
    /// Which of its variants fits best; 0 where it has none.
    pub best: Vec<usize>,
    /// The probability of a scanner that no sample is known of.
    pub unknown: f64,
}

/// Which kinds of evidence count; all of them, unless it is to be measured what one is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighing {
    /// How near a sample's date lies to the onset.
    pub timing: bool,
    /// That there are scanners of which nobody has a sample.
    pub unknown_scanners: bool,
    /// What was to be expected from before.
    pub expected: bool,
}

impl Default for Weighing {
    fn default() -> Weighing {
        Weighing { timing: true, unknown_scanners: true, expected: true }
    }
}

/// How well a cause with variants fits.
struct Fitted {
    /// Host-days of the best variant.
    amount: f64,
    /// Logarithm of the mean likelihood ratio.
    fit: f64,
    /// The best variant.
    best: usize,
}

/// Weighs causes of an event against each other and against unknown scanners, which have one of these habits each,
/// given by their lines.
#[must_use]
pub fn weigh(event: &Event, causes: &[Cause], habits: &[&[usize]]) -> Weighed {
    let floor = floor(event);
    let came: f64 = event.excess();
    // A likelihood of many hosts is a power of that of some.
    let tempered = |fit: f64| fit * (HOSTS_COUNTED_MAX / came.max(HOSTS_COUNTED_MAX));
    let prior = (SAMPLE_PRIOR / causes.len().max(1) as f64).ln();
    // The likelihood of a cause that may be several is their mean; its amount is that of the best.
    let fitted = |cause: &Cause| {
        let fits: Vec<(f64, f64)> = cause
            .variants
            .iter()
            .map(|shares| {
                let (amount, fit) = fit(event, &spread(event, &shares.lines, UNSAID), floor);
                (amount, tempered(fit) + shares.weight.ln())
            })
            .collect();
        let best = (0..fits.len()).max_by(|a, b| fits[*a].1.total_cmp(&fits[*b].1)).unwrap_or(0);
        let (amount, most) = fits.get(best).copied().unwrap_or((0.0, f64::NEG_INFINITY));
        let sum: f64 = fits.iter().map(|(_, fit)| (fit - most).exp()).sum();
        Fitted { amount, fit: most + sum.ln(), best }
    };
    let fitted: Vec<Fitted> = causes.iter().map(fitted).collect();
    let weights: Vec<f64> =
        causes.iter().zip(&fitted).map(|(cause, one)| prior + cause.timing + one.fit).collect();
    let unknown_prior = (UNKNOWN_PRIOR / HABITS / SERVICES).ln();
    let rose = |lines: &&[usize]| lines.iter().any(|line| event.counts[*line].1 > event.counts[*line].0);
    let unknown: Vec<f64> = habits
        .iter()
        .copied()
        .filter(rose)
        .map(|lines| {
            unknown_prior + tempered(fit(event, &spread(event, &evenly(lines, 1.0), UNSAID_UNKNOWN), floor).1)
        })
        .collect();
    let most = weights.iter().chain(&unknown).copied().fold(0.0, f64::max);
    let sum = |all: &[f64]| all.iter().map(|weight| (weight - most).exp()).sum::<f64>();
    // Nothing at all happened: its likelihood ratio is 1.
    let total = sum(&weights) + sum(&unknown) + (NOTHING_PRIOR.ln() - most).exp();
    Weighed {
        causes: weights.iter().map(|weight| (weight - most).exp() / total).collect(),
        explained: fitted.iter().map(|one| one.amount).collect(),
        fits: fitted.iter().map(|one| one.fit).collect(),
        best: fitted.iter().map(|one| one.best).collect(),
        unknown: sum(&unknown) / total,
    }
}

/// What any habit may show by chance where nothing was expected.
fn floor(event: &Event) -> f64 {
    0.5 / event.counts.len().max(1) as f64
}

/// A distribution over all lines: the given one, but for a small part which may be anything. What is given may add up
/// to less than 1: the rest would show in habits that were never seen.
fn spread(event: &Event, shares: &[(usize, f64)], unsaid: f64) -> Vec<f64> {
    let lines = event.counts.len().max(1) as f64;
    let mut all = vec![unsaid / lines; event.counts.len()];
    for (line, share) in shares {
        if let Some(known) = all.get_mut(*line) {
            *known += (1.0 - unsaid) * share;
        }
    }
    all
}

/// The amount of a cause that fits best beside what is expected, and the logarithm of the likelihood ratio against
/// none of it. The likelihood is concave in the amount, so its slope is halved in until it is flat.
fn fit(event: &Event, shares: &[f64], floor: f64) -> (f64, f64) {
    let lines = || event.counts.iter().zip(shares).filter(|(_, share)| **share > 0.0);
    // What a cause would show where nothing was ever seen counts against it, too: shares need not add up to 1.
    let slope = |amount: f64| {
        lines()
            .map(|((expected, came), share)| came * share / (expected + floor + amount * share))
            .sum::<f64>()
            - 1.0
    };
    let most: f64 = event.counts.iter().map(|(_, came)| came).sum();
    if slope(0.0) <= 0.0 || most <= 0.0 {
        return (0.0, 0.0);
    }
    let (mut low, mut high) = (0.0, most);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    let amount = (low + high) / 2.0;
    let gain = lines()
        .map(|((expected, came), share)| came * (1.0 + amount * share / (expected + floor)).ln())
        .sum::<f64>()
        - amount;
    (amount, gain.max(0.0))
}

/// What a candidate may be, on the lines of a ledger: its variants with the volumes that the run's rate gives them, and,
/// as likely, with any volumes, since other hosts are faster or slower than the sandbox.
#[must_use]
pub fn shares_on(ledger: &Ledger, variants: &[Variant]) -> Vec<Shares> {
    let on = |variant: &Variant| {
        let exact = variant.lines.iter().filter_map(|(name, share)| Some((ledger.line(*name)?, *share)));
        let loose = variant.habits.iter().flat_map(|(habit, share)| evenly(ledger.lines_of(*habit), *share));
        let several = |habit: &BehaviorId| {
            ledger.lines_of(*habit).iter().any(|line| ledger.lines[*line].parameters.destinations > 1)
        };
        let volumes = if variant.habits.iter().any(|(habit, _)| several(habit)) { VOLUMES } else { 1.0 };
        let weight = variant.weight / 2.0;
        [
            Shares { weight, lines: exact.collect() },
            Shares { weight: weight / volumes, lines: loose.collect() },
        ]
    };
    variants.iter().flat_map(on).collect()
}

/// A share of some lines together, each an equal part.
fn evenly(lines: &[usize], share: f64) -> Vec<(usize, f64)> {
    lines.iter().map(|line| (*line, share / lines.len() as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(shares: &[(usize, f64)]) -> Cause {
        Cause { variants: vec![Shares { weight: 1.0, lines: shares.to_vec() }], timing: 0.0 }
    }

    const HABITS: [&[usize]; 4] = [&[0], &[1], &[2], &[3]];

    fn event(counts: &[(f64, f64)]) -> Event {
        Event { days: (28, 28), counts: counts.to_vec() }
    }

    #[test]
    fn the_cause_whose_distribution_came_is_told_from_others() {
        // A pandemic on the first habit; thirty hosts more on the second and third.
        let came = event(&[(4000.0, 4030.0), (2.0, 22.0), (0.0, 11.0), (5.0, 6.0)]);
        let weighed =
            weigh(&came, &[cause(&[(1, 0.65), (2, 0.35)]), cause(&[(0, 1.0)]), cause(&[(3, 1.0)])], &HABITS);
        assert!(weighed.causes[0] > 0.9, "{weighed:?}");
        assert!((weighed.explained[0] - 31.0).abs() < 4.0, "{weighed:?}");
    }

    #[test]
    fn two_causes_that_look_alike_share_and_nothing_is_nothing() {
        let came = event(&[(1.0, 30.0), (9.0, 8.0)]);
        let alike = weigh(&came, &[cause(&[(0, 0.99)]), cause(&[(0, 1.0)])], &HABITS[..2]);
        assert!((alike.causes[0] - alike.causes[1]).abs() < 0.2, "{alike:?}");
        let quiet = weigh(&event(&[(30.0, 31.0), (9.0, 8.0)]), &[cause(&[(0, 1.0)])], &HABITS[..2]);
        assert!(quiet.causes[0] < 0.5, "{quiet:?}");
    }

    #[test]
    fn a_habit_that_no_sample_has_is_unknown() {
        let came = event(&[(1.0, 2.0), (0.0, 40.0)]);
        let weighed = weigh(&came, &[cause(&[(0, 1.0)])], &HABITS[..2]);
        assert!(weighed.unknown > 0.9 && weighed.causes[0] < 0.05, "{weighed:?}");
    }
}
