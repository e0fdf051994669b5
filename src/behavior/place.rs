//! Destinations as numbers, of 32 bits where all destinations of a window are IPv4 addresses.

use crate::packet::{Address, AddressSpace};

use super::distinct::Key;
use super::transition::Number;

/// The representation of a destination within a reduction: `u32` for windows with IPv4 only, else
/// [`Address`].
pub(super) trait Place: Key {
    /// The integer type of ranks and neighbourhoods.
    type Number: Number;

    fn of(address: Address) -> Self;

    /// Returns the rank in a space; 0 for an address outside of it.
    fn rank(self, space: &AddressSpace) -> Self::Number;

    /// Returns the neighbourhood: the /24 of an IPv4 address, or the /64 of an IPv6 address.
    fn neighbourhood(self) -> Self::Number;
}

/// An IPv4 address as its number.
impl Place for u32 {
    type Number = u32;

    #[inline]
    fn of(address: Address) -> u32 {
        address.number().unwrap_or(0)
    }

    #[inline]
    fn rank(self, space: &AddressSpace) -> u32 {
        space.ipv4_rank(self).unwrap_or(0)
    }

    #[inline]
    fn neighbourhood(self) -> u32 {
        self >> 8
    }
}

impl Place for Address {
    type Number = u128;

    fn of(address: Address) -> Address {
        address
    }

    fn rank(self, space: &AddressSpace) -> u128 {
        space.rank(self.into()).unwrap_or(0)
    }

    fn neighbourhood(self) -> u128 {
        // The top bit distinguishes IPv6 neighbourhoods from IPv4 ones.
        match self.number() {
            Ok(four) => u128::from(four >> 8),
            Err(six) => six >> 64 | 1 << 127,
        }
    }
}
