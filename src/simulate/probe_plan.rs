//! The scenario language: what is sent to a target, and what its headers look like.

use serde::Deserialize;

use crate::event::Protocol;

/// A probe: one conversation that is tried with a target.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePlan {
    /// TCP, UDP or ICMP (an echo request; to IPv6 addresses ICMPv6).
    pub protocol: Protocol,
    /// The destination port, or ports of which one is drawn.
    #[serde(default)]
    pub ports: Vec<PortPlan>,
    /// How often this probe is drawn, beside the others.
    #[serde(default = "one")]
    pub share: f64,
    /// TCP flags, in letters of `FSRPAUEC`.
    #[serde(default = "syn")]
    pub flags: String,
    /// ICMP type; without it, an echo request's.
    pub icmp_type: Option<u8>,
    /// When its packets are sent, in seconds from the first; one of these lists is drawn. Without any, one packet.
    #[serde(default)]
    pub sends: Vec<Sends>,
    /// Whether a retry comes from another source port.
    #[serde(default)]
    pub retry_from_new_port: bool,
    /// Source ports.
    #[serde(default)]
    pub source_port: SourcePort,
    /// Payload as text. Not for SYNs.
    #[serde(default)]
    pub payload: String,
    /// Payload as hexadecimal digits, behind the text.
    #[serde(default)]
    pub payload_hex: String,
}

/// Destination ports.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a port, `{port: 445, share: 2}`, `{any_from: 1024}` or `derived`")]
pub enum PortPlan {
    /// This one.
    Port(u16),
    /// This one, so often beside the others.
    Weighted(WeightedPort),
    /// Any from here on.
    Any(AnyPort),
    /// One that follows from the destination's address and the week, as Conficker.D finds its peers.
    Derived(Derived),
}

/// A port with a share.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedPort {
    /// The port.
    pub port: u16,
    /// Its share.
    pub share: f64,
}

/// Any port from one on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnyPort {
    /// The lowest.
    pub any_from: u16,
    /// Its share.
    #[serde(default = "one")]
    pub share: f64,
}

/// The word `derived`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Derived {
    /// It.
    Derived,
}

impl PortPlan {
    /// How often it is drawn.
    pub(super) fn share(&self) -> f64 {
        match self {
            PortPlan::Weighted(weighted) => weighted.share,
            PortPlan::Any(any) => any.share,
            PortPlan::Port(_) | PortPlan::Derived(_) => 1.0,
        }
    }
}

/// When the packets of a probe are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sends {
    /// How often, beside the others.
    #[serde(default = "one")]
    pub share: f64,
    /// Seconds from the first packet, ascending from 0.
    pub at: Vec<f64>,
}

/// Where packets come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePort {
    /// The host's next: one more for each target, from 1025 to 5000 as Windows XP counts.
    #[default]
    Next,
    /// Any from 1024 on, another one for each target.
    Random,
    /// One that the host keeps.
    Kept,
    /// The destination port.
    Same,
    /// A service's own port, where the packet is an answer: 80.
    Http,
    /// 53, the same for DNS.
    Dns,
}

/// What headers look like. All can be left out.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The operating system, or the tool that makes its own packets.
    #[serde(default)]
    pub system: System,
    /// IP identification; without it, the system's.
    pub ip_id: Option<u16>,
    /// Initial time to live; without it, the system's.
    pub ttl: Option<u8>,
    /// TCP window; without it, the system's.
    pub window: Option<u16>,
}

impl Header {
    /// Time to live before the first router.
    pub(super) fn initial_ttl(&self) -> u8 {
        self.ttl.unwrap_or(match self.system {
            System::Windows => 128,
            System::Linux | System::Mirai => 64,
            System::Masscan | System::Zmap => 255,
        })
    }
}

/// Systems and tools by their headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Windows XP: time to live 128, window 65535, identifications counted.
    #[default]
    Windows,
    /// Linux: 64, 5840, identifications at random.
    Linux,
    /// masscan: 255, 1024, identification from destination, port and sequence number.
    Masscan,
    /// ZMap before 2024: 255, 65535, identification 54321.
    Zmap,
    /// Mirai: 64, random windows, the destination as sequence number.
    Mirai,
}

impl System {
    /// Whether SYNs carry the options of a system's own TCP.
    pub(super) fn has_options(self) -> bool {
        matches!(self, System::Windows | System::Linux)
    }
}

fn one() -> f64 {
    1.0
}

fn syn() -> String {
    "S".to_owned()
}
