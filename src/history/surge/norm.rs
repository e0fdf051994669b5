//! What a past makes expect of a day, and the chance that it has more.
//!
//! The chance is a negative binomial's, whose spread is that of the days and that of not knowing their mean. For a
//! series that is Poisson, as rare behavior is, it is that of the exact test of two rates given their sum. The chance that
//! it has less is the same test from the other side.

use std::collections::VecDeque;

use jiff::civil::Date;
use statrs::function::beta::checked_beta_reg;

use super::{Direction, Judged, Observed, SCALES, WEEK, float};

/// Days of the past that a day is judged by, at most: eight weeks.
const PAST_DAYS_MAX: usize = 56;
/// Days of the past without which none is judged: two of each day of the week. What so few leave unknown of mean and spread
/// is a part of the test; fewer would hold a weekend once.
pub(super) const PAST_DAYS_MIN: usize = 14;
/// From so many hosts a day on a series shows rhythm and growth; below, chance hides them.
const RHYTHM_MEAN_MIN: f64 = 5.0;
/// Slow growth is at most a doubling in four weeks; what grows faster is a surge. So with halving, and falls.
const GROWTH_A_DAY_MAX: f64 = std::f64::consts::LN_2 / 28.0;

/// The unremarkable days before a day, as many as count.
#[derive(Default)]
pub(super) struct Past {
    days: VecDeque<(Date, f64)>,
}

/// What a past makes expect, and how well it is known.
struct Norm {
    direction: Direction,
    rhythm: Rhythm,
    growth: Growth,
    /// The variance of a day as a multiple of its mean; at least 1.
    dispersion: f64,
    /// The correlation of neighbouring days, 0 to 1, a standard error above what was seen.
    persistence: f64,
    /// The expected count is known as if from so many days.
    days: f64,
}

impl Past {
    /// Keeps the days from `next` to `end`.
    pub(super) fn keep(&mut self, days: &Observed, next: &mut usize, end: usize) {
        for (day, count) in days.get(*next..end).unwrap_or_default() {
            if self.days.len() == PAST_DAYS_MAX {
                self.days.pop_front();
            }
            self.days.push_back((*day, float(*count)));
        }
        *next = end.max(*next);
    }

    /// Judges the last of these days by its own count and by the sum of its week. The week has up to seven days and does not begin
    /// before the day with the number `from`.
    ///
    /// Returns `None` if the past has too few days, or if the count is not far from the expected one ([`Judged::is_far`]).
    pub(super) fn judge(&self, days: &Observed, from: usize, direction: Direction) -> Option<Judged> {
        let [.., (day, count)] = days else { return None };
        if self.days.len() < PAST_DAYS_MIN {
            return None;
        }
        let mut norm = self.level(direction);
        let expected = norm.expected(*day);
        // Most days are not far, and the spread of the past takes longer than its level.
        if !(Judged { day: *day, count: *count, expected, p: 1.0 }).is_far(direction) {
            return None;
        }
        self.add_spread(&mut norm);
        let week = &days[from.max(days.len().saturating_sub(WEEK)).min(days.len() - 1)..];
        let p = norm.chance(*count, expected, 1).min(norm.chance_of_run(week));
        Some(Judged { day: *day, count: *count, expected, p: (SCALES * p).min(1.0) })
    }

    /// The chance of days in a row as far to a side, or farther.
    pub(super) fn chance_of_run(&self, days: &Observed, direction: Direction) -> f64 {
        self.norm(direction).chance_of_run(days)
    }

    /// Where a surge began that the last of these days told: the day of its week, from `from` on, since which the counts
    /// are least like the past (the greatest likelihood ratio, as if Poisson).
    pub(super) fn onset(&self, days: &Observed, from: usize, direction: Direction) -> usize {
        let norm = self.norm(direction);
        let (mut onset, mut best) = (days.len() - 1, 0.0);
        let (mut sum, mut expected) = (0.0, 0.0);
        for at in (from.max(days.len().saturating_sub(WEEK))..days.len()).rev() {
            let (day, count) = days[at];
            sum += float(count);
            expected += norm.expected(day).max(1.0 / norm.days);
            let far = match direction {
                Direction::Up => sum > expected,
                Direction::Down => sum < expected,
            };
            let of_sum = if sum > 0.0 { sum * (sum / expected).ln() } else { 0.0 };
            let ratio = of_sum - (sum - expected);
            if far && ratio > best {
                (onset, best) = (at, ratio);
            }
        }
        onset
    }

