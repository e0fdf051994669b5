//! Hosts to be counted once each.

use std::net::IpAddr;

use jiff::civil::Date;

use super::digits;
use super::packed::{Damaged, Group};

/// Hosts, to be counted once each: some 5 bytes an IPv4 address, 20 an IPv6 one.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    fours: Numbers<u32>,
    sixes: Numbers<u128>,
}

impl Hosts {
    /// Adds the hosts of a group of a day.
    ///
    /// # Errors
    /// When the group is damaged.
    pub fn add(&mut self, day: Date, group: &Group<'_>) -> Result<(), Damaged> {
        for sighting in group.sightings(day) {
            self.insert(sighting?.0);
        }
        Ok(())
    }

    /// Adds a host.
    pub fn insert(&mut self, host: IpAddr) {
        match host {
            IpAddr::V4(four) => self.fours.insert(four.into()),
            IpAddr::V6(six) => self.sixes.insert(six.into()),
        }
    }

    /// All of them, each once, ascending: IPv4 and IPv6.
    #[must_use]
    pub fn sorted(mut self) -> (Vec<u32>, Vec<u128>) {
        self.count();
        (self.fours.once, self.sixes.once)
    }

    /// How many there are.
    pub fn count(&mut self) -> u64 {
        self.fours.settle();
        self.sixes.settle();
        (self.fours.once.len() + self.sixes.once.len()) as u64
    }
}

/// Numbers, each kept once.
#[derive(Clone, Debug, Default)]
struct Numbers<T> {
    /// Ascending.
    once: Vec<T>,
    /// Those that came since, as they came.
    new: Vec<T>,
}

impl<T: radsort::Key + Ord + Default> Numbers<T> {
    #[inline]
    fn insert(&mut self, number: T) {
        /// Fewer than this are not worth a walk through all others.
        const NEW: usize = 1 << 16;
        self.new.push(number);
        if self.new.len() >= NEW.max(self.once.len() / 8) {
            self.settle();
        }
    }

    /// Puts the new ones among the others.
    fn settle(&mut self) {
        let Numbers { once, new } = self;
        digits::sort_by(new, |number| *number);
        new.dedup();
        let mut known = once.iter().peekable();
        new.retain(|number| {
            while known.next_if(|known| *known < number).is_some() {}
            known.peek() != Some(&number)
        });
        let (mut old, mut fresh) = (once.len(), new.len());
        once.resize(old + fresh, T::default());
        // From the highest down, so that none is overwritten that is still to be moved.
        while fresh > 0 {
            let is_old = old > 0 && once[old - 1] > new[fresh - 1];
            once[old + fresh - 1] = if is_old { once[old - 1] } else { new[fresh - 1] };
            if is_old { old -= 1 } else { fresh -= 1 }
        }
        new.clear();
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
                prop_assert!(numbers.once.iter().eq(&set));
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
