//! Samples as candidates for the cause of an event.

use crate::behavior::Transition;
use crate::sample::{PartialDate, Projection, SampleProfile, ScanVariant, ScanWindow};

use super::{ProbeTraits, SeriesTable};

/// The probability beforehand that a sensor sees sweeps just as the sandbox did: a sweep's end may lie beyond the
/// run.
const RUN_VARIANT_WEIGHT: f64 = 0.2;

/// A sample as a cause to weigh at one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The scans that it may be, as the sensor would see them.
    pub variants: Vec<ScanVariant>,
    /// Number of contacts of the run from which they were worked out.
    pub run_contacts: f64,
    /// When it was discovered or caught.
    pub date: Option<PartialDate>,
    /// Its malware family; `None` if nobody names one.
    pub family: Option<String>,
    /// How it builds its probes.
    pub probes: ProbeTraits,
}

impl Candidate {
    /// Returns a sample by its projection onto the sensor, if it scans.
    #[must_use]
    pub fn new(
        sample: &SampleProfile,
        projection: Option<&Projection>,
        date: Option<PartialDate>,
        family: Option<String>,
        probes: ProbeTraits,
    ) -> Candidate {
        let mut variants = projection.map_or_else(Vec::new, |one| one.variants.clone());
        let sweeps = |one: &ScanWindow| one.fingerprint.whole.parameters.transition == Transition::Sequential;
        if !variants.is_empty() && sample.scan_windows().any(sweeps) {
            variants.iter_mut().for_each(|variant| variant.weight *= 1.0 - RUN_VARIANT_WEIGHT);
            variants.push(ScanVariant::from_run(sample, RUN_VARIANT_WEIGHT));
        }
        let destinations = |window: &ScanWindow| window.fingerprint.whole.parameters.destinations;
        let run_contacts = sample.scan_windows().map(destinations).sum::<u64>() as f64;
        Candidate { variants, run_contacts, date, family, probes }
    }
}

/// A sensor with the samples as candidates at it. All sensors have the same samples in the same order.
#[derive(Clone, Copy, Debug)]
pub struct SensorCandidates<'a> {
    /// What the sensor saw.
    pub table: &'a SeriesTable,
    /// The samples.
    pub candidates: &'a [Candidate],
}

/// The kinds of evidence that count. All of them do, except where an evaluation measures the worth of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnabledEvidence {
    /// The number of days between a sample's date and the onset.
    pub timing: bool,
    /// Scanners without a sample as further possible causes.
    pub unknown_scanners: bool,
    /// The counts that the days before the onset let expect.
    pub expected: bool,
    /// Malware families; without them, each sample is a family of its own.
    pub families: bool,
    /// How the hosts build their probes.
    pub signatures: bool,
}

impl Default for EnabledEvidence {
    fn default() -> EnabledEvidence {
        EnabledEvidence {
            timing: true,
            unknown_scanners: true,
            expected: true,
            families: true,
            signatures: true,
        }
    }
}
