//! Hosts to be counted once each.

use std::net::IpAddr;

use jiff::civil::Date;

use super::digits;
use super::packed::{Damaged, Group};

/// Hosts, to be counted once each: some 8 bytes an IPv4 address, 16 an IPv6 one.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    fours: Vec<u32>,
    sixes: Vec<u128>,
    /// Addresses that were left when doubles were last taken out.
    single: usize,
}

/// Fewer doubles than this are not worth the sorting.
const DOUBLES: usize = 1 << 16;

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
            IpAddr::V4(four) => self.fours.push(four.into()),
            IpAddr::V6(six) => self.sixes.push(six.into()),
        }
        if self.fours.len() + self.sixes.len() > 2 * self.single + DOUBLES {
            self.count();
        }
    }

    /// All of them, each once, ascending: IPv4 and IPv6.
    #[must_use]
    pub fn sorted(mut self) -> (Vec<u32>, Vec<u128>) {
        self.count();
        (self.fours, self.sixes)
    }

    /// How many there are.
    pub fn count(&mut self) -> u64 {
        digits::sort_by(&mut self.fours, |four| *four);
        self.fours.dedup();
        self.sixes.sort_unstable();
        self.sixes.dedup();
        self.single = self.fours.len() + self.sixes.len();
        self.single as u64
    }
}
