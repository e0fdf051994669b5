//! A set of small numbers in the bits of one `u64`.

/// A set of numbers below 64. As an iterator it yields and removes them in ascending order.
#[derive(Clone, Copy, Default)]
pub(super) struct Bits(u64);

impl Bits {
    /// Size of the range of numbers: the set holds 0 to 63.
    pub(super) const MOST: usize = 64;

    /// Returns the positions at which `all` is true. Only the first 64 positions are read.
    #[inline]
    pub(super) fn which(all: impl Iterator<Item = bool>) -> Bits {
        let mut bits = Bits::default();
        all.take(Self::MOST).enumerate().for_each(|(at, holds)| bits.add(at, holds));
        bits
    }

    /// Adds `number` if `holds` is true, without a branch.
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
