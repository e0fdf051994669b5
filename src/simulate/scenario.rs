//! The schema of a scenario: the YAML keys that people write, with their meanings and defaults.

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Deserialize;

use crate::history::{Outage, SensorKind};

use super::background::Background;
use super::family_plan::FamilyPlan;

/// A scenario: infected hosts, sensors, and background traffic. Unknown keys are rejected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A title of one line.
    pub title: String,
    /// Free text.
    #[serde(default)]
    pub notes: String,
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// IANA name of the time zone of these days. Captures are cut by its days and hours.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Length of the captures.
    #[serde(default)]
    pub captures: CaptureLength,
    /// The sensors; at least one.
    pub sensors: Vec<SensorPlan>,
    /// Networks in which hosts live. If there are none, hosts live in 100.64.0.0/10, which no host on the
    /// Internet has.
    #[serde(default)]
    pub networks: Vec<NetworkPlan>,
    /// The malware families.
    #[serde(default)]
    pub families: Vec<FamilyPlan>,
    /// Traffic that is not malware.
    #[serde(default)]
    pub background: Background,
}

/// Length of the captures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureLength {
    /// One capture per day.
    #[default]
    Day,
    /// One capture per hour.
    Hour,
}

/// A sensor of a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorPlan {
    /// Name of the sensor.
    pub name: String,
    /// Kind of the sensor: what surrounds its dark addresses.
    pub kind: SensorKind,
    /// Prefixes that the sensor monitors.
    pub prefixes: Vec<IpNet>,
    /// Live prefixes among them.
    #[serde(default)]
    pub live: Vec<IpNet>,
    /// IANA name of the time zone of the sensor's days.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Days on which the sensor recorded nothing.
    #[serde(default)]
    pub outages: Vec<Outage>,
    /// Capture loss: share of packets that the sensor drops, 0 to 1.
    #[serde(default)]
    pub loss: f64,
}

/// A network in which hosts live.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPlan {
    /// Name of the network, such as a provider or a country.
    pub name: String,
    /// Addresses of the network. Hosts never have a dark address of a sensor.
    pub prefix: IpNet,
    /// Relative number of hosts in this network.
    #[serde(default = "one")]
    pub weight: f64,
    /// IANA name of the time zone that the rhythm of the network's hosts follows.
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn one() -> f64 {
    1.0
}
