//! A set of addresses with an order of its own: a sensor's dark addresses, or the whole address space.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Addresses and their ranks. A rank is an address's place in the ascending list of the set, so that the holes
/// of a half-dark sensor do not break up a sweep; in the whole space it is the address's own number.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AddressSpace {
    /// Whether it has the addresses of the ranges alone; else it has every address.
    bounded: bool,
    /// Disjoint, ascending and not adjacent.
    ranges: Vec<Range>,
    /// The IPv4 ones among them once more: every packet is asked whether it is dark.
    fours: Vec<Four>,
}

/// Inclusive bounds in the common number line of both families, and the rank of the first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: Number,
    last: Number,
    rank: u128,
}

/// The same of IPv4 addresses, whose ranks come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Four {
    first: u32,
    last: u32,
    rank: u32,
}

/// IPv4 sorts before IPv6; within a family by value.
type Number = (bool, u128);

fn number(address: IpAddr) -> Number {
    match address {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (true, u128::from(v6)),
    }
}

impl AddressSpace {
    /// Every address there is; ranks are the addresses' own numbers.
    #[must_use]
    pub fn whole() -> AddressSpace {
        AddressSpace::default()
    }

    /// No address at all.
    #[must_use]
    pub fn none() -> AddressSpace {
        AddressSpace { bounded: true, ..AddressSpace::default() }
    }

    /// The addresses of `dark` without those of `live`, of which none may be left. No `dark` prefix means the whole
    /// space.
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
                let range = Range { first, last, rank };
                rank = rank.saturating_add((last.1 - first.1).saturating_add(1));
                range
            })
            .collect::<Vec<Range>>();
        let fours = ranges.iter().filter(|range| !range.first.0).map(|range| {
            let [first, last, rank] = [range.first.1, range.last.1, range.rank]
                .map(|number| u32::try_from(number).unwrap_or(u32::MAX));
            Four { first, last, rank }
        });
        AddressSpace { bounded: true, fours: fours.collect(), ranges }
    }

    /// Whether it is the whole space.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.bounded
    }

    /// Whether it has no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bounded && self.ranges.is_empty()
    }

    /// The place of an address in the ascending list; `None` for an address outside.
    #[must_use]
    pub fn rank(&self, address: IpAddr) -> Option<u128> {
        let wanted = number(address);
        if self.is_whole() {
            return Some(wanted.1);
        }
        let at = self.ranges.partition_point(|range| range.last < wanted);
        let range = self.ranges.get(at).filter(|range| range.first <= wanted)?;
        Some(range.rank + (wanted.1 - range.first.1))
    }

    /// Whether an address belongs to it.
    #[must_use]
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            _ if self.is_whole() => true,
            IpAddr::V4(four) => self.ipv4_rank(four.into()).is_some(),
            IpAddr::V6(_) => self.rank(address).is_some(),
        }
    }

    /// As [`rank`](AddressSpace::rank), of an IPv4 address's number.
    #[must_use]
    #[inline]
    pub fn ipv4_rank(&self, four: u32) -> Option<u32> {
        if self.is_whole() {
            return Some(four);
        }
        let range = match self.fours.as_slice() {
            // What nearly every sensor has.
            [only] => (four <= only.last).then_some(only),
            many => many.get(many.partition_point(|range| range.last < four)),
        };
        let range = range.filter(|range| range.first <= four)?;
        Some(range.rank + (four - range.first))
    }

    /// The address at a place in the ascending list: the other way round of [`rank`](AddressSpace::rank). `None`
    /// beyond its end, and for the whole space, which has two addresses at most places.
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

    /// How many IPv4 addresses it has, which come first in the list.
    #[must_use]
    pub fn ipv4_size(&self) -> u64 {
        let whole = if self.is_whole() { 1 << 32 } else { 0 };
        self.fours.iter().map(|range| u64::from(range.last - range.first) + 1).sum::<u64>() + whole
    }

    /// How many addresses it has; `None` for the whole space.
    #[must_use]
    pub fn size(&self) -> Option<u128> {
        let Some(last) = self.ranges.last() else { return self.bounded.then_some(0) };
        Some(last.rank.saturating_add((last.last.1 - last.first.1).saturating_add(1)))
    }
}

fn span(prefix: IpNet) -> (Number, Number) {
    (number(prefix.network()), number(prefix.broadcast()))
}

/// What is left of a span when a hole is cut out of it: none, one or two spans.
fn cut(span: (Number, Number), hole: (Number, Number)) -> impl Iterator<Item = (Number, Number)> {
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
            assert_eq!((nothing.rank(address), nothing.ipv4_rank(5), nothing.address(0)), (None, None, None));
            assert_eq!((nothing.size(), nothing.ipv4_size()), (Some(0), 0));
        }
        assert!(
            AddressSpace::whole().contains("192.0.2.1".parse().unwrap()) && !AddressSpace::whole().is_empty()
        );
    }
}
