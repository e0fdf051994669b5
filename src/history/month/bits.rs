//! Numbers as few bits: fixed widths, and codes for small and for evenly spread numbers.

use crate::history::packed::Damaged;

/// Zeros before a number that is written whole, because its code would be longer.
const ESCAPE: u32 = 28;

/// Bits that are at hand at once.
const PEEKED: u32 = 56;

/// Writes bits, the lowest first.
#[derive(Clone, Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl BitWriter {
    /// Bits written so far.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64 * 8 + u64::from(self.count)
    }

    /// Appends the lowest `width` bits of a number, 32 at most.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        self.held |= (value & mask(width)) << self.count;
        self.count += width;
        while self.count >= 8 {
            let [lowest, ..] = self.held.to_le_bytes();
            self.bytes.push(lowest);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// All 64 bits of a number.
    pub(super) fn whole(&mut self, value: u64) {
        self.put(value, 32);
        self.put(value >> 32, 32);
    }

    /// Elias' gamma code of a number from 1 on: short for small ones.
    pub(super) fn gamma(&mut self, value: u64) {
        let width = value.max(1).ilog2();
        if width >= ESCAPE {
            self.put(0, ESCAPE);
            return self.whole(value);
        }
        self.put(0, width);
        self.put(1, 1);
        self.put(value, width);
    }

    /// Rice's code: short for numbers about `2^low`.
    pub(super) fn rice(&mut self, value: u64, low: u32) {
        match u32::try_from(value >> low) {
            Ok(high) if high < ESCAPE => {
                self.put(0, high);
                self.put(1, 1);
                self.put(value, low);
            }
            _ => {
                self.put(0, ESCAPE);
                self.whole(value);
            }
        }
    }

    /// What was written; the last byte is filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.bytes
    }
}

/// Reads bits from a place on.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8], at: u64) -> BitReader<'a> {
        BitReader { bytes, at }
    }

    /// The place of the next bit.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Passes over bits.
    pub(super) fn skip(&mut self, bits: u64) {
        self.at = self.at.saturating_add(bits);
    }

    /// The next bits, 56 at least; zeros beyond the end.
    #[inline(always)]
    fn peek(&self) -> u64 {
        let byte = usize::try_from(self.at / 8).unwrap_or(usize::MAX);
        let rest = self.bytes.get(byte..).unwrap_or_default();
        let held = match rest.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => rest.iter().rev().fold(0, |held, byte| held << 8 | u64::from(*byte)),
        };
        held >> (self.at % 8)
    }

    #[inline(always)]
    fn pass(&mut self, bits: u32) -> Result<(), Damaged> {
        self.at = self.at.saturating_add(u64::from(bits));
        if self.at <= self.bytes.len() as u64 * 8 { Ok(()) } else { Err(Damaged) }
    }

    /// A number of `width` bits, 32 at most.
    #[inline]
    pub(super) fn get(&mut self, width: u32) -> Result<u64, Damaged> {
        let value = self.peek() & mask(width);
        self.pass(width)?;
        Ok(value)
    }

    pub(super) fn whole(&mut self) -> Result<u64, Damaged> {
        Ok(self.get(32)? | self.get(32)? << 32)
    }

    /// A number in gamma code.
    #[inline]
    pub(super) fn gamma(&mut self) -> Result<u64, Damaged> {
        let held = self.peek();
        let width = held.trailing_zeros();
        if width >= ESCAPE {
            self.pass(ESCAPE)?;
            return self.whole();
        }
        // All of it is at hand: 55 bits at most.
        self.pass(2 * width + 1)?;
        Ok(held >> (width + 1) & mask(width) | 1 << width)
    }

    /// A number in Rice's code.
    #[inline(always)]
    pub(super) fn rice(&mut self, low: u32) -> Result<u64, Damaged> {
        let held = self.peek();
        let high = held.trailing_zeros();
        if high >= ESCAPE {
            self.pass(ESCAPE)?;
            return self.whole();
        }
        let width = high + 1 + low;
        if width <= PEEKED {
            self.pass(width)?;
            return Ok(held >> (high + 1) & mask(low) | u64::from(high) << low);
        }
        self.pass(high + 1)?;
        Ok(self.get(low)? | u64::from(high) << low)
    }
}

fn mask(width: u32) -> u64 {
    (1 << width) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            numbers in prop::collection::vec((any::<u64>(), 0..64u32, 0..33u32), 0..60),
        ) {
            let mut writer = BitWriter::default();
            let mut places = Vec::new();
            for (number, shift, width) in &numbers {
                let number = number >> shift;
                places.push(writer.len());
                writer.put(number, *width);
                writer.gamma(number.max(1));
                writer.rice(number, *width);
                writer.whole(number);
            }
            let bytes = writer.finish();
            for ((number, shift, width), place) in numbers.iter().zip(places) {
                let number = number >> shift;
                let mut reader = BitReader::new(&bytes, place);
                prop_assert_eq!(reader.get(*width), Ok(number & mask(*width)));
                prop_assert_eq!(reader.gamma(), Ok(number.max(1)));
                prop_assert_eq!(reader.rice(*width), Ok(number));
                prop_assert_eq!(reader.whole(), Ok(number));
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), at in any::<u64>()) {
            let mut reader = BitReader::new(&bytes, at % 400);
            let mut read = 0;
            while reader.gamma().is_ok() && reader.rice(7).is_ok() {
                read += 1;
                prop_assert!(read <= bytes.len() * 8);
            }
            prop_assert_eq!(BitReader::new(&bytes, u64::MAX - 64).get(32), Err(Damaged));
        }
    }
}
