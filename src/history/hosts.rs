//! Sets of unique hosts.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use roaring::RoaringBitmap;

/// A set of hosts. Memory: about 2 to 10 bytes per IPv4 address, depending on how many share a /16, and 40
/// bytes per IPv6 address.
#[derive(Clone, Debug, Default)]
pub struct HostSet {
    fours: RoaringBitmap,
    /// IPv4 addresses that are not in the bitmap yet. Inserting them one by one would access the bitmap at
    /// random places.
    pending: Vec<u32>,
    sixes: BTreeSet<u128>,
}

/// Minimum number of pending addresses before they are moved to the bitmap. The number grows to half the size
/// of the set.
const PENDING_MIN: usize = 1 << 10;

impl HostSet {
    /// Adds a host.
    #[inline]
    pub fn insert(&mut self, host: IpAddr) {
        match host {
            IpAddr::V4(four) => {
                self.pending.push(four.into());
                if self.pending.len() >= PENDING_MIN && self.pending.len() == self.pending.capacity() {
                    self.settle();
                    let room = usize::try_from(self.fours.len() / 2).unwrap_or(PENDING_MIN);
                    self.pending.reserve_exact(room.max(PENDING_MIN));
                }
            }
            IpAddr::V6(six) => {
                self.sixes.insert(six.into());
            }
        }
    }

    /// Adds all hosts of another set.
    pub fn union(&mut self, mut other: HostSet) {
        other.settle();
        self.fours |= other.fours;
        self.sixes.extend(other.sixes);
    }

    /// Returns the exact number of hosts.
    pub fn count(&mut self) -> u64 {
        self.settle();
        self.fours.len() + self.sixes.len() as u64
    }

    /// Returns all hosts, ascending, IPv4 before IPv6.
    pub fn iter(&mut self) -> impl Iterator<Item = IpAddr> + '_ {
        self.settle();
        let fours = self.fours.iter().map(|four| IpAddr::from(Ipv4Addr::from_bits(four)));
        fours.chain(self.sixes.iter().map(|six| IpAddr::from(six.to_be_bytes())))
    }

    #[cold]
    fn settle(&mut self) {
        self.pending.sort_unstable();
        self.pending.dedup();
        let pending = std::mem::take(&mut self.pending);
        if let Ok(pending) = RoaringBitmap::from_sorted_iter(pending) {
            self.fours |= pending;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hosts_are_counted_once_each(
            fours in prop::collection::vec(any::<u16>(), 0..5_000),
            spread in prop_oneof![Just(1u32), Just(65_537)],
            sixes in prop::collection::vec(0..20u128, 0..40),
        ) {
            let fours = fours.into_iter().map(|four| IpAddr::from(Ipv4Addr::from_bits(u32::from(four) * spread)));
            let sixes = sixes.into_iter().map(|six| IpAddr::from(six.to_be_bytes()));
            let all: Vec<IpAddr> = fours.chain(sixes).collect();
            let expected: BTreeSet<IpAddr> = all.iter().copied().collect();
            let (mut hosts, mut other) = (HostSet::default(), HostSet::default());
            for (at, host) in all.into_iter().enumerate() {
                if at % 3 == 0 { other.insert(host) } else { hosts.insert(host) }
            }
            hosts.union(other);
            prop_assert_eq!(hosts.count(), expected.len() as u64);
            prop_assert!(hosts.iter().eq(expected));
        }
    }
}
