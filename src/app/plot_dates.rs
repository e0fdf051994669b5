//! Use case: collects dates to be marked in a plot, from event lists, sample reports, and samples that a
//! history keeps.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;

use crate::sample::{PartialDate, SampleReport};
use crate::store::HistoryStore;

use super::AppError;
use super::history::kept_samples;

/// A dated event to be marked in a plot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatedEvent {
    /// When it happened.
    pub date: Date,
    /// What happened.
    pub label: String,
}

/// Returns the events of `asked`: files with an event list or a sample report, and hashes of samples that the
/// history keeps. If a file has the name of a hash, the file is read.
///
/// # Errors
/// When a file cannot be read or is neither an event list nor a report, or the history does not keep such a
/// sample.
pub fn load(asked: &[PathBuf], store: &dyn HistoryStore) -> Result<Vec<DatedEvent>, AppError> {
    let mut events = Vec::new();
    for asked in asked {
        match asked.to_str().filter(|text| is_hash(text) && !asked.exists()) {
            Some(id) => events.extend(kept_sample_dates(id, store)?),
            None => events.extend(read(asked)?),
        }
    }
    Ok(events)
}

/// Returns whether a text has the form of an MD5, SHA-1 or SHA-256 hash.
fn is_hash(text: &str) -> bool {
    [32, 40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn kept_sample_dates(id: &str, store: &dyn HistoryStore) -> Result<Vec<DatedEvent>, AppError> {
    let known = |report: &SampleReport| {
        let identity = &report.identity;
        let hashes = [&identity.md5, &identity.sha1, &identity.sha256];
        hashes.into_iter().flatten().any(|hash| hash.eq_ignore_ascii_case(id))
    };
    let samples = kept_samples(store)?;
    let found = samples.iter().find(|sample| known(&sample.report)).ok_or_else(|| {
        AppError::Usage(format!(
            "the history keeps no sample {id}; `inga sample add` keeps one, or give its report"
        ))
    })?;
    Ok(sample_dates(&found.report))
}

fn read(path: &Path) -> Result<Vec<DatedEvent>, AppError> {
    let text = super::yaml_file::read(path)?;
    // A report is a mapping and an event list is a sequence. The distinction lets each be refused with its
    // own error message.
    let first =
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with(['#', '%']) && *line != "---");
    if first.is_some_and(|line| !line.trim_start().starts_with(['-', '['])) {
        let report = SampleReport::parse(&text).map_err(|error| AppError::report(path, error))?;
        return Ok(sample_dates(&report));
    }
    crate::yaml::parse(&text).map_err(|error| AppError::yaml(path, &error))
}

/// Returns the events of a sample's discovery and acquisition. A date that is known only to the month is
/// marked at its first day.
fn sample_dates(report: &SampleReport) -> Vec<DatedEvent> {
    let discovered = report.discovered.as_ref().map(|discovery| (discovery.date, "discovered"));
    let acquired = report.acquired.map(|span| (span, "acquired"));
    let event = |(span, what): (PartialDate, &str)| {
        // The plot's axis shows days; a date that is less exact is written in the label.
        let when = if span.first == span.last { String::new() } else { format!(" {span}") };
        DatedEvent { date: span.first, label: format!("{} {what}{when}", report.title()) }
    };
    discovered.into_iter().chain(acquired).map(event).collect()
}
