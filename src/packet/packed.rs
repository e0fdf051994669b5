//! Bit fields of an integer that may be unknown.

/// The position of a bit field in an integer. Another bit says whether the field is known; an unknown field
/// is 0.
#[derive(Clone, Copy)]
pub(super) struct Part {
    lowest: u32,
    width: u32,
    known: u32,
}

/// Creates a field of `width` bits from bit `lowest` on. Bit `known` says whether its value is known.
pub(super) const fn part(lowest: u32, width: u32, known: u32) -> Part {
    Part { lowest, width, known }
}

impl Part {
    /// Returns the mask of the field's bits.
    #[inline]
    pub(super) const fn mask(self) -> u64 {
        (u64::MAX >> (u64::BITS - self.width)) << self.lowest
    }

    /// Returns the mask of the field's bits and its known bit.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.mask() | 1 << self.known
    }

    /// Returns `number` with the field set to a value, which must fit its width, or to unknown.
    #[inline]
    pub(super) fn put(self, number: u64, value: Option<u64>) -> u64 {
        let others = number & !self.bits();
        match value {
            Some(value) => others | value << self.lowest & self.mask() | 1 << self.known,
            None => others,
        }
    }

    /// Returns the value of a field of sixteen bits.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the bits at a place")]
    pub(super) fn half(self, number: u64) -> Option<u16> {
        self.is_known(number).then_some((number >> self.lowest) as u16)
    }

    /// Returns the value of a field of eight bits.
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
