//! A few things by number, as the bits of a number.

/// A set of numbers below 64, which hands them out ascending.
#[derive(Clone, Copy, Default)]
pub(super) struct Bits(u64);

impl Bits {
    /// How many numbers there are at most.
    pub(super) const MOST: usize = 64;

    /// The places of those that hold, among as many as there can be.
    #[inline]
    pub(super) fn which(all: impl Iterator<Item = bool>) -> Bits {
        let mut bits = Bits::default();
        all.take(Self::MOST).enumerate().for_each(|(at, holds)| bits.add(at, holds));
        bits
    }

    /// Adds a number if it `holds`, without a branch.
    #[inline]
    pub(super) fn add(&mut self, number: usize, holds: bool) {
        self.0 |= u64::from(holds) << number;
    }

    #[inline]
    pub(super) fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }
}

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let lowest = usize::try_from(self.0.trailing_zeros()).ok();
        let next = lowest.filter(|_| self.0 != 0);
        self.0 &= self.0.wrapping_sub(1);
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_a_set(some in prop::collection::btree_set(0..64usize, 0..64)) {
            let bits = Bits::which((0..64).map(|number| some.contains(&number)));
            prop_assert!((0..64).all(|number| bits.has(number) == some.contains(&number)));
            prop_assert!(bits.eq(some));
        }
    }
}
