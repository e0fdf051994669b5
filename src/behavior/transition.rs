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

use serde::{Deserialize, Serialize};

use super::distinct::hash_of;

/// How far ahead of a recent destination a step may lie.
const REACH: u32 = 4;
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

    /// The transition that has a letter.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Transition> {
        let all = [Transition::Single, Transition::Sequential, Transition::Random];
        all.into_iter().find(|transition| transition.letter() == letter)
    }
}

/// What a rank and a neighbourhood are told by.
pub trait Number: Copy + Ord {
    /// Whether it lies ahead of another, and not beyond reach: 1 to [`REACH`], which in numbers that wrap is one
    /// comparison.
    fn is_near(self, before: Self) -> bool;

    /// A number of ten bits that says little of it.
    fn hint(self) -> usize;
}

impl Number for u32 {
    #[inline]
    fn is_near(self, before: u32) -> bool {
        self.wrapping_sub(before).wrapping_sub(1) < REACH
    }

    #[inline]
    fn hint(self) -> usize {
        // Fibonacci hashing: the uppermost bits are the best mixed.
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

/// Judges distinct destinations by their ranks, in the order of first sight, and the neighbourhoods that they lie in.
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

    /// Counts a step to `rank` from any of those before it. All are asked, which is quicker than to stop at the first.
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

/// How many destinations lie in a neighbourhood that was met before, or some more: a random scan has few, and needs
/// no grouping. Neighbourhoods that share a hint are taken for one.
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

    /// Judges addresses of one network by their places in it; numbers of either length have to agree.
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
            let places: Vec<u32> = (0..3 + window % 38).map(|_| next()).collect();
            wrong += usize::from(judged(&places) == Transition::Sequential);
        }
        assert_eq!(wrong, 0);
    }
}
