//! Competing causes of one event: how well each explains what came, beside what came before.
//!
//! What came after an onset is taken as what came before, day by day, and one cause more: a sample, with the
//! distribution that its projection predicts; or a scanner that nobody has a sample of, with one habit of its own. Each
//! is fitted by maximum likelihood, and Bayes' rule turns fits and priors into probabilities. A fit counts for no more
//! than some dozens of hosts: more of them do not make a model truer.

use crate::behavior::BehaviorId;
use crate::sample::ScanVariant;

use super::onset::SIDE_DAYS;
use super::{SeriesTable, UnknownScanner};

/// Hosts that a fit may count for.
const HOSTS_COUNTED_MAX: f64 = 40.0;
/// What a cause does that its projection does not say: hardly anything, or what other networks make of it.
const UNPREDICTED_SHARES: [f64; 2] = [0.02, 0.2];
/// What an unknown scanner does beside its main habit: hardly anything, or all that loss and other systems make of it.
const UNPREDICTED_SHARES_UNKNOWN: [f64; 2] = [0.03, 0.3];
/// A millionth of what came is near enough to the best amount.
const BISECTION_STEPS: usize = 20;
/// Habits that most scanners of one service have one of: the retries of Windows, of Linux, another number of them or
/// none, in sweeps or not.
const HABITS: f64 = 8.0;
/// Volumes that windows with several destinations may well have: powers of two from a handful to some hundred.
const VOLUMES: f64 = 6.0;
/// Of this many samples one began something that a darknet saw in the time of its history.
const SAMPLES_PER_CAUSE: f64 = 20.0;
/// In the time of one of so many histories a scanner began of which nobody has a sample, of any service and habit: as
/// likely as any of ten samples.
const HISTORIES_PER_UNKNOWN: f64 = 2.0;

/// What came at a sensor about a day, line by line.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Observed days before, and from the onset on.
    pub days: (usize, usize),
    /// The exposure from the onset on over that before: the ratio of the days, where dark addresses never changed.
    pub ratio: f64,
    /// By line of the ledger: host-days expected from what came before, and host-days that came.
    pub counts: Vec<(f64, f64)>,
}

impl Event {
    /// The event that begins at a place of a ledger's days, and lasts for so many observed days at most.
    #[must_use]
    pub fn at(ledger: &SeriesTable, place: usize, lasting: usize) -> Event {
        let from = place.saturating_sub(SIDE_DAYS);
        let to = ledger.days.len().min(place + lasting);
        let days = (place - from, to.saturating_sub(place));
        let exposed = (ledger.total_exposure(from..place), ledger.total_exposure(place..to.max(place)));
        // Without a day before there is nothing to expect.
        let ratio = if exposed.0 > 0.0 { exposed.1 / exposed.0 } else { exposed.1 };
        let counts = ledger.series.iter().map(|line| {
            let before: f64 = line.hosts[from..place].iter().sum();
            (before * ratio, line.hosts[place..to].iter().sum())
        });
        Event { counts: counts.collect(), days, ratio }
    }

    /// The event on some lines, as if nothing had been seen on the others.
    #[must_use]
    pub fn on_series(&self, lines: &[bool]) -> Event {
        let counts = self.counts.iter().zip(lines);
        let counts = counts.map(|(count, counted)| if *counted { *count } else { (0.0, 0.0) });
        Event { days: self.days, ratio: self.ratio, counts: counts.collect() }
    }

    /// Host-days above what was expected on some lines, each above nothing.
    #[must_use]
    pub fn excess(&self, lines: &[bool]) -> f64 {
        Fitting::of(self, lines).excess()
    }

    /// How unusual what came on some lines is, in standard deviations of Poisson's law for both sides.
    #[must_use]
    pub fn deviations(&self, lines: &[bool]) -> f64 {
        let counted = self.counts.iter().zip(lines).filter(|(_, counted)| **counted).map(|(count, _)| count);
        let (expected, came) = counted.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let ratio = self.ratio;
        (came - expected) / (expected * (1.0 + ratio) + 1.0).sqrt()
    }
}

/// A distribution over a ledger's lines, and how likely it is to be the right one.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// How likely, 0 to 1.
    pub weight: f64,
    /// Share of the windows by line; what shows in habits that were never seen is not in it.
    pub series: Vec<(usize, f64)>,
}