    fn norm(&self, direction: Direction) -> Norm {
        let mut norm = self.level(direction);
        self.add_spread(&mut norm);
        norm
    }

    /// What the past makes expect; the spread is still to be added.
    fn level(&self, direction: Direction) -> Norm {
        let days = float(self.days.len() as u64);
        let mean = self.days.iter().map(|(_, count)| count).sum::<f64>() / days;
        let (rhythm, growth) = if mean < RHYTHM_MEAN_MIN {
            (Rhythm::none(), Growth::none(mean))
        } else {
            let rhythm = Rhythm::of(&self.days, mean);
            let growth = Growth::of(&self.days, &rhythm, direction);
            (rhythm, growth)
        };
        // What a fit costs: seven means instead of one, and a line that is drawn on beyond its end.
        let days_known = days / (1.0 + rhythm.parameters + 4.0 * growth.parameters);
        Norm { direction, rhythm, growth, dispersion: 1.0, persistence: 0.0, days: days_known }
    }

    /// Adds how far the days of the past lie from what it makes expect.
    fn add_spread(&self, norm: &mut Norm) {
        let spent = 1.0 + norm.rhythm.parameters + norm.growth.parameters;
        let fitted: Vec<(f64, f64)> =
            self.days.iter().map(|(day, count)| (*count, norm.expected(*day))).collect();
        norm.persistence = persistence(&fitted);
        norm.dispersion = dispersion(fitted.into_iter(), float(self.days.len() as u64) - spent);
    }
}

/// The correlation of neighbouring days, a standard error above what the past shows. Days on which nothing was seen tell
/// nothing about it.
fn persistence(fitted: &[(f64, f64)]) -> f64 {
    let seen = fitted.iter().filter(|(count, _)| *count > 0.0).count();
    let apart = |(count, fit): &(f64, f64)| if *fit > 0.0 { (count - fit) / fit.sqrt() } else { 0.0 };
    let own: f64 = fitted.iter().map(|day| apart(day).powi(2)).sum();
    let neighbours: f64 = fitted.windows(2).map(|pair| apart(&pair[0]) * apart(&pair[1])).sum();
    let correlation = if own > 0.0 { neighbours / own } else { 0.0 };
    (correlation.max(0.0) + 1.0 / float(seen.max(1) as u64).sqrt()).min(1.0)
}

/// Pearson's dispersion at the upper end of what it may be (one-sided 95 %), since a few weeks tell it only roughly;
/// 1 where the days spread no more than a Poisson series' would.
fn dispersion(fitted: impl Iterator<Item = (f64, f64)>, freedom: f64) -> f64 {
    let square = |(count, fit): (f64, f64)| if fit > 0.0 { (count - fit).powi(2) / fit } else { 0.0 };
    let pearson: f64 = fitted.map(square).sum();
    // Quantiles of chi-squared, by Wilson and Hilferty.
    let spread = 2.0 / (9.0 * freedom);
    let quantile = |normal: f64| freedom * (1.0 - spread + normal * spread.sqrt()).powi(3);
    if pearson <= quantile(0.0) { 1.0 } else { (pearson / quantile(-1.6449)).max(1.0) }
}

impl Norm {
    fn expected(&self, day: Date) -> f64 {
        self.rhythm.factor(day) * self.growth.level(day)
    }

    /// The chance of days in a row as far or farther, without the farthest of them: one day is told once, not in seven
    /// weeks. Above the past, what is left is at most the sum without any other day, so also without that of which most is
    /// expected; below it, at least the sum without that of which least is.
    fn chance_of_run(&self, days: &Observed) -> f64 {
        let counts = || days.iter().map(|(_, count)| *count);
        let expected = || days.iter().map(|(day, _)| self.expected(*day));
        let (farthest, likeliest) = match self.direction {
            Direction::Up => (counts().max(), expected().fold(0.0, f64::max)),
            Direction::Down => (counts().min(), expected().fold(f64::INFINITY, f64::min)),
        };
        let sum = counts().sum::<u64>() - farthest.unwrap_or(0);
        let rest = expected().sum::<f64>() - likeliest;
        if days.len() > 1 { self.chance(sum, rest, days.len() - 1) } else { 1.0 }
    }

