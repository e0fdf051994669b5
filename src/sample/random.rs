//! A pseudo-random number generator for projections. It yields the same numbers on every machine.

/// A SplitMix64 generator (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Creates a generator. Each seed yields its own sequence.
    #[must_use]
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// Creates a generator whose seed is derived from a name and a number.
    #[must_use]
    pub fn from_name(name: &str, number: u64) -> SplitMix64 {
        // FNV-1a is short and yields the same hash in every build.
        let byte = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, byte);
        SplitMix64(hash ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a random number below `end`, or 0 if `end` is 0. The probability of a number is off by less
    /// than 2^-64.
    pub fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.bits()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// Returns a random number from 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns the time in seconds until the next event of a Poisson process with `rate` events per second.
    pub fn waiting_time(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }

    /// Returns a random element of a slice; `None` if the slice is empty.
    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let at = self.below(of.len() as u64);
        usize::try_from(at).ok().and_then(|at| of.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_and_average_as_they_ought() {
        let mut random = SplitMix64::from_name("x", 1);
        let mean = |mut draw: Box<dyn FnMut(&mut SplitMix64) -> f64>, random: &mut SplitMix64| {
            (0..20_000).map(|_| draw(random)).sum::<f64>() / 20_000.0
        };
        assert!((mean(Box::new(SplitMix64::unit), &mut random) - 0.5).abs() < 0.01);
        assert!((mean(Box::new(|random| random.waiting_time(4.0)), &mut random) - 0.25).abs() < 0.01);
        assert!((mean(Box::new(|random| random.below(7) as f64), &mut random) - 3.0).abs() < 0.06);
        assert_eq!((random.below(0), random.choose::<u8>(&[])), (0, None));
        assert_ne!(SplitMix64::from_name("a", 1).bits(), SplitMix64::from_name("b", 1).bits());
    }
}
