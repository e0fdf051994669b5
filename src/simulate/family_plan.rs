//! The schema of a scenario: a malware family or a scanning tool.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::growth::Population;
use super::probe_plan::{HeaderPlan, ProbePlan};
use super::sample_plan::SamplePlan;

/// A malware family or a scanning tool: how its hosts scan, and how many hosts there are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyPlan {
    /// Name of the family: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// How a host selects its targets.
    pub targets: Targets,
    /// Probes. A target receives one of them, drawn by their shares, unless `together` is set.
    pub probes: Vec<ProbePlan>,
    /// Whether every target receives all of the probes.
    #[serde(default)]
    pub together: bool,
    /// Scan rate of a host in new targets per second, over all threads, while the host is on.
    pub rate: f64,
    /// Variation of the rate between hosts: the standard deviation of its natural logarithm.
    #[serde(default)]
    pub rate_spread: f64,
    /// Times at which hosts are on.
    #[serde(default)]
    pub rhythm: ActivityRhythm,
    /// Number of hosts and the times of their infections.
    #[serde(default)]
    pub population: Population,
    /// Header fields of the packets.
    #[serde(default)]
    pub header: HeaderPlan,
    /// The sample of the family that was caught, if any.
    pub sample: Option<SamplePlan>,
}

/// How a host selects its targets. Exactly one key must be given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// At random.
    pub uniform: Option<UniformScan>,
    /// One after the other, block by block.
    pub sequential: Option<SequentialScan>,
    /// Every IPv4 address once, in an order that all hosts share. Each host begins at its own place.
    pub permutation: Option<PermutationScan>,
    /// From a list.
    pub hit_list: Option<HitList>,
    /// No targets: the family never scans.
    pub none: Option<NoParameters>,
}

/// A key without parameters.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Random targets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniformScan {
    /// Shares of the targets that lie in the host's own networks. The other targets are drawn from all
    /// addresses.
    #[serde(default)]
    pub own: Vec<LocalPreference>,
    /// Upper limits of the four octets, excluded, such as `[256, 128, 256, 128]`, for a random generator with
    /// a bug that never yields higher values. By default, there are no limits.
    pub octets_below: Option<[u16; 4]>,
}

/// A preference for the host's own network.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalPreference {
    /// Prefix length of the network: 8, 16, 24.
    pub prefix: u8,
    /// Share of the targets, 0 to 1.
    pub share: f64,
}

/// Sequential targets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequentialScan {
    /// Prefix length of a block. At the end of a block, the scan jumps to another block at random. 0 stands
    /// for the whole Internet, which the scan goes through again and again.
    #[serde(default = "twenty_four")]
    pub block: u8,
    /// Distance in addresses from one target to the next.
    #[serde(default = "stride_one")]
    pub stride: u32,
    /// Where in a block the scan begins.
    #[serde(default)]
    pub start: SweepStart,
    /// Share of the blocks that are the host's own, 0 to 1.
    #[serde(default)]
    pub own: f64,
    /// Number of passes through a block before the jump.
    #[serde(default = "stride_one")]
    pub passes: u32,
    /// Number of threads, each with its own block.
    #[serde(default = "stride_one")]
    pub threads: u32,
    /// Whether the scan counts in the wrong byte order (a bug), so that the first octet changes fastest. Only
    /// with block 0.
    #[serde(default)]
    pub byte_reversed: bool,
}

/// Where in a block a sweep begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SweepStart {
    /// At the first address.
    #[default]
    First,
    /// At a random address. The sweep continues at the first address after the last.
    Random,
}

/// All IPv4 addresses in a permuted order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermutationScan {
    /// Key of the order, which all hosts share.
    #[serde(default)]
    pub key: u64,
}

/// Targets from a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HitList {
    /// Addresses and prefixes, 2^20 addresses at most.
    pub addresses: Vec<HitListEntry>,
    /// Number of times that a host goes through the list. By default, a host never stops.
    pub passes: Option<u64>,
}

/// An address or a prefix.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "an address like 192.0.2.1 or a prefix like 192.0.2.0/24")]
pub enum HitListEntry {
    /// A single address.
    Address(IpAddr),
    /// All addresses of a prefix.
    Prefix(IpNet),
}

impl HitList {
    /// Returns all addresses of the list, in its order.
    #[must_use]
    pub fn expanded_addresses(&self) -> Vec<IpAddr> {
        let all = |listed: &HitListEntry| match listed {
            HitListEntry::Address(address) => vec![*address],
            HitListEntry::Prefix(prefix) => {
                let inside = (0u128..)
                    .take_while(|at| *at < 1 << (prefix.max_prefix_len() - prefix.prefix_len()).min(21));
                let address = |at: u128| match prefix {
                    IpNet::V4(net) => {
                        IpAddr::V4((u32::from(net.network()) + u32::try_from(at).unwrap_or(0)).into())
                    }
                    IpNet::V6(net) => IpAddr::V6((u128::from(net.network()) + at).into()),
                };
                inside.map(address).collect()
            }
        };
        self.addresses.iter().flat_map(all).collect()
    }
}

/// Times at which hosts are on, in the time zone of their network. The rate of a host is multiplied by the
/// weight of the hour and that of the weekday, so that a weight of 0 switches hosts off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityRhythm {
    /// Weights of the 24 hours. By default, all are 1.
    #[serde(default)]
    pub hours: Vec<f64>,
    /// Weights of the weekdays from Monday to Sunday. By default, all are 1.
    #[serde(default)]
    pub weekdays: Vec<f64>,
}

fn stride_one() -> u32 {
    1
}

fn twenty_four() -> u8 {
    24
}
