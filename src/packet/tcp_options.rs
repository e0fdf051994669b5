//! The options of a TCP header: their kinds in order, and the values of two of them.

use std::fmt;

/// Number of options whose kinds are kept. Ordinary stacks send at most eight with a SYN.
const KINDS_MAX: u32 = 8;
/// Bits per kind.
const KIND_BITS: u32 = 4;
/// Code of the last kept kind if further options follow it.
const MORE: u8 = 14;
/// Code of a kind without a name of its own.
const OTHER: u8 = 15;
/// Code of an option whose length does not fit the header; nothing behind it can be read.
const BROKEN: u8 = 13;
/// Value of the window scale's bits if there is no such option.
const NO_SCALE: u64 = 15;
/// Largest window scale with an effect (RFC 7323, section 2.3). Larger values are kept as this one.
const SCALE_MAX: u8 = 14;

/// Option kinds (IANA, "TCP Parameters") with their codes and their names, which are those of p0f where p0f has one.
const KINDS: [(u8, u8, &str); 13] = [
    (0, 1, "eol"),
    (1, 2, "nop"),
    (2, 3, "mss"),
    (3, 4, "ws"),
    (4, 5, "sok"),
    (5, 6, "sack"),
    (8, 7, "ts"),
    (19, 8, "md5"),
    (34, 9, "tfo"),
    (30, 10, "mptcp"),
    (28, 11, "uto"),
    (253, 12, "exp"),
    (254, 12, "exp"),
];
/// Names of the codes that stand for no single kind.
const SPECIAL: [(u8, &str); 3] = [(BROKEN, "broken"), (MORE, "more"), (OTHER, "other")];

/// The options of a TCP header in 52 bits: the kinds of the first eight options, the maximum segment size and the
/// window scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpOptions(u64);

impl Default for TcpOptions {
    fn default() -> TcpOptions {
        TcpOptions::NONE
    }
}

impl TcpOptions {
    /// A header without options.
    pub const NONE: TcpOptions = TcpOptions(NO_SCALE << 48);
    /// Number of bits of [`bits`](TcpOptions::bits).
    pub const BITS: u32 = 52;

    /// Parses the bytes behind the fixed part of a TCP header.
    #[inline]
    #[must_use]
    pub fn parse(mut bytes: &[u8]) -> TcpOptions {
        let mut options = TcpOptions::NONE;
        let mut place = 0;
        while let [kind, rest @ ..] = bytes {
            let length = match kind {
                0 | 1 => 1,
                _ => usize::from(rest.first().copied().unwrap_or(0)),
            };
            let Some(behind) = bytes.get(length.max(1)..).filter(|_| length > 1 || *kind < 2) else {
                return options.with_code(place, BROKEN);
            };
            options = options.with_code(place, code_of_kind(*kind));
            match (kind, &bytes[..length]) {
                (0, _) => return options,
                (2, [_, _, high, low]) => options = options.with_mss(u16::from_be_bytes([*high, *low])),
                (3, [_, _, scale]) => options = options.with_window_scale(*scale),
                _ => {}
            }
            place += 1;
            bytes = behind;
        }
        options
    }

    /// Returns the options with one more of the given name (as [`Display`](fmt::Display) writes it); `None` if no
    /// kind has the name.
    #[must_use]
    pub fn with_named(self, name: &str) -> Option<TcpOptions> {
        let kind = KINDS.iter().find(|(_, _, known)| *known == name).map(|(_, code, _)| *code);
        let code = kind.or(SPECIAL.iter().find(|(_, known)| *known == name).map(|(code, _)| *code))?;
        Some(self.with_code(self.count(), code))
    }

    /// Returns the options with the maximum segment size replaced; 0 stands for none.
    #[inline]
    #[must_use]
    pub fn with_mss(self, mss: u16) -> TcpOptions {
        TcpOptions(self.0 & !(0xffff << 32) | u64::from(mss) << 32)
    }

    /// Returns the options with the window scale replaced.
    #[inline]
    #[must_use]
    pub fn with_window_scale(self, scale: u8) -> TcpOptions {
        TcpOptions(self.0 & !(0xf << 48) | u64::from(scale.min(SCALE_MAX)) << 48)
    }

