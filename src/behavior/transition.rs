//! How a host moves from destination to destination: in sequence, or at random.
//!
//! Three rules, each asked in turn of the distinct destinations in order of first sight. Only the first two are
//! the design's; the third was added for sweeps that skip many addresses (only hosts that answered an earlier
//! stage, a stride of more than four): their steps fail "near", yet nobody ascends by chance so steadily.
//!
//! 1. **Near.** A step counts when its rank lies within [`REACH`] ahead of one of the last [`LOOKBACK`]
//!    destinations, which forgives loss, reordering and interleaved threads. Sequential when
//!    [`SHARE_PERCENT`] of the steps count in one direction.
//! 2. **Near within neighbourhoods.** The same, pooled over the groups of three or more destinations in one
//!    /24 (IPv6: /64), when these hold at least four steps and over half of all possible ones.
//! 3. **Steady.** [`SHARE_PERCENT`] of the steps go one way, and so many that a random order would do it less
//!    than about three times in a million: the number of ascents of a random order of n has mean (n-1)/2 and
//!    variance (n+1)/12 (Eulerian numbers), and 4.5 standard deviations are asked for. Below ten destinations
//!    no order can be that steady.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::neighbourhood;

use super::distinct::Key;

/// How far ahead of a recent destination a step may lie.
const REACH: u128 = 4;
/// How many recent destinations a step is compared with.
const LOOKBACK: usize = 4;
/// Per cent of the steps that must count.
const SHARE_PERCENT: usize = 80;
/// Destinations in one neighbourhood that make a group of the second rule.
const GROUP_MIN: usize = 3;
/// Steps that the groups must hold together.
const GROUPED_STEPS_MIN: usize = 4;
/// Fewer destinations cannot be that steady.
const STEADY_MIN: usize = 10;
/// Squared standard deviations above the mean number of ascents that the third rule asks for (4.5²).
const STEADY_DEVIATIONS_SQUARED: f64 = 20.25;

/// The order in which a window's destinations were first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// One destination: nothing to compare.
    Single,
    /// A sweep.
    Sequential,
    /// Everything else.
    Random,
}

impl Transition {
    /// The letter of the canonical string: `-`, `S` or `R`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Transition::Single => '-',
            Transition::Sequential => 'S',
            Transition::Random => 'R',
        }
    }
}

/// Judges distinct destinations, given with their ranks in the order of first sight.
#[must_use]
pub fn transition(destinations: impl ExactSizeIterator<Item = (IpAddr, u128)> + Clone) -> Transition {
    let count = destinations.len();
    if count < 2 {
        return Transition::Single;
    }
    let ranks = || destinations.clone().map(|(_, rank)| rank);
    if near_steps(ranks()).is_enough_of(count - 1) || steady(ranks(), count) || near_in_groups(destinations) {
        Transition::Sequential
    } else {
        Transition::Random
    }
}

/// Steps that count, upwards and downwards.
#[derive(Clone, Copy, Default)]
struct Steps {
    up: usize,
    down: usize,
}

impl Steps {
    fn is_enough_of(self, steps: usize) -> bool {
        self.up.max(self.down) * 100 >= steps * SHARE_PERCENT
    }
}

fn near_steps(ranks: impl Iterator<Item = u128>) -> Steps {
    let mut steps = Steps::default();
    let mut recent = [0; LOOKBACK];
    for (place, rank) in ranks.enumerate() {
        let known = &recent[..place.min(LOOKBACK)];
        steps.up += usize::from(known.iter().any(|&before| is_near(before, rank)));
        steps.down += usize::from(known.iter().any(|&before| is_near(rank, before)));
        recent[place % LOOKBACK] = rank;
    }
    steps
}

/// Whether a rank lies ahead of another, and not beyond reach: 1 to [`REACH`], which in numbers that wrap is one
/// comparison.
fn is_near(from: u128, to: u128) -> bool {
    to.wrapping_sub(from).wrapping_sub(1) < REACH
}

fn near_in_groups(destinations: impl ExactSizeIterator<Item = (IpAddr, u128)> + Clone) -> bool {
    let steps_possible = destinations.len() - 1;
    if steps_possible < GROUPED_STEPS_MIN {
        return false;
    }
    let neighbourhoods = destinations.clone().map(|(address, _)| neighbourhood(address));
    if returns_at_most(neighbourhoods) * 2 <= steps_possible {
        return false;
    }
    let placed = destinations.enumerate();
    let mut grouped: Vec<_> =
        placed.map(|(place, (address, rank))| (neighbourhood(address), place, rank)).collect();
    grouped.sort_unstable();
    let mut pooled = Steps::default();
    let mut steps = 0;
    for group in grouped.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= GROUP_MIN) {
        let near = near_steps(group.iter().map(|(_, _, rank)| *rank));
        pooled.up += near.up;
        pooled.down += near.down;
        steps += group.len() - 1;
    }
    steps >= GROUPED_STEPS_MIN && steps * 2 > steps_possible && pooled.is_enough_of(steps)
}

/// How many destinations lie in a neighbourhood that was met before, or some more: a random scan has few, and needs
/// no grouping. Neighbourhoods that share a bit are taken for one.
fn returns_at_most(neighbourhoods: impl Iterator<Item = IpAddr>) -> usize {
    const BITS: usize = 1024;
    let mut met = [0u64; BITS / 64];
    let mut returns = 0;
    for neighbourhood in neighbourhoods {
        let bit = usize::try_from(neighbourhood.hash_code() % BITS as u64).unwrap_or(0);
        let word = &mut met[bit / 64];
        returns += usize::from(*word >> (bit % 64) & 1 == 1);
        *word |= 1 << (bit % 64);
    }
    returns
}

#[expect(clippy::cast_precision_loss, reason = "counts of one window, far below 2^52")]
fn steady(ranks: impl Iterator<Item = u128>, count: usize) -> bool {
    if count < STEADY_MIN {
        return false;
    }
    let mut steps = Steps::default();
    let mut last = None;
    for rank in ranks {
        steps.up += usize::from(last.is_some_and(|last| last < rank));
        steps.down += usize::from(last.is_some_and(|last| last > rank));
        last = Some(rank);
    }
    let above_mean = steps.up.max(steps.down) as f64 - (count - 1) as f64 / 2.0;
    let variance = (count + 1) as f64 / 12.0;
    steps.is_enough_of(count - 1)
        && above_mean > 0.0
        && above_mean * above_mean >= STEADY_DEVIATIONS_SQUARED * variance
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// Judges addresses written as numbers from 10.0.0.0 on.
    fn check(offsets: &[u32], expected: Transition) {
        let destinations: Vec<(IpAddr, u128)> = offsets
            .iter()
            .map(|offset| (IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + offset)), u128::from(*offset)))
            .collect();
        assert_eq!(transition(destinations.iter().copied()), expected, "{offsets:?}");
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

    /// Random scans of a /16, 20,000 windows of every size up to 40: how many are called sequential.
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
            let destinations: Vec<(IpAddr, u128)> = (0..3 + window % 38)
                .map(|_| next())
                .map(|at| (IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + at)), u128::from(at)))
                .collect();
            wrong += usize::from(transition(destinations.iter().copied()) == Transition::Sequential);
        }
        assert_eq!(wrong, 0);
    }
}
