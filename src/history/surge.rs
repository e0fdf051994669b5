//! Surges: days on which a series of counts lies above its own past, by more than chance and rhythm make it.
//!
//! Each day is tested against the days before it, as the algorithms do that find outbreaks of disease in counts of
//! cases (Farrington and others 1996; Noufaily and others 2013): an expected count with rhythm of the week and slow
//! growth, a dispersion, and the chance of so high a count or a higher one. Days that stood out do not become the norm
//! by which later ones are judged, unless they stay.
//!
//! The chance is a negative binomial's, whose spread is that of the days and that of not knowing their mean. For a
//! series that is Poisson, as rare behavior is, it is that of the exact test of two rates given their sum.

use jiff::civil::Date;
use statrs::function::beta::checked_beta_reg;

/// Days that stood out less than this are the norm of later ones.
const UNUSUAL: f64 = 1e-3;
/// Days of the past that a day is judged by, at most: eight weeks.
const PAST_DAYS_MAX: usize = 56;
/// Days of the past without which none is judged.
const PAST_DAYS_MIN: usize = 21;
/// Unremarkable days in a row that end a surge. A weekend must not.
const CALM_DAYS: usize = 4;
/// A surge that lasts so many days is a new level, and becomes the norm.
const LEVEL_DAYS: usize = 28;
/// From so many hosts a day on a series shows rhythm and growth; below, chance hides them.
const RHYTHM_MEAN_MIN: f64 = 5.0;
/// Slow growth is at most a doubling in four weeks; what grows faster is a surge.
const GROWTH_A_DAY_MAX: f64 = std::f64::consts::LN_2 / 28.0;
/// So many times what is expected is a surge; less is none, however sure.
pub const SURGE_RATIO_MIN: f64 = 1.5;
/// A day with fewer hosts is never a surge: two hosts are a coincidence anywhere.
pub const SURGE_HOSTS_MIN: u64 = 3;

/// Counts of the days that a sensor looked, ascending; a day without a look is not among them.
pub type Observed = [(Date, u64)];

/// A day and what its past made expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The day.
    pub day: Date,
    /// Its count.
    pub count: u64,
    /// The count that the past makes expect.
    pub expected: f64,
    /// The chance of such a count or a higher one.
    pub p: f64,
}

/// What became of a surge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Calm days followed.
    Over,
    /// It lasted so long that it is the norm now.
    NewLevel,
    /// The history ends in it.
    Open,
}

/// A run of days above the past.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surge {
    /// Its first day.
    pub first: Date,
    /// Its last day.
    pub last: Date,
    /// The day that stood out most.
    pub peak: Judged,
    /// The sum of counts above what was expected.
    pub excess: f64,
    /// What became of it.
    pub outcome: Outcome,
}

/// How many of a series' days are judged: those with enough past.
#[must_use]
pub fn judged_days(observed_days: usize) -> usize {
    observed_days.saturating_sub(PAST_DAYS_MIN)
}

/// The surges of a series whose peak has at most this chance; ascending.
#[must_use]
pub fn surges(days: &Observed, p_max: f64) -> Vec<Surge> {
    let mut past = Past::default();
    let mut found = Vec::new();
    let mut open: Option<Episode> = None;
    for (at, (day, count)) in days.iter().enumerate() {
        let Some(judged) = past.judge(*day, *count) else {
            past.keep(*day, *count);
            continue;
        };
        if judged.p <= UNUSUAL {
            open.get_or_insert_with(|| Episode::new(at)).extend(at, &judged);
        }
        let Some(episode) = &open else {
            past.keep(*day, *count);
            continue;
        };
        let outcome = if at - episode.last >= CALM_DAYS {
            // The lulls of a surge are no norm either; what follows it is.
            days[episode.last + 1..=at].iter().for_each(|(day, count)| past.keep(*day, *count));
            Outcome::Over
        } else if episode.is_level() {
            // What stays is the norm: later days are judged by these alone.
            past = Past::default();
            days[episode.first..=at].iter().for_each(|(day, count)| past.keep(*day, *count));
            Outcome::NewLevel
        } else {
            continue;
        };
        found.extend(open.take().map(|episode| episode.surge(days, outcome)));
    }
    found.extend(open.map(|episode| episode.surge(days, Outcome::Open)));
    found.retain(|surge| surge.peak.p <= p_max && is_large(&surge.peak));
    found
}

