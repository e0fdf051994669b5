//! Hosts to be counted once each.

use std::net::IpAddr;

use super::digits;
use super::packed::{Damaged, Group};

/// Hosts, to be counted once each: some 6 bytes an IPv4 address, 24 an IPv6 one.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// None, one, or, where there are many, parts by an address's first byte, which fit the processor's cache.
    fours: Vec<Numbers<u32>>,
    sixes: Numbers<u128>,
}

const PARTS: usize = 1 << 8;
/// So many addresses are many.
const MANY: usize = 1 << 16;

impl Hosts {
    /// Adds the hosts of a group.
    ///
    /// # Errors
    /// When the group is damaged.
    pub fn add(&mut self, group: &Group<'_>) -> Result<(), Damaged> {
        group.hosts().try_for_each(|host| host.map(|host| self.insert(host)))
    }

    /// Adds a host.
    pub fn insert(&mut self, host: IpAddr) {
        match host {
            IpAddr::V4(four) => {
                if self.fours.len() < PARTS && self.fours.first().is_none_or(|one| one.all.len() >= MANY) {
                    self.divide();
                }
                let part = usize::from(four.octets()[0]) & (self.fours.len() - 1);
                self.fours[part].insert(four.into());
            }
            IpAddr::V6(six) => self.sixes.insert(six.into()),
        }
    }

    /// From no part to one, and from one to all.
    #[cold]
    fn divide(&mut self) {
        let parts = if self.fours.is_empty() { 1 } else { PARTS };
        let undivided = std::mem::take(&mut self.fours);
        self.fours.resize_with(parts, Numbers::default);
        undivided.iter().flat_map(|part| &part.all).for_each(|four| self.insert(IpAddr::V4((*four).into())));
    }

    /// All of them, each once, ascending: IPv4 and IPv6.
    #[must_use]
    pub fn sorted(mut self) -> (Vec<u32>, Vec<u128>) {
        self.count();
        (self.fours.into_iter().flat_map(|part| part.all).collect(), self.sixes.all)
    }

    /// How many there are.
    pub fn count(&mut self) -> u64 {
        let fours: usize = self.fours.iter_mut().map(Numbers::settle).sum();
        (fours + self.sixes.settle()) as u64
    }
}

/// Numbers, each kept once.
#[derive(Clone, Debug, Default)]
struct Numbers<T> {
    /// So many that are ascending, each once, and then those that came since, as they came.
    all: Vec<T>,
    settled: usize,
}

impl<T: radsort::Key + Ord> Numbers<T> {
    #[inline]
    fn insert(&mut self, number: T) {
        if self.all.len() == self.all.capacity() {
            self.make_room();
        }
        self.all.push(number);
    }

    #[cold]
    fn make_room(&mut self) {
        /// Fewer than this are not worth the others' sorting.
        const NEW: usize = 256;
        let settled = self.settle();
        self.all.reserve_exact(NEW.max(settled / 2));
    }

    /// Puts those that came since among the others. Answers how many there are.
    fn settle(&mut self) -> usize {
        if self.settled < self.all.len() {
            digits::sort_by(&mut self.all, |number| *number);
            self.all.dedup();
            self.settled = self.all.len();
        }
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_number_is_kept_once_however_often_it_comes(
            parts in prop::collection::vec(prop::collection::vec(0..3_000u32, 0..700), 0..6),
        ) {
            let mut numbers = Numbers::default();
            let mut set = BTreeSet::new();
            for part in parts {
                for number in part {
                    numbers.insert(number);
                    set.insert(number);
                }
                numbers.settle();
                prop_assert!(numbers.all.iter().eq(&set));
            }
        }
    }

    #[test]
    fn many_hosts_are_counted_once_and_come_out_sorted() {
        let mut hosts = Hosts::default();
        let four = |at: u32| IpAddr::from(at.wrapping_mul(0x9e37_79b9).to_be_bytes());
        for at in (0..300_000).chain(0..100_000) {
            hosts.insert(four(at));
        }
        hosts.insert("2001:db8::2".parse().unwrap());
        hosts.insert("2001:db8::1".parse().unwrap());
        hosts.insert("2001:db8::2".parse().unwrap());
        assert_eq!(hosts.count(), 300_002);
        let (fours, sixes) = hosts.sorted();
        assert!(fours.is_sorted() && sixes.is_sorted());
        assert_eq!((fours.len(), sixes.len()), (300_000, 2));
    }
}
