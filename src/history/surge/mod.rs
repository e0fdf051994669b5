//! Surges: days on which a series of counts lies above its own past, by more than chance and rhythm make it. Falls, days
//! that lie below it, are the same from the other side.
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

/// To which side days depart from their past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Above it.
    Up,
    /// Below it.
    Down,
}

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
    /// The chance of such a count or a higher one (in a fall, a lower one), of the day or of its week or surge: the
    /// smallest one, times three.
    pub p: f64,
}

impl Judged {
    /// By how much it departs to a side.
    fn excess(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Up => float(self.count) - self.expected,
            Direction::Down => self.expected - float(self.count),
        }
    }

    fn is_far(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => float(self.count) >= SURGE_RATIO_MIN * self.expected,
            Direction::Down => SURGE_RATIO_MIN * float(self.count) <= self.expected,
        }
    }

    /// Whether there are hosts enough, now or, in a fall, before.
    fn is_many(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.count >= SURGE_HOSTS_MIN,
            Direction::Down => self.expected >= float(SURGE_HOSTS_MIN),
        }
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
    /// Of a fall alone: what had surged is over.
    OldLevel,
}

/// A run of days above the past, or below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surge {
    /// To which side.
    pub direction: Direction,
    /// Its first day.
    pub first: Date,
    /// Its last day.
    pub last: Date,
    /// The day with most above what was expected; in a fall, below it.
    pub peak: Judged,
    /// The smallest chance of its days, of their weeks and of all days since its first, up to four weeks.
    pub p: f64,
    /// The sum of what its days that stood out had above what was expected; in a fall, below it.
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
    departures(days, &[Direction::Up], p_max)
}

/// The surges of a series and its falls, each with at most this chance; ascending. Where a surge is over, that is a fall,
/// too, as sure as the surge was: its days are told against the surge's own.
#[must_use]
pub fn jumps(days: &Observed, p_max: f64) -> Vec<Surge> {
    let mut found = departures(days, &[Direction::Up, Direction::Down], p_max);
    let ends: Vec<Surge> = found.iter().filter_map(|surge| surge.end(days)).collect();
    for end in ends {
        // What falls below the old level at once is one fall.
        let told = |other: &Surge| other.direction == Direction::Down && other.first <= end.last;
        if !found.iter().any(|other| told(other) && end.first <= other.last) {
            found.push(end);
        }
    }
    found.sort_by_key(|jump| jump.first);
    found
}

fn departures(days: &Observed, directions: &[Direction], p_max: f64) -> Vec<Surge> {
    let mut past = Past::default();
    // The first day that is neither kept in the past nor left out of it.
    let mut next = 0;
    let mut found = Vec::new();
    let mut open: Option<Episode> = None;
    for at in 0..days.len() {
        if open.is_none() {
            past.keep(days, &mut next, (at + 1).saturating_sub(WEEK));
        }
        let watched = open.as_ref().map(|episode| episode.direction);
        let far = directions.iter().filter(|direction| watched.is_none_or(|watched| watched == **direction));
        let far = far.filter_map(|direction| Some((*direction, past.judge(&days[..=at], next, *direction)?)));
        let far = far.filter(|(direction, judged)| judged.p <= UNUSUAL && judged.is_far(*direction));
        let stands_out = far.min_by(|a, b| a.1.p.total_cmp(&b.1.p));
        if let (Some((direction, judged)), None) = (stands_out, &open) {
            let first = past.onset(&days[..=at], next, direction);
            past.keep(days, &mut next, first);
            open = Some(Episode::new(direction, first, at, judged));
        }
        let Some(episode) = &mut open else { continue };
        if let Some((direction, judged)) = stands_out {
            let run = &days[episode.first.max((at + 1).saturating_sub(LEVEL_DAYS))..=at];
            episode.extend(at, judged, past.chance_of_run(run, direction));
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
    let sure = |surge: &Surge| {
        let direction = surge.direction;
        surge.p <= p_max && surge.peak.is_far(direction) && surge.peak.is_many(direction)
    };
    found.retain(sure);
    found
}

impl Surge {
    /// The fall that ends a surge which is over: as many days as it took to see that.
    fn end(&self, days: &Observed) -> Option<Surge> {
        if (self.direction, self.outcome) != (Direction::Up, Outcome::Over) {
            return None;
        }
        let inside: Vec<u64> = days
            .iter()
            .filter(|(day, _)| (self.first..=self.last).contains(day))
            .map(|(_, count)| *count)
            .collect();
        let expected = float(inside.iter().sum()) / float(inside.len().max(1) as u64);
        let after = days.iter().filter(|(day, _)| *day > self.last).take(CALM_DAYS);
        let after: Vec<Judged> =
            after.map(|(day, count)| Judged { day: *day, count: *count, expected, p: self.p }).collect();
        let excess = |judged: &Judged| judged.excess(Direction::Down);
        Some(Surge {
            direction: Direction::Down,
            first: after.first()?.day,
            last: after.last()?.day,
            peak: after.iter().copied().max_by(|a, b| excess(a).total_cmp(&excess(b)))?,
            p: self.p,
            excess: after.iter().map(excess).sum(),
            outcome: Outcome::OldLevel,
        })
    }
}

/// Days that stand out, in a run.
struct Episode {
    direction: Direction,
    first: usize,
    last: usize,
    days: usize,
    peak: Judged,
    p: f64,
    excess: f64,
}

impl Episode {
    fn new(direction: Direction, first: usize, at: usize, judged: Judged) -> Episode {
        Episode { direction, first, last: at, days: 0, peak: judged, p: 1.0, excess: 0.0 }
    }

    /// By a day that stands out; `run` is the chance of all days since the first. It is one of as many as a surge can
    /// have days.
    fn extend(&mut self, at: usize, judged: Judged, run: f64) {
        self.last = at;
        self.days += 1;
        self.excess += judged.excess(self.direction);
        self.p = self.p.min(judged.p).min(SCALES * float(LEVEL_DAYS as u64) * run);
        if self.peak.excess(self.direction) < judged.excess(self.direction) {
            self.peak = judged;
        }
    }

    /// Whether it has lasted so long that it is the norm: four weeks, most days of which stood out.
    fn is_level(&self) -> bool {
        let span = self.last + 1 - self.first;
        span >= LEVEL_DAYS && 2 * self.days >= span
    }

    fn surge(self, days: &Observed, outcome: Outcome) -> Surge {
        let Episode { direction, peak, p, excess, .. } = self;
        Surge { direction, first: days[self.first].0, last: days[self.last].0, peak, p, excess, outcome }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a day, below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
