//! The hosts of a month, each with a number: their order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::IpNet;

use crate::history::Hosts;
use crate::history::leb128::{Reader, varint, wide};
use crate::history::packed::Damaged;

/// Hosts of a block, which but the last of a kind are full.
pub const BLOCK: u64 = 8192;

/// Hosts by number: IPv4 before IPv6, ascending. Memory: 4 bytes an IPv4 address, 16 an IPv6 one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    fours: Vec<u32>,
    sixes: Vec<u128>,
}

/// Some hosts of a directory in a row, packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of the first.
    pub first: u64,
    /// The first one.
    pub host: IpAddr,
    /// All of them: how many, whether they are IPv6, and how far each is above the one before.
    pub bytes: Vec<u8>,
}

impl Directory {
    /// All of some hosts.
    #[must_use]
    pub fn of(hosts: Hosts) -> Directory {
        let (fours, sixes) = hosts.sorted();
        Directory { fours, sixes }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        (self.fours.len() + self.sixes.len()) as u64
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a host.
    #[must_use]
    pub fn number(&self, host: IpAddr) -> Option<u64> {
        let at = match host {
            IpAddr::V4(four) => self.fours.binary_search(&four.into()).ok()?,
            IpAddr::V6(six) => self.fours.len() + self.sixes.binary_search(&six.into()).ok()?,
        };
        Some(at as u64)
    }

    /// The host that has a number.
    #[must_use]
    pub fn host(&self, number: u64) -> Option<IpAddr> {
        let at = usize::try_from(number).ok()?;
        match self.fours.get(at) {
            Some(four) => Some(Ipv4Addr::from(*four).into()),
            None => self.sixes.get(at - self.fours.len()).map(|six| Ipv6Addr::from(*six).into()),
        }
    }

    /// The numbers of all hosts of a prefix.
    #[must_use]
    pub fn range(&self, prefix: &IpNet) -> Range<u64> {
        match prefix {
            IpNet::V4(net) => {
                let (low, high) = (u32::from(net.network()), u32::from(net.broadcast()));
                let low = self.fours.partition_point(|four| *four < low);
                low as u64..self.fours.partition_point(|four| *four <= high) as u64
            }
            IpNet::V6(net) => {
                let (low, high) = (u128::from(net.network()), u128::from(net.broadcast()));
                let fours = self.fours.len();
                let low = fours + self.sixes.partition_point(|six| *six < low);
                low as u64..(fours + self.sixes.partition_point(|six| *six <= high)) as u64
            }
        }
    }

    /// All of it, packed.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let four = |(at, some): (usize, &[u32])| {
            let host = Ipv4Addr::from(*some.first()?).into();
            let numbers = some.iter().map(|four| u128::from(*four));
            Some(Block { first: at as u64 * BLOCK, host, bytes: pack(false, some.len(), numbers) })
        };
        let six = |(at, some): (usize, &[u128])| {
            let host = Ipv6Addr::from(*some.first()?).into();
            let first = self.fours.len() as u64 + at as u64 * BLOCK;
            Some(Block { first, host, bytes: pack(true, some.len(), some.iter().copied()) })
        };
        let hosts = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        let fours = self.fours.chunks(hosts).enumerate().filter_map(four);
        fours.chain(self.sixes.chunks(hosts).enumerate().filter_map(six))
    }

    /// Adds the hosts of a packed block, which come after all that are there.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn add_block(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        let mut reader = Reader(bytes);
        let (count, six) = (reader.number()?, reader.number()? == 1);
        let mut host = 0u128;
        for _ in 0..count {
            host = host.checked_add(reader.varint()?).ok_or(Damaged)?;
            match six {
                true => self.sixes.push(host),
                false => self.fours.push(u32::try_from(host).map_err(|_| Damaged)?),
            }
        }
        if reader.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

fn pack(six: bool, count: usize, hosts: impl Iterator<Item = u128>) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, count as u64);
    varint(&mut bytes, u64::from(six));
    let mut before = 0;
    for host in hosts {
        wide(&mut bytes, host - before);
        before = host;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hosts_have_numbers_in_their_order_and_blocks_read_back(
            fours in prop::collection::btree_set(any::<u32>(), 0..50),
            sixes in prop::collection::btree_set(any::<u128>(), 0..50),
            length in 0..=32u8,
        ) {
            let mut hosts = Hosts::default();
            sixes.iter().for_each(|six| hosts.insert(Ipv6Addr::from(*six).into()));
            fours.iter().rev().for_each(|four| hosts.insert(Ipv4Addr::from(*four).into()));
            let directory = Directory::of(hosts);
            let all: Vec<IpAddr> = fours
                .iter()
                .map(|four| Ipv4Addr::from(*four).into())
                .chain(sixes.iter().map(|six| Ipv6Addr::from(*six).into()))
                .collect();
            for (number, host) in (0..).zip(&all) {
                prop_assert_eq!((directory.number(*host), directory.host(number)), (Some(number), Some(*host)));
            }
            prop_assert_eq!(directory.host(all.len() as u64), None);
            let mut read = Directory::default();
            for block in directory.blocks() {
                prop_assert_eq!(directory.host(block.first), Some(block.host));
                read.add_block(&block.bytes).unwrap();
            }
            prop_assert_eq!(&read, &directory);
            if let Some(host) = all.first() {
                let prefix = IpNet::new(*host, length).unwrap();
                let within: Vec<u64> = (0..).zip(&all).filter(|(_, host)| prefix.contains(*host)).map(|(at, _)| at).collect();
                prop_assert_eq!(directory.range(&prefix).collect::<Vec<u64>>(), within);
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Directory::default().add_block(&bytes);
        }
    }
}
