//! The scenario language: what people write, with its defaults. What it means is told beside each key.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Deserialize;

use crate::history::{Outage, SensorKind};

use super::background::Background;
use super::growth::Population;
use super::probe_plan::{Header, ProbePlan};
use super::sample::SamplePlan;

/// Who is infected by what, who watches, and what else is on the wire. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A line for people.
    pub title: String,
    /// Anything else for people.
    #[serde(default)]
    pub notes: String,
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// IANA name of the zone of these days, in which captures are cut.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// How captures are cut.
    #[serde(default)]
    pub captures: Cut,
    /// Who watches.
    pub sensors: Vec<SensorPlan>,
    /// Where hosts live; without any, in 100.64.0.0/10, which no host on the Internet has.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// What hosts are infected by.
    #[serde(default)]
    pub families: Vec<Family>,
    /// What else there is.
    #[serde(default)]
    pub background: Background,
}

/// How captures are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// A capture a day.
    #[default]
    Day,
    /// A capture an hour.
    Hour,
}

/// A sensor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorPlan {
    /// Its name.
    pub name: String,
    /// What surrounds it.
    pub kind: SensorKind,
    /// The prefixes it watches.
    pub prefixes: Vec<IpNet>,
    /// Live prefixes among them.
    #[serde(default)]
    pub live: Vec<IpNet>,
    /// IANA name of the zone of its days.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Days on which it recorded nothing.
    #[serde(default)]
    pub outages: Vec<Outage>,
    /// Share of packets that it loses.
    #[serde(default)]
    pub loss: f64,
}

/// A network in which hosts live.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its name: a provider, a country.
    pub name: String,
    /// Its addresses. Dark ones are never a host's.
    pub prefix: IpNet,
    /// How many hosts live in it, beside the others.
    #[serde(default = "one")]
    pub weight: f64,
    /// IANA name of the zone by which its hosts are switched on and off.
    #[serde(default = "utc")]
    pub time_zone: String,
}

/// A malware family (or a scanning tool): how its hosts scan, and how many there are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// How it picks targets.
    pub targets: Targets,
    /// What it sends to a target: one of these, by their shares.
    pub probes: Vec<ProbePlan>,
    /// Whether every target gets all of the probes.
    #[serde(default)]
    pub together: bool,
    /// New targets a second of a host, all threads together, while it is on.
    pub rate: f64,
    /// How far hosts' rates differ: the standard deviation of their natural logarithm.
    #[serde(default)]
    pub rate_spread: f64,
    /// When hosts are on.
    #[serde(default)]
    pub rhythm: Rhythm,
    /// How many hosts there are, since when and for how long.
    #[serde(default)]
    pub population: Population,
    /// What its headers look like.
    #[serde(default)]
    pub header: Header,
    /// The sample that was caught of it.
    pub sample: Option<SamplePlan>,
}

/// How targets are picked: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// At random.
    pub uniform: Option<Uniform>,
    /// One after the other, block by block.
    pub sequential: Option<Sequential>,
    /// All IPv4 addresses once, in an order that all hosts share, each from a place of its own.
    pub permutation: Option<Permutation>,
    /// From a list.
    pub hit_list: Option<HitList>,
    /// None: it never scans.
    pub none: Option<Nothing>,
}

/// No more to say.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Targets at random.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    /// Shares of the targets that lie in the host's own network; the rest is drawn from all addresses.
    #[serde(default)]
    pub own: Vec<Own>,
    /// Upper ends of the four octets where a generator's bug never reaches the rest, like `[256, 128, 256, 128]`.
    pub octets_below: Option<[u16; 4]>,
}

/// A preference for the own network.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// Length of its prefix: 8, 16, 24.
    pub prefix: u8,
    /// Share of the targets.
    pub share: f64,
}

/// Targets one after the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    /// Prefix length of a block; after it the scan jumps to another one at random. 0 is the whole Internet, round and
    /// round.
    #[serde(default = "twenty_four")]
    pub block: u8,
    /// Distance from one target to the next.
    #[serde(default = "stride_one")]
    pub stride: u32,
    /// Where in a block it begins.
    #[serde(default)]
    pub start: Start,
    /// Share of the blocks that are the host's own.
    #[serde(default)]
    pub own: f64,
    /// How often a block is gone through before the jump.
    #[serde(default = "stride_one")]
    pub passes: u32,
    /// Threads, each with a block of its own.
    #[serde(default = "stride_one")]
    pub threads: u32,
    /// The bug of counting in the wrong byte order: the first octet changes fastest. Only with block 0.
    #[serde(default)]
    pub byte_reversed: bool,
}

/// Where in a block a sweep begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At its first address.
    #[default]
    First,
    /// Anywhere; it goes round.
    Random,
}

/// All addresses in one order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permutation {
    /// Hosts share the order of this key.
    #[serde(default)]
    pub key: u64,
}

/// Targets from a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HitList {
    /// Addresses and prefixes, 2^20 addresses at most.
    pub addresses: Vec<Listed>,
    /// How often a host goes through it; without it, for ever.
    pub passes: Option<u64>,
}

/// An address or a prefix.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "an address like 192.0.2.1 or a prefix like 192.0.2.0/24")]
pub enum Listed {
    /// One address.
    Address(IpAddr),
    /// All of a prefix.
    Prefix(IpNet),
}

impl HitList {
    /// All addresses of the list, in its order.
    #[must_use]
    pub fn all(&self) -> Vec<IpAddr> {
        let all = |listed: &Listed| match listed {
            Listed::Address(address) => vec![*address],
            Listed::Prefix(prefix) => {
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

/// When hosts are on, in the time zone of their network. A weight below 1 is the share of its rate that a host has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    /// Weights of the 24 hours; without it, all 1.
    #[serde(default)]
    pub hours: Vec<f64>,
    /// Weights of the weekdays from Monday to Sunday; without it, all 1.
    #[serde(default)]
    pub weekdays: Vec<f64>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn one() -> f64 {
    1.0
}

fn stride_one() -> u32 {
    1
}

fn twenty_four() -> u8 {
    24
}
