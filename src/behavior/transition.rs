//! Decides whether a host visits its destinations in sequence or at random.
//!
//! The distinct destinations of a window, in order of first appearance, are sequential if one of three rules
//! of the design (section 3) holds. The third rule detects sweeps that skip many
//! addresses, for example those that did not answer an earlier stage of the scan, or every fifth address.
//! The steps of such a sweep are too long for the first rule. Destinations in random order satisfy the third
//! rule about three times in a million.
//!
//! 1. **Near.** A step counts when its rank lies within [`REACH`] ahead of one of the last [`LOOKBACK`]
//!    destinations, which tolerates loss, reordering and interleaved threads. Sequential when
//!    [`SHARE_PERCENT`] of the steps count in one direction.
//! 2. **Near within neighbourhoods.** The same rule, pooled over the groups of three or more destinations in
//!    one /24 (IPv6: /64), if these groups hold at least four steps and over half of all possible ones.
//! 3. **Steady.** At least [`SHARE_PERCENT`] of the steps go in one direction, and their number is at least
//!    4.5 standard deviations above its mean in a random order, which happens about three times in a million.
//!    The number of ascents in a random order of n has mean (n-1)/2 and variance (n+1)/12 (Eulerian numbers).
//!    Below ten destinations no order is that steady.

use serde::{Deserialize, Serialize};

use super::distinct::hash_of;

/// Maximum distance in ranks from a recent destination to a destination near it.
const REACH: u32 = 4;
/// Number of recent destinations with which a step is compared.
const LOOKBACK: usize = 4;
/// Minimum share of the steps in one direction for a sequence, in percent.
const SHARE_PERCENT: usize = 80;
/// Minimum number of destinations in a group of the second rule.
const GROUP_MIN: usize = 3;
/// Minimum number of steps in all groups of the second rule together.
const GROUPED_STEPS_MIN: usize = 4;
/// Minimum number of destinations for the third rule; with fewer, even a strict sequence lies within 4.5
/// standard deviations.
const STEADY_MIN: usize = 10;
/// Square of the number of standard deviations (4.5) that the third rule requires.
const STEADY_DEVIATIONS_SQUARED: f64 = 20.25;

/// The order in which the destinations of a window were first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// One destination, so that there is no step.
    Single,
    /// A sweep in ascending or descending order.
    Sequential,
    /// Any other order.
    Random,
}

impl Transition {
    /// Returns the letter in the canonical string: `-`, `S` or `R`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Transition::Single => '-',
            Transition::Sequential => 'S',
            Transition::Random => 'R',
        }
    }

    /// Returns the transition with a letter.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Transition> {
        let all = [Transition::Single, Transition::Sequential, Transition::Random];
        all.into_iter().find(|transition| transition.letter() == letter)
    }
}

/// The integer type of ranks and neighbourhoods.
pub trait Number: Copy + Ord {
    /// Returns whether `self` lies 1 to [`REACH`] ahead of `before`. Wrapping arithmetic makes this one
    /// comparison.
    fn is_near(self, before: Self) -> bool;

    /// Returns a hash of ten bits.
    fn hint(self) -> usize;
}

impl Number for u32 {
    #[inline]
    fn is_near(self, before: u32) -> bool {
        self.wrapping_sub(before).wrapping_sub(1) < REACH
    }

    #[inline]
    fn hint(self) -> usize {
        // Fibonacci hashing: the top bits of the product are the best mixed.
        usize::try_from(self.wrapping_mul(0x9e37_79b9) >> 22).unwrap_or(0)
    }
}

impl Number for u128 {
    #[inline]
    fn is_near(self, before: u128) -> bool {
        self.wrapping_sub(before).wrapping_sub(1) < REACH.into()
    }

    #[inline]
    fn hint(self) -> usize {
        usize::try_from(hash_of(&self) >> 54).unwrap_or(0)
    }
}

/// Returns the transition of distinct destinations, which are given by their ranks and neighbourhoods in
/// order of first appearance.
#[must_use]
pub fn transition<N: Number>(ranks: &[N], neighbourhoods: impl Iterator<Item = N> + Clone) -> Transition {
    if ranks.len() < 2 {
        return Transition::Single;
    }
    if near_steps(ranks).is_enough_of(ranks.len() - 1)
        || steady(ranks)
        || near_in_groups(ranks, neighbourhoods)
    {
        Transition::Sequential
    } else {
        Transition::Random
    }
}

/// Numbers of steps that count, by direction.
#[derive(Clone, Copy, Default)]
struct Steps {
    up: usize,
    down: usize,
}

impl Steps {
    fn is_enough_of(self, steps: usize) -> bool {
        self.up.max(self.down) * 100 >= steps * SHARE_PERCENT
    }

    /// Counts a step to `rank` from any of the destinations before it. Comparing all of them is faster than
    /// stopping at the first match.
    #[inline]
    fn note<N: Number>(&mut self, before: &[N], rank: N) {
        let (up, down) = before.iter().fold((false, false), |(up, down), before| {
            (up | rank.is_near(*before), down | before.is_near(rank))
        });
        self.up += usize::from(up);
        self.down += usize::from(down);
    }
}

