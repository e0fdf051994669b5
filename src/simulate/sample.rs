//! The sample that was caught of a family: its sandbox run and its report.

use std::fmt::Write;

use jiff::civil::Date;
use md5::{Digest, Md5};

use super::family_plan::FamilyPlan;
use super::population::Period;
use super::random::Seed;
use super::sample_plan::{LogFormat, SamplePlan};
use super::sandbox::{self, VICTIM};
use super::tcpdump;
use super::wire::PcapWriter;

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

impl CaughtSample {
    /// Returns the sample of a family; `None` if none was caught.
    pub(super) fn from_family(family: &FamilyPlan, seed: Seed, period: &Period) -> Option<CaughtSample> {
        let plan = family.sample.as_ref()?;
        let given = plan.md5.as_ref().map(|md5| md5.to_ascii_lowercase());
        let md5 = given.unwrap_or_else(|| crate::escape::hex(&Md5::digest(family.name.as_bytes())));
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
