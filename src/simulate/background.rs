//! The scenario language: what is on the wire beside malware.

use std::net::IpAddr;

use jiff::civil::Date;
use serde::Deserialize;

use super::probe_plan::{Header, ProbePlan};
use super::scenario::Family;

/// What else there is on the wire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Research scanners, users of masscan and ZMap: families without a sample, told apart by their headers.
    #[serde(default)]
    pub scanners: Vec<Family>,
    /// Single packets, each of another host.
    #[serde(default)]
    pub noise: Vec<Noise>,
    /// Answers of flooded servers whose spoofed clients lie in the dark.
    #[serde(default)]
    pub floods: Vec<Floods>,
    /// P2P clients that ask addresses which are no longer peers.
    #[serde(default)]
    pub stray: Vec<Stray>,
    /// Hosts that ask one dark address again and again.
    #[serde(default)]
    pub misconfigured: Vec<Misconfigured>,
}

/// Single packets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Its name.
    pub name: String,
    /// How many a dark address gets a day. `--scale` multiplies them.
    pub per_address_day: f64,
    /// Names of the sensors that get them; without any, all.
    #[serde(default)]
    pub sensors: Vec<String>,
    /// The first day; without it, that of the scenario.
    pub from: Option<Date>,
    /// The last day; without it, that of the scenario.
    pub last: Option<Date>,
    /// What is sent.
    pub probes: Vec<ProbePlan>,
    /// What its headers look like.
    #[serde(default)]
    pub header: Header,
}

/// Flooded servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floods {
    /// Its name.
    pub name: String,
    /// Floods a day on the Internet. `--scale` multiplies them.
    pub per_day: f64,
    /// Answers a second of one, to all the Internet.
    pub packets_per_second: f64,
    /// How long one lasts at most; each lasts between a tenth of it and all.
    pub minutes: f64,
    /// The answers.
    pub probes: Vec<ProbePlan>,
    /// What its headers look like.
    #[serde(default)]
    pub header: Header,
}

/// P2P stray.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stray {
    /// Its name.
    pub name: String,
    /// Share of the dark addresses that stand in peers' lists.
    pub addresses: f64,
    /// Peers that ask each of them a day. `--scale` multiplies them.
    pub hosts_per_address_day: f64,
    /// Names of the sensors whose addresses they are; without any, all.
    #[serde(default)]
    pub sensors: Vec<String>,
    /// What they send.
    pub probes: Vec<ProbePlan>,
    /// What its headers look like.
    #[serde(default)]
    pub header: Header,
}

/// A wrong entry somewhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misconfigured {
    /// Its name.
    pub name: String,
    /// Who asks.
    pub host: IpAddr,
    /// What it asks.
    pub destination: IpAddr,
    /// How often.
    pub every_seconds: f64,
    /// What it sends.
    pub probes: Vec<ProbePlan>,
    /// What its headers look like.
    #[serde(default)]
    pub header: Header,
}
