//! Cohorts: hosts that changed their behavior at a date. Counts the hosts that switched, stayed, appeared or
//! disappeared, and how many would have switched by chance.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::Serialize;

/// The hosts seen in a period before a date and in a period from that date on. Memory: about 20 bytes per
/// host and set.
#[derive(Clone, Debug, Default)]
pub struct HostsByPeriod {
    /// Hosts with the first behavior in the period before.
    pub from_before: HashSet<IpAddr>,
    /// Hosts with the first behavior in the period after.
    pub from_after: HashSet<IpAddr>,
    /// Hosts with the second behavior in the period after.
    pub to_after: HashSet<IpAddr>,
    /// Hosts with any behavior in the period before.
    pub any_before: HashSet<IpAddr>,
    /// Hosts with any behavior in the period after.
    pub any_after: HashSet<IpAddr>,
}

/// The hosts of two periods, classified by their change of behavior. `stayed`, `gone`, `otherwise`,
/// `switched` and `both` add up to the hosts that had the first behavior before; `switched`, `both`,
/// `from_elsewhere` and `new` add up to the hosts that have the second behavior after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cohort {
    /// Hosts that still have the first behavior and do not have the second.
    pub stayed: u64,
    /// Hosts that are not seen in the period after.
    pub gone: u64,
    /// Hosts that are seen in the period after, but with neither behavior.
    pub otherwise: u64,
    /// Hosts that have the second behavior and no longer the first.
    pub switched: u64,
    /// Hosts that have both behaviors in the period after.
    pub both: u64,
    /// Hosts that have the second behavior and were seen before, but without the first.
    pub from_elsewhere: u64,
    /// Hosts that have the second behavior and were not seen before.
    pub new: u64,
    /// Expected number of hosts with the first behavior before and the second after if the two were
    /// independent: the product of the two numbers of hosts, divided by `population`.
    pub expected: f64,
    /// Number of hosts seen in either period.
    pub population: u64,
    /// The hosts that switched, ascending.
    pub hosts: Vec<IpAddr>,
}

/// The cohort of one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorCohort {
    /// The sensor's name.
    pub sensor: String,
    /// Number of observed days in the period before and in the period after. Hosts of days that were not
    /// observed are not known to be gone.
    pub observed: (u64, u64),
    /// The hosts of the two periods, classified by their change of behavior.
    pub cohort: Cohort,
}

impl HostsByPeriod {
    /// Classifies the hosts.
    #[expect(clippy::cast_precision_loss, reason = "an expectation of counts far below 2^52")]
    #[must_use]
    pub fn cohort(&self) -> Cohort {
        let count = |hosts: &HashSet<IpAddr>, passes: &dyn Fn(&IpAddr) -> bool| {
            hosts.iter().filter(|host| passes(host)).count() as u64
        };
        let HostsByPeriod { from_before, from_after, to_after, any_before, any_after } = self;
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
        let cohort = HostsByPeriod {
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
