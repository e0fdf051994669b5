//! A set of addresses with a rank for each: a sensor's dark addresses, or the whole address space.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A set of addresses and their ranks. The rank of an address is its position in the ascending list of the
/// set, so that the live holes of a sensor do not interrupt a sweep. In the whole address space the rank is
/// the address as an integer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AddressSpace {
    /// Whether the set consists of `ranges`; else it contains every address.
    bounded: bool,
    /// Disjoint and ascending. Two ranges may be adjacent.
    ranges: Vec<RankedRange>,
}

/// A range of addresses, with inclusive bounds and the rank of the first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RankedRange {
    first: SortKey,
    last: SortKey,
    rank: u128,
}

/// Whether the address is IPv6, and its integer: IPv4 sorts before IPv6, and each of them by value.
type SortKey = (bool, u128);

#[inline]
fn sort_key(address: IpAddr) -> SortKey {
    match address {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (true, u128::from(v6)),
    }
}

impl AddressSpace {
    /// Returns the set of all addresses. Ranks are the addresses' integers.
    #[must_use]
    pub fn whole() -> AddressSpace {
        AddressSpace::default()
    }

    /// Returns the empty set.
    #[must_use]
    pub fn none() -> AddressSpace {
        AddressSpace { bounded: true, ..AddressSpace::default() }
    }

    /// Returns the addresses of the prefixes `dark` without those of `live`; the result may be empty. Without
    /// any `dark` prefix the result is the whole address space.
    #[must_use]
    pub fn new(dark: &[IpNet], live: &[IpNet]) -> AddressSpace {
        if dark.is_empty() {
            return AddressSpace::whole();
        }
        let mut spans = IpNet::aggregate(&dark.to_vec()).into_iter().map(span).collect::<Vec<_>>();
        spans.sort_unstable();
        for hole in IpNet::aggregate(&live.to_vec()).into_iter().map(span) {
            spans = spans.into_iter().flat_map(|span| cut(span, hole)).collect();
        }
        let mut rank = 0u128;
        let ranges = spans
            .into_iter()
            .map(|(first, last)| {
                let range = RankedRange { first, last, rank };
                rank = rank.saturating_add((last.1 - first.1).saturating_add(1));
                range
            })
            .collect::<Vec<RankedRange>>();
        AddressSpace { bounded: true, ranges }
    }

    /// Returns whether the set is the whole address space.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.bounded
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bounded && self.ranges.is_empty()
    }

    /// Returns the rank of an address, counted from 0; `None` if the set does not contain it.
    #[must_use]
    #[inline]
    pub fn rank(&self, address: IpAddr) -> Option<u128> {
        let key = sort_key(address);
        if self.is_whole() {
            return Some(key.1);
        }
        let place = self.ranges.partition_point(|range| range.last < key);
        let range = self.ranges.get(place).filter(|range| range.first <= key)?;
        Some(range.rank + (key.1 - range.first.1))
    }

    /// Returns whether the set contains an address.
    #[must_use]
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.rank(address).is_some()
    }

    /// Returns the address with a rank, the inverse of [`rank`](AddressSpace::rank). Returns `None` beyond
    /// the last rank, and for the whole address space, in which an IPv4 and an IPv6 address can share a rank.
    #[must_use]
    pub fn address(&self, rank: u128) -> Option<IpAddr> {
        let at = self.ranges.partition_point(|range| range.rank <= rank).checked_sub(1)?;
        let range = self.ranges.get(at)?;
        let number = range.first.1.checked_add(rank - range.rank).filter(|number| *number <= range.last.1)?;
        Some(match range.first.0 {
            false => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).ok()?)),
            true => IpAddr::V6(Ipv6Addr::from(number)),
        })
    }

    /// Returns the number of IPv4 addresses in the set. They have the ranks below this number, unless the set
    /// is the whole address space.
    #[must_use]
    pub fn ipv4_size(&self) -> u64 {
        if self.is_whole() {
            return 1 << 32;
        }
        let ipv4 = self.ranges.iter().filter(|range| !range.first.0);
        let size: u128 = ipv4.map(|range| range.last.1 - range.first.1 + 1).sum();
        u64::try_from(size).unwrap_or(u64::MAX)
    }

    /// Returns the number of addresses in the set; `None` for the whole address space.
    #[must_use]
    pub fn size(&self) -> Option<u128> {
        let Some(last) = self.ranges.last() else { return self.bounded.then_some(0) };
        Some(last.rank.saturating_add((last.last.1 - last.first.1).saturating_add(1)))
    }
}

