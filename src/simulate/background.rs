//! The schema of a scenario: traffic that is not malware.

use std::net::IpAddr;

use jiff::civil::Date;
use serde::Deserialize;

use super::family_plan::FamilyPlan;
use super::probe_plan::{HeaderPlan, ProbePlan};

/// Traffic that is not malware.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Research scanners and users of masscan or ZMap: families without a sample, recognizable by their
    /// headers.
    #[serde(default)]
    pub scanners: Vec<FamilyPlan>,
    /// Single packets, each from a different host.
    #[serde(default)]
    pub noise: Vec<Noise>,
    /// Backscatter: answers of flooded servers to spoofed clients whose addresses are dark.
    #[serde(default)]
    pub floods: Vec<Floods>,
    /// Requests of P2P clients to addresses that are no longer peers.
    #[serde(default)]
    pub stray: Vec<StrayRequests>,
    /// Hosts that contact one dark address again and again.
    #[serde(default)]
    pub misconfigured: Vec<MisconfiguredHost>,
}

/// Single packets, each from a different host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Name of this part of the background.
    pub name: String,
    /// Mean number of packets per dark address and day. `--scale` multiplies it.
    pub per_address_day: f64,
    /// Names of the sensors that receive the packets. By default, all sensors.
    #[serde(default)]
    pub sensors: Vec<String>,
    /// The first day. By default, that of the scenario.
    pub from: Option<Date>,
    /// The last day. By default, that of the scenario.
    pub last: Option<Date>,
    /// The packets.
    pub probes: Vec<ProbePlan>,
    /// Header fields of the packets.
    #[serde(default)]
    pub header: HeaderPlan,
}

/// Floods of servers with spoofed source addresses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floods {
    /// Name of this part of the background.
    pub name: String,
    /// Mean number of floods per day on the Internet. `--scale` multiplies it.
    pub per_day: f64,
    /// Number of answers per second of one flooded server, to the whole Internet.
    pub packets_per_second: f64,
    /// Maximum duration of a flood in minutes. The duration is uniform between a tenth of it and all of it.
    pub minutes: f64,
    /// The answers of the servers.
    pub probes: Vec<ProbePlan>,
    /// Header fields of the packets.
    #[serde(default)]
    pub header: HeaderPlan,
}

/// Stray P2P requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrayRequests {
    /// Name of this part of the background.
    pub name: String,
    /// Share of the dark addresses that are in the peer lists of clients, 0 to 1.
    pub addresses: f64,
    /// Mean number of clients that contact each of these addresses per day. `--scale` multiplies it.
    pub hosts_per_address_day: f64,
    /// Names of the sensors that have these addresses. By default, all sensors.
    #[serde(default)]
    pub sensors: Vec<String>,
    /// The requests.
    pub probes: Vec<ProbePlan>,
    /// Header fields of the packets.
    #[serde(default)]
    pub header: HeaderPlan,
}

/// A host that is configured with a wrong address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MisconfiguredHost {
    /// Name of this part of the background.
    pub name: String,
    /// Address of the host.
    pub host: IpAddr,
    /// The address that the host contacts.
    pub destination: IpAddr,
    /// Time between contacts in seconds.
    pub every_seconds: f64,
    /// The packets.
    pub probes: Vec<ProbePlan>,
    /// Header fields of the packets.
    #[serde(default)]
    pub header: HeaderPlan,
}
