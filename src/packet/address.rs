//! A packed IP address, and the test for group addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in a form that is fast to compare and to hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Address {
    /// The upper 64 bits of an IPv6 address; 0 for IPv4.
    upper: u64,
    /// The lower 64 bits of an IPv6 address, or the 32 bits of an IPv4 address.
    lower: u64,
    is_ipv6: bool,
}

impl Address {
    /// Returns the address as an integer: `Ok` for IPv4, `Err` for IPv6.
    ///
    /// # Errors
    /// Returns the integer of an IPv6 address.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an IPv4 address's number")]
    pub fn number(self) -> Result<u32, u128> {
        if self.is_ipv6 { Err(self.wide()) } else { Ok(self.lower as u32) }
    }

    /// Returns the address as an integer. An IPv4 and an IPv6 address can have the same integer.
    #[inline]
    #[must_use]
    pub fn wide(self) -> u128 {
        u128::from(self.upper) << 64 | u128::from(self.lower)
    }

    /// Returns the upper and lower 64 bits, as [`of_halves`](Address::of_halves) takes them.
    #[inline]
    #[must_use]
    pub fn halves(self) -> (u64, u64) {
        (self.upper, self.lower)
    }

    /// Creates an address from its upper and lower 64 bits.
    #[inline]
    #[must_use]
    pub fn of_halves((upper, lower): (u64, u64), is_ipv6: bool) -> Address {
        Address { upper, lower, is_ipv6 }
    }

    /// Returns whether this is an IPv6 address.
    #[inline]
    #[must_use]
    pub fn is_ipv6(self) -> bool {
        self.is_ipv6
    }
}

impl From<IpAddr> for Address {
    #[inline]
    fn from(address: IpAddr) -> Address {
        match address {
            IpAddr::V4(four) => four.into(),
            IpAddr::V6(six) => {
                let [a, b, c, d, e, f, g, h] = six.segments().map(u64::from);
                let (upper, lower) = (a << 48 | b << 32 | c << 16 | d, e << 48 | f << 32 | g << 16 | h);
                Address { upper, lower, is_ipv6: true }
            }
        }
    }
}

impl From<Ipv4Addr> for Address {
    #[inline]
    fn from(four: Ipv4Addr) -> Address {
        Address { upper: 0, lower: u32::from(four).into(), is_ipv6: false }
    }
}

impl From<Address> for IpAddr {
    #[inline]
    fn from(address: Address) -> IpAddr {
        match address.number() {
            Ok(four) => Ipv4Addr::from(four).into(),
            Err(six) => Ipv6Addr::from(six).into(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}
/// Returns whether an address names a group of hosts: IP multicast, or the limited broadcast of IPv4.
#[must_use]
pub fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
