//! The schema of a scenario: the packets that a target receives, and their header fields.

use serde::Deserialize;

use crate::packet::Protocol;

/// A probe: the packets of one connection attempt to a target.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePlan {
    /// TCP, UDP or ICMP (an echo request; ICMPv6 for IPv6 addresses).
    pub protocol: Protocol,
    /// Destination ports, of which one is drawn for each target.
    #[serde(default)]
    pub ports: Vec<PortPlan>,
    /// Weight with which this probe is drawn among the probes.
    #[serde(default = "one")]
    pub share: f64,
    /// TCP flags, as letters of `FSRPAUEC`.
    #[serde(default = "syn")]
    pub flags: String,
    /// ICMP type. By default, that of an echo request.
    pub icmp_type: Option<u8>,
    /// Schedules of the packets, of which one is drawn for each target. By default, a single packet.
    #[serde(default)]
    pub sends: Vec<SendSchedule>,
    /// Whether each retry has a new source port.
    #[serde(default)]
    pub retry_from_new_port: bool,
    /// Rule of the source ports.
    #[serde(default)]
    pub source_port: SourcePortRule,
    /// Payload as text. SYNs should have none.
    #[serde(default)]
    pub payload: String,
    /// Payload as hexadecimal digits, which follows the text.
    #[serde(default)]
    pub payload_hex: String,
}

/// A destination port, or a rule for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a port, `{port: 445, share: 2}`, `{any_from: 1024}` or `derived`")]
pub enum PortPlan {
    /// A fixed port, with a share of 1.
    Port(u16),
    /// A fixed port with its share.
    Weighted(WeightedPort),
    /// A random port from a lowest port up.
    Any(RandomPort),
    /// A port that is derived from the destination's address and the week, as Conficker.D finds its peers.
    Derived(DerivedPortKeyword),
}

/// A fixed port with its share.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedPort {
    /// The port.
    pub port: u16,
    /// Weight with which the port is drawn among the ports.
    pub share: f64,
}

/// A random port from a lowest port up.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomPort {
    /// The lowest port.
    pub any_from: u16,
    /// Weight with which this rule is drawn among the ports.
    #[serde(default = "one")]
    pub share: f64,
}

/// The word `derived` in YAML.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DerivedPortKeyword {
    /// The only value.
    Derived,
}

impl PortPlan {
    /// Returns the weight with which the rule is drawn.
    pub(super) fn share(&self) -> f64 {
        match self {
            PortPlan::Weighted(weighted) => weighted.share,
            PortPlan::Any(any) => any.share,
            PortPlan::Port(_) | PortPlan::Derived(_) => 1.0,
        }
    }
}

/// A schedule of the packets of a probe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendSchedule {
    /// Weight with which the schedule is drawn among the schedules.
    #[serde(default = "one")]
    pub share: f64,
    /// Times in seconds after the first packet, ascending from 0.
    pub at: Vec<f64>,
}

/// The rule of the source ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePortRule {
    /// The host's next port: one more for each probe of each target, from 1025 to 5000 as Windows XP counts.
    #[default]
    Next,
    /// A random port from 1024 up for each contact.
    Random,
    /// One port per host and probe, the same for all targets.
    Kept,
    /// The destination port.
    Same,
    /// Port 80, for answers of web servers.
    Http,
    /// Port 53, for answers of DNS servers.
    Dns,
}

/// Header fields of the packets. Every key is optional.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderPlan {
    /// The operating system, or the tool that builds its own packets.
    #[serde(default)]
    pub system: NetworkStack,
    /// IP identification. By default, that of the system.
    pub ip_id: Option<u16>,
    /// Initial TTL. By default, that of the system.
    pub ttl: Option<u8>,
    /// TCP window. By default, that of the system.
    pub window: Option<u16>,
}

impl HeaderPlan {
    /// Returns the TTL with which packets are sent.
    pub(super) fn initial_ttl(&self) -> u8 {
        self.ttl.unwrap_or(match self.system {
            NetworkStack::Windows => 128,
            NetworkStack::Linux | NetworkStack::Mirai => 64,
            NetworkStack::Masscan | NetworkStack::Zmap => 255,
        })
    }
}

/// Operating systems and tools, by the header fields of their packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkStack {
    /// Windows XP: TTL 128, TCP window 65535, counting IP identification.
    #[default]
    Windows,
    /// Linux: TTL 64, TCP window 5840, random IP identification.
    Linux,
    /// masscan: TTL 255, TCP window 1024, IP identification derived from destination, port and sequence
    /// number.
    Masscan,
    /// ZMap before 2024: TTL 255, TCP window 65535, IP identification 54321.
    Zmap,
    /// Mirai: TTL 64, random TCP window and IP identification, sequence number equal to the destination
    /// address.
    Mirai,
}

impl NetworkStack {
    /// Returns whether SYNs have the TCP options of an operating system.
    pub(super) fn has_options(self) -> bool {
        matches!(self, NetworkStack::Windows | NetworkStack::Linux)
    }
}

fn one() -> f64 {
    1.0
}

fn syn() -> String {
    "S".to_owned()
}
