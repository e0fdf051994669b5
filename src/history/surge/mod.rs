//! Surges: days on which a series of counts lies above its own past, by more than chance and rhythm make it.
//!
//! Each day is tested against the days before it, as the algorithms do that find outbreaks of disease in counts of
//! cases (Farrington and others 1996; Noufaily and others 2013): an expected count with rhythm of the week and slow
//! growth, a dispersion, and the chance of so high a count or a higher one. Days that stood out do not become the norm
//! by which later ones are judged, unless they stay; nor do the last days, among which a surge may have begun.
//!
//! A day is judged by itself, and by its week: itself and the six days before. A day tells an outbreak at once, a week
//! one that is small and stays. What began is judged as a whole, too, up to four weeks. Who scans today often scans
//! tomorrow, too, so days together are as sure as they are independent: the correlation of neighbouring days widens what
//! chance may do.

mod norm;

use jiff::civil::Date;

use norm::{PAST_DAYS_MIN, Past};

/// Days that stood out less than this are the norm of later ones; a surge may begin with one that did more.
const UNUSUAL: f64 = 1e-2;
/// Days that are judged together; the days before a day that are not its norm are one fewer.
const WEEK: usize = 7;
/// A day, its week and a surge so far are three tests: a p is three times the smallest.
const SCALES: f64 = 3.0;
/// Unremarkable days in a row that end a surge. A weekend must not.
const CALM_DAYS: usize = 4;
/// A surge that lasts so many days is a new level, and becomes the norm.
const LEVEL_DAYS: usize = 28;
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
    /// The chance of such a count or a higher one, of the day or of its week or surge: the smallest one, times three.
    pub p: f64,
}

impl Judged {
    fn excess(&self) -> f64 {
        float(self.count) - self.expected
    }

    fn is_high(&self) -> bool {
        float(self.count) >= SURGE_RATIO_MIN * self.expected
    }
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
    /// The day with most above what was expected.
    pub peak: Judged,
    /// The smallest chance of its days, of their weeks and of all days since its first, up to four weeks.
    pub p: f64,
    /// The sum of what its days that stood out had above what was expected.
    pub excess: f64,
    /// What became of it.
    pub outcome: Outcome,
}

/// How many of a series' days are judged: those with enough past.
#[must_use]
pub fn judged_days(observed_days: usize) -> usize {
    observed_days.saturating_sub(PAST_DAYS_MIN + WEEK - 1)
}

/// The surges of a series whose surest day has at most this chance; ascending.
#[must_use]
pub fn surges(days: &Observed, p_max: f64) -> Vec<Surge> {
    let mut past = Past::default();
    // The first day that is neither kept in the past nor left out of it.
    let mut next = 0;
    let mut found = Vec::new();
    let mut open: Option<Episode> = None;
    for at in 0..days.len() {
        if open.is_none() {
            past.keep(days, &mut next, (at + 1).saturating_sub(WEEK));
        }
        let Some(judged) = past.judge(&days[..=at], next) else { continue };
        let stands_out = judged.p <= UNUSUAL && judged.is_high();
        if stands_out && open.is_none() {
            let first = past.onset(&days[..=at], next);
            past.keep(days, &mut next, first);
            open = Some(Episode::new(first, at, judged));
        }
        let Some(episode) = &mut open else { continue };
        if stands_out {
            let run = &days[episode.first.max((at + 1).saturating_sub(LEVEL_DAYS))..=at];
            episode.extend(at, judged, past.chance_of_run(run));
        }
        let outcome = if at - episode.last >= CALM_DAYS {
            // The lulls of a surge are no norm either; what follows it is.
            next = episode.last + 1;
            Outcome::Over
        } else if episode.is_level() {
            // What stays is the norm: later days are judged by these alone.
            (past, next) = (Past::default(), episode.first);
            Outcome::NewLevel
        } else {
            continue;
        };
        found.extend(open.take().map(|episode| episode.surge(days, outcome)));
    }
    found.extend(open.map(|episode| episode.surge(days, Outcome::Open)));
    found.retain(|surge| surge.p <= p_max && surge.peak.is_high() && surge.peak.count >= SURGE_HOSTS_MIN);
    found
}

/// Days that stand out, in a run.
struct Episode {
    first: usize,
    last: usize,
    days: usize,
    peak: Judged,
    p: f64,
    excess: f64,
}

impl Episode {
    fn new(first: usize, at: usize, judged: Judged) -> Episode {
        Episode { first, last: at, days: 0, peak: judged, p: 1.0, excess: 0.0 }
    }

    /// By a day that stands out; `run` is the chance of all days since the first. It is one of as many as a surge can
    /// have days.
    fn extend(&mut self, at: usize, judged: Judged, run: f64) {
        self.last = at;
        self.days += 1;
        self.excess += judged.excess();
        self.p = self.p.min(judged.p).min(SCALES * float(LEVEL_DAYS as u64) * run);
        if self.peak.excess() < judged.excess() {
            self.peak = judged;
        }
    }

    /// Whether it has lasted so long that it is the norm: four weeks, most days of which stood out.
    fn is_level(&self) -> bool {
        let span = self.last + 1 - self.first;
        span >= LEVEL_DAYS && 2 * self.days >= span
    }

    fn surge(self, days: &Observed, outcome: Outcome) -> Surge {
        let Episode { peak, p, excess, .. } = self;
        Surge { first: days[self.first].0, last: days[self.last].0, peak, p, excess, outcome }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a day, below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