/// Whether a day is a surge by its size.
fn is_large(judged: &Judged) -> bool {
    judged.count >= SURGE_HOSTS_MIN && float(judged.count) >= SURGE_RATIO_MIN * judged.expected
}

/// Days that stand out, in a run.
struct Episode {
    first: usize,
    last: usize,
    days: usize,
    peak: Option<Judged>,
    excess: f64,
}

impl Episode {
    fn new(at: usize) -> Episode {
        Episode { first: at, last: at, days: 0, peak: None, excess: 0.0 }
    }

    fn extend(&mut self, at: usize, judged: &Judged) {
        self.last = at;
        self.days += 1;
        self.excess += float(judged.count) - judged.expected;
        // Large beats sure beats early: a surge is told by its surest large day.
        let rank = |judged: &Judged| (!is_large(judged), judged.p);
        if self.peak.is_none_or(|peak| rank(judged) < rank(&peak)) {
            self.peak = Some(*judged);
        }
    }

    /// Whether it has lasted so long that it is the norm: four weeks, most days of which stood out.
    fn is_level(&self) -> bool {
        let span = self.last + 1 - self.first;
        span >= LEVEL_DAYS && 2 * self.days >= span
    }

    fn surge(self, days: &Observed, outcome: Outcome) -> Surge {
        let (first, last) = (days[self.first].0, days[self.last].0);
        let none = Judged { day: first, count: 0, expected: 0.0, p: 1.0 };
        Surge { first, last, peak: self.peak.unwrap_or(none), excess: self.excess, outcome }
    }
}

/// The unremarkable days before a day, as many as count.
#[derive(Default)]
struct Past {
    days: std::collections::VecDeque<(Date, f64)>,
}

/// What a past makes expect, and how well it is known.
struct Norm {
    expected: f64,
    /// The variance of a day as a multiple of its mean; at least 1.
    dispersion: f64,
    /// The expected count is known as if from so many days.
    days: f64,
}

impl Past {
    fn keep(&mut self, day: Date, count: u64) {
        if self.days.len() == PAST_DAYS_MAX {
            self.days.pop_front();
        }
        self.days.push_back((day, float(count)));
    }

    fn judge(&self, day: Date, count: u64) -> Option<Judged> {
        if self.days.len() < PAST_DAYS_MIN {
            return None;
        }
        let norm = self.norm(day);
        let p = if count == 0 { 1.0 } else { norm.chance(float(count)) };
        Some(Judged { day, count, expected: norm.expected, p })
    }

    fn norm(&self, day: Date) -> Norm {
        let days = float(self.days.len() as u64);
        let mean = self.days.iter().map(|(_, count)| count).sum::<f64>() / days;
        if mean < RHYTHM_MEAN_MIN {
            let fitted = self.days.iter().map(|(_, count)| (*count, mean));
            return Norm { expected: mean, dispersion: dispersion(fitted, days - 1.0), days };
        }
        let rhythm = Rhythm::of(&self.days, mean);
        let growth = Growth::of(&self.days, &rhythm);
        let fit = |day: Date| rhythm.factor(day) * growth.level(day);
        let fitted = self.days.iter().map(|(day, count)| (*count, fit(*day)));
        let spent = 1.0 + rhythm.parameters + growth.parameters;
        // What a fit costs: seven means instead of one, and a line that is drawn on beyond its end.
        let days_known = days / (1.0 + rhythm.parameters + 4.0 * growth.parameters);
        Norm { expected: fit(day), dispersion: dispersion(fitted, days - spent), days: days_known }
    }
}

