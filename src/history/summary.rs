//! What a gathering comes to, day by day.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::net::IpAddr;

use jiff::civil::Date;
use serde::Serialize;

use super::packed::{self, Damaged, Group};
use super::{Gathered, Scope};

/// A day of one sensor in numbers, all of them exact; whole windows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DaySummary {
    /// The day.
    pub day: Date,
    /// Packets.
    pub packets: u64,
    /// Windows.
    pub windows: u64,
    /// Unique hosts.
    pub hosts: u64,
    /// Kinds of behavior type.
    pub types: u64,
    /// Pairs of host and type.
    pub sightings: u64,
}

/// Hosts, to be counted once each: 4 bytes an IPv4 address, 16 an IPv6 one.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    fours: Vec<u32>,
    sixes: Vec<u128>,
}

impl Hosts {
    /// Adds the hosts of a group of a day.
    ///
    /// # Errors
    /// When the group is damaged.
    pub fn add(&mut self, day: Date, group: &Group<'_>) -> Result<(), Damaged> {
        for sighting in group.sightings(day) {
            match sighting?.0 {
                IpAddr::V4(four) => self.fours.push(four.into()),
                IpAddr::V6(six) => self.sixes.push(six.into()),
            }
        }
        Ok(())
    }

    /// How many there are.
    pub fn count(&mut self) -> u64 {
        self.fours.sort_unstable();
        self.fours.dedup();
        self.sixes.sort_unstable();
        self.sixes.dedup();
        self.fours.len() as u64 + self.sixes.len() as u64
    }

    fn append(&mut self, other: &mut Hosts) {
        self.fours.append(&mut other.fours);
        self.sixes.append(&mut other.sixes);
    }
}

impl Gathered {
    /// Each day that has a window, ascending.
    ///
    /// # Errors
    /// Never for what a gathering made.
    pub fn summary(&self) -> Result<Vec<DaySummary>, Damaged> {
        let mut days: BTreeMap<Date, Vec<&[u8]>> = BTreeMap::new();
        for run in self.runs() {
            days.entry(run.day).or_default().push(&run.bytes);
        }
        days.into_iter().map(|(day, runs)| summary(day, &runs)).collect()
    }
}

/// Adds up the runs of a day, all of which have their types in the same order, type by type.
fn summary(day: Date, runs: &[&[u8]]) -> Result<DaySummary, Damaged> {
    let whole =
        |group: &Result<Group<'_>, Damaged>| !matches!(group, Ok(group) if group.scope == Scope::Facet);
    let mut runs: Vec<Peekable<_>> =
        runs.iter().map(|bytes| packed::groups(bytes).filter(whole).peekable()).collect();
    let mut sum = DaySummary { day, packets: 0, windows: 0, hosts: 0, types: 0, sightings: 0 };
    let (mut all, mut hosts) = (Hosts::default(), Hosts::default());
    let next = |run: &mut Peekable<_>| -> Option<Result<u64, Damaged>> {
        run.peek().map(|group: &Result<Group<'_>, Damaged>| group.map(|group| group.number))
    };
    while let Some(number) = runs.iter_mut().filter_map(next).min_by_key(|number| number.unwrap_or(0)) {
        let number = number?;
        for run in &mut runs {
            while let Some(group) = run.next_if(|group| group.is_ok_and(|group| group.number == number)) {
                let group = group?;
                sum.packets += group.packets;
                sum.windows += group.windows;
                hosts.add(day, &group)?;
            }
        }
        sum.types += 1;
        sum.sightings += hosts.count();
        all.append(&mut hosts);
    }
    sum.hosts = all.count();
    Ok(sum)
}