impl Shares {
    /// The distribution of those windows that are not on the other lines.
    #[must_use]
    pub fn on_series(&self, lines: &[bool]) -> Shares {
        let (kept, others): (Vec<_>, Vec<_>) =
            self.series.iter().copied().partition(|(line, _)| lines[*line]);
        let rest = 1.0 - others.iter().map(|(_, share)| share).sum::<f64>();
        let scaled = kept.into_iter().map(|(line, share)| (line, share / rest.max(share)));
        Shares { weight: self.weight, series: scaled.collect() }
    }
}

/// A cause to weigh.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause<'a> {
    /// What it may be.
    pub variants: &'a [Shares],
    /// Logarithm of how much likelier its date lies so near to the onset when it is the cause than when not.
    pub timing: f64,
}

/// What weighing came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// The probability of each cause, in the order given.
    pub causes: Vec<f64>,
    /// Host-days that each would explain alone.
    pub explained: Vec<f64>,
    /// Logarithm of the likelihood ratio of each, by which they are compared with each other.
    pub fits: Vec<f64>,
    /// Which of its variants fits best; 0 where it has none.
    pub best: Vec<usize>,
    /// The probability of a scanner that no sample is known of.
    pub unknown: f64,
}

/// Which kinds of evidence count; all of them, unless it is to be measured what one is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnabledEvidence {
    /// How near a sample's date lies to the onset.
    pub timing: bool,
    /// That there are scanners of which nobody has a sample.
    pub unknown_scanners: bool,
    /// What was to be expected from before.
    pub expected: bool,
}

impl Default for EnabledEvidence {
    fn default() -> EnabledEvidence {
        EnabledEvidence { timing: true, unknown_scanners: true, expected: true }
    }
}

/// What is weighed, and how much it may say.
#[derive(Clone, Copy, Debug)]
pub struct WeighOptions<'a> {
    /// The lines that count: those of the services in question. What else rose at the same time is another event.
    pub lines: &'a [bool],
    /// What the best explanation may be worth, as the logarithm of a likelihood ratio: the rise's own, over-scatter
    /// taken out, since no explanation of a rise is surer than that there is one.
    pub strength: f64,
    /// How much likelier nothing is than that something began just when the rise began, as the logarithm of a ratio: a
    /// cause may begin on any day, and the rise is the one that looks most like a beginning.
    pub no_event: f64,
}

/// Weighs causes of an event against each other and against unknown scanners, which have one of these habits each.
#[must_use]
pub fn weigh(
    event: &Event,
    causes: &[Cause<'_>],
    strangers: &[UnknownScanner<'_>],
    scale: WeighOptions<'_>,
) -> Posterior {
    let WeighOptions { lines, strength, no_event: nothing } = scale;
    let fitting = Fitting::of(event, lines);
    let fits: Vec<Vec<(f64, f64)>> = causes.iter().map(|cause| fitting.cause(cause)).collect();
    let rose = |of: &&UnknownScanner<'_>| {
        of.lines.iter().any(|line| lines[*line] && event.counts[*line].1 > event.counts[*line].0)
    };
    let unknown: Vec<(f64, [f64; 2])> =
        strangers.iter().filter(rose).map(|of| (of.service.ln(), fitting.unknown(of.lines))).collect();
    let best = fits
        .iter()
        .flatten()
        .map(|(_, fit)| *fit)
        .chain(unknown.iter().flat_map(|(_, fits)| *fits))
        .fold(0.0, f64::max);
    // Between causes a likelihood of many hosts is a power of that of some. Against nothing at all, the best of them is
    // worth what it explains, but no more than the rise is.
    let counted = HOSTS_COUNTED_MAX / fitting.excess().max(HOSTS_COUNTED_MAX);
    let worth = best.min(strength.max(0.0));
    let tempering = if best > 0.0 { counted.min(worth / best) } else { 1.0 };
    let beyond = worth - tempering * best;
    let tempered = |fit: f64| tempering * fit + beyond;
    let prior = -SAMPLES_PER_CAUSE.ln();
    // The likelihood of a cause that may be several is their mean; its amount is that of the best.
    let mean = |cause: &Cause<'_>, fits: &[(f64, f64)]| {
        let weighted = |at: usize| {
            let Shares { weight, .. } = cause.variants[at / UNPREDICTED_SHARES.len()];
            tempered(fits[at].1) + (weight / UNPREDICTED_SHARES.len() as f64).ln()
        };
        let best = (0..fits.len()).max_by(|a, b| weighted(*a).total_cmp(&weighted(*b)))?;
        let sum: f64 = (0..fits.len()).map(|at| (weighted(at) - weighted(best)).exp()).sum();
        Some((best / UNPREDICTED_SHARES.len(), fits[best].0, weighted(best) + sum.ln()))
    };
    let fitted: Vec<(usize, f64, f64)> = causes
        .iter()
        .zip(&fits)
        .map(|(cause, fits)| mean(cause, fits).unwrap_or((0, 0.0, f64::NEG_INFINITY)))
        .collect();
    let weights: Vec<f64> =
        causes.iter().zip(&fitted).map(|(cause, (_, _, fit))| prior + cause.timing + fit).collect();
    let unknown_prior = -(HISTORIES_PER_UNKNOWN * HABITS * UNPREDICTED_SHARES_UNKNOWN.len() as f64).ln();
    let both = |(service, fits): (f64, [f64; 2])| fits.map(|fit| unknown_prior + service + tempered(fit));
    let unknown: Vec<f64> = unknown.into_iter().flat_map(both).collect();
    let most = weights.iter().chain(&unknown).copied().fold(nothing, f64::max);
    let sum = |all: &[f64]| all.iter().map(|weight| (weight - most).exp()).sum::<f64>();
    let total = sum(&weights) + sum(&unknown) + (nothing - most).exp();
    Posterior {
        causes: weights.iter().map(|weight| (weight - most).exp() / total).collect(),
        explained: fitted.iter().map(|(_, amount, _)| *amount).collect(),
        fits: fitted.iter().map(|(_, _, fit)| *fit - beyond).collect(),
        best: fitted.iter().map(|(best, _, _)| *best).collect(),
        unknown: sum(&unknown) / total,
    }
}