/// Pearson's dispersion at the upper end of what it may be (one-sided 95 %), since a few weeks tell it only roughly.
/// Where nothing speaks against a Poisson series, only what exceeds that series' 1 is taken so high.
fn dispersion(fitted: impl Iterator<Item = (f64, f64)>, freedom: f64) -> f64 {
    let square = |(count, fit): (f64, f64)| if fit > 0.0 { (count - fit).powi(2) / fit } else { 0.0 };
    let pearson: f64 = fitted.map(square).sum();
    // Quantiles of chi-squared, by Wilson and Hilferty.
    let spread = 2.0 / (9.0 * freedom);
    let quantile = |normal: f64| freedom * (1.0 - spread + normal * spread.sqrt()).powi(3);
    let upper = pearson / quantile(-1.6449);
    let poisson = pearson <= quantile(1.0);
    if poisson { 1.0 + (pearson - freedom).max(0.0) / quantile(-1.6449) } else { upper }
}

impl Norm {
    /// The chance of so high a count or a higher one.
    fn chance(&self, count: f64) -> f64 {
        let Norm { expected, dispersion, days } = *self;
        let mean = expected + dispersion / days;
        let of_days = if dispersion > 1.0 { (dispersion - 1.0) / expected } else { 0.0 };
        let of_mean = dispersion / (expected * days + dispersion);
        let size = 1.0 / (of_days + of_mean);
        checked_beta_reg(count, size, mean / (mean + size)).unwrap_or(1.0)
    }
}

/// Factors of the days of the week.
struct Rhythm {
    factors: [f64; 7],
    parameters: f64,
}

impl Rhythm {
    /// Seen from four weeks on.
    fn of(days: &std::collections::VecDeque<(Date, f64)>, mean: f64) -> Rhythm {
        if days.len() < 28 {
            return Rhythm { factors: [1.0; 7], parameters: 0.0 };
        }
        let mut sums = [(0.0, 0.0); 7];
        for (day, count) in days {
            let (sum, number) = &mut sums[weekday(*day)];
            *sum += count;
            *number += 1.0;
        }
        // A day more of the mean for each: a weekday that was hardly seen is no rhythm.
        let factor = |(sum, number): (f64, f64)| (sum + mean) / ((number + 1.0) * mean);
        Rhythm { factors: sums.map(factor), parameters: 6.0 }
    }

    fn factor(&self, day: Date) -> f64 {
        self.factors[weekday(day)]
    }
}

fn weekday(day: Date) -> usize {
    usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())
}

/// A level that grows slowly.
struct Growth {
    level: f64,
    at: Date,
    a_day: f64,
    parameters: f64,
}

impl Growth {
    /// From the first half of the past to the second, where it grew by more than chance.
    fn of(days: &std::collections::VecDeque<(Date, f64)>, rhythm: &Rhythm) -> Growth {
        let half = days.len() / 2;
        let mean = |from: usize, to: usize| {
            let sum: f64 = days.range(from..to).map(|(day, count)| count / rhythm.factor(*day)).sum();
            sum / float((to - from) as u64)
        };
        let (before, after) = (mean(0, half), mean(half, days.len()));
        let middle = |at: usize| days[at].0;
        let (from, to) = (middle(half / 2), middle(half + (days.len() - half) / 2));
        let apart = float(from.duration_until(to).as_hours().unsigned_abs() / 24);
        let a_day = ((after / before.max(f64::MIN_POSITIVE)).ln() / apart).clamp(0.0, GROWTH_A_DAY_MAX);
        let noise =
            (1.0 / (before.max(1.0) * float(half as u64)) + 1.0 / (after * float(half as u64))).sqrt();
        if a_day * apart <= noise {
            let whole = mean(0, days.len());
            return Growth { level: whole, at: to, a_day: 0.0, parameters: 0.0 };
        }
        Growth { level: after, at: to, a_day, parameters: 1.0 }
    }

    fn level(&self, day: Date) -> f64 {
        let hours = self.at.duration_until(day).as_hours();
        #[expect(clippy::cast_precision_loss, reason = "hours of months")]
        let days = hours as f64 / 24.0;
        self.level * (self.a_day * days).exp()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a day, below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