    /// Returns the maximum segment size, if there is such an option.
    #[must_use]
    pub fn mss(self) -> Option<u16> {
        u16::try_from(self.0 >> 32 & 0xffff).ok().filter(|mss| *mss > 0)
    }

    /// Returns the window scale (a shift of 0 to 14 bits), if there is such an option.
    #[must_use]
    pub fn window_scale(self) -> Option<u8> {
        u8::try_from(self.0 >> 48 & 0xf).ok().filter(|scale| *scale <= SCALE_MAX)
    }

    /// Returns the options as a number below 2^52: the kinds from bit 0, the maximum segment size from bit 32, the
    /// window scale from bit 48.
    #[inline]
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Returns the options of a number that [`bits`](TcpOptions::bits) returned.
    #[inline]
    #[must_use]
    pub fn from_bits(bits: u64) -> TcpOptions {
        TcpOptions(bits & ((1 << TcpOptions::BITS) - 1))
    }

    /// Returns the number of kept kinds.
    fn count(self) -> u32 {
        (0..KINDS_MAX).find(|place| self.code(*place) == 0).unwrap_or(KINDS_MAX)
    }

    fn code(self, place: u32) -> u8 {
        u8::try_from(self.0 >> (place * KIND_BITS) & 0xf).unwrap_or(0)
    }

    #[inline]
    fn with_code(self, place: u32, code: u8) -> TcpOptions {
        let (place, code) = if place < KINDS_MAX { (place, code) } else { (KINDS_MAX - 1, MORE) };
        let at = place * KIND_BITS;
        TcpOptions(self.0 & !(0xf << at) | u64::from(code) << at)
    }
}

#[inline]
fn code_of_kind(kind: u8) -> u8 {
    match kind {
        0..=5 => kind + 1,
        8 => 7,
        _ => KINDS.iter().find(|(known, _, _)| *known == kind).map_or(OTHER, |(_, code, _)| *code),
    }
}

/// Writes the names of the kinds in order, separated by commas; nothing for a header without options.
impl fmt::Display for TcpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in 0..self.count() {
            let code = self.code(place);
            let named = KINDS.iter().find(|(_, known, _)| *known == code).map(|(_, _, name)| *name);
            let special = SPECIAL.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
            if place > 0 {
                f.write_str(",")?;
            }
            f.write_str(named.or(special).unwrap_or("other"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kinds_and_values_of_a_syn() {
        let linux = [2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
        let options = TcpOptions::parse(&linux);
        assert_eq!(options.to_string(), "mss,sok,ts,nop,ws");
        assert_eq!((options.mss(), options.window_scale()), (Some(1460), Some(7)));
        let none = TcpOptions::parse(&[]);
        assert_eq!((none.to_string(), none.mss(), none.window_scale()), (String::new(), None, None));
        assert_eq!(none, TcpOptions::default());
    }

    #[test]
    fn odd_options_are_named_and_end_where_they_break() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(TcpOptions::parse(bytes).to_string(), expected, "{bytes:?}");
        };
        check(&[1, 1, 0, 7], "nop,nop,eol");
        check(&[2, 4, 5], "broken");
        check(&[1, 3, 0, 7], "nop,broken");
        check(&[2], "broken");
        check(&[200, 2, 254, 4, 1, 1], "other,exp");
        check(&[1; 8], "nop,nop,nop,nop,nop,nop,nop,nop");
        check(&[1; 9], "nop,nop,nop,nop,nop,nop,nop,more");
    }

    proptest! {
        #[test]
        fn names_and_values_are_the_whole_content(bytes in prop::collection::vec(0u8..12, 0..40)) {
            let options = TcpOptions::parse(&bytes);
            let mut again = TcpOptions::NONE;
            for name in options.to_string().split(',').filter(|name| !name.is_empty()) {
                again = again.with_named(name).unwrap();
            }
            again = again.with_mss(options.mss().unwrap_or(0));
            if let Some(scale) = options.window_scale() {
                again = again.with_window_scale(scale);
            }
            prop_assert_eq!(again, options);
            prop_assert_eq!(TcpOptions::from_bits(options.bits()), options);
        }
    }
}
