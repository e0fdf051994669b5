//! Numbers as bytes, seven bits each, the lowest first (LEB128).

use super::packed::Damaged;

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A number that nearly always fits 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn wide(out: &mut Vec<u8>, mut value: u128) {
    while value > u128::from(u64::MAX) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    varint(out, value as u64);
}

/// Reads numbers from the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u128, Damaged> {
        if let Some(head) = self.0.first_chunk()
            && let Some((value, bytes)) = short(u64::from_le_bytes(*head))
        {
            self.0 = &self.0[bytes..];
            return Ok(value.into());
        }
        self.long()
    }

    /// A number byte by byte.
    fn long(&mut self) -> Result<u128, Damaged> {
        let mut value = 0u128;
        for (at, byte) in self.0.iter().enumerate().take(19) {
            value |= u128::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    /// Passes over so many numbers, whatever they are.
    #[inline]
    pub(super) fn pass(&mut self, mut numbers: u32) -> Result<(), Damaged> {
        while numbers > 0
            && let Some(head) = self.0.first_chunk()
        {
            let mut ends = ends(u64::from_le_bytes(*head));
            let here = ends.count_ones();
            if here >= numbers {
                (1..numbers).for_each(|_| ends &= ends - 1);
                self.0 = &self.0[bytes_to_first(ends)..];
                return Ok(());
            }
            numbers -= here;
            self.0 = &self.0[head.len()..];
        }
        (0..numbers).try_for_each(|_| self.long().map(drop))
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        let (byte, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*byte)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        // One byte is what nearly all of them are.
        match self.0 {
            [byte, rest @ ..] if byte & 0x80 == 0 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => u64::try_from(self.varint()?).map_err(|_| Damaged),
        }
    }
}

/// The bytes among eight that numbers end with, as their uppermost bits.
#[inline]
fn ends(word: u64) -> u64 {
    !word & 0x8080_8080_8080_8080
}

/// How many bytes there are up to the first of some, and with it; nine where there is none.
#[inline]
fn bytes_to_first(bits: u64) -> usize {
    usize::try_from(bits.trailing_zeros() / 8 + 1).unwrap_or(usize::MAX)
}

/// The number that eight bytes begin with, and how many of them it takes, if it ends within.
#[inline]
fn short(word: u64) -> Option<(u64, usize)> {
    let bytes = bytes_to_first(ends(word));
    if bytes > size_of::<u64>() {
        return None;
    }
    let sevens = word & (u64::MAX >> (64 - 8 * bytes)) & 0x7f7f_7f7f_7f7f_7f7f;
    // Neighbours are moved together: bytes to pairs of them, to fours, to one number.
    let pairs = sevens & 0x007f_007f_007f_007f | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let number = fours & 0x0000_0000_0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4;
    Some((number, bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_back_whatever_follows(
            numbers in prop::collection::vec((any::<u128>(), 0..128u32).prop_map(|(number, less)| number >> less), 1..20),
        ) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| wide(&mut bytes, *number));
            let mut reader = Reader(&bytes);
            for number in numbers {
                prop_assert_eq!(reader.varint().unwrap(), number);
            }
            prop_assert!(reader.0.is_empty() && reader.varint().is_err());
        }

        #[test]
        fn numbers_are_passed_over(
            numbers in prop::collection::vec((any::<u128>(), 0..128u32).prop_map(|(number, less)| number >> less), 0..20),
            passed in 0..20u32,
        ) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| wide(&mut bytes, *number));
            let mut reader = Reader(&bytes);
            prop_assert_eq!(reader.pass(passed).is_ok(), passed as usize <= numbers.len());
            if let Some(next) = numbers.get(passed as usize) {
                prop_assert_eq!(reader.varint().unwrap(), *next);
            }
        }

        #[test]
        fn bytes_read_at_once_are_what_they_are_one_by_one(bytes in any::<[u8; 12]>()) {
            let (mut at_once, mut one_by_one) = (Reader(&bytes), Reader(&bytes));
            prop_assert_eq!(at_once.varint(), one_by_one.long());
            prop_assert_eq!(at_once.0, one_by_one.0);
        }
    }
}
