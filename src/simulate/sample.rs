//! The sample that was caught of a family: its schema in a scenario, its sandbox run and its report.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::civil::Date;
use md5::{Digest, Md5};
use serde::Deserialize;

use super::population::Period;
use super::random::Seed;
use super::sandbox::{self, VICTIM};
use super::scenario::FamilyPlan;
use super::tcpdump;
use super::wire::PcapWriter;

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

/// A sample as it is handed to an analyst: a report, and the capture or log of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaughtSample {
    /// Name of the sample's family.
    pub family: String,
    /// MD5 of the sample.
    pub md5: String,
    /// The sample report, as YAML.
    pub report: String,
    /// File name of the capture or log, as in the report.
    pub capture_name: String,
    /// Content of the capture or log.
    pub capture: Vec<u8>,
}

impl SamplePlan {
    /// Checks the MD5, the duration and the loss.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_hex = |md5: &String| md5.bytes().all(|digit| digit.is_ascii_hexdigit());
        if self.md5.as_ref().is_some_and(|md5| md5.len() != 32 || !is_hex(md5)) {
            return Err("sample.md5 has 32 hexadecimal digits".to_owned());
        }
        if !(1.0..=86_400.0).contains(&self.sandbox.seconds) {
            return Err("sample.sandbox.seconds lies between 1 and 86400".to_owned());
        }
        super::check::check_share("sample.sandbox.loss", self.sandbox.loss)
    }
}

impl CaughtSample {
    /// Returns the sample of a family; `None` if none was caught.
    pub(super) fn from_family(family: &FamilyPlan, seed: Seed, period: &Period) -> Option<CaughtSample> {
        let plan = family.sample.as_ref()?;
        let given = plan.md5.as_ref().map(|md5| md5.to_ascii_lowercase());
        let md5 = given.unwrap_or_else(|| {
            let digest = Md5::digest(family.name.as_bytes());
            digest.iter().fold(String::new(), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            })
        });
        let day = plan.caught.or(plan.discovered).unwrap_or(period.first);
        let midnight = crate::history::Day::from_date(day, &jiff::tz::TimeZone::UTC).start;
        let run = sandbox::run(family, plan, seed.named("sandbox").named(&family.name), midnight);
        let (capture_name, capture) = match plan.sandbox.format {
            LogFormat::Pcap => ("run.pcap", pcap(&run)),
            format => ("run.txt", tcpdump::log(&run, format).into_bytes()),
        };
        let report = report(family, plan, &md5, capture_name, day);
        let (family, capture_name) = (family.name.clone(), capture_name.to_owned());
        Some(CaughtSample { family, md5, report, capture_name, capture })
    }
}

/// Returns the run as a pcap file.
fn pcap(run: &[sandbox::SandboxPacket]) -> Vec<u8> {
    // Writing to memory does not fail.
    let Ok(mut writer) = PcapWriter::new(Vec::new()) else { return Vec::new() };
    for sent in run {
        let _infallible = writer.packet(&sent.packet, &sent.payload, sent.has_options);
    }
    writer.into_inner()
}

/// Returns the sample report as YAML.
fn report(family: &FamilyPlan, plan: &SamplePlan, md5: &str, capture: &str, day: Date) -> String {
    let mut out = format!("identity: {{md5: {md5}}}\n");
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _infallible = out.write_fmt(text);
    };
    if !plan.names.is_empty() {
        line(format_args!("names:\n"));
        for (vendor, name) in &plan.names {
            line(format_args!("  {}: {}\n", crate::escape::yaml(vendor), crate::escape::yaml(name)));
        }
    }
    if let Some(caught) = plan.caught {
        line(format_args!("acquired: {caught}\n"));
    }
    match (plan.discovered, &plan.vendor) {
        (Some(date), Some(vendor)) => {
            line(format_args!("discovered: {{date: {date}, source: {}}}\n", crate::escape::yaml(vendor)))
        }
        (Some(date), None) => line(format_args!("discovered: {{date: {date}}}\n")),
        (None, _) => {}
    }
    line(format_args!("victims: [{VICTIM}]\n"));
    if plan.sandbox.dummy_servers {
        line(format_args!("dummy_servers: [{}, {}]\n", sandbox::DNS, sandbox::IRC));
    }
    match plan.sandbox.format {
        LogFormat::Tcpdump3 => line(format_args!("captures: [{{path: {capture}, date: {day}}}]\n")),
        _ => line(format_args!("captures: [{capture}]\n")),
    }
    line(format_args!("notes: Simulated; the family is {}.\n", family.name));
    out
}
