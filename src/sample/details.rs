//! Everything that is known of one sample.

use crate::behavior::{Feature, RunSignature};

use super::{FamilyMember, PooledScan, RunConditions, SampleReport};

/// Everything that is known of one sample.
#[derive(Clone, Debug)]
pub struct SampleDetails {
    /// The path from which its report was read.
    pub path: String,
    /// Its report.
    pub report: SampleReport,
    /// The sample as a member of its family.
    pub member: FamilyMember,
    /// Its runs, in the order of the report.
    pub runs: Vec<RunDetails>,
    /// Its scan; several scans, if runs differ significantly. Empty if no run shows a scan.
    pub scans: Vec<PooledScan>,
    /// How its scan builds its probes: one entry for each kind of probes.
    pub probes: Vec<SampleProbes>,
}

/// How a sample builds its probes of one kind.
#[derive(Clone, Debug)]
pub struct SampleProbes {
    /// What all probes have in common.
    pub run: RunSignature,
    /// The operating systems whose stack can have built them; empty if there is none, as for datagrams.
    pub systems: Vec<String>,
    /// The features that the malware determines: no known stack sets such a value, or a program always chooses the field.
    pub made_by_malware: Vec<Feature>,
}

/// A run of a sample.
#[derive(Clone, Debug)]
pub struct RunDetails {
    /// The capture, as the report names it; `None` for a run of which no capture exists.
    pub capture: Option<String>,
    /// Its conditions, as far as they are known.
    pub conditions: RunConditions,
    /// What its capture shows; `None` without a capture.
    pub observed: Option<RunObservation>,
}

/// What the capture of a run shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunObservation {
    /// Whether a host outside answered the sample.
    pub is_answered: bool,
    /// Number of windows of the scan.
    pub windows: usize,
    /// Seconds from the first scan event to the last; `None` if times are unknown or there is no scan.
    pub scan_seconds: Option<f64>,
    /// Number of packets that are no scan events.
    pub accesses: u64,
}