/// Counts of the lines that matter, to be fitted.
struct Fitting {
    /// Expected and come, by line that counts.
    counts: Vec<(f64, f64)>,
    /// The place of each line of the ledger among those; `None` for lines that do not count.
    places: Vec<Option<usize>>,
}

impl Fitting {
    fn of(event: &Event, lines: &[bool]) -> Fitting {
        let mut counts = Vec::new();
        let place = |(count, counts_here): (&(f64, f64), &bool)| {
            counts_here.then(|| {
                counts.push(*count);
                counts.len() - 1
            })
        };
        let places = event.counts.iter().zip(lines).map(place).collect();
        Fitting { counts, places }
    }

    fn excess(&self) -> f64 {
        self.counts.iter().map(|(expected, came)| (came - expected).max(0.0)).sum()
    }

    /// Amount and fit of each variant of a cause, each with as many unsaid parts as there are.
    fn cause(&self, cause: &Cause<'_>) -> Vec<(f64, f64)> {
        let counts = |shares: &Shares| shares.series.iter().any(|(line, _)| self.places[*line].is_some());
        if !cause.variants.iter().any(counts) {
            return vec![(0.0, 0.0); UNPREDICTED_SHARES.len() * cause.variants.len()];
        }
        let each = |shares: &Shares| UNPREDICTED_SHARES.map(|unsaid| self.fit(&shares.series, unsaid));
        cause.variants.iter().flat_map(each).collect()
    }

    /// Fits of an unknown scanner with a habit: one that does hardly anything else, and one that often does.
    fn unknown(&self, lines: &[usize]) -> [f64; 2] {
        let evenly = evenly(lines, 1.0);
        UNPREDICTED_SHARES_UNKNOWN.map(|unsaid| self.fit(&evenly, unsaid).1)
    }

    /// The amount of a cause that fits best beside what is expected, and the logarithm of the likelihood ratio against
    /// none of it. The likelihood is concave in the amount, so its slope is halved in until it is flat.
    ///
    /// A small part of the cause may be anything. Shares may add up to less than 1: the rest would show in habits that
    /// were never seen, which speaks against it; what lies on lines that do not count says nothing.
    fn fit(&self, shares: &[(usize, f64)], unsaid: f64) -> (f64, f64) {
        let lines = self.counts.len().max(1) as f64;
        let mut spread = vec![unsaid / lines; self.counts.len()];
        let mut whole = 1.0;
        for (line, share) in shares {
            match self.places.get(*line).copied().flatten() {
                Some(place) => spread[place] += (1.0 - unsaid) * share,
                None => whole -= (1.0 - unsaid) * share,
            }
        }
        // What chance may bring where nothing was expected.
        let floor = 0.5 / lines;
        let with = |amount: f64| {
            let each = self.counts.iter().zip(&spread);
            each.map(move |((expected, came), share)| (*came, *share, expected + floor, amount * share))
        };
        let slope = |amount: f64| {
            with(amount).map(|(came, share, base, more)| came * share / (base + more)).sum::<f64>() - whole
        };
        let most: f64 = self.counts.iter().map(|(_, came)| came).sum();
        if most <= 0.0 || whole <= unsaid || slope(0.0) <= 0.0 {
            return (0.0, 0.0);
        }
        let (mut low, mut high) = (0.0, most / whole);
        for _ in 0..BISECTION_STEPS {
            let middle = (low + high) / 2.0;
            if slope(middle) > 0.0 { low = middle } else { high = middle }
        }
        let amount = (low + high) / 2.0;
        let gain = with(amount).map(|(came, _, base, more)| came * (1.0 + more / base).ln()).sum::<f64>();
        (amount * whole, (gain - amount * whole).max(0.0))
    }
}

