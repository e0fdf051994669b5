//! Seeded random numbers: one independent generator per named thing, so that the order of work does not
//! matter.

use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution, Poisson};
use rand_pcg::Pcg64Mcg;

use crate::sample::SplitMix64;

/// A place in the tree of seeds. The root is derived from the run's seed. Each place below it is derived from
/// its names, such as (family, host, day), and does not depend on the order of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seed(u64);

/// A generator of random numbers. Its stream depends only on its seed, on every machine and in every version.
pub(super) type SeededRng = Pcg64Mcg;

impl Seed {
    /// Returns the root for the seed of a run.
    pub(super) fn root(seed: u64) -> Seed {
        Seed(mix_bits(seed ^ 0x696e_6761))
    }

    /// Returns the seed of a name below this seed.
    pub(super) fn named(self, name: &str) -> Seed {
        name.bytes().fold(self.numbered(name.len() as u64), |seed, byte| seed.numbered(u64::from(byte)))
    }

    /// Returns the seed of a number below this seed.
    pub(super) fn numbered(self, number: u64) -> Seed {
        Seed(mix_bits(self.0.rotate_left(23) ^ mix_bits(number)))
    }

    /// Returns the seed as a random number of 64 bits, for callers that need only one.
    pub(super) fn to_u64(self) -> u64 {
        self.0
    }

    /// Returns the seed as a random number from 0 (included) to 1 (excluded).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn fraction(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Creates the generator of this seed.
    pub(super) fn generator(self) -> SeededRng {
        Pcg64Mcg::seed_from_u64(self.0)
    }
}

/// Mixes the bits of a number: the first number of a SplitMix64 generator with this seed.
pub(super) fn mix_bits(number: u64) -> u64 {
    SplitMix64::new(number).bits()
}

/// Draws the number of successes among `tries`, each with probability `share`.
pub(super) fn binomial(random: &mut SeededRng, tries: u64, share: f64) -> u64 {
    match Binomial::new(tries, share.clamp(0.0, 1.0)) {
        Ok(law) if share > 0.0 => law.sample(random),
        _ => 0,
    }
}

/// Draws a number of events from a Poisson distribution.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and not negative")]
pub(super) fn poisson(random: &mut SeededRng, mean: f64) -> u64 {
    match Poisson::new(mean) {
        Ok(law) if mean > 0.0 => law.sample(random) as u64,
        _ => 0,
    }
}

/// Draws an element by weight. Returns `None` if all weights are zero.
pub(super) fn draw_by_weight<'a, T>(
    random: &mut SeededRng,
    all: &'a [T],
    weight: impl Fn(&T) -> f64,
) -> Option<&'a T> {
    pick_by_weight(random.random(), all, weight)
}

/// Returns the element at a share (0 to 1) of the cumulative weight. Returns `None` if all weights are zero.
pub(super) fn pick_by_weight<T>(share: f64, all: &[T], weight: impl Fn(&T) -> f64) -> Option<&T> {
    let total: f64 = all.iter().map(&weight).sum();
    let mut left = share * total;
    let found = all.iter().find(|one| {
        left -= weight(one);
        left < 0.0
    });
    found.or(all.last()).filter(|_| total > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_have_seeds_of_their_own() {
        let root = Seed::root(1);
        let seeds = [
            root.named("ab"),
            root.named("a").named("b"),
            root.named("ba"),
            root.numbered(1),
            root.numbered(1).numbered(1),
            root,
        ];
        for (at, seed) in seeds.iter().enumerate() {
            assert!(!seeds[..at].contains(seed), "{at}");
        }
        assert_eq!(root.named("ab"), Seed::root(1).named("ab"));
        assert_ne!(root.named("ab"), Seed::root(2).named("ab"));
    }

    #[test]
    fn weights_are_kept() {
        let mut random = Seed::root(3).generator();
        let mut found = [0; 3];
        for _ in 0..3000 {
            found[*draw_by_weight(&mut random, &[0usize, 1, 2], |one| [1.0, 0.0, 2.0][*one]).unwrap()] += 1;
        }
        assert_eq!(found[1], 0);
        assert!((900..1100).contains(&found[0]), "{found:?}");
        assert_eq!(draw_by_weight(&mut random, &[1], |_| 0.0), None);
    }
}