    /// The chance of so high a sum of `together` days or a higher one; of a fall, of so low a sum or a lower one.
    fn chance(&self, sum: u64, expected: f64, together: usize) -> f64 {
        let certain = match self.direction {
            Direction::Up => sum == 0,
            Direction::Down => expected <= 0.0,
        };
        if certain {
            return 1.0;
        }
        let dispersion = self.dispersion * self.widening(together);
        let together = float(together as u64);
        let of_days = |mean: f64| if dispersion > 1.0 { (dispersion - 1.0) / mean } else { 0.0 };
        let known = expected / together * self.days;
        // What is not known of the mean is the same for all days of the sum. For a Poisson series these are the tails of the
        // exact test: one host more in the past, or one more now.
        let chance = match self.direction {
            Direction::Up => {
                let mean = expected + dispersion * together / self.days;
                let size = 1.0 / (of_days(mean) + dispersion / (known + dispersion));
                checked_beta_reg(float(sum), size, mean / (mean + size))
            }
            Direction::Down => {
                let size = 1.0 / (of_days(expected) + dispersion / known);
                checked_beta_reg(size, float(sum + 1), size / (expected + size))
            }
        };
        chance.unwrap_or(1.0)
    }

    /// By how much the correlation of days, which falls by the same factor from day to day, widens a sum's variance.
    fn widening(&self, days: usize) -> f64 {
        let together = float(days as u64);
        let (mut sum, mut correlation) = (1.0, 1.0);
        for apart in 1..days {
            correlation *= self.persistence;
            sum += 2.0 * (1.0 - float(apart as u64) / together) * correlation;
        }
        sum
    }
}

/// Factors of the days of the week.
struct Rhythm {
    factors: [f64; 7],
    parameters: f64,
}

impl Rhythm {
    fn none() -> Rhythm {
        Rhythm { factors: [1.0; 7], parameters: 0.0 }
    }

    /// Seen from four weeks on.
    fn of(days: &VecDeque<(Date, f64)>, mean: f64) -> Rhythm {
        if days.len() < 28 {
            return Rhythm::none();
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

/// A level that grows slowly, or, where falls are looked for, shrinks.
struct Growth {
    level: f64,
    at: Date,
    a_day: f64,
    parameters: f64,
}

impl Growth {
    fn none(level: f64) -> Growth {
        Growth { level, at: Date::ZERO, a_day: 0.0, parameters: 0.0 }
    }

    /// From the first half of the past to the second, where it grew by more than chance.
    fn of(days: &VecDeque<(Date, f64)>, rhythm: &Rhythm, direction: Direction) -> Growth {
        let half = days.len() / 2;
        let mean = |from: usize, to: usize| {
            let sum: f64 = days.range(from..to).map(|(day, count)| count / rhythm.factor(*day)).sum();
            sum / float((to - from) as u64)
        };
        let (before, after) = (mean(0, half), mean(half, days.len()));
        let middle = |at: usize| days[at].0;
        let (from, to) = (middle(half / 2), middle(half + (days.len() - half) / 2));
        let apart = float(from.duration_until(to).as_hours().unsigned_abs() / 24);
        let a_day = (after / before.max(f64::MIN_POSITIVE)).ln() / apart;
        let a_day = match direction {
            Direction::Up => a_day.clamp(0.0, GROWTH_A_DAY_MAX),
            Direction::Down => a_day.clamp(-GROWTH_A_DAY_MAX, 0.0),
        };
        let noise =
            (1.0 / (before.max(1.0) * float(half as u64)) + 1.0 / (after * float(half as u64))).sqrt();
        if a_day.abs() * apart <= noise {
            return Growth::none(mean(0, days.len()));
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
