//! A sensor's dark IPv4 addresses as stretches, so that hits can be placed without trying addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::packet::AddressSpace;

/// The dark addresses of a sensor. IPv4 addresses are stored as ascending stretches, so that memory does not
/// grow with their number.
#[derive(Clone, Debug, Default)]
pub(super) struct DarkSpace {
    ranges: Vec<DarkRange>,
    /// All dark addresses, including IPv6.
    pub(super) space: AddressSpace,
}

/// A stretch of successive dark addresses.
#[derive(Clone, Copy, Debug)]
struct DarkRange {
    first: u32,
    last: u32,
    /// Number of dark addresses before it.
    rank: u64,
}

impl DarkSpace {
    pub(super) fn new(prefixes: &[IpNet], live: &[IpNet]) -> DarkSpace {
        let four = |nets: &[IpNet]| -> Vec<(u32, u32)> {
            let aggregated = IpNet::aggregate(&nets.to_vec());
            let mut spans: Vec<(u32, u32)> = aggregated
                .into_iter()
                .filter_map(|net| match net {
                    IpNet::V4(net) => Some((u32::from(net.network()), u32::from(net.broadcast()))),
                    IpNet::V6(_) => None,
                })
                .collect();
            spans.sort_unstable();
            spans
        };
        let holes = four(live);
        let mut dark = DarkSpace { ranges: Vec::new(), space: AddressSpace::new(prefixes, live) };
        for (first, last) in four(prefixes) {
            dark.add_around(first, last, &holes);
        }
        dark
    }

    /// Adds the addresses from `first` to `last` without the holes, which are ascending.
    fn add_around(&mut self, first: u32, last: u32, holes: &[(u32, u32)]) {
        let mut next = u64::from(first);
        for (from, to) in holes.iter().filter(|(from, to)| *to >= first && *from <= last) {
            self.add(next, u64::from(*from));
            next = next.max(u64::from(*to) + 1);
        }
        self.add(next, u64::from(last) + 1);
    }

    /// Adds a stretch. `end` is excluded.
    fn add(&mut self, first: u64, end: u64) {
        if first < end {
            let (first, last) = (low_32_bits(first), low_32_bits(end - 1));
            let rank = self.size();
            self.ranges.push(DarkRange { first, last, rank });
        }
    }

    /// Returns the number of dark IPv4 addresses.
    pub(super) fn size(&self) -> u64 {
        self.ranges.last().map_or(0, |end| end.rank + u64::from(end.last - end.first) + 1)
    }

    /// Returns the address with a rank, or the last address for a rank beyond the end. Returns `None` if
    /// there is no dark address.
    pub(super) fn nth(&self, rank: u64) -> Option<u32> {
        let at = self.ranges.partition_point(|stretch| stretch.rank <= rank);
        let stretch = self.ranges.get(at.checked_sub(1)?)?;
        Some(stretch.first.saturating_add(low_32_bits(rank - stretch.rank)).min(stretch.last))
    }

    /// Returns the ranks of the dark addresses from `first` to `last`, both included.
    pub(super) fn ranks(&self, first: u32, last: u32) -> std::ops::Range<u64> {
        let below = |address: u64| {
            let at = self.ranges.partition_point(|stretch| u64::from(stretch.last) < address);
            self.ranges.get(at).map_or(self.size(), |stretch| {
                stretch.rank + address.saturating_sub(u64::from(stretch.first))
            })
        };
        below(u64::from(first))..below(u64::from(last) + 1)
    }

    /// Returns all dark IPv4 addresses, ascending.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|stretch| stretch.first..=stretch.last)
    }

    /// Returns the numbers of the aligned blocks of a prefix length that contain a dark address, ascending. A
    /// block's number is the prefix's bits.
    pub(super) fn blocks(&self, length: u8) -> Vec<u32> {
        let shift = 32 - u32::from(length.min(32));
        let mut blocks: Vec<u32> = Vec::new();
        for stretch in &self.ranges {
            let number = |address: u32| address.checked_shr(shift).unwrap_or(0);
            for block in number(stretch.first)..=number(stretch.last) {
                if blocks.last() != Some(&block) {
                    blocks.push(block);
                }
            }
        }
        blocks
    }

    /// Returns whether an address, IPv4 or IPv6, is dark.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        !self.space.is_whole() && self.space.contains(address)
    }
}

/// Returns the low 32 bits of a number.
pub(super) fn low_32_bits(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_agree_with_the_address_space() {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let dark = DarkSpace::new(
            &nets(&["10.0.0.0/23", "10.0.4.0/24", "2001:db8::/64"]),
            &nets(&["10.0.0.0/26", "10.0.1.128/25", "10.0.0.200/32"]),
        );
        let all: Vec<u32> = dark.addresses().collect();
        assert_eq!(all.len() as u64, dark.size());
        assert_eq!(dark.size(), 512 - 64 - 128 - 1 + 256);
        for (rank, address) in (0u64..).zip(&all) {
            assert!(dark.contains(std::net::Ipv4Addr::from(*address).into()));
            assert_eq!(dark.nth(rank), Some(*address));
            assert_eq!(dark.ranks(*address, *address), rank..rank + 1);
        }
        assert_eq!(dark.ranks(0, u32::MAX), 0..dark.size());
        assert_eq!(dark.blocks(24), [0x0a_0000, 0x0a_0001, 0x0a_0004]);
        assert_eq!(dark.blocks(0), [0]);
    }

    #[test]
    fn no_address_and_all_addresses_hold() {
        assert_eq!(DarkSpace::default().size(), 0);
        assert_eq!(DarkSpace::default().nth(0), None);
        let all = DarkSpace::new(&["0.0.0.0/0".parse().unwrap()], &[]);
        assert_eq!((all.size(), all.nth(u64::from(u32::MAX))), (1 << 32, Some(u32::MAX)));
        assert_eq!(all.ranks(5, u32::MAX), 5..1 << 32);
    }
}
