//! Hosts that changed their behavior about a date: how many switched, stayed, are new, are gone, and how many would
//! have switched by chance.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::Serialize;

/// Hosts of some days before a date and some from it on. Memory: some 20 bytes a host.
#[derive(Clone, Debug, Default)]
pub struct Periods {
    /// With the first behavior, before.
    pub from_before: HashSet<IpAddr>,
    /// With the first behavior, after.
    pub from_after: HashSet<IpAddr>,
    /// With the second behavior, after.
    pub to_after: HashSet<IpAddr>,
    /// With any behavior, before.
    pub any_before: HashSet<IpAddr>,
    /// With any behavior, after.
    pub any_after: HashSet<IpAddr>,
}

/// What became of them. The first five add up to the hosts of the first behavior, the last four to those of the second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cohort {
    /// Stayed with the first behavior and have not the second.
    pub stayed: u64,
    /// Not seen any more.
    pub gone: u64,
    /// Seen with neither behavior, but with another.
    pub otherwise: u64,
    /// Have the second behavior, and no more the first.
    pub switched: u64,
    /// Have both.
    pub both: u64,
    /// Have the second, and had another than the first.
    pub from_elsewhere: u64,
    /// Have the second, and were not seen before.
    pub new: u64,
    /// How many would be among both behaviors' hosts if the two had nothing to do with each other: the product of
    /// their numbers over the number of all hosts seen.
    pub expected: f64,
    /// All hosts seen, before or after.
    pub population: u64,
    /// Those that switched, ascending.
    pub hosts: Vec<IpAddr>,
}

impl Periods {
    /// What became of the hosts.
    #[expect(clippy::cast_precision_loss, reason = "an expectation of counts far below 2^52")]
    #[must_use]
    pub fn cohort(&self) -> Cohort {
        let count = |hosts: &HashSet<IpAddr>, passes: &dyn Fn(&IpAddr) -> bool| {
            hosts.iter().filter(|host| passes(host)).count() as u64
        };
        let Periods { from_before, from_after, to_after, any_before, any_after } = self;
        let switches = |host: &IpAddr| to_after.contains(host) && !from_after.contains(host);
        let mut hosts: Vec<IpAddr> = from_before.iter().copied().filter(|host| switches(host)).collect();
        hosts.sort_unstable();
        let population = any_before.union(any_after).count() as u64;
        let product = from_before.len() as f64 * to_after.len() as f64;
        Cohort {
            stayed: count(from_before, &|host| from_after.contains(host) && !to_after.contains(host)),
            gone: count(from_before, &|host| !any_after.contains(host)),
            otherwise: count(from_before, &|host| {
                any_after.contains(host) && !from_after.contains(host) && !to_after.contains(host)
            }),
            switched: hosts.len() as u64,
            both: count(from_before, &|host| to_after.contains(host) && from_after.contains(host)),
            from_elsewhere: count(to_after, &|host| any_before.contains(host) && !from_before.contains(host)),
            new: count(to_after, &|host| !any_before.contains(host)),
            expected: if population == 0 { 0.0 } else { product / population as f64 },
            population,
            hosts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(numbers: &[u8]) -> HashSet<IpAddr> {
        numbers.iter().map(|number| IpAddr::from([192, 0, 2, *number])).collect()
    }

    #[test]
    fn each_host_is_told_once() {
        let cohort = Periods {
            from_before: hosts(&[1, 2, 3, 4, 5, 6]),
            from_after: hosts(&[1, 5]),
            to_after: hosts(&[2, 3, 5, 7, 8]),
            any_before: hosts(&[1, 2, 3, 4, 5, 6, 7]),
            any_after: hosts(&[1, 2, 3, 5, 6, 7, 8, 9]),
        }
        .cohort();
        assert_eq!((cohort.stayed, cohort.gone, cohort.otherwise), (1, 1, 1));
        assert_eq!((cohort.switched, cohort.both, cohort.from_elsewhere, cohort.new), (2, 1, 1, 1));
        assert_eq!(cohort.hosts, [[192, 0, 2, 2], [192, 0, 2, 3]].map(IpAddr::from));
        assert_eq!(cohort.population, 9);
        assert!((cohort.expected - 30.0 / 9.0).abs() < 1e-12);
    }
}
