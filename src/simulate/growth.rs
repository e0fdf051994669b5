//! The scenario language: how many hosts are infected, since when and for how long.

use std::net::IpAddr;

use jiff::civil::Date;
use serde::Deserialize;

/// How many hosts are infected, since when and for how long.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Names of the networks that they live in; without any, all.
    #[serde(default)]
    pub networks: Vec<String>,
    /// New infections. `--scale` multiplies their hosts.
    #[serde(default)]
    pub growth: Vec<Growth>,
    /// Hosts that come for a while, other ones each day. `--scale` multiplies them.
    #[serde(default)]
    pub visits: Vec<Visits>,
    /// Hosts told one by one; no scale changes them.
    #[serde(default)]
    pub hosts: Vec<NamedHost>,
    /// Hosts taken over from other families.
    #[serde(default)]
    pub succeeds: Vec<Succession>,
    /// Hosts get clean one by one.
    pub decay: Option<Decay>,
    /// Days on which many get clean at once.
    #[serde(default)]
    pub patches: Vec<Patch>,
    /// A second wave: clean hosts infected again.
    pub again: Option<Again>,
    /// Hosts get another address of their network now and then.
    pub churn: Option<Churn>,
}

impl Population {
    /// How many infections are expected over so many days, where `--scale` is 1 and no host is taken over.
    pub(super) fn infections(&self, days: f64) -> f64 {
        let grown = self.growth.iter().map(|growth| growth.hosts);
        // The mean of a log-normal swing.
        let visits =
            self.visits.iter().map(|visits| visits.hosts * days * (visits.swing * visits.swing / 2.0).exp());
        grown.chain(visits).sum()
    }
}

/// New infections.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// Hosts in the end.
    pub hosts: f64,
    /// The first day.
    pub from: Date,
    /// Days until nearly all are infected (logistic: half of them after half the time); without it, all on one day.
    pub days: Option<f64>,
    /// Whether they come evenly instead.
    #[serde(default)]
    pub even: bool,
}

/// Hosts that come for a while.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visits {
    /// How many a day.
    pub hosts: f64,
    /// The first day; without it, that of the scenario.
    pub from: Option<Date>,
    /// The last day; without it, that of the scenario.
    pub last: Option<Date>,
    /// How long each stays.
    pub minutes: f64,
    /// How far days differ: the standard deviation of the number's natural logarithm.
    #[serde(default)]
    pub swing: f64,
}

/// A host told by its address.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedHost {
    /// Its address, which stays.
    pub address: IpAddr,
    /// The first day; without it, that of the scenario.
    pub from: Option<Date>,
    /// The last day; without it, that of the scenario.
    pub last: Option<Date>,
    /// Its own rate.
    pub rate: Option<f64>,
}

/// Hosts of another family that become this one's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    /// The other family, told before this one.
    pub family: String,
    /// The first day.
    pub from: Date,
    /// Days in which they change.
    pub days: f64,
    /// Share of the hosts then infected.
    pub share: f64,
    /// Whether they keep the other one as well.
    #[serde(default)]
    pub keeps: bool,
}

/// Hosts get clean one by one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decay {
    /// Since when; without it, since each one's infection.
    pub from: Option<Date>,
    /// Days after which half of them are clean.
    pub half_life_days: f64,
}

/// A day on which hosts get clean.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The day.
    pub on: Date,
    /// Share of the hosts infected by then.
    pub share: f64,
}

/// Clean hosts infected again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// The first day.
    pub from: Date,
    /// Days in which it happens.
    pub days: f64,
    /// Share of the hosts that are clean by then.
    pub share: f64,
}

/// Another address now and then.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// How long an address is a host's.
    pub lease_days: f64,
    /// Share of the hosts that this holds for; the others keep theirs.
    #[serde(default = "one")]
    pub share: f64,
}

fn one() -> f64 {
    1.0
}