fn near_steps<N: Number>(ranks: &[N]) -> Steps {
    let mut steps = Steps::default();
    for place in 1..ranks.len().min(LOOKBACK) {
        steps.note(&ranks[..place], ranks[place]);
    }
    for recent in ranks.windows(LOOKBACK + 1) {
        steps.note(&recent[..LOOKBACK], recent[LOOKBACK]);
    }
    steps
}

fn near_in_groups<N: Number>(ranks: &[N], neighbourhoods: impl Iterator<Item = N> + Clone) -> bool {
    let steps_possible = ranks.len() - 1;
    if steps_possible < GROUPED_STEPS_MIN || returns_at_most(neighbourhoods.clone()) * 2 <= steps_possible {
        return false;
    }
    let placed = neighbourhoods.zip(ranks).enumerate();
    let mut grouped: Vec<_> =
        placed.map(|(place, (neighbourhood, rank))| (neighbourhood, place, *rank)).collect();
    grouped.sort_unstable();
    let mut pooled = Steps::default();
    let mut steps = 0;
    let mut of_group = Vec::new();
    for group in grouped.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= GROUP_MIN) {
        of_group.clear();
        of_group.extend(group.iter().map(|(_, _, rank)| *rank));
        let near = near_steps(&of_group);
        pooled.up += near.up;
        pooled.down += near.down;
        steps += group.len() - 1;
    }
    steps >= GROUPED_STEPS_MIN && steps * 2 > steps_possible && pooled.is_enough_of(steps)
}

/// Returns an upper bound of the number of destinations in a neighbourhood that occurred before. A random
/// scan has few, and needs no grouping. Neighbourhoods with the same hint count as one.
fn returns_at_most<N: Number>(neighbourhoods: impl Iterator<Item = N>) -> usize {
    let mut met = [0u64; 1024 / 64];
    let mut returns = 0;
    for neighbourhood in neighbourhoods {
        let bit = neighbourhood.hint();
        let word = &mut met[bit / 64 % (1024 / 64)];
        returns += usize::from(*word >> (bit % 64) & 1 == 1);
        *word |= 1 << (bit % 64);
    }
    returns
}

#[expect(clippy::cast_precision_loss, reason = "counts of one window, far below 2^52")]
fn steady<N: Number>(ranks: &[N]) -> bool {
    let count = ranks.len();
    if count < STEADY_MIN {
        return false;
    }
    let mut steps = Steps::default();
    for step in ranks.windows(2) {
        steps.up += usize::from(step[0] < step[1]);
        steps.down += usize::from(step[0] > step[1]);
    }
    let above_mean = steps.up.max(steps.down) as f64 - (count - 1) as f64 / 2.0;
    let variance = (count + 1) as f64 / 12.0;
    steps.is_enough_of(count - 1)
        && above_mean > 0.0
        && above_mean * above_mean >= STEADY_DEVIATIONS_SQUARED * variance
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the transition of addresses in one network, and asserts that both integer types agree.
    fn judged(places: &[u32]) -> Transition {
        let judged = transition(places, places.iter().map(|place| place >> 8));
        let wide: Vec<u128> = places.iter().copied().map(u128::from).collect();
        assert_eq!(transition(&wide, wide.iter().map(|place| place >> 8)), judged, "{places:?}");
        judged
    }

    fn check(places: &[u32], expected: Transition) {
        assert_eq!(judged(places), expected, "{places:?}");
    }

    #[test]
    fn sweeps_are_sequential_in_either_direction() {
        let up: Vec<u32> = (14..32).collect();
        let down: Vec<u32> = (14..32).rev().collect();
        check(&up, Transition::Sequential);
        check(&down, Transition::Sequential);
        check(&[7, 8], Transition::Sequential);
    }

    #[test]
    fn loss_reordering_and_two_threads_are_forgiven() {
        check(&[0, 1, 3, 4, 7, 6, 8, 9, 12, 11, 13], Transition::Sequential);
        check(&[0, 1000, 1, 1001, 2, 1002, 3, 1003, 4, 1004], Transition::Sequential);
    }

    #[test]
    fn ten_threads_in_ten_neighbourhoods_are_sequential() {
        let threads: Vec<u32> = (0..40).map(|i| (i % 10) * 7_000 + i / 10).collect();
        check(&threads, Transition::Sequential);
    }

    #[test]
    fn a_sweep_over_answering_hosts_only_is_steady() {
        let gaps = [1, 80, 102, 104, 113, 125, 140, 160, 171, 190, 207, 255];
        check(&gaps, Transition::Sequential);
    }

    #[test]
    fn few_ascending_destinations_prove_nothing() {
        check(&[10, 500, 9000, 20_000, 50_000], Transition::Random);
        check(&[5], Transition::Single);
        check(&[5, 500], Transition::Random);
        check(&[9, 1, 12, 4, 60, 33, 41, 2, 77, 15, 90, 28], Transition::Random);
    }

    /// Counts the windows that are called sequential, of 20,000 random scans of a /16 with 3 to 40
    /// destinations.
    #[test]
    fn random_scans_are_not_called_sequential() {
        let mut state = 88_172_645_463_325_252u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u32::try_from(state >> 48).unwrap()
        };
        let mut wrong = 0;
        for window in 0..20_000usize {
            let places: Vec<u32> = (0..3 + window % 38).map(|_| next()).collect();
            wrong += usize::from(judged(&places) == Transition::Sequential);
        }
        assert_eq!(wrong, 0);
    }
}
