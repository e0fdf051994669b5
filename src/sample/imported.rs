//! The result of an import of samples from the output of sandboxes.

use std::net::IpAddr;
use std::path::PathBuf;

use super::{DraftReport, RunConditions, SampleFamily};

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportResult {
    /// The samples, in the order in which they were found.
    pub samples: Vec<ImportedSample>,
    /// Paths that could not be imported, with the reasons.
    pub failed: Vec<(PathBuf, String)>,
    /// Files that are neither reports nor captures, with the reasons.
    pub passed: Vec<(PathBuf, String)>,
    /// Number of further such files.
    pub passed_more: u64,
}

/// A sample that was imported.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedSample {
    /// The report that was put together.
    pub draft: DraftReport,
    /// Its malware family, if something names it.
    pub family: Option<SampleFamily>,
    /// Its runs.
    pub runs: Vec<ImportedRun>,
    /// Number of runs with a capture that the history has of the sample, with those of earlier imports; `None`
    /// if it was not kept in a history.
    pub runs_kept: Option<usize>,
    /// Why the sample is not in the folder or history, although it was read.
    pub failed: Option<String>,
}

impl ImportedSample {
    /// Returns whether at least one run has a capture.
    #[must_use]
    pub fn has_capture(&self) -> bool {
        !self.draft.runs.is_empty()
    }
}

/// A run that was imported.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedRun {
    /// The folder or file from which it was read.
    pub source: PathBuf,
    /// Its conditions.
    pub conditions: RunConditions,
    /// Number of packets; `None` without a capture.
    pub packets: Option<u64>,
    /// Addresses of the victim hosts, as the capture or else the report shows them.
    pub victims: Vec<IpAddr>,
    /// What is missing or wrong.
    pub problems: Vec<String>,
}
