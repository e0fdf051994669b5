//! Makes captures: for the samples that ship with inga, and for tests that need a capture of a certain kind.
//!
//! Everything is derived from a seed, so that the same bytes come out on every machine.

pub(crate) mod darknet;
pub(crate) mod hostile;
pub(crate) mod packets;
pub(crate) mod samples;

/// A file that the project ships and these rooms have made: its path below `samples/`, and its bytes.
pub(crate) struct Made {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A port as systems hand them out to clients.
    pub(crate) fn port(&mut self) -> u16 {
        u16::try_from(1024 + self.below(4000)).unwrap()
    }
}
