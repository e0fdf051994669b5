//! Surges: days on which a series of daily counts exceeds its background by more than chance and weekly
//! rhythm explain. A fall is the opposite: days below the background, found by the mirrored test.
//!
//! Each day is tested against the days before it, as in the algorithms that detect outbreaks of disease in
//! counts of cases (Farrington and others 1996; Noufaily and others 2013): an expected count with weekly
//! rhythm and slow growth, a dispersion, and the probability of a count at least as high. Days that stand out
//! do not enter the background of later days, unless the level persists. Neither do the last days before the
//! tested one, since a surge may have begun on them.
//!
//! Three tests are made of each day: of the day itself, of its week (the day and the six before it), and of
//! the surge so far (up to four weeks). The day reveals a large outbreak at once, the week a small one that
//! persists. Hosts that scan on one day often scan on the next, so the correlation of neighboring days widens
//! the variance of a sum of days.

mod background;

use jiff::civil::Date;

pub use background::PAST_DAYS_MIN;
use background::PastDays;

/// The direction of a departure from the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Above the background.
    Up,
    /// Below the background.
    Down,
}

/// Maximum p of a day that stands out. A surge may begin on such a day; the other days form the background of
/// later ones.
const UNUSUAL_P_MAX: f64 = 1e-2;
/// Number of days that are tested together. The last `WEEK - 1` days before a day are not part of its
/// background.
const WEEK: usize = 7;
/// Number of tests per day (the day, its week, and the surge so far), by which the smallest p is multiplied.
const TESTS_PER_DAY: f64 = 3.0;
/// Number of consecutive days that do not stand out and thus end a surge. Longer than a weekend.
const CALM_DAYS: usize = 4;
/// Number of days after which a surge is a new level and becomes the background.
const LEVEL_DAYS: usize = 28;
/// Minimum ratio of observed to expected count for a surge. A smaller departure is not reported, however
/// significant.
pub const SURGE_RATIO_MIN: f64 = 1.5;
/// Minimum number of hosts (or whatever is counted) on the peak day of a surge. Two hosts can coincide
/// anywhere by chance.
pub const SURGE_HOSTS_MIN: u64 = 3;

/// A series of counts by day, ascending. Days without a value are left out.
pub type DailySeries = [(Date, u64)];

/// A tested day: its count, the expected count and the p-value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestedDay {
    /// The day.
    pub day: Date,
    /// The observed count.
    pub count: u64,
    /// The count expected from the background.
    pub expected: f64,
    /// The probability of a count at least as high (in a fall, as low): the smaller one of the day's and its
    /// week's, multiplied by the number of tests, at most 1.
    pub p: f64,
}

impl TestedDay {
    /// Returns the departure from the expected count, positive in the given direction.
    fn excess(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Up => float(self.count) - self.expected,
            Direction::Down => self.expected - float(self.count),
        }
    }

    fn exceeds_ratio(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => float(self.count) >= SURGE_RATIO_MIN * self.expected,
            Direction::Down => SURGE_RATIO_MIN * float(self.count) <= self.expected,
        }
    }

    /// Returns whether the observed count, or in a fall the expected one, is at least [`SURGE_HOSTS_MIN`].
    fn reaches_hosts_min(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.count >= SURGE_HOSTS_MIN,
            Direction::Down => self.expected >= float(SURGE_HOSTS_MIN),
        }
    }
}

/// How a surge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Days that do not stand out followed.
    Over,
    /// It lasted so long that its level became the background.
    NewLevel,
    /// The series ends within it.
    Open,
    /// Only of a fall: it is the return to the old level after a surge.
    OldLevel,
}

/// A run of days above the background (a surge) or below it (a fall).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surge {
    /// The direction of the departure.
    pub direction: Direction,
    /// The first day (the onset).
    pub first: Date,
    /// The last day that stands out.
    pub last: Date,
    /// The day with the largest departure from the expected count.
    pub peak: TestedDay,
    /// The smallest p-value of its days, of their weeks, and of all days since the first, up to four weeks;
    /// adjusted for these tests.
    pub p: f64,
    /// The departure from the expected count, summed over the days that stand out, or over all days of an
    /// [`Outcome::OldLevel`].
    pub excess: f64,
    /// How it ended.
    pub outcome: Outcome,
}

/// Returns the number of days of a series that are tested, which are those with enough past days.
#[must_use]
pub fn tested_day_count(observed_days: usize) -> usize {
    observed_days.saturating_sub(PAST_DAYS_MIN + WEEK - 1)
}

/// Returns the surges of a series whose p-value is at most `p_max`, ascending by first day.
#[must_use]
pub fn surges(days: &DailySeries, p_max: f64) -> Vec<Surge> {
    departures(days, &[Direction::Up], p_max)
}

