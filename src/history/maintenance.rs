//! The results of maintaining a history: its captures and contents, and what was merged, dropped, joined or
//! verified.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::packet::Timestamp;

use super::{CaptureRecord, Coverage, Sensor};

/// A capture of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedCapture {
    /// The sensor that made it.
    pub sensor: Sensor,
    /// Its record in the history.
    pub record: CaptureRecord,
    /// Whether it can be removed.
    pub removable: bool,
}

impl ListedCapture {
    /// Returns its content hash in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::Hash::from_bytes(self.record.content).to_hex().to_string()
    }
}

/// The data that a history has of a sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorContents {
    /// The sensor.
    pub sensor: Sensor,
    /// The sensor's coverage.
    pub coverage: Coverage,
    /// Number of captures that were fed.
    pub captures: u64,
}

/// The size of one part of a history's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentSize {
    /// The name of the part: a plural noun, or the file name of the catalog.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Number of files; `None` for rows of the catalog.
    pub files: Option<u64>,
    /// Size of these files in bytes; `None` for rows of the catalog.
    pub bytes: Option<u64>,
}

/// The sightings that were dropped, or would be dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionSummary {
    /// The first day whose sightings are kept, by name of the sensor.
    pub kept_from: BTreeMap<String, Date>,
    /// Number of months, counted per sensor.
    pub months: u64,
    /// Number of rows of sightings.
    pub sightings: u64,
    /// Size of the dropped files in bytes.
    pub bytes: u64,
}

/// The days and captures of a sensor that are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedDays {
    /// Days that become not recorded.
    pub days: u64,
    /// Names of captures that lie wholly in them.
    pub whole_captures: Vec<String>,
    /// Names of captures that lie partly in them.
    pub cut_captures: Vec<String>,
}

/// The result of merging segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionSummary {
    /// Number of days that were merged, counted per sensor.
    pub days: u64,
    /// Number of months that were merged, counted per sensor.
    pub months: u64,
    /// Size of all segments before, in bytes.
    pub bytes_before: u64,
    /// Size of all segments afterwards, in bytes.
    pub bytes_after: u64,
}

/// The result of joining histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinSummary {
    /// Number of sensors in the result.
    pub sensors: u64,
    /// Number of captures in the result.
    pub captures: u64,
    /// Names of captures that several histories have; each is taken once.
    pub shared_captures: Vec<String>,
    /// The times at which one history of a sensor ends and another begins.
    pub seams: Vec<Seam>,
    /// Number of incidents in the result.
    pub incidents: u64,
    /// Incidents that have another number in the result, because several histories used theirs.
    pub renumbered_incidents: Vec<RenumberedIncident>,
}

/// An incident that got another number when histories were joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenumberedIncident {
    /// The path of the history that it comes from, escaped.
    pub history: String,
    /// Its number there.
    pub from: u64,
    /// Its number in the result.
    pub to: u64,
}

/// The time at which one history of a sensor ends and another begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seam {
    /// The name of the sensor.
    pub sensor: String,
    /// The end of the earlier history.
    pub at: Timestamp,
    /// Number of windows that were open at that time and whose hosts were active soon after: each counts as
    /// two windows.
    pub cut_windows: u64,
}

/// The numbers of verified items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerificationSummary {
    /// Number of rows of the catalog.
    pub rows: u64,
    /// Number of segment files.
    pub segments: u64,
    /// Number of types.
    pub types: u64,
    /// Number of recorded days, counted per sensor. It is 0 if a segment is damaged.
    pub days: u64,
}

/// The result of checking a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationResult {
    /// How much was checked.
    pub checked: VerificationSummary,
    /// One description for each damaged part of the history; empty if the history is intact.
    pub faults: Vec<String>,
}
