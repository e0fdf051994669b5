//! Use case: reads a sample's report and reduces its sandbox captures to a profile.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::capture::Input;
use crate::packet::Packet;
use crate::rules::Rules;
use crate::sample::{
    AddressCounts, KeptSample, LikelyVictims, SampleCapture, SampleProfile, SampleReport, SampleRun, Traffic,
    likely_victims,
};

use super::reading::LoadedCapture;
use super::{AppError, CaptureOptions, Notices, capture_path, yaml_file};

/// A sample with its report and the profile of its run.
#[derive(Clone, Debug)]
pub struct LoadedSample {
    /// The path of the report.
    pub path: PathBuf,
    /// The text of the report.
    pub text: String,
    /// The parsed report.
    pub report: SampleReport,
    /// The profile of the run.
    pub profile: SampleProfile,
    /// The reason why the run shows nothing, with the captures that have no packets or could not be read;
    /// `None` if it shows something.
    pub unread_reason: Option<String>,
}

impl LoadedSample {
    /// Returns the sample in the form in which a history stores it.
    #[must_use]
    pub fn to_kept(&self) -> KeptSample {
        let path = crate::escape::path(&self.path);
        KeptSample { path, report: self.text.clone(), profile: self.profile.clone() }
    }

    /// Returns the sample from the form in which a history stores it.
    ///
    /// # Errors
    /// When its report no longer fits the schema.
    pub fn from_kept(sample: KeptSample) -> Result<LoadedSample, AppError> {
        let path = PathBuf::from(sample.path);
        let report = SampleReport::parse(&sample.report).map_err(|error| AppError::report(&path, error))?;
        Ok(LoadedSample { path, text: sample.report, report, profile: sample.profile, unread_reason: None })
    }

    /// Returns a sample whose captures cannot be read: its report, an empty profile, and the reason.
    ///
    /// # Errors
    /// When the report cannot be read or is refused.
    pub(super) fn without_run(path: &Path, why: String) -> Result<LoadedSample, AppError> {
        let text = yaml_file::read(path)?;
        let report = SampleReport::parse(&text).map_err(|error| AppError::report(path, error))?;
        let profile = SampleProfile { id: report.id(), ..SampleProfile::default() };
        Ok(LoadedSample { path: path.to_owned(), text, report, profile, unread_reason: Some(why) })
    }
}

/// Reads a sample report and its captures. Of the options, only the limits, the password and `allow_outside`
/// apply.
///
/// # Errors
/// When the report is refused or a capture cannot be read.
pub fn load_sample(
    path: &Path,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<LoadedSample, AppError> {
    let text = yaml_file::read(path)?;
    let report = text.clone();
    load_with(path, text, options, rules, notices, &mut |captured, options, notices, take| {
        capture_path::check(path, &report, captured, options.allow_outside)?;
        for input in options.expand_file(&path.with_file_name(captured.1.path()), notices)? {
            take(options.load_capture(&input, rules)?, input, notices)?;
        }
        Ok(())
    })
}

/// Receives a capture that was read.
type TakeRun<'a> = &'a mut dyn FnMut(LoadedCapture, Input, &mut Notices) -> Result<(), AppError>;

/// Reads a captured run (one capture, or those of an archive). It gets the run's index among the report's
/// captures and the report's entry for it.
type LoadRun<'a> = &'a mut dyn FnMut(
    (usize, &SampleCapture),
    &CaptureOptions,
    &mut Notices,
    TakeRun<'_>,
) -> Result<(), AppError>;

/// Parses a report's text, and reads its captures with `run`.
///
/// # Errors
/// As [`load_sample`].
pub(super) fn load_with(
    path: &Path,
    text: String,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    run: LoadRun<'_>,
) -> Result<LoadedSample, AppError> {
    let report = SampleReport::parse(&text).map_err(|error| AppError::report(path, error))?;
    let mut runs: Vec<SampleRun> = Vec::new();
    let mut addresses = AddressCounts::default();
    let (mut is_empty, mut empty) = (true, Vec::new());
    for (place, captured) in report.captures.iter().enumerate() {
        let options =
            CaptureOptions { packets_per_second: captured.packets_per_second(), ..options.for_report() }
                .with_date(captured.date());
        run((place, captured), &options, notices, &mut |marked, input, notices| {
            notices.add_report(&input, &marked.report);
            if marked.packets.is_empty() {
                empty.push(input.to_string());
                return Ok(());
            }
            is_empty = false;
            notices.add_left_out(&input, &marked);
            addresses.add(AddressCounts::from_packets(&marked.packets));
            let profile = profile_of(&report, &input, &marked, rules, notices)?;
            runs.push(SampleRun { capture: captured.path().to_owned(), profile });
            Ok(())
        })?;
    }
    if !is_empty {
        // Each victim of the report must occur in at least one of its captures.
        addresses
            .check(&report.victims)
            .map_err(|error| AppError::victim(crate::escape::path(path), error))?;
    }
    let unread = is_empty.then(|| match report.captures.is_empty() {
        true => "no capture of its runs exists".to_owned(),
        false => format!("{}: no packets in it", empty.join(", ")),
    });
    let profile = SampleProfile::of_runs(&report.id(), runs);
    Ok(LoadedSample { path: path.to_owned(), text, report, profile, unread_reason: unread })
}

fn profile_of(
    report: &SampleReport,
    input: &Input,
    marked: &LoadedCapture,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<SampleProfile, AppError> {
    let victims = match report.victims.is_empty() {
        true => likely_victims_of(input, marked, rules, notices)?,
        false => report.victims.clone(),
    };
    let infrastructure = |packet: &Packet| rules.infrastructure_rule(packet).map(str::to_owned);
    let traffic = Traffic::from_packets(
        &marked.packets,
        &victims,
        &report.dummy_servers,
        &marked.names,
        &infrastructure,
    );
    let mut profile =
        SampleProfile::from_packets(&report.id(), &marked.packets, &marked.marks, &traffic, &rules.profile);
    profile.synthetic_time = marked.synthetic_time;
    Ok(profile)
}

/// The victims whose packets are classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Victims {
    /// No victim: packets are not classified.
    None,
    /// The given addresses.
    Given(Vec<IpAddr>),
    /// The victim that the capture shows: the address that is in every packet, or the host that begins most
    /// contacts.
    Auto,
}

/// Returns the victims of a capture according to the user's choice: none, the given ones, or those that the
/// capture shows.
///
/// # Errors
/// When a given victim has no packet in the capture, or when no victim stands out.
pub(super) fn victims_of(
    victims: &Victims,
    input: &Input,
    marked: &LoadedCapture,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Option<Vec<IpAddr>>, AppError> {
    match victims {
        Victims::None => Ok(None),
        Victims::Given(given) => {
            let present = AddressCounts::from_packets(&marked.packets).check(given);
            present.map_err(|error| AppError::victim(input.to_string(), error))?;
            Ok(Some(given.clone()))
        }
        Victims::Auto => likely_victims_of(input, marked, rules, notices).map(Some),
    }
}

/// Determines the victims from the capture itself, and adds a notice that names them.
fn likely_victims_of(
    input: &Input,
    marked: &LoadedCapture,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<IpAddr>, AppError> {
    let LikelyVictims { addresses, reason } =
        likely_victims(&marked.packets, &|packet| rules.infrastructure_rule(packet).is_some())
            .map_err(|error| AppError::victim(input.to_string(), error))?;
    let named: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    notices.add(format!("{input}: victim {} ({reason})", named.join(", ")));
    Ok(addresses)
}