/// Returns the surges and falls of a series whose p-value is at most `p_max`, ascending by first day. The end
/// of a surge is also reported as a fall, with the surge's p-value and with the mean count of the surge as
/// the expected count.
#[must_use]
pub fn surges_and_falls(days: &DailySeries, p_max: f64) -> Vec<Surge> {
    let mut found = departures(days, &[Direction::Up, Direction::Down], p_max);
    let ends: Vec<Surge> = found.iter().filter_map(|surge| surge.fall_at_end(days)).collect();
    for end in ends {
        // If the series drops below the old level at once, there is already a fall for these days.
        let is_known = |other: &Surge| other.direction == Direction::Down && other.first <= end.last;
        if !found.iter().any(|other| is_known(other) && end.first <= other.last) {
            found.push(end);
        }
    }
    found.sort_by_key(|jump| jump.first);
    found
}

fn departures(days: &DailySeries, directions: &[Direction], p_max: f64) -> Vec<Surge> {
    let mut past = PastDays::default();
    // Index of the first day that is neither part of the background nor excluded from it.
    let mut next = 0;
    let mut found = Vec::new();
    let mut open: Option<Episode> = None;
    for at in 0..days.len() {
        if open.is_none() {
            past.add_days(days, &mut next, (at + 1).saturating_sub(WEEK));
        }
        let watched = open.as_ref().map(|episode| episode.direction);
        let far = directions.iter().filter(|direction| watched.is_none_or(|watched| watched == **direction));
        let far =
            far.filter_map(|direction| Some((*direction, past.test_day(&days[..=at], next, *direction)?)));
        let far =
            far.filter(|(direction, judged)| judged.p <= UNUSUAL_P_MAX && judged.exceeds_ratio(*direction));
        let stands_out = far.min_by(|a, b| a.1.p.total_cmp(&b.1.p));
        if let (Some((direction, judged)), None) = (stands_out, &open) {
            let first = past.onset(&days[..=at], next, direction);
            past.add_days(days, &mut next, first);
            open = Some(Episode::new(direction, first, at, judged));
        }
        let Some(episode) = &mut open else { continue };
        if let Some((direction, judged)) = stands_out {
            let run = &days[episode.first.max((at + 1).saturating_sub(LEVEL_DAYS))..=at];
            episode.extend(at, judged, past.run_probability(run, direction));
        }
        let outcome = if at - episode.last >= CALM_DAYS {
            // Days within a surge that do not stand out are excluded from the background; the days after it
            // are not.
            next = episode.last + 1;
            Outcome::Over
        } else if episode.is_new_level() {
            // A persistent level is the new background: later days are tested against this level only.
            (past, next) = (PastDays::default(), episode.first);
            Outcome::NewLevel
        } else {
            continue;
        };
        found.extend(open.take().map(|episode| episode.into_surge(days, outcome)));
    }
    found.extend(open.map(|episode| episode.into_surge(days, Outcome::Open)));
    let sure = |surge: &Surge| {
        let direction = surge.direction;
        surge.p <= p_max && surge.peak.exceeds_ratio(direction) && surge.peak.reaches_hosts_min(direction)
    };
    found.retain(sure);
    found
}

impl Surge {
    /// Returns the fall that ends a finished surge: the days by which the end was recognized. Returns `None`
    /// for other departures.
    fn fall_at_end(&self, days: &DailySeries) -> Option<Surge> {
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
        let after: Vec<TestedDay> =
            after.map(|(day, count)| TestedDay { day: *day, count: *count, expected, p: self.p }).collect();
        let excess = |judged: &TestedDay| judged.excess(Direction::Down);
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

/// A departure in progress.
struct Episode {
    direction: Direction,
    first: usize,
    last: usize,
    unusual_days: usize,
    peak: TestedDay,
    p: f64,
    excess: f64,
}

impl Episode {
    fn new(direction: Direction, first: usize, at: usize, judged: TestedDay) -> Episode {
        Episode { direction, first, last: at, unusual_days: 0, peak: judged, p: 1.0, excess: 0.0 }
    }

    /// Adds a day that stands out. `run` is the probability of all days since the first, up to four weeks; it
    /// is adjusted for the number of lengths that a surge can have.
    fn extend(&mut self, at: usize, judged: TestedDay, run: f64) {
        self.last = at;
        self.unusual_days += 1;
        self.excess += judged.excess(self.direction);
        self.p = self.p.min(judged.p).min(TESTS_PER_DAY * float(LEVEL_DAYS as u64) * run);
        if self.peak.excess(self.direction) < judged.excess(self.direction) {
            self.peak = judged;
        }
    }

    /// Returns whether the departure is a new level: it spans four weeks, and at least half of its days stand
    /// out.
    fn is_new_level(&self) -> bool {
        let span = self.last + 1 - self.first;
        span >= LEVEL_DAYS && 2 * self.unusual_days >= span
    }

    fn into_surge(self, days: &DailySeries, outcome: Outcome) -> Surge {
        let Episode { direction, peak, p, excess, .. } = self;
        Surge { direction, first: days[self.first].0, last: days[self.last].0, peak, p, excess, outcome }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a day, below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}
