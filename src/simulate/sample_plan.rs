//! The schema of a scenario: the sample that was caught of a family.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

/// A sample that was caught.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplePlan {
    /// MD5 of the sample, 32 hexadecimal digits. By default, the MD5 of the family's name.
    pub md5: Option<String>,
    /// Names that vendors give the sample, by vendor.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Date on which the sample was caught.
    pub caught: Option<Date>,
    /// Date on which a vendor published the sample.
    pub discovered: Option<Date>,
    /// The vendor.
    pub vendor: Option<String>,
    /// The sandbox run.
    #[serde(default)]
    pub sandbox: SandboxPlan,
}

/// A sandbox run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxPlan {
    /// Duration in seconds.
    #[serde(default = "minute")]
    pub seconds: f64,
    /// Whether the targets of the scan answer.
    #[serde(default)]
    pub answers: bool,
    /// Whether the sandbox has a DNS and an IRC server, which the sample uses.
    #[serde(default)]
    pub dummy_servers: bool,
    /// Share of packets that the capture lost, 0 to 1.
    #[serde(default)]
    pub loss: f64,
    /// Whether the system sends infrastructure traffic: NetBIOS, NTP, SSDP.
    #[serde(default)]
    pub chatter: bool,
    /// Format in which the run is stored.
    #[serde(default)]
    pub format: LogFormat,
}

impl Default for SandboxPlan {
    fn default() -> SandboxPlan {
        SandboxPlan {
            seconds: minute(),
            answers: false,
            dummy_servers: false,
            loss: 0.0,
            chatter: false,
            format: LogFormat::Pcap,
        }
    }
}

fn minute() -> f64 {
    60.0
}

/// The format in which a sandbox stores a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// A pcap file.
    #[default]
    Pcap,
    /// Text of tcpdump 3, with times of day only.
    Tcpdump3,
    /// Text of tcpdump 4, with dates and times.
    Tcpdump4,
    /// Text as in figure 8 of the nicter report (2009): no times, and nothing after the TCP flags.
    Figure8,
}
