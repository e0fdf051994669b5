//! Keeps imported samples in a history. Runs of a sample that the history has are added to its runs.

use std::collections::HashMap;

use crate::sample::{SampleProfile, SampleReport, SampleRun};
use crate::store::{HistoryStore, LocalStore};

use super::super::AppError;
use super::super::sandbox::LoadedSample;

/// Maximum number of runs of a sample that a history keeps. A report must not exceed 1 MiB.
const RUNS_MAX: usize = 1_000;

/// A history with the samples that it keeps.
pub(super) struct SampleKeeper {
    store: LocalStore,
    samples: Vec<LoadedSample>,
    by_hash: HashMap<String, usize>,
}

impl SampleKeeper {
    /// Reads the samples of a history.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn new(store: LocalStore) -> Result<SampleKeeper, AppError> {
        let samples = store.samples()?;
        let mut keeper = SampleKeeper { store, samples: Vec::new(), by_hash: HashMap::new() };
        for sample in samples {
            keeper.note(None, LoadedSample::from_kept(sample)?);
        }
        Ok(keeper)
    }

    /// Keeps a sample, and returns the number of runs that the history has of it; or the reason why it is not
    /// kept, if the history could be written to.
    ///
    /// # Errors
    /// When the history cannot be written to.
    pub(super) fn keep(&mut self, sample: LoadedSample) -> Result<Result<usize, String>, AppError> {
        let known = hashes(&sample.report).find_map(|hash| self.by_hash.get(&hash).copied());
        let sample = match known.map(|place| with_runs(&self.samples[place], &sample)) {
            None => sample,
            Some(Ok(joined)) => joined,
            Some(Err(why)) => return Ok(Err(why)),
        };
        self.store.put_sample(&sample.to_kept())?;
        if let Some(earlier) = known.map(|place| &self.samples[place].profile.id)
            && *earlier != sample.profile.id
        {
            // With another hash, the sample has another identifier.
            self.store.remove_sample(earlier)?;
        }
        let runs = sample.profile.each_run().len();
        self.note(known, sample);
        Ok(Ok(runs))
    }

    fn note(&mut self, known: Option<usize>, sample: LoadedSample) {
        let place = known.unwrap_or(self.samples.len());
        for hash in hashes(&sample.report) {
            self.by_hash.entry(hash).or_insert(place);
        }
        match self.samples.get_mut(place) {
            Some(earlier) => *earlier = sample,
            None => self.samples.push(sample),
        }
    }
}

fn hashes(report: &SampleReport) -> impl Iterator<Item = String> + use<> {
    let identity = report.identity.clone();
    [identity.sha256, identity.sha1, identity.md5].into_iter().flatten()
}

/// Returns a kept sample with the runs of another report on it. A run of the same capture is replaced.
///
/// # Errors
/// The reason why the two cannot be one report, for messages.
fn with_runs(kept: &LoadedSample, new: &LoadedSample) -> Result<LoadedSample, String> {
    let mut report = kept.report.clone();
    report.add(new.report.clone());
    if report.captures.len() > RUNS_MAX {
        return Err(format!("the history has {RUNS_MAX} runs of this sample; no more are kept"));
    }
    let text = report.to_yaml()?;
    SampleReport::parse(&text).map_err(|error| format!("the report with the new run: {error}"))?;
    let added = runs(new);
    let mut all: Vec<SampleRun> = runs(kept);
    all.retain(|run| added.iter().all(|new| new.capture != run.capture));
    all.extend(added);
    let profile = SampleProfile::of_runs(&report.id(), all);
    Ok(LoadedSample { path: new.path.clone(), text, report, profile, unread_reason: None })
}

/// Returns the runs of a sample.
fn runs(sample: &LoadedSample) -> Vec<SampleRun> {
    if !sample.profile.runs.is_empty() {
        return sample.profile.runs.clone();
    }
    let capture = sample.report.captures.first().map(|capture| capture.path().to_owned());
    vec![SampleRun { capture: capture.unwrap_or_default(), profile: sample.profile.clone() }]
}
