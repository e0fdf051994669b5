//! Use case: reduce a sample's sandbox captures to its profile.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::capture::Input;
use crate::event::{Packet, Protocol};
use crate::rules::Rules;
use crate::sample::{KeptSample, Names, SampleProfile, SampleReport, Traffic, likely_victims};

use super::reading::Marked;
use super::{AppError, CaptureOptions, Notices};

/// A sample with its report and what its run shows.
#[derive(Clone, Debug)]
pub struct LoadedSample {
    /// Where the report is.
    pub path: PathBuf,
    /// The report as written.
    pub text: String,
    /// The report.
    pub report: SampleReport,
    /// The profile.
    pub profile: SampleProfile,
}

impl LoadedSample {
    /// As a history keeps it.
    #[must_use]
    pub fn to_keep(&self) -> KeptSample {
        let path = crate::capture::shown(&self.path);
        KeptSample { path, report: self.text.clone(), profile: self.profile.clone() }
    }

    /// As a history kept it.
    ///
    /// # Errors
    /// When its report is no longer of the schema.
    pub fn kept(sample: KeptSample) -> Result<LoadedSample, AppError> {
        let path = PathBuf::from(sample.path);
        let report = SampleReport::parse(&sample.report).map_err(|error| AppError::report(&path, error))?;
        Ok(LoadedSample { path, text: sample.report, report, profile: sample.profile })
    }
}

/// Reads a sample report and its captures.
///
/// # Errors
/// When the report is refused or a capture cannot be read.
pub fn load_sample(path: &Path, rules: &Rules, notices: &mut Notices) -> Result<LoadedSample, AppError> {
    let text = std::fs::read_to_string(path).map_err(|error| AppError::file(path, error))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    load_with(path, text, rules, notices, &mut |name, options| {
        let input = Input::Path(folder.join(name));
        Ok((options.load_marked(&input, rules)?, input))
    })
}

/// Reads a captured run under the name that its report gives it.
type LoadRun<'a> = &'a mut dyn FnMut(&str, &CaptureOptions) -> Result<(Marked, Input), AppError>;

/// Reads a report's text, and its captures with `run`.
///
/// # Errors
/// As [`load_sample`].
pub(super) fn load_with(
    path: &Path,
    text: String,
    rules: &Rules,
    notices: &mut Notices,
    run: LoadRun<'_>,
) -> Result<LoadedSample, AppError> {
    let report = SampleReport::parse(&text).map_err(|error| AppError::report(path, error))?;
    let mut profile = SampleProfile { id: report.id(), ..SampleProfile::default() };
    for captured in &report.captures {
        let options =
            CaptureOptions { packets_per_second: captured.packets_per_second(), ..CaptureOptions::default() }
                .with_date(captured.date());
        let (marked, input) = run(captured.path(), &options)?;
        notices.add_report(&input, &marked.report);
        let part = profile_of(&report, &input, &marked, rules, notices)?;
        profile.synthetic_time |= part.synthetic_time;
        profile.windows.extend(part.windows);
        for (access, packets) in part.accesses {
            *profile.accesses.entry(access).or_default() += packets;
        }
    }
    Ok(LoadedSample { path: path.to_owned(), text, report, profile })
}

fn profile_of(
    report: &SampleReport,
    input: &Input,
    marked: &Marked,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<SampleProfile, AppError> {
    let victims = match report.victims.is_empty() {
        true => victims_of(input, marked, rules, notices)?,
        false => report.victims.clone(),
    };
    let plumbing = |packet: &Packet| rules.plumbing(packet).map(str::to_owned);
    let traffic = Traffic::of(&marked.packets, &victims, &report.dummy_servers, &marked.names, &plumbing);
    let mut profile =
        SampleProfile::of(&report.id(), &marked.packets, &marked.marks, &traffic, &rules.profile);
    profile.synthetic_time = marked.synthetic_time;
    Ok(profile)
}

/// The victims that a capture itself shows, told in a notice.
///
/// # Errors
/// When none stands out.
pub fn victims_of(
    input: &Input,
    marked: &Marked,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<IpAddr>, AppError> {
    let victims = likely_victims(&marked.packets, &|packet| rules.plumbing(packet).is_some())?;
    let named: Vec<String> = victims.iter().map(IpAddr::to_string).collect();
    notices.add(format!("{input}: victim {} (begins nearly all conversations)", named.join(", ")));
    Ok(victims)
}

/// Notes the addresses that a DNS answer gives.
pub fn collect_names(packet: &Packet, payload: &[u8], names: &mut Names) {
    const DNS: u16 = 53;
    if packet.protocol() != Protocol::Udp || packet.source_port() != Some(DNS) {
        return;
    }
    if promises_too_much(payload) {
        return;
    }
    let Ok(answer) = simple_dns::Packet::parse(payload) else { return };
    for record in &answer.answers {
        match &record.rdata {
            simple_dns::rdata::RData::A(a) => {
                names.insert(IpAddr::V4(a.address.into()));
            }
            simple_dns::rdata::RData::AAAA(aaaa) => {
                names.insert(IpAddr::V6(aaaa.address.into()));
            }
            _ => {}
        }
    }
}

/// Whether a DNS message says that it has more questions and records than its bytes can hold (RFC 1035, section 4.1: a
/// question has 5 bytes at least, a record 11). The parser makes room for all that are promised, megabytes for a packet.
fn promises_too_much(message: &[u8]) -> bool {
    let Some((header, body)) = message.split_first_chunk::<12>() else { return true };
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    5 * count(4) + 11 * (count(6) + count(8) + count(10)) > body.len()
}