fn span(prefix: IpNet) -> (SortKey, SortKey) {
    (sort_key(prefix.network()), sort_key(prefix.broadcast()))
}

/// Returns the zero, one or two parts of a span that remain without a hole.
fn cut(span: (SortKey, SortKey), hole: (SortKey, SortKey)) -> impl Iterator<Item = (SortKey, SortKey)> {
    let apart = hole.1 < span.0 || span.1 < hole.0;
    let whole = apart.then_some(span);
    let before = (!apart && span.0 < hole.0).then(|| (span.0, (hole.0.0, hole.0.1 - 1)));
    let after = (!apart && hole.1 < span.1).then(|| ((hole.1.0, hole.1.1 + 1), span.1));
    [whole, before, after].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(dark: &[&str], live: &[&str]) -> AddressSpace {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        AddressSpace::new(&parse(dark), &parse(live))
    }

    #[test]
    fn ranks_skip_the_live_holes() {
        let half_dark = space(&["10.0.0.0/24"], &["10.0.0.64/26", "10.0.0.255/32"]);
        let rank = |text: &str| half_dark.rank(text.parse().unwrap());
        assert_eq!(rank("10.0.0.63"), Some(63));
        assert_eq!(rank("10.0.0.64"), None);
        assert_eq!(rank("10.0.0.128"), Some(64));
        assert_eq!(rank("10.0.0.255"), None);
        assert_eq!(rank("10.0.1.0"), None);
        assert_eq!((half_dark.size(), half_dark.ipv4_size()), (Some(191), 191));
        for place in 0..191 {
            let address = half_dark.address(place).unwrap();
            assert_eq!(half_dark.rank(address), Some(place));
        }
        assert_eq!(half_dark.address(191), None);
    }

    #[test]
    fn both_families_share_one_order() {
        let both = space(&["2001:db8::/126", "192.0.2.0/30", "192.0.2.2/32"], &[]);
        assert_eq!(both.rank("192.0.2.3".parse().unwrap()), Some(3));
        assert_eq!(both.rank("2001:db8::1".parse().unwrap()), Some(5));
        for inside in ["192.0.2.0", "192.0.2.3", "2001:db8::3"] {
            assert!(both.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.0.1.255", "192.0.2.4", "2001:db8::4", "::192.0.2.1"] {
            assert!(!both.contains(outside.parse().unwrap()), "{outside}");
        }
        assert_eq!(both.size(), Some(8));
    }

    #[test]
    fn extremes_hold() {
        assert_eq!(space(&["::/0"], &[]).size(), Some(u128::MAX));
        assert_eq!(AddressSpace::whole().rank(IpAddr::V4(Ipv4Addr::BROADCAST)), Some(u128::from(u32::MAX)));
        assert_eq!(AddressSpace::whole().size(), None);
    }

    #[test]
    fn no_address_is_not_every_address() {
        for nothing in [AddressSpace::none(), space(&["192.0.2.0/24"], &["192.0.0.0/16"])] {
            let address = "192.0.2.1".parse().unwrap();
            assert!(nothing.is_empty() && !nothing.is_whole() && !nothing.contains(address));
            assert_eq!((nothing.rank(address), nothing.address(0)), (None, None));
            assert_eq!((nothing.size(), nothing.ipv4_size()), (Some(0), 0));
        }
        assert!(
            AddressSpace::whole().contains("192.0.2.1".parse().unwrap()) && !AddressSpace::whole().is_empty()
        );
    }
}