/// What a candidate may be, on the lines of a ledger: its variants with the volumes that the run's rate gives them, and,
/// as likely, with any volumes, since other hosts are faster or slower than the sandbox.
#[must_use]
pub fn shares_on(ledger: &SeriesTable, variants: &[ScanVariant]) -> Vec<Shares> {
    let on = |variant: &ScanVariant| {
        let exact = variant
            .series_shares
            .iter()
            .filter_map(|(name, share)| Some((ledger.series_by_name(*name)?, *share)));
        let loose = variant
            .shape_shares
            .iter()
            .flat_map(|(habit, share)| evenly(ledger.series_of_habit(*habit), *share));
        let several = |habit: &BehaviorId| {
            ledger.series_of_habit(*habit).iter().any(|line| ledger.series[*line].parameters.destinations > 1)
        };
        let volumes =
            if variant.shape_shares.iter().any(|(habit, _)| several(habit)) { VOLUMES } else { 1.0 };
        let weight = variant.weight / 2.0;
        [
            Shares { weight, series: exact.collect() },
            Shares { weight: weight / volumes, series: loose.collect() },
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

    fn shares(shares: &[(usize, f64)]) -> Vec<Shares> {
        vec![Shares { weight: 1.0, series: shares.to_vec() }]
    }

    fn weigh_all(event: &Event, all: &[&[(usize, f64)]], habits: &[&[usize]], strength: f64) -> Posterior {
        let all: Vec<Vec<Shares>> = all.iter().map(|one| shares(one)).collect();
        let causes: Vec<Cause<'_>> = all.iter().map(|variants| Cause { variants, timing: 0.0 }).collect();
        let scale = WeighOptions { lines: &[true; 4][..event.counts.len()], strength, no_event: 4.0 };
        let strangers: Vec<UnknownScanner<'_>> =
            habits.iter().map(|lines| UnknownScanner { lines, service: 1.0 / 16.0 }).collect();
        weigh(event, &causes, &strangers, scale)
    }

    const HABITS: [&[usize]; 4] = [&[0], &[1], &[2], &[3]];

    fn event(counts: &[(f64, f64)]) -> Event {
        Event { days: (28, 28), ratio: 1.0, counts: counts.to_vec() }
    }

    #[test]
    fn the_cause_whose_distribution_came_is_told_from_others() {
        // A pandemic on the first habit; thirty hosts more on the second and third.
        let came = event(&[(4000.0, 4030.0), (2.0, 22.0), (0.0, 11.0), (5.0, 6.0)]);
        let samples: [&[(usize, f64)]; 3] = [&[(1, 0.65), (2, 0.35)], &[(0, 1.0)], &[(3, 1.0)]];
        let weighed = weigh_all(&came, &samples, &HABITS, 30.0);
        assert!(weighed.causes[0] > 0.9, "{weighed:?}");
        assert!((weighed.explained[0] - 31.0).abs() < 4.0, "{weighed:?}");
    }

    #[test]
    fn two_causes_that_look_alike_share_and_nothing_is_nothing() {
        let came = event(&[(1.0, 30.0), (9.0, 8.0)]);
        let alike = weigh_all(&came, &[&[(0, 0.99)], &[(0, 1.0)]], &HABITS[..2], 30.0);
        assert!((alike.causes[0] - alike.causes[1]).abs() < 0.2, "{alike:?}");
        let quiet = weigh_all(&event(&[(30.0, 31.0), (9.0, 8.0)]), &[&[(0, 1.0)]], &HABITS[..2], 0.1);
        assert!(quiet.causes[0] < 0.5, "{quiet:?}");
    }

    #[test]
    fn a_habit_that_no_sample_has_is_unknown() {
        let came = event(&[(1.0, 2.0), (0.0, 40.0)]);
        let weighed = weigh_all(&came, &[&[(0, 1.0)]], &HABITS[..2], 30.0);
        assert!(weighed.unknown > 0.9 && weighed.causes[0] < 0.05, "{weighed:?}");
    }
}
