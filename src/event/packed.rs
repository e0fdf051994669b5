//! Parts of a number that may be known or not.

/// Where a part lies in a number. A part that is not known is 0, and so is the bit that says it is.
#[derive(Clone, Copy)]
pub(super) struct Part {
    lowest: u32,
    width: u32,
    known: u32,
}

/// A part of so many bits from `lowest` on; the bit `known` says whether it is.
pub(super) const fn part(lowest: u32, width: u32, known: u32) -> Part {
    Part { lowest, width, known }
}

impl Part {
    /// Its bits.
    #[inline]
    pub(super) const fn mask(self) -> u64 {
        (u64::MAX >> (u64::BITS - self.width)) << self.lowest
    }

    /// Its bits, and the one that says it is known.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.mask() | 1 << self.known
    }

    /// The number with this part set to something of its width, or unknown.
    #[inline]
    pub(super) fn put(self, number: u64, value: Option<u64>) -> u64 {
        let others = number & !self.bits();
        match value {
            Some(value) => others | value << self.lowest & self.mask() | 1 << self.known,
            None => others,
        }
    }

    /// A part of sixteen bits.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the bits at a place")]
    pub(super) fn half(self, number: u64) -> Option<u16> {
        self.is_known(number).then_some((number >> self.lowest) as u16)
    }

    /// A part of eight bits.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the bits at a place")]
    pub(super) fn byte(self, number: u64) -> Option<u8> {
        self.is_known(number).then_some((number >> self.lowest) as u8)
    }

    #[inline]
    fn is_known(self, number: u64) -> bool {
        number >> self.known & 1 == 1
    }
}
