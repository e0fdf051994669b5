//! Decides whether a host visits its destinations in sequence or at random.
//!
//! The distinct destinations of a window, in order of first appearance, are sequential if one of three rules
//! holds. The third rule detects sweeps that skip many addresses, for example those that did not answer an
//! earlier stage of the scan, or every fifth address. The steps of such a sweep are too long for the first
//! rule. Destinations in random order satisfy the third rule about three times in a million.
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

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Maximum distance in ranks from a recent destination to a destination near it.
const REACH: u128 = 4;
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
}

/// Returns the neighbourhood of an address: the /24 of an IPv4 address, or the /64 of an IPv6 address.
pub(super) fn neighbourhood(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(four.to_bits() >> 8),
        // The top bit distinguishes IPv6 neighbourhoods from IPv4 ones.
        IpAddr::V6(six) => six.to_bits() >> 64 | 1 << 127,
    }
}

/// Returns whether `rank` lies 1 to [`REACH`] ahead of `before`.
#[inline]
fn is_near(rank: u128, before: u128) -> bool {
    rank.checked_sub(before).is_some_and(|distance| (1..=REACH).contains(&distance))
}

/// Returns the transition of distinct destinations, which are given by their ranks and neighbourhoods in
/// order of first appearance.
#[must_use]
pub fn transition(ranks: &[u128], neighbourhoods: impl Iterator<Item = u128>) -> Transition {
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
    /// Returns whether enough of `steps` steps go in one direction.
    fn is_enough_of(self, steps: usize) -> bool {
        self.up.max(self.down) * 100 >= steps * SHARE_PERCENT
    }

    /// Counts a step to `rank` if it is near to any of the destinations in `before`.
    fn count_near(&mut self, before: &[u128], rank: u128) {
        self.up += usize::from(before.iter().any(|before| is_near(rank, *before)));
        self.down += usize::from(before.iter().any(|before| is_near(*before, rank)));
    }
}

/// Counts the steps of the first rule.
fn near_steps(ranks: &[u128]) -> Steps {
    let mut steps = Steps::default();
    for place in 1..ranks.len() {
        let recent = &ranks[place.saturating_sub(LOOKBACK)..place];
        steps.count_near(recent, ranks[place]);
    }
    steps
}

/// Returns whether the second rule holds.
fn near_in_groups(ranks: &[u128], neighbourhoods: impl Iterator<Item = u128>) -> bool {
    let steps_possible = ranks.len() - 1;
    if steps_possible < GROUPED_STEPS_MIN {
        return false;
    }
    let mut grouped: Vec<(u128, u128)> = neighbourhoods.zip(ranks.iter().copied()).collect();
    // The sort is stable, so that the destinations of a group stay in order of first appearance.
    grouped.sort_by_key(|(neighbourhood, _)| *neighbourhood);
    let mut pooled = Steps::default();
    let mut steps = 0;
    for group in grouped.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= GROUP_MIN) {
        let ranks: Vec<u128> = group.iter().map(|(_, rank)| *rank).collect();
        let near = near_steps(&ranks);
        pooled.up += near.up;
        pooled.down += near.down;
        steps += group.len() - 1;
    }
    steps >= GROUPED_STEPS_MIN && steps * 2 > steps_possible && pooled.is_enough_of(steps)
}

/// Returns whether the third rule holds.
#[expect(clippy::cast_precision_loss, reason = "counts of one window, far below 2^52")]
fn steady(ranks: &[u128]) -> bool {
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

    /// Returns the transition of addresses in one network.
    fn judged(places: &[u32]) -> Transition {
        let ranks: Vec<u128> = places.iter().copied().map(u128::from).collect();
        transition(&ranks, ranks.iter().map(|rank| rank >> 8))
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
