//! The schema of a scenario: the number of infected hosts and the times of their infections.

use std::net::IpAddr;

use jiff::civil::Date;
use serde::Deserialize;

/// The number of infected hosts and the times of their infections.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Names of the networks in which the hosts live. By default, all networks.
    #[serde(default)]
    pub networks: Vec<String>,
    /// New infections. `--scale` multiplies the number of hosts.
    #[serde(default)]
    pub growth: Vec<GrowthPlan>,
    /// Hosts that are infected for a short time, different ones each day. `--scale` multiplies the number of
    /// hosts.
    #[serde(default)]
    pub visits: Vec<Visits>,
    /// Hosts with given addresses. `--scale` does not change them.
    #[serde(default)]
    pub hosts: Vec<NamedHost>,
    /// Hosts taken over from other families.
    #[serde(default)]
    pub succeeds: Vec<Succession>,
    /// Disinfection of one host after the other.
    pub decay: Option<Decay>,
    /// Days on which many hosts are disinfected.
    #[serde(default)]
    pub patches: Vec<Patch>,
    /// A second wave, in which disinfected hosts are infected again.
    pub again: Option<Reinfection>,
    /// Changes of a host's address within its network.
    pub churn: Option<Churn>,
}

impl Population {
    /// Returns the expected number of infections over a number of days at `--scale` 1. Named hosts and hosts
    /// taken over from other families are not counted.
    pub(super) fn infections(&self, days: f64) -> f64 {
        let grown = self.growth.iter().map(|growth| growth.hosts);
        // The factor is the mean of a log-normal distribution with this standard deviation of the logarithm.
        let visits =
            self.visits.iter().map(|visits| visits.hosts * days * (visits.swing * visits.swing / 2.0).exp());
        grown.chain(visits).sum()
    }
}

/// New infections.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowthPlan {
    /// Number of hosts in total.
    pub hosts: f64,
    /// The first day.
    pub from: Date,
    /// Duration in days. The number of infections follows a logistic curve, with half of the hosts infected
    /// after half of the time. By default, all hosts are infected within one day.
    pub days: Option<f64>,
    /// Whether the infections are spread evenly over the duration instead.
    #[serde(default)]
    pub even: bool,
}

/// Hosts that are infected for a short time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visits {
    /// Mean number of hosts per day, before `swing`.
    pub hosts: f64,
    /// The first day. By default, that of the scenario.
    pub from: Option<Date>,
    /// The last day. By default, that of the scenario.
    pub last: Option<Date>,
    /// Duration of each visit in minutes.
    pub minutes: f64,
    /// Variation between days: the standard deviation of the natural logarithm of the daily mean.
    #[serde(default)]
    pub swing: f64,
}

/// A host with a given address.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedHost {
    /// The address, which never changes.
    pub address: IpAddr,
    /// The first day. By default, that of the scenario.
    pub from: Option<Date>,
    /// The last day. By default, that of the scenario.
    pub last: Option<Date>,
    /// Scan rate in targets per second. By default, that of the family.
    pub rate: Option<f64>,
}

/// Hosts of another family that this family takes over.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    /// Name of the other family, which must come before this one in the scenario.
    pub family: String,
    /// The first day.
    pub from: Date,
    /// Number of days over which the hosts change.
    pub days: f64,
    /// Share of the hosts infected at that time, 0 to 1.
    pub share: f64,
    /// Whether the hosts keep the other infection as well.
    #[serde(default)]
    pub keeps: bool,
}

/// Disinfection of one host after the other.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decay {
    /// The first day. By default, the time of each host's infection.
    pub from: Option<Date>,
    /// Number of days after which half of the hosts are clean.
    pub half_life_days: f64,
}

/// A day on which hosts are disinfected.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The day.
    pub on: Date,
    /// Share of the hosts infected before that day, 0 to 1.
    pub share: f64,
}

/// Reinfection of clean hosts.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reinfection {
    /// The first day.
    pub from: Date,
    /// Number of days over which the hosts are infected.
    pub days: f64,
    /// Share of the hosts that are clean on the first day, 0 to 1.
    pub share: f64,
}

/// Changes of a host's address within its network.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Number of days for which a host has an address.
    pub lease_days: f64,
    /// Share of the hosts whose address changes, 0 to 1. The other hosts keep theirs.
    #[serde(default = "one")]
    pub share: f64,
}

fn one() -> f64 {
    1.0
}
