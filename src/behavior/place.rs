//! A destination by its number: of 32 bits where all of a window are IPv4 addresses.

use crate::event::{Address, AddressSpace};

use super::distinct::Key;
use super::transition::Number;

/// A destination.
pub(super) trait Place: Key {
    /// Holds ranks and neighbourhoods.
    type Number: Number;

    fn of(address: Address) -> Self;

    /// Its rank in a space; 0 outside.
    fn rank(self, space: &AddressSpace) -> Self::Number;

    /// What analysts call a neighbourhood: the /24 of an IPv4 address, the /64 of an IPv6 address.
    fn neighbourhood(self) -> Self::Number;
}

/// The number of an IPv4 address.
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
        // The uppermost bit tells the families apart.
        match self.number() {
            Ok(four) => u128::from(four >> 8),
            Err(six) => six >> 64 | 1 << 127,
        }
    }
}
